//! Where a reconciliation stands, and what it carries along.

use std::sync::Arc;

use super::apply::{Applied, Apply};
use super::build::{Build, Built};
use super::end::Ending;
use super::options::Options;
use super::poll::{Poll, Termination};
use super::prune::Prune;
use super::settings::Settings;
use crate::api::{ApiRequest, ApiResponse, Caller, Request, Response, Status};
use crate::engine::draft::{Draft, Write};
use crate::engine::inventory::{Entry, Inventory};
use crate::engine::names::FIELD_MANAGER;
use crate::engine::record::Record;
use crate::git::Tree;
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Change, Next, Requeue};
use crate::time::{Duration, Timestamp};

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
    DependencyObjectRead(usize, Vec<Entry>),
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
    Terminate(Vec<Entry>),
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
    pub(super) started: Timestamp,
    /// The Kustomization, as it is to be written.
    pub(super) draft: Draft,
    pub(super) settings: Arc<Settings>,
    /// Its source; `None` until it is read.
    pub(super) source: Option<Object>,
    /// The revision that is reconciled; empty until it is known.
    pub(super) revision: String,
    pub(super) built: Option<Arc<Built>>,
    /// What was tracked at the beginning.
    pub(super) old_inventory: Inventory,
    pub(super) applied: Vec<Applied>,
    /// What is told in the end: what was applied, then what was pruned.
    pub(super) changes: Vec<Change>,
    /// Whether the health check before this one passed.
    pub(super) was_healthy: bool,
}

/// What a machine within a reconciliation does next.
pub(super) enum Turn<M, T, E = String> {
    /// Make this request.
    Ask(M, Box<ApiRequest>),
    /// Pause.
    Wait(M, Duration),
    /// It is over.
    Done(Result<T, E>),
}

/// An answer of the API.
pub(super) type Answer = Result<ApiResponse, Status>;

impl Run {
    /// Awaits the answer to a request made in the controller's own name.
    pub(super) fn ask(self: Box<Self>, step: Step, request: ApiRequest) -> Next<State> {
        Next::ask(State::Running(self, step), request)
    }

    /// Awaits the answer to a request made in the name of the Kustomization's service account, if it has
    /// one.
    pub(super) fn ask_impersonating(
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
        let namespace = self.draft.object.namespace();
        let name = self.account(options)?;
        Some(Caller::service_account(namespace, name, FIELD_MANAGER))
    }

    /// The service account in whose name to act.
    pub(super) fn account<'a>(&'a self, options: &'a Options) -> Option<&'a str> {
        let names = [&self.settings.service_account, &options.default_service_account];
        names.into_iter().find(|name| !name.is_empty()).map(String::as_str)
    }

    pub(super) fn wait(self: Box<Self>, step: Step, span: Duration) -> Next<State> {
        Next::Wait(State::Running(self, step), span)
    }
}

/// The answer to an API request.
///
/// # Panics
///
/// When the response answers something else: the driver mixed up its answers.
pub(super) fn answer(response: Response) -> Answer {
    match response {
        Response::Api(answer) => answer,
        other => panic!("a request to the API was answered with {other:?}"),
    }
}

/// Comes back after a span, exactly.
pub(super) fn after(span: Duration) -> Requeue {
    Requeue::After { after: span, jitter_percent: 0 }
}
