//! A repository that is served somewhere, and its API, from the other end of the wire.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration as Span;

use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::caller::unescaped;
use super::{forge, git};
use crate::apiserver::base64;

/// How long an answer may take.
const PATIENCE: Span = Span::from_secs(60);

/// The longest answer that is read: 16 MiB.
const LONGEST: usize = 16 << 20;

/// A repository below `/git/` of a server, as `git` names it, and who asks for it.
///
/// ```
/// use driftlab::serve::Remote;
///
/// let remote: Remote = "http://alice:s3cret@127.0.0.1:8080/git/acme/config.git".parse().unwrap();
/// assert_eq!((remote.name(), remote.server()), ("acme/config", "http://127.0.0.1:8080"));
/// assert_eq!(remote.user(), Some("alice"));
/// assert!("https://github.com/acme/config".parse::<Remote>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    server: String,
    name: String,
    user: Option<String>,
    token: Option<String>,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// The body; `null` for none.
    pub body: Value,
}

/// Why an address is not that of a repository which driftlab serves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url} is no repository of driftlab serve: {why}")]
pub struct ParseRemoteError {
    url: String,
    why: &'static str,
}

/// Why a server gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nobody is there, or the connection broke.
    #[error("{server} does not answer: {why}")]
    Unreachable {
        /// Where.
        server: String,
        /// What the system says.
        why: String,
    },
    /// Somebody is there, but not driftlab.
    #[error("{server} is not driftlab serve: {why}")]
    Stranger {
        /// Where.
        server: String,
        /// What came instead of an answer.
        why: String,
    },
}

impl FromStr for Remote {
    type Err = ParseRemoteError;

    /// Reads `http://[USER[:TOKEN]@]HOST[:PORT]/git/NAME[.git]`.
    fn from_str(url: &str) -> Result<Self, ParseRemoteError> {
        let wrong = |why| ParseRemoteError { url: without_secret(url), why };
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => {
                return Err(wrong("git goes over http, which the same port speaks too"));
            }
            _ => return Err(wrong("expected http://HOST:PORT/git/NAME.git")),
        };
        let (authority, path) = rest.split_once('/').ok_or_else(|| wrong("it has no path"))?;
        let (credentials, host) = match authority.rsplit_once('@') {
            Some((credentials, host)) => (Some(credentials), host),
            None => (None, authority),
        };
        let name = path.trim_end_matches('/').strip_prefix(git::PREFIX.trim_start_matches('/'));
        let name = name.map(|name| name.strip_suffix(".git").unwrap_or(name));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let name = name.filter(|name| !name.is_empty() && name.chars().all(is_plain));
        let name = name.ok_or_else(|| wrong("its path is not /git/NAME.git"))?.to_owned();
        let is_host = !host.is_empty() && HeaderValue::from_str(host).is_ok();
        if !is_host || host.contains(char::is_whitespace) {
            return Err(wrong("it has no host"));
        }
        let (user, token) = match credentials.map(|text| text.split_once(':').unwrap_or((text, "")))
        {
            Some((user, token)) => (given(user), given(token)),
            None => (None, None),
        };
        Ok(Remote { server: format!("http://{host}"), name, user, token })
    }
}

impl Remote {
    /// The repository's name: `config`, or with an owner `acme/config`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Who asks, as far as it is said.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether a token goes with the requests.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The same for somebody of that name.
    pub fn with_user(mut self, user: &str) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The same with a token.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Asks the API for something of the repository: a path such as `pulls/1`, empty for the repository
    /// itself.
    ///
    /// # Errors
    ///
    /// When there is no answer, or none of driftlab's. A refusal is an answer.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, AskError> {
        let answered = timeout(PATIENCE, self.exchange(self.request(method, path, body))).await;
        answered.unwrap_or_else(|_| Err(self.unreachable(format!("nothing for {PATIENCE:?}"))))
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Request<Full<Bytes>> {
        let slash = if path.is_empty() { "" } else { "/" };
        let target = format!("{}repos/{}{slash}{path}", forge::PREFIX, self.name);
        let body = body.map(Value::to_string).unwrap_or_default();
        let host = self.server.trim_start_matches("http://");
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, host)
            .header(CONNECTION, "close")
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .expect("host and name are checked, paths are escaped");
        if let Some(credentials) = self.credentials() {
            request.headers_mut().insert(AUTHORIZATION, credentials);
        }
        request
    }

    /// As `git` sends them: a name and a token, either of which may be empty.
    fn credentials(&self) -> Option<HeaderValue> {
        let (user, token) = (self.user.as_deref(), self.token.as_deref());
        user.or(token)?;
        let pair = format!("{}:{}", user.unwrap_or_default(), token.unwrap_or_default());
        let text = format!("Basic {}", base64::encode(pair.as_bytes()));
        let mut value = HeaderValue::from_str(&text).expect("base64 is plain");
        value.set_sensitive(true);
        Some(value)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, AskError> {
        let unreachable = |error: &dyn fmt::Display| self.unreachable(error.to_string());
        let stream = TcpStream::connect(self.address()?).await;
        let stream = TokioIo::new(stream.map_err(|error| unreachable(&error))?);
        let (mut sender, connection) =
            http1::handshake(stream).await.map_err(|error| unreachable(&error))?;
        let answered = async {
            let response = sender.send_request(request).await;
            self.answer(response.map_err(|error| self.stranger(error.to_string()))?).await
        };
        // Once answered, the connection may end as it likes.
        tokio::pin!(answered);
        tokio::select! {
            biased;
            answer = &mut answered => answer,
            _ended = connection => answered.await,
        }
    }

    fn address(&self) -> Result<SocketAddr, AskError> {
        let host = self.server.trim_start_matches("http://");
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port { host.to_owned() } else { format!("{host}:80") };
        let mut found =
            host.to_socket_addrs().map_err(|error| self.unreachable(error.to_string()))?;
        found.next().ok_or_else(|| self.unreachable("it has no address".into()))
    }

    async fn answer(&self, response: Response<Incoming>) -> Result<Answer, AskError> {
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        let body = body.map_err(|error| self.unreachable(error.to_string()))?.to_bytes();
        let value = match body.is_empty() {
            true => Ok(Value::Null),
            false => serde_json::from_slice(&body),
        };
        let strange = |_| self.stranger(format!("it answers {status}, and no JSON"));
        Ok(Answer { status: status.as_u16(), body: value.map_err(strange)? })
    }

    fn unreachable(&self, why: String) -> AskError {
        AskError::Unreachable { server: self.server.clone(), why }
    }

    fn stranger(&self, why: String) -> AskError {
        AskError::Stranger { server: self.server.clone(), why }
    }
}

/// A text as a part of a path, or a value of a query: what has a meaning there is escaped (RFC 3986).
///
/// ```
/// assert_eq!(driftlab::serve::escaped("fix/ü"), "fix%2F%C3%BC");
/// ```
pub fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let escape = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// Tells no token.
impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("server", &self.server)
            .field("name", &self.name)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

fn given(text: &str) -> Option<String> {
    Some(unescaped(text)).filter(|text| !text.is_empty())
}

/// A URL to be shown.
fn without_secret(url: &str) -> String {
    let found = url.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find('/').unwrap_or(rest.len());
        let at = rest[..end].rfind('@')?;
        Some(format!("{scheme}://{}", &rest[at + 1..]))
    });
    found.unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_that_of_a_served_repository_or_told_why_not() {
        let check = |url: &str, expected: Result<(&str, &str, Option<&str>, bool), &str>| {
            let found = url.parse::<Remote>();
            let found = found.as_ref().map(|r| (r.server(), r.name(), r.user(), r.has_token()));
            assert_eq!(found.map_err(|error| error.why), expected, "{url}");
        };
        let server = "http://127.0.0.1:1";
        check("http://127.0.0.1:1/git/config.git", Ok((server, "config", None, false)));
        check("http://127.0.0.1:1/git/a/b/", Ok((server, "a/b", None, false)));
        check("http://ada@127.0.0.1:1/git/x.git", Ok((server, "x", Some("ada"), false)));
        check("http://:t@127.0.0.1:1/git/x.git", Ok((server, "x", None, true)));
        check("http://a%40b:t@[::1]/git/x", Ok(("http://[::1]", "x", Some("a@b"), true)));
        check("git@github.com:acme/x.git", Err("expected http://HOST:PORT/git/NAME.git"));
        check("https://x/git/y", Err("git goes over http, which the same port speaks too"));
        check("http://127.0.0.1", Err("it has no path"));
        check("http://127.0.0.1/acme/x.git", Err("its path is not /git/NAME.git"));
        check("http://127.0.0.1/git/.git", Err("its path is not /git/NAME.git"));
        check("http://127.0.0.1/git/x y", Err("its path is not /git/NAME.git"));
        check("http://a b/git/x", Err("it has no host"));
        check("", Err("expected http://HOST:PORT/git/NAME.git"));
    }

    #[test]
    fn a_token_is_told_to_nobody() {
        let url = "https://ada:s3cret@host/git/x";
        let told = url.parse::<Remote>().unwrap_err().to_string();
        assert!(told.starts_with("https://host/git/x is no repository"), "{told}");
        let remote: Remote = "http://ada:s3cret@host/git/x".parse().unwrap();
        assert!(!format!("{remote:?}").contains("s3cret"));
    }
}
