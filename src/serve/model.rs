//! The world that is served, and its time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration as Span;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::caller::Access;
use super::pace::Pace;
use super::upkeep::Upkeep;
use crate::api::ResourceVersion;
use crate::sim::World;
use crate::time::{Duration, Timestamp};
use crate::trace::Trace;

/// Who is let in to a model, and how its time runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The token that makes its bearer `admin` of `system:masters`. Without one everybody is.
    pub token: Option<String>,
    /// How fast the world's time runs.
    pub pace: Pace,
}

/// A world that answers HTTP requests, and whose time runs. A clone is the same model.
#[derive(Clone, Debug)]
pub struct Model(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The version of the last write: watches wait for it to change.
    version: watch::Sender<ResourceVersion>,
    /// Somebody asked something: what follows may be due earlier than was thought.
    asked: Notify,
    access: Access,
}

/// A world, and where its time stands.
struct State {
    world: World,
    pace: Pace,
    /// An instant of the machine's time, and which of the world's it was.
    began: (Instant, Timestamp),
}

/// How often what happens is told, at most.
const TELLING: Span = Span::from_millis(250);

impl Model {
    /// Puts a world behind the protocol.
    pub fn new(world: World, options: Options) -> Self {
        let version = watch::Sender::new(world.server().version());
        let began = (Instant::now(), world.now());
        let state = Mutex::new(State { world, pace: options.pace, began });
        let access = Access { token: options.token };
        Model(Arc::new(Shared { state, version, asked: Notify::new(), access }))
    }

    /// The world as it is now: a copy, which goes its own way.
    pub fn world(&self) -> World {
        self.with(|world| world.clone())
    }

    /// Does something with the world as it is now; those who watch see it.
    pub fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut state = self.lock();
        state.catch_up();
        let done = act(&mut state.world);
        let version = state.world.server().version();
        drop(state);
        self.announce(version);
        self.0.asked.notify_one();
        done
    }

    /// Lets a span of the world's time pass at once, and all happen that is due in it.
    pub fn pass(&self, span: Duration) {
        self.with(|world| world.run_for(span));
        self.lock().began.1 += span;
    }

    pub(super) fn access(&self) -> &Access {
        &self.0.access
    }

    /// Tells of every new version.
    pub(super) fn versions(&self) -> watch::Receiver<ResourceVersion> {
        self.0.version.subscribe()
    }

    /// Looks at the world as it stands.
    pub(super) fn peek<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.lock().world)
    }

    /// Lets the world's time pass, tells what has happened, and forgets what nobody needs any more.
    pub(super) async fn pass_time(&self, tell: &mut impl FnMut(Trace, Timestamp)) {
        let mut telling = Instant::now();
        let mut upkeep = Upkeep::begin(&self.lock().world, Instant::now());
        loop {
            let tells = Instant::now() >= telling;
            let (version, next, news) = {
                let mut state = self.lock();
                state.catch_up();
                upkeep.keep(&mut state.world, Instant::now());
                let news = tells.then(|| (state.world.take_trace(), state.world.now()));
                (state.world.server().version(), state.until_next(), news)
            };
            self.announce(version);
            if let Some((news, now)) = news {
                tell(news, now);
                telling = Instant::now() + TELLING;
            }
            tokio::select! {
                () = tokio::time::sleep(next) => {}
                () = self.0.asked.notified() => {}
            }
        }
    }

    fn announce(&self, version: ResourceVersion) {
        self.0.version.send_if_modified(|known| std::mem::replace(known, version) != version);
    }

    /// A request that panicked is our mistake, and no reason to refuse all others.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets everything happen that should have by now.
    fn catch_up(&mut self) {
        let span = self.pace.of_the_world(self.began.0.elapsed());
        self.world.run_until(self.began.1 + span);
    }

    /// How long nothing happens of itself; never longer than a second.
    fn until_next(&self) -> Span {
        const LONGEST: Span = Span::from_secs(1);
        let next = self.world.next_at().map(|next| next.since(self.world.now()));
        let span = next.and_then(|span| self.pace.of_the_machine(span)).unwrap_or(LONGEST);
        span.clamp(Span::from_millis(1), LONGEST)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("now", &self.world.now()).finish_non_exhaustive()
    }
}
