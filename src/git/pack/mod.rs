//! Packs: many objects in one stream of bytes (gitformat-pack(5)).

#[cfg(feature = "git-wire")]
mod delta;
#[cfg(feature = "git-wire")]
mod error;
#[cfg(feature = "git-wire")]
mod inflate;
#[cfg(feature = "git-wire")]
mod read;
mod write;

#[cfg(feature = "git-wire")]
pub use error::PackError;
#[cfg(feature = "git-wire")]
pub(super) use inflate::gunzip;
#[cfg(feature = "git-wire")]
pub(super) use read::read;
pub(super) use write::encode;
