//! Custom resources: a structural OpenAPI v3 schema, read into the same types as the built-in table.
//!
//! Source: Kubernetes documentation, "Extend the Kubernetes API with CustomResourceDefinitions",
//! and KEP-1693 (structural schemas), KEP-575 (defaulting).

use std::sync::Arc;

use serde_json::Value;

use super::builtin;
use super::types::{
    Custom, Field, Generation, KindSchema, ListMerge, ListType, MapType, Scale, Struct, StructRef,
    Type,
};
use crate::object::{GroupVersionKind, Object};

/// A CustomResourceDefinition that gives no kind: where, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct MalformedDefinition {
    /// The field of the definition.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Schemas nested deeper than this are refused: they would exhaust the stack.
const DEPTH: usize = 100;

/// The kinds that a definition serves, one a version.
pub(super) fn kinds_of(definition: &Object) -> Result<Vec<KindSchema>, MalformedDefinition> {
    let versions = definition.get("spec.versions").and_then(Value::as_array);
    let Some(versions) = versions else { return malformed("spec.versions", "is required") };
    for field in ["spec.group", "spec.names.kind", "spec.names.plural"] {
        if definition.text(field).is_empty() {
            return malformed(field, "is required");
        }
    }
    let storage = versions.iter().find(|v| flag(v, "storage")).map_or("", |v| text(v, "name"));
    let served = versions.iter().enumerate().filter(|(_, version)| flag(version, "served"));
    served.map(|(i, version)| kind_of(definition, version, storage, i)).collect()
}

fn kind_of(
    definition: &Object,
    version: &Value,
    storage: &str,
    position: usize,
) -> Result<KindSchema, MalformedDefinition> {
    let names = |field: &str| definition.text(&format!("spec.names.{field}")).to_string();
    let kind = names("kind");
    let at = |version: &str| GroupVersionKind {
        group: definition.text("spec.group").into(),
        version: version.into(),
        kind: kind.clone(),
    };
    let schema = version.pointer("/schema/openAPIV3Schema").cloned().unwrap_or(Value::Null);
    let path = format!("spec.versions[{position}].schema.openAPIV3Schema");
    Ok(KindSchema {
        gvk: at(text(version, "name")),
        storage: at(storage),
        plural: names("plural"),
        singular: or(names("singular"), || kind.to_ascii_lowercase()),
        list_kind: or(names("listKind"), || format!("{kind}List")),
        short_names: texts(definition.get("spec.names.shortNames")),
        categories: texts(definition.get("spec.names.categories")),
        namespaced: definition.text("spec.scope") == "Namespaced",
        stored: true,
        status: version.pointer("/subresources/status").is_some_and(Value::is_object),
        scale: version.pointer("/subresources/scale").map(read_scale),
        generation: Generation::Custom,
        root: read_root(&schema, &path)?,
        custom: Some(Arc::new(Custom {
            unevaluated: unevaluated(&schema),
            columns: list(version.get("additionalPrinterColumns")).cloned().collect(),
            selectable_fields: list(version.get("selectableFields"))
                .map(|field| text(field, "jsonPath").to_string())
                .collect(),
            deprecated: flag(version, "deprecated")
                .then(|| text(version, "deprecationWarning").to_string()),
            schema,
        })),
    })
}

fn read_scale(scale: &Value) -> Scale {
    let path = |field: &str| text(scale, field).trim_start_matches('.').to_string();
    Scale {
        spec: path("specReplicasPath"),
        status: path("statusReplicasPath"),
        selector: path("labelSelectorPath"),
    }
}

/// The root: what the schema says of everything but `apiVersion`, `kind` and `metadata`.
fn read_root(schema: &Value, path: &str) -> Result<StructRef, MalformedDefinition> {
    let Type::Struct(root) = read_type(schema, path, DEPTH)? else {
        // Without a schema everything is kept.
        return Ok(StructRef::Own(Arc::new(Struct { open: true, ..with_meta(Vec::new()) })));
    };
    let open = root.open || schema.is_null();
    Ok(StructRef::Own(Arc::new(Struct { open, ..with_meta(root.fields.clone()) })))
}

fn with_meta(mut fields: Vec<Field>) -> Struct {
    fields.retain(|field| !matches!(&*field.name, "apiVersion" | "kind" | "metadata"));
    let string = || Type::String("string".into());
    let metadata = Type::Struct(builtin::named("ObjectMeta"));
    let own = [("apiVersion", string()), ("kind", string()), ("metadata", metadata)];
    fields.splice(0..0, own.map(|(name, ty)| Field::new(name, ty)));
    Struct::new("", "", fields)
}

fn read_type(schema: &Value, path: &str, depth: usize) -> Result<Type, MalformedDefinition> {
    if depth == 0 {
        return malformed(path, "is nested too deeply");
    }
    if flag(schema, "x-kubernetes-int-or-string") {
        return Ok(Type::IntOrString);
    }
    match text(schema, "type") {
        "object" => read_object(schema, path, depth),
        "array" => read_list(schema, path, depth),
        "string" => Ok(Type::String("string".into())),
        "integer" => Ok(Type::Int64),
        "number" => Ok(Type::Number),
        "boolean" => Ok(Type::Bool),
        _ => Ok(Type::Any),
    }
}

fn read_object(schema: &Value, path: &str, depth: usize) -> Result<Type, MalformedDefinition> {
    let atomic = text(schema, "x-kubernetes-map-type") == "atomic";
    match schema.get("additionalProperties") {
        Some(Value::Bool(true)) => {
            return Ok(Type::Map(Box::new(MapType { element: Type::Any, atomic })));
        }
        Some(element @ Value::Object(_)) => {
            let element = read_type(element, &format!("{path}.additionalProperties"), depth - 1)?;
            return Ok(Type::Map(Box::new(MapType { element, atomic })));
        }
        _ => {}
    }
    let mut fields = read_fields(schema, path, depth)?;
    if flag(schema, "x-kubernetes-embedded-resource") {
        let string = || Type::String("string".into());
        let metadata = Type::Struct(builtin::named("ObjectMeta"));
        for (name, ty) in [("apiVersion", string()), ("kind", string()), ("metadata", metadata)] {
            if !fields.iter().any(|field| *field.name == *name) {
                fields.push(Field::new(name, ty));
            }
        }
    }
    let open = flag(schema, "x-kubernetes-preserve-unknown-fields");
    let own = Struct { atomic, open, ..Struct::new("", "", fields) };
    Ok(Type::Struct(StructRef::Own(Arc::new(own))))
}

fn read_fields(
    schema: &Value,
    path: &str,
    depth: usize,
) -> Result<Vec<Field>, MalformedDefinition> {
    let required = texts(schema.get("required"));
    let properties = schema.get("properties").and_then(Value::as_object);
    let fields = properties.into_iter().flatten().map(|(name, property)| {
        let ty = read_type(property, &format!("{path}.properties[{name}]"), depth - 1)?;
        let mut field = Field::new(name, ty);
        field.pointer = true;
        field.required = required.contains(name);
        field.nullable = flag(property, "nullable");
        field.default = property.get("default").cloned();
        Ok(field)
    });
    fields.collect()
}

fn read_list(schema: &Value, path: &str, depth: usize) -> Result<Type, MalformedDefinition> {
    let Some(items) = schema.get("items") else {
        return malformed(path, "an array must say what its items are");
    };
    let element = read_type(items, &format!("{path}.items"), depth - 1)?;
    let merge = match text(schema, "x-kubernetes-list-type") {
        "set" => ListMerge::Set,
        "map" => {
            let keys = texts(schema.get("x-kubernetes-list-map-keys"));
            ListMerge::Map(keys.into_iter().map(Box::from).collect())
        }
        _ => ListMerge::Atomic,
    };
    Ok(Type::List(Box::new(ListType { element, merge, pointers: true })))
}

/// Where the schema has rules in the Common Expression Language, which are not evaluated.
fn unevaluated(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), schema)];
    while let Some((path, node)) = open.pop() {
        let Some(fields) = node.as_object() else { continue };
        if fields.contains_key("x-kubernetes-validations") {
            found.push(if path.is_empty() { ".".into() } else { path.clone() });
        }
        let properties = fields.get("properties").and_then(Value::as_object);
        let below = properties.into_iter().flatten().map(|(k, v)| (format!("{path}.{k}"), v));
        let items = fields.get("items").map(|v| (format!("{path}[*]"), v));
        let values = fields.get("additionalProperties").map(|v| (format!("{path}[*]"), v));
        open.extend(below.chain(items).chain(values));
    }
    found.sort();
    found
}

fn malformed<T>(field: &str, problem: &str) -> Result<T, MalformedDefinition> {
    Err(MalformedDefinition { field: field.into(), problem: problem.into() })
}

fn or(text: String, otherwise: impl FnOnce() -> String) -> String {
    if text.is_empty() { otherwise() } else { text }
}

fn flag(value: &Value, field: &str) -> bool {
    value.get(field).and_then(Value::as_bool).unwrap_or(false)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn texts(value: Option<&Value>) -> Vec<String> {
    list(value).filter_map(Value::as_str).map(String::from).collect()
}
