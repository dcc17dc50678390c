//! Policies: where the engine may differ from Flux, in the open.
//!
//! Every field is off by default, and the engine then does what Flux 2.9's controllers do. The first group
//! makes it safer where Flux is dangerous; the second brings back mistakes that reconcilers really made,
//! so that they can be shown, found and guarded against. `KC` is the issue tracker of
//! `fluxcd/kustomize-controller`.

use serde::{Deserialize, Serialize};

/// How the engine differs from Flux. See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Policies {
    /// Refuse a build without objects while the inventory has some.
    ///
    /// Flux prunes everything: an empty folder is a valid wish. Argo CD refuses unless `allowEmpty` is
    /// set ("auto-sync will wipe out all resources").
    pub refuse_empty_build: bool,
    /// Record what was applied although a later object failed.
    ///
    /// Flux returns before it writes the inventory, so an object made by a failed reconciliation and then
    /// dropped from Git is never pruned (KC#409).
    pub track_partial_apply: bool,
    /// Keep stale objects in the inventory while `spec.prune` is false.
    ///
    /// Flux forgets them, so that switching `prune` on later does not remove them.
    pub track_unpruned: bool,
    /// Keep a pruned object in the inventory until it is gone.
    ///
    /// Flux forgets it once the API server accepted the deletion, though a finalizer may hold it.
    pub track_until_gone: bool,
    /// Delete an object only as long as it is the one that was read: the request names its uid.
    ///
    /// Flux names none, so an object made anew under the same name in between is deleted (Sieve,
    /// K8SPSMDB-430).
    pub delete_by_uid: bool,
    /// Take an object whose kind has no rule, and that reports nothing, as being in progress.
    ///
    /// Flux follows kstatus: without a status it is current, and `wait` ends before its controller has
    /// looked at it (KC#387).
    pub unobserved_is_in_progress: bool,
    /// Look at what a dependency applied, not only at what it said of itself.
    ///
    /// Flux believes a dependency's `Ready` from its last reconciliation, however its objects are now.
    pub check_dependency_health: bool,
    /// Reconcile when an artifact's content changes although its revision does not.
    ///
    /// Flux compares revisions only, so a change to an included repository goes unnoticed (KC#864).
    pub trigger_on_digest: bool,

    /// Fault: write the smaller inventory although pruning failed, as Flux did before 1.9 (KC#1664).
    pub forget_unpruned: bool,
    /// Fault: leave fields that kubectl manages to kubectl, as Flux did before 0.19 (KC#486).
    pub keep_foreign_managers: bool,
    /// Fault: prune whatever the inventory names, whoever owns it now.
    pub prune_without_owner_check: bool,
    /// Fault: record the revision as applied before applying it (Sieve, rabbitmq-782).
    pub record_before_apply: bool,
    /// Fault: act on a revision once; leave the cluster alone until the next one.
    ///
    /// What a pipeline does that runs on commits, and Argo CD without self-heal.
    pub only_new_revisions: bool,
    /// Fault: read live objects from the cache, which may be stale (Argo CD #28630).
    pub read_from_cache: bool,
    /// Fault: take a running Job as current, as kstatus does and Flux did before 0.26 (KC#686).
    pub running_job_is_current: bool,
}
