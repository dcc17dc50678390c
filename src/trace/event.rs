//! The vocabulary of a run.

use serde_json::Value;

use crate::object::ObjectRef;
use crate::reconciler::{Change, Phase};
use crate::time::{Duration, Timestamp};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Who did it: a person, a controller, a kubelet, `ci`.
    pub actor: String,
    /// What the actor is.
    pub role: Role,
    /// The Git revision it goes back to; empty when to none.
    pub revision: String,
    /// What.
    pub what: What,
}

/// What an actor is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Somebody at a terminal, or at the forge.
    Person,
    /// Continuous integration: builds, tests, and in the push model deploys.
    Pipeline,
    /// A controller of the GitOps engine.
    Engine,
    /// A controller of the cluster itself, or a kubelet.
    ControlPlane,
    /// A controller that somebody brought.
    Guest,
    /// Nobody: faults, expectations, notes.
    #[default]
    World,
}

/// The four lanes of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Repositories, pull requests, pipelines, registries.
    Git,
    /// The GitOps controllers: source and kustomize.
    Controller,
    /// Writes to the Kubernetes API.
    Api,
    /// What runs: pods, nodes, the control plane's own controllers.
    Workloads,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A command was typed.
    Typed {
        /// As typed.
        line: String,
    },
    /// A command is over; what it did in the meantime stands between.
    Answered {
        /// As typed.
        line: String,
        /// What it printed, errors too.
        output: String,
        /// How it exited.
        exit: u8,
    },
    /// A branch, or a tag, moved.
    RefMoved {
        /// The repository's name.
        repository: String,
        /// The reference, short: `main`, `v1.2`.
        reference: String,
        /// The commit it was at; empty when it is new.
        from: String,
        /// The commit it is at; empty when it is gone.
        to: String,
        /// The subject of that commit.
        subject: String,
        /// Whether history was rewritten.
        forced: bool,
    },
    /// Something on the way from code to configuration: a pull request, a build, a test, an image, a
    /// webhook.
    Pipeline {
        /// The repository, or the registry.
        place: String,
        /// `build`, `test`, `push`, `review`, `merge`, `webhook` …
        stage: String,
        /// Whether it went well.
        ok: bool,
        /// The sentence for a person.
        message: String,
    },
    /// A source was asked for a reference.
    Fetched {
        /// The remote.
        url: String,
        /// The revision found; empty when the fetch failed.
        revision: String,
        /// Why it failed; empty when it did not.
        error: String,
    },
    /// A controller took a key from its queue.
    Started {
        /// The key.
        target: ObjectRef,
    },
    /// A controller moved on to another word of the loop.
    Phase {
        /// The key.
        target: ObjectRef,
        /// The word.
        phase: Phase,
    },
    /// A controller is done with a key.
    Finished {
        /// The key.
        target: ObjectRef,
        /// What became of each object.
        changes: Vec<Change>,
        /// The sentence for a person.
        message: String,
        /// Whether it failed.
        failed: bool,
        /// When the key comes back of itself.
        next: Option<Duration>,
    },
    /// A request to the Kubernetes API was answered.
    Request {
        /// `get`, `list`, `create`, `patch`, for server-side apply `apply` …
        verb: String,
        /// The object, or for lists the kind.
        object: ObjectRef,
        /// The subresource; empty for the object itself.
        subresource: String,
        /// The field manager of a write; empty for reads.
        manager: String,
        /// Whether nothing was to be stored.
        dry_run: bool,
        /// The HTTP status code; 0 when no answer came.
        code: u16,
        /// The refusal's sentence; empty for a success.
        error: String,
        /// What the write changed, leaf by leaf.
        changed: Vec<FieldChange>,
    },
    /// A workload came up, went down, or could not.
    Workload {
        /// The pod, node, or owner of pods.
        object: ObjectRef,
        /// In one word: `Running`, `ImagePullBackOff`, `NotReady` …
        state: String,
        /// The sentence for a person.
        message: String,
    },
    /// A fault began, struck, or ended.
    Fault {
        /// What it is: `api-error`, `crash`, `partition` …
        name: String,
        /// The sentence for a person.
        message: String,
    },
    /// An expectation was decided.
    Expectation {
        /// As written.
        text: String,
        /// Whether it holds.
        holds: bool,
        /// What was found instead; empty when it holds.
        difference: String,
    },
    /// A sentence for the reader, from a scenario.
    Note {
        /// The sentence.
        text: String,
    },
}

impl Event {
    /// The lane it belongs to; `None` for what concerns them all: faults, expectations, notes.
    pub fn lane(&self) -> Option<Lane> {
        let of_controller = |engine: Lane| match self.role {
            Role::ControlPlane => Lane::Workloads,
            _ => engine,
        };
        match &self.what {
            What::Typed { line } | What::Answered { line, .. } => Some(command_lane(line)),
            What::RefMoved { .. } | What::Pipeline { .. } => Some(Lane::Git),
            What::Fetched { .. } => Some(Lane::Controller),
            What::Started { .. } | What::Phase { .. } | What::Finished { .. } => {
                Some(of_controller(Lane::Controller))
            }
            What::Request { .. } => Some(of_controller(Lane::Api)),
            What::Workload { .. } => Some(Lane::Workloads),
            What::Fault { .. } | What::Expectation { .. } | What::Note { .. } => None,
        }
    }
}

impl Event {
    /// Whether it is a write to the Kubernetes API that changed something.
    pub fn is_stored_write(&self) -> bool {
        match &self.what {
            What::Request { verb, dry_run: false, code: 200..300, changed, .. } => {
                verb == "delete" || is_write(verb) && !changed.is_empty()
            }
            _ => false,
        }
    }
}

/// Whether a verb of a request is one that writes.
fn is_write(verb: &str) -> bool {
    matches!(verb, "create" | "update" | "patch" | "apply" | "delete" | "deletecollection")
}

/// A command belongs where the tool it starts works.
fn command_lane(line: &str) -> Lane {
    match line.split_whitespace().next() {
        Some("kubectl") => Lane::Api,
        Some("flux") => Lane::Controller,
        _ => Lane::Git,
    }
}

/// One leaf of an object that a write changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldChange {
    /// The path, dotted, list items by key: `spec.template.spec.containers[name=app].image`.
    pub path: String,
    /// What was there.
    pub before: Option<Value>,
    /// What is there.
    pub after: Option<Value>,
}

/// The events of a run, in the order they happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    events: rpds::VectorSync<Event>,
    start: Option<Timestamp>,
}

impl Trace {
    /// An empty trace of a run that begins at a time.
    pub fn starting_at(start: Timestamp) -> Self {
        Trace { start: Some(start), ..Trace::default() }
    }

    /// When the run began: as said, or with the first event.
    pub fn start(&self) -> Timestamp {
        let first = || self.events.first().map_or(Timestamp::START, |event| event.at);
        self.start.unwrap_or_else(first)
    }

    /// Adds an event at the end.
    pub fn push(&mut self, event: Event) {
        self.events.push_back_mut(event);
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events from a position on.
    pub fn since(&self, position: usize) -> impl Iterator<Item = &Event> {
        self.events.iter().skip(position)
    }
}
