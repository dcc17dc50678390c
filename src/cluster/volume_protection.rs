//! Claims and volumes that are deleted while they are in use: they go when nobody uses them any more.
//!
//! Source: `k8s.io/kubernetes/pkg/controller/volume/pvcprotection` and `pvprotection`.

use serde_json::{Value, json};

use super::writes::{Act, Writes};
use super::{answers, callers, kinds, pods};
use crate::api::{ApiRequest, Caller, Response, Status, WatchEvent};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

const OF_CLAIMS: &str = "kubernetes.io/pvc-protection";
const OF_VOLUMES: &str = "kubernetes.io/pv-protection";

/// How long after a look at a claim in use the next is taken. (The real controller is told of every pod.)
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Lets go of claims that are being deleted once no pod on a node uses them.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaimProtection;

/// Lets go of volumes that are being deleted once they are bound to no claim.
#[derive(Clone, Copy, Debug, Default)]
pub struct VolumeProtection;

/// Where the look at a claim or a volume stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The object.
    Object,
    /// The pods beside a claim.
    Pods(Object),
    /// Its finalizer being taken off.
    Writes(Writes),
}

impl Reconciler for ClaimProtection {
    type State = Awaiting;

    fn name(&self) -> &str {
        "pvc-protection-controller"
    }

    fn caller(&self) -> Caller {
        callers::controller(self.name())
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("v1", "PersistentVolumeClaim")]
    }

    fn handle_event(&self, event: &WatchEvent, _previous: Option<&Object>) -> Vec<ObjectRef> {
        let going = is_going(&event.object, OF_CLAIMS);
        going.then(|| event.object.reference()).into_iter().collect()
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let read = ApiRequest::get_cached(&kinds::claim(), &target.namespace, &target.name);
        Next::ask(Awaiting::Object, read)
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        let next = match state {
            Awaiting::Object => answers::object(response).map(look_for_pods),
            Awaiting::Pods(claim) => let_go_unless_used(claim, response),
            Awaiting::Writes(writes) => Ok(writes.answer(response, now).or_done(Awaiting::Writes)),
        };
        next.unwrap_or_else(|status| Next::failed(status.message))
    }
}

impl Reconciler for VolumeProtection {
    type State = Awaiting;

    fn name(&self) -> &str {
        "pv-protection-controller"
    }

    fn caller(&self) -> Caller {
        callers::controller(self.name())
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("v1", "PersistentVolume")]
    }

    fn handle_event(&self, event: &WatchEvent, _previous: Option<&Object>) -> Vec<ObjectRef> {
        let going = is_going(&event.object, OF_VOLUMES);
        going.then(|| event.object.reference()).into_iter().collect()
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        Next::ask(Awaiting::Object, ApiRequest::get_cached(&kinds::volume(), "", &target.name))
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        let next = match state {
            Awaiting::Writes(writes) => Ok(writes.answer(response, now).or_done(Awaiting::Writes)),
            _ => answers::object(response).map(|volume| match volume {
                Some(volume) if is_free(&volume) => let_go(volume, OF_VOLUMES),
                _ => Next::done(),
            }),
        };
        next.unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn is_going(object: &Object, finalizer: &str) -> bool {
    let finalizers = object.get("metadata.finalizers").and_then(Value::as_array);
    object.is_deleting() && finalizers.is_some_and(|all| all.iter().any(|f| f == finalizer))
}

fn is_free(volume: &Object) -> bool {
    is_going(volume, OF_VOLUMES) && volume.text("status.phase") != "Bound"
}

fn claims_of(pod: &Object) -> impl Iterator<Item = &str> {
    let volumes = pod.get("spec.volumes").and_then(Value::as_array);
    volumes
        .into_iter()
        .flatten()
        .filter_map(|volume| volume.get("persistentVolumeClaim")?.get("claimName")?.as_str())
}

fn look_for_pods(claim: Option<Object>) -> Next<Awaiting> {
    match claim {
        Some(claim) if is_going(&claim, OF_CLAIMS) => {
            let list = ApiRequest::list_all(&kinds::pod(), claim.namespace());
            Next::ask(Awaiting::Pods(claim), list)
        }
        _ => Next::done(),
    }
}

/// A pod that is on no node yet does not use a claim, nor does one that is over.
fn let_go_unless_used(claim: Object, response: Response) -> Result<Next<Awaiting>, Status> {
    let uses = |pod: &Object| {
        !pod.text("spec.nodeName").is_empty()
            && !pods::is_finished(pod)
            && claims_of(pod).any(|name| name == claim.name())
    };
    Ok(match answers::list(response)?.items.iter().any(uses) {
        true => Next::again_after(LOOK_AGAIN),
        false => let_go(claim, OF_CLAIMS),
    })
}

fn let_go(mut object: Object, finalizer: &str) -> Next<Awaiting> {
    let finalizers = object.get("metadata.finalizers").and_then(Value::as_array);
    let others: Vec<Value> =
        finalizers.into_iter().flatten().filter(|f| *f != finalizer).cloned().collect();
    object.set("metadata.finalizers", json!(others));
    Writes::of([Act::update(object).or_gone()]).begin().or_done(Awaiting::Writes)
}
