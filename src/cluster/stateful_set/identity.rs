//! What makes a pod of a StatefulSet this one and no other: its name, and the claims that go with it.

use serde_json::{Value, json};

use super::REVISION;
use crate::cluster::pods;
use crate::cluster::revisions;
use crate::object::{Object, OwnerReference};

/// The ordinal of a pod with a name of this StatefulSet's.
pub(super) fn ordinal(set: &Object, pod: &Object) -> Option<i64> {
    let digits = pod.name().strip_prefix(set.name())?.strip_prefix('-')?;
    let ordinal: i64 = digits.parse().ok()?;
    (ordinal >= 0 && ordinal.to_string() == digits).then_some(ordinal)
}

/// The revision that a pod was made from, by name.
pub(super) fn revision(pod: &Object) -> &str {
    pod.label(REVISION).unwrap_or_default()
}

/// The pod of an ordinal, from the template of a revision.
pub(super) fn pod(set: &Object, ordinal: i64, revision: &Object) -> Object {
    let name = format!("{}-{ordinal}", set.name());
    let mut pod = pods::from_template(set, &revisions::template(revision));
    pod.set("metadata.name", name.as_str());
    pod.set_label("statefulset.kubernetes.io/pod-name", &name);
    pod.set_label("apps.kubernetes.io/pod-index", &ordinal.to_string());
    pod.set_label(REVISION, revision.name());
    pod.set("spec.hostname", name);
    if !set.text("spec.serviceName").is_empty() {
        pod.set("spec.subdomain", set.text("spec.serviceName"));
    }
    let volumes = volumes(set, ordinal, &pod);
    if !volumes.is_empty() {
        pod.set("spec.volumes", volumes);
    }
    pod
}

/// The claims of an ordinal.
pub(super) fn claims(set: &Object, ordinal: i64) -> Vec<Object> {
    templates(set).map(|template| claim(set, ordinal, template)).collect()
}

/// `spec.volumeClaimTemplates`.
pub(super) fn templates(set: &Object) -> impl Iterator<Item = &Value> {
    set.get("spec.volumeClaimTemplates").and_then(Value::as_array).into_iter().flatten()
}

fn claim_name(set: &Object, ordinal: i64, template: &Value) -> String {
    format!("{}-{}-{ordinal}", volume_name(template), set.name())
}

fn volume_name(template: &Value) -> &str {
    template["metadata"]["name"].as_str().unwrap_or_default()
}

fn claim(set: &Object, ordinal: i64, template: &Value) -> Object {
    let name = claim_name(set, ordinal, template);
    let mut claim = Object::new("v1", "PersistentVolumeClaim", set.namespace(), &name);
    for field in ["labels", "annotations"] {
        if let Some(value) = template["metadata"].get(field) {
            claim.set_at(&["metadata", field], value.clone());
        }
    }
    let selected = set.get("spec.selector.matchLabels").and_then(Value::as_object);
    for (key, value) in selected.into_iter().flatten() {
        claim.set_label(key, value.as_str().unwrap_or_default());
    }
    if set.text("spec.persistentVolumeClaimRetentionPolicy.whenDeleted") == "Delete" {
        let owner = OwnerReference::controller_of(set).to_value();
        claim.set("metadata.ownerReferences", json!([owner]));
    }
    claim.set("spec", template["spec"].clone());
    claim
}

/// The claims as volumes, and those of the template's volumes that no claim replaces.
fn volumes(set: &Object, ordinal: i64, pod: &Object) -> Vec<Value> {
    let claimed = |volume: &&Value| !templates(set).any(|t| volume_name(t) == volume["name"]);
    let own = pod.get("spec.volumes").and_then(Value::as_array).into_iter().flatten();
    let volume = |template: &Value| json!({"name": volume_name(template), "persistentVolumeClaim": {"claimName": claim_name(set, ordinal, template)}});
    templates(set).map(volume).chain(own.filter(claimed).cloned()).collect()
}
