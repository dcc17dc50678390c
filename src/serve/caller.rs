//! Who asks: from the headers of a request to the caller that the API server knows.

use http::HeaderMap;
use http::header::{AUTHORIZATION, USER_AGENT};

use crate::api::{Caller, Reason, Status};

/// Who may come in.
#[derive(Clone, Debug, Default)]
pub(super) struct Access {
    /// The token that makes its bearer `admin`. Without one everybody is.
    pub(super) token: Option<String>,
}

impl Access {
    /// Who sends these headers: `admin` when the token fits or none is asked for, or whom an admin
    /// pretends to be.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Status> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let given = text(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        if self.token.is_some() && given != self.token.as_deref() {
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
}
