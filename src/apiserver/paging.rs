//! Continue tokens: where a list that was cut by a limit goes on.

use serde_json::{Value, json};

use super::{base64, refusal};
use crate::api::{Reason, ResourceVersion, Status};

/// Where a list goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// The version of the first page, which all pages show.
    pub version: ResourceVersion,
    /// The key of the last object already given.
    pub after: String,
}

/// The token of a page that ended with an object at `last` (`k8s.io/apiserver/pkg/storage/continue.go`).
pub(super) fn write(version: ResourceVersion, last: &str) -> String {
    let start = format!("{last}\u{0}");
    base64::encode_url(
        json!({"v": "meta.k8s.io/v1", "rv": version.0, "start": start}).to_string().as_bytes(),
    )
}

/// # Errors
///
/// `BadRequest` when the text is no token.
pub(super) fn read(token: &str) -> Result<Start, Status> {
    let invalid = |why: &str| {
        refusal::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
    };
    let bytes = base64::decode_url(token)
        .map_err(|at| invalid(&format!("illegal base64 data at input byte {at}")))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| invalid(&not_json(&bytes)))?;
    let start = value.get("start").and_then(Value::as_str).unwrap_or_default();
    match (value.get("v").and_then(Value::as_str), value.get("rv").and_then(Value::as_u64)) {
        (Some("meta.k8s.io/v1"), Some(version)) if version > 0 => Ok(Start {
            version: ResourceVersion(version),
            after: start.trim_end_matches('\u{0}').to_owned(),
        }),
        (Some("meta.k8s.io/v1"), _) => {
            Err(invalid("incorrect encoded start resourceVersion (version meta.k8s.io/v1)"))
        }
        _ => Err(invalid("server does not recognize this encoded version")),
    }
}

/// The pages of this list can no longer be told.
pub(super) fn expired() -> Status {
    Status::failure(
        Reason::Expired,
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    )
}

/// As Go's `encoding/json` complains of a text that does not begin a value.
fn not_json(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
        None => "unexpected end of JSON input".to_owned(),
        Some(b @ 0x80..) => {
            format!("invalid character '\\u00{b:02x}' looking for beginning of value")
        }
        Some(_) => format!(
            "invalid character {:?} looking for beginning of value",
            text.trim_start().chars().next().unwrap_or(' ')
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gives_back_what_it_was_made_of() {
        for last in ["a", "default/web-0", "ns/ünicode", ""] {
            let start = read(&write(ResourceVersion(42), last)).unwrap();
            assert_eq!(start, Start { version: ResourceVersion(42), after: last.into() });
        }
    }

    #[test]
    fn a_text_that_is_no_token_is_refused() {
        let check = |token: &str, why: &str| {
            let message = read(token).unwrap_err().message;
            assert_eq!(
                message,
                format!("invalid continue token: continue key is not valid: {why}")
            );
        };
        check("garbage", "invalid character '\\u0081' looking for beginning of value");
        check("a b", "illegal base64 data at input byte 1");
        check("e30", "server does not recognize this encoded version");
    }
}
