//! The schemas, as OpenAPI v3: what kubectl needs to know that the server validates fields itself, and
//! what `kubectl explain` shows.
//!
//! Source: `k8s.io/kube-openapi/pkg/handler3`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::HttpResponse;
use crate::apiserver::resource::Resource;
use crate::apiserver::schema::{
    Field, KindSchema, ListMerge, Registry, Struct, Type, descriptions,
};
use crate::apiserver::server::Server;
use crate::object::GroupVersionKind;

/// Answers a path below `/openapi/v3`; `None` for any other.
pub(super) fn answer(server: &Server, path: &str) -> Option<HttpResponse> {
    let below = path.strip_prefix("/openapi/v3")?.trim_matches('/');
    if below.is_empty() {
        return Some(HttpResponse::json(200, index(server)));
    }
    let (group, version) = match below.split('/').collect::<Vec<_>>().as_slice() {
        ["api", version] => (String::new(), (*version).to_owned()),
        ["apis", group, version] => ((*group).to_owned(), (*version).to_owned()),
        _ => return Some(HttpResponse::page_not_found()),
    };
    let kinds: Vec<&std::sync::Arc<Resource>> =
        server.resources.of_version(&group, &version).collect();
    if kinds.is_empty() {
        return Some(HttpResponse::page_not_found());
    }
    Some(HttpResponse::json(200, document(&kinds)))
}

fn index(server: &Server) -> Value {
    let mut paths = Map::new();
    for resource in server.resources.iter() {
        let path = root(resource).trim_start_matches('/').to_owned();
        // A custom resource's schema may change: whoever has read it must see that.
        let hash = server.version().0;
        let url = format!("/openapi/v3/{path}?hash={hash}");
        paths.insert(path, json!({ "serverRelativeURL": url }));
    }
    json!({ "paths": paths })
}

/// `/apis/apps/v1`.
fn root(kind: &KindSchema) -> String {
    match kind.gvk.group.is_empty() {
        true => format!("/api/{}", kind.gvk.version),
        false => format!("/apis/{}/{}", kind.gvk.group, kind.gvk.version),
    }
}

fn document(kinds: &[&std::sync::Arc<Resource>]) -> Value {
    let (mut paths, mut schemas, mut parts) = (Map::new(), Map::new(), Parts::default());
    for kind in kinds {
        let namespaces = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let collection = format!("{}{namespaces}/{}", root(kind), kind.plural);
        if kind.stored {
            let methods = ["get", "put", "patch", "delete"];
            paths.insert(format!("{collection}/{{name}}"), operations(kind, &methods));
            paths.insert(collection, operations(kind, &["get", "post", "delete"]));
        } else {
            paths.insert(collection, operations(kind, &["post"]));
        }
        schemas.insert(name_of(kind), schema_of_kind(kind, &mut parts));
    }
    schemas.extend(parts.0);
    json!({
        "openapi": "3.0.0",
        "info": {"title": "driftlab", "version": "v1.36.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn name_of(kind: &KindSchema) -> String {
    let group = kind.gvk.group.split('.').rev().collect::<Vec<_>>().join(".");
    let group = if group.is_empty() { "core".to_owned() } else { group };
    format!("{group}.{}.{}", kind.gvk.version, kind.gvk.kind)
}

fn gvk(kind: &KindSchema) -> Value {
    json!({"group": kind.gvk.group, "version": kind.gvk.version, "kind": kind.gvk.kind})
}

fn operations(kind: &KindSchema, methods: &[&str]) -> Value {
    let mut operations = Map::new();
    for method in methods {
        let writes = matches!(*method, "post" | "put" | "patch");
        let names: &[&str] =
            if writes { &["dryRun", "fieldManager", "fieldValidation"] } else { &[] };
        let parameter = |name: &&str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
        let parameters: Vec<Value> = names.iter().map(parameter).collect();
        let operation = json!({
            "x-kubernetes-group-version-kind": gvk(kind),
            "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
        });
        operations.insert((*method).to_owned(), operation);
    }
    Value::Object(operations)
}

fn schema_of_kind(kind: &KindSchema, parts: &mut Parts) -> Value {
    let mut schema = match &kind.custom {
        Some(custom) => with_metadata(&custom.schema, parts),
        None => structure(&kind.root, parts),
    };
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("x-kubernetes-group-version-kind".into(), json!([gvk(kind)]));
    }
    schema
}

/// The schema of a custom resource with what every object has; and so the objects embedded in it.
/// (`k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder`.)
fn with_metadata(given: &Value, parts: &mut Parts) -> Value {
    let mut schema = embedded(given, parts);
    if !schema.is_object() {
        schema = json!({"type": "object"});
    }
    describe_object(&mut schema, parts, ["APIVersion", "Kind"]);
    schema
}

/// A copy in which every `x-kubernetes-embedded-resource` says what an object has.
fn embedded(given: &Value, parts: &mut Parts) -> Value {
    match given {
        Value::Object(fields) => {
            let copied = fields.iter().map(|(name, value)| (name.clone(), embedded(value, parts)));
            let mut copy: Value = copied.collect::<Map<_, _>>().into();
            if given.get("x-kubernetes-embedded-resource") == Some(&json!(true)) {
                describe_object(&mut copy, parts, ["apiVersion", "kind"]);
                copy["required"] = json!(["kind", "apiVersion"]);
            }
            copy
        }
        Value::Array(items) => items.iter().map(|item| embedded(item, parts)).collect(),
        other => other.clone(),
    }
}

fn describe_object(schema: &mut Value, parts: &mut Parts, [version, kind]: [&str; 2]) {
    const CONVENTIONS: &str = "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";
    let (served, update) = match kind {
        "Kind" => (
            "Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. ",
            "is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated.",
        ),
        _ => ("", "is a string value representing the type of this object."),
    };
    let described = [
        (
            "apiVersion",
            format!(
                "{version} defines the versioned schema of this representation of an object. {served}{CONVENTIONS}#resources"
            ),
        ),
        ("kind", format!("{kind} {update} In CamelCase. {CONVENTIONS}#types-kinds")),
    ];
    for (field, description) in described {
        schema["properties"][field] = json!({"description": description, "type": "string"});
    }
    let description = format!("Standard object's metadata. {CONVENTIONS}#metadata");
    let mut metadata = json!({ "description": description });
    if let Some(object_meta) = parts.object_meta() {
        metadata["allOf"] = json!([object_meta]);
    }
    schema["properties"]["metadata"] = metadata;
}

/// The structures that others refer to, by name: each is written once, for some contain themselves.
#[derive(Default)]
struct Parts(BTreeMap<String, Value>);

impl Parts {
    /// A reference to the metadata of every object.
    fn object_meta(&mut self) -> Option<Value> {
        let registry = Registry::builtin();
        let any = registry.kind(&GroupVersionKind::new("v1", "Namespace"))?;
        match &any.root.field("metadata")?.ty {
            Type::Struct(metadata) => Some(self.refer(metadata)),
            _ => None,
        }
    }

    /// A reference to a structure.
    fn refer(&mut self, to: &Struct) -> Value {
        let name = format!("io.k8s.{}", to.name);
        if !self.0.contains_key(&name) {
            self.0.insert(name.clone(), Value::Null);
            let written = structure(to, self);
            self.0.insert(name.clone(), written);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }
}

fn structure(of: &Struct, parts: &mut Parts) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in &of.fields {
        properties.insert(field.name.to_string(), property(of, field, parts));
        if field.required {
            required.push(field.name.to_string());
        }
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if let Some(text) = descriptions::of_type(&of.name) {
        schema["description"] = text.into();
    }
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(of: &Struct, field: &Field, parts: &mut Parts) -> Value {
    let mut own = schema(&field.ty, parts);
    // Beside a reference nothing else is read.
    if own.get("$ref").is_some() {
        own = json!({ "allOf": [own] });
    }
    if let Some(text) = descriptions::of_field(&of.name, &field.name) {
        own["description"] = text.into();
    }
    if let Some(default) = &field.default {
        own["default"] = default.clone();
    }
    if field.patch.merge {
        own["x-kubernetes-patch-strategy"] = "merge".into();
        own["x-kubernetes-patch-merge-key"] = (*field.patch.key).into();
    }
    own
}

fn schema(of: &Type, parts: &mut Parts) -> Value {
    let plain = |kind: &str, format: &str| match format {
        "" => json!({ "type": kind }),
        format => json!({"type": kind, "format": format}),
    };
    match of {
        Type::String(_) | Type::Quantity => plain("string", ""),
        Type::Int32 => plain("integer", "int32"),
        Type::Int64 => plain("integer", "int64"),
        Type::Number => plain("number", "double"),
        Type::Bool => plain("boolean", ""),
        Type::Bytes => plain("string", "byte"),
        Type::Time | Type::MicroTime => plain("string", "date-time"),
        Type::IntOrString => plain("string", "int-or-string"),
        Type::Any | Type::Raw => plain("object", ""),
        Type::Struct(of) => parts.refer(of),
        Type::Map(map) => {
            json!({"type": "object", "additionalProperties": schema(&map.element, parts)})
        }
        Type::List(list) => {
            let mut own = json!({"type": "array", "items": schema(&list.element, parts)});
            match &list.merge {
                ListMerge::Atomic => own["x-kubernetes-list-type"] = "atomic".into(),
                ListMerge::Set => own["x-kubernetes-list-type"] = "set".into(),
                ListMerge::Map(keys) => {
                    own["x-kubernetes-list-type"] = "map".into();
                    own["x-kubernetes-list-map-keys"] =
                        json!(keys.iter().map(|k| &**k).collect::<Vec<_>>());
                }
            }
            own
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reference below a value.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| match (name.as_str(), value) {
                    ("$ref", Value::String(text)) => found.push(text.clone()),
                    _ => references(value, found),
                })
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_document_is_small_and_defines_what_it_refers_to() {
        let server = Server::new();
        for path in index(&server)["paths"].as_object().unwrap().keys() {
            let answer = answer(&server, &format!("/openapi/v3/{path}")).unwrap();
            let super::super::HttpBody::Json(document) = answer.body else { panic!("no JSON") };
            let mut found = Vec::new();
            references(&document, &mut found);
            for reference in found {
                let schema = document.pointer(reference.trim_start_matches('#'));
                assert!(schema.is_some_and(Value::is_object), "{path}: {reference}");
            }
            assert!(document.to_string().len() < 400_000, "{path}");
        }
    }
}
