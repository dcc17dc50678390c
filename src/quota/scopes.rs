//! Scopes: a quota that has any counts only pods, and only some of them.

use serde_json::Value;

use super::amounts;
use crate::object::{Object, Quantity};

/// Whether an object of a resource is among those that a quota counts.
pub fn is_in_scope(quota: &Object, resource: &str, object: &Object) -> bool {
    let listed = |path: &str| quota.get(path).and_then(Value::as_array).into_iter().flatten();
    let matches = |scope: &str, operator: &str, values: &[&str]| {
        resource == "pods" && is_pod_in(scope, operator, values, object)
    };
    let mut scopes = listed("spec.scopes").filter_map(Value::as_str);
    scopes.all(|scope| matches(scope, "Exists", &[]))
        && listed("spec.scopeSelector.matchExpressions").all(|term| {
            let values: Vec<&str> =
                term["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let text = |field: &str| term[field].as_str().unwrap_or_default();
            matches(text("scopeName"), text("operator"), &values)
        })
}

fn is_pod_in(scope: &str, operator: &str, values: &[&str], pod: &Object) -> bool {
    let ends = pod.int("spec.activeDeadlineSeconds").is_some_and(|seconds| seconds >= 0);
    match scope {
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "BestEffort" => is_best_effort(pod),
        "NotBestEffort" => !is_best_effort(pod),
        "PriorityClass" => is_of_class(pod.text("spec.priorityClassName"), operator, values),
        "CrossNamespacePodAffinity" => is_choosy_across_namespaces(pod),
        _ => false,
    }
}

fn is_of_class(class: &str, operator: &str, values: &[&str]) -> bool {
    match operator {
        "Exists" => !class.is_empty(),
        "DoesNotExist" => class.is_empty(),
        "In" => values.contains(&class),
        "NotIn" => !values.contains(&class),
        _ => false,
    }
}

/// No container asks for processor or memory.
fn is_best_effort(pod: &Object) -> bool {
    let asks = |container: &Value| {
        ["requests", "limits"].iter().any(|field| {
            let own = amounts(container["resources"].get(*field));
            let of = |name| own.get(name).is_some_and(|amount| *amount > Quantity::default());
            of("cpu") || of("memory")
        })
    };
    let list = |path: &str| pod.get(path).and_then(Value::as_array).into_iter().flatten();
    !list("spec.containers").chain(list("spec.initContainers")).any(asks)
}

/// An affinity of the pod looks at pods of namespaces that it names or selects.
fn is_choosy_across_namespaces(pod: &Object) -> bool {
    let elsewhere = |term: &Value| {
        let named = term["namespaces"].as_array().is_some_and(|names| !names.is_empty());
        named || term.get("namespaceSelector").is_some_and(|selector| !selector.is_null())
    };
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let list = |when: &str| {
            let terms = pod.get(&format!("spec.affinity.{kind}.{when}"));
            terms.and_then(Value::as_array).into_iter().flatten()
        };
        list("requiredDuringSchedulingIgnoredDuringExecution").any(elsewhere)
            || list("preferredDuringSchedulingIgnoredDuringExecution")
                .any(|term| elsewhere(&term["podAffinityTerm"]))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scope_picks_pods() {
        let check = |scope: Value, spec: Value, expected: bool| {
            let mut quota = Object::new("v1", "ResourceQuota", "a", "q");
            quota.set("spec.scopeSelector.matchExpressions", json!([scope]));
            let mut pod = Object::new("v1", "Pod", "a", "p");
            pod.set("spec", spec);
            assert_eq!(is_in_scope(&quota, "pods", &pod), expected, "{scope}");
            assert!(!is_in_scope(&quota, "secrets", &pod), "{scope}");
        };
        let asks = json!({"containers": [{"name": "a", "resources": {"limits": {"cpu": "1"}}}]});
        let exists = |name: &str| json!({"scopeName": name, "operator": "Exists"});
        check(exists("BestEffort"), json!({"containers": [{"name": "a"}]}), true);
        check(exists("BestEffort"), asks.clone(), false);
        check(exists("NotBestEffort"), asks, true);
        check(exists("Terminating"), json!({"activeDeadlineSeconds": 5}), true);
        check(exists("NotTerminating"), json!({"activeDeadlineSeconds": 5}), false);
        let class =
            |op: &str| json!({"scopeName": "PriorityClass", "operator": op, "values": ["high"]});
        check(class("In"), json!({"priorityClassName": "high"}), true);
        check(class("NotIn"), json!({"priorityClassName": "high"}), false);
        check(class("Exists"), json!({}), false);
        let near = json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"namespaces": ["b"]}]}}});
        check(exists("CrossNamespacePodAffinity"), near, true);
    }
}
