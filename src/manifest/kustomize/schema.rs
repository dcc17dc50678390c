//! What kustomize knows of built-in kinds: which are cluster-scoped, and which lists are merged item by
//! item, by what key.
//!
//! The data is that of the OpenAPI schema bundled with kustomize, Kubernetes 1.21's. Kinds it does not
//! know, newer ones and custom resources, count as namespaced, and a patch replaces their lists whole.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Kinds by version of their group; a kind with `*` is cluster-scoped.
const KINDS: &str = "
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration* ValidatingWebhookConfiguration*
admissionregistration.k8s.io/v1beta1 MutatingWebhookConfiguration* ValidatingWebhookConfiguration*
apiextensions.k8s.io/v1 CustomResourceDefinition*
apiextensions.k8s.io/v1beta1 CustomResourceDefinition*
apiregistration.k8s.io/v1 APIService*
apiregistration.k8s.io/v1beta1 APIService*
apps/v1 ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet
autoscaling/v1 HorizontalPodAutoscaler Scale
autoscaling/v2beta1 HorizontalPodAutoscaler
autoscaling/v2beta2 HorizontalPodAutoscaler
batch/v1 CronJob Job
batch/v1beta1 CronJob
certificates.k8s.io/v1 CertificateSigningRequest*
certificates.k8s.io/v1beta1 CertificateSigningRequest*
coordination.k8s.io/v1 Lease
coordination.k8s.io/v1beta1 Lease
discovery.k8s.io/v1 EndpointSlice
discovery.k8s.io/v1beta1 EndpointSlice
events.k8s.io/v1 Event
events.k8s.io/v1beta1 Event
extensions/v1beta1 Ingress
flowcontrol.apiserver.k8s.io/v1beta1 FlowSchema* PriorityLevelConfiguration*
networking.k8s.io/v1 Ingress IngressClass* NetworkPolicy
networking.k8s.io/v1beta1 Ingress IngressClass*
node.k8s.io/v1 RuntimeClass*
node.k8s.io/v1beta1 RuntimeClass*
policy/v1 PodDisruptionBudget
policy/v1beta1 PodDisruptionBudget PodSecurityPolicy*
rbac.authorization.k8s.io/v1 ClusterRole* ClusterRoleBinding* Role RoleBinding
rbac.authorization.k8s.io/v1beta1 ClusterRole* ClusterRoleBinding* Role RoleBinding
scheduling.k8s.io/v1 PriorityClass*
scheduling.k8s.io/v1beta1 PriorityClass*
storage.k8s.io/v1 CSIDriver* CSINode* StorageClass* VolumeAttachment*
storage.k8s.io/v1beta1 CSIDriver* CSINode* CSIStorageCapacity StorageClass* VolumeAttachment*
v1 ComponentStatus* ConfigMap Endpoints Event LimitRange Namespace* Node* PersistentVolume*
v1 PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service
v1 ServiceAccount
";

/// Lists that are merged, by the kind they are of and their path in it: `[key]` after a list is its
/// merge key, `[]` a list of scalars, `=Type` what stands there.
const TYPES: &[(&str, &[&str])] = &[
    ("APIService", &["metadata=ObjectMeta", "status.conditions[type]"]),
    ("CSINode", &["metadata=ObjectMeta", "spec.drivers[name]"]),
    ("ComponentStatus", &["metadata=ObjectMeta", "conditions[type]"]),
    (
        "Container",
        &[
            "env[name]",
            "ports[containerPort,protocol]",
            "volumeDevices[devicePath]",
            "volumeMounts[mountPath]",
        ],
    ),
    (
        "CronJob",
        &[
            "metadata=ObjectMeta",
            "spec.jobTemplate.metadata=ObjectMeta",
            "spec.jobTemplate.spec.template=PodTemplateSpec",
        ],
    ),
    ("EphemeralContainer", &["env[name]", "volumeDevices[devicePath]", "volumeMounts[mountPath]"]),
    ("MutatingWebhookConfiguration", &["metadata=ObjectMeta", "webhooks[name]"]),
    ("Namespace", &["metadata=ObjectMeta", "status.conditions[type]"]),
    (
        "Node",
        &[
            "metadata=ObjectMeta",
            "spec.podCIDRs[]",
            "status.addresses[type]",
            "status.conditions[type]",
        ],
    ),
    ("ObjectMeta", &["finalizers[]", "ownerReferences[uid]"]),
    ("PersistentVolumeClaim", &["metadata=ObjectMeta", "status.conditions[type]"]),
    (
        "Pod",
        &["metadata=ObjectMeta", "spec=PodSpec", "status.conditions[type]", "status.podIPs[ip]"],
    ),
    ("PodDisruptionBudget", &["metadata=ObjectMeta", "status.conditions[type]"]),
    (
        "PodSpec",
        &[
            "containers[name]=Container",
            "ephemeralContainers[name]=EphemeralContainer",
            "hostAliases[ip]",
            "imagePullSecrets[name]",
            "initContainers[name]=Container",
            "topologySpreadConstraints[topologyKey,whenUnsatisfiable]",
            "volumes[name]=Volume",
        ],
    ),
    ("PodTemplate", &["metadata=ObjectMeta", "template=PodTemplateSpec"]),
    ("PodTemplateSpec", &["metadata=ObjectMeta", "spec=PodSpec"]),
    ("Service", &["metadata=ObjectMeta", "spec.ports[port,protocol]", "status.conditions[type]"]),
    ("ServiceAccount", &["metadata=ObjectMeta", "secrets[name]"]),
    (
        "StatefulSet",
        &[
            "metadata=ObjectMeta",
            "spec.template=PodTemplateSpec",
            "spec.volumeClaimTemplates()=PersistentVolumeClaim",
            "status.conditions[type]",
        ],
    ),
    ("ValidatingWebhookConfiguration", &["metadata=ObjectMeta", "webhooks[name]"]),
    ("Volume", &["ephemeral.volumeClaimTemplate.metadata=ObjectMeta"]),
    (
        "Workload",
        &["metadata=ObjectMeta", "spec.template=PodTemplateSpec", "status.conditions[type]"],
    ),
];

/// Kinds whose lists are those of [`TYPES`]' `Workload`.
const WORKLOADS: &[&str] =
    &["DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController"];

/// Whether the kind is known to have no namespace.
pub(super) fn is_cluster_scoped(api_version: &str, kind: &str) -> bool {
    known(api_version, kind) == Some(true)
}

/// What is known of a place in an object: the type it is in, and the path within that type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schema {
    lists: &'static [&'static str],
    path: String,
}

impl Schema {
    /// The schema of a kind; `None` when kustomize has none.
    pub(super) fn of_kind(api_version: &str, kind: &str) -> Option<Schema> {
        known(api_version, kind)?;
        let name = if WORKLOADS.contains(&kind) { "Workload" } else { kind };
        Some(
            Schema::of_type(name)
                .unwrap_or(Schema { lists: &["metadata=ObjectMeta"], path: String::new() }),
        )
    }

    /// The schema of a field; `None` when nothing below it is merged.
    pub(super) fn field(&self, name: &str) -> Option<Schema> {
        let dot = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{name}", self.path);
        let here = Schema { lists: self.lists, path };
        match here.rest()?.strip_prefix('=') {
            Some(name) => Schema::of_type(name),
            None => Some(here),
        }
    }

    /// The keys by which the list here is merged: none for a list of scalars. `None` when it is not.
    pub(super) fn merge_keys(&self) -> Option<Vec<&'static str>> {
        let (keys, _) = self.rest()?.strip_prefix('[')?.split_once(']')?;
        Some(keys.split(',').filter(|key| !key.is_empty()).collect())
    }

    /// The schema of the items of the list here.
    pub(super) fn items(&self) -> Option<Schema> {
        Schema::of_type(self.rest()?.split_once('=')?.1)
    }

    /// What the first list that the path leads to says after the path.
    fn rest(&self) -> Option<&'static str> {
        let rests = self.lists.iter().filter_map(|list| list.strip_prefix(self.path.as_str()));
        rests.into_iter().find(|rest| rest.starts_with(['.', '[', '=', '(']))
    }

    fn of_type(name: &str) -> Option<Schema> {
        let (_, lists) = TYPES.iter().find(|(of, _)| *of == name)?;
        Some(Schema { lists, path: String::new() })
    }
}

/// Whether a known kind is cluster-scoped; `None` for unknown kinds.
fn known(api_version: &str, kind: &str) -> Option<bool> {
    static SCOPES: LazyLock<BTreeMap<(&str, &str), bool>> = LazyLock::new(scopes);
    SCOPES.get(&(api_version, kind)).copied()
}

/// [`KINDS`] as a table: version and kind, and whether it is cluster-scoped.
fn scopes() -> BTreeMap<(&'static str, &'static str), bool> {
    let groups = KINDS.lines().filter_map(|line| line.split_once(' '));
    let kinds =
        groups.flat_map(|(version, kinds)| kinds.split(' ').map(move |kind| (version, kind)));
    let scope = |(version, kind): (&'static str, &'static str)| match kind.strip_suffix('*') {
        Some(kind) => ((version, kind), true),
        None => ((version, kind), false),
    };
    kinds.map(scope).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_built_in_kinds_have_merge_keys() {
        let check = |kind: (&str, &str), path: &str, keys: Option<&[&str]>| {
            let schema =
                path.split('.').fold(Schema::of_kind(kind.0, kind.1), |schema, step| match step {
                    "-" => schema?.items(),
                    name => schema?.field(name),
                });
            assert_eq!(schema.and_then(|s| s.merge_keys()).as_deref(), keys, "{kind:?} {path}");
        };
        let deployment = ("apps/v1", "Deployment");
        check(deployment, "spec.template.spec.containers", Some(&["name"]));
        check(
            deployment,
            "spec.template.spec.containers.-.ports",
            Some(&["containerPort", "protocol"]),
        );
        check(deployment, "spec.template.spec.containers.-.args", None);
        check(deployment, "spec.template.spec.tolerations", None);
        check(deployment, "metadata.finalizers", Some(&[]));
        check(("v1", "Service"), "spec.ports", Some(&["port", "protocol"]));
        check(("autoscaling/v2", "HorizontalPodAutoscaler"), "spec.metrics", None);
        check(("apps/v1", "StatefulSet"), "spec.volumeClaimTemplates", None);
        check(
            ("apps/v1", "StatefulSet"),
            "spec.volumeClaimTemplates.-.metadata.finalizers",
            Some(&[]),
        );
        check(("v1", "Secret"), "metadata.ownerReferences", Some(&["uid"]));
    }

    #[test]
    fn newer_kinds_count_as_namespaced() {
        assert!(is_cluster_scoped("v1", "Namespace"));
        assert!(!is_cluster_scoped("v1", "ConfigMap"));
        assert!(!is_cluster_scoped("example.com/v1", "Namespace"));
        assert!(!is_cluster_scoped("networking.k8s.io/v1beta2", "IngressClass"));
    }
}
