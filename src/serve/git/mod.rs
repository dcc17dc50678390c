//! The forge's repositories over HTTP, for real `git`: `/git/NAME.git` (gitprotocol-http(5)).

mod body;
mod place;

use std::fmt::Display;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HeaderValue, PRAGMA, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Bytes;

use self::place::{Place, Step};
use super::answer::Body;
use super::model::Model;
use super::who::{Unknown, Who};
use crate::git::Repository;
use crate::git::forge::{AccessError, Pushed};
use crate::git::wire::{Push, Version, WireError, advertise_fetch, advertise_push, upload_pack};
use crate::sim::World;

pub(super) use place::{PREFIX, url};

/// Answers a request for something under [`PREFIX`].
pub(super) async fn answer<B>(model: &Model, parts: &Parts, body: B) -> Response<Body>
where
    B: hyper::body::Body,
    B::Error: Display,
{
    let place = match Place::of(&parts.method, &parts.uri) {
        Ok(place) => place,
        Err(refused) => return refused.into_response(),
    };
    let found = match place.step {
        Step::AdvertiseFetch | Step::AdvertisePush => tell(model, parts, &place),
        Step::Fetch | Step::Push => match body::read(&parts.headers, place.step, body).await {
            Ok(body) if place.step == Step::Fetch => fetch(model, parts, &place, &body),
            Ok(body) => push(model, parts, &place, &body),
            Err(refused) => Err(refused),
        },
    };
    match found {
        Ok(bytes) => respond(StatusCode::OK, place.step.answer_type(), bytes),
        Err(refused) => refused.into_response(),
    }
}

/// A request that is not carried out: the status, and what `git` shows after `remote: `.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    said: String,
}

impl Refused {
    fn new(status: StatusCode, said: impl Into<String>) -> Self {
        Refused { status, said: said.into() }
    }

    fn into_response(self) -> Response<Body> {
        let is_unknown = self.status == StatusCode::UNAUTHORIZED;
        let said = (self.said + "\n").into_bytes();
        let mut response = respond(self.status, "text/plain; charset=utf-8", said);
        if is_unknown {
            let basic = HeaderValue::from_static("Basic realm=\"driftlab\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, basic);
        }
        response
    }
}

impl From<Unknown> for Refused {
    fn from(Unknown(said): Unknown) -> Self {
        Refused::new(StatusCode::UNAUTHORIZED, said)
    }
}

/// As GitHub answers, which names what is private only to those who may know of it.
impl From<AccessError> for Refused {
    fn from(error: AccessError) -> Self {
        let status = match &error {
            AccessError::NotFound { .. } => StatusCode::NOT_FOUND,
            AccessError::BadCredentials { .. } => StatusCode::UNAUTHORIZED,
            _ => StatusCode::FORBIDDEN,
        };
        let said = error.to_string();
        let first = said.lines().next().unwrap_or_default();
        Refused::new(status, first.trim_start_matches("remote: "))
    }
}

fn respond(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let never = HeaderValue::from_static("no-cache, max-age=0, must-revalidate");
    headers.insert(CACHE_CONTROL, never);
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(EXPIRES, HeaderValue::from_static("Fri, 01 Jan 1980 00:00:00 GMT"));
    response
}

fn version(headers: &HeaderMap) -> Version {
    let asked = headers.get("git-protocol").and_then(|value| value.to_str().ok());
    Version::asked_for(asked.unwrap_or_default())
}

/// What there is to fetch, or to push over.
fn tell(model: &Model, parts: &Parts, place: &Place<'_>) -> Result<Vec<u8>, Refused> {
    match place.step {
        Step::AdvertisePush => {
            let (_, repository) = for_push(model, &parts.headers, place)?;
            Ok(advertise_push(&repository))
        }
        _ => {
            let repository = for_fetch(model, &parts.headers, place)?;
            Ok(advertise_fetch(&repository, version(&parts.headers)))
        }
    }
}

fn fetch(model: &Model, parts: &Parts, place: &Place<'_>, body: &[u8]) -> Result<Vec<u8>, Refused> {
    let repository = for_fetch(model, &parts.headers, place)?;
    let answered = upload_pack(&repository, version(&parts.headers), body);
    Ok(answered.unwrap_or_else(|error: WireError| error.packet()))
}

fn push(model: &Model, parts: &Parts, place: &Place<'_>, body: &[u8]) -> Result<Vec<u8>, Refused> {
    let (who, repository) = for_push(model, &parts.headers, place)?;
    let push = Push::read(body).map_err(|error| bad(&error))?;
    if push.updates.is_empty() {
        return Ok(Vec::new()); // `git` asks so whether it may, before it sends much.
    }
    match push.unpack(&repository) {
        Ok(from) => {
            let pushed = model.with(|world| receive(world, &who, place, &from, &push))?;
            Ok(push.report(&pushed))
        }
        Err(why) => Ok(push.refuse(&why)),
    }
}

fn bad(error: &WireError) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, error.to_string())
}

/// Takes a push in; a repository that is not there yet is made, if anything comes of it.
fn receive(
    world: &mut World,
    who: &Who,
    place: &Place<'_>,
    from: &Repository,
    push: &Push<'_>,
) -> Result<Pushed, AccessError> {
    who.introduce(world);
    let before = world.forge().clone();
    let url = world.forge().url(place.name);
    if world.repository(&url).is_none() {
        world.add_repository(&url, Repository::new());
    }
    let caller = (who.actor(), who.caller());
    let pushed = world.receive_push(caller, &url, from, push.updates.clone(), push.atomic);
    if !pushed.as_ref().is_ok_and(|pushed| pushed.updated().next().is_some()) {
        *world.forge_mut() = before;
    }
    pushed
}

/// Why not; who has not said a name is asked for it first.
fn refused(who: &Who, error: AccessError) -> Refused {
    match error {
        AccessError::BadCredentials { .. } => Unknown("Invalid username or token.").into(),
        AccessError::NotFound { .. } if who.is_nobody() => {
            Unknown("Repository not found, or not for everybody.").into()
        }
        error => error.into(),
    }
}

fn for_fetch(model: &Model, headers: &HeaderMap, place: &Place<'_>) -> Result<Repository, Refused> {
    let access = model.access();
    model.peek(|world| {
        let who = Who::of(access, world, headers, false)?;
        let url = world.forge().url(place.name);
        let found = world.forge().read(&url, who.caller(), world.now());
        found.cloned().map_err(|error| refused(&who, error))
    })
}

/// Who pushes, and the repository as it is now; an empty one, if it is to be made.
fn for_push(
    model: &Model,
    headers: &HeaderMap,
    place: &Place<'_>,
) -> Result<(Who, Repository), Refused> {
    let access = model.access();
    model.peek(|world| {
        let who = Who::of(access, world, headers, true)?;
        // Asking makes nobody known, and no repository: a copy is asked.
        let mut world = world.clone();
        who.introduce(&mut world);
        let url = world.forge().url(place.name);
        if world.repository(&url).is_none() {
            check_new(&world, place.name)?;
            world.add_repository(&url, Repository::new());
        }
        let may = world.forge().may_push(&url, who.caller(), world.now());
        may.map_err(|error| refused(&who, error))?;
        let repository = world.repository(&url).cloned().unwrap_or_default();
        Ok((who, repository))
    })
}

/// Checks the name of a repository that is to be made: nothing else is found by it.
fn check_new(world: &World, name: &str) -> Result<(), Refused> {
    let mut forge = world.forge().clone();
    forge.create(name);
    match [name, &forge.url(name)].iter().all(|url| forge.name_of(url) == Some(name)) {
        true => Ok(()),
        false => {
            let said = format!("{name:?} is no name for a new repository: it reads as an address");
            Err(Refused::new(StatusCode::BAD_REQUEST, said))
        }
    }
}
