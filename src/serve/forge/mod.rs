//! The forge's API: pull requests over HTTP, below `/api/v3/`, as GitHub's REST API has them.
//!
//! | Request | What it does |
//! |---|---|
//! | `GET user` | tells who asks |
//! | `GET repos/NAME` | tells of a repository: its default branch |
//! | `GET repos/NAME/pulls?state=open&head=BRANCH&base=BRANCH` | lists pull requests, the newest first |
//! | `POST repos/NAME/pulls` `{title, head, base, body}` | opens one |
//! | `GET repos/NAME/pulls/N` | tells of one, and whether it can be merged |
//! | `PATCH repos/NAME/pulls/N` `{state: "closed"}` | closes it |
//! | `GET repos/NAME/pulls/N/reviews` | lists its reviews |
//! | `POST repos/NAME/pulls/N/reviews` `{event, body}` | reviews it: `APPROVE`, `REQUEST_CHANGES`, `COMMENT` |
//! | `GET repos/NAME/pulls/N/merge` | 204 if it is merged |
//! | `PUT repos/NAME/pulls/N/merge` `{merge_method, sha}` | merges it: `merge`, `squash`, `rebase` |
//! | `POST repos/NAME/statuses/SHA` `{state, context}` | reports a check: `pending`, `success`, `failure`; a branch will do for SHA |
//! | `GET repos/NAME/commits/SHA/status` | tells of the checks on a commit |
//! | `DELETE repos/NAME/git/refs/heads/BRANCH` | deletes a branch |
//!
//! NAME has an owner or none, as below `/git/`. Who asks says so as `git` does, by user and token.
//!
//! Source: docs.github.com/rest/pulls, of version 2022-11-28.

mod handle;
mod refusal;
mod route;
mod sent;

use std::fmt::Display;

use http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Bytes;
use serde_json::Value;

use self::handle::At;
use self::refusal::Refusal;
use self::route::Route;
use self::sent::Sent;
use super::answer::{Body, KEPT, read};
use super::model::Model;
use super::who::Who;

pub(super) use route::PREFIX;

/// Answers a request for something below [`PREFIX`].
pub(super) async fn answer<B>(model: &Model, parts: &Parts, body: B) -> Response<Body>
where
    B: hyper::body::Body,
    B::Error: Display,
{
    let body = read(body).await.map_err(|error| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("the body could not be read: {error}"))
    });
    let answered = body.and_then(|body| carry_out(model, parts, &body));
    let (status, body) = answered.unwrap_or_else(|refusal| (refusal.status, refusal.body()));
    respond(status, &body)
}

fn carry_out(model: &Model, parts: &Parts, body: &[u8]) -> Result<(StatusCode, Value), Refusal> {
    if body.len() >= KEPT {
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body has more than 3 MiB"));
    }
    let route = Route::of(parts.uri.path()).ok_or_else(Refusal::not_found)?;
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    let access = model.access();
    model.with(|world| {
        let who = Who::of(access, world, &parts.headers, !reads)?;
        let sent = Sent::read(body)?;
        let at = At { world, who, name: &route.name, query: parts.uri.query().unwrap_or_default() };
        at.carry_out(if reads { &Method::GET } else { &parts.method }, &route.thing, &sent)
    })
}

fn respond(status: StatusCode, body: &Value) -> Response<Body> {
    let text = match body {
        Value::Null => String::new(),
        body => format!("{body:#}\n"),
    };
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(text))));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    if status == StatusCode::UNAUTHORIZED {
        let basic = HeaderValue::from_static("Basic realm=\"driftlab\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, basic);
    }
    response
}
