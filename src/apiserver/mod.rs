//! The Kubernetes API server, in memory: one totally ordered log, and schema as data.

pub mod schema;
