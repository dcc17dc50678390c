//! gh: pull requests at the forge.

mod parse;
mod run;

use super::words::Word;
use crate::git::forge::{MergeMethod, Verdict};
use crate::scenario::mistake::Mistake;

pub(crate) use run::run;

/// A gh command: always `gh pr …`.
#[derive(Clone, Debug)]
pub(crate) enum Gh {
    Create { title: String, body: String, base: Option<String>, head: Option<String> },
    Review { number: Option<u64>, verdict: Verdict, body: String },
    Merge { number: Option<u64>, method: MergeMethod, delete_branch: bool },
    Close { number: Option<u64> },
    List,
    View { number: Option<u64> },
}

/// Reads a command line.
pub(super) fn parse(tool: &Word, words: &[Word]) -> Result<Gh, Mistake> {
    parse::parse(tool, words)
}
