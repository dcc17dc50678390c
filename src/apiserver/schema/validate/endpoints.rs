//! Endpoints and EndpointSlices.

use core::net::IpAddr;

use super::names;
use super::report::{Node, Report};

/// How many endpoints a slice may have, and how many addresses an endpoint.
const ENDPOINTS: usize = 1000;
const ADDRESSES: usize = 100;

pub(super) fn subset(subset: &Node, report: &mut Report) {
    if subset.at("addresses").is_zero() && subset.at("notReadyAddresses").is_zero() {
        report.required(subset, "must specify `addresses` or `notReadyAddresses`");
    }
}

/// The address of an Endpoints object.
pub(super) fn address(node_name: &Node, report: &mut Report) {
    let Some(address) = node_name.above() else { return };
    let ip = address.at("ip");
    match ip.text().parse() {
        Ok(parsed) => check_reach(&ip, parsed, report),
        Err(_) => report.invalid(&ip, "must be a valid IP address"),
    }
}

/// An address that means the same on every node.
fn check_reach(place: &Node, ip: IpAddr, report: &mut Report) {
    let (local, multicast) = match ip {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.segments()[0] == 0xff02),
    };
    for (refused, sentence) in [
        (ip.is_unspecified(), "may not be unspecified (0.0.0.0 or ::)"),
        (ip.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    ] {
        if refused {
            report.invalid(place, sentence);
        }
    }
}

/// The endpoints of a slice have addresses of its type.
pub(super) fn slice(slice: &Node, report: &mut Report) {
    let endpoints = slice.at("endpoints");
    let count = endpoints.items().count();
    if count > ENDPOINTS {
        report.too_many(&endpoints, count, ENDPOINTS as i64);
    }
}

pub(super) fn addresses(addresses: &Node, report: &mut Report) {
    let slice = addresses.above().and_then(Node::above).and_then(Node::above);
    let kind = slice.map(|slice| slice.at("addressType").text()).unwrap_or_default();
    let count = addresses.items().count();
    if count > ADDRESSES {
        report.too_many(addresses, count, ADDRESSES as i64);
    }
    for address in addresses.items() {
        match kind {
            "IPv4" | "IPv6" => check_family(&address, kind, report),
            "FQDN" => report.invalid_each(&address, names::domain(address.text())),
            _ => {}
        }
    }
}

fn check_family(address: &Node, kind: &str, report: &mut Report) {
    match address.text().parse::<IpAddr>() {
        Err(_) => {
            report.invalid(address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        }
        Ok(ip) if ip.is_ipv4() != (kind == "IPv4") => {
            let family = if kind == "IPv4" { "an IPv4" } else { "an IPv6" };
            report.invalid(address, format!("must be {family} address"));
        }
        Ok(ip) => check_reach(address, ip, report),
    }
}

/// The ports of a slice are told apart by their names; one may have none.
pub(super) fn unique_port_name(name: &Node, report: &mut Report) {
    let Some((port, list)) = name.above().and_then(|port| Some((port, port.above()?))) else {
        return;
    };
    let earlier = list.items().take(port.index().unwrap_or(0));
    if earlier.map(|other| other.at("name").text()).any(|other| other == name.text()) {
        report.duplicate(name);
    }
}
