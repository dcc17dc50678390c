//! What can go wrong at the disk.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::git::raw::Fault;

/// What to do about a folder without a repository.
pub(super) const NO_REPOSITORY: &str = "name a folder that `git init` or `git clone` made";

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

impl Fault {
    /// The same, of a repository at this path.
    pub(super) fn at(self, path: &Path) -> DiskError {
        DiskError::new(path, self.to_string()).with_remedy(self.remedy())
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

impl std::error::Error for DiskError {}
