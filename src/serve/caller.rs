//! Who asks: from the headers of a request to the caller that the API server knows.

use http::HeaderMap;
use http::header::{AUTHORIZATION, USER_AGENT};

use crate::api::{Caller, Reason, Status};
use crate::apiserver::rest::{self, HttpRequest};
use crate::sim::World;

const IMPERSONATE_EXTRA: &str = "impersonate-extra-";

/// Who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody is `admin`.
    Open,
    /// Who brings a token is its user; who brings none is nobody in particular.
    Anonymous,
    /// Who brings a token is its user; nobody else comes in.
    Known,
}

impl Access {
    /// In whose name a request is made: of the user whose token it brings, or of whom that user acts as.
    pub(super) fn caller(
        self,
        world: &World,
        headers: &HeaderMap,
        request: &HttpRequest<'_>,
    ) -> Result<Caller, Status> {
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let agent = agent.unwrap_or_default().to_owned();
        let caller = Caller { agent, ..self.authenticate(world, headers)? };
        match impersonated(headers) {
            Some(wanted) => rest::impersonate(world.server(), &caller, &wanted, request),
            None => Ok(caller),
        }
    }

    fn authenticate(self, world: &World, headers: &HeaderMap) -> Result<Caller, Status> {
        let found = bearer(headers).map(|token| world.server().authenticate(world.now(), token));
        match (self, found) {
            (_, Some(Ok(user))) => Ok(user),
            (Access::Open, _) => Ok(admin()),
            (Access::Anonymous, None) => Ok(anonymous()),
            _ => Err(Status::failure(Reason::Unauthorized, "Unauthorized")),
        }
    }
}

/// The admin of a cluster, who may do everything.
pub(super) fn admin() -> Caller {
    let groups = vec!["system:masters".into(), "system:authenticated".into()];
    Caller { groups, ..Caller::new("admin", "") }
}

fn anonymous() -> Caller {
    let groups = vec!["system:unauthenticated".into()];
    Caller { groups, ..Caller::new("system:anonymous", "") }
}

/// The token that a request brings.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut words = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().splitn(3, ' ');
    let is_bearer = words.next()?.eq_ignore_ascii_case("bearer");
    words.next().filter(|token| is_bearer && !token.is_empty())
}

/// As whom the request is to be answered, when it says so: a name, or what goes only with one.
fn impersonated(headers: &HeaderMap) -> Option<Caller> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let one = |name: &str| headers.get(name).map(text).unwrap_or_default();
    let mut wanted = Caller {
        uid: one("impersonate-uid"),
        groups: headers.get_all("impersonate-group").iter().map(text).collect(),
        ..Caller::new(&one("impersonate-user"), "")
    };
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix(IMPERSONATE_EXTRA) {
            wanted.extra.entry(unescaped(key)).or_default().push(text(value));
        }
    }
    (wanted != Caller::default()).then_some(wanted)
}

/// A key with its `%2f` undone; as it is, where that gives no text.
pub(super) fn unescaped(key: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), key.as_bytes());
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = hex.filter(|hex| *first == b'%' && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None if *first == b'%' => return key.to_owned(),
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| key.to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::apiserver::{Authorization, Users};

    fn headers(given: &[(&str, &str)]) -> HeaderMap {
        let parsed = given
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
        parsed.collect()
    }

    #[test]
    fn a_token_makes_its_user_and_a_wrong_one_nobody() {
        let mut world = World::builder().authorization(Authorization::Rbac).build();
        world.set_users("t,alice,1,dev".parse::<Users>().unwrap());
        let check = |access: Access, authorization: &str, expected: Option<&str>| {
            let headers = headers(&[("authorization", authorization)]);
            let found = access.caller(&world, &headers, &HttpRequest::default());
            assert_eq!(
                found.ok().map(|caller| caller.user).as_deref(),
                expected,
                "{authorization}"
            );
        };
        for access in [Access::Open, Access::Anonymous, Access::Known] {
            check(access, "Bearer t", Some("alice"));
            check(access, "bearer t", Some("alice"));
        }
        check(Access::Anonymous, "Bearer x", None);
        check(Access::Anonymous, "Basic x", Some("system:anonymous"));
        check(Access::Anonymous, "Bearer ", Some("system:anonymous"));
        check(Access::Known, "Basic x", None);
        check(Access::Open, "Bearer x", Some("admin"));
    }

    #[test]
    fn the_headers_of_impersonation_name_a_whole_user() {
        let given = headers(&[
            ("impersonate-user", "alice"),
            ("impersonate-uid", "7"),
            ("impersonate-group", "dev"),
            ("impersonate-extra-acme.com%2fproject", "p"),
        ]);
        let wanted = impersonated(&given).unwrap();
        assert_eq!((wanted.user.as_str(), wanted.uid.as_str()), ("alice", "7"));
        assert_eq!(wanted.groups, ["dev"]);
        assert_eq!(wanted.extra["acme.com/project"], ["p"]);
        assert_eq!(impersonated(&headers(&[("accept", "x")])), None);
    }

    #[test]
    fn a_key_that_is_badly_escaped_stays_as_it_is() {
        for (key, expected) in [("a%2Fb", "a/b"), ("a%zz", "a%zz"), ("a%2", "a%2"), ("%ff", "%ff")]
        {
            assert_eq!(unescaped(key), expected);
        }
    }
}
