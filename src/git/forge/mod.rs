//! A forge: hosted repositories, and who may do what to them.
//!
//! It refuses in the words that people know from GitHub, and knows nothing of clocks or networks: the
//! time is handed in, and webhooks come back as data for whoever delivers them.

mod access;
mod hook;
mod json;
mod merging;
mod protection;
mod pull;
mod push;
mod review;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

pub use access::{AccessError, Caller, Role, Scope, Token};
pub use hook::{Hook, HookEvent, WebhookEvent};
pub use merging::Mergeability;
pub use protection::{CheckState, Protection};
pub use pull::{MergeMethod, NewPull, PullError, PullRequest, PullState, Pulled};
pub use push::{PushError, PushReport, Pushed, Refusal};
pub use review::{Review, Verdict};

use super::{ObjectId, Repository, Signature};
use crate::time::Timestamp;

/// Hosted repositories with users, tokens, rules, pull requests and webhooks. A clone of it costs a few
/// reference counts.
///
/// ```
/// use driftlab::git::forge::{Caller, Forge, Protection, Role};
/// use driftlab::git::{Signature, Worktree};
/// use driftlab::time::Timestamp;
///
/// let now = Timestamp::from_secs(1_767_225_600);
/// let mut forge = Forge::new("https://git.example");
/// forge.add_user("alice", "Alice", "alice@example.com");
/// forge.create("acme/config");
/// forge.grant("acme/config", "alice", Role::Write);
///
/// let alice = Caller::User("alice".into());
/// let url = "https://git.example/acme/config.git";
/// let mut clone = Worktree::new(forge.clone_repository(url, &alice, now)?);
/// clone.write("hello.yaml", "replicas: 3\n")?;
/// clone.commit_all("Run three", forge.signature("alice", now))?;
/// let pushed = forge.push(url, &alice, clone.repository(), &["main"], false, now)?;
/// assert!(pushed.is_ok());
///
/// forge.protect("acme/config", Protection::of("main").require_approvals(1));
/// clone.write("hello.yaml", "replicas: 5\n")?;
/// clone.commit_all("Run five", forge.signature("alice", now))?;
/// let pushed = forge.push(url, &alice, clone.repository(), &["main"], false, now)?;
/// assert!(pushed.to_string().contains("Changes must be made through a pull request."));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Forge {
    base: Arc<str>,
    hosted: RedBlackTreeMapSync<String, Arc<Hosted>>,
    users: RedBlackTreeMapSync<String, User>,
    tokens: RedBlackTreeMapSync<String, Arc<Token>>,
}

#[derive(Clone)]
struct User {
    name: String,
    email: String,
}

/// One repository with all that a forge keeps about it.
#[derive(Clone, Default)]
struct Hosted {
    repository: Repository,
    private: bool,
    roles: BTreeMap<String, Role>,
    protections: Vec<Protection>,
    pulls: BTreeMap<u64, PullRequest>,
    checks: BTreeMap<(ObjectId, String), CheckState>,
    hooks: Vec<Hook>,
    archived: bool,
}

/// A repository that the forge does not have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("Repository not found: {0:?}; the forge has {1}")]
pub struct NoSuchRepository(String, String);

/// Setting up.
impl Forge {
    /// An empty forge whose repositories are at `BASE/OWNER/NAME.git`.
    pub fn new(base: &str) -> Self {
        Forge {
            base: base.trim_end_matches('/').into(),
            hosted: RedBlackTreeMapSync::default(),
            users: RedBlackTreeMapSync::default(),
            tokens: RedBlackTreeMapSync::default(),
        }
    }

    /// Makes an empty public repository, unless there is one of that name.
    pub fn create(&mut self, name: &str) {
        if !self.hosted.contains_key(name) {
            self.hosted.insert_mut(name.into(), Arc::default());
        }
    }

    /// Hosts a repository that exists, in place of the one that was there.
    pub fn host(&mut self, name: &str, repository: Repository) {
        self.create(name);
        self.change(name, |hosted| hosted.repository = repository);
    }

    /// Makes a repository visible to its collaborators only.
    pub fn make_private(&mut self, name: &str) {
        self.change(name, |hosted| hosted.private = true);
    }

    /// Makes a repository read-only.
    pub fn archive(&mut self, name: &str) {
        self.change(name, |hosted| hosted.archived = true);
    }

    /// Adds a user: the login, the name, and the address that signs commits made here.
    pub fn add_user(&mut self, login: &str, name: &str, email: &str) {
        self.users.insert_mut(login.into(), User { name: name.into(), email: email.into() });
    }

    /// Lets a user do what a role may do to a repository.
    pub fn grant(&mut self, name: &str, login: &str, role: Role) {
        self.change(name, |hosted| {
            hosted.roles.insert(login.into(), role);
        });
    }

    /// Takes a user's role in a repository away.
    pub fn revoke(&mut self, name: &str, login: &str) {
        self.change(name, |hosted| {
            hosted.roles.remove(login);
        });
    }

    /// Adds a token, or replaces the one with that secret.
    pub fn add_token(&mut self, secret: &str, token: Token) {
        self.tokens.insert_mut(secret.into(), Arc::new(token));
    }

    /// Makes a token worthless.
    pub fn revoke_token(&mut self, secret: &str) -> bool {
        self.tokens.remove_mut(secret)
    }

    /// Protects the branches that match the rule's pattern; it replaces a rule of the same pattern.
    pub fn protect(&mut self, name: &str, protection: Protection) {
        self.change(name, |hosted| {
            hosted.protections.retain(|other| other.pattern != protection.pattern);
            hosted.protections.push(protection);
        });
    }

    /// Adds a webhook.
    pub fn add_hook(&mut self, name: &str, hook: Hook) {
        self.change(name, |hosted| hosted.hooks.push(hook));
    }

    /// Changes a repository, copying what is shared with clones of the forge.
    fn change(&mut self, name: &str, act: impl FnOnce(&mut Hosted)) {
        if let Some(hosted) = self.hosted.get_mut(name) {
            act(Arc::make_mut(hosted));
        }
    }
}

/// Looking things up.
impl Forge {
    /// Where a repository is.
    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}.git", self.base)
    }

    /// The name of the repository that a URL or a name leads to: with or without `.git` and a slash at
    /// the end, over HTTPS or SSH (`git@host:owner/name.git`); or as it is served on this machine
    /// (`http://127.0.0.1:8080/git/owner/name.git`).
    pub fn name_of<'u>(&self, url: &'u str) -> Option<&'u str> {
        let host = self.base.split_once("://").map_or(&*self.base, |(_, host)| host);
        let rest = url.trim_end_matches('/');
        let rest = rest.strip_suffix(".git").unwrap_or(rest);
        let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
        let rest = match rest.split_once('@') {
            Some((user, rest)) if !user.contains('/') => rest,
            _ => rest,
        };
        let path = match (served(rest), rest.strip_prefix(host)) {
            (Some(path), _) => path,
            (None, Some(path)) => path.trim_start_matches([':', '/']),
            (None, None) => rest,
        };
        self.hosted.contains_key(path).then_some(path)
    }

    /// The repository that a URL or a name leads to, for whoever need not ask.
    pub fn repository(&self, url: &str) -> Option<&Repository> {
        Some(&self.hosted.get(self.name_of(url)?)?.repository)
    }

    /// The names of all repositories.
    pub fn repositories(&self) -> impl Iterator<Item = &str> {
        self.hosted.keys().map(String::as_str)
    }

    /// A pull request by its number.
    pub fn pull(&self, url: &str, number: u64) -> Option<&PullRequest> {
        self.hosted.get(self.name_of(url)?)?.pulls.get(&number)
    }

    /// The pull requests of a repository, by number.
    pub fn pulls(&self, url: &str) -> impl Iterator<Item = &PullRequest> {
        let hosted = self.name_of(url).and_then(|name| self.hosted.get(name));
        hosted.into_iter().flat_map(|hosted| hosted.pulls.values())
    }

    /// How a user signs commits.
    pub fn signature(&self, login: &str, now: Timestamp) -> Signature {
        match self.users.get(login) {
            Some(user) => Signature::new(&user.name, &user.email, now),
            None => {
                Signature::new(login, &format!("{login}@users.noreply.{}", self.host_name()), now)
            }
        }
    }

    /// Whose token this is.
    pub fn user_of(&self, token: &str) -> Option<&str> {
        self.tokens.get(token).map(|token| token.user.as_str())
    }

    /// Whether anybody has a token here: then nobody is believed without one.
    pub fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// The pull request that brought a commit into a branch, and so who reviewed it.
    pub fn pull_of(&self, url: &str, commit: ObjectId) -> Option<&PullRequest> {
        let hosted = self.hosted.get(self.name_of(url)?)?;
        hosted.pulls.values().find(|pull| pull.brought.contains(&commit))
    }

    fn hosted(&self, url: &str) -> Result<(&str, &Arc<Hosted>), NoSuchRepository> {
        let known = || self.hosted.keys().cloned().collect::<BTreeSet<_>>();
        let list = || match known() {
            none if none.is_empty() => "no repositories".into(),
            some => some.into_iter().collect::<Vec<_>>().join(", "),
        };
        let name = self.name_of(url).ok_or_else(|| NoSuchRepository(url.into(), list()))?;
        let (name, hosted) =
            self.hosted.get_key_value(name).ok_or_else(|| NoSuchRepository(url.into(), list()))?;
        Ok((name, hosted))
    }

    fn host_name(&self) -> &str {
        let host = self.base.split_once("://").map_or(&*self.base, |(_, host)| host);
        host.split(['/', ':']).next().unwrap_or(host)
    }
}

/// The name in the address of a repository that is served on this machine, without its scheme and `.git`:
/// `127.0.0.1:8080/git/NAME`.
pub(crate) fn served(address: &str) -> Option<&str> {
    let (host, path) = address.split_once('/')?;
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    };
    path.strip_prefix("git/").filter(|_| matches!(host, "127.0.0.1" | "localhost" | "[::1]"))
}
