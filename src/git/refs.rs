//! References: names for objects (git-check-ref-format(1)), and HEAD, the name for where one stands.

use std::ops::Bound;
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

use super::{GitError, ObjectId};

/// Where HEAD points.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Head {
    /// At a branch, which may have no commit yet ("unborn").
    Branch(String),
    /// At a commit, "detached".
    Detached(ObjectId),
}

/// Full reference names (`refs/heads/main`) and what they name.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Refs(RedBlackTreeMapSync<Arc<str>, ObjectId>);

impl Refs {
    pub(super) fn get(&self, name: &str) -> Option<ObjectId> {
        self.0.get(name).copied()
    }

    pub(super) fn set(&mut self, name: &str, id: ObjectId) {
        self.0.insert_mut(name.into(), id);
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.0.remove_mut(name)
    }

    /// The references whose names begin so, in byte order.
    pub(super) fn under<'r>(
        &'r self,
        prefix: &'r str,
    ) -> impl Iterator<Item = (&'r str, ObjectId)> + 'r {
        self.0
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(|(name, id)| (name.as_ref(), *id))
    }

    /// What keeps a name from being taken: a reference that is a folder of it, or has it as a folder.
    pub(super) fn blocker(&self, name: &str) -> Option<String> {
        let inside = format!("{name}/");
        let below = self.under(&inside).next().map(|(other, _)| other.to_owned());
        let mut folders = name.match_indices('/').map(|(slash, _)| &name[..slash]);
        below.or_else(|| folders.find(|folder| self.get(folder).is_some()).map(str::to_owned))
    }
}

/// Checks a full reference name such as `refs/heads/main`.
///
/// # Errors
///
/// When it breaks a rule of `git check-ref-format`.
///
/// ```
/// use driftlab::git::check_ref_name;
/// assert!(check_ref_name("refs/heads/feature/x").is_ok());
/// assert!(check_ref_name("refs/heads/a..b").is_err());
/// ```
pub fn check_ref_name(name: &str) -> Result<(), GitError> {
    let bad_char =
        |c: char| c <= ' ' || matches!(c, '\x7f' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    let bad = name.split('/').any(bad_part)
        || name.ends_with('.')
        || name.contains("..")
        || name.contains("@{")
        || name.contains(bad_char)
        || name.len() > 1024
        || name == "@";
    if bad { Err(GitError::InvalidRefName(name.into())) } else { Ok(()) }
}

/// Checks the name of a branch or tag: what may follow `refs/heads/`, and does not look like an option.
pub(super) fn check_short_name(name: &str) -> Result<(), GitError> {
    match name.starts_with('-') || name == "HEAD" {
        true => Err(GitError::InvalidRefName(name.into())),
        false => check_ref_name(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_check_ref_format() {
        for good in ["main", "feature/x", "v1.0", "ünï", "a-b_c", "HEAD/x"] {
            assert_eq!(check_short_name(good), Ok(()), "{good}");
        }
        let bad = [
            "", "/a", "a/", "a//b", ".a", "a/.b", "a..b", "a b", "a~b", "a^", "a:b", "a?", "a*",
            "a[b", "a\\b", "a.", "a.lock", "a.lock/b", "@", "a@{b", "-a", "HEAD", "a\nb",
        ];
        for bad in bad {
            assert!(check_short_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_and_a_folder_of_that_name_exclude_each_other() {
        let mut refs = Refs::default();
        refs.set("refs/heads/a", ObjectId::default());
        assert_eq!(refs.blocker("refs/heads/a/b"), Some("refs/heads/a".into()));
        assert_eq!(refs.blocker("refs/heads/ab"), None);
        refs.set("refs/heads/c/d", ObjectId::default());
        assert_eq!(refs.blocker("refs/heads/c"), Some("refs/heads/c/d".into()));
    }
}
