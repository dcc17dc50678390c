//! Waiting for objects: until they are healthy, or until they are gone.
//!
//! Source: `WaitForSetWithContext` and `WaitForSetTermination` of `fluxcd/pkg/ssa`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::state::{Answer, Turn, answer};
use crate::api::{ApiRequest, Response};
use crate::engine::health::{Health, HealthRules};
use crate::engine::inventory::Entry;
use crate::object::ObjectRef;
use crate::time::{Duration, Timestamp};

/// A wait for objects to become healthy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Poll {
    set: Arc<[Entry]>,
    /// What was found of each at the last look; `None` before the first.
    found: Vec<Option<Found>>,
    /// Jobs that may be gone because they are done.
    vanishing: Arc<BTreeSet<ObjectRef>>,
    interval: Duration,
    deadline: Timestamp,
    /// The object whose state is awaited.
    next: usize,
}

/// A wait for objects to be gone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Termination {
    left: Vec<Entry>,
    deadline: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Found {
    health: Health,
    error: String,
}

/// How often a finalizer looks whether what it deleted is gone.
const TERMINATION_INTERVAL: Duration = Duration::from_secs(2);

impl Poll {
    /// Waits for a set of objects, looking at an interval, for a timeout at most.
    pub(super) fn new(
        set: Vec<Entry>,
        vanishing: Arc<BTreeSet<ObjectRef>>,
        interval: Duration,
        timeout: Duration,
        now: Timestamp,
    ) -> Self {
        let found = vec![None; set.len()];
        Poll { set: set.into(), found, vanishing, interval, deadline: now + timeout, next: 0 }
    }

    /// Begins to look.
    pub(super) fn start(self) -> Turn<Self, ()> {
        match self.set.get(self.next) {
            Some(entry) => {
                let request = read(entry);
                Turn::Ask(self, Box::new(request))
            }
            None => Turn::Done(Ok(())),
        }
    }

    /// Goes on with an object's state, or after a pause.
    pub(super) fn step(
        mut self,
        response: Response,
        rules: &HealthRules,
        now: Timestamp,
    ) -> Turn<Self, ()> {
        if response == Response::Woken {
            return if now >= self.deadline { self.end(true) } else { self.start() };
        }
        self.found[self.next] = Some(judge(answer(response), rules, now));
        if self.is_decided() {
            return self.end(false);
        }
        self.next += 1;
        if self.next < self.set.len() {
            return if now >= self.deadline { self.end(true) } else { self.start() };
        }
        self.next = 0;
        let pause = self.interval.min(self.deadline.since(now));
        Turn::Wait(self, pause)
    }

    /// Whether nothing is left to wait for: all are current or failed, or one has failed.
    fn is_decided(&self) -> bool {
        let health = |i: usize| self.health(i);
        (0..self.set.len()).any(|i| health(i) == Health::Failed)
            || (0..self.set.len()).all(|i| health(i) == Health::Current)
    }

    /// A Job that removes itself when it is done counts as done when it is gone.
    fn health(&self, i: usize) -> Health {
        match &self.found[i] {
            None => Health::Unknown,
            Some(found)
                if found.health == Health::NotFound
                    && self.vanishing.contains(&self.set[i].object) =>
            {
                Health::Current
            }
            Some(found) => found.health,
        }
    }

    fn end(self, timed_out: bool) -> Turn<Self, ()> {
        let wrong = |i: &usize| {
            let health = self.health(*i);
            health == Health::Failed || timed_out && health != Health::Current
        };
        let lines: Vec<String> =
            (0..self.set.len()).filter(wrong).map(|i| self.describe(i)).collect();
        let what =
            if timed_out { "timeout waiting for" } else { "failed early due to stalled resources" };
        Turn::Done(match lines.is_empty() {
            true => Ok(()),
            false => Err(format!("{what}: [{}]", lines.join(", "))),
        })
    }

    fn describe(&self, i: usize) -> String {
        let error = self.found[i].as_ref().map_or("", |found| &found.error);
        let colon = if error.is_empty() { "" } else { ": " };
        format!("{} status: '{}'{colon}{error}", self.set[i].object, self.health(i))
    }
}

impl Termination {
    /// Waits until objects are gone, for a timeout at most.
    pub(super) fn new(mut entries: Vec<Entry>, timeout: Duration, now: Timestamp) -> Self {
        entries.reverse();
        Termination { left: entries, deadline: now + timeout }
    }

    /// Begins to look.
    pub(super) fn start(self) -> Turn<Self, ()> {
        match self.left.last() {
            Some(entry) => {
                let request = read(entry);
                Turn::Ask(self, Box::new(request))
            }
            None => Turn::Done(Ok(())),
        }
    }

    /// Goes on with an object's state, or after a pause.
    pub(super) fn step(mut self, response: Response, now: Timestamp) -> Turn<Self, ()> {
        if response == Response::Woken {
            return if now >= self.deadline { self.timed_out() } else { self.start() };
        }
        match answer(response) {
            Err(status) if status.is_not_found() => {
                self.left.pop();
                self.start()
            }
            Err(status) => Turn::Done(Err(status.message)),
            Ok(_) => {
                let pause = TERMINATION_INTERVAL.min(self.deadline.since(now));
                Turn::Wait(self, pause)
            }
        }
    }

    fn timed_out(self) -> Turn<Self, ()> {
        let object = self.left.last().map(|entry| entry.object.to_string()).unwrap_or_default();
        Turn::Done(Err(format!("{object} termination timeout: context deadline exceeded")))
    }
}

fn read(entry: &Entry) -> ApiRequest {
    ApiRequest::get(&entry.gvk(), &entry.object.namespace, &entry.object.name)
}

fn judge(answer: Answer, rules: &HealthRules, now: Timestamp) -> Found {
    let (health, error) = match answer.map(|answer| answer.into_object()) {
        Ok(Some(object)) => (rules.judge(&object, now).health, String::new()),
        Ok(None) => (Health::Unknown, "the answer is no object".into()),
        Err(status) if status.is_not_found() => (Health::NotFound, String::new()),
        Err(status) => (Health::Unknown, status.message),
    };
    Found { health, error }
}
