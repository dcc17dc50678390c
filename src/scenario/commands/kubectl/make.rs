//! The objects that `kubectl create` makes without a file.

use serde_json::{Map, Value, json};

use crate::base64;
use crate::object::Object;

pub(super) fn namespace(name: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
}

pub(super) fn deployment(name: &str, image: &str, replicas: i64) -> Object {
    let container = image.rsplit('/').next().unwrap_or(image);
    let container = container.split([':', '@']).next().unwrap_or(container);
    let labels = json!({"app": name});
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": container, "image": image}]},
            },
        },
    }))
}

pub(super) fn config_map(name: &str, literals: &[(String, String)]) -> Object {
    let data: Map<String, Value> =
        literals.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    object(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}),
    )
}

pub(super) fn secret(name: &str, literals: &[(String, String)]) -> Object {
    let data: Map<String, Value> = literals
        .iter()
        .map(|(key, value)| (key.clone(), json!(base64::encode(value.as_bytes()))))
        .collect();
    object(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name}, "data": data,
    }))
}

fn object(value: Value) -> Object {
    Object::from_value(value).expect("kind and metadata are set above")
}
