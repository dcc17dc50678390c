//! The world that is served, and its time.

use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration as Span, Instant};

use tokio::sync::{Notify, watch};

use crate::api::ResourceVersion;
use crate::sim::World;
use crate::time::{Duration, Timestamp};
use crate::trace::Trace;

/// How fast a served world's time runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(u32);

impl Pace {
    /// So many seconds of the world a second.
    pub fn times(factor: u32) -> Self {
        Pace(factor.max(1))
    }
}

impl Default for Pace {
    /// As the machine's own.
    fn default() -> Self {
        Pace(1)
    }
}

/// `real`, or `60x` for a minute a second.
impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "real" {
            return Ok(Pace(1));
        }
        let factor = text.strip_suffix('x').and_then(|factor| factor.parse().ok());
        match factor {
            Some(factor @ 1..) => Ok(Pace(factor)),
            _ => Err(format!("{text:?} is no pace; expected real, or 60x for a minute a second")),
        }
    }
}

/// How often what happens is told, at most.
const TELLING: Span = Span::from_millis(250);

/// What connections share.
#[derive(Debug)]
pub(super) struct Shared {
    model: Mutex<Model>,
    /// The version of the last write: watches wait for it to change.
    version: watch::Sender<ResourceVersion>,
    /// Somebody asked something: what follows may be due earlier than was thought.
    asked: Notify,
    pub(super) token: Option<String>,
}

/// A world, and where its time stands.
pub(super) struct Model {
    pub(super) world: World,
    pace: Pace,
    began: (Instant, Timestamp),
}

impl Shared {
    pub(super) fn new(world: World, pace: Pace, token: Option<String>) -> Self {
        let version = watch::Sender::new(world.server().version());
        let began = (Instant::now(), world.now());
        let model = Mutex::new(Model { world, pace, began });
        Shared { model, version, asked: Notify::new(), token }
    }

    /// Does something with the world as it is now, and tells those who wait for changes.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut model = self.lock();
        model.catch_up();
        let done = act(&mut model.world);
        let version = model.world.server().version();
        drop(model);
        self.announce(version);
        self.asked.notify_one();
        done
    }

    /// Looks at the world as it stands.
    pub(super) fn peek<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.lock().world)
    }

    /// Tells of every new version.
    pub(super) fn versions(&self) -> watch::Receiver<ResourceVersion> {
        self.version.subscribe()
    }

    /// Lets the world's time pass.
    pub(super) async fn pass_time(&self, tell: &mut impl FnMut(&Trace, Timestamp)) {
        let mut told: Option<Instant> = None;
        loop {
            let (world, next) = {
                let mut model = self.lock();
                model.catch_up();
                (model.world.clone(), model.until_next())
            };
            self.announce(world.server().version());
            if told.is_none_or(|told| told.elapsed() >= TELLING) {
                tell(world.trace(), world.now());
                told = Some(Instant::now());
            }
            // A world that is held by nobody else is changed in place.
            drop(world);
            tokio::select! {
                () = tokio::time::sleep(next) => {}
                () = self.asked.notified() => {}
            }
        }
    }

    fn announce(&self, version: ResourceVersion) {
        self.version.send_if_modified(|known| std::mem::replace(known, version) != version);
    }

    /// A request that panicked is our mistake, and no reason to refuse all others.
    fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model {
    /// Lets everything happen that should have by now.
    fn catch_up(&mut self) {
        let elapsed = self.began.0.elapsed().as_millis() as u64;
        let span = Duration::from_millis(elapsed.saturating_mul(u64::from(self.pace.0)));
        self.world.run_until(self.began.1 + span);
    }

    /// How long nothing happens of itself; never longer than a second.
    fn until_next(&self) -> Span {
        const LONGEST: Span = Span::from_secs(1);
        let Some(next) = self.world.next_at() else { return LONGEST };
        let span = next.since(self.world.now()).as_millis() / u64::from(self.pace.0);
        Span::from_millis(span.max(1)).min(LONGEST)
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("now", &self.world.now()).finish_non_exhaustive()
    }
}
