//! The order in which the keys of managed items are stored.

use serde_json::Value;

use crate::object::Object;

/// Whether the managed items of an object are ordered otherwise by their keys' text than by what the
/// keys say: `{"containerPort":443}` before `{"containerPort":80}`.
pub fn keys_have_two_orders(object: &Object) -> bool {
    let entries = object.get("metadata.managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| is_odd(&entry["fieldsV1"]))
}

fn is_odd(fields: &Value) -> bool {
    let Some(fields) = fields.as_object() else { return false };
    // A JSON object is ordered by text.
    let keys: Vec<Value> = fields.keys().map(String::as_str).filter_map(key_of).collect();
    keys.windows(2).any(|pair| comes_after(&pair[0], &pair[1])) || fields.values().any(is_odd)
}

fn key_of(name: &str) -> Option<Value> {
    let text = name.strip_prefix("k:").or_else(|| name.strip_prefix("v:"))?;
    serde_json::from_str(text).ok()
}

/// Of keys of the same fields: by the first value that differs. Of values: numbers alone count.
fn comes_after(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() > b.as_f64(),
        (Value::Object(one), Value::Object(other)) => {
            let mut differing = one.values().zip(other.values()).filter(|(a, b)| a != b);
            differing.next().is_some_and(|(a, b)| comes_after(a, b))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn numbers_in_keys_are_ordered_as_numbers_or_as_text() {
        let check = |keys: [&str; 2], expected: bool| {
            let mut object = Object::new("v1", "Thing", "a", "b");
            let items: Map<String, Value> =
                keys.map(|key| (key.into(), json!({}))).into_iter().collect();
            object.set("metadata.managedFields", json!([{"fieldsV1": {"f:spec": items}}]));
            assert_eq!(keys_have_two_orders(&object), expected, "{keys:?}");
        };
        let port = |number: i64, protocol: &str| {
            format!(r#"k:{{"containerPort":{number},"protocol":"{protocol}"}}"#)
        };
        check([&port(80, "UDP"), &port(443, "TCP")], true);
        check([&port(80, "TCP"), &port(90, "UDP")], false);
        check([&port(80, "TCP"), &port(80, "UDP")], false);
        check([r#"k:{"name":"b"}"#, r#"k:{"name":"a"}"#], false);
        check(["v:9", "v:10"], true);
        check(["f:9", "f:10"], false);
    }
}
