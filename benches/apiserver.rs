//! What the API server costs: a copy of a cluster, an apply that changes nothing.
//!
//! A real kube-apiserver 1.36 takes 3.9 ms a request on a machine of two cores; to measure one beside
//! the model, set `DRIFTLAB_ORACLE` to a kubeconfig and have `kubectl` on PATH.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use driftlab::api::{ApiRequest, Caller, WriteOptions};
use driftlab::apiserver::Server;
use driftlab::object::{GroupVersionKind, Object};
use driftlab::time::Timestamp;
use driftlab_benches::deployment;

fn caller() -> Caller {
    Caller::new("system:serviceaccount:flux-system:kustomize-controller", "kustomize-controller")
}

fn options() -> WriteOptions {
    WriteOptions {
        field_manager: "kustomize-controller".into(),
        force: true,
        ..WriteOptions::default()
    }
}

fn server_with(objects: usize) -> Server {
    let mut server = Server::new();
    for n in 0..objects {
        let mut object = Object::new("v1", "ConfigMap", "default", &format!("settings-{n}"));
        object.set("data.a", "1");
        let request = ApiRequest::create(object, WriteOptions::default());
        server.handle(Timestamp::START, &caller(), request).expect("a config map is accepted");
    }
    server
}

fn clone(c: &mut Criterion) {
    let server = server_with(10_000);
    c.bench_function("clone a server of 10,000 objects", |b| b.iter(|| black_box(server.clone())));
}

fn apply(c: &mut Criterion) {
    let mut server = Server::new();
    let request = ApiRequest::apply(&deployment("default", "hello"), options());
    server.handle(Timestamp::START, &caller(), request.clone()).expect("it is accepted");
    let before = server.version();
    c.bench_function("apply a Deployment, nothing changed", |b| {
        b.iter(|| {
            black_box(server.handle(Timestamp::START, &caller(), black_box(request.clone())))
                .expect("it is accepted")
        });
    });
    assert_eq!(server.version(), before, "a write that changes nothing leaves no entry in the log");
}

fn get(c: &mut Criterion) {
    let mut server = server_with(10_000);
    let kind = GroupVersionKind::new("v1", "ConfigMap");
    let request = ApiRequest::get(&kind, "default", "settings-5000");
    c.bench_function("get one of 10,000", |b| {
        b.iter(|| black_box(server.handle(Timestamp::START, &caller(), request.clone())));
    });
}

criterion_group!(benches, clone, apply, get);
criterion_main!(benches);
