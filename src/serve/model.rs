//! The world that is served, and its time.

use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration as Span;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::caller::Access;
use super::git;
use super::pace::Pace;
use super::upkeep::Upkeep;
use crate::api::ResourceVersion;
use crate::apiserver::{Authorization, Users};
use crate::sim::World;
use crate::time::{Duration, Timestamp};
use crate::trace::Trace;

/// Who is let in to a model, and how its time runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who may come in, by token. Without anybody, whoever comes is `admin` of `system:masters`.
    pub users: Users,
    /// Whether requests without a token are answered, as far as `system:anonymous` may ask: only in a world
    /// that authorizes by roles.
    pub anonymous: bool,
    /// How fast the world's time runs.
    pub pace: Pace,
}

impl Default for Options {
    /// Everybody is `admin`, in real time.
    fn default() -> Self {
        Options { users: Users::default(), anonymous: true, pace: Pace::default() }
    }
}

impl Options {
    fn access(&self, world: &World) -> Access {
        let by_roles = world.server().authorization() == Authorization::Rbac;
        match self.users.is_empty() {
            true => Access::Open,
            false if self.anonymous && by_roles => Access::Anonymous,
            false => Access::Known,
        }
    }
}

/// A world that answers HTTP requests, and whose time runs. A clone is the same model.
///
/// It is a [`tower_service::Service`], so an unmodified `kube::Client`, and controllers written with
/// kube-rs, live on it without a socket:
///
/// ```
/// # #[cfg(not(feature = "kube"))]
/// # fn main() {}
/// # #[cfg(feature = "kube")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), kube::Error> {
/// use driftlab::serve::{Model, Options, Pace};
/// use driftlab::{sim::World, time::Duration};
/// use k8s_openapi::api::core::v1::Pod;
/// use kube::api::{Api, PostParams};
///
/// let world = World::builder().nodes(1).images(&["nginx:1"]).expect("a name").build();
/// let model = Model::new(world, Options { pace: Pace::MANUAL, ..Options::default() });
/// let client = kube::Client::new(model.clone(), "default");
///
/// let pods: Api<Pod> = Api::default_namespaced(client);
/// let pod = serde_json::json!({
///     "metadata": {"name": "web"},
///     "spec": {"containers": [{"name": "nginx", "image": "nginx:1"}]},
/// });
/// pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await?;
///
/// model.pass(Duration::from_secs(10)); // scheduled, pulled, started
/// let phase = pods.get("web").await?.status.and_then(|status| status.phase);
/// assert_eq!(phase.as_deref(), Some("Running"));
/// # Ok(())
/// # }
/// ```
///
/// Time passes while somebody asks or watches; it needs no task of its own.
#[derive(Clone, Debug)]
pub struct Model(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    standing: watch::Sender<Standing>,
    access: Access,
    pace: Pace,
}

/// A world, and where its time stands.
struct State {
    world: World,
    /// An instant of the machine's time, and which of the world's it was.
    began: (Instant, Timestamp),
}

/// What those who wait wait for a change of: the version of the last write, and when something happens
/// by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    version: ResourceVersion,
    due: Option<Timestamp>,
}

/// A time to come: by the machine's clock, as clients count it; where time passes by hand, by the
/// world's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deadline {
    Machine(Instant),
    World(Timestamp),
}

/// How often what happens is told, at most.
const TELLING: Span = Span::from_millis(250);

impl Model {
    /// Puts a world behind the protocol.
    pub fn new(mut world: World, options: Options) -> Self {
        let access = options.access(&world);
        world.set_users(options.users);
        let standing = watch::Sender::new(Standing::of(&world));
        let state = Mutex::new(State { began: (Instant::now(), world.now()), world });
        Model(Arc::new(Shared { state, standing, access, pace: options.pace }))
    }

    /// The world as it is now: a copy, which goes its own way.
    pub fn world(&self) -> World {
        self.with(|world| world.clone())
    }

    /// Does something with the world as it is now: pushes a commit, adds a controller, looks something
    /// up. Those who watch see what it does. When it lets time pass, time goes on from there.
    ///
    /// # Panics
    ///
    /// When `act` comes back to the model.
    pub fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut state = self.lock();
        state.catch_up(self.0.pace);
        let before = state.world.now();
        let done = act(&mut state.world);
        let jumped = state.world.now() != before;
        if jumped {
            state.began = (Instant::now(), state.world.now());
        }
        self.announce(&state, jumped);
        done
    }

    /// Lets a span of the world's time pass at once, and all happen that is due in it.
    pub fn pass(&self, span: Duration) {
        self.with(|world| world.run_for(span));
    }

    /// Where real `git` clones the repositories of the world from, below the address of a server.
    pub fn repository_urls(&self, server: &str) -> Vec<String> {
        self.peek(|world| world.forge().repositories().map(|name| git::url(server, name)).collect())
    }

    /// How fast its time runs.
    pub fn pace(&self) -> Pace {
        self.0.pace
    }

    pub(super) fn access(&self) -> Access {
        self.0.access
    }

    /// Looks at the world as it stands.
    pub(super) fn peek<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.lock().world)
    }

    /// Where the world stands, to wait for a change of: [`Model::move_on`].
    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.0.standing.subscribe()
    }

    /// Lets time pass until something has changed since this receiver was last waited for.
    pub(super) async fn move_on(&self, since: &mut watch::Receiver<Standing>) {
        loop {
            let next = self.catch_up();
            tokio::select! {
                biased;
                _ = since.changed() => return,
                () = in_time(next) => {}
            }
        }
    }

    /// Lets time pass for ever, tells what has happened, and forgets what nobody needs any more.
    pub(super) async fn pass_time(&self, tell: &mut impl FnMut(Trace, Timestamp)) {
        let mut standing = self.standing();
        let mut telling = Instant::now();
        let mut upkeep = Upkeep::begin(&self.lock().world, Instant::now());
        loop {
            self.with(|world| upkeep.keep(world, Instant::now()));
            if Instant::now() >= telling {
                let (news, now) = self.with(|world| (world.take_trace(), world.now()));
                tell(news, now);
                telling = Instant::now() + TELLING;
            }
            tokio::select! {
                () = self.move_on(&mut standing) => {}
                () = sleep(Span::from_secs(1)) => {}
            }
        }
    }

    /// A time to come.
    pub(super) fn deadline(&self, after: Span) -> Deadline {
        match self.0.pace.is_manual() {
            true => Deadline::World(
                self.peek(World::now) + Duration::from_millis(after.as_millis() as u64),
            ),
            false => Deadline::Machine(Instant::now() + after),
        }
    }

    /// Whether it has come.
    pub(super) fn is_over(&self, deadline: Deadline) -> bool {
        match deadline {
            Deadline::World(time) => self.peek(World::now) >= time,
            Deadline::Machine(time) => Instant::now() >= time,
        }
    }

    /// Lets happen what should have by now; returns how long nothing happens after that.
    fn catch_up(&self) -> Option<Span> {
        let mut state = self.lock();
        state.catch_up(self.0.pace);
        self.announce(&state, false);
        let next = state.world.next_at()?.since(state.world.now());
        self.0.pace.of_the_machine(next).map(|span| span.max(Span::from_millis(1)))
    }

    /// Tells those who wait; of a jump in time too, whatever came of it.
    fn announce(&self, state: &State, jumped: bool) {
        let standing = Standing::of(&state.world);
        self.0
            .standing
            .send_if_modified(|known| std::mem::replace(known, standing) != standing || jumped);
    }

    /// A request that panicked is our mistake, and no reason to refuse all others.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets everything happen that should have by now.
    fn catch_up(&mut self, pace: Pace) {
        let span = pace.of_the_world(self.began.0.elapsed());
        self.world.run_until(self.began.1 + span);
    }
}

impl Standing {
    fn of(world: &World) -> Self {
        Standing { version: world.server().version(), due: world.next_at() }
    }
}

impl Deadline {
    /// Waits for it. One of the world's comes with a jump in time: whoever waits for that looks again.
    pub(super) async fn passes(self) {
        match self {
            Deadline::Machine(time) => sleep_until(time).await,
            Deadline::World(_) => pending().await,
        }
    }
}

async fn in_time(span: Option<Span>) {
    match span {
        Some(span) => sleep(span).await,
        None => pending().await,
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("now", &self.world.now()).finish_non_exhaustive()
    }
}
