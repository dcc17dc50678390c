//! Which fields the transformers work on: kustomize's defaults, and a project's own configurations.

use std::sync::OnceLock;

use super::decode::Fields;
use super::fault::Outcome;
use super::fields::{self, FieldSpec, NameReference};
use super::file::{field_spec, group_version_kind};
use crate::manifest::Mistake;
use crate::manifest::yaml::{self, Dialect, Node};
use crate::object::GroupVersionKind;

/// The field specs of each transformer.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    pub(super) name_prefix: Vec<FieldSpec>,
    pub(super) name_suffix: Vec<FieldSpec>,
    pub(super) namespace: Vec<FieldSpec>,
    pub(super) common_labels: Vec<FieldSpec>,
    pub(super) labels: Vec<FieldSpec>,
    pub(super) template_labels: Vec<FieldSpec>,
    pub(super) common_annotations: Vec<FieldSpec>,
    pub(super) name_reference: Vec<NameReference>,
    pub(super) var_reference: Vec<FieldSpec>,
    pub(super) images: Vec<FieldSpec>,
    pub(super) replicas: Vec<FieldSpec>,
}

impl Config {
    /// kustomize's own.
    pub(super) fn default_fields() -> &'static Config {
        static DEFAULT: OnceLock<Config> = OnceLock::new();
        DEFAULT.get_or_init(|| Config {
            name_prefix: specs("metadata/name"),
            name_suffix: specs("metadata/name"),
            namespace: specs(NAMESPACE),
            common_labels: specs(&[SELECTORS, METADATA_LABELS].concat()),
            labels: Vec::new(),
            template_labels: specs(METADATA_LABELS),
            common_annotations: specs(ANNOTATIONS),
            name_reference: name_references(),
            var_reference: var_references(),
            images: specs(IMAGES),
            replicas: specs(REPLICAS),
        })
    }

    /// Reads a file of field specs.
    pub(super) fn parse(file: &str, text: &str) -> Result<Config, Mistake> {
        let Some(node) = yaml::nodes(file, text, Dialect::Kubectl)?.into_iter().next() else {
            return Ok(Config::default());
        };
        let mut f = Fields::of(file, &node, "a transformer configuration")?;
        let config = Config {
            name_prefix: f.each("namePrefix", field_spec)?,
            name_suffix: f.each("nameSuffix", field_spec)?,
            namespace: f.each("namespace", field_spec)?,
            common_labels: f.each("commonLabels", field_spec)?,
            labels: f.each("labels", field_spec)?,
            template_labels: f.each("templateLabels", field_spec)?,
            common_annotations: f.each("commonAnnotations", field_spec)?,
            name_reference: f.each("nameReference", name_reference)?,
            var_reference: f.each("varReference", field_spec)?,
            images: f.each("images", field_spec)?,
            replicas: f.each("replicas", field_spec)?,
        };
        f.finish()?;
        Ok(config)
    }

    /// Adds what another has and this one has not.
    pub(super) fn merge(&mut self, other: &Config) -> Outcome {
        fields::merge(&mut self.name_prefix, &other.name_prefix)?;
        fields::merge(&mut self.name_suffix, &other.name_suffix)?;
        fields::merge(&mut self.namespace, &other.namespace)?;
        fields::merge(&mut self.common_labels, &other.common_labels)?;
        fields::merge(&mut self.labels, &other.labels)?;
        fields::merge(&mut self.template_labels, &other.template_labels)?;
        fields::merge(&mut self.common_annotations, &other.common_annotations)?;
        fields::merge(&mut self.var_reference, &other.var_reference)?;
        fields::merge(&mut self.images, &other.images)?;
        fields::merge(&mut self.replicas, &other.replicas)?;
        other.name_reference.iter().try_for_each(|reference| self.merge_reference(reference))
    }

    fn merge_reference(&mut self, reference: &NameReference) -> Outcome {
        match self.name_reference.iter_mut().find(|old| old.target == reference.target) {
            Some(old) => fields::merge(&mut old.referrers, &reference.referrers),
            None => {
                self.name_reference.push(reference.clone());
                Ok(())
            }
        }
    }
}

fn name_reference(file: &str, node: &Node) -> Result<NameReference, Mistake> {
    let mut f = Fields::of(file, node, "a name reference")?;
    let reference = NameReference {
        target: group_version_kind(&mut f)?,
        referrers: f.each("fieldSpecs", field_spec)?,
    };
    f.finish()?;
    Ok(reference)
}

/// Field specs, one a line: `path`, or `kind path`, with `+` before it when what is missing is made.
fn specs(lines: &str) -> Vec<FieldSpec> {
    lines.lines().filter(|line| !line.is_empty()).map(spec).collect()
}

fn spec(line: &str) -> FieldSpec {
    let (create, line) = (line.starts_with('+'), line.trim_start_matches('+'));
    let (kind, path) = line.split_once(' ').unwrap_or(("", line));
    FieldSpec { kind: parse_kind(kind), path: path.into(), create }
}

/// `Kind`, `group/Kind`, `Kind:version` or `group/Kind:version`.
fn parse_kind(text: &str) -> GroupVersionKind {
    let (group, kind) = text.rsplit_once('/').unwrap_or(("", text));
    let (kind, version) = kind.split_once(':').unwrap_or((kind, ""));
    GroupVersionKind { group: group.into(), version: version.into(), kind: kind.into() }
}

/// The default references: lines that start with a kind tell what is referred to, those below it where;
/// `@set path` stands for the path in the pods of each kind of a set.
fn name_references() -> Vec<NameReference> {
    let mut references: Vec<NameReference> = Vec::new();
    for line in NAME_REFERENCES.lines().filter(|line| !line.is_empty()) {
        let Some(referrer) = line.strip_prefix(' ') else {
            references.push(NameReference { target: parse_kind(line), referrers: Vec::new() });
            continue;
        };
        let referrers = &mut references.last_mut().expect("a kind comes first").referrers;
        match referrer.strip_prefix('@').and_then(|set| set.split_once(' ')) {
            Some((set, path)) => referrers.extend(in_pods(set, path)),
            None => referrers.push(spec(referrer)),
        }
    }
    references
}

fn in_pods<'a>(set: &str, path: &'a str) -> impl Iterator<Item = FieldSpec> + use<'a> {
    let (_, kinds) = POD_SETS.iter().find(|(name, _)| *name == set).expect("a set of the table");
    kinds.split(' ').map(move |kind| {
        let kind = parse_kind(kind);
        let path = format!("{}/{path}", pod_spec_of(&kind.kind));
        FieldSpec { kind, path, create: false }
    })
}

fn pod_spec_of(kind: &str) -> &'static str {
    match kind {
        "Pod" => "spec",
        "PodTemplate" => "template/spec",
        "CronJob" => "spec/jobTemplate/spec/template/spec",
        _ => "spec/template/spec",
    }
}

fn var_references() -> Vec<FieldSpec> {
    let in_containers = VARS_IN_CONTAINERS.iter().flat_map(|path| in_pods("vars", path));
    in_containers.chain(specs(VARS_ELSEWHERE)).collect()
}

const NAMESPACE: &str = "\
+Namespace metadata/name
+apiregistration.k8s.io/APIService spec/service/namespace
apiextensions.k8s.io/CustomResourceDefinition spec/conversion/webhook/clientConfig/service/namespace
";

const METADATA_LABELS: &str = "\
+metadata/labels
+ReplicationController:v1 spec/template/metadata/labels
+Deployment spec/template/metadata/labels
+ReplicaSet spec/template/metadata/labels
+DaemonSet spec/template/metadata/labels
+apps/StatefulSet spec/template/metadata/labels
+apps/StatefulSet spec/volumeClaimTemplates[]/metadata/labels
+batch/Job spec/template/metadata/labels
+batch/CronJob spec/jobTemplate/metadata/labels
+batch/CronJob spec/jobTemplate/spec/template/metadata/labels
";

const SELECTORS: &str = "\
+Service:v1 spec/selector
+ReplicationController:v1 spec/selector
+Deployment spec/selector/matchLabels
apps/Deployment spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels
apps/Deployment spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels
apps/Deployment spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels
apps/Deployment spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels
apps/Deployment spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels
+ReplicaSet spec/selector/matchLabels
+DaemonSet spec/selector/matchLabels
+apps/StatefulSet spec/selector/matchLabels
apps/StatefulSet spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels
apps/StatefulSet spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels
apps/StatefulSet spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels
apps/StatefulSet spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels
apps/StatefulSet spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels
batch/Job spec/selector/matchLabels
batch/CronJob spec/jobTemplate/spec/selector/matchLabels
policy/PodDisruptionBudget spec/selector/matchLabels
networking.k8s.io/NetworkPolicy spec/podSelector/matchLabels
networking.k8s.io/NetworkPolicy spec/ingress/from/podSelector/matchLabels
networking.k8s.io/NetworkPolicy spec/egress/to/podSelector/matchLabels
";

const ANNOTATIONS: &str = "\
+metadata/annotations
+ReplicationController:v1 spec/template/metadata/annotations
+Deployment spec/template/metadata/annotations
+ReplicaSet spec/template/metadata/annotations
+DaemonSet spec/template/metadata/annotations
+StatefulSet spec/template/metadata/annotations
+batch/Job spec/template/metadata/annotations
+batch/CronJob spec/jobTemplate/metadata/annotations
+batch/CronJob spec/jobTemplate/spec/template/metadata/annotations
";

const IMAGES: &str = "\
+spec/containers[]/image
+spec/initContainers[]/image
+spec/template/spec/containers[]/image
+spec/template/spec/initContainers[]/image
";

const REPLICAS: &str = "\
+Deployment spec/replicas
+ReplicationController spec/replicas
+ReplicaSet spec/replicas
+StatefulSet spec/replicas
";

const POD_SETS: &[(&str, &str)] = &[
    ("config", "Pod:v1 PodTemplate Deployment ReplicaSet DaemonSet StatefulSet Job CronJob"),
    ("account", "Pod StatefulSet Deployment ReplicationController CronJob Job DaemonSet"),
    ("vars", "CronJob DaemonSet Deployment Job Pod ReplicaSet StatefulSet"),
];

const NAME_REFERENCES: &str = "\
Deployment
 HorizontalPodAutoscaler spec/scaleTargetRef/name
ReplicationController
 HorizontalPodAutoscaler spec/scaleTargetRef/name
ReplicaSet
 HorizontalPodAutoscaler spec/scaleTargetRef/name
StatefulSet
 HorizontalPodAutoscaler spec/scaleTargetRef/name
ConfigMap:v1
 @config volumes/configMap/name
 @config containers/env/valueFrom/configMapKeyRef/name
 @config initContainers/env/valueFrom/configMapKeyRef/name
 @config containers/envFrom/configMapRef/name
 @config initContainers/envFrom/configMapRef/name
 @config volumes/projected/sources/configMap/name
 Node spec/configSource/configMap
 Role rules/resourceNames
 ClusterRole rules/resourceNames
 Ingress metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap
Secret:v1
 @config volumes/secret/secretName
 @config containers/env/valueFrom/secretKeyRef/name
 @config initContainers/env/valueFrom/secretKeyRef/name
 @config containers/envFrom/secretRef/name
 @config initContainers/envFrom/secretRef/name
 @config imagePullSecrets/name
 @config volumes/projected/sources/secret/name
 Ingress spec/tls/secretName
 Ingress metadata/annotations/ingress.kubernetes.io\\/auth-secret
 Ingress metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret
 Ingress metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret
 ServiceAccount imagePullSecrets/name
 StorageClass parameters/secretName
 StorageClass parameters/adminSecretName
 StorageClass parameters/userSecretName
 StorageClass parameters/secretRef
 Role rules/resourceNames
 ClusterRole rules/resourceNames
 serving.knative.dev/Service:v1 spec/template/spec/containers/env/valueFrom/secretKeyRef/name
 PersistentVolume spec/azureFile/secretName
Service:v1
 apps/StatefulSet spec/serviceName
 Ingress spec/rules/http/paths/backend/serviceName
 Ingress spec/backend/serviceName
 Ingress spec/rules/http/paths/backend/service/name
 Ingress spec/defaultBackend/service/name
 apiregistration.k8s.io/APIService spec/service/name
 admissionregistration.k8s.io/ValidatingWebhookConfiguration webhooks/clientConfig/service
 admissionregistration.k8s.io/MutatingWebhookConfiguration webhooks/clientConfig/service
rbac.authorization.k8s.io/Role
 rbac.authorization.k8s.io/RoleBinding roleRef/name
rbac.authorization.k8s.io/ClusterRole
 rbac.authorization.k8s.io/RoleBinding roleRef/name
 rbac.authorization.k8s.io/ClusterRoleBinding roleRef/name
ServiceAccount:v1
 rbac.authorization.k8s.io/RoleBinding subjects
 rbac.authorization.k8s.io/ClusterRoleBinding subjects
 @account serviceAccountName
PersistentVolumeClaim:v1
 @account volumes/persistentVolumeClaim/claimName
PersistentVolume:v1
 PersistentVolumeClaim spec/volumeName
 ClusterRole rules/resourceNames
storage.k8s.io/StorageClass:v1
 PersistentVolume spec/storageClassName
 PersistentVolumeClaim spec/storageClassName
 StatefulSet spec/volumeClaimTemplates/spec/storageClassName
scheduling.k8s.io/PriorityClass:v1
 @account priorityClassName
networking.k8s.io/v1/IngressClass:v1
 Ingress spec/ingressClassName
admissionregistration.k8s.io/ValidatingAdmissionPolicy
 admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding spec/policyName
";

const VARS_IN_CONTAINERS: &[&str] = &[
    "containers/args",
    "containers/command",
    "containers/env/value",
    "containers/volumeMounts/mountPath",
    "initContainers/args",
    "initContainers/command",
    "initContainers/env/value",
    "initContainers/volumeMounts/mountPath",
    "volumes/nfs/server",
];

const VARS_ELSEWHERE: &str = "\
Deployment spec/template/metadata/annotations
Ingress spec/rules/host
Ingress spec/tls/hosts
Ingress spec/tls/secretName
Service spec/ports/port
Service spec/ports/targetPort
StatefulSet spec/volumeClaimTemplates/spec/nfs/server
PersistentVolume spec/nfs/server
metadata/labels
metadata/annotations
";
