//! What the loop costs: a copy of a world, a cycle without drift, an hour's lab.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use driftlab::api::{ApiRequest, Caller, WriteOptions};
use driftlab::git::{Repository, Tree};
use driftlab::manifest;
use driftlab::scenario;
use driftlab::sim::{Controllers, World, signature};
use driftlab::time::{Duration, Timestamp};
use driftlab::trace::What;

const URL: &str = "https://git.example.com/config.git";

const SYNC: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: config, namespace: flux-system}
spec: {interval: 1h, url: https://git.example.com/config.git, ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {interval: 10m, path: ./, prune: true, sourceRef: {kind: GitRepository, name: config}}
";

/// A world that keeps so many ConfigMaps in sync, when it is.
fn world_with(objects: usize) -> World {
    let files = (0..objects).map(|n| {
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings-{n}, namespace: default}}\ndata: {{a: '1', b: '2'}}\n"
        );
        (format!("dir{}/settings-{n}.yaml", n / 100), text)
    });
    let mut repository = Repository::new();
    let alice = signature("alice", Timestamp::START);
    repository.commit(Tree::from_files(files).expect("valid paths"), "Start", alice.clone(), alice);
    let mut world = World::builder().nodes(0).repository(URL, repository).build();
    let admin = Caller::new("admin", "kubectl");
    for object in manifest::objects("sync.yaml", SYNC).expect("well-formed") {
        world.request(&admin, ApiRequest::create(object, WriteOptions::default())).expect("valid");
    }
    world.run_for(Duration::from_mins(5));
    let made = world.server().objects_of("", "ConfigMap").count();
    assert!(made >= objects, "{made} of {objects} are there");
    world
}

fn cycles(world: &World) -> usize {
    let done = |what: &What| matches!(what, What::Finished { target, .. } if target.kind == "Kustomization");
    world.trace().events().filter(|event| done(&event.what)).count()
}

fn clone(c: &mut Criterion) {
    let mut world = World::builder().controllers(Controllers::Cluster).nodes(0).build();
    for n in 0..10_000 {
        let object = driftlab::object::Object::new("v1", "ConfigMap", "default", &format!("c{n}"));
        let request = ApiRequest::create(object, WriteOptions::default());
        world.request(&Caller::new("admin", "kubectl"), request).expect("valid");
    }
    c.bench_function("clone a world of 10,000 objects", |b| b.iter(|| black_box(world.clone())));
}

fn reconcile(c: &mut Criterion) {
    let world = world_with(1000);
    let before = cycles(&world);
    let mut one = world.clone();
    one.run_for(Duration::from_mins(10));
    assert_eq!(cycles(&one), before + 1, "one cycle in an interval");
    let mut group = c.benchmark_group("no drift");
    group.sample_size(20);
    // Nobody else is at work in these ten minutes, so that they cost what the cycle does.
    group.bench_function("reconcile 1,000 objects", |b| {
        b.iter_batched(
            || world.clone(),
            |mut world| {
                world.run_for(Duration::from_mins(10));
                world
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn day_2(c: &mut Criterion) {
    let source = include_str!("../tutorials/day2.yaml");
    let scenario = scenario::read("day2.yaml", source).expect("well-formed");
    assert!(scenario.play().expect("well-formed").holds());
    let mut group = c.benchmark_group("an hour's lab");
    group.sample_size(20);
    group.bench_function("Day 2, start to end", |b| b.iter_with_large_drop(|| scenario.play()));
    group.finish();
}

criterion_group!(benches, clone, reconcile, day_2);
criterion_main!(benches);
