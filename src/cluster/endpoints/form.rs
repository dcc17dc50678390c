//! The two forms in which endpoints are published.

use serde_json::{Value, json};

use super::Awaiting;
use crate::api::ApiRequest;
use crate::cluster::pods;
use crate::cluster::writes::Act;
use crate::object::{GroupVersionKind, Object, ObjectRef, OwnerReference};
use crate::reconciler::Next;
use crate::time::Timestamp;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `discovery.k8s.io/v1` EndpointSlice.
    Slices,
    /// `v1` Endpoints.
    Subsets,
}

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const SLICES_OF: &str = "endpointslice.kubernetes.io/managed-by";
const SUBSETS_OF: &str = "endpoints.kubernetes.io/managed-by";
const SLICE_CONTROLLER: &str = "endpointslice-controller.k8s.io";
const HEADLESS: &str = "service.kubernetes.io/headless";
const TRIGGER: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// So many endpoints fit into a slice.
const SLICE: usize = 100;

/// What of a pod endpoints depend on.
pub(super) fn traits(pod: &Object) -> (Option<&Value>, &str, &str, bool, bool, bool) {
    (
        pod.get("metadata.labels"),
        pod.text("status.podIP"),
        pod.text("spec.nodeName"),
        pods::is_ready(pod),
        pods::is_finished(pod),
        pod.is_deleting(),
    )
}

/// The service that something published is about.
pub(super) fn service_of(published: &Object) -> Option<&str> {
    match published.kind() {
        "Endpoints" => published.label(SUBSETS_OF).map(|_| published.name()),
        _ => published.label(SERVICE_NAME).filter(|_| is_ours(published)),
    }
}

fn is_ours(slice: &Object) -> bool {
    slice.label(SLICES_OF) == Some(SLICE_CONTROLLER)
}

impl Form {
    pub(super) fn kind(self) -> GroupVersionKind {
        match self {
            Form::Slices => GroupVersionKind::new("discovery.k8s.io/v1", "EndpointSlice"),
            Form::Subsets => GroupVersionKind::new("v1", "Endpoints"),
        }
    }

    /// What is left to do for a service that is gone. Slices have it as their owner.
    pub(super) fn withdraw(self, service: &ObjectRef) -> Next<Awaiting> {
        match self {
            Form::Slices => Next::done(),
            Form::Subsets => {
                let (kind, options) = (self.kind(), Default::default());
                let request = ApiRequest::delete(&kind, &service.namespace, &service.name, options);
                let writes = crate::cluster::writes::Writes::of([Act::needed(request).or_gone()]);
                writes.begin().or_done(Awaiting::Writes)
            }
        }
    }

    /// What brings the published state up to date; nothing when it is.
    pub(super) fn publish(
        self,
        service: &Object,
        behind: &[Object],
        published: Vec<Object>,
        now: Timestamp,
    ) -> Vec<Act> {
        let about = |object: &Object| service_of(object) == Some(service.name());
        let published: Vec<Object> = published
            .into_iter()
            .filter(|o| about(o) || self == Form::Subsets && o.name() == service.name())
            .collect();
        match self {
            Form::Slices => slices(service, behind, published, now),
            Form::Subsets => {
                let wanted = subsets(service, behind);
                bring_up(wanted, published.into_iter().next(), now).into_iter().collect()
            }
        }
    }
}

/// As many slices as the endpoints need; those that are there are used again.
fn slices(service: &Object, behind: &[Object], published: Vec<Object>, now: Timestamp) -> Vec<Act> {
    let mut there = published.into_iter();
    let mut acts: Vec<Act> = Vec::new();
    let empty: [&[Object]; 1] = [&[]];
    let parts: Vec<&[Object]> = match behind.is_empty() {
        true => empty.to_vec(),
        false => behind.chunks(SLICE).collect(),
    };
    for part in parts {
        acts.extend(bring_up(slice(service, part), there.next(), now));
    }
    acts.extend(there.map(|left| Act::delete(&left)));
    acts
}

/// Creates what is wanted, or replaces what is there if it differs.
fn bring_up(mut wanted: Object, there: Option<Object>, now: Timestamp) -> Option<Act> {
    let Some(there) = there else {
        wanted.set_annotation(TRIGGER, &now.to_string());
        return Some(Act::create(wanted));
    };
    let parts = ["addressType", "endpoints", "ports", "subsets", "metadata.labels"];
    let value = |object: &Object, part: &str| {
        object
            .get(part)
            .filter(|v| !v.is_null() && !v.as_array().is_some_and(Vec::is_empty))
            .cloned()
    };
    if parts.iter().all(|part| value(&wanted, part) == value(&there, part)) {
        return None;
    }
    let mut changed = there;
    for part in parts {
        match wanted.get(part) {
            Some(value) => changed.set(part, value.clone()),
            None => drop(changed.remove(part)),
        }
    }
    changed.set_annotation(TRIGGER, &now.to_string());
    Some(Act::update(changed))
}

fn slice(service: &Object, behind: &[Object]) -> Object {
    let mut slice = Object::new("discovery.k8s.io/v1", "EndpointSlice", service.namespace(), "");
    slice.remove("metadata.name");
    slice.set("metadata.generateName", format!("{}-", service.name()));
    label(&mut slice, service);
    slice.set_label(SERVICE_NAME, service.name());
    slice.set_label(SLICES_OF, SLICE_CONTROLLER);
    let owner = OwnerReference::controller_of(service).to_value();
    slice.set("metadata.ownerReferences", json!([owner]));
    slice.set("addressType", "IPv4");
    let always = service.get("spec.publishNotReadyAddresses") == Some(&Value::Bool(true));
    let endpoints: Vec<Value> = behind.iter().map(|pod| endpoint(pod, always)).collect();
    slice.set("endpoints", endpoints);
    let ports = if behind.is_empty() { Vec::new() } else { ports(service, behind, true) };
    slice.set("ports", ports);
    slice
}

fn endpoint(pod: &Object, always: bool) -> Value {
    let (serving, terminating) = (pods::is_ready(pod), pod.is_deleting());
    let ready = always || serving && !terminating;
    let mut endpoint = json!({
        "addresses": [pod.text("status.podIP")],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": target(pod),
    });
    if !pod.text("spec.nodeName").is_empty() {
        endpoint["nodeName"] = pod.text("spec.nodeName").into();
    }
    endpoint
}

fn subsets(service: &Object, behind: &[Object]) -> Object {
    let mut endpoints = Object::new("v1", "Endpoints", service.namespace(), service.name());
    label(&mut endpoints, service);
    endpoints.set_label(SUBSETS_OF, "endpoint-controller");
    let always = service.get("spec.publishNotReadyAddresses") == Some(&Value::Bool(true));
    let staying = || behind.iter().filter(|pod| always || !pod.is_deleting());
    let serves = |pod: &&Object| always || pods::is_ready(pod);
    let ready: Vec<Value> = staying().filter(serves).map(address).collect();
    let unready: Vec<Value> = staying().filter(|pod| !serves(pod)).map(address).collect();
    let mut subset = json!({});
    for (field, list) in [("addresses", ready), ("notReadyAddresses", unready)] {
        if !list.is_empty() {
            subset[field] = list.into();
        }
    }
    if subset.as_object().is_some_and(|fields| fields.is_empty()) {
        return endpoints;
    }
    let ports = ports(service, behind, false);
    if !ports.is_empty() {
        subset["ports"] = ports.into();
    }
    endpoints.set("subsets", json!([subset]));
    endpoints
}

fn address(pod: &Object) -> Value {
    let mut address = json!({"ip": pod.text("status.podIP"), "targetRef": target(pod)});
    if !pod.text("spec.nodeName").is_empty() {
        address["nodeName"] = pod.text("spec.nodeName").into();
    }
    address
}

fn target(pod: &Object) -> Value {
    json!({"kind": "Pod", "namespace": pod.namespace(), "name": pod.name(), "uid": pod.uid()})
}

fn label(object: &mut Object, service: &Object) {
    for (key, value) in service.labels() {
        object.set_label(key, value);
    }
    if service.text("spec.clusterIP") == "None" {
        object.set_label(HEADLESS, "");
    }
}

/// The ports of a service as its pods have them: a target port may be a name.
fn ports(service: &Object, behind: &[Object], name_always: bool) -> Vec<Value> {
    let ports = service.get("spec.ports").and_then(Value::as_array).into_iter().flatten();
    let published = |port: &Value| {
        let number = behind.iter().find_map(|pod| target_port(port, pod))?;
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let mut entry = json!({"port": number, "protocol": protocol});
        let name = port["name"].as_str().unwrap_or_default();
        if name_always || !name.is_empty() {
            entry["name"] = name.into();
        }
        if let Some(application) = port.get("appProtocol") {
            entry["appProtocol"] = application.clone();
        }
        Some(entry)
    };
    ports.filter_map(published).collect()
}

fn target_port(port: &Value, pod: &Object) -> Option<i64> {
    match &port["targetPort"] {
        Value::String(name) => {
            let containers = pod.get("spec.containers").and_then(Value::as_array)?;
            let mut ports = containers.iter().filter_map(|c| c["ports"].as_array()).flatten();
            ports.find(|p| p["name"] == name.as_str())?["containerPort"].as_i64()
        }
        Value::Number(number) => number.as_i64(),
        _ => port["port"].as_i64(),
    }
}
