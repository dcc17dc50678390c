//! What is read of a repository on disk.

use std::path::Path;

use super::flux::Flux;
use crate::api::{FetchRequest, GitReference};
use crate::engine::SOURCE_API;
use crate::git::{Repository, Tree, disk};
use crate::manifest;
use crate::object::{GroupVersionKind, Object};
use crate::scenario::mistake::Mistake;
use crate::scenario::prepare::{is_repository, read_disk};
use crate::source::Artifacts;
use crate::time::Timestamp;

/// How much of a repository's history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// The newest commit, unless a source in it follows a tag or another branch. That is quick whatever
    /// the length of the history, and enough to reconcile it.
    Newest,
    /// All of it: then a line is explained back to whoever wrote it.
    All,
}

/// A repository, and what is in its newest commit.
pub(super) struct Checkout {
    pub(super) repository: Repository,
    pub(super) tree: Tree,
    /// The files that the source-controller will hand out.
    pub(super) artifact: Tree,
    /// The objects of the files that are about Flux.
    pub(super) flux: Vec<Object>,
}

impl Checkout {
    pub(super) fn read(path: &Path, history: History) -> Result<Self, Mistake> {
        let mut repository = read(path, history)?;
        let tree = repository.tree("HEAD").map_err(|error| mistake(path, error))?;
        let flux = objects_in(&tree, "fluxcd.io");
        let branch = repository.current_branch().unwrap_or_default();
        if history == History::Newest && Flux::among(&flux).looks_back(branch) {
            repository = read(path, History::All)?;
        }
        let artifact = artifact_of(&repository).map_err(|error| mistake(path, error))?;
        Ok(Checkout { repository, tree, artifact, flux })
    }

    /// The objects of all files that are manifests.
    pub(super) fn objects(&self) -> Vec<Object> {
        objects_in(&self.tree, "kind:")
    }
}

fn mistake(path: &Path, error: impl ToString) -> Mistake {
    Mistake::in_file(&path.display().to_string(), error.to_string())
}

/// A repository, on a branch; or a folder as one.
fn read(path: &Path, history: History) -> Result<Repository, Mistake> {
    let read = match (is_repository(path), history) {
        (true, History::Newest) => disk::import_newest(path),
        _ => read_disk(path, "main"),
    };
    let mut repository =
        read.map_err(|error| mistake(&error.path, error.message).hint(error.remedy))?;
    if let (None, Some(head)) = (repository.current_branch(), repository.head_id()) {
        // A source follows a branch: a commit that was checked out without one becomes one.
        let set = repository.set_reference("refs/heads/main", head);
        set.and_then(|()| repository.switch("main")).map_err(|error| mistake(path, error))?;
    }
    Ok(repository)
}

fn artifact_of(repository: &Repository) -> Result<Tree, String> {
    let source = GroupVersionKind::new(SOURCE_API, "GitRepository").named("flux-system", "it");
    let branch = repository.current_branch().unwrap_or_default().into();
    let reference = GitReference { branch, ..GitReference::default() };
    let (url, have) = (String::new(), String::new());
    let request = FetchRequest { url, reference, ignore: None, have };
    let artifact = Artifacts::default().fetch(&source, repository, &request, Timestamp::START);
    artifact.map(|artifact| artifact.tree).map_err(|error| error.message)
}

/// The objects of the manifests that a text stands in. Those that are not, templates for instance, are the
/// reconciliation's to complain of.
fn objects_in(tree: &Tree, mention: &str) -> Vec<Object> {
    const LARGE: usize = 4 << 20;
    let mut found = Vec::new();
    for (path, _, blob) in tree.files() {
        let yaml = path.ends_with(".yaml") || path.ends_with(".yml");
        let text =
            blob.as_text().filter(|text| yaml && text.len() < LARGE && text.contains(mention));
        found.extend(text.and_then(|text| manifest::objects(&path, text).ok()).unwrap_or_default());
    }
    found
}
