//! A run in numbers: who wrote, what drifted, what the loop did.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::drift::{Drift, Ending, drifts};
use super::fold::is_bookkeeping;
use super::layout::{clock, wrap};
use super::paint::{Options, Span, Tone};
use super::words::{chain, is_waiting, short, short_path};
use crate::reconciler::ChangeAction;
use crate::time::Duration;
use crate::trace::{Event, Role, Trace, What};

/// A run in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// How long it took, in virtual time.
    pub lasted: Duration,
    /// What drifted, in order.
    pub drifts: Vec<Drift>,
    /// Writes to the Kubernetes API that changed something, by who made them.
    pub writes: BTreeMap<String, Writes>,
    /// Commits that arrived on a branch: repository, id, subject, who pushed.
    pub commits: Vec<(String, String, String, String)>,
    /// Reconciliations of the GitOps engine that compared something.
    pub cycles: usize,
    /// Those of them that found nothing to do.
    pub quiet: usize,
    /// Those that failed, whether they got to compare or not.
    pub failed: usize,
    /// Expectations: as written, and whether they hold.
    pub expectations: Vec<(String, bool)>,
}

/// Something more to be said below a summary: a line, and what is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    title: &'static str,
    line: String,
    failing: Vec<String>,
}

impl Section {
    /// A section of one line.
    pub fn new(title: &'static str, line: impl Into<String>) -> Self {
        Section { title, line: line.into(), failing: Vec::new() }
    }

    /// With a line for each thing that is not as it should be.
    pub fn failing(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.failing.extend(lines);
        self
    }

    /// As lines below a timeline's summary.
    pub fn text(&self, options: &Options) -> String {
        let mut lines = vec![vec![Span::plain(&self.line)]];
        lines.extend(
            self.failing.iter().map(|line| {
                vec![Span::new(Tone::Bad, options.pick("× ", "x ")), Span::plain(line)]
            }),
        );
        section(self.title, &lines, options)
    }
}

/// Lines with a title beside the first.
fn section(title: &str, lines: &[Vec<Span>], options: &Options) -> String {
    let mut text = String::new();
    let lines =
        lines.iter().flat_map(|line| wrap(&options.spelled(line), options.width.max(60) - 11));
    for (i, line) in lines.enumerate() {
        let title = format!("{:<9}", if i == 0 { title } else { "" });
        let line: String = line.iter().map(|span| options.paint(span.tone, &span.text)).collect();
        let _ = writeln!(text, "  {}{line}", options.paint(Tone::Strong, &title));
    }
    text
}

/// Writes of one actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writes {
    /// What the actor is.
    pub role: Role,
    /// How many, less those to status and other bookkeeping.
    pub count: usize,
    /// How many of them go back to a Git revision.
    pub from_git: usize,
}

impl Summary {
    /// Counts a run.
    pub fn of(trace: &Trace) -> Self {
        let mut summary = Summary { drifts: drifts(trace), ..Summary::default() };
        for event in trace.events() {
            summary.lasted = event.at.since(trace.start());
            summary.count(event);
        }
        summary
    }

    /// Whether every expectation holds.
    pub fn holds(&self) -> bool {
        self.expectations.iter().all(|(_, holds)| *holds)
    }

    /// The summary as lines below a timeline.
    pub fn text(&self, options: &Options) -> String {
        let sections = [
            ("Drift", self.drift_lines()),
            ("Writes", self.write_lines()),
            ("Commits", self.commit_lines()),
            ("Loop", self.loop_lines()),
            ("Expect", self.expectation_lines()),
        ];
        sections.iter().map(|(title, lines)| section(title, lines, options)).collect()
    }

    fn count(&mut self, event: &Event) {
        match &event.what {
            What::Request { .. } => self.count_write(event),
            What::RefMoved { repository, to, subject, .. } if !to.is_empty() => {
                self.commits.push((
                    repository.clone(),
                    to.clone(),
                    subject.clone(),
                    event.actor.clone(),
                ));
            }
            What::Finished { changes, failed, message, .. } if event.role == Role::Engine => {
                let wrote = changes.iter().any(|change| {
                    !matches!(change.action, ChangeAction::Unchanged | ChangeAction::Skipped)
                });
                self.failed += usize::from(*failed && !is_waiting(message));
                self.cycles += usize::from(wrote || !changes.is_empty() && !failed);
                self.quiet += usize::from(!changes.is_empty() && !wrote && !failed);
            }
            What::Expectation { text, holds, .. } => {
                self.expectations.push((text.clone(), *holds));
            }
            _ => {}
        }
    }

    fn count_write(&mut self, event: &Event) {
        if !event.is_stored_write() || is_bookkeeping(event) {
            return;
        }
        let writes = self.writes.entry(event.actor.clone()).or_insert(Writes {
            role: event.role,
            count: 0,
            from_git: 0,
        });
        writes.count += 1;
        writes.from_git += usize::from(!event.revision.is_empty());
    }

    fn drift_lines(&self) -> Vec<Vec<Span>> {
        self.drifts
            .iter()
            .map(|drift| {
                let name = format!("{}/{}", drift.object.kind, drift.object.name);
                let what = format!("{name} {}", short_path(&drift.path));
                let mut line = vec![
                    Span::plain(format!("{}  ", what.trim_end())),
                    Span::new(Tone::Strong, chain(drift)),
                    Span::plain(format!("  {}, ", drift.by)),
                ];
                line.extend(ending(drift));
                line
            })
            .collect()
    }

    fn write_lines(&self) -> Vec<Vec<Span>> {
        let of_cluster = |writes: &&Writes| writes.role == Role::ControlPlane;
        let own: usize = self.writes.values().filter(of_cluster).map(|writes| writes.count).sum();
        let others = self.writes.iter().filter(|(_, writes)| !of_cluster(writes));
        let listed: Vec<String> = others.map(|(who, writes)| writes.line(who)).collect();
        let mut line = vec![Span::plain(listed.join(", "))];
        if own > 0 {
            let comma = if listed.is_empty() { "" } else { ", " };
            line.push(Span::faint(format!("{comma}the cluster's own controllers {own}")));
        }
        if self.writes.is_empty() { Vec::new() } else { vec![line] }
    }

    fn commit_lines(&self) -> Vec<Vec<Span>> {
        let line = |(repository, id, subject, who): &(String, String, String, String)| {
            vec![
                Span::new(Tone::Hash, short(id)),
                Span::plain(format!(" {subject}  ")),
                Span::faint(format!("{repository}, by {who}")),
            ]
        };
        self.commits.iter().map(line).collect()
    }

    fn loop_lines(&self) -> Vec<Vec<Span>> {
        if self.cycles + self.failed == 0 {
            return Vec::new();
        }
        let wrote = self.cycles.saturating_sub(self.quiet);
        let s = if self.cycles == 1 { "" } else { "s" };
        let mut line = format!("{} cycle{s}: {wrote} wrote, {} in sync", self.cycles, self.quiet);
        if self.failed > 0 {
            let _ = write!(line, "; {} failed", self.failed);
        }
        vec![vec![Span::plain(line), Span::faint(format!("  in {}", clock(self.lasted)))]]
    }

    fn expectation_lines(&self) -> Vec<Vec<Span>> {
        if self.expectations.is_empty() {
            return Vec::new();
        }
        let holding = self.expectations.iter().filter(|(_, holds)| *holds).count();
        let tone = if self.holds() { Tone::Good } else { Tone::Bad };
        vec![vec![Span::new(tone, format!("{holding} of {} hold", self.expectations.len()))]]
    }
}

impl Writes {
    /// `alice 1`, `kustomize-controller 3, all from Git`.
    fn line(&self, who: &str) -> String {
        let from_git = match self.from_git {
            0 => String::new(),
            n if n == self.count => " (from Git)".into(),
            n => format!(" ({n} from Git)"),
        };
        format!("{who} {}{from_git}", self.count)
    }
}

fn ending(drift: &Drift) -> Vec<Span> {
    let lasted = clock(drift.lasted(drift.began));
    match &drift.ending {
        Ending::Healed { by, .. } => vec![
            Span::new(Tone::Good, format!("healed in {lasted}")),
            Span::plain(format!(" by {by}")),
        ],
        Ending::Adopted { .. } => vec![Span::plain(format!("taken into Git after {lasted}"))],
        Ending::Open => vec![Span::new(Tone::Bad, "never healed")],
    }
}
