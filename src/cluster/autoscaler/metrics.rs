//! What pods use, and what that means for their number.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cluster::pods;
use crate::object::{GroupVersionKind, Object, Quantity};
use crate::time::Timestamp;

/// How far a load may be from its aim before anything is done, in percent
/// (`--horizontal-pod-autoscaler-tolerance`).
const TOLERANCE: i128 = 10;

/// The definition under which PodMetrics can be stored: what a metrics server serves in a real cluster.
pub fn pod_metrics_definition() -> Object {
    let name = "pods.metrics.k8s.io";
    let mut definition =
        Object::new("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", name);
    definition
        .set_annotation("api-approved.kubernetes.io", "unapproved, a model of the metrics API");
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    definition.set("spec", json!({
        "group": "metrics.k8s.io",
        "names": {"kind": "PodMetrics", "listKind": "PodMetricsList", "plural": "pods", "singular": "pod"},
        "scope": "Namespaced",
        "versions": [{"name": "v1beta1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
    }));
    definition
}

/// What each container of a pod uses, as quantities: `pod_metrics(&pod, now, "250m", "64Mi")`.
pub fn pod_metrics(pod: &Object, now: Timestamp, cpu: &str, memory: &str) -> Object {
    let mut metrics =
        Object::new("metrics.k8s.io/v1beta1", "PodMetrics", pod.namespace(), pod.name());
    for (key, value) in pod.labels() {
        metrics.set_label(key, value);
    }
    metrics.set("timestamp", now.to_string());
    metrics.set("window", "15s");
    let usage = json!({"cpu": cpu, "memory": memory});
    let containers = pod.get("spec.containers").and_then(Value::as_array).into_iter().flatten();
    let containers: Vec<Value> =
        containers.map(|c| json!({"name": c["name"], "usage": usage})).collect();
    metrics.set("containers", containers);
    metrics
}

/// The kind of PodMetrics.
pub(super) fn kind() -> GroupVersionKind {
    GroupVersionKind::new("metrics.k8s.io/v1beta1", "PodMetrics")
}

/// What one metric says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reading {
    /// The number of pods that would meet the aim.
    pub(super) size: i64,
    /// The load, for the status.
    pub(super) current: Value,
    /// What was looked at, in the words of events.
    pub(super) what: String,
}

/// Usage in thousandths by pod and resource.
pub(super) type Usage = BTreeMap<String, BTreeMap<String, i128>>;

/// The usage that PodMetrics tell.
pub(super) fn by_pod(metrics: &[Object]) -> Usage {
    metrics.iter().map(|one| (one.name().to_owned(), usage(one))).collect()
}

fn usage(metrics: &Object) -> BTreeMap<String, i128> {
    let mut sums = BTreeMap::new();
    let containers = metrics.get("containers").and_then(Value::as_array).into_iter().flatten();
    for (resource, value) in containers.filter_map(|c| c["usage"].as_object()).flatten() {
        *sums.entry(resource.clone()).or_insert(0) += thousandths(value).unwrap_or(0);
    }
    sums
}

/// Reads every metric of an autoscaler; the one that asks for most pods counts.
///
/// # Errors
///
/// What could not be measured.
pub(super) fn measure(
    specs: &[Value],
    pods: &[Object],
    usage: &Usage,
    replicas: i64,
) -> Result<Vec<Reading>, String> {
    specs.iter().map(|spec| reading(spec, pods, usage, replicas)).collect()
}

fn reading(spec: &Value, pods: &[Object], usage: &Usage, replicas: i64) -> Result<Reading, String> {
    if spec["type"] != "Resource" {
        return Err(format!("metrics of type {} are not supported here", spec["type"]));
    }
    let name = spec["resource"]["name"].as_str().unwrap_or_default();
    let target = &spec["resource"]["target"];
    let load = Load::of(name, pods, usage)?;
    let (aim, what) = match target["averageUtilization"].as_i64() {
        Some(percent) => {
            let asked = load.asked.clone()?;
            let aim: Vec<i128> =
                asked.iter().map(|asked| asked * i128::from(percent) / 100).collect();
            (aim, "utilization (percentage of request)")
        }
        None => {
            let average = thousandths(&target["averageValue"]).unwrap_or(0);
            (vec![average; load.used.len()], "usage")
        }
    };
    let size = load.size(&aim, replicas);
    let current = load.current();
    let current = json!({"type": "Resource", "resource": {"name": name, "current": current}});
    Ok(Reading { size, current, what: format!("{name} resource {what}") })
}

/// The use of one resource by the pods of a target.
struct Load {
    /// Of each pod that is counted; `None` where there are no metrics.
    used: Vec<Option<i128>>,
    /// Whether each is ready.
    ready: Vec<bool>,
    /// What each asks for; an error when one asks for nothing.
    asked: Result<Vec<i128>, String>,
}

impl Load {
    fn of(resource: &str, pods: &[Object], usage: &Usage) -> Result<Self, String> {
        let counted: Vec<&Object> = pods.iter().filter(|pod| pods::is_active(pod)).collect();
        let used: Vec<Option<i128>> =
            counted.iter().map(|pod| usage.get(pod.name())?.get(resource).copied()).collect();
        if used.iter().all(Option::is_none) {
            return Err(format!(
                "unable to get metrics for resource {resource}: no metrics returned from resource metrics API"
            ));
        }
        Ok(Load {
            used,
            ready: counted.iter().map(|pod| pods::is_ready(pod)).collect(),
            asked: counted.iter().map(|pod| asked(pod, resource)).collect(),
        })
    }

    /// The number of pods at which each would use what is aimed at. Pods that are not ready or not
    /// measured never make it go further than it would without them.
    fn size(&self, aim: &[i128], replicas: i64) -> i64 {
        let measured = |i: &usize| self.used[*i].is_some() && self.ready[*i];
        let sum = |of: &dyn Fn(usize) -> i128, is: &dyn Fn(&usize) -> bool| -> i128 {
            (0..self.used.len()).filter(|i| is(i)).map(of).sum()
        };
        let used = sum(&|i| self.used[i].unwrap_or(0), &measured);
        let aimed = sum(&|i| aim[i], &measured).max(1);
        let counted = (0..self.used.len()).filter(|i| measured(i)).count() as i128;
        if counted == self.used.len() as i128 {
            return match is_near(used, aimed) {
                true => replicas,
                false => ceil_div(used * counted, aimed),
            };
        }
        let grows = used > aimed;
        let filled = sum(
            &|i| match (measured(&i), grows) {
                (true, _) => self.used[i].unwrap_or(0),
                (false, true) => 0,
                (false, false) => self.used[i].unwrap_or(aim[i]),
            },
            &|_| true,
        );
        let all_aimed = sum(&|i| aim[i], &|_| true).max(1);
        if is_near(filled, all_aimed) || (filled > all_aimed) != grows {
            return replicas;
        }
        let size = ceil_div(filled * self.used.len() as i128, all_aimed);
        if (size > replicas) == grows { size } else { replicas }
    }

    fn current(&self) -> Value {
        let measured: Vec<i128> = self.used.iter().flatten().copied().collect();
        let used: i128 = measured.iter().sum();
        let average = used / (measured.len() as i128).max(1);
        let mut current = json!({"averageValue": format_thousandths(average)});
        if let Ok(asked) = &self.asked {
            let known = self.used.iter().zip(asked).filter(|(used, _)| used.is_some());
            let asked: i128 = known.map(|(_, asked)| asked).sum();
            current["averageUtilization"] = ((used * 100 / asked.max(1)) as i64).into();
        }
        current
    }
}

fn is_near(used: i128, aimed: i128) -> bool {
    (used - aimed).abs() * 100 <= aimed * TOLERANCE
}

fn ceil_div(value: i128, by: i128) -> i64 {
    i64::try_from((value + by - 1) / by).unwrap_or(i64::MAX)
}

fn asked(pod: &Object, resource: &str) -> Result<i128, String> {
    let containers = pod.get("spec.containers").and_then(Value::as_array).into_iter().flatten();
    containers
        .map(|container| {
            thousandths(&container["resources"]["requests"][resource]).ok_or_else(|| {
                let name = container["name"].as_str().unwrap_or_default();
                format!("missing request for {resource} in container {name} of Pod {}", pod.name())
            })
        })
        .sum()
}

fn thousandths(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => Some(text.parse::<Quantity>().ok()?.milli_value()),
        number => Some(i128::from(number.as_i64()?) * 1000),
    }
}

fn format_thousandths(value: i128) -> String {
    match value % 1000 {
        0 => (value / 1000).to_string(),
        _ => format!("{value}m"),
    }
}
