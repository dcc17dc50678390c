//! The end of a Kustomization: what it applied goes or stays, as its deletion policy says.

use super::end::Ending;
use super::poll::Termination;
use super::prune::{Prune, Pruned};
use super::state::{Answer, Turn};
use super::{KustomizationController, Run, State, Step, Then};
use crate::api::ApiRequest;
use crate::engine::inventory::Entry;
use crate::engine::lifecycle;
use crate::engine::order::apply_order;
use crate::engine::record::Severity;
use crate::object::GroupVersionKind;
use crate::reconciler::{ChangeAction, Next, Requeue};
use crate::time::Timestamp;

impl KustomizationController {
    pub(super) fn finalize(&self, mut run: Box<Run>, now: Timestamp) -> Next<State> {
        run.revision = run.draft.object.text("status.lastAppliedRevision").into();
        if !run.is_to_delete() {
            return self.release(run, now);
        }
        let Some(account) = run.account(&self.options) else { return self.delete_all(run, now) };
        let gvk = GroupVersionKind::new("v1", "ServiceAccount");
        let request = ApiRequest::get(&gvk, run.draft.object.namespace(), account);
        run.ask(Step::ServiceAccountRead, request)
    }

    pub(super) fn service_account_read(
        &self,
        run: Box<Run>,
        answer: Answer,
        now: Timestamp,
    ) -> Next<State> {
        if answer.is_ok() {
            return self.delete_all(run, now);
        }
        let lines: Vec<String> =
            run.to_finalize().iter().map(|entry| entry.object.to_string()).collect();
        let message = format!("unable to prune objects: \n{}", lines.join("\n"));
        self.tell(run, Severity::Error, &message, Then::Release, now)
    }

    fn delete_all(&self, run: Box<Run>, now: Timestamp) -> Next<State> {
        let turn = Prune::new(run.to_finalize(), self.prune_options(&run)).start();
        self.finalizing(run, turn, now)
    }

    pub(super) fn finalizing(
        &self,
        run: Box<Run>,
        turn: Turn<Prune, Pruned, std::convert::Infallible>,
        now: Timestamp,
    ) -> Next<State> {
        match turn {
            Turn::Ask(prune, request) => {
                run.ask_impersonating(&self.options, Step::Finalizing(Box::new(prune)), *request)
            }
            Turn::Wait(prune, pause) => run.wait(Step::Finalizing(Box::new(prune)), pause),
            Turn::Done(Ok(pruned)) => self.finalized(run, pruned, now),
        }
    }

    fn finalized(&self, mut run: Box<Run>, pruned: Pruned, now: Timestamp) -> Next<State> {
        if !pruned.errors.is_empty() {
            let error = format!("delete failed, errors: {}", pruned.errors);
            let ending = Ending::new(Requeue::Failed(error.clone())).failed(error);
            let then = Then::Conclude(Box::new(ending));
            return self.tell(
                run,
                Severity::Error,
                "pruning for deleted resource failed",
                then,
                now,
            );
        }
        let lines: Vec<String> = pruned.changes.iter().map(ToString::to_string).collect();
        let deleted: Vec<Entry> = run
            .to_finalize()
            .into_iter()
            .filter(|entry| {
                let is = |object| entry.object == object;
                pruned
                    .changes
                    .iter()
                    .any(|c| is(c.object.clone()) && c.action == ChangeAction::Deleted)
            })
            .collect();
        run.changes = pruned.changes;
        let then = match run.settings.deletion_policy.as_str() {
            "WaitForTermination" => Then::Terminate(deleted),
            _ => Then::Release,
        };
        self.tell(run, Severity::Info, &lines.join("\n"), then, now)
    }

    pub(super) fn terminate(
        &self,
        run: Box<Run>,
        entries: Vec<Entry>,
        now: Timestamp,
    ) -> Next<State> {
        let wait = Termination::new(entries, run.settings.timeout, now);
        self.terminating(run, wait.start(), now)
    }

    pub(super) fn terminating(
        &self,
        run: Box<Run>,
        turn: Turn<Termination, ()>,
        now: Timestamp,
    ) -> Next<State> {
        let step = |wait| Step::AwaitingTermination(Box::new(wait));
        match turn {
            Turn::Ask(wait, request) => run.ask_impersonating(&self.options, step(wait), *request),
            Turn::Wait(wait, pause) => run.wait(step(wait), pause),
            Turn::Done(Ok(())) => self.release(run, now),
            Turn::Done(Err(_)) => {
                let message = "failed to wait for resources termination";
                self.tell(run, Severity::Error, message, Then::Release, now)
            }
        }
    }

    /// Lets the Kustomization go.
    pub(super) fn release(&self, mut run: Box<Run>, now: Timestamp) -> Next<State> {
        lifecycle::remove_finalizer(&mut run.draft.object);
        self.end(run, Requeue::Never, now)
    }
}

impl Run {
    /// What was applied, in apply order.
    fn to_finalize(&self) -> Vec<Entry> {
        let mut entries = self.old_inventory.entries().to_vec();
        entries.sort_by(|a, b| apply_order(&a.object, &b.object));
        entries
    }

    fn is_to_delete(&self) -> bool {
        let by_policy = match self.settings.deletion_policy.as_str() {
            "MirrorPrune" => self.settings.prune,
            "Delete" | "WaitForTermination" => true,
            _ => false,
        };
        by_policy && !lifecycle::is_suspended(&self.draft.object) && !self.old_inventory.is_empty()
    }
}
