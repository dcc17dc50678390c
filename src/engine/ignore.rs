//! `spec.ignore`: fields whose drift is nobody's business.
//!
//! A rule names JSON pointers (RFC 6901) and, if it wants, which objects it is about. An ignored field does
//! not make an object differ. When the object is written for another reason, the field is left out if
//! another manager applies it, and otherwise keeps its live value. Source: `DriftIgnoreRules` of
//! `fluxcd/pkg/ssa`.

mod pattern;

use std::collections::BTreeMap;

use pattern::Pattern;
use serde_json::Value;

use super::compare;
use super::ownership::is_applied_by_another;
use crate::object::{LabelSelector, Object};

/// One entry of `spec.ignore`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct IgnoreRule {
    paths: Vec<String>,
    /// Patterns for group, version, kind, namespace and name; an empty one fits all.
    patterns: [Option<Pattern>; 5],
    labels: LabelSelector,
    annotations: LabelSelector,
}

impl IgnoreRule {
    /// Reads a rule.
    ///
    /// # Errors
    ///
    /// When a pattern or selector cannot be read, or a path is no JSON pointer; the sentence says which.
    pub(crate) fn read(rule: &Value) -> Result<Self, String> {
        let target = |field: &str| rule["target"][field].as_str().unwrap_or_default();
        let pattern = |field: &str| match target(field) {
            "" => Ok(None),
            text => Pattern::new(text)
                .map(Some)
                .ok_or(format!("spec.ignore: target.{field}: {text:?} is not a pattern")),
        };
        let selector = |field: &str| {
            let read = target(field).parse();
            read.map_err(|error| format!("spec.ignore: target.{field}: {error}"))
        };
        Ok(IgnoreRule {
            paths: paths(rule)?,
            patterns: [
                pattern("group")?,
                pattern("version")?,
                pattern("kind")?,
                pattern("namespace")?,
                pattern("name")?,
            ],
            labels: selector("labelSelector")?,
            annotations: selector("annotationSelector")?,
        })
    }

    fn concerns(&self, object: &Object) -> bool {
        let gvk = object.gvk();
        let values = [&*gvk.group, &*gvk.version, &*gvk.kind, object.namespace(), object.name()];
        let fits = |(pattern, value): (&Option<Pattern>, &str)| {
            pattern.as_ref().is_none_or(|pattern| pattern.matches(value))
        };
        let annotations: BTreeMap<&str, &str> = object.annotations();
        self.patterns.iter().zip(values).all(fits)
            && self.labels.matches(object)
            && self.annotations.matches_labels(&annotations)
    }
}

/// The fields in which a dry run differs from the live object, less what is ignored.
pub(crate) fn differences(dry: &Object, live: &Object, rules: &[IgnoreRule]) -> Vec<String> {
    let ignored = ignored_paths(dry, rules);
    if ignored.is_empty() {
        return compare::differences(dry, live);
    }
    compare::differences(&without(dry, &ignored), &without(live, &ignored))
}

/// What to apply so that ignored fields that differ stay as they are.
pub(crate) fn adjusted(
    desired: Object,
    dry: &Object,
    live: &Object,
    rules: &[IgnoreRule],
) -> Object {
    ignored_paths(dry, rules).iter().fold(desired, |desired, path| {
        let found = live.as_value().pointer(path);
        match found {
            found if dry.as_value().pointer(path) == found => desired,
            Some(value) if !is_applied_by_another(live, path) => with(desired, path, value),
            _ => without(&desired, &[path]),
        }
    })
}

fn ignored_paths<'a>(object: &Object, rules: &'a [IgnoreRule]) -> Vec<&'a str> {
    let concerning = rules.iter().filter(|rule| rule.concerns(object));
    concerning.flat_map(|rule| &rule.paths).map(String::as_str).collect()
}

fn without(object: &Object, paths: &[&str]) -> Object {
    let mut object = object.clone();
    for path in paths {
        let steps: Vec<String> = steps(path);
        object.remove_at(&steps.iter().map(String::as_str).collect::<Vec<_>>());
    }
    object
}

/// The object with a field replaced, if it has it.
fn with(mut object: Object, path: &str, value: &Value) -> Object {
    if object.as_value().pointer(path).is_some() {
        let steps: Vec<String> = steps(path);
        object.set_at(&steps.iter().map(String::as_str).collect::<Vec<_>>(), value.clone());
    }
    object
}

fn steps(path: &str) -> Vec<String> {
    path.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

fn paths(rule: &Value) -> Result<Vec<String>, String> {
    let listed = rule["paths"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let checked = listed.map(|path| match path.strip_prefix('/') {
        Some(rest) if !["apiVersion", "kind", "metadata"].contains(&rest) && !rest.is_empty() => {
            Ok(path.to_owned())
        }
        _ => Err(format!(
            "spec.ignore: {path:?} is not a JSON pointer to a field, such as /spec/replicas"
        )),
    });
    checked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(replicas: i64) -> Object {
        let mut object = Object::new("apps/v1", "Deployment", "web", "hello");
        object.set("spec", json!({"replicas": replicas, "paused": false}));
        object
    }

    fn rule(rule: Value) -> Vec<IgnoreRule> {
        vec![IgnoreRule::read(&rule).unwrap()]
    }

    #[test]
    fn an_ignored_field_is_no_drift_where_the_rule_fits() {
        let check = |target: Value, ignored: bool| {
            let rules = rule(json!({"paths": ["/spec/replicas"], "target": target}));
            let found = differences(&deployment(1), &deployment(3), &rules);
            assert_eq!(found.is_empty(), ignored, "{rules:?}");
        };
        check(json!({}), true);
        check(json!({"kind": "Deploy.*", "name": "hello|other"}), true);
        check(json!({"kind": "Deploy"}), false);
        check(json!({"labelSelector": "app=x"}), false);
        check(json!({"namespace": "web", "labelSelector": "!app"}), true);
    }

    #[test]
    fn a_differing_ignored_field_keeps_its_live_value_or_is_left_to_who_applies_it() {
        let rules = rule(json!({"paths": ["/spec/replicas"]}));
        let mut live = deployment(3);
        let kept = adjusted(deployment(1), &deployment(1), &live, &rules);
        assert_eq!(kept.int("spec.replicas"), Some(3));
        live.set("metadata.managedFields", json!([{"manager": "hpa", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]));
        let left = adjusted(deployment(1), &deployment(1), &live, &rules);
        assert_eq!(left.get("spec.replicas"), None);
    }

    #[test]
    fn rules_that_cannot_be_read_say_why() {
        let check = |rule: Value, message: &str| {
            assert_eq!(IgnoreRule::read(&rule).unwrap_err(), message);
        };
        check(
            json!({"paths": ["spec"]}),
            "spec.ignore: \"spec\" is not a JSON pointer to a field, such as /spec/replicas",
        );
        check(
            json!({"paths": [], "target": {"name": "a("}}),
            "spec.ignore: target.name: \"a(\" is not a pattern",
        );
    }
}
