//! The resource quota controller: how much of its quotas a namespace uses.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::inventory::{self, Kind};
use super::writes::{Act, Writes};
use super::{answers, callers, keys, kinds, pods};
use crate::api::{ApiRequest, Caller, Response, Status, WatchEvent, WatchEventType};
use crate::object::{Object, ObjectRef, Quantity};
use crate::quota::{Amounts, add, is_in_scope, is_used_by, usage};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

const NAME: &str = "resourcequota-controller";

/// Counts what the ResourceQuotas of a namespace limit, and keeps `status.hard` and `status.used`. What is
/// new, the API server charges by itself; what goes is counted here.
///
/// Its keys are quotas, and namespaces in which something went.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceQuotas;

/// Where the count for a quota stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The quotas of a namespace in which something changed.
    Quotas,
    /// The quota.
    Quota,
    /// The kinds that are not built in, of which it counts some.
    Definitions(Object),
    /// Objects of the kind counted now.
    Objects(Tally),
    /// The status being written.
    Status(Writes),
}

/// A quota and what is used of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tally {
    quota: Object,
    /// Kinds still to be counted, by what the quota calls them.
    open: Vec<(Vec<String>, Kind)>,
    /// What is used, as it is written.
    used: BTreeMap<String, String>,
}

/// After this long a quota is counted anew that counts what nobody tells the going of
/// (`--resource-quota-sync-period`).
const RESYNC: Duration = Duration::from_mins(5);

/// Kinds that others make and unmake all the time, and hardly any quota counts; and events, which none
/// does. Their going is not told.
const UNWATCHED: [&str; 8] = [
    "ControllerRevision",
    "EndpointSlice",
    "Endpoints",
    "Event",
    "Lease",
    "ReplicaSet",
    "RoleBinding",
    "ServiceAccount",
];

/// The kinds whose coming and going is told.
fn watched() -> impl Iterator<Item = Kind> {
    let kinds = inventory::built_in().into_iter();
    kinds.filter(|kind| kind.namespaced && !UNWATCHED.contains(&kind.gvk.kind.as_str()))
}

impl Reconciler for ResourceQuotas {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        let watch = |kind: Kind| Watch::all(kind.gvk.api_version().as_str(), &kind.gvk.kind);
        watched().map(watch).collect()
    }

    fn workers(&self) -> usize {
        5
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let object = &event.object;
        let gone = event.kind == WatchEventType::Deleted;
        let ended = |o: &Object| o.kind() == "Pod" && pods::is_finished(o);
        match object.kind() {
            "ResourceQuota" if !gone => vec![object.reference()],
            "ResourceQuota" => Vec::new(),
            _ if gone || previous.is_some_and(|p| ended(p) != ended(object)) => {
                vec![kinds::namespace().named("", object.namespace())]
            }
            _ => Vec::new(),
        }
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        match target.kind.as_str() {
            "Namespace" => Next::ask(
                Awaiting::Quotas,
                ApiRequest::list_all_cached(&kinds::quota(), &target.name),
            ),
            _ => Next::ask(
                Awaiting::Quota,
                ApiRequest::get_cached(&kinds::quota(), &target.namespace, &target.name),
            ),
        }
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: Awaiting, response: Response, now: Timestamp) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::Quotas => {
            keys::enqueue(answers::list(response)?.items.iter().map(Object::reference))
        }
        Awaiting::Quota => match answers::object(response)? {
            Some(quota) if quota.is_deleting() => Next::done(),
            Some(quota) if counts_others(&quota) => Next::ask(
                Awaiting::Definitions(quota),
                ApiRequest::list_all_cached(&kinds::definition(), ""),
            ),
            Some(quota) => Tally::of(quota, Vec::new()).go_on(),
            None => Next::done(),
        },
        Awaiting::Definitions(quota) => {
            let definitions = answers::list(response)?.items;
            Tally::of(quota, definitions.iter().map(inventory::custom).collect()).go_on()
        }
        Awaiting::Objects(mut tally) => {
            tally.count(&answers::list(response)?.items);
            tally.go_on()
        }
        Awaiting::Status(writes) => writes.answer(response, now).or_done(Awaiting::Status),
    })
}

/// Whether a quota counts objects of kinds that are not built in.
fn counts_others(quota: &Object) -> bool {
    let built_in: Vec<String> = inventory::built_in().iter().map(Kind::resource).collect();
    let is_other = |name: &String| {
        name.strip_prefix("count/").is_some_and(|counted| !built_in.iter().any(|r| r == counted))
    };
    limited(quota).iter().any(is_other)
}

/// Whether a quota counts objects whose going is not told.
fn counts_unwatched(quota: &Object) -> bool {
    let unwatched = |name: &String| !watched().any(|kind| is_used_by(name, &kind.resource()));
    limited(quota).iter().any(unwatched)
}

/// What a quota limits.
fn limited(quota: &Object) -> Vec<String> {
    let hard = quota.get("spec.hard").and_then(Value::as_object);
    hard.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

impl Tally {
    fn of(quota: Object, custom: Vec<Kind>) -> Self {
        let names = limited(&quota);
        let kinds = inventory::built_in().into_iter().chain(custom).filter(|kind| kind.namespaced);
        let open = kinds
            .map(|kind| {
                let resource = kind.resource();
                let of_kind = names.iter().filter(|name| is_used_by(name, &resource)).cloned();
                (of_kind.collect::<Vec<_>>(), kind)
            })
            .filter(|(names, _)| !names.is_empty())
            .collect();
        Tally { quota, open, used: BTreeMap::new() }
    }

    fn go_on(self) -> Next<Awaiting> {
        let Some((_, kind)) = self.open.last() else { return self.conclude() };
        let watched = watched().any(|watched| watched == *kind);
        let namespace = self.quota.namespace();
        let request = match watched {
            true => ApiRequest::list_all_cached(&kind.gvk, namespace),
            false => ApiRequest::list_all(&kind.gvk, namespace),
        };
        Next::ask(Awaiting::Objects(self), request)
    }

    fn count(&mut self, objects: &[Object]) {
        let Some((names, kind)) = self.open.pop() else { return };
        let resource = kind.resource();
        let mut used: Amounts = names.into_iter().map(|name| (name, Quantity::default())).collect();
        for object in objects.iter().filter(|o| is_in_scope(&self.quota, &resource, o)) {
            let mut own = usage(&resource, object);
            own.retain(|name, _| used.contains_key(name));
            add(&mut used, &own);
        }
        let spelled = used.into_iter().map(|(name, amount)| (name, amount.to_string()));
        self.used.extend(spelled);
    }

    fn conclude(self) -> Next<Awaiting> {
        let hard = self.quota.get("spec.hard").cloned().unwrap_or_else(|| json!({}));
        let status = json!({"hard": hard, "used": self.used});
        let mut quota = self.quota;
        if quota.get("status") == Some(&status) {
            return match counts_unwatched(&quota) {
                true => Next::again_after(RESYNC),
                false => Next::done(),
            };
        }
        quota.set("status", status);
        Writes::of([Act::status(quota)]).begin().or_done(Awaiting::Status)
    }
}
