//! The world: everything below, put together, in virtual time.

mod actor;
mod agenda;
mod answer;
mod builder;
mod choice;
mod controller;
mod fault;
mod fingerprint;
mod forge;
mod latency;
mod moves;
mod observe;
mod pipeline;
mod registry;
mod schedule;
pub mod script;
mod strike;
mod world;

pub use actor::RequestCounts;
pub use builder::{Controllers, WorldBuilder};
pub use choice::{Choice, Choices, Picked};
pub use controller::State;
pub use fault::{Fault, FaultAction, FaultPlan, Requests, Trigger};
pub use forge::{PushError, signature};
pub use latency::{Latency, Span};
pub use moves::{Move, Order};
pub use pipeline::{Credential, Delivery, Grant, NoPipeline, Pipeline, Run, Stage, run_tests};
pub use registry::{Image, ImageName, InvalidImageName, Registry};
pub use schedule::{Moved, NotQuiet};
pub use script::Scenario;
pub use world::World;
