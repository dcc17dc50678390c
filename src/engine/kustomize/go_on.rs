//! From one step of a reconciliation to the next.

use super::state::answer;
use super::{KustomizationController, Run, State, Step, Then};
use crate::api::{ApiRequest, Response};
use crate::engine::conditions::{self, READY};
use crate::engine::draft::Progress;
use crate::engine::names::FIELD_MANAGER;
use crate::engine::record::{self, Record, Severity};
use crate::reconciler::Next;
use crate::time::Timestamp;

impl KustomizationController {
    /// Goes on with the answer that a step awaits.
    pub(super) fn go_on(
        &self,
        mut run: Box<Run>,
        step: Step,
        response: Response,
        now: Timestamp,
    ) -> Next<State> {
        match step {
            Step::SourceRead => self.source_read(run, answer(response), now),
            Step::DependencyRead(i) => self.dependency_read(run, i, answer(response), now),
            Step::DependencyObjectRead(i, left) => {
                self.dependency_object_read(run, i, left, answer(response), now)
            }
            Step::ArtifactDownloaded => self.downloaded(run, response, now),
            Step::VariablesRead(build) => self.variables_read(run, *build, answer(response), now),
            Step::Applying(apply) => {
                let turn = apply.step(response, &self.rules, now);
                self.applying(run, turn, now)
            }
            Step::Pruning(prune) => self.pruning(run, prune.step(response), now),
            Step::CheckingHealth(poll, began) => {
                let turn = poll.step(response, &self.rules, now);
                self.checking_health(run, turn, began, now)
            }
            Step::ServiceAccountRead => self.service_account_read(run, answer(response), now),
            Step::Finalizing(prune) => self.finalizing(run, prune.step(response), now),
            Step::AwaitingTermination(wait) => self.terminating(run, wait.step(response, now), now),
            Step::Writing(write, then) => {
                let progress = run.draft.step(write, response);
                self.writing(run, progress, then, now)
            }
            Step::Recording(record, then) => {
                let next = record::step(record, response);
                self.recording(run, next, then, now)
            }
        }
    }

    pub(super) fn then(&self, run: Box<Run>, then: Then, now: Timestamp) -> Next<State> {
        match then {
            Then::Download => self.download(run),
            Then::Build(tree) => self.build(run, &tree, now),
            Then::Apply => self.apply(run, now),
            Then::Prune => self.prune(run, now),
            Then::CheckHealth => self.check_health(run, now),
            Then::Poll(poll) => self.checking_health(run, poll.start(), now, now),
            Then::Healthy(span) => self.healthy(run, span, now),
            Then::Succeed => self.succeed(run, now),
            Then::Terminate(entries) => self.terminate(run, entries, now),
            Then::Release => self.release(run, now),
            Then::Conclude(ending) => self.conclude(run, *ending, now),
            Then::Report(ending) => self.report(run, *ending, now),
            Then::Done(ending) => ending.next(*run),
        }
    }

    /// Writes what changed of the Kustomization itself, then goes on.
    pub(super) fn write(&self, mut run: Box<Run>, then: Then, now: Timestamp) -> Next<State> {
        let progress = run.draft.write();
        self.writing(run, progress, then, now)
    }

    fn writing(
        &self,
        run: Box<Run>,
        progress: Progress,
        then: Then,
        now: Timestamp,
    ) -> Next<State> {
        match progress {
            Progress::Ask(write, request) => run.ask(Step::Writing(write, then), *request),
            Progress::Wait(write, pause) => run.wait(Step::Writing(write, then), pause),
            Progress::Done(Ok(())) => self.then(run, then, now),
            Progress::Done(Err(status)) => self.not_written(run, then, &status, now),
        }
    }

    /// Records an event about the Kustomization, with its `Ready` reason, then goes on.
    pub(super) fn tell(
        &self,
        run: Box<Run>,
        severity: Severity,
        message: &str,
        then: Then,
        now: Timestamp,
    ) -> Next<State> {
        let object = &run.draft.object;
        let ready = conditions::get(object, READY);
        let default = if severity == Severity::Error { "error" } else { "info" };
        let reason = ready.map_or(default.into(), |condition| condition.reason);
        let what = (severity, reason.as_str(), message);
        let event = record::event(object, what, &run.revision, FIELD_MANAGER, now);
        self.recording(run, Some(record::record(event)), then, now)
    }

    fn recording(
        &self,
        run: Box<Run>,
        next: Option<(Record, ApiRequest)>,
        then: Then,
        now: Timestamp,
    ) -> Next<State> {
        match next {
            Some((record, request)) => run.ask(Step::Recording(record, then), request),
            None => self.then(run, then, now),
        }
    }
}
