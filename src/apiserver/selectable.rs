//! Field selectors: which fields of which kind they may name, and what an absent field reads as.

use super::refusal;
use super::resource::Resource;
use crate::api::Status;
use crate::object::{FieldSelector, Object};

/// Fields beyond `metadata.name` and `metadata.namespace` (which namespaced kinds have); the kind's own
/// conversion refuses others. After `=`, what the field reads as when it is absent.
/// (`k8s.io/kubernetes/pkg/apis/core/v1/conversion.go` and the strategies' `ToSelectableFields`.)
const FIELDS: &[(&str, &str, &[&str])] = &[
    (
        "",
        "Event",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    ("", "Namespace", &["status.phase"]),
    ("", "Node", &["spec.unschedulable=false"]),
    (
        "",
        "Pod",
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork=false",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
    ),
    ("", "ReplicationController", &["status.replicas=0"]),
    ("", "Secret", &["type"]),
    ("", "Service", &["spec.clusterIP", "spec.type"]),
    ("apps", "ReplicaSet", &["status.replicas=0"]),
    ("batch", "Job", &["status.successful=0"]),
    ("certificates.k8s.io", "CertificateSigningRequest", &["spec.signerName"]),
];

/// # Errors
///
/// `BadRequest` when a term names a field that cannot be selected by.
pub(super) fn check(resource: &Resource, selector: &FieldSelector) -> Result<(), Status> {
    for (field, _, _) in &selector.terms {
        let general =
            field == "metadata.name" || field == "metadata.namespace" && resource.namespaced;
        let known =
            of_kind(resource).iter().any(|f| name(f) == field) || is_defined(resource, field);
        if !general && !known {
            return Err(refusal::bad_request(unknown(resource, field)));
        }
    }
    Ok(())
}

/// Whether the selector selects the object.
pub(super) fn matches(resource: &Resource, selector: &FieldSelector, object: &Object) -> bool {
    selector.terms.iter().all(|(field, wanted, equal)| {
        let text = match (resource.gvk.kind.as_str(), field.as_str()) {
            ("Event", "source") => event_source(object).to_owned(),
            ("Job", "status.successful") => text_at(object, "status.succeeded", "0"),
            _ => text_at(object, field, default(resource, field)),
        };
        (text == *wanted) == *equal
    })
}

fn of_kind(resource: &Resource) -> &'static [&'static str] {
    let kind = &resource.gvk;
    FIELDS.iter().find(|(g, k, _)| *g == kind.group && *k == kind.kind).map_or(&[], |row| row.2)
}

/// Whether a definition's `selectableFields` name the field (KEP-4358).
fn is_defined(resource: &Resource, field: &str) -> bool {
    let custom = resource.custom.as_ref();
    let fields = custom.map_or(&[][..], |custom| &custom.selectable_fields);
    fields.iter().any(|path| path.trim_start_matches('.') == field)
}

fn unknown(resource: &Resource, field: &str) -> String {
    match of_kind(resource) {
        [] if resource.is_custom() => format!("field label not supported: {field}"),
        [] if resource.namespaced => format!(
            "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        ),
        [] => format!("\"{field}\" is not a known field selector: only \"metadata.name\""),
        _ => format!("field label not supported: {field}"),
    }
}

fn name(field: &'static str) -> &'static str {
    field.split('=').next().unwrap_or(field)
}

fn default(resource: &Resource, field: &str) -> &'static str {
    let row = of_kind(resource).iter().find(|f| name(f) == field);
    row.and_then(|f| f.split_once('=')).map_or("", |(_, default)| default)
}

fn text_at(object: &Object, path: &str, absent: &str) -> String {
    match object.get(path) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) if !value.is_null() => value.to_string(),
        _ => absent.to_owned(),
    }
}

fn event_source(event: &Object) -> &str {
    match event.text("source.component") {
        "" => event.text("reportingComponent"),
        component => component,
    }
}
