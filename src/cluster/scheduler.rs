//! The scheduler: binds pods to nodes.

mod fit;

pub(super) use fit::{is_selected, tolerates};

use serde_json::{Value, json};

use super::report::Report;
use super::writes::{Act, Writes};
use super::{answers, callers, kinds, pods};
use crate::api::{
    ApiRequest, Caller, Response, Status, Subresource, Verb, WatchEvent, WatchEventType,
    WriteOptions,
};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

const NAME: &str = "default-scheduler";

/// Binds each pending pod to a node that is ready, tolerated, selected and large enough: of those the
/// one with the fewest pods of the same workload, then with the fewest pods, then by name.
///
/// Its keys are pods without a node, and nodes that have changed: they may have room for pods that
/// nothing could be found for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scheduler;

/// Where the scheduling of a pod stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// All pods, to find those that wait for a node.
    Pending,
    /// The pod.
    Pod,
    /// The nodes.
    Nodes(Object),
    /// The pods that are on them.
    Pods(Object, Vec<Object>),
    /// The pod being bound.
    Binding(Writes, ObjectRef),
    /// The scheduler's own cache, which must show the binding before the next pod is placed.
    Shown(ObjectRef, u8),
    /// The pod being told that there is no node for it.
    Refusal(Writes),
}

impl Reconciler for Scheduler {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::scheduler()
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("v1", "Pod"), Watch::all("v1", "Node")]
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let object = &event.object;
        match (object.kind(), event.kind) {
            ("Node", WatchEventType::Deleted) => Vec::new(),
            ("Node", _) if previous.is_some_and(|p| fit::offer(p) == fit::offer(object)) => vec![],
            ("Node", _) => vec![object.reference()],
            (_, WatchEventType::Deleted) => freed_node(object).into_iter().collect(),
            _ if waits_for_node(object) => vec![object.reference()],
            _ => Vec::new(),
        }
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        match target.kind.as_str() {
            "Node" => Next::ask(Awaiting::Pending, cached_pods()),
            _ => Next::ask(
                Awaiting::Pod,
                ApiRequest::get_cached(&kinds::pod(), &target.namespace, &target.name),
            ),
        }
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: Awaiting, response: Response, now: Timestamp) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::Pending => {
            let pods = answers::list(response)?.items;
            super::keys::enqueue(pods.iter().filter(|p| waits_for_node(p)).map(Object::reference))
        }
        Awaiting::Pod => match answers::object(response)? {
            Some(pod) if waits_for_node(&pod) => {
                let nodes = ApiRequest::list_all_cached(&kinds::node(), "");
                Next::ask(Awaiting::Nodes(pod), nodes)
            }
            _ => Next::done(),
        },
        Awaiting::Nodes(pod) => {
            Next::ask(Awaiting::Pods(pod, answers::list(response)?.items), cached_pods())
        }
        Awaiting::Pods(pod, nodes) => place(pod, &nodes, answers::list(response)?.items, now),
        Awaiting::Binding(writes, pod) => bound(writes.answer(response, now), pod),
        Awaiting::Shown(pod, looks) => shown(pod, looks, response)?,
        Awaiting::Refusal(writes) => writes.answer(response, now).or_done(Awaiting::Refusal),
    })
}

fn cached_pods() -> ApiRequest {
    ApiRequest::list_all_cached(&kinds::pod(), "")
}

fn waits_for_node(pod: &Object) -> bool {
    pod.text("spec.nodeName").is_empty()
        && matches!(pod.text("spec.schedulerName"), "" | NAME)
        && pods::is_active(pod)
}

fn freed_node(pod: &Object) -> Option<ObjectRef> {
    let node = pod.text("spec.nodeName");
    (!node.is_empty()).then(|| kinds::node().named("", node))
}

fn place(pod: Object, nodes: &[Object], others: Vec<Object>, now: Timestamp) -> Next<Awaiting> {
    match fit::best_node(&pod, nodes, &others) {
        Ok(node) => bind(&pod, node, now),
        Err(why) => refuse(&pod, &why, now),
    }
}

fn bind(pod: &Object, node: &Object, _now: Timestamp) -> Next<Awaiting> {
    let mut binding = Object::new("v1", "Binding", pod.namespace(), pod.name());
    binding.set("metadata.uid", pod.uid());
    binding.set("target", json!({"apiVersion": "v1", "kind": "Node", "name": node.name()}));
    let request = ApiRequest {
        kind: kinds::pod(),
        namespace: pod.namespace().into(),
        name: pod.name().into(),
        subresource: Some(Subresource::Other("binding".into())),
        verb: Verb::Create(binding, WriteOptions::default()),
    };
    let (namespace, name) = (pod.namespace(), pod.name());
    let message = format!("Successfully assigned {namespace}/{name} to {}", node.name());
    let report = Report::normal(NAME, pod, "Scheduled", message);
    bound(Writes::of([Act::needed(request).telling(report)]).begin(), pod.reference())
}

fn bound(progress: super::writes::Progress, pod: ObjectRef) -> Next<Awaiting> {
    let shown = look(pod.clone(), 0);
    progress.or_else(|writes| Awaiting::Binding(writes, pod), || shown)
}

fn look(pod: ObjectRef, looks: u8) -> Next<Awaiting> {
    let request = ApiRequest::get_cached(&kinds::pod(), &pod.namespace, &pod.name);
    Next::ask(Awaiting::Shown(pod, looks), request)
}

/// The real scheduler assumes a binding before it is made; here the next pod waits until it is seen, a
/// second at most.
fn shown(pod: ObjectRef, looks: u8, response: Response) -> Result<Next<Awaiting>, Status> {
    const LOOKS: u8 = 50;
    if response == Response::Woken {
        return Ok(look(pod, looks));
    }
    let behind = answers::object(response)?.is_some_and(|pod| waits_for_node(&pod));
    Ok(match behind && looks < LOOKS {
        true => Next::Wait(Awaiting::Shown(pod, looks + 1), Duration::from_millis(20)),
        false => Next::done(),
    })
}

/// Tells why there is no node. The pod comes back when a node changes or a pod is gone.
fn refuse(pod: &Object, why: &str, now: Timestamp) -> Next<Awaiting> {
    let known = pods::condition(pod, "PodScheduled")
        .is_some_and(|c| c["reason"] == "Unschedulable" && c["message"] == why);
    if known {
        return Next::done();
    }
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why, "lastProbeTime": Value::Null, "lastTransitionTime": now.to_string()});
    let patch = json!({"metadata": {"uid": pod.uid()}, "status": {"conditions": [condition]}});
    let report = Report::warning(NAME, pod, "FailedScheduling", why);
    let writes = [Act::needed(pods::patch_status(pod, patch)), Act::tell(report, now)];
    Writes::of(writes).begin().or_done(Awaiting::Refusal)
}
