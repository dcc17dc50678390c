//! From code to cluster: continuous integration, and the two ways on from there.
//!
//! CI builds and tests every commit of an application repository, and pushes an image. Then either it
//! commits the new tag to a configuration repository, which an engine inside the cluster pulls; or it
//! goes to the cluster itself, with credentials that it holds.

mod credential;
mod run;
mod suite;
mod tag;

pub use credential::{Credential, Grant};
pub use run::{NoPipeline, Run, Stage};
pub use suite::run_tests;

use crate::api::Caller;
use crate::time::Duration;

/// What runs when a branch of an application repository moves.
///
/// A run checks the commit out, builds it (a `Dockerfile` must be there), tests it
/// ([`run_tests`]), pushes the image under the first seven digits of the commit, and delivers it. It
/// ends at the first stage that fails. Adding a pipeline to a world grants it the credentials that it
/// needs; a run without them fails.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pipeline {
    /// Who it runs as, such as `ci`.
    pub name: String,
    /// The URL of the application repository.
    pub repository: String,
    /// The branch that is built.
    pub branch: String,
    /// The image without a tag, such as `ghcr.io/acme/hello`.
    pub image: String,
    /// What becomes of the image.
    pub delivery: Delivery,
    /// Whether every other branch is built and tested too, though not delivered, and what comes of it is
    /// reported to the forge, as a check of the pipeline's name: what a protected branch may ask for.
    pub checks: bool,
    /// How long building takes.
    pub build: Duration,
    /// How long testing takes.
    pub test: Duration,
    /// How long pushing the image takes.
    pub push: Duration,
}

/// What becomes of an image that was built.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Its tag is committed to a configuration repository, wherever files below a folder name it.
    Commit {
        /// The URL of the configuration repository.
        repository: String,
        /// The folder with the files.
        folder: String,
    },
    /// The application's own manifests are applied to the cluster, the tag set in them, by `kubectl
    /// apply --server-side` from the runner.
    Apply {
        /// The folder of the application repository with the manifests.
        folder: String,
        /// As whom the runner reaches the cluster.
        caller: Caller,
    },
    /// Nothing: a person takes it from there.
    None,
}

impl Pipeline {
    /// A pipeline called `ci` that commits the tag of what it built to a configuration repository.
    pub fn pull(repository: &str, image: &str, configuration: &str, folder: &str) -> Self {
        let delivery = Delivery::Commit { repository: configuration.into(), folder: folder.into() };
        Self::new(repository, image, delivery)
    }

    /// A pipeline called `ci` that applies the application's manifests to the cluster, as the user
    /// `ci`.
    pub fn push(repository: &str, image: &str, folder: &str) -> Self {
        let caller = Caller::new("ci", "kubectl/v1.36.0");
        Self::new(repository, image, Delivery::Apply { folder: folder.into(), caller })
    }

    /// A pipeline called `ci` on `main`: a minute to build, half a minute to test.
    pub fn new(repository: &str, image: &str, delivery: Delivery) -> Self {
        Pipeline {
            name: "ci".into(),
            repository: repository.into(),
            branch: "main".into(),
            image: image.into(),
            delivery,
            checks: false,
            build: Duration::from_secs(60),
            test: Duration::from_secs(30),
            push: Duration::from_secs(5),
        }
    }

    /// The credentials that a run needs.
    fn needs(&self) -> Vec<Grant> {
        let mut needs = vec![Grant::Images(self.image.clone())];
        match &self.delivery {
            Delivery::Commit { repository, .. } => {
                needs.push(Grant::Repository(repository.clone()))
            }
            Delivery::Apply { caller, .. } => needs.push(Grant::Cluster(caller.clone())),
            Delivery::None => {}
        }
        needs
    }
}
