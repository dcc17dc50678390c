//! The Git remotes, and who pushes to them.

use super::world::{Inner, World};
use crate::git::{GitError, InvalidPath, ObjectId, Repository, Signature};
use crate::time::Timestamp;
use crate::trace::{Role, What};

/// What people and programs do to Git remotes.
impl World {
    /// The repository at a URL, if there is one.
    pub fn repository(&self, url: &str) -> Option<&Repository> {
        self.inner.repositories.get(remote(url))
    }

    /// The URLs of all repositories.
    pub fn repositories(&self) -> impl Iterator<Item = &str> {
        self.inner.repositories.keys().map(|url| url.as_ref())
    }

    /// Puts a repository at a URL, in place of the one that was there.
    pub fn add_repository(&mut self, url: &str, repository: Repository) {
        self.inner_mut().repositories.insert_mut(remote(url).into(), repository);
    }

    /// Changes the repository at a URL as somebody, with anything that a [`Repository`] can do: commit,
    /// merge, revert, reset, tag. Every branch and tag that moved is told in the trace.
    ///
    /// # Errors
    ///
    /// When there is no repository at the URL, or the change itself fails: then nothing is changed.
    pub fn push<T, E: From<NoRepository>>(
        &mut self,
        actor: &str,
        url: &str,
        change: impl FnOnce(&mut Repository) -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(before) = self.repository(url).cloned() else {
            return Err(NoRepository(url.into()).into());
        };
        let mut after = before.clone();
        let made = change(&mut after)?;
        self.inner_mut().replace_repository(actor, Role::Person, url, &before, after);
        Ok(made)
    }

    /// Commits files (`None` removes one) on top of the branch that HEAD is on, as somebody.
    ///
    /// # Errors
    ///
    /// When there is no repository at the URL, or a path leads out of the tree.
    pub fn commit(
        &mut self,
        actor: &str,
        url: &str,
        message: &str,
        files: &[(&str, Option<&str>)],
    ) -> Result<ObjectId, PushError> {
        let who = signature(actor, self.inner.now);
        self.push(actor, url, |repository| {
            let start = repository.head_id().map(|_| repository.tree("HEAD")).transpose()?;
            let mut tree = start.unwrap_or_default();
            for (path, content) in files {
                tree = match content {
                    Some(content) => tree.with_file(path, *content)?,
                    None => tree.without(path),
                };
            }
            Ok(repository.commit(tree, message, who.clone(), who))
        })
    }
}

/// There is no repository at a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no repository at {0:?}")]
pub struct NoRepository(pub String);

/// Why a push failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// There is no repository at the URL.
    #[error(transparent)]
    NoRepository(#[from] NoRepository),
    /// Git refuses.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A path leads out of the tree.
    #[error(transparent)]
    Path(#[from] InvalidPath),
}

/// How somebody signs a commit: name, and an address made of it.
pub fn signature(actor: &str, now: Timestamp) -> Signature {
    let address: String =
        actor.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    Signature::new(actor, &format!("{}@example.com", address.to_lowercase()), now)
}

impl Inner {
    /// The repository that a URL of a source leads to.
    pub(super) fn remote(&self, url: &str) -> Option<&Repository> {
        self.repositories.get(remote(url))
    }

    /// Puts the next state of a repository in place, tells what moved, and starts what that starts.
    pub(super) fn replace_repository(
        &mut self,
        actor: &str,
        role: Role,
        url: &str,
        before: &Repository,
        after: Repository,
    ) {
        let moves = moves(before, &after);
        self.repositories.insert_mut(remote(url).into(), after.clone());
        for moved in moves {
            let what = moved.told(url, &after);
            self.note(actor, role, what);
            if let Some(to) = moved.to {
                self.trigger(url, &moved.name, to);
            }
        }
    }
}

/// A reference that moved.
struct Move {
    name: String,
    from: Option<ObjectId>,
    to: Option<ObjectId>,
}

fn moves(before: &Repository, after: &Repository) -> Vec<Move> {
    let moved = after.references().filter_map(|(name, to)| {
        let from = before.reference(name);
        (from != Some(to)).then(|| Move { name: name.into(), from, to: Some(to) })
    });
    let gone = before.references().filter(|(name, _)| after.reference(name).is_none());
    moved
        .chain(gone.map(|(name, from)| Move { name: name.into(), from: Some(from), to: None }))
        .collect()
}

impl Move {
    fn told(&self, url: &str, after: &Repository) -> What {
        let commit = self.to.and_then(|id| after.find_commit(id).ok());
        let rewritten = |(from, to)| !after.is_ancestor(from, to);
        let text = |id: Option<ObjectId>| id.map(|id| id.to_string()).unwrap_or_default();
        What::RefMoved {
            repository: place(url).into(),
            reference: self.name.splitn(3, '/').nth(2).unwrap_or(&self.name).into(),
            from: text(self.from),
            to: text(self.to),
            subject: commit.map(|commit| commit.subject().to_owned()).unwrap_or_default(),
            forced: self.name.starts_with("refs/heads/")
                && self.from.zip(self.to).is_some_and(rewritten),
        }
    }
}

/// A URL without what makes no difference: a slash or `.git` at its end.
pub(super) fn remote(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url)
}

/// The last part of a URL: what people call the repository.
pub(super) fn place(url: &str) -> &str {
    remote(url).rsplit(['/', ':']).next().unwrap_or(url)
}
