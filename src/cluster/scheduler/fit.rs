//! Which nodes a pod fits on, and which of them is best.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cluster::pods;
use crate::object::{LabelSelector, Object, Quantity};

/// The parts of a node that decide what fits on it.
pub(super) fn offer(node: &Object) -> [Option<&Value>; 5] {
    let at = |path: &str| node.get(path);
    let ready = pods::condition(node, "Ready").and_then(|ready| ready.get("status"));
    let (labels, taints) = (at("metadata.labels"), at("spec.taints"));
    [labels, taints, at("spec.unschedulable"), at("status.allocatable"), ready]
}

/// The best node for a pod, given all pods there are.
///
/// # Errors
///
/// Why there is none, as `kubectl describe pod` shows it.
pub(super) fn best_node<'a>(
    pod: &Object,
    nodes: &'a [Object],
    others: &[Object],
) -> Result<&'a Object, String> {
    if nodes.is_empty() {
        return Err("no nodes available to schedule pods".into());
    }
    let mut obstacles: BTreeMap<String, usize> = BTreeMap::new();
    let mut fitting: Vec<(usize, usize, &Object)> = Vec::new();
    for node in nodes {
        let there: Vec<&Object> = others.iter().filter(|other| is_on(other, node)).collect();
        let found = obstacles_on(node, pod, &there);
        if found.is_empty() {
            let siblings = there.iter().filter(|other| are_siblings(pod, other)).count();
            fitting.push((siblings, there.len(), node));
        }
        found.into_iter().for_each(|obstacle| *obstacles.entry(obstacle).or_default() += 1);
    }
    fitting.sort_by_key(|(siblings, all, node)| (*siblings, *all, node.name()));
    fitting.first().map(|(_, _, node)| *node).ok_or_else(|| summary(nodes.len(), &obstacles))
}

fn summary(nodes: usize, obstacles: &BTreeMap<String, usize>) -> String {
    let mut parts: Vec<String> = obstacles.iter().map(|(why, n)| format!("{n} {why}")).collect();
    parts.sort();
    format!("0/{nodes} nodes are available: {}.", parts.join(", "))
}

fn is_on(pod: &Object, node: &Object) -> bool {
    pod.text("spec.nodeName") == node.name() && !pods::is_finished(pod)
}

fn are_siblings(pod: &Object, other: &Object) -> bool {
    match (pod.controller(), other.controller()) {
        (Some(one), Some(two)) => one.uid == two.uid,
        _ => false,
    }
}

fn obstacles_on(node: &Object, pod: &Object, there: &[&Object]) -> Vec<String> {
    let cordoned = json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
    if node.get("spec.unschedulable") == Some(&Value::Bool(true)) && !is_tolerated(pod, &cordoned) {
        return vec!["node(s) were unschedulable".into()];
    }
    if pods::condition(node, "Ready").is_none_or(|ready| ready["status"] != "True") {
        return vec!["node(s) had untolerated taint {node.kubernetes.io/not-ready: }".into()];
    }
    if let Some(taint) = taints(node).find(|taint| !is_tolerated(pod, taint)) {
        let text = |field: &str| taint[field].as_str().unwrap_or_default();
        let taint = format!("{{{}: {}}}", text("key"), text("value"));
        return vec![format!("node(s) had untolerated taint {taint}")];
    }
    if !is_selected(pod, node) {
        return vec!["node(s) didn't match Pod's node affinity/selector".into()];
    }
    lacks(node, pod, there)
}

/// Taints that keep pods from being placed.
fn taints(node: &Object) -> impl Iterator<Item = &Value> {
    let taints = node.get("spec.taints").and_then(Value::as_array).into_iter().flatten();
    taints.filter(|taint| matches!(taint["effect"].as_str(), Some("NoSchedule" | "NoExecute")))
}

/// Whether a pod tolerates a taint.
pub(crate) fn is_tolerated(pod: &Object, taint: &Value) -> bool {
    tolerations(pod).any(|toleration| tolerates(toleration, taint))
}

/// The tolerations of a pod.
pub(crate) fn tolerations(pod: &Object) -> impl Iterator<Item = &Value> {
    pod.get("spec.tolerations").and_then(Value::as_array).into_iter().flatten()
}

/// Whether a toleration covers a taint: no effect means every effect, no key with `Exists` every key.
pub(crate) fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let (key, effect) = (text(toleration, "key"), text(toleration, "effect"));
    let exists = text(toleration, "operator") == "Exists";
    (effect.is_empty() || effect == text(taint, "effect"))
        && (key == text(taint, "key") || key.is_empty() && exists)
        && (exists || text(toleration, "value") == text(taint, "value"))
}

/// `nodeSelector` and the required node affinity, by labels.
pub(crate) fn is_selected(pod: &Object, node: &Object) -> bool {
    let wanted = pod.get("spec.nodeSelector").and_then(Value::as_object).into_iter().flatten();
    let affinity = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution";
    let terms = pod.get(affinity).and_then(|a| a["nodeSelectorTerms"].as_array());
    wanted.into_iter().all(|(key, value)| node.label(key) == value.as_str())
        && terms.is_none_or(|terms| terms.iter().any(|term| term_matches(term, node)))
}

fn term_matches(term: &Value, node: &Object) -> bool {
    let by_name = term["matchFields"].as_array().into_iter().flatten().all(|field| {
        let values = field["values"].as_array().into_iter().flatten();
        values.into_iter().any(|value| value.as_str() == Some(node.name()))
    });
    by_name && LabelSelector::from_value(term).matches(node)
}

fn lacks(node: &Object, pod: &Object, there: &[&Object]) -> Vec<String> {
    let room = |resource: &str| quantity(node.get("status.allocatable")?.get(resource)?);
    let mut lacking = Vec::new();
    if room("pods").is_some_and(|room| (there.len() as i128 + 1) * 1000 > room) {
        lacking.push("Too many pods".into());
    }
    for resource in ["cpu", "memory"] {
        let asked = requested(pod, resource);
        let taken: i128 = there.iter().map(|other| requested(other, resource)).sum();
        if asked > 0 && room(resource).is_some_and(|room| asked + taken > room) {
            lacking.push(format!("Insufficient {resource}"));
        }
    }
    lacking
}

/// What the containers of a pod ask for, in thousandths.
pub(crate) fn requested(pod: &Object, resource: &str) -> i128 {
    let containers = pod.get("spec.containers").and_then(Value::as_array).into_iter().flatten();
    containers
        .filter_map(|container| {
            quantity(container.get("resources")?.get("requests")?.get(resource)?)
        })
        .sum()
}

fn quantity(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => Some(text.parse::<Quantity>().ok()?.milli_value()),
        number => Some(i128::from(number.as_i64()?) * 1000),
    }
}
