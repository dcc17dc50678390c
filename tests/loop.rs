//! The whole loop: a commit is fetched, applied and run; what is changed by hand is healed.

use driftlab::api::{ApiRequest, Caller, Patch, WriteOptions};
use driftlab::git::{Repository, Tree};
use driftlab::manifest;
use driftlab::object::{GroupVersionKind, Object, ObjectRef};
use driftlab::sim::{World, signature};
use driftlab::time::{Duration, Timestamp};
use serde_json::json;

const URL: &str = "https://git.example.com/config";

const HELLO: &str = "\
apiVersion: v1
kind: Namespace
metadata:
  name: hello
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: hello
  namespace: hello
spec:
  replicas: 3
  selector:
    matchLabels:
      app: hello
  template:
    metadata:
      labels:
        app: hello
    spec:
      containers:
      - name: app
        image: nginx:1.27
";

const SYNC: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: config
  namespace: flux-system
spec:
  interval: 1m
  url: https://git.example.com/config
  ref:
    branch: main
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 1m
  path: ./apps
  prune: true
  sourceRef:
    kind: GitRepository
    name: config
";

fn world(seed: u64) -> World {
    let mut repository = Repository::new();
    let ada = signature("ada", Timestamp::START);
    repository.commit(
        Tree::from_files([("apps/hello.yaml", HELLO)]).unwrap(),
        "Run hello",
        ada.clone(),
        ada,
    );
    let mut world = World::builder().seed(seed).repository(URL, repository).build();
    for object in manifest::objects("sync.yaml", SYNC).unwrap() {
        world.request(&admin(), ApiRequest::create(object, WriteOptions::default())).unwrap();
    }
    world
}

fn admin() -> Caller {
    Caller::new("admin", "kubectl/v1.36.0")
}

fn deployment() -> GroupVersionKind {
    GroupVersionKind::new("apps/v1", "Deployment")
}

fn hello(world: &World) -> Option<&Object> {
    world.server().get(&ObjectRef::new("apps", "Deployment", "hello", "hello"))
}

fn replicas(world: &World) -> Option<i64> {
    hello(world)?.int("spec.replicas")
}

fn running(world: &World) -> usize {
    let pods = world.server().objects_of("", "Pod");
    pods.filter(|pod| pod.text("status.phase") == "Running" && !pod.is_deleting()).count()
}

fn scale(world: &mut World, replicas: u64) {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let request =
        ApiRequest::patch(&deployment(), "hello", "hello", patch, WriteOptions::default());
    world.request(&Caller::new("alice", "kubectl/v1.36.0"), request).unwrap();
}

#[test]
fn a_commit_becomes_running_pods_and_a_change_by_hand_is_undone() {
    for seed in 0..4 {
        let mut world = world(seed);
        world.run_for(Duration::from_secs(40));
        assert_eq!((replicas(&world), running(&world)), (Some(3), 3), "seed {seed}");
        scale(&mut world, 5);
        world.run_for(Duration::from_secs(5));
        assert_eq!(replicas(&world), Some(5));
        world.run_for(Duration::from_secs(75));
        assert_eq!((replicas(&world), running(&world)), (Some(3), 3), "seed {seed}");
    }
}

#[test]
fn a_steady_heartbeat_writes_nothing() {
    let mut world = world(0);
    world.run_for(Duration::from_mins(5));
    let version = world.server().version();
    world.run_for(Duration::from_hours(2));
    let written = world.server().log_since(version).unwrap();
    let told = |kind: &str| ["Event", "GitRepository", "Kustomization"].contains(&kind);
    let mut written =
        written.filter(|entry| !told(&entry.object.kind)).map(|e| e.object.to_string());
    assert_eq!(written.next(), None, "beside what the engine tells of itself");
}

#[test]
fn a_commit_changes_the_cluster_and_a_revert_puts_it_back() {
    let mut world = world(3);
    world.run_for(Duration::from_mins(2));
    let five = HELLO.replace("replicas: 3", "replicas: 5");
    world.commit("alice", URL, "Run five", &[("apps/hello.yaml", Some(&five))]).unwrap();
    world.run_for(Duration::from_mins(2));
    assert_eq!((replicas(&world), running(&world)), (Some(5), 5));
    world.commit("alice", URL, "Run three again", &[("apps/hello.yaml", Some(HELLO))]).unwrap();
    world.run_for(Duration::from_mins(2));
    assert_eq!((replicas(&world), running(&world)), (Some(3), 3));
    world
        .commit(
            "alice",
            URL,
            "Run nothing",
            &[("apps/hello.yaml", None), ("apps/x.yaml", Some(NOTHING))],
        )
        .unwrap();
    world.run_for(Duration::from_mins(3));
    assert_eq!((hello(&world).is_none(), running(&world)), (true, 0));
}

const NOTHING: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: default}\n";
