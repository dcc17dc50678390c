//! What is refused: the rules of names and fields, of fields together, and of changes.
//!
//! Most rules are attributes of the table's fields ([`Rule`]) and hold wherever a structure is used;
//! rules over several fields are functions of a structure, by its name. Refusals have the real
//! server's words, so that a person can search for them.

mod autoscaling;
mod batch;
mod config;
mod cron;
mod endpoints;
mod extension;
mod meta;
mod names;
mod networking;
mod openapi;
mod pattern;
mod pod;
mod print;
mod quota;
mod report;
mod rules;
mod selectors;
mod service;
mod volume;
mod workload;

use serde_json::Value;

use self::report::{Node, Report};
use super::types::{KindSchema, Struct, Type};
use crate::api::Cause;

pub use self::rules::Rule;

/// The rules that `new` breaks, in the server's words; `old` is the stored object, `None` on
/// creation. Through `subresource` (`status`, or empty for the object itself) only that part is
/// looked at.
///
/// Both are in normal form and with defaults. Not evaluated: the rules of custom resources in the
/// Common Expression Language, which [`Custom::unevaluated`](super::Custom::unevaluated) lists.
pub fn validate(
    kind: &KindSchema,
    subresource: &str,
    new: &Value,
    old: Option<&Value>,
) -> Vec<Cause> {
    let mut report = Report::default();
    let root = Node::root(new);
    match old {
        // The metadata of events are looked at when all else is well.
        None if kind.gvk.kind == "Event" => {
            check_part(kind, subresource, &root, &mut report);
            if report.0.is_empty() {
                check_metadata(kind, &root, &mut report);
            }
        }
        None => {
            check_metadata(kind, &root, &mut report);
            check_part(kind, subresource, &root, &mut report);
            if !kind.is_custom() && subresource.is_empty() {
                check_creation(kind, &root, &mut report);
            }
        }
        Some(old) => check_update(kind, subresource, &root, &Node::root(old), &mut report),
    }
    if kind.gvk.kind == "Node" {
        report.0.iter_mut().for_each(name_taint);
    }
    without_repeated_metadata(report.0)
}

/// A server looks for a node's taints in its metadata, as it says, where they were once.
fn name_taint(cause: &mut Cause) {
    if let Some(rest) = cause.field.strip_prefix("spec.taints") {
        cause.field = format!("metadata.taints{rest}");
    }
}

/// How often a fault of the metadata is told depends on more than these rules.
fn without_repeated_metadata(causes: Vec<Cause>) -> Vec<Cause> {
    let mut kept: Vec<Cause> = Vec::with_capacity(causes.len());
    for cause in causes {
        if !(cause.field.starts_with("metadata.") && kept.contains(&cause)) {
            kept.push(cause);
        }
    }
    kept
}

/// One of the looks that the server takes at a changed object.
#[derive(Clone, Copy, Debug)]
enum Look {
    /// The metadata, as if the object were new.
    Metadata,
    /// The metadata against what it was.
    MetadataChange,
    Fields,
    /// What may not change.
    Change,
}

/// Every look is taken: a fault of the fields that several find is told as often.
fn check_update(kind: &KindSchema, subresource: &str, new: &Node, old: &Node, report: &mut Report) {
    let (metadata, before) = (new.at("metadata"), old.at("metadata"));
    meta::check_any(&metadata, report);
    meta::check_any_change(&metadata, &before, report);
    for look in looks(kind) {
        match look {
            Look::Metadata => check_metadata(kind, new, report),
            Look::MetadataChange => meta::check_change(kind, &metadata, &before, report),
            Look::Fields => check_part(kind, subresource, new, report),
            Look::Change if subresource.is_empty() => check_change(kind, new, old, report),
            Look::Change => {}
        }
    }
}

/// The order in which refusals of an update come.
fn looks(kind: &KindSchema) -> &'static [Look] {
    use Look::{Change, Fields, Metadata, MetadataChange};
    match &*kind.gvk.kind {
        _ if kind.is_custom() => &[MetadataChange, Fields],
        "DaemonSet" | "Service" | "IngressClass" => &[MetadataChange, Change, Fields],
        "ConfigMap" | "Secret" => &[MetadataChange, Change, Metadata, Fields],
        "Job" => &[Metadata, Fields, MetadataChange, Fields, Change],
        "PersistentVolume" => &[Metadata, Fields, MetadataChange, Metadata, Fields, Change],
        "PersistentVolumeClaim" | "Pod" => &[MetadataChange, Metadata, Fields, Change],
        "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" | "StorageClass"
        | "RuntimeClass" => &[Metadata, Fields, MetadataChange, Change],
        "PriorityClass" => &[MetadataChange, Change],
        "Namespace" | "Node" => &[Metadata, Fields, MetadataChange],
        "LimitRange" => &[Metadata, Fields],
        "Endpoints" | "ServiceAccount" | "Ingress" => &[MetadataChange, Metadata, Fields],
        "PodDisruptionBudget" => &[Fields],
        "EndpointSlice" | "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            &[Metadata, Fields, Change]
        }
        _ => &[MetadataChange, Fields, Change],
    }
}

/// What a write through `subresource` sets.
fn check_part(kind: &KindSchema, subresource: &str, node: &Node, report: &mut Report) {
    if kind.is_custom() {
        openapi::check(kind, subresource, node, report);
    } else {
        check_fields(&kind.root, node, subresource, report);
    }
}

/// The top-level fields that a write through `subresource` sets.
fn check_fields(root: &Struct, node: &Node, subresource: &str, report: &mut Report) {
    let written = |name: &str| match name {
        "metadata" => false,
        "status" => subresource == "status",
        _ => subresource.is_empty(),
    };
    let fields = root.order.iter().map(|i| &root.fields[*i as usize]);
    for field in fields.filter(|field| written(&field.name)) {
        let place = node.at(&field.name);
        rules::apply(&field.rules, &place, report);
        check_value(&field.ty, &place, report);
    }
    match (subresource, &*root.name) {
        ("", name) => after(name, node, report),
        ("status", "Service") => service::status(node, report),
        _ => {}
    }
}

fn check_value(ty: &Type, node: &Node, report: &mut Report) {
    match ty {
        Type::Struct(structure) if node.value.is_object() => check_struct(structure, node, report),
        Type::List(list) if matches!(list.element, Type::Struct(_)) => {
            node.items().for_each(|item| check_value(&list.element, &item, report))
        }
        _ => {}
    }
}

fn check_struct(structure: &Struct, node: &Node, report: &mut Report) {
    before(&structure.name, node, report);
    for field in structure.order.iter().map(|i| &structure.fields[*i as usize]) {
        if is_passed_over(&structure.name, &field.name, node) {
            continue;
        }
        let place = node.at(&field.name);
        rules::apply(&field.rules, &place, report);
        // The metadata of a template has rules of its own.
        if &*field.name != "metadata" {
            check_value(&field.ty, &place, report);
        }
        between(&structure.name, &field.name, &place, report);
    }
    after(&structure.name, node, report);
}

/// Whether the server does not look at a field because of what it saw before.
fn is_passed_over(structure: &str, field: &str, node: &Node) -> bool {
    match (structure, field) {
        ("DeploymentSpec" | "ReplicaSetSpec" | "StatefulSetSpec", "template") => {
            !workload::has_selector(node)
        }
        ("PersistentVolumeSpec", source) => volume::is_second_source(node, source),
        ("HTTPIngressPath", "backend") => !node.at("pathType").is_set(),
        _ => false,
    }
}

/// Rules of a structure that come before those of its fields.
fn before(structure: &str, node: &Node, report: &mut Report) {
    match structure {
        "PodDisruptionBudgetSpec" => config::disruption_budget(node, report),
        "Volume" => volume::volume(node, report),
        "ServiceSpec" => service::before(node, report),
        "DeploymentStrategy" => workload::deployment_strategy(node, report),
        "DaemonSetUpdateStrategy" => workload::daemon_set_strategy(node, report),
        "StatefulSetUpdateStrategy" => workload::stateful_set_strategy(node, report),
        "Probe" | "LifecycleHandler" => pod::handler(node, report),
        "IngressSpec" => networking::ingress(node, report),
        "IngressTLS" => networking::ingress_tls(node, report),
        "RoleRef" => config::role_ref(node, report),
        "EndpointSubset" => endpoints::subset(node, report),
        _ => {}
    }
}

/// Rules that come right after a field.
fn between(structure: &str, field: &str, node: &Node, report: &mut Report) {
    match (structure, field) {
        ("DeploymentSpec" | "ReplicaSetSpec" | "StatefulSetSpec", "selector") => {
            workload::selector(structure, node, report)
        }
        ("StatefulSetSpec", "podManagementPolicy") => workload::pod_management(node, report),
        ("DaemonSetSpec", "selector") => workload::daemon_selector(node, report),
        ("PodSpec", "containers" | "initContainers") => pod::host_ports(node, report),
        ("PodSpec", "overhead") => pod::overhead(node, node, report),
        ("Container", "securityContext") => pod::unique_name(node, report),
        ("autoscaling.v1.HorizontalPodAutoscalerSpec", "maxReplicas")
        | ("autoscaling.v2.HorizontalPodAutoscalerSpec", "maxReplicas") => {
            autoscaling::range(node, report)
        }
        ("autoscaling.v1.CrossVersionObjectReference", "apiVersion")
        | ("autoscaling.v2.CrossVersionObjectReference", "apiVersion") => {
            autoscaling::target_version(node, report)
        }
        ("HTTPIngressPath", "pathType") => networking::ingress_path(node, report),
        ("ReplicationControllerSpec", "replicas") => workload::replication_template(node, report),
        ("EndpointAddress", "nodeName") => endpoints::address(node, report),
        ("core.v1.EndpointPort", "name") => service::port_name(node, report),
        ("discovery.v1.EndpointPort", "name") => endpoints::unique_port_name(node, report),
        ("Endpoint", "addresses") => endpoints::addresses(node, report),
        ("JobSpec", "completionMode") => batch::mode(node, report),
        ("JobSpec", "podReplacementPolicy") => batch::replacement(node, report),
        ("PodFailurePolicyRule", "action") => batch::failure_action(node, report),
        ("MutatingWebhook" | "ValidatingWebhook", "timeoutSeconds") => {
            extension::timeout(node, report)
        }
        ("MutatingWebhook" | "ValidatingWebhook", "admissionReviewVersions") => {
            extension::review_versions(node, report)
        }
        ("PersistentVolumeSpec", "accessModes") => volume::access_modes(node, report),
        ("PersistentVolumeSpec", "capacity") => volume::capacity(node, report),
        ("PersistentVolumeSpec", "claimRef") => volume::one_source(node, report),
        ("ServicePort", "name") => service::port_name(node, report),
        ("ServiceSpec", "externalTrafficPolicy") => service::after_type(node, report),
        ("ServiceSpec", "sessionAffinity") => service::affinity(node, report),
        _ => {}
    }
}

/// Rules of a structure that come after those of its fields.
fn after(structure: &str, node: &Node, report: &mut Report) {
    match structure {
        "PodTemplateSpec" => pod::template(node, report),
        "Container" | "EphemeralContainer" => pod::container(node, report),
        "ContainerPort" => pod::port(node, report),
        "EnvVar" => pod::env(node, report),
        "EnvFromSource" => pod::env_from(node, report),
        "VolumeMount" => volume::mount(node, report),
        "ResourceRequirements" => pod::resources(node, report),
        "Overhead" => pod::overhead(node, &node.at("podFixed"), report),
        "Sysctl" => pod::sysctl(node, report),
        "core.v1.Event" => config::event(node, report),
        "IngressClassParametersReference" => networking::class_parameters(node, report),
        "Toleration" => pod::toleration(node, report),
        "DeploymentSpec" => workload::deployment(node, report),
        "DaemonSetSpec" | "ReplicaSetSpec" | "StatefulSetSpec" | "ReplicationControllerSpec" => {
            workload::restart_policy(structure, node, report)
        }
        "DeploymentStatus" | "ReplicaSetStatus" | "StatefulSetStatus" => {
            workload::status(structure, node, report)
        }
        "JobSpec" => batch::job(node, report),
        "PodFailurePolicyRule" => batch::failure_rule(node, report),
        "PodFailurePolicyOnExitCodesRequirement" => batch::exit_codes(node, report),
        "JobTemplateSpec" => batch::job_template(node, report),
        "ConfigMap" => config::config_map(node, report),
        "Secret" => config::secret(node, report),
        "PersistentVolumeClaimSpec" => volume::claim(node, report),
        "ResourceQuotaSpec" => quota::quota(node, report),
        "LimitRangeItem" => quota::limit(node, report),
        "PolicyRule" => config::policy_rule(node, report),
        "Subject" => config::subject(node, report),
        "autoscaling.v2.HorizontalPodAutoscalerSpec" => autoscaling::scale_to_zero(node, report),
        "MetricSpec" => autoscaling::metric(node, report),
        "MetricTarget" => autoscaling::metric_target(node, report),
        "HPAScalingRules" => autoscaling::scaling_rules(node, report),
        "HPAScalingPolicy" => autoscaling::scaling_policy(node, report),
        "IngressRule" => networking::ingress_rule(node, report),
        "IngressBackend" => networking::ingress_backend(node, report),
        "NetworkPolicyPort" => networking::policy_port(node, report),
        "NetworkPolicyPeer" => networking::policy_peer(node, report),
        "EndpointSlice" => endpoints::slice(node, report),
        "CustomResourceDefinition" => extension::definition(node, report),
        "admissionregistration.v1.WebhookClientConfig" => extension::client(node, report),
        _ => {}
    }
}

/// Rules of a change to a stored object.
fn check_change(kind: &KindSchema, new: &Node, old: &Node, report: &mut Report) {
    match (&*kind.gvk.group, &*kind.gvk.kind) {
        ("apps", "Deployment" | "ReplicaSet" | "DaemonSet") => immutable_structure(
            &new.at("spec").at("selector"),
            &old.at("spec").at("selector"),
            "LabelSelector",
            report,
        ),
        ("apps", "StatefulSet") => workload::stateful_set_change(new, old, report),
        ("apps", "ControllerRevision") => immutable(&new.at("data"), &old.at("data"), report),
        ("batch", "Job") => batch::job_change(new, old, report),
        ("", "Service") => service::change(new, old, report),
        ("", "ConfigMap" | "Secret") => config::immutable_data(kind, new, old, report),
        ("", "PersistentVolumeClaim") => volume::claim_change(new, old, report),
        ("", "PersistentVolume") => volume::volume_change(new, old, report),
        ("", "Pod") => pod::change(new, old, report),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            config::role_ref_change(new, old, report)
        }
        ("storage.k8s.io", "StorageClass") => volume::storage_class_change(new, old, report),
        ("scheduling.k8s.io", "PriorityClass") => config::priority_class_change(new, old, report),
        ("discovery.k8s.io", "EndpointSlice") => {
            immutable(&new.at("addressType"), &old.at("addressType"), report)
        }
        ("node.k8s.io", "RuntimeClass") => {
            immutable_text(&new.at("handler"), &old.at("handler"), report)
        }
        ("networking.k8s.io", "IngressClass") => {
            let (spec, old) = (new.at("spec"), old.at("spec"));
            immutable_text(&spec.at("controller"), &old.at("controller"), report)
        }
        ("apiextensions.k8s.io", _) => extension::change(new, old, report),
        _ => {}
    }
}

/// Rules of creation alone.
fn check_creation(kind: &KindSchema, new: &Node, report: &mut Report) {
    match (&*kind.gvk.group, &*kind.gvk.kind) {
        ("", "Pod") => pod::creation(new, report),
        ("batch", "CronJob") => batch::cron_job_name(new, report),
        _ => {}
    }
}

/// The metadata as if the object were new, and what belongs with it.
fn check_metadata(kind: &KindSchema, object: &Node, report: &mut Report) {
    meta::check(kind, &object.at("metadata"), report);
    if (&*kind.gvk.group, &*kind.gvk.kind) == ("batch", "Job") {
        batch::generated_selector(object, report);
    }
}

/// A text that stays as it was made; nothing is the empty text.
fn immutable_text(new: &Node, old: &Node, report: &mut Report) {
    if new.text() != old.text() {
        report.invalid_value(new, &new.text().into(), "field is immutable");
    }
}

/// A structure that stays as it was made.
fn immutable_structure(new: &Node, old: &Node, name: &str, report: &mut Report) {
    if new.value != old.value {
        report.invalid_structure(new, name, "field is immutable");
    }
}

/// A field that stays as it was made.
fn immutable(new: &Node, old: &Node, report: &mut Report) {
    if new.value != old.value {
        report.invalid(new, "field is immutable");
    }
}
