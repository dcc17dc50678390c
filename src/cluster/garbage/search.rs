//! The search for the dependents of an object, kind by kind.

use super::Inquiry;
use crate::cluster::inventory::Kind;
use crate::object::{GroupVersionKind, Object, ObjectRef};

/// A search under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Search {
    pub(super) owner: ObjectRef,
    pub(super) why: Why,
    pub(super) dependents: Vec<Object>,
    /// Kinds still to be searched.
    kinds: Vec<Kind>,
}

/// What the dependents are searched for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Why {
    /// The owner is gone: they may be garbage.
    Gone,
    /// The owner stays until they are gone.
    Foreground(Object),
    /// The owner leaves them behind.
    Orphan(Object),
    /// The object is garbage; how it goes depends on whether there are any.
    Collect(Inquiry),
}

impl Search {
    pub(super) fn new(owner: ObjectRef, why: Why) -> Self {
        Search { owner, why, dependents: Vec::new(), kinds: Vec::new() }
    }

    /// Has these kinds searched as well.
    pub(super) fn also(&mut self, kinds: impl IntoIterator<Item = Kind>) {
        self.kinds.extend(kinds);
    }

    /// The next kind to search.
    pub(super) fn next_kind(&mut self) -> Option<Kind> {
        self.kinds.pop()
    }

    /// Keeps those that name the owner as theirs.
    pub(super) fn found(&mut self, objects: Vec<Object>) {
        let dependents: Vec<Object> =
            objects.into_iter().filter(|object| self.is_dependent(object)).collect();
        self.dependents.extend(dependents);
    }

    /// By uid while the owner is there; by name, which may be another's by now, when it is gone.
    fn is_dependent(&self, object: &Object) -> bool {
        let owners = object.owner_references();
        match &self.why {
            Why::Foreground(owner)
            | Why::Orphan(owner)
            | Why::Collect(Inquiry { item: owner, .. }) => {
                owners.iter().any(|o| o.uid == owner.uid())
            }
            Why::Gone => owners.iter().any(|o| {
                let gvk = GroupVersionKind::new(&o.api_version, &o.kind);
                o.name == self.owner.name
                    && gvk.kind == self.owner.kind
                    && gvk.group == self.owner.group
            }),
        }
    }
}
