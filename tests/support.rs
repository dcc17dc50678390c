//! What the tests share.

use std::path::PathBuf;

/// The program of this name on PATH, for tests that compare with the real tool.
///
/// Where it is missing the test says so and returns early, except in CI, where nothing is skipped.
///
/// # Panics
///
/// When the program is missing and the environment variable `CI` is set.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not on PATH, and CI skips nothing");
        say(&format!("SKIPPED: {name} is not on PATH"));
    }
    found
}

/// How many rounds of a search to run: the number in an environment variable, or the everyday one.
pub fn rounds(variable: &str, everyday: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(everyday)
}

/// Prints past the test runner's capture, so that it is seen of passing tests too.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
