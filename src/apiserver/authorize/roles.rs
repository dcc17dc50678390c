//! The ClusterRoles and bindings that every cluster has.

use serde_json::{Value, json};

use super::GROUP;
use crate::object::Object;

/// The ClusterRoles and bindings that a server has from the beginning: `cluster-admin`, `admin`, `edit` and
/// `view`, and the binding that makes `system:masters` cluster admins.
pub(in crate::apiserver) fn bootstrap() -> Vec<Object> {
    let mut view = vec![json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": READ})];
    view.extend(VIEW.iter().map(|(group, resources)| rule(group, resources, &READ)));
    let mut edit: Vec<Value> =
        EDIT.iter().map(|(group, resources)| rule(group, resources, &WRITE)).collect();
    edit.push(rule(
        "",
        "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy",
        &READ,
    ));
    edit.push(rule("", "serviceaccounts", &["impersonate"]));
    edit.push(rule("", "pods/eviction serviceaccounts/token", &["create"]));
    edit.push(rule("coordination.k8s.io", "leases", &[&WRITE[..], &READ].concat()));
    edit.extend(view.clone());
    let mut admin = vec![rule(GROUP, "rolebindings roles", &[&WRITE[..], &READ].concat())];
    admin.push(rule("authorization.k8s.io", "localsubjectaccessreviews", &["create"]));
    admin.extend(edit.clone());
    let everything =
        vec![rule("*", "*", &["*"]), json!({"nonResourceURLs": ["*"], "verbs": ["*"]})];
    vec![
        cluster_role("cluster-admin", "", everything),
        aggregating("admin", "", admin),
        aggregating("edit", "aggregate-to-admin", edit),
        aggregating("view", "aggregate-to-edit", view),
        masters(),
    ]
}

pub(super) const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

/// What `view` may read: group, resources.
const VIEW: [(&str, &str); 9] = [
    (
        "",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status",
    ),
    (
        "",
        "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status",
    ),
    ("events.k8s.io", "events"),
    ("discovery.k8s.io", "endpointslices"),
    (
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
    ),
    ("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    ("batch", "cronjobs cronjobs/status jobs jobs/status"),
    ("policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    ("networking.k8s.io", "ingresses ingresses/status networkpolicies"),
];

/// What `edit` may write.
const EDIT: [(&str, &str); 7] = [
    (
        "",
        "configmaps events persistentvolumeclaims pods pods/attach pods/exec pods/portforward pods/proxy replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy",
    ),
    ("events.k8s.io", "events"),
    (
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale",
    ),
    ("autoscaling", "horizontalpodautoscalers"),
    ("batch", "cronjobs jobs"),
    ("policy", "poddisruptionbudgets"),
    ("networking.k8s.io", "ingresses networkpolicies"),
];

pub(super) fn rule(group: &str, resources: &str, verbs: &[&str]) -> Value {
    let resources: Vec<&str> = resources.split(' ').collect();
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

pub(super) fn cluster_role(name: &str, aggregates: &str, rules: Vec<Value>) -> Object {
    let mut role = Object::new(&format!("{GROUP}/v1"), "ClusterRole", "", name);
    role.set_label("kubernetes.io/bootstrapping", "rbac-defaults");
    if !aggregates.is_empty() {
        role.set_label(&format!("{GROUP}/{aggregates}"), "true");
    }
    role.set("rules", rules);
    role
}

/// A ClusterRole that gathers those that are labelled for it, as `rbac.authorization.k8s.io/aggregate-to-view`.
fn aggregating(name: &str, aggregates: &str, rules: Vec<Value>) -> Object {
    let mut role = cluster_role(name, aggregates, rules);
    let label = format!("{GROUP}/aggregate-to-{name}");
    role.set(
        "aggregationRule",
        json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}),
    );
    role
}

fn masters() -> Object {
    let mut binding =
        Object::new(&format!("{GROUP}/v1"), "ClusterRoleBinding", "", "cluster-admin");
    binding.set_label("kubernetes.io/bootstrapping", "rbac-defaults");
    binding
        .set("roleRef", json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": "cluster-admin"}));
    binding
        .set("subjects", json!([{"apiGroup": GROUP, "kind": "Group", "name": "system:masters"}]));
    binding
}
