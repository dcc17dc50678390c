//! What can be wrong with a request.

use crate::git::ObjectId;

/// Why a request cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes are no pkt-lines.
    #[error("protocol error: bad line length at byte {0} of the request")]
    BadLine(usize),
    /// The request ends before it should.
    #[error("protocol error: the request is cut off")]
    CutOff,
    /// A line that is none of those expected.
    #[error("protocol error: unexpected {0:?}")]
    Unexpected(String),
    /// An object that is not here.
    #[error("upload-pack: not our ref {0}")]
    NotOurRef(ObjectId),
}
