//! Resource quotas: what an object uses of them, and which objects one counts.
//!
//! Two read this: the API server, which refuses what there is no room for and charges the rest, and the
//! controller that counts anew when something has gone.
//!
//! Source: `k8s.io/kubernetes/pkg/quota/v1` and its evaluators.

mod pods;
mod scopes;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::{Object, Quantity};

pub use pods::{asked_by, missing};
pub use scopes::is_in_scope;

/// Amounts by the name of what they are of.
pub type Amounts = BTreeMap<String, Quantity>;

/// Kinds whose count a quota limits by the plural name alone too.
const BY_PLURAL: [&str; 4] = ["configmaps", "replicationcontrollers", "resourcequotas", "secrets"];

/// What the names of a storage class end with, before what is limited of it.
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";

/// The amounts of a JSON object; what is no quantity is left out.
///
/// ```
/// let hard = serde_json::json!({"pods": "2", "requests.memory": "1Gi"});
/// assert_eq!(driftlab::quota::told(&driftlab::quota::amounts(Some(&hard))), "pods=2,requests.memory=1Gi");
/// ```
pub fn amounts(value: Option<&Value>) -> Amounts {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(name, amount)| Some((name.clone(), amount.as_str()?.parse().ok()?)))
        .collect()
}

/// Adds amounts to others.
pub fn add(to: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        to.entry(name.clone()).and_modify(|sum| *sum = *sum + *amount).or_insert(*amount);
    }
}

/// Amounts as a refusal lists them.
pub fn told(amounts: &Amounts) -> String {
    let told: Vec<String> =
        amounts.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
    told.join(",")
}

/// What an object uses of a quota. `resource` is the plural name with the group, such as
/// `deployments.apps`.
pub fn usage(resource: &str, object: &Object) -> Amounts {
    let mut used = Amounts::from([(format!("count/{resource}"), Quantity::from(1))]);
    match resource {
        "pods" => used.extend(pods::usage(object)),
        "services" => used.extend(of_service(object)),
        "persistentvolumeclaims" => used.extend(of_claim(object)),
        plural if BY_PLURAL.contains(&plural) => {
            used.insert(plural.to_owned(), Quantity::from(1));
        }
        _ => {}
    }
    used
}

/// Whether what a quota calls `name` is used by objects of a resource.
pub fn is_used_by(name: &str, resource: &str) -> bool {
    if let Some(counted) = name.strip_prefix("count/") {
        return counted == resource;
    }
    match resource {
        "pods" => pods::use_up(name),
        "services" => matches!(name, "services" | "services.nodeports" | "services.loadbalancers"),
        "persistentvolumeclaims" => {
            let of_class = name.split_once(OF_CLASS).map_or(name, |(_, name)| name);
            matches!(of_class, "persistentvolumeclaims" | "requests.storage")
        }
        plural => BY_PLURAL.contains(&plural) && name == plural,
    }
}

fn of_service(service: &Object) -> Amounts {
    let mut used = Amounts::from([("services".to_owned(), Quantity::from(1))]);
    let ports = service.get("spec.ports").and_then(Value::as_array);
    let chosen = |port: &&Value| port["nodePort"].as_i64().is_some_and(|port| port != 0);
    let all = ports.map_or(0, Vec::len);
    let own = ports.into_iter().flatten().filter(chosen).count();
    let allocates = service.get("spec.allocateLoadBalancerNodePorts") != Some(&Value::Bool(false));
    let (entrances, balancers) = match service.text("spec.type") {
        "NodePort" => (all, 0),
        "LoadBalancer" => (if allocates { all } else { own }, 1),
        _ => return used,
    };
    used.insert("services.nodeports".into(), Quantity::from(entrances as i64));
    used.insert("services.loadbalancers".into(), Quantity::from(balancers));
    used
}

fn of_claim(claim: &Object) -> Amounts {
    let mut used = Amounts::from([("persistentvolumeclaims".to_owned(), Quantity::from(1))]);
    let requests = amounts(claim.get("spec.resources.requests"));
    if let Some(storage) = requests.get("storage") {
        used.insert("requests.storage".into(), *storage);
    }
    let class = match claim.annotation("volume.beta.kubernetes.io/storage-class") {
        Some(class) => class,
        None => claim.text("spec.storageClassName"),
    };
    if !class.is_empty() {
        let of_class =
            |(name, amount): (&String, &Quantity)| (format!("{class}{OF_CLASS}{name}"), *amount);
        let of_class: Amounts = used.iter().map(of_class).collect();
        used.extend(of_class);
    }
    used
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_uses_what_it_is_counted_by() {
        let check = |resource: &str, spec: Value, expected: &str| {
            let object = Object::from_value(json!({
                "apiVersion": "v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec,
            }));
            let used = usage(resource, &object.unwrap());
            assert_eq!(told(&used), expected);
            assert!(used.keys().all(|name| is_used_by(name, resource)), "{expected}");
        };
        check("deployments.apps", json!({}), "count/deployments.apps=1");
        check("secrets", json!({}), "count/secrets=1,secrets=1");
        let ports = json!([{"port": 1}, {"port": 2, "nodePort": 30000}]);
        check("services", json!({"ports": ports}), "count/services=1,services=1");
        check(
            "services",
            json!({"type": "NodePort", "ports": ports}),
            "count/services=1,services=1,services.loadbalancers=0,services.nodeports=2",
        );
        check(
            "services",
            json!({"type": "LoadBalancer", "ports": ports, "allocateLoadBalancerNodePorts": false}),
            "count/services=1,services=1,services.loadbalancers=1,services.nodeports=1",
        );
        check(
            "persistentvolumeclaims",
            json!({"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}),
            "count/persistentvolumeclaims=1,fast.storageclass.storage.k8s.io/persistentvolumeclaims=1,\
             fast.storageclass.storage.k8s.io/requests.storage=1Gi,persistentvolumeclaims=1,requests.storage=1Gi",
        );
        let containers = json!([
            {"name": "a", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1"}}},
            {"name": "b", "resources": {"requests": {"cpu": "400m", "example.com/gpu": "1"}}},
        ]);
        check(
            "pods",
            json!({"containers": containers}),
            "count/pods=1,cpu=500m,limits.cpu=1,memory=64Mi,pods=1,requests.cpu=500m,\
             requests.example.com/gpu=1,requests.memory=64Mi",
        );
    }
}
