//! What stood in for the kubelets when the stories were recorded: it marks pending pods ready at once
//! (labelled `finish`: succeeded; labelled `stuck`: never) and lets terminating ones go.

use driftlab::api::{
    ApiRequest, ApiResponse, Caller, DeleteOptions, Patch, Response, Subresource, WatchEvent,
    WriteOptions,
};
use driftlab::object::{GroupVersionKind, Object, ObjectRef};
use driftlab::reconciler::{Next, Reconciler, Watch};
use driftlab::time::Timestamp;
use serde_json::{Value, json};

pub(crate) struct Kubelet;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    PodRead,
    Written,
}

impl Reconciler for Kubelet {
    type State = State;

    fn name(&self) -> &str {
        "kubelet"
    }

    fn caller(&self) -> Caller {
        super::wire::admin("kubelet")
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("v1", "Pod")]
    }

    fn handle_event(&self, event: &WatchEvent, _: Option<&Object>) -> Vec<ObjectRef> {
        vec![event.object.reference()]
    }

    fn start(&self, target: &ObjectRef, _: Timestamp) -> Next<State> {
        Next::ask(State::PodRead, ApiRequest::get(&kind(), &target.namespace, &target.name))
    }

    fn step(&self, state: State, response: Response, now: Timestamp) -> Next<State> {
        let pod = match (state, response) {
            (State::PodRead, Response::Api(Ok(answer))) => answer,
            _ => return Next::done(),
        };
        let Some(pod) = ApiResponse::into_object(pod) else { return Next::done() };
        if pod.is_deleting() {
            let options =
                DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
            let request = ApiRequest::delete(&kind(), pod.namespace(), pod.name(), options);
            return Next::ask(State::Written, request);
        }
        if !matches!(pod.text("status.phase"), "" | "Pending") || pod.label("stuck").is_some() {
            return Next::done();
        }
        let patch = Patch::Merge(json!({"status": status(&pod, now)}));
        let (namespace, name, options) = (pod.namespace(), pod.name(), WriteOptions::default());
        let request = ApiRequest::patch(&kind(), namespace, name, patch, options);
        Next::ask(State::Written, request.to(Subresource::Status))
    }
}

fn kind() -> GroupVersionKind {
    GroupVersionKind::new("v1", "Pod")
}

fn status(pod: &Object, now: Timestamp) -> Value {
    let done = pod.label("finish").is_some();
    let now = now.to_string();
    let state = if done {
        json!({"terminated": {"exitCode": 0}})
    } else {
        json!({"running": {"startedAt": now}})
    };
    let containers = pod.get("spec.containers").and_then(Value::as_array).into_iter().flatten();
    let containers: Vec<Value> = containers
        .map(|c| json!({"name": c["name"], "image": c["image"], "imageID": c["image"], "ready": !done, "started": !done, "restartCount": 0, "state": state}))
        .collect();
    let conditions: Vec<Value> = ["Ready", "ContainersReady", "PodScheduled", "Initialized"]
        .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": now}))
        .into();
    let mut status = json!({"phase": if done { "Succeeded" } else { "Running" }, "startTime": now, "containerStatuses": containers});
    if !done {
        status["conditions"] = conditions.into();
    }
    status
}
