//! How a lesson looks: its head, its foot, and a grade.

use std::path::Path;

use anstyle::{AnsiColor, Style};

use super::{Grade, Lesson, Miss};

const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// The title and the question.
pub(super) fn head(lesson: &Lesson) -> String {
    let number = lesson.name.split('_').next().unwrap_or_default();
    let title = format!("{number}  {}", lesson.title);
    let line = "─".repeat(title.chars().count() + lesson.question.chars().count() + 3);
    format!("{STRONG}{title}{STRONG:#} — {}\n{FAINT}{line}{FAINT:#}\n\n", lesson.question)
}

/// What to do next.
pub(super) fn foot(lesson: &Lesson) -> String {
    let task: String =
        wrapped(lesson.exercise.task, 88).into_iter().map(|line| format!("  {line}\n")).collect();
    format!(
        "\n{STRONG}Your turn{STRONG:#}\n{task}\n  edit    tutorials/{name}/exercise.yaml\n  then    cargo run --example {name} -- check\n  read    tutorials/{name}/README.md\n",
        name = lesson.name,
    )
}

/// Each goal with a mark, and under a missed one the difference.
pub(super) fn grade(lesson: &Lesson, file: &Path, grade: &Grade) -> String {
    let shown = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(file);
    let mut text = format!("{STRONG}{}{STRONG:#}  {}\n\n", lesson.title, shown.display());
    for goal in &grade.goals {
        match &goal.miss {
            None => text += &format!("  {GOOD}✓{GOOD:#} {}\n", goal.text),
            Some(miss) => {
                text += &format!("  {BAD}✗{BAD:#} {}\n", goal.text);
                text += &difference(miss);
            }
        }
    }
    let met = grade.goals.iter().filter(|goal| goal.miss.is_none()).count();
    text += &format!("\n{met} of {} goals met", grade.goals.len());
    text += if grade.is_met() { ". Well done.\n" } else { "; change the file and check again.\n" };
    text
}

fn difference(miss: &Miss) -> String {
    let mut text = String::new();
    let parts = [
        ("wanted", &miss.wanted),
        ("found", &miss.found),
        ("first", &miss.first),
        ("why", &miss.why),
    ];
    for (name, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
        for (i, line) in part.lines().flat_map(|line| wrapped(line, 76)).enumerate() {
            let name = if i == 0 { name } else { "" };
            text += &format!("      {FAINT}{name:<6}{FAINT:#}  {line}\n");
        }
    }
    text
}

/// Lines of words; what is indented (code, a caret under a mistake) stays as it is.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    if text.starts_with(' ') || text.contains(" | ") {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("never empty");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
