//! Merges: of two histories, of three trees, and what is made of them (revert, cherry-pick, rebase).

mod history;
mod message;
mod pick;
mod rebase;
mod renames;
mod tree;

pub use history::{FastForward, MergeOptions, MergeOutcome};
pub use pick::PickOutcome;
pub use rebase::{RebaseOutcome, RebaseStop};
pub use tree::{Conflict, ConflictKind, MergeLabels, MergedTree, TreeMergeOptions, merge_trees};

use super::{ObjectId, Signature, Tree};

/// A merge, revert or pick that waits for a person: the tree with conflict markers in its files, and
/// what is needed to make the commit once they are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmerged {
    /// The files as Git leaves them, markers included.
    pub tree: Tree,
    /// What is in conflict, by path.
    pub conflicts: Vec<Conflict>,
    /// The message that the commit would have had.
    pub message: String,
    /// The parents of the commit to make.
    pub parents: Vec<ObjectId>,
    /// The author of a change picked from elsewhere; otherwise whoever resolves the conflicts.
    pub author: Option<Signature>,
}
