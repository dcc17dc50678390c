//! The control plane at work on an API server, in virtual time and in any order of moves.

#[path = "cluster/rig.rs"]
mod rig;

use driftlab::api::{ApiRequest, Propagation, ResourceVersion, WriteOptions};
use driftlab::object::Object;
use driftlab::time::Duration;
use driftlab_tests::rounds;
use proptest::prelude::*;
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
    let revision =
        |o: &Object| o.annotation("deployment.kubernetes.io/revision").map(str::to_owned);
    assert_eq!(revision(&rig.get("Deployment", "default", "hello")).as_deref(), Some("1"));
}

#[test]
fn a_rolling_update_never_serves_with_fewer_than_wanted() {
    let mut rig = Rig::new(2);
    rig.create(deployment("hello", 3, "nginx:1.27"));
    rig.run_until("rolled out", |rig| is_rolled_out(rig, "hello"));
    rig.patch("Deployment", "default", "hello", image_patch("nginx:1.28"));
    rig.watch_for(Duration::from_mins(2), |rig| {
        assert!(rig.ready_pods("default").len() >= 3, "25% of 3 rounds down to none unavailable");
        let sets = rig.all("ReplicaSet", "default");
        let wanted: i64 = sets.iter().filter_map(|set| set.int("spec.replicas")).sum();
        assert!(wanted <= 4, "25% of 3 rounds up to one more");
    });
    assert!(is_rolled_out(&rig, "hello"));
    let images: Vec<String> = rig
        .ready_pods("default")
        .iter()
        .map(|p| p.text("spec.containers.0.image").to_owned())
        .collect();
    assert_eq!(images, ["nginx:1.28"; 3]);
}

#[test]
fn a_missing_image_leaves_the_old_pods_serving() {
    let mut rig = Rig::new(2);
    rig.create(deployment("hello", 3, "nginx:1.27"));
    rig.run_until("rolled out", |rig| is_rolled_out(rig, "hello"));
    rig.missing_images.push("nginx:1.72");
    rig.patch("Deployment", "default", "hello", image_patch("nginx:1.72"));
    rig.watch_for(Duration::from_mins(11), |rig| assert_eq!(rig.ready_pods("default").len(), 3));
    let waiting = |pod: &Object| {
        pod.text("status.containerStatuses.0.state.waiting.reason") == "ImagePullBackOff"
    };
    assert_eq!(rig.all("Pod", "default").iter().filter(|pod| waiting(pod)).count(), 1);
    let told = rig.events("Pod");
    assert!(told.contains(&"Failed Error: ErrImagePull".to_owned()), "{told:#?}");
    assert!(
        told.contains(&"BackOff Back-off pulling image \"nginx:1.72\"".to_owned()),
        "{told:#?}"
    );
    let deployment = rig.get("Deployment", "default", "hello");
    let conditions = driftlab::reconciler::conditions(&deployment);
    let progressing = conditions.iter().find(|c| c.kind == "Progressing").unwrap();
    assert_eq!(progressing.reason, "ProgressDeadlineExceeded");
    rig.patch("Deployment", "default", "hello", image_patch("nginx:1.27"));
    rig.run_until("rolled back", |rig| is_rolled_out(rig, "hello"));
    assert_eq!(
        rig.get("Deployment", "default", "hello").annotation("deployment.kubernetes.io/revision"),
        Some("3")
    );
    assert_eq!(rig.all("ReplicaSet", "default").len(), 2);
}

#[test]
fn scaling_adds_and_removes_pods() {
    let mut rig = Rig::new(2);
    rig.create(deployment("hello", 3, "nginx:1.27"));
    for replicas in [5, 1, 0, 2] {
        rig.patch("Deployment", "default", "hello", json!({"spec": {"replicas": replicas}}));
        rig.run_until("scaled", |rig| is_rolled_out(rig, "hello"));
        rig.run_for(Duration::from_secs(40));
        assert_eq!(rig.all("Pod", "default").len(), replicas);
    }
    let told = rig.events("Deployment");
    assert_eq!(told.len(), 4, "{told:?}");
}

#[test]
fn dependents_go_with_their_owner_or_stay_as_asked() {
    let check = |how: Option<Propagation>, left: usize| {
        let mut rig = Rig::new(2);
        rig.create(deployment("hello", 3, "nginx:1.27"));
        rig.run_until("rolled out", |rig| is_rolled_out(rig, "hello"));
        rig.delete("Deployment", "default", "hello", how);
        if how == Some(Propagation::Foreground) {
            rig.watch_for(Duration::from_mins(1), |rig| {
                let pods = rig.all("Pod", "default").len();
                assert!(pods == 0 || rig.find("Deployment", "default", "hello").is_some());
            });
        }
        rig.run_for(Duration::from_mins(1));
        assert_eq!(rig.find("Deployment", "default", "hello"), None);
        assert_eq!(rig.all("Pod", "default").len(), left, "{how:?}");
        let sets = rig.all("ReplicaSet", "default");
        assert!(sets.iter().all(|set| set.owner_references().is_empty()));
        assert_eq!(sets.len(), left / 3, "{how:?}");
        if left > 0 {
            rig.create(deployment("hello", 3, "nginx:1.27"));
            rig.run_until("adopted", |rig| is_rolled_out(rig, "hello"));
            assert_eq!(rig.all("ReplicaSet", "default").len(), 1);
        }
    };
    check(None, 0);
    check(Some(Propagation::Background), 0);
    check(Some(Propagation::Foreground), 0);
    check(Some(Propagation::Orphan), 3);
}

#[test]
fn a_namespace_goes_when_its_content_is_gone() {
    let mut rig = Rig::new(1);
    rig.create(Object::new("v1", "Namespace", "", "web"));
    let mut held = Object::new("v1", "ConfigMap", "web", "held");
    held.set("metadata.finalizers", json!(["x.com/y"]));
    rig.create(held);
    let mut hello = deployment("hello", 2, "nginx:1.27");
    hello.set("metadata.namespace", "web");
    rig.create(hello);
    rig.run_for(Duration::from_mins(1));
    rig.delete("Namespace", "", "web", None);
    rig.run_for(Duration::from_mins(1));
    assert_eq!(rig.all("Pod", "web").len(), 0);
    let web = rig.get("Namespace", "", "web");
    let remaining = driftlab::reconciler::conditions(&web);
    let message = |kind: &str| remaining.iter().find(|c| c.kind == kind).unwrap().message.clone();
    assert_eq!(
        message("NamespaceContentRemaining"),
        "Some resources are remaining: configmaps. has 1 resource instances"
    );
    assert_eq!(
        message("NamespaceFinalizersRemaining"),
        "Some content in the namespace has finalizers remaining: x.com/y in 1 resource instances"
    );
    rig.patch("ConfigMap", "web", "held", json!({"metadata": {"finalizers": null}}));
    rig.run_for(Duration::from_mins(1));
    assert_eq!(rig.find("Namespace", "", "web"), None);
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

#[test]
fn a_node_that_falls_silent_loses_its_pods_in_five_minutes() {
    let mut rig = Rig::new(2);
    rig.create(deployment("hello", 4, "nginx:1.27"));
    rig.run_until("rolled out", |rig| is_rolled_out(rig, "hello"));
    rig.fail_node("node-2");
    let failed = rig.now;
    let ready = |rig: &Rig| {
        let node = rig.get("Node", "", "node-2");
        driftlab::reconciler::conditions(&node).into_iter().find(|c| c.kind == "Ready").unwrap()
    };
    rig.run_for(Duration::from_secs(39));
    assert_eq!(ready(&rig).status, "True");
    rig.run_until("not ready", |rig| ready(rig).status == "Unknown");
    assert_eq!(rig.now.since(failed), Duration::from_secs(40));
    assert_eq!(rig.ready_pods("default").len(), 2);
    rig.run_until("replaced", |rig| rig.ready_pods("default").len() == 4);
    assert_eq!(rig.now.since(failed), Duration::from_secs(341), "40 s, then 300 s, then a start");
    assert!(rig.ready_pods("default").iter().all(|pod| pod.text("spec.nodeName") == "node-1"));
    assert_eq!(rig.all("Pod", "default").len(), 6, "nobody has ended the pods on the dead node");

    rig.revive_node("node-2");
    rig.run_for(Duration::from_mins(1));
    assert_eq!(rig.all("Pod", "default").len(), 4);
    assert_eq!(ready(&rig).status, "True");
    assert_eq!(rig.get("Node", "", "node-2").get("spec.taints"), None);
}

#[test]
fn every_namespace_is_furnished() {
    let mut rig = Rig::new(1);
    rig.create(Object::new("v1", "Namespace", "", "web"));
    rig.settle();
    rig.get("ServiceAccount", "web", "default");
    rig.delete("ConfigMap", "web", "kube-root-ca.crt", None);
    rig.settle();
    assert_eq!(rig.get("ConfigMap", "web", "kube-root-ca.crt").text("data.ca.crt"), "");
}

#[test]
fn a_service_publishes_the_pods_behind_it() {
    let mut rig = Rig::new(2);
    rig.create(deployment("hello", 2, "nginx:1.27"));
    let mut service = Object::new("v1", "Service", "default", "hello");
    service.set(
        "spec",
        json!({"selector": {"app": "hello"}, "ports": [{"port": 80, "targetPort": 8080}]}),
    );
    rig.create(service);
    let ready = |rig: &Rig| -> usize {
        let slices = rig.all("EndpointSlice", "default");
        let slices =
            slices.iter().filter(|s| s.label("kubernetes.io/service-name") == Some("hello"));
        let endpoints: Vec<Value> =
            slices.filter_map(|s| s.get("endpoints")?.as_array().cloned()).flatten().collect();
        endpoints.iter().filter(|e| e["conditions"]["ready"] == true).count()
    };
    let addresses = |rig: &Rig| -> usize {
        let subsets = rig.get("Endpoints", "default", "hello");
        subsets.get("subsets.0.addresses").and_then(Value::as_array).map_or(0, Vec::len)
    };
    rig.run_until("published", |rig| ready(rig) == 2 && addresses(rig) == 2);
    rig.patch("Deployment", "default", "hello", json!({"spec": {"replicas": 0}}));
    rig.run_for(Duration::from_secs(10));
    assert_eq!((ready(&rig), addresses(&rig)), (0, 0));
    rig.delete("Service", "default", "hello", None);
    rig.run_for(Duration::from_secs(10));
    assert_eq!(rig.find("Endpoints", "default", "hello"), None);
    let slices = rig.all("EndpointSlice", "default");
    assert!(!slices.iter().any(|s| s.label("kubernetes.io/service-name") == Some("hello")));
}

fn job(name: &str, spec: Value) -> Object {
    let mut job = Object::new("batch/v1", "Job", "default", name);
    job.set("spec", spec);
    job.set(
        "spec.template.spec",
        json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "x:1"}]}),
    );
    job
}

fn condition(object: &Object, kind: &str) -> String {
    let conditions = driftlab::reconciler::conditions(object);
    conditions
        .iter()
        .find(|c| c.kind == kind)
        .map(|c| format!("{} {}", c.status, c.reason))
        .unwrap_or_default()
}

#[test]
fn a_job_completes_when_enough_pods_have_succeeded() {
    let mut rig = Rig::new(1);
    rig.create(job(
        "sum",
        json!({"completions": 3, "parallelism": 2, "ttlSecondsAfterFinished": 60}),
    ));
    rig.watch_for(Duration::from_secs(30), |rig| {
        let active = rig
            .all("Pod", "default")
            .iter()
            .filter(|p| p.text("status.phase") != "Succeeded")
            .count();
        assert!(active <= 2);
    });
    let done = rig.get("Job", "default", "sum");
    assert_eq!(condition(&done, "Complete"), "True CompletionsReached");
    assert_eq!((done.int("status.succeeded"), done.int("status.active")), (Some(3), None));
    assert_eq!(done.get("status.uncountedTerminatedPods"), Some(&json!({})));
    assert!(rig.all("Pod", "default").iter().all(|pod| pod.finalizers().is_empty()));
    rig.run_for(Duration::from_mins(2));
    assert_eq!(rig.find("Job", "default", "sum"), None);
    assert_eq!(rig.all("Pod", "default").len(), 0);
}

#[test]
fn a_job_fails_when_its_pods_fail_too_often() {
    let mut rig = Rig::new(1);
    rig.create(job("bad", json!({"backoffLimit": 2, "template": {"metadata": {"annotations": {"driftlab/exit-code": "1"}}}})));
    rig.run_until("failed", |rig| {
        condition(&rig.get("Job", "default", "bad"), "Failed") == "True BackoffLimitExceeded"
    });
    let bad = rig.get("Job", "default", "bad");
    assert_eq!((bad.int("status.failed"), rig.all("Pod", "default").len()), (Some(3), 3));
    assert!(
        rig.events("Job").contains(
            &"BackoffLimitExceeded Job has reached the specified backoff limit".to_owned()
        )
    );
}

#[test]
fn a_job_can_be_suspended_resumed_and_cut_short() {
    let mut rig = Rig::new(1);
    rig.create(job("late", json!({"suspend": true, "activeDeadlineSeconds": 3})));
    rig.run_for(Duration::from_secs(10));
    assert_eq!(condition(&rig.get("Job", "default", "late"), "Suspended"), "True JobSuspended");
    assert_eq!(rig.all("Pod", "default").len(), 0);
    rig.patch("Job", "default", "late", json!({"spec": {"suspend": false}}));
    rig.run_for(Duration::from_secs(2));
    assert_eq!(rig.all("Pod", "default").len(), 1);
    rig.run_for(Duration::from_secs(10));
    assert_eq!(condition(&rig.get("Job", "default", "late"), "Failed"), "True DeadlineExceeded");
    assert_eq!(rig.all("Pod", "default").len(), 0);
}

#[test]
fn an_indexed_job_completes_every_index_once() {
    let mut rig = Rig::new(1);
    rig.create(job(
        "parts",
        json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"}),
    ));
    rig.run_for(Duration::from_secs(30));
    assert_eq!(rig.get("Job", "default", "parts").text("status.completedIndexes"), "0-2");
    assert_eq!(rig.all("Pod", "default").len(), 3);
}

#[test]
fn a_cron_job_makes_a_job_when_one_is_due() {
    let mut rig = Rig::new(1);
    let mut cron = Object::new("batch/v1", "CronJob", "default", "tick");
    let template = job("", json!({})).get("spec").cloned().unwrap();
    cron.set("spec", json!({"schedule": "*/2 * * * *", "jobTemplate": {"spec": template}, "successfulJobsHistoryLimit": 2}));
    rig.create(cron);
    rig.run_for(Duration::from_secs(119));
    assert_eq!(rig.all("Job", "default").len(), 0);
    rig.run_for(Duration::from_secs(2));
    assert_eq!(rig.all("Job", "default").len(), 1);
    let tick = rig.get("CronJob", "default", "tick");
    assert_eq!(tick.text("status.lastScheduleTime"), "2026-01-01T00:02:00Z");
    assert_eq!(tick.get("status.active").and_then(Value::as_array).map_or(0, Vec::len), 1);
    rig.run_for(Duration::from_secs(20 * 60 + 20));
    assert_eq!(rig.all("Job", "default").len(), 2, "the history keeps two");
    let tick = rig.get("CronJob", "default", "tick");
    assert_eq!(
        (tick.text("status.lastScheduleTime"), tick.get("status.active")),
        ("2026-01-01T00:22:00Z", None)
    );
}

fn stateful_set(name: &str, spec: Value) -> Object {
    let mut set = Object::new("apps/v1", "StatefulSet", "default", name);
    set.set(
        "spec",
        json!({
            "serviceName": name, "replicas": 3,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "db:1"}]},
            },
        }),
    );
    for (field, value) in spec.as_object().unwrap() {
        set.set_at(&["spec", field], value.clone());
    }
    set
}

/// Names and images of the pods that are there, in order of name.
fn pods_and_images(rig: &Rig) -> Vec<String> {
    let pods = rig.all("Pod", "default");
    pods.iter().map(|p| format!("{} {}", p.name(), p.text("spec.containers.0.image"))).collect()
}

#[test]
fn a_stateful_set_comes_up_and_goes_down_in_order() {
    let mut rig = Rig::new(2);
    rig.create(stateful_set("db", json!({"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]})));
    rig.watch_for(Duration::from_secs(30), |rig| {
        let pods = rig.all("Pod", "default");
        let ready = rig.ready_pods("default").len();
        assert!(pods.len() <= ready + 1, "one at a time");
    });
    assert_eq!(pods_and_images(&rig), ["db-0 db:1", "db-1 db:1", "db-2 db:1"]);
    assert_eq!(rig.all("PersistentVolumeClaim", "default").len(), 3);
    let status = rig.get("StatefulSet", "default", "db");
    assert_eq!(
        (status.int("status.readyReplicas"), status.int("status.currentReplicas")),
        (Some(3), Some(3))
    );
    rig.patch("StatefulSet", "default", "db", json!({"spec": {"replicas": 1}}));
    rig.watch_for(Duration::from_secs(30), |rig| {
        let names: Vec<String> =
            rig.all("Pod", "default").iter().map(|p| p.name().to_owned()).collect();
        assert!(
            names == ["db-0", "db-1", "db-2"] || names == ["db-0", "db-1"] || names == ["db-0"],
            "{names:?}"
        );
    });
    assert_eq!(pods_and_images(&rig), ["db-0 db:1"]);
    assert_eq!(rig.all("PersistentVolumeClaim", "default").len(), 3, "claims stay");
}

#[test]
fn a_stateful_set_is_updated_from_the_highest_ordinal_down_to_the_partition() {
    let check = |strategy: Value, expected: [&str; 3]| {
        let mut rig = Rig::new(2);
        rig.create(stateful_set(
            "db",
            json!({"updateStrategy": strategy, "podManagementPolicy": "Parallel"}),
        ));
        rig.run_for(Duration::from_secs(20));
        rig.patch("StatefulSet", "default", "db", image_patch("db:2"));
        rig.watch_for(Duration::from_mins(1), |rig| assert!(rig.ready_pods("default").len() >= 2));
        let images: Vec<String> = rig
            .all("Pod", "default")
            .iter()
            .map(|p| p.text("spec.containers.0.image").to_owned())
            .collect();
        assert_eq!(images, expected);
        assert_eq!(rig.all("ControllerRevision", "default").len(), 2);
    };
    check(json!({"type": "RollingUpdate"}), ["db:2", "db:2", "db:2"]);
    check(
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}),
        ["db:1", "db:1", "db:2"],
    );
    check(json!({"type": "OnDelete"}), ["db:1", "db:1", "db:1"]);
}

#[test]
fn a_daemon_set_has_a_pod_on_every_node_it_may_run_on() {
    let mut rig = Rig::new(3);
    let mut set = Object::new("apps/v1", "DaemonSet", "default", "agent");
    set.set(
        "spec",
        json!({
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {
                "metadata": {"labels": {"app": "agent"}},
                "spec": {"containers": [{"name": "app", "image": "agent:1"}]},
            },
        }),
    );
    rig.patch(
        "Node",
        "",
        "node-3",
        json!({"spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}}),
    );
    rig.create(set);
    rig.run_for(Duration::from_secs(10));
    let nodes = |rig: &Rig| -> Vec<String> {
        let mut nodes: Vec<String> =
            rig.ready_pods("default").iter().map(|p| p.text("spec.nodeName").to_owned()).collect();
        nodes.sort();
        nodes
    };
    assert_eq!(nodes(&rig), ["node-1", "node-2"]);
    rig.patch("Node", "", "node-3", json!({"spec": {"taints": null}}));
    rig.run_for(Duration::from_secs(10));
    assert_eq!(nodes(&rig), ["node-1", "node-2", "node-3"]);
    rig.patch("DaemonSet", "default", "agent", image_patch("agent:2"));
    rig.watch_for(Duration::from_mins(1), |rig| assert!(rig.ready_pods("default").len() >= 2));
    assert!(
        rig.ready_pods("default").iter().all(|p| p.text("spec.containers.0.image") == "agent:2")
    );
    let status = rig.get("DaemonSet", "default", "agent");
    assert_eq!(status.int("status.updatedNumberScheduled"), Some(3));
    assert_eq!(status.int("status.numberUnavailable"), None);
    rig.delete("Node", "", "node-3", None);
    rig.run_for(Duration::from_secs(10));
    assert_eq!(nodes(&rig), ["node-1", "node-2"]);
}

/// Has every pod use so much of the processor, until told otherwise.
fn load(rig: &mut Rig, cpu: &str) {
    for pod in rig.ready_pods("default") {
        let metrics = driftlab::cluster::pod_metrics(&pod, rig.now, cpu, "64Mi");
        rig.apply(metrics);
    }
}

#[test]
fn an_autoscaler_follows_the_load_up_at_once_and_down_after_five_minutes() {
    let mut rig = Rig::new(2);
    rig.create(driftlab::cluster::pod_metrics_definition());
    rig.settle();
    let mut hello = deployment("hello", 2, "nginx:1.27");
    hello.set("spec.template.spec.containers.0.resources", json!({"requests": {"cpu": "100m"}}));
    rig.create(hello);
    let mut autoscaler =
        Object::new("autoscaling/v2", "HorizontalPodAutoscaler", "default", "hello");
    autoscaler.set("spec", json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "hello"},
        "minReplicas": 2, "maxReplicas": 6,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
    }));
    rig.create(autoscaler);
    rig.run_for(Duration::from_secs(10));
    let size = |rig: &Rig| rig.get("Deployment", "default", "hello").int("spec.replicas").unwrap();
    let status = |rig: &Rig, kind: &str| {
        condition(&rig.get("HorizontalPodAutoscaler", "default", "hello"), kind)
    };

    rig.run_for(Duration::from_secs(30));
    assert_eq!(status(&rig, "ScalingActive"), "False FailedGetResourceMetric");
    load(&mut rig, "50m");
    rig.run_for(Duration::from_secs(60));
    assert_eq!((size(&rig), status(&rig, "AbleToScale")), (2, "True ReadyForNewScale".into()));
    load(&mut rig, "90m");
    rig.run_for(Duration::from_secs(20));
    assert_eq!(size(&rig), 4, "2 pods at 90 % of 50 %: 3.6");
    load(&mut rig, "90m");
    rig.run_for(Duration::from_secs(20));
    assert_eq!((size(&rig), status(&rig, "ScalingLimited")), (6, "True TooManyReplicas".into()));

    load(&mut rig, "10m");
    rig.run_for(Duration::from_secs(280));
    assert_eq!((size(&rig), status(&rig, "AbleToScale")), (6, "True ScaleDownStabilized".into()));
    rig.run_for(Duration::from_secs(60));
    assert_eq!((size(&rig), status(&rig, "ScalingLimited")), (2, "True TooFewReplicas".into()));
    let told = rig.events("HorizontalPodAutoscaler");
    assert!(told.contains(&"SuccessfulRescale New size: 4; reason: cpu resource utilization (percentage of request) above target".to_owned()), "{told:#?}");
    assert!(
        told.contains(
            &"SuccessfulRescale New size: 2; reason: All metrics below target".to_owned()
        ),
        "{told:#?}"
    );
}

#[test]
fn a_budget_tells_how_many_pods_may_be_evicted() {
    let check = |spec: Value, expected: (i64, i64, i64)| {
        let mut rig = Rig::new(2);
        rig.create(deployment("hello", 4, "nginx:1.27"));
        let mut budget = Object::new("policy/v1", "PodDisruptionBudget", "default", "hello");
        budget.set("spec", spec);
        budget.set("spec.selector", json!({"matchLabels": {"app": "hello"}}));
        rig.create(budget);
        rig.run_for(Duration::from_secs(30));
        let budget = rig.get("PodDisruptionBudget", "default", "hello");
        let count = |field: &str| budget.int(&format!("status.{field}")).unwrap();
        let found = (count("currentHealthy"), count("desiredHealthy"), count("disruptionsAllowed"));
        assert_eq!(found, expected);
    };
    check(json!({"minAvailable": 3}), (4, 3, 1));
    check(json!({"minAvailable": "100%"}), (4, 4, 0));
    check(json!({"maxUnavailable": "25%"}), (4, 3, 1));
}

#[test]
fn a_quota_tells_what_is_used_of_it() {
    let mut rig = Rig::new(1);
    let mut quota = Object::new("v1", "ResourceQuota", "default", "q");
    quota.set("spec.hard", json!({"pods": "10", "count/deployments.apps": "3", "requests.memory": "1Gi", "count/secrets": "1"}));
    rig.create(quota);
    let mut hello = deployment("hello", 3, "nginx:1.27");
    hello.set("spec.template.spec.containers.0.resources", json!({"requests": {"memory": "64Mi"}}));
    rig.create(hello);
    rig.run_for(Duration::from_secs(30));
    let used =
        |rig: &Rig| rig.get("ResourceQuota", "default", "q").get("status.used").cloned().unwrap();
    assert_eq!(
        used(&rig),
        json!({"pods": "3", "count/deployments.apps": "1", "requests.memory": "192Mi", "count/secrets": "0"})
    );
    rig.delete("Deployment", "default", "hello", None);
    rig.run_for(Duration::from_secs(30));
    assert_eq!(
        used(&rig),
        json!({"pods": "0", "count/deployments.apps": "0", "requests.memory": "0", "count/secrets": "0"})
    );
}

#[test]
fn a_quota_holds_at_once_what_its_controller_has_taken_up() {
    let mut rig = Rig::new(1);
    let mut quota = Object::new("v1", "ResourceQuota", "default", "q");
    quota.set("spec.hard", json!({"pods": "1", "limits.cpu": "1"}));
    rig.create(quota);
    rig.settle();
    let mut try_pod = |name: &str, limits: Value| {
        let mut pod = Object::new("v1", "Pod", "default", name);
        pod.set(
            "spec.containers",
            json!([{"name": "c", "image": "nginx", "resources": {"limits": limits}}]),
        );
        let answer = rig.ask(ApiRequest::create(pod, WriteOptions::default()));
        answer.map_or_else(|refused| refused.message, |_| String::new())
    };
    assert_eq!(
        try_pod("a", json!({})),
        "pods \"a\" is forbidden: failed quota: q: must specify limits.cpu for: c"
    );
    assert_eq!(try_pod("b", json!({"cpu": "600m"})), "");
    assert_eq!(
        try_pod("c", json!({"cpu": "600m"})),
        "pods \"c\" is forbidden: exceeded quota: q, requested: limits.cpu=600m,pods=1, \
         used: limits.cpu=600m,pods=1, limited: limits.cpu=1,pods=1"
    );
    rig.delete("Pod", "default", "b", None);
    rig.run_for(Duration::from_secs(60));
    let quota = rig.get("ResourceQuota", "default", "q");
    let used = json!({"pods": "0", "limits.cpu": "0"});
    assert_eq!(quota.get("status.used"), Some(&used));
}

#[test]
fn a_claim_goes_when_the_last_pod_on_a_node_that_uses_it_has_gone() {
    let mut rig = Rig::new(1);
    let mut claim = Object::new("v1", "PersistentVolumeClaim", "default", "data");
    claim.set(
        "spec",
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}),
    );
    rig.create(claim);
    let mut pod = Object::new("v1", "Pod", "default", "user");
    let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}});
    pod.set("spec", json!({"containers": [{"name": "c", "image": "nginx"}], "volumes": [volume]}));
    rig.create(pod);
    rig.run_for(Duration::from_secs(10));
    rig.delete("PersistentVolumeClaim", "default", "data", None);
    rig.run_for(Duration::from_secs(60));
    assert!(rig.get("PersistentVolumeClaim", "default", "data").is_deleting());
    rig.delete("Pod", "default", "user", None);
    rig.run_for(Duration::from_secs(60));
    assert!(rig.find("PersistentVolumeClaim", "default", "data").is_none());
}

/// What is left of the namespace when names, versions and times are taken off.
fn shape(rig: &Rig) -> Vec<String> {
    let objects = rig.server.objects().filter(|object| object.namespace() == "default");
    // Whether a template was ever rolled out, and what was told of it, depends on who was faster.
    let passing = |object: &&Object| match object.kind() {
        "Event" | "ControllerRevision" => false,
        "ReplicaSet" => object.int("spec.replicas") != Some(0),
        _ => true,
    };
    let mut shape: Vec<String> = objects.filter(passing).map(outline).collect();
    shape.sort();
    shape
}

fn outline(object: &Object) -> String {
    let count = |path: &str| object.get(path).and_then(Value::as_array).map_or(0, Vec::len);
    let kind = object.kind();
    match kind {
        "Pod" => {
            let image = object.text("spec.containers.0.image");
            format!("{kind} {image} {}", object.text("status.phase"))
        }
        "EndpointSlice" => format!("{kind} {}", count("endpoints")),
        "Endpoints" => format!("{kind} {} {}", object.name(), count("subsets.0.addresses")),
        _ => {
            let counts: Vec<Option<i64>> =
                COUNTS.iter().map(|name| object.int(&format!("status.{name}"))).collect();
            format!("{kind} {} {:?} {counts:?}", object.name(), object.int("spec.replicas"))
        }
    }
}

/// What workloads count in their status.
const COUNTS: [&str; 7] = [
    "replicas",
    "readyReplicas",
    "availableReplicas",
    "updatedReplicas",
    "numberReady",
    "succeeded",
    "failed",
];

/// A busy morning, with the moves in the order that the picks give and every process killed now and
/// then; at the end there is quiet.
fn morning(seed: u64, kills: [u16; 2]) -> Rig {
    let mut state = seed;
    let picks = move |n: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize) % n
    };
    let mut rig = Rig::picking(2, Box::new(picks));
    let mut service = Object::new("v1", "Service", "default", "hello");
    service.set("spec", json!({"selector": {"app": "hello"}, "ports": [{"port": 80}]}));
    rig.create(service);
    rig.create(deployment("hello", 3, "nginx:1.27"));
    rig.create(stateful_set("db", json!({"replicas": 2})));
    rig.create(job("sum", json!({"completions": 2})));
    rig.step_for(kills[0].into());
    rig.restart_all();
    rig.patch("Deployment", "default", "hello", image_patch("nginx:1.28"));
    rig.run_for(Duration::from_secs(1));
    rig.patch("StatefulSet", "default", "db", image_patch("db:2"));
    rig.patch("Deployment", "default", "hello", json!({"spec": {"replicas": 5}}));
    rig.step_for(kills[1].into());
    rig.restart_all();
    let pods = rig.all("Pod", "default");
    let victim = pods.iter().find(|pod| pod.label("app") == Some("hello"));
    let victim = victim.map(|pod| pod.name().to_owned());
    victim.into_iter().for_each(|pod| rig.delete("Pod", "default", &pod, None));
    rig.patch("Deployment", "default", "hello", json!({"spec": {"replicas": 2}}));
    rig.run_for(Duration::from_mins(5));
    rig
}

/// How a calm morning ends.
fn calm() -> &'static [String] {
    static CALM: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    CALM.get_or_init(|| shape(&morning(0, [0, 0])))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: u32::try_from(rounds("DRIFTLAB_MORNINGS", 6)).unwrap_or(u32::MAX),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_order_of_moves_comes_to_the_same_end_and_to_rest(
        seed: u64,
        kills in [0u16..400, 0u16..400],
    ) {
        let mut rig = morning(seed, kills);
        prop_assert_eq!(shape(&rig), calm());
        let version = ResourceVersion(rig.version());
        rig.run_for(Duration::from_hours(2));
        let log = rig.server.log_since(version).expect("nothing is compacted");
        let log: Vec<String> = log.map(|entry| format!("{} {:?}", entry.object, entry.after)).collect();
        prop_assert_eq!(log, Vec::<String>::new());
    }
}
