//! The events of a run: what happened, when, and who did it, in plain data.
//!
//! The simulator and the driver of a real cluster write the same events, so one report shows both.
//! Nothing here prints; see `report`.

mod diff;
mod event;

pub use diff::field_changes;
pub use event::{Event, FieldChange, Lane, Role, Trace, What};
