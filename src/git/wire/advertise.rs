//! What a server tells first: its references, or what it can do.

use super::pkt::Answer;
use crate::git::{Head, Object, ObjectId, Repository};

/// A version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// What all speak; references are told first.
    #[default]
    V0,
    /// The same, and saying so.
    V1,
    /// Commands (gitprotocol-v2(5)).
    V2,
}

/// Who answers, as servers tell each other.
const AGENT: &str = concat!("agent=driftlab/", env!("CARGO_PKG_VERSION"));

/// What the client may ask for in versions 0 and 1.
const FETCH: &str = "multi_ack_detailed side-band-64k thin-pack ofs-delta shallow deepen-since deepen-not deepen-relative no-progress include-tag allow-tip-sha1-in-want allow-reachable-sha1-in-want";

const PUSH: &str = "report-status delete-refs side-band-64k quiet atomic ofs-delta";

const NULL: ObjectId = ObjectId::from_bytes([0; 20]);

impl Version {
    /// The version that a `Git-Protocol` header asks for, the highest one if it names several.
    ///
    /// ```
    /// use driftlab::git::wire::Version;
    /// assert_eq!(Version::asked_for("version=2"), Version::V2);
    /// assert_eq!(Version::asked_for("something:version=1"), Version::V1);
    /// assert_eq!(Version::asked_for(""), Version::V0);
    /// ```
    pub fn asked_for(header: &str) -> Self {
        let version = |key: &str| match key {
            "version=1" => Version::V1,
            "version=2" => Version::V2,
            _ => Version::V0,
        };
        header.split(':').map(version).max().unwrap_or_default()
    }
}

/// The first answer to who fetches: of `info/refs?service=git-upload-pack`.
pub fn advertise_fetch(repository: &Repository, version: Version) -> Vec<u8> {
    let mut answer = Answer::default();
    if version == Version::V2 {
        answer.line("version 2").line(AGENT).line("ls-refs=unborn").line("fetch=shallow");
        answer.line("object-format=sha1").flush();
        return answer.into_bytes();
    }
    answer.line("# service=git-upload-pack").flush();
    if version == Version::V1 {
        answer.line("version 1");
    }
    let symref = match repository.head() {
        Head::Branch(name) => format!(" symref=HEAD:refs/heads/{name}"),
        Head::Detached(_) => String::new(),
    };
    let mut lines = Vec::new();
    lines.extend(repository.head_id().map(|id| format!("{id} HEAD")));
    for (name, id) in repository.references() {
        lines.push(format!("{id} {name}"));
        lines.extend(peeled(repository, id).map(|id| format!("{id} {name}^{{}}")));
    }
    write(&mut answer, lines, &format!("{FETCH}{symref} object-format=sha1 {AGENT}"));
    let cut = super::shallow::own(repository);
    answer.lines(cut.iter().map(|id| format!("shallow {id}")));
    answer.flush();
    answer.into_bytes()
}

/// The first answer to who pushes: of `info/refs?service=git-receive-pack`.
pub fn advertise_push(repository: &Repository) -> Vec<u8> {
    let mut answer = Answer::default();
    answer.line("# service=git-receive-pack").flush();
    let shown = repository.references().filter(|(name, _)| !name.starts_with("refs/pull/"));
    let lines = shown.map(|(name, id)| format!("{id} {name}")).collect();
    write(&mut answer, lines, &format!("{PUSH} object-format=sha1 {AGENT}"));
    answer.flush();
    answer.into_bytes()
}

/// References, the first with what the server can do; where there is none, that alone.
fn write(answer: &mut Answer, mut lines: Vec<String>, capabilities: &str) {
    if lines.is_empty() {
        lines.push(format!("{NULL} capabilities^{{}}"));
    }
    lines[0] += &format!("\0{capabilities}");
    answer.lines(lines);
}

/// What an annotated tag is at last a name for.
pub(super) fn peeled(repository: &Repository, id: ObjectId) -> Option<ObjectId> {
    let mut tag = repository.find_tag(id).ok()?;
    while let Some(Object::Tag(inner)) = repository.objects.get(tag.target) {
        tag = inner;
    }
    Some(tag.target)
}
