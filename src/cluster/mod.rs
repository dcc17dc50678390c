//! The control plane's own controllers.

mod answers;
mod callers;
mod claim;
mod controller;
mod deployment;
mod fnv;
mod keys;
mod kinds;
mod kubelet;
mod pods;
mod replica_set;
mod report;
mod scheduler;
mod template;
mod writes;

pub use controller::{Controller, ControllerState};
pub use deployment::Deployments;
pub use kubelet::{Kubelet, last_heartbeat, registration};
pub use replica_set::ReplicaSets;
pub use scheduler::Scheduler;

/// The controllers of the control plane, in the order in which kube-controller-manager lists them.
pub fn control_plane() -> Vec<Controller> {
    vec![
        Controller::Deployments(Deployments),
        Controller::ReplicaSets(ReplicaSets),
        Controller::Scheduler(Scheduler),
    ]
}
