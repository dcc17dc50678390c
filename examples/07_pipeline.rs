//! Lesson 7, Pipeline: how does code arrive?
//!
//! ```text
//! cargo run --example 07_pipeline
//! cargo run --example 07_pipeline -- check
//! ```

use std::fmt;
use std::process::ExitCode;

use driftlab::api::{ApiRequest, Caller, WriteOptions};
use driftlab::git::{Repository, Tree};
use driftlab::lesson::{self, Exercise, Grade, Lesson, Miss, since_start, writes};
use driftlab::manifest::{self, yaml};
use driftlab::object::ObjectRef;
use driftlab::report::{Options, timeline};
use driftlab::sim::{Pipeline, Stage, World, run_tests, signature};
use driftlab::time::{Duration, Timestamp};
use driftlab::trace::{Event, Role, What};

const APP: &str = "https://git.example.com/app.git";
const CONFIG: &str = "https://git.example.com/config.git";
const IMAGE: &str = "registry.example.com/hello";

fn main() -> ExitCode {
    lesson::main(&LESSON, show)
}

/// The lesson: from a commit of code to running pods, by two repositories and no key to the cluster.
pub(crate) fn show(out: &mut dyn fmt::Write) -> fmt::Result {
    let mut world = world(&good_app(), pull());
    world.run_for(Duration::from_mins(1));
    commit(&mut world, "Greet the world", "greeting.txt", "Hello, world\n");
    world.run_for(Duration::from_mins(9));
    let arrived = chain(&world);

    // A red test ends it before anything is released.
    let (images, config) = (world.registry().tags(IMAGE).len(), head(&world, CONFIG));
    commit(&mut world, "Be rude", "greeting.txt", "Go away\n");
    world.run_for(Duration::from_mins(10));
    assert_eq!((world.registry().tags(IMAGE).len(), head(&world, CONFIG)), (images, config));

    // A commit of configuration builds nothing.
    let runs = world.runs().count();
    world.commit("bob", CONFIG, "Say more", &[("notes.md", Some("Hello is greeted.\n"))]).unwrap();
    world.run_for(Duration::from_mins(5));
    assert_eq!(world.runs().count(), runs);

    write!(out, "{}", timeline(world.trace(), &Options::default()))?;

    writeln!(out, "\n  How \"Greet the world\" arrived:\n")?;
    for (at, hop) in &arrived {
        writeln!(out, "  {:>6}  {hop}", Duration::from_secs(at.as_secs()).to_string())?;
    }
    let names: Vec<&str> = arrived.iter().filter_map(|(_, hop)| hop.split(' ').next()).collect();
    assert_eq!(names, ["app", "build", "test", "image", "config", "pull", "apply", "pod"]);
    assert!(arrived.is_sorted_by_key(|(at, _)| *at), "each follows from the one before");
    assert_eq!(writes_of_ci(&world), 0);

    writeln!(
        out,
        "\n  CI wrote to the cluster {} times: it holds no key to it.",
        writes_of_ci(&world)
    )?;
    writeln!(out, "  The red test built no image and made no commit. The note built nothing.")
}

/// The hops of the first change, each with its time.
fn chain(world: &World) -> Vec<(Duration, String)> {
    let tag = head(world, APP)[..7].to_owned();
    let mut hops = Vec::new();
    let mut hop = |name: &str, told: String, is_it: &dyn Fn(&Event) -> bool| {
        let after = hops.last().map_or(Duration::ZERO, |(at, _)| *at);
        let at = |event: &Event| since_start(world.trace(), event);
        if let Some(event) = world.trace().events().find(|e| at(e) >= after && is_it(e)) {
            hops.push((at(event), format!("{name:<7} {told}")));
        }
    };
    let moved = |event: &Event, repository: &str, by: &str| {
        event.actor == by
            && matches!(&event.what, What::RefMoved { repository: found, from, .. }
                if found == repository && !from.is_empty())
    };
    let stage = |event: &Event, wanted: &str| matches!(&event.what, What::Pipeline { stage, ok: true, .. } if stage == wanted);
    hop("app", format!("alice pushed {tag}"), &|e| moved(e, "app", "alice"));
    hop("build", "ci built it".into(), &|e| stage(e, "build"));
    hop("test", "ci tested it".into(), &|e| stage(e, "test"));
    hop("image", format!("ci pushed {IMAGE}:{tag}"), &|e| stage(e, "push"));
    hop("config", format!("ci committed the tag {tag}"), &|e| moved(e, "config", "ci"));
    hop(
        "pull",
        "source-controller fetched the commit".into(),
        &|e| matches!(&e.what, What::Fetched { error, .. } if error.is_empty()),
    );
    hop("apply", "kustomize-controller applied it".into(), &|e| {
        e.role == Role::Engine
            && matches!(&e.what, What::Request { object, changed, dry_run: false, .. }
                if object.kind == "Deployment" && !changed.is_empty())
    });
    hop("pod", "a pod runs it".into(), &|e| {
        matches!(&e.what, What::Workload { object, state, .. }
            if object.kind == "Pod" && state == "Running")
    });
    hops
}

/// What `-- check` grades.
pub(crate) const LESSON: Lesson = Lesson {
    name: "07_pipeline",
    title: "Pipeline",
    question: "how does code arrive?",
    exercise: Exercise {
        task: "The application's tests are red, and CI reaches into the cluster. Change the \
               application and the way it is delivered, so that your greeting runs in the cluster, \
               tested, and CI writes nothing there.",
        start: include_str!("../tutorials/07_pipeline/exercise.yaml"),
        solution: include_str!("../tutorials/07_pipeline/solution.yaml"),
        wrong: &[
            (include_str!("../tutorials/07_pipeline/wrong/no-tests.yaml"), "without tests"),
            (
                include_str!("../tutorials/07_pipeline/wrong/still-red.yaml"),
                "A red test ends the run",
            ),
            (include_str!("../tutorials/07_pipeline/wrong/push.yaml"), "holds a key"),
        ],
        grade,
    },
};

/// What the learner writes: the application's files, and how it is delivered.
struct Submission {
    delivery: String,
    files: Vec<(String, String)>,
}

fn grade(content: &str) -> Grade {
    let submission = match read(content) {
        Ok(submission) => submission,
        Err(problem) => return Grade::unreadable(problem),
    };
    let pipeline = if submission.delivery == "push" { push() } else { pull() };
    let mut world = world(&good_app(), pipeline);
    world.run_for(Duration::from_mins(1));
    let files: Vec<(&str, Option<&str>)> =
        submission.files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    if let Err(refused) = world.commit("you", APP, "My greeting", &files) {
        return Grade::unreadable(refused.to_string());
    }
    world.run_for(Duration::from_mins(15));
    let mut grade = Grade::default();
    grade.goal("The application has at least two tests, and they pass.", red(&world));
    grade.goal("Its image was built and pushed.", not_built(&world));
    grade.goal("The cluster runs the image of your commit.", not_running(&world));
    grade.equal(
        "CI writes nothing to the cluster.",
        0,
        writes_of_ci(&world),
        "A runner that applies holds a key to the cluster. Let it commit the tag, and let the \
         cluster pull.",
    );
    grade
}

fn read(content: &str) -> Result<Submission, String> {
    let documents = yaml::documents("exercise.yaml", content).map_err(|error| error.to_string())?;
    let value = documents.into_iter().next().map(|document| document.value).unwrap_or_default();
    let delivery = value["delivery"].as_str().unwrap_or_default().to_owned();
    if !["push", "pull"].contains(&delivery.as_str()) {
        return Err(format!("delivery is {delivery:?}; expected push or pull"));
    }
    let files = value["application"].as_object().ok_or("'application' maps paths to contents")?;
    let texts = files.iter().map(|(path, text)| Some((path.clone(), text.as_str()?.to_owned())));
    let files = texts.collect::<Option<_>>().ok_or("the content of a file is a text")?;
    Ok(Submission { delivery, files })
}

fn red(world: &World) -> Option<Miss> {
    let app = tree(world, APP);
    let (found, why) = match run_tests(&app) {
        Ok(n) if n >= 2 => return None,
        Ok(n) => (format!("{n} tests"), "What is released without tests is tested by your users."),
        Err(failure) => (failure, "A red test ends the run: no image, no commit, no release."),
    };
    Some(Miss { wanted: "2 tests pass".into(), found, why: why.into(), ..Miss::default() })
}

fn not_built(world: &World) -> Option<Miss> {
    let tag = head(world, APP)[..7].to_owned();
    let there = world.registry().image(&format!("{IMAGE}:{tag}")).is_ok();
    let stage = world.runs().last().map(|run| match &run.stage {
        Stage::Failed(why) => format!("the run failed: {why}"),
        stage => format!("the run is at {}", stage.name()),
    });
    (!there).then(|| Miss {
        wanted: format!("{IMAGE}:{tag}"),
        found: stage.unwrap_or_else(|| "no run".into()),
        ..Miss::default()
    })
}

fn not_running(world: &World) -> Option<Miss> {
    let wanted = format!("{IMAGE}:{}", &head(world, APP)[..7]);
    let hello = ObjectRef::new("apps", "Deployment", "hello", "hello");
    let found = world.server().get(&hello);
    let image = found.map(|o| o.text("spec.template.spec.containers.0.image")).unwrap_or_default();
    (image != wanted).then(|| Miss { wanted, found: image.to_owned(), ..Miss::default() })
}

/// Writes to the Kubernetes API by a pipeline.
fn writes_of_ci(world: &World) -> usize {
    writes(world.trace()).filter(|event| event.role == Role::Pipeline).count()
}

fn pull() -> Pipeline {
    Pipeline::pull(APP, IMAGE, CONFIG, "apps")
}

fn push() -> Pipeline {
    Pipeline::push(APP, IMAGE, "deploy")
}

fn good_app() -> Tree {
    Tree::from_files([
        ("Dockerfile", "FROM scratch\nCOPY greeting.txt /\n"),
        ("greeting.txt", "Hello\n"),
        ("app.test", "greeting.txt contains Hello\ngreeting.txt lacks TODO\n"),
        ("deploy/hello.yaml", include_str!("../tutorials/07_pipeline/hello.yaml")),
    ])
    .expect("the paths are valid")
}

/// Two repositories, a registry, a pipeline, and a cluster that pulls.
fn world(app: &Tree, pipeline: Pipeline) -> World {
    let config = Tree::from_files([(
        "apps/hello.yaml",
        include_str!("../tutorials/07_pipeline/hello.yaml"),
    )]);
    let config = config.expect("the path is valid");
    let mut world = World::builder()
        .seed(7)
        .nodes(2)
        .images(&["registry.example.com/hello:v0"])
        .expect("the image has a valid name")
        .repository(APP, repository(app))
        .repository(CONFIG, repository(&config))
        .build();
    world.add_pipeline(pipeline);
    let admin = Caller::new("admin", "kubectl");
    let sync = include_str!("../tutorials/07_pipeline/sync.yaml");
    for object in manifest::objects("sync.yaml", sync).expect("the lesson is well-formed") {
        let request = ApiRequest::create(object, WriteOptions::default());
        world.request(&admin, request).expect("the lesson is well-formed");
    }
    world
}

fn repository(tree: &Tree) -> Repository {
    let mut repository = Repository::new();
    let alice = signature("alice", Timestamp::START);
    repository.commit(tree.clone(), "Start", alice.clone(), alice);
    repository
}

fn commit(world: &mut World, message: &str, path: &str, content: &str) {
    world.commit("alice", APP, message, &[(path, Some(content))]).expect("alice may push");
}

fn head(world: &World, url: &str) -> String {
    let repository = world.repository(url).expect("the lesson has it");
    repository.head_id().map(|id| id.to_string()).unwrap_or_default()
}

fn tree(world: &World, url: &str) -> Tree {
    let repository = world.repository(url).expect("the lesson has it");
    let head = repository.head_id().and_then(|id| repository.find_commit(id).ok());
    head.map(|commit| commit.tree.clone()).unwrap_or_default()
}
