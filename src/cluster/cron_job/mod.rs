//! The CronJob controller: makes Jobs on a schedule.

mod schedule;

use serde_json::{Value, json};

pub(crate) use schedule::Schedule;

use super::report::Report;
use super::writes::{Act, Writes};
use super::{answers, callers, keys, kinds, pods};
use crate::api::{
    ApiRequest, Caller, DeleteOptions, Preconditions, Propagation, Response, Status, WatchEvent,
};
use crate::object::{Object, ObjectRef, OwnerReference};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

const NAME: &str = "cronjob-controller";
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// Makes the Jobs of a CronJob when they are due, as its concurrency policy allows, and keeps as many
/// finished ones as its history limits say. Schedules are in UTC.
#[derive(Clone, Copy, Debug, Default)]
pub struct CronJobs;

/// Where the reconciliation of a CronJob stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The CronJob.
    CronJob,
    /// Its Jobs.
    Jobs(Object),
    /// Jobs being made or deleted, the status being written.
    Writes(Writes, Option<Duration>),
}

impl Reconciler for CronJobs {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("batch/v1", "CronJob"), Watch::all("batch/v1", "Job")]
    }

    fn workers(&self) -> usize {
        5
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let mut keys = keys::of_owned(event, previous, &kinds::cron_job());
        keys.retain(|key| key.kind == "CronJob");
        keys
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let request = ApiRequest::get_cached(&kinds::cron_job(), &target.namespace, &target.name);
        Next::ask(Awaiting::CronJob, request)
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: Awaiting, response: Response, now: Timestamp) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::CronJob => match answers::object(response)? {
            Some(cron) if !cron.is_deleting() => {
                let jobs = ApiRequest::list_all_cached(&kinds::job(), cron.namespace());
                Next::ask(Awaiting::Jobs(cron), jobs)
            }
            _ => Next::done(),
        },
        Awaiting::Jobs(cron) => {
            let mut jobs = answers::list(response)?.items;
            jobs.retain(|job| pods::is_controlled_by(job, &cron));
            Round { cron, jobs, now }.go()
        }
        Awaiting::Writes(writes, again) => {
            writes.answer(response, now).or_again(again, Awaiting::Writes)
        }
    })
}

/// One look at a CronJob and its Jobs.
struct Round {
    cron: Object,
    jobs: Vec<Object>,
    now: Timestamp,
}

impl Round {
    fn go(self) -> Next<Awaiting> {
        let schedule = match self.schedule() {
            Ok(schedule) => schedule,
            Err(report) => {
                let writes = Writes::of([Act::tell(*report, self.now)]);
                return writes.begin().or_again(None, Awaiting::Writes);
            }
        };
        let mut acts = self.history_to_cut();
        let (due, missed) = schedule.last_between(self.since(), self.now);
        let due = due.filter(|at| self.is_in_time(*at) && !self.is_suspended());
        if missed > 100 && due.is_some() {
            let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
            acts.push(Act::tell(self.warning("TooManyMissedTimes", message), self.now));
        }
        let start = due.and_then(|at| self.start(at, &mut acts));
        self.tell_ends(&mut acts);
        let status = self.status(start.as_ref().zip(due));
        if self.cron.get("status").unwrap_or(&json!({})) != &status {
            let mut cron = self.cron.clone();
            cron.set("status", status);
            acts.push(Act::status(cron));
        }
        let next = schedule.next_after(self.now).filter(|_| !self.is_suspended());
        let again = next.map(|at| at.since(self.now));
        Writes::of(acts).begin().or_again(again, Awaiting::Writes)
    }

    fn schedule(&self) -> Result<Schedule, Box<Report>> {
        let zone = self.cron.text("spec.timeZone");
        if !matches!(zone, "" | "UTC" | "Etc/UTC") {
            let message = format!("invalid timeZone: {zone:?}: only UTC is known here");
            return Err(Box::new(self.warning("UnknownTimeZone", message)));
        }
        let text = self.cron.text("spec.schedule");
        text.parse().map_err(|error| {
            let message = format!("Unparseable schedule: {text:?} : {error}");
            Box::new(self.warning("UnparseableSchedule", message))
        })
    }

    fn warning(&self, reason: &'static str, message: impl Into<String>) -> Report {
        Report::warning(NAME, &self.cron, reason, message)
    }

    fn is_suspended(&self) -> bool {
        self.cron.get("spec.suspend") == Some(&Value::Bool(true))
    }

    /// Since when starts may have been missed.
    fn since(&self) -> Timestamp {
        let last = self.cron.text("status.lastScheduleTime").parse().ok();
        let since = last.or(self.cron.creation_timestamp()).unwrap_or_default();
        match self.deadline() {
            Some(deadline) => since.max(self.now - deadline),
            None => since,
        }
    }

    fn deadline(&self) -> Option<Duration> {
        let seconds = self.cron.int("spec.startingDeadlineSeconds")?;
        Some(Duration::from_secs(seconds.max(0) as u64))
    }

    fn is_in_time(&self, due: Timestamp) -> bool {
        self.deadline().is_none_or(|deadline| due + deadline >= self.now)
    }

    fn active(&self) -> impl Iterator<Item = &Object> {
        self.jobs.iter().filter(|job| !is_finished(job))
    }

    /// Makes the Job that is due, if the others leave it room.
    fn start(&self, due: Timestamp, acts: &mut Vec<Act>) -> Option<Object> {
        let job = self.job(due);
        if self.jobs.iter().any(|other| other.name() == job.name()) {
            return Some(job);
        }
        match self.cron.text("spec.concurrencyPolicy") {
            "Forbid" if self.active().next().is_some() => {
                let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
                acts.push(Act::tell(
                    Report::normal(NAME, &self.cron, "JobAlreadyActive", message),
                    self.now,
                ));
                return None;
            }
            "Replace" => acts.extend(self.active().map(|job| self.delete(job))),
            _ => {}
        }
        let made = Report::normal(NAME, &self.cron, "SuccessfulCreate", "Created job {}");
        let failed = self.warning("FailedCreate", "Error creating job: {}");
        acts.push(Act::create(job.clone()).or_there().telling(made).complaining(failed));
        Some(job)
    }

    /// Its name follows from the minute it is due, so that no start happens twice.
    fn job(&self, due: Timestamp) -> Object {
        let name = format!("{}-{}", self.cron.name(), due.as_secs() / 60);
        let mut job = Object::new("batch/v1", "Job", self.cron.namespace(), &name);
        let template = self.cron.get("spec.jobTemplate").unwrap_or(&Value::Null);
        for field in ["labels", "annotations"] {
            if let Some(value) = template["metadata"].get(field) {
                job.set_at(&["metadata", field], value.clone());
            }
        }
        job.set_annotation(SCHEDULED, &due.to_string());
        let owner = OwnerReference::controller_of(&self.cron).to_value();
        job.set("metadata.ownerReferences", json!([owner]));
        job.set("spec", template["spec"].clone());
        job
    }

    fn delete(&self, job: &Object) -> Act {
        let options = DeleteOptions {
            propagation: Some(Propagation::Background),
            preconditions: Preconditions { uid: job.uid().into(), ..Preconditions::default() },
            ..DeleteOptions::default()
        };
        let request = ApiRequest::delete(&kinds::job(), job.namespace(), job.name(), options);
        let message = format!("Deleted job {}", job.name());
        let report = Report::normal(NAME, &self.cron, "SuccessfulDelete", message);
        Act::needed(request).or_gone().telling(report)
    }

    /// Finished Jobs beyond the history limits, the oldest first.
    fn history_to_cut(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        for (kind, limit) in [
            ("Complete", "spec.successfulJobsHistoryLimit"),
            ("Failed", "spec.failedJobsHistoryLimit"),
        ] {
            let Some(limit) = self.cron.int(limit) else { continue };
            let mut ended: Vec<&Object> =
                self.jobs.iter().filter(|job| is_true(job, kind) && !job.is_deleting()).collect();
            ended.sort_by_key(|job| (job.text("status.startTime"), job.name()));
            let excess = ended.len().saturating_sub(limit.max(0) as usize);
            acts.extend(ended.into_iter().take(excess).map(|job| self.delete(job)));
        }
        acts
    }

    /// Jobs that the status has as active and that are over.
    fn tell_ends(&self, acts: &mut Vec<Act>) {
        let was_active =
            |job: &&Object| listed(&self.cron).any(|listed| listed["uid"] == job.uid());
        for job in self.jobs.iter().filter(|job| is_finished(job)).filter(was_active) {
            let kind = if is_true(job, "Complete") { "Complete" } else { "Failed" };
            let message = format!("Saw completed job: {}, condition: {kind}", job.name());
            let report = Report::normal(NAME, &self.cron, "SawCompletedJob", message);
            acts.push(Act::tell(report, self.now));
        }
    }

    /// The reference to a Job, as it was when the Job was first listed.
    fn reference(&self, job: &Object) -> Value {
        let listed = listed(&self.cron).find(|listed| listed["uid"] == job.uid()).cloned();
        listed.unwrap_or_else(|| {
            json!({"apiVersion": "batch/v1", "kind": "Job", "namespace": job.namespace(), "name": job.name(), "uid": job.uid(), "resourceVersion": job.resource_version()})
        })
    }

    /// A Job that is being made is listed when it is seen: its uid is not known before.
    fn status(&self, started: Option<(&Object, Timestamp)>) -> Value {
        let mut status = json!({});
        let active: Vec<Value> = self.active().map(|job| self.reference(job)).collect();
        if !active.is_empty() {
            status["active"] = active.into();
        }
        let last = started.map(|(_, due)| due.to_string());
        let last = last.or_else(|| text(&self.cron, "status.lastScheduleTime"));
        if let Some(last) = last {
            status["lastScheduleTime"] = last.into();
        }
        let ends = self.jobs.iter().filter_map(|job| text(job, "status.completionTime"));
        if let Some(last) = ends.chain(text(&self.cron, "status.lastSuccessfulTime")).max() {
            status["lastSuccessfulTime"] = last.into();
        }
        status
    }
}

fn text(object: &Object, path: &str) -> Option<String> {
    Some(object.text(path)).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The Jobs that the status has as active.
fn listed(cron: &Object) -> impl Iterator<Item = &Value> {
    cron.get("status.active").and_then(Value::as_array).into_iter().flatten()
}

fn is_true(job: &Object, kind: &str) -> bool {
    pods::condition(job, kind).is_some_and(|c| c["status"] == "True")
}

fn is_finished(job: &Object) -> bool {
    is_true(job, "Complete") || is_true(job, "Failed")
}
