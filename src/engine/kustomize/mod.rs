//! The kustomize controller: builds what a Kustomization points to and makes the cluster match.
//!
//! It does what Flux's kustomize-controller 1.9 does, step by step: see [`KustomizationController`].

mod apply;
mod begin;
mod build;
mod dependents;
mod end;
mod finalize;
mod go_on;
mod health;
mod memory;
mod options;
mod poll;
mod prune;
mod reconcile;
mod settings;
mod state;
mod words;

use serde_json::Value;

pub use apply::Apply;
pub use build::Build;
pub use options::Options;
pub use poll::{Poll, Termination};
pub use prune::Prune;
pub use state::{Changed, Run, State, Step, Then};

use super::health::{Health, HealthRules};
use super::lifecycle;
use super::names::{self, FIELD_MANAGER, WATCH_LABEL};
use super::policy::Policies;
use crate::api::{ApiRequest, ApiResponse, Caller, Response, WatchEvent};
use crate::object::{LabelSelector, Object, ObjectRef};
use crate::reconciler::{Activity, Next, Outcome, Phase, Reconciler, Watch};
use crate::time::{Duration, Timestamp};
use build::{Builds, Finished};
use state::{Answer, answer};

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
            ("Kustomization", Some(before)) => lifecycle::is_asked_anew(before, object),
            ("GitRepository", Some(before)) => {
                has_new_artifact(before, object, self.policies.trigger_on_digest)
            }
            (_, Some(before)) => before.resource_version() != object.resource_version(),
        };
        if counts { vec![object.reference()] } else { Vec::new() }
    }

    fn start(&self, target: &ObjectRef, now: Timestamp) -> Next<State> {
        let (namespace, name) = (&target.namespace, &target.name);
        let all = || ApiRequest::list_all_cached(&names::kustomization(), "");
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
                    ApiRequest::list_all_cached(&names::kustomization(), ""),
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

    fn backoff(&self) -> (Duration, Duration) {
        lifecycle::RETRY
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

fn has_new_artifact(before: &Object, now: &Object, by_digest: bool) -> bool {
    let field =
        |object: &Object, field: &str| object.get(field).and_then(Value::as_str).map(str::to_owned);
    let differs = |name: &str| {
        let now = field(now, name);
        now.is_some() && now != field(before, name)
    };
    differs("status.artifact.revision") || by_digest && differs("status.artifact.digest")
}
