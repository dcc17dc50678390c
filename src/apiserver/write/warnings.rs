//! Warnings: what a server tells the person who writes, and does all the same.
//!
//! Source: `WarningsOnCreate` and `WarningsOnUpdate` of the strategies, `pkg/api/pod/warnings.go` of
//! Kubernetes.

use serde_json::Value;

use super::Write;
use crate::object::Quantity;

/// Node labels that have another name by now.
const OLD_NODE_LABELS: [(&str, &str, &str); 5] = [
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/instance-type", "v1.17", "node.kubernetes.io/instance-type"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
];

impl Write<'_> {
    /// Warns of what is legal and unwise in a new or changed object.
    pub(super) fn warn_of(&mut self, old: Option<&Value>, new: &Value) {
        let generation = |value: &Value| value["metadata"]["generation"].as_i64();
        let unchanged = old.is_some_and(|old| generation(old) == generation(new));
        let found = match (self.resource.gvk.group.as_str(), self.resource.gvk.kind.as_str()) {
            ("", "Pod") if old.is_none() => {
                let name = hostname(new, "the Pod's hostname");
                name.into_iter().chain(pod("", "spec", new)).collect()
            }
            ("", "Service") => service(new),
            ("", "PersistentVolumeClaim") if old.is_none() => claim(new),
            ("networking.k8s.io", "Ingress") => ingress(new),
            ("apps" | "batch", _) | ("", "ReplicationController") if !unchanged => {
                self.workload(old.is_none(), new)
            }
            _ if self.resource.is_custom() => finalizers(old, new),
            _ => Vec::new(),
        };
        found.into_iter().for_each(|warning| self.warn(warning));
    }

    fn workload(&self, created: bool, value: &Value) -> Vec<String> {
        let kind = self.resource.gvk.kind.as_str();
        let named = created && matches!(kind, "Deployment" | "ReplicaSet" | "Job");
        let name = hostname(value, "Pod names and hostnames").filter(|_| named);
        let (path, template) = match kind {
            "CronJob" => (
                "spec.jobTemplate.spec.template",
                &value["spec"]["jobTemplate"]["spec"]["template"],
            ),
            _ => ("spec.template", &value["spec"]["template"]),
        };
        let meta = format!("{path}.");
        name.into_iter().chain(pod(&meta, &format!("{path}.spec"), template)).collect()
    }
}

/// Of a custom resource: new finalizers without a domain and a path.
fn finalizers(old: Option<&Value>, new: &Value) -> Vec<String> {
    const KNOWN: [&str; 3] = ["foregroundDeletion", "kubernetes", "orphan"];
    let names = |value: &'_ Value| -> Vec<String> {
        let names = list(&value["metadata"]["finalizers"]).filter_map(Value::as_str);
        names.map(str::to_owned).collect()
    };
    let before = old.map(names).unwrap_or_default();
    let mut added = names(new);
    added.retain(|name| {
        !before.contains(name) && !name.contains('/') && !KNOWN.contains(&name.as_str())
    });
    added.sort();
    added.dedup();
    let advice = "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers";
    added.iter().map(|name| format!("metadata.finalizers: {name:?}: {advice}")).collect()
}

/// A name that is no DNS label becomes a part of host names.
fn hostname(value: &Value, place: &str) -> Option<String> {
    let name = value["metadata"]["name"].as_str().unwrap_or_default();
    name.contains('.').then(|| {
        format!("metadata.name: this is used in {place}, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]")
    })
}

/// A pod or a template of pods; `meta` is what precedes `metadata` in paths.
fn pod(meta: &str, path: &str, pod: &Value) -> Vec<String> {
    let spec = &pod["spec"];
    let mut found = old_labels(path, spec);
    found.extend(annotations(meta, &pod["metadata"]["annotations"]));
    found.extend(duplicates(&format!("{path}.hostAliases"), "ip", &spec["hostAliases"]));
    found.extend(pull_secrets(path, spec));
    for (i, volume) in list(&spec["volumes"]).enumerate() {
        if volume.get("gitRepo").is_some() {
            found.push(format!(
                "{path}.volumes[{i}].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"
            ));
        }
    }
    let containers = containers(path, spec);
    for (path, container) in &containers {
        found.extend(hidden_variables(path, container));
        for part in ["limits", "requests"] {
            found.extend(fraction(
                &format!("{path}.resources.{part}"),
                "memory",
                &container["resources"][part],
            ));
        }
    }
    found.extend(ports(&containers));
    if spec["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds < 0) {
        found.push(format!("{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"));
    }
    for (i, constraint) in list(&spec["topologySpreadConstraints"]).enumerate() {
        if constraint.get("labelSelector").is_none_or(Value::is_null) {
            found.push(format!("{path}.topologySpreadConstraints[{i}].labelSelector: a null labelSelector results in matching no pod"));
        }
    }
    found
}

fn old_labels(path: &str, spec: &Value) -> Vec<String> {
    let old =
        OLD_NODE_LABELS.iter().filter(|(label, ..)| spec["nodeSelector"].get(label).is_some());
    old.map(|(label, since, new)| {
        format!("{path}.nodeSelector[{label}]: deprecated since {since}; use {new:?} instead")
    })
    .collect()
}

fn annotations(meta: &str, annotations: &Value) -> Vec<String> {
    let keys = annotations.as_object().into_iter().flat_map(|map| map.keys());
    keys.filter_map(|key| {
        let what = match key.as_str() {
            "scheduler.alpha.kubernetes.io/critical-pod" => {
                "non-functional in v1.16+; use the \"priorityClassName\" field instead"
            }
            key if key.starts_with("seccomp.security.alpha.kubernetes.io/pod")
                || key.starts_with("container.seccomp.security.alpha.kubernetes.io/") =>
            {
                "non-functional in v1.27+; use the \"seccompProfile\" field instead"
            }
            key if key.starts_with("container.apparmor.security.beta.kubernetes.io/") => {
                "deprecated since v1.30; use the \"appArmorProfile\" field instead"
            }
            _ => return None,
        };
        Some(format!("{meta}metadata.annotations[{key}]: {what}"))
    })
    .collect()
}

fn duplicates(path: &str, field: &str, items: &Value) -> Vec<String> {
    let items: Vec<&str> =
        list(items).map(|item| item[field].as_str().unwrap_or_default()).collect();
    let again = items.iter().enumerate().filter(|(i, item)| items[..*i].contains(item));
    again.map(|(i, item)| format!("{path}[{i}].{field}: duplicate {field} {item:?}")).collect()
}

fn pull_secrets(path: &str, spec: &Value) -> Vec<String> {
    let path = format!("{path}.imagePullSecrets");
    let mut found = duplicates(&path, "name", &spec["imagePullSecrets"]);
    for (i, secret) in list(&spec["imagePullSecrets"]).enumerate() {
        if secret["name"].as_str().is_none_or(str::is_empty) {
            found.push(format!("{path}[{i}].name: invalid empty name \"\""));
        }
    }
    found
}

fn containers<'p>(path: &str, spec: &'p Value) -> Vec<(String, &'p Value)> {
    let of = |field: &str| {
        let numbered = list(&spec[field]).enumerate();
        numbered.map(|(i, c)| (format!("{path}.{field}[{i}]"), c)).collect::<Vec<_>>()
    };
    let mut all = of("initContainers");
    all.extend(of("containers"));
    all.extend(of("ephemeralContainers"));
    all
}

fn hidden_variables(path: &str, container: &Value) -> Vec<String> {
    let names: Vec<&str> =
        list(&container["env"]).map(|e| e["name"].as_str().unwrap_or_default()).collect();
    let again = names.iter().enumerate().filter(|(i, name)| names[..*i].contains(name));
    again
        .map(|(i, name)| {
            format!("{path}.env[{i}]: hides previous definition of {name:?}, which may be dropped when using apply")
        })
        .collect()
}

fn fraction(path: &str, resource: &str, amounts: &Value) -> Option<String> {
    let amount: Quantity = amounts[resource].as_str()?.parse().ok()?;
    (amount.milli_value() % 1000 != 0).then(|| {
        format!(
            "{path}[{resource}]: fractional byte value \"{amount}\" is invalid, must be an integer"
        )
    })
}

/// Ports of the pod's containers that are the same, or may be.
fn ports(containers: &[(String, &Value)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen: Vec<(String, &Value)> = Vec::new();
    for (path, container) in containers {
        for (i, port) in list(&container["ports"]).enumerate() {
            let at = format!("{path}.ports[{i}]");
            if !text(port, "hostIP").is_empty() && number(port, "hostPort") == 0 {
                found.push(format!("{at}: hostIP set without hostPort: {}", go_port(port)));
            }
            let same = |other: &Value| {
                number(port, "containerPort") == number(other, "containerPort")
                    && text(port, "protocol") == text(other, "protocol")
            };
            for (other_at, other) in seen.iter().filter(|(_, other)| same(other)) {
                if let Some(how) = clash(port, other) {
                    found.push(format!("{at}: {how} port definition with {other_at}"));
                }
            }
            seen.push((at, port));
        }
    }
    found
}

fn clash(port: &Value, other: &Value) -> Option<&'static str> {
    let (here, there) = (number(port, "hostPort"), number(other, "hostPort"));
    let (ip, other_ip) = (text(port, "hostIP"), text(other, "hostIP"));
    if here == there && ip == other_ip {
        Some("duplicate")
    } else if here == 0 || there == 0 {
        Some("overlapping")
    } else {
        (here == there && ip.is_empty() != other_ip.is_empty()).then_some("dangerously ambiguous")
    }
}

/// As Go prints a `ContainerPort` with `%+v`.
fn go_port(port: &Value) -> String {
    format!(
        "{{Name:{} HostPort:{} ContainerPort:{} Protocol:{} HostIP:{}}}",
        text(port, "name"),
        number(port, "hostPort"),
        number(port, "containerPort"),
        text(port, "protocol"),
        text(port, "hostIP")
    )
}

fn service(value: &Value) -> Vec<String> {
    let spec = &value["spec"];
    let mut found = Vec::new();
    if list(&spec["externalIPs"]).next().is_some() {
        found.push(
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
                .into(),
        );
    }
    if text(spec, "clusterIP") == "None" && text(spec, "sessionAffinity") == "ClientIP" {
        found.push("spec.SessionAffinity is ignored for headless services".into());
    }
    if !text(spec, "externalName").is_empty() && text(spec, "type") != "ExternalName" {
        found.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".into());
    }
    found
}

fn claim(value: &Value) -> Vec<String> {
    let old = "volume.beta.kubernetes.io/storage-class";
    let mut found = Vec::new();
    if value["metadata"]["annotations"].get(old).is_some() {
        found.push(format!("metadata.annotations[{old}]: deprecated since v1.8; use \"storageClassName\" attribute instead"));
    }
    let requests = &value["spec"]["resources"]["requests"];
    found.extend(fraction("spec.resources.requests", "storage", requests));
    found
}

fn ingress(value: &Value) -> Vec<String> {
    let old = "kubernetes.io/ingress.class";
    let there = value["metadata"]["annotations"].get(old).is_some();
    let text =
        format!("annotation {old:?} is deprecated, please use 'spec.ingressClassName' instead");
    there.then_some(text).into_iter().collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or("")
}

fn number(value: &Value, field: &str) -> i64 {
    value[field].as_i64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unwise_pods_are_warned_of() {
        let check = |spec: Value, expected: &[&str]| {
            assert_eq!(pod("", "spec", &json!({"spec": spec})), expected)
        };
        let port = |port: i64| json!({"containerPort": port, "protocol": "TCP"});
        check(json!({"containers": [{"ports": [port(80), port(81)]}]}), &[]);
        check(
            json!({"containers": [{"ports": [port(80)]}, {"ports": [port(80)]}]}),
            &[
                "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]",
            ],
        );
        check(
            json!({"containers": [{"env": [{"name": "A"}, {"name": "B"}, {"name": "A"}]}]}),
            &[
                "spec.containers[0].env[2]: hides previous definition of \"A\", which may be dropped when using apply",
            ],
        );
        check(
            json!({"containers": [{"resources": {"requests": {"memory": "500m"}}}]}),
            &[
                "spec.containers[0].resources.requests[memory]: fractional byte value \"500m\" is invalid, must be an integer",
            ],
        );
        check(
            json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}, {}]}),
            &[
                "spec.imagePullSecrets[1].name: duplicate name \"a\"",
                "spec.imagePullSecrets[2].name: invalid empty name \"\"",
            ],
        );
    }
}
