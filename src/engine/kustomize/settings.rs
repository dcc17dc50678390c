//! `spec` of a Kustomization, read once.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::engine::ignore::IgnoreRule;
use crate::object::{GroupVersionKind, Object, ObjectRef};
use crate::time::Duration;

/// The shortest timeout there is, and what an interval is shortened by for the default one.
const MARGIN: Duration = Duration::from_secs(30);

/// What a Kustomization asks for. Source: the CRD `kustomizations.kustomize.toolkit.fluxcd.io`, v1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    pub(crate) interval: Duration,
    pub(crate) retry_interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) path: String,
    pub(crate) prune: bool,
    pub(crate) force: bool,
    pub(crate) wait: bool,
    pub(crate) source: ObjectRef,
    pub(crate) depends_on: Vec<Dependency>,
    pub(crate) service_account: String,
    pub(crate) deletion_policy: String,
    pub(crate) health_checks: Vec<(GroupVersionKind, ObjectRef)>,
    pub(crate) substitution: Option<Substitution>,
    pub(crate) ignore: Vec<IgnoreRule>,
    pub(crate) common_labels: BTreeMap<String, String>,
    pub(crate) common_annotations: BTreeMap<String, String>,
    /// Fields that are set and that this engine does not do.
    pub(crate) unsupported: Vec<&'static str>,
}

/// One entry of `spec.dependsOn`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Dependency {
    pub(crate) object: ObjectRef,
    pub(crate) ready_expr: bool,
}

/// `spec.postBuild`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Substitution {
    pub(crate) inline: BTreeMap<String, String>,
    pub(crate) from: Vec<Reference>,
    pub(crate) always: bool,
}

/// One entry of `spec.postBuild.substituteFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reference {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) optional: bool,
}

impl Settings {
    /// Reads the spec.
    ///
    /// # Errors
    ///
    /// When a duration or an ignore rule cannot be read; the sentence names the field.
    pub(crate) fn of(object: &Object) -> Result<Self, String> {
        let interval = duration(object, "spec.interval")?.ok_or("spec.interval is missing")?;
        let timeout =
            duration(object, "spec.timeout")?.unwrap_or_else(|| interval.saturating_sub(MARGIN));
        Ok(Settings {
            interval,
            retry_interval: duration(object, "spec.retryInterval")?.unwrap_or(interval),
            timeout: timeout.max(MARGIN),
            path: object.text("spec.path").into(),
            prune: flag(object, "spec.prune"),
            force: flag(object, "spec.force"),
            wait: flag(object, "spec.wait"),
            source: source_of(object),
            depends_on: dependencies(object),
            service_account: object.text("spec.serviceAccountName").into(),
            deletion_policy: deletion_policy(object),
            health_checks: list(object, "spec.healthChecks").map(health_check).collect(),
            substitution: object.get("spec.postBuild").map(substitution),
            ignore: list(object, "spec.ignore").map(IgnoreRule::read).collect::<Result<_, _>>()?,
            common_labels: texts(object.get("spec.commonMetadata.labels")),
            common_annotations: texts(object.get("spec.commonMetadata.annotations")),
            unsupported: unsupported(object),
        })
    }
}

/// The source that a Kustomization takes its files from.
pub(crate) fn source_of(object: &Object) -> ObjectRef {
    let text = |field: &str| object.text(&format!("spec.sourceRef.{field}")).to_owned();
    let namespace = text("namespace");
    ObjectRef {
        group: "source.toolkit.fluxcd.io".into(),
        kind: text("kind"),
        namespace: if namespace.is_empty() { object.namespace().into() } else { namespace },
        name: text("name"),
    }
}

/// What a Kustomization depends on.
pub(crate) fn dependencies(object: &Object) -> Vec<Dependency> {
    let dependency = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        let namespace = Some(text("namespace")).filter(|n| !n.is_empty());
        let namespace = namespace.unwrap_or(object.namespace());
        let gvk = crate::engine::names::kustomization();
        Dependency {
            object: gvk.named(namespace, text("name")),
            ready_expr: !text("readyExpr").is_empty(),
        }
    };
    list(object, "spec.dependsOn").map(dependency).collect()
}

/// The ConfigMaps and Secrets whose values a Kustomization substitutes.
pub(crate) fn substitute_from(object: &Object) -> Vec<Reference> {
    list(object, "spec.postBuild.substituteFrom").map(reference).collect()
}

fn deletion_policy(object: &Object) -> String {
    match object.text("spec.deletionPolicy") {
        "" => "MirrorPrune".into(),
        policy => policy.into(),
    }
}

fn health_check(entry: &Value) -> (GroupVersionKind, ObjectRef) {
    let text = |field: &str| entry[field].as_str().unwrap_or_default();
    let api_version = Some(text("apiVersion")).filter(|v| !v.is_empty()).unwrap_or("apps/v1");
    let gvk = GroupVersionKind::new(api_version, text("kind"));
    let object = gvk.named(text("namespace"), text("name"));
    (gvk, object)
}

fn substitution(post_build: &Value) -> Substitution {
    Substitution {
        inline: texts(post_build.get("substitute")),
        from: post_build["substituteFrom"]
            .as_array()
            .into_iter()
            .flatten()
            .map(reference)
            .collect(),
        always: post_build["substituteStrategy"] == "Always",
    }
}

fn reference(entry: &Value) -> Reference {
    let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let optional = entry["optional"].as_bool().unwrap_or(false);
    Reference { kind: text("kind"), name: text("name"), optional }
}

fn unsupported(object: &Object) -> Vec<&'static str> {
    ["spec.kubeConfig", "spec.decryption", "spec.healthCheckExprs"]
        .into_iter()
        .filter(|field| object.get(field).is_some_and(|value| *value != serde_json::json!([])))
        .collect()
}

fn duration(object: &Object, field: &str) -> Result<Option<Duration>, String> {
    match object.text(field) {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|error| format!("{field}: {error}")),
    }
}

fn flag(object: &Object, field: &str) -> bool {
    object.get(field).and_then(Value::as_bool).unwrap_or(false)
}

fn list<'a>(object: &'a Object, field: &str) -> impl Iterator<Item = &'a Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn texts(map: Option<&Value>) -> BTreeMap<String, String> {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(spec: Value) -> Result<Settings, String> {
        let mut object =
            Object::new("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "web", "apps");
        object.set("spec", spec);
        Settings::of(&object)
    }

    #[test]
    fn the_timeout_is_the_interval_less_thirty_seconds_and_thirty_at_the_least() {
        let check = |spec: Value, seconds: u64| {
            assert_eq!(read(spec.clone()).unwrap().timeout, Duration::from_secs(seconds), "{spec}")
        };
        check(json!({"interval": "10m"}), 570);
        check(json!({"interval": "40s"}), 30);
        check(json!({"interval": "10m", "timeout": "3s"}), 30);
        check(json!({"interval": "10m", "timeout": "2m"}), 120);
    }

    #[test]
    fn names_without_a_namespace_are_in_the_kustomizations_own() {
        let settings =
            read(json!({"interval": "1m", "sourceRef": {"kind": "GitRepository", "name": "repo"},
            "dependsOn": [{"name": "infra"}, {"name": "x", "namespace": "y"}]}))
            .unwrap();
        assert_eq!(settings.source.to_string(), "GitRepository/web/repo");
        let names: Vec<_> = settings.depends_on.iter().map(|d| d.object.to_string()).collect();
        assert_eq!(names, ["Kustomization/web/infra", "Kustomization/y/x"]);
    }

    #[test]
    fn a_field_that_cannot_be_read_is_named() {
        assert_eq!(read(json!({})).unwrap_err(), "spec.interval is missing");
        let message = read(json!({"interval": "soon"})).unwrap_err();
        assert!(message.starts_with("spec.interval: \"soon\""), "{message}");
        let settings = read(json!({"interval": "1m", "decryption": {"provider": "sops"}})).unwrap();
        assert_eq!(settings.unsupported, ["spec.decryption"]);
    }
}
