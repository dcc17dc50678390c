//! The DaemonSet controller: a pod on every node.

mod nodes;

use nodes::Nodes;

use super::claim::{self, Claim};
use super::revisions::{self, History};
use super::writes::{Act, Progress, Writes};
use super::{answers, callers, keys, kinds, template};
use crate::api::{ApiRequest, Caller, Response, Status, WatchEvent, WatchEventType};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

const NAME: &str = "daemonset-controller";
const REVISION: &str = "controller-revision-hash";

/// Keeps a pod on every node that the template selects and whose taints it tolerates, and replaces pods
/// of an older template `maxUnavailable` at a time, or with `OnDelete` when somebody deletes them.
/// `maxSurge` is not supported: old pods go before the new ones come.
///
/// Its keys are DaemonSets, nodes that have changed, and pods without a controller.
#[derive(Clone, Copy, Debug, Default)]
pub struct DaemonSets;

/// Where the reconciliation of a DaemonSet stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// All DaemonSets: a node has changed.
    Sets,
    /// A pod that nobody controls.
    Orphan,
    /// The DaemonSets that might adopt it.
    Adopters(Object),
    /// The DaemonSet.
    Set,
    /// Its revisions.
    Revisions(Object),
    /// The nodes.
    Nodes(Object, History),
    /// Its pods.
    Pods(Object, History, Vec<Object>),
    /// Pods being adopted or let go.
    Adoption(Writes),
    /// The revision of its template, and pods, being made or removed.
    Changes(Writes, Box<Nodes>),
    /// The status being written.
    Status(Writes, Option<Duration>),
}

impl Reconciler for DaemonSets {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller("daemon-set-controller")
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all("apps/v1", "DaemonSet"),
            Watch::all("v1", "Pod"),
            Watch::all("v1", "Node"),
            Watch::all("apps/v1", "ControllerRevision"),
        ]
    }

    fn workers(&self) -> usize {
        2
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let object = &event.object;
        match object.kind() {
            "DaemonSet" | "Pod" => keys::of_owned(event, previous, &kinds::daemon_set()),
            "Node" => {
                let gone = event.kind == WatchEventType::Deleted;
                let same = previous.is_some_and(|p| nodes::traits(p) == nodes::traits(object));
                if same && !gone { Vec::new() } else { vec![object.reference()] }
            }
            _ => Vec::new(),
        }
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let read = |kind| ApiRequest::get_cached(&kind, &target.namespace, &target.name);
        match target.kind.as_str() {
            "Node" => {
                Next::ask(Awaiting::Sets, ApiRequest::list_all_cached(&kinds::daemon_set(), ""))
            }
            "Pod" => Next::ask(Awaiting::Orphan, read(kinds::pod())),
            _ => Next::ask(Awaiting::Set, read(kinds::daemon_set())),
        }
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: Awaiting, response: Response, now: Timestamp) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::Sets => {
            keys::enqueue(answers::list(response)?.items.iter().map(Object::reference))
        }
        Awaiting::Orphan => {
            keys::find_adopters(response, &kinds::daemon_set(), Awaiting::Adopters)?
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
            Next::ask(
                Awaiting::Nodes(set, history),
                ApiRequest::list_all_cached(&kinds::node(), ""),
            )
        }
        Awaiting::Nodes(set, history) => {
            let pods = ApiRequest::list_all_cached(&kinds::pod(), set.namespace());
            Next::ask(Awaiting::Pods(set, history, answers::list(response)?.items), pods)
        }
        Awaiting::Pods(set, history, nodes) => {
            compare(set, history, nodes, answers::list(response)?.items, now)
        }
        Awaiting::Adoption(writes) => writes.answer(response, now).or_done(Awaiting::Adoption),
        Awaiting::Changes(writes, nodes) => changed(writes.answer(response, now), nodes, now),
        Awaiting::Status(writes, again) => {
            writes.answer(response, now).or_again(again, Awaiting::Status)
        }
    })
}

fn compare(
    set: Object,
    history: History,
    nodes: Vec<Object>,
    candidates: Vec<Object>,
    now: Timestamp,
) -> Next<Awaiting> {
    let claim = Claim::new(&set, &claim::selector(&set), candidates);
    let changes = claim.acts(&set);
    if !changes.is_empty() {
        return Writes::of(changes).begin().or_done(Awaiting::Adoption);
    }
    let fence = ApiRequest::list_all_cached(&kinds::pod(), set.namespace());
    let template = set.get("spec.template").cloned().unwrap_or_default();
    let hash = template::hash(&template, set.int("status.collisionCount"));
    let newest = history.newest(&set, REVISION, &hash);
    let mut acts: Vec<Act> = newest.act().filter(|_| !set.is_deleting()).into_iter().collect();
    let revision = newest.revision().label(REVISION).unwrap_or_default().to_owned();
    let nodes = Box::new(Nodes::new(set, history, revision, nodes, claim.mine));
    acts.extend(nodes.changes(now));
    changed(Writes::of(acts).until_seen_in(fence).begin(), nodes, now)
}

fn changed(progress: Progress, nodes: Box<Nodes>, now: Timestamp) -> Next<Awaiting> {
    let failure = match progress {
        Progress::Going(next) => return next.map(|writes| Awaiting::Changes(writes, nodes)),
        Progress::Over(failure) => failure,
    };
    let mut writes = Writes::of(nodes.conclusion(now));
    if let Some(failure) = failure {
        writes.fail(failure);
    }
    writes.begin().or_again(nodes.next_look(now), Awaiting::Status)
}
