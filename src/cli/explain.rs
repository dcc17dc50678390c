//! `driftlab explain`: who set this, and why.

use super::{Exit, help};

const USAGE: &str = "";

/// Runs `driftlab explain …`.
pub(crate) fn main(args: &mut lexopt::Parser) -> Exit {
    let _ = args;
    help(USAGE)
}
