//! The StatefulSet controller: pods with names that stay, one after the other.

mod identity;
mod ordinals;

use ordinals::Ordinals;

use super::claim::{self, Claim};
use super::revisions::{self, History, Newest};
use super::writes::{Act, Progress, Writes};
use super::{answers, callers, keys, kinds};
use crate::api::{ApiRequest, Caller, Response, Status, WatchEvent};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

const NAME: &str = "statefulset-controller";
const REVISION: &str = "controller-revision-hash";

/// Keeps the pods `name-0`, `name-1` … of a StatefulSet: made in order, each when its predecessors are
/// ready, removed in reverse order, replaced one by one from the highest ordinal down to the partition;
/// all at once with `podManagementPolicy: Parallel`, or when somebody deletes them with `OnDelete`.
/// Each gets the claims of `volumeClaimTemplates`, which stay when it goes
/// (`persistentVolumeClaimRetentionPolicy.whenScaled: Delete` is not supported).
///
/// Its keys are StatefulSets, and pods without a controller that some StatefulSet might adopt.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatefulSets;

/// Where the reconciliation of a StatefulSet stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// A pod that nobody controls.
    Orphan,
    /// The StatefulSets that might adopt it.
    Adopters(Object),
    /// The StatefulSet.
    Set,
    /// Its revisions.
    Revisions(Object),
    /// Its pods.
    Pods(Object, History),
    /// Pods being adopted or let go.
    Adoption(Writes),
    /// The revision of its template being made.
    Revision(Writes, Box<Ordinals>),
    /// The volume claims of its namespace.
    Claims(Box<Ordinals>),
    /// Pods and claims being made, pods being removed.
    Changes(Writes, Box<Ordinals>),
    /// The status being written.
    Status(Writes, Option<Duration>),
}

impl Reconciler for StatefulSets {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all("apps/v1", "StatefulSet"),
            Watch::all("v1", "Pod"),
            Watch::all("apps/v1", "ControllerRevision"),
            Watch::all("v1", "PersistentVolumeClaim"),
        ]
    }

    fn workers(&self) -> usize {
        5
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        match event.object.kind() {
            "StatefulSet" | "Pod" => keys::of_owned(event, previous, &kinds::stateful_set()),
            _ => Vec::new(),
        }
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let read = |kind| ApiRequest::get_cached(&kind, &target.namespace, &target.name);
        match target.kind.as_str() {
            "Pod" => Next::ask(Awaiting::Orphan, read(kinds::pod())),
            _ => Next::ask(Awaiting::Set, read(kinds::stateful_set())),
        }
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: Awaiting, response: Response, now: Timestamp) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::Orphan => {
            keys::find_adopters(response, &kinds::stateful_set(), Awaiting::Adopters)?
        }
        Awaiting::Adopters(orphan) => keys::enqueue_adopters(&orphan, response)?,
        Awaiting::Set => match answers::object(response)? {
            Some(set) => {
                let request = revisions::cached(set.namespace());
                Next::ask(Awaiting::Revisions(set), request)
            }
            None => Next::done(),
        },
        Awaiting::Revisions(set) => {
            let history = History::of(&set, answers::list(response)?.items);
            let pods = cached(&kinds::pod(), &set);
            Next::ask(Awaiting::Pods(set, history), pods)
        }
        Awaiting::Pods(set, history) => compare(set, history, answers::list(response)?.items, now),
        Awaiting::Adoption(writes) => writes.answer(response, now).or_done(Awaiting::Adoption),
        Awaiting::Revision(writes, ordinals) => {
            revised(writes.answer(response, now), ordinals, now)
        }
        Awaiting::Claims(mut ordinals) => {
            ordinals.know_claims(answers::list(response)?.items);
            change(ordinals, now)
        }
        Awaiting::Changes(writes, ordinals) => changed(writes.answer(response, now), ordinals, now),
        Awaiting::Status(writes, again) => {
            writes.answer(response, now).or_again(again, Awaiting::Status)
        }
    })
}

fn cached(kind: &crate::object::GroupVersionKind, set: &Object) -> ApiRequest {
    ApiRequest::list_all_cached(kind, set.namespace())
}

fn compare(
    set: Object,
    history: History,
    mut candidates: Vec<Object>,
    now: Timestamp,
) -> Next<Awaiting> {
    candidates.retain(|pod| identity::ordinal(&set, pod).is_some());
    let claim = Claim::new(&set, &claim::selector(&set), candidates);
    let changes = claim.acts(&set);
    if !changes.is_empty() {
        return Writes::of(changes).begin().or_done(Awaiting::Adoption);
    }
    let hash = revisions::hash_of_data(&set, set.int("status.collisionCount").unwrap_or(0));
    let newest = history.newest(&set, "controller.kubernetes.io/hash", &hash);
    let make: Option<Act> = newest.act().filter(|_| !set.is_deleting());
    let ordinals = Box::new(Ordinals::new(set, history, revision_of(newest), claim.mine));
    revised(Writes::of(make).begin(), ordinals, now)
}

fn revision_of(newest: Newest) -> Object {
    newest.revision().clone()
}

fn revised(progress: Progress, ordinals: Box<Ordinals>, now: Timestamp) -> Next<Awaiting> {
    match progress {
        Progress::Going(next) => next.map(|writes| Awaiting::Revision(writes, ordinals)),
        Progress::Over(Some(status)) => Next::failed(status.message),
        Progress::Over(None) if ordinals.has_claims() => {
            let claims = cached(&kinds::claim(), &ordinals.set);
            Next::ask(Awaiting::Claims(ordinals), claims)
        }
        Progress::Over(None) => change(ordinals, now),
    }
}

fn change(ordinals: Box<Ordinals>, now: Timestamp) -> Next<Awaiting> {
    let fence = cached(&kinds::pod(), &ordinals.set);
    changed(Writes::of(ordinals.changes(now)).until_seen_in(fence).begin(), ordinals, now)
}

fn changed(progress: Progress, ordinals: Box<Ordinals>, now: Timestamp) -> Next<Awaiting> {
    let failure = match progress {
        Progress::Going(next) => return next.map(|writes| Awaiting::Changes(writes, ordinals)),
        Progress::Over(failure) => failure,
    };
    let mut writes = Writes::of(ordinals.conclusion(now));
    if let Some(failure) = failure {
        writes.fail(failure);
    }
    writes.begin().or_again(ordinals.next_look(now), Awaiting::Status)
}
