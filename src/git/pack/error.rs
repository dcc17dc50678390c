//! What can be wrong with a pack.

use super::super::ObjectId;

/// Why a pack is not taken: what, and where in it. Offsets are bytes from its beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// It does not begin as a pack does.
    #[error("not a pack: it begins with neither PACK nor a version that is known, 2 or 3")]
    NoPack,
    /// It ends before it should.
    #[error("the pack is cut off at byte {0}")]
    CutOff(usize),
    /// The checksum at the end is another than that of the content.
    #[error("the checksum of the pack is wrong: it was damaged on its way")]
    Checksum,
    /// More follows behind the last object.
    #[error("garbage follows the last object of the pack, at byte {0}")]
    Garbage(usize),
    /// A type that no object has.
    #[error("object at byte {offset} of the pack is of type {kind}, which there is none of")]
    Kind {
        /// Where.
        offset: usize,
        /// The type's number.
        kind: u8,
    },
    /// What is compressed does not come to what was announced.
    #[error("object at byte {offset} of the pack does not inflate to its {size} bytes")]
    Inflate {
        /// Where.
        offset: usize,
        /// The announced size.
        size: u64,
    },
    /// An object that is too large.
    #[error(
        "object at byte {offset} of the pack has {}; {} MiB is the limit; remove it from the history: `git filter-repo --strip-blobs-bigger-than {}M`",
        mebibytes(*size),
        super::read::LARGEST >> 20,
        super::read::LARGEST >> 20
    )]
    TooLarge {
        /// Where.
        offset: usize,
        /// Its size.
        size: u64,
    },
    /// Objects that are too large together.
    #[error(
        "the objects of the pack up to byte {offset} have more than {} together, which is the limit; \
         make several of it, or leave old history out: `git clone --depth 1`",
        mebibytes(*most)
    )]
    TooMuch {
        /// Where it came to be too much.
        offset: usize,
        /// How many bytes they may have.
        most: u64,
    },
    /// A delta that makes no sense.
    #[error("the delta at byte {0} of the pack does not fit what it is a delta of")]
    Delta(usize),
    /// Deltas of deltas, too many times.
    #[error("the delta at byte {0} of the pack is one of too long a chain; {max} is the limit", max = super::read::DEEPEST_CHAIN)]
    Chain(usize),
    /// The base of a delta is nowhere.
    #[error("the delta at byte {offset} of the pack is of object {base}, which is missing")]
    NoBase {
        /// Where.
        offset: usize,
        /// The object.
        base: ObjectId,
    },
    /// A delta refers to a place where no object begins.
    #[error(
        "the delta at byte {0} of the pack is of an object before it that does not begin there"
    )]
    BaseOffset(usize),
    /// An object that is not what its type asks for, or lacks another.
    #[error("{0}")]
    Object(String),
}

fn mebibytes(size: u64) -> String {
    match size >> 20 {
        0 => format!("{size} bytes"),
        more => format!("{more} MiB"),
    }
}
