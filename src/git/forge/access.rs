//! Who may do what: users, roles, tokens.

use std::collections::BTreeSet;
use std::fmt;

use super::{Forge, Hosted};
use crate::git::Repository;
use crate::time::Timestamp;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// No one in particular.
    Anonymous,
    /// A user who is signed in.
    User(String),
    /// Whoever holds this token.
    Token(String),
}

/// What a user may do to a repository; each role may what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Clone it, and open pull requests from what is there.
    Read,
    /// Push, review and merge.
    Write,
    /// Everything, and past the rules for branches that spare administrators.
    Admin,
}

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `contents: read`: clone and fetch.
    ReadContents,
    /// `contents: write`: push.
    WriteContents,
    /// `pull_requests: write`: open, review and merge.
    PullRequests,
    /// `statuses: write`: report checks.
    Statuses,
}

/// A token: a user's powers, or a part of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// Whose powers these are.
    pub user: String,
    /// What it may be used for.
    pub scopes: BTreeSet<Scope>,
    /// The repositories it is good for; none for all.
    pub repositories: Option<BTreeSet<String>>,
    /// When it ends, if ever.
    pub expires: Option<Timestamp>,
}

/// Why somebody may not, as `git` prints what a forge answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AccessError {
    /// There is no such repository, or none that the caller may know of.
    #[error("remote: Repository not found.\nfatal: repository '{url}/' not found")]
    NotFound {
        /// Where it was looked for.
        url: String,
    },
    /// The token is not known, or no longer good.
    #[error(
        "remote: Invalid username or token. Password authentication is not supported for Git operations.\nfatal: Authentication failed for '{url}/'"
    )]
    BadCredentials {
        /// What was asked for.
        url: String,
    },
    /// The user's role does not allow it.
    #[error(
        "remote: Permission to {name}.git denied to {user}.\nfatal: unable to access '{url}/': The requested URL returned error: 403"
    )]
    Denied {
        /// The repository.
        name: String,
        /// The user.
        user: String,
        /// What was asked for.
        url: String,
    },
    /// The token is not meant for it.
    #[error(
        "remote: Write access to repository not granted.\nfatal: unable to access '{url}/': The requested URL returned error: 403"
    )]
    NotGranted {
        /// What was asked for.
        url: String,
        /// The scope that the token lacks.
        scope: Scope,
    },
    /// The repository is read-only.
    #[error(
        "remote: This repository was archived so it is read-only.\nfatal: unable to access '{url}/': The requested URL returned error: 403"
    )]
    Archived {
        /// What was asked for.
        url: String,
    },
}

impl Role {
    /// Every role, the least powerful first.
    pub const ALL: [Role; 3] = [Role::Read, Role::Write, Role::Admin];

    /// The word for it: `read`, `write`, `admin`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Write => "write",
            Role::Admin => "admin",
        }
    }
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 4] =
        [Scope::ReadContents, Scope::WriteContents, Scope::PullRequests, Scope::Statuses];
}

impl AccessError {
    /// The same as GitHub's REST API has it: the status of HTTP, and the message.
    pub fn as_api(&self) -> (u16, String) {
        match self {
            AccessError::NotFound { .. } => (404, "Not Found".into()),
            AccessError::BadCredentials { .. } => (401, "Bad credentials".into()),
            AccessError::Denied { name, user, .. } => {
                (403, format!("{user} does not have write access to {name}"))
            }
            AccessError::NotGranted { scope, .. } => {
                (403, format!("Resource not accessible by personal access token: needs {scope}"))
            }
            AccessError::Archived { .. } => {
                (403, "Repository was archived so is read-only.".into())
            }
        }
    }
}

/// As a scenario file has it: `contents:read`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::ReadContents => "contents:read",
            Scope::WriteContents => "contents:write",
            Scope::PullRequests => "pull_requests:write",
            Scope::Statuses => "statuses:write",
        })
    }
}

impl Token {
    /// A token of a user for these uses, in all repositories, for ever.
    pub fn of(user: &str, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Token {
            user: user.into(),
            scopes: scopes.into_iter().collect(),
            repositories: None,
            expires: None,
        }
    }

    /// The same for one repository more, and none that is not named.
    pub fn only_for(mut self, repository: &str) -> Self {
        self.repositories.get_or_insert_default().insert(repository.into());
        self
    }

    /// The same until a moment.
    pub fn until(mut self, expires: Timestamp) -> Self {
        self.expires = Some(expires);
        self
    }
}

/// Somebody whose right to something was checked.
pub(super) struct Granted {
    /// The repository's name.
    pub(super) name: String,
    /// The user; empty for no one.
    pub(super) user: String,
    pub(super) role: Role,
}

impl Forge {
    /// A clone of a repository, for somebody who may read it.
    ///
    /// # Errors
    ///
    /// When there is no such repository for this caller, or its token is not good for reading.
    pub fn clone_repository(
        &self,
        url: &str,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Repository, AccessError> {
        Ok(Repository::clone_of(self.read(url, caller, now)?))
    }

    /// A repository, for somebody who may read it.
    ///
    /// # Errors
    ///
    /// As [`Forge::clone_repository`].
    pub fn read(
        &self,
        url: &str,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<&Repository, AccessError> {
        let granted = self.check(url, caller, Role::Read, Scope::ReadContents, now)?;
        self.repository(&granted.name).ok_or_else(|| AccessError::NotFound { url: url.into() })
    }

    /// Checks that somebody may do something.
    pub(super) fn check(
        &self,
        url: &str,
        caller: &Caller,
        role: Role,
        scope: Scope,
        now: Timestamp,
    ) -> Result<Granted, AccessError> {
        let url: String = self.name_of(url).map_or_else(|| url.into(), |name| self.url(name));
        let not_found = || AccessError::NotFound { url: url.clone() };
        let (user, token) = self.identify(caller, &url, now)?;
        let (name, hosted) = self.hosted(&url).map_err(|_| not_found())?;
        let outside =
            |token: &&Token| token.repositories.as_ref().is_some_and(|only| !only.contains(name));
        let may = self.role(hosted, user);
        if may.is_none() || token.filter(outside).is_some() && hosted.private {
            return Err(not_found());
        }
        let reads = scope == Scope::ReadContents;
        let lacks = |token: &Token| outside(&token) && !reads || !token.allows(scope);
        if (hosted.private || !reads) && token.is_some_and(lacks) {
            return Err(AccessError::NotGranted { url, scope });
        }
        if may < Some(role) || user.is_empty() && !reads {
            let user = if user.is_empty() { "anonymous" } else { user };
            return Err(AccessError::Denied { name: name.into(), user: user.into(), url });
        }
        if hosted.archived && role > Role::Read {
            return Err(AccessError::Archived { url });
        }
        Ok(Granted { name: name.into(), user: user.into(), role: may.unwrap_or(role) })
    }

    fn identify<'f>(
        &'f self,
        caller: &'f Caller,
        url: &str,
        now: Timestamp,
    ) -> Result<(&'f str, Option<&'f Token>), AccessError> {
        let bad = || AccessError::BadCredentials { url: url.into() };
        match caller {
            Caller::Anonymous => Ok(("", None)),
            Caller::User(user) => Ok((user, None)),
            Caller::Token(secret) => {
                let token = self.tokens.get(secret).ok_or_else(bad)?;
                match token.expires {
                    Some(end) if end <= now => Err(bad()),
                    _ => Ok((&token.user, Some(token))),
                }
            }
        }
    }

    /// The role of a user; everyone may read what is public.
    fn role(&self, hosted: &Hosted, user: &str) -> Option<Role> {
        hosted.roles.get(user).copied().or((!hosted.private).then_some(Role::Read))
    }
}

impl Token {
    /// Who may write may read.
    fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
            || scope == Scope::ReadContents && self.scopes.contains(&Scope::WriteContents)
    }
}
