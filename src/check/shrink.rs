//! Making a failing scenario smaller, as long as it fails.

use crate::sim::script::Step;
use crate::sim::{Fault, FaultAction, Requests, Scenario, Trigger};
use crate::time::Duration;

/// The smallest scenario that can be found that still fails, and how often that was tried.
///
/// Leaves out steps, faults and files, one half after the other and then one by one; ends faults
/// earlier; lets things happen sooner and at round times; decides by simpler seeds. Gives up after
/// `tries`.
pub fn shrink(
    scenario: &Scenario,
    tries: usize,
    mut fails: impl FnMut(&Scenario) -> bool,
) -> (Scenario, usize) {
    let mut shrinker = Shrinker { best: scenario.clone(), left: tries, fails: &mut fails };
    while shrinker.round() {}
    (shrinker.best, tries - shrinker.left)
}

struct Shrinker<'a> {
    best: Scenario,
    left: usize,
    fails: &'a mut dyn FnMut(&Scenario) -> bool,
}

impl Shrinker<'_> {
    /// Tries everything once; whether anything helped.
    fn round(&mut self) -> bool {
        let before = self.best.clone();
        self.leave_out(|s| s.steps.len(), |s, at| drop(s.steps.remove(at)));
        self.leave_out(|s| s.faults.faults.len(), |s, at| drop(s.faults.faults.remove(at)));
        self.leave_out_files();
        self.simplify_faults();
        self.simplify_times();
        self.try_seeds();
        self.best != before
    }

    /// Takes a candidate if it fails as well.
    fn offer(&mut self, candidate: Scenario) -> bool {
        if self.left == 0 || candidate == self.best {
            return false;
        }
        self.left -= 1;
        let taken = (self.fails)(&candidate);
        if taken {
            self.best = candidate;
        }
        taken
    }

    /// Leaves out items of a list: large pieces first, then smaller ones.
    fn leave_out(&mut self, len: fn(&Scenario) -> usize, remove: fn(&mut Scenario, usize)) {
        let mut piece = len(&self.best);
        while piece > 0 {
            let mut at = 0;
            while at < len(&self.best) {
                let mut candidate = self.best.clone();
                let end = (at + piece).min(len(&candidate));
                (at..end).rev().for_each(|i| remove(&mut candidate, i));
                if !self.offer(candidate) {
                    at += piece;
                }
            }
            piece /= 2;
        }
    }

    fn leave_out_files(&mut self) {
        let paths = |s: &Scenario| -> Vec<(String, String)> {
            let of = |(name, spec): (&String, &crate::sim::script::RepositorySpec)| {
                spec.files.keys().map(|path| (name.clone(), path.clone())).collect::<Vec<_>>()
            };
            s.repositories.iter().flat_map(of).collect()
        };
        for (name, path) in paths(&self.best) {
            let mut candidate = self.best.clone();
            if let Some(repository) = candidate.repositories.get_mut(&name) {
                repository.files.remove(&path);
            }
            self.offer(candidate);
        }
    }

    /// Lets a fault strike a single request, an earlier one, or for a shorter time.
    fn simplify_faults(&mut self) {
        for at in 0..self.best.faults.faults.len() {
            for simpler in simpler_faults(&self.best.faults.faults[at]) {
                let mut candidate = self.best.clone();
                candidate.faults.faults[at] = simpler;
                if self.offer(candidate) {
                    break;
                }
            }
        }
    }

    /// Lets every step happen at the earliest of some round times that still fails.
    fn simplify_times(&mut self) {
        for at in 0..self.best.steps.len() {
            let earliest = if at == 0 { Duration::ZERO } else { self.best.steps[at - 1].at };
            let now = self.best.steps[at].at;
            let round = [0, 1, 2, 5, 10, 30, 60, 120, 300].map(Duration::from_secs);
            let sooner = round
                .into_iter()
                .map(|span| Duration::from_millis(earliest.as_millis() + span.as_millis()));
            for time in sooner.take_while(|time| *time < now) {
                let mut candidate = self.best.clone();
                let shift = now.saturating_sub(time);
                candidate.steps[at..].iter_mut().for_each(|step| step.come_sooner(shift));
                if self.offer(candidate) {
                    break;
                }
            }
        }
    }

    fn try_seeds(&mut self) {
        for seed in 0..3.min(self.best.seed) {
            if self.offer(Scenario { seed, ..self.best.clone() }) {
                break;
            }
        }
    }
}

/// Faults that do less than one does, the simplest first.
fn simpler_faults(fault: &Fault) -> Vec<Fault> {
    let once = |requests: &Requests, nth| Fault {
        when: Trigger::Request { requests: requests.clone(), nth },
        what: fault.what.clone(),
        lasts: None,
    };
    let span = fault.lasts.unwrap_or(Duration::from_hours(1));
    let shorter = [1, 10, 60].map(Duration::from_secs).into_iter().filter(|s| *s < span);
    let shorter = shorter.map(|lasts| Fault { lasts: Some(lasts), ..fault.clone() });
    match (&fault.when, &fault.what) {
        (Trigger::Request { requests, nth }, _) if fault.lasts.is_none() => {
            (1..*nth.min(&20)).map(|earlier| once(requests, earlier)).collect()
        }
        (
            _,
            FaultAction::ApiError { requests, .. }
            | FaultAction::AnswerLost { requests }
            | FaultAction::Slow { requests, .. },
        ) => (1..=8).map(|nth| once(requests, nth)).chain(shorter).collect(),
        _ => shorter.collect(),
    }
}

impl Step {
    fn come_sooner(&mut self, by: Duration) {
        self.at = self.at.saturating_sub(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Size, scenario};
    use crate::sim::script::Action;
    use crate::sim::{Choices, FaultAction};

    fn deletes(step: &Step) -> bool {
        step.actions
            .iter()
            .any(|a| matches!(a, Action::Run(line) if line.starts_with("kubectl delete")))
    }

    #[test]
    fn a_failure_shrinks_to_what_it_needs() {
        let size = Size { drifts: 12, faults: 8, ..Size::default() };
        let fails = |s: &Scenario| {
            let crash = |f: &crate::sim::Fault| matches!(f.what, FaultAction::Crash { .. });
            s.steps.iter().filter(|step| deletes(step)).count() >= 2
                && s.faults.faults.iter().any(crash)
        };
        let large = (1..).map(|seed| {
            let seeded = scenario(&mut Choices::seeded(seed), &size);
            Scenario { seed, ..seeded }
        });
        let large = large.into_iter().find(|s| fails(s) && s.steps.len() > 8).unwrap();
        let (small, tries) = shrink(&large, 1000, fails);
        assert_eq!((small.steps.len(), small.faults.faults.len(), small.seed), (2, 1, 0));
        assert!(small.steps.iter().all(|step| step.at == Duration::ZERO), "{tries}");
        assert!(small.repositories["config"].files.is_empty());
    }
}
