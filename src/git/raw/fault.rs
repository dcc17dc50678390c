//! What is wrong with an object.

use std::fmt;

/// What to do about objects or references that are not what Git wrote.
pub(in crate::git) const DAMAGED: &str =
    "the repository is damaged; `git fsck` says where, a fresh clone mends it";

/// What to do about something in the history that is too much, or not supported.
pub(in crate::git) const LEAVE_OUT: &str =
    "remove it; if only old commits have it, `git clone --depth 1` leaves them out";

/// What to do about a tree that no Git writes.
const HOSTILE: &str = "no Git writes such a tree: do not check it out";

/// What is wrong with an object, wherever it was found.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::git) struct Fault {
    /// The file or folder that the object is; empty for an object that is neither.
    path: String,
    message: String,
    remedy: &'static str,
}

impl Fault {
    /// What to do about it.
    pub(in crate::git) fn remedy(&self) -> &'static str {
        self.remedy
    }

    /// Something that Git allows and this module does not.
    pub(in crate::git) fn unsupported(message: impl Into<String>) -> Self {
        Fault { path: String::new(), message: message.into(), remedy: LEAVE_OUT }
    }

    /// Something that was made to do harm.
    pub(in crate::git) fn hostile(message: impl Into<String>) -> Self {
        Fault { path: String::new(), message: message.into(), remedy: HOSTILE }
    }

    /// The same, of what is in a folder of this name, or is called so.
    pub(in crate::git) fn below(self, name: &str) -> Self {
        const LONG_ENOUGH: usize = 200;
        let path = match self.path.len() {
            0 => name.to_owned(),
            1..LONG_ENOUGH => format!("{name}/{}", self.path),
            _ => self.path,
        };
        Fault { path, ..self }
    }

    /// The same, of an object or reference that leads there.
    pub(in crate::git) fn within(self, place: &str) -> Self {
        let path = match self.path.is_empty() {
            true => place.to_owned(),
            false => format!("{place}: {}", self.path),
        };
        Fault { path, ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.is_empty() {
            true => f.write_str(&self.message),
            false => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

/// Something that no Git would have written.
impl<T: Into<String>> From<T> for Fault {
    fn from(message: T) -> Self {
        Fault { path: String::new(), message: message.into(), remedy: DAMAGED }
    }
}
