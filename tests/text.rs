//! Differences and merges of single texts against the `git` on PATH: texts that are long, of few
//! different lines, or alike in many ways, so that the choice among the right answers matters.
//! `DRIFTLAB_TEXTS` says how many; what differs is shrunk.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use driftlab::git::{
    Blob, DiffFormat, Favor, Labels, Tree, diff, is_binary, merge_text, unified_diff,
};
use driftlab_tests::{rounds, tool};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A text, and what becomes of it: lines are numbers, so that a text shrinks well.
#[derive(Clone, Debug)]
struct Text {
    lines: Vec<u16>,
    /// Whether the last line ends.
    ends: bool,
}

/// Lines that give way to others: where, how many go, and which come. A long text gets long changes.
#[derive(Clone, Debug)]
struct Change {
    at: usize,
    out: usize,
    lines: Vec<u16>,
}

impl Text {
    /// Indentation, blank lines and braces, by which changes are slid.
    fn bytes(&self) -> Vec<u8> {
        let line = |n: &u16| match n % 7 {
            0 => String::new(),
            1 => format!("{}}}", " ".repeat(usize::from(n % 4) * 2)),
            _ => format!("{}line {n}", " ".repeat(usize::from(n % 4) * 2)),
        };
        let mut text = self.lines.iter().map(line).collect::<Vec<_>>().join("\n");
        if self.ends && !self.lines.is_empty() {
            text.push('\n');
        }
        text.into_bytes()
    }

    fn changed(&self, changes: &[Change], ends: bool) -> Text {
        let mut lines = self.lines.clone();
        for change in changes {
            let at = change.at % (lines.len() + 1);
            let end = (at + change.out).min(lines.len());
            lines.splice(at..end, change.lines.iter().copied());
        }
        Text { lines, ends }
    }
}

/// Texts of few different lines are full of repetition, those of many are mostly unique.
fn texts(longest: usize) -> impl Strategy<Value = (Text, u16)> {
    let symbols = prop::sample::select(vec![3u16, 12, 60, 5000]);
    (symbols, any::<bool>()).prop_flat_map(move |(symbols, ends)| {
        let lines = prop::collection::vec(0..symbols, 0..longest);
        lines.prop_map(move |lines| (Text { lines, ends }, symbols))
    })
}

fn changes(symbols: u16, longest: usize) -> impl Strategy<Value = Vec<Change>> {
    let lines = prop::collection::vec(0..symbols, 0..longest);
    let change = (any::<u16>(), 0..longest, lines);
    let change = change.prop_map(|(at, out, lines)| Change { at: at.into(), out, lines });
    prop::collection::vec(change, 0..8)
}

/// A folder of its own that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("driftlab-text-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a Git command says, whatever its exit code: that tells of differences.
fn git(folder: &Path, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    for name in ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"] {
        command.env(name, "/dev/null");
    }
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().stdout
}

fn check<S: Strategy>(everyday: usize, strategy: S, test: impl Fn(S::Value))
where
    S::Value: std::fmt::Debug,
{
    let cases = rounds("DRIFTLAB_TEXTS", everyday) as u32;
    let config =
        Config { cases, max_shrink_iters: 500, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&strategy, |value| {
        test(value);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

fn check_diffs(name: &str, everyday: usize, longest: usize) {
    let Some(_) = tool("git") else { return };
    let scratch = Scratch::new(name);
    let pairs = (texts(longest), any::<bool>()).prop_flat_map(move |((old, symbols), ends)| {
        changes(symbols, longest / 4 + 3).prop_map(move |changes| (old.clone(), changes, ends))
    });
    check(everyday, pairs, |(old, changes, ends)| {
        let (one, two) = (old.bytes(), old.changed(&changes, ends).bytes());
        for (file, content) in [("one", &one), ("two", &two)] {
            fs::write(scratch.0.join(file), content).unwrap();
        }
        let args = ["diff", "--no-index", "--no-color", "--no-ext-diff", "one", "two"];
        let theirs = git(&scratch.0, &args, b"");
        let tree = |content: Vec<u8>| Tree::from_files([("f", Blob::from(content))]).unwrap();
        let ours = unified_diff(&diff(&tree(one), &tree(two)), DiffFormat::default());
        assert_eq!(hunks(&ours), hunks(&theirs));
    });
}

/// What follows the lines about the files.
fn hunks(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).into_owned();
    let start = if text.starts_with("@@") { Some(0) } else { text.find("\n@@") };
    start.map_or(String::new(), |start| text[start..].to_owned())
}

#[test]
fn differences_of_short_texts_are_the_same_in_git() {
    check_diffs("short", 120, 30);
}

#[test]
fn differences_of_long_texts_are_the_same_in_git() {
    check_diffs("long", 12, 4000);
}

#[test]
fn merges_of_texts_are_the_same_in_git() {
    let Some(_) = tool("git") else { return };
    let scratch = Scratch::new("merge");
    git(&scratch.0, &["init", "-q", "--bare"], b"");
    let triples = (texts(60), any::<[bool; 2]>()).prop_flat_map(|((base, symbols), ends)| {
        (changes(symbols, 8), changes(symbols, 8))
            .prop_map(move |(ours, theirs)| (base.clone(), ours, theirs, ends))
    });
    check(60, triples, |(base, ours, theirs, ends)| {
        let ours = base.changed(&ours, ends[0]).bytes();
        let theirs = base.changed(&theirs, ends[1]).bytes();
        let base = base.bytes();
        if [&base, &ours, &theirs].into_iter().any(|text| is_binary(text)) {
            return;
        }
        git(&scratch.0, &["fast-import", "--quiet", "--force"], &history(&base, &ours, &theirs));
        let said = git(&scratch.0, &["merge-tree", "--write-tree", "ours", "theirs"], b"");
        let said = String::from_utf8(said).unwrap();
        let tree = said.lines().next().unwrap();
        let wanted = git(&scratch.0, &["cat-file", "blob", &format!("{tree}:f")], b"");
        let merged = merge_text(&base, &ours, &theirs, Labels::default(), Favor::Neither);
        assert_eq!(String::from_utf8_lossy(&merged.content), String::from_utf8_lossy(&wanted));
        assert_eq!(merged.conflicts > 0, said.contains("CONFLICT"));
    });
}

/// Three commits of a file, for git-fast-import(1): a base, and two branches from it.
fn history(base: &[u8], ours: &[u8], theirs: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut commit = |branch: &str, from: &str, content: &[u8]| {
        let head = "committer Ada <ada@example.com> 1 +0000\ndata 0\n";
        let file = format!("M 100644 inline f\ndata {}\n", content.len());
        stream.extend(format!("reset refs/heads/{branch}\n\ncommit refs/heads/{branch}\n").bytes());
        stream.extend(format!("{head}{from}{file}").bytes());
        stream.extend(content);
        stream.push(b'\n');
    };
    commit("base", "", base);
    commit("ours", "from refs/heads/base\n", ours);
    commit("theirs", "from refs/heads/base\n", theirs);
    stream
}
