//! Differences between texts and merges of them, to the byte as Git makes them.
//!
//! Git's choice among the many correct differences of two texts is settled by its algorithms and
//! their shortcuts: whoever wants the same bytes has to take the same ones. They are the two that
//! `git diff` (Myers) and `git merge` (histogram) use, followed by the sliding of changes that can
//! stand in several places.

mod histogram;
mod lines;
mod merge;
mod myers;
mod slide;
mod unified;

pub(super) use lines::common_lines;
pub use lines::is_binary;
pub use merge::{Favor, Labels, MergedText, merge_text};
pub(super) use unified::patch_text;
pub use unified::{DiffFormat, unified_diff};
