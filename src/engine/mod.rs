//! The GitOps engine: what Flux's source-controller and kustomize-controller do, as state machines that ask
//! one thing at a time.
//!
//! It is configured by objects of Flux's published API ([`crds`] serves their definitions), so that a
//! manifest written for Flux works unchanged. Three words make it: a source that changes is *watched*
//! ([`source`]), what is wanted and what is there are *compared* ([`compare()`]), and the difference is
//! *reconciled* ([`kustomize`]). Where Flux is dangerous, [`Policies`] say what to do instead.

mod compare;
mod conditions;
mod crds;
mod draft;
pub mod health;
mod ignore;
pub mod inventory;
pub mod kustomize;
mod lifecycle;
mod names;
mod normalize;
pub mod notification;
mod order;
mod ownership;
mod policy;
mod record;
pub mod source;
pub mod stages;
pub mod substitute;

pub use compare::{compare, differences};
pub use crds::{cluster_reconciler, crds};
pub use draft::Write;
pub use names::{
    FINALIZER, KUSTOMIZE_API, NOTIFICATION_API, REQUESTED_AT, SOURCE_API, WATCH_LABEL,
    git_repository, kustomization, receiver,
};
pub use order::apply_order;
pub use policy::Policies;
pub use record::Record;
