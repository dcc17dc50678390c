//! Pods and their containers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::report::{Node, Report};
use super::{names, print};
use crate::object::Quantity;

/// The handlers of a probe or a hook: exactly one.
pub(super) fn handler(node: &Node, report: &mut Report) {
    let kinds = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];
    let mut set = kinds.iter().filter(|kind| node.at(kind).is_set());
    if set.next().is_none() {
        return report.required(node, "must specify a handler type");
    }
    for more in set {
        report.forbidden(&node.at(more), "may not specify more than 1 handler type");
    }
}

pub(super) fn template(template: &Node, report: &mut Report) {
    let spec = template.at("spec");
    let ephemeral = spec.at("ephemeralContainers");
    if !ephemeral.is_zero() {
        report.forbidden(&ephemeral, "ephemeral containers not allowed in pod template");
    }
}

/// Names are unique among the containers; those of init containers among all.
pub(super) fn unique_name(security_context: &Node, report: &mut Report) {
    let Some((container, list)) = place(security_context) else { return };
    let name = container.at("name");
    let earlier = list.items().take(container.index().unwrap_or(0));
    let mut taken = earlier.map(|other| other.at("name").text()).any(|other| other == name.text());
    if list.path().ends_with("initContainers")
        && let Some(spec) = list.above()
    {
        let regular = spec.at("containers");
        taken |= regular.items().any(|other| other.at("name").text() == name.text());
    }
    if taken && !name.is_zero() {
        report.duplicate(&name);
    }
}

fn place<'a, 'v>(node: &Node<'a, 'v>) -> Option<(&'a Node<'a, 'v>, &'a Node<'a, 'v>)> {
    let container = node.above()?;
    Some((container, container.above()?))
}

pub(super) fn container(container: &Node, report: &mut Report) {
    for (probe, once) in
        [("livenessProbe", true), ("readinessProbe", false), ("startupProbe", true)]
    {
        let probe = container.at(probe);
        if !probe.is_set() {
            continue;
        }
        let threshold = probe.at("successThreshold");
        if once && threshold.int() != Some(1) {
            report.invalid(&threshold, "must be 1");
        }
        let grace = probe.at("terminationGracePeriodSeconds");
        if !once && grace.is_set() {
            report.invalid(&grace, "must not be set for readinessProbes");
        }
    }
    let Some(list) = container.above() else { return };
    let init = list.path().ends_with("initContainers");
    let policy = container.at("restartPolicy");
    if init && policy.text() != "Always" {
        for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            let field = container.at(field);
            if field.is_set() {
                report.forbidden(
                    &field,
                    "may not be set for init containers without restartPolicy=Always",
                );
            }
        }
    }
    let mut names = BTreeSet::new();
    for port in container.at("ports").items() {
        let name = port.at("name");
        if !name.is_zero() && !names.insert(name.text()) {
            report.duplicate(&name);
        }
    }
}

pub(super) fn port(port: &Node, report: &mut Report) {
    if port.at("protocol").is_zero() {
        report.required(&port.at("protocol"), "");
    }
}

/// No two containers of a pod take the same port of the host.
pub(super) fn host_ports(containers: &Node, report: &mut Report) {
    let mut taken = BTreeSet::new();
    for container in containers.items() {
        let ports = container.at("ports");
        for port in ports.items() {
            let host = port.at("hostPort");
            let Some(number) = host.int().filter(|number| *number != 0) else { continue };
            let (protocol, ip) = (port.at("protocol"), port.at("hostIP"));
            let name = format!("{}/{}/{number}", protocol.text(), ip.text());
            if !taken.insert(name.clone()) {
                report.duplicate_value(&host, &name.into());
            }
        }
    }
}

pub(super) fn env(env: &Node, report: &mut Report) {
    let from = env.at("valueFrom");
    if !from.is_set() {
        return;
    }
    let sources = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
    let count = sources.iter().filter(|source| from.at(source).is_set()).count();
    let problem = match count {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        }
        _ if !env.at("value").is_zero() => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    report.invalid_value(&from, &"".into(), problem);
}

pub(super) fn env_from(source: &Node, report: &mut Report) {
    let set = |field: &str| source.value.get(field).is_some_and(|v| !v.is_null());
    let problem = match (set("configMapRef"), set("secretRef")) {
        (false, false) => "must specify one of: `configMapRef` or `secretRef`",
        (true, true) => "may not have more than one field specified at a time",
        _ => return,
    };
    if let Some(list) = source.above() {
        report.invalid_value(list, &"".into(), problem);
    }
}

/// Limits and requests: known resources, not negative, no request above its limit.
pub(super) fn resources(resources: &Node, report: &mut Report) {
    let (limits, requests) = (resources.at("limits"), resources.at("requests"));
    for name in limits.keys() {
        check_amount(&limits.key(name), name, report);
    }
    for name in requests.keys() {
        let request = requests.key(name);
        check_amount(&request, name, report);
        let limit = limits.key(name);
        match (amount(&request), amount(&limit)) {
            (Some(asked), Some(allowed)) if !is_divisible(name) && asked != allowed => report
                .invalid_value(
                    &requests,
                    request.value,
                    format!("must be equal to {name} limit of {}", limit.text()),
                ),
            (Some(asked), Some(allowed)) if asked > allowed => report.invalid_value(
                &requests,
                request.value,
                format!("must be less than or equal to {name} limit of {}", limit.text()),
            ),
            (Some(_), None) if !is_divisible(name) => {
                report.required(&limits, "Limit must be set for non overcommitable resources")
            }
            _ => {}
        }
    }
}

/// What a pod costs beside its containers; refusals take it for limits.
pub(super) fn overhead(at: &Node, amounts: &Node, report: &mut Report) {
    let limits = Node::field_of(at, "limits", amounts.value);
    limits.keys().for_each(|name| check_amount(&limits.key(name), name, report));
}

/// A setting of the kernel, once.
pub(super) fn sysctl(sysctl: &Node, report: &mut Report) {
    let name = sysctl.at("name");
    let Some(list) = sysctl.above() else { return };
    let mut earlier = list.items().take(sysctl.index().unwrap_or(0));
    if name.is_zero() {
        report.required(&name, "");
    } else if !is_sysctl(name.text()) {
        report.invalid(&name, r"must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
    } else if earlier.any(|other| other.at("name").value == name.value) {
        report.duplicate(&name);
    }
}

fn is_sysctl(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| {
        part.starts_with(plain)
            && part.ends_with(plain)
            && part.chars().all(|c| plain(c) || matches!(c, '-' | '_'))
    };
    name.len() <= 253 && name.split(['.', '/']).all(part)
}

fn check_amount(node: &Node, name: &str, report: &mut Report) {
    const KNOWN: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
    let problems = names::label_key(name);
    if !problems.is_empty() {
        problems.iter().for_each(|problem| report.invalid_value(node, &name.into(), problem));
    } else if !name.contains('/') && !KNOWN.contains(&name) && !name.starts_with("hugepages-") {
        let sentence = "must be a standard resource type or fully qualified";
        if !matches!(name, "storage" | "pods" | "services") {
            report.invalid_value(node, &name.into(), sentence);
        }
        report.invalid_value(node, &name.into(), "must be a standard resource for containers");
    }
    let Some(quantity) = amount(node) else { return };
    if quantity.milli_value() < 0 {
        report.invalid(node, "must be greater than or equal to 0");
    }
    if name.contains('/') && quantity.milli_value() % 1000 != 0 {
        report.invalid(node, "must be an integer");
    }
}

/// Whether more may be promised than there is.
fn is_divisible(name: &str) -> bool {
    !name.contains('/') && !name.starts_with("hugepages-")
}

pub(super) fn amount(node: &Node) -> Option<Quantity> {
    node.value.as_str()?.parse().ok()
}

pub(super) fn toleration(toleration: &Node, report: &mut Report) {
    let (key, operator) = (toleration.at("key"), toleration.at("operator"));
    let (value, effect) = (toleration.at("value"), toleration.at("effect"));
    if key.is_zero() && operator.text() != "Exists" {
        let text = Value::from(operator.text());
        report.invalid_value(
            &operator,
            &text,
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        );
    }
    if toleration.at("tolerationSeconds").is_set() && effect.text() != "NoExecute" {
        let text = Value::from(effect.text());
        report.invalid_value(
            &effect,
            &text,
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        );
    }
    match operator.text() {
        "" | "Equal" => {
            let problems = names::label_value(value.text());
            if !problems.is_empty() {
                report.invalid_value(&operator, value.value, problems.join(";"));
            }
        }
        "Exists" if !value.is_zero() => report.invalid_value(
            &operator,
            value.value,
            "value must be empty when `operator` is 'Exists'",
        ),
        "Exists" => {}
        _ => report.unsupported(&operator, &["Equal", "Exists"]),
    }
}

pub(super) fn creation(pod: &Node, report: &mut Report) {
    let spec = pod.at("spec");
    let ephemeral = spec.at("ephemeralContainers");
    if !ephemeral.is_zero() {
        report.forbidden(&ephemeral, "cannot be set on create");
    }
    let node = spec.at("nodeName");
    if !node.is_zero() && !spec.at("schedulingGates").is_zero() {
        report.forbidden(&node, "cannot be set until all schedulingGates have been cleared");
    }
}

/// What of a pod may change: images, a deadline, and more tolerations.
pub(super) fn change(new: &Node, old: &Node, report: &mut Report) {
    let (spec, old_spec) = (new.at("spec"), old.at("spec"));
    for list in ["containers", "initContainers"] {
        let (list, old_list) = (spec.at(list), old_spec.at(list));
        if list.items().count() != old_list.items().count() {
            return report.forbidden(&list, "pod updates may not add or remove containers");
        }
    }
    if !check_deadline(&spec, &old_spec, report) {
        return;
    }
    check_tolerations(&spec.at("tolerations"), &old_spec.at("tolerations"), report);
    let munged = munged(spec.value, old_spec.value);
    if munged != *old_spec.value {
        let difference = print::difference("PodSpec", old_spec.value, &munged);
        report.forbidden(&spec, format!("pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n{difference}"));
    }
}

fn check_deadline(spec: &Node, old: &Node, report: &mut Report) -> bool {
    let deadline = spec.at("activeDeadlineSeconds");
    let old = old.at("activeDeadlineSeconds").int();
    match (deadline.int(), old) {
        (Some(new), _) if !(0..=i64::from(i32::MAX)).contains(&new) => {
            report.invalid(&deadline, "must be between 0 and 2147483647, inclusive");
            false
        }
        (Some(new), Some(old)) if old < new => {
            report.invalid(&deadline, "must be less than or equal to previous value");
            false
        }
        (None, Some(_)) => {
            report.invalid(&deadline, "must not update from a positive integer to nil value");
            true
        }
        _ => true,
    }
}

fn check_tolerations(new: &Node, old: &Node, report: &mut Report) {
    let timeless = |value: &Value| {
        let mut value = value.clone();
        value.as_object_mut().map(|fields| fields.remove("tolerationSeconds"));
        value
    };
    let kept = |old: &Node| new.items().any(|new| timeless(new.value) == timeless(old.value));
    if !old.items().all(|old| kept(&old)) {
        report
            .forbidden(new, "existing toleration can not be modified except its tolerationSeconds");
    }
}

/// The new spec with all that may change as it was.
fn munged(new: &Value, old: &Value) -> Value {
    let mut munged = new.clone();
    for list in ["containers", "initContainers"] {
        let (Some(Value::Array(items)), Some(Value::Array(olds))) =
            (munged.get_mut(list), old.get(list))
        else {
            continue;
        };
        for (item, old) in items.iter_mut().zip(olds) {
            item["image"] = old.get("image").cloned().unwrap_or(json!(""));
        }
    }
    let Value::Object(fields) = &mut munged else { return munged };
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        match old.get(field) {
            Some(value) => fields.insert(field.into(), value.clone()),
            None => fields.remove(field),
        };
    }
    let grace = "terminationGracePeriodSeconds";
    if old.get(grace).and_then(Value::as_i64).is_some_and(|old| old < 0)
        && fields.get(grace) == Some(&json!(1))
    {
        fields.insert(grace.into(), old[grace].clone());
    }
    munged
}
