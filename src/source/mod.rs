//! What answers a fetch: a repository, resolved and filtered as Flux's source-controller does it, and
//! the store of the artifacts that came of it.
//!
//! The simulator and the driver of a real cluster bring repositories from different places; what they
//! make of them is the same.

use std::sync::Arc;

use rpds::{RedBlackTreeMapSync, VectorSync};
use sha2::{Digest, Sha256};

use crate::api::{
    Artifact, ArtifactRef, FetchError, FetchErrorKind, FetchRequest, GitReference, Signed,
};
use crate::git::{GitError, Ignore, Mode, ObjectId, Repository, Tree, Version, VersionRange};
use crate::object::ObjectRef;
use crate::time::{Duration, Timestamp};

/// The stored artifacts of all sources.
///
/// Of each source the two newest are kept, and older ones until they are a minute old:
/// source-controller's `--artifact-retention-records` and `--artifact-retention-ttl`. The one that a source
/// holds stays in any case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Artifacts {
    stored: RedBlackTreeMapSync<ObjectRef, VectorSync<Stored>>,
    contents: RedBlackTreeMapSync<(ObjectId, Option<Arc<str>>), Content>,
}

#[derive(Clone, Debug, PartialEq)]
struct Stored {
    at: Timestamp,
    artifact: Artifact,
}

/// What is left of a tree, by what is ignored.
#[derive(Clone, Debug, PartialEq)]
struct Content {
    tree: Tree,
    digest: Arc<str>,
    size: u64,
}

const KEPT: usize = 2;
const KEPT_FOR: Duration = Duration::from_secs(60);

/// What is never in an artifact unless taken in again: what Flux leaves out.
const LEFT_OUT: &str = "\
.git/
.gitignore
.gitmodules
.gitattributes
*.jpg
*.jpeg
*.gif
*.png
*.wmv
*.flv
*.tar.gz
*.zip
.github/
.circleci/
.travis.yml
.gitlab-ci.yml
appveyor.yml
.drone.yml
cloudbuild.yaml
codeship-services.yml
codeship-steps.yml
**/.goreleaser.yml
**/.sops.yaml
**/.flux.yaml
";

impl Artifacts {
    /// Brings what a request names from a repository, and stores it for a source.
    ///
    /// # Errors
    ///
    /// When the repository has no such reference or commit, or the range of versions is none.
    pub fn fetch(
        &mut self,
        source: &ObjectRef,
        repository: &Repository,
        request: &FetchRequest,
        now: Timestamp,
    ) -> Result<Artifact, FetchError> {
        let Resolved { revision, commit, tag } = resolve(repository, request)?;
        let found = repository.find_commit(commit).map_err(|e| no_reference(e.to_string()))?;
        let content = self.content(&found.tree, request.ignore.as_deref());
        let signature = found.signature().map(str::to_owned);
        let found = Signed { name: commit.to_string(), signature };
        if let Some(newest) = self.stored.get(source).and_then(VectorSync::last)
            && newest.artifact.revision == revision
            && newest.artifact.digest == *content.digest
        {
            return Ok(Artifact { commit: found, tag, ..newest.artifact.clone() });
        }
        let artifact = Artifact {
            url: url_of(source, commit),
            revision,
            digest: content.digest.to_string(),
            size: content.size,
            tree: content.tree,
            commit: found,
            tag,
        };
        self.store(source, &request.have, Stored { at: now, artifact: artifact.clone() });
        Ok(artifact)
    }

    /// Brings a stored artifact.
    ///
    /// # Errors
    ///
    /// When it is not, or no longer, stored, or its content has another digest than wanted.
    pub fn download(&self, wanted: &ArtifactRef) -> Result<Artifact, FetchError> {
        let stored = self.stored.values().flat_map(|stored| stored.iter());
        let found =
            stored.map(|stored| &stored.artifact).find(|artifact| artifact.url == wanted.url);
        match found {
            None => Err(FetchError {
                kind: FetchErrorKind::NotFound,
                message: format!(
                    "failed to download artifact from {}, status: 404 Not Found",
                    wanted.url
                ),
            }),
            Some(artifact) if !wanted.digest.is_empty() && artifact.digest != wanted.digest => {
                Err(FetchError {
                    kind: FetchErrorKind::Corrupt,
                    message: format!(
                        "failed to verify artifact: computed digest doesn't match '{}'",
                        wanted.digest
                    ),
                })
            }
            Some(artifact) => Ok(artifact.clone()),
        }
    }

    fn store(&mut self, source: &ObjectRef, held: &str, new: Stored) {
        let mut kept = self.stored.get(source).cloned().unwrap_or_default();
        let old = kept.len().saturating_sub(KEPT - 1);
        let young = |stored: &Stored| new.at.since(stored.at) <= KEPT_FOR;
        kept = kept
            .iter()
            .enumerate()
            .filter(|(i, stored)| *i >= old || young(stored) || stored.artifact.revision == held)
            .filter(|(_, stored)| stored.artifact.url != new.artifact.url)
            .map(|(_, stored)| stored.clone())
            .collect();
        kept.push_back_mut(new);
        self.stored.insert_mut(source.clone(), kept);
    }

    fn content(&mut self, tree: &Tree, ignore: Option<&str>) -> Content {
        let key = (tree.id(), ignore.map(Arc::from));
        if let Some(content) = self.contents.get(&key) {
            return content.clone();
        }
        let content = Content::of(tree, ignore);
        self.contents.insert_mut(key, content.clone());
        content
    }
}

impl Content {
    fn of(tree: &Tree, ignore: Option<&str>) -> Self {
        let patterns = Ignore::parse(LEFT_OUT)
            .and(Ignore::collect(tree, ".sourceignore"))
            .and(Ignore::parse(ignore.unwrap_or_default()));
        let tree = without_links(patterns.filter(tree));
        let digest = Sha256::digest(tree.id().as_bytes());
        Content {
            digest: digest
                .iter()
                .fold("sha256:".to_owned(), |text, b| text + &format!("{b:02x}"))
                .into(),
            size: tree.files().iter().map(|(_, _, blob)| blob.as_bytes().len() as u64).sum(),
            tree,
        }
    }
}

/// Artifacts hold files and folders, no links.
fn without_links(tree: Tree) -> Tree {
    let links = tree.files().into_iter().filter(|(_, mode, _)| *mode == Mode::Symlink);
    links.fold(tree, |tree, (path, ..)| tree.without(&path))
}

/// Where source-controller serves an artifact.
fn url_of(source: &ObjectRef, commit: ObjectId) -> String {
    format!(
        "http://source-controller.flux-system.svc.cluster.local./{}/{}/{}/{commit}.tar.gz",
        source.kind.to_lowercase(),
        source.namespace,
        source.name
    )
}

/// What a request names.
struct Resolved {
    revision: String,
    commit: ObjectId,
    tag: Option<Signed>,
}

/// The revision that a request names, and its commit: of commit, name, semver, tag and branch the first
/// that is given.
fn resolve(repository: &Repository, request: &FetchRequest) -> Result<Resolved, FetchError> {
    let GitReference { branch, tag, semver, name, commit } = &request.reference;
    let branch = if branch.is_empty() { "master" } else { branch };
    if !commit.is_empty() {
        let id = repository.resolve_commit(commit).map_err(|_| missing(&request.url, commit))?;
        let given = &request.reference.branch;
        let at = if given.is_empty() { String::new() } else { format!("{given}@") };
        return Ok(Resolved { revision: format!("{at}sha1:{id}"), commit: id, tag: None });
    }
    if !name.is_empty() {
        return named(repository, request, name, name);
    }
    if !semver.is_empty() {
        let tag = newest_tag(repository, semver)?;
        return named(repository, request, &format!("refs/tags/{tag}"), &tag);
    }
    match tag.is_empty() {
        false => named(repository, request, &format!("refs/tags/{tag}"), tag),
        true => named(repository, request, &format!("refs/heads/{branch}"), branch),
    }
}

fn named(
    repository: &Repository,
    request: &FetchRequest,
    reference: &str,
    shown: &str,
) -> Result<Resolved, FetchError> {
    let found = repository.reference(reference).ok_or(());
    let id = found
        .and_then(|_| repository.resolve_commit(reference).map_err(|_: GitError| ()))
        .map_err(|()| missing(&request.url, reference))?;
    let tag = reference.strip_prefix("refs/tags/").map(|name| tag(repository, name, reference));
    Ok(Resolved { revision: format!("{shown}@sha1:{id}"), commit: id, tag })
}

/// A tag; a light one has no id of its own, and no signature.
fn tag(repository: &Repository, name: &str, reference: &str) -> Signed {
    let annotated = repository.reference(reference).and_then(|id| repository.find_tag(id).ok());
    match annotated {
        Some(tag) => Signed {
            name: format!("{name}@{}", tag.id()),
            signature: tag.signature().map(str::to_owned),
        },
        None => Signed { name: name.into(), signature: None },
    }
}

/// The tag with the highest version in a range.
fn newest_tag(repository: &Repository, range: &str) -> Result<String, FetchError> {
    let parsed: VersionRange =
        range.parse().map_err(|error| no_reference(format!("semver parse error: {error}")))?;
    let tags = repository.tags().filter_map(|(tag, _)| Some((tag.parse::<Version>().ok()?, tag)));
    let newest = tags.filter(|(version, _)| parsed.includes(version)).max();
    newest
        .map(|(_, tag)| tag.to_owned())
        .ok_or_else(|| no_reference(format!("no match found for semver: {range}")))
}

fn missing(url: &str, reference: &str) -> FetchError {
    no_reference(format!(
        "failed to checkout and determine revision: unable to clone '{url}': couldn't find remote ref \"{reference}\""
    ))
}

fn no_reference(message: String) -> FetchError {
    FetchError { kind: FetchErrorKind::NoSuchReference, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Signature;

    fn repository() -> Repository {
        let ada = Signature::new("Ada", "ada@example.com", Timestamp::START);
        let mut repository = Repository::new();
        for (n, tag) in ["v1.0.0", "v1.1.0", "v2.0.0-rc.1"].into_iter().enumerate() {
            let tree = Tree::from_files([("a.yaml", n.to_string()), ("logo.png", "x".into())]);
            repository.commit(tree.unwrap(), tag, ada.clone(), ada.clone());
            repository.annotated_tag(tag, "HEAD", tag, ada.clone()).unwrap();
        }
        repository
    }

    fn source() -> ObjectRef {
        ObjectRef::new("source.toolkit.fluxcd.io", "GitRepository", "flux-system", "app")
    }

    fn fetch(reference: GitReference, ignore: Option<&str>) -> Result<Artifact, FetchError> {
        let request = FetchRequest {
            url: "https://git.example.com/app".into(),
            reference,
            ignore: ignore.map(str::to_owned),
            have: String::new(),
        };
        Artifacts::default().fetch(&source(), &repository(), &request, Timestamp::START)
    }

    #[test]
    fn of_several_references_the_most_exact_counts() {
        let mut repository = repository();
        repository.branch("master", "HEAD").unwrap();
        let id = |rev: &str| repository.resolve_commit(rev).unwrap().to_string();
        let check = |reference: GitReference, expected: &str| {
            assert_eq!(fetch(reference, None).unwrap().revision, expected);
        };
        let main = GitReference { branch: "main".into(), ..GitReference::default() };
        check(main.clone(), &format!("main@sha1:{}", id("main")));
        let tag = GitReference { tag: "v1.0.0".into(), ..main };
        check(tag.clone(), &format!("v1.0.0@sha1:{}", id("v1.0.0")));
        let semver = GitReference { semver: ">=1.0.0".into(), ..tag };
        check(semver.clone(), &format!("v1.1.0@sha1:{}", id("v1.1.0")));
        let name = GitReference { name: "refs/heads/main".into(), ..semver };
        check(name.clone(), &format!("refs/heads/main@sha1:{}", id("main")));
        let commit = GitReference { commit: id("v1.0.0"), branch: String::new(), ..name };
        check(commit, &format!("sha1:{}", id("v1.0.0")));
        assert_eq!(
            fetch(GitReference::default(), None).unwrap_err().kind,
            FetchErrorKind::NoSuchReference
        );
    }

    #[test]
    fn pictures_are_left_out_unless_taken_in_again() {
        let main = GitReference { branch: "main".into(), ..GitReference::default() };
        let paths = |ignore: Option<&str>| -> Vec<String> {
            let artifact = fetch(main.clone(), ignore).unwrap();
            artifact.tree.files().into_iter().map(|(path, ..)| path).collect()
        };
        assert_eq!(paths(None), ["a.yaml"]);
        assert_eq!(paths(Some("!*.png\na.yaml")), ["logo.png"]);
    }

    #[test]
    fn old_artifacts_go_when_they_are_a_minute_old() {
        let (mut artifacts, repository) = (Artifacts::default(), repository());
        let mut at = |tag: &str, secs: u64| {
            let request = FetchRequest {
                url: String::new(),
                reference: GitReference { tag: tag.into(), ..GitReference::default() },
                ignore: None,
                have: String::new(),
            };
            artifacts.fetch(&source(), &repository, &request, Timestamp::from_secs(secs)).unwrap()
        };
        let (first, second) = (at("v1.0.0", 0), at("v1.1.0", 10));
        let third = at("v2.0.0-rc.1", 20);
        let named = |a: &Artifact| ArtifactRef {
            url: a.url.clone(),
            revision: a.revision.clone(),
            digest: a.digest.clone(),
        };
        let there = |artifacts: &Artifacts, a: &Artifact| artifacts.download(&named(a)).is_ok();
        assert!([&first, &second, &third].iter().all(|a| there(&artifacts, a)));
        let request = FetchRequest {
            url: String::new(),
            reference: GitReference { tag: "v1.1.0".into(), ..GitReference::default() },
            ignore: None,
            have: String::new(),
        };
        artifacts.fetch(&source(), &repository, &request, Timestamp::from_secs(100)).unwrap();
        assert!(
            !there(&artifacts, &first) && there(&artifacts, &second) && there(&artifacts, &third)
        );
        let wrong = ArtifactRef { digest: "sha256:0".into(), ..named(&third) };
        assert_eq!(artifacts.download(&wrong).unwrap_err().kind, FetchErrorKind::Corrupt);
    }
}
