//! The Job controller: runs pods until enough of them have succeeded.

mod count;
mod status;

use count::Count;

use super::claim::{self, Claim};
use super::writes::{Act, Progress, Writes};
use super::{answers, callers, keys, kinds, pods};
use crate::api::{
    ApiRequest, Caller, DeleteOptions, Patch, Preconditions, Propagation, Response, Status,
    WatchEvent, WriteOptions,
};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

const NAME: &str = "job-controller";
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// Runs the pods of a Job, `parallelism` at a time, until `completions` have succeeded, more than
/// `backoffLimit` have failed, or `activeDeadlineSeconds` are over; suspends and resumes it; and deletes
/// it `ttlSecondsAfterFinished` after its end.
///
/// No pod is counted twice or forgotten: each keeps a finalizer until its end is noted in
/// `status.uncountedTerminatedPods`. The two completion modes are supported, `podFailurePolicy` and
/// `backoffLimitPerIndex` are not.
///
/// Its keys are Jobs, and pods without a controller that some Job might adopt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jobs;

/// Where the reconciliation of a Job stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// A pod that nobody controls.
    Orphan,
    /// The Jobs that might adopt it.
    Adopters(Object),
    /// The Job.
    Job(ObjectRef),
    /// Its pods.
    Pods(Object),
    /// The pods of a Job that is gone.
    Stranded(ObjectRef),
    /// Pods being adopted or let go.
    Adoption(Writes),
    /// Pods being made or removed.
    Changes(Writes, Box<Count>),
    /// The status being written, and after it the finalizers of counted pods being taken off.
    Status(Writes, Option<Duration>),
}

impl Reconciler for Jobs {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("batch/v1", "Job"), Watch::all("v1", "Pod")]
    }

    fn workers(&self) -> usize {
        5
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        keys::of_owned(event, previous, &kinds::job())
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let read = |kind| ApiRequest::get_cached(&kind, &target.namespace, &target.name);
        match target.kind.as_str() {
            "Pod" => Next::ask(Awaiting::Orphan, read(kinds::pod())),
            _ => Next::ask(Awaiting::Job(target.clone()), read(kinds::job())),
        }
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: Awaiting, response: Response, now: Timestamp) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::Orphan => keys::find_adopters(response, &kinds::job(), Awaiting::Adopters)?,
        Awaiting::Adopters(orphan) => keys::enqueue_adopters(&orphan, response)?,
        Awaiting::Job(key) => match answers::object(response)? {
            Some(job) => {
                let pods = ApiRequest::list_all_cached(&kinds::pod(), job.namespace());
                Next::ask(Awaiting::Pods(job), pods)
            }
            None => {
                let pods = ApiRequest::list_all_cached(&kinds::pod(), &key.namespace);
                Next::ask(Awaiting::Stranded(key), pods)
            }
        },
        Awaiting::Pods(job) => compare(job, answers::list(response)?.items, now),
        Awaiting::Stranded(job) => let_go(&job, &answers::list(response)?.items),
        Awaiting::Adoption(writes) => writes.answer(response, now).or_done(Awaiting::Adoption),
        Awaiting::Changes(writes, count) => changed(writes.answer(response, now), count, now),
        Awaiting::Status(writes, again) => {
            writes.answer(response, now).or_again(again, Awaiting::Status)
        }
    })
}

fn compare(job: Object, candidates: Vec<Object>, now: Timestamp) -> Next<Awaiting> {
    let claim = Claim::new(&job, &claim::selector(&job), candidates);
    let changes = claim.acts(&job);
    if !changes.is_empty() {
        return Writes::of(changes).begin().or_done(Awaiting::Adoption);
    }
    if status::is_finished(&job) {
        return after_the_end(&job, &claim.mine, now);
    }
    let fence = ApiRequest::list_all_cached(&kinds::pod(), job.namespace());
    let count = Box::new(Count::new(job, claim.mine, now));
    changed(Writes::of(count.changes(now)).until_seen_in(fence).begin(), count, now)
}

fn changed(progress: Progress, count: Box<Count>, now: Timestamp) -> Next<Awaiting> {
    let failure = match progress {
        Progress::Going(next) => return next.map(|writes| Awaiting::Changes(writes, count)),
        Progress::Over(failure) => failure,
    };
    // A status that is not seen yet, beside pods that were let go already, would have them run again.
    let jobs = ApiRequest::list_all_cached(&kinds::job(), count.job.namespace());
    let mut writes = Writes::of(count.conclusion(now)).until_seen_in(jobs);
    if let Some(failure) = failure {
        writes.fail(failure);
    }
    writes.begin().or_again(count.next_look(now), Awaiting::Status)
}

/// A Job that is over lets its pods go, and goes itself when its time is up.
fn after_the_end(job: &Object, pods: &[Object], now: Timestamp) -> Next<Awaiting> {
    let mut acts: Vec<Act> = pods.iter().filter(|pod| is_tracked(pod)).map(untrack).collect();
    let expires = status::expiry(job).filter(|_| !job.is_deleting());
    if expires.is_some_and(|at| at <= now) {
        acts.push(expire(job));
    }
    let again = expires.filter(|at| *at > now).map(|at| at.since(now));
    Writes::of(acts).begin().or_again(again, Awaiting::Status)
}

fn expire(job: &Object) -> Act {
    let options = DeleteOptions {
        propagation: Some(Propagation::Background),
        preconditions: Preconditions {
            uid: job.uid().into(),
            resource_version: job.resource_version().into(),
        },
        ..DeleteOptions::default()
    };
    Act::needed(ApiRequest::delete(&kinds::job(), job.namespace(), job.name(), options)).or_gone()
}

/// Nobody counts the pods of a Job that is gone.
fn let_go(job: &ObjectRef, candidates: &[Object]) -> Next<Awaiting> {
    let of_job = |pod: &&Object| keys::owner(pod, &kinds::job()).as_ref() == Some(job);
    let stranded = candidates.iter().filter(of_job).filter(|pod| is_tracked(pod));
    Writes::of(stranded.map(untrack))
        .begin()
        .or_else(|writes| Awaiting::Status(writes, None), Next::done)
}

fn is_tracked(pod: &Object) -> bool {
    pod.finalizers().contains(&TRACKING)
}

/// Takes the finalizer off a pod.
fn untrack(pod: &Object) -> Act {
    let patch = serde_json::json!({"metadata": {"uid": pod.uid(), "$deleteFromPrimitiveList/finalizers": [TRACKING]}});
    Act::needed(ApiRequest::patch(
        &kinds::pod(),
        pod.namespace(),
        pod.name(),
        Patch::Strategic(patch),
        WriteOptions::default(),
    ))
    .or_gone()
}

/// When the last container of a pod ended.
fn ended_at(pod: &Object) -> Option<Timestamp> {
    let statuses = pod.get("status.containerStatuses")?.as_array()?;
    let ends = statuses.iter().filter_map(|s| s["state"]["terminated"]["finishedAt"].as_str());
    ends.filter_map(|text| text.parse().ok()).max()
}

/// Whether a pod counts as failed: it has, or it was deleted before it could succeed.
fn has_failed(pod: &Object) -> bool {
    pods::phase(pod) == "Failed" || pod.is_deleting() && pods::phase(pod) != "Succeeded"
}
