//! Rows to lines: rails, columns, wrapping.

use super::paint::{Options, Span, Tone};
use super::rows::{Rail, Row, rows};
use super::summary::Summary;
use crate::time::Duration;
use crate::trace::{Lane, Trace};

const LANES: [(Lane, &str); 4] = [
    (Lane::Git, "Git"),
    (Lane::Controller, "controller"),
    (Lane::Api, "API"),
    (Lane::Workloads, "workloads"),
];
const RAILS_WIDTH: usize = 7;
const GAP: &str = "  ";

/// A run as a timeline for a terminal, and its summary below.
///
/// Each line is one event: when, since the run began; a mark on the rail of its lane; who; what. A
/// filled square marks drift and the write that heals it, a cross a failure, a circle what was
/// folded, a band across all rails a fault.
pub fn timeline(trace: &Trace, options: &Options) -> String {
    let mut text = events(trace, options);
    text.push('\n');
    text.push_str(&Summary::of(trace).text(options));
    text
}

/// The lines of a [`timeline`] alone, without the summary: what a run that goes on has come to.
pub fn events(trace: &Trace, options: &Options) -> String {
    let rows = rows(trace, options);
    let columns = Columns::fitting(&rows, options);
    let mut text = columns.legend();
    let mut before = Before::default();
    for row in &rows {
        columns.draw(row, &before, &mut text);
        before.note(row);
    }
    text
}

/// What the rows above have said: it need not be said again.
#[derive(Default)]
struct Before {
    second: Option<u64>,
    actor: String,
}

impl Before {
    fn note(&mut self, row: &Row) {
        if self.second != Some(row.at.as_secs()) {
            self.actor.clear();
        }
        self.second = Some(row.at.as_secs());
        if !row.actor.is_empty() {
            self.actor.clone_from(&row.actor);
        }
    }
}

/// Where each column stands.
struct Columns<'a> {
    options: &'a Options,
    time: usize,
    actor: usize,
    text: usize,
}

impl<'a> Columns<'a> {
    fn fitting(rows: &[Row], options: &'a Options) -> Self {
        let width = options.width.max(60);
        let (mut time, mut actor) = ("10h00m00s".len(), "replicaset-controller".len());
        if !options.steady {
            time = rows.last().map_or(0, |row| clock(row.at).len()).max(4) + 1;
            actor = rows.iter().map(|row| row.actor.chars().count()).max().unwrap_or(0);
        }
        let actor = actor.clamp(4, (width / 4).min(24));
        let before = time + RAILS_WIDTH + actor + 3 * GAP.len();
        Columns { options, time, actor, text: width - before }
    }

    /// The lanes' names, hung on their rails.
    fn legend(&self) -> String {
        let (corner, rail) = (self.options.pick("┌─ ", ".- "), self.options.pick("│ ", "| "));
        let mut text = String::new();
        for (depth, (lane, name)) in LANES.iter().enumerate() {
            text.push_str(&" ".repeat(self.time + GAP.len()));
            for (above, _) in &LANES[..depth] {
                text.push_str(&self.options.paint(Tone::Lane(*above), rail));
            }
            text.push_str(&self.options.paint(Tone::Lane(*lane), &format!("{corner}{name}\n")));
        }
        text
    }

    fn draw(&self, row: &Row, before: &Before, out: &mut String) {
        let same_time = before.second == Some(row.at.as_secs());
        let same_actor = same_time && before.actor == row.actor;
        let mut time = if same_time { String::new() } else { clock(row.at) };
        let mut rail = self.rails(row.rail);
        let actor = if same_actor { "" } else { &row.actor };
        for (i, cells) in self.lines(row, actor).iter().enumerate() {
            if i == 1 {
                (time, rail) = (String::new(), self.rails(Rail::Bare));
            }
            let time =
                self.options.paint(Tone::Faint, &format!("{time:>width$}", width = self.time));
            let line = format!("{time}{GAP}{rail}{GAP}{cells}");
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }

    /// What stands right of the rails, line by line.
    fn lines(&self, row: &Row, actor: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let sentences = std::iter::once(&row.text).chain(&row.below);
        if row.actor.is_empty() {
            let width = self.actor + GAP.len() + self.text;
            let wide = sentences.flat_map(|text| wrap(&self.options.spelled(text), width));
            lines.extend(wide.map(|line| self.paint(&line)));
        } else {
            let actor = self.options.spell(&clip(actor, self.actor));
            let wrapped = sentences.flat_map(|text| wrap(&self.options.spelled(text), self.text));
            for (i, line) in wrapped.enumerate() {
                let actor = if i == 0 { &actor } else { "" };
                let cell = format!("{actor:<width$}{GAP}", width = self.actor);
                lines.push(cell + &self.paint(&line));
            }
        }
        lines.extend(row.output.iter().map(|line| self.output(line)));
        lines
    }

    /// A line of a command's output: as it is, but cut at the margin.
    fn output(&self, span: &Span) -> String {
        let line = clip(span.text.trim_end(), self.actor + GAP.len() + self.text);
        self.options.paint(span.tone, &self.options.spell(&line))
    }

    fn paint(&self, line: &[Span]) -> String {
        line.iter().map(|span| self.options.paint(span.tone, &span.text)).collect()
    }

    fn rails(&self, rail: Rail) -> String {
        if rail == Rail::Band {
            return self.options.paint(Tone::Fault, self.options.pick("╪═╪═╪═╪", "#=#=#=#"));
        }
        let cells: Vec<String> = LANES
            .iter()
            .map(|(lane, _)| match rail {
                Rail::On(here, mark) if here == *lane => self.options.mark(mark, here),
                _ => self.options.paint(Tone::Faint, self.options.pick("│", "|")),
            })
            .collect();
        cells.join(" ")
    }
}

/// Breaks a text into lines at blanks, continued lines indented by two. A no-break space does not break.
pub(super) fn wrap(spans: &[Span], width: usize) -> Vec<Vec<Span>> {
    let mut lines: Vec<Vec<Span>> = Vec::new();
    let mut used = 0;
    for word in words(spans) {
        let wide: usize = word.iter().map(Span::width).sum();
        let blanks =
            word.last().map_or(0, |last| last.width() - last.text.trim_end().chars().count());
        if lines.is_empty() {
            lines.push(Vec::new());
        } else if used + wide - blanks > width && used > 2 {
            trim_end(lines.last_mut());
            lines.push(vec![Span::plain("  ")]);
            used = 2;
        }
        used += wide;
        lines.last_mut().expect("there is one").extend(word);
    }
    trim_end(lines.last_mut());
    lines
}

fn trim_end(line: Option<&mut Vec<Span>>) {
    if let Some(last) = line.and_then(|line| line.last_mut()) {
        last.text.truncate(last.text.trim_end().len());
    }
}

/// The words, each with the blanks behind it. A word may change its tone on the way.
fn words(spans: &[Span]) -> Vec<Vec<Span>> {
    let mut words: Vec<Vec<Span>> = Vec::new();
    let mut is_over = true;
    let parts = spans.iter().flat_map(|span| {
        span.text.split_inclusive(' ').map(|part| (part, Span::new(span.tone, unbroken(part))))
    });
    for (part, span) in parts {
        match words.last_mut().filter(|_| !is_over) {
            Some(word) => word.push(span),
            None => words.push(vec![span]),
        }
        is_over = part.ends_with(' ');
    }
    words
}

/// No-break spaces have done their work.
fn unbroken(part: &str) -> String {
    part.replace('\u{a0}', " ")
}

fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A span since the beginning: `0s`, `2m00s`, `1h02m00s`.
pub(crate) fn clock(since: Duration) -> String {
    let secs = since.as_secs();
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, s) => format!("{h}h{m:02}m{s:02}s"),
    }
}
