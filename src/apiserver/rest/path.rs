//! Paths: `/apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL/NAME/SUBRESOURCE`.

use std::sync::Arc;

use super::HttpResponse;
use crate::api::{Status, Subresource};
use crate::apiserver::refusal;
use crate::apiserver::resource::Resource;
use crate::apiserver::server::Server;

/// What a path leads to.
#[derive(Debug)]
pub(super) struct Place {
    pub resource: Arc<Resource>,
    pub namespace: String,
    pub name: String,
    pub subresource: Option<Subresource>,
}

/// Follows a decoded path.
pub(super) fn follow(server: &Server, path: &str) -> Result<Place, HttpResponse> {
    let steps: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').skip(1).collect();
    let (group, version, rest) = match steps.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Err(HttpResponse::page_not_found()),
    };
    if rest.contains(&"") {
        return Err(refusal::unknown_resource().into());
    }
    let groups = |group: &str| server.resources.iter().any(|kind| kind.gvk.group == group);
    if !groups(group) {
        return Err(HttpResponse::page_not_found());
    }
    let find = |plural: &str| {
        server.resources.of_version(group, version).find(|r| r.plural == plural).cloned()
    };
    let unknown = || refusal::unknown_resource().into();
    let (namespace, plural, rest) = match rest {
        // A namespace itself, or a subresource of it.
        ["namespaces"] | ["namespaces", _] => ("", "namespaces", &rest[1..]),
        ["namespaces", _, "status" | "finalize"] => ("", "namespaces", &rest[1..]),
        ["namespaces", namespace, plural, rest @ ..] => (*namespace, *plural, rest),
        [plural, rest @ ..] => ("", *plural, rest),
        [] => return Err(HttpResponse::page_not_found()),
    };
    let resource = find(plural).ok_or_else(unknown)?;
    let (name, subresource) = match rest {
        [] => ("", None),
        [name] => (*name, None),
        [name, sub] => (*name, Some(subresource(sub))),
        _ => return Err(unknown()),
    };
    // What is not kept has no names.
    if !resource.stored && !name.is_empty() {
        return Err(unknown());
    }
    let misplaced = resource.namespaced == namespace.is_empty();
    if misplaced && (!name.is_empty() || !namespace.is_empty()) {
        return Err(unknown());
    }
    expect_usable(namespace, name)?;
    Ok(Place { resource, namespace: namespace.into(), name: name.into(), subresource })
}

/// Names are steps of a path in the store too (`NamespaceKeyFunc` of `k8s.io/apiserver`).
fn expect_usable(namespace: &str, name: &str) -> Result<(), Status> {
    if matches!(namespace, "." | "..") {
        return Err(refusal::internal(format!("invalid key: \"/{namespace}/{name}\"")));
    }
    let why = match name {
        "." => "may not be '.'",
        ".." => "may not be '..'",
        _ if name.contains('%') => "may not contain '%'",
        _ => return Ok(()),
    };
    Err(refusal::bad_request(format!("Name parameter invalid: {name:?}: {why}")))
}

fn subresource(name: &str) -> Subresource {
    match name {
        "status" => Subresource::Status,
        "scale" => Subresource::Scale,
        other => Subresource::Other(other.into()),
    }
}
