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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::Caller;
    use crate::apiserver::Server;
    use crate::apiserver::rest::{HttpBody, HttpRequest, answer};
    use crate::time::Timestamp;

    /// As kube-apiserver 1.36 answers: what is made at an older version is read with the defaults of the
    /// stored one, and found by the fields that the definition makes selectable.
    #[test]
    fn custom_resources_are_selected_by_the_fields_that_their_definition_names() {
        let mut server = Server::new();
        let mut ask = |method: &str, target: &str, body: serde_json::Value| {
            let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            let content_type = if body.is_empty() { "" } else { "application/json" };
            let request = HttpRequest { method, target, content_type, accept: "", body: &body };
            let caller = Caller::new("alice", "test/1");
            let answer = answer(&mut server, Timestamp::START, &caller, &request);
            let HttpBody::Json(body) = answer.body else { panic!("no JSON") };
            (answer.code, body)
        };
        let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let spec = json!({"type": "object", "properties": {
            "size": {"type": "string"}, "replicas": {"type": "integer", "default": 1},
        }});
        let version = |name: &str, spec: &serde_json::Value, stored: bool| {
            let schema =
                json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}});
            json!({"name": name, "served": true, "storage": stored, "schema": schema})
        };
        let mut v1 = version("v1", &spec, true);
        v1["selectableFields"] = json!([{"jsonPath": ".spec.size"}]);
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced",
                "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
                "versions": [version("v1beta1", &free, false), v1],
            },
        });
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        assert_eq!(ask("POST", definitions, definition).0, 201);
        for (name, size) in [("a", "small"), ("b", "large")] {
            let thing = json!({
                "apiVersion": "example.com/v1beta1", "kind": "Thing",
                "metadata": {"name": name}, "spec": {"size": size},
            });
            let made = ask("POST", "/apis/example.com/v1beta1/namespaces/default/things", thing);
            assert_eq!(made.0, 201);
        }
        let mut list = |field: &str| {
            let target = format!("/apis/example.com/v1/things?fieldSelector={field}%3Dlarge");
            ask("GET", &target, serde_json::Value::Null)
        };
        let (code, found) = list("spec.size");
        assert_eq!((code, found["items"].as_array().map(Vec::len)), (200, Some(1)));
        assert_eq!(found["items"][0]["spec"], json!({"replicas": 1, "size": "large"}));
        let (code, refused) = list("spec.nope");
        assert_eq!(
            (code, &refused["message"]),
            (400, &json!("field label not supported: spec.nope"))
        );
    }
}
