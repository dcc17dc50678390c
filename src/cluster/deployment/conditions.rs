//! The conditions of a Deployment. Unlike most they tell when they were last updated, and a condition
//! that changes moves to the end of the list.

use serde_json::{Value, json};

use crate::cluster::pods;
use crate::object::Object;
use crate::time::Timestamp;

/// A condition about to be set.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// `reason` of the condition `Progressing`; empty when there is none.
pub(super) fn progressing_reason(deployment: &Object) -> &str {
    pods::condition(deployment, "Progressing")
        .and_then(|c| c.get("reason")?.as_str())
        .unwrap_or_default()
}

/// When the condition `Progressing` was last updated.
pub(super) fn progressing_updated(deployment: &Object) -> Option<Timestamp> {
    pods::condition(deployment, "Progressing")?.get("lastUpdateTime")?.as_str()?.parse().ok()
}

/// The conditions as they are.
pub(super) fn of(deployment: &Object) -> Vec<Value> {
    deployment.get("status.conditions").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Sets a condition, unless status and reason are what they were. `lastTransitionTime` moves with the
/// status only.
pub(super) fn set(list: &mut Vec<Value>, condition: &Condition, now: Timestamp) {
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let place = list.iter().position(|c| text(c, "type") == condition.kind);
    let before = place.map(|i| list[i].clone()).unwrap_or_default();
    let same_status = text(&before, "status") == condition.status;
    if same_status && text(&before, "reason") == condition.reason {
        return;
    }
    place.map(|i| list.remove(i));
    list.push(entry(condition, same_status.then(|| text(&before, "lastTransitionTime")), now));
}

/// Sets a condition whatever it was: it has been updated now.
pub(super) fn renew(list: &mut Vec<Value>, condition: &Condition, now: Timestamp) {
    let before = list.iter().find(|c| c["type"] == condition.kind).cloned().unwrap_or_default();
    let since = (before["status"] == condition.status)
        .then(|| before["lastTransitionTime"].as_str().unwrap_or_default().to_owned());
    remove(list, condition.kind);
    list.push(entry(condition, since, now));
}

/// Removes a condition.
pub(super) fn remove(list: &mut Vec<Value>, kind: &str) {
    list.retain(|c| c["type"] != kind);
}

fn entry(condition: &Condition, since: Option<String>, now: Timestamp) -> Value {
    let since = since.filter(|s| !s.is_empty()).unwrap_or_else(|| now.to_string());
    json!({"type": condition.kind, "status": condition.status, "reason": condition.reason, "message": condition.message, "lastUpdateTime": now.to_string(), "lastTransitionTime": since})
}
