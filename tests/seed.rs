//! The claims of "What really is GitOps?", each with a run that would show it false if it were.
//!
//! Claims that other files test stand there: 2 and 12 to 22 with the lessons (`lessons.rs` plays each and
//! its own asserts hold), 13 and 25 in `pipeline.rs`, 8 and 25 in `properties.rs`, 23 and 27 in `git.rs`,
//! 24 in `command.rs`.

use driftlab::api::{ApiRequest, Caller, Patch, WriteOptions};
use driftlab::engine::compare;
use driftlab::lesson::{pushes, writes};
use driftlab::object::{GroupVersionKind, LabelSelector, Object, ObjectRef};
use driftlab::reconciler::ChangeAction;
use driftlab::report::drifts;
use driftlab::scenario::{self, Run};
use driftlab::sim::World;
use driftlab::time::Duration;
use driftlab::trace::{Event, Role, What};
use driftlab_tests::rounds;
use serde_json::json;

const DEPLOYMENT: &str = "
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: hello, namespace: hello}
        spec:
          replicas: 3
          selector: {matchLabels: {app: hello}}
          template:
            metadata: {labels: {app: hello}}
            spec:
              containers:
                - name: hello
                  image: hello:1.0
                  env: [{name: LEVEL, value: info}, {name: REGION, value: eu}]
";

/// Plays a scenario over a namespace, a Deployment and a ConfigMap that are kept in sync.
fn play(sync: &str, rest: &str) -> Run {
    let source = format!(
        "repositories:
  config:
    files:
      hello/namespace.yaml: |
        apiVersion: v1
        kind: Namespace
        metadata: {{name: hello}}
      hello/settings.yaml: |
        apiVersion: v1
        kind: ConfigMap
        metadata: {{name: settings, namespace: hello}}
        data: {{a: '1'}}
      hello/deployment.yaml: |{DEPLOYMENT}
{sync}
{rest}"
    );
    let scenario = scenario::read("seed.yaml", &source).unwrap_or_else(|m| panic!("{}", m[0]));
    scenario.play().unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}

const SYNC: &str = "sync: {apps: {repository: config, path: ./hello, interval: 1m}}";

fn in_sync(rest: &str) -> Run {
    play(SYNC, rest)
}

fn hello() -> ObjectRef {
    ObjectRef::new("apps", "Deployment", "hello", "hello")
}

fn replicas(world: &World) -> Option<i64> {
    world.server().get(&hello())?.int("spec.replicas")
}

fn deployments() -> GroupVersionKind {
    GroupVersionKind::new("apps/v1", "Deployment")
}

fn scale(world: &mut World, who: &str, replicas: i64) {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let request =
        ApiRequest::patch(&deployments(), "hello", "hello", patch, WriteOptions::default());
    world.request(&Caller::new(who, "kubectl"), request).unwrap();
}

fn by_engine(run: &Run) -> Vec<&Event> {
    let to_it = |event: &&Event| {
        matches!(&event.what, What::Request { object, .. } if *object == hello())
            && event.role == Role::Engine
    };
    writes(run.trace()).filter(to_it).collect()
}

/// What Git wants of the cluster, object by object, with the parts that vary from world to world left
/// out.
fn wanted_state(world: &World) -> Vec<String> {
    let managed = LabelSelector::from_labels([("kustomize.toolkit.fluxcd.io/name", "apps")]);
    let objects = world.server().objects().filter(|object| managed.matches(object));
    let told = objects.map(|object| {
        let spec = object.get("spec").or(object.get("data")).cloned().unwrap_or_default();
        format!("{} {} {spec}", object.reference(), json!(object.labels()))
    });
    told.collect()
}

#[test]
fn claim_1_without_a_controller_the_gap_stays() {
    let run = play(
        "cluster: {flux: false}",
        "until: 2h
steps:
  - run: |
      kubectl apply -f hello/namespace.yaml
      kubectl apply -f hello/
  - {at: 5m, run: kubectl scale deployment/hello -n hello --replicas=5}
",
    );
    assert_eq!(replicas(&run.world), Some(5));
}

#[test]
fn claims_3_and_29_drift_is_healed_by_one_write_and_no_commit() {
    let run = in_sync(
        "until: 10m
steps: [{at: 3m, run: kubectl scale deployment/hello -n hello --replicas=5}]
",
    );
    assert_eq!(replicas(&run.world), Some(3));
    assert_eq!(by_engine(&run).len(), 2, "to make it, and to heal it");
    assert_eq!(pushes(run.trace()), 0);
}

#[test]
fn claim_4_who_wants_five_changes_git() {
    let run = in_sync(
        "until: 10m
steps:
  - at: 2m
    edit: hello/deployment.yaml
    replace: 'replicas: 3'
    with: 'replicas: 5'
    run: |
      git commit -am Five
      git push
  - {at: 5m, run: kubectl scale deployment/hello -n hello --replicas=3}
",
    );
    assert_eq!(replicas(&run.world), Some(5));
    assert_eq!(drifts(run.trace()).len(), 1);
}

#[test]
fn claim_5_variables_are_healed_but_for_one_that_another_manager_owns() {
    let mut world = in_sync("until: 2m\n").world;
    let variables = |world: &World| {
        let container = "spec.template.spec.containers.0.env";
        let list = world.server().get(&hello()).unwrap().get(container).cloned();
        list.and_then(|v| v.as_array().cloned()).unwrap_or_default()
    };
    let set = |world: &mut World, manager: &str, env: serde_json::Value| {
        let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "hello", "env": env}]}}}});
        let options = WriteOptions { field_manager: manager.into(), ..WriteOptions::default() };
        let request =
            ApiRequest::patch(&deployments(), "hello", "hello", Patch::Strategic(patch), options);
        world.request(&Caller::new("alice", "kubectl"), request).unwrap();
        world.run_for(Duration::from_mins(3));
    };
    let before = variables(&world);
    set(&mut world, "kubectl-set", json!([{"name": "LEVEL", "value": "debug"}]));
    assert_eq!(variables(&world), before, "changed");
    set(&mut world, "kubectl-set", json!([{"name": "REGION", "$patch": "delete"}]));
    assert_eq!(variables(&world), before, "deleted");
    set(&mut world, "kubectl-set", json!([{"name": "EXTRA", "value": "1"}]));
    assert_eq!(variables(&world), before, "added with kubectl, whose ownership Flux takes back");
    set(&mut world, "dashboard", json!([{"name": "EXTRA", "value": "1"}]));
    assert_eq!(variables(&world).len(), before.len() + 1, "added by another manager: not Git's");
}

#[test]
fn claim_6_healing_takes_half_an_interval_on_average_and_never_more_than_one() {
    let calm = in_sync("until: 2m\n").world;
    let tries = rounds("DRIFTLAB_RUNS", 60);
    let interval = 60_000;
    let waits: Vec<u64> = (0..tries as u64)
        .map(|n| {
            let mut world = calm.clone();
            // Spread over three intervals, without a pattern that the interval shares.
            world.run_for(Duration::from_millis(n * 7919 % (3 * interval)));
            let began = world.now();
            scale(&mut world, "alice", 5);
            while replicas(&world) != Some(3) {
                world.step().expect("the loop goes on");
            }
            world.now().since(began).as_millis()
        })
        .collect();
    let (longest, mean) = (*waits.iter().max().unwrap(), waits.iter().sum::<u64>() / tries as u64);
    assert!(
        longest <= interval * 105 / 100 + 2000,
        "an interval, its jitter, and the apply: {longest}"
    );
    assert!(
        (interval * 4 / 10..interval * 6 / 10).contains(&mean),
        "about half an interval: {mean}"
    );
}

#[test]
fn claim_7_a_thousand_cycles_in_sync_write_nothing() {
    let mut world = in_sync("until: 3m\n").world;
    let version = world.server().get(&hello()).unwrap().resource_version().to_owned();
    let before = writes(world.trace()).filter(|e| e.role == Role::Engine).count();
    let cycles = |world: &World| {
        let done = |e: &&Event| matches!(&e.what, What::Finished { target, .. } if target.kind == "Kustomization");
        world.trace().events().filter(done).count()
    };
    let first = cycles(&world);
    while cycles(&world) < first + 1000 {
        world.run_for(Duration::from_hours(1));
    }
    assert_eq!(writes(world.trace()).filter(|e| e.role == Role::Engine).count(), before);
    assert_eq!(world.server().get(&hello()).unwrap().resource_version(), version);
}

#[test]
fn claim_9_what_leaves_git_is_pruned_and_what_never_was_there_is_reported() {
    let steps = "until: 8m
steps:
  - {at: 1m, run: kubectl create configmap mine -n hello --from-literal=a=1}
  - at: 2m
    remove: hello/settings.yaml
    run: |
      git commit -am 'Settings go'
      git push
";
    let there = |run: &Run, name: &str| {
        run.world.server().get(&ObjectRef::new("", "ConfigMap", "hello", name)).is_some()
    };
    let pruned = in_sync(steps);
    assert!(!there(&pruned, "settings") && there(&pruned, "mine"));
    let kept = play("sync: {apps: {repository: config, path: ./hello, prune: false}}", steps);
    assert!(there(&kept, "settings") && there(&kept, "mine"));

    let of_namespace: Vec<Object> = kept
        .world
        .server()
        .objects_of("", "ConfigMap")
        .filter(|object| object.namespace() == "hello" && object.name() != "kube-root-ca.crt")
        .cloned()
        .collect();
    let surplus = compare(&[], &of_namespace);
    assert_eq!(surplus.len(), 2, "the orphan and the one that was never managed");
    assert!(surplus.iter().all(|change| change.action == ChangeAction::Deleted));
}

#[test]
fn claim_11_a_commit_to_the_application_alone_reaches_no_cluster() {
    let mut world = in_sync("until: 2m\n").world;
    let app = "https://git.example.com/app.git";
    world.add_repository(app, driftlab::git::Repository::new());
    let before = writes(world.trace()).count();
    world.commit("alice", app, "Code", &[("main.rs", Some("fn main() {}\n"))]).unwrap();
    world.run_for(Duration::from_mins(10));
    assert_eq!(writes(world.trace()).count(), before);
}

#[test]
fn claim_21_a_cluster_is_rebuilt_from_git_alone() {
    let old = in_sync(
        "until: 12m
steps:
  - {at: 2m, run: kubectl delete namespace hello}
",
    );
    let new = in_sync("until: 4m\n");
    assert!(!wanted_state(&new.world).is_empty());
    assert_eq!(wanted_state(&old.world), wanted_state(&new.world));
}

#[test]
fn claim_26_applying_twice_is_applying_once_and_the_order_of_files_is_nothing() {
    let mut world = in_sync("until: 2m\n").world;
    let object = world.server().get(&hello()).unwrap().clone();
    let mut wanted = Object::new("apps/v1", "Deployment", "hello", "hello");
    wanted.set("spec", object.get("spec").unwrap().clone());
    let options =
        || WriteOptions { field_manager: "twice".into(), force: true, ..WriteOptions::default() };
    let apply = |world: &mut World| {
        let answer = world.request(&Caller::new("x", "x"), ApiRequest::apply(&wanted, options()));
        answer.unwrap().into_object().unwrap()
    };
    assert_eq!(apply(&mut world), apply(&mut world));

    let renamed = in_sync(&format!(
        "until: 8m
steps:
  - at: 3m
    remove: hello/deployment.yaml
    write:
      hello/a-first.yaml: |{DEPLOYMENT}
    run: |
      git add .
      git commit -m 'Another name, another order'
      git push
"
    ));
    assert_eq!(wanted_state(&renamed.world), wanted_state(&in_sync("until: 3m\n").world));
    assert_eq!(by_engine(&renamed).len(), 1, "the one that made it");
}

#[test]
fn claim_28_pulling_needs_no_event_from_outside() {
    let run = in_sync(
        "until: 8m
faults: [{when: {at: 0s}, what: {webhooksLost: {}}}]
steps:
  - at: 2m
    edit: hello/deployment.yaml
    replace: 'replicas: 3'
    with: 'replicas: 4'
    run: |
      git commit -am Four
      git push
",
    );
    assert_eq!(replicas(&run.world), Some(4));
}

#[test]
fn day_1_a_pod_that_dies_is_no_business_of_git_and_a_deployment_that_goes_fires_both_loops() {
    let run = in_sync(
        "until: 20m
steps:
  - {at: 3m, run: kubectl delete pod -n hello -l app=hello}
  - {at: 10m, run: kubectl delete deployment/hello -n hello}
",
    );
    let after = |from: u64, to: u64| -> Vec<String> {
        let at = |e: &Event| driftlab::lesson::since_start(run.trace(), e).as_secs() / 60;
        let made = writes(run.trace()).filter(|e| {
            matches!(&e.what, What::Request { code: 201, object, .. }
                if ["Deployment", "ReplicaSet", "Pod"].contains(&object.kind.as_str()))
        });
        let actors = made.filter(|e| (from..to).contains(&at(e))).map(|e| e.actor.clone());
        let mut names: Vec<String> = actors.collect();
        names.dedup();
        names.retain(|name| name != "default-scheduler");
        names
    };
    assert_eq!(after(3, 10)[0], "replicaset-controller");
    assert!(!after(3, 10).contains(&"kustomize-controller".to_owned()));
    assert_eq!(after(10, 20)[..2], ["kustomize-controller", "deployment-controller"]);
}

#[test]
fn day_2_a_commit_waits_for_the_source_and_drift_for_the_kustomization() {
    let sync =
        "sync: {apps: {repository: config, path: ./hello, sourceInterval: 30s, interval: 10m}}";
    let run = play(
        sync,
        "until: 15m
steps:
  - at: 2m
    edit: hello/deployment.yaml
    replace: 'replicas: 3'
    with: 'replicas: 4'
    run: |
      git commit -am Four
      git push
  - {at: 5m, run: kubectl scale deployment/hello -n hello --replicas=9}
",
    );
    let times: Vec<u64> = by_engine(&run)
        .iter()
        .map(|event| driftlab::lesson::since_start(run.trace(), event).as_secs())
        .collect();
    let [_, committed, healed] = times[..] else { panic!("made, changed, healed: {times:?}") };
    assert!((120..=153).contains(&committed), "by the source's clock: {committed}");
    assert!((300..=780).contains(&healed), "by the Kustomization's: {healed}");
    assert!(healed > 360, "which is another");
}

#[test]
fn day_3_the_interval_is_changed_through_git_by_a_controller_that_manages_itself() {
    let run = play(
        "sync: {apps: {repository: config, path: ./hello, interval: 10m}}",
        "until: 30m
steps:
  - at: 1m
    write:
      hello/apps.yaml: |
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: apps, namespace: flux-system}
        spec:
          interval: 1m
          path: ./hello
          prune: true
          sourceRef: {kind: GitRepository, name: apps}
    run: |
      git add .
      git commit -m 'Look more often'
      git push
  - {at: 20m, run: kubectl scale deployment/hello -n hello --replicas=9}
",
    );
    let drifts = drifts(run.trace());
    let healed = drifts.iter().filter(|d| d.path == "spec.replicas").find_map(|d| d.healed_after());
    assert!(healed.expect("healed") <= Duration::from_secs(65), "{healed:?}");
}

#[test]
fn day_4_a_placeholder_tag_waits_for_its_image_and_a_promotion_is_a_commit() {
    let run = play(
        SYNC,
        "registry: ['hello:2.0']
until: 12m
steps:
  - at: 4m
    edit: hello/deployment.yaml
    replace: 'hello:1.0'
    with: 'hello:2.0'
    run: |
      git commit -am 'Promote 2.0'
      git push
expect:
  - {pods: at least 1, of: deployment/hello -n hello, are: ImagePullBackOff, by: 3m}
  - {pods: 3, of: deployment/hello -n hello, are: Running}
  - {commits: 1}
",
    );
    let failed: Vec<_> = run.verdicts.iter().filter(|verdict| !verdict.holds).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// The four principles of OpenGitOps, each as a question that the logs of a run answer.
#[derive(Debug, PartialEq)]
struct Card {
    declarative: bool,
    versioned: bool,
    pulled: bool,
    continuous: bool,
}

const ALL: Card = Card { declarative: true, versioned: true, pulled: true, continuous: true };

/// A way of deploying: what is typed to deploy, and to deploy the very same once more.
#[derive(Clone, Copy)]
struct Way {
    deploy: &'static str,
    again: &'static str,
}

fn card(way: Way) -> Card {
    let deploy = format!(
        "  - at: 2m
    edit: hello/deployment.yaml
    replace: 'replicas: 3'
    with: 'replicas: 4'
    run: |
      git commit -am Four
      git push
{}",
        way.deploy
    );
    let once = in_sync(&format!("until: 8m\nsteps:\n{deploy}"));
    let twice = in_sync(&format!("until: 8m\nsteps:\n{deploy}{}", way.again));
    let scale = "  - {at: 5m, run: kubectl scale deployment/hello -n hello --replicas=9}\n";
    let drifted = in_sync(&format!("until: 8m\nsteps:\n{deploy}{scale}"));
    let forced = |what: &What| matches!(what, What::RefMoved { forced: true, .. });
    let to_it = |e: &&Event| matches!(&e.what, What::Request { object, .. } if *object == hello());
    let people = |e: &Event| e.role == Role::Person || e.role == Role::Pipeline;
    Card {
        declarative: wanted_state(&once.world) == wanted_state(&twice.world),
        versioned: !once.trace().events().any(|event| forced(&event.what)),
        pulled: !writes(once.trace()).filter(to_it).any(people),
        continuous: replicas(&drifted.world) == Some(4),
    }
}

#[test]
fn claim_30_each_broken_principle_fails_its_own_line_of_the_report_card() {
    let gitops = Way {
        deploy: "",
        again: "  - at: 4m
    run: |
      git commit --allow-empty -m 'Once more'
      git push
",
    };
    assert_eq!(card(gitops), ALL);
    // What it leaves depends on how often it ran.
    let stamped = Way {
        again: "  - at: 4m
    edit: hello/settings.yaml
    replace: \"a: '1'\"
    with: \"a: '2'\"
    run: |
      git commit -am 'Deployed for the second time'
      git push
",
        ..gitops
    };
    assert_eq!(card(stamped), Card { declarative: false, ..ALL });
    let rewritten = Way {
        deploy: "  - at: 3m
    run: |
      git commit --amend -m 'Four, as it was always meant to be'
      git push --force
",
        ..gitops
    };
    assert_eq!(card(rewritten), Card { versioned: false, ..ALL });
    let pushed = Way {
        deploy: "  - at: 2m
    run: kubectl apply -f hello/deployment.yaml
",
        ..gitops
    };
    assert_eq!(card(pushed), Card { pulled: false, ..ALL });
    let once = Way {
        deploy: "  - {at: 4m, run: flux suspend kustomization apps}
",
        again: "",
    };
    assert_eq!(card(once), Card { continuous: false, ..ALL });
}
