//! The order in which a build gives its objects.

use std::cmp::Ordering;

use super::file::Sort;
use super::resource::{Resource, Resources};
use crate::object::GroupVersionKind;

const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Sorts as `sortOptions` says, by kind when it says nothing.
pub(super) fn sort(resources: &mut Resources, sort: Option<&Sort>) {
    let usual = || (FIRST.map(String::from).to_vec(), LAST.map(String::from).to_vec());
    let (first, last) = match sort {
        Some(Sort::FirstInFirstOut) => return,
        Some(Sort::Legacy(Some(order))) => order.clone(),
        _ => usual(),
    };
    let rank = |kind: &str| {
        let place = |kinds: &[String]| kinds.iter().rposition(|k| k == kind).map(|at| at as i64);
        match (place(&last), place(&first)) {
            (Some(at), _) => at + 1,
            (None, Some(at)) => at - first.len() as i64,
            (None, None) => 0,
        }
    };
    resources.0.sort_by_cached_key(|resource| {
        let kind = resource.gvk();
        Key { rank: rank(&kind.kind), name: name_key(resource), kind }
    });
}

#[derive(PartialEq, Eq)]
struct Key {
    rank: i64,
    kind: GroupVersionKind,
    name: String,
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.kind == other.kind {
            return self.name.cmp(&other.name);
        }
        let by_kind = kind_key(&self.kind).cmp(&kind_key(&other.kind));
        let are_namespaces = self.kind.kind == "Namespace" && other.kind.kind == "Namespace";
        let core_first =
            are_namespaces && (self.kind.group.is_empty() || other.kind.group.is_empty());
        self.rank.cmp(&other.rank).then(if core_first { by_kind.reverse() } else { by_kind })
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn kind_key(kind: &GroupVersionKind) -> String {
    let or = |text: &str, none: &str| if text.is_empty() { none.into() } else { text.to_owned() };
    format!("{}_{}_{}", or(&kind.group, "~G"), or(&kind.version, "~V"), or(&kind.kind, "~K"))
}

/// Namespace and name; no namespace comes after every other.
fn name_key(resource: &Resource) -> String {
    let namespace = resource.namespace();
    let namespace = if namespace.is_empty() { "~X".to_owned() } else { namespace };
    format!("{namespace}|{}", resource.name())
}
