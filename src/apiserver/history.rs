//! The log: every write in its order, and the past states that it gives back.

use std::ops::Bound;

use rpds::RedBlackTreeMapSync;

use super::refusal;
use crate::api::{ResourceVersion, Status};
use crate::object::{Object, ObjectRef};
use crate::time::Timestamp;

/// One write, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its position: the `resourceVersion` of the object after it.
    pub version: ResourceVersion,
    /// When it was made.
    pub at: Timestamp,
    /// The user who made it.
    pub user: String,
    /// The field manager it was made as.
    pub manager: String,
    /// `create`, `update`, `patch`, `apply` or `delete`.
    pub verb: &'static str,
    /// The subresource it went to; empty for the object itself.
    pub subresource: String,
    /// The object it is about.
    pub object: ObjectRef,
    /// The object before it; `None` for a creation.
    pub before: Option<Object>,
    /// The object after it; `None` for a removal.
    pub after: Option<Object>,
}

impl Entry {
    /// The object as a watch shows it: after the write, or for a removal as it last was, at this
    /// entry's version.
    pub fn shown(&self) -> Object {
        match (&self.after, &self.before) {
            (Some(after), _) => after.clone(),
            (None, Some(before)) => at_version(before.clone(), self.version),
            (None, None) => unreachable!("an entry has an object before or after it"),
        }
    }
}

/// The object with another `resourceVersion`.
pub(super) fn at_version(mut object: Object, version: ResourceVersion) -> Object {
    object.set("metadata.resourceVersion", version.to_string());
    object
}

/// The entries since the last compaction, by version.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    entries: RedBlackTreeMapSync<u64, Entry>,
    compacted: ResourceVersion,
    last: ResourceVersion,
}

impl History {
    pub(super) fn version(&self) -> ResourceVersion {
        self.last
    }

    /// The oldest version whose state can still be told.
    pub(super) fn compacted(&self) -> ResourceVersion {
        self.compacted
    }

    pub(super) fn next_version(&self) -> ResourceVersion {
        ResourceVersion(self.last.0 + 1)
    }

    /// The write that made a version; `None` when it is compacted or yet to come.
    pub(super) fn get(&self, version: ResourceVersion) -> Option<&Entry> {
        self.entries.get(&version.0)
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.last = entry.version;
        self.entries.insert_mut(entry.version.0, entry);
    }

    /// Forgets everything up to and with `upto`: older cursors have expired.
    pub(super) fn compact(&mut self, upto: ResourceVersion) {
        let upto = upto.min(self.last);
        let old: Vec<u64> = self.entries.keys().copied().take_while(|v| *v <= upto.0).collect();
        for version in old {
            self.entries.remove_mut(&version);
        }
        self.compacted = self.compacted.max(upto);
    }

    /// Whether the state at a version can still be told.
    pub(super) fn reaches(&self, version: ResourceVersion) -> bool {
        version >= self.compacted
    }

    pub(super) fn since(
        &self,
        after: ResourceVersion,
    ) -> Result<impl DoubleEndedIterator<Item = &Entry>, Status> {
        if !self.reaches(after) {
            return Err(refusal::too_old(after, self.compacted));
        }
        Ok(self.entries.range((Bound::Excluded(after.0), Bound::Unbounded)).map(|(_, entry)| entry))
    }
}
