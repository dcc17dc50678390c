//! Commits and annotated tags: plain values, encoded as Git encodes them (gitdatamodel(7); signatures
//! as gitformat-signature(5) has it).

use std::fmt;

use super::signing::{self, SigningKey};
use super::{ObjectId, Signature, Tree};

/// A commit: a tree, where it came from, who made it and why.
///
/// ```
/// use driftlab::git::{Commit, Signature, Tree};
/// use driftlab::time::Timestamp;
/// let ada = Signature::new("Ada", "ada@example.com", Timestamp::from_secs(1_767_225_600));
/// let commit = Commit::new(Tree::default(), [], ada.clone(), ada, "Start\n");
/// assert_eq!(commit.id().to_string(), "570e480d2d1f518f19b36200b94b194d4c5b3ef9");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Commit {
    /// The files.
    pub tree: Tree,
    /// What it follows: none for the first, two or more for a merge.
    pub parents: Vec<ObjectId>,
    /// Who wrote the change, and when.
    pub author: Signature,
    /// Who made the commit, and when.
    pub committer: Signature,
    /// Further headers in their order, such as `gpgsig`, `encoding` or `mergetag`; a value of several
    /// lines is one text.
    pub headers: Vec<(String, String)>,
    /// The message, to the byte.
    pub message: String,
}

/// An annotated tag: a name for an object, with who gave it and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// What is named.
    pub target: ObjectId,
    /// Which kind of object that is.
    pub kind: ObjectKind,
    /// The name, such as `v1.0.0`.
    pub name: String,
    /// Who tagged, and when; very old tags do not say.
    pub tagger: Option<Signature>,
    /// The message, to the byte, a signature at its end included.
    pub message: String,
}

/// The four kinds of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// The content of a file.
    Blob,
    /// A folder.
    Tree,
    /// A commit.
    Commit,
    /// An annotated tag.
    Tag,
}

impl Commit {
    /// A commit without further headers.
    pub fn new(
        tree: Tree,
        parents: impl Into<Vec<ObjectId>>,
        author: Signature,
        committer: Signature,
        message: impl Into<String>,
    ) -> Self {
        let (parents, message) = (parents.into(), message.into());
        Commit { tree, parents, author, committer, headers: Vec::new(), message }
    }

    /// Git's id of this commit.
    pub fn id(&self) -> ObjectId {
        ObjectId::of("commit", &self.encode())
    }

    /// The first paragraph of the message on one line, as `git log --format=%s` prints it.
    pub fn subject(&self) -> String {
        subject_of(&self.message)
    }

    /// The message after the first paragraph.
    pub fn body(&self) -> &str {
        let text = self.message.trim_start_matches('\n');
        text.split_once("\n\n").map_or("", |(_, body)| body)
    }

    /// The value of a further header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The signature, armored, as it was made; nothing is said of its worth.
    pub fn signature(&self) -> Option<&str> {
        self.header("gpgsig")
    }

    /// Whether a signature is there; nothing is said of its worth.
    pub fn is_signed(&self) -> bool {
        self.signature().is_some()
    }

    /// What a signature of it signs: its encoding without the signature.
    pub fn payload(&self) -> Vec<u8> {
        let is_signature = |(name, _): &&(String, String)| name.starts_with("gpgsig");
        if !self.headers.iter().any(|header| is_signature(&header)) {
            return self.encode();
        }
        let headers = self.headers.iter().filter(|header| !is_signature(header)).cloned().collect();
        Commit { headers, ..self.clone() }.encode()
    }

    /// The same signed by a key, in place of the signature it had.
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        let signature = key.sign(&self.payload());
        self.headers.retain(|(name, _)| !name.starts_with("gpgsig"));
        self.headers.push(("gpgsig".into(), signature.trim_end().into()));
        self
    }

    /// Git's encoding, without the header of type and length.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = String::new();
        self.write(&mut out).expect("a String takes any text");
        out.into_bytes()
    }

    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        writeln!(out, "tree {}", self.tree.id())?;
        self.parents.iter().try_for_each(|parent| writeln!(out, "parent {parent}"))?;
        writeln!(out, "author {}\ncommitter {}", self.author, self.committer)?;
        for (name, value) in &self.headers {
            writeln!(out, "{name} {}", value.replace('\n', "\n "))?;
        }
        write!(out, "\n{}", self.message)
    }
}

impl Tag {
    /// Git's id of this tag.
    pub fn id(&self) -> ObjectId {
        ObjectId::of("tag", &self.encode())
    }

    /// The signature at the end of the message, armored; nothing is said of its worth.
    pub fn signature(&self) -> Option<&str> {
        signing::start_in(&self.message).map(|start| &self.message[start..])
    }

    /// Whether a signature is there; nothing is said of its worth.
    pub fn is_signed(&self) -> bool {
        self.signature().is_some()
    }

    /// What a signature of it signs: its encoding without the signature.
    pub fn payload(&self) -> Vec<u8> {
        let mut text = self.encode();
        text.truncate(text.len() - self.signature().map_or(0, str::len));
        text
    }

    /// The same signed by a key, in place of the signature it had.
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        let signature = key.sign(&self.payload());
        self.message.truncate(signing::start_in(&self.message).unwrap_or(self.message.len()));
        self.message += &signature;
        self
    }

    /// Git's encoding, without the header of type and length.
    pub fn encode(&self) -> Vec<u8> {
        let mut out =
            format!("object {}\ntype {}\ntag {}\n", self.target, self.kind.name(), self.name);
        if let Some(tagger) = &self.tagger {
            out += &format!("tagger {tagger}\n");
        }
        out += "\n";
        out += &self.message;
        out.into_bytes()
    }
}

impl ObjectKind {
    /// The kind as Git writes it.
    pub fn name(self) -> &'static str {
        match self {
            ObjectKind::Blob => "blob",
            ObjectKind::Tree => "tree",
            ObjectKind::Commit => "commit",
            ObjectKind::Tag => "tag",
        }
    }

    /// The kind that Git writes so.
    pub(super) fn named(name: &str) -> Option<Self> {
        let kinds = [ObjectKind::Blob, ObjectKind::Tree, ObjectKind::Commit, ObjectKind::Tag];
        kinds.into_iter().find(|kind| kind.name() == name)
    }
}

/// A message as `git commit -m` keeps it: no blank lines at its ends, never two in a row, no spaces
/// at line ends, one newline at the end (`git stripspace`).
///
/// ```
/// use driftlab::git::clean_message;
/// assert_eq!(clean_message("\n\n  Fix  \n\n\n\nIt was wrong."), "  Fix\n\nIt was wrong.\n");
/// assert_eq!(clean_message(" \n"), "");
/// ```
pub fn clean_message(message: &str) -> String {
    let mut out = String::new();
    let mut blank = false;
    for line in message.split('\n').map(|line| line.trim_end_matches(is_space)) {
        if line.is_empty() {
            blank = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut blank) {
            out.push('\n');
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// What C's `isspace` calls a space.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn subject_of(message: &str) -> String {
    let lines = message.trim_start_matches('\n').lines();
    lines
        .map(|line| line.trim_end_matches(is_space))
        .take_while(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn commit(message: &str) -> Commit {
        let ada = Signature::new("Ada", "ada@example.com", Timestamp::from_secs(1_767_225_600));
        Commit::new(Tree::default(), [], ada.clone(), ada, message)
    }

    #[test]
    fn the_subject_is_the_first_paragraph() {
        let check = |message: &str, subject: &str, body: &str| {
            let commit = commit(message);
            assert_eq!((commit.subject().as_str(), commit.body()), (subject, body), "{message:?}");
        };
        check("one\n", "one", "");
        check("one\ntwo\n", "one two", "");
        check("one\n\ntwo\n\nthree\n", "one", "two\n\nthree\n");
        check("", "", "");
    }

    #[test]
    fn headers_of_several_lines_are_indented() {
        let mut signed = commit("x\n");
        signed.headers.push(("gpgsig".into(), "-----BEGIN-----\n\nabc".into()));
        let text = String::from_utf8(signed.encode()).unwrap();
        assert!(text.contains("+0000\ngpgsig -----BEGIN-----\n \n abc\n\nx\n"), "{text}");
        assert!(signed.is_signed());
    }

    #[test]
    fn a_signature_signs_all_but_itself() {
        let (ada, bob) = (SigningKey::of("ada@example.com"), SigningKey::of("bob@example.com"));
        let plain = commit("x\n");
        let signed = plain.clone().signed_by(&bob).signed_by(&ada);
        assert_eq!((signed.payload(), signed.headers.len()), (plain.encode(), 1));
        assert!(ada.has_signed(&plain.encode(), signed.signature().unwrap()));
        let (target, kind) = (plain.id(), ObjectKind::Commit);
        let tag = Tag { target, kind, name: "v1".into(), tagger: None, message: "One\n".into() };
        let signed = tag.clone().signed_by(&bob).signed_by(&ada);
        assert_eq!(signed.payload(), tag.encode());
        assert!(ada.has_signed(&tag.encode(), signed.signature().unwrap()));
        assert!(!tag.is_signed() && !plain.is_signed());
    }
}
