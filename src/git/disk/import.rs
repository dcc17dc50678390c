//! A repository on disk, object by object.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::program::{bare_git, failed, git, not_started, run, text};
use super::{DiskError, LARGEST_FILE, parse};
use crate::git::{Blob, Commit, Entry, Object, ObjectId, ObjectKind, Repository, Tree};

/// The keys that a tree has and a list has not, and what of the list the tree has not. Both are sorted.
fn difference(like: &Tree, list: Vec<parse::RawEntry>) -> (Vec<String>, Vec<parse::RawEntry>) {
    let (mut removed, mut changed) = (Vec::new(), Vec::new());
    let mut here = like.keys().peekable();
    for raw in list {
        while let Some((key, _)) = here.next_if(|(key, _)| *key < raw.key.as_str()) {
            removed.push(key.to_owned());
        }
        let known = here.next_if(|(key, _)| *key == raw.key);
        if known.is_none_or(|(_, entry)| entry.id() != raw.id || !raw.kind.is_of(entry)) {
            changed.push(raw);
        }
    }
    removed.extend(here.map(|(key, _)| key.to_owned()));
    (removed, changed)
}

/// What is reachable, id by id.
const LIST: &[&str] = &["rev-list", "--objects", "--no-object-names"];

/// Folders within folders: more than any real tree has, few enough for the stack.
const DEEPEST: usize = 500;

/// Brings the history of a repository on disk, bare or not: everything that a reference or HEAD leads
/// to, whether loose, packed or borrowed from another repository. What is not committed stays out.
///
/// # Errors
///
/// When it is no repository, is damaged, was cloned shallow, or holds what is not supported: a file
/// larger than [`LARGEST_FILE`], or file names that are no UTF-8. Messages and people's names that are no
/// UTF-8 keep their bytes, and so their ids; only what is shown of them is approximate.
pub fn import(path: &Path) -> Result<Repository, DiskError> {
    let top = text(path, git(path, &["rev-parse", "--git-dir"]))?;
    let shallow = text(path, git(path, &["rev-parse", "--is-shallow-repository"]))?;
    if shallow == "true" {
        return Err(DiskError::new(path, "the repository is a shallow clone: history is missing")
            .with_remedy("git fetch --unshallow"));
    }
    let mut import = Import::new(path);
    import.read_objects(!import.head()?.is_empty())?;
    import.into_repository().map_err(|error| match error.path.as_os_str().is_empty() {
        true => DiskError { path: path.join(&top), ..error },
        false => error,
    })
}

/// Brings the commit at HEAD alone, on its branch and without what came before: all that it takes to
/// reconcile it, at a cost that does not grow with the history. So it takes shallow clones too.
///
/// # Errors
///
/// When it is no repository, has no commit yet, or is damaged; for files as [`import`].
pub fn import_newest(path: &Path) -> Result<Repository, DiskError> {
    let mut import = Import::new(path);
    let head = import.head()?;
    if head.is_empty() {
        text(path, git(path, &["rev-parse", "--git-dir"]))?;
        return Err(DiskError::new(path, "the repository has no commit yet")
            .with_remedy("commit the manifests first"));
    }
    import.read_listed(&mut git(path, &[LIST, &["--no-walk", &head]].concat()))?;
    let mut repository = import.read_history()?;
    let branch = import.branch()?;
    let branch = branch.strip_prefix("refs/heads/").unwrap_or("main");
    let set = repository.set_reference(&format!("refs/heads/{branch}"), import.id_of(&head)?);
    let on_it = set.and_then(|()| repository.switch(branch));
    on_it.map_err(|error| DiskError::new(path, format!("{branch}: {error}")))?;
    Ok(repository)
}

/// Clones a remote into a folder of its own under `scratch` and imports it; a second time only what is
/// new is fetched.
///
/// # Errors
///
/// When the remote does not answer or refuses, and as [`import`].
pub fn clone(url: &str, scratch: &Path) -> Result<Repository, DiskError> {
    let folder = scratch.join(ObjectId::of("blob", url.as_bytes()).to_string());
    let remote = PathBuf::from(url);
    let named = |error: DiskError| DiskError { path: remote.clone(), ..error };
    if folder.join("HEAD").exists() {
        let fetch = git(&folder, &["remote", "update", "--prune"]);
        run(&folder, fetch).map_err(named)?;
    } else {
        fs::create_dir_all(scratch).map_err(|error| DiskError::of_io(scratch, &error))?;
        let mut command = bare_git(&["clone", "--quiet", "--mirror", "--"]);
        command.arg(url).arg(&folder);
        run(scratch, command).map_err(named)?;
    }
    import(&folder).map_err(named)
}

/// What has been read so far, raw: objects come in any order.
struct Import<'a> {
    path: &'a Path,
    /// In the order of `git rev-list`: mostly what came later first.
    commits: Vec<(ObjectId, Vec<u8>)>,
    tags: Vec<(ObjectId, Vec<u8>)>,
    trees: BTreeMap<ObjectId, Vec<u8>>,
    blobs: BTreeMap<ObjectId, Blob>,
    built: BTreeMap<ObjectId, Tree>,
}

impl<'a> Import<'a> {
    fn new(path: &'a Path) -> Self {
        Import {
            path,
            commits: Vec::new(),
            tags: Vec::new(),
            trees: BTreeMap::new(),
            blobs: BTreeMap::new(),
            built: BTreeMap::new(),
        }
    }

    /// The commit at HEAD; empty when its branch is unborn.
    fn head(&self) -> Result<String, DiskError> {
        let head = git(self.path, &["rev-parse", "--quiet", "--verify", "HEAD^{commit}"]).output();
        let head = head.map_err(|error| not_started(self.path, &error))?;
        Ok(String::from_utf8_lossy(&head.stdout).trim().to_owned())
    }

    /// `git rev-list` names what is reachable, `git cat-file` reads it; the one feeds the other.
    fn read_objects(&mut self, with_head: bool) -> Result<(), DiskError> {
        let mut list = git(self.path, LIST);
        list.arg("--all");
        if with_head {
            list.arg("HEAD");
        }
        self.read_listed(&mut list)
    }

    fn read_listed(&mut self, list: &mut Command) -> Result<(), DiskError> {
        let mut lister = self.start(list.stderr(Stdio::piped()))?;
        let ids = lister.stdout.take().ok_or_else(|| self.broken("git rev-list is silent"))?;
        let mut cat = git(self.path, &["cat-file", "--batch", "--buffer"]);
        let mut reader = self.start(cat.stdin(Stdio::from(ids)).stderr(Stdio::null()))?;
        let objects = reader.stdout.take().ok_or_else(|| self.broken("git cat-file is silent"))?;
        let read = self.read_batch(BufReader::new(objects));
        if read.is_err() {
            let _ = reader.kill();
        }
        let _ = reader.wait();
        let listed =
            lister.wait_with_output().map_err(|error| DiskError::of_io(self.path, &error))?;
        if !listed.status.success() {
            return Err(failed(self.path, &listed.stderr));
        }
        read
    }

    fn start(&self, command: &mut Command) -> Result<std::process::Child, DiskError> {
        command.spawn().map_err(|error| not_started(self.path, &error))
    }

    fn read_batch(&mut self, mut objects: impl BufRead) -> Result<(), DiskError> {
        let mut header = String::new();
        loop {
            header.clear();
            let read = objects.read_line(&mut header);
            if read.map_err(|error| DiskError::of_io(self.path, &error))? == 0 {
                return Ok(());
            }
            let words: Vec<&str> = header.split_whitespace().collect();
            let [id, kind, size] = words[..] else {
                return Err(self.broken(&format!("object {}", header.trim())));
            };
            let id: ObjectId = id.parse().map_err(|_| self.broken("an object has no id"))?;
            let size: u64 = size.parse().map_err(|_| self.broken("an object has no size"))?;
            if size > LARGEST_FILE {
                let (is, may) = (size >> 20, LARGEST_FILE >> 20);
                let message = format!("{kind} {id} has {is} MiB; {may} MiB is the limit");
                return Err(DiskError::new(self.path, message)
                    .with_remedy("import a repository without it"));
            }
            let mut content = vec![0; size as usize + 1];
            objects
                .read_exact(&mut content)
                .map_err(|error| DiskError::of_io(self.path, &error))?;
            content.pop();
            self.take(id, kind, content)
                .map_err(|why| self.broken(&format!("{kind} {id}: {why}")))?;
        }
    }

    fn take(&mut self, id: ObjectId, kind: &str, content: Vec<u8>) -> Result<(), String> {
        if ObjectId::of(kind, &content) != id {
            return Err("its content has another id".into());
        }
        match kind {
            "blob" => drop(self.blobs.insert(id, Blob::with_id(id, content))),
            "tree" => drop(self.trees.insert(id, content)),
            "commit" => self.commits.push((id, content)),
            "tag" => self.tags.push((id, content)),
            other => return Err(format!("{other:?} is no type of object")),
        }
        Ok(())
    }

    fn into_repository(mut self) -> Result<Repository, DiskError> {
        let mut repository = self.read_history()?;
        self.set_references(&mut repository)?;
        Ok(repository)
    }

    /// Commits and tags, without references.
    fn read_history(&mut self) -> Result<Repository, DiskError> {
        let mut repository = Repository::new();
        for (id, content) in std::mem::take(&mut self.commits).into_iter().rev() {
            let commit = self.commit(&repository, &content);
            let commit = commit.map_err(|why| self.broken(&format!("commit {id}: {why}")))?;
            let object = Object::Commit(Arc::new(commit));
            repository.objects.insert_encoded(id, object, &content);
        }
        for (id, content) in std::mem::take(&mut self.tags) {
            let tag =
                parse::tag(&content).map_err(|why| self.broken(&format!("tag {id}: {why}")))?;
            repository.objects.insert_encoded(id, Object::Tag(Arc::new(tag)), &content);
        }
        Ok(repository)
    }

    fn commit(&mut self, repository: &Repository, content: &[u8]) -> Result<Commit, String> {
        let raw = parse::commit(content)?;
        let parent = raw.parents.first().and_then(|parent| repository.find_commit(*parent).ok());
        let like = parent.map(|parent| parent.tree.clone()).unwrap_or_default();
        let tree = self.tree(raw.tree, &like, 0)?;
        let mut commit = Commit::new(tree, raw.parents, raw.author, raw.committer, raw.message);
        commit.headers = raw.headers;
        Ok(commit)
    }

    /// A tree, made of one that is probably much like it: what is the same is shared.
    fn tree(&mut self, id: ObjectId, like: &Tree, depth: usize) -> Result<Tree, String> {
        if let Some(tree) = self.built.get(&id) {
            return Ok(tree.clone());
        }
        if depth > DEEPEST {
            return Err(format!("folders are nested more than {DEEPEST} deep"));
        }
        // The empty tree need not be stored.
        let content = match self.trees.remove(&id) {
            Some(content) => content,
            None if id == Tree::default().id() => Vec::new(),
            None => return Err(format!("tree {id} is missing")),
        };
        let mut entries = parse::tree(&content)?;
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let (removed, changed) = difference(like, entries);
        let mut put = Vec::new();
        for raw in changed {
            let entry = self.entry(&raw, like, depth)?;
            put.push((raw.key, entry));
        }
        let tree = Tree::of_encoding(like, &removed, put, id, &content);
        self.built.insert(id, tree.clone());
        Ok(tree)
    }

    fn entry(&mut self, raw: &parse::RawEntry, like: &Tree, depth: usize) -> Result<Entry, String> {
        let id = raw.id;
        if let Some(mode) = raw.kind.file_mode() {
            let blob = self.blobs.get(&id).cloned();
            return blob
                .map(|blob| Entry::File(mode, blob))
                .ok_or_else(|| format!("blob {id} is missing"));
        }
        if raw.kind == parse::Kind::Submodule {
            return Ok(Entry::Submodule(id));
        }
        let like = like.folder(raw.key.trim_end_matches('/')).unwrap_or_default();
        self.tree(id, &like, depth + 1).map(Entry::Folder)
    }

    fn set_references(&self, repository: &mut Repository) -> Result<(), DiskError> {
        let format = "--format=%(objectname) %(objecttype) %(refname)";
        let listed = text(self.path, git(self.path, &["for-each-ref", format]))?;
        for line in listed.lines() {
            let mut words = line.splitn(3, ' ');
            let (id, kind, name) = (
                words.next().unwrap_or(""),
                words.next().unwrap_or(""),
                words.next().unwrap_or(""),
            );
            let id = self.id_of(id)?;
            // A reference right to a file or folder (of git notes, say) is no history.
            if kind == ObjectKind::Commit.name() || kind == ObjectKind::Tag.name() {
                let set = repository.set_reference(name, id);
                set.map_err(|error| DiskError::new(self.path, format!("{name}: {error}")))?;
            }
        }
        self.set_head(repository)
    }

    /// The full name of the branch that HEAD is on; empty when it is on none.
    fn branch(&self) -> Result<String, DiskError> {
        let branch = git(self.path, &["symbolic-ref", "--quiet", "HEAD"]).output();
        let branch = branch.map_err(|error| not_started(self.path, &error))?;
        Ok(String::from_utf8_lossy(&branch.stdout).trim().to_owned())
    }

    fn id_of(&self, text: &str) -> Result<ObjectId, DiskError> {
        text.parse().map_err(|_| self.broken("a reference has no id"))
    }

    fn set_head(&self, repository: &mut Repository) -> Result<(), DiskError> {
        let branch = self.branch()?;
        let why = |error: crate::git::GitError| DiskError::new(self.path, format!("HEAD: {error}"));
        match branch.strip_prefix("refs/heads/") {
            Some(name) if repository.branch_id(name).is_some() => {
                repository.switch(name).map_err(why)
            }
            Some(name) if Some(name) == repository.current_branch() => Ok(()),
            Some(name) => repository.switch_orphan(name).map_err(why),
            None => match self.head()? {
                head if head.is_empty() => Ok(()),
                head => repository.detach(&head).map(drop).map_err(why),
            },
        }
    }

    fn broken(&self, what: &str) -> DiskError {
        DiskError::new(self.path, what.to_owned())
            .with_remedy("the repository is damaged; `git fsck` says where, a fresh clone mends it")
    }
}
