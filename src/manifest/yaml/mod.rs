//! YAML as kubectl and kustomize read it, and as `kubectl -o yaml` writes it.
//!
//! The two readers differ: kubectl's takes YAML 1.1's `yes` and `on` for truth and lets the last of
//! two equal keys win; kustomize's takes them for text and refuses the second key. Which one reads is
//! a [`Dialect`]. What is read is a tree of [`Node`]s that remember where they stand, so that a
//! mistake in a file can be pointed at; [`Node::value`] is the JSON.
//!
//! Bad text is refused quickly whatever it is: longer than [`MAX_BYTES`], deeper than [`MAX_DEPTH`],
//! or aliases that expand without end.

mod edit;
mod folded;
mod parse;
mod scalar;
mod timestamp;
mod write;

use std::fmt;

use serde_json::{Map, Value};

pub use parse::{MAX_BYTES, MAX_DEPTH};
pub use scalar::{Scalar, Tag};
pub use write::to_string;

/// Whose YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// kubectl's and the API server's: YAML 1.1, the last of two equal keys wins.
    Kubectl,
    /// kustomize's, and so Flux's: `yes` is text, equal keys are a mistake, a date is a time, and folded
    /// text is what kustomize makes of it.
    Kustomize,
    /// What one expects: `yes` is text, equal keys are a mistake, a date is text, keys are text.
    Plain,
}

/// A line and a column of a text, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A value of a YAML text, and where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub content: Content,
    /// Where it starts.
    pub at: Position,
}

/// What a [`Node`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the order of the text; keys are unique.
    Mapping(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Node,
}

/// The key of a mapping's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key as text.
    pub text: String,
    /// Where it starts.
    pub at: Position,
}

/// One document of a text, as kubectl reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The line on which it starts, from 1.
    pub line: usize,
    /// The document as JSON.
    pub value: Value,
}

/// Text that is no YAML, or more than will be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}; {remedy}")]
pub struct YamlError {
    /// The file, as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// The documents of a text as kubectl reads them; empty ones are left out.
///
/// ```
/// use driftlab::manifest::yaml;
/// let documents = yaml::documents("web.yaml", "mode: 0644\n---\n---\nready: yes\n")?;
/// assert_eq!(documents[0].value, serde_json::json!({"mode": 420}));
/// assert_eq!((documents[1].line, &documents[1].value["ready"]), (4, &true.into()));
/// # Ok::<(), yaml::YamlError>(())
/// ```
///
/// # Errors
///
/// When the text is no YAML, holds what JSON cannot, or is too large, too deep or expands too far.
pub fn documents(file: &str, text: &str) -> Result<Vec<Document>, YamlError> {
    let nodes = nodes(file, text, Dialect::Kubectl)?;
    Ok(nodes.iter().map(|node| Document { line: node.at.line, value: node.value() }).collect())
}

/// The documents of a text as trees that know their places; empty ones are left out.
///
/// ```
/// use driftlab::manifest::yaml::{self, Dialect, Position};
/// let text = "steps:\n- at: 2m\n- at: soon\n";
/// let scenario = &yaml::nodes("day2.yaml", text, Dialect::Kubectl)?[0];
/// let mistake = scenario.find(&["steps", "1", "at"]).unwrap();
/// assert_eq!((mistake.as_str(), mistake.at), (Some("soon"), Position { line: 3, column: 7 }));
/// # Ok::<(), yaml::YamlError>(())
/// ```
///
/// # Errors
///
/// As [`documents`].
pub fn nodes(file: &str, text: &str, dialect: Dialect) -> Result<Vec<Node>, YamlError> {
    let mut nodes = parse::parse(file, text, dialect)?;
    nodes.retain(|node| !node.is_null());
    Ok(nodes)
}

impl Position {
    /// The first character.
    pub const START: Position = Position { line: 1, column: 1 };
}

/// `line:column`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Node {
    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a mapping, for the place of its key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key.text == key)
    }

    /// The node at a path of keys and list positions.
    pub fn find(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, step| match &node.content {
            Content::Sequence(items) => items.get(step.parse::<usize>().ok()?),
            _ => node.get(step),
        })
    }

    /// The entries of a mapping; empty for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; empty for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.content {
            Content::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar that is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Scalar { text, tag: Tag::Str }) => Some(text),
            _ => None,
        }
    }

    /// Whether it is null: `~`, `null`, or nothing at all.
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(scalar) if scalar.tag == Tag::Null)
    }

    /// The value as JSON.
    pub fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(scalar) => scalar.value().unwrap_or(Value::Null),
            Content::Sequence(items) => items.iter().map(Node::value).collect(),
            Content::Mapping(entries) => {
                let fields = entries.iter().map(|e| (e.key.text.clone(), e.value.value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str, dialect: Dialect) -> Result<Vec<Value>, String> {
        let values = |nodes: Vec<Node>| nodes.iter().map(Node::value).collect();
        nodes("f", text, dialect).map(values).map_err(|e| e.to_string())
    }

    #[test]
    fn nodes_know_their_places() {
        let text = "a: 1\nb:\n- x\n- {w: \"é\", z: q}\n--- # next\nc: d\n";
        let nodes = nodes("f", text, Dialect::Kubectl).unwrap();
        let at = |node: &Node| (node.at.line, node.at.column);
        assert_eq!(at(nodes[0].find(&["b", "1", "z"]).unwrap()), (4, 15));
        assert_eq!(nodes[0].entry("b").unwrap().key.at, Position { line: 2, column: 1 });
        assert_eq!(at(&nodes[1]), (6, 1));
        assert_eq!(nodes[0].value(), json!({"a": 1, "b": ["x", {"w": "é", "z": "q"}]}));
    }

    #[test]
    fn kubectl_lets_merges_override_what_stands_above_and_kustomize_does_not() {
        let text = "base: &b {a: 2, c: 3}\nup: {a: 1, <<: *b}\ndown: {<<: *b, a: 1}\nboth: {<<: [*b, {a: 9, d: 4}]}";
        let kubectl = read(text, Dialect::Kubectl).unwrap().remove(0);
        let kustomize = read(text, Dialect::Kustomize).unwrap().remove(0);
        assert_eq!((&kubectl["up"]["a"], &kustomize["up"]["a"]), (&json!(2), &json!(1)));
        for read in [kubectl, kustomize] {
            assert_eq!(read["down"], json!({"a": 1, "c": 3}));
            assert_eq!(read["both"], json!({"a": 2, "c": 3, "d": 4}));
        }
    }

    #[test]
    fn bombs_are_refused_quickly_and_by_name() {
        let check = |text: String, message: &str| {
            let error = read(&text, Dialect::Kubectl).unwrap_err();
            assert!(error.contains(message), "{error}");
        };
        let laughs = (1..10).fold("a0: &a0 [lol]\n".to_owned(), |text, n| {
            let aliases = vec![format!("*a{}", n - 1); 9].join(",");
            format!("{text}a{n}: &a{n} [{aliases}]\n")
        });
        check(laughs, "anchors and aliases expand to more than 16 MiB");
        let long = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), vec!["*a"; 100].join(","));
        check(long, "anchors and aliases expand to more than 16 MiB");
        check("[".repeat(100_000), "nested more than 256 levels deep");
        check("- ".repeat(100_000), "nested more than 256 levels deep");
        check("a: &a [*a]".into(), "the alias stands inside its own anchor");
        check("x".repeat(MAX_BYTES + 1), "16 MiB of YAML; at most 16 MiB are read");
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read(&deep(200), Dialect::Kubectl).is_ok());
        let through_aliases =
            format!("a: &a {}\nb: {}*a{}", deep(200), "[".repeat(100), "]".repeat(100));
        check(through_aliases, "nested more than 256 levels deep");
    }

    #[test]
    fn mistakes_come_with_a_place_and_a_remedy() {
        let check = |text: &str, message: &str| {
            assert_eq!(read(text, Dialect::Kustomize).unwrap_err(), message);
        };
        check(
            "a: 1\na: 2",
            "f:2:1: the key \"a\" stands twice in one mapping; keep one of the two",
        );
        check("1: a", "f:1:1: 1 is no text, and only text can be a key; quote the key");
        check("~: a", "f:1:1: null can't be a key; quote the key");
        check("a: .inf", "f:1:4: .inf is no number that JSON can hold; quote it if it is text");
        check(
            "a: !!int b",
            "f:1:10: \"b\" is not what its tag says it is; correct the value, or take the tag away",
        );
        check(
            "<<: 3",
            "f:1:5: << takes a mapping, or a list of mappings; put an alias to a mapping here",
        );
        check("{[a]: b}", "f:1:2: a collection can't be a key; use text as the key");
    }
}
