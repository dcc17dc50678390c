//! What the benches share.

use driftlab::object::Object;
use serde_json::json;

/// A Deployment as teams write them: two containers, probes, resources, environment, a volume.
///
/// # Panics
///
/// Never: the value is an object.
pub fn deployment(namespace: &str, name: &str) -> Object {
    let container = |name: &str, port: u16| {
        json!({
            "name": name,
            "image": format!("ghcr.io/acme/{name}:v1.2.3"),
            "ports": [{"containerPort": port}],
            "env": [{"name": "LEVEL", "value": "info"}, {"name": "REGION", "value": "eu"}],
            "resources": {
                "requests": {"cpu": "100m", "memory": "64Mi"},
                "limits": {"memory": "128Mi"},
            },
            "readinessProbe": {"httpGet": {"path": "/ready", "port": port}, "periodSeconds": 5},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}],
        })
    };
    Object::from_value(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": {"team": "web"}},
                "spec": {
                    "containers": [container("web", 8080), container("proxy", 9090)],
                    "volumes": [{"name": "config", "configMap": {"name": "settings"}}],
                },
            },
        },
    }))
    .expect("it has a kind and metadata")
}
