//! From measurements to a size: limits, and the patience before a target is made smaller.

use serde_json::Value;

use super::Round;
use super::metrics::Reading;
use crate::cluster::pods;
use crate::time::{Duration, Timestamp};

/// What was advised lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct History(Vec<(Timestamp, i64)>);

/// What to do about a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Advice {
    /// How many pods there should be.
    pub(super) size: i64,
    pub(super) readings: Vec<Reading>,
    /// Why nothing could be measured.
    pub(super) failure: Option<String>,
    /// Whether a smaller size has been advised that is not due yet.
    pub(super) stabilized: bool,
    /// Whether the size is one that the limits have changed, and which.
    pub(super) limited: Option<Limit>,
    /// Whether the target is scaled to nothing, which turns the autoscaler off.
    pub(super) disabled: bool,
    /// What to remember until the next look; `None` when nothing is.
    pub(super) history: Option<History>,
}

/// A limit that holds a size back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Limit {
    TooMany,
    TooFew,
    Step,
}

impl Advice {
    fn none() -> Self {
        Advice {
            size: 0,
            readings: Vec::new(),
            failure: None,
            stabilized: false,
            limited: None,
            disabled: false,
            history: None,
        }
    }

    /// For a target that somebody scaled to nothing.
    pub(super) fn disabled() -> Self {
        Advice { disabled: true, ..Self::none() }
    }

    pub(super) fn new(
        round: &Round,
        measured: Result<Vec<Reading>, String>,
        now: Timestamp,
    ) -> Self {
        let current = round.current();
        let readings = match measured {
            Ok(readings) => readings,
            Err(failure) => {
                return Advice { size: current, failure: Some(failure), ..Self::none() };
            }
        };
        let wanted = readings.iter().map(|reading| reading.size).max().unwrap_or(current);
        let (stable, history) = stabilize(round, wanted, now);
        let (at_once, patient) = (limit(round, wanted), limit(round, stable));
        let (size, limited) = if at_once.0 == patient.0 { at_once } else { patient };
        // Only a smaller size that waits is worth remembering: before it was advised the size was right.
        let waits = wanted.max(round.fewest()) < size;
        Advice {
            size,
            readings,
            stabilized: stable > wanted && waits,
            limited,
            history: waits.then_some(history),
            ..Self::none()
        }
    }
}

/// The largest size that was advised within the window in which sizes are not made smaller, and the
/// smallest within the window in which they are not made larger.
fn stabilize(round: &Round, wanted: i64, now: Timestamp) -> (i64, History) {
    let window = |direction: &str, default: i64| {
        let path = format!("spec.behavior.{direction}.stabilizationWindowSeconds");
        let seconds = round.autoscaler.int(&path).unwrap_or(default);
        Duration::from_secs(seconds.max(0) as u64)
    };
    let (down, up) = (window("scaleDown", 300), window("scaleUp", 0));
    let mut history = round.history.0.clone();
    if history.is_empty() {
        history.push((now, round.current()));
    }
    history.push((now, wanted));
    history.retain(|(at, _)| now.since(*at) < down.max(up) || *at == now);
    let within = |window: Duration| {
        let recent = history.iter().filter(move |(at, _)| now.since(*at) < window);
        recent.map(|(_, size)| *size).chain([wanted])
    };
    let (highest, lowest) = (within(down).max(), within(up).min());
    let current = round.current();
    let stable = if wanted < current {
        highest.unwrap_or(wanted).min(current)
    } else {
        lowest.unwrap_or(wanted).max(current)
    };
    (stable, History(history))
}

/// Keeps a size within what the autoscaler allows at all, and within one step.
fn limit(round: &Round, wanted: i64) -> (i64, Option<Limit>) {
    let current = round.current();
    let (step_up, step_down) = (step(round, "scaleUp"), step(round, "scaleDown"));
    if wanted > round.most().min(current + step_up) {
        let limit = if round.most() <= current + step_up { Limit::TooMany } else { Limit::Step };
        return (round.most().min(current + step_up), Some(limit));
    }
    if wanted < round.fewest().max(current - step_down) {
        let limit = if round.fewest() >= current - step_down { Limit::TooFew } else { Limit::Step };
        return (round.fewest().max(current - step_down), Some(limit));
    }
    (wanted, None)
}

/// How many pods one step may add or remove. Without policies: up by as many as there are or by four,
/// whichever is more, down by all.
fn step(round: &Round, direction: &str) -> i64 {
    let current = round.current();
    let rules = round.autoscaler.get("spec.behavior").and_then(|b| b.get(direction));
    let rule = |field: &str| rules.and_then(|rules| rules.get(field));
    let select = rule("selectPolicy").and_then(Value::as_str).unwrap_or("Max");
    let policies = rule("policies").and_then(Value::as_array);
    let steps = policies.into_iter().flatten().map(|policy| match policy["type"].as_str() {
        Some("Percent") => {
            let percent = Value::from(format!("{}%", policy["value"]));
            pods::share(Some(&percent), current, true).unwrap_or(0)
        }
        _ => policy["value"].as_i64().unwrap_or(0),
    });
    let chosen = if select == "Min" { steps.min() } else { steps.max() };
    match (select, chosen, direction) {
        ("Disabled", ..) => 0,
        (_, Some(step), _) => step,
        (_, None, "scaleUp") => current.max(4 - current).max(0),
        (_, None, _) => current,
    }
}
