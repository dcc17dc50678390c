//! Patches: an object, changed as one of three media types says. The fourth, server-side apply, is
//! [`managed::apply`](super::managed::apply).

mod json;
mod list;
mod merge;
mod strategic;

use crate::api::{Reason, Status, StatusDetails};

pub use json::json;
pub use merge::merge;
pub use strategic::strategic;

fn bad_request(message: String) -> Status {
    Status::failure(Reason::BadRequest, message)
}

/// The refusal of a patch that is well formed and cannot be done; the real server does not say why.
fn unprocessable() -> Status {
    const MESSAGE: &str = "the server rejected our request due to an error in our request";
    Status::failure_about(Reason::Invalid, MESSAGE, StatusDetails::default())
}
