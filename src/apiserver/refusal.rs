//! Refusals, worded as the API server words them (`k8s.io/apimachinery/pkg/api/errors`).

use super::resource::Resource;
use crate::api::{Cause, Reason, ResourceVersion, Status, StatusDetails};
use crate::object::{GroupVersionKind, Object};

/// The resource is not served.
pub(super) fn unknown_resource() -> Status {
    Status::failure_about(
        Reason::NotFound,
        "the server could not find the requested resource",
        StatusDetails::default(),
    )
}

pub(super) fn not_found(resource: &Resource, name: &str) -> Status {
    let message = format!("{} \"{name}\" not found", resource.resource());
    Status::failure_about(Reason::NotFound, message, about(resource, name))
}

/// The resource has no such subresource; of custom resources the server says it as of a missing object.
pub(super) fn no_subresource(resource: &Resource, name: &str) -> Status {
    if resource.is_custom() { not_found(resource, name) } else { unknown_resource() }
}

pub(super) fn already_exists(resource: &Resource, name: &str, deleting: bool) -> Status {
    let prefix = if deleting { "object is being deleted: " } else { "" };
    let message = format!("{prefix}{} \"{name}\" already exists", resource.resource());
    Status::failure_about(Reason::AlreadyExists, message, about(resource, name))
}

/// The object changed since it was read.
pub(super) fn modified(resource: &Resource, name: &str) -> Status {
    conflict(
        resource,
        name,
        "the object has been modified; please apply your changes to the latest version and try again",
    )
}

pub(super) fn conflict(resource: &Resource, name: &str, why: &str) -> Status {
    let message =
        format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.resource());
    Status::failure_about(Reason::Conflict, message, about(resource, name))
}

/// A pod that cannot be bound.
pub(super) fn unbindable(name: &str, why: &str) -> Status {
    let details = StatusDetails {
        name: name.into(),
        kind: "pods/binding".into(),
        ..StatusDetails::default()
    };
    let message = format!("Operation cannot be fulfilled on pods/binding \"{name}\": {why}");
    Status::failure_about(Reason::Conflict, message, details)
}

/// A precondition of a deletion does not hold; such a refusal names the kind, not the resource.
pub(super) fn precondition(resource: &Resource, name: &str, why: &str) -> Status {
    let message =
        format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.group_kind());
    Status::failure_about(Reason::Conflict, message, about_kind(resource, name))
}

pub(super) fn forbidden(resource: &Resource, name: &str, why: &str, causes: Vec<Cause>) -> Status {
    let message = format!("{} \"{name}\" is forbidden: {why}", resource.resource());
    let details = StatusDetails { causes, ..about(resource, name) };
    Status::failure_about(Reason::Forbidden, message, details)
}

/// The caller may not do this; a collection has no name.
pub(super) fn forbidden_to(resource: &Resource, name: &str, why: &str) -> Status {
    if !name.is_empty() {
        return forbidden(resource, name, why, Vec::new());
    }
    let message = format!("{} is forbidden: {why}", resource.resource());
    Status::failure_about(Reason::Forbidden, message, about(resource, name))
}

/// Rules that the object breaks, as `field.ErrorList` prints them: causes that say the same are
/// named once in the message.
pub(super) fn invalid(resource: &Resource, name: &str, causes: Vec<Cause>) -> Status {
    let mut said: Vec<String> = Vec::new();
    for cause in &causes {
        let text = format!("{}: {}", cause.field, cause.message);
        if !said.contains(&text) {
            said.push(text);
        }
    }
    let listed = if said.len() == 1 { said.remove(0) } else { format!("[{}]", said.join(", ")) };
    let message = format!("{} \"{name}\" is invalid: {listed}", resource.group_kind());
    let details = StatusDetails { causes, ..about_kind(resource, name) };
    Status::failure_about(Reason::Invalid, message, details)
}

/// A patch that would leave what is no object of the kind.
pub(super) fn invalid_patch(shown: &str, why: &str) -> Status {
    let message = format!("Invalid value: {}: {why}", serde_json::Value::from(shown));
    let text = format!(" \"\" is invalid: patch: {message}");
    let causes = vec![cause("FieldValueInvalid", "patch", message)];
    let details = StatusDetails { causes, ..StatusDetails::default() };
    Status::failure_about(Reason::Invalid, text, details)
}

pub(super) fn cause(reason: &str, field: &str, message: impl Into<String>) -> Cause {
    Cause { reason: reason.into(), message: message.into(), field: field.into() }
}

pub(super) fn bad_request(message: impl Into<String>) -> Status {
    Status::failure(Reason::BadRequest, message)
}

/// An error of the server that carries no reason.
pub(super) fn internal(message: impl Into<String>) -> Status {
    Status { code: 500, message: message.into(), ..Status::default() }
}

/// An error of the server that it calls one.
pub(super) fn internal_error(why: &str) -> Status {
    let causes = vec![Cause { message: why.into(), ..Cause::default() }];
    let details = StatusDetails { causes, ..StatusDetails::default() };
    let message = format!("Internal error occurred: {why}");
    Status::failure_about(Reason::InternalError, message, details)
}

/// A webhook said no. (`webhookerrors.ToStatusErr`.)
pub(super) fn denied_by_webhook(name: &str, message: &str, reason: &str, code: u16) -> Status {
    let denied = format!("admission webhook {name:?} denied the request");
    let message = match (message, reason) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    Status { code: code.max(400), ..Status::failure(Reason::from_wire(reason), message) }
}

pub(super) fn method_not_allowed() -> Status {
    Status::failure_about(
        Reason::MethodNotAllowed,
        "the server does not allow this method on the requested resource",
        StatusDetails::default(),
    )
}

/// The body's version is not the one it was sent to.
pub(super) fn wrong_version(resource: &Resource, api_version: &str) -> Status {
    bad_request(format!(
        "the API version in the data ({api_version}) does not match the expected API version ({})",
        resource.gvk.api_version()
    ))
}

/// The body's kind is not the resource's; `known` when it is a kind at all.
pub(super) fn wrong_kind(resource: &Resource, given: &GroupVersionKind, known: bool) -> Status {
    let wanted = &resource.gvk;
    let package = |group: &str| match group.split('.').next().unwrap_or_default() {
        "" => "core".to_owned(),
        name => name.to_owned(),
    };
    let why = if known {
        format!(
            "converting ({}.{}) to ({}.{}): unknown conversion",
            given.version,
            given.kind,
            package(&wanted.group),
            wanted.kind
        )
    } else {
        unregistered(given)
    };
    bad_request(format!(
        "{} in version {:?} cannot be handled as a {}: {why}",
        given.kind, given.version, wanted.kind
    ))
}

/// No such kind.
pub(super) fn unregistered(kind: &GroupVersionKind) -> String {
    format!(
        "no kind {:?} is registered for version {:?} in scheme \"pkg/runtime/scheme.go:111\"",
        kind.kind,
        kind.api_version()
    )
}

pub(super) fn terminating_namespace(resource: &Resource, name: &str, namespace: &str) -> Status {
    let causes = vec![cause(
        "NamespaceTerminating",
        "metadata.namespace",
        format!("namespace {namespace} is being terminated"),
    )];
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    forbidden(resource, name, &why, causes)
}

/// An update of a kind that takes none without a version.
pub(super) fn needs_version(resource: &Resource, name: &str) -> Status {
    let causes = vec![cause(
        "FieldValueInvalid",
        "metadata.resourceVersion",
        "Invalid value: 0: must be specified for an update",
    )];
    let mut status = invalid(resource, name, causes);
    // This one refusal names the resource where others name the kind.
    status.message = status.message.replacen(&resource.group_kind(), &resource.resource(), 1);
    if let Some(details) = &mut status.details {
        details.kind.clone_from(&resource.plural);
    }
    status
}

/// A patch that takes the name away, or an update that gives none.
pub(super) fn nameless(name: &str) -> Status {
    bad_request(format!(
        "the name of the object ({name} based on URL) was undeterminable: name must be provided"
    ))
}

/// A `resourceVersion` that is no number.
pub(super) fn bad_version(version: &str) -> Status {
    internal(format!("strconv.ParseUint: parsing {version:?}: invalid syntax"))
}

/// An update that is meant for another object of the same name. A dry run reads the store by the key
/// without its prefix.
pub(super) fn other_uid(resource: &Resource, stored: &Object, uid: &str, dry_run: bool) -> Status {
    let key = resource.storage_key(stored);
    let key = if dry_run { key.trim_start_matches("/registry") } else { &key };
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
        stored.uid()
    );
    conflict(resource, stored.name(), &why)
}

/// An eviction that a disruption budget does not allow now.
pub(super) fn disruption_budget(budget: &Object) -> Status {
    let count = |field: &str| budget.int(&format!("status.{field}")).unwrap_or(0);
    let (healthy, wanted) = (count("currentHealthy"), count("desiredHealthy"));
    let name = budget.name();
    let why = match healthy <= wanted {
        true => format!(
            "The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently"
        ),
        false => format!("The disruption budget {name} does not allow evicting pods currently"),
    };
    let causes = vec![cause("DisruptionBudget", "", why)];
    Status::failure_about(
        Reason::TooManyRequests,
        "Cannot evict pod as it would violate the pod's disruption budget.",
        StatusDetails { causes, ..StatusDetails::default() },
    )
}

/// Custom resources have no strategic merge.
pub(super) fn no_strategic_merge() -> Status {
    Status::failure(
        Reason::UnsupportedMediaType,
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    )
}

/// A body that is neither JSON nor YAML.
pub(super) fn unsupported_body() -> Status {
    Status::failure(
        Reason::UnsupportedMediaType,
        "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    )
}

/// A patch of no known media type.
pub(super) fn unsupported_patch() -> Status {
    Status::failure_about(
        Reason::UnsupportedMediaType,
        "415: Unsupported Media Type",
        StatusDetails::default(),
    )
}

pub(super) fn too_large(limit: usize) -> Status {
    Status::failure(
        Reason::RequestEntityTooLarge,
        format!("Request entity too large: limit is {limit}"),
    )
}

/// The version is older than what the log keeps.
pub(super) fn too_old(asked: ResourceVersion, oldest: ResourceVersion) -> Status {
    Status::failure(Reason::Expired, format!("too old resource version: {asked} ({oldest})"))
}

fn about(resource: &Resource, name: &str) -> StatusDetails {
    StatusDetails {
        name: name.into(),
        group: resource.gvk.group.clone(),
        kind: resource.plural.clone(),
        ..StatusDetails::default()
    }
}

fn about_kind(resource: &Resource, name: &str) -> StatusDetails {
    StatusDetails { kind: resource.gvk.kind.clone(), ..about(resource, name) }
}
