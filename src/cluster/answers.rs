//! What a controller makes of an answer.

use crate::api::{Body, ObjectList, Response, Status};
use crate::object::Object;

/// The one object asked for; `None` when there is none.
pub(super) fn object(response: Response) -> Result<Option<Object>, Status> {
    match written(response) {
        Err(status) if status.is_not_found() => Ok(None),
        other => other,
    }
}

/// The list asked for.
pub(super) fn list(response: Response) -> Result<ObjectList, Status> {
    match body(response)? {
        Body::List(list) => Ok(list),
        other => unreachable!("a list is answered with a list, not {other:?}"),
    }
}

/// Whether objects of the kind that was asked about live in namespaces.
pub(super) fn is_namespaced(response: Response) -> Result<bool, Status> {
    match body(response)? {
        Body::Resource(resource) => Ok(resource.namespaced),
        other => unreachable!("discovery is answered with a resource, not {other:?}"),
    }
}

/// The object after a write; `None` after a deletion that left nothing.
pub(super) fn written(response: Response) -> Result<Option<Object>, Status> {
    match body(response)? {
        Body::Object(object) => Ok(Some(object)),
        _ => Ok(None),
    }
}

/// The answer to a write, or to a read among writes.
pub(super) struct Answer(Body);

impl Answer {
    /// The one object it carries.
    pub(super) fn object(&self) -> Option<&Object> {
        match &self.0 {
            Body::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The position in the log that it tells of; 0 for none.
    pub(super) fn version(&self) -> u64 {
        match &self.0 {
            Body::Object(object) => object.resource_version().parse().unwrap_or(0),
            Body::List(list) => list.resource_version.0,
            _ => 0,
        }
    }
}

/// Whatever the API answered.
pub(super) fn answer(response: Response) -> Result<Answer, Status> {
    body(response).map(Answer)
}

/// Whether a refused write may have been carried out all the same.
pub(super) fn is_uncertain(status: &Status) -> bool {
    matches!(status.code, 0 | 500..)
}

fn body(response: Response) -> Result<Body, Status> {
    match response {
        Response::Api(answer) => answer.map(|answer| answer.body),
        other => unreachable!("an API request is answered by the API, not with {other:?}"),
    }
}
