//! Git, in memory: objects with Git's own ids, trees that share structure, references, merges.

mod id;
mod tree;

pub use id::{ObjectId, ParseObjectIdError};
pub use tree::{Blob, Entry, InvalidPath, Mode, Tree};
