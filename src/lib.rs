//! driftlab: learn GitOps by running it.
//!
//! This crate has no threads, no clock and no network below its top floors: a Git, a Kubernetes API
//! server and a reconcile engine are plain values that answer when asked.

pub mod api;
pub mod apiserver;
pub mod check;
pub mod cluster;
pub mod engine;
pub mod git;
pub mod lesson;
#[cfg(feature = "kube-lib")]
pub mod live;
pub mod manifest;
pub mod object;
pub mod reconciler;
pub mod report;
pub mod scenario;
pub mod sim;
pub mod source;
pub mod time;
pub mod trace;
