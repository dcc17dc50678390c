//! Every exercise can fail and can be done: its start fails, its solution passes, and plausible wrong
//! answers fail with a reason that names the mistake.

use driftlab::lesson::Lesson;

/// The lessons, as their examples define them.
macro_rules! lessons {
    ($($name:ident = $path:literal),* $(,)?) => {
        $(
            #[path = $path]
            #[allow(dead_code, missing_docs)]
            mod $name;
        )*
        const LESSONS: &[&Lesson] = &[$(&$name::LESSON),*];
        const SHOWS: &[fn(&mut dyn std::fmt::Write) -> std::fmt::Result] = &[$($name::show),*];
    };
}

lessons! {
    drift = "../examples/01_drift.rs",
    the_loop = "../examples/02_the_loop.rs",
    heal = "../examples/03_heal.rs",
    git_decides = "../examples/04_git_decides.rs",
    revert = "../examples/05_revert.rs",
    two_loops = "../examples/06_two_loops.rs",
    pipeline = "../examples/07_pipeline.rs",
    push_vs_pull = "../examples/08_push_vs_pull.rs",
}

/// What a lesson claims, it asserts while it shows.
#[test]
fn every_lesson_shows_what_it_claims_and_the_same_each_time() {
    for (lesson, show) in LESSONS.iter().zip(SHOWS) {
        let [mut first, mut second] = [String::new(), String::new()];
        show(&mut first).expect("a text takes all");
        show(&mut second).expect("a text takes all");
        assert!(first.lines().count() > 20, "{}", lesson.name);
        assert_eq!(first, second, "{}: the same seed, the same bytes", lesson.name);
    }
}

/// What the README shows first is what its first command prints, some lines left out.
#[test]
fn the_readme_shows_what_the_first_command_prints() {
    let (_, text) = include_str!("../README.md").split_once("```text\n").expect("a sample");
    let (sample, _) = text.split_once("```").expect("an end of the sample");
    let mut printed = String::new();
    heal::show(&mut printed).expect("a text takes all");
    let mut lines = printed.lines();
    for line in sample.lines() {
        assert!(lines.any(|printed| printed == line), "not printed, or not there:\n{line}");
    }
}

#[test]
fn the_start_of_every_exercise_fails() {
    for lesson in LESSONS {
        assert!(!(lesson.exercise.grade)(lesson.exercise.start).is_met(), "{}", lesson.name);
    }
}

#[test]
fn the_solution_of_every_exercise_passes() {
    for lesson in LESSONS {
        let grade = (lesson.exercise.grade)(lesson.exercise.solution);
        assert!(grade.is_met(), "{}: {}", lesson.name, grade.reasons());
    }
}

#[test]
fn wrong_answers_fail_and_are_told_their_mistake() {
    for lesson in LESSONS {
        assert!(lesson.exercise.wrong.len() >= 2, "{} has too few wrong answers", lesson.name);
        for (wrong, mistake) in lesson.exercise.wrong {
            let grade = (lesson.exercise.grade)(wrong);
            assert!(!grade.is_met(), "{} accepts what is wrong:\n{wrong}", lesson.name);
            assert!(
                grade.reasons().contains(mistake),
                "{} does not say {mistake:?}, but: {}",
                lesson.name,
                grade.reasons()
            );
        }
    }
}

#[test]
fn no_exercise_breaks_on_what_a_careless_person_writes() {
    for lesson in LESSONS {
        for careless in
            ["", "?", "[", "a: b", "scenario: x\nsteps: 5", "\u{0}", "steps:\n- run: rm -rf /"]
        {
            assert!(!(lesson.exercise.grade)(careless).is_met(), "{} {careless:?}", lesson.name);
        }
    }
}
