//! The control plane's own controllers.

mod answers;
mod autoscaler;
mod callers;
mod claim;
mod controller;
mod cron_job;
mod daemon_set;
mod deployment;
mod disruption;
mod endpoints;
mod fnv;
mod garbage;
mod inventory;
mod job;
mod keys;
mod kinds;
mod kubelet;
mod namespace;
mod node_lifecycle;
mod pods;
mod quota;
mod replica_set;
mod report;
mod revisions;
mod scheduler;
mod service_account;
mod stateful_set;
mod template;
mod volume_protection;
mod writes;

pub use autoscaler::{HorizontalPodAutoscalers, pod_metrics, pod_metrics_definition};
pub use controller::{Controller, ControllerState};
pub use cron_job::CronJobs;
pub use daemon_set::DaemonSets;
pub use deployment::Deployments;
pub use disruption::PodDisruptionBudgets;
pub use endpoints::{EndpointSlices, Endpoints};
pub use garbage::GarbageCollector;
pub use job::Jobs;
pub use kubelet::{Kubelet, last_heartbeat, registration};
pub use namespace::Namespaces;
pub use node_lifecycle::NodeLifecycle;
pub use quota::ResourceQuotas;
pub use replica_set::ReplicaSets;
pub use scheduler::Scheduler;
pub use service_account::{RootCertificates, ServiceAccounts};
pub use stateful_set::StatefulSets;
pub use volume_protection::{ClaimProtection, VolumeProtection};

/// The controllers of the control plane. Kubelets are not among them: see [`Kubelet`].
pub fn control_plane() -> Vec<Controller> {
    vec![
        Namespaces.into(),
        GarbageCollector::default().into(),
        ServiceAccounts.into(),
        RootCertificates.into(),
        NodeLifecycle::default().into(),
        EndpointSlices.into(),
        Endpoints.into(),
        Jobs.into(),
        CronJobs.into(),
        StatefulSets.into(),
        DaemonSets.into(),
        HorizontalPodAutoscalers.into(),
        PodDisruptionBudgets.into(),
        ResourceQuotas.into(),
        ClaimProtection.into(),
        VolumeProtection.into(),
        Deployments.into(),
        ReplicaSets.into(),
        Scheduler.into(),
    ]
}
