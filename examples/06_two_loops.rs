//! Lesson 6, Two loops: who heals what?
//!
//! ```text
//! cargo run --example 06_two_loops
//! cargo run --example 06_two_loops -- check
//! ```

use std::fmt;
use std::process::ExitCode;

use driftlab::lesson::{self, Answer, Exercise, Grade, Lesson, grade_answers, since_start, writes};
use driftlab::report::{Options, timeline};
use driftlab::scenario::{self, Run};
use driftlab::time::Duration;
use driftlab::trace::{Event, Role, What};

fn main() -> ExitCode {
    lesson::main(&LESSON, show)
}

/// What went wrong, when, and up to when it can be told who mended it.
const TROUBLE: [(&str, Duration, Duration); 4] = [
    ("pods deleted", Duration::from_mins(3), Duration::from_mins(6)),
    ("node dies", Duration::from_mins(6), Duration::from_mins(16)),
    ("Deployment deleted", Duration::from_mins(16), Duration::from_mins(20)),
    ("namespace deleted", Duration::from_mins(20), Duration::from_mins(30)),
];

/// The lesson: what is lost, and who brings it back.
pub(crate) fn show(out: &mut dyn fmt::Write) -> fmt::Result {
    let run = play();
    write!(out, "{}", timeline(run.trace(), &Options::default()))?;

    writeln!(out, "\n  {:<20}{:<28}and then", "trouble", "first to mend it")?;
    for (trouble, from, to) in TROUBLE {
        let menders = menders(&run, from, to);
        let then = menders[1..].join(", ");
        writeln!(out, "  {trouble:<20}{:<28}{then}", menders[0])?;
    }

    // Pods and nodes are Kubernetes' own; what Git names is the engine's.
    let first = |i: usize| menders(&run, TROUBLE[i].1, TROUBLE[i].2).remove(0);
    assert_eq!(first(0), "replicaset-controller");
    assert_eq!(first(1), "replicaset-controller");
    assert_eq!(first(2), "kustomize-controller");
    assert_eq!(first(3), "kustomize-controller");
    assert_eq!(engine_writes(&run, TROUBLE[0].1, TROUBLE[1].2), 0, "no pod is its business");
    assert!(run.holds());

    writeln!(
        out,
        "\n  GitOps wrote nothing when pods and a node went. It does not even read pods."
    )?;
    writeln!(
        out,
        "  When the Deployment went, both loops fired in order: one brought back what is"
    )?;
    writeln!(out, "  wanted, the other what runs.")
}

/// What `-- check` grades.
pub(crate) const LESSON: Lesson = Lesson {
    name: "06_two_loops",
    title: "Two loops",
    question: "who heals what?",
    exercise: Exercise {
        task: "Four things go wrong. Predict for each who makes the first object that replaces what \
               was lost.",
        start: include_str!("../tutorials/06_two_loops/exercise.yaml"),
        solution: include_str!("../tutorials/06_two_loops/solution.yaml"),
        wrong: &[
            (
                include_str!("../tutorials/06_two_loops/wrong/gitops-does-all.yaml"),
                "no pod stands in Git",
            ),
            (
                include_str!("../tutorials/06_two_loops/wrong/kubernetes-does-all.yaml"),
                "nobody in the cluster remembers",
            ),
        ],
        grade,
    },
};

/// The truth is what the lesson's run shows.
fn grade(content: &str) -> Grade {
    let run = play();
    let truth = |i: usize| menders(&run, TROUBLE[i].1, TROUBLE[i].2).remove(0).into();
    let answers = [
        Answer {
            key: "pods_deleted",
            question: "All pods are deleted: who makes the first new one?",
            truth: truth(0),
            why: "A ReplicaSet wants three pods and counts none; no pod stands in Git.",
        },
        Answer {
            key: "node_dies",
            question: "A node dies: who replaces its pods?",
            truth: truth(1),
            why: "When the node's pods are evicted, the ReplicaSet counts again; the scheduler only \
                  finds them a place.",
        },
        Answer {
            key: "deployment_deleted",
            question: "The Deployment is deleted: who makes it anew?",
            truth: truth(2),
            why: "A deleted Deployment is forgotten: nobody in the cluster remembers it. Git does.",
        },
        Answer {
            key: "namespace_deleted",
            question: "The namespace is deleted: who makes it anew?",
            truth: truth(3),
            why: "A deleted namespace takes everything in it along, and nobody in the cluster \
                  remembers it. Git does.",
        },
    ];
    grade_answers(content, &answers)
}

/// Who made objects again between two times, in the order of their first.
fn menders(run: &Run, from: Duration, to: Duration) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for event in made(run, from, to) {
        if !names.contains(&event.actor) {
            names.push(event.actor.clone());
        }
    }
    names
}

/// Writes that made a namespace, a workload or a pod.
fn made(run: &Run, from: Duration, to: Duration) -> impl Iterator<Item = &Event> {
    writes(run.trace()).filter(move |event| {
        let at = since_start(run.trace(), event);
        let makes = matches!(&event.what, What::Request { code: 201, object, .. }
            if ["Namespace", "Deployment", "ReplicaSet", "Pod"].contains(&object.kind.as_str()));
        makes && from <= at && at < to
    })
}

fn engine_writes(run: &Run, from: Duration, to: Duration) -> usize {
    let at = |event: &Event| since_start(run.trace(), event);
    let of_engine = writes(run.trace()).filter(|event| event.role == Role::Engine);
    of_engine.filter(|event| from <= at(event) && at(event) < to).count()
}

fn play() -> Run {
    let source = include_str!("../tutorials/06_two_loops/lesson.yaml");
    let scenario = scenario::read("lesson.yaml", source).expect("the lesson is well-formed");
    scenario.play().expect("the lesson is well-formed")
}
