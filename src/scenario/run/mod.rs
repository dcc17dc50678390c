//! A scenario, run.

pub(crate) mod begin;
pub(crate) mod claim;
pub(crate) mod converged;
mod forge;
mod session;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;

use self::session::Session;
use self::watch::Watch;
use super::commands::Desk;
use super::mistake::Mistake;
use super::prepare::Script;
use super::standing::Standing;
use crate::sim::World;
use crate::sim::script::Scenario;
use crate::time::{Duration, Timestamp};
use crate::trace::{Role, Trace, What};

/// How a scenario is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Another seed than the scenario's.
    pub seed: Option<u64>,
    /// Another end than the scenario's, since the start.
    pub until: Option<Duration>,
}

/// A scenario that has run.
#[derive(Clone)]
pub struct Run {
    /// The world as it is at the end.
    pub world: World,
    /// Each expectation, and each command that exited otherwise than it had to, in the order decided.
    pub verdicts: Vec<Verdict>,
}

/// Whether something that had to hold does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What had to hold, in words.
    pub text: String,
    /// Whether it does.
    pub holds: bool,
    /// What was found instead, and since when; empty when it holds.
    pub difference: String,
}

impl Run {
    /// Whether everything holds that had to.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.holds)
    }

    /// Everything that happened.
    pub fn trace(&self) -> &Trace {
        self.world.trace()
    }
}

impl Scenario {
    /// Plays it to its end. Paths of repositories on disk count from the current folder.
    ///
    /// # Errors
    ///
    /// Every mistake that can be found before anything runs.
    pub fn play(&self) -> Result<Run, Vec<Mistake>> {
        self.play_with(Path::new("."), &RunOptions::default())
    }

    /// Plays it; paths count from `base`.
    ///
    /// # Errors
    ///
    /// As [`Scenario::play`].
    pub fn play_with(&self, base: &Path, options: &RunOptions) -> Result<Run, Vec<Mistake>> {
        Ok(run(&Script::read(self, base)?, options))
    }

    /// Plays it in a world that is prepared first: with a controller of your own, for instance.
    ///
    /// # Errors
    ///
    /// As [`Scenario::play`].
    pub fn play_in(&self, prepare: impl Fn(&mut World)) -> Result<Run, Vec<Mistake>> {
        let mut world = World::builder().nodes(0).build();
        let own = world.actors().count();
        prepare(&mut world);
        let guests = world.actors().skip(own).map(str::to_owned).collect();
        let script = Script::read_among(self, Path::new("."), guests)?;
        let mut runner = Runner::new(&script, &RunOptions::default());
        prepare(&mut runner.world);
        Ok(runner.play())
    }
}

/// Runs a script.
pub(crate) fn run(script: &Script, options: &RunOptions) -> Run {
    Runner::new(script, options).play()
}

/// A run under way.
struct Runner<'a> {
    script: &'a Script,
    world: World,
    start: Timestamp,
    /// When it must end; `None` while that is not known.
    end: Option<Timestamp>,
    desks: BTreeMap<String, Desk>,
    sessions: Vec<Session>,
    watches: Vec<Watch>,
    verdicts: Vec<Verdict>,
    /// How much of the trace the watches have seen.
    seen: usize,
    /// When the last step was begun.
    begun: Timestamp,
}

impl<'a> Runner<'a> {
    fn new(script: &'a Script, options: &RunOptions) -> Self {
        let world = begin::world(script, options.seed);
        let start = world.trace().start();
        let until = options.until.or(script.scenario.until);
        let watches = Watch::all(script, start);
        Runner {
            script,
            world,
            start,
            end: until.map(|span| start + span),
            desks: BTreeMap::new(),
            sessions: Vec::new(),
            watches,
            verdicts: Vec::new(),
            seen: 0,
            begun: start,
        }
    }

    /// Does each step at its time, and sees it through.
    fn play(mut self) -> Run {
        self.begin_to_count();
        for (index, step) in self.script.scenario.steps.iter().enumerate() {
            let at = self.start + step.at;
            if self.end.is_some_and(|end| at > end) {
                break;
            }
            self.run_until(at);
            self.begin_step(index);
        }
        self.finish()
    }

    /// Lets everything happen up to a time, with commands that wait and expectations looked after.
    /// What is due at that very time is left to decide: a step may come first.
    fn run_until(&mut self, time: Timestamp) {
        while self.world.now() < time {
            self.decide_due();
            let next = self.next_deadline().filter(|next| *next < time).unwrap_or(time);
            while self.world.step_until(next).is_some() {
                self.look();
            }
            self.world.run_until(next);
            self.look();
            self.begin_to_count();
        }
        for watch in &mut self.watches {
            watch.decide_if_over(&self.world, self.script);
        }
        self.tell_decided();
    }

    /// Looks at the expectations that count from now on.
    fn begin_to_count(&mut self) {
        for watch in &mut self.watches {
            watch.look_before(&self.world, self.script);
        }
    }

    /// The next time at which a command gives up, or an expectation begins to count or is due.
    fn next_deadline(&self) -> Option<Timestamp> {
        let now = self.world.now();
        let sessions = self.sessions.iter().filter_map(Session::deadline);
        let due = self.watches.iter().filter_map(Watch::due);
        let begin = self.watches.iter().map(Watch::from);
        sessions.chain(due).chain(begin).filter(|at| *at > now).min()
    }

    /// Goes on with commands whose waiting is over, and looks at the expectations.
    fn look(&mut self) {
        self.poll_sessions();
        if self.world.trace().len() == self.seen {
            return;
        }
        self.seen = self.world.trace().len();
        for watch in &mut self.watches {
            watch.look(&self.world, self.script, self.begun);
        }
        self.tell_decided();
        self.seen = self.world.trace().len();
    }

    fn decide_due(&mut self) {
        for watch in &mut self.watches {
            watch.decide_if_due(&self.world, self.script);
        }
        self.tell_decided();
    }

    /// Takes the expectations that are decided, and writes them into the trace.
    fn tell_decided(&mut self) {
        let mut decided = Vec::new();
        self.watches.retain_mut(|watch| match watch.verdict.take() {
            Some(verdict) => {
                decided.push(verdict);
                false
            }
            None => true,
        });
        decided.into_iter().for_each(|verdict| self.tell(verdict));
    }

    fn tell(&mut self, verdict: Verdict) {
        let Verdict { text, holds, difference } = verdict.clone();
        self.world.record("", Role::World, What::Expectation { text, holds, difference });
        self.verdicts.push(verdict);
    }

    fn finish(mut self) -> Run {
        if self.script.ends_early && self.end.is_none() {
            self.end = Some(self.early_end());
        }
        let end = self.end.unwrap_or_else(|| self.natural_end());
        self.run_until(end);
        self.decide_due();
        for watch in &mut self.watches {
            watch.decide(&self.world, self.script);
        }
        self.tell_decided();
        self.give_up_sessions();
        Run { world: self.world, verdicts: self.verdicts }
    }

    /// A while after the last expectation is decided: until what runs has begun, if it does.
    fn early_end(&mut self) -> Timestamp {
        const STEP: Duration = Duration::from_secs(10);
        const WHILE: Duration = Duration::from_mins(2);
        const LONGEST: Duration = Duration::from_mins(8);
        while self.watches.iter().any(|watch| watch.due().is_some()) {
            self.run_until(self.world.now() + Duration::from_secs(1));
            self.decide_due();
        }
        let decided = self.world.now();
        self.run_until(decided + WHILE);
        while !Standing::of(&self.world).is_settled() && self.world.now() < decided + LONGEST {
            self.run_until(self.world.now() + STEP);
        }
        self.world.now()
    }

    /// Two rounds of the slowest Kustomization after everything that has a time.
    fn natural_end(&self) -> Timestamp {
        let last = self.watches.iter().filter_map(Watch::due).max();
        let kustomizations =
            self.world.server().objects_of("kustomize.toolkit.fluxcd.io", "Kustomization");
        let interval = kustomizations
            .filter_map(|object| object.text("spec.interval").parse::<Duration>().ok())
            .max();
        let rounds = interval.unwrap_or_default() * 2 + Duration::from_secs(30);
        last.unwrap_or_default().max(self.world.now()) + rounds.max(Duration::from_mins(2))
    }
}
