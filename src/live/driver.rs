//! The loop around a controller: watch, take a key, carry out what it asks.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cluster, Sources, now};
use crate::api::{
    ApiRequest, ApiResponse, Body, Caller, Patch, Request, Response, Status, Subresource, Verb,
    WatchEvent, WatchEventType,
};
use crate::object::{LabelSelector, Object, ObjectRef};
use crate::reconciler::{Next, Outcome, Phase, Queue, Reconciler, Requeue, Watch};
use crate::time::{Duration, Timestamp};
use crate::trace::{Event, FieldChange, Role, Trace, What, field_changes};

/// The world outside: who answers, and what has happened.
pub struct Live {
    cluster: Cluster,
    sources: Sources,
    namespace: String,
    trace: Trace,
    /// Objects as last read or written, to tell what a write changed.
    known: BTreeMap<ObjectRef, Object>,
}

/// One controller at work on the world outside.
pub struct Driver<R: Reconciler> {
    reconciler: R,
    queue: Queue,
    seen: BTreeMap<ObjectRef, Object>,
    paused: BTreeMap<ObjectRef, (R::State, Timestamp)>,
}

impl Live {
    /// A cluster and Git remotes; controllers are shown the objects of one namespace, or with the
    /// empty name of all.
    pub fn new(cluster: Cluster, sources: Sources, namespace: &str) -> Self {
        Live {
            cluster,
            sources,
            namespace: namespace.into(),
            trace: Trace::starting_at(now()),
            known: BTreeMap::new(),
        }
    }

    /// What has happened so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Adds an event of one's own: a command typed, a note.
    pub fn record(&mut self, actor: &str, role: Role, what: What) {
        self.push(actor, role, "", what);
    }

    /// Makes a request as a person does, beside the controllers.
    ///
    /// # Errors
    ///
    /// As [`Cluster::answer`].
    pub async fn request(
        &mut self,
        caller: &Caller,
        request: ApiRequest,
    ) -> Result<ApiResponse, Status> {
        self.api(caller, &caller.user, Role::Person, "", false, request).await
    }

    async fn answer(
        &mut self,
        caller: &Caller,
        actor: &str,
        target: &ObjectRef,
        revision: &str,
        request: Request,
    ) -> Response {
        match request {
            Request::Api(request) => {
                Response::Api(self.api(caller, actor, Role::Engine, revision, false, request).await)
            }
            Request::ApiAs(other, request) => {
                Response::Api(self.api(&other, actor, Role::Engine, revision, true, request).await)
            }
            Request::Fetch(request) => {
                let fetched = self.sources.fetch(target, &request);
                let what = What::Fetched {
                    url: request.url,
                    revision: fetched.as_ref().map(|a| a.revision.clone()).unwrap_or_default(),
                    error: fetched.as_ref().err().map(ToString::to_string).unwrap_or_default(),
                };
                self.push(actor, Role::Engine, "", what);
                Response::Fetched(fetched)
            }
            Request::Download(artifact) => Response::Downloaded(self.sources.download(&artifact)),
            Request::Pull { image } => Response::Pulled(Err(crate::api::PullError::Unreachable(
                format!("no kubelet runs here to pull {image}"),
            ))),
        }
    }

    async fn api(
        &mut self,
        caller: &Caller,
        actor: &str,
        role: Role,
        revision: &str,
        impersonate: bool,
        request: ApiRequest,
    ) -> Result<ApiResponse, Status> {
        let answer = self.cluster.answer(caller, impersonate, &request).await;
        let object = request.reference();
        let changed = match &answer {
            Ok(_) if request.is_write() && request.subresource == Some(Subresource::Scale) => {
                self.look_again(caller, &request, &object).await
            }
            Ok(response) => self.learn(&request, &object, response),
            Err(_) => Vec::new(),
        };
        if request.is_write() || request.is_dry_run() {
            let what = What::Request {
                verb: verb_shown(&request.verb).into(),
                subresource: request
                    .subresource
                    .as_ref()
                    .map(|s| s.name().into())
                    .unwrap_or_default(),
                manager: request.verb.manager(caller).into(),
                dry_run: request.is_dry_run(),
                code: answer.as_ref().map_or_else(|status| status.code, |response| response.code),
                error: answer.as_ref().err().map(ToString::to_string).unwrap_or_default(),
                object,
                changed,
            };
            self.push(actor, role, revision, what);
        }
        answer
    }

    /// What a write to `scale` changed in the object itself, which its answer does not tell.
    async fn look_again(
        &mut self,
        caller: &Caller,
        request: &ApiRequest,
        object: &ObjectRef,
    ) -> Vec<FieldChange> {
        let read = ApiRequest::get(&request.kind, &request.namespace, &request.name);
        let answer = self.cluster.answer(caller, false, &read).await;
        let Some(after) = answer.ok().and_then(ApiResponse::into_object) else { return Vec::new() };
        let before = self.known.insert(object.clone(), after.clone());
        field_changes(before.as_ref(), Some(&after))
    }

    /// Keeps what an answer tells of objects, and says what a write changed in the one it is about.
    fn learn(
        &mut self,
        request: &ApiRequest,
        object: &ObjectRef,
        response: &ApiResponse,
    ) -> Vec<FieldChange> {
        match &response.body {
            Body::Object(after) if !request.is_dry_run() && request.subresource.is_none() => {
                let before = self.known.insert(object.clone(), after.clone());
                if request.is_write() {
                    field_changes(before.as_ref(), Some(after))
                } else {
                    Vec::new()
                }
            }
            Body::List(list) => {
                for item in &list.items {
                    self.known.insert(item.reference(), item.clone());
                }
                Vec::new()
            }
            Body::Status(_) => {
                self.known.remove(object);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn push(&mut self, actor: &str, role: Role, revision: &str, what: What) {
        self.trace.push(Event {
            at: now(),
            actor: actor.into(),
            role,
            revision: revision.into(),
            what,
        });
    }
}

/// A server-side apply is a patch on the wire, but not to a reader.
fn verb_shown(verb: &Verb) -> &'static str {
    match verb {
        Verb::Patch(Patch::Apply(_), _) => "apply",
        other => other.name(),
    }
}

impl<R: Reconciler> Driver<R> {
    /// A controller that has seen nothing yet.
    pub fn new(reconciler: R) -> Self {
        let (base, cap) = reconciler.backoff();
        Driver {
            reconciler,
            queue: Queue::with_backoff(base, cap),
            seen: BTreeMap::new(),
            paused: BTreeMap::new(),
        }
    }

    /// One turn: looks what has changed, then works on every key that is ready until it is done or
    /// pauses.
    ///
    /// # Errors
    ///
    /// When a watched kind cannot be listed.
    pub async fn turn(&mut self, live: &mut Live) -> Result<(), Status> {
        for watch in self.reconciler.watches() {
            self.look(live, &watch).await?;
        }
        self.queue.advance(now());
        while let Some(key) = self.next_key() {
            match self.paused.remove(&key) {
                Some((state, _)) => {
                    let next = self.reconciler.step(state, Response::Woken, now());
                    self.work(live, key, next).await;
                }
                None => {
                    let what = What::Started { target: key.clone() };
                    live.push(self.reconciler.name(), Role::Engine, "", what);
                    let next = self.reconciler.start(&key, now());
                    self.work(live, key, next).await;
                }
            }
        }
        Ok(())
    }

    /// Reads a watched kind and makes events of what differs from the last time.
    async fn look(&mut self, live: &mut Live, watch: &Watch) -> Result<(), Status> {
        let namespace = live.namespace.clone();
        let request =
            ApiRequest::list(&watch.kind, &namespace, LabelSelector::clone(&watch.labels));
        let caller = self.reconciler.caller();
        let listed = live.cluster.answer(&caller, false, &request).await?.into_list();
        let items = listed.unwrap_or_default().items;
        let there: BTreeSet<ObjectRef> = items.iter().map(Object::reference).collect();
        let mut events = Vec::new();
        for object in items {
            let previous = self.seen.insert(object.reference(), object.clone());
            let kind = match &previous {
                None => WatchEventType::Added,
                Some(old) if old.resource_version() == object.resource_version() => continue,
                Some(_) => WatchEventType::Modified,
            };
            events.push((WatchEvent { kind, object }, previous));
        }
        let gone: Vec<ObjectRef> = self
            .seen
            .keys()
            .filter(|key| key.kind == watch.kind.kind && key.group == watch.kind.group)
            .filter(|key| !there.contains(key))
            .cloned()
            .collect();
        for key in gone {
            if let Some(object) = self.seen.remove(&key) {
                events.push((WatchEvent { kind: WatchEventType::Deleted, object }, None));
            }
        }
        for (event, previous) in events {
            for key in self.reconciler.handle_event(&event, previous.as_ref()) {
                self.queue.add(key);
            }
        }
        Ok(())
    }

    /// A key whose pause is over, else a ready one.
    fn next_key(&mut self) -> Option<ObjectRef> {
        let woken = self.paused.iter().find(|(_, (_, until))| *until <= now());
        if let Some((key, _)) = woken {
            return Some(key.clone());
        }
        (!self.queue.ready().is_empty()).then(|| self.queue.take(0))
    }

    async fn work(&mut self, live: &mut Live, key: ObjectRef, mut next: Next<R::State>) {
        let caller = self.reconciler.caller();
        let mut phase = None;
        loop {
            match next {
                Next::Ask(state, request) => {
                    let activity = self.reconciler.describe(&state);
                    self.note_phase(live, &key, &mut phase, activity.phase);
                    let name = self.reconciler.name();
                    let response =
                        live.answer(&caller, name, &key, &activity.revision, request).await;
                    next = self.reconciler.step(state, response, now());
                }
                Next::Wait(state, span) => {
                    self.paused.insert(key, (state, now() + span));
                    return;
                }
                Next::Done(outcome) => return self.finish(live, key, outcome),
            }
        }
    }

    fn note_phase(&self, live: &mut Live, key: &ObjectRef, last: &mut Option<Phase>, phase: Phase) {
        if last.replace(phase) != Some(phase) {
            let what = What::Phase { target: key.clone(), phase };
            live.push(self.reconciler.name(), Role::Engine, "", what);
        }
    }

    fn finish(&mut self, live: &mut Live, key: ObjectRef, outcome: Outcome) {
        for other in outcome.enqueue {
            self.queue.add(other);
        }
        let (next, failed) = match outcome.requeue {
            Requeue::Never => (None, false),
            // Jitter keeps many controllers apart; here is one.
            Requeue::After { after, .. } => (Some(after), false),
            Requeue::Failed(_) => (Some(self.queue.add_rate_limited(key.clone(), now())), true),
        };
        if !failed {
            self.queue.forget(&key);
            if let Some(after) = next {
                self.queue.add_at(key.clone(), now() + after);
            }
        }
        self.queue.done(&key);
        let what = What::Finished {
            target: key,
            changes: outcome.changes,
            message: outcome.message,
            failed,
            next,
        };
        live.push(self.reconciler.name(), Role::Engine, &outcome.revision, what);
    }

    /// How long nothing is due of itself; `None` when nothing ever is.
    pub fn idle_for(&self) -> Option<Duration> {
        let pauses = self.paused.values().map(|(_, until)| *until);
        pauses.chain(self.queue.next_timeout()).min().map(|at| at.since(now()))
    }
}
