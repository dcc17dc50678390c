//! Three-way merges of texts, with Git's conflict markers.

use std::ops::Range;

use super::lines::{Algorithm, Edit, LineDiff, is_binary};

/// What to write at the conflict markers.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'l> {
    /// After `<<<<<<<`.
    pub ours: &'l str,
    /// After `>>>>>>>`.
    pub theirs: &'l str,
    /// How many characters a marker has: seven, more within merges of merge bases.
    pub marker_size: usize,
}

/// What becomes of a change that both sides made differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Favor {
    /// It is a conflict.
    #[default]
    Neither,
    /// Ours wins (`-X ours`).
    Ours,
    /// Theirs wins (`-X theirs`).
    Theirs,
}

/// A merged text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedText {
    /// The text, with markers around each conflict.
    pub content: Vec<u8>,
    /// How many conflicts there are; a binary content in conflict counts one and is ours.
    pub conflicts: usize,
}

impl Default for Labels<'_> {
    fn default() -> Self {
        Labels { ours: "ours", theirs: "theirs", marker_size: 7 }
    }
}

/// Merges what two sides made of a text, as `git merge-file` with Git's usual settings does.
///
/// ```
/// use driftlab::git::{Favor, Labels, merge_text};
/// let merge = |ours: &str, theirs: &str| {
///     let base = "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n";
///     merge_text(base.as_bytes(), ours.as_bytes(), theirs.as_bytes(), Labels::default(), Favor::Neither)
/// };
/// let both = merge("a: 9\nb: 2\nc: 3\nd: 4\ne: 5\n", "a: 1\nb: 2\nc: 3\nd: 4\ne: 6\n");
/// assert_eq!(both.content, b"a: 9\nb: 2\nc: 3\nd: 4\ne: 6\n");
/// assert_eq!(merge("a: 7\n", "a: 8\n").conflicts, 1);
/// ```
pub fn merge_text(
    base: &[u8],
    ours: &[u8],
    theirs: &[u8],
    labels: Labels<'_>,
    favor: Favor,
) -> MergedText {
    if [base, ours, theirs].into_iter().any(is_binary) {
        return merge_binary(ours, theirs, favor);
    }
    let our = LineDiff::new(base, ours, Algorithm::Histogram);
    let their = LineDiff::new(base, theirs, Algorithm::Histogram);
    if our.edits.is_empty() {
        return MergedText { content: theirs.to_vec(), conflicts: 0 };
    }
    if their.edits.is_empty() {
        return MergedText { content: ours.to_vec(), conflicts: 0 };
    }
    let mut regions = regions(&our, &their);
    regions = regions.into_iter().flat_map(|region| refine(&our, &their, region)).collect();
    join_close_conflicts(&mut regions);
    Writer { our: &our, their: &their, labels, favor }.write(&regions)
}

fn merge_binary(ours: &[u8], theirs: &[u8], favor: Favor) -> MergedText {
    let content = if favor == Favor::Theirs { theirs } else { ours };
    MergedText { content: content.to_vec(), conflicts: usize::from(favor == Favor::Neither) }
}

/// Lines that at least one side changed, in both results.
#[derive(Clone, Debug)]
struct Region {
    take: Take,
    ours: Range<usize>,
    theirs: Range<usize>,
}

/// Whose lines a region takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    Ours,
    Theirs,
    /// Both sides came to the same.
    Same,
    Conflict,
}

/// Lays the edits of both sides over each other. What they do where they touch is a conflict, unless
/// they do the same.
fn regions(our: &LineDiff<'_>, their: &LineDiff<'_>) -> Vec<Region> {
    let mut regions = Vec::new();
    let (mut ours, mut theirs) = (our.edits.iter().peekable(), their.edits.iter().peekable());
    // How far each side is ahead of the base after the edits it has passed.
    let (mut our_shift, mut their_shift) = (0, 0);
    loop {
        match (ours.peek(), theirs.peek()) {
            (None, None) => return regions,
            (Some(edit), other) if other.is_none_or(|other| edit.old.end < other.old.start) => {
                let untouched = shifted(&edit.old, their_shift);
                append(&mut regions, Take::Ours, edit.new.clone(), untouched);
                our_shift = shift_after(edit);
                ours.next();
            }
            (other, Some(edit)) if other.is_none_or(|other| edit.old.end < other.old.start) => {
                let untouched = shifted(&edit.old, our_shift);
                append(&mut regions, Take::Theirs, untouched, edit.new.clone());
                their_shift = shift_after(edit);
                theirs.next();
            }
            (Some(one), Some(two)) => {
                if !do_the_same(our, one, their, two) {
                    let (a, b) = over_both(one, two);
                    append(&mut regions, Take::Conflict, a, b);
                }
                let (one_end, two_end) = (one.old.end, two.old.end);
                let (one_shift, two_shift) = (shift_after(one), shift_after(two));
                if one_end >= two_end {
                    their_shift = two_shift;
                    theirs.next();
                }
                if two_end >= one_end {
                    our_shift = one_shift;
                    ours.next();
                }
            }
            _ => unreachable!("one of two edits ends first, or they touch"),
        }
    }
}

fn shift_after(edit: &Edit) -> isize {
    edit.new.end as isize - edit.old.end as isize
}

fn shifted(range: &Range<usize>, by: isize) -> Range<usize> {
    let shift = |at: usize| at.saturating_add_signed(by);
    shift(range.start)..shift(range.end)
}

fn do_the_same(our: &LineDiff<'_>, one: &Edit, their: &LineDiff<'_>, two: &Edit) -> bool {
    one.old == two.old && our.new[one.new.clone()] == their.new[two.new.clone()]
}

/// What both sides made of the base lines that either edit touches.
fn over_both(one: &Edit, two: &Edit) -> (Range<usize>, Range<usize>) {
    let start = one.old.start.min(two.old.start);
    let end = one.old.end.max(two.old.end);
    // Where an edit is met again by a later one of the other side, its start is in the region before.
    let over = |edit: &Edit| {
        let before = edit.old.start - start;
        edit.new.start.saturating_sub(before)..edit.new.end + (end - edit.old.end)
    };
    (over(one), over(two))
}

/// Adds a region; where it touches the last one on either side, both become one, a conflict unless
/// they take the same side.
fn append(regions: &mut Vec<Region>, take: Take, ours: Range<usize>, theirs: Range<usize>) {
    match regions.last_mut() {
        Some(last) if ours.start <= last.ours.end || theirs.start <= last.theirs.end => {
            if last.take != take {
                last.take = Take::Conflict;
            }
            last.ours.end = ours.end;
            last.theirs.end = theirs.end;
        }
        _ => regions.push(Region { take, ours, theirs }),
    }
}

/// Narrows a conflict to the lines in which the sides really differ.
fn refine(our: &LineDiff<'_>, their: &LineDiff<'_>, region: Region) -> Vec<Region> {
    if region.take != Take::Conflict || region.ours.is_empty() || region.theirs.is_empty() {
        return vec![region];
    }
    let (one, two) =
        (our.new[region.ours.clone()].concat(), their.new[region.theirs.clone()].concat());
    let between = LineDiff::new(&one, &two, Algorithm::Histogram);
    if between.edits.is_empty() {
        return vec![Region { take: Take::Same, ..region }];
    }
    let at = |start: usize, range: &Range<usize>| start + range.start..start + range.end;
    let part = |edit: &Edit| Region {
        take: Take::Conflict,
        ours: at(region.ours.start, &edit.old),
        theirs: at(region.theirs.start, &edit.new),
    };
    between.edits.iter().map(part).collect()
}

/// Conflicts with three lines or fewer between them read better as one.
fn join_close_conflicts(regions: &mut Vec<Region>) {
    let close = |a: &Region, b: &Region| {
        (a.take, b.take) == (Take::Conflict, Take::Conflict) && b.ours.start - a.ours.end <= 3
    };
    regions.dedup_by(|next, last| {
        let joined = close(last, next);
        if joined {
            last.ours.end = next.ours.end;
            last.theirs.end = next.theirs.end;
        }
        joined
    });
}

struct Writer<'m, 't> {
    our: &'m LineDiff<'t>,
    their: &'m LineDiff<'t>,
    labels: Labels<'m>,
    favor: Favor,
}

impl Writer<'_, '_> {
    fn write(&self, regions: &[Region]) -> MergedText {
        let mut out = Vec::new();
        let mut conflicts = 0;
        let mut at = 0;
        for region in regions {
            let take = match (region.take, self.favor) {
                (Take::Conflict, Favor::Ours) => Take::Ours,
                (Take::Conflict, Favor::Theirs) => Take::Theirs,
                (take, _) => take,
            };
            match take {
                // The lines are those that follow in our text.
                Take::Same => continue,
                Take::Conflict => {
                    out.extend(self.our.new[at..region.ours.start].concat());
                    self.write_conflict(region, &mut out);
                    conflicts += 1;
                }
                Take::Ours => out.extend(self.our.new[at..region.ours.end].concat()),
                Take::Theirs => {
                    out.extend(self.our.new[at..region.ours.start].concat());
                    out.extend(self.their.new[region.theirs.clone()].concat());
                }
            }
            at = region.ours.end;
        }
        out.extend(self.our.new[at..].concat());
        MergedText { content: out, conflicts }
    }

    fn write_conflict(&self, region: &Region, out: &mut Vec<u8>) {
        let end = if self.ends_in_crlf(region) { "\r\n" } else { "\n" };
        let marker = |sign: &str, label: &str| {
            let space = if label.is_empty() { "" } else { " " };
            format!("{}{space}{label}{end}", sign.repeat(self.labels.marker_size)).into_bytes()
        };
        out.extend(marker("<", self.labels.ours));
        copy_closed(&self.our.new[region.ours.clone()], end, out);
        out.extend(marker("=", ""));
        copy_closed(&self.their.new[region.theirs.clone()], end, out);
        out.extend(marker(">", self.labels.theirs));
    }

    /// The markers end as the lines before them do on both sides, and as the base does.
    fn ends_in_crlf(&self, region: &Region) -> bool {
        let before = |range: &Range<usize>| range.start.saturating_sub(1);
        let sides = [
            ends_in_crlf(&self.our.new, before(&region.ours)),
            ends_in_crlf(&self.their.new, before(&region.theirs)),
            ends_in_crlf(&self.our.old, 0),
        ];
        sides.iter().all(|ending| *ending != Some(false)) && sides[2] == Some(true)
    }
}

/// Copies lines, and ends the last one if it has no end.
fn copy_closed(lines: &[&[u8]], end: &str, out: &mut Vec<u8>) {
    out.extend(lines.concat());
    if lines.last().is_some_and(|last| !last.ends_with(b"\n")) {
        out.extend(end.as_bytes());
    }
}

/// Whether a line ends in CR LF; a last line without an end tells by the line before it, if any.
fn ends_in_crlf(lines: &[&[u8]], line: usize) -> Option<bool> {
    let last = lines.get(line)?;
    match last.ends_with(b"\n") {
        true => Some(last.ends_with(b"\r\n")),
        false => Some(lines.get(line.checked_sub(1)?)?.ends_with(b"\r\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: &str, ours: &str, theirs: &str, merged: &str, conflicts: usize) {
        let (base, ours, theirs) = (base.as_bytes(), ours.as_bytes(), theirs.as_bytes());
        let result = merge_text(base, ours, theirs, Labels::default(), Favor::Neither);
        assert_eq!(String::from_utf8_lossy(&result.content), merged);
        assert_eq!(result.conflicts, conflicts);
    }

    #[test]
    fn changes_apart_are_both_taken() {
        check("1\n2\n3\n4\n5\n", "0\n2\n3\n4\n5\n", "1\n2\n3\n4\n6\n", "0\n2\n3\n4\n6\n", 0);
        check("1\n2\n3\n", "1\n2\n", "0\n1\n2\n3\n", "0\n1\n2\n", 0);
    }

    #[test]
    fn the_same_change_on_both_sides_is_taken_once() {
        check("1\n2\n3\n", "1\nx\n3\n", "1\nx\n3\n", "1\nx\n3\n", 0);
    }

    #[test]
    fn changes_that_touch_are_a_conflict() {
        let marked = "<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\n";
        check("1\n2\n3\n", "1\nx\n3\n", "1\ny\n3\n", &format!("1\n{marked}3\n"), 1);
        check("1\n2\n", "1\nx", "1\ny\n", &format!("1\n{marked}"), 1);
    }

    #[test]
    fn conflicts_are_narrowed_and_close_ones_joined() {
        check(
            "1\n2\n3\n4\n5\n6\n7\n8\n",
            "a\n=\n=\n=\n=\nb\n",
            "c\n=\n=\n=\n=\nd\n",
            "<<<<<<< ours\na\n=======\nc\n>>>>>>> theirs\n=\n=\n=\n=\n<<<<<<< ours\nb\n=======\nd\n>>>>>>> theirs\n",
            2,
        );
        check(
            "1\n2\n3\n4\n5\n",
            "a\n=\nb\n",
            "c\n=\nd\n",
            "<<<<<<< ours\na\n=\nb\n=======\nc\n=\nd\n>>>>>>> theirs\n",
            1,
        );
    }

    #[test]
    fn markers_end_as_the_lines_around_them() {
        check(
            "1\r\n2\r\n",
            "1\r\nx\r\n",
            "1\r\ny\r\n",
            "1\r\n<<<<<<< ours\r\nx\r\n=======\r\ny\r\n>>>>>>> theirs\r\n",
            1,
        );
    }

    #[test]
    fn one_side_can_be_favoured() {
        let merge = |favor| merge_text(b"1\n2\n", b"1\nx\n", b"1\ny\n", Labels::default(), favor);
        assert_eq!(merge(Favor::Ours).content, b"1\nx\n");
        assert_eq!(merge(Favor::Theirs).content, b"1\ny\n");
        let binary = merge_text(b"\0", b"\0x", b"\0y", Labels::default(), Favor::Neither);
        assert_eq!((binary.content.as_slice(), binary.conflicts), (&b"\0x"[..], 1));
    }
}
