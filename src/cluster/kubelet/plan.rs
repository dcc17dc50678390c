//! What comes next in the life of a pod's containers, from what its status tells: a kubelet that was
//! restarted goes on where the old one stopped.

use serde_json::Value;

use super::container;
use crate::cluster::pods;
use crate::object::Object;
use crate::time::{Duration, Timestamp};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing.
    Rest,
    /// Nothing before this instant.
    Wait(Timestamp),
    /// This, now.
    Do(Step),
}

/// A step of a pod's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The node takes the pod.
    Admit,
    /// The images are pulled and the containers started.
    Pull,
    /// The containers become ready.
    Ready,
    /// The containers exit.
    Exit,
}

/// The images of a pod's containers, in order.
pub(super) fn images(pod: &Object) -> Vec<&str> {
    container::specs(pod).map(|c| c["image"].as_str().unwrap_or_default()).collect()
}

/// What comes next for a pod.
pub(super) fn next(pod: &Object, now: Timestamp) -> Plan {
    if pods::is_finished(pod) || pod.is_deleting() {
        return Plan::Rest;
    }
    if pod.get("status.containerStatuses").is_none() {
        return Plan::Do(Step::Admit);
    }
    match container::started_at(pod) {
        Some(started) => after_start(pod, started, now),
        None => at(restart_at(pod), Step::Pull, now),
    }
}

fn after_start(pod: &Object, started: Timestamp, now: Timestamp) -> Plan {
    let ready = match pods::is_ready(pod) {
        true => None,
        false => ready_after(pod).map(|span| started + span),
    };
    let exit = exit_after(pod).map(|span| started + span);
    match (ready, exit) {
        (Some(ready), exit) if exit.is_none_or(|exit| ready <= exit) => at(ready, Step::Ready, now),
        (_, Some(exit)) => at(exit, Step::Exit, now),
        _ => Plan::Rest,
    }
}

fn at(instant: Timestamp, step: Step, now: Timestamp) -> Plan {
    if instant <= now { Plan::Do(step) } else { Plan::Wait(instant) }
}

/// When containers that ended may start again: the first time at once, then after 10 s, doubling up to
/// 5 min.
fn restart_at(pod: &Object) -> Timestamp {
    let restarts = pods::restarts(pod).max(0) as u64;
    let wait = match restarts {
        0 | 1 => Duration::ZERO,
        n => Duration::from_secs((10u64 << (n - 2).min(5)).min(300)),
    };
    container::ended_at(pod).map_or(Timestamp::default(), |ended| ended + wait)
}

/// From the start to readiness; `None` for never.
pub(super) fn ready_after(pod: &Object) -> Option<Duration> {
    let told = pod.annotation("driftlab/ready-after");
    if told == Some("never") || pod.label("stuck").is_some() {
        return None;
    }
    let probed = container::specs(pod)
        .filter_map(|c| c.get("readinessProbe")?.get("initialDelaySeconds").and_then(Value::as_u64))
        .max();
    let probed = Duration::from_secs(probed.unwrap_or(0));
    Some(told.and_then(|text| text.parse().ok()).unwrap_or(probed))
}

/// From the start to the exit; `None` for never.
fn exit_after(pod: &Object) -> Option<Duration> {
    match pod.annotation("driftlab/exit-after") {
        Some("never") => None,
        Some(text) => text.parse().ok(),
        None if matches!(pod.text("spec.restartPolicy"), "Never" | "OnFailure") => {
            Some(Duration::from_secs(5))
        }
        None => None,
    }
}

/// How the containers exit.
pub(super) fn exit_code(pod: &Object) -> i64 {
    pod.annotation("driftlab/exit-code").and_then(|text| text.parse().ok()).unwrap_or(0)
}
