//! Conditions: `status.conditions` as `metav1.Condition` and Flux's `pkg/runtime/conditions` keep them.

use serde_json::{Value, json};

use crate::object::Object;
use crate::time::Timestamp;

/// One entry of `status.conditions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Condition {
    /// What it is about, such as `Ready`; unique within an object.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one CamelCase word.
    pub reason: String,
    /// The sentence for a person.
    pub message: String,
    /// The generation it was found at; 0 for not told.
    pub observed_generation: i64,
}

impl Condition {
    /// A condition with a status of `True`, `False` or `Unknown`.
    pub fn new(kind: &str, status: &str, reason: &str, message: impl Into<String>) -> Self {
        Condition {
            kind: kind.into(),
            status: status.into(),
            reason: reason.into(),
            message: message.into(),
            observed_generation: 0,
        }
    }

    /// The same, found at a generation.
    pub fn at_generation(mut self, generation: i64) -> Self {
        self.observed_generation = generation;
        self
    }

    /// Whether the status is `True`.
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }

    /// Whether the status is `False`.
    pub fn is_false(&self) -> bool {
        self.status == "False"
    }

    fn from_value(value: &Value) -> Self {
        let text =
            |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        Condition {
            kind: text("type"),
            status: text("status"),
            reason: text("reason"),
            message: text("message"),
            observed_generation: value
                .get("observedGeneration")
                .and_then(Value::as_i64)
                .unwrap_or(0),
        }
    }
}

/// The conditions of an object, in order.
pub fn conditions(object: &Object) -> Vec<Condition> {
    object
        .get("status.conditions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(Condition::from_value)
        .collect()
}

/// Sets a condition in a list of them. `lastTransitionTime` moves only when the status does.
pub fn set_condition(list: &mut Vec<Value>, condition: &Condition, now: Timestamp) {
    let place = list
        .iter()
        .position(|entry| entry.get("type").and_then(Value::as_str) == Some(&condition.kind));
    let kept = place
        .map(|i| &list[i])
        .filter(|entry| entry.get("status").and_then(Value::as_str) == Some(&condition.status));
    let since = kept
        .and_then(|entry| entry.get("lastTransitionTime").cloned())
        .unwrap_or_else(|| json!(now.to_string()));
    let mut entry = json!({"type": condition.kind, "status": condition.status, "reason": condition.reason, "message": condition.message, "lastTransitionTime": since});
    if condition.observed_generation > 0 {
        entry["observedGeneration"] = condition.observed_generation.into();
    }
    match place {
        Some(i) => list[i] = entry,
        None => list.push(entry),
    }
}
