//! The control plane at work on an API server, in virtual time and in any order of moves.

#[path = "cluster/rig.rs"]
mod rig;

use driftlab::object::Object;
use driftlab::time::Duration;
use rig::Rig;
use serde_json::{Value, json};

fn deployment(name: &str, replicas: i64, image: &str) -> Object {
    Object::from_value(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": image}]},
            },
        },
    }))
    .unwrap()
}

fn image_patch(image: &str) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}})
}

fn is_rolled_out(rig: &Rig, name: &str) -> bool {
    let deployment = rig.get("Deployment", "default", name);
    let wanted = deployment.int("spec.replicas").unwrap();
    ["replicas", "updatedReplicas", "availableReplicas"]
        .iter()
        .all(|f| deployment.int(&format!("status.{f}")).unwrap_or(0) == wanted)
        && deployment.int("status.observedGeneration") == Some(deployment.generation())
}

#[test]
fn a_deployment_comes_up_and_tells_so() {
    let mut rig = Rig::new(2);
    rig.create(deployment("hello", 3, "nginx:1.27"));
    rig.run_until("rolled out", |rig| is_rolled_out(rig, "hello"));
    assert_eq!(rig.ready_pods("default").len(), 3);
}

#[test]
fn nothing_is_written_at_the_fixpoint() {
    let mut rig = Rig::new(2);
    rig.create(deployment("hello", 3, "nginx:1.27"));
    rig.run_until("rolled out", |rig| is_rolled_out(rig, "hello"));
    rig.run_for(Duration::from_mins(1));
    let version = rig.version();
    rig.run_for(Duration::from_hours(2));
    assert_eq!(rig.version(), version);
}
