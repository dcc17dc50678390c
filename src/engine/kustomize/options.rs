//! The flags of Flux's kustomize-controller.

use crate::engine::stages::GroupKind;
use crate::time::Duration;

/// What Flux's kustomize-controller takes as flags; see its `--help`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `--default-service-account`: in whose name to act for a Kustomization that names nobody.
    pub default_service_account: String,
    /// `--no-cross-namespace-refs`: refuse sources in other namespaces.
    pub no_cross_namespace_refs: bool,
    /// `--custom-apply-stage-kinds`: group and kind of what is applied in a stage before the rest.
    pub custom_stage_kinds: Vec<GroupKind>,
    /// `--override-manager`: field managers beside kubectl that may not keep changes.
    pub override_managers: Vec<String>,
    /// `--requeue-dependency`: how long until an unmet dependency is looked at again.
    pub requeue_dependency: Duration,
    /// `--concurrent`: how many Kustomizations are worked on at the same time.
    pub concurrent: usize,
    /// Feature gate `StrictPostBuildSubstitutions`: a variable that is not set is an error.
    pub strict_substitutions: bool,
    /// Feature gate `DirectSourceFetch`: read sources from the API server, not from the cache.
    pub direct_source_fetch: bool,
    /// Feature gate `DisableCommitStatusEvent`: no event when a reconciliation went well.
    pub disable_commit_status_event: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            default_service_account: String::new(),
            no_cross_namespace_refs: false,
            custom_stage_kinds: Vec::new(),
            override_managers: Vec::new(),
            requeue_dependency: Duration::from_secs(30),
            concurrent: 4,
            strict_substitutions: true,
            direct_source_fetch: false,
            disable_commit_status_event: false,
        }
    }
}
