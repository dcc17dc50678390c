//! What a served world forgets, so that it can run for days.

use std::time::Duration as Span;

use tokio::time::Instant;

use crate::api::ResourceVersion;
use crate::sim::World;

/// How often the log is compacted (`--etcd-compaction-interval` of the API server).
const INTERVAL: Span = Span::from_secs(300);

/// So many writes are kept at least, and at most twice as many, however many there are in an interval: a
/// watch that is further behind than this begins anew.
const KEPT: u64 = 10_000;

/// When the log is compacted next, and up to where: what was the newest version an interval ago.
#[derive(Debug)]
pub(super) struct Upkeep {
    due: Instant,
    upto: ResourceVersion,
}

impl Upkeep {
    pub(super) fn begin(world: &World, now: Instant) -> Self {
        Upkeep { due: now + INTERVAL, upto: world.server().version() }
    }

    /// Compacts the log when it is time to.
    pub(super) fn keep(&mut self, world: &mut World, now: Instant) {
        let (newest, oldest) = (world.server().version(), world.server().compacted());
        if newest.0 - oldest.0 > 2 * KEPT {
            world.compact(ResourceVersion(newest.0 - KEPT));
        }
        if now >= self.due {
            world.compact(self.upto);
            *self = Upkeep::begin(world, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ApiRequest, Caller, WriteOptions};
    use crate::object::Object;

    fn write(world: &mut World, n: u64) {
        let map = Object::new("v1", "ConfigMap", "default", "settings");
        let caller = Caller::default();
        world
            .request(&caller, ApiRequest::create(map.clone(), WriteOptions::default()))
            .expect("created");
        for count in 1..n {
            let mut map = map.clone();
            map.set("data.count", count.to_string());
            world
                .request(&caller, ApiRequest::update(map, WriteOptions::default()))
                .expect("updated");
        }
    }

    #[test]
    fn however_much_is_written_the_log_keeps_a_bounded_part() {
        let mut world = World::builder().build();
        let now = Instant::now();
        let mut upkeep = Upkeep::begin(&world, now);
        write(&mut world, 2 * KEPT + 1);
        upkeep.keep(&mut world, now);
        let server = world.server();
        assert_eq!(server.version().0 - server.compacted().0, KEPT);
    }

    #[test]
    fn what_is_older_than_an_interval_is_forgotten() {
        let mut world = World::builder().build();
        let now = Instant::now();
        let mut upkeep = Upkeep::begin(&world, now);
        let before = world.server().version();
        write(&mut world, 3);
        upkeep.keep(&mut world, now + INTERVAL);
        assert_eq!(world.server().compacted(), before);
        let newest = world.server().version();
        upkeep.keep(&mut world, now + 2 * INTERVAL);
        assert_eq!(world.server().compacted(), newest);
    }
}
