//! The status of a Job.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::NAME;
use super::count::Count;
use crate::cluster::pods;
use crate::cluster::report::Report;
use crate::object::Object;
use crate::time::{Duration, Timestamp};

/// How a Job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    /// Enough pods have succeeded.
    Complete,
    /// Too many have failed.
    BackoffLimit,
    /// It took too long.
    Deadline,
}

impl End {
    /// The conditions that tell the end: when it is decided, and when its pods are gone too.
    fn conditions(self) -> (&'static str, &'static str) {
        match self {
            End::Complete => ("SuccessCriteriaMet", "Complete"),
            End::BackoffLimit | End::Deadline => ("FailureTarget", "Failed"),
        }
    }

    fn reason(self) -> &'static str {
        match self {
            End::Complete => "CompletionsReached",
            End::BackoffLimit => "BackoffLimitExceeded",
            End::Deadline => "DeadlineExceeded",
        }
    }

    fn message(self) -> &'static str {
        match self {
            End::Complete => "Reached expected number of succeeded pods",
            End::BackoffLimit => "Job has reached the specified backoff limit",
            End::Deadline => "Job was active longer than specified deadline",
        }
    }

    fn report(self, job: &Object) -> Report {
        match self {
            End::Complete => Report::normal(NAME, job, "Completed", "Job completed"),
            _ => Report::warning(NAME, job, self.reason(), self.message()),
        }
    }
}

/// Whether a Job is over.
pub(super) fn is_finished(job: &Object) -> bool {
    is_true(job, "Complete") || is_true(job, "Failed")
}

/// When a Job that is over is deleted.
pub(super) fn expiry(job: &Object) -> Option<Timestamp> {
    let seconds = job.int("spec.ttlSecondsAfterFinished")?;
    let over = ["Complete", "Failed"].iter().find_map(|kind| pods::condition(job, kind))?;
    let since: Timestamp = over["lastTransitionTime"].as_str()?.parse().ok()?;
    Some(since + Duration::from_secs(seconds.max(0) as u64))
}

/// The end that the Job's status tells already.
pub(super) fn decided(job: &Object) -> Option<End> {
    [End::Complete, End::BackoffLimit, End::Deadline].into_iter().find(|end| {
        let condition = pods::condition(job, end.conditions().0);
        condition.is_some_and(|c| c["status"] == "True" && c["reason"] == end.reason())
    })
}

/// The uids noted as ended and not counted: `succeeded` or `failed` ones.
pub(super) fn uncounted(job: &Object, which: &str) -> Vec<String> {
    let noted = job.get("status.uncountedTerminatedPods").and_then(|u| u[which].as_array());
    noted.into_iter().flatten().filter_map(|uid| uid.as_str().map(str::to_owned)).collect()
}

/// The status as it should be.
pub(super) fn status(count: &Count, now: Timestamp) -> Value {
    let job = &count.job;
    let mut status = json!({"ready": count.ready(), "terminating": count.terminating()});
    let mut open = json!({});
    let mut left = 0;
    for (which, ended) in [("succeeded", &count.succeeded), ("failed", &count.failed)] {
        let counted = count.countable(which);
        let total = job.int(&format!("status.{which}")).unwrap_or(0) + counted.len() as i64;
        let uncounted: Vec<&String> = ended.iter().filter(|uid| !counted.contains(uid)).collect();
        left += uncounted.len();
        if total > 0 {
            status[which] = total.into();
        }
        if !uncounted.is_empty() {
            open[which] = json!(uncounted);
        }
    }
    status["uncountedTerminatedPods"] = open;
    let active = count.active().count();
    if active > 0 {
        status["active"] = active.into();
    }
    if count.is_indexed() && !count.completed_indexes().is_empty() {
        status["completedIndexes"] = spell_indexes(&count.completed_indexes()).into();
    }
    let over = left + active + count.terminating() == 0;
    let conditions = conditions(count, over, now);
    if count.end == Some(End::Complete) && over {
        status["completionTime"] = now.to_string().into();
    }
    if let Some(started) = started(count, now) {
        status["startTime"] = started.into();
    }
    if !conditions.is_empty() {
        status["conditions"] = conditions.into();
    }
    status
}

fn started(count: &Count, now: Timestamp) -> Option<String> {
    if count.is_suspended() {
        return None;
    }
    let since = count.job.text("status.startTime");
    Some(if since.is_empty() { now.to_string() } else { since.to_owned() })
}

fn conditions(count: &Count, over: bool, now: Timestamp) -> Vec<Value> {
    let list = count.job.get("status.conditions").and_then(Value::as_array).cloned();
    let mut list = list.unwrap_or_default();
    let mut set = |kind: &str, status: &str, reason: &str, message: &str| {
        let place = list.iter().position(|c| c["type"] == kind);
        if place.is_some_and(|i| list[i]["status"] == status && list[i]["reason"] == reason) {
            return;
        }
        let entry = json!({"type": kind, "status": status, "reason": reason, "message": message, "lastProbeTime": now.to_string(), "lastTransitionTime": now.to_string()});
        match place {
            Some(i) => list[i] = entry,
            None => list.push(entry),
        }
    };
    if let Some(end) = count.end {
        let (decided, done) = end.conditions();
        set(decided, "True", end.reason(), end.message());
        if over {
            set(done, "True", end.reason(), end.message());
        }
    } else if count.is_suspended() {
        set("Suspended", "True", "JobSuspended", "Job suspended");
    } else if is_true(&count.job, "Suspended") {
        set("Suspended", "False", "JobResumed", "Job resumed");
    }
    list
}

/// What is worth an event: an end, a suspension, a resumption.
pub(super) fn news(count: &Count, now: Timestamp) -> Vec<Report> {
    let mut after = count.job.clone();
    after.set("status", status(count, now));
    let became = |kind: &str| is_true(&after, kind) && !is_true(&count.job, kind);
    let mut reports = Vec::new();
    if became("Complete") || became("Failed") {
        reports.extend(count.end.map(|end| end.report(&count.job)));
    }
    if became("Suspended") {
        reports.push(Report::normal(NAME, &count.job, "Suspended", "Job suspended"));
    }
    if is_true(&count.job, "Suspended") && !is_true(&after, "Suspended") {
        reports.push(Report::normal(NAME, &count.job, "Resumed", "Job resumed"));
    }
    reports
}

/// Reads `1,3-5`.
pub(super) fn parse_indexes(text: &str) -> BTreeSet<i64> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(from.parse::<i64>().ok()?..=to.parse::<i64>().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

/// Writes `1,3-5`.
fn spell_indexes(indexes: &BTreeSet<i64>) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some((_, to)) if *to + 1 == *index => *to = *index,
            _ => runs.push((*index, *index)),
        }
    }
    let spell = |(from, to): &(i64, i64)| match to - from {
        0 => from.to_string(),
        1 => format!("{from},{to}"),
        _ => format!("{from}-{to}"),
    };
    runs.iter().map(spell).collect::<Vec<_>>().join(",")
}

fn is_true(object: &Object, kind: &str) -> bool {
    pods::condition(object, kind).is_some_and(|c| c["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_spelled_as_runs() {
        for text in ["", "0", "0,1", "1,3-5", "0-9,11"] {
            assert_eq!(spell_indexes(&parse_indexes(text)), text);
        }
    }
}
