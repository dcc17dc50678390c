//! A mistake on its way to a place: what is wrong is known below, where it is written further up.

use crate::manifest::Mistake;

/// A mistake without a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    message: String,
    remedy: String,
}

/// Done, or a mistake without a place.
pub(super) type Outcome<T = ()> = Result<T, Fault>;

impl Fault {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Fault { message: message.into(), remedy: remedy.into() }
    }

    /// Says what it is about, before what is wrong.
    pub(super) fn within(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The mistake, written on this line of this file.
    pub(super) fn at(self, file: &str, line: usize) -> Mistake {
        Mistake::new(file, line, self.message, self.remedy)
    }
}
