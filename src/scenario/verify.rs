//! What can be known to be wrong before anything runs: names of what is not there.
//!
//! What is there is known as far as files and commands tell: what a scenario brings, writes or makes
//! later counts as there from the start, so that nothing is called missing that may come.

mod commands;
mod known;
mod parts;

use self::known::Known;
use super::mistake::Mistake;
use super::prepare::Script;

/// Every mistake in what a script names.
pub(crate) fn mistakes(script: &Script) -> Vec<Mistake> {
    let mut mistakes = parts::sync_mistakes(script);
    mistakes.extend(parts::pipeline_mistakes(script));
    mistakes.extend(parts::forge_mistakes(script));
    mistakes.extend(parts::manifest_mistakes(script));
    mistakes.extend(parts::image_mistakes(script));
    if !mistakes.is_empty() {
        return mistakes;
    }
    let known = Known::of(script);
    mistakes.extend(parts::fault_mistakes(script, &known));
    mistakes.extend(commands::mistakes(script, &known));
    mistakes.extend(parts::expectation_mistakes(script, &known));
    mistakes
}
