//! JSON merge patch (RFC 7386).

use serde_json::{Map, Value};

use super::bad_request;
use crate::api::Status;

/// `object` with `patch` merged into it: objects merge, null removes, everything else replaces.
///
/// # Errors
///
/// `BadRequest` when `patch` is neither an object nor a list.
///
/// ```
/// use driftlab::apiserver::patch::merge;
/// use serde_json::json;
/// let patched = merge(&json!({"a": 1, "b": {"c": 2}}), &json!({"a": null, "b": {"d": 3}}));
/// assert_eq!(patched, Ok(json!({"b": {"c": 2, "d": 3}})));
/// ```
pub fn merge(object: &Value, patch: &Value) -> Result<Value, Status> {
    if !patch.is_object() && !patch.is_array() {
        return Err(bad_request("Invalid JSON Patch".into()));
    }
    let mut object = object.clone();
    lay(&mut object, patch);
    Ok(object)
}

fn lay(target: &mut Value, patch: &Value) {
    let (Value::Object(fields), Value::Object(changes)) = (&mut *target, patch) else {
        *target = without_nulls(patch);
        return;
    };
    for (name, change) in changes {
        match (change, fields.get_mut(name)) {
            (Value::Null, _) => {
                fields.remove(name);
            }
            (change, Some(field)) if !field.is_null() => lay(field, change),
            (change, _) => {
                fields.insert(name.clone(), without_nulls(change));
            }
        }
    }
}

/// A new value: the nulls in its objects remove nothing and are not kept.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(k, v)| (k.clone(), without_nulls(v))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}
