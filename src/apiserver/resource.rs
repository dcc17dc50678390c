//! The resources: how each kind is served and stored. Data, not code.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use super::schema::{Generation, KindSchema, MalformedDefinition, Registry};
use super::store::{key, table_key};
use crate::api::{ApiResource, Propagation, Subresource};
use crate::object::{GroupVersionKind, Object};

/// A kind as it is served, its schema, and what its storage does that others do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub schema: Arc<KindSchema>,
    pub strategy: Strategy,
    /// Where its objects are kept.
    pub table: String,
}

/// What the storage of a kind does that others do not (its strategy, in the API server's words).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Strategy {
    /// An update makes what is not there.
    pub create_on_update: bool,
    /// An update must name the version it replaces.
    pub needs_version: bool,
    /// A deletion answers with the object.
    pub returns_deleted: bool,
    /// What happens to dependents when a deletion does not say.
    pub propagation: Option<Propagation>,
}

/// Every resource that is served, by kind and version, reviews too. Cloning is cheap.
#[derive(Clone, Debug)]
pub(super) struct Resources {
    registry: Registry,
    by_kind: Arc<BTreeMap<GroupVersionKind, Arc<Resource>>>,
}

/// Group, kind, and what is unusual of it: `upsert` created by an update, `versioned` not updated
/// without a version, `back` a deletion answers with the object, `orphan` dependents are orphaned
/// unless told otherwise. As a kube-apiserver 1.36 behaves.
const STRATEGIES: &[(&str, &str, &str)] = &[
    ("", "Endpoints", "upsert"),
    ("", "Event", "upsert"),
    ("", "LimitRange", "upsert"),
    ("", "PersistentVolume", "back"),
    ("", "PersistentVolumeClaim", "back"),
    ("", "Pod", "back"),
    ("", "PodTemplate", "back"),
    ("", "ReplicationController", "orphan"),
    ("", "ResourceQuota", "back"),
    ("", "Service", "upsert back"),
    ("", "ServiceAccount", "back"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "versioned"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "versioned"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", "versioned"),
    ("batch", "Job", "orphan"),
    ("coordination.k8s.io", "Lease", "upsert versioned"),
    ("events.k8s.io", "Event", "upsert"),
    ("node.k8s.io", "RuntimeClass", "upsert versioned"),
    ("policy", "PodDisruptionBudget", "versioned"),
    ("rbac.authorization.k8s.io", "ClusterRole", "upsert"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", "upsert"),
    ("rbac.authorization.k8s.io", "Role", "upsert"),
    ("rbac.authorization.k8s.io", "RoleBinding", "upsert"),
    ("storage.k8s.io", "CSIDriver", "versioned back"),
    ("storage.k8s.io", "StorageClass", "back"),
    ("storage.k8s.io", "VolumeAttachment", "back"),
];

/// Subresources of core kinds beside `status` and `scale`, and the verbs they take.
const OTHERS: &[(&str, &str, &[&str])] = &[
    ("Namespace", "finalize", &["update"]),
    ("Pod", "binding", &["create"]),
    ("Pod", "eviction", &["create"]),
    ("ServiceAccount", "token", &["create"]),
];

static BUILTIN: LazyLock<Resources> = LazyLock::new(|| Resources::of(Registry::builtin()));

impl Resources {
    /// The kinds that a server has before any custom resource definition.
    pub(super) fn builtin() -> Resources {
        BUILTIN.clone()
    }

    fn of(registry: Registry) -> Self {
        let served = registry.kinds().filter(|kind| !kind.plural.is_empty());
        let resources = served.map(|kind| (kind.gvk.clone(), Arc::new(Resource::of(kind))));
        Resources { by_kind: Arc::new(resources.collect()), registry }
    }

    pub(super) fn get(&self, kind: &GroupVersionKind) -> Option<&Arc<Resource>> {
        self.by_kind.get(kind)
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The resources of one version of a group.
    pub(super) fn of_version<'a>(
        &'a self,
        group: &'a str,
        version: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Resource>> {
        self.iter().filter(move |r| r.gvk.group == group && r.gvk.version == version)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.by_kind.values()
    }

    /// Serves the kinds of a definition, in place of those of its earlier form.
    pub(super) fn define(&mut self, definition: &Object) -> Result<(), MalformedDefinition> {
        self.registry.add_custom(definition)?;
        *self = Resources::of(self.registry.clone());
        Ok(())
    }

    /// Serves the kinds of a definition no longer.
    pub(super) fn forget(&mut self, definition: &Object) {
        self.registry.remove_custom(definition);
        *self = Resources::of(self.registry.clone());
    }
}

impl Resource {
    pub(super) fn of(schema: &Arc<KindSchema>) -> Self {
        let (group, kind) = (&schema.gvk.group, &schema.gvk.kind);
        let row = STRATEGIES.iter().find(|(g, k, _)| g == group && k == kind);
        let mut strategy = row.map_or_else(Strategy::default, |row| Strategy::read(row.2));
        strategy.needs_version |= schema.is_custom();
        let table = table_key(&schema.storage.group, &schema.storage.kind);
        Resource { schema: schema.clone(), strategy, table }
    }

    /// Whether it is this kind, at whatever version.
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.gvk.group == group && self.gvk.kind == kind
    }

    /// Where etcd keeps the object, as some refusals tell.
    pub(super) fn storage_key(&self, object: &Object) -> String {
        let group = self.gvk.group.as_str();
        let kept = match (group, self.gvk.kind.as_str()) {
            ("", "Endpoints") => "services/endpoints",
            ("", "Node") => "minions",
            ("", "ReplicationController") => "controllers",
            ("", "Service") => "services/specs",
            ("networking.k8s.io", "Ingress") => "ingress",
            _ => self.plural.as_str(),
        };
        let apart = self.is_custom() || group == "apiextensions.k8s.io";
        let folder = if apart { format!("{group}/{kept}") } else { kept.to_owned() };
        format!("/registry/{folder}/{}", key(object.namespace(), object.name()))
    }

    /// The verbs that a subresource takes; `None` when there is no such subresource.
    pub(super) fn verbs_of(&self, subresource: &Subresource) -> Option<&'static [&'static str]> {
        const PART: &[&str] = &["get", "update", "patch", "apply"];
        match subresource {
            Subresource::Status => self.status.then_some(PART),
            Subresource::Scale => self.scale.is_some().then_some(PART),
            Subresource::Other(name) => {
                let own =
                    |(kind, sub, _): &&(&str, &str, &[&str])| self.is("", kind) && sub == name;
                OTHERS.iter().find(own).map(|(_, _, verbs)| *verbs)
            }
        }
    }

    /// What to tell whoever uses a version that is on its way out.
    pub(super) fn deprecation(&self, resources: &Resources) -> Option<String> {
        if self.is("", "Endpoints") {
            let text =
                "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
            return Some(text.into());
        }
        match self.custom.as_ref()?.deprecated.as_deref()? {
            "" => {
                let own = format!("{} {}", self.gvk.api_version(), self.gvk.kind);
                let newer = resources.iter().find(|other| other.replaces(self));
                let hint = newer
                    .map(|other| format!("; use {} {}", other.gvk.api_version(), other.gvk.kind));
                Some(format!("{own} is deprecated{}", hint.unwrap_or_default()))
            }
            text => Some(text.into()),
        }
    }

    /// Whether it is a later version of the same kind that is not deprecated itself.
    fn replaces(&self, other: &Resource) -> bool {
        let deprecated = self.custom.as_ref().is_some_and(|custom| custom.deprecated.is_some());
        let (own, others) = (maturity(&self.gvk.version), maturity(&other.gvk.version));
        self.table == other.table && !deprecated && own > others && (others.0 < 2 || own.0 == 2)
    }

    /// Whether its objects are events, which own nothing.
    pub(super) fn is_event(&self) -> bool {
        self.is("", "Event") || self.is("events.k8s.io", "Event")
    }

    /// Whether its objects carry a generation.
    pub(super) fn has_generation(&self) -> bool {
        self.generation != Generation::None
    }
}

impl Deref for Resource {
    type Target = KindSchema;

    fn deref(&self) -> &KindSchema {
        &self.schema
    }
}

impl KindSchema {
    /// What discovery tells of it.
    pub fn to_api_resource(&self) -> ApiResource {
        ApiResource {
            kind: self.gvk.clone(),
            plural: self.plural.clone(),
            namespaced: self.namespaced,
        }
    }
}

/// How a version ranks: alpha, beta or stable, then its numbers (`v2beta1` is 1, 2, 1).
pub(super) fn maturity(version: &str) -> (u8, u32, u32) {
    let number = |text: &str| text.parse().unwrap_or(0);
    let digits = version.trim_start_matches('v');
    for (rank, stage) in [(0, "alpha"), (1, "beta")] {
        if let Some((major, minor)) = digits.split_once(stage) {
            return (rank, number(major), number(minor));
        }
    }
    (2, number(digits), 0)
}

impl Strategy {
    fn read(words: &str) -> Self {
        let has = |word: &str| words.split(' ').any(|w| w == word);
        Strategy {
            create_on_update: has("upsert"),
            needs_version: has("versioned"),
            returns_deleted: has("back"),
            propagation: has("orphan").then_some(Propagation::Orphan),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rank_by_stage_then_number() {
        let ranked = ["v1alpha1", "v1alpha2", "v1beta1", "v2beta1", "v1", "v2", "v10"];
        assert!(ranked.is_sorted_by_key(|version| maturity(version)));
    }

    #[test]
    fn strategies_are_of_kinds_that_are_served_or_known_to_come() {
        let resources = Resources::builtin();
        let strategy = |api_version: &str, kind: &str| {
            resources.get(&GroupVersionKind::new(api_version, kind)).unwrap().strategy
        };
        assert!(strategy("v1", "Service").create_on_update);
        assert!(strategy("policy/v1", "PodDisruptionBudget").needs_version);
        assert_eq!(strategy("batch/v1", "Job").propagation, Some(Propagation::Orphan));
        assert_eq!(strategy("apps/v1", "Deployment"), Strategy::default());
    }
}
