//! Changing a tree of nodes, and making one.

use serde_json::Value;

use super::{Content, Entry, Key, Node, Position, Scalar, Tag};

impl Node {
    /// A node that stands nowhere in particular.
    pub(crate) fn new(content: Content) -> Self {
        Node { content, at: Position::START }
    }

    /// Text.
    pub(crate) fn string(text: impl Into<String>) -> Self {
        Node::new(Content::Scalar(Scalar::text(text)))
    }

    /// An empty mapping.
    pub(crate) fn mapping() -> Self {
        Node::new(Content::Mapping(Vec::new()))
    }

    /// An empty list.
    pub(crate) fn sequence() -> Self {
        Node::new(Content::Sequence(Vec::new()))
    }

    /// JSON as nodes.
    pub(crate) fn from_value(value: &Value) -> Self {
        let scalar = |text: String, tag: Tag| Content::Scalar(Scalar { text, tag });
        Node::new(match value {
            Value::Null => scalar("null".into(), Tag::Null),
            Value::Bool(truth) => scalar(truth.to_string(), Tag::Bool),
            Value::Number(number) if number.is_f64() => scalar(number.to_string(), Tag::Float),
            Value::Number(number) => scalar(number.to_string(), Tag::Int),
            Value::String(text) => scalar(text.clone(), Tag::Str),
            Value::Array(items) => Content::Sequence(items.iter().map(Node::from_value).collect()),
            Value::Object(fields) => Content::Mapping(
                fields
                    .iter()
                    .map(|(key, value)| Entry::new(key, Node::from_value(value)))
                    .collect(),
            ),
        })
    }

    /// The first scalar below whose text does not fit its tag: it has no JSON.
    pub(crate) fn unfit(&self) -> Option<&Scalar> {
        match &self.content {
            Content::Scalar(scalar) => scalar.value().is_none().then_some(scalar),
            Content::Sequence(items) => items.iter().find_map(Node::unfit),
            Content::Mapping(entries) => entries.iter().find_map(|entry| entry.value.unfit()),
        }
    }

    /// The text of a scalar, whatever it is of; empty for anything else.
    pub(crate) fn raw(&self) -> &str {
        self.as_scalar().map_or("", |scalar| &scalar.text)
    }

    pub(crate) fn as_scalar(&self) -> Option<&Scalar> {
        match &self.content {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub(crate) fn is_mapping(&self) -> bool {
        matches!(self.content, Content::Mapping(_))
    }

    pub(crate) fn is_sequence(&self) -> bool {
        matches!(self.content, Content::Sequence(_))
    }

    /// Whether it is null, or a collection with nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.content {
            Content::Scalar(scalar) => scalar.tag == Tag::Null,
            Content::Sequence(items) => items.is_empty(),
            Content::Mapping(entries) => entries.is_empty(),
        }
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let entries = self.entries_mut()?;
        entries.iter_mut().find(|entry| entry.key.text == key).map(|entry| &mut entry.value)
    }

    pub(crate) fn entries_mut(&mut self) -> Option<&mut Vec<Entry>> {
        match &mut self.content {
            Content::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn items_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.content {
            Content::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// Sets an entry of a mapping; anything else is left as it is.
    pub(crate) fn set(&mut self, key: &str, value: Node) {
        let Some(entries) = self.entries_mut() else { return };
        match entries.iter_mut().find(|entry| entry.key.text == key) {
            Some(entry) => entry.value = value,
            None => entries.push(Entry::new(key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Node> {
        let entries = self.entries_mut()?;
        let at = entries.iter().position(|entry| entry.key.text == key)?;
        Some(entries.remove(at).value)
    }

    /// The mapping under a key, made when the key is missing or null; `None` when something else stands
    /// there, or this is no mapping.
    pub(crate) fn mapping_at(&mut self, key: &str) -> Option<&mut Node> {
        if self.get(key).is_none_or(Node::is_null) {
            self.set(key, Node::mapping());
        }
        self.get_mut(key).filter(|node| node.is_mapping())
    }
}

impl Entry {
    pub(crate) fn new(key: &str, value: Node) -> Self {
        Entry { key: Key { text: key.into(), at: Position::START }, value }
    }
}
