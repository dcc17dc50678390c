//! Expectations under observation.

use super::Verdict;
use super::claim::holds;
use crate::report::clock;
use crate::scenario::prepare::Script;
use crate::sim::World;
use crate::sim::script::{Claim, Count, Expectation, Test, When};
use crate::time::{Duration, Timestamp};

/// An expectation that is not decided yet.
pub(super) struct Watch {
    expectation: Expectation,
    start: Timestamp,
    /// Whether being so once is enough: nobody does anything that could undo it.
    once: bool,
    /// Since when it has been so.
    since: Option<Since>,
    /// From when to when it was so before that.
    before: Option<(Timestamp, Timestamp)>,
    pub(super) verdict: Option<Verdict>,
}

/// Since when something is so.
#[derive(Clone, Copy)]
enum Since {
    /// It was so already when it began to count: nothing brought it about.
    Always,
    Then(Timestamp),
}

impl Watch {
    pub(super) fn all(script: &Script, start: Timestamp) -> Vec<Watch> {
        let watch = |expectation: &Expectation| Watch {
            expectation: expectation.clone(),
            start,
            once: script.ends_early,
            since: None,
            before: None,
            verdict: None,
        };
        script.scenario.expect.iter().map(watch).collect()
    }

    /// When it must be decided at the latest; `None`: at the end.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let span = match self.expectation.when {
            When::End => None,
            When::At(span) | When::By(span) => Some(span),
            When::Always(until) | When::Never(until) => until,
        };
        span.map(|span| self.start + span)
    }

    /// Looks before anything happens that counts, so that what is so already is not taken for done.
    pub(super) fn look_before(&mut self, world: &World, script: &Script) {
        let begins = world.now() == self.from();
        if begins && self.is_by() && self.found(world, script).is_ok() {
            self.since = Some(Since::Always);
        }
    }

    /// Looks after something happened: it may be decided already.
    ///
    /// `begun` is when the last step was begun: what counts from a step on counts after it.
    pub(super) fn look(&mut self, world: &World, script: &Script, begun: Timestamp) {
        if world.now() < self.from() || world.now() == self.from() && begun < self.from() {
            return;
        }
        match self.expectation.when {
            When::By(_) => {
                let found = self.found(world, script);
                self.note(found.is_ok(), world.now());
                if self.once && found.is_ok() {
                    self.pass();
                }
            }
            When::Always(_) => {
                if let Err(difference) = self.found(world, script) {
                    self.fail(format!("{difference}\nat {}", self.moment(world)));
                }
            }
            When::Never(_) => {
                if self.found(world, script).is_ok() {
                    self.fail(format!("it was so at {}", self.moment(world)));
                }
            }
            When::End | When::At(_) => {}
        }
    }

    /// Notes since when it has been so.
    fn note(&mut self, is_so: bool, now: Timestamp) {
        match (is_so, self.since) {
            (true, None) => self.since = Some(Since::Then(now)),
            (false, Some(since)) => {
                let since = match since {
                    Since::Always => self.from(),
                    Since::Then(since) => since,
                };
                self.before = Some((since, now));
                self.since = None;
            }
            _ => {}
        }
    }

    /// Decides what had to be so by now, before anything else happens now.
    pub(super) fn decide_if_over(&mut self, world: &World, script: &Script) {
        if self.is_by() {
            self.decide_if_due(world, script);
        }
    }

    fn is_by(&self) -> bool {
        matches!(self.expectation.when, When::By(_))
    }

    /// Decides if the time has come.
    pub(super) fn decide_if_due(&mut self, world: &World, script: &Script) {
        if self.due().is_some_and(|due| world.now() >= due) {
            self.decide(world, script);
        }
    }

    /// Decides by how things are now.
    pub(super) fn decide(&mut self, world: &World, script: &Script) {
        if self.verdict.is_some() {
            return;
        }
        let found = self.found(world, script);
        match (self.expectation.when, found) {
            (When::Never(_), Ok(())) => self.fail(format!("it is so at {}", self.moment(world))),
            (When::Never(_), Err(_)) | (_, Ok(())) => self.pass(),
            (_, Err(difference)) => self.fail(difference + &self.no_more()),
        }
    }

    /// When it was so, if it was and is no more.
    fn no_more(&self) -> String {
        let clock = |at: Timestamp| clock(at.since(self.start));
        let told = |(from, to)| format!("\nit was so from {} to {}", clock(from), clock(to));
        self.before.filter(|(from, to)| from < to).map(told).unwrap_or_default()
    }

    fn found(&self, world: &World, script: &Script) -> Result<(), String> {
        holds(&self.expectation.claim, self.from(), world, script)
    }

    pub(super) fn from(&self) -> Timestamp {
        self.start + self.expectation.from.unwrap_or(Duration::ZERO)
    }

    fn moment(&self, world: &World) -> String {
        format!("+{}", clock(world.now().since(self.start)))
    }

    fn pass(&mut self) {
        let since = match self.since {
            Some(Since::Always) => ", all along".to_owned(),
            Some(Since::Then(at)) if !self.once => {
                format!(", since {}", clock(at.since(self.start)))
            }
            _ => String::new(),
        };
        let text = describe(&self.expectation) + &since;
        self.verdict = Some(Verdict { text, holds: true, difference: String::new() });
    }

    fn fail(&mut self, difference: String) {
        let text = describe(&self.expectation);
        self.verdict = Some(Verdict { text, holds: false, difference });
    }
}

/// An expectation in words.
fn describe(expectation: &Expectation) -> String {
    let claim = claim(&expectation.claim);
    let from = match expectation.from {
        Some(from) if !from.is_zero() => format!(" from {}", clock(from)),
        _ => String::new(),
    };
    let until = |until: Option<Duration>| {
        until.map(|span| format!(" until {}", clock(span))).unwrap_or_default()
    };
    match expectation.when {
        When::End => format!("{claim} at the end"),
        When::At(time) => format!("{claim} at {}", clock(time)),
        When::By(time) => format!("{claim} by {}", clock(time)),
        When::Always(time) => format!("always: {claim}{from}{}", until(time)),
        When::Never(time) => format!("never: {claim}{from}{}", until(time)),
    }
}

fn claim(claim: &Claim) -> String {
    let about = |of: &str| if of.is_empty() { String::new() } else { format!(" to {of}") };
    match claim {
        Claim::Field { of, field, test } => format!("{of}: {field} {}", self::test(test)),
        Claim::Object { of, exists: true } => format!("{of} exists"),
        Claim::Object { of, exists: false } => format!("{of} does not exist"),
        Claim::Converged => "converged".into(),
        Claim::Writes { count, actor, of } => {
            let by = if actor.is_empty() { String::new() } else { format!(" by {actor}") };
            format!("{}{by}{}", numbered(*count, "write"), about(of))
        }
        Claim::Writers { are, of } if are.is_empty() => format!("nobody writes{}", about(of)),
        Claim::Writers { are, of } => format!("only {} write{}", are.join(", "), about(of)),
        Claim::Commits { count, repository } => {
            let place =
                if repository.is_empty() { String::new() } else { format!(" in {repository}") };
            format!("{}{place}", numbered(*count, "commit"))
        }
        Claim::Pods { count, of, are } => {
            format!("{} of {of} {are}", numbered(*count, "pod")).trim_end().to_owned()
        }
        Claim::Drift { at_most, of } => {
            let what = if of.is_empty() { "no drift".into() } else { format!("no drift of {of}") };
            format!("{what} lasts longer than {at_most}")
        }
    }
}

fn test(test: &Test) -> String {
    match test {
        Test::Is(value) => format!("is {value}"),
        Test::IsNot(value) => format!("is not {value}"),
        Test::Contains(text) => format!("contains {text:?}"),
        Test::Exists(true) => "exists".into(),
        Test::Exists(false) => "does not exist".into(),
        Test::SetBy(manager) => format!("is set by {manager}"),
    }
}

/// `1 write`, `at most 3 writes`.
fn numbered(count: Count, what: &str) -> String {
    let s = |n: u64| if n == 1 { "" } else { "s" };
    match count {
        Count::Exactly(n) => format!("{n} {what}{}", s(n)),
        Count::AtMost(n) => format!("at most {n} {what}{}", s(n)),
        Count::AtLeast(n) => format!("at least {n} {what}{}", s(n)),
    }
}
