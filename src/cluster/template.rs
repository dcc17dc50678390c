//! Pod templates: their hash, and whether two are the same.

use serde_json::Value;

use super::fnv::{Fnv32, safe_encode};

/// The label that tells the pods of one ReplicaSet of a Deployment from those of another.
pub(super) const HASH_LABEL: &str = "pod-template-hash";

/// The value of the label: a hash of the template and of how often a name was taken already.
pub(super) fn hash(template: &Value, collisions: Option<i64>) -> String {
    let mut hash = Fnv32::default();
    hash.write(template.to_string().as_bytes());
    if let Some(collisions) = collisions {
        hash.write(&(collisions as i32 as u32).to_le_bytes());
        hash.write(&[0; 4]);
    }
    safe_encode(&hash.sum().to_string())
}

/// The template without its hash label.
pub(super) fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH_LABEL);
    }
    template
}

/// The template with a label more.
pub(super) fn labelled(template: &Value, key: &str, value: &str) -> Value {
    let mut template = template.clone();
    template["metadata"]["labels"][key] = value.into();
    template
}

/// Whether both make the same pods.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    without_hash(one) == without_hash(other)
}
