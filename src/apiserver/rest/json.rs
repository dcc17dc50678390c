//! JSON as Go's decoders take it: the complaint about a bad text, and fields that come twice.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::apiserver::golang;

/// A parsed text.
#[derive(Debug)]
pub(super) struct Parsed {
    pub value: Value,
    /// Fields that are given more than once, as dotted paths; the last one given counts.
    pub duplicates: Vec<String>,
}

/// Parses a text; what is no UTF-8 in it is replaced, as Go replaces it.
///
/// # Errors
///
/// As Go words it.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, String> {
    let bytes = String::from_utf8_lossy(bytes);
    let bytes = bytes.as_bytes();
    let mut duplicates = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let seed = Seed { path: String::new(), duplicates: &mut duplicates };
    let value = seed
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|why| golang::json_error(bytes, &why))?;
    Ok(Parsed { value, duplicates })
}

/// As `runtime.DecodedMessage`s show a body that could not be read.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 30;
    let cut = &bytes[..bytes.len().min(SHOWN)];
    let more = if bytes.len() > SHOWN { " ..." } else { "" };
    match bytes.first() {
        None => "<empty>".into(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(cut)),
        Some(_) => format!("{}{more}", cut.iter().map(|b| format!("{b:02x}")).collect::<String>()),
    }
}

/// What Go calls the type of a JSON value.
pub(super) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Builds a value, noting duplicates on the way.
struct Seed<'a> {
    path: String,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, list.len());
            let seed = Seed { path, duplicates: self.duplicates };
            match items.next_element_seed(seed)? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let dot = if self.path.is_empty() { "" } else { "." };
            let path = format!("{}{dot}{name}", self.path);
            let again = map.contains_key(&name);
            let seed = Seed { path: path.clone(), duplicates: self.duplicates };
            let value = fields.next_value_seed(seed)?;
            if again {
                self.duplicates.push(path);
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_worded_as_go_words_them() {
        let check =
            |text: &str, expected: &str| assert_eq!(parse(text.as_bytes()).unwrap_err(), expected);
        check("", "unexpected end of JSON input");
        check("{\"a\":", "unexpected end of JSON input");
        check("x: 1", "invalid character 'x' looking for beginning of value");
        check("{} t", "invalid character 't' after top-level value");
        check(&"[".repeat(20_000), "invalid character '[' exceeded max depth");
    }

    #[test]
    fn fields_that_come_twice_are_named() {
        let parsed = parse(br#"{"data": {"a": 1, "a": 2}, "data": {}, "l": [{"x": 1, "x": 1}]}"#);
        assert_eq!(parsed.unwrap().duplicates, ["data.a", "data", "l[0].x"]);
    }
}
