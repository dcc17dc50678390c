//! The body of a request: a negotiation, or a pack.

use std::fmt::Display;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Buf;

use super::Refused;
use super::place::Step;
use crate::git::wire::gunzip;

/// The longest body: 256 MiB. It is held in memory.
const LONGEST: usize = 256 << 20;

/// So much is read past that, to let its sender come to reading the refusal.
const READ: usize = 2 << 30;

/// Reads a body, and inflates it where it is compressed.
pub(super) async fn read<B>(headers: &HeaderMap, step: Step, body: B) -> Result<Vec<u8>, Refused>
where
    B: hyper::body::Body,
    B::Error: Display,
{
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = header(CONTENT_TYPE).unwrap_or_default();
    if kind != step.request_type() {
        let said = format!("the body is {kind:?}; expected {}", step.request_type());
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, said));
    }
    let body = whole(body).await?;
    match header(CONTENT_ENCODING).unwrap_or("identity") {
        "identity" => Ok(body),
        "gzip" | "x-gzip" => gunzip(&body, LONGEST).ok_or_else(|| {
            Refused::new(StatusCode::BAD_REQUEST, "the body is damaged: it is no gzip stream")
        }),
        other => {
            let said = format!("the body is encoded as {other:?}; gzip is known");
            Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, said))
        }
    }
}

async fn whole<B>(body: B) -> Result<Vec<u8>, Refused>
where
    B: hyper::body::Body,
    B::Error: Display,
{
    let mut body = std::pin::pin!(body);
    let (mut kept, mut read) = (Vec::new(), 0usize);
    while let Some(frame) = body.frame().await {
        let cut_off = |error| {
            Refused::new(StatusCode::BAD_REQUEST, format!("the body could not be read: {error}"))
        };
        let Ok(mut data) = frame.map_err(cut_off)?.into_data() else { continue };
        read = read.saturating_add(data.remaining());
        match read {
            ..=LONGEST => {
                while data.has_remaining() {
                    let chunk = data.chunk();
                    kept.extend_from_slice(chunk);
                    let length = chunk.len();
                    data.advance(length);
                }
            }
            _ if read < READ => kept = Vec::new(),
            _ => break,
        }
    }
    match read > LONGEST {
        true => {
            let said = format!("a push may have {} MiB at most", LONGEST >> 20);
            Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, said))
        }
        false => Ok(kept),
    }
}
