//! The REST face of the server: paths, query parameters and bodies to requests, and answers to JSON.
//!
//! These are plain functions, without a socket and without an HTTP library: whoever speaks HTTP, in
//! process or on a port, hands in the parts of a request and carries away the parts of the answer.
//!
//! ```
//! use driftlab::api::Caller;
//! use driftlab::apiserver::{Server, rest};
//! use driftlab::time::Timestamp;
//!
//! let mut server = Server::new();
//! let request = rest::HttpRequest {
//!     method: "POST",
//!     target: "/api/v1/namespaces/default/configmaps?fieldManager=me",
//!     content_type: "application/json",
//!     accept: "",
//!     body: br#"{"metadata": {"name": "settings"}, "data": {"mode": "dark"}}"#,
//! };
//! let answer = rest::answer(&mut server, Timestamp::START, &Caller::default(), &request);
//! assert_eq!(answer.code, 201);
//! ```

mod accept;
mod body;
mod connect;
mod discovery;
mod guard;
mod health;
mod json;
mod openapi;
mod path;
pub mod protobuf;
mod query;
mod render;
mod route;
mod text;

use serde_json::Value;

pub use guard::impersonate;
pub use route::{Route, route};
pub use text::text;

use super::server::Server;
use crate::api::{Caller, Status};
use crate::time::Timestamp;

/// The parts of an HTTP request that an answer depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpRequest<'a> {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'a str,
    /// Path and query, percent-encoded, as the request line has them.
    pub target: &'a str,
    /// The `Content-Type`; empty for none.
    pub content_type: &'a str,
    /// The `Accept`: whether a table, metadata alone or the aggregated discovery is wanted; empty for none.
    pub accept: &'a str,
    /// The body; empty for none.
    pub body: &'a [u8],
}

/// The parts of an HTTP response.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpResponse {
    /// The status code.
    pub code: u16,
    /// The body.
    pub body: HttpBody,
    /// The texts of the `Warning` headers, without the leading `299 -` and the quotes.
    pub warnings: Vec<String>,
}

/// The body of a response.
#[derive(Clone, Debug, PartialEq)]
pub enum HttpBody {
    /// `application/json`.
    Json(Value),
    /// `text/plain`.
    Text(String),
    /// The events of a watch so far, each a JSON document of its own.
    Events(Vec<Value>),
}

/// Answers one request: [`route`], then the server, then [`render`](Route::render).
///
/// Whoever has a server inside something larger does these three by itself.
pub fn answer(
    server: &mut Server,
    now: Timestamp,
    caller: &Caller,
    request: &HttpRequest<'_>,
) -> HttpResponse {
    match route(server, caller, request) {
        Ok(route) => {
            let answer = server.handle(now, caller, route.request.clone());
            route.render(server, now, answer)
        }
        Err(answered) => answered,
    }
}

impl HttpResponse {
    fn json(code: u16, body: Value) -> Self {
        HttpResponse { code, body: HttpBody::Json(body), warnings: Vec::new() }
    }

    fn text(code: u16, text: &str) -> Self {
        HttpResponse { code, body: HttpBody::Text(text.into()), warnings: Vec::new() }
    }

    /// What is said of a path that leads nowhere.
    fn page_not_found() -> Self {
        HttpResponse::text(404, "404 page not found\n")
    }
}

impl From<Status> for HttpResponse {
    fn from(status: Status) -> Self {
        let body = status.to_value();
        HttpResponse { warnings: status.warnings, ..HttpResponse::json(status.code, body) }
    }
}
