//! From a commit of code to a change in the configuration repository, or to a change in the cluster.

use driftlab::api::{ApiRequest, Caller};
use driftlab::git::{Repository, Tree};
use driftlab::object::ObjectRef;
use driftlab::sim::{
    Controllers, Fault, FaultAction, Grant, Pipeline, Requests, Stage, World, signature,
};
use driftlab::time::{Duration, Timestamp};
use driftlab::trace::{Role, What};

const APP: &str = "https://git.example.com/app";
const CONFIG: &str = "https://git.example.com/config";
const IMAGE: &str = "ghcr.io/acme/hello";

fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: default}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n      - name: app\n        image: {IMAGE}:v0\n"
    )
}

fn repository(files: &[(&str, &str)]) -> Repository {
    let mut repository = Repository::new();
    let ada = signature("ada", Timestamp::START);
    let tree = Tree::from_files(files.iter().copied()).unwrap();
    repository.commit(tree, "Start", ada.clone(), ada);
    repository
}

/// An application, its configuration, and the pipeline between them.
fn world(pipeline: Pipeline) -> World {
    let (a, b) = (deployment("a"), deployment("b"));
    let app = [
        ("Dockerfile", "FROM scratch\n"),
        ("greeting.txt", "Hello\n"),
        ("app.test", "greeting.txt contains Hello\n"),
        ("deploy/a.yaml", a.as_str()),
        ("deploy/b.yaml", b.as_str()),
    ];
    let mut world = World::builder()
        .controllers(Controllers::None)
        .nodes(0)
        .repository(APP, repository(&app))
        .repository(CONFIG, repository(&[("apps/hello.yaml", &deployment("hello"))]))
        .build();
    world.add_pipeline(pipeline);
    world
}

fn pull() -> Pipeline {
    Pipeline::pull(APP, IMAGE, CONFIG, "apps")
}

fn push() -> Pipeline {
    Pipeline::push(APP, IMAGE, "deploy")
}

/// Commits to the application and lets the pipeline do what it does.
fn change(world: &mut World, greeting: &str) {
    world.commit("alice", APP, "Greet otherwise", &[("greeting.txt", Some(greeting))]).unwrap();
    world.run_until_quiet(Duration::from_mins(10)).unwrap();
}

/// The stages that the trace tells, with how they went.
fn stages(world: &World) -> Vec<(String, bool)> {
    let told = world.trace().events().filter_map(|event| match &event.what {
        What::Pipeline { stage, ok, .. } => Some((stage.clone(), *ok)),
        _ => None,
    });
    told.collect()
}

fn head(world: &World, url: &str) -> String {
    world.repository(url).unwrap().head_id().unwrap().to_string()
}

fn images(world: &World) -> Vec<String> {
    let image = |object: &driftlab::object::Object| {
        object.text("spec.template.spec.containers.0.image").to_owned()
    };
    world.server().objects_of("apps", "Deployment").map(image).collect()
}

fn api_requests(world: &World) -> usize {
    let by_ci = world.trace().events().filter(|e| e.role == Role::Pipeline);
    by_ci.filter(|event| matches!(event.what, What::Request { .. })).count()
}

#[test]
fn the_pull_way_ends_with_a_commit_of_the_tag_and_never_meets_the_cluster() {
    let mut world = world(pull());
    let before = head(&world, CONFIG);
    change(&mut world, "Hello, world\n");
    let tag = head(&world, APP)[..7].to_owned();
    assert_eq!(
        stages(&world),
        [("build".into(), true), ("test".into(), true), ("push".into(), true)]
    );
    let config = world.repository(CONFIG).unwrap();
    assert_eq!(config.resolve("HEAD~1").unwrap().to_string(), before, "one commit more");
    let text = config.tree("HEAD").unwrap().text("apps/hello.yaml").unwrap().to_owned();
    assert!(text.contains(&format!("image: {IMAGE}:{tag}\n")), "{text}");
    let pushed = world.registry().image(&format!("{IMAGE}:{tag}")).unwrap();
    assert_eq!(pushed.revision.as_ref(), head(&world, APP));
    assert_eq!(api_requests(&world), 0);
    let outside = world.credentials().into_iter().filter(|c| c.outside);
    assert!(!outside.into_iter().any(|c| matches!(c.grant, Grant::Cluster(_))));
}

#[test]
fn the_push_way_ends_in_the_cluster_with_ci_as_the_writer() {
    let mut world = world(push());
    change(&mut world, "Hello, world\n");
    let tag = head(&world, APP)[..7].to_owned();
    assert_eq!(images(&world), vec![format!("{IMAGE}:{tag}"); 2]);
    assert_eq!(api_requests(&world), 2);
    let outside = world.credentials().into_iter().filter(|c| c.outside);
    assert_eq!(outside.filter(|c| matches!(c.grant, Grant::Cluster(_))).count(), 1);
}

#[test]
fn a_red_test_ends_the_run_before_anything_is_released() {
    for (pipeline, name) in [(pull(), "pull"), (push(), "push")] {
        let mut world = world(pipeline);
        let (config, pushed) = (head(&world, CONFIG), world.registry().tags(IMAGE).len());
        change(&mut world, "Goodbye\n");
        assert_eq!(stages(&world), [("build".into(), true), ("test".into(), false)], "{name}");
        assert!(
            matches!(&world.runs().next().unwrap().stage, Stage::Failed(why) if why.contains("does not contain"))
        );
        assert_eq!(head(&world, CONFIG), config);
        assert_eq!((world.registry().tags(IMAGE).len(), images(&world).len()), (pushed, 0));
    }
}

#[test]
fn a_commit_of_configuration_builds_nothing() {
    let mut world = world(pull());
    world.commit("bob", CONFIG, "More", &[("apps/x.yaml", Some("a: 1\n"))]).unwrap();
    world.run_for(Duration::from_hours(1));
    assert_eq!(world.runs().count(), 0);
}

#[test]
fn a_runner_lost_halfway_leaves_the_cluster_half_changed() {
    let mut world = world(push());
    let crash = FaultAction::Crash {
        actor: String::new(),
        after_request: true,
        restart_after: Duration::ZERO,
    };
    world.inject(Fault::at_request("ci", "patch", 1, crash));
    change(&mut world, "Hello, world\n");
    assert_eq!(images(&world).len(), 1, "the second was never applied");
    assert!(
        matches!(&world.runs().next().unwrap().stage, Stage::Failed(why) if why == "the runner was lost")
    );
    world.rerun("ci", "main").unwrap();
    world.run_until_quiet(Duration::from_mins(10)).unwrap();
    assert_eq!(images(&world).len(), 2);
}

#[test]
fn a_rerun_of_an_old_commit_rolls_back() {
    let mut world = world(push());
    change(&mut world, "Hello, one\n");
    let first = images(&world);
    change(&mut world, "Hello, two\n");
    assert_ne!(images(&world), first);
    world.rerun("ci", "HEAD~1").unwrap();
    world.run_until_quiet(Duration::from_mins(10)).unwrap();
    assert_eq!(images(&world), first);
    assert!(world.rerun("ci", "nowhere").is_err() && world.rerun("cd", "main").is_err());
}

#[test]
fn a_run_fails_without_the_credential_it_needs() {
    let mut world = world(push());
    world.revoke("ci", &Grant::Cluster(Caller::new("ci", "kubectl/v1.36.0")));
    change(&mut world, "Hello, world\n");
    assert_eq!(images(&world).len(), 0);
    assert_eq!(stages(&world).last(), Some(&("deploy".to_owned(), false)));
}

#[test]
fn what_stands_in_the_way_of_a_run_ends_it() {
    let any = Requests::default;
    let faults = [
        (FaultAction::GitDown { url: CONFIG.into() }, "connection refused"),
        (FaultAction::RegistryDown {}, "connection refused"),
    ];
    for (fault, expected) in faults {
        let mut world = world(pull());
        world.inject(Fault::at(Duration::ZERO, fault.clone()));
        change(&mut world, "Hello, world\n");
        let run = world.runs().next().unwrap();
        assert!(
            matches!(&run.stage, Stage::Failed(why) if why.contains(expected)),
            "{fault}: {:?}",
            run.stage
        );
    }
    let mut world = world(push());
    world.inject(Fault::at(Duration::ZERO, FaultAction::ApiError { code: 503, requests: any() }));
    change(&mut world, "Hello, world\n");
    let run = world.runs().next().unwrap();
    assert!(
        matches!(&run.stage, Stage::Failed(why) if why.contains("unable to handle")),
        "{:?}",
        run.stage
    );
}

#[test]
fn what_a_person_does_in_the_cluster_is_told_as_theirs() {
    let mut world = world(push());
    let alice = Caller::new("alice", "kubectl/v1.36.0");
    change(&mut world, "Hello, world\n");
    let kind = driftlab::object::GroupVersionKind::new("apps/v1", "Deployment");
    world.request(&alice, ApiRequest::delete(&kind, "default", "a", Default::default())).unwrap();
    let told = world.trace().events().last().unwrap();
    assert_eq!((told.actor.as_str(), told.role), ("alice", Role::Person));
    assert!(world.server().get(&ObjectRef::new("apps", "Deployment", "default", "a")).is_none());
}
