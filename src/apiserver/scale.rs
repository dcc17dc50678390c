//! The `scale` subresource: one kind of object for whatever has replicas.

use serde_json::{Value, json};

use super::schema::Scale;
use crate::object::{LabelSelector, Object};

/// The `autoscaling/v1` Scale of an object.
pub(super) fn of(object: &Object, paths: &Scale) -> Object {
    let count = |path: &str| object.int(path).unwrap_or(0);
    let mut metadata = json!({"name": object.name(), "uid": object.uid(), "resourceVersion": object.resource_version()});
    if !object.namespace().is_empty() {
        metadata["namespace"] = json!(object.namespace());
    }
    if let Some(created) = object.get("metadata.creationTimestamp") {
        metadata["creationTimestamp"] = created.clone();
    }
    let mut spec = json!({});
    if count(&paths.spec) != 0 {
        spec["replicas"] = json!(count(&paths.spec));
    }
    let mut status = json!({"replicas": count(&paths.status)});
    let selector = selector_text(object.get(&paths.selector));
    if !selector.is_empty() {
        status["selector"] = json!(selector);
    }
    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": spec, "status": status});
    Object::from_value(scale).expect("a scale has apiVersion, kind and metadata")
}

fn selector_text(selector: Option<&Value>) -> String {
    match selector {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(map))
            if map.contains_key("matchLabels") || map.contains_key("matchExpressions") =>
        {
            LabelSelector::from_value(&Value::Object(map.clone())).to_string()
        }
        Some(Value::Object(labels)) => LabelSelector::from_labels(
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default())),
        )
        .to_string(),
        _ => String::new(),
    }
}
