//! Convergence: faults, then quiet, then the desired state, and then stillness.

use std::fmt;

use super::shrink;
use crate::sim::{Choice, Choices, FaultPlan, Scenario, World};
use crate::time::Duration;
use crate::trace::{Event, Role, What};

/// Whether a world is as desired, and if not, what is missing.
type Desired<'a> = dyn Fn(&World) -> Result<(), String> + 'a;

/// The property that every controller owes: whatever happens, once it stops happening the world
/// comes to the desired state in time, and then nothing is written any more.
///
/// "Eventually" is checked on runs that end: the faults stop, the world is run fairly for a while, the
/// desired state is demanded, and after it stillness, for a controller that reaches its goal and goes on
/// writing has not converged.
pub struct Convergence<'a> {
    run: Box<dyn Fn(&Scenario) -> World + 'a>,
    desired: Box<Desired<'a>>,
    /// How long the world has after the last step, with all faults ended.
    pub settle: Duration,
    /// How long nothing may be written after that.
    pub stillness: Duration,
    /// How many smaller scenarios are tried when one fails.
    pub tries: usize,
}

/// Why a run did not converge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The desired state was not reached: what is missing.
    NotDesired(String),
    /// Somebody kept writing: who, and what.
    NotStill(String),
}

/// A scenario that does not converge, as small as it could be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    /// The scenario, seed included: running it fails.
    pub scenario: Scenario,
    /// Why it fails.
    pub failure: Failure,
    /// How many scenarios were made up before one failed.
    pub runs: usize,
    /// How many smaller ones were tried.
    pub shrinks: usize,
}

impl<'a> Convergence<'a> {
    /// The property, given how a scenario is run to the end of its last step, and what is wrong with a
    /// world that is not as desired.
    pub fn new(
        run: impl Fn(&Scenario) -> World + 'a,
        desired: impl Fn(&World) -> Result<(), String> + 'a,
    ) -> Self {
        Convergence {
            run: Box::new(run),
            desired: Box::new(desired),
            settle: Duration::from_mins(16),
            stillness: Duration::from_mins(11),
            tries: 400,
        }
    }

    /// Whether a scenario converges.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub fn check(&self, scenario: &Scenario) -> Result<World, Failure> {
        let mut world = (self.run)(scenario);
        world.end_faults();
        world.run_for(self.settle);
        (self.desired)(&world).map_err(Failure::NotDesired)?;
        let settled = world.trace().len();
        world.run_for(self.stillness);
        match writes_since(&world, settled) {
            Some(writes) => Err(Failure::NotStill(writes)),
            None => Ok(world),
        }
    }

    /// Checks made-up scenarios, one for each seed, until one fails; then makes that one smaller.
    ///
    /// # Errors
    ///
    /// The counterexample.
    pub fn search(
        &self,
        seeds: impl IntoIterator<Item = u64>,
        generate: impl Fn(&mut dyn Choice) -> Scenario,
    ) -> Result<usize, Box<Counterexample>> {
        let mut runs = 0;
        for seed in seeds {
            runs += 1;
            let scenario = Scenario { seed, ..generate(&mut Choices::seeded(seed)) };
            if let Err(failure) = self.check(&scenario) {
                return Err(Box::new(self.smallest(scenario, failure, runs)));
            }
        }
        Ok(runs)
    }

    /// The smallest scenario that fails in the same way. If without steps and faults it does not fail,
    /// nor may the smallest: else leaving out what others need would pass for the failure.
    pub fn smallest(&self, scenario: Scenario, failure: Failure, runs: usize) -> Counterexample {
        let start = scenario.repositories.clone();
        let is_calm_sound = self.check(&calm(&scenario)).is_ok();
        let fails_so = |candidate: &Scenario| {
            self.check(candidate).is_err_and(|found| found.is_like(&failure))
                && (!is_calm_sound
                    || candidate.repositories == start
                    || self.check(&calm(candidate)).is_ok())
        };
        let (scenario, shrinks) = shrink(&scenario, self.tries, fails_so);
        let failure = self.check(&scenario).err().unwrap_or(failure);
        Counterexample { scenario, failure, runs, shrinks }
    }
}

/// The scenario in which nothing happens.
fn calm(scenario: &Scenario) -> Scenario {
    Scenario { steps: Vec::new(), faults: FaultPlan::none(), ..scenario.clone() }
}

impl Failure {
    fn is_like(&self, other: &Failure) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// What was written since an event, by whom, in a few words; `None` when nothing was.
fn writes_since(world: &World, position: usize) -> Option<String> {
    let written = world.trace().since(position).filter_map(|event| match &event.what {
        What::Request { object, changed, verb, .. } if counts(event) => {
            let fields = changed.iter().take(3).map(ToString::to_string).collect::<Vec<_>>();
            Some(format!("{} {verb} {object}: {}", event.actor, fields.join(", ")))
        }
        _ => None,
    });
    let written: Vec<String> = written.collect();
    let first = written.first()?;
    Some(format!("{} writes, the first: {first}", written.len()))
}

/// Whether an event is a write that a world at rest does not have. What the cluster tells of its own
/// health, and the engine of its own work (events, the status of its own kinds), goes on.
fn counts(event: &Event) -> bool {
    let What::Request { object, subresource, changed, .. } = &event.what else { return false };
    let of_its_own = match event.role {
        Role::ControlPlane => matches!(object.kind.as_str(), "Lease" | "Event" | "Node"),
        Role::Engine => {
            object.kind == "Event"
                || subresource == "status" && object.group.ends_with(".toolkit.fluxcd.io")
        }
        _ => false,
    };
    !changed.is_empty() && !of_its_own
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NotDesired(what) => write!(f, "not as desired: {what}"),
            Failure::NotStill(what) => write!(f, "not still: {what}"),
        }
    }
}

/// The scenario file, and above it what is wrong.
impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counterexample { scenario, failure, runs, shrinks } = self;
        writeln!(f, "# {failure}")?;
        writeln!(f, "# found in run {runs}, made smaller in {shrinks} more")?;
        write!(f, "{scenario}")
    }
}

impl std::error::Error for Counterexample {}
