//! Git remotes, by way of the `git` on PATH.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::now;
use crate::api::{Artifact, ArtifactRef, FetchError, FetchErrorKind, FetchRequest};
use crate::git::disk;
use crate::object::ObjectRef;
use crate::source::Artifacts;

/// The Git remotes of the world, and the artifacts that came of them.
///
/// Clones are kept in a scratch folder, so that the next fetch brings only what is new.
pub struct Sources {
    scratch: PathBuf,
    artifacts: Artifacts,
    instead: BTreeMap<String, String>,
}

impl Sources {
    /// With clones kept in a folder, which is made when it is needed.
    pub fn new(scratch: &Path) -> Self {
        Sources {
            scratch: scratch.into(),
            artifacts: Artifacts::default(),
            instead: BTreeMap::new(),
        }
    }

    /// The same, with one address standing for another, as Git's `url.<base>.insteadOf` does: a
    /// GitRepository cannot name a folder on disk, but a folder can stand in for its remote.
    pub fn with_instead(mut self, url: &str, place: &str) -> Self {
        self.instead.insert(url.into(), place.into());
        self
    }

    /// Fetches a remote and stores what the request names as an artifact of a source.
    ///
    /// # Errors
    ///
    /// When the remote does not answer, refuses, or has no such reference.
    pub fn fetch(
        &mut self,
        source: &ObjectRef,
        request: &FetchRequest,
    ) -> Result<Artifact, FetchError> {
        let place = self.instead.get(&request.url).unwrap_or(&request.url);
        let repository = disk::clone(place, &self.scratch).map_err(|error| FetchError {
            kind: FetchErrorKind::Unreachable,
            message: format!("failed to checkout and determine revision: {error}"),
        })?;
        self.artifacts.fetch(source, &repository, request, now())
    }

    /// Brings a stored artifact.
    ///
    /// # Errors
    ///
    /// When it is no longer stored, or its digest is not the wanted one.
    pub fn download(&self, artifact: &ArtifactRef) -> Result<Artifact, FetchError> {
        self.artifacts.download(artifact)
    }
}
