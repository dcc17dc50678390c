//! The world: a cluster, its controllers, Git and a registry, at one instant of virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rpds::VectorSync;

use super::actor::{Actor, Informer, RequestCounts};
use super::agenda::Agenda;
use super::choice::Choices;
use super::controller;
use super::forge::BASE;
use super::latency::Latency;
use super::observe::Listener;
use super::pipeline::{Credential, Pipeline, Run};
use super::registry::Registry;

use super::strike::Faults;
use crate::api::{ApiRequest, ApiResponse, Caller, ResourceVersion, Status, WriteOptions};
use crate::apiserver::{Server, Users};
use crate::cluster::{self, Kubelet};
use crate::engine::Policies;
use crate::engine::kustomize::KustomizationController;
use crate::engine::notification::ReceiverController;
use crate::engine::source::GitRepositoryController;
use crate::git::forge::Forge;
use crate::reconciler::Reconciler;
use crate::source::Artifacts;
use crate::time::{Duration, Timestamp};
use crate::trace::{Event, Role, Trace, What};

/// Everything there is, at one instant.
///
/// A world is a value. Copying it costs less than a microsecond, whatever is in it, and the copy goes
/// its own way: to look ahead, to try something else, to come back to. What happens next depends on
/// nothing but the world and its source of choice, so the same seed gives the same run, byte for byte.
///
/// Time moves when somebody is waited for: [`World::step`] lets the next one move, at its time.
#[derive(Clone)]
pub struct World {
    pub(super) inner: Arc<Inner>,
    pub(super) choices: Choices,
}

#[derive(Clone)]
pub(super) struct Inner {
    pub(super) start: Timestamp,
    pub(super) now: Timestamp,
    pub(super) server: Server,
    pub(super) registry: Registry,
    pub(super) forge: Forge,
    pub(super) people: BTreeSet<String>,
    /// The repositories that have roles of their own.
    pub(super) closed: BTreeSet<String>,
    /// The groups of those who are no administrators of the cluster.
    pub(super) groups: Arc<BTreeMap<String, Vec<String>>>,
    pub(super) artifacts: Artifacts,
    pub(super) pipelines: Vec<Arc<Pipeline>>,
    pub(super) runs: VectorSync<Run>,
    pub(super) credentials: Vec<Credential>,
    pub(super) actors: Vec<Arc<Actor>>,
    pub(super) listeners: Arc<Listeners>,
    pub(super) agenda: Agenda,
    pub(super) faults: Faults,
    pub(super) latency: Latency,
    pub(super) trace: Trace,
}

/// Who watches a kind, by its name.
pub(super) type Listeners = BTreeMap<String, Vec<Listener>>;

/// What can be seen of it.
impl World {
    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.inner.now
    }

    /// How long the run has lasted.
    pub fn elapsed(&self) -> Duration {
        self.inner.now.since(self.inner.start)
    }

    /// The cluster's API server, to look at: reading here is nobody's request.
    pub fn server(&self) -> &Server {
        &self.inner.server
    }

    /// The groups in which somebody asks the API server: `system:masters`, unless it was said otherwise.
    pub fn groups_of(&self, who: &str) -> Vec<String> {
        let masters = || vec!["system:masters".to_owned()];
        let own = self.inner.groups.get(who).cloned().unwrap_or_else(masters);
        own.into_iter().chain(["system:authenticated".to_owned()]).collect()
    }

    /// Puts somebody into groups, in place of `system:masters`: from now on that person may do what roles
    /// allow.
    pub fn set_groups(&mut self, who: &str, groups: &[String]) {
        Arc::make_mut(&mut self.inner_mut().groups).insert(who.into(), groups.to_vec());
    }

    /// Has the API server know users by their tokens.
    pub fn set_users(&mut self, users: Users) {
        self.inner_mut().server.set_users(users);
    }

    /// Has the API server sign the tokens that it issues with a key; see [`Server::set_signing_key`].
    pub fn set_signing_key(&mut self, key: &[u8]) {
        self.inner_mut().server.set_signing_key(key);
    }

    /// The image registry.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// The image registry, to push to.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.inner_mut().registry
    }

    /// Everything that happened so far.
    pub fn trace(&self) -> &Trace {
        &self.inner.trace
    }

    /// What happened since this was last asked; the world keeps none of it. For a world that runs for as
    /// long as a machine does.
    pub fn take_trace(&mut self) -> Trace {
        let emptied = Trace::starting_at(self.inner.trace.start());
        std::mem::replace(&mut self.inner_mut().trace, emptied)
    }

    /// Forgets the log of the API server up to and with a version: older watches begin anew.
    pub fn compact(&mut self, upto: ResourceVersion) {
        self.inner_mut().server.compact(upto);
    }

    /// The decisions made so far.
    pub fn choices(&self) -> &Choices {
        &self.choices
    }

    /// The controllers by name, in the order they were added.
    pub fn actors(&self) -> impl Iterator<Item = &str> {
        self.inner.actors.iter().map(|actor| actor.name.as_ref())
    }

    /// How many requests a controller made; of several with that name, together.
    pub fn requests(&self, actor: &str) -> RequestCounts {
        let named = self.inner.actors.iter().filter(|a| a.name.as_ref() == actor);
        named.fold(RequestCounts::default(), |sum, actor| sum.plus(actor.requests))
    }
}

/// What a person or a program outside the cluster does.
impl World {
    /// Makes a request now, as somebody: `kubectl` by a person, or a program.
    ///
    /// # Errors
    ///
    /// What the API server refuses.
    pub fn request(&mut self, caller: &Caller, request: ApiRequest) -> Result<ApiResponse, Status> {
        self.request_as(caller, Role::Person, "", request)
    }

    /// The same, for an actor of another role, and on behalf of a Git revision (empty: of none).
    ///
    /// # Errors
    ///
    /// What the API server refuses.
    pub fn request_as(
        &mut self,
        caller: &Caller,
        role: Role,
        revision: &str,
        request: ApiRequest,
    ) -> Result<ApiResponse, Status> {
        let World { inner, choices } = self;
        let who = Author { actor: &caller.user, role, revision };
        Arc::make_mut(inner).write(&who, caller, request, choices)
    }

    /// Writes an event into the trace: a command that was typed, a note, an expectation.
    pub fn record(&mut self, actor: &str, role: Role, what: What) {
        self.inner_mut().note(actor, role, what);
    }

    /// Adds a controller. It begins with a list of every kind it watches.
    pub fn add_controller<R>(&mut self, reconciler: R)
    where
        R: Reconciler + Send + Sync + 'static,
        R::State: Send + Sync + 'static,
    {
        self.add(Arc::new(reconciler), Role::Guest, "");
    }

    /// Adds a node, with its kubelet. A node of that name that is there already is taken over.
    pub fn add_node(&mut self, name: &str) {
        let kubelet = Kubelet::new(name);
        let request = ApiRequest::create(cluster::registration(name), WriteOptions::default());
        let inner = self.inner_mut();
        let _taken_over = inner.server.handle(inner.now, &kubelet.caller(), request);
        self.add(Arc::new(kubelet), Role::ControlPlane, name);
    }

    /// Runs the GitOps engine, on a server that has its kinds.
    pub(super) fn add_engine(&mut self, kustomize: KustomizationController) {
        self.add(Arc::new(GitRepositoryController::new()), Role::Engine, "");
        self.add(Arc::new(kustomize), Role::Engine, "");
        self.add(Arc::new(ReceiverController::new()), Role::Engine, "");
    }

    /// Gives the running GitOps engine other policies.
    ///
    /// # Panics
    ///
    /// When no engine runs in this world.
    pub fn set_policies(&mut self, policies: Policies) {
        let controller = Arc::new(KustomizationController::new(policies));
        let named = |actor: &Arc<Actor>| *actor.name == *Reconciler::name(&*controller);
        let inner = self.inner_mut();
        let index = inner.actors.iter().position(named).expect("the engine runs in this world");
        inner.actor_mut(index).controller = controller;
    }

    /// Has everything decided by another source from now on.
    pub fn set_choices(&mut self, choices: Choices) {
        self.choices = choices;
    }

    pub(super) fn add(
        &mut self,
        controller: Arc<dyn controller::Controller>,
        role: Role,
        node: &str,
    ) {
        let inner = self.inner_mut();
        let actor = Actor::new(controller, role, node, inner.now);
        let index = inner.actors.len();
        let listeners = Arc::make_mut(&mut inner.listeners);
        for (informer, Informer { watch, .. }) in actor.informers.iter().enumerate() {
            let listener = Listener { actor: index, informer, watch: watch.clone() };
            listeners.entry(watch.kind.kind.clone()).or_default().push(listener);
        }
        inner.actors.push(Arc::new(actor));
    }

    pub(super) fn inner_mut(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.inner)
    }
}

/// Who is behind a request.
pub(super) struct Author<'a> {
    pub(super) actor: &'a str,
    pub(super) role: Role,
    pub(super) revision: &'a str,
}

impl Inner {
    pub(super) fn new(start: Timestamp, server: Server) -> Self {
        Inner {
            start,
            now: start,
            server,
            registry: Registry::default(),
            forge: Forge::new(BASE),
            people: BTreeSet::new(),
            closed: BTreeSet::new(),
            groups: Arc::default(),
            artifacts: Artifacts::default(),
            pipelines: Vec::new(),
            runs: VectorSync::new_sync(),
            credentials: Vec::new(),
            actors: Vec::new(),
            listeners: Arc::default(),
            agenda: Agenda::default(),
            faults: Faults::default(),
            latency: Latency::default(),
            trace: Trace::starting_at(start),
        }
    }

    pub(super) fn actor_mut(&mut self, index: usize) -> &mut Actor {
        Arc::make_mut(&mut self.actors[index])
    }

    pub(super) fn note(&mut self, actor: &str, role: Role, what: What) {
        self.note_for(&Author { actor, role, revision: "" }, what);
    }

    pub(super) fn note_for(&mut self, who: &Author<'_>, what: What) {
        self.trace.push(Event {
            at: self.now,
            actor: who.actor.into(),
            role: who.role,
            revision: who.revision.into(),
            what,
        });
    }
}
