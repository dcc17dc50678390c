//! The server itself: what it holds, and which part answers which verb.

use std::sync::Arc;

use super::addresses::Addresses;
use super::audit::{Asked, Audit, AuditEntry};
use super::authenticate::{SigningKey, Users};
use super::authorize::{Authorization, authorize};
use super::history::{Entry, History};
use super::read::View;
use super::resource::{Resource, Resources};
use super::schema::KindSchema;
use super::settled::Settled;
use super::store::{Store, Table, table_key};
use super::webhook::{Actors, Webhook};
use super::write::Write;
use super::{bootstrap, custom, refusal};
use crate::api::{
    ApiRequest, ApiResponse, Body, Caller, Patch, ReadFrom, ResourceVersion, Status, Verb,
    WriteOptions,
};
use crate::object::{GroupVersionKind, Object, ObjectRef};
use crate::time::Timestamp;

/// A Kubernetes API server and its store, as a value.
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) store: Store,
    pub(super) history: History,
    pub(super) resources: Resources,
    pub(super) addresses: Addresses,
    pub(super) settled: Settled,
    pub(super) authorization: Authorization,
    pub(super) users: Arc<Users>,
    pub(super) signing_key: SigningKey,
    pub(super) webhooks: Actors,
    started: Timestamp,
    audit: Audit,
}

impl Server {
    /// A server as it is right after its first start: the built-in kinds, the namespaces `default`,
    /// `kube-system`, `kube-public` and `kube-node-lease`, and the service `kubernetes`.
    pub fn new() -> Self {
        Self::started_at(Timestamp::START)
    }

    /// The same, first started at a time: that of what it makes for itself.
    pub fn started_at(at: Timestamp) -> Self {
        let mut server = Server {
            store: Store::default(),
            history: History::default(),
            resources: Resources::builtin(),
            addresses: Addresses::default(),
            settled: Settled::default(),
            authorization: Authorization::AlwaysAllow,
            users: Arc::default(),
            signing_key: SigningKey::default(),
            webhooks: Actors::default(),
            started: at,
            audit: Audit::default(),
        };
        bootstrap::start(&mut server, at);
        server.audit = Audit::default();
        server
    }

    /// The same server, deciding otherwise who may do what; by roles, it gets those that every cluster
    /// has.
    pub fn with_authorization(mut self, authorization: Authorization) -> Self {
        if authorization == Authorization::Rbac {
            let started = self.started;
            bootstrap::roles(&mut self, started);
        }
        self.authorization = authorization;
        self
    }

    /// Adds somebody who answers admission webhooks, in place of one of that name. It is asked when a
    /// webhook configuration in the store leads there.
    pub fn add_webhook(&mut self, webhook: Webhook) {
        self.webhooks.add(webhook);
    }

    /// Those who answer admission webhooks, in the order they were added.
    pub fn webhooks(&self) -> impl Iterator<Item = &Webhook> {
        self.webhooks.iter()
    }

    /// Has a webhook refuse connections, or take them again. An empty name means all of them.
    pub fn set_webhook_down(&mut self, name: &str, down: bool) {
        self.webhooks.set_down(name, down);
    }

    /// How it decides who may do what.
    pub fn authorization(&self) -> Authorization {
        self.authorization
    }

    /// Answers a request, made at `now`, and keeps what it changes.
    ///
    /// # Errors
    ///
    /// The refusals of a real server, as it words them.
    pub fn handle(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        request: ApiRequest,
    ) -> Result<ApiResponse, Status> {
        let manager = manager_of(&request.verb, caller);
        let asked = Asked::of(now, caller, &request, manager.clone());
        let before = self.version();
        let answer = self.answer(now, caller, manager, request);
        let written = Some(self.version()).filter(|version| *version > before);
        self.audit.record(asked, &answer, written);
        if written.is_some() {
            custom::settle(self, now, before);
        }
        answer
    }

    /// Answers a watch with what there is by now, and a get or a list as it would have been answered when
    /// the log ended at `at`: what a cache that lags behind holds. A version that is not reached yet reads
    /// the newest state.
    ///
    /// # Errors
    ///
    /// As for [`Server::handle`]; `Expired` when the log before `at` is compacted; `MethodNotAllowed`
    /// for verbs that are no reads.
    pub fn read_at(
        &self,
        at: ResourceVersion,
        request: &ApiRequest,
    ) -> Result<ApiResponse, Status> {
        let resource = self.resource(&request.kind)?;
        let request = &placed(request.clone(), &resource);
        expect_served(&resource, request)?;
        let view = View::at(self, at)?;
        match &request.verb {
            Verb::Discover => Ok(discovered(&resource)),
            Verb::Get(_) => view.get(&resource, request),
            Verb::List(options) => view.list(&resource, &request.namespace, &request.name, options),
            Verb::Watch(options, from) => self.watch(&resource, &request.namespace, options, *from),
            _ => Err(refusal::method_not_allowed()),
        }
    }

    /// The position of the last write.
    pub fn version(&self) -> ResourceVersion {
        self.history.version()
    }

    /// The newest state of one object.
    pub fn get(&self, object: &ObjectRef) -> Option<&Object> {
        self.store.get_ref(object)
    }

    /// Every object, ordered by group and kind, then by namespace and name.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.store.iter()
    }

    /// Every object of a kind, whatever its version, ordered by namespace and name.
    pub fn objects_of(&self, group: &str, kind: &str) -> impl Iterator<Item = &Object> {
        self.store.table(&table_key(group, kind)).into_iter().flat_map(Table::values)
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there are no objects: never so of a server made by [`Server::new`] until all are deleted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every write after a version, in order.
    ///
    /// # Errors
    ///
    /// `Expired` (410) when the log is compacted beyond `after`: list, then go on from the list's version.
    pub fn log_since(
        &self,
        after: ResourceVersion,
    ) -> Result<impl DoubleEndedIterator<Item = &Entry>, Status> {
        self.history.since(after)
    }

    /// The version up to and with which the log is forgotten.
    pub fn compacted(&self) -> ResourceVersion {
        self.history.compacted()
    }

    /// Forgets the log up to and with a version. Watches from before it answer `Expired`.
    pub fn compact(&mut self, upto: ResourceVersion) {
        self.history.compact(upto);
    }

    /// Who asked for which write, and what the answer was; refused reads too. The last 10,000.
    pub fn audit(&self) -> impl Iterator<Item = &AuditEntry> {
        self.audit.entries()
    }

    /// How many entries the audit log ever had.
    pub(super) fn requests_audited(&self) -> usize {
        self.audit.recorded()
    }

    /// How many reads were answered: user, verb, kind, count.
    pub fn reads(&self) -> impl Iterator<Item = (&str, &'static str, &str, u64)> {
        self.audit.reads()
    }

    /// Every resource whose objects are kept, by group, version and kind; reviews are served besides.
    pub fn resources(&self) -> impl Iterator<Item = &KindSchema> {
        let kept = self.resources.iter().filter(|resource| resource.stored);
        kept.map(|resource| &*resource.schema)
    }

    /// The resource that serves a kind.
    ///
    /// # Errors
    ///
    /// `NotFound` when none does.
    pub(super) fn resource(&self, kind: &GroupVersionKind) -> Result<Arc<Resource>, Status> {
        self.resources.get(kind).cloned().ok_or_else(refusal::unknown_resource)
    }

    pub(super) fn namespaces(&self) -> Arc<Resource> {
        let kind = GroupVersionKind::new("v1", "Namespace");
        self.resource(&kind).expect("namespaces are built in")
    }

    /// The answer; warnings go with it whether it is a refusal or not.
    fn answer(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        manager: String,
        request: ApiRequest,
    ) -> Result<ApiResponse, Status> {
        let resource = self.resource(&request.kind)?;
        let request = placed(request, &resource);
        if self.authorization == Authorization::Rbac {
            authorize(self, caller, &resource, &request)?;
        }
        expect_served(&resource, &request)?;
        let mut warnings: Vec<String> = resource.deprecation(&self.resources).into_iter().collect();
        let answer = if request.is_write() || request.is_dry_run() {
            let mut write = Write::new(self, now, caller, resource, manager, &request);
            let answer = write.answer(request.verb);
            warnings.extend(write.into_warnings());
            answer.map(|(code, body)| ApiResponse { code, ..ApiResponse::ok(body) })
        } else {
            self.read(&resource, &request)
        };
        match answer {
            Ok(response) => Ok(ApiResponse { warnings, ..response }),
            Err(refused) => Err(Status { warnings, ..refused }),
        }
    }

    fn read(&self, resource: &Resource, request: &ApiRequest) -> Result<ApiResponse, Status> {
        let namespace = &request.namespace;
        match &request.verb {
            Verb::Discover => Ok(discovered(resource)),
            Verb::Get(_) => View::newest(self).get(resource, request),
            Verb::List(options) => {
                let view = match options.read {
                    ReadFrom::Exactly(version) => View::at(self, version)?,
                    ReadFrom::Latest | ReadFrom::Cache => View::newest(self),
                };
                view.list(resource, namespace, &request.name, options)
            }
            Verb::Watch(options, from) => self.watch(resource, namespace, options, *from),
            _ => unreachable!("writes are answered elsewhere"),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

/// The verb as RBAC names it, but `apply` for a server-side apply.
pub(super) fn verb_name(verb: &Verb) -> &'static str {
    match verb {
        Verb::Patch(Patch::Apply(_), _) => "apply",
        other => other.name(),
    }
}

/// The path of a kind that lives in no namespace names none: a client leaves it out.
fn placed(mut request: ApiRequest, resource: &Resource) -> ApiRequest {
    if !resource.namespaced {
        request.namespace.clear();
    }
    request
}

/// What is not kept can only be created; a subresource must be there, and take the verb.
fn expect_served(resource: &Resource, request: &ApiRequest) -> Result<(), Status> {
    let Some(subresource) = &request.subresource else {
        return match request.verb {
            Verb::Create(..) | Verb::Discover => Ok(()),
            _ if resource.stored => Ok(()),
            _ => Err(refusal::method_not_allowed()),
        };
    };
    match resource.verbs_of(subresource) {
        None => Err(refusal::no_subresource(resource, &request.name)),
        Some(verbs) if verbs.contains(&verb_name(&request.verb)) => Ok(()),
        Some(_) => Err(refusal::method_not_allowed()),
    }
}

fn discovered(resource: &Resource) -> ApiResponse {
    ApiResponse::ok(Body::Resource(resource.to_api_resource()))
}

fn manager_of(verb: &Verb, caller: &Caller) -> String {
    let named = |options: &WriteOptions| match options.field_manager.as_str() {
        "" => caller.default_manager().to_owned(),
        given => given.to_owned(),
    };
    match verb {
        Verb::Create(_, options) | Verb::Update(_, options) | Verb::Patch(_, options) => {
            named(options)
        }
        Verb::Delete(_) | Verb::DeleteCollection(..) => caller.default_manager().to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
