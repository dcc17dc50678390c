//! The rules of `metadata`.

use serde_json::Value;

use super::report::{Node, Report};
use super::{names, selectors};
use crate::apiserver::schema::KindSchema;

/// How objects of a kind may be named.
pub(super) fn check_name(kind: &KindSchema, name: &str) -> Vec<String> {
    match (&*kind.gvk.group, &*kind.gvk.kind) {
        ("", "Namespace" | "Service") | ("apps", "StatefulSet") => names::dns_label(name),
        ("rbac.authorization.k8s.io", _) => names::path_segment(name),
        _ => names::subdomain(name),
    }
}

/// The metadata of an object of a kind.
pub(super) fn check(kind: &KindSchema, metadata: &Node, report: &mut Report) {
    check_names(metadata, |name| check_name(kind, name), report);
    let namespace = metadata.at("namespace");
    match (kind.namespaced, namespace.is_zero()) {
        (true, true) => report.required(&namespace, ""),
        (true, false) => report.invalid_each(&namespace, names::dns_label(namespace.text())),
        (false, true) => {}
        (false, false) => report.forbidden(&namespace, "not allowed on this type"),
    }
    check_common(metadata, report);
    check_finalizers(&metadata.at("finalizers"), report);
    check_known_finalizers(kind, &metadata.at("finalizers"), report);
}

/// The metadata of an object of any kind.
pub(super) fn check_any(metadata: &Node, report: &mut Report) {
    check_names(metadata, names::path_segment, report);
    check_common(metadata, report);
    check_finalizers(&metadata.at("finalizers"), report);
}

/// The metadata of an object of any kind that is to change.
pub(super) fn check_any_change(metadata: &Node, old: &Node, report: &mut Report) {
    if old.at("deletionTimestamp").is_set() {
        check_no_new_finalizers(&metadata.at("finalizers"), &old.at("finalizers"), report);
    }
    check_common(metadata, report);
}

/// The metadata of an object of a kind that is to change.
pub(super) fn check_change(kind: &KindSchema, metadata: &Node, old: &Node, report: &mut Report) {
    check_any_change(metadata, old, report);
    check_known_finalizers(kind, &metadata.at("finalizers"), report);
}

fn check_names(metadata: &Node, check: impl Fn(&str) -> Vec<String>, report: &mut Report) {
    let generate = metadata.at("generateName");
    if !generate.is_zero() {
        // The suffix to come ends in a letter.
        let whole = format!("{}a", generate.text().trim_end_matches('-'));
        report.invalid_each(&generate, check(&whole));
    }
    let name = metadata.at("name");
    if name.is_zero() {
        report.required(&name, "name or generateName is required");
    } else {
        report.invalid_each(&name, check(name.text()));
    }
}

fn check_common(metadata: &Node, report: &mut Report) {
    selectors::check_labels(&metadata.at("labels"), report);
    selectors::check_annotations(&metadata.at("annotations"), report);
    check_owners(&metadata.at("ownerReferences"), report);
    check_managed_fields(metadata, report);
}

fn check_owners(owners: &Node, report: &mut Report) {
    let mut controller: Option<String> = None;
    for owner in owners.items() {
        for (field, sentence) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if owner.at(field).is_zero() {
                let place = owners.at(field);
                report.invalid_value(&place, &"".into(), sentence);
            }
        }
        if owner.at("apiVersion").text() == "v1" && owner.at("kind").text() == "Event" {
            report.invalid_value(
                owners,
                owner.value,
                "v1, Kind=Event is disallowed from being an owner",
            );
        }
        if !owner.at("controller").is_true() {
            continue;
        }
        let own = format!("{}/{}", owner.at("kind").text(), owner.at("name").text());
        match &controller {
            None => controller = Some(own),
            Some(first) => report.invalid_whole(
                owners,
                format!("{}: Only one reference can have Controller set to true. Found \"true\" in references for {first} and {own}", in_go_order(owners)),
            ),
        }
    }
}

/// Owner references as JSON, their fields as Go declares them.
fn in_go_order(owners: &Node) -> String {
    let fields = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    let written = |owner: Node| {
        let given = fields.iter().filter_map(|name| Some((name, owner.value.get(name)?)));
        let given: Vec<String> = given.map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", given.join(","))
    };
    let owners: Vec<String> = owners.items().map(written).collect();
    format!("[{}]", owners.join(","))
}

fn check_finalizers(finalizers: &Node, report: &mut Report) {
    for name in finalizers.items() {
        for problem in names::label_key(name.text()) {
            report.invalid_value(finalizers, name.value, problem);
        }
    }
    let has = |wanted: &str| finalizers.items().any(|name| name.text() == wanted);
    if has("orphan") && has("foregroundDeletion") {
        report.invalid(finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
    }
}

/// Only Kubernetes' own finalizers have names without a domain.
fn check_known_finalizers(kind: &KindSchema, finalizers: &Node, report: &mut Report) {
    const OWN: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
    if kind.is_custom() || &*kind.gvk.group == "apiextensions.k8s.io" {
        return;
    }
    for name in finalizers.items() {
        if !name.text().contains('/') && !OWN.contains(&name.text()) {
            report.invalid(
                &name,
                "name is neither a standard finalizer name nor is it fully qualified",
            );
        }
    }
}

fn check_no_new_finalizers(finalizers: &Node, old: &Node, report: &mut Report) {
    let known: Vec<&str> = old.items().map(|name| name.text()).collect();
    let mut extra: Vec<&str> =
        finalizers.items().map(|name| name.text()).filter(|name| !known.contains(name)).collect();
    extra.sort_unstable();
    extra.dedup();
    if !extra.is_empty() {
        let extra: Vec<_> = extra.iter().map(|name| format!("{name:?}")).collect();
        report.forbidden(
            finalizers,
            format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                extra.join(", ")
            ),
        );
    }
}

fn check_managed_fields(metadata: &Node, report: &mut Report) {
    for entry in metadata.at("managedFields").items() {
        let operation = entry.at("operation");
        if !matches!(operation.text(), "Apply" | "Update") {
            let text = Value::String(operation.text().into());
            report.invalid_value(&operation, &text, "must be `Apply` or `Update`");
        }
        let fields_type = entry.at("fieldsType");
        if !matches!(fields_type.text(), "" | "FieldsV1") {
            report.invalid(&fields_type, "must be `FieldsV1`");
        }
        let manager = entry.at("manager");
        if manager.text().len() > 128 {
            report.too_long(&manager, 128);
        }
    }
}
