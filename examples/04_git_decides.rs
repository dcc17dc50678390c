//! Lesson 4, Git decides: how do I keep five?
//!
//! ```text
//! cargo run --example 04_git_decides
//! cargo run --example 04_git_decides -- check
//! ```

use std::fmt;
use std::process::ExitCode;

use driftlab::lesson::{self, Exercise, Grade, Lesson, Miss, play, pushes};
use driftlab::object::ObjectRef;
use driftlab::report::{Ending, Options, drifts, timeline};
use driftlab::scenario::{self, Run};

fn main() -> ExitCode {
    lesson::main(&LESSON, show)
}

/// The lesson: deploying and healing are the same movement.
pub(crate) fn show(out: &mut dyn fmt::Write) -> fmt::Result {
    let source = include_str!("../tutorials/04_git_decides/lesson.yaml");
    let scenario = scenario::read("lesson.yaml", source).expect("the lesson is well-formed");
    let run = scenario.play().expect("the lesson is well-formed");
    write!(out, "{}", timeline(run.trace(), &Options::default()))?;

    // Two drifts, both healed: five while Git said three, three while Git said five.
    let found = drifts(run.trace());
    let values: Vec<Vec<i64>> = found
        .iter()
        .map(|d| d.values.iter().flatten().filter_map(|v| v.as_i64()).collect())
        .collect();
    assert_eq!(values, [[3, 5, 3], [5, 3, 5]]);
    assert!(found.iter().all(|drift| drift.healed_after().is_some()));
    assert_eq!(pushes(run.trace()), 1);
    assert_eq!(replicas(&run), Some(5));
    assert!(run.holds());

    writeln!(out, "\n  five by hand    undone after {}", found[0].lasted(run.world.now()))?;
    writeln!(out, "  five by commit  stayed: the one change that nobody undid")?;
    writeln!(out, "  three by hand   undone after {}", found[1].lasted(run.world.now()))?;
    writeln!(out, "  The loop does not know good from bad. It knows Git.")
}

/// What `-- check` grades.
pub(crate) const LESSON: Lesson = Lesson {
    name: "04_git_decides",
    title: "Git decides",
    question: "how do I keep five?",
    exercise: Exercise {
        task: "Make deployment/hello run five replicas, and let it be so at 20 minutes because Git \
               says so: with one commit, with the loop running, with nobody fighting it.",
        start: include_str!("../tutorials/04_git_decides/exercise.yaml"),
        solution: include_str!("../tutorials/04_git_decides/solution.yaml"),
        wrong: &[
            (include_str!("../tutorials/04_git_decides/wrong/suspend.yaml"), "switched off"),
            (include_str!("../tutorials/04_git_decides/wrong/no-push.yaml"), "your copy"),
            (include_str!("../tutorials/04_git_decides/wrong/again-and-again.yaml"), "fight"),
        ],
        grade,
    },
};

fn grade(content: &str) -> Grade {
    let run = match play(content) {
        Ok(run) => run,
        Err(grade) => return grade,
    };
    let mut grade = Grade::default();
    grade.goal("deployment/hello asks for five replicas at the end.", not_five(&run));
    grade.equal(
        "One commit was pushed.",
        1,
        pushes(run.trace()),
        "What is wanted changes by a commit that is pushed; one that is not is only in your copy.",
    );
    grade.goal("Nobody fights the loop.", fought(&run));
    grade.goal("The loop is running.", suspended(&run));
    grade
}

fn not_five(run: &Run) -> Option<Miss> {
    let found = replicas(run);
    (found != Some(5)).then(|| Miss {
        wanted: "5".into(),
        found: found.map_or("no Deployment".into(), |n| n.to_string()),
        first: healed_at(run),
        why: "What Git does not say does not last.".into(),
    })
}

/// When a change by hand was first undone.
fn healed_at(run: &Run) -> String {
    let drifts = drifts(run.trace());
    let healed = drifts.iter().find_map(|drift| match &drift.ending {
        Ending::Healed { by, at, .. } => Some((by, *at)),
        _ => None,
    });
    let start = run.trace().start();
    healed.map_or(String::new(), |(by, at)| {
        format!("{} into the run, {by} undid it", at.since(start))
    })
}

fn fought(run: &Run) -> Option<Miss> {
    let drifts = drifts(run.trace());
    (!drifts.is_empty()).then(|| Miss {
        wanted: "no change by hand".into(),
        found: format!("{} by {}", drifts.len(), drifts[0].by),
        first: healed_at(run),
        why: "To set it again and again is to fight the loop: it has more patience than you."
            .into(),
    })
}

fn suspended(run: &Run) -> Option<Miss> {
    let apps =
        ObjectRef::new("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "apps");
    let object = run.world.server().get(&apps);
    let suspended = object.is_none_or(|o| o.get("spec.suspend").is_some_and(|v| v == true));
    suspended.then(|| Miss {
        wanted: "Kustomization/apps reconciles".into(),
        found: "it is suspended, or gone".into(),
        why: "With the loop switched off nothing is undone, and nothing is kept either.".into(),
        ..Miss::default()
    })
}

fn replicas(run: &Run) -> Option<i64> {
    let hello = ObjectRef::new("apps", "Deployment", "hello", "hello");
    run.world.server().get(&hello)?.int("spec.replicas")
}
