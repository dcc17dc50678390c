//! The whole loop: a commit is fetched, applied and run; what is changed by hand is healed.

use driftlab::api::{ApiRequest, Caller, Patch, WriteOptions};
use driftlab::git::forge::{self, Hook, Protection};
use driftlab::git::{Repository, Tree};
use driftlab::manifest;
use driftlab::object::{GroupVersionKind, Object, ObjectRef};
use driftlab::sim::{Fault, FaultAction, World, signature};
use driftlab::time::{Duration, Timestamp};
use driftlab::trace::What;
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

#[test]
fn a_webhook_spares_the_wait_and_losing_it_costs_no_more_than_that() {
    let until_five = |hooked: bool, lost: bool| {
        let mut world = world(0);
        let receiver = "\
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: flux-system}
data: {token: czNjcjN0}
---
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata: {name: forge, namespace: flux-system}
spec:
  type: generic
  secretRef: {name: token}
  resources:
  - {apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, name: config}
";
        for object in manifest::objects("receiver.yaml", receiver).unwrap() {
            world.request(&admin(), ApiRequest::create(object, WriteOptions::default())).unwrap();
        }
        let path = driftlab::engine::notification::webhook_path("s3cr3t", "forge", "flux-system");
        let url = format!("https://flux.example.com{path}");
        if hooked {
            let hook = Hook { url, secret: None, events: Vec::new() };
            world.forge_mut().add_hook("config", hook);
        }
        if lost {
            world.inject(Fault::at(Duration::ZERO, FaultAction::WebhooksLost {}));
        }
        world.run_for(Duration::from_secs(70));
        let five = HELLO.replace("replicas: 3", "replicas: 5");
        world.commit("alice", URL, "Run five", &[("apps/hello.yaml", Some(&five))]).unwrap();
        let pushed = world.elapsed();
        while replicas(&world) != Some(5) && world.elapsed() < Duration::from_mins(10) {
            world.step();
        }
        Duration::from_millis(world.elapsed().as_millis() - pushed.as_millis())
    };
    assert!(until_five(true, false) < Duration::from_secs(3));
    let waited = until_five(false, false);
    assert!(waited > Duration::from_secs(30) && waited <= Duration::from_secs(64), "{waited}");
    assert_eq!(until_five(true, true), waited);
}

#[test]
fn a_rule_of_the_forge_binds_whoever_pushes() {
    let mut world = world(0);
    world.forge_mut().protect("config", Protection::of("main").require_approvals(1));
    let refused =
        world.commit("alice", URL, "Run x", &[("apps/x.yaml", Some(NOTHING))]).unwrap_err();
    assert!(
        refused.to_string().contains("Changes must be made through a pull request."),
        "{refused}"
    );
    world
        .push("alice", URL, |repository| {
            repository.branch("x", "main")?;
            repository.switch("x")?;
            let tree = repository.tree("HEAD")?.with_file("apps/x.yaml", NOTHING)?;
            let who = signature("alice", Timestamp::START);
            Ok(repository.commit(tree, "Run x", who.clone(), who))
        })
        .unwrap();
    let user = |login: &str| forge::Caller::User(login.into());
    world.add_person("bob");
    let number = world.at_forge("alice", |forge, now| {
        let pull = forge::NewPull {
            title: "Run x".into(),
            source: "x".into(),
            target: "main".into(),
            ..Default::default()
        };
        let opened = forge.open_pull(URL, &user("alice"), pull, now).unwrap();
        (opened.number, opened.events)
    });
    world.at_forge("bob", |forge, now| {
        let done =
            forge.review(URL, &user("bob"), number, forge::Verdict::Approve, "", now).unwrap();
        (number, done.events)
    });
    world.at_forge("alice", |forge, now| {
        let done =
            forge.merge_pull(URL, &user("alice"), number, forge::MergeMethod::Merge, now).unwrap();
        (number, done.events)
    });
    world.run_for(Duration::from_mins(3));
    assert!(world.server().get(&ObjectRef::new("", "ConfigMap", "default", "x")).is_some());
    let stages: Vec<String> = world
        .trace()
        .events()
        .filter_map(|event| match &event.what {
            What::Pipeline { stage, .. } => Some(stage.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(stages, ["pull request", "review", "merge"]);
}
