//! Webhooks: what a forge tells others, in the form that GitHub gives it.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Forge, Hosted};
use crate::git::{ObjectId, RefUpdate};

/// Somebody to be told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hook {
    /// Where to.
    pub url: String,
    /// What a delivery is signed with, if anything.
    pub secret: Option<String>,
    /// What about; all if empty.
    pub events: Vec<HookEvent>,
}

/// What can be told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookEvent {
    /// A branch or tag moved.
    Push,
    /// A pull request was opened, moved, closed or merged.
    PullRequest,
    /// A review was given.
    Review,
}

/// One delivery, for whoever carries it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebhookEvent {
    /// The repository it is about.
    pub repository: String,
    /// Where it goes.
    pub url: String,
    /// What it is about: the header `X-GitHub-Event`.
    pub event: HookEvent,
    /// The body, JSON.
    pub body: String,
    /// The header `X-Hub-Signature-256`, where the hook has a secret.
    pub signature: Option<String>,
}

impl HookEvent {
    /// The name in the header.
    pub fn name(self) -> &'static str {
        match self {
            HookEvent::Push => "push",
            HookEvent::PullRequest => "pull_request",
            HookEvent::Review => "pull_request_review",
        }
    }
}

impl Forge {
    pub(super) fn push_events(
        &self,
        name: &str,
        hosted: &Hosted,
        update: &RefUpdate,
        user: &str,
    ) -> Vec<WebhookEvent> {
        let id = |id: Option<ObjectId>| id.unwrap_or_default().to_string();
        let forced = match (update.old, update.new) {
            (Some(old), Some(new)) => !hosted.repository.is_ancestor(old, new),
            _ => false,
        };
        let mut payload = json!({
            "ref": update.name,
            "before": id(update.old),
            "after": id(update.new),
            "created": update.old.is_none(),
            "deleted": update.new.is_none(),
            "forced": forced,
            "commits": self.new_commits(name, hosted, update),
            "pusher": self.user(user),
        });
        self.deliveries(name, hosted, HookEvent::Push, &mut payload)
    }

    pub(super) fn pull_events(
        &self,
        name: &str,
        hosted: &Hosted,
        number: u64,
        event: HookEvent,
        action: &str,
        user: &str,
    ) -> Vec<WebhookEvent> {
        let Some(pull) = hosted.pulls.get(&number) else { return Vec::new() };
        let mut payload = json!({
            "action": action,
            "number": number,
            "pull_request": self.json_of(hosted, pull),
            "sender": self.user(user),
        });
        if let Some(review) = pull.reviews.last().filter(|_| event == HookEvent::Review) {
            payload["review"] = self.review_json(review);
        }
        self.deliveries(name, hosted, event, &mut payload)
    }

    fn deliveries(
        &self,
        name: &str,
        hosted: &Hosted,
        event: HookEvent,
        payload: &mut Value,
    ) -> Vec<WebhookEvent> {
        payload["repository"] = self.hosted_json(name, hosted);
        let body = payload.to_string();
        let wants = |hook: &&Hook| hook.events.is_empty() || hook.events.contains(&event);
        let deliver = |hook: &Hook| WebhookEvent {
            repository: name.into(),
            url: hook.url.clone(),
            event,
            signature: hook.secret.as_ref().map(|secret| sign(secret, &body)),
            body: body.clone(),
        };
        hosted.hooks.iter().filter(wants).map(deliver).collect()
    }

    /// The commits that a push brought, oldest first.
    fn new_commits(&self, name: &str, hosted: &Hosted, update: &RefUpdate) -> Vec<Value> {
        let Some(new) =
            update.new.and_then(|id| hosted.repository.resolve_commit(&id.to_string()).ok())
        else {
            return Vec::new();
        };
        let others = hosted.repository.branches().map(|(_, id)| id).filter(|id| *id != new);
        let known: Vec<ObjectId> = update.old.into_iter().chain(others).collect();
        let mut commits: Vec<Value> = hosted
            .repository
            .log_of(&[new], &known)
            .map(|(id, commit)| self.commit_json(name, hosted, id, commit))
            .collect();
        commits.reverse();
        commits
    }
}

/// HMAC with SHA-256 (RFC 2104), as GitHub signs deliveries.
fn sign(secret: &str, body: &str) -> String {
    const BLOCK: usize = 64;
    let mut key = match secret.len() {
        0..=BLOCK => secret.as_bytes().to_vec(),
        _ => Sha256::digest(secret).to_vec(),
    };
    key.resize(BLOCK, 0);
    let padded = |pad: u8| key.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(body).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    let hex: String = outer.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn deliveries_are_signed_as_github_documents_it() {
        // From "Validating webhook deliveries" in GitHub's documentation.
        assert_eq!(
            sign("It's a Secret to Everybody", "Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
