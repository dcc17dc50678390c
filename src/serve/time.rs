//! The world's time over HTTP: `/driftlab/time`, which no Kubernetes API server has.
//!
//! `GET` tells it; `POST` with `?pass=10s` lets that much pass at once, whatever the pace. Either answers
//! `{"now": "2026-01-01T00:00:10Z", "pace": "manual"}`.

use http::{Method, Uri};
use serde_json::json;

use super::model::Model;
use crate::api::{Caller, Reason, Status};
use crate::apiserver::rest::{HttpBody, HttpResponse};
use crate::time::Duration;

const PATH: &str = "/driftlab/time";

/// So much time a person may let pass at once: all that happens in it is waited for.
pub const LONGEST_PASS: Duration = Duration::from_hours(24);

/// The answer, when it is the time that is asked for.
pub(super) fn answer(
    model: &Model,
    caller: &Caller,
    method: &Method,
    uri: &Uri,
) -> Option<HttpResponse> {
    (uri.path() == PATH).then(|| match asked(model, caller, method, uri) {
        Ok(()) => told(model),
        Err(status) => status.into(),
    })
}

fn asked(model: &Model, caller: &Caller, method: &Method, uri: &Uri) -> Result<(), Status> {
    match *method {
        Method::GET | Method::HEAD => Ok(()),
        Method::POST => {
            expect_admin(caller)?;
            model.pass(span(uri.query().unwrap_or_default())?);
            Ok(())
        }
        _ => Err(Status::failure(Reason::MethodNotAllowed, "GET the time, or POST ?pass=10s")),
    }
}

fn expect_admin(caller: &Caller) -> Result<(), Status> {
    match caller.groups.iter().any(|group| group == "system:masters") {
        true => Ok(()),
        false => Err(Status::failure(
            Reason::Forbidden,
            format!("{} may not let time pass: only system:masters may", caller.user),
        )),
    }
}

fn span(query: &str) -> Result<Duration, Status> {
    let refused = |why: String| Status::failure(Reason::BadRequest, why);
    let given = query.split('&').find_map(|pair| pair.strip_prefix("pass="));
    let given = given.ok_or_else(|| refused("how long? ?pass=10s, say".into()))?;
    match given.parse() {
        Ok(span) if span <= LONGEST_PASS => Ok(span),
        Ok(_) => Err(refused(format!("pass={given}: at most {LONGEST_PASS} at once"))),
        Err(error) => Err(refused(format!("pass={given}: {error}"))),
    }
}

fn told(model: &Model) -> HttpResponse {
    let now = model.with(|world| world.now()).to_string();
    let body = HttpBody::Json(json!({"now": now, "pace": model.pace().to_string()}));
    HttpResponse { code: 200, body, warnings: Vec::new() }
}
