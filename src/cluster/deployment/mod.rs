//! The Deployment controller: rolls a template out through ReplicaSets.

mod conditions;
mod replicas;
mod revision;
mod rollout;
mod status;

use rollout::{Preparation, Rollout};

use super::claim::{self, Claim};
use super::report::Report;
use super::writes::{Act, Writes};
use super::{answers, callers, keys, kinds};
use crate::api::{ApiRequest, Caller, Request, Response, Status, WatchEvent};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

const NAME: &str = "deployment-controller";

/// Rolls the template of a Deployment out: a ReplicaSet for each template, the newest scaled up and the
/// others down within `maxSurge` and `maxUnavailable` (or all down first, for `Recreate`), old ones kept
/// as history, progress and availability told in `status`.
///
/// Its keys are Deployments, and ReplicaSets without a controller that some Deployment might adopt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deployments;

/// Where the reconciliation of a Deployment stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// A ReplicaSet that nobody controls.
    Orphan,
    /// The Deployments that might adopt it.
    Adopters(Object),
    /// The Deployment.
    Deployment,
    /// The ReplicaSets of its namespace.
    ReplicaSets(Object),
    /// ReplicaSets being adopted or let go.
    Adoption(Writes),
    /// The ReplicaSet for the template being made or annotated, or the Deployment's revision noted.
    Preparation(Box<Rollout>, Preparation),
    /// The ReplicaSet that has the name of the one to be made.
    Namesake(Box<Rollout>),
    /// ReplicaSets being scaled.
    Scaling(Box<Rollout>),
    /// History being cut, the status being written.
    Status(Writes, Option<Duration>),
}

impl Reconciler for Deployments {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("apps/v1", "Deployment"), Watch::all("apps/v1", "ReplicaSet")]
    }

    fn workers(&self) -> usize {
        5
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        keys::of_owned(event, previous, &kinds::deployment())
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let read = |kind| ApiRequest::get_cached(&kind, &target.namespace, &target.name);
        match target.kind.as_str() {
            "ReplicaSet" => Next::ask(Awaiting::Orphan, read(kinds::replica_set())),
            _ => Next::ask(Awaiting::Deployment, read(kinds::deployment())),
        }
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: Awaiting, response: Response, now: Timestamp) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::Orphan => {
            keys::find_adopters(response, &kinds::deployment(), Awaiting::Adopters)?
        }
        Awaiting::Adopters(orphan) => keys::enqueue_adopters(&orphan, response)?,
        Awaiting::Deployment => match answers::object(response)? {
            Some(deployment) => {
                let sets = cached_sets(&deployment);
                Next::ask(Awaiting::ReplicaSets(deployment), sets)
            }
            None => Next::done(),
        },
        Awaiting::ReplicaSets(deployment) => {
            compare(deployment, answers::list(response)?.items, now)
        }
        Awaiting::Adoption(writes) => writes.answer(response, now).or_done(Awaiting::Adoption),
        Awaiting::Preparation(rollout, step) => prepared(rollout, step, response, now)?,
        Awaiting::Namesake(rollout) => namesake(rollout, answers::object(response)?, now),
        Awaiting::Scaling(mut rollout) => {
            rollout.scaled(answers::written(response)?);
            scale(rollout, now)
        }
        Awaiting::Status(writes, again) => {
            writes.answer(response, now).or_again(again, Awaiting::Status)
        }
    })
}

fn cached_sets(deployment: &Object) -> ApiRequest {
    ApiRequest::list_all_cached(&kinds::replica_set(), deployment.namespace())
}

fn compare(deployment: Object, candidates: Vec<Object>, now: Timestamp) -> Next<Awaiting> {
    let claim = Claim::new(&deployment, &claim::selector(&deployment), candidates);
    let changes = claim.acts(&deployment);
    match changes.is_empty() {
        true => prepare(Box::new(Rollout::new(deployment, claim.mine)), now),
        false => Writes::of(changes).begin().or_done(Awaiting::Adoption),
    }
}

fn prepare(rollout: Box<Rollout>, now: Timestamp) -> Next<Awaiting> {
    match rollout.preparation(now) {
        Some((step, request)) => Next::ask(Awaiting::Preparation(rollout, step), request),
        None => plan(rollout, now),
    }
}

fn prepared(
    mut rollout: Box<Rollout>,
    step: Preparation,
    response: Response,
    now: Timestamp,
) -> Result<Next<Awaiting>, Status> {
    match answers::written(response) {
        Ok(object) => {
            rollout.prepared(step, object);
            Ok(prepare(rollout, now))
        }
        Err(status) if step == Preparation::Create && status.is_already_exists() => {
            let set = rollout.new_set_to_make();
            let request = ApiRequest::get(&set.gvk(), set.namespace(), set.name());
            Ok(Next::ask(Awaiting::Namesake(rollout), request))
        }
        Err(status) if step == Preparation::Create => Ok(creation_failed(&rollout, status, now)),
        Err(status) => Err(status),
    }
}

/// The name is taken: by our own ReplicaSet, which the cache did not show yet, or by another, in which
/// case the hash gets a salt.
fn namesake(mut rollout: Box<Rollout>, found: Option<Object>, now: Timestamp) -> Next<Awaiting> {
    match found {
        Some(set) if rollout.is_new_set(&set) => {
            rollout.sets.push(set);
            prepare(rollout, now)
        }
        Some(_) => {
            let writes = Writes::of([Act::status(rollout.with_collision())]);
            writes.begin().or_again(Some(Duration::from_millis(5)), Awaiting::Status)
        }
        None => Next::failed("the ReplicaSet of this name has just gone"),
    }
}

fn creation_failed(rollout: &Rollout, status: Status, now: Timestamp) -> Next<Awaiting> {
    let message = format!("Failed to create new replica set: {}", status.message);
    let report = Report::warning(NAME, &rollout.deployment, "ReplicaSetCreateError", message);
    let changed = rollout.status_after_failure(&status, now);
    let mut writes = Writes::of(changed.map(Act::status));
    writes.push(Act::tell(report, now));
    writes.fail(status);
    writes.begin().or_again(None, Awaiting::Status)
}

fn plan(mut rollout: Box<Rollout>, now: Timestamp) -> Next<Awaiting> {
    rollout.plan();
    scale(rollout, now)
}

fn scale(rollout: Box<Rollout>, now: Timestamp) -> Next<Awaiting> {
    match rollout.next_scaling() {
        Some(request) => Next::Ask(Awaiting::Scaling(rollout), Request::Api(request)),
        None => rollout.conclusion(now).begin().or_again(rollout.next_look(now), Awaiting::Status),
    }
}
