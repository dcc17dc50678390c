//! A controller written with kube-rs, living on the model in process: nothing in it knows of driftlab.
//!
//! Needs the feature `kube`.

use std::sync::Arc;
use std::time::Duration as Span;

use driftlab::serve::{Model, Options, Pace};
use driftlab::sim::{Controllers, World};
use driftlab::time::Duration;
use futures::StreamExt;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams};
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::finalizer::{Event, finalizer};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

fn websites() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", "Website"))
}

fn deployments() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"))
}

fn definition() -> Value {
    json!({
        "metadata": {"name": "websites.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Website", "plural": "websites", "singular": "website", "listKind": "WebsiteList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {"type": "object", "properties": {"replicas": {"type": "integer", "default": 2}}},
                        "status": {"type": "object", "properties": {"ready": {"type": "integer"}}},
                    },
                }},
            }],
        },
    })
}

/// The controller, as one writes it for a real cluster.
mod operator {
    use super::*;

    type Failed = kube::runtime::finalizer::Error<kube::Error>;

    pub(super) async fn run(client: Client) {
        let websites_ = Api::<DynamicObject>::all_with(client.clone(), &websites());
        let owned = Api::<DynamicObject>::all_with(client.clone(), &deployments());
        let config = watcher::Config::default;
        Controller::new_with(websites_, config(), websites())
            .owns_with(owned, deployments(), config())
            .run(reconcile, |_, _, _| Action::requeue(Span::from_secs(1)), Arc::new(client))
            .for_each(|_| std::future::ready(()))
            .await;
    }

    async fn reconcile(site: Arc<DynamicObject>, client: Arc<Client>) -> Result<Action, Failed> {
        let namespace = site.namespace().expect("it is namespaced");
        let client = Client::clone(&client);
        let sites = Api::namespaced_with(client.clone(), &namespace, &websites());
        finalizer(&sites, "example.com/website", site, |event| async {
            match event {
                Event::Apply(site) => apply(&client, &namespace, &site).await,
                Event::Cleanup(site) => clean_up(&client, &namespace, &site).await,
            }
        })
        .await
    }

    async fn apply(client: &Client, namespace: &str, site: &DynamicObject) -> kube::Result<Action> {
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &deployments());
        let name = site.name_any();
        let labels = json!({"site": name});
        let wanted = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "ownerReferences": [{
                "apiVersion": "example.com/v1", "kind": "Website", "name": name,
                "uid": site.uid(), "controller": true,
            }]},
            "spec": {
                "replicas": site.data["spec"]["replicas"],
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
                },
            },
        });
        let params = PatchParams::apply("website-operator").force();
        let made = api.patch(&name, &params, &Patch::Apply(&wanted)).await?;
        let status = json!({"status": {"ready": made.data["status"]["readyReplicas"]}});
        let sites = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &websites());
        sites.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await?;
        Ok(Action::await_change())
    }

    async fn clean_up(
        client: &Client,
        namespace: &str,
        site: &DynamicObject,
    ) -> kube::Result<Action> {
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &deployments());
        match api.delete(&site.name_any(), &DeleteParams::background()).await {
            Err(kube::Error::Api(refused)) if refused.code != 404 => Err(kube::Error::Api(refused)),
            _ => Ok(Action::await_change()),
        }
    }
}

fn model() -> Model {
    let world = World::builder().controllers(Controllers::Cluster).nodes(2);
    let world = world.images(&["nginx:1"]).expect("a name").build();
    Model::new(world, Options { pace: Pace::MANUAL, ..Options::default() })
}

/// Lets the tasks have their say, and then time pass, as often as it takes for all to have settled.
async fn settle(model: &Model) {
    for _ in 0..30 {
        tokio::time::sleep(Span::from_millis(20)).await;
        model.pass(Duration::from_secs(1));
    }
}

/// What the operator's story comes to: the audit log of all that was written, and when.
async fn story(model: &Model) -> Vec<String> {
    let client = Client::new(model.clone(), "default");
    let definitions = ApiResource::from_gvk(&GroupVersionKind::gvk(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
    ));
    let definitions = Api::<DynamicObject>::all_with(client.clone(), &definitions);
    let definition = serde_json::from_value(definition()).expect("an object");
    definitions.create(&PostParams::default(), &definition).await.expect("it is well-formed");
    let operator = tokio::spawn(operator::run(client.clone()));

    let sites = Api::<DynamicObject>::default_namespaced_with(client.clone(), &websites());
    let deployed = Api::<DynamicObject>::default_namespaced_with(client, &deployments());
    let site = DynamicObject::new("shop", &websites()).data(json!({"spec": {}}));
    sites.create(&PostParams::default(), &site).await.expect("it is new");
    settle(model).await;
    let ready = sites.get("shop").await.expect("it is there").data["status"]["ready"].clone();
    assert_eq!(ready, 2, "the definition's default, deployed, running, and reported");

    let more = json!({"spec": {"replicas": 3}});
    let params = PatchParams::default();
    sites.patch("shop", &params, &Patch::Merge(&more)).await.expect("it is there");
    deployed.delete("shop", &DeleteParams::default()).await.expect("it is there");
    settle(model).await;
    let ready = sites.get("shop").await.expect("it is there").data["status"]["ready"].clone();
    assert_eq!(ready, 3, "deleted by somebody, and made anew");

    sites.delete("shop", &DeleteParams::default()).await.expect("it is there");
    settle(model).await;
    assert!(sites.get_opt("shop").await.expect("it answers").is_none(), "the finalizer let go");
    assert!(deployed.get_opt("shop").await.expect("it answers").is_none());
    operator.abort();
    let world = model.world();
    world
        .server()
        .audit()
        .map(|entry| {
            format!("{} {} {} {:?} {}", entry.at, entry.user, entry.verb, entry.object, entry.code)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_controller_of_kube_rs_lives_on_the_model() {
    story(&model()).await;
}

#[tokio::test(start_paused = true)]
async fn with_time_by_hand_its_story_is_the_same_every_time() {
    let first = story(&model()).await;
    for _ in 0..3 {
        assert_eq!(story(&model()).await, first);
    }
}

#[tokio::test(start_paused = true)]
async fn real_time_is_the_runtimes_own_which_may_be_paused() {
    let world = World::builder().controllers(Controllers::Cluster).nodes(1);
    let world = world.images(&["nginx:1"]).expect("a name").build();
    let model = Model::new(world, Options::default());
    let (began, client) = (model.world().now(), Client::new(model.clone(), "default"));
    let pods = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
    let pods = Api::<DynamicObject>::default_namespaced_with(client, &pods);
    let spec = json!({"spec": {"containers": [{"name": "web", "image": "nginx:1"}]}});
    let object = serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": spec["spec"]}));
    pods.create(&PostParams::default(), &object.expect("an object")).await.expect("it is new");
    let running = |pod: Option<&DynamicObject>| {
        pod.is_some_and(|pod| pod.data["status"]["phase"] == "Running")
    };
    let wait = kube::runtime::wait::await_condition(pods, "web", running);
    tokio::time::timeout(Span::from_secs(60), wait).await.expect("in time").expect("it is there");
    assert!(model.world().now() > began);
}

#[tokio::test(start_paused = true)]
async fn a_reflector_holds_what_the_cluster_holds() {
    let model = model();
    let client = Client::new(model.clone(), "default");
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"));
    let maps = Api::<DynamicObject>::default_namespaced_with(client, &kind);
    for streaming in [false, true] {
        let config = watcher::Config { bookmarks: true, ..watcher::Config::default() };
        let config = if streaming { config.streaming_lists() } else { config };
        let writer = reflector::store::Writer::<DynamicObject>::new(kind.clone());
        let reader = writer.as_reader();
        let stream = reflector(writer, watcher(maps.clone(), config)).touched_objects();
        let watching = tokio::spawn(stream.for_each(|_| std::future::ready(())));
        for name in ["a", "b", "c"] {
            let object = DynamicObject::new(name, &kind).data(json!({"data": {"k": name}}));
            maps.create(&PostParams::default(), &object).await.expect("it is new");
        }
        maps.delete("b", &DeleteParams::default()).await.expect("it is there");
        tokio::time::sleep(Span::from_millis(20)).await;
        let mut held: Vec<String> = reader.state().iter().map(|object| object.name_any()).collect();
        held.sort();
        assert_eq!(held, ["a", "c"], "streaming lists: {streaming}");
        for name in held {
            maps.delete(&name, &DeleteParams::default()).await.expect("it is there");
        }
        watching.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_by_the_worlds_time_where_that_passes_by_hand() {
    let model = model();
    let client = Client::new(model.clone(), "default");
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace"));
    let namespaces = Api::<DynamicObject>::all_with(client, &kind);
    let version = namespaces.list(&ListParams::default()).await.expect("it answers");
    let version = version.metadata.resource_version.expect("a list has one");
    let params = WatchParams::default().timeout(90);
    let events = namespaces.watch(&params, &version).await.expect("it answers");
    let passing = {
        let model = model.clone();
        tokio::spawn(async move {
            for _ in 0..2 {
                tokio::time::sleep(Span::from_millis(20)).await;
                model.pass(Duration::from_secs(60));
            }
        })
    };
    let events: Vec<_> = events.collect().await;
    passing.await.expect("time passes");
    let bookmarks =
        |event: &Result<_, _>| matches!(event, Ok(WatchEvent::<DynamicObject>::Bookmark(_)));
    assert!(events.iter().all(bookmarks), "{events:?}");
    assert_eq!(events.len(), 2, "one after each minute, the second with the end");
}
