//! Who somebody is: by a token, to the user that rules speak of.
//!
//! Two kinds of tokens are known: those of a list that the server is started with, and those that it issues
//! to service accounts. Source:
//! <https://kubernetes.io/docs/reference/access-authn-authz/authentication/>.

mod account;
mod users;

pub(super) use account::{AUDIENCE, Claims, Named, SigningKey};
pub use users::Users;

use super::server::Server;
use crate::api::Caller;
use crate::time::Timestamp;

/// Why a token is nobody's.
pub(super) const INVALID: &str = "invalid bearer token";

impl Server {
    /// Has it know users by their tokens, in place of those it knew.
    pub fn set_users(&mut self, users: Users) {
        self.users = users.into();
    }

    /// Has it sign the tokens of service accounts with a key. Until then the key is the same everywhere, and
    /// whoever knows driftlab can make such tokens.
    pub fn set_signing_key(&mut self, key: &[u8]) {
        self.signing_key = SigningKey::new(key);
    }

    /// Whose token it is, with the groups that every such user is in. The agent is left to the caller.
    ///
    /// # Errors
    ///
    /// Why it is nobody's.
    pub fn authenticate(&self, now: Timestamp, token: &str) -> Result<Caller, String> {
        self.authenticate_for(now, token, &[AUDIENCE.to_owned()])
    }

    /// The same of a token that is meant for one of some audiences.
    pub(super) fn authenticate_for(
        &self,
        now: Timestamp,
        token: &str,
        audiences: &[String],
    ) -> Result<Caller, String> {
        let for_us = audiences.iter().any(|audience| audience == AUDIENCE);
        if let Some(user) = self.users.find(token).filter(|_| for_us) {
            return Ok(user.clone());
        }
        let Some(claims) = self.signing_key.read(token) else { return Err(INVALID.into()) };
        if !claims.audiences.iter().any(|audience| audiences.contains(audience)) {
            return Err(format!(
                "[{INVALID}, token audiences {:?} is invalid for the target audiences {audiences:?}]",
                claims.audiences
            ));
        }
        claims.expect_valid(self, now).map_err(|why| format!("[{INVALID}, {why}]"))?;
        Ok(claims.caller())
    }
}
