//! A lesson: something to see, and something to do that is graded by difference.
//!
//! A chapter of the course is an example of this crate: its code shows, with the public interface and
//! nothing else, and its [`Exercise`] is data: a file that the learner changes, the file as it starts, a
//! solution, and a grading that says of each goal what was wanted, what was found, and when they first
//! parted. [`main`] is what such an example's `main` calls.

mod answers;
mod grade;
mod measure;
mod page;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub use answers::{Answer, grade_answers};
pub use grade::{Goal, Grade, Miss};
pub use measure::{play, pushes, since_start, writes};

/// A chapter of the course.
#[derive(Clone, Copy, Debug)]
pub struct Lesson {
    /// The example's name, such as `03_heal`; its chapter stands in `tutorials/03_heal/README.md`.
    pub name: &'static str,
    /// The title in a word or two.
    pub title: &'static str,
    /// The question it answers.
    pub question: &'static str,
    /// What the learner does.
    pub exercise: Exercise,
}

/// Something that the learner does: change a file until its goals are met.
#[derive(Clone, Copy, Debug)]
pub struct Exercise {
    /// What to do, in a few sentences.
    pub task: &'static str,
    /// The file's content at the start; it fails.
    pub start: &'static str,
    /// A content that meets every goal.
    pub solution: &'static str,
    /// Contents that a learner might well try, each with a part of the reason that names the mistake.
    pub wrong: &'static [(&'static str, &'static str)],
    /// Grades a content of the file.
    pub grade: fn(&str) -> Grade,
}

const USAGE: &str = "\
                 show the lesson
  check [FILE]   grade the exercise, by default the one in tutorials/
  reset          put the exercise back as it was at the start
  solution       print a solution
";

/// Runs a lesson as its example's `main`: without arguments it shows, with `check` it grades the
/// exercise; exits 0 when all goals are met, 1 when one is not, 2 for a mistake in the arguments.
pub fn main(lesson: &Lesson, show: fn(&mut dyn std::fmt::Write) -> std::fmt::Result) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => shown(lesson, show),
        ["check"] => check(lesson, &lesson.file()),
        ["check", file] => check(lesson, Path::new(file)),
        ["reset"] => reset(lesson),
        ["solution"] => {
            print(lesson.exercise.solution);
            ExitCode::SUCCESS
        }
        _ => {
            anstream::eprint!("usage: cargo run --example {} -- [COMMAND]\n\n{USAGE}", lesson.name);
            ExitCode::from(2)
        }
    }
}

/// Mistakes as a text, one below the other.
pub fn listed<T: ToString>(mistakes: &[T]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

impl Lesson {
    /// Where the learner's file is: in the checkout that the example was built from.
    pub fn file(&self) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        root.join("tutorials").join(self.name).join("exercise.yaml")
    }
}

fn shown(lesson: &Lesson, show: fn(&mut dyn std::fmt::Write) -> std::fmt::Result) -> ExitCode {
    let mut text = page::head(lesson);
    show(&mut text).expect("writing to a text cannot fail");
    text += &page::foot(lesson);
    print(&text);
    ExitCode::SUCCESS
}

/// Whoever reads may have seen enough, as `head` does.
fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn check(lesson: &Lesson, file: &Path) -> ExitCode {
    match std::fs::read_to_string(file) {
        Ok(content) => {
            let grade = (lesson.exercise.grade)(&content);
            print(&page::grade(lesson, file, &grade));
            if grade.is_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            anstream::eprintln!("{}: {error}; `-- reset` makes the exercise anew", file.display());
            ExitCode::from(2)
        }
    }
}

fn reset(lesson: &Lesson) -> ExitCode {
    let file = lesson.file();
    match std::fs::write(&file, lesson.exercise.start) {
        Ok(()) => {
            print(&format!("{} is as it was at the start.\n", file.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            anstream::eprintln!("{}: {error}", file.display());
            ExitCode::from(2)
        }
    }
}
