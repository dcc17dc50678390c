//! Items to rows: what stands on the rail, who, and the sentence.

use std::collections::BTreeMap;

use super::drift::{Drift, Ending, drifts};
use super::fold::{Item, Quiet, fold};
use super::layout::clock;
use super::paint::{Mark, Options, Span, Tone};
use super::words::{self, Names};
use crate::time::{Duration, Timestamp};
use crate::trace::{Event, Lane, Role, Trace, What};

/// One line of a timeline, and what hangs below it. Without an actor it takes the actor's column too.
pub(super) struct Row {
    /// Since the run began.
    pub(super) at: Duration,
    pub(super) rail: Rail,
    pub(super) actor: String,
    /// The sentence; may be empty when there is output.
    pub(super) text: Vec<Span>,
    /// More sentences, below it.
    pub(super) below: Vec<Vec<Span>>,
    /// Lines that may not be wrapped.
    pub(super) output: Vec<Span>,
}

/// What stands on the rails of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rail {
    /// A mark on one lane.
    On(Lane, Mark),
    /// A band across all lanes.
    Band,
    /// Nothing.
    Bare,
}

/// The rows of a run.
pub(super) fn rows(trace: &Trace, options: &Options) -> Vec<Row> {
    let writer = Writer::of(trace);
    fold(trace, options.everything).iter().map(|item| writer.row(item)).collect()
}

struct Writer {
    start: Timestamp,
    names: Names,
    drifts: Vec<Drift>,
    /// The drifts that each event began, or ended.
    began: BTreeMap<usize, Vec<usize>>,
    healed: BTreeMap<usize, Vec<usize>>,
}

impl Writer {
    fn of(trace: &Trace) -> Self {
        let drifts = drifts(trace);
        let (mut began, mut healed) = (BTreeMap::new(), BTreeMap::new());
        for (i, drift) in drifts.iter().enumerate() {
            began.entry(drift.event).or_insert_with(Vec::new).push(i);
            if let Ending::Healed { event, .. } = drift.ending {
                healed.entry(event).or_insert_with(Vec::new).push(i);
            }
        }
        Writer {
            start: trace.start(),
            names: Names::of(trace.events().map(|event| &event.what)),
            drifts,
            began,
            healed,
        }
    }

    fn row(&self, item: &Item<'_>) -> Row {
        match item {
            Item::One(position, event) => self.event(*position, event),
            Item::Alike(event, count) => self.alike(event, *count),
            Item::AtLast(position, event, failed) => self.at_last(*position, event, *failed),
            Item::Quiet(quiet) => self.quiet(quiet),
        }
    }

    fn at_last(&self, position: usize, event: &Event, failed: usize) -> Row {
        let mut row = self.event(position, event);
        if failed > 0 {
            let attempts = if failed == 1 { "attempt" } else { "attempts" };
            row.text.push(Span::faint(format!(" (after {failed} failed {attempts})")));
        }
        row
    }

    fn event(&self, position: usize, event: &Event) -> Row {
        let mut text = self.sentence(event);
        let mark = self.mark(position, event);
        if self.began.contains_key(&position) {
            text.push(Span::new(Tone::Bad, "  ← drift"));
        }
        let mut row = self.bare(event, rail_of(event, mark), text);
        row.below = self.moral(position);
        row.below.extend(difference(&event.what));
        row.output = output(&event.what);
        row
    }

    fn alike(&self, event: &Event, count: usize) -> Row {
        let mut row = match &event.what {
            What::Workload { object, state, message } if count > 1 => {
                let text = workload(&words::family(object), state, message);
                self.bare(event, Rail::On(Lane::Workloads, mark_of_state(state)), text)
            }
            What::Request { object, verb, code, .. } if count > 1 => {
                let text = words::write(&words::family(object), verb, "", *code, &[]);
                self.bare(event, rail_of(event, Mark::Event), text)
            }
            _ => self.event(usize::MAX, event),
        };
        if count > 1 {
            row.text.insert(1, Span::new(Tone::Strong, format!("×{count} ")));
        }
        row
    }

    fn quiet(&self, quiet: &Quiet) -> Row {
        let cycles = if quiet.cycles == 1 { "cycle" } else { "cycles" };
        let span = quiet.ended.since(quiet.began);
        let over = if span.as_secs() == 0 { String::new() } else { format!(" in {}", clock(span)) };
        Row {
            at: quiet.began.since(self.start),
            rail: Rail::On(Lane::Controller, Mark::Quiet),
            actor: quiet.actor.clone(),
            text: vec![Span::faint(format!(
                "… in sync, {} {cycles}{over}, 0 writes",
                quiet.cycles
            ))],
            below: Vec::new(),
            output: Vec::new(),
        }
    }

    fn bare(&self, event: &Event, rail: Rail, text: Vec<Span>) -> Row {
        let wide = matches!(
            event.what,
            What::Fault { .. }
                | What::Expectation { .. }
                | What::Note { .. }
                | What::Answered { .. }
        );
        let actor = if wide { String::new() } else { event.actor.clone() };
        let at = event.at.since(self.start);
        Row { at, rail, actor, text, below: Vec::new(), output: Vec::new() }
    }

    fn mark(&self, position: usize, event: &Event) -> Mark {
        if self.began.contains_key(&position) {
            return Mark::Drift;
        }
        if self.healed.contains_key(&position) {
            return Mark::Heal;
        }
        mark_of(&event.what)
    }

    /// What a write means: that something is healed.
    fn moral(&self, position: usize) -> Vec<Vec<Span>> {
        let Some(healed) = self.healed.get(&position) else { return Vec::new() };
        let drift = &self.drifts[healed[0]];
        let after = clock(drift.lasted(drift.began));
        let what = match healed.len() {
            1 => format!(": {}", words::chain(drift)),
            n => format!(", {n} fields"),
        };
        vec![vec![Span::new(Tone::Good, format!("↑ healed in {after}{what}"))]]
    }

    fn sentence(&self, event: &Event) -> Vec<Span> {
        match &event.what {
            What::Typed { line } => vec![Span::new(Tone::Strong, format!("$ {line}"))],
            What::Answered { .. } => Vec::new(),
            What::RefMoved { repository, reference, from, to, subject, forced } => {
                words::ref_moved(repository, reference, (from, to), subject, *forced)
            }
            What::Pipeline { place, stage, ok, message } => pipeline(place, stage, *ok, message),
            What::Fetched { url, revision, error } => fetched(url, revision, error),
            What::Started { target } => {
                vec![Span::faint(format!("{} started", self.names.short(target)))]
            }
            What::Phase { target, phase } => vec![Span::faint(format!(
                "{} {}",
                self.names.short(target),
                format!("{phase:?}").to_lowercase()
            ))],
            What::Finished { target, changes, message, failed, .. } => words::finished(
                &self.names.short(target),
                &event.revision,
                changes,
                message,
                *failed,
            ),
            What::Request { .. } => self.request(event.role, &event.what),
            What::Workload { object, state, message } => {
                workload(&self.names.short(object), state, message)
            }
            What::Fault { name, message } => fault(name, message),
            What::Expectation { text, holds, .. } => expectation(text, *holds),
            What::Note { text } => vec![Span::faint(format!("# {text}"))],
        }
    }

    fn request(&self, role: Role, what: &What) -> Vec<Span> {
        let What::Request { verb, object, subresource, dry_run, code, error, changed, .. } = what
        else {
            return Vec::new();
        };
        let name = self.names.short(object);
        if (200..300).contains(code)
            && !dry_run
            && !matches!(verb.as_str(), "get" | "list" | "watch")
        {
            if role != Role::ControlPlane {
                return words::write(&name, verb, subresource, *code, changed);
            }
            let scaled = words::controlled(&name, changed);
            return scaled.unwrap_or_else(|| words::write(&name, verb, "", *code, &[]));
        }
        let dry = if *dry_run { " (dry run)" } else { "" };
        let answer = match code {
            0 => format!("no answer: {error}"),
            200..300 => format!("{code}"),
            _ => format!("{code} {error}"),
        };
        vec![Span::plain(format!("{verb} {name}{dry}: {answer}"))]
    }
}

fn rail_of(event: &Event, mark: Mark) -> Rail {
    match (&event.what, event.lane()) {
        (What::Fault { .. }, _) => Rail::Band,
        (What::Answered { exit: 0, .. }, _) | (_, None) => Rail::Bare,
        (_, Some(lane)) => Rail::On(lane, mark),
    }
}

/// Lines to show as they are.
fn output(what: &What) -> Vec<Span> {
    const MOST: usize = 20;
    let (text, tone) = match what {
        What::Answered { output, exit: 0, .. } => (output, Tone::Faint),
        What::Answered { output, .. } => (output, Tone::Bad),
        _ => return Vec::new(),
    };
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let shown = lines.iter().take(MOST).map(|line| Span::new(tone, format!("  {line}")));
    let more = lines.len().saturating_sub(MOST);
    shown.chain((more > 0).then(|| Span::faint(format!("  … {more} more lines")))).collect()
}

/// What was found instead of what had to be.
fn difference(what: &What) -> Vec<Vec<Span>> {
    let What::Expectation { holds: false, difference, .. } = what else { return Vec::new() };
    difference.lines().map(|line| vec![Span::new(Tone::Bad, format!("  {line}"))]).collect()
}

fn mark_of(what: &What) -> Mark {
    match what {
        What::Answered { exit, .. } if *exit != 0 => Mark::Failed,
        What::Finished { failed: true, message, .. } if words::is_waiting(message) => Mark::Quiet,
        What::Pipeline { ok: false, .. } | What::Finished { failed: true, .. } => Mark::Failed,
        What::Fetched { error, .. } if !error.is_empty() => Mark::Failed,
        What::Request { code, .. } if *code == 0 || *code >= 400 => Mark::Failed,
        What::Request { dry_run: true, .. } | What::Started { .. } | What::Phase { .. } => {
            Mark::Quiet
        }
        What::Request { verb, .. } if matches!(verb.as_str(), "get" | "list" | "watch") => {
            Mark::Quiet
        }
        What::Workload { state, .. } => mark_of_state(state),
        _ => Mark::Event,
    }
}

/// Whether a state is one that a person would be called for.
fn mark_of_state(state: &str) -> Mark {
    const WELL: [&str; 13] = [
        "Gone",
        "Pending",
        "ContainerCreating",
        "Running",
        "Ready",
        "Succeeded",
        "Completed",
        "Terminating",
        "Terminated",
        "Deleted",
        "Scheduled",
        "Available",
        "Progressing",
    ];
    if WELL.contains(&state) { Mark::Event } else { Mark::Failed }
}

fn workload(name: &str, state: &str, message: &str) -> Vec<Span> {
    let tone = if mark_of_state(state) == Mark::Failed { Tone::Bad } else { Tone::Plain };
    let word = if state == "Gone" { "gone" } else { state };
    let mut spans = vec![Span::plain(format!("{name} ")), Span::new(tone, word)];
    if !message.is_empty() && message != state && tone == Tone::Bad {
        let first = message.split(": ").next().unwrap_or(message);
        spans.push(Span::faint(format!(": {first}")));
    }
    spans
}

fn fetched(url: &str, revision: &str, error: &str) -> Vec<Span> {
    let place = words::repository_of(url);
    if !error.is_empty() {
        return vec![
            Span::plain(format!("fetch of {place} ")),
            Span::new(Tone::Bad, "failed"),
            Span::plain(format!(": {error}")),
        ];
    }
    vec![
        Span::plain(format!("fetched {place} ")),
        Span::new(Tone::Hash, words::short_revision(revision)),
    ]
}

/// `outage: gitDown begins`; a fault without a name of its own is called by what it does.
fn fault(name: &str, message: &str) -> Vec<Span> {
    let name = (!message.starts_with(name)).then(|| Span::new(Tone::Bad, format!("{name}: ")));
    name.into_iter().chain([Span::new(Tone::Fault, message)]).collect()
}

fn pipeline(place: &str, stage: &str, ok: bool, message: &str) -> Vec<Span> {
    let mut spans = vec![Span::plain(format!("{place} {stage}"))];
    if !ok {
        spans.push(Span::new(Tone::Bad, " failed"));
    }
    if !message.is_empty() {
        spans.push(Span::plain(format!(": {}", words::short_ids(message))));
    }
    spans
}

fn expectation(text: &str, holds: bool) -> Vec<Span> {
    let verdict =
        if holds { Span::new(Tone::Good, "holds  ") } else { Span::new(Tone::Bad, "FAILED ") };
    vec![verdict, Span::plain(text)]
}
