//! What the storage of services fills in: addresses, node ports and address families.
//!
//! Source: `pkg/registry/core/service/storage` of Kubernetes; the cluster has IPv4 only.

use core::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::Write;
use crate::api::{Cause, Status};
use crate::apiserver::addresses::Unavailable;
use crate::apiserver::refusal;

type Spec = Map<String, Value>;

impl Write<'_> {
    /// Gives a service, new or changed, what it needs and has not.
    pub(super) fn allocate(&self, old: Option<&Value>, new: &mut Value) -> Result<(), Status> {
        let name =
            format!("{}/{}", self.namespace, new["metadata"]["name"].as_str().unwrap_or_default());
        let Some(spec) = new.get_mut("spec").and_then(Value::as_object_mut) else { return Ok(()) };
        let old = old.and_then(|old| old.get("spec")).and_then(Value::as_object);
        fill_families(spec);
        let causes = self.allocate_in(&name, old, spec)?;
        match causes.is_empty() {
            true => Ok(()),
            false => Err(refusal::invalid(
                &self.resource,
                name.rsplit('/').next().unwrap_or_default(),
                causes,
            )),
        }
    }

    fn allocate_in(
        &self,
        name: &str,
        old: Option<&Spec>,
        spec: &mut Spec,
    ) -> Result<Vec<Cause>, Status> {
        let mut causes = Vec::new();
        if needs_cluster_ip(spec) {
            causes.extend(self.allocate_ip(name, old, spec)?);
        }
        if needs_node_port(spec) {
            causes.extend(self.allocate_ports(name, old, spec)?);
        }
        if needs_health_check(spec) && int(spec, "healthCheckNodePort") == 0 {
            let own = node_ports(spec);
            let port = self.server.addresses.free_port(&format!("{name}/health"), &own);
            spec.insert("healthCheckNodePort".into(), json!(port.ok_or_else(no_port)?));
        }
        Ok(causes)
    }

    fn allocate_ip(
        &self,
        name: &str,
        old: Option<&Spec>,
        spec: &mut Spec,
    ) -> Result<Option<Cause>, Status> {
        let given = text(spec, "clusterIP").to_owned();
        if given == "None"
            || old.is_some_and(|old| text(old, "clusterIP") == given && !given.is_empty())
        {
            return Ok(None);
        }
        if given.is_empty() {
            let ip = self.server.addresses.free_ip(name).ok_or_else(|| {
                refusal::internal_error("failed to allocate a serviceIP: range is full")
            })?;
            spec.insert("clusterIP".into(), json!(ip.to_string()));
            spec.insert("clusterIPs".into(), json!([ip.to_string()]));
            return Ok(None);
        }
        let Ok(ip) = given.parse::<Ipv4Addr>() else { return Ok(None) };
        let why = match self.server.addresses.check_ip(ip) {
            Ok(()) => return Ok(None),
            Err(Unavailable::Taken) => "provided IP is already allocated",
            Err(Unavailable::OutOfRange) => "the provided network does not match the current range",
        };
        let message = format!("Invalid value: [{given:?}]: failed to allocate IP {given}: {why}");
        Ok(Some(refusal::cause("FieldValueInvalid", "spec.clusterIPs", message)))
    }

    fn allocate_ports(
        &self,
        name: &str,
        old: Option<&Spec>,
        spec: &mut Spec,
    ) -> Result<Vec<Cause>, Status> {
        let had = old.map(node_ports).unwrap_or_default();
        let mut own = node_ports(spec);
        let mut causes = Vec::new();
        let mut given_out: Vec<(i64, u16)> = Vec::new();
        for (i, port) in ports_mut(spec).enumerate() {
            let wanted = port.get("nodePort").and_then(Value::as_i64).unwrap_or(0);
            let number = port.get("port").and_then(Value::as_i64).unwrap_or(0);
            if wanted == 0 {
                // The same port over another protocol shares the node port.
                let shared = given_out.iter().find(|(n, _)| *n == number).map(|(_, port)| *port);
                let free = || self.server.addresses.free_port(&format!("{name}/{number}"), &own);
                let got = shared.or_else(free).ok_or_else(no_port)?;
                port.insert("nodePort".into(), json!(got));
                own.push(got);
                given_out.push((number, got));
                continue;
            }
            if had.iter().any(|had| i64::from(*had) == wanted) {
                continue;
            }
            if let Err(why) = self.server.addresses.check_port(wanted) {
                causes.push(bad_port(i, wanted, why));
            }
        }
        Ok(causes)
    }
}

/// What an update of a service keeps of the old one, and what it drops with a change of type.
pub(super) fn keep_allocated(old: &Value, new: &mut Value) {
    let Some(old) = old.get("spec").and_then(Value::as_object) else { return };
    let Some(new) = new.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if needs_cluster_ip(old) && needs_cluster_ip(new) {
        if text(new, "clusterIP").is_empty() {
            copy(old, new, "clusterIP");
        }
        if !new.contains_key("clusterIPs") && new.get("clusterIP") == old.get("clusterIP") {
            copy(old, new, "clusterIPs");
        }
    }
    if needs_node_port(old) && needs_node_port(new) {
        keep_node_ports(old, new);
    }
    if needs_health_check(old) && needs_health_check(new) && int(new, "healthCheckNodePort") == 0 {
        copy(old, new, "healthCheckNodePort");
    }
    sync_cluster_ips(old, new);
    drop_with_type(old, new);
}

fn keep_node_ports(old: &Spec, new: &mut Spec) {
    let used = node_ports(new);
    for port in ports_mut(new) {
        let unset = port.get("nodePort").and_then(Value::as_i64).unwrap_or(0) == 0;
        let same = ports(old).find(|before| before.get("name") == port.get("name"));
        let before = same.and_then(|before| before.get("nodePort")).and_then(Value::as_u64);
        if let (true, Some(before)) = (unset, before)
            && !used.iter().any(|used| u64::from(*used) == before)
        {
            port.insert("nodePort".into(), json!(before));
        }
    }
}

/// `clusterIP` is the first of `clusterIPs`; who changes one means both.
fn sync_cluster_ips(old: &Spec, new: &mut Spec) {
    let changed = |field: &str| old.get(field) != new.get(field);
    if changed("clusterIP") && !changed("clusterIPs") {
        match text(new, "clusterIP") {
            "" => new.remove("clusterIPs"),
            ip => {
                let ip = json!([ip]);
                new.insert("clusterIPs".into(), ip)
            }
        };
    }
}

/// Fields that the new type has no use for go, when the update did not touch them.
fn drop_with_type(old: &Spec, new: &mut Spec) {
    type Test = fn(&Spec) -> bool;
    const DEPENDENT: [(Test, &[&str]); 5] = [
        (
            needs_cluster_ip,
            &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"],
        ),
        (needs_health_check, &["healthCheckNodePort"]),
        (is_load_balancer, &["allocateLoadBalancerNodePorts", "loadBalancerClass"]),
        (needs_node_port, &["externalTrafficPolicy"]),
        (has_affinity, &["sessionAffinityConfig"]),
    ];
    for (needed, fields) in DEPENDENT {
        if needed(old) && !needed(new) {
            for field in fields
                .iter()
                .filter(|field| old.get(**field) == new.get(**field))
                .collect::<Vec<_>>()
            {
                new.remove(*field);
            }
        }
    }
    if needs_node_port(old) && !needs_node_port(new) && node_ports(old) == node_ports(new) {
        ports_mut(new).for_each(|port| drop(port.remove("nodePort")));
    }
}

/// Address families, and `clusterIPs` from `clusterIP`.
fn fill_families(spec: &mut Spec) {
    if !needs_cluster_ip(spec) {
        return;
    }
    let ip = text(spec, "clusterIP").to_owned();
    if !ip.is_empty() && !spec.contains_key("clusterIPs") {
        spec.insert("clusterIPs".into(), json!([ip]));
    }
    // A headless service without a selector may name endpoints of either family.
    let selector = spec.get("selector").and_then(Value::as_object);
    let both = ip == "None" && selector.is_none_or(Map::is_empty);
    let unset = |spec: &Spec, field: &str| spec.get(field).is_none_or(Value::is_null);
    if unset(spec, "ipFamilyPolicy") {
        let families = spec.get("ipFamilies").and_then(Value::as_array).map_or(0, Vec::len);
        let policy = if both && families != 1 { "RequireDualStack" } else { "SingleStack" };
        spec.insert("ipFamilyPolicy".into(), json!(policy));
    }
    if spec.get("ipFamilies").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let dual = both && text(spec, "ipFamilyPolicy") != "SingleStack";
        let families = if dual { json!(["IPv4", "IPv6"]) } else { json!(["IPv4"]) };
        spec.insert("ipFamilies".into(), families);
    }
}

fn needs_cluster_ip(spec: &Spec) -> bool {
    matches!(text(spec, "type"), "ClusterIP" | "NodePort" | "LoadBalancer" | "")
}

fn needs_node_port(spec: &Spec) -> bool {
    text(spec, "type") == "NodePort"
        || is_load_balancer(spec)
            && spec.get("allocateLoadBalancerNodePorts").and_then(Value::as_bool).unwrap_or(true)
}

fn needs_health_check(spec: &Spec) -> bool {
    is_load_balancer(spec) && text(spec, "externalTrafficPolicy") == "Local"
}

fn is_load_balancer(spec: &Spec) -> bool {
    text(spec, "type") == "LoadBalancer"
}

fn has_affinity(spec: &Spec) -> bool {
    text(spec, "sessionAffinity") == "ClientIP"
}

fn bad_port(index: usize, port: i64, why: Unavailable) -> Cause {
    let why = match why {
        Unavailable::Taken => "provided port is already allocated",
        Unavailable::OutOfRange => {
            "provided port is not in the valid range. The range of valid ports is 30000-32767"
        }
    };
    let field = format!("spec.ports[{index}].nodePort");
    refusal::cause("FieldValueInvalid", &field, format!("Invalid value: {port}: {why}"))
}

fn no_port() -> Status {
    refusal::internal_error("failed to allocate a nodePort: range is full")
}

fn text<'s>(spec: &'s Spec, field: &str) -> &'s str {
    spec.get(field).and_then(Value::as_str).unwrap_or("")
}

fn int(spec: &Spec, field: &str) -> i64 {
    spec.get(field).and_then(Value::as_i64).unwrap_or(0)
}

fn copy(old: &Spec, new: &mut Spec, field: &str) {
    if let Some(value) = old.get(field) {
        new.insert(field.into(), value.clone());
    }
}

fn ports(spec: &Spec) -> impl Iterator<Item = &Spec> {
    let ports = spec.get("ports").and_then(Value::as_array).into_iter().flatten();
    ports.filter_map(Value::as_object)
}

fn ports_mut(spec: &mut Spec) -> impl Iterator<Item = &mut Spec> {
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten();
    ports.filter_map(Value::as_object_mut)
}

fn node_ports(spec: &Spec) -> Vec<u16> {
    let given = ports(spec).filter_map(|port| port.get("nodePort")?.as_u64());
    given.filter_map(|port| u16::try_from(port).ok()).filter(|port| *port > 0).collect()
}
