//! Ingresses and NetworkPolicies.

use serde_json::Value;

use super::report::{Node, Report};
use super::{names, rules};

pub(super) fn ingress(spec: &Node, report: &mut Report) {
    if spec.at("rules").is_zero() && !spec.at("defaultBackend").is_set() {
        let nothing = Value::Null;
        report.invalid_value(
            spec,
            &nothing,
            "either `defaultBackend` or `rules` must be specified",
        );
    }
}

pub(super) fn ingress_rule(rule: &Node, report: &mut Report) {
    let host = rule.at("host");
    if host.is_zero() {
        return;
    }
    if rules::is_ip(host.text()) {
        report.invalid(&host, "must be a DNS name, not an IP address");
    }
    check_host(&host, report);
}

pub(super) fn ingress_tls(tls: &Node, report: &mut Report) {
    tls.at("hosts").items().for_each(|host| check_host(&host, report));
}

fn check_host(host: &Node, report: &mut Report) {
    let check =
        if host.text().contains('*') { names::wildcard_subdomain } else { names::subdomain };
    report.invalid_each(host, check(host.text()));
}

pub(super) fn ingress_path(kind: &Node, report: &mut Report) {
    let Some(path) = kind.above() else { return };
    let text = path.at("path");
    let value = Value::from(text.text());
    match kind.text() {
        "Exact" | "Prefix" => check_path(&text, report),
        "ImplementationSpecific" if !text.is_zero() && !text.text().starts_with('/') => {
            report.invalid_value(&text, &value, "must be an absolute path")
        }
        "" | "ImplementationSpecific" => {}
        _ => report.unsupported(kind, &["Exact", "ImplementationSpecific", "Prefix"]),
    }
}

fn check_path(path: &Node, report: &mut Report) {
    let text = path.text();
    let value = Value::from(text);
    if !text.starts_with('/') {
        report.invalid_value(path, &value, "must be an absolute path");
    }
    for part in ["//", "/./", "/../", "%2f", "%2F"] {
        if text.contains(part) {
            report.invalid(path, format!("must not contain '{part}'"));
        }
    }
    for end in ["/..", "/."] {
        if text.ends_with(end) {
            report.invalid(path, format!("cannot end with '{end}'"));
        }
    }
}

pub(super) fn ingress_backend(backend: &Node, report: &mut Report) {
    let (service, resource) = (backend.at("service"), backend.at("resource"));
    match (service.is_set(), resource.is_set()) {
        (true, true) => report.invalid_value(
            backend,
            &"".into(),
            "cannot set both resource and service backends",
        ),
        (false, false) => report.required(backend, "resource or service backend is required"),
        (true, false) => check_service_port(backend, &service.at("port"), report),
        _ => {}
    }
}

fn check_service_port(backend: &Node, port: &Node, report: &mut Report) {
    match (!port.at("name").is_zero(), !port.at("number").is_zero()) {
        (true, true) => {
            report.invalid_value(backend, &"".into(), "cannot set both port name & port number")
        }
        (false, false) => report.required(backend, "port name or number is required"),
        _ => {}
    }
}

/// Parameters of a class are in a namespace, or in none.
pub(super) fn class_parameters(parameters: &Node, report: &mut Report) {
    let (scope, namespace) = (parameters.at("scope"), parameters.at("namespace"));
    match (scope.text(), namespace.is_set()) {
        ("Cluster", true) => report.forbidden(&namespace, "`parameters.scope` is set to 'Cluster'"),
        ("Cluster", false) => {}
        ("Namespace", true) => report.invalid_each(&namespace, names::dns_label(namespace.text())),
        ("Namespace", false) => {
            report.required(&namespace, "`parameters.scope` is set to 'Namespace'")
        }
        _ => report.unsupported(&scope, &["Cluster", "Namespace"]),
    }
}

pub(super) fn policy_port(port: &Node, report: &mut Report) {
    let (first, last) = (port.at("port"), port.at("endPort"));
    let Some(end) = last.int() else { return };
    match first.value {
        Value::Null => report.invalid(&last, "may not be specified when `port` is not specified"),
        Value::String(_) => {
            report.invalid(&last, "may not be specified when `port` is non-numeric")
        }
        number => {
            if number.as_i64().is_some_and(|first| end < first) {
                report.invalid_value(&last, number, "must be greater than or equal to `port`");
            }
        }
    }
}

pub(super) fn policy_peer(peer: &Node, report: &mut Report) {
    let selects = peer.at("podSelector").is_set() || peer.at("namespaceSelector").is_set();
    match (selects, peer.at("ipBlock").is_set()) {
        (false, false) => report.required(peer, "must specify a peer"),
        (true, true) => report.forbidden(peer, "may not specify both ipBlock and another peer"),
        _ => {}
    }
}
