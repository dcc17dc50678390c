//! Which fields differ between two forms of an object.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::FieldSet;
use super::shape::{Fields, Shape, entries, item_element, items, same};
use crate::apiserver::schema::{ListType, Type};

/// The fields that differ; each in one set only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) removed: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) added: FieldSet,
}

impl Comparison {
    /// What changes from `old` to `new`.
    pub(super) fn of(ty: &Type, old: &Value, new: &Value) -> Self {
        let mut walk = Walk::default();
        walk.compare(ty, Some(old), Some(new));
        walk.found
    }

    /// Whether nothing differs.
    pub(super) fn is_same(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    /// The differences that are not at or below a path in `fields`.
    pub(super) fn without(&self, fields: &FieldSet) -> Self {
        Comparison {
            removed: self.removed.without(fields),
            modified: self.modified.without(fields),
            added: self.added.without(fields),
        }
    }
}

#[derive(Default)]
struct Walk<'a> {
    path: Vec<Element<'a>>,
    found: Comparison,
}

#[derive(Clone)]
enum Element<'a> {
    Field(&'a str),
    Item(String),
}

enum Change {
    Removed,
    Modified,
    Added,
}

impl<'a> Walk<'a> {
    fn compare(&mut self, ty: &Type, old: Option<&'a Value>, new: Option<&'a Value>) {
        let (old, new) = match (old, new) {
            (Some(old), Some(new)) if Shape::differs(ty, old, new) => {
                return self.compare_unlike(ty, old, new);
            }
            (Some(old), Some(new)) if old == new => return,
            sides => sides,
        };
        let Some(value) = new.or(old) else { return };
        let leaf = match Shape::of(ty, value) {
            Shape::Scalar | Shape::Atomic => true,
            Shape::Map(fields) => self.compare_entries(fields, entries(old), entries(new)),
            Shape::List(list) => self.compare_items(list, items(old), items(new)),
        };
        match (old, new) {
            (None, _) => self.note(Change::Added),
            (_, None) => self.note(Change::Removed),
            (Some(old), Some(new)) if leaf && !same(old, new) => self.note(Change::Modified),
            _ => {}
        }
    }

    /// Untyped values of different shapes: the field changed, what was in the old one is gone, what
    /// is in the new one is new.
    fn compare_unlike(&mut self, ty: &Type, old: &'a Value, new: &'a Value) {
        self.note(Change::Modified);
        if let Shape::Map(fields) = Shape::of(ty, old) {
            self.compare_entries(fields, entries(Some(old)), None);
        }
        if let Shape::Map(fields) = Shape::of(ty, new) {
            self.compare_entries(fields, None, entries(Some(new)));
        }
    }

    /// Whether both are empty: then the map itself is the leaf.
    fn compare_entries(
        &mut self,
        fields: Fields,
        old: Option<&'a Map<String, Value>>,
        new: Option<&'a Map<String, Value>>,
    ) -> bool {
        if old.is_none_or(Map::is_empty) && new.is_none_or(Map::is_empty) {
            return true;
        }
        for (name, old) in old.into_iter().flatten() {
            let new = new.and_then(|new| new.get(name));
            self.compare_entry(fields, name, Some(old), new);
        }
        for (name, new) in new.into_iter().flatten() {
            if !old.is_some_and(|old| old.contains_key(name)) {
                self.compare_entry(fields, name, None, Some(new));
            }
        }
        false
    }

    fn compare_entry(
        &mut self,
        fields: Fields,
        name: &'a str,
        old: Option<&'a Value>,
        new: Option<&'a Value>,
    ) {
        let Some(ty) = fields.child(name) else { return };
        self.path.push(Element::Field(name));
        self.compare(ty, old, new);
        self.path.pop();
    }

    /// Whether both are empty: then the list itself is the leaf.
    fn compare_items(&mut self, list: &ListType, old: &'a [Value], new: &'a [Value]) -> bool {
        if old.is_empty() && new.is_empty() {
            return true;
        }
        let mut elements: BTreeMap<String, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
        for item in old {
            let element = item_element(list, item).unwrap_or_default();
            elements.entry(element).or_default().0.push(item);
        }
        for item in new {
            let element = item_element(list, item).unwrap_or_default();
            elements.entry(element).or_default().1.push(item);
        }
        for (element, (old, new)) in elements {
            self.path.push(Element::Item(element));
            self.compare_same_element(list, &old, &new);
            self.path.pop();
        }
        false
    }

    /// Items of one element; more than one a side is a duplicate, and stands for the whole.
    fn compare_same_element(&mut self, list: &ListType, old: &[&'a Value], new: &[&'a Value]) {
        match (old, new) {
            ([] | [_], [] | [_]) => {
                self.compare(&list.element, old.first().copied(), new.first().copied())
            }
            ([_, _, ..], [_, _, ..]) => {
                let equal =
                    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| same(old, new));
                if !equal {
                    self.note(Change::Modified);
                }
            }
            (_, [] | [_]) => {
                if let [new] = new {
                    self.compare(&list.element, None, Some(new));
                }
                self.note(Change::Removed);
            }
            _ => {
                if let [old] = old {
                    self.compare(&list.element, Some(old), None);
                }
                self.note(Change::Added);
            }
        }
    }

    fn note(&mut self, change: Change) {
        let path: Vec<String> = self.path.iter().map(Element::to_string).collect();
        let set = match change {
            Change::Removed => &mut self.found.removed,
            Change::Modified => &mut self.found.modified,
            Change::Added => &mut self.found.added,
        };
        set.insert(&path);
    }
}

impl std::fmt::Display for Element<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Element::Field(name) => write!(f, "f:{name}"),
            Element::Item(element) => f.write_str(element),
        }
    }
}
