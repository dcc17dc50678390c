//! ResourceQuotas and LimitRanges.

use std::collections::BTreeSet;

use serde_json::Value;

use super::names;
use super::pod::amount;
use super::report::{Node, Report};
use crate::object::Quantity;

/// What is counted in whole objects.
const OBJECTS: [&str; 9] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

/// What is measured.
const AMOUNTS: [&str; 10] = [
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
];

fn is_quota_name(name: &str) -> bool {
    OBJECTS.contains(&name)
        || AMOUNTS.contains(&name)
        || name.starts_with("hugepages-")
        || name.starts_with("requests.hugepages-")
}

pub(super) fn quota(spec: &Node, report: &mut Report) {
    let hard = spec.at("hard");
    for name in hard.keys() {
        let value = hard.key(name);
        check_name(&value, name, report);
        let Some(limit) = amount(&value) else { continue };
        if limit.milli_value() < 0 {
            report.invalid(&value, "must be greater than or equal to 0");
        }
        if is_whole(name) && limit.milli_value() % 1000 != 0 {
            report.invalid(&value, "must be an integer");
        }
    }
    check_scopes(&spec.at("scopes"), &hard, report);
}

fn check_name(value: &Node, name: &str, report: &mut Report) {
    let problems = names::label_key(name);
    let known = is_quota_name(name) || name == "storage";
    let key = Value::from(name);
    if problems.is_empty() && !name.contains('/') && !known {
        report.invalid_value(value, &key, "must be a standard resource type or fully qualified");
    }
    problems.iter().for_each(|problem| report.invalid_value(value, &key, problem));
    if !name.contains('/') && !is_quota_name(name) {
        report.invalid_value(value, &key, "must be a standard resource for quota");
    }
}

fn is_whole(name: &str) -> bool {
    let foreign = name.contains('/') && !name.contains("kubernetes.io/");
    OBJECTS.contains(&name) || foreign && !name.starts_with("requests.")
}

fn check_scopes(scopes: &Node, hard: &Node, report: &mut Report) {
    const KNOWN: [&str; 7] = [
        "BestEffort",
        "CrossNamespacePodAffinity",
        "NotBestEffort",
        "NotTerminating",
        "PriorityClass",
        "Terminating",
        "VolumeAttributesClass",
    ];
    const PAIRS: [[&str; 2]; 2] =
        [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];
    let all: BTreeSet<&str> = scopes.items().map(|scope| scope.text()).collect();
    for scope in &all {
        if !KNOWN.contains(scope) {
            report.invalid(scopes, "unsupported scope");
        }
        let counted = hard.keys().filter(|name| is_quota_name(name));
        for _ in counted.filter(|name| !is_in_scope(scope, name)) {
            report.invalid(scopes, "unsupported scope applied to resource");
        }
    }
    if PAIRS.iter().any(|pair| pair.iter().all(|scope| all.contains(scope))) {
        report.invalid(scopes, "conflicting scopes");
    }
}

/// Whether what `scope` picks has any of the resource.
fn is_in_scope(scope: &str, name: &str) -> bool {
    let of_pods = name == "pods"
        || AMOUNTS.contains(&name) && name != "requests.storage"
        || name.contains("hugepages-");
    match scope {
        "BestEffort" => name == "pods",
        "VolumeAttributesClass" => matches!(name, "persistentvolumeclaims" | "requests.storage"),
        "Terminating"
        | "NotTerminating"
        | "NotBestEffort"
        | "PriorityClass"
        | "CrossNamespacePodAffinity" => of_pods,
        _ => true,
    }
}

pub(super) fn limit(limit: &Node, report: &mut Report) {
    check_kind(limit, report);
    let fields = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];
    let maps = fields.map(|field| limit.at(field));
    let names: BTreeSet<&str> = maps.iter().flat_map(|map| map.keys()).collect();
    for name in names {
        check_order(name, &maps, report);
    }
}

fn check_kind(limit: &Node, report: &mut Report) {
    let kind = limit.at("type");
    if kind.text() == "Pod" {
        for field in ["default", "defaultRequest"] {
            let field = limit.at(field);
            if !field.is_zero() {
                report.forbidden(&field, "may not be specified when `type` is 'Pod'");
            }
        }
    }
    let storage = |field: &str| limit.at(field).key("storage").is_set();
    if kind.text() == "PersistentVolumeClaim" && !storage("min") && !storage("max") {
        report.required(
            &limit.at("limits"),
            "either minimum or maximum storage value is required, but neither was provided",
        );
    }
    let Some(list) = limit.above() else { return };
    let earlier = list.items().take(limit.index().unwrap_or(0));
    if earlier.map(|other| other.at("type").text()).any(|other| other == kind.text()) {
        report.duplicate(&kind);
    }
}

/// Of one resource: least, default request, default, most, in this order.
fn check_order(name: &str, [max, min, default, request, ratio]: &[Node; 5], report: &mut Report) {
    let (max, min, ratio) = (max.key(name), min.key(name), ratio.key(name));
    let (default, request) = (default.key(name), request.key(name));
    let mut check = |low: (&Node, &str), high: (&Node, &str), at: &Node, shown: &Node| {
        if let (Some(a), Some(b)) = (amount(low.0), amount(high.0))
            && a > b
        {
            let sentence = format!(
                "{} value {} is greater than {} value {}",
                low.1,
                low.0.text(),
                high.1,
                high.0.text()
            );
            report.invalid_value(at, shown.value, sentence);
        }
    };
    check((&min, "min"), (&max, "max"), &min, &min);
    check((&min, "min"), (&request, "default request"), &request, &request);
    check((&request, "default request"), (&max, "max"), &request, &request);
    check((&request, "default request"), (&default, "default limit"), &request, &request);
    check((&min, "min"), (&default, "default"), &default, &min);
    check((&default, "default"), (&max, "max"), &default, &max);
    check_ratio(&ratio, [&min, &max], report);
}

fn check_ratio(ratio: &Node, [min, max]: [&Node; 2], report: &mut Report) {
    let number = |quantity: Quantity| quantity.milli_value() as f64 / 1000.0;
    let Some(wanted) = amount(ratio).map(number) else { return };
    if wanted < 1.0 {
        report.invalid(ratio, format!("ratio {} is less than 1", ratio.text()));
    }
    if let (Some(min), Some(max)) = (amount(min).map(number), amount(max).map(number))
        && wanted > max / min
    {
        report.invalid(
            ratio,
            format!("ratio {} is greater than max/min = {:.6}", ratio.text(), max / min),
        );
    }
}
