//! Who fetches or pushes: by user and token, as forges ask for them (RFC 7617).

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};

use super::Refused;
use crate::apiserver::base64;
use crate::git::forge::{AccessError, Caller};
use crate::serve::caller::Access;
use crate::sim::World;

/// Who pushes where nobody has to say.
const SOMEBODY: &str = "somebody";

/// Somebody at the forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    caller: Caller,
    actor: String,
    /// Whether it is somebody whom the forge does not know of itself.
    is_guest: bool,
}

impl Who {
    /// Whose credentials come with a request. A token of the forge's, or of the cluster's users, is its
    /// user's, whatever name comes with it; where there are none, any name is believed.
    pub(super) fn of(
        access: Access,
        world: &World,
        headers: &HeaderMap,
        to_push: bool,
    ) -> Result<Self, Refused> {
        let Some((name, secret)) = credentials(headers) else {
            return match access {
                Access::Open if to_push => Ok(Who::guest(SOMEBODY)),
                Access::Open => Ok(Who::nobody()),
                Access::Anonymous if !to_push => Ok(Who::nobody()),
                Access::Anonymous | Access::Known => Err(unknown("Authentication required")),
            };
        };
        if let Some(user) = world.forge().user_of(&secret) {
            let actor = user.to_owned();
            return Ok(Who { caller: Caller::Token(secret), actor, is_guest: false });
        }
        if let Ok(user) = world.server().authenticate(world.now(), &secret) {
            return Ok(Who::guest(&user.user));
        }
        let is_name = !name.is_empty() && name.len() < 100 && !name.contains(char::is_control);
        match access {
            Access::Open if is_name => Ok(Who::guest(&name)),
            _ => Err(unknown("Invalid username or token.")),
        }
    }

    fn guest(name: &str) -> Self {
        Who { caller: Caller::User(name.into()), actor: name.into(), is_guest: true }
    }

    fn nobody() -> Self {
        Who { caller: Caller::Anonymous, actor: SOMEBODY.into(), is_guest: false }
    }

    /// Whom the trace names.
    pub(super) fn actor(&self) -> &str {
        &self.actor
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Makes a guest known to the forge, as who pushes in a scenario is.
    pub(super) fn introduce(&self, world: &mut World) {
        if self.is_guest {
            world.add_person(&self.actor);
        }
    }

    /// Why not; who has not said a name is asked for it first.
    pub(super) fn refused(&self, error: AccessError) -> Refused {
        match (&self.caller, error) {
            (Caller::Anonymous, AccessError::NotFound { .. })
            | (_, AccessError::BadCredentials { .. }) => {
                unknown("Repository not found, or not for everybody.")
            }
            (_, error) => error.into(),
        }
    }
}

fn unknown(said: &str) -> Refused {
    Refused::new(StatusCode::UNAUTHORIZED, said)
}

/// The name and the secret that come with a request; a bearer token has no name.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((String::new(), rest.into()));
    }
    let decoded = Some(scheme).filter(|scheme| scheme.eq_ignore_ascii_case("basic"));
    let decoded = decoded.and_then(|_| base64::decode(rest).ok())?;
    let text = String::from_utf8(decoded).ok()?;
    let (name, secret) = text.split_once(':')?;
    Some((name.into(), secret.into()))
}
