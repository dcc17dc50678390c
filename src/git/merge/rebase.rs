//! Commits applied again, one by one, on top of another: `git rebase`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{MergedTree, Unmerged};
use crate::git::text::patch_text;
use crate::git::{Commit, GitError, ObjectId, Repository, Signature, Tree, diff};

/// What a rebase came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum RebaseOutcome {
    /// The history is on top already.
    UpToDate,
    /// The branch is at this commit now.
    Done(ObjectId),
    /// Nothing moved: a commit's conflicts are to be resolved first, then
    /// [`Repository::continue_rebase`]d.
    Conflicts(Box<RebaseStop>),
}

/// A rebase that waits for conflicts to be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebaseStop {
    /// The commit whose change is in conflict.
    pub commit: ObjectId,
    /// The conflicts; the parent is the commit that the rebase has come to.
    pub unmerged: Unmerged,
    /// The commits still to come.
    pub todo: VecDeque<ObjectId>,
}

impl Repository {
    /// Applies the commits that HEAD has and the revision has not, on top of the revision, and moves
    /// HEAD's branch there. Merges are left out, and so are changes that are there already.
    ///
    /// # Errors
    ///
    /// When the revision names no commit, or HEAD has none.
    pub fn rebase(&mut self, onto: &str, committer: Signature) -> Result<RebaseOutcome, GitError> {
        let (onto, head) = (self.resolve_commit(onto)?, self.born_head()?);
        if self.is_linear_from(onto, head) {
            return Ok(RebaseOutcome::UpToDate);
        }
        let todo = self.commits_to_apply(onto, head);
        self.apply_all(onto, todo, committer)
    }

    /// Goes on with a rebase whose conflicts are resolved in this tree.
    ///
    /// # Errors
    ///
    /// When a commit of it is not here.
    pub fn continue_rebase(
        &mut self,
        stop: RebaseStop,
        tree: Tree,
        committer: Signature,
    ) -> Result<RebaseOutcome, GitError> {
        let tip = stop.unmerged.parents.first().copied().unwrap_or(stop.commit);
        let commit = self.find_commit(stop.commit)?.clone();
        let next = self.applied(tip, &commit, tree, &committer)?;
        self.apply_all(next, stop.todo, committer)
    }

    /// Whether one commit leads to another without a merge between.
    fn is_linear_from(&self, from: ObjectId, mut to: ObjectId) -> bool {
        loop {
            match self.parents(to) {
                _ if to == from => return true,
                [parent] => to = *parent,
                _ => return false,
            }
        }
    }

    /// Oldest first.
    fn commits_to_apply(&self, onto: ObjectId, head: ObjectId) -> VecDeque<ObjectId> {
        let theirs = self.ancestors(&[onto]);
        let ours = self.ancestors(&[head]);
        let known: BTreeSet<Vec<u8>> =
            theirs.difference(&ours).filter_map(|id| self.patch(*id)).collect();
        let is_new = |id: &ObjectId| self.patch(*id).is_none_or(|patch| !known.contains(&patch));
        let mut todo: VecDeque<_> = self.in_topological_order(head, &theirs).into();
        todo.retain(|id| self.parents(*id).len() < 2 && is_new(id));
        todo.make_contiguous().reverse();
        todo
    }

    /// What a commit changes, as a text that is the same for the same change elsewhere; none for
    /// merges and for commits that change nothing.
    fn patch(&self, id: ObjectId) -> Option<Vec<u8>> {
        let commit = self.objects.commit(id).filter(|commit| commit.parents.len() < 2)?;
        let changes = diff(&self.first_parent_tree(commit), &commit.tree);
        (!changes.is_empty()).then(|| patch_text(&changes))
    }

    fn first_parent_tree(&self, commit: &Commit) -> Tree {
        let parent = commit.parents.first().and_then(|id| self.objects.commit(*id));
        parent.map(|parent| parent.tree.clone()).unwrap_or_default()
    }

    /// Children before parents; lines of history are not mixed.
    fn in_topological_order(&self, head: ObjectId, hidden: &BTreeSet<ObjectId>) -> Vec<ObjectId> {
        let shown = self.log_of(&[head], &[]).ids();
        let shown: BTreeSet<_> = shown.into_iter().filter(|id| !hidden.contains(id)).collect();
        let mut children: BTreeMap<ObjectId, usize> = BTreeMap::new();
        for parent in shown.iter().flat_map(|id| self.parents(*id)) {
            *children.entry(*parent).or_default() += 1;
        }
        let mut order = Vec::new();
        let mut ready: Vec<_> = shown.contains(&head).then_some(head).into_iter().collect();
        while let Some(id) = ready.pop() {
            order.push(id);
            for parent in self.parents(id).iter().filter(|parent| shown.contains(parent)) {
                let left = children.entry(*parent).or_default();
                *left -= 1;
                if *left == 0 {
                    ready.push(*parent);
                }
            }
        }
        order
    }

    fn apply_all(
        &mut self,
        onto: ObjectId,
        mut todo: VecDeque<ObjectId>,
        committer: Signature,
    ) -> Result<RebaseOutcome, GitError> {
        let mut tip = onto;
        while let Some(id) = todo.pop_front() {
            let commit = self.find_commit(id)?.clone();
            if commit.parents.first() == Some(&tip) {
                tip = id;
                continue;
            }
            let MergedTree { tree, conflicts } = self.picked(tip, &commit, id, None)?;
            if !conflicts.is_empty() {
                let (message, author) = (commit.message.clone(), Some(commit.author.clone()));
                let unmerged = Unmerged { tree, conflicts, message, parents: vec![tip], author };
                let stop = RebaseStop { commit: id, unmerged, todo };
                return Ok(RebaseOutcome::Conflicts(Box::new(stop)));
            }
            tip = self.applied(tip, &commit, tree, &committer)?;
        }
        self.advance(tip);
        Ok(RebaseOutcome::Done(tip))
    }

    /// The commit again on another parent; none if its change turns out to be there already, unless
    /// it was empty from the start.
    fn applied(
        &mut self,
        tip: ObjectId,
        commit: &Commit,
        tree: Tree,
        committer: &Signature,
    ) -> Result<ObjectId, GitError> {
        let was_empty = self.first_parent_tree(commit) == commit.tree;
        if self.find_commit(tip)?.tree == tree && !was_empty {
            return Ok(tip);
        }
        let (author, message) = (commit.author.clone(), commit.message.clone());
        Ok(self.make_commit(Commit::new(tree, [tip], author, committer.clone(), message)))
    }
}
