//! Pull requests: opened, followed as their branch moves, merged.

use super::merging::Merging;
use super::text;
use super::{AccessError, Caller, Forge, HookEvent, Hosted, Review, Role, Scope, WebhookEvent};
use crate::git::{Conflict, GitError, ObjectId, RefUpdate, Signature};
use crate::time::Timestamp;

/// A request to merge one branch into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number, from 1.
    pub number: u64,
    /// What it is about.
    pub title: String,
    /// More about it.
    pub body: String,
    /// Who asks.
    pub author: String,
    /// The branch with the changes.
    pub source: String,
    /// The branch that they are to go to.
    pub target: String,
    /// How it stands.
    pub state: PullState,
    /// What others think, in order.
    pub reviews: Vec<Review>,
    /// When it was opened.
    pub opened: Timestamp,
    /// The commits that it brought into the target; empty until it is merged.
    pub brought: Vec<ObjectId>,
}

/// How a pull request stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PullState {
    /// It waits.
    Open,
    /// It was given up.
    Closed,
    /// It went in.
    Merged {
        /// The commit that the target was at then.
        commit: ObjectId,
        /// Who merged it.
        by: String,
        /// When.
        at: Timestamp,
    },
}

/// What a pull request is opened with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NewPull {
    /// What it is about.
    pub title: String,
    /// More about it.
    pub body: String,
    /// The branch with the changes.
    pub source: String,
    /// The branch that they are to go to.
    pub target: String,
}

/// How a pull request goes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MergeMethod {
    /// By a merge commit.
    #[default]
    Merge,
    /// As one commit.
    Squash,
    /// Its commits one by one on top of the target.
    Rebase,
}

/// What came of something done to a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Pulled {
    /// The number.
    pub number: u64,
    /// Where the target is now, after a merge.
    pub commit: Option<ObjectId>,
    /// What is to be delivered to webhooks.
    pub events: Vec<WebhookEvent>,
}

/// Why nothing came of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The caller may not.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is no pull request of that number.
    #[error("no pull requests found for number {0}")]
    NoSuchPull(u64),
    /// It is closed.
    #[error("Pull request #{0} is closed")]
    Closed(u64),
    /// It went in before.
    #[error("Pull request #{0} is merged already")]
    Merged(u64),
    /// There is nothing to merge.
    #[error("No commits between {target} and {source_branch}")]
    NoCommits {
        /// The branch to merge into.
        target: String,
        /// The branch to merge.
        source_branch: String,
    },
    /// There is an open one for the same branches.
    #[error("A pull request already exists for {source_branch}: #{number}")]
    Exists {
        /// The branch to merge.
        source_branch: String,
        /// The number of the other.
        number: u64,
    },
    /// Its title or body, or what a review says, is not as it must be.
    #[error("{0}")]
    Text(String),
    /// One's own work is for others to judge.
    #[error("Can not approve or request changes on your own pull request")]
    OwnPull,
    /// The rules for the target are not met.
    #[error("Pull request #{number} is not mergeable: the base branch policy prohibits the merge. {}", objections.join(" "))]
    Blocked {
        /// The number.
        number: u64,
        /// What is missing.
        objections: Vec<String>,
    },
    /// The branches are in conflict.
    #[error(
        "Pull request #{number} is not mergeable: the merge commit cannot be cleanly created, there are conflicts in {}",
        paths(conflicts)
    )]
    Conflicts {
        /// The number.
        number: u64,
        /// Where.
        conflicts: Vec<Conflict>,
    },
    /// A branch is not there, or the like.
    #[error(transparent)]
    Git(#[from] GitError),
}

fn paths(conflicts: &[Conflict]) -> String {
    conflicts.iter().map(|conflict| conflict.path.as_str()).collect::<Vec<_>>().join(", ")
}

impl PullRequest {
    /// The reference at the commit that is asked to be merged.
    pub fn head_reference(&self) -> String {
        head_reference(self.number)
    }
}

fn head_reference(number: u64) -> String {
    format!("refs/pull/{number}/head")
}

impl Forge {
    /// Opens a pull request.
    ///
    /// # Errors
    ///
    /// When the caller may not, a branch is not there, there is nothing to merge, there is one open for
    /// the same branches, or the title is not one line of 1 to 256 characters.
    pub fn open_pull(
        &mut self,
        url: &str,
        caller: &Caller,
        new: NewPull,
        now: Timestamp,
    ) -> Result<Pulled, PullError> {
        let granted = self.check(url, caller, Role::Read, Scope::PullRequests, now)?;
        let mut hosted =
            self.hosted.get(&granted.name).map(|h| Hosted::clone(h)).unwrap_or_default();
        let head = hosted.check_new(&new)?;
        text::check(&new)?;
        let number = hosted.pulls.keys().next_back().map_or(1, |last| last + 1);
        let NewPull { title, body, source, target } = new;
        let author = granted.user.clone();
        let pull = PullRequest {
            number,
            title,
            body,
            author,
            source,
            target,
            state: PullState::Open,
            reviews: Vec::new(),
            opened: now,
            brought: Vec::new(),
        };
        hosted.repository.set_reference(&pull.head_reference(), head)?;
        hosted.pulls.insert(number, pull);
        let events = self.pull_events(
            &granted.name,
            &hosted,
            number,
            HookEvent::PullRequest,
            "opened",
            &granted.user,
        );
        self.change(&granted.name, |old| *old = hosted);
        Ok(Pulled { number, commit: None, events })
    }

    /// Gives a pull request up.
    ///
    /// # Errors
    ///
    /// When it is not open, or the caller is neither its author nor may write.
    pub fn close_pull(
        &mut self,
        url: &str,
        caller: &Caller,
        number: u64,
        now: Timestamp,
    ) -> Result<Pulled, PullError> {
        let mut granted = self.check(url, caller, Role::Read, Scope::PullRequests, now)?;
        let (pull, hosted) = self.open_pull_of(&granted.name, number)?;
        if pull.author != granted.user {
            granted = self.check(url, caller, Role::Write, Scope::PullRequests, now)?;
        }
        let mut hosted = hosted.clone();
        hosted.set_state(number, PullState::Closed);
        let events = self.pull_events(
            &granted.name,
            &hosted,
            number,
            HookEvent::PullRequest,
            "closed",
            &granted.user,
        );
        self.change(&granted.name, |old| *old = hosted);
        Ok(Pulled { number, commit: None, events })
    }

    /// Merges a pull request.
    ///
    /// # Errors
    ///
    /// When the caller may not write, the rules for the target are not met, or the branches are in
    /// conflict.
    pub fn merge_pull(
        &mut self,
        url: &str,
        caller: &Caller,
        number: u64,
        method: MergeMethod,
        now: Timestamp,
    ) -> Result<Pulled, PullError> {
        let granted = self.check(url, caller, Role::Write, Scope::PullRequests, now)?;
        let (pull, hosted) = self.open_pull_of(&granted.name, number)?;
        let (pull, mut hosted) = (pull.clone(), hosted.clone());
        let head = hosted.head_of(number)?;
        let objections = hosted.objections_to_merge(&pull, head, method, &granted);
        if !objections.is_empty() {
            return Err(PullError::Blocked { number, objections });
        }
        let target = format!("refs/heads/{}", pull.target);
        let old = hosted.repository.resolve_commit(&target)?;
        let merging = Merging {
            repository: &hosted.repository,
            pull: &pull,
            head,
            owner: granted.name.split('/').next().unwrap_or_default(),
            author: self.signature(&granted.user, now),
            pull_author: self.signature(&pull.author, now),
            committer: self.committer(now),
            is_signed: hosted.signs(&pull.target),
        };
        let (after, new) = merging.merge(method)?;
        hosted.repository = after;
        let brought = hosted.repository.log_of(&[new], &[old]).ids();
        if let Some(pull) = hosted.pulls.get_mut(&number) {
            pull.brought = brought;
        }
        hosted.set_state(
            number,
            PullState::Merged { commit: new, by: granted.user.clone(), at: now },
        );
        let update = RefUpdate { name: target, old: Some(old), new: Some(new), force: false };
        let mut events = self.pull_events(
            &granted.name,
            &hosted,
            number,
            HookEvent::PullRequest,
            "closed",
            &granted.user,
        );
        events.extend(self.push_events(&granted.name, &hosted, &update, &granted.user));
        events.extend(self.settle_pulls(&granted.name, &mut hosted, &update, &granted.user, now));
        self.change(&granted.name, |old| *old = hosted);
        Ok(Pulled { number, commit: Some(new), events })
    }

    /// Pull requests whose commits arrived in their target by a push are merged by it; those whose
    /// branch moved have something new to show, and those of whose branches one is gone are closed.
    pub(super) fn settle_pulls(
        &self,
        name: &str,
        hosted: &mut Hosted,
        update: &RefUpdate,
        user: &str,
        now: Timestamp,
    ) -> Vec<WebhookEvent> {
        let Some(branch) = update.name.strip_prefix("refs/heads/") else { return Vec::new() };
        let open: Vec<PullRequest> =
            hosted.pulls.values().filter(|pull| pull.state == PullState::Open).cloned().collect();
        let mut events = Vec::new();
        for pull in open {
            let number = pull.number;
            let head = hosted.repository.reference(&pull.head_reference());
            let arrived = |(head, new)| hosted.repository.is_ancestor(head, new);
            let action = match update.new {
                Some(new)
                    if pull.target == branch
                        && head.map(|head| (head, new)).is_some_and(arrived) =>
                {
                    let by = user.to_owned();
                    let known: Vec<ObjectId> = update.old.into_iter().collect();
                    let brought = hosted.repository.log_of(&[new], &known).ids();
                    if let Some(pull) = hosted.pulls.get_mut(&number) {
                        pull.brought = brought;
                    }
                    hosted.set_state(number, PullState::Merged { commit: new, by, at: now });
                    "closed"
                }
                Some(_) if pull.source == branch => "synchronize",
                None if pull.source == branch || pull.target == branch => {
                    hosted.set_state(number, PullState::Closed);
                    "closed"
                }
                _ => continue,
            };
            events.extend(self.pull_events(
                name,
                hosted,
                number,
                HookEvent::PullRequest,
                action,
                user,
            ));
        }
        events
    }

    pub(super) fn open_pull_of(
        &self,
        name: &str,
        number: u64,
    ) -> Result<(&PullRequest, &Hosted), PullError> {
        let hosted = self.hosted.get(name).ok_or(PullError::NoSuchPull(number))?;
        let pull = hosted.pulls.get(&number).ok_or(PullError::NoSuchPull(number))?;
        match pull.state {
            PullState::Open => Ok((pull, hosted)),
            PullState::Closed => Err(PullError::Closed(number)),
            PullState::Merged { .. } => Err(PullError::Merged(number)),
        }
    }

    /// Who commits what is merged here: the forge.
    fn committer(&self, now: Timestamp) -> Signature {
        let host = self.host_name();
        Signature::new(host, &format!("noreply@{host}"), now)
    }
}

impl Hosted {
    pub(super) fn head_of(&self, number: u64) -> Result<ObjectId, PullError> {
        Ok(self.repository.resolve_commit(&head_reference(number))?)
    }

    /// The head of an open pull request follows its branch.
    pub(super) fn follow_branch(&mut self, update: &RefUpdate) {
        let (Some(branch), Some(new)) = (update.name.strip_prefix("refs/heads/"), update.new)
        else {
            return;
        };
        let followed = |pull: &&PullRequest| pull.state == PullState::Open && pull.source == branch;
        let heads: Vec<String> =
            self.pulls.values().filter(followed).map(PullRequest::head_reference).collect();
        for head in heads {
            self.repository.set_reference(&head, new).expect("the branch names the commit already");
        }
    }

    fn set_state(&mut self, number: u64, state: PullState) {
        if let Some(pull) = self.pulls.get_mut(&number) {
            pull.state = state;
        }
    }

    /// The head of a pull request that may be opened.
    fn check_new(&self, new: &NewPull) -> Result<ObjectId, PullError> {
        let tip = |branch: &str| {
            let missing = || GitError::NoSuchBranch(branch.into());
            self.repository.branch_id(branch).ok_or_else(missing)
        };
        let (head, base) = (tip(&new.source)?, tip(&new.target)?);
        if self.repository.is_ancestor(head, base) {
            let (target, source_branch) = (new.target.clone(), new.source.clone());
            return Err(PullError::NoCommits { target, source_branch });
        }
        let same = |pull: &&PullRequest| {
            pull.state == PullState::Open && pull.source == new.source && pull.target == new.target
        };
        match self.pulls.values().find(same) {
            Some(pull) => {
                Err(PullError::Exists { source_branch: new.source.clone(), number: pull.number })
            }
            None => Ok(head),
        }
    }
}
