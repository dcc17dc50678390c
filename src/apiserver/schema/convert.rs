//! One object at another version of its kind.

use serde_json::{Map, Value, json};

use super::decode::{normalize, zero};
use super::default::default;
use super::types::{KindSchema, Type};

/// `value`, of kind `from`, as an object of kind `to`: another version of the same kind, or
/// another view of the same stored objects.
///
/// A custom resource's versions differ in name only (`spec.conversion.strategy: None`), and in what
/// their schemas keep.
pub fn convert(from: &KindSchema, to: &KindSchema, value: &Value) -> Value {
    let mut value = value.clone();
    if from.gvk == to.gvk {
        return value;
    }
    if let Value::Object(fields) = &mut value {
        match (&*from.gvk.group, &*from.gvk.version, &*to.gvk.version) {
            ("autoscaling", "v1", "v2") => autoscaler_to_v2(fields),
            ("autoscaling", "v2", "v1") => autoscaler_to_v1(fields),
            ("", "v1", _) => event_to_new(fields),
            ("events.k8s.io", "v1", _) => event_to_core(fields),
            _ => {}
        }
        fields.insert("apiVersion".into(), to.gvk.api_version().into());
    }
    // What is stored is read with the defaults of the version that it was stored at.
    if to.is_custom() {
        default(to, &mut value);
    }
    // What the other version cannot read is its own to refuse; here it is kept as it is.
    let _ = normalize(to, &mut value);
    value
}

/// An object of the kind with nothing set, as Go makes it.
pub fn zero_object(kind: &KindSchema) -> Value {
    let mut zero = match kind.is_custom() {
        true => json!({}),
        false => zero(&Type::Struct(kind.root.clone())),
    };
    zero["apiVersion"] = kind.gvk.api_version().into();
    zero["kind"] = kind.gvk.kind.as_str().into();
    zero
}

/// Annotations that carry what autoscaling/v1 has no field for.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";

fn autoscaler_to_v2(fields: &mut Map<String, Value>) {
    let mut metrics = take_annotation(fields, METRICS).map(metrics_from_v1).unwrap_or_default();
    let behavior = take_annotation(fields, BEHAVIOR);
    let conditions = take_annotation(fields, CONDITIONS);
    let current = take_annotation(fields, CURRENT_METRICS);
    if let Some(spec) = object(fields, "spec") {
        if let Some(target) = spec.remove("targetCPUUtilizationPercentage") {
            metrics.insert(0, cpu_target(target));
        }
        if !metrics.is_empty() {
            spec.insert("metrics".into(), metrics.into());
        }
        if let Some(behavior) = behavior {
            spec.insert("behavior".into(), lower_keys(behavior));
        }
    }
    if let Some(status) = object(fields, "status") {
        let mut current = current.map(metrics_from_v1).unwrap_or_default();
        if let Some(percent) = status.remove("currentCPUUtilizationPercentage") {
            current.insert(0, json!({"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}}));
        }
        if !current.is_empty() {
            status.insert("currentMetrics".into(), current.into());
        }
        if let Some(conditions) = conditions {
            status.insert("conditions".into(), conditions);
        }
    }
}

fn autoscaler_to_v1(fields: &mut Map<String, Value>) {
    let mut annotations: Vec<(&str, Value)> = Vec::new();
    if let Some(spec) = object(fields, "spec") {
        let metrics = spec.remove("metrics");
        let mut metrics = metrics.and_then(|m| m.as_array().cloned()).unwrap_or_default();
        if let Some(i) = metrics.iter().position(is_cpu_utilization) {
            let metric = metrics.remove(i);
            let target = metric.pointer("/resource/target/averageUtilization").cloned();
            spec.insert("targetCPUUtilizationPercentage".into(), target.unwrap_or_default());
        }
        if !metrics.is_empty() {
            annotations.push((METRICS, metrics_to_v1(metrics)));
        }
        if let Some(behavior) = spec.remove("behavior") {
            annotations.push((BEHAVIOR, upper_keys(behavior)));
        }
    }
    if let Some(status) = object(fields, "status") {
        if let Some(conditions) = status.remove("conditions").filter(|c| !c.is_null()) {
            annotations.push((CONDITIONS, conditions));
        }
        let current = status.remove("currentMetrics");
        let mut current = current.and_then(|m| m.as_array().cloned()).unwrap_or_default();
        if let Some(i) =
            current.iter().position(|m| m.pointer("/resource/name") == Some(&json!("cpu")))
        {
            let percent = current[i].pointer("/resource/current/averageUtilization").cloned();
            if let Some(percent) = percent {
                status.insert("currentCPUUtilizationPercentage".into(), percent);
            }
            current.remove(i);
        }
        if !current.is_empty() {
            annotations.push((CURRENT_METRICS, metrics_to_v1(current)));
        }
    }
    let Some(metadata) = object(fields, "metadata") else { return };
    for (name, value) in annotations {
        let own = metadata.entry("annotations").or_insert_with(|| json!({}));
        own[name] = value.to_string().into();
    }
}

fn is_cpu_utilization(metric: &Value) -> bool {
    metric.pointer("/resource/name") == Some(&json!("cpu"))
        && metric.pointer("/resource/target/averageUtilization").is_some()
}

fn cpu_target(percent: Value) -> Value {
    json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}})
}

/// The metrics of autoscaling/v1's annotation have their targets flat.
fn metrics_to_v1(metrics: Vec<Value>) -> Value {
    let flat = metrics.into_iter().map(|mut metric| {
        for source in metric.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let Value::Object(source) = source else { continue };
            for (from, prefix) in [("target", "target"), ("current", "current")] {
                let Some(Value::Object(target)) = source.remove(from) else { continue };
                for (name, value) in target {
                    let name = match &*name {
                        "averageUtilization" => format!("{prefix}AverageUtilization"),
                        "averageValue" => format!("{prefix}AverageValue"),
                        "value" => format!("{prefix}Value"),
                        _ => continue,
                    };
                    source.insert(name, value);
                }
            }
        }
        metric
    });
    Value::Array(flat.collect())
}

fn metrics_from_v1(metrics: Value) -> Vec<Value> {
    let Value::Array(mut metrics) = metrics else { return Vec::new() };
    for source in metrics.iter_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let Value::Object(source) = source else { continue };
        for (prefix, field) in [("target", "target"), ("current", "current")] {
            let mut target = Map::new();
            for (flat, name, kind) in [
                ("AverageUtilization", "averageUtilization", "Utilization"),
                ("AverageValue", "averageValue", "AverageValue"),
                ("Value", "value", "Value"),
            ] {
                if let Some(value) = source.remove(&format!("{prefix}{flat}")) {
                    target.insert(name.into(), value);
                    if field == "target" {
                        target.insert("type".into(), kind.into());
                    }
                }
            }
            if !target.is_empty() {
                source.insert(field.into(), target.into());
            }
        }
    }
    metrics
}

/// The behaviour annotation is written with Go's own field names.
fn upper_keys(value: Value) -> Value {
    rename_keys(value, |c| c.to_ascii_uppercase())
}

fn lower_keys(value: Value) -> Value {
    rename_keys(value, |c| c.to_ascii_lowercase())
}

fn rename_keys(value: Value, case: fn(char) -> char) -> Value {
    match value {
        Value::Object(fields) => {
            let renamed = fields.into_iter().map(|(name, value)| {
                let mut letters = name.chars();
                let first = letters.next().map(case);
                (first.into_iter().chain(letters).collect(), rename_keys(value, case))
            });
            Value::Object(renamed.collect())
        }
        Value::Array(items) => items.into_iter().map(|item| rename_keys(item, case)).collect(),
        other => other,
    }
}

fn take_annotation(fields: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let annotations = object(object(fields, "metadata")?, "annotations")?;
    let text = annotations.remove(name)?;
    serde_json::from_str(text.as_str()?).ok()
}

/// The same event in both groups: what the older one calls otherwise.
const EVENT_FIELDS: [(&str, &str); 6] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

fn event_to_new(fields: &mut Map<String, Value>) {
    let mut renames: Vec<_> = EVENT_FIELDS.to_vec();
    renames.push(("reportingComponent", "reportingController"));
    rename(fields, renames);
}

fn event_to_core(fields: &mut Map<String, Value>) {
    let mut renames: Vec<_> = EVENT_FIELDS.iter().map(|(core, new)| (*new, *core)).collect();
    renames.push(("reportingController", "reportingComponent"));
    rename(fields, renames);
}

fn rename(fields: &mut Map<String, Value>, renames: Vec<(&str, &str)>) {
    for (from, to) in renames {
        if let Some(value) = fields.remove(from) {
            fields.insert(to.into(), value);
        }
    }
}

fn object<'a>(
    fields: &'a mut Map<String, Value>,
    name: &str,
) -> Option<&'a mut Map<String, Value>> {
    fields.get_mut(name)?.as_object_mut()
}
