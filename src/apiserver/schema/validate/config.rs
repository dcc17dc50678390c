//! ConfigMaps, Secrets, quotas, roles and bindings, disruption budgets.

use serde_json::Value;

use super::report::{Node, Report};
use super::{immutable, names};
use crate::apiserver::schema::KindSchema;
use crate::apiserver::{base64, golang};

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
        } else if key.starts_with(".docker") {
            check_json(&value, report);
        }
    }
}

/// What logs in to a registry is JSON.
fn check_json(value: &Node, report: &mut Report) {
    let bytes = base64::decode(value.text()).unwrap_or_default();
    if let Err(why) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
        let hidden = Value::from("<secret contents redacted>");
        report.invalid_value(value, &hidden, golang::json_error(&bytes, &why));
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

/// An event is in the namespace of what it is about; about what is in none, in `default`.
pub(super) fn event(event: &Node, report: &mut Report) {
    let (metadata, about) = (event.at("metadata"), event.at("involvedObject"));
    let (own, namespace) = (metadata.at("namespace"), about.at("namespace"));
    let agree = match namespace.text() {
        "" => matches!(own.text(), "" | "default"),
        namespace => namespace == own.text(),
    };
    if !agree {
        let text = Value::from(namespace.text());
        report.invalid_value(&namespace, &text, "does not match event.namespace");
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
        report.invalid_structure(&role, "RoleRef", "cannot change roleRef");
    }
}

pub(super) fn priority_class_change(new: &Node, old: &Node, report: &mut Report) {
    if new.value.get("value") != old.value.get("value") {
        report.forbidden(&new.at("value"), "may not be changed in an update.");
    }
    immutable(&new.at("preemptionPolicy"), &old.at("preemptionPolicy"), report);
}

pub(super) fn disruption_budget(spec: &Node, report: &mut Report) {
    if spec.at("minAvailable").is_set() && spec.at("maxUnavailable").is_set() {
        let sentence = "minAvailable and maxUnavailable cannot be both set";
        report.invalid_structure(spec, "PodDisruptionBudgetSpec", sentence);
    }
}
