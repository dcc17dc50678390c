//! The order in which kinds are applied; pruning goes the other way.
//!
//! Source: `ReconcileOrder` of `fluxcd/pkg/ssa`.

use std::cmp::Ordering;

use crate::object::{Object, ObjectRef};

/// Kinds that come first, in this order.
const FIRST: [&str; 23] = [
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that come last: a webhook before its backend would refuse everything else.
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Compares two objects by the order of their kinds, then group, kind, namespace and name.
///
/// ```
/// use driftlab::engine::apply_order;
/// use driftlab::object::ObjectRef;
/// let namespace = ObjectRef::new("", "Namespace", "", "web");
/// let deployment = ObjectRef::new("apps", "Deployment", "web", "hello");
/// assert!(apply_order(&namespace, &deployment).is_lt());
/// ```
pub fn apply_order(a: &ObjectRef, b: &ObjectRef) -> Ordering {
    key(a).cmp(&key(b))
}

/// Sorts objects as they are applied.
pub(crate) fn sort(objects: &mut [Object]) {
    objects.sort_by_cached_key(|object| {
        let reference = object.reference();
        (
            rank(&reference.kind),
            reference.group,
            reference.kind,
            reference.namespace,
            reference.name,
        )
    });
}

fn key(object: &ObjectRef) -> (usize, &str, &str, &str, &str) {
    (rank(&object.kind), &object.group, &object.kind, &object.namespace, &object.name)
}

fn rank(kind: &str) -> usize {
    let among = |kinds: &[&str]| kinds.iter().position(|k| *k == kind);
    among(&FIRST).or_else(|| among(&LAST).map(|i| FIRST.len() + 1 + i)).unwrap_or(FIRST.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_in_the_published_order_and_others_by_group_kind_and_name() {
        let mut objects = [
            Object::new(
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
                "",
                "v",
            ),
            Object::new("batch/v1", "Job", "b", "j"),
            Object::new("apps/v1", "DaemonSet", "b", "d"),
            Object::new("batch/v1", "Job", "a", "z"),
            Object::new("apps/v1", "Deployment", "a", "d"),
            Object::new("v1", "ConfigMap", "a", "c"),
            Object::new("v1", "Namespace", "", "a"),
        ];
        sort(&mut objects);
        let kinds: Vec<_> = objects.iter().map(|o| o.reference().to_string()).collect();
        assert_eq!(
            kinds,
            [
                "Namespace/a",
                "ConfigMap/a/c",
                "Deployment/a/d",
                "DaemonSet/b/d",
                "Job/a/z",
                "Job/b/j",
                "ValidatingWebhookConfiguration/v"
            ]
        );
    }
}
