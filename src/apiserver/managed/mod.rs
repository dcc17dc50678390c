//! Who manages which field: server-side apply, and the record in `metadata.managedFields`.
//!
//! [`apply`] merges what a manager wants into an object; [`update`] notes who changed what by any
//! other write; [`scale_entries`] and [`parent_entries`] lead
//! to the scale subresource and back. All are pure functions of objects at
//! the version of the request.

mod apply;
mod check;
mod compare;
mod conflict;
mod entries;
mod merge;
mod order;
mod remove;
mod scale;
mod set;
mod shape;
mod unchanged;
mod update;
mod versions;

use serde_json::Value;

use crate::apiserver::schema::KindSchema;
use crate::time::Timestamp;

pub use apply::{Applied, apply};
pub use entries::is_reset;
pub use order::keys_have_two_orders;
pub use scale::{parent_entries, scale_entries};
pub use set::{FieldSet, MalformedFields};
pub use update::{keep_times, update};

/// Who writes, how, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    /// The field manager.
    pub manager: String,
    /// The version of the request, such as `apps/v1`.
    pub api_version: String,
    /// The subresource written to; empty for the object itself.
    pub subresource: String,
    /// Whether an apply takes fields that others manage.
    pub force: bool,
    /// The time of the write.
    pub now: Timestamp,
}

/// Whether an object's `managedFields` can be read.
///
/// # Errors
///
/// Why they cannot.
pub fn check_entries(object: &Value) -> Result<(), String> {
    entries::Entries::of(object).map(|_| ())
}

/// The fields of metadata that nobody manages: they belong to the server.
const UNMANAGED_METADATA: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
];

/// A set without the fields that nobody manages.
fn stripped(set: FieldSet) -> FieldSet {
    let mut unmanaged = FieldSet::default();
    ["f:apiVersion", "f:kind", "f:metadata"].iter().for_each(|field| unmanaged.insert(&[field]));
    for field in UNMANAGED_METADATA {
        unmanaged.insert(&["f:metadata", &format!("f:{field}")]);
    }
    set.difference(&unmanaged)
}

/// The fields that the write cannot reach.
fn ignored(kind: &KindSchema, writer: &Writer) -> FieldSet {
    let mut set = FieldSet::default();
    for path in kind.reset_fields(&writer.subresource) {
        let path: Vec<String> = path.split('.').map(|field| format!("f:{field}")).collect();
        set.insert(&path);
    }
    set
}
