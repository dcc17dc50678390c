//! A scenario file to a [`Scenario`], and its mistakes to their places.

mod decode;
mod expect;
mod fields;
mod forge;
mod node;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::node::{Node, Shape, Spot};
use super::mistake::{Mistake, Place};
use crate::sim::Scenario;
use crate::time::Duration;

/// A scenario as read, and where each part of it stands in the file.
pub(super) struct Read {
    pub(super) scenario: Scenario,
    pub(super) places: Places,
}

/// Where each part of a scenario stands in its file.
#[derive(Default)]
pub(super) struct Places {
    file: String,
    source: String,
    spots: BTreeMap<String, Spot>,
    /// Where each expectation of the scenario stands: steps have some too.
    expectations: Vec<String>,
}

/// Reads a scenario; `file` is its name for messages. All mistakes of form are found at once.
pub(super) fn read(file: &str, source: &str) -> Result<Read, Vec<Mistake>> {
    let root = node::parse(file, source).map_err(|mistake| vec![mistake])?;
    let mut reader = Reader { file, source, mistakes: Vec::new(), expectations: Vec::new() };
    let scenario = decode::scenario(&mut reader, &root);
    if !reader.mistakes.is_empty() {
        return Err(reader.mistakes);
    }
    let mut places = Places {
        file: file.into(),
        source: source.into(),
        spots: BTreeMap::new(),
        expectations: reader.expectations,
    };
    places.note(&root, "");
    Ok(Read { scenario, places })
}

/// What decoding shares.
pub(super) struct Reader<'a> {
    file: &'a str,
    source: &'a str,
    mistakes: Vec<Mistake>,
    /// The paths of the expectations read so far.
    expectations: Vec<String>,
}

impl Reader<'_> {
    fn mistake(&mut self, spot: Spot, mistake: Mistake) {
        self.mistakes.push(mistake.with_place(spot.place(self.file, self.source)));
    }

    fn wrong_shape(&mut self, node: &Node, path: &str, expected: &str) {
        let name = path.rsplit('.').next().unwrap_or(path);
        let message = format!("'{name}' is {}", node.word());
        self.mistake(
            node.place,
            Mistake::at(path, message).expected(format!("expected {expected}")),
        );
    }

    fn text(&mut self, node: &Node, path: &str) -> String {
        match &node.shape {
            Shape::Text(text) => text.clone(),
            Shape::Number(number) => number.to_string(),
            Shape::Bool(flag) => flag.to_string(),
            _ => {
                self.wrong_shape(node, path, "a text");
                String::new()
            }
        }
    }

    fn duration(&mut self, node: &Node, path: &str) -> Option<Duration> {
        let text = self.text(node, path);
        match text.parse() {
            Ok(duration) => Some(duration),
            Err(_) => {
                let mistake = Mistake::at(path, format!("{text:?} is no time"))
                    .expected("expected a time since the start, such as 30s, 2m or 1h30m");
                self.mistake(node.place, mistake);
                None
            }
        }
    }
}

impl Places {
    fn note(&mut self, node: &Node, path: &str) {
        self.spots.insert(path.into(), node.place);
        match &node.shape {
            Shape::Map(fields) => {
                for (key, _, child) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.note(child, &format!("{path}{dot}{key}"));
                }
            }
            Shape::List(items) => {
                for (i, child) in items.iter().enumerate() {
                    self.note(child, &format!("{path}[{i}]"));
                }
            }
            _ => {}
        }
    }

    /// A mistake in a part of the scenario, moved to where that part stands in the file.
    pub(super) fn locate(&self, mut mistake: Mistake) -> Mistake {
        mistake.place.path = self.in_file(&mistake.place.path);
        let Some(spot) = self.nearest(&mistake.place.path) else { return mistake };
        let inner = &mistake.place;
        let spot = match inner.line {
            0 => spot,
            line => self.within(spot, line - 1, inner.column - 1, inner.length),
        };
        mistake.place = Place { path: inner.path.clone(), ..spot.place(&self.file, &self.source) };
        mistake
    }

    /// The path in the file of a path in the scenario.
    fn in_file(&self, path: &str) -> String {
        let index = path.strip_prefix("expect[").and_then(|rest| rest.split_once(']'));
        let found = index.and_then(|(index, rest)| {
            let place = self.expectations.get(index.parse::<usize>().ok()?)?;
            Some(format!("{place}{rest}"))
        });
        found.unwrap_or_else(|| path.to_owned())
    }

    /// The place of a part, or of the smallest one around it.
    fn nearest(&self, path: &str) -> Option<Spot> {
        let mut path = path;
        loop {
            if let Some(spot) = self.spots.get(path) {
                return Some(*spot);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// The place of a line and a column within a text. A block's place is where its first line begins.
    fn within(&self, spot: Spot, line: usize, column: usize, length: usize) -> Spot {
        let text = self.source.lines().nth(spot.line - 1).unwrap_or_default();
        let begin: String = text.chars().skip(spot.column - 1).take(1).collect();
        let quote = usize::from(begin == "'" || begin == "\"");
        let indent = spot.column.max(text.len() - text.trim_start().len() + 1);
        match line {
            0 if quote == 1 => Spot { line: spot.line, column: spot.column + 1 + column, length },
            0 => Spot { line: spot.line, column: spot.column + column, length },
            _ => Spot { line: spot.line + line, column: indent + column, length },
        }
    }
}
