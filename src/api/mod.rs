//! The words of the Kubernetes API, and of the few other things a controller asks of the world:
//! requests and responses as plain data, without a client and without a server.
//!
//! They are the whole boundary between a controller and whatever answers it. The simulator answers
//! them from a model, `live` from a real cluster; neither is known here.

mod request;
mod status;
mod world;

pub use request::{
    ApiRequest, ApiResource, ApiResponse, Body, Caller, DeleteOptions, FieldValidation,
    ListOptions, ObjectList, Patch, Preconditions, Propagation, ReadFrom, ResourceVersion,
    Subresource, Verb, WatchEvent, WatchEventType, WriteOptions,
};
pub use status::{Cause, Reason, Status, StatusDetails};
pub use world::{
    Artifact, ArtifactRef, FetchError, FetchErrorKind, FetchRequest, GitReference, PullError,
    Request, Response, Signed,
};
