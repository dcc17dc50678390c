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

#[derive(Default)]
struct Node {
    entries: RedBlackTreeMapSync<Arc<str>, Entry>,
    id: OnceLock<ObjectId>,
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

/// A path that no tree can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a path within a tree: names may not be empty, '.', '..' or '.git'")]
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

    /// The same tree with an entry put at a path; a file in the way of a folder gives way.
    ///
    /// # Errors
    ///
    /// When the path is absolute, leads out of the tree, or names `.git`.
    pub fn with(&self, path: &str, entry: Entry) -> Result<Tree, InvalidPath> {
        if path
            .split('/')
            .any(|name| matches!(name, "" | "." | "..") || name.eq_ignore_ascii_case(".git"))
        {
            return Err(InvalidPath(path.into()));
        }
        Ok(self.put(path, entry))
    }

    /// The same tree without what stands at a path; folders that become empty go too.
    pub fn without(&self, path: &str) -> Tree {
        let entries = match path.split_once('/') {
            None => self.0.entries.remove(path),
            Some((first, rest)) => match self.0.entries.get(first) {
                Some(Entry::Folder(folder)) => {
                    let folder = folder.without(rest);
                    if folder.is_empty() {
                        self.0.entries.remove(first)
                    } else {
                        self.0.entries.insert(first.into(), Entry::Folder(folder))
                    }
                }
                _ => return self.clone(),
            },
        };
        Tree::of(entries)
    }

    /// What stands at a path; `""` and `"."` are this tree itself.
    pub fn get(&self, path: &str) -> Option<Entry> {
        let mut here = Entry::Folder(self.clone());
        for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
            here = match here {
                Entry::Folder(folder) => folder.0.entries.get(name)?.clone(),
                _ => return None,
            };
        }
        Some(here)
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
        match folder.0.entries.get(name)? {
            Entry::File(_, blob) => blob.as_text(),
            _ => None,
        }
    }

    /// The entries of this folder, by name in byte order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.entries.iter().map(|(name, entry)| (name.as_ref(), entry))
    }

    /// Every file below, with its path, folder by folder in byte order.
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
        let mut entries: Vec<(&str, &Entry)> = self.entries().collect();
        entries.sort_by(|a, b| sort_key(a).cmp(sort_key(b)));
        let mut out = Vec::with_capacity(entries.len() * 40);
        for (name, entry) in entries {
            out.extend_from_slice(entry.mode().as_bytes());
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
            out.push(0);
            out.extend_from_slice(entry.id().as_bytes());
        }
        out
    }

    fn of(entries: RedBlackTreeMapSync<Arc<str>, Entry>) -> Tree {
        Tree(Arc::new(Node { entries, id: OnceLock::new() }))
    }

    fn folder_ref(&self, path: &str) -> Option<&Tree> {
        path.split('/').filter(|name| !matches!(*name, "" | ".")).try_fold(self, |tree, name| {
            match tree.0.entries.get(name)? {
                Entry::Folder(folder) => Some(folder),
                _ => None,
            }
        })
    }

    fn put(&self, path: &str, entry: Entry) -> Tree {
        let (name, entry) = match path.split_once('/') {
            None => (path, entry),
            Some((first, rest)) => {
                let folder = self.folder_ref(first).cloned().unwrap_or_default();
                (first, Entry::Folder(folder.put(rest, entry)))
            }
        };
        Tree::of(self.0.entries.insert(name.into(), entry))
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

/// Git sorts a folder as if its name ended in a slash.
fn sort_key<'a>((name, entry): &(&'a str, &Entry)) -> impl Iterator<Item = u8> + use<'a> {
    let slash = matches!(entry, Entry::Folder(_)).then_some(b'/');
    name.bytes().chain(slash)
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
        Arc::ptr_eq(&self.0, &other.0) || self.id() == other.id()
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
