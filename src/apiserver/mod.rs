//! The Kubernetes API server, in memory: one totally ordered log, and schema as data.
//!
//! [`Server`] is a value. Every write is an entry of its log, whose position is the object's
//! `resourceVersion`; a list, a watch, a stale read and `410 Gone` are cursors into that log. Cloning a
//! server is a few reference counts, so a search may branch at every request.
//!
//! ```
//! use driftlab::api::{ApiRequest, Caller, WriteOptions};
//! use driftlab::apiserver::Server;
//! use driftlab::object::Object;
//! use driftlab::time::Timestamp;
//!
//! let mut server = Server::new();
//! let alice = Caller::new("alice", "kubectl/v1.36");
//! let settings = Object::new("v1", "ConfigMap", "default", "settings");
//! let answer = server.handle(Timestamp::START, &alice, ApiRequest::create(settings, WriteOptions::default()));
//! assert_eq!(answer.unwrap().code, 201);
//! let last = server.log_since(Default::default()).unwrap().last().unwrap();
//! assert_eq!((last.user.as_str(), last.object.to_string().as_str()), ("alice", "ConfigMap/default/settings"));
//! ```

mod addresses;
mod audit;
mod authenticate;
mod authorize;
pub(crate) mod base64;
mod bootstrap;
mod custom;
mod golang;
mod history;
pub mod managed;
mod names;
mod paging;
pub mod patch;
mod read;
mod refusal;
mod resource;
pub mod rest;
mod scale;
pub mod schema;
mod selectable;
mod server;
mod settled;
mod store;
pub(crate) mod table;
pub mod webhook;
mod write;

pub use audit::AuditEntry;
pub use authenticate::Users;
pub use authorize::Authorization;
pub use history::Entry;
pub use server::Server;
