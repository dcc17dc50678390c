//! The resource quota controller: how much of its quotas a namespace uses.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::inventory::{self, Kind};
use super::writes::{Act, Writes};
use super::{answers, callers, keys, kinds, pods};
use crate::api::{ApiRequest, Caller, Response, Status, WatchEvent, WatchEventType};
use crate::object::{LabelSelector, Object, ObjectRef, Quantity};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::Timestamp;

const NAME: &str = "resourcequota-controller";

/// Counts what the ResourceQuotas of a namespace limit, and keeps `status.hard` and `status.used`:
/// `count/…` of built-in kinds, objects by their old names (`pods`, `services`, `secrets` …), and
/// requests and limits of processor and memory. Scopes are not supported.
///
/// Its keys are quotas, and namespaces in which something came or went.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceQuotas;

/// Where the count for a quota stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The quotas of a namespace in which something changed.
    Quotas,
    /// The quota.
    Quota,
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
    /// Use in thousandths.
    used: BTreeMap<String, i128>,
}

/// Kinds whose count a quota may limit without `count/`, and those that come and go often enough that
/// a change is worth a look; others are counted when the quota changes.
const WATCHED: [(&str, &str); 8] = [
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "Secret"),
    ("v1", "ConfigMap"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "ReplicationController"),
    ("apps/v1", "Deployment"),
    ("batch/v1", "Job"),
];

impl Reconciler for ResourceQuotas {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        let quotas = Watch::all("v1", "ResourceQuota");
        let counted = WATCHED.iter().map(|(api_version, kind)| Watch::all(api_version, kind));
        [quotas].into_iter().chain(counted).collect()
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
            _ if gone || previous.is_none_or(|p| ended(p) != ended(object)) => {
                vec![kinds::namespace().named("", object.namespace())]
            }
            _ => Vec::new(),
        }
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let everything = LabelSelector::everything();
        match target.kind.as_str() {
            "Namespace" => Next::ask(
                Awaiting::Quotas,
                ApiRequest::list_cached(&kinds::quota(), &target.name, everything),
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
            Some(quota) if !quota.is_deleting() => Tally::of(quota).go_on(),
            _ => Next::done(),
        },
        Awaiting::Objects(mut tally) => {
            tally.count(&answers::list(response)?.items);
            tally.go_on()
        }
        Awaiting::Status(writes) => writes.answer(response, now).or_done(Awaiting::Status),
    })
}

impl Tally {
    fn of(quota: Object) -> Self {
        let hard = quota.get("spec.hard").and_then(Value::as_object);
        let names: Vec<String> = hard.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let kinds = inventory::built_in().into_iter().filter(|kind| kind.namespaced);
        let open = kinds
            .map(|kind| {
                let of_kind = names.iter().filter(|name| concerns(name, &kind)).cloned();
                (of_kind.collect::<Vec<_>>(), kind)
            })
            .filter(|(names, _)| !names.is_empty())
            .collect();
        Tally { quota, open, used: BTreeMap::new() }
    }

    fn go_on(self) -> Next<Awaiting> {
        let Some((_, kind)) = self.open.last() else { return self.conclude() };
        let watched = WATCHED.iter().any(|(_, watched)| *watched == kind.gvk.kind);
        let (namespace, everything) = (self.quota.namespace(), LabelSelector::everything());
        let request = match watched {
            true => ApiRequest::list_cached(&kind.gvk, namespace, everything),
            false => ApiRequest::list(&kind.gvk, namespace, everything),
        };
        Next::ask(Awaiting::Objects(self), request)
    }

    fn count(&mut self, objects: &[Object]) {
        for name in self.open.pop().map(|(names, _)| names).unwrap_or_default() {
            let used = objects.iter().map(|object| use_of(&name, object)).sum();
            self.used.insert(name, used);
        }
    }

    fn conclude(self) -> Next<Awaiting> {
        let hard = self.quota.get("spec.hard").cloned().unwrap_or_else(|| json!({}));
        let spell = |(name, used): (&String, &i128)| (name.clone(), quantity(*used, &hard[name]));
        let used: serde_json::Map<String, Value> = self.used.iter().map(spell).collect();
        let status = json!({"hard": hard, "used": used});
        let mut quota = self.quota;
        let news = quota.get("status") != Some(&status);
        quota.set("status", status);
        Writes::of(news.then(|| Act::status(quota))).begin().or_done(Awaiting::Status)
    }
}

/// Whether what a quota calls `name` is counted over objects of a kind.
fn concerns(name: &str, kind: &Kind) -> bool {
    let (plural, group) = (&kind.plural, &kind.gvk.group);
    if let Some(counted) = name.strip_prefix("count/") {
        return match group.as_str() {
            "" => counted == plural,
            group => counted == format!("{plural}.{group}"),
        };
    }
    let resource = ["cpu", "memory", "ephemeral-storage"]
        .iter()
        .any(|r| name == *r || name == format!("requests.{r}") || name == format!("limits.{r}"));
    match kind.gvk.kind.as_str() {
        "Pod" if resource => true,
        "Service" => {
            name == plural || matches!(name, "services.nodeports" | "services.loadbalancers")
        }
        "PersistentVolumeClaim" => name == plural || name == "requests.storage",
        _ => group.is_empty() && name == plural,
    }
}

/// What one object uses, in thousandths. Pods that are over use nothing but their place in a `count/`.
fn use_of(name: &str, object: &Object) -> i128 {
    let counted = name.starts_with("count/");
    if object.kind() == "Pod" && pods::is_finished(object) && !counted {
        return 0;
    }
    match name {
        "services.nodeports" => type_of(object, &["NodePort", "LoadBalancer"]),
        "services.loadbalancers" => type_of(object, &["LoadBalancer"]),
        "requests.storage" => object
            .get("spec.resources.requests.storage")
            .and_then(|value| value.as_str()?.parse::<Quantity>().ok())
            .map_or(0, Quantity::milli_value),
        _ => match name.split_once('.') {
            Some(("requests", resource)) => of_containers(object, "requests", resource),
            Some(("limits", resource)) => of_containers(object, "limits", resource),
            _ if matches!(name, "cpu" | "memory" | "ephemeral-storage") => {
                of_containers(object, "requests", name)
            }
            _ => 1000,
        },
    }
}

fn type_of(service: &Object, types: &[&str]) -> i128 {
    if types.contains(&service.text("spec.type")) { 1000 } else { 0 }
}

fn of_containers(pod: &Object, part: &str, resource: &str) -> i128 {
    let containers = pod.get("spec.containers").and_then(Value::as_array).into_iter().flatten();
    let amount = |container: &Value| {
        let text = container["resources"][part][resource].as_str()?;
        Some(text.parse::<Quantity>().ok()?.milli_value())
    };
    containers.filter_map(amount).sum()
}

/// Thousandths in the family of suffixes of the limit.
fn quantity(thousandths: i128, limit: &Value) -> Value {
    let binary = limit.as_str().is_some_and(|text| text.ends_with('i'));
    let whole = thousandths / 1000;
    let units = [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    let unit = units.iter().find(|(_, size)| whole != 0 && whole % size == 0);
    let text = match (thousandths % 1000, unit) {
        (0, Some((suffix, size))) if binary => format!("{}{suffix}", whole / size),
        (0, _) => whole.to_string(),
        _ => format!("{thousandths}m"),
    };
    text.parse::<Quantity>().map_or(text, |quantity| quantity.to_string()).into()
}
