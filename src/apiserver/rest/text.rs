//! From JSON to text, in the order in which a real server writes.
//!
//! Go writes the fields of a built-in object as its type declares them: `kind` first, a `uid` before the
//! labels. Custom resources are maps to it, whose keys it sorts. Here an object and its metadata are
//! ordered; below, where nobody looks for an order, keys are sorted.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

use crate::apiserver::schema;

/// What comes first in an object, and in the event of a watch.
const FIRST: [&str; 4] = ["type", "kind", "apiVersion", "metadata"];

/// The body of an answer, or an event of a watch, as text.
pub fn text(body: &Value) -> String {
    serde_json::to_string(&Written { value: body, part: Part::Document })
        .expect("JSON has text keys")
}

/// A value, and what it is a part of.
#[derive(Clone, Copy)]
struct Written<'v> {
    value: &'v Value,
    part: Part,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// An object, a list of objects, or an event.
    Document,
    /// The items of a list, or the rows of a table.
    Documents,
    /// The metadata of an object.
    Metadata,
    /// Anything else.
    Plain,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.part, self.value) {
            (Part::Document, Value::Object(fields)) => write_document(fields, serializer),
            (Part::Metadata, Value::Object(fields)) => {
                let order = schema::metadata_order();
                in_order(fields, order, |_| Part::Plain, serializer)
            }
            (Part::Documents, Value::Array(items)) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    list.serialize_element(&Written { value, part: Part::Document })?;
                }
                list.end()
            }
            _ => self.value.serialize(serializer),
        }
    }
}

fn write_document<S: Serializer>(
    fields: &Map<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let api_version = fields.get("apiVersion").and_then(Value::as_str);
    if api_version.is_some_and(|version| !schema::is_built_in(version)) {
        let part = |name: &str| if name == "items" { Part::Documents } else { Part::Plain };
        return in_order(fields, std::iter::empty(), part, serializer);
    }
    // Only an event's type comes first: Secrets have one too.
    let is_event = fields.contains_key("object") && api_version.is_none();
    let first = FIRST.into_iter().filter(|name| is_event || *name != "type");
    let part = |name: &str| match name {
        "metadata" => Part::Metadata,
        "items" | "rows" => Part::Documents,
        "object" => Part::Document,
        _ => Part::Plain,
    };
    in_order(fields, first, part, serializer)
}

/// Writes the fields that are named, in that order, and then the others.
fn in_order<'n, S: Serializer>(
    fields: &Map<String, Value>,
    first: impl Iterator<Item = &'n str> + Clone,
    part: impl Fn(&str) -> Part,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(fields.len()))?;
    let named = first.clone().filter_map(|name| fields.get_key_value(name));
    let others = fields.iter().filter(|(name, _)| !first.clone().any(|named| named == *name));
    for (name, value) in named.chain(others) {
        map.serialize_entry(name, &Written { value, part: part(name) })?;
    }
    map.end()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_written_as_go_declares_it() {
        let check = |body: Value, expected: &str| {
            assert_eq!(text(&body), expected);
            assert_eq!(serde_json::from_str::<Value>(expected).unwrap(), body);
        };
        let metadata = json!({"labels": {"b": "1", "a": "2"}, "name": "x", "uid": "u"});
        let written = r#"{"name":"x","uid":"u","labels":{"a":"2","b":"1"}}"#;
        check(
            json!({"apiVersion": "v1", "data": {}, "kind": "Secret", "metadata": metadata, "type": "Opaque"}),
            &format!(
                r#"{{"kind":"Secret","apiVersion":"v1","metadata":{written},"data":{{}},"type":"Opaque"}}"#
            ),
        );
        check(
            json!({"apiVersion": "apps/v1", "items": [{"metadata": metadata}], "kind": "DeploymentList"}),
            &format!(
                r#"{{"kind":"DeploymentList","apiVersion":"apps/v1","items":[{{"metadata":{written}}}]}}"#
            ),
        );
        check(
            json!({"object": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}, "type": "ADDED"}),
            &format!(
                r#"{{"type":"ADDED","object":{{"kind":"Pod","apiVersion":"v1","metadata":{written}}}}}"#
            ),
        );
        check(
            json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata}),
            r#"{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"labels":{"a":"2","b":"1"},"name":"x","uid":"u"}}"#,
        );
    }
}
