//! How a reconciliation ends: the status, the history, the last event, the next time.

use serde_json::{Value, json};

use super::state::after;
use super::{KustomizationController, Run, State, Then};
use crate::api::Status;
use crate::engine::conditions::{self, READY, RECONCILING};
use crate::engine::lifecycle::{self, JITTER, is_suspended};
use crate::engine::record::Severity;
use crate::reconciler::{Next, Outcome, Requeue};
use crate::time::Timestamp;

/// How many snapshots `status.history` keeps.
const HISTORY: usize = 5;

/// When the key comes back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ending {
    requeue: Requeue,
    /// Why the end itself could not be written; empty when it was.
    error: String,
}

impl Ending {
    /// An end after which the key comes back as `requeue` says.
    pub(super) fn new(requeue: Requeue) -> Self {
        Ending { requeue, error: String::new() }
    }

    /// The same, with an error that outlives the writing of the status.
    pub(super) fn failed(self, error: String) -> Self {
        Ending { error, ..self }
    }

    /// The end, told by the `Ready` condition.
    pub(super) fn next(self, run: Run) -> Next<State> {
        if !self.error.is_empty() {
            return Next::failed(self.error);
        }
        let told = !is_suspended(&run.draft.object);
        let ready = conditions::get(&run.draft.object, READY).filter(|_| told);
        Next::Done(Outcome {
            requeue: self.requeue,
            changes: run.changes,
            revision: run.revision,
            failed: ready.as_ref().is_some_and(|ready| ready.is_false()),
            message: ready.map_or(String::new(), |ready| ready.message),
            ..Outcome::default()
        })
    }
}

impl KustomizationController {
    /// All is as wanted: say so.
    pub(super) fn succeed(&self, mut run: Box<Run>, now: Timestamp) -> Next<State> {
        let revision = run.revision.clone();
        let message = format!("Applied revision: {revision}");
        let object = &mut run.draft.object;
        object.set("status.lastAppliedRevision", revision);
        conditions::mark_ready(object, "True", "ReconciliationSucceeded", message, now);
        run.remember("ReconciliationSucceeded", now);
        let interval = run.settings.interval;
        self.end(run, Requeue::After { after: interval, jitter_percent: JITTER }, now)
    }

    /// Something failed: say what, and try again at the retry interval.
    pub(super) fn fail(
        &self,
        mut run: Box<Run>,
        reason: &str,
        message: String,
        now: Timestamp,
    ) -> Next<State> {
        run.remember(reason, now);
        conditions::mark_ready(&mut run.draft.object, "False", reason, message.clone(), now);
        self.give_up(run, &message, now)
    }

    fn give_up(&self, run: Box<Run>, message: &str, now: Timestamp) -> Next<State> {
        let ending = Ending::new(after(run.settings.retry_interval));
        self.tell(run, Severity::Error, message, Then::Conclude(Box::new(ending)), now)
    }

    /// A write of the status on the way was refused.
    pub(super) fn not_written(
        &self,
        run: Box<Run>,
        then: Then,
        status: &Status,
        now: Timestamp,
    ) -> Next<State> {
        match then {
            Then::Report(ending) | Then::Done(ending) => {
                let gone = run.draft.object.is_deleting() && status.is_not_found();
                let ending = if gone { *ending } else { ending.failed(status.message.clone()) };
                self.then(run, Then::Done(Box::new(ending)), now)
            }
            Then::Poll(_) | Then::Succeed => {
                let message =
                    format!("unable to update the healthy status to progressing: {status}");
                self.fail(run, "HealthCheckFailed", message, now)
            }
            _ => self.give_up(run, &format!("failed to update status: {status}"), now),
        }
    }

    pub(super) fn end(&self, run: Box<Run>, requeue: Requeue, now: Timestamp) -> Next<State> {
        self.conclude(run, Ending::new(requeue), now)
    }

    /// Writes the final status.
    pub(super) fn conclude(
        &self,
        mut run: Box<Run>,
        ending: Ending,
        now: Timestamp,
    ) -> Next<State> {
        let object = &mut run.draft.object;
        lifecycle::note_handled(object);
        if conditions::is_true(object, READY) {
            conditions::delete(object, RECONCILING);
            object.set("status.observedGeneration", object.generation());
        }
        if conditions::is_false(object, READY) {
            conditions::mark_retrying(object, now);
        }
        self.write(run, Then::Report(Box::new(ending)), now)
    }

    /// Tells of a success, for whoever reports it to the commit.
    pub(super) fn report(&self, run: Box<Run>, ending: Ending, now: Timestamp) -> Next<State> {
        let object = &run.draft.object;
        let silent = self.options.disable_commit_status_event
            || is_suspended(object)
            || object.is_deleting()
            || !conditions::is_true(object, READY);
        if silent {
            return ending.next(*run);
        }
        let (took, interval) = (now.since(run.started), run.settings.interval);
        let message = format!("Reconciliation finished in {took}, next run in {interval}");
        self.tell(run, Severity::Info, &message, Then::Done(Box::new(ending)), now)
    }
}

impl Run {
    /// Puts what was built and how it ended at the front of `status.history`.
    fn remember(&mut self, status: &str, now: Timestamp) {
        let Some(digest) = self.built.as_ref().map(|built| built.checksum.clone()) else { return };
        let listed = self.draft.object.get("status.history").and_then(Value::as_array);
        let mut history = listed.cloned().unwrap_or_default();
        let same =
            |s: &Value| s["digest"] == digest.as_str() && s["lastReconciledStatus"] == status;
        let mut snapshot = match history.iter().position(same) {
            Some(i) => history.remove(i),
            None => {
                json!({"digest": digest, "firstReconciled": now.to_string(), "lastReconciledStatus": status, "totalReconciliations": 0})
            }
        };
        let total = snapshot["totalReconciliations"].as_i64().unwrap_or(0);
        snapshot["totalReconciliations"] = total.saturating_add(1).into();
        snapshot["lastReconciled"] = now.to_string().into();
        snapshot["lastReconciledDuration"] = now.since(self.started).to_string().into();
        snapshot["metadata"] = json!({ "revision": self.revision });
        history.insert(0, snapshot);
        history.truncate(HISTORY);
        self.draft.object.set("status.history", history);
    }
}
