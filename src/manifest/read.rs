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
    let Some(items) = list_items(file, node)? else {
        objects.push(object(file, node, None)?);
        return Ok(());
    };
    for item in items {
        if list_items(file, item)?.is_some() {
            let remedy = "put the inner list's items into the outer one";
            return Err(Mistake::new(file, item.at.line, "this list stands in a list", remedy));
        }
        objects.push(object(file, item, Some(node))?);
    }
    Ok(())
}

fn list_items<'a>(file: &str, node: &'a Node) -> Result<Option<&'a [Node]>, Mistake> {
    let Some(items) = node.get("items").filter(|_| node.get("kind").is_some()) else {
        return Ok(None);
    };
    if items.is_sequence() || items.is_null() {
        return Ok(Some(items.items()));
    }
    let what = "items is no list, and an object with items is a list";
    Err(Mistake::new(file, items.at.line, what, "write the objects as `- `, or rename the field"))
}

/// One object. Items of a `ConfigMapList` may leave out that they are ConfigMaps.
fn object(file: &str, node: &Node, list: Option<&Node>) -> Result<Object, Mistake> {
    let mut value = node.value();
    if let (Some(list), Value::Object(fields)) = (list, &mut value)
        && let Some(kind) = text(list, "kind").and_then(|kind| kind.strip_suffix("List"))
        && !(kind.is_empty() || fields.contains_key("kind") || fields.contains_key("apiVersion"))
    {
        fields.insert("kind".into(), kind.into());
        fields.insert("apiVersion".into(), text(list, "apiVersion").unwrap_or_default().into());
    }
    check_types(file, node)?;
    let is_object = value.is_object();
    Object::from_value(value).map_err(|lack| {
        let what = if is_object { lack.0 } else { "this document is no object".into() };
        Mistake::new(
            file,
            node.at.line,
            what,
            "every document of a manifest needs apiVersion, kind and metadata",
        )
    })
}

/// What kubectl reads into fields of its own must fit them.
fn check_types(file: &str, node: &Node) -> Result<(), Mistake> {
    if let Some(version) = node.get("apiVersion")
        && version.raw().matches('/').count() > 1
    {
        let message = format!("{:?} is no apiVersion", version.raw());
        return Err(Mistake::new(file, version.at.line, message, "write group/version"));
    }
    let Some(metadata) = node.get("metadata") else { return Ok(()) };
    for name in ["name", "generateName", "namespace"] {
        metadata.get(name).map_or(Ok(()), |node| expect_text(file, name, node))?;
    }
    for map in ["labels", "annotations"] {
        for entry in metadata.get(map).map(Node::entries).unwrap_or_default() {
            expect_text(file, &format!("{map}.{}", entry.key.text), &entry.value)?;
        }
    }
    Ok(())
}

fn expect_text(file: &str, field: &str, node: &Node) -> Result<(), Mistake> {
    if node.as_str().is_some() || node.is_null() {
        return Ok(());
    }
    let message = format!("metadata.{field} is {}, not text", node.value());
    Err(Mistake::new(file, node.at.line, message, "put it in quotes"))
}

fn text<'a>(node: &'a Node, field: &str) -> Option<&'a str> {
    node.get(field).and_then(Node::as_str)
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
            "---\n---\napiVersion: v1\nkind: List\nitems:\n- {web}\n- {web}\n---\n# nothing\n"
        );
        assert_eq!(read(&list).unwrap(), ["Pod/shop/web", "Pod/shop/web"]);
    }

    #[test]
    fn what_does_not_fit_its_field_is_refused_where_it_stands() {
        let check = |metadata: &str, line: usize, what: &str| {
            let text = format!("apiVersion: v1\nkind: Pod\nmetadata:\n{metadata}");
            let expected = format!("f.yaml:{line}: metadata.{what}, not text; put it in quotes");
            assert_eq!(read(&text).unwrap_err(), expected);
        };
        check("  name: 5\n", 4, "name is 5");
        check("  name: a\n  labels:\n    ready: yes\n", 6, "labels.ready is true");
        check("  name: a\n  annotations: {since: 2020, till: x}\n", 5, "annotations.since is 2020");
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
