//! The source controller: pulls Git repositories and offers what it found as artifacts.

mod summary;
mod verify;

use serde_json::json;

use super::conditions::{self, READY, RECONCILING};
use super::draft::{Draft, Progress, Write};
use super::lifecycle;
use super::names::{self, REQUESTED_AT, SOURCE_CONTROLLER};
use super::record::{self, Record, Severity};
use crate::api::{
    ApiRequest, ApiResponse, Artifact, Caller, FetchError, FetchRequest, GitReference, Request,
    Response, Status, WatchEvent,
};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Activity, Condition, Next, Outcome, Phase, Reconciler, Requeue, Watch};
use crate::time::{Duration, Timestamp};
use summary::{ARTIFACT_IN_STORAGE, ARTIFACT_OUTDATED, FETCH_FAILED, summarize};
use verify::Refusal;

/// Reconciles `GitRepository` objects of `source.toolkit.fluxcd.io/v1`.
///
/// One reconciliation resolves `spec.ref` at the remote and brings its files; when the revision is new, or
/// what is ignored changed, `status.artifact` says where they are. Of several references commit counts
/// before name, semver, tag and branch; without any it is the branch `master`.
///
/// With `spec.verify` only what is signed is taken in: the commit (`mode: HEAD`), the tag that led to it
/// (`Tag`), or both (`TagAndHEAD`). What is not leaves `SourceVerified` and `Ready` false, with Flux's reasons
/// and words, and the artifact as it was. The Secret of `spec.verify.secretRef` must be there and have a key
/// of the signature's form (`*.sshpub`, or `*.asc`), but nothing is computed with keys: a signature counts as
/// verified when it is present.
///
/// ```
/// use driftlab::engine::source::GitRepositoryController;
/// use driftlab::reconciler::Reconciler;
/// assert_eq!(GitRepositoryController::default().watches()[0].kind.kind, "GitRepository");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GitRepositoryController {}

/// Where a reconciliation stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Awaits the GitRepository itself.
    RepositoryRead,
    /// Has the GitRepository, and awaits what the step says.
    Running(Box<Run>, Step),
}

/// What a reconciliation under way awaits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The reference and its files, from the remote.
    Fetched,
    /// The Secret with public keys, to verify what was fetched.
    KeysRead(Box<Artifact>),
    /// A write of the GitRepository's status or metadata, and what comes then.
    Writing(Write, Then),
    /// The recording of an event, and what comes then.
    Recording(Record, Then),
}

/// How a reconciliation goes on after it wrote its status or an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    /// See whether there is an artifact.
    Storage,
    /// Ask the remote.
    Fetch,
    /// Take in what was fetched.
    Store(Box<Artifact>),
    /// Write the final status.
    Conclude(Ending),
    /// End.
    Done(Ending),
}

/// How a reconciliation ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The artifact is what the remote has: come back at the interval.
    Stored,
    /// Something is to be done first: come back soon.
    Again,
    /// There is nothing to do until something changes.
    Idle,
    /// It failed, and only a change to the GitRepository can help.
    Stalled(String),
    /// It failed: come back ever more slowly.
    Failed(String),
}

/// What a reconciliation carries from step to step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    draft: Draft,
    /// The object as it was read.
    before: Object,
    interval: Duration,
}

impl GitRepositoryController {
    /// A controller as Flux's source-controller is.
    pub fn new() -> Self {
        Self::default()
    }

    fn repository_read(&self, answer: Result<ApiResponse, Status>, now: Timestamp) -> Next<State> {
        let object = match answer.map(ApiResponse::into_object) {
            Ok(Some(object)) => object,
            Err(status) if !status.is_not_found() => return Next::failed(status.message),
            _ => return Next::done(),
        };
        let Ok(interval) = object.text("spec.interval").parse() else {
            return Next::failed(format!("{}: spec.interval is no duration", object.reference()));
        };
        let draft = Draft::new(object.clone(), SOURCE_CONTROLLER);
        self.begin(Box::new(Run { draft, before: object, interval }), now)
    }

    fn begin(&self, mut run: Box<Run>, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        if object.is_deleting() {
            lifecycle::remove_finalizer(object);
            object.remove("status.artifact");
            return self.conclude(run, Ending::Idle, now);
        }
        if !lifecycle::has_finalizer(object) {
            lifecycle::add_finalizer(object);
            return self.conclude(run, Ending::Again, now);
        }
        if lifecycle::is_suspended(object) {
            return self.conclude(run, Ending::Idle, now);
        }
        self.announce(run, now)
    }

    /// Says that work is under way, and writes so when there is a reason to look.
    fn announce(&self, mut run: Box<Run>, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        progress(object, false, "reconciliation in progress".into(), now);
        let (generation, observed) =
            (object.generation(), object.int("status.observedGeneration").unwrap_or(0));
        let asked = object.annotation(REQUESTED_AT).unwrap_or_default();
        let is_asked = asked != object.text("status.lastHandledReconcileAt");
        if generation != observed {
            let message = format!("processing object: new generation {observed} -> {generation}");
            progress(object, false, message, now);
        }
        match generation != observed || is_asked {
            true => self.write(run, Then::Storage, now),
            false => self.storage(run, now),
        }
    }

    fn storage(&self, mut run: Box<Run>, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        if object.get("status.artifact").is_some() {
            return self.fetch(run);
        }
        progress(object, true, "building artifact".into(), now);
        conditions::delete(object, ARTIFACT_IN_STORAGE);
        self.write(run, Then::Fetch, now)
    }

    fn fetch(&self, mut run: Box<Run>) -> Next<State> {
        verify::forget_failure(&mut run.draft.object);
        let request = Request::Fetch(fetch_request(&run.draft.object));
        Next::Ask(State::Running(run, Step::Fetched), request)
    }

    fn fetched(
        &self,
        run: Box<Run>,
        answer: Result<Artifact, FetchError>,
        now: Timestamp,
    ) -> Next<State> {
        match answer {
            Ok(artifact) => self.found(run, artifact, now),
            Err(error) => self.not_fetched(run, error.message, now),
        }
    }

    fn not_fetched(&self, mut run: Box<Run>, message: String, now: Timestamp) -> Next<State> {
        let reason = "GitOperationFailed";
        let failed = Condition::new(FETCH_FAILED, "True", reason, message.clone());
        conditions::mark(&mut run.draft.object, failed, now);
        let then = Then::Conclude(Ending::Failed(message.clone()));
        self.tell(run, (Severity::Error, reason, &message), then, now)
    }

    fn found(&self, mut run: Box<Run>, artifact: Artifact, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        conditions::delete(object, FETCH_FAILED);
        let is_held = object.text("status.artifact.revision") == artifact.revision;
        if is_held && !verify::is_due(object) {
            return self.store(run, &artifact, now);
        }
        if verify::is_asked_for(object) {
            let request = verify::keys_request(object);
            return Next::ask(State::Running(run, Step::KeysRead(Box::new(artifact))), request);
        }
        verify::forget(object);
        self.take_in(run, artifact, now)
    }

    fn keys_read(
        &self,
        mut run: Box<Run>,
        artifact: Artifact,
        answer: Result<ApiResponse, Status>,
        now: Timestamp,
    ) -> Next<State> {
        let secret = match answer.map(ApiResponse::into_object) {
            Ok(secret) => secret.ok_or_else(|| verify::no_keys("it is no object")),
            Err(status) => Err(verify::no_keys(&status.message)),
        };
        let object = &mut run.draft.object;
        match secret.and_then(|secret| verify::verify(object, &artifact, &secret, now)) {
            Ok(()) => self.take_in(run, artifact, now),
            Err(refusal) => self.refused(run, refusal, now),
        }
    }

    fn refused(&self, mut run: Box<Run>, refusal: Refusal, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        verify::mark_refused(object, &refusal, now);
        let Refusal { reason, message, is_final } = refusal;
        let ending = if is_final {
            conditions::mark_stalled(object, reason, message.clone(), now);
            Ending::Stalled(message.clone())
        } else {
            Ending::Failed(message.clone())
        };
        self.tell(run, (Severity::Error, reason, &message), Then::Conclude(ending), now)
    }

    fn take_in(&self, mut run: Box<Run>, artifact: Artifact, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        if object.text("status.artifact.revision") == artifact.revision {
            return self.store(run, &artifact, now);
        }
        let message = format!("new upstream revision '{}'", artifact.revision);
        if object.get("status.artifact").is_some() {
            let outdated =
                Condition::new(ARTIFACT_OUTDATED, "True", "NewRevision", message.clone());
            conditions::mark(object, outdated, now);
        }
        progress(object, true, format!("building artifact: {message}"), now);
        self.write(run, Then::Store(Box::new(artifact)), now)
    }

    fn store(&self, mut run: Box<Run>, artifact: &Artifact, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        let text = |field: &str| object.text(&format!("status.artifact.{field}")).to_owned();
        let is_held = text("revision") == artifact.revision && text("digest") == artifact.digest;
        let was_failing = conditions::get(&run.before, FETCH_FAILED).is_some();
        if !is_held {
            object.set("status.artifact", describe(artifact, now));
        }
        match object.get("spec.ignore").cloned() {
            Some(ignore) => object.set("status.observedIgnore", ignore),
            None => drop(object.remove("status.observedIgnore")),
        }
        conditions::delete(object, ARTIFACT_OUTDATED);
        let revision = &artifact.revision;
        let message = format!("stored artifact for revision '{revision}'");
        let stored = Condition::new(ARTIFACT_IN_STORAGE, "True", "Succeeded", message);
        conditions::mark(object, stored, now);
        let then = Then::Conclude(Ending::Stored);
        let told = format!("stored artifact for commit '{revision}'");
        let held = format!("no changes since last reconciliation: observed revision '{revision}'");
        let what = match (is_held, was_failing) {
            (false, _) => (Severity::Info, "NewArtifact", told.as_str()),
            (true, true) => (Severity::Info, "Succeeded", told.as_str()),
            (true, false) => (Severity::Info, "GitOperationSucceeded", held.as_str()),
        };
        self.tell(run, what, then, now)
    }

    /// Writes the final status: `Ready` sums the other conditions up.
    fn conclude(&self, mut run: Box<Run>, ending: Ending, now: Timestamp) -> Next<State> {
        let object = &mut run.draft.object;
        lifecycle::note_handled(object);
        if ending == Ending::Stored {
            conditions::delete(object, RECONCILING);
        }
        conditions::mark_retrying(object, now);
        let observed = matches!(ending, Ending::Stored | Ending::Idle | Ending::Stalled(_));
        if observed && !crate::reconciler::conditions(object).is_empty() {
            object.set("status.observedGeneration", object.generation());
        }
        if let Some(ready) = summarize(object) {
            conditions::mark(object, ready, now);
        }
        self.write(run, Then::Done(ending), now)
    }

    fn done(&self, run: &Run, ending: Ending) -> Next<State> {
        let ready = conditions::get(&run.draft.object, READY);
        let outcome = Outcome {
            revision: run.draft.object.text("status.artifact.revision").into(),
            message: ready.map_or(String::new(), |ready| ready.message),
            ..Outcome::default()
        };
        let after = |after, jitter_percent| Requeue::After { after, jitter_percent };
        Next::Done(match ending {
            Ending::Stored => {
                Outcome { requeue: after(run.interval, lifecycle::JITTER), ..outcome }
            }
            Ending::Again => Outcome { requeue: after(lifecycle::RETRY.0, 0), ..outcome },
            Ending::Idle => Outcome { message: String::new(), ..outcome },
            Ending::Stalled(message) => Outcome { message, failed: true, ..outcome },
            Ending::Failed(error) => Outcome {
                requeue: Requeue::Failed(error.clone()),
                message: error,
                failed: true,
                ..outcome
            },
        })
    }

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
            Progress::Ask(write, request) => {
                Next::ask(State::Running(run, Step::Writing(write, then)), *request)
            }
            Progress::Wait(write, pause) => {
                Next::Wait(State::Running(run, Step::Writing(write, then)), pause)
            }
            Progress::Done(Ok(())) => self.then(run, then, now),
            Progress::Done(Err(status)) => {
                let gone = run.before.is_deleting() && status.is_not_found();
                if gone { Next::done() } else { Next::failed(status.message) }
            }
        }
    }

    fn tell(
        &self,
        run: Box<Run>,
        what: (Severity, &str, &str),
        then: Then,
        now: Timestamp,
    ) -> Next<State> {
        let object = &run.draft.object;
        let revision = object.text("status.artifact.revision");
        let event = record::event(object, what, revision, SOURCE_CONTROLLER, now);
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
            Some((record, request)) => {
                Next::ask(State::Running(run, Step::Recording(record, then)), request)
            }
            None => self.then(run, then, now),
        }
    }

    fn then(&self, run: Box<Run>, then: Then, now: Timestamp) -> Next<State> {
        match then {
            Then::Storage => self.storage(run, now),
            Then::Fetch => self.fetch(run),
            Then::Store(artifact) => self.store(run, &artifact, now),
            Then::Conclude(ending) => self.conclude(run, ending, now),
            Then::Done(ending) => self.done(&run, ending),
        }
    }
}

impl Reconciler for GitRepositoryController {
    type State = State;

    fn name(&self) -> &str {
        SOURCE_CONTROLLER
    }

    fn caller(&self) -> Caller {
        Caller::service_account("flux-system", SOURCE_CONTROLLER, SOURCE_CONTROLLER)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all(names::SOURCE_API, "GitRepository")]
    }

    /// A change counts when it is one of the generation, or asks for a reconciliation.
    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let object = &event.object;
        let counts = previous.is_none_or(|before| lifecycle::is_asked_anew(before, object));
        if counts { vec![object.reference()] } else { Vec::new() }
    }

    fn start(&self, target: &ObjectRef, _: Timestamp) -> Next<State> {
        let request =
            ApiRequest::get_cached(&names::git_repository(), &target.namespace, &target.name);
        Next::ask(State::RepositoryRead, request)
    }

    fn step(&self, state: State, response: Response, now: Timestamp) -> Next<State> {
        match (state, response) {
            (State::RepositoryRead, Response::Api(answer)) => self.repository_read(answer, now),
            (State::Running(run, Step::Fetched), Response::Fetched(answer)) => {
                self.fetched(run, answer, now)
            }
            (State::Running(run, Step::KeysRead(artifact)), Response::Api(answer)) => {
                self.keys_read(run, *artifact, answer, now)
            }
            (State::Running(mut run, Step::Writing(write, then)), response) => {
                let progress = run.draft.step(write, response);
                self.writing(run, progress, then, now)
            }
            (State::Running(run, Step::Recording(record, then)), response) => {
                let next = record::step(record, response);
                self.recording(run, next, then, now)
            }
            (state, response) => panic!("{state:?} was answered with {response:?}"),
        }
    }

    fn workers(&self) -> usize {
        2
    }

    fn backoff(&self) -> (Duration, Duration) {
        lifecycle::RETRY
    }

    fn describe(&self, state: &State) -> Activity {
        let State::Running(run, step) = state else { return Activity::default() };
        let phase = match step {
            Step::Fetched | Step::Writing(_, Then::Storage | Then::Fetch) => Phase::Watch,
            Step::KeysRead(_) | Step::Writing(_, Then::Store(_)) => Phase::Compare,
            _ => Phase::Reconcile,
        };
        Activity { phase, revision: run.draft.object.text("status.artifact.revision").into() }
    }
}

/// What to ask of the remote.
fn fetch_request(object: &Object) -> FetchRequest {
    let text = |field: &str| object.text(&format!("spec.ref.{field}")).to_owned();
    FetchRequest {
        url: object.text("spec.url").into(),
        reference: GitReference {
            branch: text("branch"),
            tag: text("tag"),
            semver: text("semver"),
            name: text("name"),
            commit: text("commit"),
        },
        ignore: object.get("spec.ignore").and_then(|v| v.as_str()).map(str::to_owned),
        have: object.text("status.artifact.revision").into(),
    }
}

/// `status.artifact`.
fn describe(artifact: &Artifact, now: Timestamp) -> serde_json::Value {
    let after_host = artifact.url.splitn(4, '/').nth(3);
    json!({
        "url": artifact.url, "path": after_host.unwrap_or(&artifact.url),
        "revision": artifact.revision, "digest": artifact.digest, "size": artifact.size,
        "lastUpdateTime": now.to_string(),
    })
}

/// Says that work is under way; `Ready` becomes unknown when it was, or when there is something new.
fn progress(object: &mut Object, is_new: bool, message: String, now: Timestamp) {
    conditions::mark_reconciling(object, message.clone(), now);
    let known = conditions::get(object, READY).is_some_and(|ready| ready.status != "Unknown");
    if is_new || !known {
        conditions::mark_ready(object, "Unknown", "Progressing", message, now);
    }
}
