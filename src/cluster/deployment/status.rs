//! The status of a Deployment (`k8s.io/kubernetes/pkg/controller/deployment`, progress.go and
//! sync.go).

use serde_json::{Value, json};

use super::conditions::{self, Condition};
use super::replicas;
use super::rollout::Rollout;
use crate::cluster::pods;
use crate::object::Object;
use crate::time::{Duration, Timestamp};

/// The longest deadline there is: none at all.
const NO_DEADLINE: i64 = i32::MAX as i64;

/// `spec.progressDeadlineSeconds`; `None` when there is no deadline.
pub(super) fn deadline(deployment: &Object) -> Option<Duration> {
    let seconds = deployment.int("spec.progressDeadlineSeconds").filter(|s| *s != NO_DEADLINE)?;
    Some(Duration::from_secs(seconds.max(0) as u64))
}

/// The counters, without conditions.
pub(super) fn counters(rollout: &Rollout) -> Value {
    let deployment = &rollout.deployment;
    let count = |field| replicas::counted(&rollout.sets, field);
    let available = count("availableReplicas");
    let updated = rollout.new_set().map_or(0, |set| replicas::counted([set], "replicas"));
    let mut status = json!({"observedGeneration": deployment.generation()});
    for (field, value) in [
        ("replicas", count("replicas")),
        ("updatedReplicas", updated),
        ("readyReplicas", count("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (replicas::sum(&rollout.sets) - available).max(0)),
    ] {
        if value > 0 {
            status[field] = value.into();
        }
    }
    if let Some(terminating) = terminating(&rollout.sets) {
        status["terminatingReplicas"] = terminating.into();
    }
    if let Some(collisions) = deployment.get("status.collisionCount") {
        status["collisionCount"] = collisions.clone();
    }
    status
}

/// Known only when every ReplicaSet tells it.
fn terminating(sets: &[Object]) -> Option<i64> {
    sets.iter().map(|set| set.int("status.terminatingReplicas")).sum()
}

/// The whole status. `rolls` tells whether progress is judged: not while paused or being scaled.
pub(super) fn status(rollout: &Rollout, rolls: bool, now: Timestamp) -> Value {
    let mut status = counters(rollout);
    let mut list = conditions::of(&rollout.deployment);
    conditions::set(&mut list, &availability(&rollout.deployment, &status), now);
    if rolls {
        progress(rollout, &status, &mut list, now);
        failure(rollout, &mut list, now);
    }
    status["conditions"] = list.into();
    status
}

fn availability(deployment: &Object, status: &Value) -> Condition {
    let fewest = replicas::wanted(deployment) - replicas::max_unavailable(deployment);
    match int(status, "availableReplicas") >= fewest {
        true => Condition {
            kind: "Available",
            status: "True",
            reason: "MinimumReplicasAvailable",
            message: "Deployment has minimum availability.".into(),
        },
        false => Condition {
            kind: "Available",
            status: "False",
            reason: "MinimumReplicasUnavailable",
            message: "Deployment does not have minimum availability.".into(),
        },
    }
}

fn progress(rollout: &Rollout, status: &Value, list: &mut Vec<Value>, now: Timestamp) {
    let deployment = &rollout.deployment;
    if deadline(deployment).is_none() {
        return conditions::remove(list, "Progressing");
    }
    let settled = int(status, "replicas") == int(status, "updatedReplicas")
        && conditions::progressing_reason(deployment) == "NewReplicaSetAvailable";
    if settled {
        return;
    }
    let condition = |status, reason, what: &str| Condition {
        kind: "Progressing",
        status,
        reason,
        message: format!("{} {what}", rollout.subject()),
    };
    if is_complete(deployment, status) {
        let done = condition("True", "NewReplicaSetAvailable", "has successfully progressed.");
        conditions::set(list, &done, now);
    } else if has_progressed(deployment, status) {
        conditions::renew(list, &condition("True", "ReplicaSetUpdated", "is progressing."), now);
    } else if has_timed_out(deployment, now) {
        let late = condition("False", "ProgressDeadlineExceeded", "has timed out progressing.");
        conditions::set(list, &late, now);
    }
}

/// A ReplicaSet that cannot make its pods speaks for the Deployment.
fn failure(rollout: &Rollout, list: &mut Vec<Value>, now: Timestamp) {
    let failing = rollout.new_set().into_iter().chain(&rollout.sets);
    match failing.filter_map(|set| pods::condition(set, "ReplicaFailure")).next() {
        Some(found) => {
            conditions::remove(list, "ReplicaFailure");
            let mut entry = found.clone();
            entry["lastUpdateTime"] = found["lastTransitionTime"].clone();
            list.push(entry);
        }
        None => conditions::remove(list, "ReplicaFailure"),
    }
    let _ = now;
}

/// Whether every pod is of the new template and available.
pub(super) fn is_complete(deployment: &Object, status: &Value) -> bool {
    let wanted = replicas::wanted(deployment);
    ["updatedReplicas", "replicas", "availableReplicas"].iter().all(|f| int(status, f) == wanted)
        && int(status, "observedGeneration") >= deployment.generation()
}

fn has_progressed(deployment: &Object, status: &Value) -> bool {
    let before = deployment.get("status").cloned().unwrap_or_default();
    let old = |status: &Value| int(status, "replicas") - int(status, "updatedReplicas");
    let grew = |field: &str| int(status, field) > int(&before, field);
    grew("updatedReplicas")
        || old(status) < old(&before)
        || grew("readyReplicas")
        || grew("availableReplicas")
}

fn has_timed_out(deployment: &Object, now: Timestamp) -> bool {
    match conditions::progressing_reason(deployment) {
        "" | "NewReplicaSetAvailable" => false,
        "ProgressDeadlineExceeded" => true,
        _ => due(deployment).is_some_and(|due| due < now),
    }
}

fn due(deployment: &Object) -> Option<Timestamp> {
    Some(conditions::progressing_updated(deployment)? + deadline(deployment)?)
}

/// When to look again whether the deadline has passed; `None` when there is nothing to wait for.
pub(super) fn next_look(deployment: &Object, status: &Value, now: Timestamp) -> Option<Duration> {
    let reason = conditions::progressing_reason(deployment);
    if matches!(reason, "" | "ProgressDeadlineExceeded") || is_complete(deployment, status) {
        return None;
    }
    due(deployment).map(|due| due.since(now) + Duration::from_secs(1))
}

fn int(status: &Value, field: &str) -> i64 {
    status.get(field).and_then(Value::as_i64).unwrap_or(0)
}
