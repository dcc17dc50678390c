//! Lesson 3, Heal: who undid me?
//!
//! ```text
//! cargo run --example 03_heal
//! cargo run --example 03_heal -- check
//! ```

use std::fmt;
use std::process::ExitCode;

use driftlab::lesson::{self, Exercise, Grade, Lesson, Miss, play, pushes, since_start, writes};
use driftlab::report::{Drift, Options, drifts, timeline};
use driftlab::scenario::{self, Run};
use driftlab::time::Duration;
use driftlab::trace::{Role, Trace, What};

fn main() -> ExitCode {
    lesson::main(&LESSON, show)
}

/// The lesson: a commit says three, alice says five, the loop says three.
pub(crate) fn show(out: &mut dyn fmt::Write) -> fmt::Result {
    let source = include_str!("../tutorials/03_heal/lesson.yaml");
    let scenario = scenario::read("lesson.yaml", source).expect("the lesson is well-formed");
    let run = scenario.play().expect("the lesson is well-formed");
    write!(out, "{}", timeline(run.trace(), &Options::default()))?;

    // What the picture shows, measured.
    let [drift] = &drifts(run.trace())[..] else { panic!("one thing drifted") };
    let healed_after = drift.healed_after().expect("it was healed");
    let replicas: Vec<i64> = drift.values.iter().flatten().filter_map(|v| v.as_i64()).collect();
    assert_eq!(replicas, [3, 5, 3]);
    assert!(healed_after <= Duration::from_secs(63), "an interval, and 5 % of jitter");
    assert_eq!(heals(run.trace(), Duration::from_mins(2)).len(), 1);
    assert_eq!(pushes(run.trace()), 0);
    assert!(run.holds(), "and so says the scenario itself");

    writeln!(out, "\n  3 → 5 → 3: healed after {healed_after} by one write and no commit.")?;
    writeln!(out, "  alice's five lasted until the next cycle. Nobody was asked.")
}

/// What `-- check` grades.
pub(crate) const LESSON: Lesson = Lesson {
    name: "03_heal",
    title: "Heal",
    question: "who undid me?",
    exercise: Exercise {
        task: "Be the drift. Change two fields of deployment/hello by hand, so that the loop heals \
               both with a single write, and neither lasts longer than 30 s. The loop comes every \
               minute, give or take 3 s. Git is not to be touched.",
        start: include_str!("../tutorials/03_heal/exercise.yaml"),
        solution: include_str!("../tutorials/03_heal/solution.yaml"),
        wrong: &[
            (include_str!("../tutorials/03_heal/wrong/two-cycles.yaml"), "a cycle lay between"),
            (include_str!("../tutorials/03_heal/wrong/too-early.yaml"), "later in the cycle"),
            (include_str!("../tutorials/03_heal/wrong/by-commit.yaml"), "A commit is no drift"),
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
    let found = drifts(run.trace());
    let drifted: Vec<&Drift> = found.iter().filter(|d| d.object.kind == "Deployment").collect();
    grade.goal("Two fields of deployment/hello drift.", too_few(&drifted));
    grade.goal("Each is healed within 30 s.", too_long(&run, &drifted));
    grade.goal("One write of the loop heals them.", more_than_one_write(&run, &drifted));
    grade.equal(
        "Git is not touched.",
        0,
        pushes(run.trace()),
        "A commit is no drift: it changes what is wanted. Use kubectl.",
    );
    grade
}

fn too_few(drifted: &[&Drift]) -> Option<Miss> {
    let fields: Vec<&str> = drifted.iter().map(|drift| drift.path.as_str()).collect();
    (fields.len() != 2).then(|| Miss {
        wanted: "2 fields".into(),
        found: format!("{}: {}", fields.len(), fields.join(", ")),
        why: "`kubectl scale` changes one; `kubectl set image`, `set env` and `patch` others."
            .into(),
        ..Miss::default()
    })
}

fn too_long(run: &Run, drifted: &[&Drift]) -> Option<Miss> {
    let limit = Duration::from_secs(30);
    let start = run.trace().start();
    let slow = drifted.iter().find(|d| d.healed_after().is_none_or(|span| span > limit))?;
    Some(Miss {
        wanted: "at most 30s".into(),
        found: match slow.healed_after() {
            Some(span) => format!("{} was healed after {span}", slow.path),
            None => format!("{} was never healed", slow.path),
        },
        first: format!("{} into the run, by {}", slow.began.since(start), slow.by),
        why:
            "How long drift lasts is how far off the next cycle is. See when the cycles come (run \
              the lesson), and change things later in the cycle."
                .into(),
    })
}

fn more_than_one_write(run: &Run, drifted: &[&Drift]) -> Option<Miss> {
    let first = drifted.iter().map(|drift| drift.began).min()?;
    let start = run.trace().start();
    let heals = heals(run.trace(), first.since(start));
    (heals.len() != 1).then(|| Miss {
        wanted: "1 write".into(),
        found: format!("{}, at {}", heals.len(), heals.join(", ")),
        first: String::new(),
        why: "One apply heals all that has drifted by then; a cycle lay between your changes."
            .into(),
    })
}

/// When, from a time on, the loop wrote to the Deployment.
fn heals(trace: &Trace, from: Duration) -> Vec<String> {
    let by_the_loop = writes(trace).filter(|event| event.role == Role::Engine);
    let to_it = by_the_loop.filter(
        |event| matches!(&event.what, What::Request { object, .. } if object.kind == "Deployment"),
    );
    let times = to_it.map(|event| since_start(trace, event)).filter(|at| *at >= from);
    times.map(|at| at.to_string()).collect()
}
