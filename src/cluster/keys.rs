//! Queue keys: which workload a change to one of its children concerns.

use super::{answers, claim};
use crate::api::{ApiRequest, Response, Status, WatchEvent, WatchEventType};
use crate::object::{GroupVersionKind, Object, ObjectRef};
use crate::reconciler::{Next, Outcome};

/// The keys of a controller whose workloads are of `kind` and own what else it watches: the workload
/// itself, the workloads that control a child now or did before, or an orphan that may be adopted.
pub(super) fn of_owned(
    event: &WatchEvent,
    previous: Option<&Object>,
    kind: &GroupVersionKind,
) -> Vec<ObjectRef> {
    let object = &event.object;
    if object.kind() == kind.kind && object.gvk().group == kind.group {
        return vec![object.reference()];
    }
    let mut keys: Vec<ObjectRef> =
        [Some(object), previous].into_iter().flatten().filter_map(|o| owner(o, kind)).collect();
    keys.dedup();
    let gone = event.kind == WatchEventType::Deleted || object.is_deleting();
    if object.controller().is_none() && !gone && !object.labels().is_empty() {
        keys.push(object.reference());
    }
    keys
}

/// The controller of an object as a key, if it is of a kind.
pub(super) fn owner(object: &Object, kind: &GroupVersionKind) -> Option<ObjectRef> {
    let owner = object.controller().filter(|o| o.kind == kind.kind)?;
    let group = GroupVersionKind::new(&owner.api_version, &owner.kind).group;
    (group == kind.group).then(|| kind.named(object.namespace(), &owner.name))
}

/// After the read of an orphan: a read of the workloads that might adopt it.
pub(super) fn find_adopters<S>(
    response: Response,
    kind: &GroupVersionKind,
    state: impl FnOnce(Object) -> S,
) -> Result<Next<S>, Status> {
    Ok(match answers::object(response)? {
        Some(orphan) if orphan.controller().is_none() && !orphan.is_deleting() => {
            let request = ApiRequest::list_all_cached(kind, orphan.namespace());
            Next::ask(state(orphan), request)
        }
        _ => Next::done(),
    })
}

/// After that: their keys.
pub(super) fn enqueue_adopters<S>(orphan: &Object, response: Response) -> Result<Next<S>, Status> {
    let workloads = answers::list(response)?.items;
    let selecting = workloads.iter().filter(|w| claim::selector(w).matches(orphan));
    Ok(enqueue(selecting.map(Object::reference)))
}

/// Done, and these keys are next.
pub(super) fn enqueue<S>(keys: impl IntoIterator<Item = ObjectRef>) -> Next<S> {
    Next::Done(Outcome { enqueue: keys.into_iter().collect(), ..Outcome::default() })
}
