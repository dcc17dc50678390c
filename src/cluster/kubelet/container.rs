//! The status of a pod as its kubelet writes it.

use std::hash::{Hash, Hasher};

use serde_json::{Value, json};

use super::plan;
use crate::api::ApiRequest;
use crate::cluster::fnv::Fnv64;
use crate::cluster::pods;
use crate::object::Object;
use crate::time::Timestamp;

/// The request that writes parts of a pod's status.
pub(super) fn patch(pod: &Object, status: Value) -> ApiRequest {
    pods::patch_status(pod, json!({"metadata": {"uid": pod.uid()}, "status": status}))
}

/// The containers of a pod as specified.
pub(super) fn specs(pod: &Object) -> impl Iterator<Item = &Value> {
    pod.get("spec.containers").and_then(Value::as_array).into_iter().flatten()
}

/// How events name a container.
pub(super) fn field(pod: &Object, container: usize) -> String {
    format!("spec.containers{{{}}}", name(specs(pod).nth(container).unwrap_or(&Value::Null)))
}

/// The status of a pod that the node has just taken.
pub(super) fn admitted(pod: &Object, now: Timestamp) -> Value {
    json!({
        "phase": "Pending",
        "startTime": now.to_string(),
        "hostIP": host_ip(pod.text("spec.nodeName")),
        "conditions": conditions(pod, false, now),
        "containerStatuses": each(pod, |spec, _| waiting_status(spec, "ContainerCreating", "", None)),
    })
}

/// The status of a pod with a container that waits for something.
pub(super) fn waiting(pod: &Object, container: usize, reason: &str, message: &str) -> Value {
    let statuses: Vec<Value> = specs(pod)
        .enumerate()
        .map(|(i, spec)| match status_of(pod, spec) {
            Some(status) if i != container => status.clone(),
            before => waiting_status(spec, reason, message, before),
        })
        .collect();
    json!({"phase": "Pending", "containerStatuses": statuses})
}

/// The status of a pod whose containers have just started.
pub(super) fn running(pod: &Object, digests: &[String], now: Timestamp) -> Value {
    let ready = plan::ready_after(pod).is_some_and(|span| span.is_zero());
    let mut digests = digests.iter();
    let statuses = each(pod, |spec, before| {
        let image = spec["image"].as_str().unwrap_or_default();
        let digest = digests.next().map(String::as_str).unwrap_or_default();
        json!({
            "name": name(spec), "image": image, "imageID": image_id(image, digest),
            "ready": ready, "started": true, "restartCount": restarts(before),
            "state": {"running": {"startedAt": now.to_string()}},
            "lastState": last_state(before),
        })
    });
    let ip = pod_ip(pod);
    json!({
        "phase": "Running",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "conditions": conditions(pod, ready, now),
        "containerStatuses": statuses,
    })
}

/// The status of a pod whose containers have become ready.
pub(super) fn ready(pod: &Object, now: Timestamp) -> Value {
    let statuses = each(pod, |_, before| {
        let mut status = before.cloned().unwrap_or_default();
        status["ready"] = true.into();
        status
    });
    json!({"conditions": conditions(pod, true, now), "containerStatuses": statuses})
}

/// The status of a pod whose containers have just exited: it is over, or they start again.
pub(super) fn exited(pod: &Object, now: Timestamp) -> Value {
    let code = plan::exit_code(pod);
    let again = match pod.text("spec.restartPolicy") {
        "Never" => false,
        "OnFailure" => code != 0,
        _ => true,
    };
    let statuses = each(pod, |spec, before| match again {
        true => crashed(spec, before, code, now),
        false => over(before, code, now),
    });
    let mut conditions = conditions(pod, false, now);
    let phase = match (again, code) {
        (true, _) => "Running",
        (false, 0) => "Succeeded",
        (false, _) => "Failed",
    };
    if phase == "Succeeded" {
        conditions.iter_mut().filter(|c| c["reason"].is_string()).for_each(|condition| {
            condition["reason"] = "PodCompleted".into();
            condition.as_object_mut().map(|fields| fields.remove("message"));
        });
    }
    json!({"phase": phase, "conditions": conditions, "containerStatuses": statuses})
}

/// Since when the containers run; `None` when they do not.
pub(super) fn started_at(pod: &Object) -> Option<Timestamp> {
    let first = pod.get("status.containerStatuses.0.state.running.startedAt")?;
    first.as_str()?.parse().ok()
}

/// When the containers last ended.
pub(super) fn ended_at(pod: &Object) -> Option<Timestamp> {
    let last = pod.get("status.containerStatuses.0.lastState.terminated.finishedAt")?;
    last.as_str()?.parse().ok()
}

/// Why a container waits.
pub(super) fn waiting_reason(pod: &Object, container: usize) -> Option<&str> {
    let spec = specs(pod).nth(container)?;
    status_of(pod, spec)?.get("state")?.get("waiting")?.get("reason")?.as_str()
}

/// The address of a node: one of 172.16.0.0/12, from its name.
pub(super) fn host_ip(node: &str) -> String {
    let [.., a, b, c] = spread(node);
    format!("172.{}.{b}.{c}", 16 + a % 16)
}

fn crashed(spec: &Value, before: Option<&Value>, code: i64, now: Timestamp) -> Value {
    let message = "back-off restarting failed container";
    let mut status = waiting_status(spec, "CrashLoopBackOff", message, before);
    status["restartCount"] = (restarts(before) + 1).into();
    status["lastState"] = terminated(before, code, now);
    status
}

fn over(before: Option<&Value>, code: i64, now: Timestamp) -> Value {
    let mut status = before.cloned().unwrap_or_default();
    status["ready"] = false.into();
    status["started"] = false.into();
    status["state"] = terminated(before, code, now);
    status
}

fn terminated(before: Option<&Value>, code: i64, now: Timestamp) -> Value {
    let started = before.map_or(&Value::Null, |b| &b["state"]["running"]["startedAt"]);
    let reason = if code == 0 { "Completed" } else { "Error" };
    json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now.to_string()}})
}

fn waiting_status(spec: &Value, reason: &str, message: &str, before: Option<&Value>) -> Value {
    let mut waiting = json!({"reason": reason});
    if !message.is_empty() {
        waiting["message"] = message.into();
    }
    json!({
        "name": name(spec), "image": spec["image"], "imageID": "",
        "ready": false, "started": false, "restartCount": restarts(before),
        "state": {"waiting": waiting}, "lastState": last_state(before),
    })
}

fn conditions(pod: &Object, ready: bool, now: Timestamp) -> Vec<Value> {
    let started = if ready || started_at(pod).is_some() { "True" } else { "False" };
    let mut list = vec![
        condition(pod, "PodReadyToStartContainers", started, now),
        condition(pod, "Initialized", "True", now),
    ];
    for kind in ["Ready", "ContainersReady"] {
        let mut entry = condition(pod, kind, if ready { "True" } else { "False" }, now);
        if !ready {
            let names: Vec<&str> = specs(pod).map(name).collect();
            entry["reason"] = "ContainersNotReady".into();
            entry["message"] =
                format!("containers with unready status: [{}]", names.join(" ")).into();
        } else {
            entry["reason"] = Value::Null;
            entry["message"] = Value::Null;
        }
        list.push(entry);
    }
    list
}

fn condition(pod: &Object, kind: &str, status: &str, now: Timestamp) -> Value {
    let before = pods::condition(pod, kind).filter(|c| c["status"] == status);
    let since = before.and_then(|c| c["lastTransitionTime"].as_str()).map(str::to_owned);
    let since = since.unwrap_or_else(|| now.to_string());
    json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since})
}

fn each(pod: &Object, mut status: impl FnMut(&Value, Option<&Value>) -> Value) -> Vec<Value> {
    specs(pod).map(|spec| status(spec, status_of(pod, spec))).collect()
}

fn status_of<'a>(pod: &'a Object, spec: &Value) -> Option<&'a Value> {
    let mut statuses = pod.get("status.containerStatuses")?.as_array()?.iter();
    statuses.find(|status| status["name"] == spec["name"])
}

fn name(spec: &Value) -> &str {
    spec["name"].as_str().unwrap_or_default()
}

fn restarts(before: Option<&Value>) -> i64 {
    before.and_then(|status| status["restartCount"].as_i64()).unwrap_or(0)
}

fn last_state(before: Option<&Value>) -> Value {
    before.and_then(|status| status.get("lastState")).cloned().unwrap_or_else(|| json!({}))
}

fn image_id(image: &str, digest: &str) -> String {
    let repository = image.split('@').next().unwrap_or_default();
    let tag = repository.rfind(':').filter(|at| !repository[*at..].contains('/'));
    format!("{}@{digest}", &repository[..tag.unwrap_or(repository.len())])
}

/// An address of 10.0.0.0/8, from namespace and name.
fn pod_ip(pod: &Object) -> String {
    let [.., a, b, c] = spread(&format!("{}/{}", pod.namespace(), pod.name()));
    format!("10.{a}.{b}.{c}")
}

fn spread(text: &str) -> [u8; 8] {
    let mut hash = Fnv64::default();
    text.hash(&mut hash);
    hash.finish().to_be_bytes()
}
