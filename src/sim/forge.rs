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
        let inner = self.inner_mut();
        inner.tell_moves(actor, url, &before, &after);
        inner.repositories.insert_mut(remote(url).into(), after);
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

    fn tell_moves(&mut self, actor: &str, url: &str, before: &Repository, after: &Repository) {
        for (name, to) in after.references() {
            let from = before.reference(name);
            if from != Some(to) {
                self.tell_move(actor, url, name, from, Some(to), after);
            }
        }
        for (name, from) in before.references() {
            if after.reference(name).is_none() {
                self.tell_move(actor, url, name, Some(from), None, after);
            }
        }
    }

    fn tell_move(
        &mut self,
        actor: &str,
        url: &str,
        name: &str,
        from: Option<ObjectId>,
        to: Option<ObjectId>,
        after: &Repository,
    ) {
        let short = name.splitn(3, '/').nth(2).unwrap_or(name);
        let subject =
            to.and_then(|id| after.find_commit(id).ok()).map(|commit| commit.subject().to_owned());
        let rewritten = |(from, to)| !after.is_ancestor(from, to);
        let forced = name.starts_with("refs/heads/") && from.zip(to).is_some_and(rewritten);
        let text = |id: Option<ObjectId>| id.map(|id| id.to_string()).unwrap_or_default();
        let what = What::RefMoved {
            repository: place(url).into(),
            reference: short.into(),
            from: text(from),
            to: text(to),
            subject: subject.unwrap_or_default(),
            forced,
        };
        self.note(actor, Role::Person, what);
    }
}

/// A URL without what makes no difference: a slash or `.git` at its end.
fn remote(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url)
}

/// The last part of a URL: what people call the repository.
fn place(url: &str) -> &str {
    remote(url).rsplit(['/', ':']).next().unwrap_or(url)
}
