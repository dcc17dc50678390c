//! Services.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::report::{Node, Report};
use super::{names, rules};

/// How many seconds a client may stay with an endpoint: a day.
const LONGEST_AFFINITY: i64 = 86_400;

fn is_headless(spec: &Node) -> bool {
    spec.at("clusterIP").text() == "None"
}

fn is_reachable_from_outside(spec: &Node) -> bool {
    match spec.at("type").text() {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !spec.at("externalIPs").is_zero(),
        _ => false,
    }
}

pub(super) fn before(spec: &Node, report: &mut Report) {
    let kind = spec.at("type");
    let ports = spec.at("ports");
    if ports.is_zero() && !is_headless(spec) && kind.text() != "ExternalName" {
        report.required(&ports, "");
    }
    match kind.text() {
        "LoadBalancer" | "NodePort" if is_headless(spec) => {
            let ips = spec.at("clusterIPs");
            report.invalid(
                &ips.item(0),
                format!("may not be set to 'None' for {} services", kind.text()),
            );
        }
        "ExternalName" => check_external_name(spec, report),
        _ => {}
    }
}

fn check_external_name(spec: &Node, report: &mut Report) {
    for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let field = spec.at(field);
        if !field.is_zero() {
            report.forbidden(&field, "may not be set for ExternalName services");
        }
    }
    let name = spec.at("externalName");
    match name.text().trim_end_matches('.') {
        "" => report.required(&name, ""),
        text => names::subdomain(text)
            .into_iter()
            .for_each(|problem| report.invalid_value(&name, &text.into(), problem)),
    }
}

/// Several ports are told apart by their names.
pub(super) fn port_name(name: &Node, report: &mut Report) {
    let Some((port, list)) = name.above().and_then(|port| Some((port, port.above()?))) else {
        return;
    };
    if name.is_zero() && list.items().count() > 1 {
        report.required(name, "");
    }
    let earlier = list.items().take(port.index().unwrap_or(0));
    if !name.is_zero()
        && earlier.map(|other| other.at("name").text()).any(|other| other == name.text())
    {
        report.duplicate(name);
    }
}

pub(super) fn affinity(affinity: &Node, report: &mut Report) {
    let Some(spec) = affinity.above() else { return };
    let config = spec.at("sessionAffinityConfig");
    match affinity.text() {
        "ClientIP" if !config.is_set() => {
            report.required(&config, "when session affinity type is ClientIP")
        }
        "None" if config.is_set() => {
            report.forbidden(&config, "must not be set when session affinity is None")
        }
        _ => {}
    }
    let client = config.at("clientIP");
    let timeout = client.at("timeoutSeconds");
    if timeout.int().is_some_and(|seconds| !(1..=LONGEST_AFFINITY).contains(&seconds)) {
        report.invalid(&timeout, "must be greater than 0 and less than 86400");
    }
    check_cluster_ips(spec, report);
}

fn check_cluster_ips(spec: &Node, report: &mut Report) {
    let (ip, ips) = (spec.at("clusterIP"), spec.at("clusterIPs"));
    match (ip.is_zero(), ips.item(0).text()) {
        (false, "") => report.required(&ips, ""),
        (false, first) if first != ip.text() => {
            report.invalid(&ips, "first value must match `clusterIP`")
        }
        (true, first) if !first.is_empty() => {
            report.invalid(&ips, "must be empty when `clusterIP` is not specified")
        }
        _ => {}
    }
    for (i, ip) in ips.items().enumerate() {
        if i == 0 && ip.text() == "None" {
            if ips.items().count() > 1 {
                report.invalid(&ips, "'None' must be the first and only value");
            }
            continue;
        }
        if !rules::is_ip(ip.text()) {
            report.invalid(&ip, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
        }
    }
    if ips.items().count() > 2 {
        report.invalid(&ips, "may only hold up to 2 values");
    }
}

pub(super) fn after_type(policy: &Node, report: &mut Report) {
    let Some(spec) = policy.above() else { return };
    check_node_ports(spec, report);
    check_same_ports(&spec.at("ports"), report);
    check_source_ranges(spec, report);
    let allocate = spec.at("allocateLoadBalancerNodePorts");
    let kind = spec.at("type").text();
    if allocate.is_set() && kind != "LoadBalancer" {
        report.forbidden(&allocate, "may only be used when `type` is 'LoadBalancer'");
    }
    let class = spec.at("loadBalancerClass");
    if class.is_set() && kind != "LoadBalancer" {
        report.forbidden(&class, "may only be used when `type` is 'LoadBalancer'");
    }
    match (is_reachable_from_outside(spec), policy.text()) {
        (false, "") | (true, "Cluster" | "Local") => {}
        (false, _) => report.invalid(policy, "may only be set for externally-accessible services"),
        (true, "") => report.required(policy, ""),
        (true, _) => report.unsupported(policy, &["Cluster", "Local"]),
    }
}

/// The real server writes the name of this field with a capital.
fn check_source_ranges(spec: &Node, report: &mut Report) {
    let ranges = spec.at("loadBalancerSourceRanges");
    let named = Node::field_of(spec, "LoadBalancerSourceRanges", ranges.value);
    if ranges.is_zero() {
        return;
    }
    if spec.at("type").text() != "LoadBalancer" {
        report.forbidden(&named, "may only be used when `type` is 'LoadBalancer'");
    }
    for range in named.items().filter(|range| !rules::is_cidr(range.text().trim())) {
        report.invalid(&range, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
    }
}

fn check_node_ports(spec: &Node, report: &mut Report) {
    let ports = spec.at("ports");
    let mut taken = BTreeSet::new();
    for port in ports.items() {
        let node_port = port.at("nodePort");
        if node_port.is_zero() {
            continue;
        }
        if spec.at("type").text() == "ClusterIP" {
            report.forbidden(&node_port, "may not be used when `type` is 'ClusterIP'");
        }
        if !taken.insert((port.at("protocol").text(), node_port.int())) {
            report.duplicate(&node_port);
        }
    }
}

fn check_same_ports(ports: &Node, report: &mut Report) {
    let mut taken = BTreeSet::new();
    for port in ports.items() {
        let (protocol, number) = (port.at("protocol"), port.at("port"));
        if taken.insert((protocol.text(), number.int())) {
            continue;
        }
        let key = json!({"protocol": protocol.text(), "port": number.value, "targetPort": 0});
        report.duplicate_structure(&port, "ServicePort", &key);
    }
}

/// Only a load balancer has addresses to enter by.
pub(super) fn status(service: &Node, report: &mut Report) {
    let (spec, status) = (service.at("spec"), service.at("status"));
    let balancer = status.at("loadBalancer");
    let ingress = balancer.at("ingress");
    if ingress.is_set() && spec.at("type").text() != "LoadBalancer" {
        report.forbidden(&ingress, "may only be used when `spec.type` is 'LoadBalancer'");
    }
}

/// The address of a service stays as it was given.
pub(super) fn change(new: &Node, old: &Node, report: &mut Report) {
    let (spec, old) = (new.at("spec"), old.at("spec"));
    let external = |spec: &Node| spec.at("type").text() == "ExternalName";
    if external(&spec) || external(&old) || is_headless(&spec) && is_headless(&old) {
        return;
    }
    let (ips, old_ips) = (spec.at("clusterIPs"), old.at("clusterIPs"));
    let (count, old_count) = (ips.items().count(), old_ips.items().count());
    let empty = Value::Null;
    let value = if ips.is_set() { ips.value } else { &empty };
    let moved = |i: usize| old_ips.item(i).text() != ips.item(i).text();
    if count == 0 && old_count > 0 {
        report.invalid_value(&ips.item(0), value, "primary clusterIP can not be unset");
    }
    let compared = if count == old_count { count } else { count.min(old_count).min(1) };
    for i in (0..compared).filter(|i| moved(*i)) {
        report.invalid_value(&ips.item(i), value, "may not change once set");
    }
    if old_count > count && count == 1 {
        let policy = spec.at("ipFamilyPolicy");
        if policy.text() != "SingleStack" {
            report.invalid(
                &policy,
                "must be set to 'SingleStack' when releasing the secondary clusterIP",
            );
        }
    }
}
