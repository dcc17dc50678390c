//! What follows a request to the API server: the trace tells it, and whoever watches gets news.

use super::choice::Choice;
use super::world::{Author, Inner};
use crate::api::{ApiRequest, ApiResponse, Body, Caller, Patch, ResourceVersion, Status, Verb};
use crate::apiserver::Entry;
use crate::object::{Object, ObjectRef};
use crate::trace::{FieldChange, Role, What, field_changes};

impl Inner {
    /// Makes a request to the API server, tells it in the trace, and wakes whoever watches what it
    /// changed.
    ///
    /// Told are writes that changed something and refusals of writes; of people also reads and writes
    /// that changed nothing.
    pub(super) fn write(
        &mut self,
        who: &Author<'_>,
        caller: &Caller,
        request: ApiRequest,
        choice: &mut dyn Choice,
    ) -> Result<ApiResponse, Status> {
        let before = self.server.version();
        let person = matches!(who.role, Role::Person | Role::Pipeline);
        let tells = (person || request.is_write()) && !request.is_review();
        let told = tells.then(|| Told::of(caller, &request));
        let answer = self.server.handle(self.now, caller, request);
        if self.server.version() > before {
            self.spread(before, choice);
        }
        if let Some(told) = told {
            self.tell_request(who, told, before, &answer, person);
        }
        answer
    }

    /// Everybody who watches something that was written after a version gets news.
    fn spread(&mut self, after: ResourceVersion, choice: &mut dyn Choice) {
        for entry in entries_after(self, after) {
            let listeners = self.listeners.clone();
            for listener in listeners.get(&entry.object.kind).into_iter().flatten() {
                if listener.hears(&entry)
                    && !self.actors[listener.actor].knows_of_news(listener.informer)
                {
                    let due = self.now + self.latency.watch.pick(choice);
                    self.actor_mut(listener.actor).notice(listener.informer, entry.version, due);
                }
            }
            self.tell_workload(&entry);
        }
    }

    fn tell_request(
        &mut self,
        who: &Author<'_>,
        told: Told,
        before: ResourceVersion,
        answer: &Result<ApiResponse, Status>,
        person: bool,
    ) {
        let (code, error) = match answer {
            Ok(response) => (response.code, String::new()),
            Err(status) => (status.code, status.message.clone()),
        };
        let written = entries_after(self, before);
        if written.is_empty() && (person || answer.is_err()) {
            let object = match answer {
                Ok(ApiResponse { body: Body::Object(object), .. }) => object.reference(),
                _ => told.object.clone(),
            };
            self.note_for(who, told.request(object, code, error, Vec::new()));
            return;
        }
        for entry in written {
            let changed = changes(&entry, told.verb);
            self.note_for(who, told.request(entry.object, code, error.clone(), changed));
        }
    }

    /// Pods and nodes that come up, go down, or cannot are told in a word.
    fn tell_workload(&mut self, entry: &Entry) {
        let state_of: fn(&Object) -> (String, String) = match entry.object.kind.as_str() {
            "Pod" => pod_state,
            "Node" => node_state,
            _ => return,
        };
        let before = entry.before.as_ref().map(state_of);
        let (state, message) = match &entry.after {
            Some(after) => state_of(after),
            None => ("Gone".into(), String::new()),
        };
        if !state.is_empty() && before.is_none_or(|(before, _)| before != state) {
            let (object, kind) = (entry.object.clone(), &entry.object.kind);
            let actor = if kind == "Pod" { "kubelet" } else { "node-controller" };
            self.note(actor, Role::ControlPlane, What::Workload { object, state, message });
        }
    }
}

/// Who watches a kind.
#[derive(Clone, Debug)]
pub(super) struct Listener {
    pub(super) actor: usize,
    pub(super) informer: usize,
    pub(super) watch: crate::reconciler::Watch,
}

impl Listener {
    fn hears(&self, entry: &Entry) -> bool {
        let selects = |object: &Option<Object>| {
            object.as_ref().is_some_and(|object| self.watch.labels.matches(object))
        };
        self.watch.kind.group == entry.object.group
            && (self.watch.labels.is_everything()
                || selects(&entry.before)
                || selects(&entry.after))
    }
}

/// What the trace says of a request before its answer is known.
struct Told {
    verb: &'static str,
    object: ObjectRef,
    subresource: String,
    manager: String,
    dry_run: bool,
}

impl Told {
    fn of(caller: &Caller, request: &ApiRequest) -> Self {
        let (verb, manager) = match &request.verb {
            Verb::Patch(Patch::Apply(_), options) => ("apply", options.field_manager.as_str()),
            Verb::Create(_, options) | Verb::Update(_, options) | Verb::Patch(_, options) => {
                (request.verb.name(), options.field_manager.as_str())
            }
            verb => (verb.name(), ""),
        };
        let writes = request.is_write() || request.is_dry_run();
        let manager = if manager.is_empty() && writes { caller.default_manager() } else { manager };
        Told {
            verb,
            object: request.reference(),
            subresource: request.subresource.as_ref().map_or("", |s| s.name()).into(),
            manager: manager.into(),
            dry_run: request.is_dry_run(),
        }
    }

    fn request(
        &self,
        object: ObjectRef,
        code: u16,
        error: String,
        changed: Vec<FieldChange>,
    ) -> What {
        What::Request {
            verb: self.verb.into(),
            object,
            subresource: self.subresource.clone(),
            manager: self.manager.clone(),
            dry_run: self.dry_run,
            code,
            error,
            changed,
        }
    }
}

/// What a write changed. To take the last finalizer away is all that it did, though the object goes with it.
fn changes(entry: &Entry, verb: &str) -> Vec<FieldChange> {
    let freed = match (&entry.before, &entry.after, verb) {
        (Some(before), None, "patch" | "apply" | "update") => {
            let mut freed = before.clone();
            freed.remove("metadata.finalizers");
            Some(freed)
        }
        _ => entry.after.clone(),
    };
    field_changes(entry.before.as_ref(), freed.as_ref())
}

fn entries_after(inner: &Inner, after: ResourceVersion) -> Vec<Entry> {
    inner.server.log_since(after).map(|entries| entries.cloned().collect()).unwrap_or_default()
}

/// As `kubectl get pods` shows it: the reason that a container waits or ended, else the phase.
fn pod_state(pod: &Object) -> (String, String) {
    if pod.is_deleting() {
        return ("Terminating".into(), String::new());
    }
    let containers = pod.get("status.containerStatuses").and_then(|list| list.as_array());
    for status in containers.into_iter().flatten() {
        for place in ["waiting", "terminated"] {
            let part = |field: &str| status["state"][place][field].as_str().unwrap_or_default();
            if !matches!(part("reason"), "" | "ContainerCreating" | "PodInitializing") {
                return (part("reason").into(), part("message").into());
            }
        }
    }
    (pod.text("status.phase").into(), pod.text("status.message").into())
}

fn node_state(node: &Object) -> (String, String) {
    let conditions = crate::reconciler::conditions(node);
    match conditions.into_iter().find(|condition| condition.kind == "Ready") {
        Some(ready) if ready.is_true() => ("Ready".into(), ready.message),
        Some(ready) => ("NotReady".into(), ready.message),
        None => (String::new(), String::new()),
    }
}
