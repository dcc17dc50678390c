//! What changes what Git does: settings, and which Git it is.

use std::str::FromStr;

use super::SigningKey;

/// What changes what Git does: settings, and which Git it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Config {
    /// `merge.renames`: merges, reverts and picks find files that moved. On, as in Git.
    pub merge_renames: bool,
    /// The Git to be like.
    pub version: GitVersion,
    /// `commit.gpgSign` with `user.signingKey`: commits that are made here are signed. None is, at first;
    /// a commit that is made again (amended, picked, rebased) loses the signature it had either way.
    pub signing_key: Option<SigningKey>,
}

impl Default for Config {
    fn default() -> Self {
        Config { merge_renames: true, version: GitVersion::default(), signing_key: None }
    }
}

/// A version of Git, where it makes a difference.
///
/// From 2.43 on a revert of a revert is called *Reapply*; from 2.44 on a last line without an end counts
/// when files that moved are looked for; from 2.50 on `merge.renames` can turn that off.
///
/// ```
/// use driftlab::git::GitVersion;
/// assert_eq!("git version 2.39.5".parse(), Ok(GitVersion(2, 39)));
/// assert!(GitVersion(2, 39) < GitVersion::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitVersion(pub u32, pub u32);

/// A text that names no version of Git.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no version of Git: 'git version 2.50.1' does")]
pub struct ParseVersionError(String);

/// The newest that is known to be different.
impl Default for GitVersion {
    fn default() -> Self {
        GitVersion(2, 50)
    }
}

/// Reads what `git version` prints, or the numbers alone.
impl FromStr for GitVersion {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, ParseVersionError> {
        let numbers = text.trim().trim_start_matches("git version ");
        let mut numbers = numbers.split('.').map(|number| number.parse().ok());
        let (major, minor) = (numbers.next().flatten(), numbers.next().flatten());
        let version = major.zip(minor).map(|(major, minor)| GitVersion(major, minor));
        version.ok_or_else(|| ParseVersionError(text.into()))
    }
}
