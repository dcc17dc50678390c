//! An object without some of its fields.

use serde_json::{Map, Value};

use super::set::FieldSet;
use super::shape::{Fields, Shape, item_element};
use crate::apiserver::schema::{ListType, Type};

/// `value` without the fields and items in `fields`. What is emptied by that becomes null, and so do
/// lists and maps that are one thing once something in them was to go.
pub(super) fn remove(ty: &Type, value: &Value, fields: &FieldSet) -> Value {
    match (Shape::of(ty, value), value) {
        (Shape::List(list), Value::Array(items)) => remove_items(list, items, fields),
        (Shape::Map(map), Value::Object(entries)) => remove_entries(map, entries, fields),
        (Shape::Scalar, scalar) => scalar.clone(),
        _ => Value::Null,
    }
}

fn remove_items(list: &ListType, items: &[Value], fields: &FieldSet) -> Value {
    let kept = items.iter().filter_map(|item| {
        let element = item_element(list, item).unwrap_or_default();
        if fields.has(&element) {
            return None;
        }
        Some(match fields.below(&element) {
            Some(below) => remove(&list.element, item, below),
            None => item.clone(),
        })
    });
    let kept: Vec<Value> = kept.collect();
    if kept.is_empty() { Value::Null } else { Value::Array(kept) }
}

fn remove_entries(map: Fields, entries: &Map<String, Value>, fields: &FieldSet) -> Value {
    let mut kept = Map::new();
    for (name, value) in entries {
        let element = format!("f:{name}");
        if fields.has(&element) {
            continue;
        }
        let value = match (fields.below(&element), map.child(name)) {
            (Some(below), Some(ty)) => remove(ty, value, below),
            _ => value.clone(),
        };
        kept.insert(name.clone(), value);
    }
    if kept.is_empty() { Value::Null } else { Value::Object(kept) }
}
