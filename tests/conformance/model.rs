//! Who is asked when a transcript is replayed: the server alone, or a cluster whose controllers go on
//! working between two requests.

use driftlab::api::Caller;
use driftlab::apiserver::{Server, rest};
use driftlab::sim::{Controllers, World};
use driftlab::time::{Duration, Timestamp};
use driftlab_tests::exchange::pick;
use serde_json::Value;

pub(crate) enum Model {
    /// A server and the time.
    Bare(Box<Server>, Timestamp),
    /// The control plane with its own controllers.
    Cluster(Box<World>),
}

impl Model {
    pub(crate) fn bare() -> Self {
        Model::Bare(Server::new().into(), Timestamp::START)
    }

    pub(crate) fn cluster() -> Self {
        Model::Cluster(World::builder().controllers(Controllers::Cluster).build().into())
    }

    pub(crate) fn server(&self) -> &Server {
        match self {
            Model::Bare(server, _) => server,
            Model::Cluster(world) => world.server(),
        }
    }

    /// Lets the time between two requests of a person pass.
    pub(crate) fn pass(&mut self) {
        match self {
            Model::Bare(_, now) => *now += Duration::from_secs(1),
            Model::Cluster(world) => world.run_until(world.now() + Duration::from_millis(20)),
        }
    }

    /// Lets the time between two looks of somebody who waits pass.
    pub(crate) fn wait(&mut self) {
        if let Model::Cluster(world) = self {
            world.run_until(world.now() + Duration::from_millis(200));
        }
    }

    pub(crate) fn answer(
        &mut self,
        caller: &Caller,
        request: &rest::HttpRequest<'_>,
    ) -> rest::HttpResponse {
        match self {
            Model::Bare(server, now) => rest::answer(server, *now, caller, request),
            Model::Cluster(world) => match rest::route(world.server(), caller, request) {
                Ok(route) => {
                    let answer = world.request(caller, route.request.clone());
                    route.render(world.server(), world.now(), answer)
                }
                Err(answered) => answered,
            },
        }
    }
}

/// Whether an answer is what a request waits for (`until`).
pub(crate) fn meets(until: &Value, status: u16, body: &Value) -> bool {
    let at = |path: &str| pick(body, &path.split('.').collect::<Vec<_>>());
    let all = until["all"].as_object().into_iter().flatten();
    let mut picked = all.chain(until["at"].as_object().into_iter().flatten());
    let items = body["items"].as_array().map_or(0, Vec::len);
    until.get("status").is_none_or(|wanted| *wanted == status)
        && until.get("count").is_none_or(|wanted| *wanted == items)
        && picked.all(|(path, wanted)| at(path) == *wanted)
}
