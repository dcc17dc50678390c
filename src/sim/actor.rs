//! A controller at work: what it has heard, what waits in its queue, and where each reconciliation
//! stands.

use std::sync::Arc;

use super::controller::{Controller, State};
use crate::api::{Caller, Request, ResourceVersion};
use crate::object::ObjectRef;
use crate::reconciler::{Activity, Queue, Watch};
use crate::time::{Duration, Timestamp};
use crate::trace::Role;

/// A controller at work in a world.
#[derive(Clone)]
pub(super) struct Actor {
    pub(super) controller: Arc<dyn Controller>,
    pub(super) name: Arc<str>,
    pub(super) caller: Caller,
    pub(super) role: Role,
    /// The node it runs on, for kubelets; empty for none.
    pub(super) node: String,
    pub(super) informers: Vec<Informer>,
    pub(super) queue: Queue,
    pub(super) tasks: Vec<Task>,
    /// When a crashed process comes back; `None` while it runs.
    pub(super) down_until: Option<Timestamp>,
    pub(super) requests: RequestCounts,
    /// By how much its clock is wrong, in milliseconds.
    pub(super) skew: i64,
    workers: usize,
    due: Option<Timestamp>,
}

/// A cursor into the log, for the objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Informer {
    pub(super) watch: Watch,
    /// Everything up to here was heard; `None` before the first list.
    pub(super) cursor: Option<ResourceVersion>,
    /// When the next news arrives; `None` while there is none.
    pub(super) due: Option<Timestamp>,
}

/// A key that is worked on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Task {
    pub(super) key: ObjectRef,
    pub(super) state: State,
    pub(super) activity: Activity,
    /// The request under way; `None` during a pause.
    pub(super) request: Option<Request>,
    /// When the answer comes, or the pause ends.
    pub(super) due: Timestamp,
    /// What a fault has decided of the request already.
    pub(super) fate: Option<Fate>,
}

/// What becomes of a request that a fault holds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    /// It is answered, late.
    Late,
    /// The client gives up.
    TimedOut,
}

/// What an actor can do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Turn {
    /// Come back after a crash.
    Restart,
    /// Hear what happened to the objects of one informer.
    Hear(usize),
    /// Go on with a task: its request is answered, or its pause is over.
    Advance(usize),
    /// Take the key that has been ready the longest.
    Take,
}

/// How many requests an actor has made, by kind of request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestCounts {
    /// Reads of the Kubernetes API.
    pub reads: u64,
    /// Reads of the actor's own cache.
    pub cached_reads: u64,
    /// Writes that were dry runs.
    pub dry_runs: u64,
    /// Writes that were carried out; some may have changed nothing.
    pub writes: u64,
    /// Requests that were refused or not answered.
    pub failures: u64,
    /// Fetches, downloads and image pulls.
    pub transfers: u64,
}

impl Actor {
    pub(super) fn new(
        controller: Arc<dyn Controller>,
        role: Role,
        node: &str,
        now: Timestamp,
    ) -> Self {
        let mut actor = Actor {
            name: controller.name().into(),
            caller: controller.caller(),
            role,
            node: node.into(),
            informers: controller.watches().into_iter().map(Informer::new).collect(),
            queue: empty_queue(&*controller),
            tasks: Vec::new(),
            down_until: None,
            requests: RequestCounts::default(),
            skew: 0,
            workers: controller.workers().max(1),
            due: None,
            controller,
        };
        actor.boot(now);
        actor
    }

    /// What its clock shows.
    pub(super) fn clock(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.as_millis().saturating_add_signed(self.skew))
    }

    /// When it can next do something.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Whether a key's time has come.
    pub(super) fn rings(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= now)
            && self.queue.next_timeout().is_some_and(|due| due <= now)
    }

    /// What it can do at an instant, the most natural first.
    pub(super) fn turns(&self, now: Timestamp, turns: &mut Vec<Turn>) {
        if let Some(until) = self.down_until {
            turns.extend((until <= now).then_some(Turn::Restart));
            return;
        }
        let ripe = |due: Option<Timestamp>| due.is_some_and(|due| due <= now);
        turns.extend(positions(&self.informers, |i| ripe(i.due)).map(Turn::Hear));
        turns.extend(positions(&self.tasks, |t| t.due <= now).map(Turn::Advance));
        turns.extend(self.can_take().then_some(Turn::Take));
    }

    /// Notes when it can next do something; to be called after every change.
    pub(super) fn settle(&mut self, now: Timestamp) {
        self.queue.advance(now);
        self.due = match self.down_until {
            Some(until) => Some(until),
            None => self
                .informers
                .iter()
                .filter_map(|informer| informer.due)
                .chain(self.tasks.iter().map(|task| task.due))
                .chain(self.queue.next_timeout())
                .chain(self.can_take().then_some(now))
                .min(),
        };
    }

    /// Loses everything that a process holds in memory.
    pub(super) fn crash(&mut self, until: Timestamp) {
        self.queue = empty_queue(&*self.controller);
        self.tasks.clear();
        for informer in &mut self.informers {
            *informer = Informer::new(informer.watch.clone());
        }
        self.down_until = Some(until);
        self.due = Some(until);
    }

    /// Begins anew with a list of every kind it watches.
    pub(super) fn boot(&mut self, now: Timestamp) {
        self.down_until = None;
        for informer in &mut self.informers {
            informer.due = Some(now);
        }
        self.settle(now);
    }

    /// Learns that an informer has news, the first of them at `version`, that arrives at `due`.
    pub(super) fn notice(&mut self, informer: usize, version: ResourceVersion, due: Timestamp) {
        let informer = &mut self.informers[informer];
        informer.cursor = Some(ResourceVersion(version.0.saturating_sub(1)));
        informer.due = Some(due);
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
    }

    /// Comes back from a crash, and hears what was held up, now.
    pub(super) fn recover(&mut self, now: Timestamp) {
        self.skew = 0;
        self.down_until = self.down_until.map(|until| until.min(now));
        for informer in &mut self.informers {
            informer.due = informer.due.map(|due| due.min(now));
        }
        self.settle(now);
    }

    /// Sees the past until an instant.
    pub(super) fn fall_back(&mut self, to: ResourceVersion, until: Timestamp) {
        for informer in &mut self.informers {
            informer.cursor = informer.cursor.map(|cursor| cursor.min(to));
            informer.due = Some(until);
        }
    }

    /// Whether an informer has news under way, or does not listen: more news change nothing.
    pub(super) fn knows_of_news(&self, informer: usize) -> bool {
        let informer = &self.informers[informer];
        informer.due.is_some() || informer.cursor.is_none()
    }

    /// Whether nothing moves and nothing will of itself, but for keys that come back later.
    pub(super) fn is_still(&self) -> bool {
        self.down_until.is_none()
            && self.tasks.is_empty()
            && self.queue.ready().is_empty()
            && self.informers.iter().all(|informer| informer.due.is_none())
    }

    /// The informer of a kind, if it has one.
    pub(super) fn informer(&self, group: &str, kind: &str) -> Option<&Informer> {
        self.informers.iter().find(|i| i.watch.kind.kind == kind && i.watch.kind.group == group)
    }

    /// Whether there is a key and a worker for it; none starts before every first list has come.
    fn can_take(&self) -> bool {
        !self.queue.ready().is_empty()
            && self.tasks.len() < self.workers
            && self.informers.iter().all(|informer| informer.cursor.is_some())
    }
}

impl Informer {
    fn new(watch: Watch) -> Self {
        Informer { watch, cursor: None, due: None }
    }
}

impl RequestCounts {
    /// The sum with another count.
    pub(super) fn plus(self, other: Self) -> Self {
        RequestCounts {
            reads: self.reads + other.reads,
            cached_reads: self.cached_reads + other.cached_reads,
            dry_runs: self.dry_runs + other.dry_runs,
            writes: self.writes + other.writes,
            failures: self.failures + other.failures,
            transfers: self.transfers + other.transfers,
        }
    }
}

fn empty_queue(controller: &dyn Controller) -> Queue {
    let (base, cap): (Duration, Duration) = controller.backoff();
    Queue::with_backoff(base, cap)
}

fn positions<'a, T>(
    items: &'a [T],
    is: impl Fn(&T) -> bool + 'a,
) -> impl Iterator<Item = usize> + 'a {
    items.iter().enumerate().filter(move |(_, item)| is(item)).map(|(i, _)| i)
}
