//! Lesson 2, The loop: what runs?
//!
//! ```text
//! cargo run --example 02_the_loop
//! cargo run --example 02_the_loop -- check
//! ```

use std::fmt;
use std::process::ExitCode;

use driftlab::lesson::{self, Answer, Exercise, Grade, Lesson, grade_answers, since_start};
use driftlab::reconciler::Phase;
use driftlab::report::{Options, timeline};
use driftlab::scenario::{self, Run};
use driftlab::time::Duration;
use driftlab::trace::{Event, Trace, What};

fn main() -> ExitCode {
    lesson::main(&LESSON, show)
}

/// The lesson: the same three words, again and again.
pub(crate) fn show(out: &mut dyn fmt::Write) -> fmt::Result {
    let run = play(include_str!("../tutorials/02_the_loop/lesson.yaml"));
    write!(out, "{}", timeline(run.trace(), &Options::default()))?;

    let cycles = cycles(run.trace());
    writeln!(out, "\n  Every cycle of kustomize-controller, by what it did:\n")?;
    for (number, cycle) in cycles.iter().enumerate() {
        writeln!(out, "  {:>3}  {}", number + 1, cycle)?;
    }

    // Whatever happened, each cycle is watch, then compare, and only then perhaps reconcile.
    assert!(cycles.iter().all(Cycle::is_in_order), "{cycles:?}");
    let writing: Vec<_> = cycles.iter().filter(|cycle| !cycle.changed.is_empty()).collect();
    assert_eq!(writing.len(), 3, "the first apply, the healing, the release");
    assert!(run.holds());

    let quiet = cycles.len() - writing.len();
    writeln!(out, "\n  {} cycles, {quiet} of them without a write: the heartbeat.", cycles.len())
}

/// One reconciliation of the Kustomization.
#[derive(Debug)]
struct Cycle {
    at: Duration,
    words: Vec<Phase>,
    /// What was changed, in Flux's words.
    changed: Vec<String>,
}

impl Cycle {
    /// Watch, compare, and reconcile only after both: `W C (R | nothing)`.
    fn is_in_order(&self) -> bool {
        let distinct = self.words.iter().fold(Vec::new(), |mut seen, word| {
            if !seen.contains(word) {
                seen.push(*word);
            }
            seen
        });
        distinct.is_sorted() && distinct.starts_with(&[Phase::Watch, Phase::Compare])
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Duration::from_secs(self.at.as_secs()).to_string();
        match self.changed.is_empty() {
            true => write!(f, "{at:>6}  watch  compare"),
            false => write!(f, "{at:>6}  watch  compare  reconcile  {}", self.changed.join(", ")),
        }
    }
}

/// The cycles that came to an end. One that found no source yet had nothing to compare.
fn cycles(trace: &Trace) -> Vec<Cycle> {
    let mut cycles = Vec::new();
    let mut words = Vec::new();
    for event in trace.events().filter(|event| event.actor == "kustomize-controller") {
        match &event.what {
            What::Started { target } if target.kind == "Kustomization" => words.clear(),
            What::Phase { phase, .. } => words.push(*phase),
            What::Finished { target, failed: false, .. } if target.kind == "Kustomization" => {
                let words = std::mem::take(&mut words);
                if words.contains(&Phase::Compare) {
                    let at = since_start(trace, event);
                    cycles.push(Cycle { at, words, changed: changed(event) });
                }
            }
            _ => {}
        }
    }
    cycles
}

fn changed(event: &Event) -> Vec<String> {
    use driftlab::reconciler::ChangeAction::{Skipped, Unchanged};
    let What::Finished { changes, .. } = &event.what else { return Vec::new() };
    let told = changes.iter().filter(|change| !matches!(change.action, Unchanged | Skipped));
    told.map(ToString::to_string).collect()
}

/// What `-- check` grades.
pub(crate) const LESSON: Lesson = Lesson {
    name: "02_the_loop",
    title: "The loop",
    question: "what runs?",
    exercise: Exercise {
        task: "The loop comes every five minutes, and people do things in between. Predict which \
               cycles write nothing.",
        start: include_str!("../tutorials/02_the_loop/exercise.yaml"),
        solution: include_str!("../tutorials/02_the_loop/solution.yaml"),
        wrong: &[
            (
                include_str!("../tutorials/02_the_loop/wrong/sees-every-change.yaml"),
                "compares states, not histories",
            ),
            (
                include_str!("../tutorials/02_the_loop/wrong/reacts-at-once.yaml"),
                "no cycle of its own",
            ),
        ],
        grade,
    },
};

/// The truth is what a run of the script shows.
fn grade(content: &str) -> Grade {
    let run = play(include_str!("../tutorials/02_the_loop/script.yaml"));
    let cycles = cycles(run.trace());
    let number = |(number, cycle): (usize, &Cycle)| {
        cycle.changed.is_empty().then(|| serde_json::Value::from(number + 1))
    };
    let idle: Vec<serde_json::Value> = cycles.iter().enumerate().filter_map(number).collect();
    let answers = [
        Answer {
            key: "cycles",
            question: "How many cycles are there in 26 minutes?",
            truth: cycles.len().into(),
            why: "The first when the source is there, then one every five minutes. What people do \
                  to the cluster is no cycle of its own: the loop finds it when it comes.",
        },
        Answer {
            key: "write_nothing",
            question: "Which of them write nothing?",
            truth: idle.into(),
            why: "A cycle compares states, not histories: nine replicas that were three again \
                  before it came, it never saw.",
        },
    ];
    grade_answers(content, &answers)
}

fn play(source: &str) -> Run {
    let scenario = scenario::read("lesson.yaml", source).expect("the lesson is well-formed");
    scenario.play().expect("the lesson is well-formed")
}
