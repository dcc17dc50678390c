//! Unified differences, as `git diff` prints them.

use super::lines::{Algorithm, Edit, LineDiff, is_binary};
use crate::git::{Entry, ObjectId, TreeChange};

/// How a difference is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffFormat {
    /// Unchanged lines shown around each change.
    pub context: usize,
    /// Whole ids on the `index` line rather than seven digits.
    pub full_index: bool,
}

impl Default for DiffFormat {
    fn default() -> Self {
        DiffFormat { context: 3, full_index: false }
    }
}

/// What `git diff --no-renames` prints for some changes; bytes, for contents may be any.
///
/// ```
/// use driftlab::git::{DiffFormat, Tree, diff, unified_diff};
/// let old = Tree::from_files([("hello.yaml", "kind: Deployment\nreplicas: 3\n")])?;
/// let new = old.with_file("hello.yaml", "kind: Deployment\nreplicas: 5\n")?;
/// let text = unified_diff(&diff(&old, &new), DiffFormat::default());
/// assert_eq!(String::from_utf8(text)?, "\
/// diff --git a/hello.yaml b/hello.yaml
/// index a357d90..b04357a 100644
/// --- a/hello.yaml
/// +++ b/hello.yaml
/// @@ -1,2 +1,2 @@
///  kind: Deployment
/// -replicas: 3
/// +replicas: 5
/// ");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn unified_diff(changes: &[TreeChange], format: DiffFormat) -> Vec<u8> {
    let mut out = Vec::new();
    for change in changes {
        let (old, new) = (change.old.as_ref(), change.new.as_ref());
        match (old, new) {
            // A file that became a link, or the like, is shown as one removed and one added.
            (Some(a), Some(b)) if a.mode()[..2] != b.mode()[..2] => {
                print_change(&change.path, old, None, format, &mut out);
                print_change(&change.path, None, new, format, &mut out);
            }
            _ => print_change(&change.path, old, new, format, &mut out),
        }
    }
    out
}

fn print_change(
    path: &str,
    old: Option<&Entry>,
    new: Option<&Entry>,
    format: DiffFormat,
    out: &mut Vec<u8>,
) {
    let (a, b) = (quote_path("a/", path), quote_path("b/", path));
    print_header((&a, &b), old, new, format, out);
    let (before, after) = (content(old), content(new));
    if before == after {
        return;
    }
    let (from, to) = (old.map_or("/dev/null", |_| &a), new.map_or("/dev/null", |_| &b));
    if is_binary(&before) || is_binary(&after) {
        out.extend(format!("Binary files {from} and {to} differ\n").into_bytes());
        return;
    }
    // A tab ends a name with spaces, for the sake of other tools.
    let tab = |name: &str| if name.contains(' ') { "\t" } else { "" };
    out.extend(format!("--- {from}{}\n+++ {to}{}\n", tab(from), tab(to)).into_bytes());
    print_hunks(
        &LineDiff::new(&before, &after, Algorithm::Myers { indent: true }),
        format.context,
        out,
    );
}

fn print_header(
    (a, b): (&str, &str),
    old: Option<&Entry>,
    new: Option<&Entry>,
    format: DiffFormat,
    out: &mut Vec<u8>,
) {
    let (mode, new_mode) = (old.map(Entry::mode), new.map(Entry::mode));
    let modes = match (mode, new_mode) {
        (None, Some(new)) => format!("new file mode {new}\n"),
        (Some(old), None) => format!("deleted file mode {old}\n"),
        (Some(old), Some(new)) if old != new => format!("old mode {old}\nnew mode {new}\n"),
        _ => String::new(),
    };
    let id = |entry: Option<&Entry>| match (entry.map(Entry::id).unwrap_or_default(), format) {
        (id, DiffFormat { full_index: true, .. }) => id.to_string(),
        (id, _) => id.short(),
    };
    out.extend(format!("diff --git {a} {b}\n{modes}").into_bytes());
    if old.map(Entry::id) != new.map(Entry::id) {
        let mode = if mode == new_mode { mode.map(|mode| format!(" {mode}")) } else { None };
        let mode = mode.unwrap_or_default();
        out.extend(format!("index {}..{}{mode}\n", id(old), id(new)).into_bytes());
    }
}

/// A text that is the same for two changes when they add and remove the same lines in the same
/// surroundings, wherever in the files, white space left out: what `git patch-id` goes by.
pub(in crate::git) fn patch_text(changes: &[TreeChange]) -> Vec<u8> {
    let mut out = Vec::new();
    for TreeChange { path, old, new } in changes {
        let (before, after) = (content(old.as_ref()), content(new.as_ref()));
        let mode = |entry: &Option<Entry>| entry.as_ref().map(Entry::mode);
        let modes = match (mode(old), mode(new)) {
            (None, Some(mode)) => format!("new {mode}"),
            (Some(mode), None) => format!("deleted {mode}"),
            _ => String::new(),
        };
        out.extend(format!("{path}\n{modes}\n").bytes());
        if is_binary(&before) || is_binary(&after) {
            let id = |entry: &Option<Entry>| entry.as_ref().map(Entry::id).unwrap_or_default();
            out.extend(format!("{}{}\n", id(old), id(new)).bytes());
            continue;
        }
        let mut hunks = Vec::new();
        let diff = LineDiff::new(&before, &after, Algorithm::Myers { indent: false });
        print_hunks(&diff, 3, &mut hunks);
        let lines = hunks.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"@@"));
        out.extend(lines.flatten().filter(|byte| !byte.is_ascii_whitespace()));
    }
    out
}

/// A submodule is shown by the line that names its commit.
fn content(entry: Option<&Entry>) -> Vec<u8> {
    match entry {
        Some(Entry::File(_, blob)) => blob.as_bytes().to_vec(),
        Some(Entry::Submodule(commit)) => submodule_line(*commit),
        Some(Entry::Folder(_)) | None => Vec::new(),
    }
}

fn submodule_line(commit: ObjectId) -> Vec<u8> {
    format!("Subproject commit {commit}\n").into_bytes()
}

fn print_hunks(diff: &LineDiff<'_>, context: usize, out: &mut Vec<u8>) {
    let mut heading = Heading::default();
    let mut rest = &diff.edits[..];
    while !rest.is_empty() {
        let near = |pair: &[Edit]| pair[1].old.start - pair[0].old.end <= 2 * context;
        let len = 1 + rest.windows(2).take_while(|pair| near(pair)).count();
        let (hunk, others) = rest.split_at(len);
        print_hunk(diff, hunk, context, &mut heading, out);
        rest = others;
    }
}

fn print_hunk(
    diff: &LineDiff<'_>,
    edits: &[Edit],
    context: usize,
    heading: &mut Heading,
    out: &mut Vec<u8>,
) {
    let (first, last) = (&edits[0], &edits[edits.len() - 1]);
    let before = context.min(first.old.start);
    let after = context.min(diff.old.len() - last.old.end);
    let old = first.old.start - before..last.old.end + after;
    let new = first.new.start - before..last.new.end + after;
    let name = heading.above(&diff.old, old.start);
    let (from, to) = (span(old.start, old.len()), span(new.start, new.len()));
    out.extend(format!("@@ -{from} +{to} @@").into_bytes());
    if !name.is_empty() {
        out.push(b' ');
        out.extend(name);
    }
    out.push(b'\n');
    let mut at = new.start;
    for edit in edits {
        print_lines(b' ', &diff.new[at..edit.new.start], out);
        print_lines(b'-', &diff.old[edit.old.clone()], out);
        print_lines(b'+', &diff.new[edit.new.clone()], out);
        at = edit.new.end;
    }
    print_lines(b' ', &diff.new[at..new.end], out);
}

fn print_lines(sign: u8, lines: &[&[u8]], out: &mut Vec<u8>) {
    for line in lines {
        out.push(sign);
        out.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            out.extend_from_slice(b"\n\\ No newline at end of file\n");
        }
    }
}

/// A start and a length; an empty span stands after the line it names.
fn span(start: usize, len: usize) -> String {
    match len {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        _ => format!("{},{len}", start + 1),
    }
}

/// The line after the `@@`: the last one above the hunk that begins like a name.
#[derive(Default)]
struct Heading {
    text: Vec<u8>,
    searched: usize,
}

impl Heading {
    fn above(&mut self, lines: &[&[u8]], line: usize) -> &[u8] {
        let names = |line: &&&[u8]| {
            line.first().is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, b'_' | b'$'))
        };
        if let Some(found) = lines[self.searched.min(line)..line].iter().rev().find(names) {
            let cut = &found[..found.len().min(80)];
            self.text = cut.trim_ascii_end().to_vec();
        }
        self.searched = line;
        &self.text
    }
}

/// A path as Git prints it: between quotes and escaped when it holds anything unusual.
pub(in crate::git) fn quote_path(prefix: &str, path: &str) -> String {
    let plain = |b: u8| (0x20..0x7f).contains(&b) && !matches!(b, b'"' | b'\\');
    if path.bytes().all(plain) {
        return format!("{prefix}{path}");
    }
    let escape = |byte: u8| match byte {
        b'"' | b'\\' => format!("\\{}", byte as char),
        0x07 => "\\a".into(),
        0x08 => "\\b".into(),
        b'\t' => "\\t".into(),
        b'\n' => "\\n".into(),
        0x0b => "\\v".into(),
        0x0c => "\\f".into(),
        b'\r' => "\\r".into(),
        byte if plain(byte) => (byte as char).into(),
        byte => format!("\\{byte:03o}"),
    };
    let escaped: String = path.bytes().map(escape).collect();
    format!("\"{prefix}{escaped}\"")
}
