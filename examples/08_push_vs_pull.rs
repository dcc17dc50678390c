//! Lesson 8, Push vs pull: what is exposed?
//!
//! ```text
//! cargo run --example 08_push_vs_pull
//! cargo run --example 08_push_vs_pull -- check
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;

use driftlab::api::{ApiRequest, Caller, DeleteOptions, Patch, WriteOptions};
use driftlab::git::{Repository, Tree};
use driftlab::lesson::{self, Exercise, Grade, Lesson, Miss, since_start, writes};
use driftlab::manifest::{self, yaml};
use driftlab::object::{GroupVersionKind, ObjectRef};
use driftlab::report::{Options, drifts, timeline};
use driftlab::sim::{Controllers, Credential, Grant, Pipeline, World, signature};
use driftlab::time::{Duration, Timestamp};
use driftlab::trace::{Event, Role, What};

const APP: &str = "https://git.example.com/app.git";
const CONFIG: &str = "https://git.example.com/config.git";
const IMAGE: &str = "registry.example.com/hello";

fn main() -> ExitCode {
    lesson::main(&LESSON, show)
}

/// The lesson: one script, played in two worlds, and seven questions answered from their logs.
pub(crate) fn show(out: &mut dyn fmt::Write) -> fmt::Result {
    let (push, pull) = (played(Way::Push), played(Way::Pull));
    writeln!(out, "The world that is pushed to:\n")?;
    write!(out, "{}", timeline(push.trace(), &Options::default()))?;
    writeln!(out, "\nThe world that pulls, on the same script:\n")?;
    write!(out, "{}", timeline(pull.trace(), &Options::default()))?;

    let (push, pull) = (Measured::of(&push), Measured::of(&pull));
    writeln!(out, "\n  {:<23}{:<33}pull", "from the logs", "push")?;
    for (question, pushed, pulled) in rows(&push, &pull) {
        writeln!(out, "  {question:<23}{pushed:<33}{pulled}")?;
    }

    assert_eq!((push.writers.as_str(), pull.writers.as_str()), ("ci", "kustomize-controller"));
    assert!(push.keys_outside >= 1 && pull.keys_outside == 0);
    assert!(push.drift_left > 0 && pull.drift_left == 0);
    assert!(!push.rebuilt && pull.rebuilt);
    assert_eq!(pull.explained, 100, "every write of the loop names a commit");
    assert!(push.explained < 100);
    assert!(push.reachable > 0 && pull.reachable == 0);

    writeln!(
        out,
        "\n  Push is not wrong because it fails. It is exposed: its runner holds the key, and"
    )?;
    writeln!(
        out,
        "  nobody looks again. Pull moves the key inside, and looks every minute. Whoever"
    )?;
    writeln!(
        out,
        "  steals the key to the repository still reaches the cluster, and leaves a commit."
    )
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Push,
    Pull,
}

/// A release; a hotfix by hand; a deleted Deployment.
fn played(way: Way) -> World {
    let mut world = world(way);
    world.run_for(Duration::from_mins(1));
    let greeting = [("greeting.txt", Some("Hello, world\n"))];
    world.commit("alice", APP, "Greet the world", &greeting).expect("alice may push");
    world.run_for(Duration::from_mins(9));
    by_hand(&mut world, "kubectl scale deployment/hello -n hello --replicas=5", |kind| {
        let patch = Patch::Merge(serde_json::json!({"spec": {"replicas": 5}}));
        ApiRequest::patch(kind, "hello", "hello", patch, WriteOptions::default())
    });
    world.run_for(Duration::from_mins(10));
    by_hand(&mut world, "kubectl delete deployment/hello -n hello", |kind| {
        ApiRequest::delete(kind, "hello", "hello", DeleteOptions::default())
    });
    world.run_for(Duration::from_mins(10));
    world
}

fn by_hand(world: &mut World, line: &str, request: impl Fn(&GroupVersionKind) -> ApiRequest) {
    let deployments = GroupVersionKind::new("apps/v1", "Deployment");
    world.record("bob", Role::Person, What::Typed { line: line.into() });
    world
        .request(&Caller::new("bob", "kubectl"), request(&deployments))
        .expect("bob may do anything");
}

/// What the logs of one world say.
struct Measured {
    writers: String,
    release: Option<Duration>,
    keys_outside: usize,
    drift_left: usize,
    rebuilt: bool,
    explained: usize,
    reachable: usize,
}

impl Measured {
    fn of(world: &World) -> Self {
        let deploys: Vec<&Event> = deploys(world).collect();
        let writers: BTreeSet<&str> = deploys.iter().map(|event| event.actor.as_str()).collect();
        Measured {
            writers: writers.into_iter().collect::<Vec<_>>().join(", "),
            release: release_after(world),
            keys_outside: outside(world).filter(|c| matches!(c.grant, Grant::Cluster(_))).count(),
            drift_left: drifts(world.trace()).iter().filter(|d| d.healed_after().is_none()).count(),
            rebuilt: image(world).is_some(),
            explained: explained(world),
            reachable: outside(world).map(|stolen| reachable(world, &stolen)).sum(),
        }
    }
}

fn rows(push: &Measured, pull: &Measured) -> [(&'static str, String, String); 7] {
    let row = |question, of: &dyn Fn(&Measured) -> String| (question, of(push), of(pull));
    [
        row("who deploys", &|m| m.writers.clone()),
        row("when", &|m| match m.release {
            Some(span) => format!("{} after the commit", Duration::from_secs(span.as_secs())),
            None => "never".into(),
        }),
        row("keys outside", &|m| format!("{} to the cluster", m.keys_outside)),
        row("drift at the end", &|m| match m.drift_left {
            0 => "none".into(),
            n => format!("{n} never healed"),
        }),
        row("rebuilt when deleted", &|m| if m.rebuilt { "yes" } else { "no" }.into()),
        row("explained by Git", &|m| format!("{} % of the changes", m.explained)),
        row("a stolen key reaches", &|m| match m.reachable {
            0 => "nothing, without a commit".into(),
            n => format!("{n} objects, without a commit"),
        }),
    ]
}

/// Writes to the Deployment by the way's own writer.
fn deploys(world: &World) -> impl Iterator<Item = &Event> {
    writes(world.trace()).filter(|event| {
        matches!(event.role, Role::Engine | Role::Pipeline)
            && matches!(&event.what, What::Request { object, .. } if object.kind == "Deployment")
    })
}

/// How long after alice's commit the new image was written to the cluster.
fn release_after(world: &World) -> Option<Duration> {
    let committed = Duration::from_mins(1);
    let deployed = deploys(world).map(|event| since_start(world.trace(), event));
    deployed.filter(|at| *at > committed).map(|at| at.saturating_sub(committed)).next()
}

/// The share of changes to the Deployment, in percent, by its writer or anybody's hand, that name a
/// commit of the configuration.
///
/// What bob did by hand counts against the push way alone: the pull way undid it, in the name of a
/// commit.
fn explained(world: &World) -> usize {
    let by_git =
        deploys(world).filter(|event| event.role == Role::Engine && !event.revision.is_empty());
    let standing = drifts(world.trace()).iter().filter(|d| d.healed_after().is_none()).count();
    let (explained, all) = (by_git.count(), deploys(world).count() + standing);
    (100 * explained).checked_div(all).unwrap_or(0)
}

/// The credentials that can be stolen outside the cluster.
fn outside(world: &World) -> impl Iterator<Item = Credential> {
    world.credentials().into_iter().filter(|credential| credential.outside)
}

/// How many of the cluster's objects of the application a thief can delete right away, tried out in a
/// copy of the world. A key to a repository leaves a commit, and is counted apart.
fn reachable(world: &World, stolen: &Credential) -> usize {
    let Grant::Cluster(caller) = &stolen.grant else { return 0 };
    let mut copy = world.clone();
    let targets: Vec<(GroupVersionKind, String, String)> = world
        .server()
        .objects()
        .filter(|object| object.namespace() == "hello" || object.name() == "hello")
        .map(|object| (object.gvk(), object.namespace().to_owned(), object.name().to_owned()))
        .collect();
    let mut delete = |(kind, namespace, name): (GroupVersionKind, String, String)| {
        let request = ApiRequest::delete(&kind, &namespace, &name, DeleteOptions::default());
        copy.request(caller, request).is_ok()
    };
    targets.into_iter().filter(|target| delete(target.clone())).count()
}

fn image(world: &World) -> Option<String> {
    let hello = ObjectRef::new("apps", "Deployment", "hello", "hello");
    let object = world.server().get(&hello)?;
    Some(object.text("spec.template.spec.containers.0.image").to_owned())
}

/// What `-- check` grades.
pub(crate) const LESSON: Lesson = Lesson {
    name: "08_push_vs_pull",
    title: "Push vs pull",
    question: "what is exposed?",
    exercise: Exercise {
        task: "Everything that is held outside the cluster will be stolen. Say who holds what, so \
               that a release still arrives, no stolen key writes to the cluster directly, and as \
               few keys as possible reach it through Git.",
        start: include_str!("../tutorials/08_push_vs_pull/exercise.yaml"),
        solution: include_str!("../tutorials/08_push_vs_pull/solution.yaml"),
        wrong: &[
            (include_str!("../tutorials/08_push_vs_pull/wrong/ci-keeps-its-key.yaml"), "ci can"),
            (include_str!("../tutorials/08_push_vs_pull/wrong/just-in-case.yaml"), "alice can"),
            (
                include_str!("../tutorials/08_push_vs_pull/wrong/nobody-may.yaml"),
                "Somebody has to commit",
            ),
        ],
        grade,
    },
};

/// Who holds what, as the learner says it.
struct Plan {
    way: Way,
    kubeconfigs: Vec<String>,
    may_push_config: Vec<String>,
}

fn grade(content: &str) -> Grade {
    let plan = match read(content) {
        Ok(plan) => plan,
        Err(problem) => return Grade::unreadable(problem),
    };
    let mut world = world_of(&plan);
    world.run_for(Duration::from_mins(1));
    let before = image(&world);
    let greeting = [("greeting.txt", Some("Hello, thief\n"))];
    world.commit("alice", APP, "Greet the thief", &greeting).expect("alice may push");
    world.run_for(Duration::from_mins(15));
    let mut grade = Grade::default();
    grade.goal("A release arrives.", (image(&world) == before).then(no_release));
    grade.goal("No stolen key writes to the cluster directly.", reaches_directly(&world));
    grade.goal("One key reaches it through Git, and no more.", reaches_by_git(&plan));
    grade
}

fn no_release() -> Miss {
    Miss {
        wanted: "the image of the commit".into(),
        found: "the image of before, 15 minutes later".into(),
        first: String::new(),
        why: "Somebody has to commit the tag: in the pull way that is what ci's key is for.".into(),
    }
}

fn reaches_directly(world: &World) -> Option<Miss> {
    let thefts = outside(world).map(|stolen| (reachable(world, &stolen), stolen.holder));
    let (most, holder) = thefts.max()?;
    (most > 0).then(|| Miss {
        wanted: "0 objects".into(),
        found: format!("who robs {holder} can delete {most} objects, and leaves no commit"),
        first: String::new(),
        why: format!(
            "What {holder} can do, a thief can. In the pull way nobody outside needs a kubeconfig."
        ),
    })
}

fn reaches_by_git(plan: &Plan) -> Option<Miss> {
    let holders = &plan.may_push_config;
    (holders.len() != 1).then(|| Miss {
        wanted: "1 holder: whoever releases".into(),
        found: format!("{}: {}", holders.len(), holders.join(", ")),
        first: String::new(),
        why: match holders.is_empty() {
            true => "Somebody has to commit the tag, or nothing is ever released.".into(),
            false => {
                "Every key to the configuration reaches the cluster, a minute later and with a \
                      commit. People can open pull requests without one."
                    .into()
            }
        },
    })
}

fn read(content: &str) -> Result<Plan, String> {
    let documents = yaml::documents("exercise.yaml", content).map_err(|error| error.to_string())?;
    let value = documents.into_iter().next().map(|document| document.value).unwrap_or_default();
    let way = match value["delivery"].as_str() {
        Some("push") => Way::Push,
        Some("pull") => Way::Pull,
        _ => return Err(format!("delivery is {}; expected push or pull", value["delivery"])),
    };
    let names = |key: &str| -> Result<Vec<String>, String> {
        let list = value[key].as_array().ok_or(format!("{key} is a list of names"))?;
        let known = ["alice", "bob", "ci"];
        let name = |name: &serde_json::Value| {
            let name = name.as_str().filter(|name| known.contains(name));
            name.map(str::to_owned).ok_or(format!("{key}: expected names of {}", known.join(", ")))
        };
        list.iter().map(name).collect()
    };
    Ok(Plan { way, kubeconfigs: names("kubeconfigs")?, may_push_config: names("may_push_config")? })
}

/// The world of a plan: credentials as it says, beside those that the way itself needs.
fn world_of(plan: &Plan) -> World {
    let mut world = world(plan.way);
    for holder in &plan.kubeconfigs {
        world.grant(holder, Grant::Cluster(Caller::new(holder, "kubectl")));
    }
    if plan.way == Way::Push && !plan.kubeconfigs.contains(&"ci".to_owned()) {
        world.revoke("ci", &Grant::Cluster(ci()));
    }
    let may_push = |holder: &str| plan.may_push_config.iter().any(|name| name == holder);
    for holder in ["alice", "bob", "ci"] {
        match may_push(holder) {
            true => world.grant(holder, Grant::Repository(CONFIG.into())),
            false => world.revoke(holder, &Grant::Repository(CONFIG.into())),
        }
    }
    world
}

fn ci() -> Caller {
    Caller::new("ci", "kubectl/v1.36.0")
}

fn world(way: Way) -> World {
    let controllers = if way == Way::Pull { Controllers::All } else { Controllers::Cluster };
    let hello = include_str!("../tutorials/08_push_vs_pull/hello.yaml");
    let mut world = World::builder()
        .seed(8)
        .nodes(2)
        .controllers(controllers)
        .images(&["registry.example.com/hello:v0"])
        .expect("the image has a valid name")
        .repository(
            APP,
            repository(&[
                ("Dockerfile", "FROM scratch\nCOPY greeting.txt /\n"),
                ("greeting.txt", "Hello\n"),
                ("app.test", "greeting.txt contains Hello\n"),
                ("deploy/hello.yaml", hello),
            ]),
        )
        .repository(CONFIG, repository(&[("apps/hello.yaml", hello)]))
        .build();
    world.add_pipeline(match way {
        Way::Push => Pipeline::push(APP, IMAGE, "deploy"),
        Way::Pull => Pipeline::pull(APP, IMAGE, CONFIG, "apps"),
    });
    if way == Way::Pull {
        let sync = include_str!("../tutorials/08_push_vs_pull/sync.yaml");
        for object in manifest::objects("sync.yaml", sync).expect("the lesson is well-formed") {
            let request = ApiRequest::create(object, WriteOptions::default());
            world.request(&Caller::new("admin", "kubectl"), request).expect("it is well-formed");
        }
    }
    world
}

fn repository(files: &[(&str, &str)]) -> Repository {
    let mut repository = Repository::new();
    let alice = signature("alice", Timestamp::START);
    let tree = Tree::from_files(files.iter().copied()).expect("the paths are valid");
    repository.commit(tree, "Start", alice.clone(), alice);
    repository
}
