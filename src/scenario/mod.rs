//! The YAML a person writes: a world, a script, expectations.
//!
//! [`read`] makes a [`Scenario`] of a file's text, or says where the mistakes are.

mod commands;
mod mistake;
mod reading;

pub use mistake::{Mistake, Place};

pub use crate::sim::Scenario;

/// Reads a scenario; `file` is its name for messages.
///
/// ```
/// let mistakes = driftlab::scenario::read("heal.yaml", "scenario: Heal\nstesp: []\n").unwrap_err();
/// assert_eq!(mistakes[0].to_string(), "\
/// heal.yaml:2:1: unknown key 'stesp' in a scenario
///   |
/// 2 | stesp: []
///   | ^^^^^ expected one of: scenario, about, seed, until, repositories, cluster, registry, sync, faults, steps, expect
///   = did you mean 'steps'?");
/// ```
///
/// # Errors
///
/// Every mistake that is found, each with its place in the file.
pub fn read(file: &str, source: &str) -> Result<Scenario, Vec<Mistake>> {
    let read = reading::read(file, source)?;
    Ok(read.scenario)
}
