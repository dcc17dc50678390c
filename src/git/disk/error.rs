//! What can go wrong at the disk.

use std::fmt;
use std::path::{Path, PathBuf};

/// What to do about objects or references that are not what Git wrote.
pub(super) const DAMAGED: &str =
    "the repository is damaged; `git fsck` says where, a fresh clone mends it";

/// What to do about a folder without a repository.
pub(super) const NO_REPOSITORY: &str = "name a folder that `git init` or `git clone` made";

/// What to do about something in the history that is too much, or not supported.
pub(super) const LEAVE_OUT: &str =
    "remove it; if only old commits have it, `git clone --depth 1` leaves them out";

/// What to do about a tree that no Git writes.
const HOSTILE: &str = "no Git writes such a tree: do not check it out";

/// Why a folder or repository could not be read or written: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError {
    /// The folder, file or repository.
    pub path: PathBuf,
    /// What is wrong.
    pub message: String,
    /// What to do about it; empty when there is nothing to advise.
    pub remedy: String,
}

impl DiskError {
    pub(super) fn new(path: &Path, message: impl Into<String>) -> Self {
        DiskError { path: path.into(), message: message.into(), remedy: String::new() }
    }

    pub(super) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// The same with this remedy, if there is none yet.
    pub(super) fn or_remedy(mut self, remedy: &str) -> Self {
        if self.remedy.is_empty() {
            self.remedy = remedy.into();
        }
        self
    }

    /// The same, said of something: `what: message`.
    pub(super) fn about(self, what: &str) -> Self {
        DiskError { message: format!("{what}: {}", self.message), ..self }
    }

    pub(super) fn of_io(path: &Path, error: &std::io::Error) -> Self {
        Self::new(path, error.to_string())
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

impl std::error::Error for DiskError {}

/// What is wrong with an object, wherever it was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The file or folder that the object is; empty for an object that is neither.
    path: String,
    message: String,
    remedy: &'static str,
}

impl Fault {
    /// Something that Git allows and this module does not.
    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Fault { path: String::new(), message: message.into(), remedy: LEAVE_OUT }
    }

    /// Something that was made to do harm.
    pub(super) fn hostile(message: impl Into<String>) -> Self {
        Fault { path: String::new(), message: message.into(), remedy: HOSTILE }
    }

    /// The same, of what is in a folder of this name, or is called so.
    pub(super) fn below(self, name: &str) -> Self {
        const LONG_ENOUGH: usize = 200;
        let path = match self.path.len() {
            0 => name.to_owned(),
            1..LONG_ENOUGH => format!("{name}/{}", self.path),
            _ => self.path,
        };
        Fault { path, ..self }
    }

    /// The same, of an object or reference that leads there.
    pub(super) fn within(self, place: &str) -> Self {
        let path = match self.path.is_empty() {
            true => place.to_owned(),
            false => format!("{place}: {}", self.path),
        };
        Fault { path, ..self }
    }

    pub(super) fn at(self, path: &Path) -> DiskError {
        DiskError::new(path, format!("{}: {}", self.path, self.message)).with_remedy(self.remedy)
    }
}

/// Something that no Git would have written.
impl<T: Into<String>> From<T> for Fault {
    fn from(message: T) -> Self {
        Fault { path: String::new(), message: message.into(), remedy: DAMAGED }
    }
}
