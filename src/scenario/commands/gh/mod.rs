//! gh: pull requests at the forge, and the checks of their commits.

mod parse;
mod run;
mod show;

use super::words::Word;
use crate::git::forge::{CheckState, MergeMethod, Verdict};
use crate::scenario::mistake::Mistake;

pub(crate) use run::run;

/// A gh command. Where a number is left out, the open pull request of the branch one is on is meant.
#[derive(Clone, Debug)]
pub(crate) enum Gh {
    Create {
        title: String,
        body: String,
        base: Option<String>,
        head: Option<String>,
    },
    Review {
        number: Option<u64>,
        verdict: Verdict,
        body: String,
    },
    Merge {
        number: Option<u64>,
        method: MergeMethod,
        seen: Option<String>,
        delete_branch: bool,
    },
    Close {
        number: Option<u64>,
        comment: Option<String>,
        delete_branch: bool,
    },
    Comment {
        number: Option<u64>,
        body: String,
    },
    List(Wanted),
    View {
        number: Option<u64>,
        comments: bool,
    },
    Diff {
        number: Option<u64>,
    },
    Checks {
        number: Option<u64>,
        required: bool,
    },
    /// `gh api repos/NAME/statuses/REVISION`: what a pipeline calls to report a check.
    Report {
        repository: String,
        revision: String,
        name: String,
        state: CheckState,
    },
}

/// Which pull requests `gh pr list` is to show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// `open`, `closed`, `merged` or `all`; those that are open if not given.
    state: Option<String>,
    base: Option<String>,
    head: Option<String>,
    author: Option<String>,
}

/// Reads a command line.
pub(super) fn parse(tool: &Word, words: &[Word]) -> Result<Gh, Mistake> {
    parse::parse(tool, words)
}
