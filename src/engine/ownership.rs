//! Ownership: which field managers the engine takes fields back from before it applies.
//!
//! What somebody changed with kubectl belongs to kubectl's field manager, and applying Git's version would
//! leave fields that Git does not mention. So entries of `kubectl…` and of the engine's own past are merged
//! into its entry first, and the apply that follows drops what Git does not have. Source: `cleanupMetadata`
//! and `PatchReplaceFieldsManagers` of `fluxcd/pkg/ssa`.

use serde_json::{Map, Value, json};

use super::names::FIELD_MANAGER;
use crate::object::Object;

/// Annotations that are removed: kubectl's, and what Flux's forerunner left.
const ANNOTATIONS: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
];

/// The JSON patch (RFC 6902) that takes a live object's fields back; `None` when there is nothing to take.
/// `more` names further managers that may not keep changes (`--override-manager`).
pub(crate) fn reclaim(live: &Object, more: &[String]) -> Option<Value> {
    let mut patch: Vec<Value> = ANNOTATIONS
        .iter()
        .filter(|key| live.annotation(key).is_some())
        .map(|key| remove("annotations", key))
        .collect();
    if live.label("fluxcd.io/sync-gc-mark").is_some() {
        patch.push(remove("labels", "fluxcd.io/sync-gc-mark"));
    }
    if let Some(entries) = merged_managers(live, more) {
        patch.push(json!({"op": "replace", "path": "/metadata/managedFields", "value": entries}));
    }
    (!patch.is_empty()).then_some(Value::Array(patch))
}

/// Whether a manager other than the engine applies the field that a JSON pointer leads to.
pub(crate) fn is_applied_by_another(live: &Object, pointer: &str) -> bool {
    let others = entries(live).filter(|entry| {
        entry["operation"] == "Apply"
            && entry.get("subresource").is_none()
            && entry["manager"] != FIELD_MANAGER
    });
    let steps: Vec<String> = pointer.split('/').skip(1).map(unescape).collect();
    others.into_iter().any(|entry| contains(&entry["fieldsV1"], live.as_value(), &steps))
}

fn remove(map: &str, key: &str) -> Value {
    json!({"op": "remove", "path": format!("/metadata/{map}/{}", key.replace('~', "~0").replace('/', "~1"))})
}

fn merged_managers(live: &Object, more: &[String]) -> Option<Vec<Value>> {
    let kept = entries(live).rfind(|e| e["manager"] == FIELD_MANAGER && e["operation"] == "Apply");
    let is_kept = |entry: &Value| kept.is_some_and(|kept| std::ptr::eq(kept, entry));
    let (taken, others): (Vec<&Value>, Vec<&Value>) =
        entries(live).filter(|entry| !is_kept(entry)).partition(|entry| is_reclaimed(entry, more));
    if taken.is_empty() {
        return None;
    }
    let own = taken.into_iter().fold(kept.cloned(), |own, entry| match own {
        None => Some(renamed(entry)),
        Some(own) => Some(united(own, entry)),
    });
    Some(others.into_iter().cloned().chain(own).collect())
}

fn is_reclaimed(entry: &Value, more: &[String]) -> bool {
    if entry.get("subresource").is_some_and(|s| s != "") {
        return false;
    }
    let manager = entry["manager"].as_str().unwrap_or_default();
    let update = entry["operation"] == "Update";
    manager.starts_with("kubectl")
        || update
            && (manager.starts_with("before-first-apply") || manager.starts_with(FIELD_MANAGER))
        || more.iter().any(|name| manager.starts_with(name.as_str()))
}

fn renamed(entry: &Value) -> Value {
    let mut entry = entry.clone();
    entry["manager"] = FIELD_MANAGER.into();
    entry["operation"] = "Apply".into();
    entry
}

fn united(mut own: Value, other: &Value) -> Value {
    let mut fields = own["fieldsV1"].as_object().cloned().unwrap_or_default();
    if let Some(added) = other["fieldsV1"].as_object() {
        unite(&mut fields, added);
    }
    own["fieldsV1"] = Value::Object(fields);
    own
}

/// The union of two sets of fields in the form of `fieldsV1`: a leaf is `{}`, a field that is a member and
/// has members below has a `.`.
fn unite(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, added) in from {
        match into.get_mut(key) {
            None => {
                into.insert(key.clone(), added.clone());
            }
            Some(Value::Object(own)) => unite_below(own, added.as_object()),
            Some(_) => {}
        }
    }
}

fn unite_below(own: &mut Map<String, Value>, added: Option<&Map<String, Value>>) {
    let Some(added) = added else { return };
    let member = |set: &Map<String, Value>| set.is_empty() || set.contains_key(".");
    let is_member = member(own) || member(added);
    unite(own, added);
    if is_member && !own.is_empty() {
        own.entry(".").or_insert_with(|| json!({}));
    }
}

fn entries(live: &Object) -> impl DoubleEndedIterator<Item = &Value> {
    live.get("metadata.managedFields").and_then(Value::as_array).into_iter().flatten()
}

/// Whether a set of fields has the one that a path through a value leads to.
fn contains(fields: &Value, value: &Value, steps: &[String]) -> bool {
    let [step, rest @ ..] = steps else { return true };
    let (below, child) = match step.parse::<usize>().ok().zip(value.as_array()) {
        Some((i, items)) => {
            let Some(item) = items.get(i) else { return false };
            (item_fields(fields, item), item)
        }
        None => (fields.get(format!("f:{step}")), value.get(step).unwrap_or(&Value::Null)),
    };
    below.is_some_and(|below| contains(below, child, rest))
}

/// The members below a list item: the entry whose `k:{…}` key the item has.
fn item_fields<'a>(fields: &'a Value, item: &Value) -> Option<&'a Value> {
    let has = |key: &str| {
        let key = key.strip_prefix("k:").and_then(|key| serde_json::from_str::<Value>(key).ok());
        let key = key.as_ref().and_then(Value::as_object);
        key.is_some_and(|key| key.iter().all(|(name, value)| item.get(name) == Some(value)))
    };
    fields.as_object()?.iter().find(|(key, _)| has(key)).map(|(_, below)| below)
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(managers: Value) -> Object {
        let mut object = Object::new("v1", "ConfigMap", "a", "b");
        object.set("metadata.managedFields", managers);
        object
    }

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields})
    }

    fn managers(object: &Object, more: &[String]) -> Option<Value> {
        reclaim(object, more).map(|patch| patch[0]["value"].clone())
    }

    #[test]
    fn fields_of_kubectl_become_the_engines_own_and_others_stay() {
        let own = entry(FIELD_MANAGER, "Apply", json!({"f:data": {"f:x": {}}}));
        let edit = entry("kubectl-edit", "Update", json!({"f:data": {"f:y": {}}}));
        let robot = entry("robot", "Update", json!({"f:data": {"f:z": {}}}));
        let found = managers(&live(json!([edit, own, robot])), &[]).unwrap();
        let merged = entry(FIELD_MANAGER, "Apply", json!({"f:data": {"f:x": {}, "f:y": {}}}));
        assert_eq!(found, json!([robot, merged]));
        assert_eq!(managers(&live(json!([own, robot])), &[]), None);
        let all = managers(&live(json!([own, robot])), &["robot".into()]).unwrap();
        assert_eq!(all.as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn the_first_foreign_entry_is_renamed_when_the_engine_has_none() {
        let created = entry("kubectl-create", "Update", json!({"f:data": {".": {}, "f:x": {}}}));
        let found = managers(&live(json!([created])), &[]).unwrap();
        assert_eq!(
            found,
            json!([entry(FIELD_MANAGER, "Apply", json!({"f:data": {".": {}, "f:x": {}}}))])
        );
    }

    #[test]
    fn entries_of_subresources_stay() {
        let mut scale = entry("kubectl", "Update", json!({"f:spec": {"f:replicas": {}}}));
        scale["subresource"] = "scale".into();
        assert_eq!(managers(&live(json!([scale])), &[]), None);
    }

    #[test]
    fn a_field_that_is_a_member_stays_one_in_a_union() {
        let check = |a: Value, b: Value, expected: Value| {
            let mut union = a.as_object().unwrap().clone();
            unite(&mut union, b.as_object().unwrap());
            assert_eq!(Value::Object(union), expected);
        };
        check(json!({"f:a": {}}), json!({"f:a": {}}), json!({"f:a": {}}));
        check(
            json!({"f:a": {}}),
            json!({"f:a": {"f:b": {}}}),
            json!({"f:a": {".": {}, "f:b": {}}}),
        );
        check(
            json!({"f:a": {"f:c": {}}}),
            json!({"f:a": {"f:b": {}}}),
            json!({"f:a": {"f:b": {}, "f:c": {}}}),
        );
    }

    #[test]
    fn annotations_of_kubectl_are_removed() {
        let mut object = live(json!([]));
        object.set_annotation(ANNOTATIONS[0], "{}");
        let path = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
        assert_eq!(reclaim(&object, &[]), Some(json!([{"op": "remove", "path": path}])));
    }

    #[test]
    fn a_pointer_is_followed_through_keyed_lists_to_the_fields_of_other_appliers() {
        let fields = json!({"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {"f:image": {}}}}});
        let mut object = live(json!([entry("other", "Apply", fields)]));
        object.set("spec.containers", json!([{"name": "side"}, {"name": "app", "image": "x"}]));
        assert!(is_applied_by_another(&object, "/spec/containers/1/image"));
        assert!(!is_applied_by_another(&object, "/spec/containers/0/image"));
        assert!(!is_applied_by_another(&object, "/spec/replicas"));
    }
}
