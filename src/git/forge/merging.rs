//! How a pull request goes in: the three ways of merging, and what stands against it.

use super::access::Granted;
use super::{Caller, Forge, Hosted, MergeMethod, PullError, PullRequest, Role, Scope};
use crate::git::{
    Commit, Conflict, FastForward, Head, MergeLabels, MergeOptions, MergeOutcome, MergedTree,
    ObjectId, RebaseOutcome, Repository, Signature, SigningKey,
};
use crate::time::Timestamp;

/// Whether an open pull request can go in as things are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mergeability {
    /// What both branches changed, each in its way.
    pub conflicts: Vec<Conflict>,
    /// Which rules for the target are not met, for somebody who is no administrator.
    pub objections: Vec<String>,
}

impl Mergeability {
    /// The word of GitHub's API: `clean`, `dirty` (in conflict) or `blocked` (by a rule).
    pub fn word(&self) -> &'static str {
        match (&self.conflicts[..], &self.objections[..]) {
            ([], []) => "clean",
            ([], _) => "blocked",
            _ => "dirty",
        }
    }
}

impl Forge {
    /// Whether an open pull request can go in as things are.
    ///
    /// # Errors
    ///
    /// When the caller may not read it, or it is not open.
    pub fn mergeability(
        &self,
        url: &str,
        caller: &Caller,
        number: u64,
        now: Timestamp,
    ) -> Result<Mergeability, PullError> {
        let granted = self.check(url, caller, Role::Read, Scope::ReadContents, now)?;
        let (pull, hosted) = self.open_pull_of(&granted.name, number)?;
        let head = hosted.head_of(number)?;
        let anybody = Granted { role: Role::Write, ..granted };
        let objections = hosted.objections_to_merge(pull, head, MergeMethod::Merge, &anybody);
        Ok(Mergeability { conflicts: hosted.conflicts_of(pull, head)?, objections })
    }
}

impl Hosted {
    fn conflicts_of(&self, pull: &PullRequest, head: ObjectId) -> Result<Vec<Conflict>, PullError> {
        let target = self.repository.resolve_commit(&format!("refs/heads/{}", pull.target))?;
        Ok(merged_tree(&self.repository, pull, target, head)?.conflicts)
    }
}

fn merged_tree(
    repository: &Repository,
    pull: &PullRequest,
    target: ObjectId,
    head: ObjectId,
) -> Result<MergedTree, PullError> {
    let labels = MergeLabels { ours: &pull.target, theirs: &pull.source };
    Ok(repository.merge_of(target, head, labels, repository.tree_merge_options())?)
}

/// A merge that a forge makes.
pub(super) struct Merging<'m> {
    pub(super) repository: &'m Repository,
    pub(super) pull: &'m PullRequest,
    pub(super) head: ObjectId,
    pub(super) owner: &'m str,
    pub(super) author: Signature,
    pub(super) pull_author: Signature,
    pub(super) committer: Signature,
    /// Whether the forge signs what it commits.
    pub(super) is_signed: bool,
}

impl Merging<'_> {
    /// The repository afterwards, and where the target is.
    pub(super) fn merge(&self, method: MergeMethod) -> Result<(Repository, ObjectId), PullError> {
        let mut work = self.repository.clone();
        let shown = std::mem::replace(&mut work.head, Head::Branch(self.pull.target.clone()));
        let key = self.is_signed.then(|| SigningKey::of(&self.committer.email));
        let own = std::mem::replace(&mut work.config.signing_key, key);
        let new = match method {
            MergeMethod::Merge => self.merge_commit(&mut work)?,
            MergeMethod::Squash => self.squash(&mut work)?,
            MergeMethod::Rebase => self.rebase(&mut work)?,
        };
        work.head = shown;
        work.config.signing_key = own;
        Ok((work, new))
    }

    fn merge_commit(&self, work: &mut Repository) -> Result<ObjectId, PullError> {
        let PullRequest { number, title, source, .. } = self.pull;
        let message =
            format!("Merge pull request #{number} from {}/{source}\n\n{title}\n", self.owner);
        let fast_forward = FastForward::Never;
        let options =
            MergeOptions { fast_forward, message: Some(message), ..MergeOptions::default() };
        let merged = work.merge(&self.head.to_string(), &options, self.committer.clone())?;
        match merged {
            MergeOutcome::Conflicts(unmerged) => Err(self.conflicts(unmerged.conflicts)),
            MergeOutcome::UpToDate => Ok(work.resolve("HEAD")?),
            MergeOutcome::FastForward(id) => Ok(id),
            MergeOutcome::Commit(id) => {
                let mut commit = Commit::clone(work.find_commit(id)?);
                commit.author = self.author.clone();
                let id = work.make_commit(commit);
                work.advance(id);
                Ok(id)
            }
        }
    }

    fn squash(&self, work: &mut Repository) -> Result<ObjectId, PullError> {
        let target = work.resolve("HEAD")?;
        let merged = merged_tree(work, self.pull, target, self.head)?;
        if !merged.conflicts.is_empty() {
            return Err(self.conflicts(merged.conflicts));
        }
        let mut commits: Vec<String> = work
            .log_of(&[self.head], &[target])
            .map(|(_, commit)| commit.message.clone())
            .collect();
        commits.reverse();
        let body = match &commits[..] {
            [only] => {
                only.split_once("\n\n").map_or(String::new(), |(_, body)| format!("\n\n{body}"))
            }
            all => format!(
                "\n\n{}",
                all.iter().map(|message| format!("* {message}")).collect::<Vec<_>>().join("\n")
            ),
        };
        let message = format!("{} (#{}){body}", self.pull.title, self.pull.number);
        Ok(work.commit(merged.tree, &message, self.pull_author.clone(), self.committer.clone()))
    }

    fn rebase(&self, work: &mut Repository) -> Result<ObjectId, PullError> {
        let target = work.resolve("HEAD")?;
        let branch = std::mem::replace(&mut work.head, Head::Detached(self.head));
        match work.rebase(&target.to_string(), self.committer.clone())? {
            RebaseOutcome::Conflicts(stop) => Err(self.conflicts(stop.unmerged.conflicts)),
            RebaseOutcome::UpToDate | RebaseOutcome::Done(_) => {
                let new = work.resolve("HEAD")?;
                work.head = branch;
                work.advance(new);
                Ok(new)
            }
        }
    }

    fn conflicts(&self, conflicts: Vec<Conflict>) -> PullError {
        PullError::Conflicts { number: self.pull.number, conflicts }
    }
}
