//! A run told while it goes on, line by line, as `driftlab run` tells it at its end.

use driftlab::report::{self, Options};
use driftlab::time::{Duration, Timestamp};
use driftlab::trace::{Event, Trace};
use similar::{Algorithm, DiffOp};

use super::print;

/// What happened this long ago is told: by then it is known what belongs together.
const SETTLED: Duration = Duration::from_secs(3);

/// So many events are a page, which is drawn as a whole: then a new one begins.
const PAGE: usize = 2000;

pub(super) struct Teller {
    drawing: Options,
    /// What is too young to be told.
    fresh: Vec<Event>,
    /// The events of the page under way, and its lines that are told.
    page: Trace,
    told: Vec<String>,
}

impl Teller {
    pub(super) fn new(drawing: Options, start: Timestamp) -> Self {
        let drawing = Options { steady: true, ..drawing };
        Teller { drawing, fresh: Vec::new(), page: Trace::starting_at(start), told: Vec::new() }
    }

    /// Prints what is there to be told at a time, of all that has happened.
    pub(super) fn tell(&mut self, news: &Trace, now: Timestamp) {
        let lines = self.lines(news, now);
        if !lines.is_empty() {
            // Who closes the output has seen enough; the cluster goes on.
            let _closed = print(&lines);
        }
    }

    fn lines(&mut self, news: &Trace, now: Timestamp) -> String {
        self.fresh.extend(news.events().cloned());
        let old = self.fresh.partition_point(|event| event.at + SETTLED <= now);
        if old == 0 {
            return String::new();
        }
        if self.page.len() > PAGE {
            (self.page, self.told) = (Trace::starting_at(self.page.start()), Vec::new());
        }
        self.fresh.drain(..old).for_each(|event| self.page.push(event));
        let lines = self.draw();
        let news = added(&self.told, &lines);
        self.told = lines;
        news
    }

    fn draw(&self) -> Vec<String> {
        let text = report::events(&self.page, &self.drawing);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // How many cycles were in sync is known when the next one is not.
        while lines.last().is_some_and(|line| line.contains("… in sync")) {
            lines.pop();
        }
        lines
    }
}

/// The lines that were not there before. One that says more than it did is told anew, and no other with it.
fn added(before: &[String], after: &[String]) -> String {
    let ops = similar::capture_diff_slices(Algorithm::Myers, before, after);
    let news = ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. }));
    let lines = news.flat_map(|op| &after[op.new_range()]);
    lines.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use driftlab::trace::{Role, What};

    fn at(second: u64) -> Timestamp {
        Timestamp::START + Duration::from_secs(second)
    }

    fn note(second: u64, actor: &str) -> Event {
        let what = What::Note { text: format!("said at {second}") };
        let (actor, revision) = (actor.into(), String::new());
        Event { at: at(second), actor, role: Role::World, revision, what }
    }

    #[test]
    fn every_line_is_told_once_when_it_is_settled() {
        let mut teller = Teller::new(Options::default(), Timestamp::START);
        let mut all = String::new();
        for second in [0, 9, 70, 4000, 40_000] {
            let mut news = Trace::starting_at(Timestamp::START);
            news.push(note(second, &format!("somebody-{second}")));
            assert!(!teller.lines(&news, at(second)).contains(&format!("at {second}")));
            let none = Trace::starting_at(Timestamp::START);
            all += &teller.lines(&none, at(second) + SETTLED);
        }
        for second in [0, 9, 70, 4000, 40_000] {
            assert_eq!(all.matches(&format!("said at {second}\n")).count(), 1, "{all}");
        }
    }
}
