//! driftlab: learn GitOps by running it.
//!
//! This crate has no threads, no clock and no network below its top floors: a Git, a Kubernetes API
//! server and a reconcile engine are plain values that answer when asked.

pub mod api;
pub mod apiserver;
mod base64;
pub mod check;
pub mod cluster;
pub mod engine;
pub mod git;
pub mod lesson;
#[cfg(feature = "kube-lib")]
pub mod live;
pub mod manifest;
pub mod object;
pub mod quota;
pub mod reconciler;
pub mod report;
pub mod scenario;
#[cfg(feature = "serve")]
pub mod serve;
pub mod sim;
pub mod source;
pub mod time;
pub mod trace;

/// The chapters of the course; their code is run with the tests.
#[cfg(doctest)]
mod tutorials {
    #[doc = include_str!("../tutorials/01_drift/README.md")]
    struct Chapter1;
    #[doc = include_str!("../tutorials/02_the_loop/README.md")]
    struct Chapter2;
    #[doc = include_str!("../tutorials/03_heal/README.md")]
    struct Chapter3;
    #[doc = include_str!("../tutorials/04_git_decides/README.md")]
    struct Chapter4;
    #[doc = include_str!("../tutorials/05_revert/README.md")]
    struct Chapter5;
    #[doc = include_str!("../tutorials/06_two_loops/README.md")]
    struct Chapter6;
    #[doc = include_str!("../tutorials/07_pipeline/README.md")]
    struct Chapter7;
    #[doc = include_str!("../tutorials/08_push_vs_pull/README.md")]
    struct Chapter8;
}
