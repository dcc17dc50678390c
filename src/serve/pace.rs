//! How fast a served world's time runs.

use std::fmt;
use std::str::FromStr;
use std::time::Duration as Span;

use crate::time::Duration;

/// How fast a served world's time runs.
///
/// ```
/// use driftlab::serve::Pace;
/// assert_eq!("60x".parse(), Ok(Pace::times(60)));
/// assert_eq!("manual".parse(), Ok(Pace::MANUAL));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(u32);

impl Pace {
    /// As fast as the machine's own.
    pub const REAL: Pace = Pace(1);

    /// Time stands still until somebody says that it passes: [`Model::pass`](super::Model::pass), or
    /// `POST /driftlab/time?pass=10s`.
    pub const MANUAL: Pace = Pace(0);

    /// So many seconds of the world a second, but at least one.
    pub fn times(factor: u32) -> Self {
        Pace(factor.max(1))
    }

    /// Whether time only passes when somebody says so.
    pub fn is_manual(self) -> bool {
        self == Pace::MANUAL
    }

    /// How much of the world's time passes in so much of the machine's.
    pub(super) fn of_the_world(self, span: Span) -> Duration {
        Duration::from_millis((span.as_millis() as u64).saturating_mul(u64::from(self.0)))
    }

    /// How long the world's time takes to pass; `None` when it does not pass by itself.
    pub(super) fn of_the_machine(self, span: Duration) -> Option<Span> {
        span.as_millis().checked_div(u64::from(self.0)).map(Span::from_millis)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Pace::REAL
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("manual"),
            1 => f.write_str("real"),
            factor => write!(f, "{factor}x"),
        }
    }
}

/// `real`, `manual`, or `60x` for a minute a second.
impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let factor = text.strip_suffix('x').and_then(|factor| factor.parse().ok());
        match (text, factor) {
            ("real", _) => Ok(Pace::REAL),
            ("manual", _) => Ok(Pace::MANUAL),
            (_, Some(factor @ 1..)) => Ok(Pace(factor)),
            _ => Err(format!(
                "{text:?} is no pace; expected real, manual, or 60x for a minute a second"
            )),
        }
    }
}
