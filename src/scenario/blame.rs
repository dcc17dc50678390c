//! An object as it is, and beside each field who set it: a commit and a line, or somebody past Git.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::explain::{Explanation, Write, reference};
use super::mistake::Mistake;
use super::names::FieldPath;
use super::run::Run;
use crate::manifest::yaml::{self, Content, Dialect, Node};
use crate::object::ObjectRef;
use crate::report::clock;

/// The notes stand right of lines up to this long; of a longer one its own stands further right.
const MARGIN: usize = 56;

/// An object's manifest, line by line, and why each field is as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Blame {
    /// The object.
    pub object: ObjectRef,
    /// The lines of its manifest, without its managed fields.
    pub lines: Vec<BlamedLine>,
}

/// A line of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct BlamedLine {
    /// The line.
    pub yaml: String,
    /// Why the field that begins there is as it is; `None` for a line that has no value of its own.
    pub field: Option<Explanation>,
}

impl Run {
    /// Who set what of an object, named as for kubectl: `deployment/hello -n hello`.
    ///
    /// # Errors
    ///
    /// When the words name no object that is there.
    pub fn blame(&self, object: &str) -> Result<Blame, Mistake> {
        let object = self.object(object)?;
        let sources = self.sources(object);
        let mut bare = object.clone();
        bare.remove("metadata.managedFields");
        let text = yaml::to_string(bare.as_value());
        let mut paths = leaves(&text);
        let lines = text.lines().enumerate().map(|(i, line)| BlamedLine {
            yaml: line.to_owned(),
            field: paths
                .remove(&(i + 1))
                .map(|path| self.explained(object, &path, sources.as_ref())),
        });
        Ok(Blame { object: object.reference(), lines: lines.collect() })
    }
}

/// The fields that have a value of their own, by the line on which they begin.
fn leaves(text: &str) -> BTreeMap<usize, FieldPath> {
    let nodes = yaml::nodes("", text, Dialect::Kubectl).expect("what was written can be read");
    let mut found = BTreeMap::new();
    for node in &nodes {
        walk(node, &FieldPath::default(), &mut found);
    }
    found
}

fn walk(node: &Node, path: &FieldPath, found: &mut BTreeMap<usize, FieldPath>) {
    match &node.content {
        Content::Mapping(entries) if !entries.is_empty() => {
            for entry in entries {
                let within = path.field(&entry.key.text);
                if is_leaf(&entry.value) {
                    found.entry(entry.key.at.line).or_insert(within);
                } else {
                    walk(&entry.value, &within, found);
                }
            }
        }
        Content::Sequence(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &path.item_at(items, index), found);
            }
        }
        _ => {
            found.entry(node.at.line).or_insert_with(|| path.clone());
        }
    }
}

fn is_leaf(node: &Node) -> bool {
    node.entries().is_empty() && node.items().is_empty()
}

impl Blame {
    /// Whether somebody set a field of it past Git.
    pub fn is_past_git(&self) -> bool {
        self.explanations().any(is_by_hand)
    }

    /// As JSON, for programs: `object`, and `fields` as [`Explanation::to_json`] gives them. Fields are only
    /// ever added.
    pub fn to_json(&self) -> Value {
        let fields: Vec<Value> = self.explanations().map(Explanation::to_json).collect();
        json!({"object": reference(&self.object), "fields": fields})
    }

    fn explanations(&self) -> impl Iterator<Item = &Explanation> {
        self.lines.iter().filter_map(|line| line.field.as_ref())
    }
}

/// The manifest as YAML, with a comment at each field.
impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.lines.iter().map(|line| line.yaml.chars().count());
        let margin = widths.filter(|width| *width <= MARGIN).max().unwrap_or_default();
        for line in &self.lines {
            match &line.field {
                Some(field) => writeln!(f, "{:<margin$}  # {}", line.yaml, note(field))?,
                None => writeln!(f, "{}", line.yaml)?,
            }
        }
        Ok(())
    }
}

/// Whether somebody set it past Git, who is no controller.
fn is_by_hand(field: &Explanation) -> bool {
    field.is_past_git() && field.writes.last().is_some_and(Write::is_by_hand)
}

/// Who set a field, in few words.
fn note(field: &Explanation) -> String {
    const OF_THE_SERVER: [&str; 4] = [
        "metadata.creationTimestamp",
        "metadata.generation",
        "metadata.resourceVersion",
        "metadata.uid",
    ];
    if OF_THE_SERVER.contains(&field.field.as_str()) {
        return "the API server".into();
    }
    let line = field.origin.as_ref().and_then(|origin| origin.line.as_ref());
    match (field.writes.last(), line) {
        (Some(write), _) if is_by_hand(field) => {
            let (who, tool) = (&write.actor, write.tool());
            format!("not from Git: set by {who} with {tool} at +{}", clock(write.at))
        }
        (_, Some(line)) => {
            let author = line.author.split(" <").next().unwrap_or(&line.author);
            let reviewed =
                line.pull.as_ref().map_or(String::new(), |pull| format!(", #{}", pull.number));
            format!("{} {author}{reviewed}, {}:{}", &line.commit[..7], line.path, line.number)
        }
        _ if field.is_default() => "default".into(),
        (Some(write), None) => format!("{} at +{}", write.actor, clock(write.at)),
        (None, None) => "from the start".into(),
    }
}
