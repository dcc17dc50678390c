//! Pod templates: their hash, and whether two are the same.

mod layout;
mod print;

use serde_json::Value;

use super::fnv::{Fnv32, safe_encode};

/// The label that tells the pods of one ReplicaSet of a Deployment from those of another.
pub(super) const HASH_LABEL: &str = "pod-template-hash";

/// The hash of a template and of how often a name made from it was taken already: to the letter the one
/// that Kubernetes computes (`k8s.io/kubernetes/pkg/controller.ComputeHash`), FNV-1a over the template
/// as Go prints it. The exceptions are quantities from a petabyte on and timestamps in templates.
pub(super) fn hash(template: &Value, collisions: Option<i64>) -> String {
    let mut hash = Fnv32::default();
    print::template(template, &mut hash);
    if let Some(collisions) = collisions {
        hash.write(&(collisions as u64 & 0xffff_ffff).to_le_bytes());
    }
    safe_encode(&hash.sum().to_string())
}

/// The template without its hash label.
fn without_hash(template: &Value) -> Value {
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
    one == other || without_hash(one) == without_hash(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line holds a template and what Kubernetes 1.36 computes for it, first and after a collision.
    #[test]
    fn hashes_are_those_that_kubernetes_computes() {
        for line in include_str!("hashes.jsonl").lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let found = [hash(&case["template"], None), hash(&case["template"], Some(1))];
            assert_eq!(
                found,
                [&case["hash"], &case["second"]].map(|h| h.as_str().unwrap()),
                "{line}"
            );
        }
    }
}
