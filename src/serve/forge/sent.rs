//! What comes with a request: a JSON object in its body, or the pairs of its query.

use http::StatusCode;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::serve::caller::unescaped;

/// The fields of a body.
pub(super) struct Sent(Map<String, Value>);

impl Sent {
    /// Reads a body; none at all has no fields.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let wrong = |message: &str| Refusal::new(StatusCode::BAD_REQUEST, message);
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Sent(Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Sent(fields)),
            Ok(_) => Err(wrong("Body should be a JSON object")),
            Err(error) => Err(wrong(&format!("Problems parsing JSON: {error}"))),
        }
    }

    /// A text; `null` is none.
    pub(super) fn text(&self, field: &str) -> Result<Option<String>, Refusal> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Refusal::invalid(field, format!("{field} is not a string"))),
        }
    }

    /// A text that must be there.
    pub(super) fn needed(&self, field: &str) -> Result<String, Refusal> {
        let missing = || Refusal::invalid(field, format!("{field} wasn't supplied"));
        self.text(field)?.ok_or_else(missing)
    }
}

/// What a query gives a name, unescaped.
pub(super) fn asked(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    Some(unescaped(&value.replace('+', " ")))
}
