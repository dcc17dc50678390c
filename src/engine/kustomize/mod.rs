//! The kustomize controller: builds what a Kustomization points to and makes the cluster match.
//!
//! It does what Flux's kustomize-controller 1.9 does, step by step: see [`KustomizationController`].

mod apply;
mod begin;
mod build;
mod dependents;
mod end;
mod finalize;
mod health;
mod memory;
mod poll;
mod prune;
mod reconcile;
mod settings;
mod words;

use std::sync::Arc;

use serde_json::Value;

pub use apply::Apply;
pub use build::Build;
pub use poll::{Poll, Termination};
pub use prune::Prune;

use super::draft::{Draft, Progress, Write};
use super::health::{Health, HealthRules};
use super::inventory::Inventory;
use super::names::{self, FIELD_MANAGER, REQUESTED_AT, WATCH_LABEL};
use super::policy::Policies;
use super::record::{self, Record, Severity};
use super::stages::GroupKind;
use crate::api::{ApiRequest, ApiResponse, Caller, Request, Response, Status, WatchEvent};
use crate::git::Tree;
use crate::object::{LabelSelector, Object, ObjectRef};
use crate::reconciler::{Activity, Change, Next, Outcome, Phase, Reconciler, Requeue, Watch};
use crate::time::{Duration, Timestamp};
use apply::Applied;
use build::{Builds, Built, Finished};
use end::Ending;
use settings::Settings;

/// Reconciles `Kustomization` objects of `kustomize.toolkit.fluxcd.io/v1`.
///
/// One reconciliation: read the Kustomization and its source, check what it depends on, download the
/// artifact, build, then stage by stage dry-run everything and apply what differs, prune what is no longer
/// wanted, wait for health if asked to, and write down what was done. Every write is made as field manager
/// `kustomize-controller`, or in the name of `spec.serviceAccountName`.
///
/// ```
/// use driftlab::engine::{Policies, kustomize::KustomizationController};
/// use driftlab::reconciler::Reconciler;
/// let careful = Policies { refuse_empty_build: true, ..Policies::default() };
/// assert_eq!(KustomizationController::new(careful).name(), "kustomize-controller");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KustomizationController {
    policies: Policies,
    options: Options,
    rules: HealthRules,
    builds: Builds,
    finished: Finished,
}

/// What Flux's kustomize-controller takes as flags; see its `--help`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `--default-service-account`: in whose name to act for a Kustomization that names nobody.
    pub default_service_account: String,
    /// `--no-cross-namespace-refs`: refuse sources in other namespaces.
    pub no_cross_namespace_refs: bool,
    /// `--custom-apply-stage-kinds`: group and kind of what is applied in a stage before the rest.
    pub custom_stage_kinds: Vec<GroupKind>,
    /// `--override-manager`: field managers beside kubectl that may not keep changes.
    pub override_managers: Vec<String>,
    /// `--requeue-dependency`: how long until an unmet dependency is looked at again.
    pub requeue_dependency: Duration,
    /// `--concurrent`: how many Kustomizations are worked on at the same time.
    pub concurrent: usize,
    /// Feature gate `StrictPostBuildSubstitutions`: a variable that is not set is an error.
    pub strict_substitutions: bool,
    /// Feature gate `DirectSourceFetch`: read sources from the API server, not from the cache.
    pub direct_source_fetch: bool,
    /// Feature gate `DisableCommitStatusEvent`: no event when a reconciliation went well.
    pub disable_commit_status_event: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            default_service_account: String::new(),
            no_cross_namespace_refs: false,
            custom_stage_kinds: Vec::new(),
            override_managers: Vec::new(),
            requeue_dependency: Duration::from_secs(30),
            concurrent: 4,
            strict_substitutions: true,
            direct_source_fetch: false,
            disable_commit_status_event: false,
        }
    }
}

/// Where a reconciliation stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Awaits the source that changed.
    ChangedSourceRead,
    /// Awaits all Kustomizations, to find those that the changed object concerns.
    KustomizationsListed(Changed),
    /// Awaits the Kustomization itself.
    KustomizationRead(ObjectRef, Timestamp),
    /// Has the Kustomization, and awaits what the step says.
    Running(Box<Run>, Step),
}

/// What changed, and so may concern Kustomizations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Changed {
    /// A source, as it is now.
    Source(Object),
    /// A ConfigMap or Secret.
    Config(ObjectRef),
}

/// What a reconciliation under way awaits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The source.
    SourceRead,
    /// A dependency, by its place in `spec.dependsOn`.
    DependencyRead(usize),
    /// An object of a dependency's inventory: the dependency's place, and the objects left.
    DependencyObjectRead(usize, Vec<super::inventory::Entry>),
    /// The artifact.
    ArtifactDownloaded,
    /// Variables to substitute.
    VariablesRead(Box<Build>),
    /// An answer that applying needs.
    Applying(Box<Apply>),
    /// An answer that pruning needs.
    Pruning(Box<Prune>),
    /// An answer that the health check needs; with when it began.
    CheckingHealth(Box<Poll>, Timestamp),
    /// The service account that the finalizer would act as.
    ServiceAccountRead,
    /// An answer that the finalizer's pruning needs.
    Finalizing(Box<Prune>),
    /// An answer that the finalizer's wait for termination needs.
    AwaitingTermination(Box<Termination>),
    /// A write of the Kustomization's own status or metadata, and what comes then.
    Writing(Write, Then),
    /// The recording of an event, and what comes then.
    Recording(Record, Then),
}

/// How a reconciliation goes on after it wrote its status or an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    /// Download the artifact.
    Download,
    /// Build the tree.
    Build(Tree),
    /// Apply the build.
    Apply,
    /// Prune what is stale.
    Prune,
    /// Check health if asked to.
    CheckHealth,
    /// Begin to look at the objects.
    Poll(Box<Poll>),
    /// Say that health checks passed, after this span.
    Healthy(Duration),
    /// Write down the success.
    Succeed,
    /// Wait until these objects are gone, or remove the finalizer.
    Terminate(Vec<super::inventory::Entry>),
    /// Remove the finalizer.
    Release,
    /// Write the final status.
    Conclude(Box<Ending>),
    /// Tell of the success, or end.
    Report(Box<Ending>),
    /// End.
    Done(Box<Ending>),
}

/// What a reconciliation carries from step to step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    started: Timestamp,
    draft: Draft,
    settings: Arc<Settings>,
    source: Option<Object>,
    revision: String,
    built: Option<Arc<Built>>,
    old_inventory: Inventory,
    applied: Vec<Applied>,
    changes: Vec<Change>,
    was_healthy: bool,
}

/// What a machine within a reconciliation does next.
pub(crate) enum Turn<M, T, E = String> {
    /// Make this request.
    Ask(M, Box<ApiRequest>),
    /// Pause.
    Wait(M, Duration),
    /// It is over.
    Done(Result<T, E>),
}

/// An answer of the API.
type Answer = Result<ApiResponse, Status>;

impl KustomizationController {
    /// A controller with policies; all else as Flux has it.
    pub fn new(policies: Policies) -> Self {
        KustomizationController { policies, ..Self::default() }.with_health(HealthRules::flux())
    }

    /// The same, with other flags.
    pub fn with_options(self, options: Options) -> Self {
        KustomizationController { options, finished: Finished::default(), ..self }
    }

    /// The same, with other health rules; the policies about health hold all the same.
    pub fn with_health(self, mut rules: HealthRules) -> Self {
        if self.policies.unobserved_is_in_progress {
            rules = rules.unobserved(Health::InProgress);
        }
        if self.policies.running_job_is_current {
            rules = rules.with_kstatus_job();
        }
        KustomizationController { rules, ..self }
    }

    fn go_on(
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

    fn then(&self, run: Box<Run>, then: Then, now: Timestamp) -> Next<State> {
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
    fn write(&self, mut run: Box<Run>, then: Then, now: Timestamp) -> Next<State> {
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
    fn tell(
        &self,
        run: Box<Run>,
        severity: Severity,
        message: &str,
        then: Then,
        now: Timestamp,
    ) -> Next<State> {
        let object = &run.draft.object;
        let ready = super::conditions::get(object, super::conditions::READY);
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

    fn concerned(&self, changed: &Changed, answer: Answer) -> Next<State> {
        let listed = match answer {
            Ok(answer) => answer.into_list().unwrap_or_default().items,
            Err(status) => return Next::failed(status.message),
        };
        let enqueue = match changed {
            Changed::Source(source) => {
                dependents::of_source(source, &listed, self.policies.trigger_on_digest)
            }
            Changed::Config(config) => dependents::of_config(config, &listed),
        };
        Next::Done(Outcome { enqueue, ..Outcome::default() })
    }
}

impl Reconciler for KustomizationController {
    type State = State;

    fn name(&self) -> &str {
        FIELD_MANAGER
    }

    fn caller(&self) -> Caller {
        Caller::service_account("flux-system", FIELD_MANAGER, FIELD_MANAGER)
    }

    fn watches(&self) -> Vec<Watch> {
        let config = |kind: &str| Watch {
            labels: LabelSelector::from_labels([(WATCH_LABEL, "Enabled")]),
            ..Watch::all("v1", kind)
        };
        vec![
            Watch::all(names::KUSTOMIZE_API, "Kustomization"),
            Watch::all(names::SOURCE_API, "GitRepository"),
            config("ConfigMap"),
            config("Secret"),
        ]
    }

    /// A Kustomization counts when its generation or the requested reconciliation changes, a source when
    /// its artifact's revision does, a watched ConfigMap or Secret whenever it changes.
    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let object = &event.object;
        let counts = match (object.kind(), previous) {
            (_, None) => true,
            ("Kustomization", Some(before)) => is_asked_anew(before, object),
            ("GitRepository", Some(before)) => {
                has_new_artifact(before, object, self.policies.trigger_on_digest)
            }
            (_, Some(before)) => before.resource_version() != object.resource_version(),
        };
        if counts { vec![object.reference()] } else { Vec::new() }
    }

    fn start(&self, target: &ObjectRef, now: Timestamp) -> Next<State> {
        let (namespace, name) = (&target.namespace, &target.name);
        let all =
            || ApiRequest::list_cached(&names::kustomization(), "", LabelSelector::everything());
        match target.kind.as_str() {
            "Kustomization" => Next::ask(
                State::KustomizationRead(target.clone(), now),
                ApiRequest::get_cached(&names::kustomization(), namespace, name),
            ),
            "GitRepository" => Next::ask(
                State::ChangedSourceRead,
                ApiRequest::get_cached(&names::git_repository(), namespace, name),
            ),
            _ => Next::ask(State::KustomizationsListed(Changed::Config(target.clone())), all()),
        }
    }

    fn step(&self, state: State, response: Response, now: Timestamp) -> Next<State> {
        match state {
            State::ChangedSourceRead => match answer(response).map(ApiResponse::into_object) {
                Ok(Some(source)) => Next::ask(
                    State::KustomizationsListed(Changed::Source(source)),
                    ApiRequest::list_cached(
                        &names::kustomization(),
                        "",
                        LabelSelector::everything(),
                    ),
                ),
                Err(status) if !status.is_not_found() => Next::failed(status.message),
                _ => Next::done(),
            },
            State::KustomizationsListed(changed) => self.concerned(&changed, answer(response)),
            State::KustomizationRead(target, started) => {
                self.kustomization_read(&target, started, answer(response), now)
            }
            State::Running(run, step) => self.go_on(run, step, response, now),
        }
    }

    fn workers(&self) -> usize {
        self.options.concurrent
    }

    /// 750 ms, doubling up to a quarter of an hour, as Flux's `--min-retry-delay` and
    /// `--max-retry-delay` have it.
    fn backoff(&self) -> (Duration, Duration) {
        (Duration::from_millis(750), Duration::from_mins(15))
    }

    fn describe(&self, state: &State) -> Activity {
        let State::Running(run, step) = state else { return Activity::default() };
        let phase = match step {
            Step::SourceRead
            | Step::DependencyRead(_)
            | Step::DependencyObjectRead(..)
            | Step::ArtifactDownloaded
            | Step::VariablesRead(_)
            | Step::Writing(_, Then::Download | Then::Build(_)) => Phase::Watch,
            Step::Writing(_, Then::Apply) => Phase::Compare,
            Step::Applying(apply) if apply.is_comparing() => Phase::Compare,
            _ => Phase::Reconcile,
        };
        Activity { phase, revision: run.revision.clone() }
    }
}

impl Run {
    /// Awaits the answer to a request made in the controller's own name.
    fn ask(self: Box<Self>, step: Step, request: ApiRequest) -> Next<State> {
        Next::ask(State::Running(self, step), request)
    }

    /// Awaits the answer to a request made in the name of the Kustomization's service account, if it has
    /// one.
    fn ask_impersonating(
        self: Box<Self>,
        options: &Options,
        step: Step,
        request: ApiRequest,
    ) -> Next<State> {
        let caller = self.impersonated(options);
        let request = match caller {
            None => Request::Api(request),
            Some(caller) => Request::ApiAs(caller, request),
        };
        Next::Ask(State::Running(self, step), request)
    }

    /// As whom to act on what is managed.
    fn impersonated(&self, options: &Options) -> Option<Caller> {
        let named = &self.settings.service_account;
        let name = if named.is_empty() { &options.default_service_account } else { named };
        let namespace = self.draft.object.namespace();
        (!name.is_empty()).then(|| Caller::service_account(namespace, name, FIELD_MANAGER))
    }

    fn wait(self: Box<Self>, step: Step, span: Duration) -> Next<State> {
        Next::Wait(State::Running(self, step), span)
    }
}

/// The answer to an API request.
///
/// # Panics
///
/// When the response answers something else: the driver mixed up its answers.
fn answer(response: Response) -> Answer {
    match response {
        Response::Api(answer) => answer,
        other => panic!("a request to the API was answered with {other:?}"),
    }
}

/// Whether the spec changed or a reconciliation is asked for.
fn is_asked_anew(before: &Object, now: &Object) -> bool {
    let asked = now.annotation(REQUESTED_AT);
    before.generation() != now.generation()
        || asked.is_some() && asked != before.annotation(REQUESTED_AT)
}

fn has_new_artifact(before: &Object, now: &Object, by_digest: bool) -> bool {
    let field =
        |object: &Object, field: &str| object.get(field).and_then(Value::as_str).map(str::to_owned);
    let differs = |name: &str| {
        let now = field(now, name);
        now.is_some() && now != field(before, name)
    };
    differs("status.artifact.revision") || by_digest && differs("status.artifact.digest")
}

/// Comes back after a span, exactly.
fn after(span: Duration) -> Requeue {
    Requeue::After { after: span, jitter_percent: 0 }
}
