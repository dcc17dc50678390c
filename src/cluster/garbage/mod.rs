//! The garbage collector: objects go when their owners are gone.

mod inquiry;
mod search;

use inquiry::{Inquiry, Verdict};
use search::{Search, Why};

use super::inventory::{self, Kind};
use super::writes::{Act, Writes};
use super::{answers, callers, keys};
use crate::api::{ApiRequest, Caller, Response, Status, WatchEvent, WatchEventType};
use crate::object::{GroupVersionKind, Object, ObjectRef, OwnerReference};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::Timestamp;

const NAME: &str = "generic-garbage-collector";
const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// How a queue key says that it is about the dependents of an object, not the object.
const DEPENDENTS: &str = "/dependents";

/// Deletes objects whose owners are all gone, takes references to owners that are gone off the others,
/// and carries out foreground and orphaning deletions.
///
/// An owner counts as gone only when a live read says so. It watches every built-in kind; custom
/// resources are dependents like others, and their own deletions are noticed when their kinds are named
/// to [`GarbageCollector::with`].
///
/// Source: `k8s.io/kubernetes/pkg/controller/garbagecollector`. Its keys are objects, and objects' names
/// with `/dependents` after the kind for what an object that is gone has left.
#[derive(Clone, Debug)]
pub struct GarbageCollector {
    kinds: Vec<Kind>,
    watched: Vec<GroupVersionKind>,
}

/// Where the collector stands with an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The object.
    Item,
    /// One of its owners, from the cache.
    Owner(Inquiry),
    /// How the kind of an owner is served.
    OwnerKind(Inquiry),
    /// An owner that the cache does not have, from the server.
    OwnerNow(Inquiry),
    /// The object once more, from the server, before something is done about it.
    ItemNow(Inquiry),
    /// The definitions of custom resources: their objects may be dependents too.
    Definitions(Search),
    /// Dependents of the kind searched now.
    Dependents(Search),
    /// Something being done.
    Writes(Writes),
}

impl Default for GarbageCollector {
    fn default() -> Self {
        Self::with(&[])
    }
}

impl GarbageCollector {
    /// A collector that also watches these kinds of custom resources.
    pub fn with(custom: &[GroupVersionKind]) -> Self {
        let kinds = inventory::built_in();
        let stored = kinds.iter().map(|kind| &kind.gvk).filter(|gvk| gvk.kind != "Event");
        GarbageCollector { watched: stored.chain(custom).cloned().collect(), kinds }
    }

    fn kind(&self, group: &str, kind: &str) -> Option<&Kind> {
        self.kinds.iter().find(|k| k.gvk.kind == kind && k.gvk.group == group)
    }

    fn watched(&self, key: &ObjectRef) -> Option<&GroupVersionKind> {
        self.watched.iter().find(|gvk| gvk.kind == key.kind && gvk.group == key.group)
    }
}

impl Reconciler for GarbageCollector {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        let all = |gvk: &GroupVersionKind| Watch::all(&gvk.api_version(), &gvk.kind);
        self.watched.iter().map(all).collect()
    }

    fn workers(&self) -> usize {
        20
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let object = &event.object;
        if event.kind == WatchEventType::Deleted {
            let mut keys = vec![of_dependents(&object.reference())];
            keys.extend(object.owner_references().iter().map(|o| self.owner_key(object, o)));
            return keys;
        }
        let concerns = |o: &Object| (o.owner_references(), o.is_deleting().then(|| marks(o)));
        let news = previous.is_none_or(|previous| concerns(previous) != concerns(object));
        let owned = !object.owner_references().is_empty();
        match news && (owned || object.is_deleting()) {
            true => vec![object.reference()],
            false => Vec::new(),
        }
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        if let Some(kind) = target.kind.strip_suffix(DEPENDENTS) {
            let owner = ObjectRef { kind: kind.into(), ..target.clone() };
            return self.search(owner, Why::Gone);
        }
        match self.watched(target) {
            Some(gvk) => {
                let item = ApiRequest::get_cached(gvk, &target.namespace, &target.name);
                Next::ask(Awaiting::Item, item)
            }
            None => Next::done(),
        }
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        self.advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

impl GarbageCollector {
    fn advance(
        &self,
        state: Awaiting,
        response: Response,
        now: Timestamp,
    ) -> Result<Next<Awaiting>, Status> {
        Ok(match state {
            Awaiting::Item => match answers::object(response)? {
                Some(item) => self.look_at(item),
                None => Next::done(),
            },
            Awaiting::Owner(mut inquiry) => match answers::object(response)? {
                Some(owner) if inquiry.found(&owner) => self.next_owner(inquiry),
                _ => self.ask_server(inquiry),
            },
            Awaiting::OwnerKind(inquiry) => {
                let namespaced = answers::is_namespaced(response)?;
                self.ask_server_of(inquiry, namespaced)
            }
            Awaiting::OwnerNow(mut inquiry) => {
                inquiry.answered(response)?;
                self.next_owner(inquiry)
            }
            Awaiting::ItemNow(inquiry) => match answers::object(response)? {
                Some(item) if item.uid() == inquiry.item.uid() => self.act(inquiry, item),
                _ => Next::done(),
            },
            Awaiting::Definitions(mut search) => {
                let definitions = answers::list(response)?.items;
                search.also(definitions.iter().map(inventory::custom));
                self.search_on(search)
            }
            Awaiting::Dependents(mut search) => {
                search.found(answers::list(response)?.items);
                self.search_on(search)
            }
            Awaiting::Writes(writes) => writes.answer(response, now).or_done(Awaiting::Writes),
        })
    }

    /// An object that is being deleted may wait for its dependents; another may have lost its owners.
    fn look_at(&self, item: Object) -> Next<Awaiting> {
        let subject = item.reference();
        if item.is_deleting() && item.finalizers().contains(&ORPHAN) {
            return self.search(subject, Why::Orphan(item));
        }
        if item.is_deleting() && item.finalizers().contains(&FOREGROUND) {
            return self.search(subject, Why::Foreground(item));
        }
        match item.is_deleting() || item.owner_references().is_empty() {
            true => Next::done(),
            false => self.next_owner(Inquiry::about(item)),
        }
    }

    fn next_owner(&self, inquiry: Inquiry) -> Next<Awaiting> {
        let Some(owner) = inquiry.next() else { return self.decide(inquiry) };
        let key = self.owner_key(&inquiry.item, owner);
        match self.kind(&key.group, &key.kind) {
            Some(kind) => {
                let request = ApiRequest::get_cached(&kind.gvk, &key.namespace, &key.name);
                Next::ask(Awaiting::Owner(inquiry), request)
            }
            None => self.ask_server(inquiry),
        }
    }

    /// The key of an owner; of an unknown kind it is taken to be in the same namespace.
    fn owner_key(&self, item: &Object, owner: &OwnerReference) -> ObjectRef {
        let gvk = GroupVersionKind::new(&owner.api_version, &owner.kind);
        let namespaced = self.kind(&gvk.group, &gvk.kind).is_none_or(|kind| kind.namespaced);
        gvk.named(if namespaced { item.namespace() } else { "" }, &owner.name)
    }

    fn ask_server(&self, inquiry: Inquiry) -> Next<Awaiting> {
        let owner = inquiry.next().expect("an owner is asked for");
        let gvk = GroupVersionKind::new(&owner.api_version, &owner.kind);
        match self.kind(&gvk.group, &gvk.kind).map(|kind| kind.namespaced) {
            Some(namespaced) => self.ask_server_of(inquiry, namespaced),
            None => Next::ask(Awaiting::OwnerKind(inquiry), ApiRequest::discover(&gvk)),
        }
    }

    fn ask_server_of(&self, inquiry: Inquiry, namespaced: bool) -> Next<Awaiting> {
        let request = inquiry.live_read(namespaced);
        Next::ask(Awaiting::OwnerNow(inquiry), request)
    }

    fn decide(&self, inquiry: Inquiry) -> Next<Awaiting> {
        if inquiry.verdict() == Verdict::Keep {
            return Next::done();
        }
        let item = inquiry.item.reference();
        let request = ApiRequest::get(&inquiry.item.gvk(), &item.namespace, &item.name);
        Next::ask(Awaiting::ItemNow(inquiry), request)
    }

    /// `item` is the object as it is now: if its owners are others by now, its change brings it back.
    fn act(&self, inquiry: Inquiry, item: Object) -> Next<Awaiting> {
        if item.is_deleting() || item.owner_references() != inquiry.item.owner_references() {
            return Next::done();
        }
        let inquiry = inquiry.of(item);
        match inquiry.verdict() {
            Verdict::Keep => Next::done(),
            Verdict::Forget => carry_out([inquiry.forget_lost_owners()]),
            Verdict::Collect => carry_out([inquiry.collect(false)]),
            Verdict::CollectAfterDependents => {
                self.search(inquiry.item.reference(), Why::Collect(inquiry))
            }
        }
    }

    fn search(&self, owner: ObjectRef, why: Why) -> Next<Awaiting> {
        let namespaced = !owner.namespace.is_empty();
        let mut search = Search::new(owner, why);
        let fits = |kind: &&Kind| inventory::may_own(&search.owner.kind, namespaced, kind);
        let kinds: Vec<Kind> = self.kinds.iter().filter(fits).cloned().collect();
        search.also(kinds);
        let definitions = super::kinds::definition();
        let request = ApiRequest::list_cached(&definitions, "", Default::default());
        Next::ask(Awaiting::Definitions(search), request)
    }

    fn search_on(&self, mut search: Search) -> Next<Awaiting> {
        match search.next_kind() {
            Some(kind) => {
                let namespace = if kind.namespaced { search.owner.namespace.as_str() } else { "" };
                let request = match self.watched.contains(&kind.gvk) {
                    true => ApiRequest::list_cached(&kind.gvk, namespace, Default::default()),
                    false => ApiRequest::list(&kind.gvk, namespace, Default::default()),
                };
                Next::ask(Awaiting::Dependents(search), request)
            }
            None => self.searched(search),
        }
    }

    fn searched(&self, search: Search) -> Next<Awaiting> {
        match search.why {
            Why::Gone => keys::enqueue(search.dependents.iter().map(Object::reference)),
            Why::Collect(inquiry) => carry_out([inquiry.collect(!search.dependents.is_empty())]),
            Why::Orphan(owner) => {
                let uids = [owner.uid().to_owned()];
                let mut acts: Vec<Act> =
                    search.dependents.iter().map(|d| inquiry::forget(d, &uids)).collect();
                acts.push(inquiry::without_finalizer(&owner, ORPHAN));
                carry_out(acts)
            }
            Why::Foreground(owner) => {
                let blocks = |o: &OwnerReference| o.uid == owner.uid() && o.block_owner_deletion;
                let blocked =
                    search.dependents.iter().any(|d| d.owner_references().iter().any(blocks));
                match blocked {
                    true => keys::enqueue(search.dependents.iter().map(Object::reference)),
                    false => carry_out([inquiry::without_finalizer(&owner, FOREGROUND)]),
                }
            }
        }
    }
}

fn carry_out(acts: impl IntoIterator<Item = Act>) -> Next<Awaiting> {
    Writes::of(acts).begin().or_done(Awaiting::Writes)
}

/// The marks of a deletion that the collector carries out.
fn marks(object: &Object) -> Vec<String> {
    let marks = object.finalizers().into_iter().filter(|f| [FOREGROUND, ORPHAN].contains(f));
    marks.map(str::to_owned).collect()
}

fn of_dependents(key: &ObjectRef) -> ObjectRef {
    ObjectRef { kind: format!("{}{DEPENDENTS}", key.kind), ..key.clone() }
}
