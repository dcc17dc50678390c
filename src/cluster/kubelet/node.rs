//! The node itself: its registration, its status, and the heartbeat that tells it is alive.

use serde_json::{Value, json};

use super::{Awaiting, container};
use crate::api::{ApiRequest, Patch, WriteOptions};
use crate::cluster::writes::{Act, Writes};
use crate::cluster::{callers, kinds, pods};
use crate::object::Object;
use crate::reconciler::Next;
use crate::time::Timestamp;

/// The namespace of the nodes' leases.
pub(crate) const LEASES: &str = "kube-node-lease";

/// The object that a kubelet registers its node with: create it, and the node's
/// [`Kubelet`](super::Kubelet) makes it ready.
pub fn registration(node: &str) -> Object {
    let mut object = Object::new("v1", "Node", "", node);
    for (label, value) in [
        ("kubernetes.io/hostname", node),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", "amd64"),
    ] {
        object.set_label(label, value);
    }
    object
}

/// Tells that the node is ready and that its lease is being renewed, where that is news.
pub(super) fn heartbeat(node: &Object, lease: Option<&Object>, now: Timestamp) -> Next<Awaiting> {
    let is_ready = pods::condition(node, "Ready").is_some_and(|c| c["status"] == "True");
    let is_renewed = lease.is_some_and(|lease| lease.get("spec.renewTime").is_none());
    let patch = json!({"metadata": {"uid": node.uid()}, "status": status(node, now)});
    let mut writes = Writes::of((!is_renewed).then(|| renewal(node)));
    if !is_ready {
        writes.push(Act::needed(pods::patch_status(node, patch)));
    }
    writes.begin().or_done(Awaiting::Heartbeat)
}

/// The last heartbeat of a node whose kubelet fails at an instant.
///
/// A kubelet renews the lease of its node every ten seconds. Written down one by one these renewals
/// would drown everything else, so that a lease without `renewTime` stands for one that is being
/// renewed. Whoever makes a kubelet fail or cuts it off makes this request in the kubelet's name: from
/// then on the lease ages, and the [`NodeLifecycle`](crate::cluster::NodeLifecycle) controller finds it
/// out in its own time. A kubelet that comes back renews it again.
pub fn last_heartbeat(node: &str, at: Timestamp) -> ApiRequest {
    change_lease(node, at.to_micro_string().into())
}

/// Makes the lease one that is being renewed.
fn renewal(node: &Object) -> Act {
    let mut lease = Object::new("coordination.k8s.io/v1", "Lease", LEASES, node.name());
    let owner = json!({"apiVersion": "v1", "kind": "Node", "name": node.name(), "uid": node.uid()});
    lease.set("metadata.ownerReferences", json!([owner]));
    lease.set("spec", json!({"holderIdentity": node.name(), "leaseDurationSeconds": 40}));
    Act::create_or(lease, change_lease(node.name(), Value::Null))
}

fn change_lease(node: &str, renew_time: Value) -> ApiRequest {
    let patch = Patch::Merge(json!({"spec": {"renewTime": renew_time}}));
    ApiRequest::patch(&kinds::lease(), LEASES, node, patch, WriteOptions::default())
}

fn status(node: &Object, now: Timestamp) -> Value {
    let capacity =
        json!({"cpu": "4", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"});
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        let before = pods::condition(node, kind).filter(|c| c["status"] == status);
        let since = before.map(|c| c["lastTransitionTime"].clone());
        json!({"type": kind, "status": status, "reason": reason, "message": message, "lastHeartbeatTime": now.to_string(), "lastTransitionTime": since.unwrap_or_else(|| now.to_string().into())})
    };
    let fine = |kind, reason, message| condition(kind, "False", reason, message);
    json!({
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [
            {"type": "InternalIP", "address": container::host_ip(node.name())},
            {"type": "Hostname", "address": node.name()},
        ],
        "conditions": [
            fine("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            fine("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            fine("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ],
        "nodeInfo": {
            "architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": callers::VERSION,
            "kubeProxyVersion": "", "containerRuntimeVersion": "driftlab", "osImage": "driftlab",
            "kernelVersion": "", "machineID": node.name(), "systemUUID": node.uid(), "bootID": node.uid(),
        },
    })
}
