//! Sets of field paths, as `fieldsV1` writes them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Map, Value};

use crate::apiserver::schema::{Struct, Type};

/// A set of field paths: a tree whose edges are path elements in their `fieldsV1` form, such as
/// `f:spec`, `k:{"name":"app"}` or `v:"finalizer"`.
///
/// Source: KEP-555, and `fieldpath.Set` of structured-merge-diff.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet(BTreeMap<Box<str>, Node>);

/// What lies behind one path element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    /// Whether the path that ends here is in the set.
    member: bool,
    below: FieldSet,
}

/// A text that is no path element of `fieldsV1`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedFields(String);

impl FieldSet {
    /// The set that `fieldsV1` writes.
    ///
    /// # Errors
    ///
    /// When it is no object of objects, or an element cannot be read.
    pub fn decode(fields: &Value) -> Result<Self, MalformedFields> {
        let Value::Object(fields) = fields else {
            return Err(MalformedFields("expected an object".into()));
        };
        let mut set = FieldSet::default();
        for (element, below) in fields.iter().filter(|(element, _)| *element != ".") {
            let is_leaf = below.as_object().is_none_or(Map::is_empty);
            let member = is_leaf || below.get(".").is_some();
            let below = FieldSet::decode(below)?;
            if member || !below.is_empty() {
                set.0.insert(canonical(element)?, Node { member, below });
            }
        }
        Ok(set)
    }

    /// As `fieldsV1` writes it.
    pub fn encode(&self) -> Value {
        let entries = self.0.iter().map(|(element, node)| (element.to_string(), node.encode()));
        Value::Object(entries.collect())
    }

    /// Whether no path is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the path is in it.
    pub fn contains(&self, path: &[&str]) -> bool {
        match path {
            [] => false,
            [last] => self.has(last),
            [first, rest @ ..] => self.below(first).is_some_and(|set| set.contains(rest)),
        }
    }

    /// Whether the path of this one element is in it.
    pub(super) fn has(&self, element: &str) -> bool {
        self.0.get(element).is_some_and(|node| node.member)
    }

    /// What follows after this element, if anything.
    pub(super) fn below(&self, element: &str) -> Option<&FieldSet> {
        self.0.get(element).map(|node| &node.below).filter(|below| !below.is_empty())
    }

    /// Puts a path in.
    pub fn insert<S: AsRef<str>>(&mut self, path: &[S]) {
        let Some((first, rest)) = path.split_first() else { return };
        let node = self.node(first.as_ref());
        if rest.is_empty() {
            node.member = true;
        } else {
            node.below.insert(rest);
        }
    }

    /// Puts the path of this one element in, and everything in `below` after it.
    pub(super) fn add(&mut self, element: &str, member: bool, below: FieldSet) {
        if member || !below.is_empty() {
            let node = self.node(element);
            node.member |= member;
            node.below.union_with(below);
        }
    }

    fn node(&mut self, element: &str) -> &mut Node {
        if !self.0.contains_key(element) {
            self.0.insert(element.into(), Node::default());
        }
        self.0.get_mut(element).expect("just made")
    }

    /// Everything in either.
    pub fn union(mut self, other: &FieldSet) -> FieldSet {
        self.union_with(other.clone());
        self
    }

    fn union_with(&mut self, other: FieldSet) {
        if self.is_empty() {
            *self = other;
            return;
        }
        for (element, node) in other.0 {
            match self.0.entry(element) {
                Entry::Vacant(place) => {
                    place.insert(node);
                }
                Entry::Occupied(mut place) => {
                    let place = place.get_mut();
                    place.member |= node.member;
                    place.below.union_with(node.below);
                }
            }
        }
    }

    /// Everything in both.
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        self.combine(other, |node, with| {
            let with = with?;
            let below = node.below.intersection(&with.below);
            Some(Node { member: node.member && with.member, below })
        })
    }

    /// Everything here that is not in `other`, path by path.
    pub fn difference(&self, other: &FieldSet) -> FieldSet {
        self.combine(other, |node, with| {
            let Some(with) = with else { return Some(node.clone()) };
            let below = node.below.difference(&with.below);
            Some(Node { member: node.member && !with.member, below })
        })
    }

    /// Everything here that is neither in `other` nor below a path in it.
    pub fn without(&self, other: &FieldSet) -> FieldSet {
        self.combine(other, |node, with| match with {
            None => Some(node.clone()),
            Some(with) if with.member => None,
            Some(with) => {
                Some(Node { member: node.member, below: node.below.without(&with.below) })
            }
        })
    }

    fn combine(
        &self,
        other: &FieldSet,
        combine: impl Fn(&Node, Option<&Node>) -> Option<Node>,
    ) -> FieldSet {
        let nodes = self.0.iter().filter_map(|(element, node)| {
            let node = combine(node, other.0.get(element))?;
            let kept = node.member || !node.below.is_empty();
            kept.then(|| (element.clone(), node))
        });
        FieldSet(nodes.collect())
    }

    /// Adds every declared field that leads to a path in the set: a structure's field is removed and
    /// kept as one even when only what is in it was named.
    pub(super) fn with_named_fields(&self, ty: &Type) -> FieldSet {
        let nodes = self.0.iter().map(|(element, node)| {
            let declared = declared(ty, element);
            let below = node.below.with_named_fields(declared.unwrap_or_else(|| element_type(ty)));
            let member = node.member || declared.is_some() && !node.below.is_empty();
            (element.clone(), Node { member, below })
        });
        FieldSet(nodes.collect())
    }

    /// Every path in the set, as people read them (`.spec.containers[name="app"].image`): those that
    /// end at a level before those that go on.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        let here = |element: &str| format!("{prefix}{}", readable(element));
        let members = self.0.iter().filter(|(_, node)| node.member);
        paths.extend(members.map(|(element, _)| here(element)));
        for (element, node) in self.0.iter().filter(|(_, node)| !node.below.is_empty()) {
            node.below.collect_paths(&here(element), paths);
        }
    }
}

impl Node {
    fn encode(&self) -> Value {
        let mut value = self.below.encode();
        if self.member && !self.below.is_empty() {
            value["."] = Value::Object(Map::new());
        }
        value
    }
}

/// The type of the declared field that an element names.
fn declared<'a>(ty: &'a Type, element: &str) -> Option<&'a Type> {
    let structure: &Struct = ty.as_struct()?;
    structure.field(element.strip_prefix("f:")?).map(|field| &field.ty)
}

/// The type of what an element leads to in a list or map.
fn element_type(ty: &Type) -> &Type {
    match ty {
        Type::List(list) => &list.element,
        Type::Map(map) => &map.element,
        _ => &Type::Any,
    }
}

/// An element in the one form that we compare.
fn canonical(element: &str) -> Result<Box<str>, MalformedFields> {
    let malformed = || MalformedFields(format!("{element:?} is no path element"));
    let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| malformed());
    match element.split_once(':').ok_or_else(malformed)? {
        ("f", _) => Ok(element.into()),
        ("k", key) => match json(key)? {
            key @ Value::Object(_) => Ok(format!("k:{key}").into()),
            _ => Err(malformed()),
        },
        ("v", value) => Ok(format!("v:{}", json(value)?).into()),
        ("i", index) => {
            index.parse::<u32>().map(|i| format!("i:{i}").into()).map_err(|_| malformed())
        }
        _ => Err(malformed()),
    }
}

/// An element as a part of a path that people read.
pub(super) fn readable(element: &str) -> String {
    let (kind, rest) = element.split_once(':').unwrap_or(("f", element));
    match kind {
        "k" => {
            let key: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
            let parts: Vec<_> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("[{}]", parts.join(","))
        }
        "v" => format!("[={rest}]"),
        "i" => format!("[{rest}]"),
        _ => format!(".{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(fields: Value) -> FieldSet {
        FieldSet::decode(&fields).unwrap()
    }

    #[test]
    fn a_set_encodes_as_it_was_decoded() {
        let fields = json!({"f:data": {".": {}, "f:a": {}}, "f:spec": {"k:{\"name\":\"x\"}": {"f:y": {}}}, "v:1": {}});
        assert_eq!(set(fields.clone()).encode(), fields);
    }

    #[test]
    fn algebra_is_path_by_path() {
        let left = set(json!({"f:a": {".": {}, "f:b": {}, "f:c": {}}}));
        let right = set(json!({"f:a": {".": {}, "f:b": {}}}));
        assert_eq!(left.difference(&right), set(json!({"f:a": {"f:c": {}}})));
        assert_eq!(left.intersection(&right), right);
        assert_eq!(right.union(&left), left);
        assert!(left.without(&set(json!({"f:a": {}}))).is_empty());
    }

    #[test]
    fn paths_read_as_conflicts_name_them() {
        let fields = json!({"f:spec": {"k:{\"name\":\"app\",\"port\":80}": {"f:image": {}}}, "f:finalizers": {"v:\"x\"": {}}});
        assert_eq!(
            set(fields).paths(),
            [".finalizers[=\"x\"]", ".spec[name=\"app\",port=80].image"]
        );
    }

    #[test]
    fn elements_that_cannot_be_read_are_refused() {
        for bad in [json!({"spec": {}}), json!({"k:1": {}}), json!({"x:1": {}}), json!([])] {
            assert!(FieldSet::decode(&bad).is_err(), "{bad}");
        }
    }
}
