//! Who must be reconciled when a source, or a watched ConfigMap or Secret, changed.

use std::collections::{BTreeMap, BTreeSet};

use super::settings::{dependencies, source_of, substitute_from};
use crate::engine::conditions::{READY, RECONCILING, is_true};
use crate::object::{Object, ObjectRef};

/// The Kustomizations that take their files from a source and have not attempted its revision (or have,
/// with `anew`), each after what it depends on. None when they depend on each other in a circle.
pub(super) fn of_source(source: &Object, kustomizations: &[Object], anew: bool) -> Vec<ObjectRef> {
    let revision = source.text("status.artifact.revision");
    if revision.is_empty() {
        return Vec::new();
    }
    let key = source.reference();
    let uses = |k: &&Object| source_of(k) == key && (anew || !has_attempted(k, revision));
    sorted(kustomizations.iter().filter(uses).collect())
}

/// The Kustomizations that substitute from a ConfigMap or Secret, each after what it depends on.
pub(super) fn of_config(config: &ObjectRef, kustomizations: &[Object]) -> Vec<ObjectRef> {
    let uses = |k: &&Object| {
        k.namespace() == config.namespace
            && substitute_from(k).iter().any(|r| r.kind == config.kind && r.name == config.name)
    };
    sorted(kustomizations.iter().filter(uses).collect())
}

fn has_attempted(kustomization: &Object, revision: &str) -> bool {
    (is_true(kustomization, READY) || is_true(kustomization, RECONCILING))
        && kustomization.text("status.lastAttemptedRevision") == revision
}

/// Depth first, as `dependency.Sort` of `fluxcd/pkg/runtime` does; what is depended on and not in the list
/// is put in the queue too.
fn sorted(objects: Vec<&Object>) -> Vec<ObjectRef> {
    let edges: BTreeMap<ObjectRef, Vec<ObjectRef>> = objects
        .iter()
        .map(|o| (o.reference(), dependencies(o).into_iter().map(|d| d.object).collect()))
        .collect();
    let mut order = Vec::new();
    let mut done = BTreeSet::new();
    for object in &objects {
        let Some(()) = visit(&object.reference(), &edges, &mut done, &mut order) else {
            return Vec::new();
        };
    }
    order
}

/// Adds an object after its dependencies; `None` when there is a circle. With a stack of its own, since
/// chains may be long.
fn visit(
    root: &ObjectRef,
    edges: &BTreeMap<ObjectRef, Vec<ObjectRef>>,
    done: &mut BTreeSet<ObjectRef>,
    order: &mut Vec<ObjectRef>,
) -> Option<()> {
    let mut open = BTreeSet::new();
    let mut stack = vec![(root.clone(), 0)];
    while let Some((object, next)) = stack.pop() {
        if done.contains(&object) {
            continue;
        }
        open.insert(object.clone());
        match edges.get(&object).and_then(|targets| targets.get(next)) {
            Some(target) if open.contains(target) => return None,
            Some(target) => {
                let target = target.clone();
                stack.push((object, next + 1));
                stack.push((target, 0));
            }
            None => {
                open.remove(&object);
                done.insert(object.clone());
                order.push(object);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kustomization(name: &str, depends_on: &[&str]) -> Object {
        let mut object = Object::new("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "a", name);
        let depends_on: Vec<_> = depends_on.iter().map(|name| json!({ "name": name })).collect();
        object.set(
            "spec",
            json!({"sourceRef": {"kind": "GitRepository", "name": "repo"}, "dependsOn": depends_on,
            "postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": name}]}}),
        );
        object
    }

    fn source() -> Object {
        let mut source = Object::new("source.toolkit.fluxcd.io/v1", "GitRepository", "a", "repo");
        source.set("status.artifact.revision", "main@sha1:2");
        source
    }

    fn names(keys: Vec<ObjectRef>) -> Vec<String> {
        keys.into_iter().map(|key| key.name).collect()
    }

    #[test]
    fn dependents_come_after_what_they_depend_on() {
        let all = [
            kustomization("apps", &["infra"]),
            kustomization("infra", &[]),
            kustomization("web", &["apps"]),
        ];
        assert_eq!(names(of_source(&source(), &all, false)), ["infra", "apps", "web"]);
    }

    #[test]
    fn a_circle_enqueues_nobody() {
        let all = [kustomization("a", &["b"]), kustomization("b", &["a"])];
        assert_eq!(of_source(&source(), &all, false), []);
    }

    #[test]
    fn who_has_attempted_the_revision_and_is_ready_or_at_it_is_left_alone() {
        let mut done = kustomization("a", &[]);
        done.set("status", json!({"lastAttemptedRevision": "main@sha1:2", "conditions": [{"type": "Ready", "status": "True"}]}));
        assert_eq!(of_source(&source(), &[done.clone()], false), []);
        done.set("status.conditions.0.status", "False");
        assert_eq!(names(of_source(&source(), &[done], false)), ["a"]);
    }

    #[test]
    fn a_watched_config_map_concerns_who_substitutes_from_it() {
        let all = [kustomization("a", &[]), kustomization("b", &[])];
        let config = ObjectRef::new("", "ConfigMap", "a", "b");
        assert_eq!(names(of_config(&config, &all)), ["b"]);
    }
}
