//! The rules of the kinds that kstatus knows.

use super::{Health, Rule, Verdict};
use crate::object::Object;
use crate::reconciler::{Condition, conditions};
use crate::time::{Duration, Timestamp};

/// How long a pod may be without a node before that is a failure.
const SCHEDULE_WINDOW: Duration = Duration::from_secs(15);

/// Group, kind and rule, as kstatus publishes them.
pub(super) const KSTATUS: [(&str, &str, Rule); 16] = [
    ("", "Service", service),
    ("", "Pod", pod),
    ("", "Secret", always),
    ("", "ConfigMap", always),
    ("", "PersistentVolumeClaim", claim),
    ("apps", "StatefulSet", stateful_set),
    ("apps", "DaemonSet", daemon_set),
    ("extensions", "DaemonSet", daemon_set),
    ("apps", "Deployment", deployment),
    ("extensions", "Deployment", deployment),
    ("apps", "ReplicaSet", replica_set),
    ("extensions", "ReplicaSet", replica_set),
    ("policy", "PodDisruptionBudget", budget),
    ("batch", "CronJob", always),
    ("batch", "Job", job),
    ("apiextensions.k8s.io", "CustomResourceDefinition", definition),
];

/// Flux's rule for Job: unlike kstatus it waits for the end.
pub(super) fn flux_job(object: &Object, _: Timestamp) -> Verdict {
    if object.get("spec.suspend").and_then(serde_json::Value::as_bool) == Some(true) {
        return Verdict::current("Job is suspended");
    }
    let parallelism = number(object, "spec.parallelism", 1);
    ended(object).unwrap_or_else(|| {
        Verdict::in_progress(if object.text("status.startTime").is_empty() {
            format!("Job not started. active: 0/{parallelism}")
        } else {
            running(object)
        })
    })
}

/// kstatus's rule for Job: started is good enough.
pub(super) fn job(object: &Object, _: Timestamp) -> Verdict {
    ended(object).unwrap_or_else(|| {
        if object.text("status.startTime").is_empty() {
            Verdict::in_progress("Job not started")
        } else {
            Verdict::current(running(object))
        }
    })
}

fn ended(object: &Object) -> Option<Verdict> {
    let count = |field: &str| number(object, &format!("status.{field}"), 0);
    let wanted = number(object, "spec.completions", number(object, "spec.parallelism", 1));
    conditions(object).into_iter().filter(Condition::is_true).find_map(|c| match c.kind.as_str() {
        "Complete" => Some(Verdict::current(format!(
            "Job Completed. succeeded: {}/{wanted}",
            count("succeeded")
        ))),
        "Failed" => {
            Some(Verdict::failed(format!("Job Failed. failed: {}/{wanted}", count("failed"))))
        }
        _ => None,
    })
}

fn running(object: &Object) -> String {
    let count = |field: &str| number(object, &format!("status.{field}"), 0);
    format!(
        "Job in progress. success:{}, active: {}, failed: {}",
        count("succeeded"),
        count("active"),
        count("failed")
    )
}

fn always(_: &Object, _: Timestamp) -> Verdict {
    Verdict::current("Resource is always ready")
}

fn budget(_: &Object, _: Timestamp) -> Verdict {
    Verdict::current("AllowedDisruptions has been computed.")
}

fn service(object: &Object, _: Timestamp) -> Verdict {
    if object.text("spec.type") == "LoadBalancer" && object.text("spec.clusterIP").is_empty() {
        return Verdict::in_progress("ClusterIP not set. Service type: LoadBalancer");
    }
    Verdict::current("Service is ready")
}

fn claim(object: &Object, _: Timestamp) -> Verdict {
    match object.text("status.phase") {
        "Bound" => Verdict::current("PVC is Bound"),
        "" => Verdict::in_progress("PVC is not Bound. phase: unknown"),
        phase => Verdict::in_progress(format!("PVC is not Bound. phase: {phase}")),
    }
}

fn pod(object: &Object, now: Timestamp) -> Verdict {
    match object.text("status.phase") {
        "Succeeded" => Verdict::current("Pod has completed successfully"),
        "Failed" => Verdict::current("Pod has completed, but not successfully"),
        "Running" => running_pod(object),
        "Pending" => pending_pod(object, now),
        "" => Verdict::in_progress("Pod phase not available"),
        phase => Verdict { health: Health::Unknown, message: format!("unknown phase {phase}") },
    }
}

fn running_pod(object: &Object) -> Verdict {
    if conditions(object).iter().any(|c| c.kind == "Ready" && c.is_true()) {
        return Verdict::current("Pod is Ready");
    }
    let statuses = object.get("status.containerStatuses").and_then(serde_json::Value::as_array);
    let looping: Vec<&str> = statuses
        .into_iter()
        .flatten()
        .filter(|status| status["state"]["waiting"]["reason"] == "CrashLoopBackOff")
        .filter_map(|status| status["name"].as_str())
        .collect();
    if looping.is_empty() {
        return Verdict::in_progress("Pod is running but is not Ready");
    }
    Verdict::failed(format!("Containers in CrashLoop state: {}", looping.join(",")))
}

fn pending_pod(object: &Object, now: Timestamp) -> Verdict {
    let unscheduled = conditions(object)
        .iter()
        .any(|c| c.kind == "PodScheduled" && c.is_false() && c.reason == "Unschedulable");
    let created = object.creation_timestamp().unwrap_or_default();
    match unscheduled {
        false => Verdict::in_progress("Pod is in the Pending phase"),
        true if now.since(created) < SCHEDULE_WINDOW => {
            Verdict::in_progress("Pod has not been scheduled")
        }
        true => Verdict::failed("Pod could not be scheduled"),
    }
}

fn deployment(object: &Object, _: Timestamp) -> Verdict {
    let conditions = conditions(object);
    if conditions.iter().any(|c| c.kind == "Progressing" && c.reason == "ProgressDeadlineExceeded")
    {
        return Verdict::failed("Progress deadline exceeded");
    }
    let no_deadline = number(object, "spec.progressDeadlineSeconds", i64::from(i32::MAX));
    let progressing = no_deadline == i64::from(i32::MAX)
        || conditions.iter().any(|c| {
            c.kind == "Progressing" && c.is_true() && c.reason == "NewReplicaSetAvailable"
        });
    let available = conditions.iter().any(|c| c.kind == "Available" && c.is_true());
    let status = |field: &str| number(object, &format!("status.{field}"), 0);
    let (wanted, all) = (number(object, "spec.replicas", 1), status("replicas"));
    let updated = status("updatedReplicas");
    short("Replicas", all, wanted)
        .or_else(|| short("Updated", updated, wanted))
        .or_else(|| surplus(all, wanted))
        .or_else(|| short("Available", status("availableReplicas"), updated))
        .or_else(|| short("Ready", status("readyReplicas"), wanted))
        .or_else(|| (!progressing).then(|| Verdict::in_progress("ReplicaSet not Available")))
        .or_else(|| (!available).then(|| Verdict::in_progress("Deployment not Available")))
        .unwrap_or_else(|| Verdict::current(format!("Deployment is available. Replicas: {all}")))
}

fn replica_set(object: &Object, _: Timestamp) -> Verdict {
    if conditions(object).iter().any(|c| c.kind == "ReplicaFailure" && c.is_true()) {
        return Verdict::in_progress("Replica Failure condition. Check Pods");
    }
    let status = |field: &str| number(object, &format!("status.{field}"), 0);
    let (wanted, all) = (number(object, "spec.replicas", 1), status("replicas"));
    short("Labelled", status("fullyLabeledReplicas"), wanted)
        .or_else(|| short("Available", status("availableReplicas"), wanted))
        .or_else(|| short("Ready", status("readyReplicas"), wanted))
        .or_else(|| surplus(all, wanted))
        .unwrap_or_else(|| Verdict::current(format!("ReplicaSet is available. Replicas: {all}")))
}

fn stateful_set(object: &Object, _: Timestamp) -> Verdict {
    if object.text("spec.updateStrategy.type") == "OnDelete" {
        return Verdict::current("StatefulSet is using the ondelete update strategy");
    }
    let status = |field: &str| number(object, &format!("status.{field}"), 0);
    let (wanted, all) = (number(object, "spec.replicas", 1), status("replicas"));
    short("Replicas", all, wanted)
        .or_else(|| short("Ready", status("readyReplicas"), wanted))
        .or_else(|| surplus(all, wanted))
        .unwrap_or_else(|| stateful_rollout(object, wanted, all))
}

fn stateful_rollout(object: &Object, wanted: i64, all: i64) -> Verdict {
    let status = |field: &str| number(object, &format!("status.{field}"), 0);
    let updated = status("updatedReplicas");
    if let Some(partition) = object.int("spec.updateStrategy.rollingUpdate.partition") {
        return short("updated", updated, wanted.saturating_sub(partition)).unwrap_or_else(|| {
            Verdict::current(format!("Partition rollout complete. updated: {updated}"))
        });
    }
    if let Some(verdict) = short("current", status("currentReplicas"), wanted) {
        return verdict;
    }
    if object.text("status.currentRevision") != object.text("status.updateRevision") {
        return Verdict::in_progress("Waiting for updated revision to match current");
    }
    Verdict::current(format!("All replicas scheduled as expected. Replicas: {all}"))
}

fn daemon_set(object: &Object, _: Timestamp) -> Verdict {
    for field in ["metadata.generation", "status.observedGeneration"] {
        if object.int(field).is_none() {
            return Verdict::in_progress(format!("{} {field} not found", object.kind()));
        }
    }
    let Some(wanted) = object.int("status.desiredNumberScheduled") else {
        return Verdict::in_progress("Missing .status.desiredNumberScheduled");
    };
    let status = |field: &str| number(object, &format!("status.{field}"), 0);
    short("Current", status("currentNumberScheduled"), wanted)
        .or_else(|| short("Updated", status("updatedNumberScheduled"), wanted))
        .or_else(|| short("Available", status("numberAvailable"), wanted))
        .or_else(|| short("Ready", status("numberReady"), wanted))
        .unwrap_or_else(|| {
            Verdict::current(format!("All replicas scheduled as expected. Replicas: {wanted}"))
        })
}

fn definition(object: &Object, _: Timestamp) -> Verdict {
    let verdict = conditions(object).into_iter().find_map(|c| match c.kind.as_str() {
        "NamesAccepted" if c.is_false() => Some(Verdict::failed(c.message)),
        "Established" if c.is_false() && c.reason != "Installing" => {
            Some(Verdict::failed(c.message))
        }
        "Established" if c.is_true() => Some(Verdict::current("CRD is established")),
        _ => None,
    });
    verdict.unwrap_or_else(|| Verdict::in_progress("Install in progress"))
}

/// In progress when fewer are there than wanted.
fn short(what: &str, found: i64, wanted: i64) -> Option<Verdict> {
    (wanted > found).then(|| Verdict::in_progress(format!("{what}: {found}/{wanted}")))
}

/// In progress when more are there than wanted.
fn surplus(found: i64, wanted: i64) -> Option<Verdict> {
    let left = found.saturating_sub(wanted);
    (left > 0).then(|| Verdict::in_progress(format!("Pending termination: {left}")))
}

fn number(object: &Object, path: &str, default: i64) -> i64 {
    object.int(path).unwrap_or(default)
}
