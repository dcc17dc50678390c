//! YAML with the place of every part.

use serde_json::{Number, Value};

use crate::manifest::yaml::{self, Content, Dialect, Key};
use crate::scenario::mistake::{Mistake, Place};

/// A part of a YAML document, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) shape: Shape,
    pub(super) place: Spot,
}

/// What a part is.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    /// Keys in the order written, each with its place.
    Map(Vec<(String, Spot, Node)>),
}

/// A line and a column, both from 1, and how many characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) length: usize,
}

/// Reads one document.
pub(super) fn parse(file: &str, source: &str) -> Result<Node, Mistake> {
    let documents = yaml::nodes(file, source, Dialect::Plain).map_err(|error| {
        let spot = Spot { line: error.line, column: error.column, length: 1 };
        Mistake::at("", error.message).hint(error.remedy).with_place(spot.place(file, source))
    })?;
    match &documents[..] {
        [] => Ok(Node { shape: Shape::Null, place: Spot { line: 1, column: 1, length: 1 } }),
        [document] => Ok(node(document)),
        [_, second, ..] => {
            let spot = Spot { line: second.at.line, column: second.at.column, length: 1 };
            Err(Mistake::at("", "a second document")
                .expected("expected one scenario a file")
                .with_place(spot.place(file, source)))
        }
    }
}

impl Spot {
    /// The place in a file, with the text of its line.
    pub(super) fn place(self, file: &str, source: &str) -> Place {
        let text = source.lines().nth(self.line.saturating_sub(1)).unwrap_or_default();
        let rest = text.chars().count().saturating_sub(self.column.saturating_sub(1));
        Place {
            file: file.into(),
            line: self.line,
            column: self.column,
            length: self.length.min(rest).max(1),
            text: text.trim_end().into(),
            path: String::new(),
        }
    }
}

impl Node {
    /// What it is, in a word for messages.
    pub(super) fn word(&self) -> &'static str {
        match self.shape {
            Shape::Null => "nothing",
            Shape::Bool(_) => "true or false",
            Shape::Number(_) => "a number",
            Shape::Text(_) => "a text",
            Shape::List(_) => "a list",
            Shape::Map(_) => "a map",
        }
    }

    /// The same without places.
    pub(super) fn value(&self) -> Value {
        match &self.shape {
            Shape::Null => Value::Null,
            Shape::Bool(flag) => Value::Bool(*flag),
            Shape::Number(number) => Value::Number(number.clone()),
            Shape::Text(text) => Value::String(text.clone()),
            Shape::List(items) => items.iter().map(Node::value).collect(),
            Shape::Map(fields) => {
                fields.iter().map(|(key, _, node)| (key.clone(), node.value())).collect()
            }
        }
    }
}

fn node(node: &yaml::Node) -> Node {
    let place = |length: usize| Spot { line: node.at.line, column: node.at.column, length };
    match &node.content {
        Content::Scalar(scalar) => {
            let shape = match scalar.value() {
                Some(Value::Bool(flag)) => Shape::Bool(flag),
                Some(Value::Number(number)) => Shape::Number(number),
                Some(Value::Null) => Shape::Null,
                _ => Shape::Text(scalar.text.clone()),
            };
            Node { shape, place: place(scalar.text.chars().count()) }
        }
        Content::Sequence(items) => {
            Node { shape: Shape::List(items.iter().map(self::node).collect()), place: place(1) }
        }
        Content::Mapping(entries) => {
            let fields = entries.iter().map(|entry| {
                let Key { text, at } = &entry.key;
                let spot = Spot { line: at.line, column: at.column, length: text.chars().count() };
                (text.clone(), spot, self::node(&entry.value))
            });
            Node { shape: Shape::Map(fields.collect()), place: place(1) }
        }
    }
}
