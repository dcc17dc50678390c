//! Convergence as a property: whatever is committed, changed by hand and broken, once it stops the
//! cluster comes to what Git has, and then nothing is written any more.
//!
//! `DRIFTLAB_RUNS` says how many scenarios are made up; a few dozen by default.

use driftlab::check::{self, Convergence, Counterexample, Size};
use driftlab::engine::Policies;
use driftlab::git::Repository;
use driftlab::manifest;
use driftlab::object::Object;
use driftlab::scenario;
use driftlab::sim::{Choices, Controllers, Scenario, World};

const CONFIG: &str = "https://git.example.com/config.git";

fn runs() -> u64 {
    std::env::var("DRIFTLAB_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(6)
}

fn run(scenario: &Scenario) -> World {
    match scenario.play() {
        Ok(run) => run.world,
        Err(mistakes) => {
            let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            panic!("{}", all.join("\n"))
        }
    }
}

/// What Git has at the head of its branch, read without the engine.
fn in_git(world: &World) -> Vec<Object> {
    let files =
        world.repository(CONFIG).unwrap().tree_at("main", "apps").unwrap_or_default().files();
    let files = files.into_iter();
    let objects = files
        .flat_map(|(path, _, blob)| manifest::objects(&path, blob.as_text().unwrap()).unwrap());
    objects.collect()
}

/// Everything in Git is in the cluster, and no application is that is not in Git.
fn as_in_git(world: &World) -> Result<(), String> {
    let desired = in_git(world);
    if desired.is_empty() {
        return Ok(()); // Nothing can be built of a folder that is not there.
    }
    check::missing(world, &desired)?;
    let kept = |object: &Object| desired.iter().any(|d| d.reference() == object.reference());
    let stray = world
        .server()
        .objects_of("apps", "Deployment")
        .chain(world.server().objects_of("", "ConfigMap"))
        .find(|object| {
            object.namespace() == "apps" && object.name() != "kube-root-ca.crt" && !kept(object)
        });
    match stray {
        Some(object) => Err(format!("{} is not in Git", object.reference())),
        None => Ok(()),
    }
}

#[test]
fn whatever_happens_the_cluster_comes_to_what_git_has() {
    let convergence = Convergence::new(run, as_in_git);
    let found = convergence.search(1..=runs(), |choice| check::scenario(choice, &Size::default()));
    if let Err(counterexample) = found {
        panic!("{counterexample}");
    }
}

/// What a scenario comes to that makes no sense: making one smaller may take away the namespace that a
/// command names, and such a scenario is no smaller counterexample.
fn nothing() -> World {
    let builder = World::builder().nodes(0).controllers(Controllers::None);
    builder.repository(CONFIG, Repository::new()).build()
}

/// Whether the search finds a scenario that an engine with these policies does not survive.
fn is_found(policies: &Policies) -> Option<Box<Counterexample>> {
    let run = |scenario: &Scenario| {
        let played = scenario.play_in(|world| world.set_policies(policies.clone()));
        played.map_or_else(|_| nothing(), |run| run.world)
    };
    let convergence = Convergence::new(run, as_in_git);
    convergence.search(1..=30, |choice| check::scenario(choice, &Size::default())).err()
}

#[test]
fn an_engine_that_acts_on_new_revisions_only_is_found_out() {
    let found = is_found(&Policies { only_new_revisions: true, ..Policies::default() }).unwrap();
    let Scenario { steps, faults, seed, .. } = &found.scenario;
    assert_eq!((steps.len(), faults.faults.len(), *seed), (1, 0, 0), "{found}");
    assert_eq!(scenario::read("found.yaml", &found.to_string()).ok(), Some(found.scenario.clone()));
}

#[test]
fn a_calm_scenario_converges() {
    let convergence = Convergence::new(run, as_in_git);
    let calm = check::scenario(&mut Choices::first(), &Size::default());
    convergence.check(&calm).unwrap();
}

#[test]
fn a_scenario_reads_back_from_what_it_prints() {
    for seed in 0..60 {
        let made = check::scenario(&mut Choices::seeded(seed), &Size::default());
        let read = scenario::read("made-up.yaml", &made.to_string());
        assert_eq!(read.map_err(|mistakes| mistakes[0].to_string()), Ok(made), "seed {seed}");
    }
}
