//! Lesson 5, Revert: how do I undo?
//!
//! ```text
//! cargo run --example 05_revert
//! cargo run --example 05_revert -- check
//! ```

use std::fmt;
use std::process::ExitCode;

use driftlab::git::{ObjectId, Repository};
use driftlab::lesson::{self, Exercise, Grade, Lesson, Miss, play};
use driftlab::object::ObjectRef;
use driftlab::report::{Options, drifts, timeline};
use driftlab::scenario::{self, Run};
use driftlab::trace::What;

fn main() -> ExitCode {
    lesson::main(&LESSON, show)
}

/// The lesson: a release that cannot start is taken back where it was made.
pub(crate) fn show(out: &mut dyn fmt::Write) -> fmt::Result {
    let source = include_str!("../tutorials/05_revert/lesson.yaml");
    let scenario = scenario::read("lesson.yaml", source).expect("the lesson is well-formed");
    let run = scenario.play().expect("the lesson is well-formed");
    write!(out, "{}", timeline(run.trace(), &Options::default()))?;

    // The tree is the one of before, to the bit; the history has grown by the revert.
    let history = history(&run);
    let [revert, bad, good, start] = &history[..] else { panic!("four commits") };
    assert_eq!(revert.tree, good.tree, "restored");
    assert_ne!(bad.tree, good.tree);
    assert!(!rewritten(&run), "and nothing was rewritten");
    assert!(drifts(run.trace()).is_empty(), "nobody touched the cluster");
    assert_eq!(image(&run), "nginxdemos/hello:1.1");
    assert!(run.holds());

    writeln!(out, "\n  {}  tree {}  {}", revert.id.short(), revert.tree.short(), revert.subject)?;
    writeln!(out, "  {}  tree {}  {}", bad.id.short(), bad.tree.short(), bad.subject)?;
    writeln!(
        out,
        "  {}  tree {}  {}  ← the same files",
        good.id.short(),
        good.tree.short(),
        good.subject
    )?;
    writeln!(out, "  {}  tree {}  {}", start.id.short(), start.tree.short(), start.subject)?;
    writeln!(out, "\n  What was wrong is undone, and it is still known that it was.")
}

/// What `-- check` grades.
pub(crate) const LESSON: Lesson = Lesson {
    name: "05_revert",
    title: "Revert",
    question: "how do I undo?",
    exercise: Exercise {
        task: "Release 1.2 cannot start: its image was never pushed. Bring back what ran before, to \
               the bit, so that Git says so, and without rewriting history.",
        start: include_str!("../tutorials/05_revert/exercise.yaml"),
        solution: include_str!("../tutorials/05_revert/solution.yaml"),
        wrong: &[
            (include_str!("../tutorials/05_revert/wrong/rewrite.yaml"), "as if it had never been"),
            (include_str!("../tutorials/05_revert/wrong/another-version.yaml"), "other files"),
            (include_str!("../tutorials/05_revert/wrong/rollout-undo.yaml"), "Git still says"),
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
    grade.goal("Git holds the files of before the release.", not_restored(&run));
    grade.goal("History grew, and nothing of it was rewritten.", history_lost(&run));
    grade.equal(
        "The cluster runs the image of before.",
        "nginxdemos/hello:1.0".to_owned(),
        image(&run),
        "The loop brings about what Git says, and Git still says something else.",
    );
    grade.goal("Nobody changed the cluster by hand.", by_hand(&run));
    grade
}

fn not_restored(run: &Run) -> Option<Miss> {
    let history = history(run);
    let (now, first) = (history.first()?, history.last()?);
    (now.tree != first.tree).then(|| Miss {
        wanted: format!("tree {}", first.tree.short()),
        found: format!("tree {} at {} {}", now.tree.short(), now.id.short(), now.subject),
        first: String::new(),
        why:
            "These are other files than before. `git revert` makes the commit that undoes another."
                .into(),
    })
}

fn history_lost(run: &Run) -> Option<Miss> {
    rewritten(run).then(|| Miss {
        wanted: "the release and its undoing, both in `git log`".into(),
        found: format!("{} commits: the release is gone", history(run).len()),
        first: "at the push --force".into(),
        why:
            "After a forced push it is as if it had never been: nobody can learn from it, and who \
              had pulled it brings it back."
                .into(),
    })
}

fn by_hand(run: &Run) -> Option<Miss> {
    let drifts = drifts(run.trace());
    let drift = drifts.first()?;
    Some(Miss {
        wanted: "no write but the loop's".into(),
        found: format!("{} changed {}", drift.by, drift.path),
        first: String::new(),
        why: "A rollback of the cluster is drift: Git still says the release, and the loop brings \
              it back."
            .into(),
    })
}

struct Entry {
    id: ObjectId,
    tree: ObjectId,
    subject: String,
}

/// The commits of `main`, newest first.
fn history(run: &Run) -> Vec<Entry> {
    let repository = repository(run);
    let mut next = repository.branch_id("main");
    let mut entries = Vec::new();
    while let Some(id) = next {
        let commit = repository.find_commit(id).expect("a branch leads to commits");
        entries.push(Entry { id, tree: commit.tree.id(), subject: commit.subject() });
        next = commit.parents.first().copied();
    }
    entries
}

fn repository(run: &Run) -> &Repository {
    run.world.repository("https://git.example.com/config.git").expect("the lesson has it")
}

fn rewritten(run: &Run) -> bool {
    let forced = |what: &What| matches!(what, What::RefMoved { forced: true, .. });
    run.trace().events().any(|event| forced(&event.what))
}

fn image(run: &Run) -> String {
    let hello = ObjectRef::new("apps", "Deployment", "hello", "hello");
    let found = run.world.server().get(&hello);
    found.map(|o| o.text("spec.template.spec.containers.0.image").to_owned()).unwrap_or_default()
}
