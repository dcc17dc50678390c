//! Raw objects, as `git cat-file --batch` gives them, taken apart.
//!
//! Old and foreign tools wrote objects that Git reads and would not write: unusual file modes, texts
//! in other character sets. They are read as well as they can be; their bytes are kept elsewhere.

use crate::git::tree::is_name;
use crate::git::{Entry, Mode, ObjectId, ObjectKind, Signature, Tag};
use crate::time::Timestamp;

/// A commit before its tree is known by more than its id.
pub(super) struct RawCommit {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    pub(super) author: Signature,
    pub(super) committer: Signature,
    pub(super) headers: Headers,
    pub(super) message: String,
}

/// One entry of a tree.
pub(super) struct RawEntry {
    /// The name, that of a folder with a slash at its end.
    pub(super) key: String,
    pub(super) kind: Kind,
    pub(super) id: ObjectId,
}

/// What an entry is, by its mode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    Executable,
    Symlink,
    Folder,
    Submodule,
}

impl Kind {
    fn of(mode: u32) -> Result<Self, String> {
        match mode & 0o170_000 {
            0o100_000 if mode & 0o100 == 0 => Ok(Kind::Regular),
            0o100_000 => Ok(Kind::Executable),
            0o120_000 => Ok(Kind::Symlink),
            0o040_000 => Ok(Kind::Folder),
            0o160_000 => Ok(Kind::Submodule),
            _ => Err(format!("file mode {mode:o} is none that Git knows")),
        }
    }

    /// The mode of a file; none for what is no file.
    pub(super) fn file_mode(self) -> Option<Mode> {
        match self {
            Kind::Regular => Some(Mode::Regular),
            Kind::Executable => Some(Mode::Executable),
            Kind::Symlink => Some(Mode::Symlink),
            Kind::Folder | Kind::Submodule => None,
        }
    }

    /// Whether an entry is of this kind.
    pub(super) fn is_of(self, entry: &Entry) -> bool {
        match entry {
            Entry::File(mode, _) => self.file_mode() == Some(*mode),
            Entry::Folder(_) => self == Kind::Folder,
            Entry::Submodule(_) => self == Kind::Submodule,
        }
    }
}

/// Takes a commit apart.
pub(super) fn commit(content: &[u8]) -> Result<RawCommit, String> {
    let (headers, message) = headers_and_message(content)?;
    let mut headers = headers.into_iter().peekable();
    let tree = id_of(headers.next(), "tree")?;
    let mut parents = Vec::new();
    while headers.peek().is_some_and(|(name, _)| name == "parent") {
        parents.push(id_of(headers.next(), "parent")?);
    }
    let author = signature(&named(headers.next(), "author")?);
    let committer = signature(&named(headers.next(), "committer")?);
    Ok(RawCommit { tree, parents, author, committer, headers: headers.collect(), message })
}

/// Takes an annotated tag apart.
pub(super) fn tag(content: &[u8]) -> Result<Tag, String> {
    let (headers, message) = headers_and_message(content)?;
    let mut headers = headers.into_iter();
    let target = id_of(headers.next(), "object")?;
    let kind = match named(headers.next(), "type")?.as_str() {
        "blob" => ObjectKind::Blob,
        "tree" => ObjectKind::Tree,
        "commit" => ObjectKind::Commit,
        "tag" => ObjectKind::Tag,
        other => return Err(format!("it names an object of type {other:?}")),
    };
    let name = named(headers.next(), "tag")?;
    let tagger = headers.find(|(name, _)| name == "tagger").map(|(_, text)| signature(&text));
    Ok(Tag { target, kind, name, tagger, message })
}

/// Takes a tree apart.
pub(super) fn tree(mut content: &[u8]) -> Result<Vec<RawEntry>, String> {
    let mut entries = Vec::new();
    while !content.is_empty() {
        let space = position(content, b' ').ok_or("a tree entry has no mode")?;
        let nul =
            position(content, 0).filter(|nul| *nul > space).ok_or("a tree entry has no name")?;
        let id = content.get(nul + 1..nul + 21).ok_or("a tree entry is cut off")?;
        let id: [u8; 20] = id.try_into().map_err(|_| "a tree entry is cut off")?;
        let name = std::str::from_utf8(&content[space + 1..nul]);
        let name = name.map_err(|_| "a file's name is not UTF-8, which is not supported")?;
        if !is_name(name) {
            return Err(format!("a file is called {name:?}, which leads out of its folder"));
        }
        let kind = Kind::of(octal(&content[..space]).ok_or("a tree entry has no mode")?)?;
        let slash = if kind == Kind::Folder { "/" } else { "" };
        entries.push(RawEntry {
            key: format!("{name}{slash}"),
            kind,
            id: ObjectId::from_bytes(id),
        });
        content = &content[nul + 21..];
    }
    Ok(entries)
}

fn octal(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

/// Names and values.
pub(super) type Headers = Vec<(String, String)>;

/// Header lines up to the first empty one; a line that begins with a space goes on from the one before.
fn headers_and_message(content: &[u8]) -> Result<(Headers, String), String> {
    let text = String::from_utf8_lossy(content);
    let (head, message) = match text.split_once("\n\n") {
        Some((head, message)) => (head, message),
        None => (text.trim_end_matches('\n'), ""),
    };
    let mut headers: Headers = Vec::new();
    for line in head.split('\n') {
        match (line.strip_prefix(' '), headers.last_mut()) {
            (Some(rest), Some((_, value))) => {
                value.push('\n');
                value.push_str(rest);
            }
            _ => {
                let (name, value) = line.split_once(' ').unwrap_or((line, ""));
                headers.push((name.into(), value.into()));
            }
        }
    }
    Ok((headers, message.into()))
}

fn named(header: Option<(String, String)>, name: &str) -> Result<String, String> {
    match header {
        Some((found, value)) if found == name => Ok(value),
        _ => Err(format!("the header {name:?} is missing")),
    }
}

fn id_of(header: Option<(String, String)>, name: &str) -> Result<ObjectId, String> {
    named(header, name)?.parse().map_err(|error| format!("{error}"))
}

/// A signature; of one that is malformed, what can be told.
fn signature(text: &str) -> Signature {
    text.parse().unwrap_or_else(|_| {
        let (name, rest) = text.split_once('<').unwrap_or((text, ""));
        let email = rest.split_once('>').map_or(rest, |(email, _)| email);
        Signature::new(name, email, Timestamp::default())
    })
}
