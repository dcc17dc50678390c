//! flux: reconcile, suspend, resume, get, create, delete.

mod parse;
mod run;

use super::words::Word;
use crate::scenario::mistake::Mistake;
use crate::time::Duration;

pub(crate) use run::{follow, reconciled, run};

/// A flux command.
#[derive(Clone, Debug)]
pub(crate) struct Flux {
    /// `-n`, or `flux-system`.
    pub(crate) namespace: String,
    pub(crate) verb: Verb,
}

/// What flux is to do.
#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Reconcile {
        what: Resource,
        name: Word,
        with_source: bool,
        timeout: Duration,
    },
    Suspend {
        what: Resource,
        name: Word,
    },
    Resume {
        what: Resource,
        name: Word,
        timeout: Duration,
    },
    Get {
        what: Option<Resource>,
    },
    CreateSource {
        name: String,
        url: String,
        branch: String,
        interval: Duration,
    },
    CreateKustomization {
        name: String,
        source: String,
        path: String,
        prune: bool,
        wait: bool,
        interval: Duration,
        depends_on: Vec<String>,
        target_namespace: Option<String>,
    },
    Delete {
        what: Resource,
        name: Word,
    },
}

/// A kind that flux knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resource {
    Kustomization,
    GitRepository,
}

/// Reads a command line.
pub(super) fn parse(tool: &Word, words: &[Word]) -> Result<Flux, Mistake> {
    parse::parse(tool, words)
}
