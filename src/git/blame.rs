//! Who wrote which line: git-blame(1).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::rename::{RenameOptions, find_renames};
use super::text::common_lines;
use super::{Blob, Entry, GitError, Mode, ObjectId, Repository, diff};

/// Where a line comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlameLine {
    /// The commit that wrote it.
    pub commit: ObjectId,
    /// The path of the file in that commit; another than now if the file moved.
    pub path: String,
    /// The number of the line in that file, from 1.
    pub line: usize,
}

impl Repository {
    /// For each line of a file at a revision, the commit that last touched it, through merges and
    /// through renames of the whole file, as `git blame` finds it.
    ///
    /// # Errors
    ///
    /// When the revision names no commit or has no such file.
    ///
    /// ```
    /// # use driftlab::git::{Repository, Signature, Worktree};
    /// # let ada = Signature::new("Ada", "a@x", driftlab::time::Timestamp::from_secs(1));
    /// let mut worktree = Worktree::new(Repository::new());
    /// worktree.write("hello.yaml", "kind: Deployment\nreplicas: 3\n")?;
    /// let first = worktree.commit_all("Run three", ada.clone())?;
    /// worktree.write("hello.yaml", "kind: Deployment\nreplicas: 5\n")?;
    /// let second = worktree.commit_all("Run five", ada)?;
    /// let lines = worktree.repository().blame("HEAD", "hello.yaml")?;
    /// assert_eq!((lines[0].commit, lines[1].commit), (first, second));
    /// # Ok::<(), driftlab::git::GitError>(())
    /// ```
    pub fn blame(&self, rev: &str, path: &str) -> Result<Vec<BlameLine>, GitError> {
        let (commit, lines) = self.lines_of(rev, path)?;
        Ok(self.blame_span(commit, path, Span { line: 0, at: 0, len: lines }))
    }

    /// The same for one line, its number counted from 1.
    ///
    /// # Errors
    ///
    /// As [`Repository::blame`], and when the file has no such line.
    pub fn blame_line(&self, rev: &str, path: &str, line: usize) -> Result<BlameLine, GitError> {
        let (commit, lines) = self.lines_of(rev, path)?;
        let none = || GitError::NoSuchLine { path: path.into(), line, lines };
        let at = line.checked_sub(1).filter(|at| *at < lines).ok_or_else(none)?;
        self.blame_span(commit, path, Span { line: 0, at, len: 1 }).pop().ok_or_else(none)
    }

    /// The commit that a revision names, and how many lines its file has.
    fn lines_of(&self, rev: &str, path: &str) -> Result<(ObjectId, usize), GitError> {
        let commit = self.resolve_commit(rev)?;
        let missing = || GitError::NoSuchPath { rev: rev.into(), path: path.into() };
        let blob = self.file_of(commit, path).ok_or_else(missing)?;
        Ok((commit, blob.as_bytes().split_inclusive(|byte| *byte == b'\n').count()))
    }

    fn blame_span(&self, commit: ObjectId, path: &str, span: Span) -> Vec<BlameLine> {
        let mut blame = Blame { repository: self, suspects: BTreeMap::new(), found: Vec::new() };
        blame.suspect(commit, path, vec![span]);
        while let Some(((_, commit, path), spans)) = blame.suspects.pop_first() {
            blame.pass_on(commit, &path, spans);
        }
        blame.found.sort_by_key(|(line, _)| *line);
        blame.found.into_iter().map(|(_, origin)| origin).collect()
    }

    fn file_of(&self, commit: ObjectId, path: &str) -> Option<Blob> {
        self.objects.commit(commit)?.tree.file(path)
    }

    /// The path that a file had in a parent, if it was there: under its own name, a file of the same
    /// type; with `moved`, a file that went away when this one came.
    fn path_before(
        &self,
        commit: ObjectId,
        parent: ObjectId,
        path: &str,
        moved: bool,
    ) -> Option<String> {
        let (new, old) = (&self.objects.commit(commit)?.tree, &self.objects.commit(parent)?.tree);
        if moved {
            let options = RenameOptions {
                only_to: Some(path),
                version: self.config.version,
                ..RenameOptions::default()
            };
            return find_renames(&diff(old, new), options).remove(path);
        }
        let is_link = |entry: &Entry| matches!(entry, Entry::File(Mode::Symlink, _));
        let (now, before) = (new.get(path)?, old.get(path)?);
        let same_type = matches!(before, Entry::File(..)) && is_link(&now) == is_link(&before);
        same_type.then(|| path.to_owned())
    }
}

/// Lines whose origin is sought: where they stand in the result and in the file looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    line: usize,
    at: usize,
    len: usize,
}

/// The latest commit first.
type Suspect = (Reverse<u64>, ObjectId, String);

struct Blame<'r> {
    repository: &'r Repository,
    suspects: BTreeMap<Suspect, Vec<Span>>,
    found: Vec<(usize, BlameLine)>,
}

impl Blame<'_> {
    fn suspect(&mut self, commit: ObjectId, path: &str, spans: Vec<Span>) {
        let date = Reverse(self.repository.date(commit));
        self.suspects.entry((date, commit, path.into())).or_default().extend(spans);
    }

    /// Gives each parent the lines that it has too; what is left, this commit wrote.
    fn pass_on(&mut self, commit: ObjectId, path: &str, mut spans: Vec<Span>) {
        let Some(blob) = self.repository.file_of(commit, path) else { return };
        let parents = self.repository.parents(commit).to_vec();
        let mut before: Vec<Option<(String, Blob)>> = vec![None; parents.len()];
        for moved in [false, true] {
            for (at, parent) in parents
                .iter()
                .enumerate()
                .filter(|(at, _)| before[*at].is_none())
                .collect::<Vec<_>>()
            {
                let Some(found) = self.file_before(commit, *parent, path, moved) else { continue };
                if found.1 == blob {
                    return self.suspect(*parent, &found.0, spans);
                }
                if !before.iter().flatten().any(|(_, other)| *other == found.1) {
                    before[at] = Some(found);
                }
            }
        }
        for (parent, (path, old)) in parents.iter().zip(before).filter_map(|(p, b)| Some((p, b?))) {
            let (theirs, rest) =
                split_spans(&spans, &common_lines(old.as_bytes(), blob.as_bytes()));
            self.suspect(*parent, &path, theirs);
            spans = rest;
        }
        self.settle(commit, path, &spans);
    }

    fn file_before(
        &self,
        commit: ObjectId,
        parent: ObjectId,
        path: &str,
        moved: bool,
    ) -> Option<(String, Blob)> {
        let path = self.repository.path_before(commit, parent, path, moved)?;
        let blob = self.repository.file_of(parent, &path)?;
        Some((path, blob))
    }

    fn settle(&mut self, commit: ObjectId, path: &str, spans: &[Span]) {
        for span in spans {
            for n in 0..span.len {
                let line = BlameLine { commit, path: path.into(), line: span.at + n + 1 };
                self.found.push((span.line + n, line));
            }
        }
    }
}

/// Splits spans into what lies in the common runs, moved to where it stands in the old text, and what
/// does not.
fn split_spans(spans: &[Span], common: &[(usize, usize, usize)]) -> (Vec<Span>, Vec<Span>) {
    let (mut theirs, mut rest) = (Vec::new(), Vec::new());
    for span in spans {
        let mut done = span.at;
        let end = span.at + span.len;
        let mut keep = |from: usize, to: usize| {
            if from < to {
                rest.push(Span { line: span.line + from - span.at, at: from, len: to - from });
            }
        };
        for (old, new, len) in common {
            let (from, to) = ((*new).max(span.at), (new + len).min(end));
            if from < to {
                keep(done, from);
                let line = span.line + from - span.at;
                theirs.push(Span { line, at: old + from - new, len: to - from });
                done = to;
            }
        }
        keep(done, end);
    }
    (theirs, rest)
}
