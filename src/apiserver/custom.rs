//! Custom resource definitions: what the server does of itself when one appears, changes or goes.
//!
//! On a real server small controllers inside kube-apiserver do this a moment after the write; here it
//! follows at once, as writes of the server's own.

use serde_json::{Value, json};

use super::bootstrap;
use super::server::Server;
use super::store::table_key;
use crate::api::{ApiRequest, DeleteOptions, ResourceVersion, Subresource, WriteOptions};
use crate::object::{GroupVersionKind, Object, ObjectRef};
use crate::time::Timestamp;

/// Holds a definition until its objects are gone.
pub(super) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Carries on what the writes after a version began: serves new definitions, finishes terminating ones.
pub(super) fn settle(server: &mut Server, now: Timestamp, after: ResourceVersion) {
    for definition in touched(server, after) {
        match server.get(&definition).cloned() {
            None => forget(server, &definition),
            Some(definition) if definition.is_deleting() => finish(server, now, &definition),
            Some(definition) => establish(server, now, &definition),
        }
    }
}

/// The definitions that were written, or one of whose objects was removed.
fn touched(server: &Server, after: ResourceVersion) -> Vec<ObjectRef> {
    let Ok(entries) = server.log_since(after) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        if entry.object.group == "apiextensions.k8s.io" {
            found.push(entry.object.clone());
        } else if entry.after.is_none() {
            found.extend(definition_of(server, &entry.object).map(Object::reference));
        }
    }
    found.dedup();
    found
}

fn definition_of<'s>(server: &'s Server, object: &ObjectRef) -> Option<&'s Object> {
    definitions(server).find(|definition| {
        definition.text("spec.group") == object.group
            && definition.text("spec.names.kind") == object.kind
    })
}

fn definitions(server: &Server) -> impl Iterator<Item = &Object> {
    server.objects_of("apiextensions.k8s.io", "CustomResourceDefinition")
}

/// Accepts the definition's names and serves its kinds.
fn establish(server: &mut Server, now: Timestamp, definition: &Object) {
    let conflict = name_conflict(server, definition);
    server.settled.clear();
    if conflict.is_none() {
        server
            .resources
            .define(definition)
            .expect("a definition that is no schema was refused when it was written");
    }
    let mut next = definition.clone();
    let (accepted, established) = conditions(conflict);
    set_condition(&mut next, now, accepted);
    set_condition(&mut next, now, established);
    if next.text("status.conditions.0.status") == "True" {
        next.set("status.acceptedNames", definition.get("spec.names").cloned().unwrap_or_default());
    }
    next.set("status.storedVersions", stored_versions(definition.as_value()));
    if next != *definition {
        write_status(server, now, next);
    }
}

/// The name that another definition of the group has already: of several, the one a real server
/// looks at last.
fn name_conflict(server: &Server, definition: &Object) -> Option<(&'static str, String)> {
    const NAMES: [(&str, &str); 4] = [
        ("listKind", "ListKindConflict"),
        ("kind", "KindConflict"),
        ("singular", "SingularConflict"),
        ("plural", "PluralConflict"),
    ];
    let others = definitions(server).filter(|other| {
        other.text("spec.group") == definition.text("spec.group")
            && other.name() != definition.name()
            && !other.text("status.acceptedNames.plural").is_empty()
    });
    for other in others {
        for (name, reason) in NAMES {
            let wanted = definition.text(&format!("spec.names.{name}"));
            if !wanted.is_empty() && wanted == other.text(&format!("status.acceptedNames.{name}")) {
                return Some((reason, wanted.to_owned()));
            }
        }
    }
    None
}

fn conditions(conflict: Option<(&str, String)>) -> (Value, Value) {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message});
    match conflict {
        None => (
            condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
            condition(
                "Established",
                "True",
                "InitialNamesAccepted",
                "the initial names have been accepted",
            ),
        ),
        Some((reason, name)) => (
            condition("NamesAccepted", "False", reason, &format!("{name:?} is already in use")),
            condition("Established", "False", "NotAccepted", "not all names are accepted"),
        ),
    }
}

/// Sets a condition; its transition time moves only when its status does.
pub(super) fn set_condition(definition: &mut Object, now: Timestamp, mut condition: Value) {
    let there = definition.get("status.conditions").and_then(Value::as_array).cloned();
    let mut conditions = there.unwrap_or_default();
    condition["lastTransitionTime"] = json!(now.to_string());
    match conditions.iter_mut().find(|c| c["type"] == condition["type"]) {
        Some(old) => {
            if old["status"] == condition["status"] {
                condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
            }
            *old = condition;
        }
        None => conditions.push(condition),
    }
    definition.set("status.conditions", conditions);
}

/// The versions in which objects may be stored: those so far and the one marked for storage.
pub(super) fn stored_versions(definition: &Value) -> Vec<Value> {
    let mut versions =
        definition["status"]["storedVersions"].as_array().cloned().unwrap_or_default();
    let all = definition["spec"]["versions"].as_array().into_iter().flatten();
    for version in all.filter(|version| version["storage"] == true) {
        if !versions.contains(&version["name"]) {
            versions.push(version["name"].clone());
        }
    }
    versions
}

fn write_status(server: &mut Server, now: Timestamp, definition: Object) {
    let request = ApiRequest::update(definition, WriteOptions::default()).to(Subresource::Status);
    write(server, now, request);
}

/// Makes a write of the server's own. A refusal is for the audit log to tell.
fn write(server: &mut Server, now: Timestamp, request: ApiRequest) {
    let _ = server.handle(now, &bootstrap::caller(), request);
}

/// Deletes the objects of a terminating definition; when none is left, lets it go.
fn finish(server: &mut Server, now: Timestamp, definition: &Object) {
    let (group, kind) = (definition.text("spec.group"), definition.text("spec.names.kind"));
    let left: Vec<Object> = server.objects_of(group, kind).cloned().collect();
    if left.is_empty() {
        return release(server, now, definition);
    }
    for object in left.iter().filter(|object| !object.is_deleting()) {
        let request = ApiRequest::delete(
            &object.gvk(),
            object.namespace(),
            object.name(),
            DeleteOptions::default(),
        );
        let served = server.resources.get(&request.kind).is_some();
        if served && server.get(&object.reference()).is_some() {
            write(server, now, request);
        }
    }
}

/// Takes the cleanup finalizer off, which ends the definition if nothing else holds it.
fn release(server: &mut Server, now: Timestamp, definition: &Object) {
    let finalizers: Vec<&str> =
        definition.finalizers().into_iter().filter(|f| *f != CLEANUP).collect();
    if finalizers.len() == definition.finalizers().len() {
        return;
    }
    let mut next = definition.clone();
    next.set("metadata.finalizers", finalizers);
    write(server, now, ApiRequest::update(next, WriteOptions::default()));
}

/// Serves the kinds of a removed definition no longer.
fn forget(server: &mut Server, definition: &ObjectRef) {
    server.settled.clear();
    let served = server.resources.iter().find(|resource| {
        resource.is_custom()
            && format!("{}.{}", resource.plural, resource.gvk.group) == definition.name
    });
    let Some(kind) = served.map(|resource| resource.gvk.clone()) else { return };
    server.resources.forget(&nominal_definition(&kind));
    server.store.drop_table(&table_key(&kind.group, &kind.kind));
}

/// What names a definition's kinds, for forgetting them.
fn nominal_definition(kind: &GroupVersionKind) -> Object {
    let mut definition = Object::new("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "");
    definition.set("spec.group", kind.group.as_str());
    definition.set("spec.names.kind", kind.kind.as_str());
    definition
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Caller;

    fn ask(server: &mut Server, request: ApiRequest) -> Result<Object, crate::api::Status> {
        let caller = Caller::new("alice", "kubectl/v1.36");
        server
            .handle(Timestamp::START, &caller, request)
            .map(|answer| answer.into_object().unwrap_or_else(|| Object::new("", "", "", "")))
    }

    fn widgets(name: &str, plural: &str) -> Object {
        Object::from_value(json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": name},
            "spec": {
                "group": "example.com",
                "names": {"kind": "Widget", "plural": plural},
                "scope": "Namespaced",
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                        "spec": {"type": "object", "properties": {
                            "size": {"type": "integer", "default": 2},
                        }},
                    }}},
                }],
            },
        }))
        .unwrap()
    }

    fn widget(name: &str) -> Object {
        let mut widget = Object::new("example.com/v1", "Widget", "default", name);
        widget.set("spec", json!({"colour": "red"}));
        widget
    }

    fn create(server: &mut Server, object: Object) -> Result<Object, crate::api::Status> {
        ask(server, ApiRequest::create(object, WriteOptions::default()))
    }

    #[test]
    fn a_definition_serves_its_kind_with_defaults_and_without_unknown_fields() {
        let mut server = Server::new();
        assert!(create(&mut server, widget("early")).unwrap_err().is_not_found());
        create(&mut server, widgets("widgets.example.com", "widgets")).unwrap();
        let made = create(&mut server, widget("a")).unwrap();
        assert_eq!(made.get("spec"), Some(&json!({"size": 2})));
    }

    #[test]
    fn a_name_that_is_taken_is_not_accepted() {
        let mut server = Server::new();
        create(&mut server, widgets("widgets.example.com", "widgets")).unwrap();
        let second = create(&mut server, widgets("wodgets.example.com", "wodgets")).unwrap();
        let stored = server.get(&second.reference()).unwrap();
        assert_eq!(stored.text("status.conditions.0.reason"), "ListKindConflict");
    }

    #[test]
    fn a_definition_takes_its_objects_with_it() {
        let mut server = Server::new();
        let definition = create(&mut server, widgets("widgets.example.com", "widgets")).unwrap();
        let mut held = widget("held");
        held.set("metadata.finalizers", json!(["example.com/hold"]));
        create(&mut server, held.clone()).unwrap();
        create(&mut server, widget("free")).unwrap();
        let delete =
            ApiRequest::delete(&definition.gvk(), "", definition.name(), DeleteOptions::default());
        ask(&mut server, delete).unwrap();
        assert!(server.get(&definition.reference()).unwrap().is_deleting());
        assert_eq!(server.objects_of("example.com", "Widget").count(), 1);
        let mut released = server.get(&held.reference()).unwrap().clone();
        released.remove("metadata.finalizers");
        ask(&mut server, ApiRequest::update(released, WriteOptions::default())).unwrap();
        assert_eq!(server.get(&definition.reference()), None);
        assert!(create(&mut server, widget("late")).unwrap_err().is_not_found());
    }
}
