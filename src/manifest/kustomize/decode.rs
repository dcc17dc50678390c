//! Reads the fields of a mapping one by one, and complains where they stand.

use std::collections::BTreeMap;

use crate::manifest::Mistake;
use crate::manifest::yaml::{Entry, Node, Tag};

/// A mapping being read: every field is asked for by name, and [`Fields::finish`] refuses the rest.
pub(super) struct Fields<'a> {
    file: &'a str,
    node: &'a Node,
    /// What the mapping is, for people.
    what: &'static str,
    known: Vec<&'static str>,
}

/// A text, and the line it stands on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line<T> {
    pub(super) value: T,
    pub(super) line: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn of(file: &'a str, node: &'a Node, what: &'static str) -> Result<Self, Mistake> {
        if node.is_mapping() || node.is_null() {
            return Ok(Fields { file, node, what, known: Vec::new() });
        }
        let message = format!("{what} is a mapping of fields, not {}", shape(node));
        Err(Mistake::new(file, node.at.line, message, "write field: value"))
    }

    /// Text; empty when missing.
    pub(super) fn text(&mut self, name: &'static str) -> Result<String, Mistake> {
        let Some(node) = self.value(name) else { return Ok(String::new()) };
        self.text_of(node, name)
    }

    /// A whole number; 0 when missing.
    pub(super) fn whole(&mut self, name: &'static str) -> Result<i64, Mistake> {
        let Some(node) = self.value(name) else { return Ok(0) };
        node.value().as_i64().ok_or_else(|| self.wrong(node, name, "a whole number"))
    }

    /// True or false; false when missing.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, Mistake> {
        let Some(node) = self.value(name) else { return Ok(false) };
        node.value().as_bool().ok_or_else(|| self.wrong(node, name, "true or false"))
    }

    /// A list of texts, with their lines; empty when missing.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<Line<String>>, Mistake> {
        let items = self.items(name)?.iter();
        items
            .map(|item| Ok(Line { value: self.text_of(item, name)?, line: item.at.line }))
            .collect()
    }

    /// A mapping of texts; empty when missing.
    pub(super) fn text_map(
        &mut self,
        name: &'static str,
    ) -> Result<BTreeMap<String, String>, Mistake> {
        let Some(node) = self.value(name) else { return Ok(BTreeMap::new()) };
        if !node.is_mapping() {
            return Err(self.wrong(node, name, "a mapping"));
        }
        let entry = |entry: &Entry| Ok((entry.key.text.clone(), self.text_of(&entry.value, name)?));
        node.entries().iter().map(entry).collect()
    }

    /// A mapping of flags; empty when missing.
    pub(super) fn flags(&mut self, name: &'static str) -> Result<BTreeMap<String, bool>, Mistake> {
        let Some(node) = self.value(name) else { return Ok(BTreeMap::new()) };
        let entry = |entry: &Entry| {
            let flag = entry.value.value().as_bool();
            let flag = flag.ok_or_else(|| self.wrong(&entry.value, name, "true or false"))?;
            Ok((entry.key.text.clone(), flag))
        };
        node.entries().iter().map(entry).collect()
    }

    /// A list whose items `read` reads; empty when missing.
    pub(super) fn each<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&'a str, &'a Node) -> Result<T, Mistake>,
    ) -> Result<Vec<T>, Mistake> {
        self.items(name)?.iter().map(|item| read(self.file, item)).collect()
    }

    /// A value that `read` reads, when it is there.
    pub(super) fn one<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&'a str, &'a Node) -> Result<T, Mistake>,
    ) -> Result<Option<T>, Mistake> {
        self.value(name).map(|node| read(self.file, node)).transpose()
    }

    /// The value of a field, unless it is missing or null.
    pub(super) fn value(&mut self, name: &'static str) -> Option<&'a Node> {
        self.known.push(name);
        let entries = self.node.entries();
        let named = |entry: &&Entry| entry.key.text.eq_ignore_ascii_case(name);
        let exact = entries.iter().find(|entry| entry.key.text == name);
        exact
            .or_else(|| entries.iter().find(named))
            .map(|e| &e.value)
            .filter(|node| !node.is_null())
    }

    /// The line on which the mapping starts.
    pub(super) fn line(&self) -> usize {
        self.node.at.line
    }

    /// Refuses fields that nobody asked for.
    pub(super) fn finish(self) -> Result<(), Mistake> {
        let is_known = |entry: &&Entry| {
            self.known.iter().any(|name| entry.key.text.eq_ignore_ascii_case(name))
        };
        let Some(unknown) = self.node.entries().iter().find(|entry| !is_known(entry)) else {
            return Ok(());
        };
        let name = &unknown.key.text;
        let message = format!("{} has no field {name:?}", self.what);
        let remedy = match nearest(name, &self.known) {
            Some(known) => format!("did you mean {known:?}?"),
            None => format!("its fields are {}", self.known.join(", ")),
        };
        Err(Mistake::new(self.file, unknown.key.at.line, message, remedy))
    }

    fn items(&mut self, name: &'static str) -> Result<&'a [Node], Mistake> {
        match self.value(name) {
            Some(node) if node.is_sequence() => Ok(node.items()),
            Some(node) => Err(self.wrong(node, name, "a list")),
            None => Ok(&[]),
        }
    }

    fn text_of(&self, node: &Node, name: &str) -> Result<String, Mistake> {
        match node.as_scalar() {
            Some(scalar) if scalar.tag == Tag::Str => Ok(scalar.text.clone()),
            Some(scalar) if scalar.tag == Tag::Null => Ok(String::new()),
            Some(scalar) => {
                let message = format!("{name} of {} is text, not {}", self.what, shape(node));
                let remedy = format!("quote it: \"{}\"", scalar.text);
                Err(Mistake::new(self.file, node.at.line, message, remedy))
            }
            None => Err(self.wrong(node, name, "text")),
        }
    }

    fn wrong(&self, node: &Node, name: &str, wanted: &str) -> Mistake {
        let message = format!("{name} of {} is {wanted}, not {}", self.what, shape(node));
        Mistake::new(self.file, node.at.line, message, format!("write {wanted} here"))
    }
}

fn shape(node: &Node) -> String {
    match node.as_scalar() {
        Some(scalar) if scalar.tag == Tag::Str => format!("the text {:?}", scalar.text),
        Some(scalar) => scalar.text.clone(),
        None if node.is_mapping() => "a mapping".into(),
        None => "a list".into(),
    }
}

/// The name that few changes of a letter lead to.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let distances = known.iter().map(|known| (distance(name, known), *known));
    distances.min().filter(|(distance, _)| *distance <= 2).map(|(_, known)| known)
}

/// How many letters must be changed, added or left out (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::yaml::{Dialect, nodes};

    #[test]
    fn mistakes_name_the_line_and_the_remedy() {
        let check = |text: &str, mistake: &str| {
            let node = nodes("k.yaml", text, Dialect::Kubectl).unwrap().remove(0);
            let read = || {
                let mut fields = Fields::of("k.yaml", &node, "an image")?;
                fields.text("newTag")?;
                fields.whole("count")?;
                fields.texts("list")?;
                fields.finish()
            };
            assert_eq!(read().map_err(|m| m.to_string()), Err(mistake.into()));
        };
        check("newTag: 1.27", "k.yaml:1: newTag of an image is text, not 1.27; quote it: \"1.27\"");
        check("\nnewtag: yes", "k.yaml:2: newTag of an image is text, not yes; quote it: \"yes\"");
        check("newTga: a", "k.yaml:1: an image has no field \"newTga\"; did you mean \"newTag\"?");
        check(
            "other: a",
            "k.yaml:1: an image has no field \"other\"; its fields are newTag, count, list",
        );
        check(
            "count: a",
            "k.yaml:1: count of an image is a whole number, not the text \"a\"; write a whole number here",
        );
        check("list: {}", "k.yaml:1: list of an image is a list, not a mapping; write a list here");
        check("- a", "k.yaml:1: an image is a mapping of fields, not a list; write field: value");
    }
}
