//! The live object with what a manager applies laid over it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::shape::{Fields, Shape, entries, item_element, items};
use crate::apiserver::schema::{ListType, Type};

/// `live` with `applied` laid over it: leaves are replaced, maps and keyed lists merge, nothing is
/// removed.
pub(super) fn merge(ty: &Type, live: &Value, applied: &Value) -> Value {
    merge_value(ty, Some(live), Some(applied)).unwrap_or(Value::Null)
}

/// One of the two is there. `None` when nothing comes of them.
fn merge_value(ty: &Type, live: Option<&Value>, applied: Option<&Value>) -> Option<Value> {
    let value = applied.or(live)?;
    let live = live.filter(|live| !Shape::differs(ty, live, value));
    match Shape::of(ty, value) {
        Shape::Scalar | Shape::Atomic => Some(value.clone()),
        Shape::Map(fields) => {
            let (live, applied) = (entries(live), entries(applied));
            if is_empty(live) && is_empty(applied) {
                return Some(value.clone());
            }
            merge_entries(fields, live, applied)
        }
        Shape::List(list) => {
            let (live, applied) = (items(live), items(applied));
            if live.is_empty() && applied.is_empty() {
                return Some(value.clone());
            }
            merge_items(list, live, applied)
        }
    }
}

fn is_empty(entries: Option<&Map<String, Value>>) -> bool {
    entries.is_none_or(Map::is_empty)
}

fn merge_entries(
    fields: Fields,
    live: Option<&Map<String, Value>>,
    applied: Option<&Map<String, Value>>,
) -> Option<Value> {
    let mut merged = Map::new();
    for (name, live) in live.into_iter().flatten() {
        let Some(ty) = fields.child(name) else { continue };
        let applied = applied.and_then(|applied| applied.get(name));
        if let Some(value) = merge_value(ty, Some(live), applied) {
            merged.insert(name.clone(), value);
        }
    }
    for (name, applied) in applied.into_iter().flatten() {
        if live.is_some_and(|live| live.contains_key(name)) {
            continue;
        }
        let Some(ty) = fields.child(name) else { continue };
        if let Some(value) = merge_value(ty, None, Some(applied)) {
            merged.insert(name.clone(), value);
        }
    }
    (!merged.is_empty()).then_some(Value::Object(merged))
}

/// The items of one side, and where each element stands; `None` when it stands there twice.
struct Index<'a> {
    items: &'a [Value],
    elements: Vec<String>,
    places: BTreeMap<String, Option<usize>>,
}

impl<'a> Index<'a> {
    fn new(list: &ListType, items: &'a [Value]) -> Self {
        let elements: Vec<String> =
            items.iter().map(|item| item_element(list, item).unwrap_or_default()).collect();
        let mut places = BTreeMap::new();
        for (i, element) in elements.iter().enumerate() {
            places.entry(element.clone()).and_modify(|place| *place = None).or_insert(Some(i));
        }
        Index { items, elements, places }
    }

    fn has(&self, element: &str) -> bool {
        self.places.contains_key(element)
    }

    /// The item of this element; null when it is ambiguous.
    fn get(&self, element: &str) -> Option<&'a Value> {
        let place = self.places.get(element)?;
        Some(place.map_or(&Value::Null, |i| &self.items[i]))
    }
}

/// Items of both sides, in the order of the applied list; live items that it does not name keep
/// their place between those they stood between.
fn merge_items(list: &ListType, live: &[Value], applied: &[Value]) -> Option<Value> {
    let (live, applied) = (Index::new(list, live), Index::new(list, applied));
    let mut shared = applied.elements.iter().filter(|element| live.has(element));
    let mut next_shared = shared.next();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut merged = Vec::new();
    let (mut l, mut a) = (0, 0);
    let put = |live, applied, merged: &mut Vec<Value>| {
        merged.extend(merge_value(&list.element, live, applied));
    };
    while l < live.items.len() || a < applied.items.len() {
        let ours = live.elements.get(l).map(String::as_str);
        let theirs = applied.elements.get(a).map(String::as_str);
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            if ours == theirs {
                done.insert(theirs);
                put(live.get(ours), applied.get(theirs), &mut merged);
                (l, a) = (l + 1, a + 1);
                next_shared = shared.next();
                continue;
            }
            if applied.has(ours) && next_shared.is_some_and(|next| next != ours) {
                l += 1;
                continue;
            }
        }
        if let Some(ours) = ours {
            if !applied.has(ours) {
                put(Some(&live.items[l]), None, &mut merged);
                l += 1;
                continue;
            }
            if done.contains(ours) {
                l += 1;
            }
        }
        if let Some(theirs) = theirs {
            done.insert(theirs);
            put(live.get(theirs), applied.get(theirs), &mut merged);
            a += 1;
            if next_shared.is_some_and(|next| next == theirs) {
                next_shared = shared.next();
            }
        }
    }
    (!merged.is_empty()).then_some(Value::Array(merged))
}
