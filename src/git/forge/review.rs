//! Reviews of pull requests.

use super::{Caller, Forge, HookEvent, PullError, PullRequest, Pulled, Role, Scope, text};
use crate::git::ObjectId;
use crate::time::Timestamp;

/// What somebody thinks of a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Review {
    /// Who.
    pub author: String,
    /// Whether the author may write to the repository: other approvals are kind words.
    pub by_writer: bool,
    /// What they think.
    pub verdict: Verdict,
    /// What they saw: the head of the pull request then.
    pub commit: ObjectId,
    /// What they say.
    pub body: String,
    /// When.
    pub at: Timestamp,
}

/// What a review comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Go ahead.
    Approve,
    /// Not like this.
    RequestChanges,
    /// Neither.
    Comment,
}

impl Forge {
    /// Reviews an open pull request.
    ///
    /// # Errors
    ///
    /// When the caller may not, the pull request is not open, it is the caller's own and the verdict
    /// more than a comment, or nothing is said where something must be.
    pub fn review(
        &mut self,
        url: &str,
        caller: &Caller,
        number: u64,
        verdict: Verdict,
        body: &str,
        now: Timestamp,
    ) -> Result<Pulled, PullError> {
        let granted = self.check(url, caller, Role::Read, Scope::PullRequests, now)?;
        text::check_review(verdict, body)?;
        let (_, hosted) = self.open_pull_of(&granted.name, number)?;
        let mut changed = hosted.clone();
        let commit = changed.head_of(number)?;
        let pull = changed.pulls.get_mut(&number).ok_or(PullError::NoSuchPull(number))?;
        if pull.author == granted.user && verdict != Verdict::Comment {
            return Err(PullError::OwnPull);
        }
        let (author, by_writer) = (granted.user.clone(), granted.role >= Role::Write);
        pull.reviews.push(Review {
            author,
            by_writer,
            verdict,
            commit,
            body: body.into(),
            at: now,
        });
        let events = self.pull_events(
            &granted.name,
            &changed,
            number,
            HookEvent::Review,
            "submitted",
            &granted.user,
        );
        self.change(&granted.name, |hosted| *hosted = changed);
        Ok(Pulled { number, commit: None, events })
    }
}

impl PullRequest {
    /// The last word of each reviewer, comments not counted.
    pub fn verdicts(&self) -> impl Iterator<Item = &Review> {
        let counts = |review: &&Review| review.verdict != Verdict::Comment;
        self.reviews
            .iter()
            .enumerate()
            .filter(move |(at, review)| {
                let later = self.reviews[at + 1..].iter().filter(counts);
                counts(review) && !later.into_iter().any(|other| other.author == review.author)
            })
            .map(|(_, review)| review)
    }

    /// The approvals that count; of a commit only, if one is given.
    pub fn approvals(&self, of: Option<ObjectId>) -> impl Iterator<Item = &Review> {
        self.verdicts().filter(move |review| {
            review.verdict == Verdict::Approve
                && review.by_writer
                && of.is_none_or(|commit| commit == review.commit)
        })
    }

    /// Whether somebody who may write asked for changes, and has not approved since.
    pub fn has_objections(&self) -> bool {
        self.verdicts().any(|review| review.verdict == Verdict::RequestChanges && review.by_writer)
    }
}
