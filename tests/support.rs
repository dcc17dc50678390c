//! What the tests share.

#[path = "conformance/exchange.rs"]
pub mod exchange;
#[cfg(feature = "serve")]
#[path = "wire/lab.rs"]
pub mod lab;
#[path = "conformance/normal.rs"]
pub mod normal;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

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

/// The command `driftlab`: beside the tests, in the same profile; built first, so that it is not of
/// yesterday.
///
/// # Panics
///
/// When it does not build.
pub fn driftlab() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().expect("a running test is a file");
        let profile = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root()).args(["build", "--quiet", "--package", "driftlab"]);
        // What cargo tells a test of its package, build scripts of others would take for a change.
        let told =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars().filter(|(name, _)| told(name)) {
            cargo.env_remove(name);
        }
        if cfg!(feature = "serve") {
            cargo.args(["--features", "serve"]);
        }
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let built = cargo.status().expect("cargo runs");
        assert!(built.success(), "the command does not build");
        profile.join(format!("driftlab{}", std::env::consts::EXE_SUFFIX))
    })
}

/// The top of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the command comes to in a folder.
///
/// # Panics
///
/// When it cannot be started.
pub fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(driftlab())
        .current_dir(folder)
        .args(args)
        .env_remove("COLUMNS")
        .env_remove("TERM")
        .output()
        .expect("the command runs")
}

/// The exit code, then what was printed.
///
/// # Panics
///
/// When it was killed, or printed what is no UTF-8.
pub fn told(output: &Output) -> String {
    let code = output.status.code().expect("it exits");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it prints UTF-8");
    format!("exit {code}\n{}{}", text(&output.stdout), text(&output.stderr))
}

/// Holds a part of FIDELITY.md against what a test found: what stands between `<!-- NAME -->` and
/// `<!-- /NAME -->`. With `UPDATE` in the environment the page is written instead.
///
/// # Panics
///
/// When the page says something else.
pub fn page(name: &str, found: &str) {
    let path = root().join("FIDELITY.md");
    let page = std::fs::read_to_string(&path).expect("the page is there");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = page.find(&begin).expect("the page has that part") + begin.len();
    let upto = from + page[from..].find(&end).expect("that part ends");
    if std::env::var_os("UPDATE").is_some() {
        let updated = format!("{}{found}{}", &page[..from], &page[upto..]);
        return std::fs::write(&path, updated).expect("the page is writable");
    }
    let told = &page[from..upto];
    assert!(
        told == found,
        "FIDELITY.md is out of date; UPDATE=1 cargo test rewrites {name}:\n{found}"
    );
}

/// How many rounds of a search to run: the number in an environment variable, or the everyday one.
pub fn rounds(variable: &str, everyday: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(everyday)
}

/// The words of a command line, as a shell takes them apart.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut is_quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().expect("one").push(c),
        }
    }
    words
}

/// Prints past the test runner's capture, so that it is seen of passing tests too.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
