//! What can go wrong, in the words that Git uses.

use super::{InvalidPath, ObjectId};

/// Why a Git operation was refused; the text is Git's own, without its `fatal:` or `error:`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// A revision that names nothing.
    #[error(
        "ambiguous argument '{0}': unknown revision or path not in the working tree; `git branch` and `git log` list what there is"
    )]
    UnknownRevision(String),
    /// A short id that several objects share.
    #[error("short object ID {0} is ambiguous: give more of its digits")]
    AmbiguousId(String),
    /// A revision of the wrong kind.
    #[error("{rev}: expected {expected}, but it is a {found}")]
    WrongKind {
        /// The revision.
        rev: String,
        /// The kind that was needed.
        expected: &'static str,
        /// The kind that it is.
        found: &'static str,
    },
    /// An object that is not in the repository.
    #[error("bad object {0}: it is not in this repository")]
    NoSuchObject(ObjectId),
    /// A path that is not in a tree.
    #[error("path '{path}' does not exist in '{rev}'")]
    NoSuchPath {
        /// The revision.
        rev: String,
        /// The path.
        path: String,
    },
    /// A line that a file does not have.
    #[error("file {path} has only {lines} lines, not {line}")]
    NoSuchLine {
        /// The file.
        path: String,
        /// The line asked for, from 1.
        line: usize,
        /// How many there are.
        lines: usize,
    },
    /// HEAD's branch has no commit yet.
    #[error("your current branch '{0}' does not have any commits yet")]
    Unborn(String),
    /// A name that no reference can have.
    #[error("'{0}' is not a valid branch or tag name (git check-ref-format lists the rules)")]
    InvalidRefName(String),
    /// A reference that would have to be both a file and a folder.
    #[error("cannot create '{name}': '{other}' exists")]
    RefInTheWay {
        /// The name asked for.
        name: String,
        /// The reference there is.
        other: String,
    },
    /// A branch that is there already.
    #[error("a branch named '{0}' already exists")]
    BranchExists(String),
    /// A branch that is not there.
    #[error("invalid reference: {0}")]
    NoSuchBranch(String),
    /// HEAD's branch may not be deleted under it.
    #[error("cannot delete branch '{0}' checked out here: switch to another one first")]
    BranchInUse(String),
    /// A tag that is there already.
    #[error("tag '{0}' already exists")]
    TagExists(String),
    /// A tag that is not there.
    #[error("tag '{0}' not found")]
    NoSuchTag(String),
    /// A commit that would change nothing.
    #[error("nothing to commit, working tree clean")]
    NothingToCommit,
    /// A commit without a message.
    #[error("Aborting commit due to empty commit message.")]
    EmptyMessage,
    /// A merge that may only move the branch forward, and cannot.
    #[error("Not possible to fast-forward, aborting.")]
    NotFastForward,
    /// Two histories without a common commit.
    #[error("refusing to merge unrelated histories")]
    UnrelatedHistories,
    /// A merge reverted or picked without saying against which parent.
    #[error("commit {0} is a merge but no -m option was given.")]
    MainlineMissing(ObjectId),
    /// A parent asked for that the commit does not have.
    #[error("commit {0} does not have parent {1}")]
    NoSuchParent(ObjectId, usize),
    /// A mainline given for a commit that is no merge.
    #[error("mainline was specified but commit {0} is not a merge.")]
    NotAMerge(ObjectId),
    /// Files that the operation would overwrite.
    #[error("Your local changes to the following files would be overwritten by {operation}: {}; commit them or restore them first", paths.join(", "))]
    WouldOverwrite {
        /// What was asked for.
        operation: &'static str,
        /// The files that have changes.
        paths: Vec<String>,
    },
    /// A path that no tree can hold.
    #[error(transparent)]
    InvalidPath(#[from] InvalidPath),
    /// An operation that waits for its conflicts to be resolved.
    #[error(
        "{0} is not possible because you have unmerged files: resolve them, `git add` them, and commit; or abort"
    )]
    Unmerged(&'static str),
    /// Nothing is under way that could be aborted or continued.
    #[error("no {0} in progress")]
    NotInProgress(&'static str),
}
