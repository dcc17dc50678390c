//! Schema as data: which kinds there are, the shape of their objects, what is filled in, what is
//! refused.
//!
//! The built-in kinds come from one table ([`Registry::builtin`]), custom resources from their
//! definitions ([`Registry::add_custom`]); both give the same [`KindSchema`]. Everything here is a
//! pure function of a kind and JSON.

mod builtin;
mod convert;
mod decode;
mod default;
pub(in crate::apiserver) mod descriptions;
mod registry;
mod structural;
mod types;
mod validate;

pub(in crate::apiserver) use builtin::{is_built_in, metadata_order};
pub use convert::{convert, zero_object};
pub use decode::decode;
pub(in crate::apiserver) use decode::{normalize, normalize_merged};
pub use default::default;
pub use registry::Registry;
pub use structural::MalformedDefinition;
pub use types::{
    Custom, Field, Generation, KindSchema, ListMerge, ListType, MapType, PatchStrategy, Scale,
    Struct, StructRef, Type,
};
pub use validate::{Rule, validate};
