//! The `git` on PATH, with nothing of the caller's surroundings that could change an answer.

use std::io::{self, Read};
use std::path::Path;
use std::process::{ChildStderr, Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use super::DiskError;
use super::error::NO_REPOSITORY;
use crate::git::GitVersion;
use crate::git::raw::DAMAGED;

/// Which `git` is on PATH; none if there is none.
pub fn version() -> Option<GitVersion> {
    let output = bare_git(&["version"]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).parse().ok()
}

/// How many files of a repository's working tree are not as they are at HEAD: changed, gone, or new and not
/// ignored. None where that cannot be told, as of a bare repository.
pub fn uncommitted(path: &Path) -> usize {
    let arguments = ["-c", "core.fsmonitor=false", "status", "--porcelain", "--ignore-submodules"];
    let output = git(path, &arguments).output();
    let listed = output.map(|output| output.stdout).unwrap_or_default();
    listed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
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
        // What a partial clone lacks is not asked for, object by object.
        ("GIT_NO_LAZY_FETCH", "1"),
        // A remote that falls silent is given up after a minute, as Flux does by default.
        ("GIT_HTTP_LOW_SPEED_LIMIT", "1"),
        ("GIT_HTTP_LOW_SPEED_TIME", "60"),
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

/// What a question to Git is answered with; none when the answer is no.
pub(super) fn answer(path: &Path, args: &[&str]) -> Result<Option<String>, DiskError> {
    let output = git(path, args).output().map_err(|error| not_started(path, &error))?;
    let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(Some(answer).filter(|answer| output.status.success() && !answer.is_empty()))
}

/// Reads what a program complains of while it runs: it would wait for ever with a full pipe. Of very
/// much, the beginning.
pub(super) fn overhear(mut complaints: ChildStderr) -> JoinHandle<Vec<u8>> {
    const ENOUGH: u64 = 1 << 16;
    thread::spawn(move || {
        let mut heard = Vec::new();
        let _ = complaints.by_ref().take(ENOUGH).read_to_end(&mut heard);
        let _ = io::copy(&mut complaints, &mut io::sink());
        heard
    })
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

/// What Git said when it gave up, and what to do where that is known.
pub(super) fn failed(path: &Path, said: &[u8]) -> DiskError {
    let reason = reason(&String::from_utf8_lossy(said));
    let known = REMEDIES.iter().find(|(words, _)| reason.contains(words));
    DiskError::new(path, &reason).with_remedy(known.map_or("", |(_, remedy)| remedy))
}

/// What Git says, in part, and what helps.
const REMEDIES: [(&str, &str); 12] = [
    ("dubious ownership", "git config --global --add safe.directory <that folder>"),
    ("not a git repository", NO_REPOSITORY),
    ("repo version", "see whether a newer Git reads it"),
    ("unknown repository extension", "see whether a newer Git reads it"),
    ("bad config", "mend that line; `git config --list` reads it as Git does"),
    ("alternate object path", "mend .git/objects/info/alternates: it names where objects are"),
    ("missing", DAMAGED),
    ("bad object", DAMAGED),
    ("corrupt", DAMAGED),
    ("unable to read", DAMAGED),
    ("broken", DAMAGED),
    ("does not match", DAMAGED),
];

/// The first line that is a complaint, else the last one; where it ends in a colon, the next one too.
/// What is no text stays out of it, and so does what is too long to be read.
fn reason(said: &str) -> String {
    const LONGEST: usize = 300;
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_complaint = |line: &&str| line.starts_with("fatal:") || line.starts_with("error:");
    let at = lines.iter().position(is_complaint).unwrap_or(lines.len().saturating_sub(1));
    let Some(line) = lines.get(at) else { return "git failed without a word".into() };
    let next = lines.get(at + 1).filter(|_| line.ends_with(':'));
    let line = ["fatal: ", "error: ", "warning: "]
        .iter()
        .fold(*line, |line, word| line.trim_start_matches(word));
    let whole = next.map_or(line.to_owned(), |next| format!("{line} {next}"));
    let is_text = |c: &char| !c.is_control() && *c != char::REPLACEMENT_CHARACTER;
    whole.chars().take_while(is_text).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_complaint_is_what_went_wrong() {
        let check = |said: &str, expected: &str| assert_eq!(reason(said), expected, "{said:?}");
        check("", "git failed without a word");
        check("warning: a\nfatal: b\nfatal: c\n", "b");
        check("a\nb\n", "b");
        check("error: extension found:\n\trefstorage\n", "extension found: refstorage");
        check("fatal: line in .git/packed-refs: x\u{1}y\n", "line in .git/packed-refs: x");
        check(&"é".repeat(1000), &"é".repeat(300));
    }
}
