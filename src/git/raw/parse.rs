//! Raw objects, taken apart.
//!
//! Old and foreign tools wrote objects that Git reads and would not write: unusual file modes, texts
//! in other character sets. They are read as well as they can be; their bytes are kept elsewhere.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::Fault;
use crate::git::tree::is_name;
use crate::git::{Mode, ObjectId, ObjectKind, Signature, Tag};
use crate::time::Timestamp;

/// A commit before its tree is known by more than its id.
pub(super) struct RawCommit {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    pub(super) author: Signature,
    pub(super) committer: Signature,
    pub(super) headers: Vec<(String, String)>,
    pub(super) message: String,
}

/// One entry of a tree, as its bytes say.
#[derive(Clone, Copy)]
pub(super) struct RawEntry<'t> {
    /// The mode, in octal digits.
    pub(super) mode: &'t [u8],
    pub(super) name: &'t [u8],
    pub(super) id: ObjectId,
}

/// What an entry is, by its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File(Mode),
    Folder,
    Submodule,
}

impl RawEntry<'_> {
    /// What the entry is. Git looks at few bits of the mode.
    pub(super) fn kind(&self) -> Result<Kind, Fault> {
        let digits = std::str::from_utf8(self.mode).unwrap_or_default();
        let mode = u32::from_str_radix(digits, 8).map_err(|_| "a tree entry has no mode")?;
        match mode & 0o170_000 {
            0o100_000 if mode & 0o100 == 0 => Ok(Kind::File(Mode::Regular)),
            0o100_000 => Ok(Kind::File(Mode::Executable)),
            0o120_000 => Ok(Kind::File(Mode::Symlink)),
            0o040_000 => Ok(Kind::Folder),
            0o160_000 => Ok(Kind::Submodule),
            _ => Err(format!("file mode {mode:o} is none that Git knows").into()),
        }
    }

    /// The name, if something in a folder can be called so.
    pub(super) fn name(&self) -> Result<&str, Fault> {
        match std::str::from_utf8(self.name) {
            Ok(name) if is_name(name) => Ok(name),
            Ok(name) => Err(Fault::hostile(format!(
                "a file is called {name:?}, which leads out of its folder"
            ))),
            Err(_) => {
                let name = String::from_utf8_lossy(self.name);
                Err(Fault::unsupported(format!("the name {name:?} of a file is not UTF-8")))
            }
        }
    }

    /// Where it stands among others: by name, that of a folder taken with a slash.
    pub(super) fn order(&self, other: &RawEntry<'_>) -> Ordering {
        let common = self.name.len().min(other.name.len());
        let by_name = self.name[..common].cmp(&other.name[..common]);
        by_name.then_with(|| self.key().cmp(other.key()))
    }

    /// The name, with a slash behind that of a folder.
    pub(super) fn key(&self) -> impl Iterator<Item = u8> {
        let slash = self.is_folder().then_some(b'/');
        self.name.iter().copied().chain(slash)
    }

    /// Whether it has this key.
    pub(super) fn has_key(&self, key: &str) -> bool {
        match key.strip_suffix('/') {
            Some(name) => self.is_folder() && self.name == name.as_bytes(),
            None => !self.is_folder() && self.name == key.as_bytes(),
        }
    }

    /// Whether the mode is written as Git writes it today.
    pub(super) fn is_canonical(&self) -> bool {
        matches!(self.mode, b"100644" | b"100755" | b"120000" | b"40000" | b"160000")
    }

    fn is_folder(&self) -> bool {
        matches!(self.mode, b"40000" | b"040000") || self.kind().is_ok_and(|k| k == Kind::Folder)
    }
}

/// Takes a commit apart.
pub(super) fn commit(content: &[u8]) -> Result<RawCommit, Fault> {
    let text = String::from_utf8_lossy(content);
    let (headers, message) = headers_and_message(&text);
    let mut headers = headers.into_iter().peekable();
    let tree = id_of(headers.next(), "tree")?;
    let mut parents = Vec::new();
    while headers.peek().is_some_and(|(name, _)| *name == "parent") {
        parents.push(id_of(headers.next(), "parent")?);
    }
    let author = signature(&named(headers.next(), "author")?);
    let committer = signature(&named(headers.next(), "committer")?);
    let headers = headers.map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
    Ok(RawCommit { tree, parents, author, committer, headers, message: message.into() })
}

/// Takes an annotated tag apart.
pub(super) fn tag(content: &[u8]) -> Result<Tag, Fault> {
    let text = String::from_utf8_lossy(content);
    let (headers, message) = headers_and_message(&text);
    let mut headers = headers.into_iter();
    let target = id_of(headers.next(), "object")?;
    let kind = named(headers.next(), "type")?;
    let kind =
        ObjectKind::named(&kind).ok_or_else(|| format!("it names an object of type {kind:?}"))?;
    let name = named(headers.next(), "tag")?.into_owned();
    let tagger = headers.find(|(name, _)| *name == "tagger").map(|(_, text)| signature(&text));
    Ok(Tag { target, kind, name, tagger, message: message.into() })
}

/// Takes a tree apart.
pub(super) fn tree(mut content: &[u8]) -> Result<Vec<RawEntry<'_>>, Fault> {
    const SHORT_ENTRY: usize = 32;
    let mut entries = Vec::with_capacity(content.len() / SHORT_ENTRY);
    while !content.is_empty() {
        let nul = position(content, 0).ok_or("a tree entry has no name")?;
        let (head, rest) = content.split_at(nul);
        let space = position(head, b' ').ok_or("a tree entry has no mode")?;
        let id = rest[1..].first_chunk().ok_or("a tree entry is cut off")?;
        let (mode, name) = (&head[..space], &head[space + 1..]);
        entries.push(RawEntry { mode, name, id: ObjectId::from_bytes(*id) });
        content = &rest[21..];
    }
    Ok(entries)
}

fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

/// A name and a value.
type Header<'t> = (&'t str, Cow<'t, str>);

/// Header lines up to the first empty one; a line that begins with a space goes on from the one before.
fn headers_and_message(text: &str) -> (Vec<Header<'_>>, &str) {
    let (head, message) = match text.split_once("\n\n") {
        Some((head, message)) => (head, message),
        None => (text.trim_end_matches('\n'), ""),
    };
    let mut headers: Vec<Header<'_>> = Vec::new();
    for line in head.split('\n') {
        match (line.strip_prefix(' '), headers.last_mut()) {
            (Some(rest), Some((_, value))) => {
                let value = value.to_mut();
                value.push('\n');
                value.push_str(rest);
            }
            _ => {
                let (name, value) = line.split_once(' ').unwrap_or((line, ""));
                headers.push((name, value.into()));
            }
        }
    }
    (headers, message)
}

fn named<'t>(header: Option<Header<'t>>, name: &str) -> Result<Cow<'t, str>, Fault> {
    match header {
        Some((found, value)) if found == name => Ok(value),
        _ => Err(format!("the header {name:?} is missing").into()),
    }
}

fn id_of(header: Option<Header<'_>>, name: &str) -> Result<ObjectId, Fault> {
    named(header, name)?.parse().map_err(|error| format!("{error}").into())
}

/// A signature; of one that is malformed, what can be told.
fn signature(text: &str) -> Signature {
    text.parse().unwrap_or_else(|_| {
        let (name, rest) = text.split_once('<').unwrap_or((text, ""));
        let email = rest.split_once('>').map_or(rest, |(email, _)| email);
        Signature::new(name, email, Timestamp::default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(content: &[u8]) -> Vec<String> {
        let mut entries = tree(content).unwrap();
        entries.sort_by(|a, b| a.order(b));
        entries.iter().map(|entry| String::from_utf8_lossy(entry.name).into_owned()).collect()
    }

    fn entry(mode: &str, name: &str) -> Vec<u8> {
        [mode.as_bytes(), b" ", name.as_bytes(), &[0; 21]].concat()
    }

    #[test]
    fn folders_stand_as_if_their_names_ended_in_a_slash() {
        let content = [("40000", "z"), ("100644", "z.txt"), ("100644", "z0"), ("160000", "y")];
        let content = content.map(|(mode, name)| entry(mode, name)).concat();
        assert_eq!(names(&content), ["y", "z.txt", "z", "z0"]);
    }

    #[test]
    fn modes_are_read_as_git_reads_them() {
        let check = |mode: &str, expected: Result<Kind, ()>| {
            let content = entry(mode, "a");
            assert_eq!(tree(&content).unwrap()[0].kind().map_err(drop), expected, "{mode}");
        };
        check("100644", Ok(Kind::File(Mode::Regular)));
        check("100664", Ok(Kind::File(Mode::Regular)));
        check("100755", Ok(Kind::File(Mode::Executable)));
        check("040000", Ok(Kind::Folder));
        check("170000", Err(()));
        check("9", Err(()));
        check("", Err(()));
    }

    /// Objects with some bytes changed, cut out or doubled are read or refused.
    #[test]
    fn no_object_is_too_odd() {
        let id = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let who = "Ada <a@b.c> 1767225600 +0000";
        let samples = [
            [entry("100644", "a"), entry("40000", "dir")].concat(),
            format!("tree {id}\nparent {id}\nauthor {who}\ncommitter {who}\ngpgsig -\n x\n\nm\n")
                .into_bytes(),
            format!("object {id}\ntype commit\ntag v1\ntagger {who}\n\nm\n").into_bytes(),
        ];
        let mut number = 1u32;
        let mut next = |below: usize| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (number >> 8) as usize % below
        };
        for sample in samples.iter().cycle().take(3000) {
            let mut content = sample.clone();
            for _ in 0..1 + next(4) {
                let at = next(content.len());
                let end = at + next(content.len() - at);
                match next(3) {
                    0 => content[at] = next(256) as u8,
                    1 if end - at < content.len() - 1 => drop(content.drain(at..end)),
                    _ => content.extend_from_within(at..end),
                }
            }
            for raw in tree(&content).unwrap_or_default() {
                let _ = (raw.kind(), raw.name(), raw.key().count());
            }
            let _ = (commit(&content).map(drop), tag(&content).map(drop));
        }
    }
}
