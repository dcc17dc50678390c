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
use crate::object::{LabelSelector, Object, ObjectRef};
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
pub enum State {
    /// A ReplicaSet that nobody controls.
    AwaitOrphan,
    /// The Deployments that might adopt it.
    AwaitAdopters(Object),
    /// The Deployment.
    AwaitDeployment,
    /// The ReplicaSets of its namespace.
    AwaitReplicaSets(Object),
    /// ReplicaSets being adopted or let go.
    AwaitAdoption(Writes),
    /// The ReplicaSet for the template being made or annotated, or the Deployment's revision noted.
    AwaitPreparation(Box<Rollout>, Preparation),
    /// The ReplicaSet that has the name of the one to be made.
    AwaitNamesake(Box<Rollout>),
    /// ReplicaSets being scaled.
    AwaitScaling(Box<Rollout>),
    /// History being cut, the status being written.
    AwaitStatus(Writes, Option<Duration>),
}

impl Reconciler for Deployments {
    type State = State;

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

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<State> {
        let read = |kind| ApiRequest::get_cached(&kind, &target.namespace, &target.name);
        match target.kind.as_str() {
            "ReplicaSet" => Next::ask(State::AwaitOrphan, read(kinds::replica_set())),
            _ => Next::ask(State::AwaitDeployment, read(kinds::deployment())),
        }
    }

    fn step(&self, state: State, response: Response, now: Timestamp) -> Next<State> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: State, response: Response, now: Timestamp) -> Result<Next<State>, Status> {
    Ok(match state {
        State::AwaitOrphan => {
            keys::find_adopters(response, &kinds::deployment(), State::AwaitAdopters)?
        }
        State::AwaitAdopters(orphan) => keys::enqueue_adopters(&orphan, response)?,
        State::AwaitDeployment => match answers::object(response)? {
            Some(deployment) => {
                let sets = cached_sets(&deployment);
                Next::ask(State::AwaitReplicaSets(deployment), sets)
            }
            None => Next::done(),
        },
        State::AwaitReplicaSets(deployment) => {
            compare(deployment, answers::list(response)?.items, now)
        }
        State::AwaitAdoption(writes) => writes.answer(response, now).or_done(State::AwaitAdoption),
        State::AwaitPreparation(rollout, step) => prepared(rollout, step, response, now)?,
        State::AwaitNamesake(rollout) => namesake(rollout, answers::object(response)?, now),
        State::AwaitScaling(mut rollout) => {
            rollout.scaled(answers::written(response)?);
            scale(rollout, now)
        }
        State::AwaitStatus(writes, again) => finish(writes.answer(response, now), again),
    })
}

fn cached_sets(deployment: &Object) -> ApiRequest {
    let everything = LabelSelector::everything();
    ApiRequest::list_cached(&kinds::replica_set(), deployment.namespace(), everything)
}

fn compare(deployment: Object, candidates: Vec<Object>, now: Timestamp) -> Next<State> {
    let claim = Claim::new(&deployment, &claim::selector(&deployment), candidates);
    let changes = claim.acts(&deployment);
    match changes.is_empty() {
        true => prepare(Box::new(Rollout::new(deployment, claim.mine)), now),
        false => Writes::of(changes).begin().or_done(State::AwaitAdoption),
    }
}

fn prepare(rollout: Box<Rollout>, now: Timestamp) -> Next<State> {
    match rollout.preparation(now) {
        Some((step, request)) => Next::ask(State::AwaitPreparation(rollout, step), request),
        None => plan(rollout, now),
    }
}

fn prepared(
    mut rollout: Box<Rollout>,
    step: Preparation,
    response: Response,
    now: Timestamp,
) -> Result<Next<State>, Status> {
    match answers::written(response) {
        Ok(object) => {
            rollout.prepared(step, object);
            Ok(prepare(rollout, now))
        }
        Err(status) if step == Preparation::Create && status.is_already_exists() => {
            let set = rollout.new_set_to_make();
            let request = ApiRequest::get(&set.gvk(), set.namespace(), set.name());
            Ok(Next::ask(State::AwaitNamesake(rollout), request))
        }
        Err(status) if step == Preparation::Create => Ok(creation_failed(&rollout, status, now)),
        Err(status) => Err(status),
    }
}

/// The name is taken: by our own ReplicaSet, which the cache did not show yet, or by another, in which
/// case the hash gets a salt.
fn namesake(mut rollout: Box<Rollout>, found: Option<Object>, now: Timestamp) -> Next<State> {
    match found {
        Some(set) if rollout.is_new_set(&set) => {
            rollout.sets.push(set);
            prepare(rollout, now)
        }
        Some(_) => {
            let writes = Writes::of([Act::status(rollout.with_collision())]);
            finish(writes.begin(), Some(Duration::from_millis(5)))
        }
        None => Next::failed("the ReplicaSet of this name has just gone"),
    }
}

fn creation_failed(rollout: &Rollout, status: Status, now: Timestamp) -> Next<State> {
    let message = format!("Failed to create new replica set: {}", status.message);
    let report = Report::warning(NAME, &rollout.deployment, "ReplicaSetCreateError", message);
    let changed = rollout.status_after_failure(&status, now);
    let mut writes = Writes::of(changed.map(Act::status));
    writes.push(Act::tell(report, now));
    writes.fail(status);
    finish(writes.begin(), None)
}

fn plan(mut rollout: Box<Rollout>, now: Timestamp) -> Next<State> {
    rollout.plan();
    scale(rollout, now)
}

fn scale(rollout: Box<Rollout>, now: Timestamp) -> Next<State> {
    match rollout.next_scaling() {
        Some(request) => Next::Ask(State::AwaitScaling(rollout), Request::Api(request)),
        None => finish(rollout.conclusion(now).begin(), rollout.next_look(now)),
    }
}

fn finish(progress: super::writes::Progress, again: Option<Duration>) -> Next<State> {
    progress.or_else(
        |writes| State::AwaitStatus(writes, again),
        || match again {
            Some(after) => Next::again_after(after),
            None => Next::done(),
        },
    )
}
