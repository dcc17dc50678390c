//! From a key to a revision: the Kustomization, its source, what it depends on.

use super::end::Ending;
use super::settings::Settings;
use super::state::{Answer, after};
use super::{KustomizationController, Run, State, Step, Then};
use crate::api::ApiRequest;
use crate::engine::conditions::{self, READY};
use crate::engine::draft::Draft;
use crate::engine::health::Health;
use crate::engine::inventory::{Entry, Inventory};
use crate::engine::lifecycle;
use crate::engine::names::{self, STATUS_MANAGER};
use crate::engine::record::Severity;
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Next, Requeue};
use crate::time::{Duration, Timestamp};

use std::sync::Arc;

impl KustomizationController {
    pub(super) fn kustomization_read(
        &self,
        target: &ObjectRef,
        started: Timestamp,
        answer: Answer,
        now: Timestamp,
    ) -> Next<State> {
        let object = match answer.map(|answer| answer.into_object()) {
            Ok(Some(object)) => object,
            Err(status) if !status.is_not_found() => return Next::failed(status.message),
            _ => return Next::done(),
        };
        match Settings::of(&object) {
            Ok(settings) => self.begin(Run::new(object, settings, started), now),
            Err(message) => Next::failed(format!("{target}: {message}")),
        }
    }

    fn begin(&self, mut run: Box<Run>, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        if object.is_deleting() {
            return self.finalize(run, now);
        }
        if !lifecycle::has_finalizer(object) {
            lifecycle::add_finalizer(object);
            return self.end(run, after(lifecycle::RETRY.0), now);
        }
        if lifecycle::is_suspended(object) {
            return self.end(run, Requeue::Never, now);
        }
        if run.settings.unsupported.contains(&"spec.healthCheckExprs") {
            let reason = "healthCheckExprs are not evaluated here; use wait or healthChecks";
            return self.stall(run, "InvalidCELExpression", reason, now);
        }
        self.read_source(run, now)
    }

    fn read_source(&self, run: Box<Run>, now: Timestamp) -> Next<State> {
        let source = run.settings.source.clone();
        let namespace = run.draft.object.namespace();
        if self.options.no_cross_namespace_refs && source.namespace != namespace {
            let message = format!(
                "can't access '{}/{}/{}', cross-namespace references have been blocked",
                source.kind, source.namespace, source.name
            );
            return self.deny(run, message, now);
        }
        if source.kind != "GitRepository" {
            let message = format!("source `{}` kind '{}' not supported", source.name, source.kind);
            return self.lack_source(run, message, now);
        }
        let gvk = names::git_repository();
        let request = match self.options.direct_source_fetch {
            true => ApiRequest::get(&gvk, &source.namespace, &source.name),
            false => ApiRequest::get_cached(&gvk, &source.namespace, &source.name),
        };
        run.ask(Step::SourceRead, request)
    }

    pub(super) fn source_read(
        &self,
        mut run: Box<Run>,
        answer: Answer,
        now: Timestamp,
    ) -> Next<State> {
        let named = run.settings.source.clone();
        let source = match answer.map(|answer| answer.into_object()) {
            Ok(Some(source)) => source,
            Err(status) if !status.is_not_found() => {
                let name = format!("{}/{}", named.namespace, named.name);
                return self.lack_source(
                    run,
                    format!("unable to get source '{name}': {status}"),
                    now,
                );
            }
            _ => {
                let message = format!("{}.{} {:?} not found", named.kind, named.group, named.name);
                let retry = run.settings.retry_interval;
                return self.lack_artifact(run, message, retry, now);
            }
        };
        if source.text("status.artifact.revision").is_empty() {
            let retry = self.options.requeue_dependency;
            let message = format!("Source artifact not found, retrying in {retry}");
            return self.lack_artifact(run, message, retry, now);
        }
        run.revision = source.text("status.artifact.revision").into();
        run.source = Some(source);
        if self.policies.only_new_revisions && run.has_applied_revision() {
            let interval = run.settings.interval;
            return self.end(run, after(interval), now);
        }
        self.read_dependency(run, 0, now)
    }

    fn read_dependency(&self, run: Box<Run>, i: usize, now: Timestamp) -> Next<State> {
        let Some(dependency) = run.settings.depends_on.get(i) else {
            return self.reconcile(run, now);
        };
        let object = &dependency.object;
        let request = ApiRequest::get(&names::kustomization(), &object.namespace, &object.name);
        run.ask(Step::DependencyRead(i), request)
    }

    pub(super) fn dependency_read(
        &self,
        run: Box<Run>,
        i: usize,
        answer: Answer,
        now: Timestamp,
    ) -> Next<State> {
        let wanted = run.settings.depends_on[i].clone();
        let name = format!("{}/{}", wanted.object.namespace, wanted.object.name);
        let found = match answer.map(|answer| answer.into_object()) {
            Ok(Some(found)) => found,
            Ok(None) => return self.unmet(run, format!("dependency '{name}' not found"), now),
            Err(status) => {
                return self.unmet(run, format!("dependency '{name}' not found: {status}"), now);
            }
        };
        if wanted.ready_expr {
            let reason = format!("readyExpr of dependency '{name}' is not evaluated here");
            return self.stall(run, "InvalidCELExpression", &reason, now);
        }
        if let Some(lack) = run.lacks(&found) {
            return self.unmet(run, format!("dependency '{name}' {lack}"), now);
        }
        match self.policies.check_dependency_health {
            true => {
                self.read_dependency_object(run, i, Inventory::of(&found).entries().to_vec(), now)
            }
            false => self.read_dependency(run, i + 1, now),
        }
    }

    fn read_dependency_object(
        &self,
        run: Box<Run>,
        i: usize,
        left: Vec<Entry>,
        now: Timestamp,
    ) -> Next<State> {
        let Some(entry) = left.last() else { return self.read_dependency(run, i + 1, now) };
        let (gvk, object) = (entry.gvk(), &entry.object);
        let request = ApiRequest::get(&gvk, &object.namespace, &object.name);
        run.ask(Step::DependencyObjectRead(i, left), request)
    }

    pub(super) fn dependency_object_read(
        &self,
        run: Box<Run>,
        i: usize,
        mut left: Vec<Entry>,
        answer: Answer,
        now: Timestamp,
    ) -> Next<State> {
        let found = answer.ok().and_then(|answer| answer.into_object());
        let health = found.map_or(Health::NotFound, |object| self.rules.judge(&object, now).health);
        let Some(entry) = left.pop().filter(|_| health != Health::Current) else {
            return self.read_dependency_object(run, i, left, now);
        };
        let name = &run.settings.depends_on[i].object;
        let message = format!(
            "dependency '{}/{}' is not healthy: {} status: '{health}'",
            name.namespace, name.name, entry.object
        );
        self.unmet(run, message, now)
    }

    /// A dependency is not met: that is no failure, but nothing is done until it is.
    fn unmet(&self, mut run: Box<Run>, message: String, now: Timestamp) -> Next<State> {
        conditions::mark_ready(&mut run.draft.object, "False", "DependencyNotReady", message, now);
        let retry = self.options.requeue_dependency;
        let told = format!("Dependencies do not meet ready condition, retrying in {retry}");
        let ending = Ending::new(after(retry));
        self.tell(run, Severity::Info, &told, Then::Conclude(Box::new(ending)), now)
    }

    pub(super) fn lack_artifact(
        &self,
        mut run: Box<Run>,
        message: String,
        retry: Duration,
        now: Timestamp,
    ) -> Next<State> {
        conditions::mark_ready(&mut run.draft.object, "False", "ArtifactFailed", message, now);
        self.end(run, after(retry), now)
    }

    /// The source could not be read: try again, ever more slowly.
    fn lack_source(&self, mut run: Box<Run>, message: String, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        conditions::mark_ready(object, "False", "ArtifactFailed", message.clone(), now);
        self.end(run, Requeue::Failed(message), now)
    }

    fn deny(&self, mut run: Box<Run>, message: String, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        conditions::mark_ready(object, "False", "AccessDenied", message.clone(), now);
        conditions::mark_stalled(object, "AccessDenied", message.clone(), now);
        let ending = Ending::new(Requeue::Never);
        self.tell(run, Severity::Error, &message, Then::Conclude(Box::new(ending)), now)
    }

    /// The spec itself is at fault: nothing helps but changing it.
    fn stall(&self, mut run: Box<Run>, reason: &str, why: &str, now: Timestamp) -> Next<State> {
        let message = format!("Reconciliation failed terminally due to configuration error: {why}");
        let object = &mut run.draft.object;
        conditions::mark_ready(object, "False", reason, message.clone(), now);
        conditions::mark_stalled(object, reason, message.clone(), now);
        object.set("status.observedGeneration", object.generation());
        let ending = Ending::new(Requeue::Never);
        self.tell(run, Severity::Error, &message, Then::Conclude(Box::new(ending)), now)
    }
}

impl Run {
    fn new(object: Object, settings: Settings, started: Timestamp) -> Box<Self> {
        Box::new(Run {
            started,
            old_inventory: Inventory::of(&object),
            draft: Draft::new(object, STATUS_MANAGER),
            settings: Arc::new(settings),
            source: None,
            revision: String::new(),
            built: None,
            applied: Vec::new(),
            changes: Vec::new(),
            was_healthy: false,
        })
    }

    fn has_applied_revision(&self) -> bool {
        self.draft.object.text("status.lastAppliedRevision") == self.revision
    }

    /// What a dependency lacks to be met; `None` when it is.
    fn lacks(&self, found: &Object) -> Option<&'static str> {
        let observed = found.int("status.observedGeneration").unwrap_or(0);
        if observed != found.generation() || !conditions::is_true(found, READY) {
            return Some("is not ready");
        }
        let same_source = super::settings::source_of(found) == self.settings.source;
        let applied = found.text("status.lastAppliedRevision");
        (same_source && applied != self.revision).then_some("revision is not up to date")
    }
}
