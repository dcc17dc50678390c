//! What the Kubernetes API is about: objects, the names that point to them, and the selectors that
//! pick them.
//!
//! An [`Object`] is its JSON, shared and copied on write, so that a list of ten thousand costs ten
//! thousand pointers. Nothing here knows a particular kind: schema is data, and lives with the API
//! server.

mod json_patch;
mod meta;
mod names;
mod quantity;
mod selector;

pub use json_patch::apply_json_patch;
pub use meta::{MalformedObject, Object, OwnerReference};
pub use names::{GroupVersionKind, ObjectRef};
pub use quantity::{ParseQuantityError, Quantity};
pub use selector::{FieldSelector, LabelSelector, ParseSelectorError, Requirement};
