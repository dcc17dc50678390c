//! The middle word of watch, compare, reconcile: what differs between the wanted and the actual state.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::object::{Object, ObjectRef};
use crate::reconciler::{Change, ChangeAction};

/// Compares what is wanted with what is there, object by object, in the order wanted; what is there and
/// not wanted comes last, as to be deleted.
///
/// A wanted object is the answer to a dry-run apply, with every default filled in: that is how Flux finds
/// drift, and why a field that nobody applied is none. Labels, annotations and all fields but `metadata`
/// and `status` count. `Created` is an object that is not there, `Configured` one that differs, with the
/// fields that do.
///
/// ```
/// use driftlab::{engine::compare, object::Object};
/// let mut wanted = Object::new("apps/v1", "Deployment", "web", "hello");
/// wanted.set("spec.replicas", 3);
/// let mut actual = wanted.clone();
/// actual.set("spec.replicas", 5);
/// let changes = compare(&[wanted], &[actual]);
/// assert_eq!(changes[0].to_string(), "Deployment/web/hello configured");
/// assert_eq!(changes[0].fields, ["spec.replicas"]);
/// ```
pub fn compare(desired: &[Object], actual: &[Object]) -> Vec<Change> {
    let live: BTreeMap<ObjectRef, &Object> = actual.iter().map(|o| (o.reference(), o)).collect();
    let wanted: BTreeSet<ObjectRef> = desired.iter().map(Object::reference).collect();
    let surplus = live.keys().filter(|object| !wanted.contains(object));
    let deleted = surplus.map(|object| change(object.clone(), ChangeAction::Deleted, Vec::new()));
    let judged = desired.iter().map(|object| judge(object, live.get(&object.reference()).copied()));
    judged.chain(deleted).collect()
}

/// The fields in which two objects differ, dotted, list items by name where they have one: empty when
/// there is no drift.
pub fn differences(desired: &Object, actual: &Object) -> Vec<String> {
    let mut found = Vec::new();
    if desired.same(actual) {
        return found;
    }
    for part in ["labels", "annotations"] {
        let side =
            |object: &Object| object.at(&["metadata", part]).filter(|v| !is_empty(v)).cloned();
        walk(
            &format!("metadata.{part}"),
            side(desired).as_ref(),
            side(actual).as_ref(),
            &mut found,
        );
    }
    let (a, b) = (fields(desired), fields(actual));
    walk_fields("", a, b, &mut found);
    found.retain(|path| !matches!(path.split('.').next(), Some("status")));
    found
}

fn judge(desired: &Object, actual: Option<&Object>) -> Change {
    let Some(actual) = actual else {
        return change(desired.reference(), ChangeAction::Created, Vec::new());
    };
    let fields = differences(desired, actual);
    let action = if fields.is_empty() { ChangeAction::Unchanged } else { ChangeAction::Configured };
    change(desired.reference(), action, fields)
}

fn change(object: ObjectRef, action: ChangeAction, fields: Vec<String>) -> Change {
    Change { object, action, fields }
}

fn fields(object: &Object) -> &Map<String, Value> {
    object.as_value().as_object().expect("an object is a map")
}

fn walk(path: &str, a: Option<&Value>, b: Option<&Value>, found: &mut Vec<String>) {
    match (a, b) {
        (a, b) if a == b => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) => walk_fields(path, a, b, found),
        (Some(Value::Array(a)), Some(Value::Array(b))) => walk_items(path, a, b, found),
        (Some(Value::Object(a)), None) if !a.is_empty() => walk_fields(path, a, &Map::new(), found),
        (None, Some(Value::Object(b))) if !b.is_empty() => walk_fields(path, &Map::new(), b, found),
        _ => found.push(path.into()),
    }
}

fn walk_fields(
    path: &str,
    a: &Map<String, Value>,
    b: &Map<String, Value>,
    found: &mut Vec<String>,
) {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for name in names {
        if path.is_empty() && matches!(name.as_str(), "metadata" | "status") {
            continue;
        }
        let dot = if path.is_empty() { "" } else { "." };
        walk(&format!("{path}{dot}{name}"), a.get(name), b.get(name), found);
    }
}

fn walk_items(path: &str, a: &[Value], b: &[Value], found: &mut Vec<String>) {
    let (Some(left), Some(right)) = (by_name(a), by_name(b)) else {
        for i in 0..a.len().max(b.len()) {
            walk(&format!("{path}[{i}]"), a.get(i), b.get(i), found);
        }
        return;
    };
    let before = found.len();
    let names: BTreeSet<&str> = left.keys().chain(right.keys()).copied().collect();
    for name in names {
        let item = format!("{path}[name={name}]");
        walk(&item, left.get(name).copied(), right.get(name).copied(), found);
    }
    if found.len() == before {
        found.push(path.into()); // the same items in another order
    }
}

fn by_name(items: &[Value]) -> Option<BTreeMap<&str, &Value>> {
    let named: Option<BTreeMap<_, _>> =
        items.iter().map(|item| Some((item.get("name")?.as_str()?, item))).collect();
    named.filter(|named| named.len() == items.len())
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(spec: Value) -> Object {
        let mut object = Object::new("v1", "ConfigMap", "a", "b");
        object.set("spec", spec);
        object
    }

    #[test]
    fn differing_fields_are_named_by_path_and_list_items_by_name() {
        let check = |a: Value, b: Value, expected: &[&str]| {
            assert_eq!(differences(&object(a.clone()), &object(b.clone())), expected, "{a} {b}")
        };
        check(json!({"a": 1}), json!({"a": 1}), &[]);
        check(json!({"a": 1}), json!({"a": 2, "b": {"c": 3}}), &["spec.a", "spec.b.c"]);
        check(json!({"l": [1, 2]}), json!({"l": [1, 3, 4]}), &["spec.l[1]", "spec.l[2]"]);
        let named = |items: Value| json!({ "containers": items });
        check(
            named(json!([{"name": "app", "image": "a"}])),
            named(json!([{"name": "app", "image": "b"}, {"name": "side", "image": "c"}])),
            &[
                "spec.containers[name=app].image",
                "spec.containers[name=side].image",
                "spec.containers[name=side].name",
            ],
        );
        let (x, y) = (json!({"name": "x"}), json!({"name": "y"}));
        check(named(json!([x, y])), named(json!([y, x])), &["spec.containers"]);
    }

    #[test]
    fn labels_and_annotations_count_and_the_rest_of_metadata_and_status_do_not() {
        let mut a = object(json!({}));
        let mut b = a.clone();
        b.set("metadata.resourceVersion", "7");
        b.set("status.x", 1);
        b.set("metadata.annotations", json!({}));
        assert_eq!(differences(&a, &b), [""; 0]);
        a.set_label("team", "red");
        assert_eq!(differences(&a, &b), ["metadata.labels.team"]);
    }

    #[test]
    fn what_is_there_and_not_wanted_is_to_be_deleted() {
        let (a, b) = (Object::new("v1", "Secret", "x", "a"), Object::new("v1", "Secret", "x", "b"));
        let lines: Vec<_> = compare(&[a], &[b]).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["Secret/x/a created", "Secret/x/b deleted"]);
    }
}
