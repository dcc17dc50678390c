//! One HTTP request: read, answered, and the answer put into an HTTP response. Whence it came, a socket
//! or the same process, does not matter here.

use std::fmt::Display;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Buf, Bytes};
use serde_json::Value;

use super::forge;
use super::git;
use super::model::Model;
use super::time;
use super::watch::{Feed, Watch};
use crate::api::{Caller, Status, Verb};
use crate::apiserver::rest::{self, HttpBody, HttpRequest, HttpResponse};
use crate::sim::World;

/// The body of an answer: all there is, or what comes as it comes.
pub type Body = Either<Full<Bytes>, Feed>;

/// So much of a body is kept: the API server's own limit, and a byte to see that it is passed.
pub(super) const KEPT: usize = 3 * 1024 * 1024 + 1;

/// So much of a body is read, to let its sender come to reading the refusal.
const READ: usize = 128 * 1024 * 1024;

/// What typed clients send: `kubectl create`, controllers.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Answers a request.
pub(super) async fn answer<B>(model: &Model, request: Request<B>) -> Response<Body>
where
    B: hyper::body::Body,
    B::Error: Display,
{
    let (parts, body) = request.into_parts();
    if parts.uri.path().starts_with(git::PREFIX) {
        return git::answer(model, &parts, body).await;
    }
    if parts.uri.path().starts_with(forge::PREFIX) {
        return forge::answer(model, &parts, body).await;
    }
    let header = |name| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let request = HttpRequest {
        method: parts.method.as_str(),
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()),
        content_type: header(CONTENT_TYPE),
        accept: header(ACCEPT),
        body: &[],
    };
    let access = model.access();
    let caller = match model.peek(|world| access.caller(world, &parts.headers, &request)) {
        Ok(caller) => caller,
        Err(status) => return whole(status.into(), false),
    };
    if let Some(told) = time::answer(model, &caller, &parts.method, &parts.uri) {
        return whole(told, parts.method == Method::HEAD);
    }
    let body = match read(body).await {
        Ok(body) => body,
        Err(error) => return whole(unreadable(&error.to_string()).into(), false),
    };
    let request = HttpRequest { body: &body, ..request };
    let answered = model.with(|world| match request.content_type.starts_with(PROTOBUF) {
        true => carry_out_protobuf(world, &caller, &request),
        false => carry_out(world, &caller, &request),
    });
    match answered {
        Answered::Whole(response) => whole(response, parts.method == Method::HEAD),
        Answered::Watch(watch) => streamed(Feed::of(model.clone(), *watch)),
    }
}

/// The beginning of a body: all of it, unless it is too large for the API anyway.
pub(super) async fn read<B: hyper::body::Body>(body: B) -> Result<Vec<u8>, B::Error> {
    let mut body = std::pin::pin!(body);
    let (mut kept, mut read) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame?.into_data() else { continue };
        read += data.remaining();
        if read > READ {
            break;
        }
        let more = data.remaining().min(KEPT - kept.len());
        kept.extend_from_slice(&data.copy_to_bytes(more));
    }
    Ok(kept)
}

/// What a request comes to.
enum Answered {
    Whole(HttpResponse),
    Watch(Box<Watch>),
}

/// The same of a body in protobuf. The answer is JSON, which every client reads too.
fn carry_out_protobuf(world: &mut World, caller: &Caller, request: &HttpRequest<'_>) -> Answered {
    let body = match rest::protobuf::to_json(world.server(), request.body) {
        Ok(value) => value.to_string(),
        Err(status) => return Answered::Whole(status.into()),
    };
    let (content_type, body) = ("application/json", body.as_bytes());
    carry_out(world, caller, &HttpRequest { content_type, body, ..*request })
}

fn carry_out(world: &mut World, caller: &Caller, request: &HttpRequest<'_>) -> Answered {
    let route = match rest::route(world.server(), caller, request) {
        Ok(route) => route,
        Err(answered) => return Answered::Whole(answered),
    };
    let answer = world.request(caller, route.request.clone());
    match (&route.request.verb, answer) {
        (Verb::Watch(..), Ok(first)) => Answered::Watch(Watch::begin(world, route, first).into()),
        (_, answer) => Answered::Whole(route.render(world.server(), world.now(), answer)),
    }
}

/// A body that breaks off, or is no body (`apierrors.NewInternalError` has it so).
fn unreadable(why: &str) -> Status {
    Status { code: 500, message: why.into(), ..Status::default() }
}

fn whole(response: HttpResponse, head: bool) -> Response<Body> {
    let (kind, text) = match response.body {
        HttpBody::Json(value) => (media_type(&value), rest::text(&value)),
        HttpBody::Text(text) => ("text/plain; charset=utf-8", text),
        HttpBody::Events(events) => {
            ("application/json", events.iter().map(|event| rest::text(event) + "\n").collect())
        }
    };
    let body = if head { Bytes::new() } else { Bytes::from(text) };
    let mut answer = Response::new(Either::Left(Full::new(body)));
    *answer.status_mut() =
        StatusCode::from_u16(response.code).expect("the API answers with codes of HTTP");
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for warning in response.warnings.iter().filter_map(|text| warning(text)) {
        headers.append("warning", warning);
    }
    answer
}

/// A text as the `Warning` header has it: code, agent, and a quoted string.
fn warning(text: &str) -> Option<HeaderValue> {
    let text = text.replace(|c: char| c.is_control(), " ");
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    HeaderValue::from_bytes(format!("299 - \"{text}\"").as_bytes()).ok()
}

/// The aggregated discovery is told from the other by its media type.
fn media_type(body: &Value) -> &'static str {
    match body["kind"] == "APIGroupDiscoveryList" {
        true => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        false => "application/json",
    }
}

fn streamed(feed: Feed) -> Response<Body> {
    let mut answer = Response::new(Either::Right(feed));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
