//! A clone with files in it: what a person edits, stages and commits in.

use super::{
    Blob, Conflict, Entry, GitError, InvalidPath, MergeOptions, MergeOutcome, Mode, ObjectId,
    PickOutcome, RebaseOutcome, RebaseStop, Repository, Signature, Tree, TreeChange, Unmerged,
    diff,
};

/// A repository with a working tree and an index.
///
/// ```
/// use driftlab::git::{Repository, Signature, Worktree};
/// use driftlab::time::Timestamp;
/// let ada = Signature::new("Ada", "ada@example.com", Timestamp::from_secs(1_767_225_600));
/// let mut worktree = Worktree::new(Repository::new());
/// worktree.write("hello.yaml", "replicas: 3\n")?;
/// worktree.commit_all("Run three", ada.clone())?;
/// worktree.write("hello.yaml", "replicas: 5\n")?;
/// let five = worktree.commit_all("Run five", ada.clone())?;
/// worktree.revert("HEAD", None, ada)?;
/// assert_eq!(worktree.files().text("hello.yaml"), Some("replicas: 3\n"));
/// assert_eq!(worktree.repository().resolve("HEAD~1")?, five);
/// # Ok::<(), driftlab::git::GitError>(())
/// ```
#[derive(Clone)]
pub struct Worktree {
    repository: Repository,
    index: Tree,
    files: Tree,
    under_way: Option<UnderWay>,
}

/// An operation that stopped at conflicts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum UnderWay {
    Commit(&'static str, Unmerged),
    Rebase(Box<RebaseStop>),
}

/// How much of a working tree `git reset` takes along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reset {
    /// Only the branch moves.
    Soft,
    /// The branch and the index.
    #[default]
    Mixed,
    /// The branch, the index and the files.
    Hard,
}

/// Files and what is staged of them.
impl Worktree {
    /// A working tree of this repository, with the files of HEAD.
    pub fn new(repository: Repository) -> Self {
        let files = repository.tree("HEAD").unwrap_or_default();
        Worktree { repository, index: files.clone(), files, under_way: None }
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The repository, to make branches and tags in; moving HEAD under the files is for the methods
    /// here.
    pub fn repository_mut(&mut self) -> &mut Repository {
        &mut self.repository
    }

    /// The files as they are.
    pub fn files(&self) -> &Tree {
        &self.files
    }

    /// What is staged: the next commit's tree.
    pub fn index(&self) -> &Tree {
        &self.index
    }

    /// Writes a regular file.
    ///
    /// # Errors
    ///
    /// When the path leads out of the tree.
    pub fn write(&mut self, path: &str, content: impl Into<Blob>) -> Result<(), InvalidPath> {
        self.put(path, Entry::File(Mode::Regular, content.into()))
    }

    /// Puts a file of any mode, or a folder.
    ///
    /// # Errors
    ///
    /// When the path leads out of the tree.
    pub fn put(&mut self, path: &str, entry: Entry) -> Result<(), InvalidPath> {
        self.files = self.files.with(path, entry)?;
        Ok(())
    }

    /// Removes a file or folder.
    pub fn remove(&mut self, path: &str) {
        self.files = self.files.without(path);
    }

    /// Stages what stands at a path, its absence included: `git add`. A conflict there is resolved by
    /// it. `"."` is everything.
    ///
    /// # Errors
    ///
    /// When neither the files nor the index have the path.
    pub fn stage(&mut self, path: &str) -> Result<(), GitError> {
        let everything = matches!(path, "" | ".");
        let path = path.trim_end_matches('/');
        self.index = match self.files.get(path) {
            _ if everything => self.files.clone(),
            Some(entry) => self.index.with(path, entry)?,
            None if self.index.get(path).is_some() || self.is_conflict(path) => {
                self.index.without(path)
            }
            None => {
                return Err(GitError::NoSuchPath {
                    rev: "the working tree".into(),
                    path: path.into(),
                });
            }
        };
        let inside = format!("{path}/");
        if let Some(unmerged) = self.under_way.as_mut().map(UnderWay::unmerged_mut) {
            unmerged.conflicts.retain(|conflict| {
                !(everything || conflict.path == path || conflict.path.starts_with(&inside))
            });
        }
        Ok(())
    }

    /// What is staged and not committed.
    pub fn staged(&self) -> Vec<TreeChange> {
        diff(&self.repository.tree("HEAD").unwrap_or_default(), &self.index)
    }

    /// What is changed and not staged.
    pub fn unstaged(&self) -> Vec<TreeChange> {
        diff(&self.index, &self.files)
    }

    /// The conflicts that are still to be resolved.
    pub fn conflicts(&self) -> &[Conflict] {
        self.under_way.as_ref().map_or(&[], |under_way| &under_way.unmerged().conflicts)
    }

    /// What stopped at conflicts and waits, in the words of the command: `merge`, `revert` …
    pub fn under_way(&self) -> Option<&'static str> {
        match self.under_way.as_ref()? {
            UnderWay::Commit(operation, _) => Some(operation),
            UnderWay::Rebase(_) => Some("rebase"),
        }
    }

    fn is_conflict(&self, path: &str) -> bool {
        self.conflicts().iter().any(|conflict| conflict.path == path)
    }
}

/// Commits, and what moves the files with HEAD.
impl Worktree {
    /// Commits what is staged. After a merge, revert or pick that stopped at conflicts, this concludes
    /// it (an empty message takes the prepared one).
    ///
    /// # Errors
    ///
    /// When nothing is staged, conflicts are not resolved, or the message is empty.
    pub fn commit(&mut self, message: &str, who: Signature) -> Result<ObjectId, GitError> {
        if !self.conflicts().is_empty() {
            return Err(GitError::Unmerged("Committing"));
        }
        match self.under_way.take() {
            Some(UnderWay::Commit(_, mut unmerged)) => {
                if !message.trim().is_empty() {
                    unmerged.message = message.into();
                }
                return Ok(self.repository.conclude(&unmerged, self.index.clone(), who));
            }
            other => self.under_way = other,
        }
        if self.staged().is_empty() {
            return Err(GitError::NothingToCommit);
        }
        self.commit_anyway(message, who)
    }

    /// Commits what is staged, even if that is nothing: `git commit --allow-empty`.
    ///
    /// # Errors
    ///
    /// When the message is empty.
    pub fn commit_anyway(&mut self, message: &str, who: Signature) -> Result<ObjectId, GitError> {
        if message.trim().is_empty() {
            return Err(GitError::EmptyMessage);
        }
        Ok(self.repository.commit(self.index.clone(), message, who.clone(), who))
    }

    /// Stages everything and commits.
    ///
    /// # Errors
    ///
    /// As [`Worktree::commit`].
    pub fn commit_all(&mut self, message: &str, who: Signature) -> Result<ObjectId, GitError> {
        self.stage(".")?;
        self.commit(message, who)
    }

    /// Goes to another branch, taking uncommitted changes along.
    ///
    /// # Errors
    ///
    /// When there is no such branch, or its files would overwrite uncommitted changes.
    pub fn switch(&mut self, branch: &str) -> Result<(), GitError> {
        self.moving("checkout", |repository| Ok((repository.switch(branch)?, None)))
    }

    /// Goes to a commit itself, detaching HEAD.
    ///
    /// # Errors
    ///
    /// When the revision names no commit, or its files would overwrite uncommitted changes.
    pub fn detach(&mut self, rev: &str) -> Result<ObjectId, GitError> {
        self.moving("checkout", |repository| Ok((repository.detach(rev)?, None)))
    }

    /// Moves the branch to a revision, and with it the index and the files, as asked.
    ///
    /// # Errors
    ///
    /// When the revision names no commit.
    pub fn reset(&mut self, rev: &str, how: Reset) -> Result<ObjectId, GitError> {
        let id = self.repository.reset(rev)?;
        let tree = self.repository.tree("HEAD")?;
        if how != Reset::Soft {
            self.under_way = None;
            self.index = tree.clone();
        }
        if how == Reset::Hard {
            self.files = tree;
        }
        Ok(id)
    }

    /// Merges a revision; see [`Repository::merge`]. At conflicts the files hold Git's markers.
    ///
    /// # Errors
    ///
    /// As [`Repository::merge`], and when it would overwrite uncommitted changes.
    pub fn merge(
        &mut self,
        rev: &str,
        options: &MergeOptions,
        who: Signature,
    ) -> Result<MergeOutcome, GitError> {
        self.moving("merge", |repository| {
            let outcome = repository.merge(rev, options, who)?;
            let left = match &outcome {
                MergeOutcome::Conflicts(unmerged) => {
                    Some(UnderWay::Commit("merge", unmerged.clone()))
                }
                _ => None,
            };
            Ok((outcome, left))
        })
    }

    /// Undoes a commit; see [`Repository::revert`].
    ///
    /// # Errors
    ///
    /// As [`Repository::revert`], and when it would overwrite uncommitted changes.
    pub fn revert(
        &mut self,
        rev: &str,
        mainline: Option<usize>,
        who: Signature,
    ) -> Result<PickOutcome, GitError> {
        self.moving("revert", |repository| {
            Ok(picked("revert", repository.revert(rev, mainline, who)?))
        })
    }

    /// Applies a commit here; see [`Repository::cherry_pick`].
    ///
    /// # Errors
    ///
    /// As [`Repository::cherry_pick`], and when it would overwrite uncommitted changes.
    pub fn cherry_pick(
        &mut self,
        rev: &str,
        mainline: Option<usize>,
        who: Signature,
    ) -> Result<PickOutcome, GitError> {
        self.moving("cherry-pick", |repository| {
            Ok(picked("cherry-pick", repository.cherry_pick(rev, mainline, who)?))
        })
    }

    /// Applies HEAD's own commits on top of a revision; see [`Repository::rebase`].
    ///
    /// # Errors
    ///
    /// As [`Repository::rebase`], and when it would overwrite uncommitted changes.
    pub fn rebase(&mut self, onto: &str, who: Signature) -> Result<RebaseOutcome, GitError> {
        self.moving("rebase", |repository| Ok(rebased(repository.rebase(onto, who)?)))
    }

    /// Goes on with a rebase whose conflicts are resolved and staged.
    ///
    /// # Errors
    ///
    /// When no rebase is under way, or conflicts are not resolved.
    pub fn continue_rebase(&mut self, who: Signature) -> Result<RebaseOutcome, GitError> {
        if !self.conflicts().is_empty() {
            return Err(GitError::Unmerged("Continuing"));
        }
        let Some(UnderWay::Rebase(stop)) = self.under_way.take() else {
            return Err(GitError::NotInProgress("rebase"));
        };
        let resolved = std::mem::replace(&mut self.index, self.repository.tree("HEAD")?);
        self.files = self.index.clone();
        self.moving("rebase", |repository| {
            Ok(rebased(repository.continue_rebase(*stop, resolved, who)?))
        })
    }

    /// Drops a merge, revert, pick or rebase that stopped at conflicts: all is as it was before.
    ///
    /// # Errors
    ///
    /// When none is under way.
    pub fn abort(&mut self) -> Result<(), GitError> {
        self.under_way
            .take()
            .ok_or(GitError::NotInProgress("merge, revert, cherry-pick or rebase"))?;
        self.reset("HEAD", Reset::Hard).map(|_| ())
    }

    /// Does something that moves HEAD or stops at conflicts, and brings index and files along. The
    /// files that it changes must have no uncommitted changes.
    fn moving<T>(
        &mut self,
        operation: &'static str,
        act: impl FnOnce(&mut Repository) -> Result<(T, Option<UnderWay>), GitError>,
    ) -> Result<T, GitError> {
        if self.under_way.is_some() {
            return Err(GitError::Unmerged("Moving on"));
        }
        let mut moved = self.repository.clone();
        let (result, under_way) = act(&mut moved)?;
        let before = self.repository.tree("HEAD").unwrap_or_default();
        let after = match &under_way {
            Some(stopped) => stopped.unmerged().tree.clone(),
            None => moved.tree("HEAD").unwrap_or_default(),
        };
        let changes = diff(&before, &after);
        let lost = changes.iter().filter(|change| self.would_lose(change));
        let paths: Vec<String> = lost.map(|change| change.path.clone()).collect();
        if !paths.is_empty() {
            return Err(GitError::WouldOverwrite { operation, paths });
        }
        self.index = apply(&self.index, &changes);
        self.files = apply(&self.files, &changes);
        (self.repository, self.under_way) = (moved, under_way);
        Ok(result)
    }

    /// Whether a path that is to change holds something that no commit holds.
    fn would_lose(&self, change: &TreeChange) -> bool {
        let differs = |tree: &Tree| {
            let here = tree.get(&change.path);
            here != change.old && here != change.new
        };
        differs(&self.index) || differs(&self.files)
    }
}

impl UnderWay {
    fn unmerged(&self) -> &Unmerged {
        match self {
            UnderWay::Commit(_, unmerged) => unmerged,
            UnderWay::Rebase(stop) => &stop.unmerged,
        }
    }

    fn unmerged_mut(&mut self) -> &mut Unmerged {
        match self {
            UnderWay::Commit(_, unmerged) => unmerged,
            UnderWay::Rebase(stop) => &mut stop.unmerged,
        }
    }
}

fn picked(operation: &'static str, outcome: PickOutcome) -> (PickOutcome, Option<UnderWay>) {
    let left = match &outcome {
        PickOutcome::Conflicts(unmerged) => Some(UnderWay::Commit(operation, unmerged.clone())),
        _ => None,
    };
    (outcome, left)
}

fn rebased(outcome: RebaseOutcome) -> (RebaseOutcome, Option<UnderWay>) {
    let left = match &outcome {
        RebaseOutcome::Conflicts(stop) => Some(UnderWay::Rebase(stop.clone())),
        _ => None,
    };
    (outcome, left)
}

fn apply(tree: &Tree, changes: &[TreeChange]) -> Tree {
    let removed = changes.iter().filter(|change| change.new.is_none());
    let tree = removed.fold(tree.clone(), |tree, change| tree.without(&change.path));
    changes.iter().fold(tree, |tree, change| match &change.new {
        Some(entry) => tree.put(&change.path, entry.clone()),
        None => tree,
    })
}
