//! Deployments, ReplicaSets, StatefulSets, DaemonSets.

use serde_json::Value;

use super::report::{Node, Report};
use super::rules::int_or_percent;
use super::selectors;

const MISMATCH: &str = "`selector` does not match template `labels`";

/// The selector of a workload, against the labels of its template.
pub(super) fn selector(structure: &str, selector: &Node, report: &mut Report) {
    let empty = selector.is_set() && selectors::is_empty(selector);
    if empty {
        let kind = if structure == "StatefulSetSpec" { "statefulset" } else { "deployment" };
        report.invalid(selector, format!("empty selector is invalid for {kind}"));
    }
    if !selectors::is_valid(selector) {
        let detail = if structure == "StatefulSetSpec" { "" } else { "invalid label selector" };
        report.invalid_structure(selector, "LabelSelector", detail);
    } else if !empty {
        check_template_labels(selector, report);
    }
}

/// Whether a workload's selector can be read; if not, its template is not looked at.
pub(super) fn has_selector(spec: &Node) -> bool {
    selectors::is_valid(&spec.at("selector"))
}

/// A DaemonSet says first that the labels do not match.
pub(super) fn daemon_selector(selector: &Node, report: &mut Report) {
    check_template_labels(selector, report);
    if selector.is_set() && selectors::is_empty(selector) {
        report.invalid(selector, "empty selector is invalid for daemonset");
    }
}

/// The labels of the template are what the selector picks.
pub(super) fn check_template_labels(selector: &Node, report: &mut Report) {
    let Some(spec) = selector.above() else { return };
    let template = spec.at("template");
    let metadata = template.at("metadata");
    let labels = metadata.at("labels");
    if selectors::is_valid(selector) && !selectors::picks(selector, &labels) {
        report.invalid(&labels, MISMATCH);
    }
}

/// A ReplicationController selects by plain labels.
pub(super) fn replication_template(replicas: &Node, report: &mut Report) {
    let Some(spec) = replicas.above() else { return };
    let (selector, template) = (spec.at("selector"), spec.at("template"));
    let metadata = template.at("metadata");
    let labels = metadata.at("labels");
    if !template.is_set() {
        return;
    }
    let picks = |key: &str| labels.value.get(key) == selector.value.get(key);
    if !selector.keys().all(picks) {
        report.invalid(&labels, MISMATCH);
    }
}

pub(super) fn deployment_strategy(strategy: &Node, report: &mut Report) {
    let rolling = strategy.at("rollingUpdate");
    match strategy.at("type").text() {
        "Recreate" if rolling.is_set() => {
            report.forbidden(&rolling, "may not be specified when strategy `type` is 'Recreate'")
        }
        "Recreate" => {}
        "RollingUpdate" => {
            let (unavailable, surge) = (rolling.at("maxUnavailable"), rolling.at("maxSurge"));
            if int_or_percent(unavailable.value) == 0 && int_or_percent(surge.value) == 0 {
                report.invalid(&unavailable, "may not be 0 when `maxSurge` is 0");
            }
            let percent = matches!(unavailable.value, Value::String(_));
            if percent && int_or_percent(unavailable.value) > 100 {
                report.invalid(&unavailable, "must not be greater than 100%");
            }
        }
        _ => report.unsupported_structure(
            strategy,
            "DeploymentStrategy",
            &["Recreate", "RollingUpdate"],
        ),
    }
}

pub(super) fn daemon_set_strategy(strategy: &Node, report: &mut Report) {
    match strategy.at("type").text() {
        "OnDelete" => {}
        "RollingUpdate" => {
            let rolling = strategy.at("rollingUpdate");
            let (unavailable, surge) = (rolling.at("maxUnavailable"), rolling.at("maxSurge"));
            match (int_or_percent(unavailable.value) != 0, int_or_percent(surge.value) != 0) {
                (true, true) => {
                    report.invalid(&surge, "may not be set when maxUnavailable is non-zero")
                }
                (false, false) => report.required(&unavailable, "cannot be 0 when maxSurge is 0"),
                _ => {}
            }
        }
        _ => report.unsupported_structure(
            strategy,
            "DaemonSetUpdateStrategy",
            &["RollingUpdate", "OnDelete"],
        ),
    }
}

pub(super) fn stateful_set_strategy(strategy: &Node, report: &mut Report) {
    let rolling = strategy.at("rollingUpdate");
    match strategy.at("type").text() {
        "RollingUpdate" => {}
        "OnDelete" if rolling.is_set() => {
            report.invalid(&rolling, "only allowed for updateStrategy 'RollingUpdate'")
        }
        "OnDelete" => {}
        _ => report.invalid_structure(
            strategy,
            "StatefulSetUpdateStrategy",
            "must be 'RollingUpdate' or 'OnDelete'",
        ),
    }
}

pub(super) fn pod_management(policy: &Node, report: &mut Report) {
    if !matches!(policy.text(), "" | "OrderedReady" | "Parallel") {
        report.invalid(policy, "must be 'OrderedReady' or 'Parallel'");
    }
}

pub(super) fn deployment(spec: &Node, report: &mut Report) {
    restart_policy("ReplicaSetSpec", spec, report);
    let deadline = spec.at("progressDeadlineSeconds");
    let ready = spec.at("minReadySeconds").int().unwrap_or(0);
    if deadline.int().is_some_and(|deadline| deadline <= ready) {
        report.invalid(&deadline, "must be greater than minReadySeconds");
    }
}

/// What runs for good restarts for good.
pub(super) fn restart_policy(structure: &str, spec: &Node, report: &mut Report) {
    let template = spec.at("template");
    if !template.is_set()
        || !matches!(structure, "DaemonSetSpec" | "ReplicationControllerSpec")
            && !has_selector(spec)
    {
        return;
    }
    let pod = template.at("spec");
    let policy = pod.at("restartPolicy");
    if policy.text() != "Always" {
        report.unsupported(&policy, &["Always"]);
    }
    let deadline = pod.at("activeDeadlineSeconds");
    if deadline.is_set() {
        let kind = structure.trim_end_matches("Spec");
        report.forbidden(&deadline, format!("activeDeadlineSeconds in {kind} is not Supported"));
    }
}

/// No part of a status counts more than all.
pub(super) fn status(structure: &str, status: &Node, report: &mut Report) {
    let count = |field: &str| status.value.get(field).and_then(Value::as_i64).unwrap_or(0);
    let parts: &[&str] = match structure {
        "DeploymentStatus" => &["updatedReplicas", "readyReplicas", "availableReplicas"],
        "ReplicaSetStatus" => &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
        _ => &["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"],
    };
    for part in parts {
        if count(part) > count("replicas") {
            report.invalid(&status.at(part), "cannot be greater than status.replicas");
        }
    }
    if count("availableReplicas") > count("readyReplicas") {
        let of = if structure == "StatefulSetStatus" { "status." } else { "" };
        let available = status.at("availableReplicas");
        report.invalid(&available, format!("cannot be greater than {of}readyReplicas"));
    }
}

/// What of a StatefulSet may change.
pub(super) fn stateful_set_change(new: &Node, old: &Node, report: &mut Report) {
    const FREE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let (spec, old) = (new.at("spec"), old.at("spec"));
    let mut fields = spec.keys().chain(old.keys()).filter(|field| !FREE.contains(field));
    if fields.any(|field| spec.value.get(field) != old.value.get(field)) {
        report.forbidden(
            &spec,
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        );
    }
}
