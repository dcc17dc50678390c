//! The model behind the Kubernetes protocol: a kubectl, a controller or a dashboard that knows nothing of
//! the simulation talks to it over HTTP.
//!
//! A [`Model`] is a [`World`](crate::sim::World) that answers HTTP requests; its time runs by the machine's clock, as fast as
//! wanted, and its controllers go on working while requests come in. [`Serving`] puts it behind a port.
//! Needs the feature `serve`.
//!
//! Source: the Kubernetes API conventions, and `k8s.io/apiserver` where they leave something open.

mod answer;
mod caller;
mod kubeconfig;
mod model;
mod pace;
mod port;
mod upkeep;
mod watch;

pub use answer::Body;
pub use kubeconfig::kubeconfig;
pub use model::{Model, Options};
pub use pace::Pace;
pub use port::Serving;
pub use watch::Feed;
