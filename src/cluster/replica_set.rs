//! The ReplicaSet controller: keeps as many pods as `spec.replicas` says.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::claim::{self, Claim};
use super::report::Report;
use super::writes::{Act, Progress, Writes};
use super::{answers, callers, keys, kinds, pods};
use crate::api::{ApiRequest, Caller, Response, Status, WatchEvent};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Condition, Next, Reconciler, Watch, set_condition};
use crate::time::{Duration, Timestamp};

const NAME: &str = "replicaset-controller";

/// At most so many pods are made or removed in one go (`BurstReplicas`).
const BURST: usize = 500;

/// Keeps as many pods as a ReplicaSet wants: makes the missing, removes the surplus (those that serve
/// least first), adopts orphans that it selects, and counts in `status`.
///
/// Its keys are ReplicaSets, and pods without a controller that some ReplicaSet might adopt.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplicaSets;

/// Where the reconciliation of a ReplicaSet stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// A pod that nobody controls.
    Orphan,
    /// The ReplicaSets that might adopt it.
    Adopters(Object),
    /// The ReplicaSet.
    ReplicaSet,
    /// Its pods.
    Pods(Object),
    /// Pods being adopted or let go.
    Adoption(Writes),
    /// Pods being made or removed.
    Scaling(Writes, Box<Found>),
    /// The status being written.
    Status(Writes, Option<Duration>),
}

/// A ReplicaSet and its pods as they were before anything was done about them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    set: Object,
    pods: Vec<Object>,
}

impl Reconciler for ReplicaSets {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("apps/v1", "ReplicaSet"), Watch::all("v1", "Pod")]
    }

    fn workers(&self) -> usize {
        5
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        keys::of_owned(event, previous, &kinds::replica_set())
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let read = |kind| ApiRequest::get_cached(&kind, &target.namespace, &target.name);
        match target.kind.as_str() {
            "Pod" => Next::ask(Awaiting::Orphan, read(kinds::pod())),
            _ => Next::ask(Awaiting::ReplicaSet, read(kinds::replica_set())),
        }
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: Awaiting, response: Response, now: Timestamp) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::Orphan => {
            keys::find_adopters(response, &kinds::replica_set(), Awaiting::Adopters)?
        }
        Awaiting::Adopters(orphan) => keys::enqueue_adopters(&orphan, response)?,
        Awaiting::ReplicaSet => match answers::object(response)? {
            Some(set) => {
                let pods = cached_pods(&set);
                Next::ask(Awaiting::Pods(set), pods)
            }
            None => Next::done(),
        },
        Awaiting::Pods(set) => compare(set, answers::list(response)?.items, now),
        Awaiting::Adoption(writes) => writes.answer(response, now).or_done(Awaiting::Adoption),
        Awaiting::Scaling(writes, found) => scaling(writes.answer(response, now), found, now),
        Awaiting::Status(writes, again) => status_written(writes.answer(response, now), again),
    })
}

fn cached_pods(set: &Object) -> ApiRequest {
    ApiRequest::list_all_cached(&kinds::pod(), set.namespace())
}

fn compare(set: Object, candidates: Vec<Object>, now: Timestamp) -> Next<Awaiting> {
    let claim = Claim::new(&set, &claim::selector(&set), candidates);
    let changes = claim.acts(&set);
    if !changes.is_empty() {
        return Writes::of(changes).begin().or_done(Awaiting::Adoption);
    }
    let found = Box::new(Found { set, pods: claim.mine });
    let writes = Writes::of(found.changes()).until_seen_in(cached_pods(&found.set));
    scaling(writes.begin(), found, now)
}

fn scaling(progress: Progress, found: Box<Found>, now: Timestamp) -> Next<Awaiting> {
    let failure = match progress {
        Progress::Going(next) => return next.map(|writes| Awaiting::Scaling(writes, found)),
        Progress::Over(failure) => failure,
    };
    let status = found.status(failure.as_ref(), now);
    let mut set = found.set.clone();
    let again = found.next_available(now);
    let unchanged = set.get("status") == Some(&status);
    set.set("status", status);
    let mut writes = Writes::of((!unchanged).then(|| Act::status(set)));
    if let Some(failure) = failure {
        writes.fail(failure);
    }
    status_written(writes.begin(), again)
}

fn status_written(progress: Progress, again: Option<Duration>) -> Next<Awaiting> {
    progress.or_else(
        |writes| Awaiting::Status(writes, again),
        || match again {
            Some(after) => Next::again_after(after),
            None => Next::done(),
        },
    )
}

impl Found {
    fn active(&self) -> impl Iterator<Item = &Object> {
        self.pods.iter().filter(|pod| pods::is_active(pod))
    }

    fn wanted(&self) -> i64 {
        self.set.int("spec.replicas").unwrap_or(1)
    }

    fn min_ready(&self) -> i64 {
        self.set.int("spec.minReadySeconds").unwrap_or(0)
    }

    /// The pods to make or to remove.
    fn changes(&self) -> Vec<Act> {
        if self.set.is_deleting() {
            return Vec::new();
        }
        let missing = self.wanted() - self.active().count() as i64;
        let many = usize::try_from(missing.unsigned_abs()).unwrap_or(BURST).min(BURST);
        match missing.cmp(&0) {
            Ordering::Greater => (0..many).map(|_| self.create()).collect(),
            Ordering::Less => self.least_useful().take(many).map(|pod| self.delete(pod)).collect(),
            Ordering::Equal => Vec::new(),
        }
    }

    fn create(&self) -> Act {
        let template = self.set.get("spec.template").unwrap_or(&Value::Null);
        let (made, failed) = ("Created pod: {}", "Error creating: {}");
        Act::create(pods::from_template(&self.set, template))
            .telling(Report::normal(NAME, &self.set, "SuccessfulCreate", made))
            .complaining(Report::warning(NAME, &self.set, "FailedCreate", failed))
    }

    fn delete(&self, pod: &Object) -> Act {
        let (gone, failed) = (format!("Deleted pod: {}", pod.name()), "Error deleting: {}");
        Act::delete(pod)
            .telling(Report::normal(NAME, &self.set, "SuccessfulDelete", gone))
            .complaining(Report::warning(NAME, &self.set, "FailedDelete", failed))
    }

    fn least_useful(&self) -> impl Iterator<Item = &Object> {
        let mut on_node: BTreeMap<&str, usize> = BTreeMap::new();
        self.active().for_each(|pod| *on_node.entry(pod.text("spec.nodeName")).or_default() += 1);
        let mut pods: Vec<&Object> = self.active().collect();
        pods.sort_by(|a, b| by_usefulness(a, b, &on_node));
        pods.into_iter()
    }

    /// When the next ready pod has been ready long enough to count as available.
    fn next_available(&self, now: Timestamp) -> Option<Duration> {
        let min_ready = Duration::from_secs(self.min_ready().max(0) as u64);
        let ripe = |pod: &Object| Some(pods::ready_since(pod)? + min_ready);
        self.active().filter_map(ripe).filter(|at| *at > now).min().map(|at| at.since(now))
    }

    fn status(&self, failure: Option<&Status>, now: Timestamp) -> Value {
        let labels = self.set.get("spec.template.metadata.labels").and_then(Value::as_object);
        let count = |is: &dyn Fn(&Object) -> bool| self.active().filter(|pod| is(pod)).count();
        let fully_labelled =
            |pod: &Object| labels.into_iter().flatten().all(|(k, v)| pod.label(k) == v.as_str());
        let mut status =
            json!({"replicas": self.active().count(), "observedGeneration": self.set.generation()});
        for (field, count) in [
            ("fullyLabeledReplicas", count(&fully_labelled)),
            ("readyReplicas", count(&pods::is_ready)),
            ("availableReplicas", count(&|pod| pods::is_available(pod, self.min_ready(), now))),
        ] {
            if count > 0 {
                status[field] = count.into();
            }
        }
        status["terminatingReplicas"] =
            self.pods.iter().filter(|pod| pods::is_terminating(pod)).count().into();
        let conditions = self.conditions(failure, now);
        if !conditions.is_empty() {
            status["conditions"] = conditions.into();
        }
        status
    }

    fn conditions(&self, failure: Option<&Status>, now: Timestamp) -> Vec<Value> {
        let mut list: Vec<Value> = self
            .set
            .get("status.conditions")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        match failure {
            Some(_) if pods::condition(&self.set, "ReplicaFailure").is_some() => {}
            Some(failure) => {
                let missing = self.wanted() > self.active().count() as i64;
                let reason = if missing { "FailedCreate" } else { "FailedDelete" };
                let condition = Condition::new("ReplicaFailure", "True", reason, &*failure.message);
                set_condition(&mut list, &condition, now);
            }
            None => {
                list.retain(|c| c.get("type").and_then(Value::as_str) != Some("ReplicaFailure"))
            }
        }
        list
    }
}

/// The order in which pods go, the first to go first (`controller.ActivePodsWithRanks`): those without a
/// node, then by phase, unready ones, by deletion cost, those that share a node with most others, the
/// ready for the shortest time, the most restarted, the newest.
fn by_usefulness(a: &Object, b: &Object, on_node: &BTreeMap<&str, usize>) -> Ordering {
    let assigned = |pod: &Object| !pod.text("spec.nodeName").is_empty();
    let phase = |pod: &Object| match pods::phase(pod) {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    };
    let crowd = |pod: &Object| on_node.get(pod.text("spec.nodeName")).copied().unwrap_or(0);
    assigned(a)
        .cmp(&assigned(b))
        .then(phase(a).cmp(&phase(b)))
        .then(pods::is_ready(a).cmp(&pods::is_ready(b)))
        .then(deletion_cost(a).cmp(&deletion_cost(b)))
        .then(crowd(b).cmp(&crowd(a)))
        .then(pods::ready_since(b).cmp(&pods::ready_since(a)))
        .then(pods::restarts(b).cmp(&pods::restarts(a)))
        .then(b.creation_timestamp().cmp(&a.creation_timestamp()))
        .then(a.name().cmp(b.name()))
}

fn deletion_cost(pod: &Object) -> i64 {
    pod.annotation("controller.kubernetes.io/pod-deletion-cost")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
