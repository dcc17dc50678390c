//! Applying a build, stage by stage: read, dry-run and compare everything, then write what differs.
//!
//! Source: `ApplyAllStaged` and `ApplyAll` of `fluxcd/pkg/ssa`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::poll::Poll;
use super::state::{Turn, answer};
use crate::api::{
    ApiRequest, ApiResponse, DeleteOptions, Patch, Propagation, Reason, Response, Status,
    WriteOptions,
};
use crate::engine::health::HealthRules;
use crate::engine::ignore::{self, IgnoreRule};
use crate::engine::inventory::Entry;
use crate::engine::names::{FIELD_MANAGER, FORCE, RECONCILE, SSA};
use crate::engine::normalize::without_undeclared;
use crate::engine::ownership::reclaim;
use crate::engine::stages::Stage;
use crate::object::Object;
use crate::reconciler::{Change, ChangeAction};
use crate::time::{Duration, Timestamp};

/// How often a stage that is waited for, or a deletion, is looked at, and for how long.
const WAIT_INTERVAL: Duration = Duration::from_secs(2);
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// What applies to every object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ApplyOptions {
    /// Recreate objects whose immutable fields change.
    pub(super) force: bool,
    /// Fields that are nobody's drift.
    pub(super) ignore: Vec<IgnoreRule>,
    /// Managers beside kubectl that may not keep changes.
    pub(super) override_managers: Vec<String>,
    /// Leave other managers' fields to them.
    pub(super) keep_foreign_managers: bool,
    /// Read live objects from the cache.
    pub(super) read_from_cache: bool,
}

/// One object that was dealt with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Applied {
    /// As the inventory names it.
    pub(super) entry: Entry,
    /// What became of it.
    pub(super) change: Change,
}

/// Why applying stopped, and what was done until then.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ApplyError {
    pub(super) message: String,
    /// What the stages before did, in order.
    pub(super) before: Vec<Applied>,
    /// What the failing stage wrote.
    pub(super) within: Vec<Applied>,
}

/// An apply under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Apply {
    stages: Arc<[Stage]>,
    options: Arc<ApplyOptions>,
    stage: usize,
    /// The object of the stage that is worked on.
    next: usize,
    /// What is to become of each object of the stage.
    plan: Vec<Planned>,
    /// What the stages before did.
    done: Vec<Applied>,
    awaiting: Await,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Planned {
    applied: Applied,
    /// What to write; `None` when it is as wanted, or left alone.
    write: Option<Object>,
}

/// Which answer an apply awaits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Await {
    /// The live object.
    LiveRead,
    /// The dry run of the wanted object.
    DryRun(Tried),
    /// How a kind is served, to say why a dry run found nothing.
    KindDiscovered(Status),
    /// The deletion of an object that cannot be changed.
    Deleted(Tried, Status),
    /// A pause until that deletion is looked at.
    DeletionWaited(Tried),
    /// Whether that object is gone.
    GoneRead(Tried),
    /// The dry run of an object that was deleted first.
    DryRunAnew(Tried),
    /// The patch that takes fields back from other managers.
    Reclaimed(Tried, Object),
    /// The apply.
    Applied,
    /// The health of the stage's objects.
    StageHealth(Poll),
}

/// An object that is being tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tried {
    desired: Object,
    live: Option<Object>,
}

type ApplyTurn = Turn<Apply, Vec<Applied>, ApplyError>;

impl Apply {
    /// An apply of stages.
    pub(super) fn new(stages: Arc<[Stage]>, options: ApplyOptions) -> Self {
        Apply {
            stages,
            options: Arc::new(options),
            stage: 0,
            next: 0,
            plan: Vec::new(),
            done: Vec::new(),
            awaiting: Await::LiveRead,
        }
    }

    /// Whether nothing was written yet that a comparison did not ask for.
    pub(super) fn is_comparing(&self) -> bool {
        matches!(self.awaiting, Await::LiveRead | Await::DryRun(_) | Await::KindDiscovered(_))
    }

    /// Begins.
    pub(super) fn start(self, now: Timestamp) -> ApplyTurn {
        self.try_next(now)
    }

    /// Goes on with an answer, or after a pause.
    pub(super) fn step(
        mut self,
        response: Response,
        rules: &HealthRules,
        now: Timestamp,
    ) -> ApplyTurn {
        match std::mem::replace(&mut self.awaiting, Await::LiveRead) {
            Await::LiveRead => self.live_read(answer(response), now),
            Await::DryRun(tried) => self.dry_run(tried, answer(response), now),
            Await::KindDiscovered(status) => self.not_served(status, answer(response)),
            Await::Deleted(tried, refusal) => self.deleted(tried, &refusal, answer(response)),
            Await::DeletionWaited(tried) => self.read_gone(tried),
            Await::GoneRead(tried) => self.gone_read(tried, answer(response)),
            Await::DryRunAnew(tried) => self.dry_run_anew(tried, answer(response), now),
            Await::Reclaimed(tried, dry) => self.reclaimed(tried, &dry, answer(response), now),
            Await::Applied => self.applied(answer(response), now),
            Await::StageHealth(poll) => match poll.step(response, rules, now) {
                Turn::Done(Ok(())) => self.next_stage(now),
                Turn::Done(Err(message)) => self.fail(message),
                turn => self.wait_for_stage(turn),
            },
        }
    }

    fn try_next(mut self, now: Timestamp) -> ApplyTurn {
        let Some(stage) = self.stages.get(self.stage) else { return Turn::Done(Ok(self.done)) };
        let Some(object) = stage.objects.get(self.next) else {
            self.next = 0;
            return self.write_next(now);
        };
        let (gvk, namespace, name) = (object.gvk(), object.namespace(), object.name());
        let request = match self.options.read_from_cache {
            true => ApiRequest::get_cached(&gvk, namespace, name),
            false => ApiRequest::get(&gvk, namespace, name),
        };
        self.ask(Await::LiveRead, request)
    }

    fn live_read(mut self, answer: Result<ApiResponse, Status>, now: Timestamp) -> ApplyTurn {
        let desired = self.object().clone();
        let live = answer.ok().and_then(ApiResponse::into_object);
        if is_left_alone(&desired, live.as_ref()) {
            let entry = Entry::of(live.as_ref().unwrap_or(&desired));
            self.plan.push(planned(entry, ChangeAction::Skipped, Vec::new(), None));
            self.next += 1;
            return self.try_next(now);
        }
        let request = apply(&desired, true);
        self.ask(Await::DryRun(Tried { desired, live }), request)
    }

    fn dry_run(
        self,
        mut tried: Tried,
        answer: Result<ApiResponse, Status>,
        now: Timestamp,
    ) -> ApplyTurn {
        let refusal = match answer {
            Ok(answer) => return self.tried(tried, answer, now),
            Err(refusal) => refusal,
        };
        if let Some(trimmed) = without_undeclared(&tried.desired, &refusal.message) {
            let request = apply(&trimmed, true);
            tried.desired = trimmed;
            return self.ask(Await::DryRun(tried), request);
        }
        if tried.live.is_some() && self.is_forced(&tried) && is_immutable(&refusal) {
            let object = &tried.desired;
            let options = DeleteOptions {
                propagation: Some(Propagation::Background),
                ..DeleteOptions::default()
            };
            let (gvk, namespace, name) = (object.gvk(), object.namespace(), object.name());
            let request = ApiRequest::delete(&gvk, namespace, name, options);
            return self.ask(Await::Deleted(tried, refusal), request);
        }
        if refusal.is_not_found() {
            let request = ApiRequest::discover(&tried.desired.gvk());
            return self.ask(Await::KindDiscovered(refusal), request);
        }
        self.refused(&refusal)
    }

    /// A dry run that found nothing: the kind is unknown, or the namespace is missing or not named.
    fn not_served(self, refusal: Status, answer: Result<ApiResponse, Status>) -> ApplyTurn {
        let object = self.object().reference();
        let gvk = self.object().gvk();
        if answer.is_err() {
            return self.fail(format!(
                "{object} dry-run failed: no matches for kind {:?} in version {:?}",
                gvk.kind,
                gvk.api_version()
            ));
        }
        if object.namespace.is_empty() {
            let reason = "the server could not find the requested resource";
            return self.fail(format!("{object} namespace not specified: {reason}"));
        }
        self.fail(format!("{object} not found: {refusal}"))
    }

    fn deleted(
        self,
        tried: Tried,
        refusal: &Status,
        answer: Result<ApiResponse, Status>,
    ) -> ApplyTurn {
        match answer {
            Err(status) if !status.is_not_found() => {
                let object = tried.desired.reference();
                self.fail(format!(
                    "{object} immutable field detected, failed to delete object: {status} (after: {refusal})"
                ))
            }
            _ => self.read_gone(tried),
        }
    }

    fn read_gone(self, tried: Tried) -> ApplyTurn {
        let object = &tried.desired;
        let request = ApiRequest::get(&object.gvk(), object.namespace(), object.name());
        self.ask(Await::GoneRead(tried), request)
    }

    fn gone_read(mut self, mut tried: Tried, answer: Result<ApiResponse, Status>) -> ApplyTurn {
        match answer {
            Ok(_) => {
                self.awaiting = Await::DeletionWaited(tried);
                Turn::Wait(self, WAIT_INTERVAL)
            }
            Err(status) if status.is_not_found() => {
                tried.live = None;
                let request = apply(&tried.desired, true);
                self.ask(Await::DryRunAnew(tried), request)
            }
            Err(status) => {
                let object = tried.desired.reference();
                self.fail(format!(
                    "{object} immutable field detected, failed to wait for object to be deleted: {status}"
                ))
            }
        }
    }

    fn dry_run_anew(
        self,
        tried: Tried,
        answer: Result<ApiResponse, Status>,
        now: Timestamp,
    ) -> ApplyTurn {
        match answer {
            Ok(answer) => self.tried(tried, answer, now),
            Err(refusal) => self.refused(&refusal),
        }
    }

    /// A dry run went well: take fields back, or compare.
    fn tried(self, tried: Tried, answer: ApiResponse, now: Timestamp) -> ApplyTurn {
        let Some(dry) = answer.into_object() else {
            return self
                .refused(&Status::failure(Reason::InternalError, "the answer is no object"));
        };
        let patch = tried.live.as_ref().filter(|live| self.may_reclaim(&tried.desired, live));
        match patch.and_then(|live| reclaim(live, &self.options.override_managers)) {
            None => self.compared(tried, &dry, false, now),
            Some(patch) => {
                let (gvk, namespace, name) = (dry.gvk(), dry.namespace(), dry.name());
                let patch = Patch::Json(patch);
                let request = ApiRequest::patch(&gvk, namespace, name, patch, options(false));
                self.ask(Await::Reclaimed(tried, dry), request)
            }
        }
    }

    fn may_reclaim(&self, desired: &Object, live: &Object) -> bool {
        let merges = |object: &Object| has(object, SSA, "Merge");
        !self.options.keep_foreign_managers && !merges(desired) && !merges(live)
    }

    fn reclaimed(
        self,
        mut tried: Tried,
        dry: &Object,
        answer: Result<ApiResponse, Status>,
        now: Timestamp,
    ) -> ApplyTurn {
        match answer {
            Ok(answer) => {
                tried.live = answer.into_object().or(tried.live);
                self.compared(tried, dry, true, now)
            }
            Err(status) => {
                let object = tried.desired.reference();
                self.fail(format!("{object} metadata.managedFields cleanup failed: {status}"))
            }
        }
    }

    fn compared(
        mut self,
        tried: Tried,
        dry: &Object,
        reclaimed: bool,
        now: Timestamp,
    ) -> ApplyTurn {
        let Tried { desired, live } = tried;
        let entry = Entry::of(dry);
        let plan = match live {
            None if dry.resource_version().is_empty() => {
                planned(entry, ChangeAction::Created, Vec::new(), Some(desired))
            }
            None => planned(entry, ChangeAction::Configured, Vec::new(), Some(desired)),
            Some(live) => {
                let fields = ignore::differences(dry, &live, &self.options.ignore);
                if fields.is_empty() && !reclaimed {
                    planned(entry, ChangeAction::Unchanged, fields, None)
                } else {
                    let write = ignore::adjusted(desired, dry, &live, &self.options.ignore);
                    planned(entry, ChangeAction::Configured, fields, Some(write))
                }
            }
        };
        self.plan.push(plan);
        self.next += 1;
        self.try_next(now)
    }

    /// Everything of the stage is compared: write what differs, in order.
    fn write_next(mut self, now: Timestamp) -> ApplyTurn {
        while let Some(planned) = self.plan.get(self.next) {
            if let Some(object) = &planned.write {
                let request = apply(object, false);
                return self.ask(Await::Applied, request);
            }
            self.next += 1;
        }
        self.finish_stage(now)
    }

    fn applied(mut self, answer: Result<ApiResponse, Status>, now: Timestamp) -> ApplyTurn {
        if let Err(status) = answer {
            return self.fail_midway(&status);
        }
        self.next += 1;
        self.write_next(now)
    }

    fn finish_stage(mut self, now: Timestamp) -> ApplyTurn {
        let plan = std::mem::take(&mut self.plan);
        let entries: Vec<Entry> = plan.iter().map(|p| p.applied.entry.clone()).collect();
        self.done.extend(plan.into_iter().map(|planned| planned.applied));
        if !self.stages[self.stage].wait {
            return self.next_stage(now);
        }
        let none = Arc::new(BTreeSet::new());
        let poll = Poll::new(entries, none, WAIT_INTERVAL, WAIT_TIMEOUT, now);
        self.wait_for_stage(poll.start())
    }

    fn wait_for_stage(mut self, turn: Turn<Poll, ()>) -> ApplyTurn {
        match turn {
            Turn::Ask(poll, request) => self.ask(Await::StageHealth(poll), *request),
            Turn::Wait(poll, pause) => {
                self.awaiting = Await::StageHealth(poll);
                Turn::Wait(self, pause)
            }
            Turn::Done(_) => unreachable!("a wait that is over is dealt with where it ends"),
        }
    }

    fn next_stage(mut self, now: Timestamp) -> ApplyTurn {
        self.stage += 1;
        self.next = 0;
        self.try_next(now)
    }

    fn object(&self) -> &Object {
        &self.stages[self.stage].objects[self.next]
    }

    fn is_forced(&self, tried: &Tried) -> bool {
        let forced = |object: &Object| has(object, FORCE, "Enabled");
        self.options.force || forced(&tried.desired) || tried.live.as_ref().is_some_and(forced)
    }

    fn ask(mut self, awaiting: Await, request: ApiRequest) -> ApplyTurn {
        self.awaiting = awaiting;
        Turn::Ask(self, Box::new(request))
    }

    fn refused(self, refusal: &Status) -> ApplyTurn {
        let object = self.object().reference();
        let conflict = refusal.causes().iter().any(|cause| cause.reason == "FieldManagerConflict");
        let reason = match refusal.reason {
            _ if conflict => " (FieldManagerConflict)".into(),
            Reason::None => String::new(),
            reason => format!(" ({reason})"),
        };
        self.fail(format!("{object} dry-run failed{reason}: {refusal}"))
    }

    fn fail(self, message: String) -> ApplyTurn {
        Turn::Done(Err(ApplyError { message, before: self.done, within: Vec::new() }))
    }

    /// The object at `next` could not be written; those before it were.
    fn fail_midway(self, status: &Status) -> ApplyTurn {
        let (failed, written) = (&self.plan[self.next], &self.plan[..self.next]);
        let message = format!("{} apply failed: {status}", failed.applied.change.object);
        let written = written.iter().filter(|planned| planned.write.is_some());
        let within = written.map(|planned| planned.applied.clone()).collect();
        Turn::Done(Err(ApplyError { message, before: self.done, within }))
    }
}

/// Whether an object has an annotation or label with a value, in whatever case.
pub(super) fn has(object: &Object, key: &str, value: &str) -> bool {
    let is = |found: Option<&str>| found.is_some_and(|found| found.eq_ignore_ascii_case(value));
    is(object.label(key)) || is(object.annotation(key))
}

/// Whether an object asks not to be applied: always, or because it is there already.
fn is_left_alone(desired: &Object, live: Option<&Object>) -> bool {
    let excluded =
        |object: &Object| has(object, RECONCILE, "disabled") || has(object, SSA, "Ignore");
    excluded(desired)
        || live.is_some_and(|live| excluded(live) || has(desired, SSA, "IfNotPresent"))
}

/// Whether a refusal may be about a field that cannot change, as kubectl and Flux guess it.
fn is_immutable(refusal: &Status) -> bool {
    refusal.is_conflict()
        || refusal.is_invalid()
        || refusal.message.contains("is immutable")
        || refusal.message.contains("immutable field")
}

fn planned(
    entry: Entry,
    action: ChangeAction,
    fields: Vec<String>,
    write: Option<Object>,
) -> Planned {
    let change = Change { object: entry.object.clone(), action, fields };
    Planned { applied: Applied { entry, change }, write }
}

fn apply(object: &Object, dry_run: bool) -> ApiRequest {
    ApiRequest::apply(object, WriteOptions { force: true, ..options(dry_run) })
}

fn options(dry_run: bool) -> WriteOptions {
    WriteOptions { dry_run, field_manager: FIELD_MANAGER.into(), ..WriteOptions::default() }
}
