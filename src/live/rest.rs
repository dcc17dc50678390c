//! An API request as HTTP: the paths, parameters and media types of the Kubernetes API conventions.

use serde_json::{Value, json};

use crate::api::{
    ApiRequest, ApiResource, DeleteOptions, FieldValidation, ListOptions, Patch, Propagation, Verb,
    WriteOptions,
};
use crate::object::GroupVersionKind;

/// What goes over the wire.
pub(super) struct Wire {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) media_type: &'static str,
    pub(super) body: Option<Value>,
}

const JSON: &str = "application/json";

/// The path that lists what a group at a version serves.
pub(super) fn group_path(kind: &GroupVersionKind) -> String {
    match kind.group.as_str() {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    }
}

/// A request on a resource as HTTP.
///
/// # Panics
///
/// Of `Discover` and `Watch`: the first asks for a resource, the second is answered by listing.
pub(super) fn wire(request: &ApiRequest, resource: &ApiResource) -> Wire {
    let mut query = Query::default();
    let (method, media_type, body) = match &request.verb {
        Verb::Get(_) => ("GET", JSON, None),
        Verb::List(options) => {
            query.list(options);
            ("GET", JSON, None)
        }
        Verb::Create(object, options) => {
            query.write(options);
            ("POST", JSON, Some(object.as_value().clone()))
        }
        Verb::Update(object, options) => {
            query.write(options);
            ("PUT", JSON, Some(object.as_value().clone()))
        }
        Verb::Patch(patch, options) => {
            query.write(options);
            let (media_type, body) = patch_body(patch);
            ("PATCH", media_type, Some(body.clone()))
        }
        Verb::Delete(options) => ("DELETE", JSON, Some(delete_body(options))),
        Verb::DeleteCollection(list, options) => {
            query.list(list);
            ("DELETE", JSON, Some(delete_body(options)))
        }
        Verb::Discover | Verb::Watch(..) => unreachable!("answered without a resource's path"),
    };
    Wire { method, path: query.after(path(request, resource)), media_type, body }
}

fn path(request: &ApiRequest, resource: &ApiResource) -> String {
    let mut path = group_path(&request.kind);
    if resource.namespaced && !request.namespace.is_empty() {
        path += &format!("/namespaces/{}", encode(&request.namespace));
    }
    path += &format!("/{}", resource.plural);
    if !request.name.is_empty() {
        path += &format!("/{}", encode(&request.name));
    }
    if let Some(subresource) = &request.subresource {
        path += &format!("/{}", subresource.name());
    }
    path
}

fn patch_body(patch: &Patch) -> (&'static str, &Value) {
    match patch {
        Patch::Json(body) => ("application/json-patch+json", body),
        Patch::Merge(body) => ("application/merge-patch+json", body),
        Patch::Strategic(body) => ("application/strategic-merge-patch+json", body),
        // JSON is YAML, and this is the media type that every server since 1.16 takes.
        Patch::Apply(body) => ("application/apply-patch+yaml", body),
    }
}

fn delete_body(options: &DeleteOptions) -> Value {
    let mut body = json!({"kind": "DeleteOptions", "apiVersion": "v1"});
    if options.dry_run {
        body["dryRun"] = json!(["All"]);
    }
    if let Some(propagation) = options.propagation {
        body["propagationPolicy"] = json!(match propagation {
            Propagation::Orphan => "Orphan",
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
        });
    }
    if let Some(seconds) = options.grace_period_seconds {
        body["gracePeriodSeconds"] = json!(seconds);
    }
    let preconditions = &options.preconditions;
    for (field, wanted) in
        [("uid", &preconditions.uid), ("resourceVersion", &preconditions.resource_version)]
    {
        if !wanted.is_empty() {
            body["preconditions"][field] = json!(wanted);
        }
    }
    body
}

/// The part of a path behind the question mark.
#[derive(Default)]
struct Query(String);

impl Query {
    fn put(&mut self, name: &str, value: &str) {
        let joint = if self.0.is_empty() { '?' } else { '&' };
        self.0 += &format!("{joint}{name}={}", encode(value));
    }

    /// Reads from the cache are asked of the newest state: there is no cache between.
    fn list(&mut self, options: &ListOptions) {
        if !options.labels.is_everything() {
            self.put("labelSelector", &options.labels.to_string());
        }
        let fields: Vec<String> = options
            .fields
            .terms
            .iter()
            .map(|(path, wanted, equal)| {
                format!("{path}{}{wanted}", if *equal { "=" } else { "!=" })
            })
            .collect();
        if !fields.is_empty() {
            self.put("fieldSelector", &fields.join(","));
        }
        if options.limit > 0 {
            self.put("limit", &options.limit.to_string());
        }
        if !options.continue_token.is_empty() {
            self.put("continue", &options.continue_token);
        }
    }

    fn write(&mut self, options: &WriteOptions) {
        if options.dry_run {
            self.put("dryRun", "All");
        }
        if !options.field_manager.is_empty() {
            self.put("fieldManager", &options.field_manager);
        }
        if options.force {
            self.put("force", "true");
        }
        match options.field_validation {
            FieldValidation::Ignore => self.put("fieldValidation", "Ignore"),
            FieldValidation::Warn => {}
            FieldValidation::Strict => self.put("fieldValidation", "Strict"),
        }
    }

    fn after(self, path: String) -> String {
        path + &self.0
    }
}

/// Percent-encoding of all but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Preconditions, Subresource};
    use crate::object::{LabelSelector, Object};

    fn deployments() -> (GroupVersionKind, ApiResource) {
        let kind = GroupVersionKind::new("apps/v1", "Deployment");
        let resource =
            ApiResource { kind: kind.clone(), plural: "deployments".into(), namespaced: true };
        (kind, resource)
    }

    #[test]
    fn requests_go_where_the_api_conventions_say() {
        let (kind, resource) = deployments();
        let check = |request: ApiRequest, method: &str, path: &str| {
            let wire = wire(&request, &resource);
            assert_eq!((wire.method, wire.path.as_str()), (method, path));
        };
        let base = "/apis/apps/v1/namespaces/web/deployments";
        let hello = Object::new("apps/v1", "Deployment", "web", "hello");
        let options = WriteOptions {
            dry_run: true,
            field_manager: "me too".into(),
            force: true,
            field_validation: FieldValidation::Strict,
        };
        let query = "dryRun=All&fieldManager=me%20too&force=true&fieldValidation=Strict";
        check(ApiRequest::get(&kind, "web", "hello"), "GET", &format!("{base}/hello"));
        check(
            ApiRequest::list(&kind, "", LabelSelector::from_labels([("app", "x")])),
            "GET",
            "/apis/apps/v1/deployments?labelSelector=app%3Dx",
        );
        check(
            ApiRequest::apply(&hello, options.clone()),
            "PATCH",
            &format!("{base}/hello?{query}"),
        );
        check(
            ApiRequest::update(hello, WriteOptions::default()).to(Subresource::Status),
            "PUT",
            &format!("{base}/hello/status"),
        );
    }

    #[test]
    fn what_a_deletion_demands_stands_in_its_body() {
        let (kind, resource) = deployments();
        let options = DeleteOptions {
            propagation: Some(Propagation::Foreground),
            preconditions: Preconditions { uid: "u1".into(), ..Preconditions::default() },
            ..DeleteOptions::default()
        };
        let wire = wire(&ApiRequest::delete(&kind, "web", "hello", options), &resource);
        assert_eq!(
            wire.body,
            Some(json!({
                "kind": "DeleteOptions", "apiVersion": "v1",
                "propagationPolicy": "Foreground", "preconditions": {"uid": "u1"},
            }))
        );
    }
}
