//! What can be known to be wrong before anything runs.

use super::mistake::Mistake;
use super::prepare::Script;

/// Every mistake in what a script names.
pub(crate) fn mistakes(script: &Script) -> Vec<Mistake> {
    let _ = script;
    Vec::new()
}
