//! One commit's change applied elsewhere, forwards (`git cherry-pick`) or backwards (`git revert`).

use super::message::{first_line, revert_message};
use super::{MergeLabels, MergedTree, Unmerged, merge_trees};
use crate::git::{Commit, GitError, ObjectId, Repository, Signature, Tree};

/// What a revert or a pick came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum PickOutcome {
    /// This commit was made.
    Commit(ObjectId),
    /// There was nothing to do: HEAD is that way already. Nothing moved.
    Empty,
    /// Nothing moved: conflicts are to be resolved first, then [`Repository::conclude`]d.
    Conflicts(Unmerged),
}

impl Repository {
    /// Makes a commit that undoes another; of a merge, `mainline` says which parent (1 or 2) to go
    /// back to.
    ///
    /// # Errors
    ///
    /// When the revision names no commit, is a merge and no mainline is given, or lacks that parent.
    pub fn revert(
        &mut self,
        rev: &str,
        mainline: Option<usize>,
        committer: Signature,
    ) -> Result<PickOutcome, GitError> {
        let head = self.born_head()?;
        let id = self.resolve_commit(rev)?;
        let commit = self.find_commit(id)?.clone();
        let (parent, before) = self.side_of(id, mainline)?;
        let label = format!("parent of {}", self.label(&commit, id));
        let ours = self.find_commit(head)?.tree.clone();
        let labels = MergeLabels { ours: "HEAD", theirs: &label };
        let merged = merge_trees(&commit.tree, &ours, &before, labels, self.tree_merge_options());
        let message = revert_message(&commit, id, parent, self.config.version);
        Ok(self.settle(head, merged, message, None, committer))
    }

    /// Makes a commit on HEAD of the change that another made, by its author, with its message; of a
    /// merge, `mainline` says against which parent.
    ///
    /// # Errors
    ///
    /// As [`Repository::revert`].
    pub fn cherry_pick(
        &mut self,
        rev: &str,
        mainline: Option<usize>,
        committer: Signature,
    ) -> Result<PickOutcome, GitError> {
        let head = self.born_head()?;
        let id = self.resolve_commit(rev)?;
        let commit = self.find_commit(id)?.clone();
        let merged = self.picked(head, &commit, id, mainline)?;
        let (message, author) = (commit.message.clone(), Some(commit.author.clone()));
        Ok(self.settle(head, merged, message, author, committer))
    }

    /// A tree with the change of a commit applied.
    pub(super) fn picked(
        &self,
        onto: ObjectId,
        commit: &Commit,
        id: ObjectId,
        mainline: Option<usize>,
    ) -> Result<MergedTree, GitError> {
        let (_, before) = self.side_of(id, mainline)?;
        let label = self.label(commit, id);
        let ours = &self.find_commit(onto)?.tree;
        let labels = MergeLabels { ours: "HEAD", theirs: &label };
        Ok(merge_trees(&before, ours, &commit.tree, labels, self.tree_merge_options()))
    }

    fn label(&self, commit: &Commit, id: ObjectId) -> String {
        format!("{} ({})", self.abbreviate(id), first_line(commit))
    }

    /// The parent a change is measured against, and its tree; before a first commit there is nothing.
    fn side_of(
        &self,
        id: ObjectId,
        mainline: Option<usize>,
    ) -> Result<(Option<ObjectId>, Tree), GitError> {
        let parents = self.parents(id);
        let parent = match mainline {
            Some(n) if n > 1 && parents.len() < 2 => return Err(GitError::NotAMerge(id)),
            Some(n) => Some(
                n.checked_sub(1)
                    .and_then(|n| parents.get(n))
                    .ok_or(GitError::NoSuchParent(id, n))?,
            ),
            None if parents.len() > 1 => return Err(GitError::MainlineMissing(id)),
            None => parents.first(),
        };
        match parent {
            Some(parent) => Ok((Some(*parent), self.find_commit(*parent)?.tree.clone())),
            None => Ok((None, Tree::default())),
        }
    }

    fn settle(
        &mut self,
        head: ObjectId,
        merged: MergedTree,
        message: String,
        author: Option<Signature>,
        committer: Signature,
    ) -> PickOutcome {
        let MergedTree { tree, conflicts } = merged;
        let unchanged = self.objects.commit(head).is_some_and(|commit| commit.tree == tree);
        let unmerged = Unmerged { tree, conflicts, message, parents: vec![head], author };
        match () {
            () if !unmerged.conflicts.is_empty() => PickOutcome::Conflicts(unmerged),
            () if unchanged => PickOutcome::Empty,
            () => {
                let tree = unmerged.tree.clone();
                PickOutcome::Commit(self.conclude_verbatim(&unmerged, tree, committer))
            }
        }
    }
}
