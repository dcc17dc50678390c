//! How a world begins.

use std::sync::{Arc, OnceLock};

use super::choice::Choices;
use super::fault::{Fault, FaultPlan};
use super::latency::Latency;
use super::registry::{InvalidImageName, Registry};
use super::world::{Inner, World};
use crate::api::{ApiRequest, Caller, WriteOptions};
use crate::apiserver::webhook::Webhook;
use crate::apiserver::{Authorization, Server};
use crate::cluster;
use crate::engine::kustomize::KustomizationController;
use crate::engine::{self, Policies};
use crate::git::Repository;
use crate::object::Object;
use crate::time::Timestamp;
use crate::trace::Role;

/// Says how a world begins; [`World::builder`] makes one.
///
/// ```
/// use driftlab::sim::World;
/// let mut world = World::builder().seed(7).nodes(2).build();
/// assert!(world.run_until_quiet("1m".parse().unwrap()).is_ok());
/// ```
#[derive(Clone)]
pub struct WorldBuilder {
    start: Timestamp,
    choices: Choices,
    controllers: Controllers,
    engine: KustomizationController,
    authorization: Authorization,
    nodes: Vec<String>,
    latency: Latency,
    registry: Registry,
    repositories: Vec<(String, Repository)>,
    faults: FaultPlan,
    webhooks: Vec<Webhook>,
}

/// Which controllers run in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controllers {
    /// The control plane and the GitOps engine.
    #[default]
    All,
    /// The control plane alone.
    Cluster,
    /// None: an API server and nothing else.
    None,
}

impl World {
    /// A world that begins with one node, an open image registry, no repository, and every controller.
    pub fn builder() -> WorldBuilder {
        WorldBuilder {
            start: Timestamp::START,
            choices: Choices::first(),
            controllers: Controllers::All,
            engine: KustomizationController::default(),
            authorization: Authorization::default(),
            nodes: vec!["node-1".into()],
            latency: Latency::default(),
            registry: Registry::open(),
            repositories: Vec::new(),
            faults: FaultPlan::none(),
            webhooks: Vec::new(),
        }
    }
}

impl WorldBuilder {
    /// When it begins; 2026-01-01T00:00:00Z unless told otherwise.
    pub fn start_at(mut self, start: Timestamp) -> Self {
        self.start = start;
        self
    }

    /// Has everything decided by a seed; by 0, which is the default, always the first alternative is
    /// taken.
    pub fn seed(self, seed: u64) -> Self {
        self.choices(Choices::seeded(seed))
    }

    /// Has everything decided by a source of choice.
    pub fn choices(mut self, choices: Choices) -> Self {
        self.choices = choices;
        self
    }

    /// Which controllers run.
    pub fn controllers(mut self, controllers: Controllers) -> Self {
        self.controllers = controllers;
        self
    }

    /// How the engine differs from Flux.
    pub fn policies(self, policies: Policies) -> Self {
        self.engine(KustomizationController::new(policies))
    }

    /// The engine's controller of Kustomizations, with flags and health rules of its own.
    pub fn engine(mut self, controller: KustomizationController) -> Self {
        self.engine = controller;
        self
    }

    /// Who may do what. By roles, the engine may do everything, as Flux is installed, but for what it does
    /// in the name of a service account; and people may do nothing until a role is bound to them.
    pub fn authorization(mut self, authorization: Authorization) -> Self {
        self.authorization = authorization;
        self
    }

    /// So many nodes, `node-1` and on.
    pub fn nodes(self, count: usize) -> Self {
        self.node_names((1..=count).map(|n| format!("node-{n}")))
    }

    /// Nodes with these names.
    pub fn node_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.nodes = names.into_iter().map(Into::into).collect();
        self
    }

    /// How long things take.
    pub fn latency(mut self, latency: Latency) -> Self {
        self.latency = latency;
        self
    }

    /// The images there are. An open registry, which has whatever is asked for, is the default.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Puts images into a registry that has only these.
    ///
    /// # Errors
    ///
    /// When a name is malformed.
    pub fn images(mut self, names: &[&str]) -> Result<Self, InvalidImageName> {
        self.registry = Registry::default();
        for name in names {
            self.registry.push(name, name, self.start)?;
        }
        Ok(self)
    }

    /// Puts a repository at a URL.
    pub fn repository(mut self, url: &str, repository: Repository) -> Self {
        self.repositories.push((url.into(), repository));
        self
    }

    /// Adds somebody who answers admission webhooks, when a configuration leads there.
    pub fn webhook(mut self, webhook: Webhook) -> Self {
        self.webhooks.push(webhook);
        self
    }

    /// Adds a fault.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.faults.push(fault);
        self
    }

    /// Adds the faults of a plan.
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults.faults.extend(plan.faults);
        self
    }

    /// The world.
    pub fn build(self) -> World {
        let mut server = match self.controllers {
            Controllers::All => with_engine(self.start, self.authorization),
            Controllers::Cluster | Controllers::None => {
                Server::started_at(self.start).with_authorization(self.authorization)
            }
        };
        self.webhooks.into_iter().for_each(|webhook| server.add_webhook(webhook));
        let mut inner = Inner::new(self.start, server);
        inner.registry = self.registry;
        inner.latency = self.latency;
        let mut world = World { inner: Arc::new(inner), choices: self.choices };
        if self.controllers != Controllers::None {
            for controller in cluster::control_plane() {
                world.add(Arc::new(controller), Role::ControlPlane, "");
            }
        }
        self.nodes.iter().for_each(|node| world.add_node(node));
        if self.controllers == Controllers::All {
            world.add_engine(self.engine);
        }
        for (url, repository) in self.repositories {
            world.add_repository(&url, repository);
        }
        world.inject_all(&self.faults);
        world
    }
}

/// A server on which the GitOps engine is installed: its namespace, the definitions of its kinds, and where
/// it matters that it may do everything.
fn with_engine(start: Timestamp, authorization: Authorization) -> Server {
    static INSTALLED: [OnceLock<Server>; 2] = [const { OnceLock::new() }; 2];
    let installed = &INSTALLED[usize::from(authorization == Authorization::Rbac)];
    match start {
        Timestamp::START => installed.get_or_init(|| install_engine(start, authorization)).clone(),
        other => install_engine(other, authorization),
    }
}

fn install_engine(start: Timestamp, authorization: Authorization) -> Server {
    let mut server = Server::started_at(start);
    let namespace = Object::new("v1", "Namespace", "", "flux-system");
    install(&mut server, start, [namespace].into_iter().chain(engine::crds()));
    let mut server = server.with_authorization(authorization);
    if authorization == Authorization::Rbac {
        install(&mut server, start, [engine::cluster_reconciler()]);
    }
    server
}

/// Applies objects, as whoever sets a cluster up.
fn install(server: &mut Server, at: Timestamp, objects: impl IntoIterator<Item = Object>) {
    let groups = vec!["system:masters".into()];
    let installer = Caller { groups, ..Caller::new("cluster-admin", "flux/v2") };
    for object in objects {
        let request = ApiRequest::apply(&object, WriteOptions::default());
        let answer = server.handle(at, &installer, request);
        answer.unwrap_or_else(|status| panic!("{}: {status}", object.reference()));
    }
}
