//! What is to be seen after a step, in the form in which it was recorded.

use std::collections::BTreeSet;

use driftlab::time::Duration;
use serde_json::{Map, Value, json};

use super::player::{FLUX, Story};

const KINDS: [(&str, &str, &str); 12] = [
    ("ConfigMap", "api/v1", "configmaps"),
    ("Secret", "api/v1", "secrets"),
    ("Service", "api/v1", "services"),
    ("ServiceAccount", "api/v1", "serviceaccounts"),
    ("PersistentVolumeClaim", "api/v1", "persistentvolumeclaims"),
    ("Deployment", "apis/apps/v1", "deployments"),
    ("StatefulSet", "apis/apps/v1", "statefulsets"),
    ("Job", "apis/batch/v1", "jobs"),
    ("CronJob", "apis/batch/v1", "cronjobs"),
    ("Role", "apis/rbac.authorization.k8s.io/v1", "roles"),
    ("RoleBinding", "apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    ("Ingress", "apis/networking.k8s.io/v1", "ingresses"),
];
const WIDE: [(&str, &str, &str); 3] = [
    ("Namespace", "api/v1", "namespaces"),
    ("ClusterRole", "apis/rbac.authorization.k8s.io/v1", "clusterroles"),
    ("CustomResourceDefinition", "apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
];

/// What was heard so far: an event is told once.
#[derive(Default)]
pub(crate) struct See {
    heard: BTreeSet<Vec<String>>,
}

impl See {
    pub(crate) fn look(&mut self, story: &mut Story<'_>) -> Value {
        story.wait_for(Duration::from_millis(200));
        let kustomizations = kustomizations(story);
        let objects = objects(story);
        json!({"kustomizations": kustomizations, "objects": objects, "events": self.events(story)})
    }

    fn events(&mut self, story: &mut Story<'_>) -> Vec<Vec<String>> {
        let listed = story.get(&format!("/api/v1/namespaces/{}/events", story.namespace));
        let said: BTreeSet<Vec<String>> = items(&listed)
            .filter(|e| {
                e["involvedObject"]["kind"] == "Kustomization"
                    && e["reason"] != "ReconciliationSucceeded"
            })
            .map(|e| {
                let about = &e["involvedObject"];
                [&about["kind"], &about["name"], &e["type"], &e["reason"], &e["message"]]
                    .map(|part| blank(part.as_str().unwrap_or_default()))
                    .to_vec()
            })
            .collect();
        let new = said.difference(&self.heard).cloned().collect();
        self.heard.extend(said);
        new
    }
}

fn kustomizations(story: &mut Story<'_>) -> Value {
    let listed = story.get(&format!("{FLUX}/namespaces/{}/kustomizations", story.namespace));
    let seen = items(&listed).map(|k| (name(k), of_kustomization(k)));
    Value::Object(seen.collect())
}

fn of_kustomization(k: &Value) -> Value {
    let status = &k["status"];
    let conditions: Map<String, Value> = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| {
            let message = blank(c["message"].as_str().unwrap_or_default());
            (
                c["type"].as_str().unwrap_or_default().to_owned(),
                json!([c["status"], c["reason"], message, c["observedGeneration"]]),
            )
        })
        .collect();
    let ready = conditions.get("Ready").map_or(json!([null, null]), |c| json!([c[0], c[1]]));
    let mut inventory: Vec<String> = status["inventory"]["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|e| {
            format!(
                "{}_{}",
                e["id"].as_str().unwrap_or_default(),
                e["v"].as_str().unwrap_or_default()
            )
        })
        .collect();
    inventory.sort();
    json!({
        "ready": ready, "inventory": inventory, "conditions": conditions,
        "lastAppliedRevision": status["lastAppliedRevision"],
        "lastAttemptedRevision": status["lastAttemptedRevision"],
        "observedGeneration": status["observedGeneration"],
        "deleting": k["metadata"].get("deletionTimestamp").is_some(),
        "finalizers": k["metadata"].get("finalizers").cloned().unwrap_or(json!([])),
    })
}

fn objects(story: &mut Story<'_>) -> Value {
    let mut seen = Map::new();
    let more = story.case["namespaces"].as_array().into_iter().flatten();
    let more: Vec<String> = more.filter_map(|n| n.as_str().map(str::to_owned)).collect();
    for namespace in [vec![story.namespace.clone()], more].concat() {
        for (kind, group, plural) in KINDS {
            let listed = story.get(&format!("/{group}/namespaces/{namespace}/{plural}"));
            for object in items(&listed) {
                if !["kube-root-ca.crt", "default"].contains(&name(object).as_str()) {
                    seen.insert(
                        format!("{kind} {namespace}/{}", name(object)),
                        of_object(object, true),
                    );
                }
            }
        }
    }
    for (kind, group, plural) in WIDE {
        let selector = format!("kustomize.toolkit.fluxcd.io/namespace%3D{}", story.namespace);
        let listed = story.get(&format!("/{group}/{plural}?labelSelector={selector}"));
        for object in items(&listed) {
            let spec = kind != "CustomResourceDefinition";
            seen.insert(format!("{kind} {}", name(object)), of_object(object, spec));
        }
    }
    Value::Object(seen)
}

fn of_object(object: &Value, spec: bool) -> Value {
    let meta = &object["metadata"];
    let map = |field: &str| meta[field].as_object().cloned().unwrap_or_default();
    let mut annotations = map("annotations");
    annotations.remove("deployment.kubernetes.io/revision");
    let mut labels = map("labels");
    labels.retain(|key, _| !key.contains("controller-uid"));
    let rest: Map<String, Value> = object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| {
            spec && !["apiVersion", "kind", "metadata", "status"].contains(&key.as_str())
        })
        .map(|(key, value)| (key.clone(), normal(key, value)))
        .collect();
    let mut managers: Vec<[String; 3]> = meta["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|f| {
            ["manager", "operation", "subresource"]
                .map(|part| f[part].as_str().unwrap_or_default().to_owned())
        })
        .filter(|f| f[0] != "kube-controller-manager")
        .collect();
    managers.sort();
    json!({
        "labels": labels, "annotations": annotations, "generation": meta.get("generation"),
        "finalizers": meta.get("finalizers").cloned().unwrap_or(json!([])),
        "deleting": meta.get("deletionTimestamp").is_some(), "rest": rest, "managers": managers,
    })
}

/// The value with what differs from cluster to cluster named.
fn normal(key: &str, value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(k, v)| {
                let v = if k.contains("controller-uid") { json!("<uid>") } else { normal(k, v) };
                (k.clone(), v)
            })
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| normal(key, item)).collect(),
        Value::String(text) if key == "clusterIP" && !["", "None"].contains(&text.as_str()) => {
            json!("<ip>")
        }
        Value::String(_) if key == "clusterIPs" => json!("<ip>"),
        Value::Number(_) if key == "nodePort" => json!("<port>"),
        value => value.clone(),
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// A message with spans, times, uids, versions and temporary folders blanked out.
fn blank(text: &str) -> String {
    let text = blank_folders(text);
    let mut out = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let boundary = !out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if boundary && let Some(length) = span(rest) {
            out.push_str("<t>");
            rest = &rest[length..];
        } else if let Some(length) = uid(rest) {
            out.push_str("<uid>");
            rest = &rest[length..];
        } else {
            let c = rest.chars().next().expect("it is not empty");
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn blank_folders(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("/tmp/kustomization-") {
        let digits = &rest[start + "/tmp/kustomization-".len()..];
        let after = digits.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str(&rest[..start]);
        out.push_str(match after.strip_prefix('/') {
            Some(_) => "<tmp>",
            None => "/tmp/kustomization-<n>",
        });
        rest = after;
    }
    out + rest
}

/// The length of a span such as `30s` or `1m0s` at the start of a text.
fn span(text: &str) -> Option<usize> {
    let mut length = 0;
    loop {
        let rest = &text[length..];
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let unit =
            ["ms", "µs", "h", "m", "s"].into_iter().find(|unit| rest[digits..].starts_with(unit));
        match unit {
            Some(unit) if digits > 0 => length += digits + unit.len(),
            _ => break,
        }
    }
    let ends = !text[length..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (length > 0 && ends).then_some(length)
}

fn uid(text: &str) -> Option<usize> {
    let candidate = text.get(..36)?;
    let fits = candidate.char_indices().all(|(i, c)| match i {
        8 | 13 | 18 | 23 => c == '-',
        _ => c.is_ascii_hexdigit(),
    });
    fits.then_some(36)
}
