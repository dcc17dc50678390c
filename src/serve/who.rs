//! Who is at the forge, to fetch, push or open a pull request: by user and token, as forges ask for them (RFC 7617).

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::caller::Access;
use crate::apiserver::base64;
use crate::git::forge::Caller;
use crate::sim::World;

/// Who it is where nobody has to say.
const SOMEBODY: &str = "somebody";

/// Somebody at the forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    caller: Caller,
    actor: String,
    /// Whether it is somebody whom the forge does not know of itself.
    is_guest: bool,
}

/// Somebody who is asked for a name and a token, and why: `401`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown(pub(super) &'static str);

impl Who {
    /// Whose credentials come with a request. A token of the forge's, or of the cluster's users, is its
    /// user's, whatever name comes with it; where there are none, any name is believed.
    pub(super) fn of(
        access: Access,
        world: &World,
        headers: &HeaderMap,
        to_write: bool,
    ) -> Result<Self, Unknown> {
        let is_open = access == Access::Open && !world.forge().has_tokens();
        let Some((name, secret)) = credentials(headers) else {
            return match access {
                _ if is_open && to_write => Ok(Who::guest(SOMEBODY)),
                Access::Open | Access::Anonymous if !to_write => Ok(Who::nobody()),
                _ => Err(Unknown("Authentication required")),
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
        match is_open && is_name {
            true => Ok(Who::guest(&name)),
            false => Err(Unknown("Invalid username or token.")),
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

    /// Whether nobody has said a name.
    pub(super) fn is_nobody(&self) -> bool {
        self.caller == Caller::Anonymous
    }
}

/// The name and the secret that come with a request; a bearer token (`token`, as GitHub also has it)
/// comes without a name.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let rest = rest.trim();
    if ["bearer", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Some((String::new(), rest.into()));
    }
    let decoded = Some(scheme).filter(|scheme| scheme.eq_ignore_ascii_case("basic"));
    let decoded = decoded.and_then(|_| base64::decode(rest).ok())?;
    let text = String::from_utf8(decoded).ok()?;
    let (name, secret) = text.split_once(':')?;
    Some((name.into(), secret.into()))
}
