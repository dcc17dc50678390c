//! Paths of fields in what a webhook is asked about: `metadata.labels[app.kubernetes.io/name]`,
//! `spec.template.spec.containers[proxy].image`.

use serde_json::{Map, Value};

/// The steps of a path: fields between dots, and in brackets a key as it is, a name or a position.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split(['[', ']']).enumerate().flat_map(|(i, part)| {
        let bracketed = i % 2 == 1;
        let one = bracketed.then_some(part);
        let many = (!bracketed).then(|| part.split('.').filter(|step| !step.is_empty()));
        one.into_iter().chain(many.into_iter().flatten())
    })
}

/// The value at a path.
pub(super) fn get<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    steps(path).try_fold(value, |value, step| match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.get(position(items, step)?),
        _ => None,
    })
}

/// Sets the value at a path, with what leads there; where a list has no such item, nothing.
pub(super) fn set(value: &mut Value, path: &str, to: Value) {
    let steps: Vec<&str> = steps(path).collect();
    let Some((last, above)) = steps.split_last() else { return };
    if let Some(place) = above.iter().try_fold(value, |value, step| enter(value, step)) {
        match place {
            Value::Array(items) => {
                if let Some(at) = position(items, last) {
                    items[at] = to;
                }
            }
            other => {
                fields_of(other).insert((*last).to_owned(), to);
            }
        }
    }
}

/// Removes what is at a path.
pub(super) fn remove(value: &mut Value, path: &str) {
    let steps: Vec<&str> = steps(path).collect();
    let Some((last, above)) = steps.split_last() else { return };
    let place = above.iter().try_fold(value, |value, step| match value {
        Value::Object(fields) => fields.get_mut(*step),
        Value::Array(items) => {
            let at = position(items, step)?;
            items.get_mut(at)
        }
        _ => None,
    });
    match place {
        Some(Value::Object(fields)) => {
            fields.remove(*last);
        }
        Some(Value::Array(items)) => {
            if let Some(at) = position(items, last) {
                items.remove(at);
            }
        }
        _ => {}
    }
}

fn enter<'v>(value: &'v mut Value, step: &str) -> Option<&'v mut Value> {
    match value {
        Value::Array(items) => {
            let at = position(items, step)?;
            items.get_mut(at)
        }
        other => Some(fields_of(other).entry(step).or_insert(Value::Null)),
    }
}

fn fields_of(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("just made")
}

/// The item of that name, or at that position.
fn position(items: &[Value], step: &str) -> Option<usize> {
    let named = items.iter().position(|item| item.get("name").is_some_and(|name| name == step));
    named.or_else(|| step.parse().ok().filter(|at| *at < items.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_leads_through_fields_keys_names_and_positions() {
        let object =
            json!({"metadata": {"labels": {"a.b/c": "x"}}, "list": [{"name": "p", "image": "i"}]});
        let check = |path: &str, expected: Option<Value>| {
            assert_eq!(get(&object, path).cloned(), expected, "{path}");
        };
        check("metadata.labels[a.b/c]", Some(json!("x")));
        check("list[p].image", Some(json!("i")));
        check("list[0].image", Some(json!("i")));
        check("list[q].image", None);
        check("metadata.labels[a.b/c].d", None);
        check("", Some(object.clone()));
    }

    #[test]
    fn setting_makes_the_way_and_removing_leaves_the_rest() {
        let check = |path: &str, to: Option<Value>, expected: Value| {
            let mut object = json!({"a": {"b": 1}, "l": [{"name": "p"}]});
            match to {
                Some(to) => set(&mut object, path, to),
                None => remove(&mut object, path),
            }
            assert_eq!(object, expected, "{path}");
        };
        check(
            "a.c[d.e]",
            Some(json!(2)),
            json!({"a": {"b": 1, "c": {"d.e": 2}}, "l": [{"name": "p"}]}),
        );
        check("l[p].x", Some(json!(2)), json!({"a": {"b": 1}, "l": [{"name": "p", "x": 2}]}));
        check("l[q].x", Some(json!(2)), json!({"a": {"b": 1}, "l": [{"name": "p"}]}));
        check("a.b", None, json!({"a": {}, "l": [{"name": "p"}]}));
        check("l[p]", None, json!({"a": {"b": 1}, "l": []}));
        check("x.y", None, json!({"a": {"b": 1}, "l": [{"name": "p"}]}));
    }
}
