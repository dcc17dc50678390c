//! The model behind the Kubernetes protocol: a kubectl, a controller or a dashboard that knows nothing of
//! the simulation talks to it over HTTP.
//!
//! A [`Model`] is a [`World`](crate::sim::World) that answers HTTP requests: in process, as a `tower`
//! service that `kube::Client` takes, or behind a port, with [`Serving`]. Its time runs by the machine's
//! clock, as fast as wanted, or by hand ([`Pace`]), and its controllers go on working while requests come
//! in. What is driftlab's own stands outside `/api` and `/apis`: `/driftlab/time`, where `GET` tells the
//! world's time and `POST` with `?pass=10s` lets some pass.
//!
//! The forge's repositories are below `/git/`, for real `git`; its pull requests below `/api/v3/`, as
//! GitHub's REST API has them: `repos/NAME/pulls` (`GET`, `POST`), `…/pulls/N` (`GET`, `PATCH`),
//! `…/pulls/N/reviews` (`GET`, `POST`), `…/pulls/N/merge` (`GET`, `PUT`), `…/statuses/SHA` (`POST`),
//! `…/commits/SHA/status` (`GET`), `…/git/refs/heads/BRANCH` (`DELETE`). A [`Remote`] asks for them.
//!
//! Needs the feature `serve`.
//!
//! Source: the Kubernetes API conventions, and `k8s.io/apiserver` where they leave something open.

mod answer;
mod caller;
mod forge;
mod git;
mod kubeconfig;
mod model;
mod pace;
mod patience;
mod port;
mod remote;
mod service;
mod time;
mod tls;
mod upkeep;
mod watch;
mod who;

pub use answer::Body;
pub use kubeconfig::kubeconfig;
pub use model::{Model, Options};
pub use pace::Pace;
pub use port::Serving;
pub use remote::{Answer, AskError, ParseRemoteError, Remote, escaped};
pub use time::LONGEST_PASS;
pub use watch::Feed;
