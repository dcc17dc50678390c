//! What a server makes for itself at its first start.

use serde_json::{Value, json};

use super::authorize;
use super::server::Server;
use crate::api::{ApiRequest, Caller, WriteOptions};
use crate::object::Object;
use crate::time::Timestamp;

/// The user as whom the server writes.
pub(super) const SERVER_USER: &str = "system:apiserver";
/// The field manager as which the server writes.
pub(super) const SERVER_MANAGER: &str = "kube-apiserver";

/// Makes the namespaces that every cluster has, and the service that leads to the server.
pub(super) fn start(server: &mut Server, at: Timestamp) {
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        create(
            server,
            at,
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        );
    }
    create(server, at, kubernetes_service());
}

/// Makes the roles and bindings that every cluster with role-based access control has.
pub(super) fn roles(server: &mut Server, at: Timestamp) {
    authorize::bootstrap().into_iter().for_each(|object| create(server, at, object.into_value()));
}

/// The server as a caller.
pub(super) fn caller() -> Caller {
    let groups = vec!["system:masters".into()];
    Caller { groups, ..Caller::new(SERVER_USER, SERVER_MANAGER) }
}

fn kubernetes_service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": "10.96.0.1",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    })
}

fn create(server: &mut Server, at: Timestamp, value: Value) {
    let object = Object::from_value(value).expect("written above");
    let request = ApiRequest::create(object, WriteOptions::default());
    server.handle(at, &caller(), request).expect("an empty server takes these");
}
