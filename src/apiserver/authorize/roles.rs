//! The roles and bindings that every cluster has.

use serde_json::{Value, json};

use super::{GROUP, items};
use crate::object::{LabelSelector, Object};

static POLICY: &str = include_str!("default.policy");

/// The roles and bindings that a server with role-based access control makes at its first start.
pub(in crate::apiserver) fn bootstrap() -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for line in POLICY.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match (line.strip_prefix("  "), objects.last_mut()) {
            (Some(more), Some(object)) => add(object, more),
            _ => objects.push(named(line)),
        }
    }
    fill(&mut objects);
    objects
}

/// An object of the table, by its first line.
fn named(line: &str) -> Object {
    let mut words = line.split(' ');
    let (kind, place) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (namespace, name) = place.split_once('/').unwrap_or(("", place));
    let mut object = Object::new(&format!("{GROUP}/v1"), kind, namespace, name);
    object.set_label("kubernetes.io/bootstrapping", "rbac-defaults");
    let kept = json!({"rbac.authorization.kubernetes.io/autoupdate": "true"});
    object.set("metadata.annotations", kept);
    if kind.ends_with("Role") {
        object.set("rules", json!([]));
    }
    for word in words {
        match word.split_at(1) {
            ("+", label) => object.set_label(&format!("{GROUP}/{label}"), "true"),
            (_, label) => {
                let labels = json!({format!("{GROUP}/{label}"): "true"});
                let selectors = json!({"clusterRoleSelectors": [{"matchLabels": labels}]});
                object.set("aggregationRule", selectors);
            }
        }
    }
    object
}

/// What a further line says of an object.
fn add(object: &mut Object, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    if object.kind().ends_with("Binding") {
        let role = split(words[0]);
        object.set("roleRef", json!({"apiGroup": GROUP, "kind": role.0, "name": role.1}));
        let subjects: Vec<Value> = words[1..].iter().map(|word| subject(word)).collect();
        if !subjects.is_empty() {
            object.set("subjects", subjects);
        }
        return;
    }
    let mut rules = object.get("rules").and_then(Value::as_array).cloned().unwrap_or_default();
    rules.push(rule(&words));
    object.set("rules", rules);
}

fn split(word: &str) -> (&str, &str) {
    word.split_once(':').unwrap_or((word, ""))
}

fn subject(word: &str) -> Value {
    match split(word) {
        ("ServiceAccount", account) => {
            let (namespace, name) = account.split_once('/').unwrap_or(("", account));
            json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
        }
        (kind, name) => json!({"apiGroup": GROUP, "kind": kind, "name": name}),
    }
}

fn rule(words: &[&str]) -> Value {
    match words {
        ["urls", urls, verbs] => json!({"nonResourceURLs": list(urls), "verbs": list(verbs)}),
        [groups, resources, verbs, names @ ..] => {
            let mut rule = json!({
                "apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs),
            });
            if let [names] = names {
                rule["resourceNames"] = json!(list(names));
            }
            rule
        }
        _ => panic!("a rule of the table has three words or four"),
    }
}

fn list(words: &str) -> Vec<&str> {
    match words {
        "read" => "get,list,watch",
        "write" => "create,delete,deletecollection,patch,update",
        other => other,
    }
    .split(',')
    .map(|word| word.trim_matches('"'))
    .collect()
}

/// Gives the roles that gather others the rules of these, until nothing is added.
fn fill(objects: &mut [Object]) {
    loop {
        let before: Vec<Object> = objects.to_vec();
        for object in objects.iter_mut().filter(|o| o.get("aggregationRule").is_some()) {
            object.set("rules", gathered(object, &before));
        }
        if before == objects {
            return;
        }
    }
}

fn gathered(role: &Object, all: &[Object]) -> Vec<Value> {
    let selectors = role.get("aggregationRule.clusterRoleSelectors");
    let selector = LabelSelector::from_value(selectors.map_or(&Value::Null, |all| &all[0]));
    let mut rules: Vec<Value> = Vec::new();
    for other in all.iter().filter(|other| other.kind() == "ClusterRole" && selector.matches(other))
    {
        for rule in items(other.get("rules")) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    rules
}

#[cfg(test)]
pub(super) fn cluster_role(name: &str, aggregates: &str, rules: Vec<Value>) -> Object {
    let mut role = Object::new(&format!("{GROUP}/v1"), "ClusterRole", "", name);
    role.set_label(&format!("{GROUP}/{aggregates}"), "true");
    role.set("rules", rules);
    role
}
