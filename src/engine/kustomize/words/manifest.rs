//! What is wrong with a manifest, in the words of kustomize's `kyaml`.

use serde_json::Value;

use super::go_yaml::{self, Version};
use crate::manifest::yaml::{self, Content, Dialect, Node};
use crate::object::GroupVersionKind;

/// What is wrong with the object on a line of a file of manifests; `None` when that is something else.
pub(super) fn problem(text: &str, line: usize) -> Option<String> {
    match yaml::nodes("", text, Dialect::Kustomize) {
        Err(error) if error.message.ends_with("stands twice in one mapping") => None,
        Err(error) => {
            let told = go_yaml::told(&error, text, Version::V3)?;
            Some(format!("MalformedYAMLError: {told}"))
        }
        Ok(nodes) => nodes.iter().flat_map(parts).find(|node| node.at.line == line).and_then(lack),
    }
}

/// The object on a line of a file of manifests.
pub(super) fn value(text: &str, line: usize) -> Option<Value> {
    let nodes = yaml::nodes("", text, Dialect::Kustomize).ok()?;
    nodes.iter().flat_map(parts).find(|node| node.at.line == line).map(Node::value)
}

/// `ConfigMap.v1.[noGrp]/name.namespace`: what an object is called by kustomize's `resid`.
pub(super) fn id(object: &Node) -> String {
    let or = |text: String, none: &str| if text.is_empty() { none.to_owned() } else { text };
    let GroupVersionKind { group, version, kind } =
        GroupVersionKind::new(&text_at(object, &["apiVersion"]), &text_at(object, &["kind"]));
    let namespace = or(text_at(object, &["metadata", "namespace"]), "[noNs]");
    let name = text_at(object, &["metadata", "name"]);
    format!("{kind}.{version}.{}/{name}.{namespace}", or(group, "[noGrp]"))
}

/// The object of a kind and name.
pub(super) fn named<'n>(documents: &'n [Node], kind: &str, name: &str) -> Option<&'n Node> {
    documents.iter().find(|object| {
        text_at(object, &["kind"]) == kind && text_at(object, &["metadata", "name"]) == name
    })
}

/// What the first object of a text is called.
pub(super) fn id_of(text: &str) -> Option<String> {
    Some(id(yaml::nodes("", text, Dialect::Kustomize).ok()?.first()?))
}

/// A document, or the items of a list.
fn parts(document: &Node) -> Vec<&Node> {
    match document.get("items") {
        Some(items) if text_at(document, &["kind"]).ends_with("List") => {
            items.items().iter().collect()
        }
        _ => vec![document],
    }
}

/// What an object lacks.
fn lack(object: &Node) -> Option<String> {
    if !matches!(object.content, Content::Mapping(_)) {
        return Some("missing Resource metadata".into());
    }
    let missing = [("kind", &["kind"][..]), ("metadata.name", &["metadata", "name"])];
    let missing = missing.iter().find(|(_, path)| text_at(object, path).is_empty());
    missing.map(|(field, _)| format!("missing {field} in object {}", meta(object)))
}

/// An object's `ResourceMeta`, as Go prints a struct.
fn meta(object: &Node) -> String {
    let text = |path: &[&str]| text_at(object, path);
    let map = |path: &[&str]| {
        let entries = object.find(path).map(Node::entries).unwrap_or_default();
        let mut pairs: Vec<String> = entries
            .iter()
            .map(|entry| format!("{}:{}", entry.key.text, entry.value.as_str().unwrap_or_default()))
            .collect();
        pairs.sort_unstable();
        pairs.join(" ")
    };
    format!(
        "{{{{{} {}}} {{{{{} {}}} map[{}] map[{}]}}}}",
        text(&["apiVersion"]),
        text(&["kind"]),
        text(&["metadata", "name"]),
        text(&["metadata", "namespace"]),
        map(&["metadata", "labels"]),
        map(&["metadata", "annotations"]),
    )
}

fn text_at(node: &Node, path: &[&str]) -> String {
    node.find(path).and_then(Node::as_str).unwrap_or_default().to_owned()
}
