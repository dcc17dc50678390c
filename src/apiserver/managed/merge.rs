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
    let mut shared = applied.elements.iter().map(String::as_str).filter(|e| live.has(e));
    let next_shared = shared.next();
    let mut zip = Zip {
        element: &list.element,
        live: &live,
        applied: &applied,
        at: (0, 0),
        shared: &mut shared,
        next_shared,
        done: BTreeSet::new(),
        merged: Vec::new(),
    };
    while zip.at.0 < live.items.len() || zip.at.1 < applied.items.len() {
        zip.step();
    }
    (!zip.merged.is_empty()).then_some(Value::Array(zip.merged))
}

/// Two lists on their way into one.
struct Zip<'a> {
    element: &'a Type,
    live: &'a Index<'a>,
    applied: &'a Index<'a>,
    /// How far each list is read.
    at: (usize, usize),
    /// Elements of both lists, in the order of the applied one, and the next of them to come.
    shared: &'a mut dyn Iterator<Item = &'a str>,
    next_shared: Option<&'a str>,
    /// Elements of the applied list that are merged.
    done: BTreeSet<&'a str>,
    merged: Vec<Value>,
}

impl<'a> Zip<'a> {
    /// Goes on by an item of one of the lists, or of both.
    fn step(&mut self) {
        let ours = self.live.elements.get(self.at.0).map(String::as_str);
        let theirs = self.applied.elements.get(self.at.1).map(String::as_str);
        match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours == theirs => {
                self.at.0 += 1;
                self.take(theirs);
                self.next_shared = self.shared.next();
            }
            (Some(ours), Some(_)) if self.comes_later(ours) => self.at.0 += 1,
            (Some(ours), _) if !self.applied.has(ours) => self.keep(),
            _ => {
                if ours.is_some_and(|ours| self.done.contains(ours)) {
                    self.at.0 += 1;
                }
                if let Some(theirs) = theirs {
                    self.take(theirs);
                    if self.next_shared == Some(theirs) {
                        self.next_shared = self.shared.next();
                    }
                }
            }
        }
    }

    /// Whether a live item is merged where the applied list has it, which is not here.
    fn comes_later(&self, ours: &str) -> bool {
        self.applied.has(ours) && self.next_shared.is_some_and(|next| next != ours)
    }

    fn keep(&mut self) {
        let item = &self.live.items[self.at.0];
        self.merged.extend(merge_value(self.element, Some(item), None));
        self.at.0 += 1;
    }

    fn take(&mut self, theirs: &'a str) {
        self.done.insert(theirs);
        let (live, applied) = (self.live.get(theirs), self.applied.get(theirs));
        self.merged.extend(merge_value(self.element, live, applied));
        self.at.1 += 1;
    }
}
