//! Bundles: references and a pack in one file, for where no connection leads (gitformat-bundle(5),
//! git-bundle(1)).
//!
//! ```
//! use driftlab::git::{Repository, Signature, Tree, bundle};
//! use driftlab::time::Timestamp;
//!
//! let ada = Signature::new("Ada", "ada@example.com", Timestamp::from_secs(1_767_225_600));
//! let mut repository = Repository::new();
//! let tree = Tree::from_files([("hello.yaml", "replicas: 3\n")])?;
//! let first = repository.commit(tree, "Start", ada.clone(), ada);
//!
//! let bytes = bundle::write(&repository)?;
//! assert!(bytes.starts_with(b"# v2 git bundle\n"));
//! assert_eq!(bundle::read(&bytes)?.head_id(), Some(first));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::pack::{self, Gathered, Limits};
use super::{Head, ObjectId, PackError, Repository};

/// Why a bundle is not read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It does not begin as a bundle does.
    #[error("not a bundle: it does not begin with `# v2 git bundle` or `# v3 git bundle`")]
    NoBundle,
    /// It ends before its pack begins.
    #[error("the bundle is cut off at byte {0}, before its pack")]
    CutOff(usize),
    /// A line of its head that makes no sense.
    #[error("line {number} of the bundle is {line:?}, which is no reference and no prerequisite")]
    Line {
        /// Which line; the first is 1.
        number: usize,
        /// The line, or the beginning of a long one.
        line: String,
    },
    /// It needs something of its reader that is not known.
    #[error("the bundle asks for {0:?}, which is not supported")]
    Capability(String),
    /// It begins where another history ends.
    #[error("the bundle builds on commit {0}, which is not in it")]
    Prerequisite(ObjectId),
    /// Its pack is damaged, too large, or incomplete.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A reference of it cannot be.
    #[error("reference {name:?} of the bundle: {why}")]
    Reference {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is nothing to write.
    #[error("there is no commit to put into a bundle")]
    Empty,
    /// The history is cut off, which no bundle can tell.
    #[error("the history is cut off before commit {0}, and no bundle can tell that")]
    Shallow(ObjectId),
}

impl BundleError {
    /// What to do about it; empty when there is nothing to advise.
    pub fn remedy(&self) -> &'static str {
        match self {
            BundleError::NoBundle => "`git bundle create FILE --all` makes one",
            BundleError::CutOff(_) | BundleError::Line { .. } => {
                "it was damaged on its way: fetch it again; `git bundle verify` says whether it is whole"
            }
            BundleError::Capability(_) => {
                "make it anew of a clone without --filter, whose objects are named by sha1"
            }
            BundleError::Prerequisite(_) => {
                "name a bundle of all history (`git bundle create FILE --all`), or fetch this one into a repository that has that commit"
            }
            BundleError::Pack(
                PackError::TooLarge { .. } | PackError::TooMuch { .. } | PackError::Object(_),
            ) => "",
            BundleError::Pack(_) | BundleError::Reference { .. } => {
                "the bundle is damaged: fetch it or make it again"
            }
            BundleError::Empty => "commit something first",
            BundleError::Shallow(_) => "export it to a folder, or `git fetch --unshallow` first",
        }
    }
}

/// Reads a bundle, version 2 or 3, of a whole history. HEAD is on the branch that is where the bundle's
/// HEAD is, `main` or `master` before others, as `git clone` guesses; without one, it is detached there.
///
/// # Errors
///
/// When it is damaged, too large ([`disk`](super::disk) has the limits), lacks something, or asks for what
/// is not supported.
pub fn read(bundle: &[u8]) -> Result<Repository, BundleError> {
    let Heads { id, references } = read_into(Repository::new(), bundle)?;
    let mut repository = references;
    set_head(&mut repository, id);
    Ok(repository)
}

/// The repository with what a bundle brings: its objects, and its references, which replace those of the
/// same name. HEAD stays. Here, a bundle may build on commits that the repository has.
///
/// # Errors
///
/// As [`read`].
pub fn fetch(repository: &Repository, bundle: &[u8]) -> Result<Repository, BundleError> {
    read_into(repository.clone(), bundle).map(|heads| heads.references)
}

/// Writes a bundle of everything that a reference or HEAD leads to, version 2, which every Git reads.
///
/// # Errors
///
/// When there is no commit, or the history is cut off.
pub fn write(repository: &Repository) -> Result<Vec<u8>, BundleError> {
    let Gathered { objects, shallow, .. } = Gathered::of(repository);
    if let Some(id) = shallow.first() {
        return Err(BundleError::Shallow(*id));
    }
    let references = repository.references().map(|(name, id)| format!("{id} {name}\n"));
    let head = repository.head_id().map(|id| format!("{id} HEAD\n"));
    let references: String = references.chain(head).collect();
    match references.is_empty() {
        true => Err(BundleError::Empty),
        false => Ok([V2, references.as_bytes(), b"\n", &pack::encode(&objects)].concat()),
    }
}

const V2: &[u8] = b"# v2 git bundle\n";
const V3: &[u8] = b"# v3 git bundle\n";

/// A repository with the references of a bundle, and where the bundle's HEAD is.
struct Heads {
    id: Option<ObjectId>,
    references: Repository,
}

fn read_into(repository: Repository, bundle: &[u8]) -> Result<Heads, BundleError> {
    let header = Header::of(bundle)?;
    let lacks = |id: &&ObjectId| repository.find_commit(**id).is_err();
    if let Some(missing) = header.prerequisites.iter().find(lacks) {
        return Err(BundleError::Prerequisite(*missing));
    }
    let named: Vec<ObjectId> = header.references.iter().map(|(id, _)| *id).collect();
    let mut references = pack::unpack(header.pack, &repository, &named, Limits::DISK)?;
    let mut id = None;
    for (at, name) in header.references {
        match name == "HEAD" {
            true => id = Some(at),
            false => set(&mut references, name, at)?,
        }
    }
    Ok(Heads { id, references })
}

fn set(repository: &mut Repository, name: &str, id: ObjectId) -> Result<(), BundleError> {
    let refused = |why| BundleError::Reference { name: name.into(), why };
    if repository.objects.get(id).is_none() {
        return Err(refused(format!("object {id} is missing")));
    }
    repository.set_reference(name, id).map_err(|error| refused(error.to_string()))
}

fn set_head(repository: &mut Repository, head: Option<ObjectId>) {
    let is_there = |name: &&str| head.is_none() || repository.branch_id(name) == head;
    let known = ["main", "master"].into_iter().filter(|name| repository.branch_id(name).is_some());
    let all = repository.branches().map(|(name, _)| name);
    let branch = known.chain(all).find(is_there).map(str::to_owned);
    repository.head = match (branch, head.filter(|id| repository.find_commit(*id).is_ok())) {
        (Some(branch), _) => Head::Branch(branch),
        (None, Some(id)) => Head::Detached(id),
        (None, None) => Head::Branch("main".into()),
    };
}

/// What stands before the pack.
struct Header<'b> {
    prerequisites: Vec<ObjectId>,
    references: Vec<(ObjectId, &'b str)>,
    pack: &'b [u8],
}

impl<'b> Header<'b> {
    fn of(bundle: &'b [u8]) -> Result<Self, BundleError> {
        let has_capabilities = bundle.starts_with(V3);
        let Some(mut rest) = bundle.strip_prefix(V2).or(bundle.strip_prefix(V3)) else {
            return Err(BundleError::NoBundle);
        };
        let (prerequisites, references) = (Vec::new(), Vec::new());
        let mut header = Header { prerequisites, references, pack: rest };
        for number in 2.. {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let end = end.ok_or(BundleError::CutOff(bundle.len()))?;
            let line = &rest[..end];
            rest = &rest[end + 1..];
            match line {
                [] => break,
                [b'@', capability @ ..] if has_capabilities => check_capability(capability)?,
                line => header.line(line).ok_or_else(|| {
                    let line = String::from_utf8_lossy(line).chars().take(100).collect();
                    BundleError::Line { number, line }
                })?,
            }
        }
        header.pack = rest;
        Ok(header)
    }

    fn line(&mut self, line: &'b [u8]) -> Option<()> {
        const DIGITS: usize = 40;
        let (is_prerequisite, line) = match line.strip_prefix(b"-") {
            Some(line) => (true, line),
            None => (false, line),
        };
        let (id, rest) = line.split_at_checked(DIGITS)?;
        let id: ObjectId = std::str::from_utf8(id).ok()?.parse().ok()?;
        match rest {
            // A comment may follow, in any character set.
            [] | [b' ', ..] if is_prerequisite => self.prerequisites.push(id),
            [b' ', name @ ..] => self.references.push((id, std::str::from_utf8(name).ok()?)),
            _ => return None,
        }
        Some(())
    }
}

fn check_capability(capability: &[u8]) -> Result<(), BundleError> {
    match capability {
        b"object-format=sha1" => Ok(()),
        other => Err(BundleError::Capability(String::from_utf8_lossy(other).into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{Signature, Tree};
    use crate::time::Timestamp;

    fn two_commits() -> Repository {
        let ada = Signature::new("Ada", "a@b", Timestamp::from_secs(1));
        let mut repository = Repository::new();
        for text in ["1", "2"] {
            let tree = Tree::from_files([("a", text)]).unwrap();
            repository.commit(tree, text, ada.clone(), ada.clone());
        }
        repository.branch("side", "HEAD~1").unwrap();
        repository.annotated_tag("v1", "HEAD", "One", ada).unwrap();
        repository
    }

    fn references(repository: &Repository) -> Vec<(String, ObjectId)> {
        repository.references().map(|(name, id)| (name.to_owned(), id)).collect()
    }

    #[test]
    fn a_bundle_brings_every_reference_back() {
        let repository = two_commits();
        let back = read(&write(&repository).unwrap()).unwrap();
        assert_eq!(references(&back), references(&repository));
        assert_eq!(back.head(), repository.head());
    }

    #[test]
    fn head_is_guessed_as_git_clone_guesses_it() {
        let check = |at: &str, branch: &str, expected: Option<&str>| {
            let mut repository = two_commits();
            repository.branch(branch, "HEAD").unwrap();
            repository.detach(at).unwrap();
            repository.delete_reference("refs/heads/main");
            let back = read(&write(&repository).unwrap()).unwrap();
            assert_eq!(back.current_branch(), expected, "{at} {branch}");
            assert_eq!(back.head_id(), repository.head_id());
        };
        check("HEAD", "master", Some("master"));
        check("HEAD", "zzz", Some("zzz"));
        check("HEAD~1", "master", Some("side"));
    }

    #[test]
    fn a_cut_off_or_damaged_bundle_is_refused() {
        let good = write(&two_commits()).unwrap();
        for end in 0..good.len() {
            assert!(read(&good[..end]).is_err(), "cut off at {end}");
        }
        for at in 0..good.len() {
            let mut damaged = good.clone();
            damaged[at] ^= 4;
            // The names of references are under no checksum.
            let Ok(other) = read(&damaged) else { continue };
            assert_eq!(other.object_count(), two_commits().object_count(), "byte {at}");
            assert!(at < 300, "byte {at}");
        }
    }

    #[test]
    fn what_a_bundle_asks_for_is_met_or_refused_by_name() {
        let good = write(&two_commits()).unwrap();
        let third = |line: &str| [V3, line.as_bytes(), b"\n", &good[V2.len()..]].concat();
        assert!(read(&third("@object-format=sha1")).is_ok());
        let check = |line: &str, expected: &str| {
            let refused = read(&third(line)).err().expect(line);
            assert!(refused.to_string().contains(expected), "{refused}");
            assert!(!refused.remedy().is_empty(), "{refused}");
        };
        check("@object-format=sha256", "\"object-format=sha256\", which is not supported");
        check("@filter=blob:none", "\"filter=blob:none\"");
        let id = "1111111111111111111111111111111111111111";
        check(&format!("-{id} Start"), "builds on commit 1111111111111111111111111111111111111111");
        check(&format!("{id} refs/heads/x"), "\"refs/heads/x\" of the bundle: object 1111");
        check(id, "line 2 of the bundle is \"1111");
        check("nonsense", "line 2 of the bundle is \"nonsense\"");
        assert_eq!(read(b"PACK").err(), Some(BundleError::NoBundle));
        assert_eq!(write(&Repository::new()).err(), Some(BundleError::Empty));
    }
}
