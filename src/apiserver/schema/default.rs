//! What the server fills in: the table's and a definition's defaults, and the rules that need to look
//! at more than one field.

use serde_json::{Map, Value, json};

use super::decode::is_zero;
use super::types::{Field, KindSchema, Struct, Type};

/// Fills in what is unset, as the server does before it stores or compares an object.
///
/// ```
/// use driftlab::apiserver::schema::{Registry, default};
/// use driftlab::object::GroupVersionKind;
/// use serde_json::json;
/// let registry = Registry::builtin();
/// let kind = registry.kind(&GroupVersionKind::new("v1", "Secret")).unwrap();
/// let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}});
/// default(kind, &mut secret);
/// assert_eq!(secret["type"], "Opaque");
/// ```
pub fn default(kind: &KindSchema, object: &mut Value) {
    let Value::Object(fields) = object else { return };
    match kind.is_custom() {
        true => custom_fields(&kind.root, fields),
        false => fill(&kind.root, fields),
    }
}

/// Fills a structure, then what is in it.
fn fill(ty: &Struct, fields: &mut Map<String, Value>) {
    rule(&ty.name, fields);
    for field in ty.fields.iter().filter(|field| field.default.is_some()) {
        if is_unset(field, fields) {
            let value = field.default.clone().expect("filtered");
            fields.insert(field.name.to_string(), value);
        }
    }
    fill_below(ty, fields);
}

/// Fills what is in a structure.
fn fill_below(ty: &Struct, fields: &mut Map<String, Value>) {
    for (name, value) in fields {
        match (ty.field(name), &*ty.name) {
            // A Job's defaults are its own: its template in a CronJob has those of its pods alone.
            (Some(field), "JobTemplateSpec") if name == "spec" => {
                if let (Type::Struct(spec), Value::Object(fields)) = (&field.ty, value) {
                    fill_below(spec, fields);
                }
            }
            (Some(field), _) => fill_value(&field.ty, value),
            (None, _) => {}
        }
    }
}

fn is_unset(field: &Field, fields: &Map<String, Value>) -> bool {
    match fields.get(&*field.name) {
        None => true,
        Some(value) if field.pointer => value.is_null(),
        Some(value) => is_zero(value),
    }
}

fn fill_value(ty: &Type, value: &mut Value) {
    match (ty, value) {
        (Type::Struct(structure), Value::Object(fields)) => fill(structure, fields),
        (Type::List(list), Value::Array(items)) if holds_structures(&list.element) => {
            items.iter_mut().for_each(|item| fill_value(&list.element, item))
        }
        (Type::Map(map), Value::Object(entries)) if holds_structures(&map.element) => {
            entries.values_mut().for_each(|value| fill_value(&map.element, value))
        }
        _ => {}
    }
}

fn holds_structures(ty: &Type) -> bool {
    matches!(ty, Type::Struct(_) | Type::List(_) | Type::Map(_))
}

/// A definition's defaults (KEP-575): they also replace a null that is not allowed.
fn custom_fields(ty: &Struct, fields: &mut Map<String, Value>) {
    for field in &ty.fields {
        let Some(default) = &field.default else { continue };
        let unset = match fields.get(&*field.name) {
            None => true,
            Some(value) => value.is_null() && !field.nullable,
        };
        if unset {
            fields.insert(field.name.to_string(), default.clone());
        }
    }
    for (name, value) in fields {
        if let Some(field) = ty.field(name) {
            custom_value(&field.ty, value);
        }
    }
}

fn custom_value(ty: &Type, value: &mut Value) {
    match (ty, value) {
        (Type::Struct(structure), Value::Object(fields)) => custom_fields(structure, fields),
        (Type::List(list), Value::Array(items)) => {
            items.iter_mut().for_each(|item| custom_value(&list.element, item))
        }
        (Type::Map(map), Value::Object(entries)) => {
            entries.values_mut().for_each(|value| custom_value(&map.element, value))
        }
        _ => {}
    }
}

/// The defaults that depend on other fields, by the name of the structure they are rules of.
/// They run before the structure's plain defaults.
///
/// Source: the `SetDefaults_` functions of Kubernetes.
fn rule(structure: &str, fields: &mut Map<String, Value>) {
    match structure {
        "Pod" => pod(fields),
        "Volume" => volume(fields),
        "Container" | "EphemeralContainer" => container(fields),
        "Namespace" => namespace(fields),
        "NodeStatus" => copy_if_unset(fields, "capacity", "allocatable"),
        "LimitRangeItem" => limit_range_item(fields),
        "ReplicationController" => replication_controller(fields),
        "ServiceSpec" => service(fields),
        "DeploymentStrategy" | "DaemonSetUpdateStrategy" => rolling_update(fields),
        "StatefulSetSpec" => items(fields, "volumeClaimTemplates").for_each(|claim| {
            set_if_unset(claim, "apiVersion", "v1");
            set_if_unset(claim, "kind", "PersistentVolumeClaim");
        }),
        "StatefulSetUpdateStrategy" => stateful_set_strategy(fields),
        "Job" => job(fields),
        "autoscaling.v2.HorizontalPodAutoscalerSpec" => autoscaler(fields),
        "NetworkPolicySpec" => network_policy(fields),
        "Subject" => subject(fields),
        "CustomResourceDefinition" => definition(fields),
        "CustomResourceDefinitionNames" => definition_names(fields),
        _ => {}
    }
}

fn unset(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_none_or(is_zero)
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or("")
}

fn copy_if_unset(fields: &mut Map<String, Value>, from: &str, to: &str) {
    if let (true, Some(value)) = (unset(fields, to), fields.get(from)) {
        fields.insert(to.into(), value.clone());
    }
}

fn set_if_unset(fields: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if unset(fields, name) {
        fields.insert(name.into(), value.into());
    }
}

/// A pointer's zero is set: only absence or null is filled.
fn set_if_absent(fields: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if fields.get(name).is_none_or(Value::is_null) {
        fields.insert(name.into(), value.into());
    }
}

fn object<'a>(
    fields: &'a mut Map<String, Value>,
    name: &str,
) -> Option<&'a mut Map<String, Value>> {
    fields.get_mut(name)?.as_object_mut()
}

fn items<'a>(
    fields: &'a mut Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let list = fields.get_mut(name).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn pod(fields: &mut Map<String, Value>) {
    let Some(spec) = object(fields, "spec") else { return };
    set_if_absent(spec, "enableServiceLinks", true);
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for list in ["containers", "initContainers"] {
        for container in items(spec, list) {
            if let Some(resources) = object(container, "resources") {
                requests_from_limits(resources);
            }
            if host_network {
                items(container, "ports")
                    .for_each(|port| copy_if_unset(port, "containerPort", "hostPort"));
            }
        }
    }
    if let Some(resources) = object(spec, "resources") {
        requests_from_limits(resources);
    }
}

fn requests_from_limits(resources: &mut Map<String, Value>) {
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    let requests = resources.entry("requests").or_insert_with(|| json!({}));
    if let Value::Object(requests) = requests {
        for (name, amount) in limits {
            requests.entry(name).or_insert(amount);
        }
    }
}

fn volume(fields: &mut Map<String, Value>) {
    if fields.keys().all(|name| name == "name") {
        fields.insert("emptyDir".into(), json!({}));
    }
    if let Some(image) = object(fields, "image") {
        let policy = pull_policy(text(image, "reference"));
        set_if_unset(image, "pullPolicy", policy);
    }
}

fn container(fields: &mut Map<String, Value>) {
    let policy = pull_policy(text(fields, "image"));
    set_if_unset(fields, "imagePullPolicy", policy);
}

/// `Always` for the tag `latest`, written or understood; `IfNotPresent` for others and for digests.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image.split_once('@').unwrap_or((image, ""));
    let name = name.rsplit('/').next().unwrap_or(name);
    match name.split_once(':') {
        Some((_, tag)) if tag != "latest" => "IfNotPresent",
        None if !digest.is_empty() => "IfNotPresent",
        // What cannot be read as an image has no tag.
        _ if image.is_empty() || image.chars().any(|c| c.is_ascii_uppercase() || c == ' ') => {
            "IfNotPresent"
        }
        _ => "Always",
    }
}

fn namespace(fields: &mut Map<String, Value>) {
    let Some(metadata) = object(fields, "metadata") else { return };
    let name = text(metadata, "name").to_string();
    if !name.is_empty() {
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        labels["kubernetes.io/metadata.name"] = name.into();
    }
}

fn limit_range_item(fields: &mut Map<String, Value>) {
    if text(fields, "type") != "Container" {
        return;
    }
    for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")]
    {
        let Some(Value::Object(source)) = fields.get(from).cloned() else { continue };
        let target = fields.entry(to).or_insert_with(|| json!({}));
        for (name, amount) in source {
            if target.get(&name).is_none() {
                target[&name] = amount;
            }
        }
    }
}

fn replication_controller(fields: &mut Map<String, Value>) {
    let labels = fields.get("spec").and_then(|spec| spec.pointer("/template/metadata/labels"));
    let Some(labels) = labels.cloned() else { return };
    if let Some(spec) = object(fields, "spec") {
        set_if_unset(spec, "selector", labels.clone());
    }
    if let Some(metadata) = object(fields, "metadata") {
        set_if_unset(metadata, "labels", labels);
    }
}

fn service(fields: &mut Map<String, Value>) {
    match text(fields, "sessionAffinity") {
        "" | "None" => {
            fields.remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            let timeout = fields
                .get("sessionAffinityConfig")
                .and_then(|c| c.pointer("/clientIP/timeoutSeconds"));
            if timeout.is_none_or(Value::is_null) {
                fields.insert(
                    "sessionAffinityConfig".into(),
                    json!({"clientIP": {"timeoutSeconds": 10800}}),
                );
            }
        }
        _ => {}
    }
    for port in items(fields, "ports") {
        let number = port.get("port").cloned().unwrap_or_default();
        set_if_unset(port, "targetPort", number);
    }
    set_if_unset(fields, "type", "ClusterIP");
    let kind = text(fields, "type").to_string();
    let external_ips = fields.get("externalIPs").is_some_and(|ips| !is_zero(ips));
    let outside =
        matches!(&*kind, "NodePort" | "LoadBalancer") || kind == "ClusterIP" && external_ips;
    if outside {
        set_if_unset(fields, "externalTrafficPolicy", "Cluster");
    }
    if matches!(&*kind, "ClusterIP" | "NodePort" | "LoadBalancer") {
        set_if_absent(fields, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set_if_absent(fields, "allocateLoadBalancerNodePorts", true);
    }
}

fn rolling_update(fields: &mut Map<String, Value>) {
    if matches!(text(fields, "type"), "" | "RollingUpdate") {
        set_if_absent(fields, "rollingUpdate", json!({}));
    }
}

fn stateful_set_strategy(fields: &mut Map<String, Value>) {
    if text(fields, "type").is_empty() {
        fields.insert("type".into(), "RollingUpdate".into());
        set_if_absent(fields, "rollingUpdate", json!({}));
    }
    if text(fields, "type") == "RollingUpdate"
        && let Some(rolling) = object(fields, "rollingUpdate")
    {
        set_if_absent(rolling, "partition", 0);
    }
}

/// Jobs that a CronJob makes get theirs when they are made.
fn job(fields: &mut Map<String, Value>) {
    if let Some(spec) = object(fields, "spec") {
        job_spec(spec);
    }
    let labels = fields.get("spec").and_then(|spec| spec.pointer("/template/metadata/labels"));
    let Some(labels) = labels.cloned() else { return };
    if let Some(metadata) = object(fields, "metadata") {
        set_if_unset(metadata, "labels", labels);
    }
}

fn job_spec(fields: &mut Map<String, Value>) {
    let absent = |fields: &Map<String, Value>, name| fields.get(name).is_none_or(Value::is_null);
    if absent(fields, "completions") && absent(fields, "parallelism") {
        fields.insert("completions".into(), 1.into());
    }
    set_if_absent(fields, "parallelism", 1);
    set_if_absent(fields, "completionMode", "NonIndexed");
    set_if_absent(fields, "suspend", false);
    set_if_absent(fields, "manualSelector", false);
    let limit = if absent(fields, "backoffLimitPerIndex") { 6 } else { i32::MAX };
    set_if_absent(fields, "backoffLimit", limit);
    let replace = if absent(fields, "podFailurePolicy") { "TerminatingOrFailed" } else { "Failed" };
    set_if_absent(fields, "podReplacementPolicy", replace);
}

fn autoscaler(fields: &mut Map<String, Value>) {
    set_if_unset(
        fields,
        "metrics",
        json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]),
    );
    let Some(behavior) = object(fields, "behavior") else { return };
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    let mut fill = |name: &str, policies: Value| {
        set_if_absent(behavior, name, json!({}));
        let rules = object(behavior, name).expect("just made");
        set_if_absent(rules, "selectPolicy", "Max");
        set_if_absent(rules, "policies", policies);
        if name == "scaleUp" {
            set_if_absent(rules, "stabilizationWindowSeconds", 0);
        }
    };
    fill("scaleUp", json!([pods, percent]));
    fill("scaleDown", json!([percent]));
}

fn network_policy(fields: &mut Map<String, Value>) {
    let types =
        if unset(fields, "egress") { json!(["Ingress"]) } else { json!(["Ingress", "Egress"]) };
    set_if_unset(fields, "policyTypes", types);
}

fn subject(fields: &mut Map<String, Value>) {
    if matches!(text(fields, "kind"), "User" | "Group") {
        set_if_unset(fields, "apiGroup", "rbac.authorization.k8s.io");
    }
}

fn definition(fields: &mut Map<String, Value>) {
    let versions =
        fields.get("spec").and_then(|spec| spec.get("versions")).and_then(Value::as_array);
    let storage = versions.into_iter().flatten().find(|v| v["storage"] == true);
    let Some(name) = storage.and_then(|v| v.get("name")).cloned() else { return };
    let status = fields.entry("status").or_insert_with(|| json!({}));
    if let Value::Object(status) = status {
        set_if_unset(status, "storedVersions", json!([name]));
    }
}

fn definition_names(fields: &mut Map<String, Value>) {
    let kind = text(fields, "kind").to_string();
    // The names in a status stay as the controller wrote them: empty when nothing was accepted.
    if kind.is_empty() {
        return;
    }
    set_if_unset(fields, "singular", kind.to_ascii_lowercase());
    set_if_unset(fields, "listKind", format!("{kind}List"));
}
