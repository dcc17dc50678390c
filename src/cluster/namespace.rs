//! The namespace controller: empties a namespace that is being deleted.

use std::collections::BTreeMap;

use serde_json::Value;

use super::inventory::{self, Kind};
use super::writes::{Act, Writes};
use super::{answers, callers, kinds};
use crate::api::{
    ApiRequest, Caller, DeleteOptions, ListOptions, Propagation, Response, Status, Subresource,
    Verb, WatchEvent, WatchEventType, WriteOptions,
};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Condition, Next, Reconciler, Watch, set_condition};
use crate::time::{Duration, Timestamp};

const NAME: &str = "namespace-controller";

/// Deletes what is in a namespace that is being deleted, kind by kind, tells what remains and which
/// finalizers hold it, and at last takes `kubernetes` off `spec.finalizers`, which lets the namespace go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Namespaces;

/// Where the deletion of a namespace stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The namespace.
    Namespace,
    /// The definitions of custom resources: their objects go too.
    Definitions(Object),
    /// Objects of the kind at hand.
    Content(Purge),
    /// Their deletion.
    Deletion(Purge),
    /// Those of them that are left.
    Remains(Purge),
    /// What remains being told.
    Status(Writes),
    /// The finalizer being taken off.
    Finalization(Writes),
}

/// How far the emptying of a namespace has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Purge {
    namespace: Object,
    kinds: Vec<Kind>,
    /// Objects left, by resource.
    remaining: BTreeMap<String, usize>,
    /// Objects held, by finalizer.
    finalizers: BTreeMap<String, usize>,
}

impl Reconciler for Namespaces {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("v1", "Namespace")]
    }

    fn workers(&self) -> usize {
        10
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let gone = event.kind == WatchEventType::Deleted;
        let known = previous.is_some_and(Object::is_deleting);
        match event.object.is_deleting() && !gone && !known {
            true => vec![event.object.reference()],
            false => Vec::new(),
        }
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let namespace = ApiRequest::get_cached(&kinds::namespace(), "", &target.name);
        Next::ask(Awaiting::Namespace, namespace)
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: Awaiting, response: Response, now: Timestamp) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::Namespace => match answers::object(response)? {
            Some(namespace) if namespace.is_deleting() && is_held(&namespace) => {
                let request = ApiRequest::list_all(&kinds::definition(), "");
                Next::ask(Awaiting::Definitions(namespace), request)
            }
            _ => Next::done(),
        },
        Awaiting::Definitions(namespace) => {
            let custom = answers::list(response)?.items;
            next_kind(Purge::of(namespace, custom.iter().map(inventory::custom)), now)
        }
        Awaiting::Content(mut purge) => match answers::list(response)?.items.is_empty() {
            true => {
                purge.kinds.pop();
                next_kind(purge, now)
            }
            false => {
                let request = purge.delete_all();
                Next::ask(Awaiting::Deletion(purge), request)
            }
        },
        Awaiting::Deletion(purge) => {
            answers::answer(response)?;
            let request = purge.list();
            Next::ask(Awaiting::Remains(purge), request)
        }
        Awaiting::Remains(mut purge) => {
            purge.count(&answers::list(response)?.items);
            next_kind(purge, now)
        }
        Awaiting::Status(writes) => told(writes.answer(response, now)),
        Awaiting::Finalization(writes) => {
            writes.answer(response, now).or_done(Awaiting::Finalization)
        }
    })
}

fn is_held(namespace: &Object) -> bool {
    let finalizers = namespace.get("spec.finalizers").and_then(Value::as_array);
    finalizers.into_iter().flatten().any(|finalizer| finalizer == "kubernetes")
}

fn next_kind(purge: Purge, now: Timestamp) -> Next<Awaiting> {
    if !purge.kinds.is_empty() {
        let request = purge.list();
        return Next::ask(Awaiting::Content(purge), request);
    }
    match purge.remaining.is_empty() {
        true => Writes::of([finalized(&purge.namespace)]).begin().or_done(Awaiting::Finalization),
        false => {
            let told_now = purge.with_conditions(now);
            let news = (told_now != purge.namespace).then(|| Act::status(told_now));
            told(Writes::of(news).begin())
        }
    }
}

fn told(progress: super::writes::Progress) -> Next<Awaiting> {
    /// As often as content that has no grace period to wait for is looked at again.
    const LOOK_AGAIN: Duration = Duration::from_secs(5);
    progress.or_else(Awaiting::Status, || Next::again_after(LOOK_AGAIN))
}

/// Takes `kubernetes` off the finalizers.
fn finalized(namespace: &Object) -> Act {
    let mut namespace = namespace.clone();
    let finalizers = namespace.get("spec.finalizers").and_then(Value::as_array).cloned();
    let left: Vec<Value> =
        finalizers.into_iter().flatten().filter(|f| *f != "kubernetes").collect();
    namespace.set("spec.finalizers", left);
    let finalize = Subresource::Other("finalize".into());
    Act::needed(ApiRequest::update(namespace, WriteOptions::default()).to(finalize)).or_gone()
}

impl Purge {
    fn of(namespace: Object, custom: impl Iterator<Item = Kind>) -> Self {
        let mut kinds: Vec<Kind> =
            inventory::built_in().into_iter().chain(custom).filter(|k| k.namespaced).collect();
        kinds.reverse();
        Purge { namespace, kinds, remaining: BTreeMap::new(), finalizers: BTreeMap::new() }
    }

    fn kind(&self) -> &Kind {
        self.kinds.last().expect("a kind is at hand")
    }

    fn list(&self) -> ApiRequest {
        ApiRequest::list_all(&self.kind().gvk, self.namespace.name())
    }

    fn delete_all(&self) -> ApiRequest {
        let options = DeleteOptions {
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        ApiRequest { verb: Verb::DeleteCollection(ListOptions::default(), options), ..self.list() }
    }

    /// Counts what is left of the kind at hand, and goes on to the next.
    fn count(&mut self, items: &[Object]) {
        let Some(kind) = self.kinds.pop() else { return };
        if !items.is_empty() {
            self.remaining.insert(format!("{}.{}", kind.plural, kind.gvk.group), items.len());
        }
        for finalizer in items.iter().flat_map(Object::finalizers) {
            *self.finalizers.entry(finalizer.to_owned()).or_default() += 1;
        }
    }

    fn with_conditions(&self, now: Timestamp) -> Object {
        let mut namespace = self.namespace.clone();
        let list = namespace.get("status.conditions").and_then(Value::as_array).cloned();
        let mut list = list.unwrap_or_default();
        for (kind, reason, message) in FINE {
            if kind != FINALIZERS || self.finalizers.is_empty() {
                set_condition(&mut list, &Condition::new(kind, "False", reason, message), now);
            }
        }
        let count = |(what, n): (&String, &usize)| format!("{what} has {n} resource instances");
        let remaining: Vec<String> = self.remaining.iter().map(count).collect();
        let message = format!("Some resources are remaining: {}", remaining.join(", "));
        let content =
            Condition::new("NamespaceContentRemaining", "True", "SomeResourcesRemain", message);
        set_condition(&mut list, &content, now);
        if !self.finalizers.is_empty() {
            let count = |(what, n): (&String, &usize)| format!("{what} in {n} resource instances");
            let held: Vec<String> = self.finalizers.iter().map(count).collect();
            let message = format!(
                "Some content in the namespace has finalizers remaining: {}",
                held.join(", ")
            );
            let finalizers = Condition::new(FINALIZERS, "True", "SomeFinalizersRemain", message);
            set_condition(&mut list, &finalizers, now);
        }
        namespace.set("status.conditions", list);
        namespace
    }
}

const FINALIZERS: &str = "NamespaceFinalizersRemaining";

/// What a model of a cluster never fails at, and the state of finalizers unless some hold content.
const FINE: [(&str, &str, &str); 4] = [
    (
        "NamespaceDeletionDiscoveryFailure",
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    (FINALIZERS, "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
];
