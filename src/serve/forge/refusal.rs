//! Requests that are not carried out, in the form of GitHub's API.

use http::StatusCode;
use serde_json::{Value, json};

use crate::git::GitError;
use crate::git::forge::{AccessError, PullError};
use crate::serve::who::Unknown;

/// Why not.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    message: String,
    /// What is wrong with what was sent.
    errors: Vec<Value>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Refusal { status, message: message.into(), errors: Vec::new() }
    }

    pub(super) fn not_found() -> Self {
        Refusal::new(StatusCode::NOT_FOUND, "Not Found")
    }

    /// What was sent is understood, and no good.
    pub(super) fn invalid(field: &str, message: impl Into<String>) -> Self {
        let error = json!({
            "resource": "PullRequest", "field": field, "code": "custom", "message": message.into(),
        });
        let message = "Validation Failed".into();
        Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, message, errors: vec![error] }
    }

    pub(super) fn body(&self) -> Value {
        let mut body = json!({"message": self.message, "status": self.status.as_str()});
        if !self.errors.is_empty() {
            body["errors"] = self.errors.clone().into();
        }
        body
    }
}

impl From<Unknown> for Refusal {
    fn from(Unknown(said): Unknown) -> Self {
        Refusal::new(StatusCode::UNAUTHORIZED, said)
    }
}

impl From<AccessError> for Refusal {
    fn from(error: AccessError) -> Self {
        let (status, message) = error.as_api();
        let status = StatusCode::from_u16(status).expect("the forge answers with codes of HTTP");
        Refusal::new(status, message)
    }
}

impl From<PullError> for Refusal {
    fn from(error: PullError) -> Self {
        let message = error.to_string();
        match error {
            PullError::Access(error) => error.into(),
            PullError::NoSuchPull(_) => Refusal::not_found(),
            PullError::Closed(_)
            | PullError::Merged(_)
            | PullError::Blocked { .. }
            | PullError::Conflicts { .. } => Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message),
            PullError::OwnPull => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message),
            PullError::Text(_) => {
                let field = message.split(' ').next().unwrap_or_default().to_owned();
                Refusal::invalid(&field, message)
            }
            PullError::Git(GitError::NoSuchBranch(branch)) => {
                Refusal::invalid("head", format!("there is no branch {branch:?}"))
            }
            _ => Refusal::invalid("head", message),
        }
    }
}
