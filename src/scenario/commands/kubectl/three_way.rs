//! The patch that `kubectl apply` makes of three states: what was applied last, what is to be applied,
//! and what there is (`strategicpatch.CreateThreeWayMergePatch`, `jsonmergepatch`).

use serde_json::{Map, Value, json};

use crate::apiserver::schema::{Field, PatchStrategy, Struct, Type};

/// The patch from `current` to `modified`, that also removes what `original` had and `modified` has
/// not. With a schema it is a strategic merge patch, without one a JSON merge patch. An empty object:
/// nothing is to be done.
pub(super) fn patch(
    original: &Value,
    modified: &Value,
    current: &Value,
    schema: Option<&Struct>,
) -> Value {
    Value::Object(object(original, modified, current, schema))
}

fn object(
    original: &Value,
    modified: &Value,
    current: &Value,
    schema: Option<&Struct>,
) -> Map<String, Value> {
    let mut patch = Map::new();
    let null = Value::Null;
    for (name, wanted) in fields(modified) {
        let field = schema.and_then(|schema| schema.field(name));
        let before = original.get(name).unwrap_or(&null);
        match current.get(name) {
            None => {
                patch.insert(name.clone(), wanted.clone());
            }
            Some(found) => {
                let change = change(before, wanted, found, field);
                patch.extend(change.map(|change| (name.clone(), change)));
            }
        }
    }
    let gone = fields(original).filter(|(name, _)| {
        modified.get(name.as_str()).is_none() && current.get(name.as_str()).is_some()
    });
    patch.extend(gone.map(|(name, _)| (name.clone(), Value::Null)));
    patch
}

/// What a patch says of a field that is there; `None`: nothing.
fn change(original: &Value, wanted: &Value, found: &Value, field: Option<&Field>) -> Option<Value> {
    match (wanted, found) {
        (Value::Object(_), Value::Object(_)) => {
            let schema = field.and_then(|field| field.ty.as_struct());
            let inner = object(original, wanted, found, schema);
            (!inner.is_empty()).then_some(Value::Object(inner))
        }
        (Value::Array(wanted), Value::Array(found)) => match field {
            Some(field) if field.patch.merge => list(original, wanted, found, field),
            _ => (wanted != found).then(|| json!(wanted)),
        },
        _ => (wanted != found).then(|| wanted.clone()),
    }
}

/// A list whose items merge: changed and new items, and directives for those that are to go.
fn list(original: &Value, wanted: &[Value], found: &[Value], field: &Field) -> Option<Value> {
    let before = original.as_array().map_or(&[][..], Vec::as_slice);
    let PatchStrategy { key, .. } = &field.patch;
    if key.is_empty() {
        let new: Vec<&Value> = wanted.iter().filter(|item| !found.contains(item)).collect();
        return (!new.is_empty()).then(|| json!(new));
    }
    let element = match &field.ty {
        Type::List(list) => list.element.as_struct(),
        _ => None,
    };
    let mut items = Vec::new();
    for item in wanted {
        match same(found, item, key) {
            None => items.push(item.clone()),
            Some(there) => {
                let was = same(before, item, key).unwrap_or(&Value::Null);
                let mut inner = object(was, item, there, element);
                if !inner.is_empty() {
                    inner.insert(key.to_string(), item[&**key].clone());
                    items.push(Value::Object(inner));
                }
            }
        }
    }
    for item in before {
        if same(wanted, item, key).is_none() && same(found, item, key).is_some() {
            items.push(json!({"$patch": "delete", (key.to_string()): item[&**key]}));
        }
    }
    (!items.is_empty()).then_some(Value::Array(items))
}

/// The item of a list with the same key.
fn same<'a>(list: &'a [Value], item: &Value, key: &str) -> Option<&'a Value> {
    let wanted = item.get(key)?;
    list.iter().find(|other| other.get(key) == Some(wanted))
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apiserver::schema::Registry;
    use crate::object::GroupVersionKind;

    fn check(original: Value, modified: Value, current: Value, expected: Value) {
        let registry = Registry::builtin();
        let pod = registry.kind(&GroupVersionKind::new("v1", "Pod")).unwrap();
        assert_eq!(patch(&original, &modified, &current, Some(&pod.root)), expected);
    }

    #[test]
    fn a_patch_sets_what_differs_and_removes_what_was_applied_and_is_no_longer() {
        check(
            json!({"metadata": {"labels": {"a": "1", "b": "1"}}}),
            json!({"metadata": {"labels": {"a": "2", "c": "3"}}}),
            json!({"metadata": {"labels": {"a": "1", "b": "1", "theirs": "x"}}}),
            json!({"metadata": {"labels": {"a": "2", "b": null, "c": "3"}}}),
        );
    }

    #[test]
    fn nothing_to_do_is_an_empty_patch() {
        let spec = json!({"spec": {"containers": [{"name": "a", "image": "x"}]}});
        let live = json!({"spec": {"containers": [{"name": "a", "image": "x", "imagePullPolicy": "Always"}], "dnsPolicy": "Default"}});
        check(spec.clone(), spec, live, json!({}));
    }

    #[test]
    fn items_of_lists_with_a_key_are_patched_one_by_one() {
        let containers = |items: Value| json!({"spec": {"containers": items}});
        check(
            containers(json!([{"name": "a", "image": "1"}, {"name": "gone", "image": "1"}])),
            containers(json!([{"name": "a", "image": "2"}, {"name": "new", "image": "3"}])),
            containers(
                json!([{"name": "a", "image": "1"}, {"name": "gone", "image": "1"}, {"name": "theirs"}]),
            ),
            containers(json!([
                {"name": "a", "image": "2"},
                {"name": "new", "image": "3"},
                {"$patch": "delete", "name": "gone"},
            ])),
        );
    }

    #[test]
    fn without_a_schema_lists_are_replaced() {
        let value = |items: Value| json!({"spec": {"list": items}});
        let made = patch(&value(json!([1])), &value(json!([1, 2])), &value(json!([1])), None);
        assert_eq!(made, value(json!([1, 2])));
    }
}
