//! Which cluster IPs and node ports are taken.
//!
//! A real server picks free ones at random. Here the pick follows from the service's name, so that the
//! same service gets the same address whatever was made before it.

use core::net::Ipv4Addr;

use rpds::RedBlackTreeSetSync;
use serde_json::Value;

use super::names::{hash, mix};
use crate::object::Object;

/// The first address of the service range, `10.96.0.0/16`.
const RANGE: u32 = 0x0a60_0000;
/// How many addresses the range has.
const SIZE: u32 = 1 << 16;
/// Addresses at the start of the range that are given only to who asks for them (KEP-3070).
const STATIC: u32 = 256;
/// The node ports, and those at their start that are given only to who asks for them (KEP-3668).
const PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;
const STATIC_PORTS: u16 = 86;

/// Why an address cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unavailable {
    /// It is somebody's already.
    Taken,
    /// It is outside the range.
    OutOfRange,
}

/// The addresses that services have.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    ips: RedBlackTreeSetSync<u32>,
    ports: RedBlackTreeSetSync<u16>,
}

impl Addresses {
    /// Notes a change of a service.
    pub(super) fn note(&mut self, before: Option<&Object>, after: Option<&Object>) {
        if let Some(before) = before {
            for ip in ips_of(before) {
                self.ips.remove_mut(&ip);
            }
            for port in ports_of(before) {
                self.ports.remove_mut(&port);
            }
        }
        if let Some(after) = after {
            ips_of(after).for_each(|ip| self.ips.insert_mut(ip));
            ports_of(after).for_each(|port| self.ports.insert_mut(port));
        }
    }

    /// A free address for a service of this name; `None` when there is none.
    pub(super) fn free_ip(&self, name: &str) -> Option<Ipv4Addr> {
        let dynamic = SIZE - STATIC - 1;
        let start = (mix(hash(name)) % u64::from(dynamic)) as u32;
        (0..dynamic)
            .map(|step| RANGE + STATIC + (start + step) % dynamic)
            .find(|ip| !self.ips.contains(ip))
            .map(Ipv4Addr::from)
    }

    /// A free node port for this port of a service, other than those it has already.
    pub(super) fn free_port(&self, name: &str, own: &[u16]) -> Option<u16> {
        let first = PORTS.start() + STATIC_PORTS;
        let dynamic = PORTS.end() - first + 1;
        let start = (mix(hash(name)) % u64::from(dynamic)) as u16;
        (0..dynamic)
            .map(|step| first + (start + step) % dynamic)
            .find(|port| !self.ports.contains(port) && !own.contains(port))
    }

    /// Whether a service may have this address.
    pub(super) fn check_ip(&self, ip: Ipv4Addr) -> Result<(), Unavailable> {
        let ip = u32::from(ip);
        if !(RANGE + 1..RANGE + SIZE - 1).contains(&ip) {
            return Err(Unavailable::OutOfRange);
        }
        if self.ips.contains(&ip) { Err(Unavailable::Taken) } else { Ok(()) }
    }

    /// Whether a service may have this node port.
    pub(super) fn check_port(&self, port: i64) -> Result<(), Unavailable> {
        match u16::try_from(port) {
            Ok(port) if PORTS.contains(&port) && self.ports.contains(&port) => {
                Err(Unavailable::Taken)
            }
            Ok(port) if PORTS.contains(&port) => Ok(()),
            _ => Err(Unavailable::OutOfRange),
        }
    }
}

fn ips_of(service: &Object) -> impl Iterator<Item = u32> {
    let ips = service.get("spec.clusterIPs").and_then(Value::as_array).into_iter().flatten();
    ips.filter_map(|ip| ip.as_str()?.parse::<Ipv4Addr>().ok()).map(u32::from)
}

fn ports_of(service: &Object) -> impl Iterator<Item = u16> {
    let ports = service.get("spec.ports").and_then(Value::as_array).into_iter().flatten();
    let health = service.get("spec.healthCheckNodePort");
    let ports = ports.filter_map(|port| port.get("nodePort")).chain(health);
    ports.filter_map(|port| u16::try_from(port.as_u64()?).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_are_taken_once_and_given_back() {
        let mut addresses = Addresses::default();
        let first = addresses.free_ip("default/web").unwrap();
        assert_eq!(addresses.check_ip(first), Ok(()));
        let mut service = Object::new("v1", "Service", "default", "web");
        service.set("spec.clusterIPs", json!([first.to_string()]));
        service.set("spec.ports", json!([{"nodePort": 30080}]));
        addresses.note(None, Some(&service));
        assert_eq!(addresses.check_ip(first), Err(Unavailable::Taken));
        assert_eq!(addresses.check_port(30080), Err(Unavailable::Taken));
        assert_ne!(addresses.free_ip("default/web").unwrap(), first);
        addresses.note(Some(&service), None);
        assert_eq!(addresses.free_ip("default/web").unwrap(), first);
        assert_eq!(addresses.check_port(30080), Ok(()));
        assert_eq!(addresses.check_port(80), Err(Unavailable::OutOfRange));
        assert_eq!(addresses.check_ip(Ipv4Addr::new(10, 0, 0, 1)), Err(Unavailable::OutOfRange));
    }
}
