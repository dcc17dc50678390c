//! What Flux does to an object before it applies it, and how it reads the answer to a dry run.
//!
//! Flux passes objects of built-in kinds through client-go's types, which drops nulls and unknown fields,
//! fills in the protocol of ports, and writes a Secret's `stringData` as `data`
//! (`fluxcd/pkg/ssa/normalize`). Types are the API server's here, so unknown fields are dropped when it
//! names them.

use crate::base64::encode;
use serde_json::{Map, Value, json};

use crate::object::Object;

/// Prepares an object for being applied.
pub(crate) fn normalized(mut object: Object) -> Object {
    if is_rbac_role(&object) {
        return object;
    }
    if is_built_in(&object) {
        strip_nulls(object.fields_mut());
        complete_ports(&mut object);
        if object.kind() == "Secret" {
            encode_string_data(&mut object);
        }
    }
    object.remove("metadata.creationTimestamp");
    if object.kind() != "CustomResourceDefinition" {
        object.remove("status");
    }
    object
}

/// The object without the fields that a refusal calls unknown, when its kind is one whose unknown fields
/// Flux would have dropped before asking; `None` when the refusal is about something else.
pub(crate) fn without_undeclared(object: &Object, message: &str) -> Option<Object> {
    if !is_built_in(object) || is_rbac_role(object) {
        return None;
    }
    let mut trimmed = object.clone();
    let mut root = Value::Object(std::mem::take(trimmed.fields_mut()));
    let dropped =
        undeclared_paths(message).iter().filter(|path| remove_at(&mut root, path)).count();
    let Value::Object(fields) = root else { return None };
    *trimmed.fields_mut() = fields;
    (dropped > 0).then_some(trimmed)
}

/// One step of a path as the API server prints it: `.name` or `[key="value",…]` or `[3]`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
    Keys(Vec<(String, Value)>),
}

/// The paths of a message of the form `….spec.x: field not declared in schema`.
fn undeclared_paths(message: &str) -> Vec<Vec<Step>> {
    let marked = message.split(": field not declared in schema").collect::<Vec<_>>();
    let heads = &marked[..marked.len().saturating_sub(1)];
    heads.iter().filter_map(|head| parse_path(last_word(head))).collect()
}

/// The text after the last blank that is not within quotes.
fn last_word(text: &str) -> &str {
    let mut quoted = false;
    let mut start = 0;
    for (i, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => start = i + c.len_utf8(),
            _ => {}
        }
    }
    &text[start..]
}

fn parse_path(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (step, tail) = if let Some(tail) = rest.strip_prefix('.') {
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            (Step::Field(tail[..end].into()), &tail[end..])
        } else {
            let inner = rest.strip_prefix('[')?;
            let end = inner.find(']')?;
            (parse_index(&inner[..end])?, &inner[end + 1..])
        };
        steps.push(step);
        rest = tail;
    }
    (!steps.is_empty()).then_some(steps)
}

fn parse_index(text: &str) -> Option<Step> {
    if let Ok(index) = text.parse() {
        return Some(Step::Index(index));
    }
    let key = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((name.to_owned(), serde_json::from_str(value).ok()?))
    };
    text.split(',').map(key).collect::<Option<_>>().map(Step::Keys)
}

fn remove_at(value: &mut Value, path: &[Step]) -> bool {
    match (path, value) {
        ([Step::Field(name)], Value::Object(fields)) => fields.remove(name).is_some(),
        ([Step::Field(name), rest @ ..], Value::Object(fields)) => {
            fields.get_mut(name).is_some_and(|value| remove_at(value, rest))
        }
        ([Step::Index(i), rest @ ..], Value::Array(items)) => {
            items.get_mut(*i).is_some_and(|value| remove_at(value, rest))
        }
        ([Step::Keys(keys), rest @ ..], Value::Array(items)) => items
            .iter_mut()
            .find(|item| keys.iter().all(|(name, value)| item.get(name) == Some(value)))
            .is_some_and(|value| remove_at(value, rest)),
        _ => false,
    }
}

/// Whether client-go's scheme has the kind: the groups of Kubernetes itself, without those of add-ons.
fn is_built_in(object: &Object) -> bool {
    let group = object.gvk().group;
    let own = !group.contains('.') || group.ends_with(".k8s.io");
    let add_ons = [
        "apiextensions.k8s.io",
        "metrics.k8s.io",
        "gateway.networking.k8s.io",
        "snapshot.storage.k8s.io",
    ];
    own && !add_ons.contains(&group.as_str()) && !group.contains(".x-k8s.io")
}

/// Typed round trips would reset the rules of aggregated roles (KC#1041).
fn is_rbac_role(object: &Object) -> bool {
    object.api_version() == "rbac.authorization.k8s.io/v1"
        && matches!(object.kind(), "Role" | "ClusterRole")
}

fn strip_nulls(fields: &mut Map<String, Value>) {
    fields.retain(|_, value| !value.is_null());
    fields.values_mut().for_each(strip_nulls_within);
}

fn strip_nulls_within(value: &mut Value) {
    match value {
        Value::Object(fields) => strip_nulls(fields),
        Value::Array(items) => items.iter_mut().for_each(strip_nulls_within),
        _ => {}
    }
}

/// Ports without a protocol are TCP; without it the key of a port in a list would be incomplete.
fn complete_ports(object: &mut Object) {
    let paths: &[&str] = match object.kind() {
        "Service" => &["/spec/ports"],
        "Pod" => &["/spec/containers/*/ports"],
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => {
            &["/spec/template/spec/containers/*/ports"]
        }
        "CronJob" => &["/spec/jobTemplate/spec/template/spec/containers/*/ports"],
        _ => return,
    };
    let mut root = Value::Object(std::mem::take(object.fields_mut()));
    for path in paths {
        let steps: Vec<&str> = path.split('/').skip(1).collect();
        each(&mut root, &steps, &mut |ports| {
            for port in ports.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut)
            {
                port.entry("protocol").or_insert_with(|| json!("TCP"));
            }
        });
    }
    if let Value::Object(fields) = root {
        *object.fields_mut() = fields;
    }
}

fn each(value: &mut Value, steps: &[&str], change: &mut impl FnMut(&mut Value)) {
    match (steps, value) {
        ([], value) => change(value),
        (["*", rest @ ..], Value::Array(items)) => {
            items.iter_mut().for_each(|item| each(item, rest, change));
        }
        ([name, rest @ ..], Value::Object(fields)) => {
            if let Some(value) = fields.get_mut(*name) {
                each(value, rest, change);
            }
        }
        _ => {}
    }
}

/// Writes `stringData` as `data`; a value that is no text is left for the API server to refuse.
fn encode_string_data(object: &mut Object) {
    let Some(Value::Object(texts)) = object.get("stringData").cloned() else { return };
    if !texts.values().all(Value::is_string) {
        return;
    }
    for (key, text) in &texts {
        let encoded = encode(text.as_str().unwrap_or_default().as_bytes());
        object.set_at(&["data", key], encoded);
    }
    object.remove("stringData");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    #[test]
    fn objects_are_completed_as_typed_clients_do() {
        let secret = normalized(object(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "creationTimestamp": null},
            "stringData": {"pw": "one"}, "data": {"k": "eA=="}, "immutable": null, "status": {}}),
        ));
        let wanted = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "eA==", "pw": "b25l"}});
        assert_eq!(secret.as_value(), &wanted);
        let service = normalized(object(
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}, {"port": 81, "protocol": "UDP"}]}}),
        ));
        assert_eq!(service.text("spec.ports.0.protocol"), "TCP");
        assert_eq!(service.text("spec.ports.1.protocol"), "UDP");
    }

    #[test]
    fn a_mistyped_object_is_left_for_the_api_server_to_refuse() {
        let value =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {}, "stringData": {"a": 1}});
        assert_eq!(normalized(object(value.clone())).as_value(), &value);
        let value =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": [{"ports": 3}]});
        assert_eq!(normalized(object(value.clone())).as_value(), &value);
    }

    #[test]
    fn fields_that_the_server_calls_undeclared_are_dropped_from_built_in_kinds() {
        let message = "failed to create typed patch object (a/d; apps/v1, Kind=Deployment): errors:\n  .spec.replica: field not declared in schema\n  .spec.template.spec.containers[name=\"app\"].imag: field not declared in schema";
        let spec = json!({"replica": 3, "template": {"spec": {"containers": [{"name": "app", "imag": "x"}]}}});
        let deployment = |api: &str| {
            object(
                json!({"apiVersion": api, "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}),
            )
        };
        let trimmed = without_undeclared(&deployment("apps/v1"), message).unwrap();
        assert_eq!(
            trimmed.get("spec"),
            Some(&json!({"template": {"spec": {"containers": [{"name": "app"}]}}}))
        );
        assert_eq!(without_undeclared(&deployment("example.com/v1"), message), None);
        assert_eq!(without_undeclared(&deployment("apps/v1"), "no such thing"), None);
    }
}
