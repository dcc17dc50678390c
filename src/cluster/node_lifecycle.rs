//! The node lifecycle controller: notices nodes that no longer report, and moves their pods.

use serde_json::{Value, json};

use super::kubelet::LEASES;
use super::report::Report;
use super::scheduler::tolerates;
use super::writes::{Act, Progress, Writes};
use super::{answers, callers, kinds, pods};
use crate::api::{
    ApiRequest, Caller, DeleteOptions, Preconditions, Response, Status, WatchEvent, WatchEventType,
};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

const NAME: &str = "node-controller";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// Marks a node whose lease is no longer renewed as unknown after [`NodeLifecycle::grace`], taints it
/// `node.kubernetes.io/unreachable`, tells that its pods are not ready, and evicts each when its
/// toleration of the taint ends: after 300 s unless the pod says otherwise. A node that reports again
/// loses the taints. Pods of a node that is deleted go at once.
///
/// Its keys are nodes.
#[derive(Clone, Copy, Debug)]
pub struct NodeLifecycle {
    /// How long a node may be silent: 40 s.
    pub grace: Duration,
}

/// Where the look at a node stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The node.
    Node(String),
    /// Its lease.
    Lease(Object),
    /// Its status and taints being written.
    Verdict(Writes, Object),
    /// The pods on it.
    Pods(Object),
    /// The pods of a node that is gone.
    Stranded(String),
    /// Pods being marked or evicted.
    Evictions(Writes, Option<Duration>),
}

impl Default for NodeLifecycle {
    fn default() -> Self {
        NodeLifecycle { grace: Duration::from_secs(40) }
    }
}

impl Reconciler for NodeLifecycle {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all("v1", "Node"),
            Watch::all("coordination.k8s.io/v1", "Lease"),
            Watch::all("v1", "Pod"),
        ]
    }

    fn workers(&self) -> usize {
        8
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let object = &event.object;
        let node = |name: &str| vec![kinds::node().named("", name)];
        match object.kind() {
            "Node" => node(object.name()),
            "Lease" if object.namespace() == LEASES => node(object.name()),
            // A pod that arrives on a node that is tainted already.
            "Pod" if event.kind != WatchEventType::Deleted => {
                let at = object.text("spec.nodeName");
                let moved = previous.is_none_or(|p| p.text("spec.nodeName") != at);
                if at.is_empty() || !moved { Vec::new() } else { node(at) }
            }
            _ => Vec::new(),
        }
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let node = ApiRequest::get_cached(&kinds::node(), "", &target.name);
        Next::ask(Awaiting::Node(target.name.clone()), node)
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        self.advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

impl NodeLifecycle {
    fn advance(
        &self,
        state: Awaiting,
        response: Response,
        now: Timestamp,
    ) -> Result<Next<Awaiting>, Status> {
        Ok(match state {
            Awaiting::Node(name) => match answers::object(response)? {
                Some(node) => {
                    let lease = ApiRequest::get_cached(&kinds::lease(), LEASES, node.name());
                    Next::ask(Awaiting::Lease(node), lease)
                }
                None => Next::ask(Awaiting::Stranded(name), cached_pods()),
            },
            Awaiting::Lease(node) => self.judge(node, answers::object(response)?.as_ref(), now),
            Awaiting::Verdict(writes, node) => judged(writes.answer(response, now), node),
            Awaiting::Pods(node) => evict(&node, answers::list(response)?.items, now),
            Awaiting::Stranded(name) => {
                let pods = answers::list(response)?.items;
                let on_it = pods.iter().filter(|pod| pod.text("spec.nodeName") == name);
                let acts: Vec<Act> = on_it.map(force_delete).collect();
                finish(Writes::of(acts).begin(), None)
            }
            Awaiting::Evictions(writes, next) => finish(writes.answer(response, now), next),
        })
    }

    /// A lease without `renewTime` is being renewed (see [`super::last_heartbeat`]).
    fn judge(&self, node: Object, lease: Option<&Object>, now: Timestamp) -> Next<Awaiting> {
        let renewed =
            lease.and_then(|lease| lease.text("spec.renewTime").parse::<Timestamp>().ok());
        let expires = renewed.map(|renewed| renewed + self.grace);
        match expires {
            Some(expires) if expires > now => Next::again_after(expires.since(now)),
            Some(_) if !is_unknown(&node) => {
                judged(Writes::of(went_silent(&node, now)).begin(), node)
            }
            Some(_) => judged(Progress::Over(None), node),
            None => judged(Writes::of(came_back(&node, now)).begin(), node),
        }
    }
}

fn judged(progress: Progress, node: Object) -> Next<Awaiting> {
    let tainted = taints(&node).iter().any(|taint| taint["effect"] == "NoExecute");
    let next = match tainted {
        true => Next::ask(Awaiting::Pods(node.clone()), cached_pods()),
        false => Next::done(),
    };
    progress.or_else(|writes| Awaiting::Verdict(writes, node), || next)
}

fn finish(progress: Progress, next: Option<Duration>) -> Next<Awaiting> {
    progress.or_else(
        |writes| Awaiting::Evictions(writes, next),
        || match next {
            Some(next) => Next::again_after(next),
            None => Next::done(),
        },
    )
}

fn cached_pods() -> ApiRequest {
    ApiRequest::list_all_cached(&kinds::pod(), "")
}

fn ready(node: &Object) -> &str {
    pods::condition(node, "Ready").and_then(|c| c["status"].as_str()).unwrap_or_default()
}

fn is_unknown(node: &Object) -> bool {
    ready(node) == "Unknown" && taints(node).iter().any(|taint| taint["key"] == UNREACHABLE)
}

fn taints(node: &Object) -> Vec<Value> {
    node.get("spec.taints").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// The status of a node nobody hears of, its taints, and the event. The taints come back with the next
/// change of the node: then its pods are looked at.
fn went_silent(node: &Object, now: Timestamp) -> Vec<Act> {
    let unknown = |kind: &str| {
        let since = pods::condition(node, kind).filter(|c| c["status"] == "Unknown");
        let since =
            since.map_or_else(|| now.to_string().into(), |c| c["lastTransitionTime"].clone());
        json!({"type": kind, "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status.", "lastTransitionTime": since})
    };
    let conditions = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"].map(unknown);
    let patch = json!({"metadata": {"uid": node.uid()}, "status": {"conditions": conditions}});
    let message = format!("Node {} status is now: NodeNotReady", node.name());
    vec![
        Act::needed(pods::patch_status(node, patch)),
        set_taints(node, with_unreachable(node, now)),
        Act::tell(Report::normal(NAME, node, "NodeNotReady", message), now),
    ]
}

fn with_unreachable(node: &Object, now: Timestamp) -> Vec<Value> {
    let mut taints = without_unreachable(node);
    for effect in ["NoSchedule", "NoExecute"] {
        taints.push(json!({"key": UNREACHABLE, "effect": effect, "timeAdded": now.to_string()}));
    }
    taints
}

fn without_unreachable(node: &Object) -> Vec<Value> {
    taints(node).into_iter().filter(|taint| taint["key"] != UNREACHABLE).collect()
}

/// Takes the taints off a node that is ready again.
fn came_back(node: &Object, now: Timestamp) -> Vec<Act> {
    let left = without_unreachable(node);
    if ready(node) != "True" || left.len() == taints(node).len() {
        return Vec::new();
    }
    let message = format!("Node {} status is now: NodeReady", node.name());
    vec![set_taints(node, left), Act::tell(Report::normal(NAME, node, "NodeReady", message), now)]
}

fn set_taints(node: &Object, taints: Vec<Value>) -> Act {
    let taints = if taints.is_empty() { Value::Null } else { taints.into() };
    let patch = json!({"metadata": {"uid": node.uid()}, "spec": {"taints": taints}});
    Act::needed(ApiRequest::patch(
        &kinds::node(),
        "",
        node.name(),
        crate::api::Patch::Merge(patch),
        Default::default(),
    ))
}

/// Tells that the pods of an unreachable node are not ready, and deletes those that no longer tolerate
/// its taints.
fn evict(node: &Object, all: Vec<Object>, now: Timestamp) -> Next<Awaiting> {
    let mut acts = Vec::new();
    let mut next: Option<Timestamp> = None;
    let on_it = all.iter().filter(|pod| pod.text("spec.nodeName") == node.name());
    for pod in on_it.filter(|pod| pods::is_active(pod)) {
        if ready(node) == "Unknown" && pods::is_ready(pod) {
            acts.push(not_ready(pod, now));
        }
        match evicted_at(pod, node) {
            Some(at) if at <= now => acts.extend(eviction(pod, now)),
            Some(at) => next = Some(next.map_or(at, |earlier| earlier.min(at))),
            None => {}
        }
    }
    finish(Writes::of(acts).begin(), next.map(|at| at.since(now)))
}

fn not_ready(pod: &Object, now: Timestamp) -> Act {
    let condition = json!({"type": "Ready", "status": "False", "reason": "NodeNotReady", "message": "Node is not ready", "lastTransitionTime": now.to_string()});
    let patch = json!({"metadata": {"uid": pod.uid()}, "status": {"conditions": [condition]}});
    Act::needed(pods::patch_status(pod, patch)).or_gone()
}

fn eviction(pod: &Object, now: Timestamp) -> [Act; 2] {
    let message = format!("Marking for deletion Pod {}/{}", pod.namespace(), pod.name());
    let report = Report::normal("taint-eviction-controller", pod, "TaintManagerEviction", message);
    [Act::delete(pod), Act::tell(report, now)]
}

/// When a pod no longer tolerates the taints of its node; `None` when it always does.
fn evicted_at(pod: &Object, node: &Object) -> Option<Timestamp> {
    let taints = taints(node);
    let evicting = taints.iter().filter(|taint| taint["effect"] == "NoExecute");
    evicting.filter_map(|taint| tolerated_until(pod, taint)).min()
}

fn tolerated_until(pod: &Object, taint: &Value) -> Option<Timestamp> {
    let added = taint["timeAdded"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
    let tolerations = pod.get("spec.tolerations").and_then(Value::as_array);
    let mut covering = tolerations.into_iter().flatten().filter(|t| tolerates(t, taint)).peekable();
    if covering.peek().is_none() {
        return Some(added);
    }
    let seconds = covering.map(|t| t["tolerationSeconds"].as_u64()).collect::<Vec<_>>();
    let shortest = seconds.into_iter().flatten().min()?;
    Some(added + Duration::from_secs(shortest))
}

/// Removes a pod whose node is gone: nobody else will.
fn force_delete(pod: &Object) -> Act {
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        preconditions: Preconditions { uid: pod.uid().into(), ..Preconditions::default() },
        ..DeleteOptions::default()
    };
    Act::needed(ApiRequest::delete(&kinds::pod(), pod.namespace(), pod.name(), options)).or_gone()
}
