//! YAML with the place of every part.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

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
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let parsed: Result<Spanned<Inner>, _> = serde_saphyr::from_str_with_options(source, options);
    match parsed {
        Ok(spanned) => Ok(node(spanned)),
        Err(error) => {
            let spot = error.location().map_or(Spot::default(), |location| Spot {
                line: location.line() as usize,
                column: location.column() as usize,
                length: 1,
            });
            let message = error.without_snippet().to_string();
            Err(Mistake::at("", first_line(&message)).with_place(spot.place(file, source)))
        }
    }
}

/// The sentence, without what only a caller of the library could do about it.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or("not YAML");
    let end = [" at line ", ", set DuplicateKeyPolicy"].iter().filter_map(|tail| line.find(tail));
    line[..end.min().unwrap_or(line.len())].to_owned()
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

/// What serde fills; the spans are made into [`Spot`]s afterwards.
enum Inner {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Inner>>),
    Map(Vec<(Spanned<String>, Spanned<Inner>)>),
}

fn node(spanned: Spanned<Inner>) -> Node {
    let place = spot(&spanned.referenced);
    let shape = match spanned.value {
        Inner::Null => Shape::Null,
        Inner::Bool(flag) => Shape::Bool(flag),
        Inner::Number(number) => Shape::Number(number),
        Inner::Text(text) => Shape::Text(text),
        Inner::List(items) => Shape::List(items.into_iter().map(node).collect()),
        Inner::Map(fields) => Shape::Map(
            fields
                .into_iter()
                .map(|(key, value)| (key.value, spot(&key.referenced), node(value)))
                .collect(),
        ),
    };
    Node { shape, place }
}

fn spot(location: &serde_saphyr::Location) -> Spot {
    Spot {
        line: location.line() as usize,
        column: location.column() as usize,
        length: location.span().len() as usize,
    }
}

impl<'de> Deserialize<'de> for Inner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InnerVisitor)
    }
}

struct InnerVisitor;

impl<'de> Visitor<'de> for InnerVisitor {
    type Value = Inner;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E: Error>(self) -> Result<Inner, E> {
        Ok(Inner::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Inner, E> {
        Ok(Inner::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Inner, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Inner, E> {
        Ok(Inner::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Inner, E> {
        Ok(Inner::Number(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Inner, E> {
        Ok(Inner::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Inner, E> {
        Number::from_f64(number)
            .map(Inner::Number)
            .ok_or_else(|| E::custom("a number that is infinite, or none at all"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Inner, E> {
        Ok(Inner::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Inner, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Inner::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Inner, A::Error> {
        let mut map = Vec::new();
        while let Some(field) = fields.next_entry()? {
            map.push(field);
        }
        Ok(Inner::Map(map))
    }
}
