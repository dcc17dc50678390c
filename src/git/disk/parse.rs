//! Raw objects, as `git cat-file --batch` gives them, taken apart.

use crate::git::{ObjectId, ObjectKind, Signature};

/// A commit before its tree is known by more than its id.
pub(super) struct RawCommit {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    pub(super) author: Signature,
    pub(super) committer: Signature,
    pub(super) headers: Vec<(String, String)>,
    pub(super) message: String,
}

/// An annotated tag.
pub(super) struct RawTag {
    pub(super) target: ObjectId,
    pub(super) kind: ObjectKind,
    pub(super) name: String,
    pub(super) tagger: Option<Signature>,
    pub(super) message: String,
}

/// One entry of a tree: mode, name, id.
pub(super) type RawEntry = (String, String, ObjectId);

/// Takes a commit apart.
pub(super) fn commit(content: &[u8]) -> Result<RawCommit, String> {
    let (headers, message) = headers_and_message(content)?;
    let mut headers = headers.into_iter().peekable();
    let tree = id_of(headers.next(), "tree")?;
    let mut parents = Vec::new();
    while headers.peek().is_some_and(|(name, _)| name == "parent") {
        parents.push(id_of(headers.next(), "parent")?);
    }
    let author = signature_of(headers.next(), "author")?;
    let committer = signature_of(headers.next(), "committer")?;
    Ok(RawCommit { tree, parents, author, committer, headers: headers.collect(), message })
}

/// Takes an annotated tag apart.
pub(super) fn tag(content: &[u8]) -> Result<RawTag, String> {
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
    let tagger = headers.next().map(|header| signature_of(Some(header), "tagger")).transpose()?;
    Ok(RawTag { target, kind, name, tagger, message })
}

/// Takes a tree apart.
pub(super) fn tree(mut content: &[u8]) -> Result<Vec<RawEntry>, String> {
    let mut entries = Vec::new();
    while !content.is_empty() {
        let space = position(content, b' ').ok_or("a tree entry has no mode")?;
        let nul =
            position(content, 0).filter(|nul| *nul > space).ok_or("a tree entry has no name")?;
        let id = content.get(nul + 1..nul + 21).ok_or("a tree entry is cut off")?;
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .map_err(|_| "a file's name is not UTF-8, which is not supported".to_owned())
        };
        let id: [u8; 20] = id.try_into().map_err(|_| "a tree entry is cut off")?;
        let (mode, name) = (text(&content[..space])?, text(&content[space + 1..nul])?);
        entries.push((mode, name, ObjectId::from_bytes(id)));
        content = &content[nul + 21..];
    }
    Ok(entries)
}

fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

type Headers = Vec<(String, String)>;

/// Header lines up to the first empty one; a line that begins with a space goes on from the one before.
fn headers_and_message(content: &[u8]) -> Result<(Headers, String), String> {
    let text = std::str::from_utf8(content)
        .map_err(|_| "its text is not UTF-8, which is not supported".to_owned())?;
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
                let (name, value) = line.split_once(' ').ok_or("a header has no value")?;
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

fn signature_of(header: Option<(String, String)>, name: &str) -> Result<Signature, String> {
    named(header, name)?.parse().map_err(|error| format!("{error}"))
}
