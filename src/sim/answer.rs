//! What answers a controller's requests: the API server, its own cache, Git, the registry.

use super::actor::{Informer, Task};
use super::choice::Choice;
use super::schedule::News;
use super::world::{Author, Inner};
use crate::api::{
    ApiRequest, ApiResponse, Artifact, Caller, FetchError, FetchErrorKind, FetchRequest,
    ListOptions, ReadFrom, Request, ResourceVersion, Response, Status, Verb, WatchEvent,
    WatchEventType,
};
use crate::object::Object;
use crate::trace::What;

impl Inner {
    /// Answers the request that a task made.
    pub(super) fn answer(
        &mut self,
        index: usize,
        task: &Task,
        choice: &mut dyn Choice,
    ) -> Response {
        let Some(request) = &task.request else { return Response::Woken };
        match request {
            Request::Api(request) => {
                let caller = self.actors[index].caller.clone();
                Response::Api(self.answer_api(index, task, &caller, request, choice))
            }
            Request::ApiAs(caller, request) => {
                Response::Api(self.answer_api(index, task, caller, request, choice))
            }
            Request::Pull { image } => {
                self.actor_mut(index).requests.transfers += 1;
                Response::Pulled(self.registry.resolve(image))
            }
            Request::Fetch(request) => Response::Fetched(self.answer_fetch(index, task, request)),
            Request::Download(artifact) => {
                self.actor_mut(index).requests.transfers += 1;
                Response::Downloaded(self.artifacts.download(artifact))
            }
        }
    }

    fn answer_fetch(
        &mut self,
        index: usize,
        task: &Task,
        request: &FetchRequest,
    ) -> Result<Artifact, FetchError> {
        self.actor_mut(index).requests.transfers += 1;
        let Some(repository) = self.forge.repository(&request.url).cloned() else {
            return Err(FetchError {
                kind: FetchErrorKind::NotFound,
                message: format!(
                    "failed to checkout and determine revision: unable to clone '{}': repository not found",
                    request.url
                ),
            });
        };
        self.artifacts.fetch(&task.key, &repository, request, self.now)
    }

    /// Tells of a fetch that failed or found something new.
    pub(super) fn tell_fetch(&mut self, index: usize, request: &Request, response: &Response) {
        let (Request::Fetch(request), Response::Fetched(fetched)) = (request, response) else {
            return;
        };
        let (revision, error) = match fetched {
            Ok(artifact) => (artifact.revision.clone(), String::new()),
            Err(error) => (String::new(), error.message.clone()),
        };
        let (name, role) = (self.actors[index].name.clone(), self.actors[index].role);
        let who = Author { actor: &name, role, revision: &revision };
        let what = What::Fetched { url: request.url.clone(), revision: revision.clone(), error };
        self.note_for(&who, what);
    }

    fn answer_api(
        &mut self,
        index: usize,
        task: &Task,
        caller: &Caller,
        request: &ApiRequest,
        choice: &mut dyn Choice,
    ) -> Result<ApiResponse, Status> {
        let local = self.is_local(index, request);
        let actor = self.actor_mut(index);
        let count = match (local, request.is_write(), request.is_dry_run()) {
            (true, ..) => &mut actor.requests.cached_reads,
            (_, true, _) => &mut actor.requests.writes,
            (_, _, true) => &mut actor.requests.dry_runs,
            _ => &mut actor.requests.reads,
        };
        *count += 1;
        if local {
            return self.answer_from_cache(index, request);
        }
        let (name, role) = (actor.name.clone(), actor.role);
        let who = Author { actor: &name, role, revision: &task.activity.revision };
        let answer = self.write(&who, caller, request.clone(), choice);
        self.actor_mut(index).requests.failures += u64::from(answer.is_err());
        answer
    }

    /// Whether a request is a read of the actor's own cache: of a kind that it watches.
    pub(super) fn is_local(&self, index: usize, request: &ApiRequest) -> bool {
        let cached = match &request.verb {
            Verb::Get(read) => *read == ReadFrom::Cache,
            Verb::List(options) => options.read == ReadFrom::Cache,
            _ => false,
        };
        cached && self.actors[index].informer(&request.kind.group, &request.kind.kind).is_some()
    }

    /// A cache shows the past up to its informer's cursor; with no news under way, that is the present.
    fn answer_from_cache(&self, index: usize, request: &ApiRequest) -> Result<ApiResponse, Status> {
        let informer = self.actors[index].informer(&request.kind.group, &request.kind.kind);
        let behind = informer.filter(|informer| informer.due.is_some());
        let version = behind.and_then(|i| i.cursor).unwrap_or_else(|| self.server.version());
        self.server.read_at(version, request)
    }

    /// What an informer has not heard yet: everything there is for a first list, or the log from its
    /// cursor on.
    pub(super) fn news(&self, informer: &Informer) -> Vec<News> {
        let since = informer.cursor.and_then(|cursor| self.server.log_since(cursor).ok());
        let Some(entries) = since else { return self.everything(informer, self.server.version()) };
        entries
            .filter(|entry| {
                entry.object.kind == informer.watch.kind.kind
                    && entry.object.group == informer.watch.kind.group
            })
            .filter_map(|entry| event(informer, entry.before.as_ref(), entry.after.as_ref()))
            .collect()
    }

    /// What a list of an informer's objects shows, as of a version.
    pub(super) fn everything(&self, informer: &Informer, version: ResourceVersion) -> Vec<News> {
        let options =
            ListOptions { labels: informer.watch.labels.clone(), ..ListOptions::default() };
        let request = ApiRequest {
            kind: informer.watch.kind.clone(),
            namespace: String::new(),
            name: String::new(),
            subresource: None,
            verb: Verb::List(options),
        };
        let list = self.server.read_at(version, &request);
        let items = list.ok().and_then(ApiResponse::into_list).unwrap_or_default().items;
        items.into_iter().map(|object| (told(WatchEventType::Added, object), None)).collect()
    }
}

/// The event that a write is to an informer with a selector: an object that begins to match is added,
/// one that no longer does is deleted.
fn event(informer: &Informer, before: Option<&Object>, after: Option<&Object>) -> Option<News> {
    let selected = |object: Option<&Object>| {
        object.filter(|object| informer.watch.labels.matches(object)).cloned()
    };
    match (selected(before), selected(after)) {
        (None, Some(object)) => Some((told(WatchEventType::Added, object), None)),
        (Some(before), Some(object)) => {
            Some((told(WatchEventType::Modified, object), Some(before)))
        }
        (Some(before), None) => Some((told(WatchEventType::Deleted, before.clone()), Some(before))),
        (None, None) => None,
    }
}

fn told(kind: WatchEventType, object: Object) -> WatchEvent {
    WatchEvent { kind, object }
}
