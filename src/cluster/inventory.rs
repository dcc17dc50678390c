//! The kinds there are: what a garbage collector searches and a namespace may hold.

use serde_json::Value;

use crate::object::{GroupVersionKind, Object};

/// A kind that objects can be of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Kind {
    pub(super) gvk: GroupVersionKind,
    /// The plural name in paths.
    pub(super) plural: String,
    pub(super) namespaced: bool,
}

impl Kind {
    /// The plural name with the group: `deployments.apps`.
    pub(super) fn resource(&self) -> String {
        match self.gvk.group.as_str() {
            "" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }
}

/// The built-in kinds of objects that are stored, but events: they own nothing and go by themselves.
const BUILT_IN: [(&str, &str, &str, bool); 37] = [
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Endpoints", "endpoints", true),
    ("v1", "LimitRange", "limitranges", true),
    ("v1", "Node", "nodes", false),
    ("v1", "PersistentVolume", "persistentvolumes", false),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("v1", "Pod", "pods", true),
    ("v1", "PodTemplate", "podtemplates", true),
    ("v1", "ReplicationController", "replicationcontrollers", true),
    ("v1", "ResourceQuota", "resourcequotas", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "Service", "services", true),
    ("v1", "ServiceAccount", "serviceaccounts", true),
    ("v1", "Namespace", "namespaces", false),
    ("apps/v1", "ControllerRevision", "controllerrevisions", true),
    ("apps/v1", "DaemonSet", "daemonsets", true),
    ("apps/v1", "Deployment", "deployments", true),
    ("apps/v1", "ReplicaSet", "replicasets", true),
    ("apps/v1", "StatefulSet", "statefulsets", true),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
    ("batch/v1", "CronJob", "cronjobs", true),
    ("batch/v1", "Job", "jobs", true),
    ("coordination.k8s.io/v1", "Lease", "leases", true),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", true),
    ("networking.k8s.io/v1", "Ingress", "ingresses", true),
    ("networking.k8s.io/v1", "IngressClass", "ingressclasses", false),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", true),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", true),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", false),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", true),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", true),
    ("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", false),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses", false),
    ("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", false),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false),
    ("v1", "Event", "events", true),
];

/// Kinds whose objects own things rarely enough that only these are searched for them.
const OWN_LITTLE: [&str; 5] = ["Pod", "Endpoints", "EndpointSlice", "Lease", "ControllerRevision"];
const LITTLE: [&str; 5] = ["ConfigMap", "PersistentVolumeClaim", "Pod", "Secret", "Service"];

/// The built-in kinds, events too.
pub(super) fn built_in() -> Vec<Kind> {
    BUILT_IN
        .iter()
        .map(|(api_version, kind, plural, namespaced)| Kind {
            gvk: GroupVersionKind::new(api_version, kind),
            plural: (*plural).into(),
            namespaced: *namespaced,
        })
        .collect()
}

/// The kind that a CustomResourceDefinition defines, at the version it is stored at.
pub(super) fn custom(definition: &Object) -> Kind {
    let versions = definition.get("spec.versions").and_then(Value::as_array);
    let stored = versions.into_iter().flatten().find(|v| v["storage"] == true);
    let version = stored.and_then(|v| v["name"].as_str()).unwrap_or_default();
    Kind {
        gvk: GroupVersionKind {
            group: definition.text("spec.group").into(),
            version: version.into(),
            kind: definition.text("spec.names.kind").into(),
        },
        plural: definition.text("spec.names.plural").into(),
        namespaced: definition.text("spec.scope") == "Namespaced",
    }
}

/// Whether objects of `dependent` are searched for when an object of `owner` goes.
pub(super) fn may_own(owner: &str, owner_namespaced: bool, dependent: &Kind) -> bool {
    (dependent.namespaced || !owner_namespaced)
        && dependent.gvk.kind != "Event"
        && (!OWN_LITTLE.contains(&owner) || LITTLE.contains(&dependent.gvk.kind.as_str()))
}
