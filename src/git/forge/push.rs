//! Pushes: what is asked, what is granted, what is refused and in which words.

use std::fmt;
use std::sync::Arc;

use super::access::Granted;
use super::{AccessError, Caller, Forge, Hosted, Role, Scope, WebhookEvent};
use crate::git::remote::short_name;
use crate::git::{
    GitError, ObjectId, PlannedUpdate, RefUpdate, Rejection, Repository, check_ref_name,
};
use crate::time::Timestamp;

/// What came of a push, reference by reference, and what is told about it. Printed, it is what
/// `git push` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Pushed {
    /// Where to.
    pub url: String,
    /// Each reference, in the order asked for.
    pub reports: Vec<PushReport>,
    /// What is to be delivered to webhooks.
    pub events: Vec<WebhookEvent>,
}

/// What came of one reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushReport {
    /// What was pushed, as the pusher calls it.
    pub source: String,
    /// What was asked for.
    pub update: RefUpdate,
    /// Why nothing came of it; none if it was done.
    pub refusal: Option<Refusal>,
}

/// Why a reference was not updated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It was not even asked for.
    Rejected(Rejection),
    /// The forge refuses: in short, and line by line.
    Remote {
        /// What stands in parentheses.
        reason: String,
        /// What the forge says, each line after `remote: `.
        said: Vec<String>,
    },
}

impl Forge {
    /// Pushes from a clone, as `git push URL REFSPEC…` does; see [`Repository::plan_push`] for the
    /// refspecs.
    ///
    /// # Errors
    ///
    /// When the caller may not push at all, or a refspec names nothing. What is refused for a single
    /// reference is in the result.
    pub fn push(
        &mut self,
        url: &str,
        caller: &Caller,
        from: &Repository,
        refspecs: &[&str],
        force: bool,
        now: Timestamp,
    ) -> Result<Pushed, PushError> {
        let granted = self.check(url, caller, Role::Write, Scope::WriteContents, now)?;
        let (_, hosted) =
            self.hosted(&granted.name).map_err(|_| AccessError::NotFound { url: url.into() })?;
        let plan = from.plan_push(&hosted.repository, refspecs, force)?;
        Ok(self.receive(granted, from, plan, now))
    }

    /// Updates references, as a client of Git's protocol asks: each from what it was to what it is to
    /// be. Whether commits are left behind is not asked, except by the rules for branches.
    ///
    /// # Errors
    ///
    /// When the caller may not push at all.
    pub fn update_references(
        &mut self,
        url: &str,
        caller: &Caller,
        from: &Repository,
        updates: Vec<RefUpdate>,
        now: Timestamp,
    ) -> Result<Pushed, AccessError> {
        let granted = self.check(url, caller, Role::Write, Scope::WriteContents, now)?;
        let planned = |update: RefUpdate| {
            let source = short_name(&update.name).to_owned();
            PlannedUpdate { source, update, rejection: None }
        };
        Ok(self.receive(granted, from, updates.into_iter().map(planned).collect(), now))
    }

    /// Checks that somebody may push at all.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may_push(&self, url: &str, caller: &Caller, now: Timestamp) -> Result<(), AccessError> {
        self.check(url, caller, Role::Write, Scope::WriteContents, now).map(drop)
    }

    fn receive(
        &mut self,
        granted: Granted,
        from: &Repository,
        plan: Vec<PlannedUpdate>,
        now: Timestamp,
    ) -> Pushed {
        let url = self.url(&granted.name);
        let mut pushed = Pushed { url, reports: Vec::new(), events: Vec::new() };
        for PlannedUpdate { source, update, rejection } in plan {
            let outcome = match rejection {
                Some(rejection) => Err(Refusal::Rejected(rejection)),
                None => self.receive_one(&granted, from, &update, now),
            };
            let refusal = match outcome {
                Ok(events) => {
                    pushed.events.extend(events);
                    None
                }
                Err(refusal) => Some(refusal),
            };
            pushed.reports.push(PushReport { source, update, refusal });
        }
        pushed
    }

    fn receive_one(
        &mut self,
        granted: &Granted,
        from: &Repository,
        update: &RefUpdate,
        now: Timestamp,
    ) -> Result<Vec<WebhookEvent>, Refusal> {
        let hosted = self.hosted.get(&granted.name).cloned().unwrap_or_default();
        let after = hosted.after(from, update, granted.role)?;
        let mut changed = Hosted { repository: after, ..Hosted::clone(&hosted) };
        changed.follow_branch(update);
        let mut events = self.push_events(&granted.name, &changed, update, &granted.user);
        events.extend(self.settle_pulls(&granted.name, &mut changed, update, &granted.user, now));
        self.hosted.insert_mut(granted.name.clone(), Arc::new(changed));
        Ok(events)
    }
}

/// Why a push did not come about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PushError {
    /// The caller may not.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is nothing to push under that name.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Hosted {
    /// The repository with a reference updated.
    fn after(
        &self,
        from: &Repository,
        update: &RefUpdate,
        role: Role,
    ) -> Result<Repository, Refusal> {
        let refuse = |reason: &str| Refusal::Remote { reason: reason.into(), said: Vec::new() };
        check_ref_name(&update.name).map_err(|_| refuse("funny refname"))?;
        let here = self.repository.reference(&update.name);
        if here != update.old {
            return Err(refuse(&stale(&update.name, here, update.old)));
        }
        if update.name.starts_with("refs/pull/") {
            return Err(refuse("deny updating a hidden ref"));
        }
        let mut after = self.repository.clone();
        if let Some(new) = update.new {
            after.receive(from, [new]).map_err(|_| refuse("missing necessary objects"))?;
        }
        if let Some(branch) = update.name.strip_prefix("refs/heads/") {
            let objections = self.objections_to_push(branch, update, &after, role);
            if !objections.is_empty() {
                return Err(declined(&update.name, objections));
            }
            if update.new.is_none() && self.repository.current_branch() == Some(branch) {
                let said =
                    vec![format!("error: refusing to delete the current branch: {}", update.name)];
                return Err(Refusal::Remote {
                    reason: "refusing to delete the current branch: ".to_owned() + &update.name,
                    said,
                });
            }
        }
        match update.new {
            Some(new) => after
                .set_reference(&update.name, new)
                .map_err(|error| refuse(&error.to_string()))?,
            None => drop(after.delete_reference(&update.name)),
        }
        // A first push decides what is checked out by default.
        if self.repository.branches().next().is_none()
            && let Some(branch) = update.name.strip_prefix("refs/heads/")
        {
            after.switch(branch).map_err(|error| refuse(&error.to_string()))?;
        }
        Ok(after)
    }
}

fn stale(name: &str, here: Option<ObjectId>, expected: Option<ObjectId>) -> String {
    match (here, expected) {
        (Some(_), None) => format!("cannot lock ref '{name}': reference already exists"),
        (None, Some(_)) => {
            format!("cannot lock ref '{name}': unable to resolve reference '{name}'")
        }
        (Some(here), Some(expected)) => {
            format!("cannot lock ref '{name}': is at {here} but expected {expected}")
        }
        (None, None) => "nothing to delete".into(),
    }
}

fn declined(name: &str, objections: Vec<String>) -> Refusal {
    let title = format!("error: GH006: Protected branch update failed for {name}.");
    let said = std::iter::once(title)
        .chain(objections.into_iter().map(|objection| format!("error: {objection}")))
        .collect();
    Refusal::Remote { reason: "protected branch hook declined".into(), said }
}

impl Pushed {
    /// Whether everything asked for was done.
    pub fn is_ok(&self) -> bool {
        self.reports.iter().all(|report| report.refusal.is_none())
    }

    /// The same after it was all taken back, since a part was refused and it was to be all or nothing.
    pub(crate) fn undone(mut self) -> Self {
        self.events.clear();
        for report in &mut self.reports {
            let reason = "atomic push failure".into();
            report.refusal.get_or_insert(Refusal::Remote { reason, said: Vec::new() });
        }
        self
    }

    /// The references that were updated.
    pub fn updated(&self) -> impl Iterator<Item = &RefUpdate> {
        self.reports.iter().filter(|report| report.refusal.is_none()).map(|report| &report.update)
    }
}

impl fmt::Display for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reports.is_empty() {
            return f.write_str("Everything up-to-date");
        }
        for report in &self.reports {
            if let Some(Refusal::Remote { said, .. }) = &report.refusal {
                said.iter().try_for_each(|line| writeln!(f, "remote: {line}"))?;
            }
        }
        write!(f, "To {}", self.url)?;
        self.reports.iter().try_for_each(|report| write!(f, "\n{report}"))?;
        match self.is_ok() {
            true => Ok(()),
            false => write!(f, "\nerror: failed to push some refs to '{}'", self.url),
        }
    }
}

impl fmt::Display for PushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(refusal) = &self.refusal else { return write!(f, "{}", self.update) };
        let to = short_name(&self.update.name);
        let arrow = match self.source.as_str() {
            "" => to.to_owned(),
            source => format!("{source} -> {to}"),
        };
        match refusal {
            Refusal::Rejected(why) => write!(f, " ! {:<17} {arrow} ({why})", "[rejected]"),
            Refusal::Remote { reason, .. } => {
                write!(f, " ! {:<17} {arrow} ({reason})", "[remote rejected]")
            }
        }
    }
}
