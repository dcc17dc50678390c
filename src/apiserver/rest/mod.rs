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
//!     body: br#"{"metadata": {"name": "settings"}, "data": {"mode": "dark"}}"#,
//! };
//! let answer = rest::answer(&mut server, Timestamp::START, &Caller::default(), &request);
//! assert_eq!(answer.code, 201);
//! ```

mod body;
mod json;
mod path;
mod query;
mod render;
mod route;

use serde_json::Value;

pub use route::{Route, route};

use super::server::Server;
use crate::api::{ApiResponse, Caller, Status};
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
pub fn answer(
    server: &mut Server,
    now: Timestamp,
    caller: &Caller,
    request: &HttpRequest<'_>,
) -> HttpResponse {
    match route(server, request) {
        Ok(route) => {
            let (answer, warnings) = carry_out(server, now, caller, &route);
            let response = route.render(answer);
            HttpResponse { warnings: [route.warnings, warnings].concat(), ..response }
        }
        Err(refused) => refused,
    }
}

fn carry_out(
    server: &mut Server,
    now: Timestamp,
    caller: &Caller,
    route: &Route,
) -> (Result<ApiResponse, Status>, Vec<String>) {
    match route.at {
        Some(version) => (server.read_at(version, &route.request), Vec::new()),
        None => server.handle_and_warn(now, caller, route.request.clone()),
    }
}

impl HttpResponse {
    fn json(code: u16, body: Value) -> Self {
        HttpResponse { code, body: HttpBody::Json(body), warnings: Vec::new() }
    }

    /// What is said of a path that leads nowhere.
    fn page_not_found() -> Self {
        let body = HttpBody::Text("404 page not found\n".into());
        HttpResponse { code: 404, body, warnings: Vec::new() }
    }
}

impl From<Status> for HttpResponse {
    fn from(status: Status) -> Self {
        HttpResponse::json(status.code, status.to_value())
    }
}
