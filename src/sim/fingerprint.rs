//! What a world is, up to names that do not matter: two worlds that will behave alike have one
//! fingerprint.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use super::actor::Actor;
use super::world::{Inner, World};
use crate::object::Object;
use crate::time::Timestamp;

impl World {
    /// A number for the state of the world: what is stored, what each controller knows, waits for and
    /// is about to do, the heads of the repositories, and the faults in force.
    ///
    /// Resource versions and uids count by their rank, not by their value; times count by how far from
    /// now they are, or, where they are text in objects, not at all; what happened before does not count.
    /// Without this no search would ever come to an end.
    pub fn fingerprint(&self) -> u64 {
        let inner = &*self.inner;
        let mut hasher = Ranking::of(inner);
        for object in inner.server.objects() {
            object.hash(&mut hasher);
        }
        for actor in &inner.actors {
            actor.hash_into(inner.now, &mut hasher);
        }
        for name in inner.forge.repositories() {
            let repository = inner.forge.repository(name);
            repository.into_iter().for_each(|r| r.references().for_each(|r| r.hash(&mut hasher)));
        }
        inner.faults.hash_into(inner.now, &mut hasher);
        inner.runs.iter().filter(|run| !run.stage.is_over()).for_each(|run| run.hash(&mut hasher));
        hasher.finish()
    }
}

impl Actor {
    fn hash_into(&self, now: Timestamp, hasher: &mut Ranking) {
        let until = |at: Option<Timestamp>| at.map(|at| at.since(now));
        self.queue.ready().hash(hasher);
        until(self.queue.next_timeout()).hash(hasher);
        until(self.down_until).hash(hasher);
        for informer in &self.informers {
            let behind = informer.due.and(informer.cursor);
            hasher.version(behind.map_or(0, |cursor| cursor.0));
            (informer.cursor.is_some(), informer.due.is_some()).hash(hasher);
        }
        for task in &self.tasks {
            (&task.key, &task.state, &task.request, task.due.since(now)).hash(hasher);
        }
    }
}

/// A hasher that knows which texts are versions and uids, and counts their ranks instead.
pub(super) struct Ranking {
    hash: u64,
    now: Timestamp,
    versions: Vec<u64>,
    uids: BTreeMap<Vec<u8>, u64>,
}

impl Ranking {
    fn of(inner: &Inner) -> Self {
        let mut versions: Vec<u64> =
            inner.server.objects().filter_map(|o| o.resource_version().parse().ok()).collect();
        versions.sort_unstable();
        let uids = inner.server.objects().map(Object::uid).enumerate();
        let uids = uids.map(|(rank, uid)| (uid.as_bytes().to_vec(), rank as u64)).collect();
        Ranking { hash: 0xcbf2_9ce4_8422_2325, now: inner.now, versions, uids }
    }

    /// Counts a version: how many objects were written up to then.
    pub(super) fn version(&mut self, version: u64) {
        let rank = self.versions.partition_point(|other| *other <= version);
        self.word(rank as u64);
    }

    fn word(&mut self, word: u64) {
        // FNV-1a over whole words, stirred: fast, and the same on every machine.
        self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.hash ^= self.hash >> 29;
    }

    fn is_version(&self, bytes: &[u8]) -> Option<u64> {
        let digits = !bytes.is_empty() && bytes.len() < 19 && bytes.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(bytes).ok().filter(|_| digits)?.parse().ok()?;
        self.versions.binary_search(&number).ok().map(|_| number)
    }
}

/// `2026-01-01T00:00:00Z`, with or without a fraction.
fn is_time(bytes: &[u8]) -> bool {
    matches!(bytes.len(), 20..=30)
        && bytes[4] == b'-'
        && bytes[10] == b'T'
        && bytes[13] == b':'
        && bytes.ends_with(b"Z")
}

impl Hasher for Ranking {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write(&mut self, bytes: &[u8]) {
        if is_time(bytes) {
            return self.word(1);
        }
        if let Some(rank) = self.uids.get(bytes) {
            return self.word(2 + rank);
        }
        if let Some(version) = self.is_version(bytes) {
            return self.version(version);
        }
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.word(byte.into());
    }

    /// A number that large is a time in a controller's state.
    fn write_u64(&mut self, word: u64) {
        const YEAR_2001: u64 = 978_307_200_000;
        self.word(if word > YEAR_2001 { word.abs_diff(self.now.as_millis()) } else { word });
    }

    fn write_usize(&mut self, word: usize) {
        self.word(word as u64);
    }
}
