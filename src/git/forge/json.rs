//! What a forge has, as GitHub's webhooks and REST API show it.

use serde_json::{Value, json};

use super::{Forge, Hosted, PullRequest, PullState, Review, Verdict};
use crate::git::{Commit, ObjectId, diff};

/// In the form of GitHub's REST API, without the addresses, which whoever serves it knows.
impl Forge {
    /// A repository.
    pub fn repository_json(&self, url: &str) -> Option<Value> {
        let (name, hosted) = self.hosted(url).ok()?;
        Some(self.hosted_json(name, hosted))
    }

    /// A pull request, without what it takes a merge to know.
    pub fn pull_json(&self, url: &str, number: u64) -> Option<Value> {
        let (_, hosted) = self.hosted(url).ok()?;
        Some(self.json_of(hosted, hosted.pulls.get(&number)?))
    }

    /// A review.
    pub fn review_json(&self, review: &Review) -> Value {
        json!({
            "state": word(review.verdict),
            "body": review.body,
            "commit_id": review.commit.to_string(),
            "submitted_at": review.at.to_string(),
            "user": self.user(&review.author),
        })
    }

    pub(super) fn hosted_json(&self, name: &str, hosted: &Hosted) -> Value {
        json!({
            "full_name": name,
            "name": name.rsplit('/').next(),
            "clone_url": self.url(name),
            "default_branch": hosted.repository.current_branch(),
            "private": hosted.private,
            "archived": hosted.archived,
        })
    }

    pub(super) fn commit_json(
        &self,
        name: &str,
        hosted: &Hosted,
        id: ObjectId,
        commit: &Commit,
    ) -> Value {
        let parent = commit.parents.first().and_then(|id| hosted.repository.find_commit(*id).ok());
        let before = parent.map(|parent| parent.tree.clone()).unwrap_or_default();
        let changes = diff(&before, &commit.tree);
        let paths = |letters: &str| -> Vec<&str> {
            let wanted = changes.iter().filter(|change| letters.contains(change.kind().letter()));
            wanted.map(|change| change.path.as_str()).collect()
        };
        json!({
            "id": id.to_string(),
            "message": commit.message.trim_end(),
            "timestamp": commit.committer.when.to_string(),
            "url": format!("{}/{name}/commit/{id}", self.base),
            "author": {"name": commit.author.name, "email": commit.author.email},
            "committer": {"name": commit.committer.name, "email": commit.committer.email},
            "added": paths("A"),
            "removed": paths("D"),
            "modified": paths("MT"),
        })
    }

    pub(super) fn json_of(&self, hosted: &Hosted, pull: &PullRequest) -> Value {
        let id = |reference: &str| hosted.repository.reference(reference).map(|id| id.to_string());
        let state = if pull.state == PullState::Open { "open" } else { "closed" };
        let merged = match &pull.state {
            PullState::Merged { commit, by, at } => Some((commit.to_string(), by, at.to_string())),
            _ => None,
        };
        json!({
            "number": pull.number,
            "title": pull.title,
            "body": pull.body,
            "state": state,
            "user": self.user(&pull.author),
            "created_at": pull.opened.to_string(),
            "head": {"ref": pull.source, "sha": id(&pull.head_reference())},
            "base": {"ref": pull.target, "sha": id(&format!("refs/heads/{}", pull.target))},
            "merged": merged.is_some(),
            "merge_commit_sha": merged.as_ref().map(|(commit, ..)| commit),
            "merged_by": merged.as_ref().map(|(_, by, _)| self.user(by)),
            "merged_at": merged.as_ref().map(|(.., at)| at),
            "draft": false,
        })
    }

    pub(super) fn user(&self, login: &str) -> Value {
        let email = self.users.get(login).map(|user| user.email.clone());
        json!({"login": login, "name": login, "email": email})
    }
}

/// A verdict, as a review that was submitted has it.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approved",
        Verdict::RequestChanges => "changes_requested",
        Verdict::Comment => "commented",
    }
}
