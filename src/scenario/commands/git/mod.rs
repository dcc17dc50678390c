//! git: what people type in a clone, and what Git prints.

mod parse;
mod print;
mod remote;
mod run;

use super::words::Word;
use crate::git::{FastForward, Repository, Reset, Worktree};
use crate::scenario::mistake::Mistake;

pub(crate) use remote::Clone;
pub(crate) use run::run;

/// A git command.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    /// `-C`: the repository to work in, by its name in the scenario.
    pub(crate) repository: Option<Word>,
    /// `-S`: what it commits is signed.
    pub(crate) signs: bool,
    pub(crate) verb: Verb,
}

/// What git is to do.
#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Status {
        short: bool,
    },
    Log {
        revision: Option<String>,
        path: Option<String>,
        oneline: bool,
        show_signature: bool,
        limit: Option<usize>,
    },
    Show {
        revision: String,
        show_signature: bool,
    },
    VerifyCommit {
        revisions: Vec<String>,
    },
    VerifyTag {
        names: Vec<String>,
    },
    Diff {
        revisions: Vec<String>,
        staged: bool,
        stat: bool,
    },
    Add {
        paths: Vec<String>,
    },
    Remove {
        paths: Vec<String>,
    },
    Commit {
        message: Option<String>,
        all: bool,
        amend: bool,
        allow_empty: bool,
    },
    Revert {
        revisions: Vec<String>,
        mainline: Option<usize>,
    },
    CherryPick {
        revisions: Vec<String>,
        mainline: Option<usize>,
    },
    /// `--continue` or `--abort` of what stopped at conflicts.
    Resume {
        operation: &'static str,
        abort: bool,
    },
    Merge {
        revision: String,
        fast_forward: FastForward,
        message: Option<String>,
    },
    Rebase {
        onto: String,
    },
    Branches {
        remote: bool,
    },
    Branch {
        name: String,
        at: String,
    },
    DeleteBranch {
        names: Vec<String>,
        force: bool,
    },
    Switch {
        name: String,
        create: bool,
        at: String,
    },
    Detach {
        revision: String,
    },
    Restore {
        paths: Vec<String>,
        staged: bool,
    },
    Tags,
    Tag {
        name: String,
        at: String,
        message: Option<String>,
        signed: bool,
    },
    DeleteTag {
        names: Vec<String>,
    },
    Reset {
        revision: String,
        how: Reset,
    },
    Push {
        remote: Option<Word>,
        refspecs: Vec<String>,
        force: bool,
        tags: bool,
    },
    Fetch,
    Pull {
        rebase: bool,
        fast_forward_only: bool,
    },
}

/// Reads a command line.
pub(super) fn parse(tool: &Word, words: &[Word]) -> Result<Git, Mistake> {
    parse::parse(tool, words)
}

impl Clone {
    /// A clone of a remote, with its default branch checked out.
    pub(crate) fn of(url: &str, remote: &Repository) -> Self {
        Clone { url: url.into(), worktree: Worktree::new(Repository::clone_of(remote)) }
    }
}
