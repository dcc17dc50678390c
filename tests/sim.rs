//! The world in motion: actors, faults, choice, time.

use std::collections::BTreeSet;

use driftlab::api::{
    ApiRequest, ApiResponse, Caller, DeleteOptions, Response, Status, WriteOptions,
};
use driftlab::object::{GroupVersionKind, Object, ObjectRef};
use driftlab::reconciler::{Next, Reconciler, Watch};
use driftlab::sim::{
    Choices, Controllers, Fault, FaultAction, FaultPlan, Order, Requests, Trigger, World,
};
use driftlab::time::{Duration, Timestamp};
use driftlab::trace::What;

/// Keeps, for every ConfigMap that is labelled `mirror`, a copy of it in the namespace `copies`.
struct Mirror;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Mirroring {
    Original { name: ObjectRef },
    Copy { name: ObjectRef, original: Option<Object> },
    Written,
}

impl Reconciler for Mirror {
    type State = Mirroring;

    fn name(&self) -> &str {
        "mirror"
    }

    fn caller(&self) -> Caller {
        Caller::new("mirror", "mirror/v1")
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("v1", "ConfigMap")]
    }

    fn handle_event(
        &self,
        event: &driftlab::api::WatchEvent,
        _: Option<&Object>,
    ) -> Vec<ObjectRef> {
        let mut name = event.object.reference();
        name.namespace = "default".into();
        vec![name]
    }

    fn start(&self, target: &ObjectRef, _: Timestamp) -> Next<Mirroring> {
        let request = ApiRequest::get_cached(&config_map(), "default", &target.name);
        Next::ask(Mirroring::Original { name: target.clone() }, request)
    }

    fn step(&self, state: Mirroring, response: Response, _: Timestamp) -> Next<Mirroring> {
        let Response::Api(answer) = response else { return Next::failed("not what was asked") };
        match (state, answer) {
            (Mirroring::Original { name }, answer) => {
                let original = match answer.map(ApiResponse::into_object) {
                    Ok(found) => found.filter(|object| object.label("mirror").is_some()),
                    Err(status) if status.is_not_found() => None,
                    Err(status) => return Next::failed(status.message),
                };
                let request = ApiRequest::get(&config_map(), "kube-public", &name.name);
                Next::ask(Mirroring::Copy { name, original }, request)
            }
            (Mirroring::Copy { name, original }, answer) => {
                let copy = match answer.map(ApiResponse::into_object) {
                    Ok(copy) => copy,
                    Err(status) if status.is_not_found() => None,
                    Err(status) => return Next::failed(status.message),
                };
                match change(&name, original, copy) {
                    Some(request) => Next::ask(Mirroring::Written, request),
                    None => Next::done(),
                }
            }
            (Mirroring::Written, Err(status)) => Next::failed(status.message),
            (Mirroring::Written, Ok(_)) => Next::done(),
        }
    }
}

fn change(name: &ObjectRef, original: Option<Object>, copy: Option<Object>) -> Option<ApiRequest> {
    match (original, copy) {
        (None, None) => None,
        (None, Some(_)) => Some(ApiRequest::delete(
            &config_map(),
            "kube-public",
            &name.name,
            DeleteOptions::default(),
        )),
        (Some(original), None) => {
            let mut copy = Object::new("v1", "ConfigMap", "kube-public", &name.name);
            copy.set("data", original.get("data").cloned().unwrap_or_default());
            Some(ApiRequest::create(copy, WriteOptions::default()))
        }
        (Some(original), Some(mut copy)) => (original.get("data") != copy.get("data")).then(|| {
            copy.set("data", original.get("data").cloned().unwrap_or_default());
            ApiRequest::update(copy, WriteOptions::default())
        }),
    }
}

fn config_map() -> GroupVersionKind {
    GroupVersionKind::new("v1", "ConfigMap")
}

fn alice() -> Caller {
    Caller::new("alice", "kubectl/v1.36.0")
}

fn settings(name: &str, value: &str) -> Object {
    let mut object = Object::new("v1", "ConfigMap", "default", name);
    object.set_label("mirror", "true");
    object.set("data.value", value);
    object
}

fn mirrored(choices: Choices) -> World {
    let mut world =
        World::builder().choices(choices).controllers(Controllers::None).nodes(0).build();
    world.add_controller(Mirror);
    world
}

fn copy_of(world: &World, name: &str) -> Option<String> {
    let copy = world.server().get(&ObjectRef::new("", "ConfigMap", "kube-public", name))?;
    Some(copy.text("data.value").to_owned())
}

fn create(world: &mut World, name: &str, value: &str) -> Result<ApiResponse, Status> {
    world.request(&alice(), ApiRequest::create(settings(name, value), WriteOptions::default()))
}

fn settle(world: &mut World) {
    world.run_until_quiet(Duration::from_mins(30)).unwrap();
}

/// Everything that happened, as text.
fn story(world: &World) -> String {
    world.trace().events().map(|event| format!("{event:?}\n")).collect()
}

/// A run with several objects, changed while the controller is at work, and some faults.
fn busy_run(choices: Choices) -> World {
    let mut world = mirrored(choices);
    world.inject_all(&rough_weather());
    for n in 0..8 {
        create(&mut world, &format!("s{n}"), "1").unwrap();
        world.run_for(Duration::from_millis(3));
    }
    world.run_for(Duration::from_secs(2));
    world
}

fn rough_weather() -> FaultPlan {
    let any = Requests::default();
    let sometimes = |what: FaultAction| Fault {
        when: Trigger::Sometimes {
            from: Duration::ZERO,
            until: Duration::from_secs(2),
            one_in: 6,
            requests: any.clone(),
        },
        what,
        lasts: None,
    };
    [
        sometimes(FaultAction::ApiError { code: 503, requests: any.clone() }),
        sometimes(FaultAction::AnswerLost { requests: any.clone() }),
        sometimes(FaultAction::Crash {
            actor: String::new(),
            after_request: true,
            restart_after: Duration::from_millis(20),
        }),
    ]
    .into_iter()
    .collect()
}

#[test]
fn a_controller_brings_about_what_it_wants_and_then_is_still() {
    let mut world = mirrored(Choices::first());
    create(&mut world, "a", "1").unwrap();
    settle(&mut world);
    assert_eq!(copy_of(&world, "a").as_deref(), Some("1"));
    let version = world.server().version();
    world.run_for(Duration::from_hours(1));
    assert_eq!(
        (world.server().version(), world.elapsed() >= Duration::from_hours(1)),
        (version, true)
    );
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let once = story(&busy_run(Choices::seeded(11)));
    assert_eq!(once, story(&busy_run(Choices::seeded(11))));
    assert_ne!(once, story(&busy_run(Choices::seeded(12))));
}

#[test]
fn a_record_of_the_choices_replays_the_run() {
    let world = busy_run(Choices::seeded(11));
    let replay = Choices::replay(world.choices().picked().map(|picked| picked.pick));
    assert_eq!(story(&busy_run(replay)), story(&world));
}

#[test]
fn a_copy_of_a_world_goes_on_as_the_world_does() {
    let mut world = mirrored(Choices::seeded(5));
    world.inject_all(&rough_weather());
    (0..4).for_each(|n| drop(create(&mut world, &format!("s{n}"), "1")));
    for _ in 0..60 {
        let mut fork = world.clone();
        let untouched = story(&world);
        fork.run_for(Duration::from_secs(1));
        assert_eq!(story(&world), untouched, "a fork touches nothing of the original");
        let mut again = world.clone();
        again.run_for(Duration::from_secs(1));
        assert_eq!(story(&again), story(&fork));
        if world.step().is_none() {
            break;
        }
    }
}

#[test]
fn faults_delay_convergence_and_do_not_prevent_it() {
    for seed in 0..40 {
        let mut world = busy_run(Choices::seeded(seed));
        world.end_faults();
        settle(&mut world);
        let copies: Vec<_> = (0..8).map(|n| copy_of(&world, &format!("s{n}"))).collect();
        assert_eq!(copies, vec![Some("1".to_owned()); 8], "seed {seed}");
    }
}

#[test]
fn a_crash_between_any_two_requests_loses_the_state_and_nothing_else() {
    for after_request in [false, true] {
        for nth in 1..=3 {
            let mut world = mirrored(Choices::first());
            let restart_after = Duration::from_secs(5);
            let crash = FaultAction::Crash { actor: String::new(), after_request, restart_after };
            world.inject(Fault::at_request("mirror", "", nth, crash));
            create(&mut world, "a", "1").unwrap();
            settle(&mut world);
            let crashed = world.elapsed() >= restart_after;
            assert_eq!((copy_of(&world, "a").as_deref(), crashed), (Some("1"), true), "{nth}");
        }
    }
}

#[test]
fn a_lost_answer_is_a_write_that_was_done() {
    let mut world = mirrored(Choices::first());
    let lost = FaultAction::AnswerLost { requests: Requests::default() };
    world.inject(Fault::at_request("mirror", "create", 1, lost));
    create(&mut world, "a", "1").unwrap();
    settle(&mut world);
    assert_eq!(copy_of(&world, "a").as_deref(), Some("1"));
    let failed =
        world.trace().events().filter(|e| matches!(e.what, What::Finished { failed: true, .. }));
    assert_eq!(failed.count(), 1, "the controller heard of a timeout");
}

#[test]
fn a_stale_cache_shows_the_past() {
    let mut world = mirrored(Choices::first());
    create(&mut world, "a", "1").unwrap();
    settle(&mut world);
    let stale = FaultAction::Stale { actor: "mirror".into(), kind: String::new() };
    let begins = world.elapsed() + Duration::from_secs(1);
    world.inject(Fault::at(begins, stale).lasting(Duration::from_mins(1)));
    world.run_for(Duration::from_secs(2));
    let changed = settings("a", "2");
    world.request(&alice(), ApiRequest::update(changed, WriteOptions::default())).unwrap();
    world.run_for(Duration::from_secs(30));
    assert_eq!(copy_of(&world, "a").as_deref(), Some("1"), "the news is held up");
    settle(&mut world);
    assert_eq!(copy_of(&world, "a").as_deref(), Some("2"));
}

#[test]
fn a_lost_event_is_never_heard_of() {
    let mut world = mirrored(Choices::first());
    settle(&mut world);
    let drop = FaultAction::DropEvents { actor: "mirror".into(), kind: String::new() };
    world.inject(Fault::at(world.elapsed(), drop).lasting(Duration::from_secs(10)));
    world.run_for(Duration::from_secs(1));
    create(&mut world, "a", "1").unwrap();
    world.run_for(Duration::from_hours(1));
    assert_eq!(copy_of(&world, "a"), None, "nothing tells an edge-triggered controller");
}

#[test]
fn a_forgotten_log_makes_watches_list_anew() {
    let mut world = mirrored(Choices::first());
    settle(&mut world);
    let partition = FaultAction::Partition { actor: "mirror".into() };
    world.inject(Fault::at(Duration::from_secs(1), partition).lasting(Duration::from_secs(30)));
    world.inject(Fault::at(Duration::from_secs(20), FaultAction::Compact {}));
    world.run_for(Duration::from_secs(10));
    create(&mut world, "a", "1").unwrap();
    world.run_for(Duration::from_secs(15));
    assert_eq!(copy_of(&world, "a"), None);
    settle(&mut world);
    assert_eq!(copy_of(&world, "a").as_deref(), Some("1"));
}

#[test]
fn a_person_may_decide_everything() {
    let mut world = mirrored(Choices::seeded(1));
    create(&mut world, "a", "1").unwrap();
    let mut asked = 0;
    let mut last = |n: usize, _: &'static str| {
        asked += 1;
        n - 1
    };
    while !world.is_quiet() {
        world.step_with(&mut last);
    }
    assert_eq!(copy_of(&world, "a").as_deref(), Some("1"));
    assert!(asked > 0);
}

#[test]
fn copying_a_world_of_ten_thousand_objects_costs_next_to_nothing() {
    let mut world = mirrored(Choices::first());
    for n in 0..10_000 {
        create(&mut world, &format!("s{n}"), "1").unwrap();
    }
    let started = std::time::Instant::now();
    let copies: Vec<World> = (0..1000).map(|_| world.clone()).collect();
    let each = started.elapsed() / 1000;
    assert!(
        each < std::time::Duration::from_micros(20),
        "{each:?}: a debug build may take 20 times as long"
    );
    drop(copies);
}

#[test]
fn worlds_that_differ_in_versions_and_uids_alone_have_one_fingerprint() {
    let settled = |detour: bool| {
        let mut world = mirrored(Choices::first());
        if detour {
            let other = Object::new("v1", "ConfigMap", "kube-system", "other");
            let delete =
                ApiRequest::delete(&config_map(), "kube-system", "other", Default::default());
            world.request(&alice(), ApiRequest::create(other, WriteOptions::default())).unwrap();
            world.request(&alice(), delete).unwrap();
            settle(&mut world);
            world.run_for(Duration::from_secs(77));
        }
        create(&mut world, "a", "1").unwrap();
        settle(&mut world);
        world
    };
    let (straight, detour) = (settled(false), settled(true));
    assert_ne!(straight.server().version(), detour.server().version());
    assert_eq!(straight.fingerprint(), detour.fingerprint());
    let mut changed = straight.clone();
    changed
        .request(&alice(), ApiRequest::update(settings("a", "2"), WriteOptions::default()))
        .unwrap();
    assert_ne!(changed.fingerprint(), straight.fingerprint());
}

/// Every state that can be reached, and those in which nothing is under way any more.
fn explore(start: World) -> (usize, Vec<World>) {
    let (mut seen, mut ends) = (BTreeSet::from([start.fingerprint()]), Vec::new());
    let mut open = vec![start];
    while let Some(world) = open.pop() {
        if world.is_quiet() {
            ends.push(world);
            continue;
        }
        for chosen in world.moves(Order::Any) {
            let mut next = world.clone();
            next.make(&chosen, &mut Choices::first());
            if seen.insert(next.fingerprint()) {
                open.push(next);
            }
        }
    }
    (seen.len(), ends)
}

#[test]
fn every_order_of_moves_leads_to_the_same_end() {
    let mut world = mirrored(Choices::first());
    settle(&mut world);
    for name in ["a", "b"] {
        create(&mut world, name, "1").unwrap();
        world
            .request(&alice(), ApiRequest::update(settings(name, "2"), WriteOptions::default()))
            .unwrap();
    }
    let (states, ends) = explore(world);
    assert!((20..2000).contains(&states), "{states} states");
    for end in ends {
        assert_eq!((copy_of(&end, "a"), copy_of(&end, "b")), (Some("2".into()), Some("2".into())));
    }
}

fn hello(replicas: u64) -> Object {
    Object::from_value(serde_json::json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "hello"}},
            "template": {
                "metadata": {"labels": {"app": "hello"}},
                "spec": {"containers": [{"name": "app", "image": "nginx:1.27"}]},
            },
        },
    }))
    .unwrap()
}

fn running(world: &World) -> usize {
    let pods = world.server().objects_of("", "Pod");
    pods.filter(|pod| pod.text("status.phase") == "Running" && !pod.is_deleting()).count()
}

#[test]
fn a_deployment_becomes_running_pods() {
    for seed in 0..5 {
        let mut world =
            World::builder().seed(seed).controllers(Controllers::Cluster).nodes(2).build();
        world.request(&alice(), ApiRequest::create(hello(3), WriteOptions::default())).unwrap();
        settle(&mut world);
        assert_eq!(running(&world), 3, "seed {seed}");
        let told = world.trace().events();
        let came_up =
            told.filter(|e| matches!(&e.what, What::Workload { state, .. } if state == "Running"));
        assert_eq!(came_up.count(), 3);
    }
}
