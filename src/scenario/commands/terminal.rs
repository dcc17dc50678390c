//! Somebody at a terminal: what a command works on, and what it answers.

use std::collections::BTreeMap;
use std::fmt;

use crate::git::Tree;
use crate::sim::World;
use crate::time::Timestamp;

use super::git::Clone;
use super::kubectl::Awaited;

/// What a command works on.
pub(crate) struct Terminal<'a> {
    pub(crate) world: &'a mut World,
    /// The person.
    pub(crate) who: &'a str,
    /// The person's clones.
    pub(crate) desk: &'a mut Desk,
    /// The repository that the person is in; empty for none.
    pub(crate) repository: &'a str,
}

/// The clones of one person, by the repository's name.
#[derive(Clone, Default)]
pub(crate) struct Desk {
    pub(crate) clones: BTreeMap<String, Clone>,
}

/// What a command printed, and how it exited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) text: String,
    pub(crate) exit: u8,
}

/// What becomes of a command.
pub(crate) enum Answer {
    /// It is over.
    Done(Output),
    /// It waits for the world.
    Wait(Waiting),
}

/// A command that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) what: Awaited,
    /// When it gives up.
    pub(crate) deadline: Option<Timestamp>,
    /// What it has printed so far.
    pub(crate) so_far: Output,
}

impl Terminal<'_> {
    /// The files of the working copy that the person is in.
    pub(crate) fn files(&self) -> Tree {
        let clone = self.desk.clones.get(self.repository);
        clone.map(|clone| clone.worktree.files().clone()).unwrap_or_default()
    }
}

impl Output {
    pub(crate) fn line(&mut self, line: impl fmt::Display) {
        self.text.push_str(&format!("{line}\n"));
    }

    /// An error: printed, and the exit code is 1.
    pub(crate) fn error(&mut self, line: impl fmt::Display) {
        self.line(line);
        self.exit = 1;
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Answer::Done(output)
    }
}
