//! The definitions of the kinds that configure the engine.

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
