//! What a kustomization lists, and where.

use serde_json::Value;

use super::go_yaml::{self, Version};
use crate::git::Tree;
use crate::manifest::yaml::{self, Dialect, Node};
use crate::manifest::{Mistake, generated_resources};

/// The names that a kustomization file may have.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The fields of a kustomization that are lists of texts.
const LISTS: [&str; 8] = [
    "bases",
    "components",
    "configurations",
    "crds",
    "generators",
    "patchesStrategicMerge",
    "resources",
    "transformers",
];

/// The fields of a kustomization that are texts.
const TEXTS: [&str; 3] = ["namePrefix", "nameSuffix", "namespace"];

/// A kustomization: that of a file, or the one that Flux makes for a folder without.
pub(super) struct Outline {
    /// The file, as its path from the top of the tree.
    pub(super) file: String,
    pub(super) is_component: bool,
    pub(super) resources: Vec<Listed>,
    pub(super) components: Vec<Listed>,
    node: Node,
}

/// An entry of a list, and its line.
pub(super) struct Listed {
    pub(super) text: String,
    pub(super) line: usize,
}

/// The kustomization files of a folder.
pub(super) fn files(tree: &Tree, folder: &str) -> Vec<String> {
    let files = NAMES.iter().map(|name| join(folder, name));
    files.filter(|file| tree.file(file).is_some()).collect()
}

/// Whether a file of this name is a kustomization.
pub(super) fn is_kustomization(name: &str) -> bool {
    NAMES.contains(&name)
}

impl Outline {
    /// What the kustomization of a folder lists, if it can be read.
    pub(super) fn of(tree: &Tree, folder: &str) -> Option<Self> {
        match files(tree, folder).pop() {
            None => Some(Self::generated(&tree.folder(folder)?, folder)),
            Some(file) => {
                let nodes = yaml::nodes(&file, tree.text(&file)?, Dialect::Kubectl).ok()?;
                Some(Self::read(file, nodes.into_iter().next().unwrap_or_else(Node::mapping)))
            }
        }
    }

    fn read(file: String, node: Node) -> Self {
        let listed = |names: &[&str]| -> Vec<Listed> {
            let items = names.iter().filter_map(|name| node.get(name)).flat_map(Node::items);
            let listed = items.filter_map(|item| {
                Some(Listed { text: item.as_str()?.to_owned(), line: item.at.line })
            });
            listed.collect()
        };
        Outline {
            is_component: node.get("kind").and_then(Node::as_str) == Some("Component"),
            resources: listed(&["resources", "bases"]),
            components: listed(&["components"]),
            file,
            node,
        }
    }

    fn generated(folder: &Tree, path: &str) -> Self {
        let listed = |path: String| Listed { text: format!("./{path}"), line: 0 };
        let resources = generated_resources(folder).into_iter().map(listed).collect();
        Outline {
            file: join(path, NAMES[0]),
            is_component: false,
            resources,
            components: Vec::new(),
            node: Node::mapping(),
        }
    }

    /// The path from the top of the tree of what an entry names.
    pub(super) fn join(&self, entry: &str) -> String {
        join(self.file.rsplit_once('/').map_or("", |(folder, _)| folder), entry)
    }

    /// The value of a field.
    pub(super) fn get(&self, field: &str) -> Option<&Node> {
        self.node.get(field)
    }
}

/// What is wrong with the text of a kustomization that is no YAML. Its reader is go-yaml's second version,
/// which counts otherwise than the third.
pub(super) fn syntax(text: &str) -> Option<String> {
    let error = yaml::nodes("", text, Dialect::Kubectl).err()?;
    go_yaml::told(&error, text, Version::V2)
}

/// Why a kustomization that another one names cannot be read, if that is the mistake.
pub(super) fn unreadable(text: &str, mistake: &Mistake) -> Option<String> {
    let invalid = |why: String| format!("invalid Kustomization: {why}");
    if let Some(error) = syntax(text) {
        return Some(invalid(error));
    }
    let nodes = yaml::nodes("", text, Dialect::Kubectl).ok()?;
    if mistake.line == 0 && mistake.message.ends_with("is empty") {
        return Some("kustomization.yaml is empty".into());
    }
    let unknown = || {
        let is_unknown = mistake.message.contains("has no field");
        let entry = nodes.first()?.entries().iter().find(|e| e.key.at.line == mistake.line)?;
        is_unknown.then(|| format!("json: unknown field {:?}", entry.key.text))
    };
    unknown().or_else(|| type_error(text, mistake.line)).map(invalid)
}

/// That a field of a kustomization is of another type, in the words of `encoding/json`.
pub(super) fn type_error(text: &str, line: usize) -> Option<String> {
    let nodes = yaml::nodes("", text, Dialect::Kubectl).ok()?;
    nodes.first()?.entries().iter().filter(|entry| entry.value.at.line == line).find_map(|entry| {
        let (name, value) = (entry.key.text.as_str(), entry.value.value());
        let wanted = match value {
            Value::Array(_) if TEXTS.contains(&name) => "string",
            Value::Object(_) if TEXTS.contains(&name) => "string",
            Value::Array(_) | Value::Null => return None,
            _ if LISTS.contains(&name) => "[]string",
            _ => return None,
        };
        let found = shape(&value);
        Some(format!(
            "json: cannot unmarshal {found} into Go struct field Kustomization.{name} of type {wanted}"
        ))
    })
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A path below a folder, without `.` and `..`.
fn join(folder: &str, path: &str) -> String {
    super::super::build::normal_path(&format!("{folder}/{path}"))
}
