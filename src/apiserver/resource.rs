//! The resources: which kind is served where, and how its objects are stored. Data, not code.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::store::table_key;
use crate::api::{ApiResource, Propagation};
use crate::object::GroupVersionKind;

/// A kind as it is served and stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// The kind and version.
    pub kind: GroupVersionKind,
    /// The plural, lower-case name in paths.
    pub plural: String,
    /// The singular, lower-case name.
    pub singular: String,
    /// The kind of a list of them.
    pub list_kind: String,
    /// Short names that kubectl knows.
    pub short_names: Vec<String>,
    /// Groups of resources that kubectl knows, such as `all`.
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether `status` is a subresource.
    pub status: bool,
    /// The paths of the `scale` subresource, if it has one.
    pub scale: Option<Scale>,
    /// Whether it comes from a custom resource definition.
    pub custom: bool,
    pub(super) generation: Generation,
    pub(super) create_on_update: bool,
    pub(super) needs_version: bool,
    pub(super) returns_deleted: bool,
    pub(super) default_propagation: Option<Propagation>,
    pub(super) table: String,
}

/// Where the `scale` subresource reads and writes, as dotted paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// The wanted count, such as `spec.replicas`.
    pub spec_replicas: String,
    /// The count there is, such as `status.replicas`.
    pub status_replicas: String,
    /// The label selector, as an object or a text; empty for none.
    pub selector: String,
}

/// What counts as a new generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Generation {
    /// The kind has no generations.
    #[default]
    None,
    /// A change of `spec`.
    Spec,
    /// A change of `spec` or of the annotations.
    SpecAndAnnotations,
    /// A change of anything but `metadata` and `status`.
    AllButStatus,
    /// A change of anything but `metadata`.
    All,
    /// A change of anything but `metadata`, or of the labels.
    AllAndLabels,
}

/// Every resource that is served, by kind and version.
#[derive(Clone, Debug, Default)]
pub(super) struct Resources {
    by_kind: BTreeMap<GroupVersionKind, Arc<Resource>>,
}

/// `apiVersion Kind plural` and then what is not usual of it:
/// `ns` namespaced, `status`, `scale`, `gen[=spec|all|labels]` what makes a new generation (see
/// `Generation`), `upsert` created by an update, `versioned` not updated without a version, `back` a
/// deletion answers with the object, `orphan` dependents are orphaned by default, `~x` a short name,
/// `+x` a category.
const BUILTIN: &str = "
v1 ConfigMap configmaps ns ~cm
v1 Endpoints endpoints ns upsert ~ep
v1 Event events ns upsert ~ev
v1 LimitRange limitranges ns upsert ~limits
v1 Namespace namespaces status ~ns
v1 Node nodes status ~no
v1 PersistentVolume persistentvolumes status back ~pv
v1 PersistentVolumeClaim persistentvolumeclaims ns status back ~pvc
v1 Pod pods ns status gen=spec back ~po +all
v1 PodTemplate podtemplates ns gen=all back
v1 ReplicationController replicationcontrollers ns status scale gen=spec orphan ~rc +all
v1 ResourceQuota resourcequotas ns status back ~quota
v1 Secret secrets ns
v1 Service services ns status upsert back ~svc +all
v1 ServiceAccount serviceaccounts ns back ~sa
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations gen=all versioned +api-extensions
admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations gen=all versioned +api-extensions
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy validatingadmissionpolicies status gen=spec +api-extensions
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings gen=spec +api-extensions
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions status gen=spec versioned ~crd ~crds +api-extensions
apps/v1 ControllerRevision controllerrevisions ns
apps/v1 DaemonSet daemonsets ns status gen=spec ~ds +all
apps/v1 Deployment deployments ns status scale gen ~deploy +all
apps/v1 ReplicaSet replicasets ns status scale gen=spec ~rs +all
apps/v1 StatefulSet statefulsets ns status scale gen=spec ~sts +all
autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers ns status ~hpa +all
batch/v1 CronJob cronjobs ns status gen=spec ~cj +all
batch/v1 Job jobs ns status gen=spec orphan +all
certificates.k8s.io/v1 CertificateSigningRequest certificatesigningrequests status ~csr
coordination.k8s.io/v1 Lease leases ns upsert versioned
discovery.k8s.io/v1 EndpointSlice endpointslices ns gen=labels
flowcontrol.apiserver.k8s.io/v1 FlowSchema flowschemas status gen=spec
flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration prioritylevelconfigurations status gen=spec
metrics.k8s.io/v1beta1 NodeMetrics nodes
metrics.k8s.io/v1beta1 PodMetrics pods ns
networking.k8s.io/v1 Ingress ingresses ns status gen=spec ~ing
networking.k8s.io/v1 IngressClass ingressclasses gen=spec
networking.k8s.io/v1 NetworkPolicy networkpolicies ns gen=spec ~netpol
node.k8s.io/v1 RuntimeClass runtimeclasses upsert versioned
policy/v1 PodDisruptionBudget poddisruptionbudgets ns status gen=spec versioned ~pdb
rbac.authorization.k8s.io/v1 ClusterRole clusterroles upsert
rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings upsert
rbac.authorization.k8s.io/v1 Role roles ns upsert
rbac.authorization.k8s.io/v1 RoleBinding rolebindings ns upsert
scheduling.k8s.io/v1 PriorityClass priorityclasses gen=all ~pc
storage.k8s.io/v1 CSIDriver csidrivers versioned back
storage.k8s.io/v1 CSINode csinodes
storage.k8s.io/v1 StorageClass storageclasses back ~sc
storage.k8s.io/v1 VolumeAttachment volumeattachments status back
";

static BUILTIN_RESOURCES: LazyLock<Arc<Resources>> = LazyLock::new(|| {
    let mut resources = Resources::default();
    BUILTIN.lines().filter(|line| !line.is_empty()).map(parse_row).for_each(|r| resources.add(r));
    Arc::new(resources)
});

impl Resources {
    /// The kinds that a server has before any custom resource definition.
    pub(super) fn builtin() -> Arc<Resources> {
        BUILTIN_RESOURCES.clone()
    }

    pub(super) fn get(&self, kind: &GroupVersionKind) -> Option<&Arc<Resource>> {
        self.by_kind.get(kind)
    }

    /// The resource at a path's group, version and plural.
    pub(super) fn at_path(
        &self,
        group: &str,
        version: &str,
        plural: &str,
    ) -> Option<&Arc<Resource>> {
        self.of_version(group, version).find(|r| r.plural == plural)
    }

    /// The resources of one version of a group.
    pub(super) fn of_version(
        &self,
        group: &str,
        version: &str,
    ) -> impl Iterator<Item = &Arc<Resource>> {
        let first =
            GroupVersionKind { group: group.into(), version: version.into(), kind: String::new() };
        let (group, version) = (first.group.clone(), first.version.clone());
        self.by_kind
            .range(first..)
            .map(|(_, resource)| resource)
            .take_while(move |r| r.kind.group == group && r.kind.version == version)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.by_kind.values()
    }

    pub(super) fn add(&mut self, resource: Resource) {
        self.by_kind.insert(resource.kind.clone(), Arc::new(resource));
    }

    pub(super) fn remove(&mut self, kind: &GroupVersionKind) {
        self.by_kind.remove(kind);
    }
}

impl Resource {
    /// `plural.group`, or `plural` in the core group, as refusals name it.
    pub(super) fn qualified(&self) -> String {
        qualified(&self.plural, &self.kind.group)
    }

    /// `Kind.group`, or `Kind` in the core group, as refusals name it.
    pub(super) fn qualified_kind(&self) -> String {
        qualified(&self.kind.kind, &self.kind.group)
    }

    /// Whether it is this kind, at whatever version.
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.kind.group == group && self.kind.kind == kind
    }

    /// What discovery tells of it.
    pub fn to_api_resource(&self) -> ApiResource {
        ApiResource {
            kind: self.kind.clone(),
            plural: self.plural.clone(),
            namespaced: self.namespaced,
        }
    }

    /// A resource with what follows from its kind and plural.
    pub(super) fn named(kind: GroupVersionKind, plural: &str) -> Self {
        Resource {
            singular: kind.kind.to_lowercase(),
            list_kind: format!("{}List", kind.kind),
            table: table_key(&kind.group, &kind.kind),
            plural: plural.into(),
            kind,
            ..Resource::default()
        }
    }
}

impl Scale {
    /// Of the built-in workloads.
    fn of_workloads() -> Self {
        Scale {
            spec_replicas: "spec.replicas".into(),
            status_replicas: "status.replicas".into(),
            selector: "spec.selector".into(),
        }
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

fn parse_row(row: &str) -> Resource {
    let mut words = row.split(' ');
    let mut next = || words.next().expect("a row names apiVersion, kind and plural");
    let (api_version, kind, plural) = (next(), next(), next());
    let mut resource = Resource::named(GroupVersionKind::new(api_version, kind), plural);
    for word in words {
        apply_word(&mut resource, word);
    }
    resource
}

fn apply_word(resource: &mut Resource, word: &str) {
    match word {
        "ns" => resource.namespaced = true,
        "status" => resource.status = true,
        "scale" => resource.scale = Some(Scale::of_workloads()),
        "gen" => resource.generation = Generation::SpecAndAnnotations,
        "gen=spec" => resource.generation = Generation::Spec,
        "gen=labels" => resource.generation = Generation::AllAndLabels,
        "gen=all" => resource.generation = Generation::All,
        "upsert" => resource.create_on_update = true,
        "versioned" => resource.needs_version = true,
        "back" => resource.returns_deleted = true,
        "orphan" => resource.default_propagation = Some(Propagation::Orphan),
        _ => match (word.strip_prefix('~'), word.strip_prefix('+')) {
            (Some(short), _) => resource.short_names.push(short.into()),
            (_, Some(category)) => resource.categories.push(category.into()),
            _ => unreachable!("the table of resources has an unknown word: {word}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_kinds_are_found_by_kind_and_by_path() {
        let resources = Resources::builtin();
        let check = |api_version: &str, kind: &str, plural: &str, namespaced: bool| {
            let gvk = GroupVersionKind::new(api_version, kind);
            let resource = resources.get(&gvk).unwrap();
            assert_eq!((resource.plural.as_str(), resource.namespaced), (plural, namespaced));
            let found = resources.at_path(&gvk.group, &gvk.version, plural).unwrap();
            assert_eq!(found.kind, gvk);
        };
        check("v1", "Namespace", "namespaces", false);
        check("apps/v1", "Deployment", "deployments", true);
        check("networking.k8s.io/v1", "Ingress", "ingresses", true);
        assert!(resources.at_path("apps", "v1", "pods").is_none());
        assert_eq!(resources.of_version("batch", "v1").count(), 2);
    }
}
