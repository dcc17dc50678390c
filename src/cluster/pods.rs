//! What controllers ask about pods.

use serde_json::{Value, json};

use crate::api::{ApiRequest, Patch, Subresource, WriteOptions};
use crate::object::{Object, OwnerReference};
use crate::time::{Duration, Timestamp};

/// A pod as a controller makes it from the template of its workload: the server names it.
pub(super) fn from_template(owner: &Object, template: &Value) -> Object {
    let mut pod = Object::new("v1", "Pod", owner.namespace(), "");
    pod.remove("metadata.name");
    pod.set("metadata.generateName", format!("{}-", owner.name()));
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.get("metadata").and_then(|meta| meta.get(field)) {
            pod.set_at(&["metadata", field], value.clone());
        }
    }
    pod.set("metadata.ownerReferences", json!([OwnerReference::controller_of(owner).to_value()]));
    pod.set("spec", template.get("spec").cloned().unwrap_or_else(|| json!({})));
    pod
}

/// `status.phase`, `Pending` when unset.
pub(super) fn phase(pod: &Object) -> &str {
    match pod.text("status.phase") {
        "" => "Pending",
        phase => phase,
    }
}

/// Whether it has run to its end.
pub(super) fn is_finished(pod: &Object) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether it is neither over nor going away.
pub(super) fn is_active(pod: &Object) -> bool {
    !is_finished(pod) && !pod.is_deleting()
}

/// Whether it is going away and still runs.
pub(super) fn is_terminating(pod: &Object) -> bool {
    !is_finished(pod) && pod.is_deleting()
}

/// Whether its condition `Ready` is true.
pub(super) fn is_ready(pod: &Object) -> bool {
    ready_since(pod).is_some()
}

/// Whether it has been ready for `min_ready` seconds.
pub(super) fn is_available(pod: &Object, min_ready: i64, now: Timestamp) -> bool {
    ready_since(pod).is_some_and(|since| {
        min_ready == 0 || since + Duration::from_secs(min_ready.max(0) as u64) <= now
    })
}

/// Since when it is ready; `None` when it is not.
pub(super) fn ready_since(pod: &Object) -> Option<Timestamp> {
    let ready = condition(pod, "Ready")?;
    if ready.get("status").and_then(Value::as_str) != Some("True") {
        return None;
    }
    let since = ready.get("lastTransitionTime").and_then(Value::as_str);
    Some(since.and_then(|text| text.parse().ok()).unwrap_or_default())
}

/// A condition of an object, as JSON.
pub(super) fn condition<'a>(object: &'a Object, kind: &str) -> Option<&'a Value> {
    let mut conditions = object.get("status.conditions")?.as_array()?.iter();
    conditions.find(|c| c.get("type").and_then(Value::as_str) == Some(kind))
}

/// How often its containers were started again.
pub(super) fn restarts(pod: &Object) -> i64 {
    let statuses = pod.get("status.containerStatuses").and_then(Value::as_array);
    statuses.into_iter().flatten().filter_map(|s| s.get("restartCount")?.as_i64()).sum()
}

/// Whether `owner` is its managing controller.
pub(super) fn is_controlled_by(object: &Object, owner: &Object) -> bool {
    object.controller().is_some_and(|controller| controller.uid == owner.uid())
}

/// The request that patches the status of a pod or node; `patch` should name its uid.
pub(super) fn patch_status(object: &Object, patch: Value) -> ApiRequest {
    ApiRequest::patch(
        &object.gvk(),
        object.namespace(),
        object.name(),
        Patch::Strategic(patch),
        WriteOptions::default(),
    )
    .to(Subresource::Status)
}

/// A count, or a percentage of `total` rounded up or down; `None` when neither is given.
pub(super) fn share(given: Option<&Value>, total: i64, up: bool) -> Option<i64> {
    let percent: i64 = match given? {
        Value::String(text) => text.trim_end_matches('%').parse().ok()?,
        count => return count.as_i64(),
    };
    let hundredths = total.saturating_mul(percent);
    Some(if up {
        hundredths.saturating_add(99).div_euclid(100)
    } else {
        hundredths.div_euclid(100)
    })
}
