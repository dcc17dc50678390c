//! The world at the start of a scenario.

use serde_json::{Value, json};

use super::forge;
use crate::api::{ApiRequest, Caller, Subresource, WriteOptions};
use crate::apiserver::Authorization;
use crate::engine::{KUSTOMIZE_API, NOTIFICATION_API, SOURCE_API};
use crate::manifest;
use crate::object::Object;
use crate::scenario::prepare::Script;
use crate::sim::script::{DeliverySpec, PipelineSpec, SyncSpec};
use crate::sim::{Controllers, Delivery, Pipeline, Registry, World, WorldBuilder};
use crate::time::Duration;
use crate::trace::Role;

/// Who sets a scenario's cluster up.
const ADMIN: &str = "admin";

/// The world, set up, at its start.
pub(crate) fn world(script: &Script, seed: Option<u64>) -> World {
    let builder = World::builder().seed(seed.unwrap_or(script.scenario.seed));
    let flux = script.scenario.cluster.flux;
    set_up(script, builder, if flux { Controllers::All } else { Controllers::Cluster })
}

/// The same from what a builder has decided already, and with other controllers.
pub(crate) fn set_up(script: &Script, builder: WorldBuilder, controllers: Controllers) -> World {
    let scenario = &script.scenario;
    let mut builder = builder
        .controllers(controllers)
        .nodes(scenario.cluster.nodes as usize)
        .faults(scenario.faults.clone());
    for hosted in script.repositories.values() {
        builder = builder.repository(&hosted.url, hosted.repository.clone());
    }
    for webhook in scenario.webhooks.values() {
        builder = builder.webhook(webhook.clone());
    }
    if scenario.registry.is_some() {
        builder = builder.registry(Registry::default());
    }
    if !scenario.cluster.people.is_empty() {
        builder = builder.authorization(Authorization::Rbac);
    }
    let mut world = builder.policies(scenario.cluster.policies.clone()).build();
    for (who, groups) in &scenario.cluster.people {
        world.set_groups(who, groups);
    }
    forge::set_up(&mut world, script);
    let pipelines = scenario.pipelines.iter();
    pipelines.for_each(|(name, spec)| world.add_pipeline(pipeline(script, name, spec)));
    let now = world.now();
    for image in scenario.registry.iter().flatten() {
        world.registry_mut().push(image, image, now).expect("image names are verified");
    }
    let (sources, others): (Vec<_>, Vec<_>) =
        initial_objects(script).into_iter().partition(|object| object.kind() == "GitRepository");
    let there_are_sources = !sources.is_empty();
    for object in sources {
        apply(&mut world, object);
    }
    if there_are_sources {
        fetch(&mut world);
    }
    for object in others {
        apply(&mut world, object);
    }
    world
}

/// Lets the sources be fetched before anything refers to them, as `flux create` waits for one before it
/// makes the next. A remote that does not answer is not waited for.
fn fetch(world: &mut World) {
    let patience = world.now() + Duration::from_secs(5);
    let is_fetched = |world: &World| {
        let objects = world.server().objects().filter(|object| object.kind() == "GitRepository");
        objects.into_iter().all(|object| object.get("status.artifact").is_some())
    };
    while !is_fetched(world) && world.step_until(patience).is_some() {}
}

fn pipeline(script: &Script, name: &str, spec: &PipelineSpec) -> Pipeline {
    let url = |name: &str| script.repositories.get(name).map_or("", |hosted| &hosted.url);
    let repository = url(&spec.repository);
    let pipeline = match &spec.delivery {
        DeliverySpec::Commit { repository: config, folder } => {
            Pipeline::pull(repository, &spec.image, url(config), folder)
        }
        DeliverySpec::Apply { folder } => {
            // A pipeline that pushes has the keys to its cluster, as most have.
            let groups = vec!["system:masters".into()];
            let caller = Caller { groups, ..Caller::new("ci", "kubectl/v1.36.0") };
            let delivery = Delivery::Apply { folder: folder.clone(), caller };
            Pipeline::new(repository, &spec.image, delivery)
        }
        DeliverySpec::None => Pipeline::new(repository, &spec.image, Delivery::None),
    };
    Pipeline {
        name: name.into(),
        branch: spec.branch.clone(),
        checks: spec.checks,
        build: spec.build.unwrap_or(pipeline.build),
        test: spec.test.unwrap_or(pipeline.test),
        ..pipeline
    }
}

/// What is in the cluster from the start: the manifests given, then what is kept in sync.
pub(crate) fn initial_objects(script: &Script) -> Vec<Object> {
    let given = script.scenario.cluster.apply.iter();
    let given = given.flat_map(|text| manifest::objects("cluster.apply", text).unwrap_or_default());
    given
        .chain(script.scenario.sync.iter().flat_map(|(name, sync)| synced(script, name, sync)))
        .collect()
}

/// The GitRepository and the Kustomization of a sync, and what a webhook needs.
fn synced(script: &Script, name: &str, sync: &SyncSpec) -> Vec<Object> {
    let hosted = script.repositories.get(&sync.repository);
    let url = hosted.map_or("", |hosted| &hosted.url);
    let branch = hosted.and_then(|hosted| hosted.repository.current_branch()).unwrap_or("main");
    let minute = Duration::from_mins(1);
    let mut source = Object::new(SOURCE_API, "GitRepository", "flux-system", name);
    source.set(
        "spec",
        json!({
            "interval": sync.source_interval.unwrap_or(minute).to_string(),
            "url": url, "ref": {"branch": branch},
        }),
    );
    let mut kustomization = Object::new(KUSTOMIZE_API, "Kustomization", "flux-system", name);
    let mut spec = json!({
        "interval": minute.to_string(), "path": "./", "prune": true,
        "sourceRef": {"kind": "GitRepository", "name": name},
    });
    for (field, value) in &sync.spec {
        spec[field] = Value::clone(value);
    }
    kustomization.set("spec", spec);
    let mut objects = vec![source, kustomization];
    if sync.webhook {
        objects.extend(receiver(name));
    }
    objects
}

/// The Receiver that wakes a GitRepository, and the Secret with its token.
fn receiver(name: &str) -> [Object; 2] {
    let secret_name = format!("{name}-webhook");
    let mut secret = Object::new("v1", "Secret", "flux-system", &secret_name);
    secret.set("stringData", json!({"token": forge::webhook_token(name)}));
    let mut receiver = Object::new(NOTIFICATION_API, "Receiver", "flux-system", name);
    receiver.set(
        "spec",
        json!({
            "type": "github", "events": ["ping", "push"], "secretRef": {"name": secret_name},
            "resources": [{"kind": "GitRepository", "name": name}],
        }),
    );
    [secret, receiver]
}

/// Puts an object there as an administrator, its status too.
pub(super) fn apply(world: &mut World, mut object: Object) {
    let groups = vec!["system:masters".into(), "system:authenticated".into()];
    let caller = Caller { groups, ..Caller::new(ADMIN, "kubectl/v1.37.1") };
    if object.namespace().is_empty() && is_namespaced(world, &object) {
        object.set("metadata.namespace", "default");
    }
    let options = || WriteOptions { field_manager: "kubectl".into(), ..WriteOptions::default() };
    let request = ApiRequest::apply(&object, options());
    let done = world.request_as(&caller, Role::Person, "", request);
    if done.is_ok() && object.get("status").is_some() {
        let request = ApiRequest::apply(&object, options()).to(Subresource::Status);
        let _ = world.request_as(&caller, Role::Person, "", request);
    }
}

fn is_namespaced(world: &World, object: &Object) -> bool {
    let gvk = object.gvk();
    world.server().resources().any(|schema| schema.gvk == gvk && schema.namespaced)
}
