//! The status of a HorizontalPodAutoscaler, and its events.

use serde_json::Value;

use super::advice::{Advice, Limit};
use super::{NAME, Round};
use crate::api::Status;
use crate::cluster::report::Report;
use crate::object::Object;
use crate::reconciler::{Condition, set_condition};
use crate::time::Timestamp;

/// The autoscaler with its status, if that is news.
pub(super) fn status(
    round: &Round,
    advice: &Advice,
    failure: Option<&Status>,
    now: Timestamp,
) -> Option<Object> {
    let mut changed = round.autoscaler.clone();
    let scaled = failure.is_none() && advice.failure.is_none() && !advice.disabled;
    let size = if scaled { advice.size } else { round.current() };
    changed.set("status.currentReplicas", round.current());
    changed.set("status.desiredReplicas", if advice.disabled { 0 } else { size });
    if size != round.current() && scaled {
        changed.set("status.lastScaleTime", now.to_string());
    }
    if !advice.readings.is_empty() {
        let current: Vec<Value> = advice.readings.iter().map(|r| r.current.clone()).collect();
        changed.set("status.currentMetrics", current);
    }
    let mut list = conditions_of(&changed);
    for condition in conditions(round, advice, failure) {
        set_condition(&mut list, &condition, now);
    }
    changed.set("status.conditions", list);
    (changed != round.autoscaler).then_some(changed)
}

/// The autoscaler telling that its target has no scale, if that is news.
pub(super) fn without_scale(autoscaler: &Object, message: &str, now: Timestamp) -> Option<Object> {
    let mut changed = autoscaler.clone();
    let mut list = conditions_of(&changed);
    let condition = Condition::new("AbleToScale", "False", "FailedGetScale", message);
    set_condition(&mut list, &condition, now);
    changed.set("status.conditions", list);
    if changed.get("status.currentReplicas").is_none() {
        changed.set("status.currentReplicas", 0);
        changed.set("status.desiredReplicas", 0);
    }
    (changed != *autoscaler).then_some(changed)
}

/// What is worth an event.
pub(super) fn news(
    round: &Round,
    advice: &Advice,
    failure: Option<Status>,
) -> impl Iterator<Item = Report> {
    let about = &round.autoscaler;
    let mut reports = Vec::new();
    if let Some(failure) = &advice.failure {
        reports.push(Report::warning(NAME, about, "FailedGetResourceMetric", failure.clone()));
    }
    if advice.size != round.current() && advice.failure.is_none() && !advice.disabled {
        let size = format!("New size: {}; reason: {}", advice.size, reason(round, advice));
        reports.push(match failure {
            None => Report::normal(NAME, about, "SuccessfulRescale", size),
            Some(failure) => {
                let message = format!("{size}; error: {}", failure.message);
                Report::warning(NAME, about, "FailedRescale", message)
            }
        });
    }
    reports.into_iter()
}

fn reason(round: &Round, advice: &Advice) -> String {
    if advice.size < round.current() {
        return "All metrics below target".into();
    }
    let deciding = advice.readings.iter().max_by_key(|reading| reading.size);
    deciding.map_or(String::new(), |reading| format!("{} above target", reading.what))
}

fn conditions(round: &Round, advice: &Advice, failure: Option<&Status>) -> Vec<Condition> {
    if advice.disabled {
        let message = "scaling is disabled since the replica count of the target is zero";
        return vec![
            able(
                "True",
                "SucceededGetScale",
                "the HPA controller was able to get the target's current scale",
            ),
            Condition::new("ScalingActive", "False", "ScalingDisabled", message),
        ];
    }
    if let Some(failure) = &advice.failure {
        let message = format!("the HPA was unable to compute the replica count: {failure}");
        return vec![
            able(
                "True",
                "SucceededGetScale",
                "the HPA controller was able to get the target's current scale",
            ),
            Condition::new("ScalingActive", "False", "FailedGetResourceMetric", message),
        ];
    }
    let what = advice.readings.iter().max_by_key(|r| r.size).map_or("", |r| r.what.as_str());
    let found = format!("the HPA was able to successfully calculate a replica count from {what}");
    vec![
        ability(round, advice, failure),
        Condition::new("ScalingActive", "True", "ValidMetricFound", found),
        limitation(advice.limited),
    ]
}

fn ability(round: &Round, advice: &Advice, failure: Option<&Status>) -> Condition {
    match failure {
        Some(failure) => able(
            "False",
            "FailedUpdateScale",
            &format!(
                "the HPA controller was unable to update the target scale: {}",
                failure.message
            ),
        ),
        None if advice.size != round.current() => able(
            "True",
            "SucceededRescale",
            &format!("the HPA controller was able to update the target scale to {}", advice.size),
        ),
        None if advice.stabilized => able(
            "True",
            "ScaleDownStabilized",
            "recent recommendations were higher than current one, applying the highest recent recommendation",
        ),
        None => able("True", "ReadyForNewScale", "recommended size matches current size"),
    }
}

fn able(status: &str, reason: &str, message: &str) -> Condition {
    Condition::new("AbleToScale", status, reason, message)
}

fn limitation(limit: Option<Limit>) -> Condition {
    let condition =
        |status, reason, message: &str| Condition::new("ScalingLimited", status, reason, message);
    match limit {
        None => condition(
            "False",
            "DesiredWithinRange",
            "the desired count is within the acceptable range",
        ),
        Some(Limit::TooMany) => condition(
            "True",
            "TooManyReplicas",
            "the desired replica count is more than the maximum replica count",
        ),
        Some(Limit::TooFew) => condition(
            "True",
            "TooFewReplicas",
            "the desired replica count is less than the minimum replica count",
        ),
        Some(Limit::Step) => condition(
            "True",
            "ScaleUpLimit",
            "the desired replica count is increasing faster than the maximum scale rate",
        ),
    }
}

fn conditions_of(autoscaler: &Object) -> Vec<Value> {
    autoscaler.get("status.conditions").and_then(Value::as_array).cloned().unwrap_or_default()
}
