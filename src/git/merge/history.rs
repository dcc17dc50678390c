//! The merge of two histories: git-merge(1).

use super::{MergeLabels, MergedTree, TreeMergeOptions, Unmerged, merge_trees};
use crate::git::{
    Commit, Config, Favor, GitError, GitVersion, Object, ObjectId, ObjectKind, Repository,
    Signature, Tree, clean_message,
};
use crate::time::Timestamp;

/// Whether a merge may simply move the branch forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FastForward {
    /// It does where it can (`--ff`).
    #[default]
    Allowed,
    /// It makes a merge commit always (`--no-ff`).
    Never,
    /// It fails where it cannot (`--ff-only`).
    Only,
}

/// How histories are merged.
///
/// ```
/// use driftlab::git::{FastForward, MergeOptions};
/// let options = MergeOptions { fast_forward: FastForward::Never, ..MergeOptions::default() };
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeOptions {
    /// Whether to move forward instead.
    pub fast_forward: FastForward,
    /// The message, rather than Git's own.
    pub message: Option<String>,
    /// What becomes of lines that both sides changed.
    pub favor: Favor,
    /// Merge histories that have nothing in common (`--allow-unrelated-histories`).
    pub unrelated: bool,
}

/// What a merge came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum MergeOutcome {
    /// There was nothing to merge.
    UpToDate,
    /// HEAD's branch moved forward to this commit.
    FastForward(ObjectId),
    /// This merge commit was made.
    Commit(ObjectId),
    /// Nothing moved: conflicts are to be resolved first, then [`Repository::conclude`]d.
    Conflicts(Unmerged),
}

impl Repository {
    /// Merges a revision into HEAD's branch, the way `git merge` does: forward where possible, else
    /// by a three-way merge whose base is itself a merge where histories cross.
    ///
    /// # Errors
    ///
    /// When the revision names no commit, has nothing in common with HEAD, or may only be
    /// fast-forwarded and cannot.
    pub fn merge(
        &mut self,
        rev: &str,
        options: &MergeOptions,
        committer: Signature,
    ) -> Result<MergeOutcome, GitError> {
        let theirs = self.resolve_commit(rev)?;
        let Some(ours) = self.head_id() else {
            self.advance(theirs);
            return Ok(MergeOutcome::FastForward(theirs));
        };
        let bases = self.merge_bases(ours, theirs);
        if bases.contains(&theirs) {
            return Ok(MergeOutcome::UpToDate);
        }
        if bases.contains(&ours) && options.fast_forward != FastForward::Never {
            self.advance(theirs);
            return Ok(MergeOutcome::FastForward(theirs));
        }
        if options.fast_forward == FastForward::Only {
            return Err(GitError::NotFastForward);
        }
        if bases.is_empty() && !options.unrelated {
            return Err(GitError::UnrelatedHistories);
        }
        self.merge_commits(rev, ours, theirs, options, committer)
    }

    /// Makes the commit of a merge or pick whose conflicts are resolved in this tree.
    pub fn conclude(&mut self, unmerged: &Unmerged, tree: Tree, committer: Signature) -> ObjectId {
        let message = clean_message(&unmerged.message);
        self.conclude_verbatim(&Unmerged { message, ..unmerged.clone() }, tree, committer)
    }

    /// The same with the message to the byte.
    pub(super) fn conclude_verbatim(
        &mut self,
        unmerged: &Unmerged,
        tree: Tree,
        committer: Signature,
    ) -> ObjectId {
        let author = unmerged.author.clone().unwrap_or_else(|| committer.clone());
        let (parents, message) = (unmerged.parents.clone(), unmerged.message.clone());
        let id = self.make_commit(Commit::new(tree, parents, author, committer, message));
        self.advance(id);
        id
    }

    /// Merges two commits without moving anything: the tree, with conflicts as data.
    ///
    /// # Errors
    ///
    /// When one of them is no commit here.
    pub fn merge_of(
        &self,
        ours: ObjectId,
        theirs: ObjectId,
        labels: MergeLabels<'_>,
        options: TreeMergeOptions,
    ) -> Result<MergedTree, GitError> {
        // The merges of merge bases are commits of a scratch copy, forgotten afterwards.
        self.clone().merge_recursively(ours, theirs, labels, options)
    }

    /// How this repository merges trees.
    pub(in crate::git) fn tree_merge_options(&self) -> TreeMergeOptions {
        let Config { merge_renames, version, .. } = self.config;
        let renames = merge_renames || version < GitVersion(2, 50);
        TreeMergeOptions { renames, version, ..TreeMergeOptions::default() }
    }

    fn merge_commits(
        &mut self,
        rev: &str,
        ours: ObjectId,
        theirs: ObjectId,
        options: &MergeOptions,
        committer: Signature,
    ) -> Result<MergeOutcome, GitError> {
        let message = match &options.message {
            Some(message) => clean_message(message),
            None => clean_message(&self.merge_message(rev)?),
        };
        let labels = MergeLabels { ours: "HEAD", theirs: rev };
        let tree_options = TreeMergeOptions { favor: options.favor, ..self.tree_merge_options() };
        let merged = self.merge_of(ours, theirs, labels, tree_options)?;
        let parents = vec![ours, theirs];
        if !merged.conflicts.is_empty() {
            let MergedTree { tree, conflicts } = merged;
            let unmerged = Unmerged { tree, conflicts, message, parents, author: None };
            return Ok(MergeOutcome::Conflicts(unmerged));
        }
        let mut commit = Commit::new(merged.tree, parents, committer.clone(), committer, message);
        commit.headers.extend(self.merge_tag(rev)?);
        let id = self.make_commit(commit);
        self.advance(id);
        Ok(MergeOutcome::Commit(id))
    }

    /// A merge of an annotated tag carries the tag.
    fn merge_tag(&self, rev: &str) -> Result<Option<(String, String)>, GitError> {
        Ok(match self.objects.get(self.resolve(rev)?) {
            Some(Object::Tag(tag)) if tag.kind == ObjectKind::Commit => {
                let text = String::from_utf8_lossy(&tag.encode()).into_owned();
                Some(("mergetag".into(), text.strip_suffix('\n').unwrap_or(&text).to_owned()))
            }
            _ => None,
        })
    }

    /// With several merge bases, these are merged first, oldest first, conflicts and all.
    fn merge_recursively(
        &mut self,
        ours: ObjectId,
        theirs: ObjectId,
        labels: MergeLabels<'_>,
        options: TreeMergeOptions,
    ) -> Result<MergedTree, GitError> {
        let mut bases = self.merge_bases(ours, theirs).into_iter().rev();
        let mut base = bases.next();
        let within =
            MergeLabels { ours: "Temporary merge branch 1", theirs: "Temporary merge branch 2" };
        for next in bases {
            let deeper = TreeMergeOptions { depth: options.depth + 1, ..options };
            if let Some(first) = base {
                let merged = self.merge_recursively(first, next, within, deeper)?;
                base = Some(self.write_commit(virtual_commit(merged.tree, vec![first, next])));
            }
        }
        let base = match base {
            Some(id) => self.find_commit(id)?.tree.clone(),
            None => Tree::default(),
        };
        let (ours, theirs) = (&self.find_commit(ours)?.tree, &self.find_commit(theirs)?.tree);
        Ok(merge_trees(&base, ours, theirs, labels, options))
    }
}

/// A merge base made of merge bases: older than all.
fn virtual_commit(tree: Tree, parents: Vec<ObjectId>) -> Commit {
    let nobody = Signature::new("", "", Timestamp::default());
    Commit::new(tree, parents, nobody.clone(), nobody, "merged tree")
}
