//! What a controller may ask of the world beyond the Kubernetes API: a Git remote, stored artifacts,
//! an image registry.

use std::fmt;

use super::{ApiRequest, ApiResponse, Caller, Status};
use crate::git::Tree;

/// At most one of these a step: the only way a controller reaches anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// To the Kubernetes API.
    Api(ApiRequest),
    /// To the Kubernetes API in another's name: impersonation, as the `Impersonate-User` header asks for
    /// it. Answered with [`Response::Api`].
    ApiAs(Caller, ApiRequest),
    /// Resolve a reference of a Git remote and bring its content; what comes back is stored as an
    /// artifact.
    Fetch(FetchRequest),
    /// Bring the content of a stored artifact.
    Download(ArtifactRef),
    /// Bring a container image to a node.
    Pull {
        /// The image, as a pod names it.
        image: String,
    },
}

/// The answer to a [`Request`], or to a pause.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// To [`Request::Api`] and [`Request::ApiAs`].
    Api(Result<ApiResponse, Status>),
    /// To [`Request::Fetch`].
    Fetched(Result<Artifact, FetchError>),
    /// To [`Request::Download`].
    Downloaded(Result<Artifact, FetchError>),
    /// To [`Request::Pull`]: the image's digest.
    Pulled(Result<String, PullError>),
    /// A pause is over.
    Woken,
}

/// Which content of which Git remote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchRequest {
    /// The remote, as `spec.url` of a GitRepository gives it.
    pub url: String,
    /// What to resolve.
    pub reference: GitReference,
    /// `spec.ignore` in `.gitignore` form; `None` for the source's defaults and `.sourceignore`.
    pub ignore: Option<String>,
    /// The revision held already: the same again needs no transfer. Empty for none.
    pub have: String,
}

/// A reference of a GitRepository; of those set, commit wins over name, semver, tag and branch.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitReference {
    /// A branch; `master` when nothing is set.
    pub branch: String,
    /// A tag.
    pub tag: String,
    /// A semver range over tags.
    pub semver: String,
    /// A full reference name such as `refs/pull/1/head`.
    pub name: String,
    /// A commit id.
    pub commit: String,
}

/// The content of a source at a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Artifact {
    /// `main@sha1:<commit>`, `refs/…@sha1:<commit>`, or `sha1:<commit>` when detached.
    pub revision: String,
    /// `sha256:<hex>` of the content, the same for the same files whatever the commit.
    pub digest: String,
    /// Where it is stored, for [`Request::Download`].
    pub url: String,
    /// Bytes of content.
    pub size: u64,
    /// The files.
    pub tree: Tree,
    /// The commit that they are of, by its id.
    pub commit: Signed,
    /// The tag by which the commit was found, if it was by one: `NAME@ID`, a light one without an id.
    pub tag: Option<Signed>,
}

/// A commit or a tag, and its signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signed {
    /// What it is called.
    pub name: String,
    /// The signature, armored, as Git has it; `None` when it is not signed.
    pub signature: Option<String>,
}

/// An artifact as `status.artifact` of a source names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactRef {
    /// Where it is stored.
    pub url: String,
    /// Its revision.
    pub revision: String,
    /// Its digest: other content is refused.
    pub digest: String,
}

/// Why nothing could be fetched or downloaded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[error("{message}")]
pub struct FetchError {
    /// What went wrong.
    pub kind: FetchErrorKind,
    /// The sentence for a person.
    pub message: String,
}

/// What went wrong with a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FetchErrorKind {
    /// The remote did not answer.
    Unreachable,
    /// The remote answered too late.
    Timeout,
    /// The remote, or the artifact, is not there.
    NotFound,
    /// The remote has no such reference.
    NoSuchReference,
    /// The credentials were refused.
    Denied,
    /// What came is not what was named.
    Corrupt,
}

/// Why an image could not be brought to a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PullError {
    /// The registry has no such tag or digest.
    NotFound(String),
    /// The image's name is malformed.
    InvalidName(String),
    /// The registry did not answer.
    Unreachable(String),
}

impl fmt::Display for PullError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PullError::NotFound(message)
            | PullError::InvalidName(message)
            | PullError::Unreachable(message) => f.write_str(message),
        }
    }
}

impl From<ApiRequest> for Request {
    fn from(request: ApiRequest) -> Self {
        Request::Api(request)
    }
}

impl Request {
    /// The Kubernetes request, if it is one, in whoever's name.
    pub fn as_api(&self) -> Option<&ApiRequest> {
        match self {
            Request::Api(request) | Request::ApiAs(_, request) => Some(request),
            _ => None,
        }
    }

    /// In whose name it is made when `own` makes it: another's if it impersonates.
    pub fn caller<'a>(&'a self, own: &'a Caller) -> &'a Caller {
        match self {
            Request::ApiAs(other, _) => other,
            _ => own,
        }
    }
}
