//! One HTTP request: who asks, what for, and the answer's headers.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;

use super::model::Shared;
use super::watch::{self, Feed};
use crate::api::{Caller, Reason, Status, Verb};
use crate::apiserver::rest::{self, HttpBody, HttpRequest, HttpResponse};
use crate::sim::World;

/// A body: all there is, or what comes as it comes.
pub(super) type Body = Either<Full<Bytes>, Feed>;

/// So much of a body is kept: the API server's own limit, and a byte to see that it is passed.
const KEPT: usize = 3 * 1024 * 1024 + 1;

/// So much of a body is read, to let its sender come to reading the refusal.
const READ: usize = 128 * 1024 * 1024;

/// What typed clients send: `kubectl create`, controllers.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Answers a request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let caller = match caller(&parts.headers, shared.token.as_deref()) {
        Ok(caller) => caller,
        Err(status) => return Ok(whole(status.into(), false)),
    };
    let body = match read(body).await {
        Ok(body) => body,
        Err(error) => return Ok(whole(unreadable(&error.to_string()).into(), false)),
    };
    let header = |name| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let request = HttpRequest {
        method: parts.method.as_str(),
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()),
        content_type: header(CONTENT_TYPE),
        accept: header(ACCEPT),
        body: &body,
    };
    let answered = shared.with(|world| match request.content_type.starts_with(PROTOBUF) {
        true => carry_out_protobuf(world, &caller, &request),
        false => carry_out(world, &caller, &request),
    });
    Ok(match answered {
        Answered::Whole(response) => whole(response, parts.method == Method::HEAD),
        Answered::Watch(watch) => streamed(watch::feed(shared, *watch)),
    })
}

/// The beginning of a body: all of it, unless it is too large for the API anyway.
async fn read(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let (mut kept, mut read) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        read += data.len();
        if read > READ {
            break;
        }
        kept.extend_from_slice(&data[..data.len().min(KEPT - kept.len())]);
    }
    Ok(kept)
}

/// What a request comes to.
enum Answered {
    Whole(HttpResponse),
    Watch(Box<watch::Watch>),
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
    if let Some(about) = rest::about(world.server(), request) {
        return Answered::Whole(about);
    }
    let route = match rest::route(world.server(), request) {
        Ok(route) => route,
        Err(refused) => return Answered::Whole(refused),
    };
    let answer = match route.at {
        Some(version) => world.server().read_at(version, &route.request),
        None => world.request(caller, route.request.clone()),
    };
    let answer = match (&route.request.verb, answer) {
        (Verb::Watch(..), Ok(first)) => {
            let begun = watch::Watch::begin(world, route, first);
            return Answered::Watch(Box::new(begun));
        }
        (_, answer) => answer,
    };
    let warnings = route.warnings.clone();
    let response = route.render(world.server(), world.now(), answer);
    Answered::Whole(HttpResponse { warnings: [warnings, response.warnings].concat(), ..response })
}

/// Who asks: `admin` when the token fits or none is asked for, and whom an admin pretends to be.
fn caller(headers: &HeaderMap, token: Option<&str>) -> Result<Caller, Status> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let given = text(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    if token.is_some() && given != token {
        return Err(Status::failure(Reason::Unauthorized, "Unauthorized"));
    }
    let agent = text(USER_AGENT.as_str()).unwrap_or_default();
    let Some(user) = text("impersonate-user") else {
        let admin = Caller::new("admin", agent);
        let groups = vec!["system:masters".into(), "system:authenticated".into()];
        return Ok(Caller { groups, ..admin });
    };
    let groups = headers.get_all("impersonate-group").iter();
    let groups = groups.filter_map(|group| group.to_str().ok()).map(str::to_owned);
    Ok(Caller {
        groups: groups.chain(["system:authenticated".into()]).collect(),
        ..Caller::new(user, agent)
    })
}

fn unreadable(why: &str) -> Status {
    Status::failure(Reason::BadRequest, format!("the body could not be read: {why}"))
}

fn whole(response: HttpResponse, head: bool) -> Response<Body> {
    let (kind, text) = match response.body {
        HttpBody::Json(value) => (media_type(&value), value.to_string()),
        HttpBody::Text(text) => ("text/plain; charset=utf-8", text),
        HttpBody::Events(events) => {
            ("application/json", events.iter().map(|event| format!("{event}\n")).collect())
        }
    };
    let body = if head { Bytes::new() } else { Bytes::from(text) };
    let mut answer = Response::new(Either::Left(Full::new(body)));
    *answer.status_mut() =
        StatusCode::from_u16(response.code).expect("the API answers with codes of HTTP");
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for warning in response.warnings {
        let text = warning.replace(['"', '\\'], "'").replace(|c: char| c.is_control(), " ");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            headers.append("warning", value);
        }
    }
    answer
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
