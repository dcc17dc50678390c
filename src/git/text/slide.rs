//! Changes that can stand in several places: a run of changed lines whose first line equals the one
//! after it can as well be said to begin a line later. Git slides such runs together where they
//! meet, next to a change of the other text where there is one, and else to where the indentation
//! says that a block begins and ends (M. Haggerty's indent heuristic of 2016).

use super::lines::Side;

/// How far to look for a better place.
const MAX_SLIDE: usize = 100;
const MAX_INDENT: i32 = 200;
const MAX_BLANKS: i32 = 20;

/// A run of changed lines; an empty one stands before an unchanged line.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
}

/// Slides the runs of one text; those of the other stay. Both have the same number of runs, the empty
/// ones counted, since both have the same unchanged lines.
pub(super) fn slide(text: &mut Side<'_, '_>, other: &Side<'_, '_>, indent: bool) {
    let (mut run, mut opposite) = (Run::first(&text.changed), Run::first(&other.changed));
    loop {
        if !run.is_empty() {
            place(text, other, &mut run, &mut opposite, indent);
        }
        if !(run.next(&text.changed) && opposite.next(&other.changed)) {
            return;
        }
    }
}

fn place(
    text: &mut Side<'_, '_>,
    other: &Side<'_, '_>,
    run: &mut Run,
    opposite: &mut Run,
    indent: bool,
) {
    let (earliest_end, meets) = spread(text, other, run, opposite);
    if run.end == earliest_end {
        return;
    }
    if meets {
        while opposite.is_empty() {
            up(text, other, run, opposite);
        }
    } else if indent {
        let end = best_end(text, *run, earliest_end);
        while run.end > end {
            up(text, other, run, opposite);
        }
    }
}

/// Slides a run all the way up and all the way down, until it takes in no more neighbours. Leaves it
/// at its lowest; says where its highest place ends, and whether it can stand beside a change of the
/// other text.
fn spread(
    text: &mut Side<'_, '_>,
    other: &Side<'_, '_>,
    run: &mut Run,
    opposite: &mut Run,
) -> (usize, bool) {
    loop {
        let len = run.len();
        while up(text, other, run, opposite) {}
        let earliest_end = run.end;
        let mut meets = !opposite.is_empty();
        while run.slide_down(text) {
            opposite.next(&other.changed);
            meets |= !opposite.is_empty();
        }
        if run.len() == len {
            return (earliest_end, meets);
        }
    }
}

fn up(text: &mut Side<'_, '_>, other: &Side<'_, '_>, run: &mut Run, opposite: &mut Run) -> bool {
    let slid = run.slide_up(text);
    if slid {
        opposite.previous(&other.changed);
    }
    slid
}

impl Run {
    fn first(changed: &[bool]) -> Run {
        let mut run = Run { start: 0, end: 0 };
        run.grow_down(changed);
        run
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    fn grow_down(&mut self, changed: &[bool]) {
        while changed.get(self.end) == Some(&true) {
            self.end += 1;
        }
    }

    fn grow_up(&mut self, changed: &[bool]) {
        while self.start > 0 && changed[self.start - 1] {
            self.start -= 1;
        }
    }

    fn next(&mut self, changed: &[bool]) -> bool {
        if self.end >= changed.len() {
            return false;
        }
        *self = Run { start: self.end + 1, end: self.end + 1 };
        self.grow_down(changed);
        true
    }

    fn previous(&mut self, changed: &[bool]) {
        debug_assert!(self.start > 0, "both texts have as many runs");
        let end = self.start.saturating_sub(1);
        *self = Run { start: end, end };
        self.grow_up(changed);
    }

    fn slide_down(&mut self, text: &mut Side<'_, '_>) -> bool {
        let slides =
            self.end < text.symbols.len() && text.symbols[self.start] == text.symbols[self.end];
        if slides {
            text.changed[self.start] = false;
            text.changed[self.end] = true;
            *self = Run { start: self.start + 1, end: self.end + 1 };
            self.grow_down(&text.changed);
        }
        slides
    }

    fn slide_up(&mut self, text: &mut Side<'_, '_>) -> bool {
        let slides = self.start > 0 && text.symbols[self.start - 1] == text.symbols[self.end - 1];
        if slides {
            text.changed[self.start - 1] = true;
            text.changed[self.end - 1] = false;
            *self = Run { start: self.start - 1, end: self.end - 1 };
            self.grow_up(&text.changed);
        }
        slides
    }
}

/// The end that makes both edges of a run the least ugly; of equals, the lowest.
fn best_end(text: &Side<'_, '_>, run: Run, earliest_end: usize) -> usize {
    let lowest = run.end.saturating_sub(run.len() + 1).max(run.end.saturating_sub(MAX_SLIDE));
    let ends = lowest.max(earliest_end)..=run.end;
    let score = |end: usize| Score::of(text, end).plus(Score::of(text, end - run.len()));
    ends.map(|end| (end, score(end)))
        .reduce(|best, next| if next.1.is_better_or_equal(&best.1) { next } else { best })
        .map_or(run.end, |(end, _)| end)
}

/// How ugly it is to split a text before a line.
struct Score {
    indent: i32,
    penalty: i32,
}

/// What is around a place where a text could be split; an indentation of -1 is a blank line or none.
struct Surroundings {
    at_end: bool,
    indent: i32,
    blanks_before: i32,
    indent_before: i32,
    blanks_after: i32,
    indent_after: i32,
}

impl Score {
    fn of(text: &Side<'_, '_>, line: usize) -> Score {
        let around = Surroundings::of(text.lines, line);
        let indent = if around.indent == -1 { around.indent_after } else { around.indent };
        Score { indent, penalty: around.edge_penalty() + around.indent_penalty(indent) }
    }

    fn plus(self, other: Score) -> Score {
        Score { indent: self.indent + other.indent, penalty: self.penalty + other.penalty }
    }

    fn is_better_or_equal(&self, other: &Score) -> bool {
        60 * (self.indent - other.indent).signum() + self.penalty - other.penalty <= 0
    }
}

impl Surroundings {
    fn of(lines: &[&[u8]], line: usize) -> Self {
        let (before, after) = (&lines[..line], lines.get(line + 1..).unwrap_or_default());
        let (blanks_before, indent_before) = nearest(before.iter().rev());
        let (blanks_after, indent_after) = nearest(after.iter());
        Surroundings {
            at_end: line >= lines.len(),
            indent: lines.get(line).map_or(-1, |line| indent_of(line)),
            blanks_before,
            indent_before,
            blanks_after,
            indent_after,
        }
    }

    fn blanks_following(&self) -> i32 {
        if self.indent == -1 { 1 + self.blanks_after } else { 0 }
    }

    fn blanks(&self) -> i32 {
        self.blanks_before + self.blanks_following()
    }

    fn edge_penalty(&self) -> i32 {
        let at_start = self.indent_before == -1 && self.blanks_before == 0;
        i32::from(at_start) + 21 * i32::from(self.at_end) - 30 * self.blanks()
            + 6 * self.blanks_following()
    }

    fn indent_penalty(&self, indent: i32) -> i32 {
        let (with_blanks, without) = match indent.cmp(&self.indent_before) {
            _ if indent == -1 || self.indent_before == -1 => (0, 0),
            std::cmp::Ordering::Equal => (0, 0),
            std::cmp::Ordering::Greater => (10, -4),
            // A block seems to begin here, or one seems to have ended.
            std::cmp::Ordering::Less if self.indent_after > indent => (17, 24),
            std::cmp::Ordering::Less => (17, 23),
        };
        if self.blanks() != 0 { with_blanks } else { without }
    }
}

/// How many blank lines come first, and the indentation of the line after them; -1 where none is.
fn nearest<'l>(lines: impl Iterator<Item = &'l &'l [u8]>) -> (i32, i32) {
    let mut blanks = 0;
    for line in lines {
        match indent_of(line) {
            -1 => blanks += 1,
            indent => return (blanks, indent),
        }
        if blanks == MAX_BLANKS {
            return (blanks, 0);
        }
    }
    (blanks, -1)
}

/// The columns before the first visible character, a tab going to the next multiple of eight; -1 for
/// a blank line.
fn indent_of(line: &[u8]) -> i32 {
    let mut columns = 0;
    for byte in line {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns += 8 - columns % 8,
            b'\n' | b'\r' | 0x0b | 0x0c => {}
            _ => return columns,
        }
        if columns >= MAX_INDENT {
            return MAX_INDENT;
        }
    }
    -1
}
