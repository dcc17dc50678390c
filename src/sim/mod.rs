//! The world: everything below, put together, in virtual time.

mod actor;
mod choice;
mod controller;
mod registry;

pub use actor::{Group, RequestCounts};
pub use choice::{Choice, Choices, Picked};
pub use controller::State;
pub use registry::{Image, ImageName, InvalidImageName, Registry};
