//! What pods use.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Amounts, add, amounts};
use crate::object::{Object, Quantity};

/// What is limited by its own name, which means what is requested of it.
const PLAIN: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What every container must ask for where a quota limits it.
const DEMANDED: [&str; 6] =
    ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

/// What a pod spec asks for: requests and limits. Its containers together, or more where one that
/// runs before them needs it; init containers that stay (`restartPolicy: Always`) count on.
pub fn asked_by(spec: &Value) -> [Amounts; 2] {
    ["requests", "limits"].map(|field| {
        let of = |container: &Value| amounts(container["resources"].get(field));
        let mut sum = Amounts::new();
        list(spec, "containers").for_each(|container| add(&mut sum, &of(container)));
        let (mut stay, mut most) = (Amounts::new(), Amounts::new());
        for container in list(spec, "initContainers") {
            let mut own = of(container);
            if container["restartPolicy"] == "Always" {
                add(&mut sum, &own);
                add(&mut stay, &own);
                own = stay.clone();
            } else {
                add(&mut own, &stay);
            }
            raise(&mut most, own);
        }
        raise(&mut sum, most);
        sum
    })
}

/// What a quota limits and containers of a pod say nothing of, as a refusal tells it; empty for
/// nothing.
pub fn missing<'n>(limited: impl Iterator<Item = &'n String>, pod: &Object) -> String {
    let limited = limited.filter(|name| DEMANDED.contains(&name.as_str()));
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let told = limited.filter_map(|name| {
        let silent = |container: &&Value| {
            let [requests, limits] =
                ["requests", "limits"].map(|f| amounts(container["resources"].get(f)));
            !of_resources(&requests, &limits).contains_key(name)
        };
        let all = list(spec, "containers").chain(list(spec, "initContainers"));
        let names: BTreeSet<&str> =
            all.filter(silent).filter_map(|container| container["name"].as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        (!names.is_empty()).then(|| format!("{name} for: {}", names.join(",")))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// What a pod uses besides its place in a `count/`: nothing once it is over.
pub(super) fn usage(pod: &Object) -> Amounts {
    if matches!(pod.text("status.phase"), "Succeeded" | "Failed") {
        return Amounts::new();
    }
    let [requests, limits] = asked_by(pod.get("spec").unwrap_or(&Value::Null));
    let mut used = of_resources(&requests, &limits);
    used.insert("pods".into(), Quantity::from(1));
    used
}

pub(super) fn use_up(name: &str) -> bool {
    let limited = name.strip_prefix("limits.").filter(|name| PLAIN.contains(name)).is_some();
    let requested = name.strip_prefix("requests.");
    let asked = |name: &str| PLAIN.contains(&name) || is_huge_page(name) || is_extended(name);
    name == "pods"
        || PLAIN.contains(&name)
        || is_huge_page(name)
        || limited
        || requested.is_some_and(asked)
}

fn of_resources(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut used = Amounts::new();
    for (name, amount) in requests {
        if PLAIN.contains(&name.as_str()) || is_huge_page(name) {
            used.insert(name.clone(), *amount);
        } else if !is_extended(name) {
            continue;
        }
        used.insert(format!("requests.{name}"), *amount);
    }
    let limits = limits.iter().filter(|(name, _)| PLAIN.contains(&name.as_str()));
    used.extend(limits.map(|(name, amount)| (format!("limits.{name}"), *amount)));
    used
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn is_extended(name: &str) -> bool {
    name.split_once('/').is_some_and(|(domain, _)| !domain.ends_with("kubernetes.io"))
}

fn raise(sum: &mut Amounts, to: Amounts) {
    for (name, amount) in to {
        let own = sum.entry(name).or_insert(amount);
        *own = amount.max(*own);
    }
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}
