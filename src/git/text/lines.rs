//! Texts as lines, and the edits that lead from one to another.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{histogram, myers, slide};

/// How to find what two texts have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::git) enum Algorithm {
    /// The shortest edit script, more or less: what `git diff` takes.
    Myers {
        /// Changes that can stand in several places are slid to where indentation says they belong.
        indent: bool,
    },
    /// Rare lines first: what `git merge` takes.
    Histogram,
}

/// Lines of the old text that give way to lines of the new; one of the two may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::git) struct Edit {
    pub(in crate::git) old: Range<usize>,
    pub(in crate::git) new: Range<usize>,
}

/// Two texts in lines, with the edits between them.
pub(in crate::git) struct LineDiff<'t> {
    pub(in crate::git) old: Vec<&'t [u8]>,
    pub(in crate::git) new: Vec<&'t [u8]>,
    pub(in crate::git) edits: Vec<Edit>,
}

/// One of two texts: a number for each different line, and which lines are not in the other text.
pub(super) struct Side<'s, 't> {
    pub(super) lines: &'s [&'t [u8]],
    pub(super) symbols: Vec<u32>,
    pub(super) changed: Vec<bool>,
}

impl<'t> LineDiff<'t> {
    pub(in crate::git) fn new(old: &'t [u8], new: &'t [u8], algorithm: Algorithm) -> Self {
        let (old, new) = (split(old), split(new));
        let mut numbers = BTreeMap::new();
        let mut one = Side::new(&old, &mut numbers);
        let mut two = Side::new(&new, &mut numbers);
        let indent = algorithm == Algorithm::Myers { indent: true };
        (one.changed, two.changed) = match algorithm {
            Algorithm::Myers { .. } => myers::diff(&one.symbols, &two.symbols),
            Algorithm::Histogram => histogram::diff(&one.symbols, &two.symbols),
        };
        slide::slide(&mut one, &two, indent);
        slide::slide(&mut two, &one, indent);
        let edits = edits(&one.changed, &two.changed);
        LineDiff { old, new, edits }
    }
}

impl<'s, 't> Side<'s, 't> {
    fn new(lines: &'s [&'t [u8]], numbers: &mut BTreeMap<&'t [u8], u32>) -> Self {
        let mut number = |line: &&'t [u8]| {
            let next = numbers.len() as u32;
            *numbers.entry(line).or_insert(next)
        };
        Side { lines, symbols: lines.iter().map(&mut number).collect(), changed: Vec::new() }
    }
}

/// The lines of a text, each with its newline.
pub(super) fn split(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// Whether Git takes a content for binary: a NUL among the first 8,000 bytes.
pub fn is_binary(content: &[u8]) -> bool {
    content[..content.len().min(8000)].contains(&0)
}

/// The runs of lines that both texts have, each with its place in the old, its place in the new, and
/// its length. Equal ends are set aside in blocks first, as Git does where no context is shown.
pub(in crate::git) fn common_lines(old: &[u8], new: &[u8]) -> Vec<(usize, usize, usize)> {
    let tail = equal_tail(old, new);
    let (head, other) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let diff = LineDiff::new(head, other, Algorithm::Myers { indent: true });
    let mut common = Vec::new();
    let mut at = (0, 0);
    for edit in diff.edits {
        common.push((at.0, at.1, edit.new.start - at.1));
        at = (edit.old.end, edit.new.end);
    }
    let tail_lines = split(&new[new.len() - tail..]).len();
    common.push((at.0, at.1, diff.new.len() - at.1 + tail_lines));
    common
}

/// The length of the equal ends in whole blocks, less the line that a block begins within.
fn equal_tail(old: &[u8], new: &[u8]) -> usize {
    const BLOCK: usize = 1024;
    let blocks = old.rchunks_exact(BLOCK).zip(new.rchunks_exact(BLOCK));
    let tail = blocks.take_while(|(old, new)| old == new).count() * BLOCK;
    let first_end = old[old.len() - tail..].iter().position(|byte| *byte == b'\n');
    tail - first_end.map_or(tail, |end| end + 1)
}

/// Pairs up the runs of changed lines.
fn edits(old: &[bool], new: &[bool]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        let (from, to) = (run_end(old, i), run_end(new, j));
        if from > i || to > j {
            edits.push(Edit { old: i..from, new: j..to });
        }
        (i, j) = (from + 1, to + 1);
    }
    edits
}

fn run_end(changed: &[bool], from: usize) -> usize {
    changed
        .iter()
        .skip(from)
        .position(|changed| !changed)
        .map_or(changed.len().max(from), |n| from + n)
}
