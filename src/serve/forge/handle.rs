//! What each request does.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::route::Thing;
use super::sent::{Sent, asked};
use crate::git::RefUpdate;
use crate::git::forge::{
    Caller, CheckState, Forge, MergeMethod, NewPull, PullError, PullRequest, PullState, Pulled,
    Refusal as PushRefusal, Verdict,
};
use crate::serve::who::Who;
use crate::sim::World;
use crate::time::Timestamp;

type Answered = Result<(StatusCode, Value), Refusal>;

/// Somebody at a repository.
pub(super) struct At<'a> {
    pub(super) world: &'a mut World,
    pub(super) who: Who,
    pub(super) name: &'a str,
    pub(super) query: &'a str,
}

impl At<'_> {
    pub(super) fn carry_out(mut self, method: &Method, thing: &Thing, sent: &Sent) -> Answered {
        if *method == Method::GET {
            return self.tell(thing);
        }
        self.who.introduce(self.world);
        match (method.as_str(), thing) {
            ("POST", Thing::Pulls) => self.open(sent),
            ("PATCH", Thing::Pull(number)) => self.edit(*number, sent),
            ("POST", Thing::Reviews(number)) => self.review(*number, sent),
            ("PUT", Thing::Merge(number)) => self.merge(*number, sent),
            ("POST", Thing::Report(revision)) => self.report(revision, sent),
            ("DELETE", Thing::Branch(branch)) => self.delete(branch),
            _ => Err(Refusal::not_found()),
        }
    }

    fn tell(&self, thing: &Thing) -> Answered {
        if *thing == Thing::User {
            return self.user();
        }
        let forge = self.world.forge();
        let _may_read = forge.read(&self.url(), self.who.caller(), self.world.now())?;
        let told = match thing {
            Thing::Repository => forge.repository_json(&self.url()),
            Thing::Pulls => Some(self.list()?),
            Thing::Pull(number) => self.pull(*number),
            Thing::Reviews(number) => self.reviews(*number),
            Thing::Merge(number) => return self.is_merged(*number),
            Thing::Checks(revision) => Some(self.checks(revision)?),
            Thing::User | Thing::Report(_) | Thing::Branch(_) => None,
        };
        told.map(ok).ok_or_else(Refusal::not_found)
    }

    fn url(&self) -> String {
        self.world.forge().url(self.name)
    }

    /// Does something to a pull request, with what it sets off.
    fn act(
        &mut self,
        act: impl FnOnce(&mut Forge, &str, &Caller, Timestamp) -> Result<Pulled, PullError>,
    ) -> Result<Pulled, Refusal> {
        let (url, who) = (self.url(), &self.who);
        let act = |forge: &mut Forge, now| act(forge, &url, who.caller(), now);
        Ok(self.world.at_pull(who.actor(), act)?)
    }
}

fn ok(value: Value) -> (StatusCode, Value) {
    (StatusCode::OK, value)
}

/// What is told.
impl At<'_> {
    fn user(&self) -> Answered {
        match self.who.is_nobody() {
            true => Err(Refusal::new(StatusCode::UNAUTHORIZED, "Requires authentication")),
            false => Ok(ok(json!({"login": self.who.actor()}))),
        }
    }

    /// A pull request, and whether it can be merged.
    fn pull(&self, number: u64) -> Option<Value> {
        let (forge, url) = (self.world.forge(), self.url());
        let mut told = forge.pull_json(&url, number)?;
        let now = self.world.now();
        if let Ok(found) = forge.mergeability(&url, self.who.caller(), number, now) {
            told["mergeable"] = found.conflicts.is_empty().into();
            told["mergeable_state"] = found.word().into();
            let paths = found.conflicts.iter().map(|conflict| conflict.path.as_str().into());
            told["conflicts"] = paths.collect::<Vec<Value>>().into();
            told["objections"] = found.objections.into();
        }
        Some(told)
    }

    fn list(&self) -> Result<Value, Refusal> {
        let asked = |name: &str| asked(self.query, name);
        let state = asked("state").unwrap_or_else(|| "open".into());
        if !["open", "closed", "all"].contains(&state.as_str()) {
            let said = format!("state is {state:?}; expected open, closed or all");
            return Err(Refusal::invalid("state", said));
        }
        let (head, base) = (asked("head").map(|head| branch(&head).to_owned()), asked("base"));
        let wanted = |pull: &&PullRequest| {
            (state == "all" || (pull.state == PullState::Open) == (state == "open"))
                && head.as_ref().is_none_or(|head| pull.source == *head)
                && base.as_ref().is_none_or(|base| pull.target == *base)
        };
        let (forge, url) = (self.world.forge(), self.url());
        let pulls = forge.pulls(&url).filter(wanted);
        let mut told: Vec<Value> =
            pulls.filter_map(|pull| forge.pull_json(&url, pull.number)).collect();
        told.reverse();
        Ok(told.into())
    }

    fn reviews(&self, number: u64) -> Option<Value> {
        let forge = self.world.forge();
        let pull = forge.pull(&self.url(), number)?;
        Some(pull.reviews.iter().map(|review| forge.review_json(review)).collect())
    }

    /// The checks on a commit, and what they come to.
    fn checks(&self, revision: &str) -> Result<Value, Refusal> {
        let (forge, url) = (self.world.forge(), self.url());
        let repository = forge.read(&url, self.who.caller(), self.world.now())?;
        let missing = |_| unprocessable(&format!("No commit found for SHA: {revision}"));
        let commit = repository.resolve_commit(revision).map_err(missing)?;
        let all: Vec<(&str, CheckState)> = forge.checks(&url, commit).collect();
        let is = |wanted: CheckState| all.iter().any(|(_, state)| *state == wanted);
        let state = match (is(CheckState::Failure), is(CheckState::Pending) || all.is_empty()) {
            (true, _) => CheckState::Failure,
            (_, true) => CheckState::Pending,
            _ => CheckState::Success,
        };
        let told =
            |(name, state): &(&str, CheckState)| json!({"context": name, "state": state.name()});
        let statuses: Vec<Value> = all.iter().map(told).collect();
        let sha = commit.to_string();
        Ok(
            json!({"state": state.name(), "sha": sha, "total_count": all.len(), "statuses": statuses}),
        )
    }

    fn is_merged(&self, number: u64) -> Answered {
        match self.world.forge().pull(&self.url(), number).map(|pull| &pull.state) {
            Some(PullState::Merged { .. }) => Ok((StatusCode::NO_CONTENT, Value::Null)),
            _ => Err(Refusal::not_found()),
        }
    }
}

/// What is done.
impl At<'_> {
    fn open(&mut self, sent: &Sent) -> Answered {
        let new = NewPull {
            title: sent.needed("title")?,
            body: sent.text("body")?.unwrap_or_default(),
            source: branch(&sent.needed("head")?).into(),
            target: sent.needed("base")?,
        };
        let pulled = self.act(|forge, url, caller, now| forge.open_pull(url, caller, new, now))?;
        Ok((StatusCode::CREATED, self.pull(pulled.number).unwrap_or_default()))
    }

    fn edit(&mut self, number: u64, sent: &Sent) -> Answered {
        let state = sent.needed("state")?;
        if state != "closed" {
            let said = format!("state is {state:?}; expected closed");
            return Err(Refusal::invalid("state", said));
        }
        let _closed = self
            .act(|forge, url, caller, now| forge.close_pull(url, caller, number, now))
            .map_err(closed_already)?;
        Ok(ok(self.pull(number).unwrap_or_default()))
    }

    fn review(&mut self, number: u64, sent: &Sent) -> Answered {
        let verdict = verdict(&sent.needed("event")?)?;
        let body = sent.text("body")?.unwrap_or_default();
        let _reviewed = self
            .act(|forge, url, caller, now| forge.review(url, caller, number, verdict, &body, now))
            .map_err(closed_already)?;
        let forge = self.world.forge();
        let last = forge.pull(&self.url(), number).and_then(|pull| pull.reviews.last());
        Ok(ok(last.map(|review| forge.review_json(review)).unwrap_or_default()))
    }

    fn merge(&mut self, number: u64, sent: &Sent) -> Answered {
        let method = method(sent.text("merge_method")?)?;
        self.check_head(number, sent.text("sha")?)?;
        let merged =
            self.act(|forge, url, caller, now| forge.merge_pull(url, caller, number, method, now))?;
        let sha = merged.commit.map(|commit| commit.to_string());
        Ok(ok(json!({"sha": sha, "merged": true, "message": "Pull Request successfully merged"})))
    }

    /// Checks that what is merged is what its merger has seen.
    fn check_head(&self, number: u64, seen: Option<String>) -> Result<(), Refusal> {
        let Some(seen) = seen else { return Ok(()) };
        let (url, now) = (self.url(), self.world.now());
        let repository = self.world.forge().read(&url, self.who.caller(), now)?;
        match repository.reference(&format!("refs/pull/{number}/head")) {
            Some(head) if head.to_string() != seen => {
                let said = "Head branch was modified. Review and try the merge again.";
                Err(Refusal::new(StatusCode::CONFLICT, said))
            }
            _ => Ok(()),
        }
    }

    fn report(&mut self, revision: &str, sent: &Sent) -> Answered {
        let url = self.url();
        let name = sent.text("context")?.unwrap_or_else(|| "default".into());
        let state = check_state(&sent.needed("state")?)?;
        let who = (self.who.actor(), self.who.caller());
        let reported = self.world.report_status(who, &url, revision, (&name, state));
        let missing = || unprocessable(&format!("No commit found for SHA: {revision}"));
        reported.map_err(|error| match error {
            PullError::Git(_) => missing(),
            error => error.into(),
        })?;
        Ok((StatusCode::CREATED, json!({"context": name, "state": state.name()})))
    }

    fn delete(&mut self, branch: &str) -> Answered {
        let (url, now) = (self.url(), self.world.now());
        let repository = self.world.forge().read(&url, self.who.caller(), now)?.clone();
        let missing = || unprocessable("Reference does not exist");
        let old = repository.branch_id(branch).ok_or_else(missing)?;
        let name = format!("refs/heads/{branch}");
        let update = RefUpdate { name, old: Some(old), new: None, force: true };
        let caller = (self.who.actor(), self.who.caller());
        let pushed = self.world.receive_push(caller, &url, &repository, vec![update], true)?;
        match pushed.reports.into_iter().find_map(|report| report.refusal) {
            None => Ok((StatusCode::NO_CONTENT, Value::Null)),
            Some(refusal) => Err(unprocessable(&words(refusal))),
        }
    }
}

/// The branch of a `head`: GitHub has it as `OWNER:BRANCH`, and `:` is in no branch's name.
fn branch(head: &str) -> &str {
    head.rsplit(':').next().unwrap_or_default()
}

fn verdict(event: &str) -> Result<Verdict, Refusal> {
    match event {
        "APPROVE" => Ok(Verdict::Approve),
        "REQUEST_CHANGES" => Ok(Verdict::RequestChanges),
        "COMMENT" => Ok(Verdict::Comment),
        other => {
            let said = format!("event is {other:?}; expected APPROVE, REQUEST_CHANGES or COMMENT");
            Err(Refusal::invalid("event", said))
        }
    }
}

fn method(text: Option<String>) -> Result<MergeMethod, Refusal> {
    match text.as_deref() {
        None | Some("merge") => Ok(MergeMethod::Merge),
        Some("squash") => Ok(MergeMethod::Squash),
        Some("rebase") => Ok(MergeMethod::Rebase),
        Some(other) => {
            let said = format!("merge_method is {other:?}; expected merge, squash or rebase");
            Err(Refusal::invalid("merge_method", said))
        }
    }
}

fn check_state(word: &str) -> Result<CheckState, Refusal> {
    let found = CheckState::ALL.into_iter().find(|state| state.name() == word);
    let error = (word == "error").then_some(CheckState::Failure);
    let said = || format!("state is {word:?}; expected pending, success, failure or error");
    found.or(error).ok_or_else(|| Refusal::invalid("state", said()))
}

fn unprocessable(said: &str) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, said)
}

/// What is closed cannot be reviewed, nor closed: that is no matter of merging, and 422.
fn closed_already(mut refusal: Refusal) -> Refusal {
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        refusal.status = StatusCode::UNPROCESSABLE_ENTITY;
    }
    refusal
}

fn words(refusal: PushRefusal) -> String {
    match refusal {
        PushRefusal::Remote { said, reason } if said.is_empty() => reason,
        PushRefusal::Remote { said, .. } => said.join(" ").replace("error: ", ""),
        PushRefusal::Rejected(why) => why.to_string(),
    }
}
