//! The common case of an apply: the manager wants what is there already, and nothing less or more
//! than last time. It is told by one walk through the patch, without building anything.

use serde_json::{Map, Value};

use super::shape::{Fields, Shape, item_element, same};
use super::{UNMANAGED_METADATA, Writer};
use crate::apiserver::schema::{KindSchema, ListMerge, ListType, Struct, Type};

/// Whether an apply of `patch` surely changes neither `live` nor who manages it. `false` says
/// nothing: the apply must be done to know.
pub(super) fn is_unchanged(
    kind: &KindSchema,
    live: &Value,
    patch: &Value,
    writer: &Writer,
) -> bool {
    applied_fields(live, writer)
        .is_some_and(|fields| is_same_object(kind, live, patch, fields, writer).is_some())
}

/// What the manager applied last, when that was at this version and everybody is at this version.
fn applied_fields<'a>(live: &'a Value, writer: &Writer) -> Option<&'a Map<String, Value>> {
    let entries = live.get("metadata")?.get("managedFields")?.as_array()?;
    let text =
        |entry: &'a Value, field: &str| entry.get(field).and_then(Value::as_str).unwrap_or("");
    if entries.iter().any(|entry| text(entry, "apiVersion") != writer.api_version) {
        return None;
    }
    // What kubectl applies, it also writes into an annotation.
    if writer.manager == "kubectl" {
        return None;
    }
    let own = entries.iter().find(|entry| {
        text(entry, "manager") == writer.manager
            && text(entry, "operation") == "Apply"
            && text(entry, "subresource") == writer.subresource
    })?;
    own.get("fieldsV1")?.as_object()
}

fn is_same_object(
    kind: &KindSchema,
    live: &Value,
    patch: &Value,
    fields: &Map<String, Value>,
    writer: &Writer,
) -> Option<()> {
    let (live, patch) = (live.as_object()?, patch.as_object()?);
    let reset = kind.reset_fields(&writer.subresource);
    let mut owned = 0;
    for (name, value) in patch {
        match &**name {
            "apiVersion" | "kind" if live.get(name) == Some(value) => {}
            "apiVersion" | "kind" => return None,
            _ if reset.iter().any(|field| field.split('.').next() == Some(&**name)) => return None,
            "metadata" => owned += metadata(kind, live.get(name)?, value, fields)?,
            _ => {
                let node = fields.get(&format!("f:{name}"))?;
                let shape = Fields::Struct(&kind.root);
                entry(shape, name, value, live.get(name)?, node.as_object()?)?;
                owned += 1;
            }
        }
    }
    (owned == fields.len()).then_some(())
}

/// How many nodes of `fields` the metadata accounts for.
fn metadata(
    kind: &KindSchema,
    live: &Value,
    patch: &Value,
    fields: &Map<String, Value>,
) -> Option<usize> {
    let ty = &kind.root.field("metadata")?.ty;
    let node = fields.get("f:metadata").and_then(Value::as_object);
    let mut owned = 0;
    for (name, value) in patch.as_object()? {
        let own = live.get(name)?;
        if UNMANAGED_METADATA.contains(&&**name) {
            same(own, value).then_some(())?;
            continue;
        }
        let below = node?.get(&format!("f:{name}"))?.as_object()?;
        entry(Fields::Struct(ty.as_struct()?), name, value, own, below)?;
        owned += 1;
    }
    (owned == node.map_or(0, Map::len)).then_some(usize::from(node.is_some()))
}

/// A field or key: the value is there, and the node says who has it as an apply would.
fn entry(
    shape: Fields,
    name: &str,
    patch: &Value,
    live: &Value,
    node: &Map<String, Value>,
) -> Option<()> {
    let ty = shape.child(name)?;
    let leaf = matches!(Shape::of(ty, patch), Shape::Scalar | Shape::Atomic);
    let empty = patch.as_object().is_some_and(Map::is_empty);
    let member = leaf || empty || !shape.declares(name);
    is_marked(node, member)?;
    value(ty, patch, live, node)
}

/// A node that is a member and has others below says so with a dot.
fn is_marked(node: &Map<String, Value>, member: bool) -> Option<()> {
    let (dot, leaf) = (node.contains_key("."), node.is_empty());
    (member == (dot || leaf)).then_some(())
}

fn value(ty: &Type, patch: &Value, live: &Value, node: &Map<String, Value>) -> Option<()> {
    if patch.is_null() || Shape::differs(ty, patch, live) {
        return None;
    }
    match Shape::of(ty, patch) {
        Shape::Scalar | Shape::Atomic => (node.is_empty() && same(patch, live)).then_some(()),
        Shape::Map(shape) => entries(shape, patch.as_object()?, live.as_object()?, node),
        Shape::List(list) => items(list, patch.as_array()?, live.as_array()?, node),
    }
}

/// Both the patch and the node are in the order of their keys: they are walked side by side.
fn entries(
    shape: Fields,
    patch: &Map<String, Value>,
    live: &Map<String, Value>,
    node: &Map<String, Value>,
) -> Option<()> {
    let mut nodes = node.iter().filter(|(element, _)| *element != ".");
    for (name, value) in patch {
        let (element, below) = nodes.next()?;
        (element.strip_prefix("f:")? == name).then_some(())?;
        entry(shape, name, value, live.get(name)?, below.as_object()?)?;
    }
    nodes.next().is_none().then_some(())
}

/// Items of the patch must stand in the live list in the same order, others between them.
fn items(
    list: &ListType,
    patch: &[Value],
    live: &[Value],
    node: &Map<String, Value>,
) -> Option<()> {
    let mut left = live.iter();
    for item in patch {
        let own = left.find(|own| is_same_item(list, item, own))?;
        let below = node.get(&item_element(list, item).ok()?)?.as_object()?;
        is_marked(below, true)?;
        value(&list.element, item, own, below)?;
    }
    let nodes = node.len() - usize::from(node.contains_key("."));
    (nodes == patch.len()).then_some(())
}

fn is_same_item(list: &ListType, item: &Value, own: &Value) -> bool {
    match &list.merge {
        ListMerge::Map(keys) => {
            let structure = list.element.as_struct();
            keys.iter().all(|key| same_key(structure, key, item, own))
        }
        _ => same(item, own),
    }
}

/// A key that the patch leaves out has its default, which the live item has.
fn same_key(structure: Option<&Struct>, key: &str, item: &Value, own: &Value) -> bool {
    let default = || structure.and_then(|s| s.field(key)).and_then(|f| f.default.as_ref());
    match (item.get(key).or_else(default), own.get(key)) {
        (Some(item), Some(own)) => same(item, own),
        (item, own) => item == own,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::apiserver::managed::apply::apply_in_full;
    use crate::apiserver::managed::{Applied, apply};
    use crate::apiserver::schema::Registry;
    use crate::object::GroupVersionKind;
    use serde_json::json;

    fn deployment() -> (Registry, Arc<KindSchema>, Value, Writer) {
        let registry = Registry::builtin();
        let kind = registry.kind(&GroupVersionKind::new("apps/v1", "Deployment")).unwrap().clone();
        let patch = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "hello", "namespace": "web", "labels": {"app": "hello"}},
            "spec": {
                "replicas": 3, "selector": {"matchLabels": {"app": "hello"}},
                "template": {
                    "metadata": {"labels": {"app": "hello"}},
                    "spec": {"containers": [{
                        "name": "app", "image": "hello:1", "ports": [{"containerPort": 80}],
                        "env": [{"name": "A", "value": "1"}],
                    }]},
                },
            },
        });
        let writer =
            Writer { manager: "flux".into(), api_version: "apps/v1".into(), ..Writer::default() };
        (registry, kind, patch, writer)
    }

    fn stored() -> (Registry, Arc<KindSchema>, Value, Value, Writer) {
        let (registry, kind, patch, writer) = deployment();
        let Ok(Applied::Object(live)) = apply(&registry, &kind, None, &patch, &writer) else {
            panic!("a first apply makes the object")
        };
        (registry, kind, live, patch, writer)
    }

    #[test]
    fn the_same_again_is_known_to_change_nothing() {
        let (_, kind, live, patch, writer) = stored();
        assert!(is_unchanged(&kind, &live, &patch, &writer));
    }

    #[test]
    fn what_is_known_to_change_nothing_changes_nothing_in_full() {
        let (registry, kind, live, patch, writer) = stored();
        let containers = "/spec/template/spec/containers";
        let variants: [(&str, Value); 7] = [
            ("/metadata/name", json!("hello")),
            ("/spec/replicas", json!(3.0)),
            ("/spec/selector", json!({"matchLabels": {"app": "other"}})),
            ("/metadata/labels/app", json!("")),
            (containers, json!([])),
            (containers, json!([{"name": "new"}])),
            ("/spec/template/metadata", json!({})),
        ];
        for (pointer, value) in variants {
            let mut other = patch.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            let full = apply_in_full(&registry, &kind, Some(&live), &other, &writer);
            if is_unchanged(&kind, &live, &other, &writer) {
                assert_eq!(full, Ok(Applied::Unchanged), "{pointer}");
            }
        }
        let again = apply_in_full(&registry, &kind, Some(&live), &patch, &writer);
        assert_eq!(again, Ok(Applied::Unchanged));
    }

    #[test]
    fn whatever_differs_is_left_to_the_apply_itself() {
        let (_, kind, live, patch, writer) = stored();
        let check = |pointer: &str, value: Value| {
            let mut other = patch.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            assert!(!is_unchanged(&kind, &live, &other, &writer), "{pointer}");
        };
        let container = "/spec/template/spec/containers/0";
        check("/spec/replicas", json!(4));
        check("/spec/replicas", json!(null));
        check("/metadata/labels", json!({}));
        check("/metadata/labels", json!({"app": "hello", "tier": "web"}));
        check(&format!("{container}/image"), json!("hello:2"));
        check(&format!("{container}/env"), json!([]));
        check(&format!("{container}/ports/0"), json!({"containerPort": 80, "protocol": "UDP"}));
        check("/spec/template/metadata", json!({"labels": {"app": "hello"}, "name": "x"}));
        let other = Writer { manager: "other".into(), ..writer.clone() };
        assert!(!is_unchanged(&kind, &live, &patch, &other));
    }
}
