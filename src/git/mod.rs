//! Git, in memory: objects with Git's own ids, trees that share structure, references, merges.
//!
//! A [`Repository`] is a value: cloning it is cheap, nothing it does touches a disk, and the ids it
//! gives are the ones that Git would give.

mod blame;
pub mod bundle;
mod change;
mod commit;
mod config;
pub mod disk;
mod error;
pub mod forge;
mod id;
mod ignore;
mod merge;
mod objects;
mod pack;
mod raw;
mod refs;
mod remote;
mod rename;
mod repository;
mod revision;
mod semver;
mod signature;
mod signing;
mod text;
mod tree;
mod walk;
#[cfg(feature = "git-wire")]
pub mod wire;
mod worktree;

pub use blame::BlameLine;
pub use change::{ChangeKind, TreeChange, diff};
pub use commit::{Commit, ObjectKind, Tag, clean_message};
pub use config::{Config, GitVersion, ParseVersionError};
pub use error::GitError;
pub use id::{ObjectId, ParseObjectIdError};
pub use ignore::Ignore;
pub use merge::{
    Conflict, ConflictKind, FastForward, MergeLabels, MergeOptions, MergeOutcome, MergedTree,
    PickOutcome, RebaseOutcome, RebaseStop, TreeMergeOptions, Unmerged, merge_trees,
};
pub use objects::Object;
pub use pack::PackError;
pub use refs::{Head, check_ref_name};
pub use remote::{PlannedUpdate, RefUpdate, Rejection};
pub use repository::Repository;
pub use semver::{Version, VersionError, VersionRange};
pub use signature::{ParseSignatureError, Signature};
pub use signing::{SignatureFormat, SigningKey, named_key};
pub use text::{DiffFormat, Favor, Labels, MergedText, is_binary, merge_text, unified_diff};
pub use tree::{Blob, Entry, InvalidPath, Mode, Tree};
pub use walk::Log;
pub use worktree::{Reset, Worktree};
