//! The fields of a map, each asked for by name; what is left over is a mistake.

use serde_json::Value;

use super::Reader;
use super::node::{Node, Shape, Spot};
use crate::scenario::mistake::Mistake;
use crate::time::Duration;

/// The fields of a map, and where it stands in the scenario.
pub(super) struct Fields<'a> {
    pub(super) path: String,
    pub(super) place: Spot,
    fields: &'a [(String, Spot, Node)],
}

impl<'a> Fields<'a> {
    /// The fields of a node, all of which must be known; `what` names the thing for messages.
    pub(super) fn of(
        reader: &mut Reader<'_>,
        node: &'a Node,
        path: &str,
        what: &str,
        known: &[&str],
    ) -> Self {
        let fields = Self::open(reader, node, path, what);
        for (key, spot, _) in fields.fields {
            if !known.contains(&key.as_str()) {
                let mistake = Mistake::at(path, format!("unknown key '{key}' in {what}"))
                    .expected(format!("expected one of: {}", known.join(", ")))
                    .did_you_mean(key, known.iter().copied());
                reader.mistake(*spot, mistake);
            }
        }
        fields
    }

    /// The fields of a node whose keys are names.
    pub(super) fn open(reader: &mut Reader<'_>, node: &'a Node, path: &str, what: &str) -> Self {
        let fields: &[_] = match &node.shape {
            Shape::Map(fields) => fields,
            Shape::Null => &[],
            _ => {
                reader.wrong_shape(node, path, &format!("a map: {what}"));
                &[]
            }
        };
        Fields { path: path.to_owned(), place: node.place, fields }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, Spot, &'a Node)> + use<'a> {
        self.fields.iter().map(|(key, spot, node)| (key.as_str(), *spot, node))
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.fields.iter().find(|(name, ..)| name == key).map(|(.., node)| node)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Where a key stands.
    pub(super) fn key_place(&self, key: &str) -> Spot {
        let found = self.fields.iter().find(|(name, ..)| name == key);
        found.map_or(self.place, |(_, spot, _)| *spot)
    }

    /// The path of a field.
    pub(super) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A text; empty when it is not there.
    pub(super) fn text(&self, reader: &mut Reader<'_>, key: &str) -> String {
        self.get(key).map(|node| reader.text(node, &self.at(key))).unwrap_or_default()
    }

    /// A text that must be there.
    pub(super) fn needed_text(&self, reader: &mut Reader<'_>, key: &str) -> String {
        if !self.has(key) {
            let mistake = Mistake::at(self.path.clone(), format!("'{key}' is missing"));
            reader.mistake(Spot { length: 1, ..self.place }, mistake);
        }
        self.text(reader, key)
    }

    pub(super) fn duration(&self, reader: &mut Reader<'_>, key: &str) -> Option<Duration> {
        let node = self.get(key)?;
        reader.duration(node, &self.at(key))
    }

    pub(super) fn flag(&self, reader: &mut Reader<'_>, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        match node.shape {
            Shape::Bool(flag) => Some(flag),
            _ => {
                reader.wrong_shape(node, &self.at(key), "true or false");
                None
            }
        }
    }

    pub(super) fn number(&self, reader: &mut Reader<'_>, key: &str) -> Option<u64> {
        let node = self.get(key)?;
        match &node.shape {
            Shape::Number(number) if number.as_u64().is_some() => number.as_u64(),
            _ => {
                reader.wrong_shape(node, &self.at(key), "a whole number");
                None
            }
        }
    }

    /// A list of texts, or one text alone.
    pub(super) fn texts(&self, reader: &mut Reader<'_>, key: &str) -> Vec<String> {
        let path = self.at(key);
        match self.get(key) {
            None => Vec::new(),
            Some(Node { shape: Shape::List(items), .. }) => items
                .iter()
                .enumerate()
                .map(|(i, item)| reader.text(item, &format!("{path}[{i}]")))
                .collect(),
            Some(node) => vec![reader.text(node, &path)],
        }
    }

    pub(super) fn value(&self, key: &str) -> Option<Value> {
        self.get(key).map(Node::value)
    }

    /// The items of a list; none when it is not there.
    pub(super) fn list(&self, reader: &mut Reader<'_>, key: &str) -> Vec<(String, &'a Node)> {
        let path = self.at(key);
        match self.get(key) {
            None | Some(Node { shape: Shape::Null, .. }) => Vec::new(),
            Some(Node { shape: Shape::List(items), .. }) => {
                items.iter().enumerate().map(|(i, item)| (format!("{path}[{i}]"), item)).collect()
            }
            Some(node) => {
                reader.wrong_shape(node, &path, "a list");
                Vec::new()
            }
        }
    }
}
