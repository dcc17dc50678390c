//! The `git` on PATH, with nothing of the caller's surroundings that could change an answer.

use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::DiskError;
use crate::git::GitVersion;

/// Which `git` is on PATH; none if there is none.
pub fn version() -> Option<GitVersion> {
    let output = bare_git(&["version"]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).parse().ok()
}

/// A `git` command that works on the repository at a path.
pub(super) fn git(repository: &Path, args: &[&str]) -> Command {
    let mut command = bare_git(args);
    command.current_dir(repository);
    command
}

/// A `git` command that works on no repository yet.
pub(super) fn bare_git(args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in [
        ("LC_ALL", "C"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        // Replaced objects would come under other ids.
        ("GIT_NO_REPLACE_OBJECTS", "1"),
    ] {
        command.env(name, value);
    }
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end.
///
/// # Errors
///
/// When it cannot be started or fails; the message is what it said.
pub(super) fn run(path: &Path, mut command: Command) -> Result<Output, DiskError> {
    let output = command.output().map_err(|error| not_started(path, &error))?;
    if output.status.success() { Ok(output) } else { Err(failed(path, &output.stderr)) }
}

/// The same, for what it printed as text, without the newline at its end.
pub(super) fn text(path: &Path, command: Command) -> Result<String, DiskError> {
    let output = run(path, command)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
}

pub(super) fn not_started(path: &Path, error: &io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::NotFound if !path.exists() => {
            DiskError::new(path, "there is no such folder")
        }
        io::ErrorKind::NotFound => DiskError::new(path, "git could not be started")
            .with_remedy("install git, or see that it is on PATH"),
        _ => DiskError::new(path, format!("git could not be started: {error}")),
    }
}

pub(super) fn failed(path: &Path, said: &[u8]) -> DiskError {
    let said = String::from_utf8_lossy(said);
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let reason =
        lines.clone().find(|line| line.starts_with("fatal:") || line.starts_with("error:"));
    let reason = reason.or_else(|| lines.next_back()).unwrap_or("git failed without a word");
    let reason = reason.trim_start_matches("fatal: ").trim_start_matches("error: ");
    let error = DiskError::new(path, reason);
    match reason {
        r if r.contains("dubious ownership") => {
            error.with_remedy("git config --global --add safe.directory <that folder>")
        }
        r if r.contains("not a git repository") => {
            error.with_remedy("name a folder that `git init` or `git clone` made")
        }
        r if ["missing", "bad object", "corrupt", "unable to read", "broken", "does not match"]
            .iter()
            .any(|word| r.contains(word)) =>
        {
            error.with_remedy(
                "the repository is damaged; `git fsck` says where, a fresh clone mends it",
            )
        }
        _ => error,
    }
}
