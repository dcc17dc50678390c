//! A repository that real Git goes on with.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use super::DiskError;
use super::program::{bare_git, git, run};
use crate::git::pack::{self, Gathered};
use crate::git::{Head, Repository};

/// Writes a repository into a folder that is empty or not there yet, with HEAD's files checked out.
///
/// # Errors
///
/// When the folder is not empty or cannot be written, or `git` fails.
pub fn export(repository: &Repository, path: &Path) -> Result<(), DiskError> {
    let of_io = |error: std::io::Error| DiskError::of_io(path, &error);
    fs::create_dir_all(path).map_err(of_io)?;
    if fs::read_dir(path).map_err(of_io)?.next().is_some() {
        return Err(DiskError::new(path, "the folder is not empty").with_remedy("name a new one"));
    }
    run(path, bare_git(&["init", "--quiet", "--initial-branch=main", &path.to_string_lossy()]))?;
    let Gathered { objects, shallow, .. } = Gathered::of(repository);
    feed(path, &["index-pack", "--stdin"], &pack::encode(&objects))?;
    if !shallow.is_empty() {
        // A line each (Git's technical/shallow).
        let shallow: String = shallow.iter().map(|id| format!("{id}\n")).collect();
        fs::write(path.join(".git/shallow"), shallow).map_err(of_io)?;
    }
    let references: String =
        repository.references().map(|(name, id)| format!("create {name} {id}\n")).collect();
    feed(path, &["update-ref", "--stdin"], references.as_bytes())?;
    match repository.head() {
        Head::Branch(name) => {
            run(path, git(path, &["symbolic-ref", "HEAD", &format!("refs/heads/{name}")]))?;
        }
        Head::Detached(id) => {
            run(path, git(path, &["update-ref", "--no-deref", "HEAD", &id.to_string()]))?;
        }
    }
    if repository.head_id().is_some() {
        run(path, git(path, &["reset", "--quiet", "--hard"]))?;
    }
    Ok(())
}

/// Runs a command with a text as its input, by way of a file: no pipe that could fill up.
fn feed(path: &Path, args: &[&str], input: &[u8]) -> Result<(), DiskError> {
    let file = path.join(".git").join("driftlab-input");
    let of_io = |error: std::io::Error| DiskError::of_io(&file, &error);
    fs::write(&file, input).map_err(of_io)?;
    let mut command = git(path, args);
    command.stdin(Stdio::from(File::open(&file).map_err(of_io)?));
    let done = run(path, command).map(drop);
    fs::remove_file(&file).map_err(of_io)?;
    done
}
