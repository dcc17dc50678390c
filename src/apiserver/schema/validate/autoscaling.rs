//! HorizontalPodAutoscalers.

use serde_json::Value;

use super::pod::amount;
use super::report::{Node, Report};

/// At least one replica, and no less than the least.
pub(super) fn range(max: &Node, report: &mut Report) {
    let Some(spec) = max.above() else { return };
    let min = spec.at("minReplicas");
    if min.int().is_some_and(|min| min < 1) {
        report.invalid(&min, "must be greater than or equal to 1");
    }
    let most = max.int().unwrap_or(0);
    if most == 0 {
        report.required(max, "must be set and greater than 0");
    } else if most < 0 {
        report.invalid(max, "must be greater than or equal to 1");
    }
    if min.int().is_some_and(|min| most < min) {
        report.invalid(max, "must be greater than or equal to `minReplicas`");
    }
}

/// What is scaled belongs to a group.
pub(super) fn target_version(version: &Node, report: &mut Report) {
    let text = Value::from(version.text());
    let mut parts = version.text().split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (_, _, Some(_)) => report.invalid_value(
            version,
            &text,
            format!("unexpected GroupVersion string: {}", version.text()),
        ),
        (Some(group), Some(_), None) if !group.is_empty() => {}
        // The core group has what is scaled, too.
        _ if version
            .above()
            .is_some_and(|target| target.at("kind").text() == "ReplicationController") => {}
        _ => report.invalid_value(version, &text, "apiVersion must specify API group"),
    }
}

/// Only what is counted outside the pods can bring the first one back.
pub(super) fn scale_to_zero(spec: &Node, report: &mut Report) {
    let metrics = spec.at("metrics");
    let outside = metrics.items().any(|m| matches!(m.at("type").text(), "Object" | "External"));
    if spec.at("minReplicas").int() == Some(0) && !outside {
        report.forbidden(&metrics, "must specify at least one Object or External metric to support scaling to zero replicas");
    }
}

const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];

/// A metric has the one source that its type names.
pub(super) fn metric(metric: &Node, report: &mut Report) {
    let kind = metric.at("type").text();
    for (name, field) in SOURCES {
        let source = metric.at(field);
        if kind == name && !source.is_set() {
            report.required(&source, "must populate information for the given metric source");
        }
        if kind != name && source.is_set() {
            report.forbidden(&source, "must populate the given metric source only");
        }
        if source.is_set() {
            check_source(field, &source.at("target"), report);
        }
    }
}

fn check_source(field: &str, target: &Node, report: &mut Report) {
    let (value, average) = (target.at("value"), target.at("averageValue"));
    let utilization = target.at("averageUtilization");
    match field {
        "resource" | "containerResource" => match (utilization.is_set(), average.is_set()) {
            (false, false) => report.required(
                &utilization,
                "must set either a target raw value or a target utilization",
            ),
            (true, true) => report.forbidden(
                &average,
                "may not set both a target raw value and a target utilization",
            ),
            _ => {}
        },
        "pods" if !average.is_set() => {
            report.required(&average, "must specify a positive target averageValue")
        }
        "object" if !value.is_set() && !average.is_set() => {
            report.required(&average, "must set either a target value or averageValue")
        }
        "external" => match (value.is_set(), average.is_set()) {
            (false, false) => report.required(
                &average,
                "must set either a target value for metric or a per-pod target",
            ),
            (true, true) => report.forbidden(
                &value,
                "may not set both a target value for metric and a per-pod target",
            ),
            _ => {}
        },
        _ => {}
    }
}

pub(super) fn metric_target(target: &Node, report: &mut Report) {
    let kind = target.at("type");
    if !matches!(kind.text(), "Utilization" | "Value" | "AverageValue") {
        let text = Value::from(kind.text());
        report.invalid_value(&kind, &text, "must be either Utilization, Value, or AverageValue");
    }
    for field in ["value", "averageValue"] {
        let field = target.at(field);
        if amount(&field).is_some_and(|amount| amount.milli_value() <= 0) {
            report.invalid(&field, "must be positive");
        }
    }
    let utilization = target.at("averageUtilization");
    if utilization.int().is_some_and(|percent| percent < 1) {
        report.invalid(&utilization, "must be greater than 0");
    }
}

pub(super) fn scaling_rules(rules: &Node, report: &mut Report) {
    let window = rules.at("stabilizationWindowSeconds");
    match window.int() {
        Some(seconds) if seconds < 0 => {
            report.invalid(&window, "must be greater than or equal to zero")
        }
        Some(seconds) if seconds > 3600 => {
            report.invalid(&window, "must be less than or equal to 3600")
        }
        _ => {}
    }
}

pub(super) fn scaling_policy(policy: &Node, report: &mut Report) {
    for field in ["value", "periodSeconds"] {
        let field = policy.at(field);
        if field.int().unwrap_or(0) <= 0 {
            report.invalid(&field, "must be greater than zero");
        }
    }
    let period = policy.at("periodSeconds");
    if period.int().is_some_and(|seconds| seconds > 1800) {
        report.invalid(&period, "must be less than or equal to 1800");
    }
}
