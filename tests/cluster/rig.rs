//! A scratch cluster: an API server and controllers, moved one step at a time in an order that the test
//! decides.

use std::collections::BTreeMap;
use std::fmt::Debug;

use driftlab::api::{
    ApiRequest, ApiResponse, Caller, DeleteOptions, Patch, Propagation, PullError, ReadFrom,
    Request, ResourceVersion, Response, Status, Verb, WatchEvent, WatchEventType, WriteOptions,
};
use driftlab::apiserver::Server;
use driftlab::cluster;
use driftlab::object::{GroupVersionKind, Object, ObjectRef};
use driftlab::reconciler::{Next, Queue, Reconciler, Requeue, Watch};
use driftlab::time::{Duration, Timestamp};
use serde_json::Value;

/// The cluster, its clock and its image registry.
pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) now: Timestamp,
    pub(crate) missing_images: Vec<&'static str>,
    actors: Vec<Box<dyn Actor>>,
    picks: Box<dyn FnMut(usize) -> usize>,
    latest: Latest,
    pub(crate) steps: usize,
}

/// The version of the last change to each kind, by group and kind.
#[derive(Default)]
struct Latest {
    upto: ResourceVersion,
    of: BTreeMap<(String, String), ResourceVersion>,
}

/// What an actor can do.
#[derive(Clone, Copy, Debug)]
enum Move {
    Hear(usize),
    Answer(usize),
    Take,
}

trait Actor {
    fn name(&self) -> String;
    fn moves(&self, latest: &Latest, now: Timestamp) -> Vec<Move>;
    fn make(&mut self, what: Move, server: &mut Server, missing: &[&str], now: Timestamp);
    fn next_wake(&self, now: Timestamp) -> Option<Timestamp>;
    fn restart(&mut self);
}

struct Running<R: Reconciler> {
    reconciler: R,
    informers: Vec<(Watch, Option<ResourceVersion>)>,
    known: BTreeMap<ObjectRef, Object>,
    queue: Queue,
    tasks: Vec<Task<R::State>>,
}

struct Task<S> {
    key: ObjectRef,
    state: S,
    awaits: Awaits,
}

enum Awaits {
    Answer(Box<Request>),
    Wake(Timestamp),
}

impl Rig {
    /// A cluster with so many nodes and the whole control plane.
    pub(crate) fn new(nodes: usize) -> Self {
        Self::picking(nodes, Box::new(|_| 0))
    }

    /// The same; `picks` decides which of the possible moves is made.
    pub(crate) fn picking(nodes: usize, picks: Box<dyn FnMut(usize) -> usize>) -> Self {
        let mut rig = Rig {
            server: Server::new(),
            now: Timestamp::START,
            missing_images: Vec::new(),
            actors: Vec::new(),
            picks,
            latest: Latest::default(),
            steps: 0,
        };
        for controller in cluster::control_plane() {
            rig.add(controller);
        }
        for i in 1..=nodes {
            let node = format!("node-{i}");
            rig.add(cluster::Kubelet::new(&node));
            rig.create(cluster::registration(&node));
        }
        rig.settle();
        rig
    }

    /// Adds a controller.
    pub(crate) fn add<R: Reconciler + 'static>(&mut self, reconciler: R) {
        let (base, cap) = reconciler.backoff();
        let informers = reconciler.watches().into_iter().map(|watch| (watch, None)).collect();
        self.actors.push(Box::new(Running {
            reconciler,
            informers,
            known: BTreeMap::new(),
            queue: Queue::with_backoff(base, cap),
            tasks: Vec::new(),
        }));
    }

    /// Has a node fail: its kubelet is dead, and has sent its last heartbeat.
    pub(crate) fn fail_node(&mut self, node: &str) {
        let kubelet = cluster::Kubelet::new(node);
        self.actors.retain(|actor| actor.name() != kubelet.name());
        let heartbeat = cluster::last_heartbeat(node, self.now);
        self.server.handle(self.now, &kubelet.caller(), heartbeat).expect("the lease is there");
    }

    /// Has a node that failed come back.
    pub(crate) fn revive_node(&mut self, node: &str) {
        self.add(cluster::Kubelet::new(node));
    }

    /// Has every controller lose what it holds in memory.
    pub(crate) fn restart_all(&mut self) {
        self.actors.iter_mut().for_each(|actor| actor.restart());
    }

    /// Makes one move, or none when nothing can move now.
    fn step(&mut self) -> bool {
        self.latest.follow(&self.server);
        let moves: Vec<(usize, Move)> = (0..self.actors.len())
            .flat_map(|i| {
                let moves = self.actors[i].moves(&self.latest, self.now);
                moves.into_iter().map(move |what| (i, what))
            })
            .collect();
        if moves.is_empty() {
            return false;
        }
        let (actor, what) = moves[(self.picks)(moves.len()) % moves.len()];
        self.actors[actor].make(what, &mut self.server, &self.missing_images, self.now);
        self.steps += 1;
        true
    }

    /// Runs until nothing moves at this instant.
    pub(crate) fn settle(&mut self) {
        let limit = self.steps + 200_000;
        while self.step() {
            assert!(self.steps < limit, "no end in sight at {}", self.now);
        }
    }

    /// Makes so many moves, or fewer when nothing moves at this instant any more.
    pub(crate) fn step_for(&mut self, moves: usize) {
        (0..moves).take_while(|_| self.step()).for_each(drop);
    }

    /// Runs for a span of virtual time.
    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        self.settle();
        while let Some(wake) = self.next_wake().filter(|wake| *wake <= end) {
            self.now = wake.max(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// Runs until something holds; panics when it does not within ten minutes.
    pub(crate) fn run_until(&mut self, what: &str, holds: impl Fn(&Rig) -> bool) {
        let end = self.now + Duration::from_mins(10);
        self.settle();
        while !holds(self) {
            let wake = self.next_wake().filter(|wake| *wake <= end);
            let dump =
                || self.server.objects().map(|o| o.reference().to_string()).collect::<Vec<_>>();
            self.now = wake
                .unwrap_or_else(|| panic!("never: {what}\n{}", dump().join("\n")))
                .max(self.now);
            self.settle();
        }
    }

    /// Runs step by step until a time, with a check after every move.
    pub(crate) fn watch_for(&mut self, span: Duration, check: impl Fn(&Rig)) {
        let end = self.now + span;
        loop {
            while self.step() {
                check(self);
            }
            match self.next_wake().filter(|wake| *wake <= end) {
                Some(wake) => self.now = wake.max(self.now),
                None => return,
            }
        }
    }

    /// The next instant at which something can move; what is due already waits for a worker.
    fn next_wake(&self) -> Option<Timestamp> {
        let wakes = self.actors.iter().filter_map(|actor| actor.next_wake(self.now));
        wakes.min()
    }

    pub(crate) fn ask(&mut self, request: ApiRequest) -> Result<ApiResponse, Status> {
        let alice = Caller::new("alice", "kubectl/v1.36");
        self.server.handle(self.now, &alice, request)
    }

    pub(crate) fn create(&mut self, object: Object) -> Object {
        let request = ApiRequest::create(object, WriteOptions::default());
        self.ask(request).expect("created").into_object().expect("an object")
    }

    pub(crate) fn apply(&mut self, object: Object) {
        let options =
            WriteOptions { force: true, field_manager: "test".into(), ..WriteOptions::default() };
        self.ask(ApiRequest::apply(&object, options)).expect("applied");
    }

    pub(crate) fn patch(&mut self, kind: &str, namespace: &str, name: &str, patch: Value) {
        let request = ApiRequest::patch(
            &gvk(kind),
            namespace,
            name,
            Patch::Merge(patch),
            WriteOptions::default(),
        );
        self.ask(request).expect("patched");
    }

    pub(crate) fn delete(
        &mut self,
        kind: &str,
        namespace: &str,
        name: &str,
        how: Option<Propagation>,
    ) {
        let options = DeleteOptions { propagation: how, ..DeleteOptions::default() };
        self.ask(ApiRequest::delete(&gvk(kind), namespace, name, options)).expect("deleted");
    }

    /// The object, which must be there.
    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Object {
        self.find(kind, namespace, name).unwrap_or_else(|| panic!("no {kind} {namespace}/{name}"))
    }

    pub(crate) fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<Object> {
        self.server.get(&gvk(kind).named(namespace, name)).cloned()
    }

    pub(crate) fn all(&self, kind: &str, namespace: &str) -> Vec<Object> {
        let gvk = gvk(kind);
        let objects = self.server.objects_of(&gvk.group, &gvk.kind);
        objects.filter(|o| o.namespace() == namespace).cloned().collect()
    }

    /// Pods that serve: ready and not going away.
    pub(crate) fn ready_pods(&self, namespace: &str) -> Vec<Object> {
        let ready = |pod: &Object| {
            let conditions = driftlab::reconciler::conditions(pod);
            conditions.iter().any(|c| c.kind == "Ready" && c.is_true())
        };
        let pods = self.all("Pod", namespace).into_iter();
        pods.filter(|pod| ready(pod) && !pod.is_deleting()).collect()
    }

    /// Reasons and messages of the events about objects of a kind.
    pub(crate) fn events(&self, kind: &str) -> Vec<String> {
        let events = self.server.objects_of("", "Event");
        events
            .filter(|e| e.text("involvedObject.kind") == kind)
            .map(|e| format!("{} {}", e.text("reason"), e.text("message")))
            .collect()
    }

    pub(crate) fn version(&self) -> u64 {
        self.server.version().0
    }
}

impl Latest {
    fn follow(&mut self, server: &Server) {
        for entry in server.log_since(self.upto).expect("nothing is compacted") {
            let kind = (entry.object.group.clone(), entry.object.kind.clone());
            self.of.insert(kind, entry.version);
        }
        self.upto = server.version();
    }

    fn of_kind(&self, kind: &GroupVersionKind) -> ResourceVersion {
        self.of.get(&(kind.group.clone(), kind.kind.clone())).copied().unwrap_or_default()
    }
}

/// The kinds that tests name, at the version they use.
pub(crate) fn gvk(kind: &str) -> GroupVersionKind {
    let api_version = match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "ControllerRevision" => {
            "apps/v1"
        }
        "Job" | "CronJob" => "batch/v1",
        "HorizontalPodAutoscaler" => "autoscaling/v2",
        "EndpointSlice" => "discovery.k8s.io/v1",
        "PodDisruptionBudget" => "policy/v1",
        "Lease" => "coordination.k8s.io/v1",
        _ => "v1",
    };
    GroupVersionKind::new(api_version, kind)
}

impl<R: Reconciler> Actor for Running<R>
where
    R::State: Debug,
{
    fn name(&self) -> String {
        self.reconciler.name().to_owned()
    }

    fn moves(&self, latest: &Latest, now: Timestamp) -> Vec<Move> {
        let mut moves = Vec::new();
        for (i, (watch, cursor)) in self.informers.iter().enumerate() {
            if cursor.is_none_or(|cursor| cursor < latest.of_kind(&watch.kind)) {
                moves.push(Move::Hear(i));
            }
        }
        for (i, task) in self.tasks.iter().enumerate() {
            match task.awaits {
                Awaits::Wake(at) if at > now => {}
                _ => moves.push(Move::Answer(i)),
            }
        }
        let due = self.queue.next_timeout().is_some_and(|at| at <= now);
        let synced = self.informers.iter().all(|(_, cursor)| cursor.is_some());
        let waiting = due || !self.queue.ready().is_empty();
        if synced && waiting && self.tasks.len() < self.reconciler.workers() {
            moves.push(Move::Take);
        }
        moves
    }

    fn make(&mut self, what: Move, server: &mut Server, missing: &[&str], now: Timestamp) {
        self.queue.advance(now);
        match what {
            Move::Hear(i) => self.hear(i, server),
            Move::Take if self.queue.ready().is_empty() => {}
            Move::Take => {
                let key = self.queue.take(0);
                let next = self.reconciler.start(&key, now);
                self.put(key, next, now);
            }
            Move::Answer(i) => {
                let task = self.tasks.remove(i);
                let response = match task.awaits {
                    Awaits::Wake(_) => Response::Woken,
                    Awaits::Answer(request) => self.answer(*request, server, missing, now),
                };
                let next = self.reconciler.step(task.state, response, now);
                self.put(task.key, next, now);
            }
        }
    }

    fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let wakes = self.tasks.iter().filter_map(|task| match task.awaits {
            Awaits::Wake(at) => Some(at),
            Awaits::Answer(_) => None,
        });
        wakes.chain(self.queue.next_timeout()).filter(|wake| *wake > now).min()
    }

    fn restart(&mut self) {
        self.tasks.clear();
        self.known.clear();
        let (base, cap) = self.reconciler.backoff();
        self.queue = Queue::with_backoff(base, cap);
        self.informers.iter_mut().for_each(|(_, cursor)| *cursor = None);
    }
}

impl<R: Reconciler> Running<R> {
    /// Lists at first, then takes one change at a time.
    fn hear(&mut self, informer: usize, server: &Server) {
        let (watch, cursor) = self.informers[informer].clone();
        let mine = |o: &ObjectRef| o.kind == watch.kind.kind && o.group == watch.kind.group;
        let Some(cursor) = cursor else {
            let all: Vec<Object> =
                server.objects_of(&watch.kind.group, &watch.kind.kind).cloned().collect();
            all.into_iter().for_each(|object| self.tell(WatchEventType::Added, object));
            self.informers[informer].1 = Some(server.version());
            return;
        };
        let mut at = cursor;
        let mut news = None;
        for entry in server.log_since(cursor).expect("nothing is compacted") {
            at = entry.version;
            if mine(&entry.object) {
                news = Some(entry.clone());
                break;
            }
        }
        self.informers[informer].1 = Some(at);
        let Some(entry) = news else { return };
        match (entry.before, entry.after) {
            (None, Some(object)) => self.tell(WatchEventType::Added, object),
            (Some(_), Some(object)) => self.tell(WatchEventType::Modified, object),
            (Some(object), None) => self.tell(WatchEventType::Deleted, object),
            (None, None) => {}
        }
    }

    fn tell(&mut self, kind: WatchEventType, object: Object) {
        let reference = object.reference();
        let previous = match kind {
            WatchEventType::Deleted => self.known.remove(&reference),
            _ => self.known.insert(reference, object.clone()),
        };
        let event = WatchEvent { kind, object };
        for key in self.reconciler.handle_event(&event, previous.as_ref()) {
            self.queue.add(key);
        }
    }

    fn answer(
        &self,
        request: Request,
        server: &mut Server,
        missing: &[&str],
        now: Timestamp,
    ) -> Response {
        match request {
            Request::Api(request) => {
                let cached = match &request.verb {
                    Verb::Get(read) => *read == ReadFrom::Cache,
                    Verb::List(options) => options.read == ReadFrom::Cache,
                    _ => false,
                };
                let informer = self.informers.iter().find(|(watch, _)| watch.kind == request.kind);
                if let (true, Some((_, Some(at)))) = (cached, informer) {
                    return Response::Api(server.read_at(*at, &request));
                }
                assert!(
                    !cached,
                    "{} reads {} from a cache it has not",
                    self.reconciler.name(),
                    request.kind
                );
                if let Err(unknown) =
                    server.read_at(server.version(), &ApiRequest::discover(&request.kind))
                {
                    panic!("{}: {unknown:?}", request.kind);
                }
                Response::Api(server.handle(now, &self.reconciler.caller(), request))
            }
            Request::Pull { image } if missing.contains(&image.as_str()) => {
                Response::Pulled(Err(PullError::NotFound(format!("{image}: not found"))))
            }
            Request::Pull { image } => Response::Pulled(Ok(format!("sha256:{image}"))),
            other => unreachable!("the control plane asks for no {other:?}"),
        }
    }

    fn put(&mut self, key: ObjectRef, next: Next<R::State>, now: Timestamp) {
        match next {
            Next::Ask(state, request) => {
                self.tasks.push(Task { key, state, awaits: Awaits::Answer(request.into()) });
            }
            Next::Wait(state, span) => {
                self.tasks.push(Task { key, state, awaits: Awaits::Wake(now + span) });
            }
            Next::Done(outcome) => {
                match outcome.requeue {
                    Requeue::Never => self.queue.forget(&key),
                    Requeue::After { after, .. } => {
                        self.queue.forget(&key);
                        self.queue.add_at(key.clone(), now + after);
                    }
                    Requeue::Failed(_) => {
                        self.queue.add_rate_limited(key.clone(), now);
                    }
                }
                self.queue.done(&key);
                outcome.enqueue.into_iter().for_each(|key| self.queue.add(key));
            }
        }
    }
}
