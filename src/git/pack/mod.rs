//! Packs: many objects in one stream of bytes (gitformat-pack(5)).

mod delta;
mod error;
mod gather;
#[cfg(feature = "git-wire")]
mod gzip;
mod inflate;
mod read;
mod unpack;
mod write;

pub use error::PackError;
pub(super) use gather::Gathered;
#[cfg(feature = "git-wire")]
pub(super) use gzip::gunzip;
pub(super) use read::Limits;
pub(super) use unpack::unpack;
pub(super) use write::encode;
