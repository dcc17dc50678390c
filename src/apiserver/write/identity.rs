//! Metadata under update: what an update cannot change, and how often a server says so.

use serde_json::{Map, Value};

use super::metadata_mut;
use crate::api::Cause;
use crate::apiserver::refusal;
use crate::apiserver::resource::Resource;
use crate::object::Object;

/// Brings the metadata of an update in line with the stored: what it leaves out stays, and some of it
/// nobody changes. (`rest.BeforeUpdate` of the API server.)
pub(super) fn keep_metadata(old: &Value, new: &mut Value) {
    let metadata = metadata_mut(new);
    let stored = |field: &str| old["metadata"].get(field).cloned();
    for field in ["creationTimestamp", "resourceVersion", "generation", "selfLink"] {
        put(metadata, field, stored(field));
    }
    for field in ["uid", "deletionGracePeriodSeconds"] {
        if metadata.get(field).is_none_or(|value| value.is_null() || value == "") {
            put(metadata, field, stored(field));
        }
    }
    if let Some(at) = stored("deletionTimestamp") {
        put(metadata, "deletionTimestamp", Some(at));
    }
    if metadata.get("finalizers").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        metadata.remove("finalizers");
    }
}

/// Metadata that an update tries to change all the same.
pub(super) fn changed_identity(old: &Value, new: &Value) -> Vec<Cause> {
    let fields = ["uid", "deletionTimestamp", "deletionGracePeriodSeconds"];
    let changed =
        fields.iter().filter(|field| old["metadata"].get(*field) != new["metadata"].get(*field));
    changed
        .map(|field| {
            let given = new["metadata"].get(*field).unwrap_or(&Value::Null);
            let message = format!("Invalid value: {given}: field is immutable");
            refusal::cause("FieldValueInvalid", &format!("metadata.{field}"), message)
        })
        .collect()
}

/// How often a server names a broken rule of the metadata in an update, for it checks them in several
/// places: labels and the like, finalizers, and what is immutable. Where a kind is not named, its
/// group's row counts, then the last. As a kube-apiserver 1.36 answers.
const REPEATED: &[(&str, &str, [usize; 3])] = &[
    ("", "Event", [2, 0, 1]),
    ("", "LimitRange", [3, 1, 1]),
    ("", "PersistentVolume", [4, 2, 1]),
    ("", "PodTemplate", [3, 1, 2]),
    ("", "ReplicationController", [3, 1, 2]),
    ("", "ResourceQuota", [3, 1, 2]),
    ("", "Service", [3, 1, 2]),
    ("admissionregistration.k8s.io", "", [3, 0, 1]),
    ("apiextensions.k8s.io", "", [3, 0, 2]),
    ("apps", "ControllerRevision", [4, 2, 2]),
    ("apps", "", [3, 1, 2]),
    ("autoscaling", "", [3, 1, 2]),
    ("batch", "CronJob", [3, 1, 2]),
    ("coordination.k8s.io", "", [3, 0, 2]),
    ("discovery.k8s.io", "", [3, 1, 1]),
    ("networking.k8s.io", "NetworkPolicy", [3, 1, 2]),
    ("node.k8s.io", "", [4, 0, 2]),
    ("policy", "", [2, 0, 1]),
    ("scheduling.k8s.io", "", [3, 1, 2]),
    ("storage.k8s.io", "CSIDriver", [3, 1, 2]),
    ("", "", [4, 2, 2]),
];

/// The causes as often as the server names them; finalizers without a domain are no cause for kinds
/// that do not look.
pub(super) fn repeated(resource: &Resource, updated: bool, causes: Vec<Cause>) -> Vec<Cause> {
    let [labels, finalizers, immutable] = times(resource);
    let count = |cause: &Cause| match cause.field.strip_prefix("metadata.").unwrap_or_default() {
        "" => 1,
        // An index: the core kinds' own rule on the names of finalizers.
        field if field.starts_with("finalizers[") => finalizers,
        _ if !updated => 1,
        "finalizers" | "uid" | "deletionTimestamp" | "deletionGracePeriodSeconds" => immutable,
        field
            if ["labels", "annotations", "ownerReferences"]
                .iter()
                .any(|f| field.starts_with(f)) =>
        {
            labels
        }
        _ => 1,
    };
    let once = |cause: &Cause| if updated { count(cause) } else { count(cause).min(1) };
    let rounds = causes.iter().map(once).max().unwrap_or(0);
    (0..rounds).flat_map(|round| causes.iter().filter(move |c| round < once(c))).cloned().collect()
}

fn times(resource: &Resource) -> [usize; 3] {
    let (group, kind) = (resource.gvk.group.as_str(), resource.gvk.kind.as_str());
    let row = |wanted: &str| REPEATED.iter().find(|(g, k, _)| *g == group && *k == wanted);
    let last = &REPEATED[REPEATED.len() - 1];
    row(kind).or_else(|| row("")).unwrap_or(last).2
}

/// Whether nothing holds a terminating object any longer.
pub(super) fn is_finished(object: &Object) -> bool {
    object.is_deleting()
        && object.finalizers().is_empty()
        && object.int("metadata.deletionGracePeriodSeconds").unwrap_or(0) == 0
        && (object.kind() != "Namespace" || object.get("spec.finalizers").is_none_or(is_empty_list))
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_none_or(Vec::is_empty)
}

fn put(metadata: &mut Map<String, Value>, field: &str, value: Option<Value>) {
    match value {
        Some(value) => metadata.insert(field.into(), value),
        None => metadata.remove(field),
    };
}
