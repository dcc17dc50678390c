//! Conditions as Flux keeps them (`fluxcd/pkg/runtime/conditions`): in a fixed order, each with the
//! generation it was found at, its transition time moving with status, reason or message.

use std::cmp::Reverse;

use serde_json::{Value, json};

use crate::object::Object;
use crate::reconciler::{Condition, conditions};
use crate::time::Timestamp;

pub(crate) const READY: &str = "Ready";
pub(crate) const RECONCILING: &str = "Reconciling";
pub(crate) const STALLED: &str = "Stalled";
pub(crate) const HEALTHY: &str = "Healthy";

/// The longest message; a longer one ends in three dots.
const MAX_MESSAGE: usize = 32_768;

/// The condition of a type.
pub(crate) fn get(object: &Object, kind: &str) -> Option<Condition> {
    conditions(object).into_iter().find(|condition| condition.kind == kind)
}

/// Whether the condition of a type is `True`.
pub(crate) fn is_true(object: &Object, kind: &str) -> bool {
    get(object, kind).is_some_and(|condition| condition.is_true())
}

/// Whether the condition of a type is `False`.
pub(crate) fn is_false(object: &Object, kind: &str) -> bool {
    get(object, kind).is_some_and(|condition| condition.is_false())
}

/// Sets a condition, found at the object's generation.
pub(crate) fn mark(object: &mut Object, condition: Condition, now: Timestamp) {
    let mut list = entries(object);
    let place = list.iter().position(|entry| entry["type"] == condition.kind.as_str());
    let mut entry = to_value(&condition, object.generation());
    let same = place.is_some_and(|i| {
        ["status", "reason", "message"].iter().all(|field| list[i].get(*field) == entry.get(*field))
    });
    entry["lastTransitionTime"] = match place {
        Some(i) if same => list[i]["lastTransitionTime"].clone(),
        _ => json!(now.to_string()),
    };
    match place {
        Some(i) => list[i] = entry,
        None => list.push(entry),
    }
    list.sort_by_key(order);
    object.set("status.conditions", list);
}

/// Sets `Ready`.
pub(crate) fn mark_ready(
    object: &mut Object,
    status: &str,
    reason: &str,
    message: impl Into<String>,
    now: Timestamp,
) {
    mark(object, Condition::new(READY, status, reason, message), now);
}

/// Says that work is under way; an object at work is not stalled.
pub(crate) fn mark_reconciling(object: &mut Object, message: String, now: Timestamp) {
    delete(object, STALLED);
    mark(object, Condition::new(RECONCILING, "True", "Progressing", message), now);
}

/// Says that only a change to the object can help.
pub(crate) fn mark_stalled(object: &mut Object, reason: &str, message: String, now: Timestamp) {
    delete(object, RECONCILING);
    mark(object, Condition::new(STALLED, "True", reason, message), now);
}

/// Removes the condition of a type.
pub(crate) fn delete(object: &mut Object, kind: &str) {
    let mut list = entries(object);
    let before = list.len();
    list.retain(|entry| entry["type"] != kind);
    if list.len() != before {
        object.set("status.conditions", list);
    }
}

/// A failure under way is a retry: `Reconciling` says so.
pub(crate) fn mark_retrying(object: &mut Object, now: Timestamp) {
    if let Some(condition) = get(object, RECONCILING) {
        mark(object, Condition { reason: "ProgressingWithRetry".into(), ..condition }, now);
    }
}

fn entries(object: &Object) -> Vec<Value> {
    object.get("status.conditions").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn to_value(condition: &Condition, generation: i64) -> Value {
    json!({
        "type": condition.kind, "status": condition.status, "reason": condition.reason,
        "message": trimmed(&condition.message), "observedGeneration": generation,
    })
}

fn trimmed(message: &str) -> String {
    if message.len() <= MAX_MESSAGE {
        return message.into();
    }
    let end = (0..=MAX_MESSAGE - 3).rev().find(|i| message.is_char_boundary(*i)).unwrap_or(0);
    format!("{}...", &message[..end])
}

/// Stalled, Reconciling and Ready first, then by generation, newest first, and name.
fn order(entry: &Value) -> (usize, Reverse<i64>, String) {
    let kind = entry["type"].as_str().unwrap_or_default();
    let weight = [STALLED, RECONCILING, READY].iter().position(|k| *k == kind);
    match weight {
        Some(weight) => (weight, Reverse(0), String::new()),
        None => (3, Reverse(entry["observedGeneration"].as_i64().unwrap_or_default()), kind.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Object {
        let mut object = Object::new("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "a", "b");
        object.set("metadata.generation", 2);
        object
    }

    #[test]
    fn conditions_stand_in_a_fixed_order_with_the_generation_they_were_found_at() {
        let (mut object, now) = (object(), Timestamp::START);
        mark(&mut object, Condition::new(HEALTHY, "True", "Succeeded", "fine"), now);
        mark_ready(&mut object, "False", "BuildFailed", "no", now);
        mark_reconciling(&mut object, "at work".into(), now);
        let found: Vec<_> =
            conditions(&object).into_iter().map(|c| (c.kind, c.observed_generation)).collect();
        let wanted = [(RECONCILING, 2), (READY, 2), (HEALTHY, 2)];
        assert_eq!(found, wanted.map(|(kind, generation)| (kind.to_owned(), generation)));
    }

    #[test]
    fn the_transition_time_moves_with_status_reason_or_message_only() {
        let (mut object, later) =
            (object(), Timestamp::from_millis(Timestamp::START.as_millis() + 5000));
        mark_ready(&mut object, "True", "A", "m", Timestamp::START);
        object.set("metadata.generation", 3);
        mark_ready(&mut object, "True", "A", "m", later);
        let stamp =
            |object: &Object| object.text("status.conditions.0.lastTransitionTime").to_owned();
        assert_eq!(stamp(&object), Timestamp::START.to_string());
        assert_eq!(object.int("status.conditions.0.observedGeneration"), Some(3));
        mark_ready(&mut object, "True", "A", "other", later);
        assert_eq!(stamp(&object), later.to_string());
    }

    #[test]
    fn a_stalled_object_is_not_at_work() {
        let (mut object, now) = (object(), Timestamp::START);
        mark_reconciling(&mut object, "at work".into(), now);
        mark_stalled(&mut object, "Bad", "spec".into(), now);
        assert!(is_true(&object, STALLED) && get(&object, RECONCILING).is_none());
    }

    #[test]
    fn a_message_too_long_is_cut_at_a_character() {
        let cut = trimmed(&"ä".repeat(20_000));
        assert!(cut.len() <= MAX_MESSAGE && cut.ends_with("ä..."));
    }
}
