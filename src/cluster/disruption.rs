//! The disruption controller: how many pods may be evicted.

use serde_json::{Value, json};

use super::writes::{Act, Writes};
use super::{answers, callers, claim, keys, kinds, pods};
use crate::api::{ApiRequest, Caller, Response, Status, WatchEvent};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Condition, Next, Reconciler, Watch, set_condition};
use crate::time::Timestamp;

const NAME: &str = "disruption-controller";

/// Keeps the status of PodDisruptionBudgets, which the server consults when a pod is to be evicted.
///
/// How many pods there should be is what their ReplicaSets and StatefulSets want. Its keys are budgets,
/// and namespaces whose pods have changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct PodDisruptionBudgets;

/// Where the look at a budget stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The budgets of a namespace whose pods have changed.
    Budgets,
    /// The budget.
    Budget,
    /// The ReplicaSets of its namespace.
    ReplicaSets(Object),
    /// The StatefulSets of its namespace.
    StatefulSets(Object, Vec<Object>),
    /// The pods of its namespace.
    Pods(Object, Vec<Object>),
    /// The status being written.
    Status(Writes),
}

impl Reconciler for PodDisruptionBudgets {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all("policy/v1", "PodDisruptionBudget"),
            Watch::all("v1", "Pod"),
            Watch::all("apps/v1", "ReplicaSet"),
            Watch::all("apps/v1", "StatefulSet"),
        ]
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let object = &event.object;
        let traits =
            |pod: &Object| (pods::is_ready(pod), pod.is_deleting(), pods::is_finished(pod));
        match object.kind() {
            "PodDisruptionBudget" => vec![object.reference()],
            "Pod" if previous.is_none_or(|p| traits(p) != traits(object)) => {
                vec![kinds::namespace().named("", object.namespace())]
            }
            "ReplicaSet" | "StatefulSet"
                if previous
                    .is_some_and(|p| p.get("spec.replicas") != object.get("spec.replicas")) =>
            {
                vec![kinds::namespace().named("", object.namespace())]
            }
            _ => Vec::new(),
        }
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let kind = kinds::budget();
        match target.kind.as_str() {
            "Namespace" => {
                Next::ask(Awaiting::Budgets, ApiRequest::list_all_cached(&kind, &target.name))
            }
            _ => Next::ask(
                Awaiting::Budget,
                ApiRequest::get_cached(&kind, &target.namespace, &target.name),
            ),
        }
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: Awaiting, response: Response, now: Timestamp) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::Budgets => {
            keys::enqueue(answers::list(response)?.items.iter().map(Object::reference))
        }
        Awaiting::Budget => match answers::object(response)? {
            Some(budget) => {
                let sets = ApiRequest::list_all_cached(&kinds::replica_set(), budget.namespace());
                Next::ask(Awaiting::ReplicaSets(budget), sets)
            }
            None => Next::done(),
        },
        Awaiting::ReplicaSets(budget) => {
            let sets = ApiRequest::list_all_cached(&kinds::stateful_set(), budget.namespace());
            Next::ask(Awaiting::StatefulSets(budget, answers::list(response)?.items), sets)
        }
        Awaiting::StatefulSets(budget, mut owners) => {
            owners.extend(answers::list(response)?.items);
            let pods = ApiRequest::list_all_cached(&kinds::pod(), budget.namespace());
            Next::ask(Awaiting::Pods(budget, owners), pods)
        }
        Awaiting::Pods(budget, owners) => {
            let selector = claim::selector(&budget);
            let mut pods = answers::list(response)?.items;
            pods.retain(|pod| selector.matches(pod) && !pods::is_finished(pod));
            let status = Tally::of(&budget, &owners, &pods).status(&budget, now);
            let write = Act::status_unless_same(&budget, status);
            Writes::of(write).begin().or_done(Awaiting::Status)
        }
        Awaiting::Status(writes) => writes.answer(response, now).or_done(Awaiting::Status),
    })
}

/// What a budget comes to.
struct Tally {
    expected: i64,
    wanted: i64,
    healthy: i64,
}

impl Tally {
    fn of(budget: &Object, owners: &[Object], pods: &[Object]) -> Self {
        let healthy = |pod: &&Object| pods::is_ready(pod) && !pod.is_deleting();
        let healthy = pods.iter().filter(healthy).count() as i64;
        let there = pods.len() as i64;
        let by_owner = expected(owners, pods);
        let (expected, wanted) =
            match (budget.get("spec.maxUnavailable"), budget.get("spec.minAvailable")) {
                (Some(given), _) => {
                    let may_miss = pods::share(Some(given), by_owner, true).unwrap_or(0);
                    (by_owner, (by_owner - may_miss).max(0))
                }
                (None, Some(count)) if count.is_i64() => (there, count.as_i64().unwrap_or(0)),
                (None, given) => (by_owner, pods::share(given, by_owner, true).unwrap_or(1)),
            };
        Tally { expected, wanted, healthy }
    }

    fn allowed(&self) -> i64 {
        if self.expected > 0 { (self.healthy - self.wanted).max(0) } else { 0 }
    }

    fn status(&self, budget: &Object, now: Timestamp) -> Value {
        let allowed = self.allowed();
        let (status, reason) = match allowed {
            0 => ("False", "InsufficientPods"),
            _ => ("True", "SufficientPods"),
        };
        let list = budget.get("status.conditions").and_then(Value::as_array).cloned();
        let mut list = list.unwrap_or_default();
        let generation = budget.generation();
        let condition =
            Condition::new("DisruptionAllowed", status, reason, "").at_generation(generation);
        set_condition(&mut list, &condition, now);
        json!({
            "currentHealthy": self.healthy,
            "desiredHealthy": self.wanted,
            "disruptionsAllowed": allowed,
            "expectedPods": self.expected,
            "observedGeneration": generation,
            "conditions": list,
        })
    }
}

/// How many pods the owners of these want in all: for a Deployment what it wants, not what its
/// ReplicaSets have at the moment.
fn expected(owners: &[Object], pods: &[Object]) -> i64 {
    let mut uids: Vec<String> =
        pods.iter().filter_map(Object::controller).map(|owner| owner.uid).collect();
    uids.sort();
    uids.dedup();
    let mut deployments: Vec<String> = Vec::new();
    let mut sum = 0;
    for owner in owners.iter().filter(|owner| uids.iter().any(|uid| uid == owner.uid())) {
        let desired = owner.annotation("deployment.kubernetes.io/desired-replicas");
        match (owner.controller(), desired.and_then(|text| text.parse::<i64>().ok())) {
            (Some(deployment), Some(desired)) => {
                if !deployments.contains(&deployment.uid) {
                    sum += desired;
                    deployments.push(deployment.uid);
                }
            }
            _ => sum += owner.int("spec.replicas").unwrap_or(1),
        }
    }
    sum
}
