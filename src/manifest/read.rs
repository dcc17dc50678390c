//! One file of manifests, as kubectl reads it.

use serde_json::Value;

use super::Mistake;
use super::yaml::{self, Dialect, Node};
use crate::object::Object;

/// The objects of a file of YAML or JSON, as `kubectl apply -f` reads it: several documents, empty
/// ones left out, lists taken apart.
///
/// ```
/// let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n";
/// let objects = driftlab::manifest::objects("shop.yaml", text)?;
/// assert_eq!(objects[0].reference().to_string(), "Namespace/shop");
/// # Ok::<(), driftlab::manifest::Mistake>(())
/// ```
///
/// # Errors
///
/// When the text is no YAML, or a document in it is no object: it lacks `apiVersion`, `kind` or
/// `metadata`.
pub fn objects(file: &str, text: &str) -> Result<Vec<Object>, Mistake> {
    let mut objects = Vec::new();
    for node in yaml::nodes(file, text, Dialect::Kubectl)? {
        flatten(file, &node, &mut objects)?;
    }
    Ok(objects)
}

/// A list is any object with `items`, whatever its kind is called.
fn flatten(file: &str, node: &Node, objects: &mut Vec<Object>) -> Result<(), Mistake> {
    let is_list = node.get("kind").is_some() && node.get("items").is_some_and(is_sequence);
    if !is_list {
        objects.push(object(file, node)?);
        return Ok(());
    }
    let items = node.get("items").map(Node::items).unwrap_or_default();
    items.iter().try_for_each(|item| flatten(file, item, objects))
}

fn object(file: &str, node: &Node) -> Result<Object, Mistake> {
    Object::from_value(node.value()).map_err(|lack| {
        let what = match node.value() {
            Value::Object(_) => lack.0,
            _ => "this document is no object".into(),
        };
        Mistake::new(
            file,
            node.at.line,
            what,
            "every document of a manifest needs apiVersion, kind and metadata",
        )
    })
}

fn is_sequence(node: &Node) -> bool {
    matches!(node.content, yaml::Content::Sequence(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let names =
            |objects: Vec<Object>| objects.iter().map(|o| o.reference().to_string()).collect();
        objects("f.yaml", text).map(names).map_err(|m| m.to_string())
    }

    #[test]
    fn lists_are_taken_apart_and_empty_documents_left_out() {
        let web = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}";
        let list = format!(
            "---\n---\napiVersion: v1\nkind: List\nitems:\n- {web}\n- kind: PodList\n  items: [{web}]\n---\n# nothing\n"
        );
        assert_eq!(read(&list).unwrap(), ["Pod/shop/web", "Pod/shop/web"]);
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_line() {
        let needs = "every document of a manifest needs apiVersion, kind and metadata";
        let check = |text: &str, what: &str| {
            assert_eq!(read(text).unwrap_err(), format!("{what}; {needs}"))
        };
        check("a", "f.yaml:1: this document is no object");
        check("\n\nkind: Pod\n", "f.yaml:3: apiVersion is missing");
        check("apiVersion: v1\nkind: Pod\n", "f.yaml:1: metadata is missing");
    }
}
