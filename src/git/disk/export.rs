//! A repository that real Git goes on with.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use super::DiskError;
use super::program::{bare_git, git, run};
use crate::git::pack;
use crate::git::{Entry, Head, Object, ObjectId, Repository, Tree};

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
    let Walk { found, shallow, .. } = Walk::of(repository);
    feed(path, &["index-pack", "--stdin"], &pack::encode(&found))?;
    if !shallow.is_empty() {
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

/// Everything that a reference or HEAD leads to, each once.
struct Walk<'a> {
    repository: &'a Repository,
    seen: BTreeSet<ObjectId>,
    /// With the number of its type in a pack.
    found: Vec<(u8, Vec<u8>)>,
    /// The commits before which history is cut off, a line each (`.git/shallow`: Git's technical/shallow).
    shallow: String,
}

impl<'a> Walk<'a> {
    fn of(repository: &'a Repository) -> Self {
        let (seen, found, shallow) = (BTreeSet::new(), Vec::new(), String::new());
        let mut walk = Walk { repository, seen, found, shallow };
        let heads = repository.references().map(|(_, id)| id).chain(repository.head_id());
        let mut open: Vec<ObjectId> = heads.collect();
        while let Some(id) = open.pop() {
            if walk.seen.insert(id) {
                walk.visit(id, &mut open);
            }
        }
        walk
    }

    fn visit(&mut self, id: ObjectId, open: &mut Vec<ObjectId>) {
        match self.repository.find_object(id) {
            Some(Object::Commit(commit)) => {
                self.push(1, id);
                let parents = self.repository.parents(id);
                if parents != commit.parents {
                    self.shallow += &format!("{id}\n");
                }
                open.extend(parents);
                self.tree(&commit.tree);
            }
            Some(Object::Tag(tag)) => {
                self.push(4, id);
                open.push(tag.target);
            }
            Some(Object::Tree(tree)) => {
                self.seen.remove(&id);
                self.tree(&tree);
            }
            Some(Object::Blob(blob)) => self.found.push((3, blob.as_bytes().to_vec())),
            None => {}
        }
    }

    fn push(&mut self, kind: u8, id: ObjectId) {
        self.found.extend(self.repository.encoding(id).map(|encoding| (kind, encoding)));
    }

    fn tree(&mut self, tree: &Tree) {
        if !self.seen.insert(tree.id()) {
            return;
        }
        self.found.push((2, tree.encode()));
        for (_, entry) in tree.entries() {
            match entry {
                Entry::Folder(folder) => self.tree(folder),
                Entry::File(_, blob) if self.seen.insert(blob.id()) => {
                    self.found.push((3, blob.as_bytes().to_vec()));
                }
                _ => {}
            }
        }
    }
}
