//! The health check at the end of a reconciliation.

use std::sync::Arc;

use super::poll::Poll;
use super::state::Turn;
use super::{KustomizationController, Run, State, Step, Then};
use crate::engine::conditions::{self, HEALTHY};
use crate::engine::inventory::Entry;
use crate::engine::record::Severity;
use crate::reconciler::{ChangeAction, Condition, Next};
use crate::time::{Duration, Timestamp};

/// How often the objects are looked at.
const INTERVAL: Duration = Duration::from_secs(5);

impl KustomizationController {
    /// Waits for the health of what was applied (`spec.wait`), or of what is named
    /// (`spec.healthChecks`).
    pub(super) fn check_health(&self, mut run: Box<Run>, now: Timestamp) -> Next<State> {
        let set = run.to_check();
        if set.is_empty() {
            conditions::delete(&mut run.draft.object, HEALTHY);
            return self.succeed(run, now);
        }
        let settings = run.settings.clone();
        let vanishing = Arc::new(run.built.iter().flat_map(|b| b.vanishing_jobs()).collect());
        let poll = Poll::new(run.without_itself(set), vanishing, INTERVAL, settings.timeout, now);
        run.report("Running health checks", now);
        let message = conditions::get(&run.draft.object, conditions::RECONCILING);
        let message = message.map_or(String::new(), |condition| condition.message);
        let was = conditions::get(&run.draft.object, HEALTHY);
        run.was_healthy = was.is_some_and(|condition| condition.is_true());
        let at_it = Condition::new(HEALTHY, "Unknown", "Progressing", message);
        conditions::mark(&mut run.draft.object, at_it, now);
        self.write(run, Then::Poll(Box::new(poll)), now)
    }

    pub(super) fn checking_health(
        &self,
        mut run: Box<Run>,
        turn: Turn<Poll, ()>,
        began: Timestamp,
        now: Timestamp,
    ) -> Next<State> {
        let step = |poll| Step::CheckingHealth(Box::new(poll), began);
        match turn {
            Turn::Ask(poll, request) => run.ask_impersonating(&self.options, step(poll), *request),
            Turn::Wait(poll, pause) => run.wait(step(poll), pause),
            Turn::Done(Ok(())) => self.passed(run, now.since(began), now),
            Turn::Done(Err(error)) => {
                let failed = Condition::new(HEALTHY, "False", "HealthCheckFailed", error.clone());
                conditions::mark(&mut run.draft.object, failed, now);
                let message = format!("health check failed after {}: {error}", now.since(began));
                self.fail(run, "HealthCheckFailed", message, now)
            }
        }
    }

    /// Told when health came back, or with a new revision that changed something.
    fn passed(&self, run: Box<Run>, span: Duration, now: Timestamp) -> Next<State> {
        let message = format!("Health check passed in {span}");
        if run.was_healthy && !(run.is_new_revision() && run.has_drifted()) {
            return self.healthy(run, span, now);
        }
        self.tell(run, Severity::Info, &message, Then::Healthy(span), now)
    }

    pub(super) fn healthy(&self, mut run: Box<Run>, span: Duration, now: Timestamp) -> Next<State> {
        let message = format!("Health check passed in {span}");
        let healthy = Condition::new(HEALTHY, "True", "Succeeded", message);
        conditions::mark(&mut run.draft.object, healthy, now);
        self.write(run, Then::Succeed, now)
    }
}

impl Run {
    fn to_check(&self) -> Vec<Entry> {
        if !self.settings.wait {
            let named = self.settings.health_checks.iter();
            return named
                .map(|(gvk, object)| Entry { object: object.clone(), version: gvk.version.clone() })
                .collect();
        }
        let applied =
            self.applied.iter().filter(|applied| applied.change.action != ChangeAction::Skipped);
        applied.map(|applied| applied.entry.clone()).collect()
    }

    /// A Kustomization that waited for itself would wait forever.
    fn without_itself(&self, mut set: Vec<Entry>) -> Vec<Entry> {
        let itself = self.draft.object.reference();
        let is_itself = |entry: &Entry| {
            let object = &entry.object;
            object.kind == itself.kind
                && object.name == itself.name
                && object.namespace == itself.namespace
        };
        set.retain(|entry| !is_itself(entry));
        set
    }

    fn is_new_revision(&self) -> bool {
        self.draft.object.text("status.lastAppliedRevision") != self.revision
    }

    fn has_drifted(&self) -> bool {
        let quiet = [ChangeAction::Unchanged, ChangeAction::Skipped];
        self.applied.iter().any(|applied| !quiet.contains(&applied.change.action))
    }
}
