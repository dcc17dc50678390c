//! JSON patch (RFC 6902).

use serde_json::Value;

use super::{bad_request, unprocessable};
use crate::api::{Reason, Status};
use crate::object::apply_json_patch;

/// More operations than this are refused.
const OPERATIONS: usize = 10_000;

/// `object` after the operations of `patch`, one after the other.
///
/// As the real server does, `replace` also adds a field that is not there, and negative list
/// positions count from the end.
///
/// # Errors
///
/// `BadRequest` when `patch` is no list of operations; 422 when an operation cannot be done, and
/// nothing is.
///
/// ```
/// use driftlab::apiserver::patch::json;
/// use serde_json::json;
/// let patch = json!([{"op": "add", "path": "/data/b", "value": "2"}, {"op": "remove", "path": "/data/a"}]);
/// assert_eq!(json(&json!({"data": {"a": "1"}}), &patch), Ok(json!({"data": {"b": "2"}})));
/// ```
pub fn json(object: &Value, patch: &Value) -> Result<Value, Status> {
    let operations = operations(patch)?;
    let mut object = object.clone();
    for operation in operations {
        apply_json_patch(&mut object, operation).ok_or_else(unprocessable)?;
    }
    Ok(object)
}

fn operations(patch: &Value) -> Result<&[Value], Status> {
    const GO: &str = "handlers.jsonPatchOp";
    let refuse = |value: &Value, go: String| {
        let what = match value {
            Value::Object(_) => "object",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            Value::Array(_) => "array",
            _ => "number",
        };
        let why = format!("json: cannot unmarshal {what} into Go value of type {go}");
        bad_request(format!("error decoding patch: {why}"))
    };
    let operations: &[Value] = match patch {
        Value::Array(operations) => operations,
        Value::Null => &[],
        other => return Err(refuse(other, format!("[]{GO}"))),
    };
    if let Some(bad) = operations.iter().find(|op| !op.is_object()) {
        return Err(refuse(bad, GO.into()));
    }
    if operations.len() > OPERATIONS {
        let message = format!(
            "The allowed maximum operations in a JSON patch is {OPERATIONS}, got {}",
            operations.len()
        );
        return Err(Status::failure(Reason::RequestEntityTooLarge, message));
    }
    Ok(operations)
}
