//! From a revision to a cluster that matches: download, build, apply, prune.

use std::sync::Arc;

use super::apply::{Applied, Apply, ApplyError, ApplyOptions};
use super::build::{Built, path_not_found};
use super::prune::{Prune, PruneOptions, Pruned};
use super::state::Turn;
use super::{KustomizationController, Run, State, Step, Then};
use crate::api::{ArtifactRef, FetchErrorKind, Request, Response};
use crate::engine::conditions;
use crate::engine::inventory::Inventory;
use crate::engine::record::Severity;
use crate::git::Tree;
use crate::reconciler::{Change, ChangeAction, Next};
use crate::time::Timestamp;

impl KustomizationController {
    /// Source and dependencies are there: begin.
    pub(super) fn reconcile(&self, mut run: Box<Run>, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        conditions::mark_ready(object, "Unknown", "Progressing", "Reconciliation in progress", now);
        if self.policies.record_before_apply {
            object.set("status.lastAppliedRevision", run.revision.clone());
        }
        run.report("Fetching manifests", now);
        self.write(run, Then::Download, now)
    }

    pub(super) fn download(&self, run: Box<Run>) -> Next<State> {
        let source = run.source.as_ref().expect("a run downloads after it read its source");
        let text = |field: &str| source.text(&format!("status.artifact.{field}")).to_owned();
        let artifact =
            ArtifactRef { url: text("url"), revision: text("revision"), digest: text("digest") };
        Next::Ask(State::Running(run, Step::ArtifactDownloaded), Request::Download(artifact))
    }

    pub(super) fn downloaded(
        &self,
        mut run: Box<Run>,
        response: Response,
        now: Timestamp,
    ) -> Next<State> {
        let Response::Downloaded(answer) = response else {
            panic!("a download was answered with {response:?}")
        };
        let tree = match answer {
            Ok(artifact) => artifact.tree,
            Err(error) if error.kind == FetchErrorKind::NotFound => {
                let retry = self.options.requeue_dependency;
                let message =
                    format!("Source is not ready, artifact not found, retrying in {retry}");
                return self.lack_artifact(run, message, retry, now);
            }
            Err(error) => return self.fail(run, "ArtifactFailed", error.message, now),
        };
        if let Some(message) = path_not_found(&tree, &run.settings.path) {
            return self.fail(run, "ArtifactFailed", message, now);
        }
        let revision = run.revision.clone();
        run.draft.object.set("status.lastAttemptedRevision", revision);
        run.report("Building manifests", now);
        self.write(run, Then::Build(tree), now)
    }

    pub(super) fn build(&self, run: Box<Run>, tree: &Tree, now: Timestamp) -> Next<State> {
        if run.settings.unsupported.contains(&"spec.kubeConfig") {
            let message = "failed to build kube client: spec.kubeConfig leads to another cluster, and there is none here";
            return self.fail(run, "ReconciliationFailed", message.into(), now);
        }
        if run.settings.unsupported.contains(&"spec.decryption") {
            let message =
                "spec.decryption is not supported: there are no keys here to decrypt with";
            return self.fail(run, "BuildFailed", message.into(), now);
        }
        match super::build::Build::new(&run.draft.object, &run.settings, tree, &self.builds) {
            Ok(build) => self.read_variables(run, build, now),
            Err(message) => self.fail(run, "BuildFailed", message, now),
        }
    }

    /// The objects are known: find what differs.
    pub(super) fn built(
        &self,
        mut run: Box<Run>,
        built: Arc<Built>,
        now: Timestamp,
    ) -> Next<State> {
        run.built = Some(built);
        run.report("Detecting drift", now);
        self.write(run, Then::Apply, now)
    }

    pub(super) fn apply(&self, run: Box<Run>, now: Timestamp) -> Next<State> {
        let built = run.built.clone().expect("a run applies what it built");
        if let Some(secret) = &built.encrypted {
            let message = format!(
                "{secret} is SOPS encrypted, configuring decryption is required for this secret to be reconciled"
            );
            return self.fail(run, "ReconciliationFailed", message, now);
        }
        if built.is_empty() && !run.old_inventory.is_empty() && self.policies.refuse_empty_build {
            let message = "the build is empty and would prune everything: refused by policy";
            return self.fail(run, "ReconciliationFailed", message.into(), now);
        }
        let options = ApplyOptions {
            force: run.settings.force,
            ignore: run.settings.ignore.clone(),
            override_managers: self.options.override_managers.clone(),
            keep_foreign_managers: self.policies.keep_foreign_managers,
            read_from_cache: self.policies.read_from_cache,
        };
        let turn = Apply::new(Arc::clone(&built.stages), options).start(now);
        self.applying(run, turn, now)
    }

    pub(super) fn applying(
        &self,
        run: Box<Run>,
        turn: Turn<Apply, Vec<Applied>, ApplyError>,
        now: Timestamp,
    ) -> Next<State> {
        match turn {
            Turn::Ask(apply, request) => {
                run.ask_impersonating(&self.options, Step::Applying(Box::new(apply)), *request)
            }
            Turn::Wait(apply, pause) => run.wait(Step::Applying(Box::new(apply)), pause),
            Turn::Done(Ok(applied)) => self.applied(run, applied, now),
            Turn::Done(Err(error)) => self.not_applied(run, error, now),
        }
    }

    fn applied(&self, mut run: Box<Run>, applied: Vec<Applied>, now: Timestamp) -> Next<State> {
        run.changes = applied.iter().map(|applied| applied.change.clone()).collect();
        run.applied = applied;
        let log = change_log(&run.changes);
        match log.trim_end() {
            "" => self.prune(run, now),
            log => self.tell(run, Severity::Info, log, Then::Prune, now),
        }
    }

    fn not_applied(&self, mut run: Box<Run>, error: ApplyError, now: Timestamp) -> Next<State> {
        let ApplyError { message, before, within } = error;
        run.changes = before.iter().map(|applied| applied.change.clone()).collect();
        let message = run.masked(&format!("{message}\n{}", change_log(&run.changes)));
        if self.policies.track_partial_apply {
            let mut inventory = run.old_inventory.clone();
            inventory.merge(before.into_iter().chain(within).map(|applied| applied.entry));
            run.draft.object.set("status.inventory", inventory.to_value());
        }
        self.fail(run, "ReconciliationFailed", message, now)
    }

    pub(super) fn prune(&self, mut run: Box<Run>, now: Timestamp) -> Next<State> {
        let inventory: Inventory =
            run.applied.iter().map(|applied| applied.entry.clone()).collect();
        let stale = run.old_inventory.stale(&inventory);
        run.draft.object.set("status.inventory", inventory.to_value());
        if run.settings.prune {
            let turn = Prune::new(stale, self.prune_options(&run)).start();
            return self.pruning(run, turn, now);
        }
        if self.policies.track_unpruned {
            run.track(stale);
        }
        self.check_health(run, now)
    }

    pub(super) fn prune_options(&self, run: &Run) -> PruneOptions {
        PruneOptions {
            owner: run.draft.object.reference(),
            check_owner: !self.policies.prune_without_owner_check,
            by_uid: self.policies.delete_by_uid,
        }
    }

    pub(super) fn pruning(
        &self,
        run: Box<Run>,
        turn: Turn<Prune, Pruned, std::convert::Infallible>,
        now: Timestamp,
    ) -> Next<State> {
        match turn {
            Turn::Ask(prune, request) => {
                run.ask_impersonating(&self.options, Step::Pruning(Box::new(prune)), *request)
            }
            Turn::Wait(prune, pause) => run.wait(Step::Pruning(Box::new(prune)), pause),
            Turn::Done(Ok(pruned)) => self.pruned(run, pruned, now),
        }
    }

    fn pruned(&self, mut run: Box<Run>, pruned: Pruned, now: Timestamp) -> Next<State> {
        if self.policies.track_until_gone {
            run.track(pruned.terminating);
        }
        let lines: Vec<String> = pruned.changes.iter().map(ToString::to_string).collect();
        run.changes.extend(pruned.changes);
        if !pruned.errors.is_empty() {
            if !self.policies.forget_unpruned {
                run.track(pruned.survivors);
            }
            let message = format!("delete failed, errors: {}", pruned.errors);
            return self.fail(run, "PruneFailed", message, now);
        }
        match lines.is_empty() {
            true => self.check_health(run, now),
            false => self.tell(run, Severity::Info, &lines.join("\n"), Then::CheckHealth, now),
        }
    }
}

impl Run {
    /// Says what the reconciliation is at.
    pub(super) fn report(&mut self, doing: &str, now: Timestamp) {
        let (revision, timeout) = (&self.revision, self.settings.timeout);
        let message = format!("{doing} for revision {revision} with a timeout of {timeout}");
        conditions::mark_reconciling(&mut self.draft.object, message, now);
    }

    /// Keeps objects in the inventory that is about to be written.
    fn track(&mut self, entries: Vec<crate::engine::inventory::Entry>) {
        let mut inventory = Inventory::of(&self.draft.object);
        inventory.merge(entries);
        self.draft.object.set("status.inventory", inventory.to_value());
    }

    /// A message without the secret values that were substituted into the build.
    fn masked(&self, message: &str) -> String {
        let secrets = self.built.iter().flat_map(|built| built.secrets.iter());
        secrets
            .filter(|secret| !secret.is_empty())
            .fold(message.to_owned(), |message, secret| message.replace(secret.as_str(), "*****"))
    }
}

/// A line for each change that changed anything.
fn change_log(changes: &[Change]) -> String {
    let quiet = [ChangeAction::Unchanged, ChangeAction::Skipped];
    let loud = changes.iter().filter(|change| !quiet.contains(&change.action));
    loud.map(|change| format!("{change}\n")).collect()
}
