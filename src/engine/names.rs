//! The names of Flux's published API, which manifests already use.

use crate::object::GroupVersionKind;

/// `apiVersion` of the kinds that sources are described with.
pub const SOURCE_API: &str = "source.toolkit.fluxcd.io/v1";
/// `apiVersion` of `Kustomization`.
pub const KUSTOMIZE_API: &str = "kustomize.toolkit.fluxcd.io/v1";
/// `apiVersion` of `Receiver`.
pub const NOTIFICATION_API: &str = "notification.toolkit.fluxcd.io/v1";
/// The annotation whose change asks for a reconciliation now; any text will do.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// The finalizer of every Flux object.
pub const FINALIZER: &str = "finalizers.fluxcd.io";
/// The label, with the value `Enabled`, of a ConfigMap or Secret whose change reconciles its users.
pub const WATCH_LABEL: &str = "reconcile.fluxcd.io/watch";

/// The group that prefixes owner labels and the annotations that steer the engine object by object.
pub(crate) const GROUP: &str = "kustomize.toolkit.fluxcd.io";
/// The annotation or label that keeps the engine's hands off an object: `disabled`.
pub(crate) const RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
/// The one that says how an object is applied: `Merge`, `IfNotPresent`, `Ignore`.
pub(crate) const SSA: &str = "kustomize.toolkit.fluxcd.io/ssa";
/// The one that lets an object be recreated: `Enabled`.
pub(crate) const FORCE: &str = "kustomize.toolkit.fluxcd.io/force";
/// The one that keeps an object from being pruned: `disabled`.
pub(crate) const PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
/// The one that keeps variables from being substituted in an object: `disabled`.
pub(crate) const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";
/// The field manager of what the engine applies.
pub(crate) const FIELD_MANAGER: &str = "kustomize-controller";
/// The field manager of what the engine writes to its own Kustomization.
pub(crate) const STATUS_MANAGER: &str = "gotk-kustomize-controller";
/// The source controller's name, and the field manager of what it writes.
pub(crate) const SOURCE_CONTROLLER: &str = "source-controller";

/// The kind `GitRepository`.
pub fn git_repository() -> GroupVersionKind {
    GroupVersionKind::new(SOURCE_API, "GitRepository")
}

/// The kind `Kustomization`.
pub fn kustomization() -> GroupVersionKind {
    GroupVersionKind::new(KUSTOMIZE_API, "Kustomization")
}

/// The kind `Receiver`.
pub fn receiver() -> GroupVersionKind {
    GroupVersionKind::new(NOTIFICATION_API, "Receiver")
}

/// The kind `Event` of the core group.
pub(crate) fn event() -> GroupVersionKind {
    GroupVersionKind::new("v1", "Event")
}
