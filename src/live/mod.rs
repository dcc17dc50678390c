//! The engine on a real cluster and real Git remotes: the only difference to the simulator is who
//! answers.
//!
//! A [`Driver`] holds one controller's queue, carries its requests out one at a time and hands the
//! answers back. [`Cluster`] answers for the Kubernetes API through a `kube::Client`, [`Sources`] for
//! Git through the `git` on PATH. This module knows nothing of the simulator or of the API server's
//! model.
//!
//! Watching is listing: once a turn the watched kinds are read and compared with what was seen last.
//! There is no leader election: run one driver a cluster and namespace.

mod cluster;
mod driver;
mod rest;
mod sources;

pub use cluster::Cluster;
pub use driver::{Driver, Live};
pub use sources::Sources;

use crate::time::Timestamp;

/// The time by the machine's clock.
pub fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_millis(since_epoch.map_or(0, |span| span.as_millis() as u64))
}
