//! A run as a person, or a program, reads it.
//!
//! Everything here is made from the events of a [`Trace`](crate::trace::Trace) alone, so a run of the simulator and one
//! against a real cluster look the same.
//!
//! [`timeline`] is the picture for a person: a line an event, four lanes, noise folded away, drift and
//! its healing marked. [`json_lines`] is the same for a program, with nothing left out. [`Summary`]
//! counts: who wrote, what drifted and for how long, what the loop did.

mod drift;
mod fold;
mod json;
mod layout;
mod paint;
mod rows;
mod summary;
mod words;

pub use drift::{Drift, Ending, drifts};
pub(crate) use fold::is_bookkeeping;
pub use json::{json_line, json_lines};
pub(crate) use layout::clock;
pub use layout::{events, timeline};
pub use paint::{Glyphs, Options};
pub use summary::{Section, Summary, Writes};
pub(crate) use words::reason;
