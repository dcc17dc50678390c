//! Applying a build, stage by stage: read, dry-run and compare everything, then write what differs.
//!
//! Source: `ApplyAllStaged` and `ApplyAll` of `fluxcd/pkg/ssa`.

mod trial;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::poll::Poll;
use super::state::{Turn, answer};
use crate::api::{ApiRequest, ApiResponse, Response, Status, WriteOptions};
use crate::engine::health::HealthRules;
use crate::engine::ignore::IgnoreRule;
use crate::engine::inventory::Entry;
use crate::engine::names::FIELD_MANAGER;
use crate::engine::stages::Stage;
use crate::object::Object;
use crate::reconciler::Change;
use crate::time::{Duration, Timestamp};
use trial::Tried;

/// How often a stage that is waited for, or a deletion, is looked at.
const WAIT_INTERVAL: Duration = Duration::from_secs(2);
/// How long a stage is waited for.
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

    fn ask(mut self, awaiting: Await, request: ApiRequest) -> ApplyTurn {
        self.awaiting = awaiting;
        Turn::Ask(self, Box::new(request))
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

fn apply(object: &Object, dry_run: bool) -> ApiRequest {
    ApiRequest::apply(object, WriteOptions { force: true, ..options(dry_run) })
}

fn options(dry_run: bool) -> WriteOptions {
    WriteOptions { dry_run, field_manager: FIELD_MANAGER.into(), ..WriteOptions::default() }
}
