//! Drawing things from a source of choice.

use crate::sim::Choice;
use crate::time::Duration;

/// Draws numbers and picks from a source of choice, so that whatever drives the choices (a seed, a
/// record, a shrinker) drives what is generated. The first alternative is always the simplest one.
pub struct Draw<'a>(&'a mut dyn Choice);

impl<'a> Draw<'a> {
    /// Draws from a source of choice.
    pub fn from(choice: &'a mut dyn Choice) -> Self {
        Draw(choice)
    }

    /// A number of a range, its ends included.
    pub fn number(&mut self, from: usize, to: usize) -> usize {
        from + self.0.pick(to.saturating_sub(from) + 1, "number")
    }

    /// One of several.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn one_of<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.0.pick(items.len(), "one of")]
    }

    /// Whether something happens that does once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.0.pick(n, "whether") + 1 == n.max(2)
    }

    /// A time up to a limit, in whole steps.
    pub fn time(&mut self, limit: Duration, step: Duration) -> Duration {
        let steps = limit.as_millis() / step.as_millis().max(1);
        step * self.number(0, steps as usize) as u64
    }
}
