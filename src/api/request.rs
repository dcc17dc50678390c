//! Requests of the Kubernetes API and what answers them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::Status;
use crate::object::{FieldSelector, GroupVersionKind, LabelSelector, Object, ObjectRef};

/// One request to the Kubernetes API, whoever makes it.
///
/// A request names a kind, not a REST path: whoever answers maps it (`Verb::Discover` tells how).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiRequest {
    /// The kind and version asked for.
    pub kind: GroupVersionKind,
    /// The namespace; empty for cluster-scoped kinds and for lists over all namespaces.
    pub namespace: String,
    /// The name; empty for `Create`, `List`, `Watch`, `DeleteCollection` and `Discover`.
    pub name: String,
    /// The subresource, if not the object itself.
    pub subresource: Option<Subresource>,
    /// What to do, with the body and options of it.
    pub verb: Verb,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Which resource serves the kind: its plural, its scope. Answered with [`Body::Resource`].
    Discover,
    /// Read one object.
    Get(ReadFrom),
    /// Read many.
    List(ListOptions),
    /// Every change after a version (list first). Answered with [`Body::Events`]: what there is now.
    Watch(ListOptions, ResourceVersion),
    /// Make an object.
    Create(Object, WriteOptions),
    /// Replace an object; its `metadata.resourceVersion`, when set, must be the stored one.
    Update(Object, WriteOptions),
    /// Change an object, or with [`Patch::Apply`] make it.
    Patch(Patch, WriteOptions),
    /// Remove an object, or begin to.
    Delete(DeleteOptions),
    /// Remove every object that a list would give.
    DeleteCollection(ListOptions, DeleteOptions),
}

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReadFrom {
    /// The newest state: `resourceVersion` unset.
    #[default]
    Latest,
    /// Whatever the reader's cache holds, `resourceVersion=0`: an informer's view, which may be stale.
    Cache,
    /// The state as it was at a version: `resourceVersionMatch=Exact`, for lists.
    Exactly(ResourceVersion),
}

/// Which objects a list or watch is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ListOptions {
    /// By labels.
    pub labels: LabelSelector,
    /// By fields.
    pub fields: FieldSelector,
    /// At most so many objects an answer; 0 for all.
    pub limit: usize,
    /// Where the previous answer stopped; empty for the beginning.
    pub continue_token: String,
    /// How fresh the answer must be.
    pub read: ReadFrom,
}

/// Options of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct WriteOptions {
    /// Do everything but store it.
    pub dry_run: bool,
    /// The field manager; empty: derived from the caller's agent, as the API server does.
    pub field_manager: String,
    /// Server-side apply: take fields that others manage.
    pub force: bool,
    /// What to do about unknown and duplicate fields.
    pub field_validation: FieldValidation,
}

/// What to do about fields that the schema does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FieldValidation {
    /// Drop them in silence.
    Ignore,
    /// Drop them and warn: the API server's default.
    #[default]
    Warn,
    /// Refuse the request.
    Strict,
}

/// Options of a deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeleteOptions {
    /// Do everything but delete.
    pub dry_run: bool,
    /// What happens to dependents; `None` is the kind's default.
    pub propagation: Option<Propagation>,
    /// What must hold of the object.
    pub preconditions: Preconditions,
    /// Seconds a pod may take to end; `None` is the kind's default.
    pub grace_period_seconds: Option<i64>,
}

/// What must hold of an object for it to be deleted; empty texts demand nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Preconditions {
    /// The wanted `metadata.uid`.
    pub uid: String,
    /// The wanted `metadata.resourceVersion`.
    pub resource_version: String,
}

/// What a deletion does to the objects that name the deleted one as their owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Propagation {
    /// They are left, without an owner.
    Orphan,
    /// They go after the owner.
    Background,
    /// The owner stays, terminating, until they are gone.
    Foreground,
}

/// A part of an object with an address of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subresource {
    /// `status`: what controllers report.
    Status,
    /// `scale`: the replica count as `autoscaling/v1` Scale.
    Scale,
    /// `binding` of a pod, `eviction`, `token` and the like, by name.
    Other(String),
}

/// A change to an object, in one of the four media types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Patch {
    /// RFC 6902, a list of operations.
    Json(Value),
    /// RFC 7386.
    Merge(Value),
    /// Kubernetes strategic merge: lists merge by key where the schema says so.
    Strategic(Value),
    /// Server-side apply (KEP-555): the body is all that the manager wants.
    Apply(Value),
}

/// A request's answer: the HTTP status code, the body, and warnings for the person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiResponse {
    /// 200 or 201.
    pub code: u16,
    /// What was asked for.
    pub body: Body,
    /// As the `Warning` headers carry them.
    pub warnings: Vec<String>,
}

/// What a response carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// One object: read, written, or on its way out.
    Object(Object),
    /// Many objects.
    List(ObjectList),
    /// A deletion that is done.
    Status(Status),
    /// Which resource serves a kind.
    Resource(ApiResource),
    /// Changes since a version.
    Events(Vec<WatchEvent>),
}

/// An answer to a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ObjectList {
    /// The objects, ordered by namespace and name.
    pub items: Vec<Object>,
    /// The version of the whole: what a watch goes on from.
    pub resource_version: ResourceVersion,
    /// Where to go on when a limit cut the list; empty at its end.
    pub continue_token: String,
    /// How many objects are left when a limit cut the list.
    pub remaining: Option<u64>,
}

/// How a kind is served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ApiResource {
    /// The kind and version.
    pub kind: GroupVersionKind,
    /// The plural, lower-case name in paths, such as `deployments`.
    pub plural: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
}

/// A position in a cluster's log of writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceVersion(pub u64);

/// One change, as a watch tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WatchEvent {
    /// What happened.
    pub kind: WatchEventType,
    /// The object after it; for a deletion, as it last was.
    pub object: Object,
}

/// What a watch event says of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatchEventType {
    /// It is there now, or matches the selector now.
    Added,
    /// It changed.
    Modified,
    /// It is gone, or no longer matches the selector.
    Deleted,
    /// Nothing happened up to the object's version.
    Bookmark,
}

/// Who makes a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller {
    /// The authenticated user name, such as `alice` or `system:serviceaccount:flux-system:kustomize-controller`.
    pub user: String,
    /// The groups of the user.
    pub groups: Vec<String>,
    /// What tells this user from an earlier one of the same name; empty for most.
    pub uid: String,
    /// What else the authenticator knows of the user.
    pub extra: BTreeMap<String, Vec<String>>,
    /// The User-Agent: its part before the first `/` names the field manager of writes that name none.
    pub agent: String,
}

impl ApiRequest {
    fn on(kind: &GroupVersionKind, namespace: &str, name: &str, verb: Verb) -> Self {
        ApiRequest {
            kind: kind.clone(),
            namespace: namespace.into(),
            name: name.into(),
            subresource: None,
            verb,
        }
    }

    /// Asks how a kind is served.
    pub fn discover(kind: &GroupVersionKind) -> Self {
        Self::on(kind, "", "", Verb::Discover)
    }

    /// Reads the newest state of one object.
    pub fn get(kind: &GroupVersionKind, namespace: &str, name: &str) -> Self {
        Self::on(kind, namespace, name, Verb::Get(ReadFrom::Latest))
    }

    /// Reads one object from the caller's cache, which may be stale.
    pub fn get_cached(kind: &GroupVersionKind, namespace: &str, name: &str) -> Self {
        Self::on(kind, namespace, name, Verb::Get(ReadFrom::Cache))
    }

    /// Reads the newest state of all objects of a kind, in one namespace or (empty) in all.
    pub fn list(kind: &GroupVersionKind, namespace: &str, labels: LabelSelector) -> Self {
        Self::on(kind, namespace, "", Verb::List(ListOptions { labels, ..ListOptions::default() }))
    }

    /// Reads all objects of a kind from the caller's cache, which may be stale.
    pub fn list_cached(kind: &GroupVersionKind, namespace: &str, labels: LabelSelector) -> Self {
        Self::on(
            kind,
            namespace,
            "",
            Verb::List(ListOptions { labels, read: ReadFrom::Cache, ..ListOptions::default() }),
        )
    }

    /// Lists all objects of a kind; of all namespaces where `namespace` is empty.
    pub fn list_all(kind: &GroupVersionKind, namespace: &str) -> Self {
        Self::list(kind, namespace, LabelSelector::everything())
    }

    /// Lists all objects of a kind as this controller's own cache has them; of all namespaces where
    /// `namespace` is empty.
    pub fn list_all_cached(kind: &GroupVersionKind, namespace: &str) -> Self {
        Self::list_cached(kind, namespace, LabelSelector::everything())
    }

    /// Makes an object.
    pub fn create(object: Object, options: WriteOptions) -> Self {
        let named = object.clone();
        Self::on(&named.gvk(), named.namespace(), "", Verb::Create(object, options))
    }

    /// Replaces an object.
    pub fn update(object: Object, options: WriteOptions) -> Self {
        let named = object.clone();
        Self::on(&named.gvk(), named.namespace(), named.name(), Verb::Update(object, options))
    }

    /// Changes one object.
    pub fn patch(
        kind: &GroupVersionKind,
        namespace: &str,
        name: &str,
        patch: Patch,
        options: WriteOptions,
    ) -> Self {
        Self::on(kind, namespace, name, Verb::Patch(patch, options))
    }

    /// Server-side apply of an object: the options should name a field manager.
    pub fn apply(object: &Object, options: WriteOptions) -> Self {
        Self::on(
            &object.gvk(),
            object.namespace(),
            object.name(),
            Verb::Patch(Patch::Apply(object.as_value().clone()), options),
        )
    }

    /// Removes one object.
    pub fn delete(
        kind: &GroupVersionKind,
        namespace: &str,
        name: &str,
        options: DeleteOptions,
    ) -> Self {
        Self::on(kind, namespace, name, Verb::Delete(options))
    }

    /// The same request, to a subresource.
    pub fn to(mut self, subresource: Subresource) -> Self {
        self.subresource = Some(subresource);
        self
    }

    /// The object the request is about; nameless for lists and creations of unnamed objects.
    pub fn reference(&self) -> ObjectRef {
        let name = match &self.verb {
            Verb::Create(object, _) => object.name(),
            _ => &self.name,
        };
        self.kind.named(&self.namespace, name)
    }

    /// Whether the request may change what is stored.
    pub fn is_write(&self) -> bool {
        match &self.verb {
            Verb::Discover | Verb::Get(_) | Verb::List(_) | Verb::Watch(..) => false,
            Verb::Create(_, options) | Verb::Update(_, options) | Verb::Patch(_, options) => {
                !options.dry_run
            }
            Verb::Delete(options) | Verb::DeleteCollection(_, options) => !options.dry_run,
        }
    }

    /// Whether the request only asks who somebody is or what they may do: a review, which is created to be
    /// answered and never stored.
    pub fn is_review(&self) -> bool {
        matches!(&*self.kind.group, "authentication.k8s.io" | "authorization.k8s.io")
    }

    /// Whether the request is a write that is only tried.
    pub fn is_dry_run(&self) -> bool {
        match &self.verb {
            Verb::Create(_, options) | Verb::Update(_, options) | Verb::Patch(_, options) => {
                options.dry_run
            }
            Verb::Delete(options) | Verb::DeleteCollection(_, options) => options.dry_run,
            _ => false,
        }
    }
}

impl Verb {
    /// The verb as RBAC and audit logs name it: `get`, `list`, `watch`, `create`, `update`, `patch`,
    /// `delete`, `deletecollection`; discovery is a `get` of another path and has no RBAC verb.
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Discover => "discover",
            Verb::Get(_) => "get",
            Verb::List(_) => "list",
            Verb::Watch(..) => "watch",
            Verb::Create(..) => "create",
            Verb::Update(..) => "update",
            Verb::Patch(..) => "patch",
            Verb::Delete(_) => "delete",
            Verb::DeleteCollection(..) => "deletecollection",
        }
    }

    /// The options of a write that changes an object.
    pub fn write_options(&self) -> Option<&WriteOptions> {
        match self {
            Verb::Create(_, options) | Verb::Update(_, options) | Verb::Patch(_, options) => {
                Some(options)
            }
            _ => None,
        }
    }

    /// The field manager of a write by a caller: the one named, else the caller's own. Empty for what
    /// manages no fields.
    pub fn manager<'a>(&'a self, caller: &'a Caller) -> &'a str {
        match self.write_options() {
            Some(options) if options.field_manager.is_empty() => caller.default_manager(),
            Some(options) => &options.field_manager,
            None => "",
        }
    }
}

impl ApiResponse {
    /// An answer with code 200 and no warnings.
    pub fn ok(body: Body) -> Self {
        ApiResponse { code: 200, body, warnings: Vec::new() }
    }

    /// The one object carried, if the body is one.
    pub fn into_object(self) -> Option<Object> {
        match self.body {
            Body::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The objects carried, if the body is a list.
    pub fn into_list(self) -> Option<ObjectList> {
        match self.body {
            Body::List(list) => Some(list),
            _ => None,
        }
    }
}

impl Caller {
    /// A user with an agent, in no group.
    pub fn new(user: &str, agent: &str) -> Self {
        Caller { user: user.into(), agent: agent.into(), ..Caller::default() }
    }

    /// A service account as the API server knows it, with the groups that it has by itself.
    ///
    /// ```
    /// let deployer = driftlab::api::Caller::service_account("web", "deployer", "kustomize-controller");
    /// assert_eq!(deployer.user, "system:serviceaccount:web:deployer");
    /// ```
    pub fn service_account(namespace: &str, name: &str, agent: &str) -> Self {
        Caller {
            user: format!("system:serviceaccount:{namespace}:{name}"),
            groups: vec![
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".into(),
            ],
            agent: agent.into(),
            ..Caller::default()
        }
    }

    /// The field manager of this caller's writes that name none: the agent up to its first `/`.
    pub fn default_manager(&self) -> &str {
        self.agent.split('/').next().unwrap_or("")
    }
}

impl Subresource {
    /// As paths and managed fields name it.
    pub fn name(&self) -> &str {
        match self {
            Subresource::Status => "status",
            Subresource::Scale => "scale",
            Subresource::Other(name) => name,
        }
    }
}

impl fmt::Display for ResourceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for WatchEventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WatchEventType::Added => "ADDED",
            WatchEventType::Modified => "MODIFIED",
            WatchEventType::Deleted => "DELETED",
            WatchEventType::Bookmark => "BOOKMARK",
        })
    }
}
