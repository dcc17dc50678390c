//! How long things take.

use super::choice::Choice;
use crate::time::Duration;

/// How long requests and news are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Latency {
    /// A request to the Kubernetes API.
    pub api: Span,
    /// A watch event.
    pub watch: Span,
    /// A fetch from a Git remote that has something new.
    pub fetch: Span,
    /// A download of an artifact.
    pub download: Span,
    /// A pull of an image.
    pub pull: Span,
    /// A webhook.
    pub webhook: Span,
}

/// A span of time that is not the same each time: picked evenly, in whole steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The shortest.
    pub least: Duration,
    /// The length of a step.
    pub step: Duration,
    /// How many steps it may be longer.
    pub steps: u16,
}

impl Default for Latency {
    /// As in a small cluster near its Git remote: a few milliseconds for the API, half a second for Git.
    fn default() -> Self {
        let millis = Duration::from_millis;
        Latency {
            api: Span { least: millis(2), step: millis(1), steps: 6 },
            watch: Span { least: millis(1), step: millis(1), steps: 3 },
            fetch: Span { least: millis(300), step: millis(50), steps: 8 },
            download: Span { least: millis(20), step: millis(5), steps: 4 },
            pull: Span { least: millis(800), step: millis(100), steps: 12 },
            webhook: Span { least: millis(200), step: millis(50), steps: 4 },
        }
    }
}

impl Latency {
    /// Everything at once, but for one millisecond a request, so that nobody can spin for ever within an
    /// instant. Who moves first is then all that is left to choose.
    pub fn least() -> Self {
        let one = Span::exactly(Duration::from_millis(1));
        Latency { api: one, watch: one, fetch: one, download: one, pull: one, webhook: one }
    }
}

impl Span {
    /// The same each time.
    pub const fn exactly(span: Duration) -> Self {
        Span { least: span, step: Duration::ZERO, steps: 0 }
    }

    pub(super) fn pick(&self, choice: &mut dyn Choice) -> Duration {
        match self.steps {
            0 => self.least,
            steps => self.least + self.step * choice.pick(usize::from(steps) + 1, "latency") as u64,
        }
    }
}
