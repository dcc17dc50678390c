//! Properties of runs, and the search for runs that break them.
//!
//! A scenario is made up from choices ([`scenario`]), run with faults, and must [converge](Convergence).
//! One that does not is made smaller ([`shrink`]) and handed out as a scenario that anybody can run.

mod converge;
mod draw;
mod generate;
mod oracle;
mod shrink;

pub use converge::{Convergence, Counterexample, Failure};
pub use draw::Draw;
pub use generate::{Apps, Size, commits, drifts, faults, scenario};
pub use oracle::{missing, missing_fields};
pub use shrink::shrink;
