//! What has become of the owners of an object, and what follows for it.

use serde_json::{Value, json};

use super::{FOREGROUND, ORPHAN};
use crate::api::{
    ApiRequest, DeleteOptions, Patch, Preconditions, Propagation, Response, Status, WriteOptions,
};
use crate::cluster::answers;
use crate::cluster::writes::Act;
use crate::object::{GroupVersionKind, Object, OwnerReference};

/// An object whose owners are being looked at, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Inquiry {
    pub(super) item: Object,
    /// Owners still to be looked at, the next one last.
    open: Vec<OwnerReference>,
    /// Owners that are there to stay.
    solid: usize,
    /// Owners that are gone, by uid.
    gone: Vec<String>,
    /// Owners whose foreground deletion waits for the object, by uid.
    waiting: Vec<String>,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All its owners are there.
    Keep,
    /// Some are: the references to the others go.
    Forget,
    /// None is.
    Collect,
    /// None is but such as wait for it to go: its own dependents go first.
    CollectAfterDependents,
}

impl Inquiry {
    pub(super) fn about(item: Object) -> Self {
        let mut open = item.owner_references();
        open.reverse();
        Inquiry { item, open, solid: 0, gone: Vec::new(), waiting: Vec::new() }
    }

    /// The same, about the object as it is now.
    pub(super) fn of(self, item: Object) -> Self {
        Inquiry { item, ..self }
    }

    /// The next owner to look at.
    pub(super) fn next(&self) -> Option<&OwnerReference> {
        self.open.last()
    }

    /// The live read of the next owner.
    pub(super) fn live_read(&self, namespaced: bool) -> ApiRequest {
        let owner = self.next().expect("an owner is asked for");
        let namespace = if namespaced { self.item.namespace() } else { "" };
        let kind = GroupVersionKind::new(&owner.api_version, &owner.kind);
        ApiRequest::get(&kind, namespace, &owner.name)
    }

    /// Takes up an owner that was found; whether it is the one that is meant.
    pub(super) fn found(&mut self, owner: &Object) -> bool {
        if self.next().is_none_or(|next| next.uid != owner.uid()) {
            return false;
        }
        let uid = self.open.pop().map(|next| next.uid).unwrap_or_default();
        match owner.is_deleting() && owner.finalizers().contains(&FOREGROUND) {
            true => self.waiting.push(uid),
            false => self.solid += 1,
        }
        true
    }

    /// Takes up the server's answer: an owner that is not there, or another of its name, is gone.
    ///
    /// # Errors
    ///
    /// When the answer does not say whether there is one.
    pub(super) fn answered(&mut self, response: Response) -> Result<(), Status> {
        let owner = match answers::written(response) {
            Err(status) if self.is_about_next(&status) => None,
            other => other?,
        };
        if !owner.is_some_and(|owner| self.found(&owner)) {
            self.gone.extend(self.open.pop().map(|owner| owner.uid));
        }
        Ok(())
    }

    /// Whether an object was not found; that its kind is not served proves nothing.
    fn is_about_next(&self, status: &Status) -> bool {
        let named = status.details.as_ref().map(|details| details.name.as_str());
        status.is_not_found() && named == self.next().map(|owner| owner.name.as_str())
    }

    pub(super) fn verdict(&self) -> Verdict {
        match (self.solid > 0, self.gone.is_empty(), self.waiting.is_empty()) {
            (true, true, true) => Verdict::Keep,
            (true, ..) => Verdict::Forget,
            (false, _, true) => Verdict::Collect,
            (false, _, false) => Verdict::CollectAfterDependents,
        }
    }

    /// Takes the references to owners that are gone, or are about to go, off the object.
    pub(super) fn forget_lost_owners(&self) -> Act {
        let lost: Vec<String> = self.gone.iter().chain(&self.waiting).cloned().collect();
        forget(&self.item, &lost)
    }

    /// Deletes the object as its own finalizers say; if an owner waits for it and it has dependents,
    /// after them.
    pub(super) fn collect(&self, after_dependents: bool) -> Act {
        let finalizers = self.item.finalizers();
        let propagation = if after_dependents || finalizers.contains(&FOREGROUND) {
            Propagation::Foreground
        } else if finalizers.contains(&ORPHAN) {
            Propagation::Orphan
        } else {
            Propagation::Background
        };
        let preconditions = Preconditions {
            uid: self.item.uid().into(),
            resource_version: self.item.resource_version().into(),
        };
        let options = DeleteOptions {
            propagation: Some(propagation),
            preconditions,
            ..DeleteOptions::default()
        };
        Act::needed(ApiRequest::delete(
            &self.item.gvk(),
            self.item.namespace(),
            self.item.name(),
            options,
        ))
        .or_gone()
    }
}

/// Takes the references to owners of these uids off an object.
pub(super) fn forget(object: &Object, uids: &[String]) -> Act {
    let left = object.owner_references().into_iter().filter(|owner| !uids.contains(&owner.uid));
    let left: Vec<Value> = left.map(|owner| owner.to_value()).collect();
    change(object, "ownerReferences", if left.is_empty() { Value::Null } else { left.into() })
}

/// Takes a finalizer off an object.
pub(super) fn without_finalizer(object: &Object, finalizer: &str) -> Act {
    let left = object.finalizers().into_iter().filter(|f| *f != finalizer);
    change(object, "finalizers", left.collect())
}

fn change(object: &Object, field: &str, value: Value) -> Act {
    let patch = json!({"metadata": {"resourceVersion": object.resource_version(), field: value}});
    Act::needed(ApiRequest::patch(
        &object.gvk(),
        object.namespace(),
        object.name(),
        Patch::Merge(patch),
        WriteOptions::default(),
    ))
    .or_gone()
}
