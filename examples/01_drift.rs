//! Lesson 1, Drift: why do they disagree?
//!
//! ```text
//! cargo run --example 01_drift
//! cargo run --example 01_drift -- check
//! ```

use std::fmt;
use std::process::ExitCode;

use driftlab::api::{ApiRequest, Caller, WriteOptions};
use driftlab::engine::compare;
use driftlab::lesson::{self, Answer, Exercise, Grade, Lesson, grade_answers};
use driftlab::manifest;
use driftlab::object::{Object, ObjectRef};
use driftlab::reconciler::{Change, ChangeAction};
use driftlab::report::{Drift, Ending, Options, drifts, timeline};
use driftlab::scenario::{self, Run};
use driftlab::sim::World;
use driftlab::trace::{Role, Trace};

const CONFIG: &str = "https://git.example.com/config.git";

fn main() -> ExitCode {
    lesson::main(&LESSON, show)
}

/// The lesson: nobody compares, so nobody notices.
pub(crate) fn show(out: &mut dyn fmt::Write) -> fmt::Result {
    let run = play(include_str!("../tutorials/01_drift/lesson.yaml"));
    write!(out, "{}", timeline(run.trace(), &Options::default()))?;

    // What Git says and what there is, compared by us: nobody else does.
    let differences = differences(&run.world);
    let [change] = &differences[..] else { panic!("one object differs") };
    assert_eq!(change.fields, ["spec.replicas"]);
    assert_eq!(replicas(&run.world), Some(5));
    assert!(drifts(run.trace()).iter().all(|drift| drift.healed_after().is_none()));
    assert!(run.holds());

    writeln!(out, "\n  Git says  spec.replicas: 3")?;
    writeln!(
        out,
        "  there is  spec.replicas: 5   for 50 minutes so far, and for as long as you like"
    )?;
    writeln!(out, "  Nothing failed. Nothing was logged. That is drift.")
}

/// What `-- check` grades.
pub(crate) const LESSON: Lesson = Lesson {
    name: "01_drift",
    title: "Drift",
    question: "why do they disagree?",
    exercise: Exercise {
        task: "Predict before you look: without a loop, how far apart are Git and the cluster after \
               an hour of people's work? Write down your answers.",
        start: include_str!("../tutorials/01_drift/exercise.yaml"),
        solution: include_str!("../tutorials/01_drift/solution.yaml"),
        wrong: &[
            (
                include_str!("../tutorials/01_drift/wrong/somebody-heals.yaml"),
                "Kubernetes keeps what it was told last",
            ),
            (
                include_str!("../tutorials/01_drift/wrong/first-change-stays.yaml"),
                "The last change counts",
            ),
        ],
        grade,
    },
};

/// The truth is what a run of the script shows.
fn grade(content: &str) -> Grade {
    let run = play(include_str!("../tutorials/01_drift/script.yaml"));
    let image = run.world.server().get(&deployment()).expect("it is there");
    let image = image.text("spec.template.spec.containers.0.image").to_owned();
    let settings = ObjectRef::new("", "ConfigMap", "hello", "settings");
    let drifts = drifts(run.trace());
    let answers = [
        Answer {
            key: "replicas",
            question: "How many replicas does deployment/hello ask for?",
            truth: replicas(&run.world).into(),
            why: "The last change counts, whoever made it: 3, 5, and at 5m 3 again.",
        },
        Answer {
            key: "image_tag",
            question: "Which image does it run?",
            truth: image.rsplit(':').next().unwrap_or_default().into(),
            why: "Kubernetes keeps what it was told last. It has never heard of Git.",
        },
        Answer {
            key: "settings",
            question: "Is configmap/settings there?",
            truth: run.world.server().get(&settings).is_some().into(),
            why: "What is deleted stays deleted: no controller wants it back.",
        },
        Answer {
            key: "differences",
            question: "How many objects are not as Git says?",
            truth: differences(&run.world).len().into(),
            why: "The image of the Deployment differs, and the ConfigMap is gone. The replicas are \
                  three again, by luck.",
        },
        Answer {
            key: "healed",
            question: "How many of the four changes did a controller undo?",
            truth: drifts.iter().filter(|drift| is_healed(drift, run.trace())).count().into(),
            why: "None: alice's own second thought is no controller.",
        },
    ];
    grade_answers(content, &answers)
}

/// Whether a controller undid it, and not a person.
fn is_healed(drift: &Drift, trace: &Trace) -> bool {
    let Ending::Healed { event, .. } = drift.ending else { return false };
    trace.events().nth(event).is_some_and(|event| event.role != Role::Person)
}

fn play(source: &str) -> Run {
    let scenario = scenario::read("lesson.yaml", source).expect("the lesson is well-formed");
    scenario.play().expect("the lesson is well-formed")
}

/// What would change if Git were applied now: each object of Git as a dry run of its apply shows it,
/// against the object that is there.
fn differences(world: &World) -> Vec<Change> {
    let wanted: Vec<Object> = in_git(world).into_iter().map(|o| as_applied(world, o)).collect();
    let actual: Vec<Object> =
        wanted.iter().filter_map(|o| world.server().get(&o.reference())).cloned().collect();
    let mut changes = compare(&wanted, &actual);
    changes.retain(|change| change.action != ChangeAction::Unchanged);
    changes
}

fn in_git(world: &World) -> Vec<Object> {
    let repository = world.repository(CONFIG).expect("the lesson has it");
    let head = repository.head_id().expect("it has a commit");
    let files = repository.find_commit(head).expect("it is there").tree.files();
    let read = |path: &str, text: &str| manifest::objects(path, text).expect("it was applied");
    files.iter().flat_map(|(path, _, file)| read(path, file.as_text().unwrap_or(""))).collect()
}

fn as_applied(world: &World, object: Object) -> Object {
    let options = WriteOptions {
        dry_run: true,
        force: true,
        field_manager: "observer".into(),
        ..WriteOptions::default()
    };
    let request = ApiRequest::apply(&object, options);
    let answer = world.clone().request(&Caller::new("observer", "observer"), request);
    answer.ok().and_then(|response| response.into_object()).unwrap_or(object)
}

fn replicas(world: &World) -> Option<i64> {
    world.server().get(&deployment())?.int("spec.replicas")
}

fn deployment() -> ObjectRef {
    ObjectRef::new("apps", "Deployment", "hello", "hello")
}
