//! The tests of an application: what CI runs before anything is released.

use crate::git::Tree;

/// Runs the tests of an application's files: every line of every file that ends in `.test`.
///
/// A line says what a file must hold: `greeting.txt contains Hello`, or `greeting.txt lacks TODO`.
/// Blank lines and lines that begin with `#` say nothing. Returns how many tests passed.
///
/// # Errors
///
/// The first line that does not hold, with its file and number.
///
/// ```
/// use driftlab::git::Tree;
/// use driftlab::sim::run_tests;
/// let app = Tree::from_files([
///     ("greeting.txt", "Hello, world"),
///     ("app.test", "greeting.txt contains Hello\ngreeting.txt lacks TODO\n"),
/// ]).unwrap();
/// assert_eq!(run_tests(&app), Ok(2));
/// let broken = app.with_file("greeting.txt", "TODO").unwrap();
/// assert_eq!(run_tests(&broken).unwrap_err(), "app.test:1: greeting.txt does not contain \"Hello\"");
/// ```
pub fn run_tests(app: &Tree) -> Result<usize, String> {
    let mut passed = 0;
    for (path, _, blob) in app.files() {
        if path.ends_with(".test") {
            let text = blob.as_text().ok_or_else(|| format!("{path}: not UTF-8"))?;
            passed += run_file(app, &path, text)?;
        }
    }
    Ok(passed)
}

fn run_file(app: &Tree, path: &str, text: &str) -> Result<usize, String> {
    let lines = text.lines().map(str::trim).enumerate();
    let tests = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    tests
        .map(|(n, line)| run_line(app, line).map_err(|e| format!("{path}:{}: {e}", n + 1)))
        .try_fold(0, |passed, outcome| outcome.map(|()| passed + 1))
}

fn run_line(app: &Tree, line: &str) -> Result<(), String> {
    let (file, wanted, text) = if let Some((file, text)) = line.split_once(" contains ") {
        (file, true, text)
    } else if let Some((file, text)) = line.split_once(" lacks ") {
        (file, false, text)
    } else {
        return Err(format!("cannot read {line:?}: write FILE contains TEXT, or FILE lacks TEXT"));
    };
    let content = app.text(file).ok_or_else(|| format!("{file} is not there"))?;
    match (content.contains(text), wanted) {
        (true, true) | (false, false) => Ok(()),
        (false, true) => Err(format!("{file} does not contain {text:?}")),
        (true, false) => Err(format!("{file} contains {text:?}")),
    }
}
