//! The one source of choice: every pick a run makes goes through it.

use std::fmt;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rpds::VectorSync;

/// Whoever decides what the world leaves open: which actor moves, which fault strikes, how long a
/// request takes.
///
/// A seed ([`Choices::seeded`]), a recorded list ([`Choices::replay`]), a person at a prompt (any
/// closure is a `Choice`) and a search that tries every answer all drive the same world.
///
/// ```
/// use driftlab::sim::Choice;
/// let mut asked = Vec::new();
/// let mut last = |n: usize, label: &'static str| {
///     asked.push(label);
///     n - 1
/// };
/// assert_eq!(last.pick(3, "who moves"), 2);
/// ```
pub trait Choice {
    /// Picks one of `0..n`; `n` is at least 1. The label says what is being decided.
    fn pick(&mut self, n: usize, label: &'static str) -> usize;
}

impl<F: FnMut(usize, &'static str) -> usize> Choice for F {
    fn pick(&mut self, n: usize, label: &'static str) -> usize {
        self(n, label)
    }
}

/// A source of choice that a [`World`](super::World) owns: it is copied with the world and keeps what
/// it picked, so that any run can be replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    source: Source,
    picked: VectorSync<Picked>,
}

/// One decision that was made. Decisions between one alternative are none and are not kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Picked {
    /// How many alternatives there were.
    pub of: u32,
    /// Which was picked, counted from 0.
    pub pick: u32,
    /// What was decided.
    pub label: &'static str,
}

#[derive(Clone, Debug, PartialEq)]
enum Source {
    First,
    Seeded(Xoshiro256PlusPlus),
    Replay(VectorSync<u32>),
}

impl Choices {
    /// Always the first alternative: the calmest run there is.
    pub fn first() -> Self {
        Self::of(Source::First)
    }

    /// As a seed decides; the same seed decides the same everywhere. The seed 0 stands for
    /// [`Choices::first`].
    pub fn seeded(seed: u64) -> Self {
        if seed == 0 {
            return Self::first();
        }
        Self::of(Source::Seeded(Xoshiro256PlusPlus::seed_from_u64(seed)))
    }

    /// As recorded, and the first alternative when the record ends. A recorded pick that is too large
    /// for the alternatives at hand is taken modulo their number, so that a shortened or edited record
    /// is a run as well.
    pub fn replay(picks: impl IntoIterator<Item = u32>) -> Self {
        Self::of(Source::Replay(picks.into_iter().collect()))
    }

    /// What was picked so far, in order.
    pub fn picked(&self) -> impl Iterator<Item = Picked> {
        self.picked.iter().copied()
    }

    fn of(source: Source) -> Self {
        Choices { source, picked: VectorSync::new_sync() }
    }
}

impl Choice for Choices {
    fn pick(&mut self, n: usize, label: &'static str) -> usize {
        if n <= 1 {
            return 0;
        }
        let pick = match &mut self.source {
            Source::First => 0,
            Source::Seeded(random) => below(random.next_u64(), n),
            Source::Replay(picks) => {
                picks.get(self.picked.len()).map_or(0, |pick| *pick as usize % n)
            }
        };
        self.picked.push_back_mut(Picked { of: n as u32, pick: pick as u32, label });
        pick
    }
}

impl Default for Choices {
    /// [`Choices::first`].
    fn default() -> Self {
        Self::first()
    }
}

/// `who moves 2/5`.
impl fmt::Debug for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.label, self.pick, self.of)
    }
}

/// Scales a random word to `0..n`; our own, since the ranges of `rand` change between its releases.
fn below(word: u64, n: usize) -> usize {
    ((u128::from(word) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(choices: &mut Choices) -> Vec<usize> {
        (1..40).map(|n| choices.pick(n, "test")).collect()
    }

    #[test]
    fn a_seed_decides_the_same_every_time_and_everywhere() {
        assert_eq!(drive(&mut Choices::seeded(7)), drive(&mut Choices::seeded(7)));
        assert_ne!(drive(&mut Choices::seeded(7)), drive(&mut Choices::seeded(8)));
        let mut choices = Choices::seeded(1);
        let picks: Vec<usize> = (0..8).map(|_| choices.pick(100, "test")).collect();
        assert_eq!(picks, FIRST_OF_SEED_1);
    }

    /// Noted once: a change here would silently change every recorded run.
    const FIRST_OF_SEED_1: [usize; 8] = [81, 74, 10, 74, 18, 59, 98, 52];

    #[test]
    fn a_record_replays_its_run() {
        let mut seeded = Choices::seeded(3);
        let picks = drive(&mut seeded);
        let mut replay = Choices::replay(seeded.picked().map(|p| p.pick));
        assert_eq!(drive(&mut replay), picks);
        assert_eq!(replay.pick(9, "past the end"), 0);
    }

    #[test]
    fn every_alternative_is_picked_and_none_beyond() {
        let mut choices = Choices::seeded(5);
        let mut seen = [0; 3];
        (0..3000).for_each(|_| seen[choices.pick(3, "test")] += 1);
        assert!(seen.iter().all(|n| (900..1100).contains(n)), "{seen:?}");
    }
}
