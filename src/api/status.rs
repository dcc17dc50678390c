//! `metav1.Status`: why the API server refused, or that a deletion is done.

use std::fmt;

use serde_json::{Value, json};

/// An answer that is no object: a refusal, or the success of a deletion.
///
/// Source: the Kubernetes API conventions, "Response Status Kind".
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status {
    /// The HTTP status code; 0 when no answer came at all (see [`Status::unreachable`]).
    pub code: u16,
    /// The machine-readable reason.
    pub reason: Reason,
    /// The sentence for a person.
    pub message: String,
    /// What the refusal is about.
    pub details: Option<Box<StatusDetails>>,
    /// As the `Warning` headers beside it carry them.
    pub warnings: Vec<String>,
}

/// The machine-readable reason of a [`Status`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// None given; of a success.
    #[default]
    None,
    /// 400.
    BadRequest,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 406.
    NotAcceptable,
    /// 409 on creation: the name is taken.
    AlreadyExists,
    /// 409: the version or a field's manager is another.
    Conflict,
    /// 410: the version is too old.
    Gone,
    /// 410: the version or continue token is too old.
    Expired,
    /// 413.
    RequestEntityTooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 422: the object breaks a rule.
    Invalid,
    /// 429.
    TooManyRequests,
    /// 500.
    InternalError,
    /// 503.
    ServiceUnavailable,
    /// 504: it may or may not have been done.
    Timeout,
    /// 500: the server asks to try again elsewhere or later.
    ServerTimeout,
}

/// What a refusal is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusDetails {
    /// The object's name.
    pub name: String,
    /// The API group.
    pub group: String,
    /// The kind, or for some refusals the resource.
    pub kind: String,
    /// The object's uid.
    pub uid: String,
    /// Each rule that is broken.
    pub causes: Vec<Cause>,
    /// Seconds to wait before trying again; 0 for none given.
    pub retry_after_seconds: u32,
}

/// One broken rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldManagerConflict` and the like.
    pub reason: String,
    /// The sentence for a person.
    pub message: String,
    /// The field, as a path.
    pub field: String,
}

impl Status {
    /// A refusal without details.
    pub fn failure(reason: Reason, message: impl Into<String>) -> Self {
        Status { code: reason.code(), reason, message: message.into(), ..Status::default() }
    }

    /// A refusal about something.
    pub fn failure_about(
        reason: Reason,
        message: impl Into<String>,
        details: StatusDetails,
    ) -> Self {
        Status { details: Some(Box::new(details)), ..Self::failure(reason, message) }
    }

    /// No answer came: connection refused, a partition, a broken pipe. Whether a write was done is not
    /// known when `sent` is said in the message; compare [`Reason::Timeout`].
    pub fn unreachable(message: impl Into<String>) -> Self {
        Status { message: message.into(), ..Status::default() }
    }

    /// Whether it is a refusal.
    pub fn is_failure(&self) -> bool {
        self.code == 0 || self.code >= 400
    }

    /// The causes given; empty when there are none.
    pub fn causes(&self) -> &[Cause] {
        self.details.as_ref().map_or(&[], |details| &details.causes)
    }

    /// Whether the object, or the resource, is not there.
    pub fn is_not_found(&self) -> bool {
        self.reason == Reason::NotFound
    }

    /// Whether a version or a field's manager was another.
    pub fn is_conflict(&self) -> bool {
        self.reason == Reason::Conflict
    }

    /// Whether the name was taken.
    pub fn is_already_exists(&self) -> bool {
        self.reason == Reason::AlreadyExists
    }

    /// Whether the object broke a rule.
    pub fn is_invalid(&self) -> bool {
        self.reason == Reason::Invalid
    }

    /// Whether a watch or list must start anew.
    pub fn is_expired(&self) -> bool {
        matches!(self.reason, Reason::Gone | Reason::Expired)
    }

    /// Reads what an API server wrote, with the HTTP status code it came with.
    ///
    /// An answer that is no `Status` at all (of a proxy, say) becomes one with its text as message.
    pub fn from_value(code: u16, value: &Value) -> Self {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        if text("kind") != "Status" {
            return Status { code, message: value.to_string(), ..Status::default() };
        }
        Status {
            code,
            reason: Reason::from_wire(text("reason")),
            message: text("message").into(),
            details: value
                .get("details")
                .map(|details| Box::new(StatusDetails::from_value(details))),
            warnings: Vec::new(),
        }
    }

    /// As the API server writes it.
    pub fn to_value(&self) -> Value {
        let mut value = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": if self.is_failure() { "Failure" } else { "Success" },
        });
        let mut put = |field: &str, v: Value| {
            value.as_object_mut().expect("made above").insert(field.into(), v)
        };
        if !self.message.is_empty() {
            put("message", json!(self.message));
        }
        if self.reason != Reason::None {
            put("reason", json!(self.reason.to_string()));
        }
        if let Some(details) = &self.details {
            put("details", details.to_value());
        }
        if self.is_failure() || self.code == 201 {
            put("code", json!(self.code));
        }
        value
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

impl Reason {
    /// The HTTP status code that goes with it; 200 for none.
    pub fn code(self) -> u16 {
        match self {
            Reason::None => 200,
            Reason::BadRequest => 400,
            Reason::Unauthorized => 401,
            Reason::Forbidden => 403,
            Reason::NotFound => 404,
            Reason::MethodNotAllowed => 405,
            Reason::NotAcceptable => 406,
            Reason::AlreadyExists | Reason::Conflict => 409,
            Reason::Gone | Reason::Expired => 410,
            Reason::RequestEntityTooLarge => 413,
            Reason::UnsupportedMediaType => 415,
            Reason::Invalid => 422,
            Reason::TooManyRequests => 429,
            Reason::InternalError | Reason::ServerTimeout => 500,
            Reason::ServiceUnavailable => 503,
            Reason::Timeout => 504,
        }
    }
}

impl Reason {
    /// Every reason that the wire names.
    const ALL: [Reason; 18] = [
        Reason::BadRequest,
        Reason::Unauthorized,
        Reason::Forbidden,
        Reason::NotFound,
        Reason::MethodNotAllowed,
        Reason::NotAcceptable,
        Reason::AlreadyExists,
        Reason::Conflict,
        Reason::Gone,
        Reason::Expired,
        Reason::RequestEntityTooLarge,
        Reason::UnsupportedMediaType,
        Reason::Invalid,
        Reason::TooManyRequests,
        Reason::InternalError,
        Reason::ServiceUnavailable,
        Reason::Timeout,
        Reason::ServerTimeout,
    ];

    /// The reason that the wire names so; none for names unknown here.
    pub fn from_wire(name: &str) -> Self {
        Self::ALL.into_iter().find(|reason| reason.to_string() == name).unwrap_or_default()
    }
}

/// As the wire names it; empty for none.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Reason::None { Ok(()) } else { write!(f, "{self:?}") }
    }
}

impl StatusDetails {
    fn from_value(value: &Value) -> Self {
        let text = |field: &str| text_of(value, field);
        let causes = value.get("causes").and_then(Value::as_array).into_iter().flatten();
        StatusDetails {
            name: text("name"),
            group: text("group"),
            kind: text("kind"),
            uid: text("uid"),
            causes: causes.map(Cause::from_value).collect(),
            retry_after_seconds: value
                .get("retryAfterSeconds")
                .and_then(Value::as_u64)
                .and_then(|seconds| u32::try_from(seconds).ok())
                .unwrap_or(0),
        }
    }

    fn to_value(&self) -> Value {
        let mut value = json!({});
        let mut put = |field: &str, v: Value, present: bool| {
            if present {
                value[field] = v;
            }
        };
        put("name", json!(self.name), !self.name.is_empty());
        put("group", json!(self.group), !self.group.is_empty());
        put("kind", json!(self.kind), !self.kind.is_empty());
        put("uid", json!(self.uid), !self.uid.is_empty());
        put("causes", self.causes.iter().map(Cause::to_value).collect(), !self.causes.is_empty());
        put("retryAfterSeconds", json!(self.retry_after_seconds), self.retry_after_seconds > 0);
        value
    }
}

impl Cause {
    fn from_value(value: &Value) -> Self {
        Cause {
            reason: text_of(value, "reason"),
            message: text_of(value, "message"),
            field: text_of(value, "field"),
        }
    }

    fn to_value(&self) -> Value {
        let mut value = json!({});
        for (field, text) in
            [("reason", &self.reason), ("message", &self.message), ("field", &self.field)]
        {
            if !text.is_empty() {
                value[field] = json!(text);
            }
        }
        value
    }
}

fn text_of(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let cause = Cause {
            reason: "FieldValueInvalid".into(),
            message: "must be positive".into(),
            field: "spec.replicas".into(),
        };
        let details = StatusDetails {
            name: "hello".into(),
            group: "apps".into(),
            kind: "Deployment".into(),
            uid: String::new(),
            causes: vec![cause],
            retry_after_seconds: 3,
        };
        let check = |status: Status| {
            assert_eq!(Status::from_value(status.code, &status.to_value()), status);
        };
        check(Status::failure_about(Reason::Invalid, "no", details));
        for reason in Reason::ALL {
            check(Status::failure(reason, "no"));
        }
    }

    #[test]
    fn an_answer_of_somebody_else_is_kept_as_a_message() {
        let status = Status::from_value(502, &json!("bad gateway"));
        assert_eq!((status.code, status.message.as_str()), (502, "\"bad gateway\""));
    }
}
