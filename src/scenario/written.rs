//! Where in the files of a repository an object is written.

use crate::git::Tree;
use crate::manifest::yaml::{self, Dialect, Node};
use crate::object::ObjectRef;

/// An object as a file has it.
pub(crate) struct Written {
    /// The file, as its path from the top of the tree.
    pub(crate) file: String,
    pub(crate) node: Node,
}

/// The manifest of an object, in a folder first and then anywhere, for bases stand beside overlays; `None`
/// when no file has one of this kind and name.
pub(crate) fn written(tree: &Tree, folder: &str, object: &ObjectRef) -> Option<Written> {
    let mut files = tree.files();
    files.sort_by_key(|(file, ..)| !file.starts_with(folder));
    files.into_iter().find_map(|(file, _, blob)| {
        let is_yaml = file.ends_with(".yaml") || file.ends_with(".yml");
        let text = blob.as_text().filter(|text| is_yaml && text.contains(&object.name))?;
        let nodes = yaml::nodes(&file, text, Dialect::Kubectl).ok()?;
        let node = nodes.into_iter().find(|node| is(node, object))?;
        Some(Written { file, node })
    })
}

fn is(node: &Node, object: &ObjectRef) -> bool {
    let text = |path: &[&str]| node.find(path).and_then(Node::as_str).unwrap_or_default();
    let namespace = text(&["metadata", "namespace"]);
    text(&["kind"]) == object.kind
        && text(&["metadata", "name"]) == object.name
        && (namespace.is_empty() || namespace == object.namespace)
}
