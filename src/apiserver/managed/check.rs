//! What a manager applies: that the schema knows every field of it, and which fields they are.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::set::{FieldSet, readable};
use super::shape::{Fields, Shape, entries, item_element, items};
use crate::apiserver::golang::{plain, type_of};
use crate::apiserver::schema::{ListMerge, ListType, Type};

/// Checks that a value has the shape of its type.
///
/// # Errors
///
/// Every field that is not declared or of another type, as structured-merge-diff words it.
pub(super) fn check(ty: &Type, value: &Value) -> Result<(), String> {
    let mut problems = Vec::new();
    check_value(ty, value, "", &mut problems);
    match &*problems {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("errors:\n  {}", many.join("\n  "))),
    }
}

fn check_value(ty: &Type, value: &Value, path: &str, problems: &mut Vec<String>) {
    let mut refuse = |problem: String| {
        problems.push(if path.is_empty() { problem } else { format!("{path}: {problem}") })
    };
    match (ty, value) {
        (_, Value::Null) => {}
        (Type::Struct(structure), Value::Object(fields)) => {
            check_fields(Fields::Struct(structure), fields, path, problems)
        }
        (Type::Map(map), Value::Object(fields)) => {
            check_fields(Fields::Map(map), fields, path, problems)
        }
        (Type::List(list), Value::Array(items)) => check_items(list, items, path, problems),
        (Type::Struct(_) | Type::Map(_), other) => {
            refuse(format!("expected map, got {}", boxed(other)))
        }
        (Type::List(_), other) => refuse(format!("expected list, got {}", boxed(other))),
        (Type::Any | Type::Raw, _) => {}
        (Type::Int32 | Type::Int64 | Type::Number, other) if !other.is_number() => {
            refuse(format!("expected numeric (int or float), got {}", type_of(other)))
        }
        (Type::String(_) | Type::Bytes, other) if !other.is_string() => {
            refuse(format!("expected string, got {}", go_literal(other)))
        }
        (Type::Bool, other) if !other.is_boolean() => {
            refuse(format!("expected boolean, got {}", boxed(other)))
        }
        (Type::Quantity | Type::Time | Type::MicroTime | Type::IntOrString, other)
            if other.is_object() || other.is_array() =>
        {
            refuse(format!("expected any scalar, got {}", boxed(other)))
        }
        _ => {}
    }
}

fn check_fields(
    fields: Fields,
    entries: &Map<String, Value>,
    path: &str,
    problems: &mut Vec<String>,
) {
    for (name, value) in entries {
        let path = format!("{path}.{name}");
        match fields.child(name) {
            Some(ty) => check_value(ty, value, &path, problems),
            None => {
                problems.push(format!("{path}: field not declared in schema"));
                return;
            }
        }
    }
}

fn check_items(list: &ListType, items: &[Value], path: &str, problems: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (i, item) in items.iter().enumerate() {
        if list.merge == ListMerge::Atomic {
            check_value(&list.element, item, &format!("{path}[{i}]"), problems);
            continue;
        }
        let element = match item_element(list, item) {
            Ok(element) => element,
            Err(problem) => {
                problems.push(format!("{path}: element {i}: {problem}"));
                return;
            }
        };
        let name = readable(&element);
        if !seen.insert(element) {
            problems.push(format!("{path}: duplicate entries for key {name}"));
        }
        check_value(&list.element, item, &format!("{path}{name}"), problems);
    }
}

/// Every leaf and list item of a value.
pub(super) fn field_set(ty: &Type, value: &Value) -> FieldSet {
    match Shape::of(ty, value) {
        Shape::Scalar | Shape::Atomic => FieldSet::default(),
        Shape::List(list) => item_set(list, value),
        Shape::Map(fields) => entry_set(fields, value),
    }
}

fn entry_set(fields: Fields, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    for (name, value) in entries(Some(value)).into_iter().flatten() {
        let Some(ty) = fields.child(name) else { continue };
        let leaf = matches!(Shape::of(ty, value), Shape::Scalar | Shape::Atomic);
        let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        let member = leaf || empty || !fields.declares(name);
        set.add(&format!("f:{name}"), member, field_set(ty, value));
    }
    set
}

fn item_set(list: &ListType, value: &Value) -> FieldSet {
    let items = items(Some(value));
    let elements: Vec<_> = items.iter().filter_map(|item| item_element(list, item).ok()).collect();
    let mut set = FieldSet::default();
    for (item, element) in items.iter().zip(&elements) {
        let duplicate = elements.iter().filter(|other| *other == element).count() > 1;
        let below = if duplicate { FieldSet::default() } else { field_set(&list.element, item) };
        set.add(element, true, below);
    }
    set
}

/// A value as Go's `%v` prints the pointer that wraps it.
fn boxed(value: &Value) -> String {
    format!("&{{{}}}", plain(value))
}

/// A value as Go's `%#v` prints the pointer that wraps it.
fn go_literal(value: &Value) -> String {
    let inner = match value {
        Value::Object(_) => format!("map[string]interface {{}}{value}"),
        Value::Array(_) => format!("[]interface {{}}{value}"),
        scalar => scalar.to_string(),
    };
    format!("&value.valueUnstructured{{Value:{inner}}}")
}
