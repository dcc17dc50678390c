//! Raw objects, as they come from a disk or over the wire, and what is made of them.

mod build;
mod fault;
mod parse;

use std::collections::BTreeMap;

pub(super) use build::build_onto;
pub(super) use build::{Builder, build};
pub(super) use fault::{DAMAGED, Fault, LEAVE_OUT};

use super::{Blob, ObjectId, ObjectKind};

/// What a repository holds, in no order but that of the commits.
#[derive(Default)]
pub(in crate::git) struct RawObjects {
    /// In the order of `git rev-list`: mostly what came later first.
    pub(in crate::git) commits: Vec<(ObjectId, Vec<u8>)>,
    pub(in crate::git) tags: Vec<(ObjectId, Vec<u8>)>,
    pub(in crate::git) trees: BTreeMap<ObjectId, Vec<u8>>,
    pub(in crate::git) blobs: BTreeMap<ObjectId, Blob>,
}

impl RawObjects {
    /// Takes an object in, if its content has this id.
    pub(in crate::git) fn take(
        &mut self,
        id: ObjectId,
        kind: &str,
        content: Vec<u8>,
    ) -> Result<(), Fault> {
        if ObjectId::of(kind, &content) != id {
            return Err("its content has another id".into());
        }
        let named = ObjectKind::named(kind);
        let kind = named.ok_or_else(|| format!("{kind:?} is no type of object"))?;
        self.put(id, kind, content);
        Ok(())
    }

    /// Takes in an object that has this id.
    pub(in crate::git) fn put(&mut self, id: ObjectId, kind: ObjectKind, content: Vec<u8>) {
        match kind {
            ObjectKind::Blob => drop(self.blobs.insert(id, Blob::with_id(id, content))),
            ObjectKind::Tree => drop(self.trees.insert(id, content)),
            ObjectKind::Commit => self.commits.push((id, content)),
            ObjectKind::Tag => self.tags.push((id, content)),
        }
    }
}
