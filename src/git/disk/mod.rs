//! The door to the disk: folders and repositories in, repositories out.
//!
//! The one place on this floor that touches files and starts a program, the `git` on PATH. Ids are
//! unchanged both ways, since objects are carried over byte for byte and their ids are checked.

mod bundle;
mod error;
mod export;
mod folder;
mod guard;
mod import;
mod objects;
mod program;

pub use bundle::export_bundle;
pub use error::DiskError;
pub use export::export;
pub use folder::read_folder;
pub use import::{Import, Progress, clone, import, import_newest};
pub use program::{uncommitted, version};

/// The largest file that is read, in bytes: 64 MiB. Manifests are small; what is larger is a mistake.
pub const LARGEST_FILE: u64 = 64 << 20;

/// How many bytes a folder, or all objects of a repository together, may have: 2 GiB. It is all held in
/// memory.
pub const MOST_BYTES: u64 = 2 << 30;

/// How many files a folder may hold: 200,000.
pub const MOST_FILES: usize = 200_000;

/// How many folders may stand within each other: 500, more than any real tree has and few enough for the
/// stack.
pub const DEEPEST: usize = 500;
