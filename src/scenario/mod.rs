//! The YAML a person writes: a world, a script, expectations.
//!
//! [`read`] makes a [`Scenario`] of a file's text, or says where the mistakes are.

mod cause;
mod commands;
mod explain;
mod file;
mod mistake;
mod names;
mod origin;
mod prepare;
mod reading;
mod repository;
mod run;
mod standing;
mod verify;
mod written;

pub use explain::{Explanation, Write};
pub use mistake::{Mistake, Place};
pub use origin::{Line, Origin, Pull};
pub use repository::History;
pub use run::{Run, RunOptions, Verdict};
pub use standing::Standing;

pub use crate::sim::Scenario;

use std::path::Path;

use prepare::Script;

/// Reads a scenario; `file` is its name for messages.
///
/// ```
/// let mistakes = driftlab::scenario::read("heal.yaml", "scenario: Heal\nstesp: []\n").unwrap_err();
/// assert_eq!(mistakes[0].to_string(), "\
/// heal.yaml:2:1: unknown key 'stesp' in a scenario
///   |
/// 2 | stesp: []
///   | ^^^^^
///   = expected one of: scenario, about, seed, until, repositories, cluster, registry, pipelines, sync, faults, steps, expect
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

/// A scenario file that is read and found to be without mistakes, ready to be played.
#[derive(Clone)]
pub struct Loaded {
    script: Script,
}

/// Reads a scenario file, and everything that it names: its commands, the repositories it copies.
///
/// # Errors
///
/// When the file cannot be read, and every mistake that can be found before anything runs.
pub fn load(path: &Path) -> Result<Loaded, Vec<Mistake>> {
    let file = path.display().to_string();
    let source = file::read(path).map_err(|mistake| vec![mistake])?;
    let read = reading::read(&file, &source)?;
    let base = path.parent().unwrap_or(Path::new("."));
    let script = Script::read(&read.scenario, base).map_err(|mistakes| {
        mistakes.into_iter().map(|mistake| read.places.locate(mistake)).collect::<Vec<_>>()
    })?;
    Ok(Loaded { script })
}

/// A folder or Git repository of manifests, as a scenario in which nothing happens but that it is
/// reconciled.
///
/// # Errors
///
/// When it cannot be read, has no such folder, or the folder cannot be built.
pub fn of_repository(
    path: &Path,
    folder: Option<&str>,
    history: History,
) -> Result<Loaded, Vec<Mistake>> {
    let script = repository::script(path, folder, history).map_err(|mistake| vec![mistake])?;
    Ok(Loaded { script })
}

impl Loaded {
    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.script.scenario
    }

    /// Plays it to its end.
    pub fn play(&self, options: &RunOptions) -> Run {
        run::run(&self.script, options)
    }
}
