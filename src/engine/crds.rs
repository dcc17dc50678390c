//! The definitions of the kinds that configure the engine.

use serde_json::{Value, json};

use super::names::{FIELD_MANAGER, SOURCE_CONTROLLER};
use crate::manifest;
use crate::object::Object;

/// The CustomResourceDefinitions of `GitRepository`, `Kustomization` and `Receiver`, to be applied to a
/// cluster before the engine runs: the fields of Flux's published API, so that a repository written for
/// Flux applies unchanged.
///
/// ```
/// let names: Vec<String> = driftlab::engine::crds().iter().map(|crd| crd.name().to_owned()).collect();
/// assert_eq!(names[1], "kustomizations.kustomize.toolkit.fluxcd.io");
/// ```
pub fn crds() -> Vec<Object> {
    manifest::objects("crds.yaml", include_str!("crds.yaml")).expect("our own file is well-formed")
}

/// The ClusterRoleBinding that makes the engine's controllers cluster admins, as `flux install` does: for
/// clusters with role-based access control.
pub fn cluster_reconciler() -> Object {
    let group = "rbac.authorization.k8s.io";
    let mut binding =
        Object::new(&format!("{group}/v1"), "ClusterRoleBinding", "", "cluster-reconciler");
    let role = json!({"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"});
    binding.set("roleRef", role);
    let subject =
        |name| json!({"kind": "ServiceAccount", "name": name, "namespace": "flux-system"});
    let controllers = [FIELD_MANAGER, SOURCE_CONTROLLER, "notification-controller"];
    binding.set("subjects", controllers.map(subject).into_iter().collect::<Vec<Value>>());
    binding
}
