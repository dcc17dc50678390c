//! Trees of files: immutable, sharing what did not change, each with Git's id.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use rpds::RedBlackTreeMapSync;

use super::ObjectId;

/// A folder of files and folders, as one commit holds it.
///
/// Cloning is a reference count, and a change shares all that it does not touch. Two trees are equal
/// when their ids are, which are Git's.
///
/// ```
/// use driftlab::git::Tree;
/// let empty = Tree::default();
/// let tree = empty.with_file("web/hello.yaml", "replicas: 3\n").unwrap();
/// assert_eq!(tree.text("web/hello.yaml"), Some("replicas: 3\n"));
/// assert_eq!(empty.id().to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
/// ```
#[derive(Clone, Default)]
pub struct Tree(Arc<Node>);

/// The key of a folder ends in a slash: the order of the map is then the order that Git encodes.
#[derive(Default)]
struct Node {
    entries: RedBlackTreeMapSync<Arc<str>, Entry>,
    id: OnceLock<ObjectId>,
    /// The encoding that this tree was read in, where Git would write another today.
    foreign: Option<Box<[u8]>>,
}

/// What stands under one name of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A file or a symbolic link.
    File(Mode, Blob),
    /// A folder.
    Folder(Tree),
    /// A submodule: a commit of another repository.
    Submodule(ObjectId),
}

/// What kind of file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// `100644`.
    #[default]
    Regular,
    /// `100755`.
    Executable,
    /// `120000`: the content is the target.
    Symlink,
}

/// The content of a file.
#[derive(Clone)]
pub struct Blob(Arc<(ObjectId, Box<[u8]>)>);

/// The longest path, in bytes: what a file system takes, and what keeps folders from being nested too
/// deep.
const LONGEST_PATH: usize = 4096;

/// A path that no tree can hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "{0:?} is not a path within a tree: names may not be empty, '.', '..' or '.git', and all of them not longer than 4096 bytes"
)]
pub struct InvalidPath(pub String);

impl Tree {
    /// A tree of these files.
    ///
    /// # Errors
    ///
    /// When a path is absolute, leads out of the tree, or names `.git`.
    pub fn from_files<P: AsRef<str>, C: Into<Blob>>(
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Result<Self, InvalidPath> {
        files.into_iter().try_fold(Tree::default(), |tree, (path, content)| {
            tree.with(path.as_ref(), Entry::File(Mode::Regular, content.into()))
        })
    }

    /// The same tree with a file written.
    ///
    /// # Errors
    ///
    /// As [`Tree::with`].
    pub fn with_file(&self, path: &str, content: impl Into<Blob>) -> Result<Tree, InvalidPath> {
        self.with(path, Entry::File(Mode::Regular, content.into()))
    }

    /// The same tree with an entry put at a path; a file in the way of a folder gives way, and an empty
    /// folder is none, as in Git.
    ///
    /// # Errors
    ///
    /// When the path is absolute, leads out of the tree, or names `.git`.
    pub fn with(&self, path: &str, entry: Entry) -> Result<Tree, InvalidPath> {
        match path.len() > LONGEST_PATH || !path.split('/').all(is_name) {
            true => Err(InvalidPath(path.into())),
            false if matches!(&entry, Entry::Folder(folder) if folder.is_empty()) => {
                Ok(self.without(path))
            }
            false => Ok(self.put(path, entry)),
        }
    }

    /// The same tree without what stands at a path; folders that become empty go too.
    pub fn without(&self, path: &str) -> Tree {
        let entries = &self.0.entries;
        let (key, rest) = split_first(path);
        if rest.is_empty() {
            return match self.key_of(key) {
                Some(key) => Tree::of(entries.remove(&*key)),
                None => self.clone(),
            };
        }
        match entries.get(key) {
            Some(Entry::Folder(folder)) => match folder.without(rest) {
                folder if folder.is_empty() => Tree::of(entries.remove(key)),
                folder => Tree::of(entries.insert(key.into(), Entry::Folder(folder))),
            },
            _ => self.clone(),
        }
    }

    /// What stands at a path; `""` and `"."` are this tree itself.
    pub fn get(&self, path: &str) -> Option<Entry> {
        let mut names = path.split('/').filter(|name| !matches!(*name, "" | ".")).peekable();
        let mut here = self;
        while let Some(name) = names.next() {
            let entry = here.entry(name)?;
            match entry {
                _ if names.peek().is_none() => return Some(entry.clone()),
                Entry::Folder(folder) => here = folder,
                _ => return None,
            }
        }
        Some(Entry::Folder(here.clone()))
    }

    /// The folder at a path, if there is one.
    pub fn folder(&self, path: &str) -> Option<Tree> {
        match self.get(path)? {
            Entry::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    /// The content of the file at a path, if there is one.
    pub fn file(&self, path: &str) -> Option<Blob> {
        match self.get(path)? {
            Entry::File(_, blob) => Some(blob),
            _ => None,
        }
    }

    /// The content of the file at a path, if there is one and it is UTF-8.
    pub fn text(&self, path: &str) -> Option<&str> {
        let (folder, name) = match path.rsplit_once('/') {
            Some((folder, name)) => (self.folder_ref(folder)?, name),
            None => (self, path),
        };
        match folder.entry(name)? {
            Entry::File(_, blob) => blob.as_text(),
            _ => None,
        }
    }

    /// The entries of this folder, in Git's order: by name, that of a folder taken with a slash.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.keys().map(|(key, entry)| (key.strip_suffix('/').unwrap_or(key), entry))
    }

    /// Every file below, with its path, in byte order of the paths.
    pub fn files(&self) -> Vec<(String, Mode, Blob)> {
        let mut files = Vec::new();
        self.collect_files("", &mut files);
        files
    }

    /// Whether nothing stands in it.
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// Git's id of this tree.
    pub fn id(&self) -> ObjectId {
        *self.0.id.get_or_init(|| ObjectId::of("tree", &self.encode()))
    }

    /// Git's encoding of this tree, without the header.
    pub fn encode(&self) -> Vec<u8> {
        if let Some(foreign) = &self.0.foreign {
            return foreign.to_vec();
        }
        let mut out = Vec::with_capacity(self.0.entries.size() * 40);
        for (name, entry) in self.entries() {
            out.extend_from_slice(entry.mode().as_bytes());
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
            out.push(0);
            out.extend_from_slice(entry.id().as_bytes());
        }
        out
    }

    /// The entries with their keys: names, those of folders with a slash at the end.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.entries.iter().map(|(key, entry)| (key.as_ref(), entry))
    }

    /// Whether both are one and the same in memory, or known to have one id.
    pub(super) fn is_same(&self, other: &Tree) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.id() == other.id()
    }

    /// The tree with this id, made of another by removing keys and putting entries; with its encoding
    /// where Git would write another today.
    pub(super) fn rebuilt(
        like: &Tree,
        removed: &[&str],
        put: Vec<(&str, Entry)>,
        id: ObjectId,
        foreign: Option<&Vec<u8>>,
    ) -> Tree {
        let mut entries = like.0.entries.clone();
        for key in removed {
            entries.remove_mut(*key);
        }
        for (name, entry) in put {
            match entry {
                Entry::Folder(_) => entries.insert_mut(folder_key(name).into(), entry),
                _ => entries.insert_mut(name.into(), entry),
            }
        }
        let foreign = foreign.map(|encoding| encoding.as_slice().into());
        Tree(Arc::new(Node { entries, id: OnceLock::from(id), foreign }))
    }

    fn of(entries: RedBlackTreeMapSync<Arc<str>, Entry>) -> Tree {
        Tree(Arc::new(Node { entries, id: OnceLock::new(), foreign: None }))
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        let entries = &self.0.entries;
        entries.get(name).or_else(|| entries.get(folder_key(name).as_str()))
    }

    fn key_of(&self, name: &str) -> Option<String> {
        [name.trim_end_matches('/').to_owned(), folder_key(name)]
            .into_iter()
            .find(|key| self.0.entries.contains_key(key.as_str()))
    }

    fn folder_ref(&self, path: &str) -> Option<&Tree> {
        path.split('/').filter(|name| !matches!(*name, "" | ".")).try_fold(self, |tree, name| {
            match tree.entry(name)? {
                Entry::Folder(folder) => Some(folder),
                _ => None,
            }
        })
    }

    /// As [`Tree::with`], for a path known to be a good one and no empty folder.
    pub(super) fn put(&self, path: &str, entry: Entry) -> Tree {
        let (key, rest) = split_first(path);
        if rest.is_empty() {
            return self.put_here(key, entry);
        }
        let folder = match self.0.entries.get(key) {
            Some(Entry::Folder(folder)) => folder.put(rest, entry),
            _ => Tree::default().put(rest, entry),
        };
        self.put_here(key.trim_end_matches('/'), Entry::Folder(folder))
    }

    /// A name stands for one thing only: what stood there as the other kind goes.
    fn put_here(&self, name: &str, entry: Entry) -> Tree {
        let (key, other) = match entry {
            Entry::Folder(_) => (folder_key(name), name.to_owned()),
            _ => (name.to_owned(), folder_key(name)),
        };
        let mut entries = self.0.entries.insert(key.into(), entry);
        entries.remove_mut(other.as_str());
        Tree::of(entries)
    }

    fn collect_files(&self, prefix: &str, files: &mut Vec<(String, Mode, Blob)>) {
        for (name, entry) in self.entries() {
            match entry {
                Entry::File(mode, blob) => {
                    files.push((format!("{prefix}{name}"), *mode, blob.clone()))
                }
                Entry::Folder(folder) => folder.collect_files(&format!("{prefix}{name}/"), files),
                Entry::Submodule(_) => {}
            }
        }
    }
}

/// Whether something in a folder can be called so.
pub(super) fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && !name.eq_ignore_ascii_case(".git")
        && !name.contains(['\0', '/'])
}

/// The first name of a path, with the slash that follows it, and the rest.
fn split_first(path: &str) -> (&str, &str) {
    match path.find('/') {
        Some(slash) => path.split_at(slash + 1),
        None => (path, ""),
    }
}

fn folder_key(name: &str) -> String {
    format!("{}/", name.trim_end_matches('/'))
}

impl Entry {
    /// Git's id of what stands here.
    pub fn id(&self) -> ObjectId {
        match self {
            Entry::File(_, blob) => blob.id(),
            Entry::Folder(folder) => folder.id(),
            Entry::Submodule(commit) => *commit,
        }
    }

    /// The mode as trees encode it, in octal.
    pub fn mode(&self) -> &'static str {
        match self {
            Entry::File(Mode::Regular, _) => "100644",
            Entry::File(Mode::Executable, _) => "100755",
            Entry::File(Mode::Symlink, _) => "120000",
            Entry::Folder(_) => "40000",
            Entry::Submodule(_) => "160000",
        }
    }
}

impl Blob {
    /// A blob of this content.
    pub fn new(content: impl Into<Box<[u8]>>) -> Self {
        let content = content.into();
        Blob(Arc::new((ObjectId::of("blob", &content), content)))
    }

    /// A blob of a content whose id is known.
    pub(super) fn with_id(id: ObjectId, content: Vec<u8>) -> Self {
        Blob(Arc::new((id, content.into())))
    }

    /// Git's id of the content.
    pub fn id(&self) -> ObjectId {
        self.0.0
    }

    /// The content.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.1
    }

    /// The content as text, if it is UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }
}

impl From<&str> for Blob {
    fn from(text: &str) -> Self {
        Blob::new(text.as_bytes())
    }
}

impl From<String> for Blob {
    fn from(text: String) -> Self {
        Blob::new(text.into_bytes())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(content: Vec<u8>) -> Self {
        Blob::new(content)
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Blob {}

impl Hash for Blob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other)
    }
}

impl Eq for Tree {}

impl Hash for Tree {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({}, {} bytes)", self.id().short(), self.as_bytes().len())
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({}, {} entries)", self.id().short(), self.0.entries.size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_sort_as_if_their_names_ended_in_a_slash() {
        let tree = Tree::from_files([("z/x", "1\n"), ("z.txt", "2\n"), ("z0", "3\n")]).unwrap();
        let names: Vec<&str> = tree.entries().map(|(name, _)| name).collect();
        assert_eq!(names, ["z.txt", "z", "z0"]);
        let paths: Vec<String> = tree.files().into_iter().map(|(path, ..)| path).collect();
        assert_eq!(paths, ["z.txt", "z/x", "z0"]);
    }

    #[test]
    fn a_name_stands_for_one_thing() {
        let tree = Tree::from_files([("a/b", "1"), ("a", "2")]).unwrap();
        assert_eq!((tree.text("a"), tree.text("a/b")), (Some("2"), None));
        let tree = tree.with_file("a/c", "3").unwrap();
        assert_eq!((tree.text("a"), tree.text("a/c")), (None, Some("3")));
    }

    #[test]
    fn removing_the_last_file_removes_the_folder() {
        let tree = Tree::from_files([("a/b/c", "1"), ("d", "2")]).unwrap();
        assert!(tree.without("a/b/c").get("a").is_none());
        assert_eq!(tree.without("a").without("d"), Tree::default());
        assert_eq!(tree.without("a/x").without("nothing/here"), tree);
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in ["", "/a", "a//b", "a/", "../a", "a/./b", ".git/config", "a/.GIT/x", "a\0b"] {
            assert!(Tree::default().with_file(path, "").is_err(), "{path:?}");
        }
    }
}
