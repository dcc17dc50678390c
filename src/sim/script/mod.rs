//! A scenario as plain data: what there is, what happens when, and what must hold.
//!
//! The text of its steps is not understood here: commands are, like files, what a person wrote. Reading
//! a scenario file and running a scenario are the work of `scenario`.

mod print;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::apiserver::webhook::Webhook;
use crate::engine::Policies;
use crate::git::forge::{Protection, Role, Scope};
use crate::sim::{FaultAction, FaultPlan};
use crate::time::Duration;

/// What is in the repositories and the cluster, what happens when, and what must hold.
///
/// It is plain data: a person writes it as YAML, a test builds it, a checker that finds a
/// counterexample hands it out, and all three are the same thing.
///
/// ```
/// use driftlab::sim::Scenario;
/// let scenario = Scenario::new("Somebody scales by hand")
///     .repository("config", [("hello.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: hello}\n")])
///     .sync("apps", "config", ".")
///     .at("2m")
///     .as_("alice")
///     .run("kubectl scale deployment/hello -n hello --replicas=5");
/// assert_eq!(scenario.steps[0].at.to_string(), "2m0s");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// What it is called.
    pub title: String,
    /// What it shows, in a few sentences.
    pub about: String,
    /// The seed of every choice that the world leaves open.
    pub seed: u64,
    /// How long it runs; unset: until every deadline has passed and nothing moves any more.
    pub until: Option<Duration>,
    /// The Git repositories by name.
    pub repositories: BTreeMap<String, RepositorySpec>,
    /// The tokens of the forge, by secret.
    pub tokens: BTreeMap<String, TokenSpec>,
    /// The cluster as it is at the start.
    pub cluster: ClusterSpec,
    /// The images in the registry; `None`: whatever is asked for is there.
    pub registry: Option<Vec<String>>,
    /// Continuous integration, by name.
    pub pipelines: BTreeMap<String, PipelineSpec>,
    /// What the GitOps engine keeps in sync, by name of the Kustomization.
    pub sync: BTreeMap<String, SyncSpec>,
    /// Who answers admission webhooks, by name; configurations in the cluster lead to them.
    pub webhooks: BTreeMap<String, Webhook>,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// What is done, by time; steps of the same time in the order written.
    pub steps: Vec<Step>,
    /// What must hold.
    pub expect: Vec<Expectation>,
}

/// A Git repository at the start of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositorySpec {
    /// Its address; unset: `https://git.example.com/NAME.git`.
    pub url: String,
    /// Its default branch.
    pub branch: String,
    /// The files of its first commit, by path.
    pub files: BTreeMap<String, String>,
    /// A folder or a Git repository on disk that it is a copy of, relative to the scenario file; empty
    /// for none.
    pub from: String,
    /// Whether the default branch moves by pull requests only, and how many must approve of one.
    pub approvals: Option<u32>,
    /// Whether its default branch takes signed commits only.
    pub signed: bool,
    /// Whether only those with a role may know of it.
    pub private: bool,
    /// Who may do what; empty: everybody who is known may push.
    pub roles: BTreeMap<String, Role>,
    /// Rules for its branches, in place of what `approvals` and `signed` ask of the default branch.
    pub protect: Vec<Protection>,
    /// Addresses that are told of every event by webhook.
    pub hooks: Vec<String>,
}

/// A token at the forge. While there is one, nobody does anything there without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSpec {
    /// Whose powers it gives.
    pub user: String,
    /// What for; unset: for everything.
    pub scopes: Option<BTreeSet<Scope>>,
    /// The names of the repositories that it is good for; unset: all.
    pub repositories: Option<BTreeSet<String>>,
    /// How long after the start it ends; unset: never.
    pub until: Option<Duration>,
}

/// A cluster at the start of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSpec {
    /// Whether Flux is installed: its custom resource definitions and controllers.
    pub flux: bool,
    /// How many nodes there are.
    pub nodes: u32,
    /// Manifests that are applied before anything else, by a cluster administrator.
    pub apply: Vec<String>,
    /// Those who may do only what roles allow them, and their groups. Everybody else is an administrator.
    pub people: BTreeMap<String, Vec<String>>,
    /// Where the engine differs from Flux.
    pub policies: Policies,
}

/// A GitRepository and a Kustomization of the same name, in `flux-system`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncSpec {
    /// The repository's name in the scenario.
    pub repository: String,
    /// `spec.interval` of the GitRepository; unset: 1 m.
    pub source_interval: Option<Duration>,
    /// Whether a push to the repository wakes the engine, by webhook and Receiver.
    pub webhook: bool,
    /// Fields of the Kustomization's `spec` that differ from path `./`, interval 1 m, prune.
    pub spec: BTreeMap<String, Value>,
}

/// What builds and tests the commits of an application repository, and pushes an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipelineSpec {
    /// The application repository's name in the scenario.
    pub repository: String,
    /// The branch that is built.
    pub branch: String,
    /// The image without a tag, such as `ghcr.io/acme/hello`.
    pub image: String,
    /// What becomes of the image.
    pub delivery: DeliverySpec,
    /// Whether every branch is built and tested, and what comes of it reported to the forge as a check.
    pub checks: bool,
    /// How long building takes; unset: a minute.
    pub build: Option<Duration>,
    /// How long testing takes; unset: half a minute.
    pub test: Option<Duration>,
}

/// What becomes of an image that was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeliverySpec {
    /// Its tag is committed to a configuration repository, for an engine to pull.
    Commit {
        /// The configuration repository's name in the scenario.
        repository: String,
        /// The folder with the files that name the image.
        folder: String,
    },
    /// The application's own manifests are applied to the cluster, from outside.
    Apply {
        /// The folder of the application repository with the manifests.
        folder: String,
    },
    /// Nothing: a person takes it from there.
    #[default]
    None,
}

/// Something that is done at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// When, since the start.
    pub at: Duration,
    /// By whom; empty: by `alice`.
    pub who: String,
    /// In which repository, where it matters; empty: in the only one.
    pub repository: String,
    /// What, in order.
    pub actions: Vec<Action>,
    /// How its commands must exit; unset: 0.
    pub exit: Option<u8>,
    /// What its commands' output must contain; empty: nothing particular.
    pub output: String,
}

/// One thing that is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Say something to the reader.
    Note(String),
    /// Write a file in the working copy.
    Write {
        /// Its path.
        path: String,
        /// Its content.
        content: String,
    },
    /// Change a text in a file of the working copy, wherever it stands.
    Edit {
        /// The file's path.
        path: String,
        /// What to look for; must be there.
        replace: String,
        /// What to put in its place.
        with: String,
    },
    /// Delete a file, or a folder, of the working copy.
    Remove {
        /// Its path.
        path: String,
    },
    /// Type commands, one a line: `kubectl`, `git`, `flux`.
    Run(String),
    /// Put an image into the registry.
    Image(String),
    /// Let something go wrong.
    Fault {
        /// What.
        what: FaultAction,
        /// For how long; unset: to the end, or once.
        lasts: Option<Duration>,
    },
    /// Set what a workload's pods use of a resource, for an autoscaler to read.
    Metrics {
        /// The workload: `deployment/hello -n hello`.
        of: String,
        /// The resource: `cpu`, `memory`.
        resource: String,
        /// A quantity, for each pod: `400m`.
        value: String,
    },
}

/// Something that must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What.
    pub claim: Claim,
    /// When.
    pub when: When,
    /// Only what happens, or is so, from then on is counted; unset: from the start. What a step of a
    /// scenario file expects counts from that step on.
    pub from: Option<Duration>,
}

/// When an expectation must hold; times count from the start of the run.
///
/// A claim about a state (a field, an object, pods, convergence) is about that moment; a claim that counts
/// (writes, writers, commits, drift) is about all that happened [from then](Expectation::from) on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum When {
    /// `at the end`: when the run is over.
    #[default]
    End,
    /// `at: T`: at that time, after what is done at that very time.
    At(Duration),
    /// `by: T`, or in a step `within: SPAN`: not later than that, and still so then. What is so for a
    /// while and no more at T does not hold. The verdict says since when it has been so, or that it was
    /// so *all along*: then nothing that counts brought it about. What is done at T itself comes after.
    By(Duration),
    /// `always: true`: all the time, `until: T` or (`None`) to the end.
    Always(Option<Duration>),
    /// `never: true`: at no time, `until: T` or (`None`) to the end.
    Never(Option<Duration>),
}

/// What can be expected. Objects are named as for kubectl: `deployment/hello -n hello`.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// A field of an object is as tested.
    Field {
        /// The object.
        of: String,
        /// The field, dotted; list items by position or key: `spec.template.spec.containers[hello].image`.
        field: String,
        /// How it must be.
        test: Test,
    },
    /// An object exists, or does not.
    Object {
        /// The object.
        of: String,
        /// Whether it does.
        exists: bool,
    },
    /// Everything that is kept in sync is Ready at the newest revision, and the cluster has it all.
    Converged,
    /// Writes that changed something.
    Writes {
        /// How many.
        count: Count,
        /// By whom; empty: by anyone but the cluster's own controllers.
        actor: String,
        /// To which object; empty: to any.
        of: String,
    },
    /// Exactly these wrote, of all but the cluster's own controllers.
    Writers {
        /// Their names.
        are: Vec<String>,
        /// To which object; empty: to any.
        of: String,
    },
    /// Commits on the default branch of a repository that were not there at the start.
    Commits {
        /// How many.
        count: Count,
        /// In which repository; empty: in the only one.
        repository: String,
    },
    /// Pods of a workload that are in a state, as `kubectl get pods` shows it.
    Pods {
        /// How many.
        count: Count,
        /// The workload.
        of: String,
        /// The state: `Running`, `ImagePullBackOff` …
        are: String,
    },
    /// No drift lasts longer.
    Drift {
        /// Than this.
        at_most: Duration,
        /// Of which object; empty: of any.
        of: String,
    },
}

/// How a field must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Equal to a value.
    Is(Value),
    /// Different from a value, or absent.
    IsNot(Value),
    /// A text that contains another.
    Contains(String),
    /// There, or not.
    Exists(bool),
    /// Owned by this field manager, among others perhaps.
    SetBy(String),
}

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    /// So many.
    Exactly(u64),
    /// So many or fewer.
    AtMost(u64),
    /// So many or more.
    AtLeast(u64),
}

/// Building one in Rust.
impl Scenario {
    /// A scenario in which nothing happens yet.
    pub fn new(title: &str) -> Self {
        Scenario { title: title.into(), seed: 1, ..Scenario::default() }
    }

    /// Adds a repository whose first commit has these files.
    pub fn repository<P: Into<String>, C: Into<String>>(
        mut self,
        name: &str,
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Self {
        let files = files.into_iter().map(|(path, content)| (path.into(), content.into()));
        let spec = RepositorySpec { files: files.collect(), ..RepositorySpec::default() };
        self.repositories.insert(name.into(), spec);
        self
    }

    /// Keeps a path of a repository in sync: every minute, with pruning.
    pub fn sync(mut self, name: &str, repository: &str, path: &str) -> Self {
        let spec = BTreeMap::from([("path".to_owned(), Value::from(path))]);
        let sync = SyncSpec { repository: repository.into(), spec, ..SyncSpec::default() };
        self.sync.insert(name.into(), sync);
        self
    }

    /// Applies manifests at the start.
    pub fn apply(mut self, manifests: &str) -> Self {
        self.cluster.apply.push(manifests.into());
        self
    }

    /// Adds somebody who answers admission webhooks, in place of one of that name.
    pub fn webhook(mut self, webhook: Webhook) -> Self {
        self.webhooks.insert(webhook.name.clone(), webhook);
        self
    }

    /// Lets it run this long.
    ///
    /// # Panics
    ///
    /// When the text is no duration such as `10m`.
    pub fn until(mut self, span: &str) -> Self {
        self.until = Some(duration(span));
        self
    }

    /// Begins a step at a time since the start; what follows belongs to it.
    ///
    /// # Panics
    ///
    /// When the text is no duration such as `2m`.
    pub fn at(mut self, time: &str) -> Self {
        self.steps.push(Step { at: duration(time), ..Step::default() });
        self
    }

    /// Says who does the step.
    pub fn as_(mut self, who: &str) -> Self {
        self.step().who = who.into();
        self
    }

    /// Says in which repository.
    pub fn in_(mut self, repository: &str) -> Self {
        self.step().repository = repository.into();
        self
    }

    /// Types commands, one a line.
    pub fn run(self, commands: &str) -> Self {
        self.act(Action::Run(commands.into()))
    }

    /// Writes a file in the working copy.
    pub fn write(self, path: &str, content: &str) -> Self {
        self.act(Action::Write { path: path.into(), content: content.into() })
    }

    /// Changes a text in a file of the working copy.
    pub fn edit(self, path: &str, replace: &str, with: &str) -> Self {
        self.act(Action::Edit { path: path.into(), replace: replace.into(), with: with.into() })
    }

    /// Deletes a file of the working copy.
    pub fn remove(self, path: &str) -> Self {
        self.act(Action::Remove { path: path.into() })
    }

    /// Adds to the step whatever else can be done.
    pub fn act(mut self, action: Action) -> Self {
        self.step().actions.push(action);
        self
    }

    /// Adds something that must hold.
    pub fn expect(mut self, claim: Claim, when: When) -> Self {
        self.expect.push(Expectation { claim, when, from: None });
        self
    }

    fn step(&mut self) -> &mut Step {
        if self.steps.is_empty() {
            self.steps.push(Step::default());
        }
        self.steps.last_mut().expect("there is one")
    }
}

impl Claim {
    /// A field equals a value: `Claim::field("deployment/hello -n hello", "spec.replicas", 3)`.
    pub fn field(of: &str, field: &str, is: impl Into<Value>) -> Self {
        Claim::Field { of: of.into(), field: field.into(), test: Test::Is(is.into()) }
    }
}

impl Count {
    /// Whether a number is meant.
    pub fn includes(self, number: u64) -> bool {
        match self {
            Count::Exactly(n) => number == n,
            Count::AtMost(n) => number <= n,
            Count::AtLeast(n) => number >= n,
        }
    }
}

impl Default for RepositorySpec {
    fn default() -> Self {
        RepositorySpec {
            url: String::new(),
            branch: "main".into(),
            files: BTreeMap::new(),
            from: String::new(),
            approvals: None,
            signed: false,
            private: false,
            roles: BTreeMap::new(),
            protect: Vec::new(),
            hooks: Vec::new(),
        }
    }
}

impl Default for ClusterSpec {
    fn default() -> Self {
        ClusterSpec {
            flux: true,
            nodes: 3,
            apply: Vec::new(),
            people: BTreeMap::new(),
            policies: Policies::default(),
        }
    }
}

fn duration(text: &str) -> Duration {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}
