//! Which fields of an object a write changed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::FieldChange;
use crate::object::Object;

/// The leaves in which two states of an object differ; `None` stands for an object that is not there.
///
/// What the API server keeps for itself is left out: `managedFields`, `resourceVersion`,
/// `generation`, `uid` and `creationTimestamp`, and so are `apiVersion` and `kind`. Items of a list
/// that all have a distinct name (or type, or port …) are told apart by it, others by position; a list
/// of plain values is one leaf.
///
/// ```
/// use driftlab::object::Object;
/// use driftlab::trace::field_changes;
/// let before = Object::new("apps/v1", "Deployment", "web", "hello");
/// let mut after = before.clone();
/// after.set("spec.replicas", 5);
/// let changes = field_changes(Some(&before), Some(&after));
/// assert_eq!(changes[0].to_string(), "spec.replicas: 5");
/// ```
pub fn field_changes(before: Option<&Object>, after: Option<&Object>) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    if let (Some(before), Some(after)) = (before, after)
        && before.same(after)
    {
        return changes;
    }
    let mut path = String::new();
    let (before, after) = (before.map(Object::as_value), after.map(Object::as_value));
    compare(before, after, &mut path, &mut changes);
    changes
}

/// As kept by the API server itself, or said by the object's name already.
const LEFT_OUT: [&str; 9] = [
    "apiVersion",
    "kind",
    "metadata.name",
    "metadata.namespace",
    "metadata.managedFields",
    "metadata.resourceVersion",
    "metadata.generation",
    "metadata.uid",
    "metadata.creationTimestamp",
];

/// What tells the items of a list apart, the first that does counts.
const ITEM_KEYS: [&str; 7] = ["name", "type", "key", "mountPath", "containerPort", "port", "uid"];

fn compare(
    before: Option<&Value>,
    after: Option<&Value>,
    path: &mut String,
    changes: &mut Vec<FieldChange>,
) {
    if before == after || LEFT_OUT.contains(&path.as_str()) {
        return;
    }
    if has_fields(before, after) {
        return compare_fields(before, after, path, changes);
    }
    match (items(before), items(after)) {
        (Some(old), Some(new)) if is_of_objects(old, new) => {
            compare_items(old, new, path, changes);
        }
        _ => changes.push(FieldChange {
            path: path.clone(),
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

fn compare_fields(
    before: Option<&Value>,
    after: Option<&Value>,
    path: &mut String,
    changes: &mut Vec<FieldChange>,
) {
    let [old, new] = [before, after].map(|value| value.and_then(Value::as_object));
    let names: BTreeSet<&String> = [old, new].into_iter().flatten().flat_map(Map::keys).collect();
    for name in names {
        let [was, is] = [old, new].map(|fields| fields.and_then(|fields| fields.get(name)));
        within(path, &field_step(name, path.is_empty()), |path| compare(was, is, path, changes));
    }
}

fn compare_items(old: &[Value], new: &[Value], path: &mut String, changes: &mut Vec<FieldChange>) {
    let Some(key) =
        ITEM_KEYS.into_iter().find(|key| tells_apart(old, key) && tells_apart(new, key))
    else {
        for i in 0..old.len().max(new.len()) {
            within(path, &format!("[{i}]"), |path| {
                compare(old.get(i), new.get(i), path, changes);
            });
        }
        return;
    };
    let find = |items: &'_ [Value], wanted: &Value| items.iter().position(|i| &i[key] == wanted);
    let added = new.iter().filter(|item| find(old, &item[key]).is_none());
    for item in old.iter().chain(added) {
        let [was, is] = [old, new].map(|items| find(items, &item[key]).map(|i| &items[i]));
        within(path, &format!("[{key}={}]", plain(&item[key])), |path| {
            compare(was, is, path, changes);
        });
    }
}

/// Whether both are JSON objects, or one is and the other is not there, with something in them.
fn has_fields(before: Option<&Value>, after: Option<&Value>) -> bool {
    let sides = || [before, after].into_iter().flatten();
    sides().all(Value::is_object)
        && sides().filter_map(Value::as_object).any(|fields| !fields.is_empty())
}

fn items(value: Option<&Value>) -> Option<&[Value]> {
    match value {
        None => Some(&[]),
        Some(Value::Array(items)) => Some(items),
        Some(_) => None,
    }
}

fn is_of_objects(old: &[Value], new: &[Value]) -> bool {
    !(old.is_empty() && new.is_empty()) && old.iter().chain(new).all(Value::is_object)
}

fn tells_apart(items: &[Value], key: &str) -> bool {
    let mut seen = Vec::with_capacity(items.len());
    items.iter().all(|item| match item.get(key) {
        Some(value) if !seen.contains(&value) => {
            seen.push(value);
            true
        }
        _ => false,
    })
}

fn within(path: &mut String, step: &str, visit: impl FnOnce(&mut String)) {
    let before = path.len();
    path.push_str(step);
    visit(path);
    path.truncate(before);
}

/// `.name`, or `[name]` for a name with dots in it, as labels have.
fn field_step(name: &str, first: bool) -> String {
    match (name.contains('.'), first) {
        (true, _) => format!("[{name}]"),
        (false, true) => name.into(),
        (false, false) => format!(".{name}"),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl std::fmt::Display for FieldChange {
    /// `spec.replicas: 5 → 3`; one side alone when there is no other.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.path)?;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{} → {}", plain(before), plain(after)),
            (None, Some(after)) => f.write_str(&plain(after)),
            (Some(before), None) => write!(f, "{} → (removed)", plain(before)),
            (None, None) => f.write_str("(none)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(spec: Value) -> Object {
        let mut object = Object::new("v1", "Pod", "a", "b");
        object.set("metadata.resourceVersion", spec.to_string());
        object.set("spec", spec);
        object
    }

    fn check(before: Value, after: Value, expected: &[&str]) {
        let found: Vec<String> = field_changes(Some(&object(before)), Some(&object(after)))
            .iter()
            .map(FieldChange::to_string)
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn each_leaf_that_differs_is_told_by_its_path() {
        check(json!({"a": 1, "b": 2}), json!({"a": 1, "b": 3}), &["spec.b: 2 → 3"]);
        check(json!({"a": {"b": 1}}), json!({"a": {}}), &["spec.a.b: 1 → (removed)"]);
        check(json!({}), json!({"a": {"b": "x", "c.d": "y"}}), &["spec.a.b: x", "spec.a[c.d]: y"]);
        check(json!({"l": [1, 2]}), json!({"l": [1]}), &["spec.l: [1,2] → [1]"]);
        check(json!({"a": 1}), json!({"a": {"b": 1}}), &["spec.a: 1 → {\"b\":1}"]);
        check(json!({}), json!({"e": {}}), &["spec.e: {}"]);
    }

    #[test]
    fn list_items_are_told_apart_by_name_where_they_have_one() {
        check(
            json!({"c": [{"name": "app", "image": "a"}, {"name": "b", "x": 1}]}),
            json!({"c": [{"name": "b", "x": 1}, {"name": "app", "image": "c"}]}),
            &["spec.c[name=app].image: a → c"],
        );
        check(
            json!({"c": [{"v": 1}, {"v": 1}]}),
            json!({"c": [{"v": 1}]}),
            &["spec.c[1].v: 1 → (removed)"],
        );
        check(
            json!({"c": [{"type": "Ready", "status": "True"}]}),
            json!({"c": []}),
            &[
                "spec.c[type=Ready].status: True → (removed)",
                "spec.c[type=Ready].type: Ready → (removed)",
            ],
        );
    }

    #[test]
    fn what_is_made_is_told_leaf_by_leaf() {
        let made = field_changes(None, Some(&object(json!({"a": {"b": 1}, "c": []}))));
        let paths: Vec<&str> = made.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["spec.a.b", "spec.c"]);
    }
}
