//! The server, as somebody.

use driftlab::serve::{Answer, AskError, Remote, escaped};
use http::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::super::Mistake;
use super::clone::{Clone, credential, judge};
use super::{Arguments, Trouble};

/// A repository at a running `driftlab serve`.
pub(super) struct Server {
    remote: Remote,
    runtime: Runtime,
    /// Whether `git credential` was asked.
    has_asked: bool,
}

impl Server {
    /// The repository that is named, or that the clone one is in comes from.
    pub(super) fn of(arguments: &Arguments, clone: &Clone) -> Result<Self, Mistake> {
        let mut remote = remote(arguments.repo.as_deref(), clone)?;
        let token = || std::env::var("DRIFTLAB_TOKEN").ok().filter(|token| !token.is_empty());
        if let Some(token) = arguments.token.clone().or_else(token) {
            remote = remote.with_token(&token);
        }
        if let Some(user) = &arguments.user {
            remote = remote.with_user(user);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Mistake(format!("no runtime: {error}")))?;
        Ok(Server { remote, runtime, has_asked: false })
    }

    pub(super) fn name(&self) -> &str {
        self.remote.name()
    }

    pub(super) fn default_branch(&mut self) -> Result<String, Trouble> {
        let answer = self.ask(Method::GET, "", None)?;
        let told = self.good(answer)?;
        Ok(told["default_branch"].as_str().unwrap_or("main").to_owned())
    }

    pub(super) fn list(&mut self, state: &str, head: Option<&str>) -> Result<Value, Trouble> {
        let head = head.map_or(String::new(), |head| format!("&head={}", escaped(head)));
        let answer =
            self.ask(Method::GET, &format!("pulls?state={}{head}", escaped(state)), None)?;
        self.good(answer)
    }

    pub(super) fn open(&mut self, new: &Value) -> Result<Value, Trouble> {
        let answer = self.ask(Method::POST, "pulls", Some(new))?;
        let is_unknown =
            answer.status == 422 && words(&answer.body).starts_with("there is no branch");
        self.good(answer).map_err(|trouble| match trouble {
            Trouble::Refused(said) if is_unknown => {
                Trouble::Refused(said + "\n  = git push -u origin BRANCH takes it there first")
            }
            trouble => trouble,
        })
    }

    pub(super) fn pull(&mut self, number: u64) -> Result<Value, Trouble> {
        self.about(number, Method::GET, "", None)
    }

    pub(super) fn reviews(&mut self, number: u64) -> Result<Value, Trouble> {
        self.about(number, Method::GET, "/reviews", None)
    }

    /// The checks on the head of a pull request.
    pub(super) fn checks(&mut self, pull: &Value) -> Result<Value, Trouble> {
        let head = pull["head"]["sha"].as_str().unwrap_or_default();
        let answer = self.ask(Method::GET, &format!("commits/{head}/status"), None)?;
        self.good(answer)
    }

    pub(super) fn review(&mut self, number: u64, review: &Value) -> Result<Value, Trouble> {
        self.about(number, Method::POST, "/reviews", Some(review))
    }

    pub(super) fn merge(&mut self, number: u64, how: &Value) -> Result<Value, Trouble> {
        self.about(number, Method::PUT, "/merge", Some(how))
    }

    pub(super) fn close(&mut self, number: u64) -> Result<Value, Trouble> {
        self.about(number, Method::PATCH, "", Some(&json!({"state": "closed"})))
    }

    pub(super) fn delete(&mut self, branch: &str) -> Result<(), Trouble> {
        let path = format!("git/refs/heads/{}", escaped(branch));
        let answer = self.ask(Method::DELETE, &path, None)?;
        self.good(answer).map(drop)
    }

    fn about(
        &mut self,
        number: u64,
        method: Method,
        what: &str,
        body: Option<&Value>,
    ) -> Result<Value, Trouble> {
        let answer = self.ask(method, &format!("pulls/{number}{what}"), body)?;
        if answer.status == 404 {
            let said = format!("there is no pull request #{number} in {}", self.name());
            return Err(Trouble::Refused(
                said + "\n  = driftlab pr list --state all shows which there are",
            ));
        }
        self.good(answer)
    }

    /// Asks; where a name and a token are wanted and none were given, with those that `git` has.
    fn ask(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Trouble> {
        let answer = self.ask_once(method.clone(), path, body)?;
        if answer.status != 401 || self.remote.has_token() || self.has_asked {
            return Ok(answer);
        }
        self.has_asked = true;
        let server = self.remote.server().to_owned();
        let place = format!("git/{}.git", self.name());
        let Some((user, token)) = credential(&server, &place, self.remote.user()) else {
            return Ok(answer);
        };
        self.remote = self.remote.clone().with_user(&user).with_token(&token);
        let answer = self.ask_once(method, path, body)?;
        judge(if answer.status == 401 { "reject" } else { "approve" }, &server, &user, &token);
        Ok(answer)
    }

    fn ask_once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Mistake> {
        let answer = self.runtime.block_on(self.remote.ask(method, path, body));
        answer.map_err(|error| {
            let hint = match error {
                AskError::Unreachable { .. } => {
                    "is 'driftlab serve' running? It takes another port each time, unless --addr names one"
                }
                _ => "--repo URL names another: http://HOST:PORT/git/NAME.git",
            };
            Mistake(format!("{error}\n  = {hint}"))
        })
    }

    /// What was asked for, unless it was refused.
    fn good(&self, answer: Answer) -> Result<Value, Trouble> {
        let said = words(&answer.body);
        Err(Trouble::Refused(match answer.status {
            200..=299 => return Ok(answer.body),
            401 => format!(
                "{said}\n  = say who you are: --token, DRIFTLAB_TOKEN, or http://USER:TOKEN@… as the remote"
            ),
            404 => format!("there is no repository {} at {}", self.name(), self.remote.server()),
            _ => said,
        }))
    }
}

fn remote(repo: Option<&str>, clone: &Clone) -> Result<Remote, Mistake> {
    let hint = "  = be in a clone of http://HOST:PORT/git/NAME.git, or give --repo";
    let url = match (repo, &clone.origin) {
        (Some(url), _) => url,
        (None, Ok(url)) => url,
        (None, Err(why)) => return Err(Mistake(format!("no remote 'origin': {why}\n{hint}"))),
    };
    url.parse().map_err(|error| Mistake(format!("{error}\n{hint}")))
}

/// What a refusal says: the message, then what is wrong in particular.
fn words(body: &Value) -> String {
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let particular: Vec<&str> =
        errors.iter().filter_map(|error| error["message"].as_str().or(error.as_str())).collect();
    match particular.is_empty() {
        true => {
            body["message"].as_str().unwrap_or("the server refuses, and does not say why").into()
        }
        false => particular.join("; "),
    }
}
