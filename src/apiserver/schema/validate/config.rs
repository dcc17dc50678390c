//! ConfigMaps, Secrets, quotas, roles and bindings, disruption budgets.

use serde_json::Value;

use super::pod::amount;
use super::report::{Node, Report};
use super::{names, print};
use crate::api::Cause;
use crate::apiserver::schema::KindSchema;

/// All values of a ConfigMap or Secret may have so many bytes.
const SIZE: usize = 1024 * 1024;

pub(super) fn config_map(map: &Node, report: &mut Report) {
    let (data, binary) = (map.at("data"), map.at("binaryData"));
    let mut size = 0;
    for (map, other) in [(&data, &binary), (&binary, &data)] {
        for key in map.keys() {
            let value = map.key(key);
            for problem in names::config_key(key) {
                report.invalid_value(&value, &key.into(), problem);
            }
            if std::ptr::eq(map, &data) && other.value.get(key).is_some() {
                report.invalid_value(&value, &key.into(), "duplicate of key present in binaryData");
            }
            size += value.text().len();
        }
    }
    if size > SIZE {
        report.too_long(&map.at(""), SIZE);
    }
}

pub(super) fn secret(secret: &Node, report: &mut Report) {
    let data = secret.at("data");
    let mut size = 0;
    for key in data.keys() {
        let value = data.key(key);
        for problem in names::config_key(key) {
            report.invalid_value(&value, &key.into(), problem);
        }
        size += value.text().len() / 4 * 3;
    }
    if size > SIZE {
        report.too_long(&data, SIZE);
    }
    let needed: &[&str] = match secret.at("type").text() {
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/basic-auth"
            if ["username", "password"].iter().all(|key| !data.key(key).is_set()) =>
        {
            &["username", "password"]
        }
        "kubernetes.io/service-account-token" => {
            return check_service_account(secret, report);
        }
        _ => &[],
    };
    for key in needed {
        let value = data.key(key);
        if !value.is_set() {
            report.required(&value, "");
        }
    }
}

fn check_service_account(secret: &Node, report: &mut Report) {
    let metadata = secret.at("metadata");
    let annotations = metadata.at("annotations");
    let name = annotations.key("kubernetes.io/service-account.name");
    if name.is_zero() {
        report.required(&name, "");
    }
}

/// What is marked immutable stays so, and stays as it is.
pub(super) fn immutable_data(kind: &KindSchema, new: &Node, old: &Node, report: &mut Report) {
    const SENTENCE: &str = "field is immutable when `immutable` is set";
    if kind.gvk.kind == "Secret" {
        super::immutable(&new.at("type"), &old.at("type"), report);
    }
    if !old.at("immutable").is_true() {
        return;
    }
    if !new.at("immutable").is_true() {
        report.forbidden(&new.at("immutable"), SENTENCE);
    }
    for field in ["data", "binaryData"] {
        if new.value.get(field) != old.value.get(field) {
            report.forbidden(&new.at(field), SENTENCE);
        }
    }
}

pub(super) fn quota(spec: &Node, report: &mut Report) {
    let hard = spec.at("hard");
    for name in hard.keys() {
        let value = hard.key(name);
        for problem in names::label_key(name) {
            report.invalid_value(&value, &name.into(), problem);
        }
        if amount(&value).is_some_and(|amount| amount.milli_value() < 0) {
            report.invalid(&value, "must be greater than or equal to 0");
        }
    }
}

pub(super) fn limit(limit: &Node, report: &mut Report) {
    let kind = limit.at("type");
    if kind.text() == "Pod" {
        for field in ["default", "defaultRequest"] {
            let field = limit.at(field);
            if !field.is_zero() {
                report.forbidden(&field, "may not be specified when `type` is 'Pod'");
            }
        }
    }
    let (min, max) = (limit.at("min"), limit.at("max"));
    for name in min.keys() {
        let (low, high) = (min.key(name), max.key(name));
        if let (Some(a), Some(b)) = (amount(&low), amount(&high))
            && a > b
        {
            report.invalid(
                &low,
                format!("min value {} is greater than max value {}", low.text(), high.text()),
            );
        }
    }
    check_defaults(limit, &min, &max, report);
}

fn check_defaults(limit: &Node, min: &Node, max: &Node, report: &mut Report) {
    let (defaults, requests) = (limit.at("default"), limit.at("defaultRequest"));
    for name in requests.keys() {
        let request = requests.key(name);
        let Some(own) = amount(&request) else { continue };
        let (low, high, default) = (min.key(name), max.key(name), defaults.key(name));
        let text = request.text();
        if amount(&low).is_some_and(|low| low > own) {
            let sentence =
                format!("min value {} is greater than default request value {text}", low.text());
            report.invalid(&request, sentence);
        }
        if amount(&high).is_some_and(|high| own > high) {
            let sentence =
                format!("default request value {text} is greater than max value {}", high.text());
            report.invalid(&request, sentence);
        }
        if amount(&default).is_some_and(|default| own > default) {
            let sentence = format!(
                "default request value {text} is greater than default limit value {}",
                default.text()
            );
            report.invalid(&request, sentence);
        }
    }
    for name in defaults.keys() {
        let default = defaults.key(name);
        let Some(own) = amount(&default) else { continue };
        let high = max.key(name);
        if amount(&high).is_some_and(|high| own > high) {
            let sentence = format!(
                "default value {} is greater than max value {}",
                default.text(),
                high.text()
            );
            report.invalid_value(&default, high.value, sentence);
        }
    }
}

pub(super) fn policy_rule(rule: &Node, report: &mut Report) {
    let urls = rule.at("nonResourceURLs");
    let (groups, resources) = (rule.at("apiGroups"), rule.at("resources"));
    if urls.is_zero() {
        if groups.is_zero() {
            report.required(&groups, "resource rules must supply at least one api group");
        }
        if resources.is_zero() {
            report.required(&resources, "resource rules must supply at least one resource");
        }
        return;
    }
    let cluster = rule
        .above()
        .and_then(Node::above)
        .is_none_or(|role| role.at("kind").text() == "ClusterRole");
    if !cluster {
        report.invalid(&urls, "namespaced rules cannot apply to non-resource URLs");
    }
    if !groups.is_zero() || !resources.is_zero() || !rule.at("resourceNames").is_zero() {
        report.invalid(&urls, "rules cannot apply to both regular resources and non-resource URLs");
    }
}

/// A binding of the cluster binds roles of the cluster.
pub(super) fn role_ref(role: &Node, report: &mut Report) {
    let cluster = role.above().is_some_and(|b| b.at("kind").text() == "ClusterRoleBinding");
    let kind = role.at("kind");
    match kind.text() {
        "ClusterRole" => {}
        "Role" if !cluster => {}
        _ if cluster => report.unsupported(&kind, &["ClusterRole"]),
        _ => report.unsupported(&kind, &["Role", "ClusterRole"]),
    }
}

pub(super) fn subject(subject: &Node, report: &mut Report) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let (kind, group) = (subject.at("kind"), subject.at("apiGroup"));
    match kind.text() {
        "ServiceAccount" => {
            let name = subject.at("name");
            if !name.is_zero() {
                report.invalid_each(&name, names::subdomain(name.text()));
            }
            if !group.is_zero() {
                report.unsupported(&group, &[""]);
            }
            let binding = subject.above().and_then(Node::above);
            let cluster = binding.is_some_and(|b| b.at("kind").text() == "ClusterRoleBinding");
            let namespace = subject.at("namespace");
            if cluster && namespace.is_zero() {
                report.required(&namespace, "");
            }
        }
        "User" | "Group" if group.text() != GROUP => {
            let text = Value::from(group.text());
            report.unsupported_value(&group, &text, &[GROUP]);
        }
        "User" | "Group" => {}
        _ => report.unsupported(&kind, &["ServiceAccount", "User", "Group"]),
    }
}

pub(super) fn role_ref_change(new: &Node, old: &Node, report: &mut Report) {
    let role = new.at("roleRef");
    if role.value != old.at("roleRef").value {
        printed(&role, "RoleRef", "cannot change roleRef", report);
    }
}

pub(super) fn priority_class_change(new: &Node, old: &Node, report: &mut Report) {
    for (field, sentence) in [
        ("value", "may not be changed in an update."),
        ("preemptionPolicy", "may not be changed in an update."),
    ] {
        if new.value.get(field) != old.value.get(field) {
            let place = new.at(field);
            report.forbidden(&place, sentence);
        }
    }
}

pub(super) fn disruption_budget(spec: &Node, report: &mut Report) {
    if spec.at("minAvailable").is_set() && spec.at("maxUnavailable").is_set() {
        let sentence = "minAvailable and maxUnavailable cannot be both set";
        printed(spec, "PodDisruptionBudgetSpec", sentence, report);
    }
}

fn printed(node: &Node, name: &str, sentence: &str, report: &mut Report) {
    report.0.push(Cause {
        reason: "FieldValueInvalid".into(),
        message: format!("Invalid value: {}: {sentence}", print::line(name, node.value)),
        field: node.path(),
    });
}
