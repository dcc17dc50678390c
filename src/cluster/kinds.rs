//! The kinds that the control plane works on.

use crate::object::GroupVersionKind;

macro_rules! kinds {
    ($($name:ident = $api_version:literal $kind:literal;)*) => {
        $(pub(super) fn $name() -> GroupVersionKind {
            GroupVersionKind::new($api_version, $kind)
        })*
    };
}

kinds! {
    node = "v1" "Node";
    lease = "coordination.k8s.io/v1" "Lease";
    pod = "v1" "Pod";
    namespace = "v1" "Namespace";
    definition = "apiextensions.k8s.io/v1" "CustomResourceDefinition";
    service = "v1" "Service";
    job = "batch/v1" "Job";
    cron_job = "batch/v1" "CronJob";
    event = "v1" "Event";
    stateful_set = "apps/v1" "StatefulSet";
    daemon_set = "apps/v1" "DaemonSet";
    controller_revision = "apps/v1" "ControllerRevision";
    claim = "v1" "PersistentVolumeClaim";
    volume = "v1" "PersistentVolume";
    autoscaler = "autoscaling/v2" "HorizontalPodAutoscaler";
    budget = "policy/v1" "PodDisruptionBudget";
    quota = "v1" "ResourceQuota";
    replica_set = "apps/v1" "ReplicaSet";
    deployment = "apps/v1" "Deployment";
}
