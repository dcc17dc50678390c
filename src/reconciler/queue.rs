//! The work queue: each key once, delays, and backoff, as client-go's `workqueue` keeps them.

use std::collections::{BTreeMap, BTreeSet};

use crate::object::ObjectRef;
use crate::time::{Duration, Timestamp};

/// Keys waiting to be reconciled.
///
/// A key is in the queue at most once; one that arrives while it is worked on waits until that is
/// done. Ready keys come in the order they became ready.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Queue {
    ready: Vec<ObjectRef>,
    /// Keys that become ready later, with the instant.
    delayed: BTreeMap<ObjectRef, Timestamp>,
    active: BTreeSet<ObjectRef>,
    /// Keys that arrived while they were worked on.
    again: BTreeSet<ObjectRef>,
    failures: BTreeMap<ObjectRef, u32>,
    base: Duration,
    cap: Duration,
}

impl Default for Queue {
    /// With controller-runtime's defaults: 5 ms, doubling, up to 1000 s.
    fn default() -> Self {
        Queue::with_backoff(Duration::from_millis(5), Duration::from_secs(1000))
    }
}

impl Queue {
    /// An empty queue whose failures wait `base`, doubling, up to `cap`.
    pub fn with_backoff(base: Duration, cap: Duration) -> Self {
        Queue {
            ready: Vec::new(),
            delayed: BTreeMap::new(),
            active: BTreeSet::new(),
            again: BTreeSet::new(),
            failures: BTreeMap::new(),
            base,
            cap,
        }
    }

    /// Adds a key, ready now, unless it waits already. A delay it had stays: it comes back then too.
    pub fn add(&mut self, key: ObjectRef) {
        if self.active.contains(&key) {
            self.again.insert(key);
        } else if !self.ready.contains(&key) {
            self.ready.push(key);
        }
    }

    /// Adds a key that becomes ready at an instant; of two instants the earlier counts.
    pub fn add_at(&mut self, key: ObjectRef, at: Timestamp) {
        let entry = self.delayed.entry(key).or_insert(at);
        *entry = (*entry).min(at);
    }

    /// Adds a key after its backoff, which doubles with each call until [`Queue::forget`].
    /// Returns the wait.
    pub fn add_rate_limited(&mut self, key: ObjectRef, now: Timestamp) -> Duration {
        let failures = self.failures.entry(key.clone()).or_insert(0);
        let wait = Duration::from_millis(
            self.base.as_millis().saturating_mul(1u64.checked_shl(*failures).unwrap_or(u64::MAX)),
        )
        .min(self.cap);
        *failures = failures.saturating_add(1);
        self.add_at(key, now + wait);
        wait
    }

    /// Forgets the failures of a key.
    pub fn forget(&mut self, key: &ObjectRef) {
        self.failures.remove(key);
    }

    /// Moves keys whose time has come to the ready ones.
    pub fn advance(&mut self, now: Timestamp) {
        let mut due: Vec<(Timestamp, ObjectRef)> = self
            .delayed
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, at)| (*at, key.clone()))
            .collect();
        due.sort();
        for (_, key) in due {
            self.delayed.remove(&key);
            self.add(key);
        }
    }

    /// The keys that are ready, in order.
    pub fn ready(&self) -> &[ObjectRef] {
        &self.ready
    }

    /// The next instant at which a key becomes ready.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.delayed.values().min().copied()
    }

    /// Takes the ready key at a position: it is active until [`Queue::done`].
    ///
    /// # Panics
    ///
    /// When there is no ready key at that position.
    pub fn take(&mut self, position: usize) -> ObjectRef {
        let key = self.ready.remove(position);
        self.active.insert(key.clone());
        key
    }

    /// Ends the work on a key; it is ready at once if it arrived meanwhile.
    pub fn done(&mut self, key: &ObjectRef) {
        self.active.remove(key);
        if self.again.remove(key) {
            self.add(key.clone());
        }
    }

    /// Whether nothing is ready, active or delayed.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.active.is_empty() && self.delayed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectRef {
        ObjectRef::new("", "ConfigMap", "a", name)
    }

    #[test]
    fn a_key_waits_once_and_again_after_it_was_worked_on() {
        let mut queue = Queue::default();
        queue.add(key("x"));
        queue.add(key("x"));
        assert_eq!(queue.ready().len(), 1);
        let taken = queue.take(0);
        queue.add(key("x"));
        assert!(queue.ready().is_empty(), "not while it is active");
        queue.done(&taken);
        assert_eq!(queue.ready(), [key("x")]);
    }

    #[test]
    fn delayed_keys_become_ready_in_order_of_time() {
        let mut queue = Queue::default();
        let start = Timestamp::START;
        queue.add_at(key("late"), start + Duration::from_secs(2));
        queue.add_at(key("soon"), start + Duration::from_secs(1));
        assert_eq!(queue.next_timeout(), Some(start + Duration::from_secs(1)));
        queue.advance(start + Duration::from_secs(3));
        assert_eq!(queue.ready(), [key("soon"), key("late")]);
    }

    #[test]
    fn backoff_doubles_up_to_the_cap_and_is_forgotten() {
        let mut queue = Queue::with_backoff(Duration::from_millis(750), Duration::from_secs(3));
        let mut waits = || queue.add_rate_limited(key("x"), Timestamp::START).as_millis();
        assert_eq!([waits(), waits(), waits(), waits()], [750, 1500, 3000, 3000]);
        queue.forget(&key("x"));
        assert_eq!(queue.add_rate_limited(key("x"), Timestamp::START).as_millis(), 750);
    }
}
