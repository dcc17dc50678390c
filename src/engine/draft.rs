//! A controller's working copy of its own object, and how it is written back.
//!
//! As Flux's serial patcher does (`fluxcd/pkg/runtime/patch`): first the conditions, guarded by the
//! version they were based on, then metadata, then the rest of the status, each only if it changed. A crash
//! in between leaves the parts that were written.

use serde_json::{Map, Value, json};

use crate::api::{ApiRequest, Patch, Response, Status, Subresource, WriteOptions};
use crate::object::Object;
use crate::time::Duration;

/// How often a version conflict is retried.
const TRIES: u8 = 5;
/// The pause before the first retry; it doubles.
const PAUSE: Duration = Duration::from_millis(100);

/// An object as it was last written, and as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Draft {
    written: Object,
    /// The object as it should be.
    pub(crate) object: Object,
    manager: &'static str,
}

/// Which answer the writing of a draft awaits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    /// To the patch of `status.conditions`.
    ConditionsPatched(u8),
    /// A pause after a version conflict.
    ConflictWaited(u8),
    /// To reading the object anew.
    LatestRead(u8),
    /// To the patch of `metadata`; with the failure of the one before.
    MetadataPatched(Option<Status>),
    /// To the patch of the rest of the status; with the failure of those before.
    StatusPatched(Option<Status>),
}

/// What to do next to write a draft.
pub(crate) enum Progress {
    /// Make this request.
    Ask(Write, Box<ApiRequest>),
    /// Pause.
    Wait(Write, Duration),
    /// It is written, or was refused.
    Done(Result<(), Status>),
}

impl Draft {
    /// A working copy of an object as it was read, to be written by a field manager.
    pub(crate) fn new(object: Object, manager: &'static str) -> Self {
        Draft { written: object.clone(), object, manager }
    }

    /// Begins to write what changed.
    pub(crate) fn write(&mut self) -> Progress {
        match self.conditions_patch() {
            Some(request) => Progress::Ask(Write::ConditionsPatched(0), Box::new(request)),
            None => self.metadata(None),
        }
    }

    /// Goes on with an answer.
    pub(crate) fn step(&mut self, state: Write, response: Response) -> Progress {
        match (state, response) {
            (Write::ConditionsPatched(tries), Response::Api(Err(status)))
                if status.is_conflict() && tries < TRIES =>
            {
                Progress::Wait(Write::ConflictWaited(tries + 1), PAUSE * (1 << tries))
            }
            (Write::ConditionsPatched(_), response) => {
                let failure = self.note(response);
                self.metadata(failure)
            }
            (Write::ConflictWaited(tries), _) => {
                let (gvk, object) = (self.object.gvk(), &self.object);
                let request = ApiRequest::get_cached(&gvk, object.namespace(), object.name());
                Progress::Ask(Write::LatestRead(tries), Box::new(request))
            }
            (Write::LatestRead(tries), response) => match self.note(response) {
                Some(status) => Progress::Done(Err(status)),
                None => match self.conditions_patch() {
                    Some(request) => {
                        Progress::Ask(Write::ConditionsPatched(tries), Box::new(request))
                    }
                    None => self.metadata(None),
                },
            },
            (Write::MetadataPatched(failure), response) => {
                let failure = failure.or(self.note(response));
                self.status(failure)
            }
            (Write::StatusPatched(failure), response) => {
                let failure = failure.or(self.note(response));
                self.done(failure)
            }
        }
    }

    fn metadata(&mut self, failure: Option<Status>) -> Progress {
        let metadata = changes_at(self.written.get("metadata"), self.object.get("metadata"));
        match metadata {
            Some(metadata) => {
                let request = self.patch(json!({ "metadata": metadata }));
                Progress::Ask(Write::MetadataPatched(failure), Box::new(request))
            }
            None => self.status(failure),
        }
    }

    fn status(&mut self, failure: Option<Status>) -> Progress {
        match self.status_changes() {
            Some(status) => {
                let request = self.patch(json!({ "status": status })).to(Subresource::Status);
                Progress::Ask(Write::StatusPatched(failure), Box::new(request))
            }
            None => self.done(failure),
        }
    }

    fn done(&mut self, failure: Option<Status>) -> Progress {
        match failure {
            Some(status) => Progress::Done(Err(status)),
            None => {
                self.written = self.object.clone();
                Progress::Done(Ok(()))
            }
        }
    }

    /// What changed of the status but for its conditions.
    fn status_changes(&self) -> Option<Value> {
        let (from, to) = (self.written.get("status"), self.object.get("status"));
        let (Some(Value::Object(from)), Some(Value::Object(to))) = (from, to) else {
            let rest = |status: Option<&Value>| status.map(without_conditions);
            return changes_at(rest(from).as_ref(), rest(to).as_ref());
        };
        let patch = field_changes(from, to, |field| field != "conditions");
        (!patch.is_empty()).then_some(Value::Object(patch))
    }

    fn conditions_patch(&self) -> Option<ApiRequest> {
        let wanted = self.object.get("status.conditions");
        if wanted == self.written.get("status.conditions") {
            return None;
        }
        let patch = json!({
            "metadata": {"resourceVersion": self.object.resource_version()},
            "status": {"conditions": wanted},
        });
        Some(self.patch(patch).to(Subresource::Status))
    }

    fn patch(&self, patch: Value) -> ApiRequest {
        let (gvk, object) = (self.object.gvk(), &self.object);
        let options =
            WriteOptions { field_manager: self.manager.into(), ..WriteOptions::default() };
        ApiRequest::patch(&gvk, object.namespace(), object.name(), Patch::Merge(patch), options)
    }

    /// Remembers the version of an answer, or gives back its failure.
    fn note(&mut self, response: Response) -> Option<Status> {
        let Response::Api(answer) = response else {
            panic!("a write to the API was answered with {response:?}")
        };
        match answer {
            Err(status) => Some(status),
            Ok(answer) => {
                if let Some(object) = answer.into_object() {
                    let version = object.resource_version();
                    self.object.set("metadata.resourceVersion", version);
                    self.written.set("metadata.resourceVersion", version);
                }
                None
            }
        }
    }
}

/// The merge patch (RFC 7386) that makes one value from another; `None` when they are equal.
pub(crate) fn changes(from: &Value, to: &Value) -> Option<Value> {
    match (from, to) {
        (from, to) if from == to => None,
        (Value::Object(from), Value::Object(to)) => {
            Some(Value::Object(field_changes(from, to, |_| true)))
        }
        (_, to) => Some(to.clone()),
    }
}

/// The same for values that may be missing.
fn changes_at(from: Option<&Value>, to: Option<&Value>) -> Option<Value> {
    changes(from.unwrap_or(&Value::Null), to.unwrap_or(&Value::Null))
}

/// The merge patch of those fields that `concerns` says yes to.
fn field_changes(
    from: &Map<String, Value>,
    to: &Map<String, Value>,
    concerns: impl Fn(&str) -> bool,
) -> Map<String, Value> {
    let removed = from.keys().filter(|key| concerns(key) && !to.contains_key(*key));
    let mut patch: Map<String, Value> = removed.map(|key| (key.clone(), Value::Null)).collect();
    for (key, value) in to.iter().filter(|(key, _)| concerns(key)) {
        let change = changes_at(from.get(key), Some(value));
        patch.extend(change.map(|change| (key.clone(), change)));
    }
    patch
}

fn without_conditions(status: &Value) -> Value {
    let mut rest = status.clone();
    if let Value::Object(fields) = &mut rest {
        fields.remove("conditions");
    }
    if rest == json!({}) { Value::Null } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ApiResponse, Body, Reason, Verb};

    fn draft() -> Draft {
        let mut object = Object::new("example.com/v1", "Widget", "a", "b");
        object.set("metadata.resourceVersion", "1");
        Draft::new(object, "tester")
    }

    fn accepted(version: &str) -> Response {
        let mut object = Object::new("example.com/v1", "Widget", "a", "b");
        object.set("metadata.resourceVersion", version);
        Response::Api(Ok(ApiResponse::ok(Body::Object(object))))
    }

    fn body(progress: &Progress) -> Value {
        match progress {
            Progress::Ask(_, request) => match &request.verb {
                Verb::Patch(Patch::Merge(body), _) => body.clone(),
                verb => panic!("{verb:?}"),
            },
            _ => Value::Null,
        }
    }

    #[test]
    fn conditions_are_written_first_then_metadata_then_the_rest_of_the_status() {
        let mut draft = draft();
        draft.object.set("metadata.finalizers", json!(["f"]));
        draft.object.set("status", json!({"conditions": [{"type": "Ready"}], "seen": 1}));
        let first = draft.write();
        assert_eq!(body(&first)["metadata"]["resourceVersion"], "1");
        let second = draft.step(Write::ConditionsPatched(0), accepted("2"));
        assert_eq!(body(&second), json!({"metadata": {"finalizers": ["f"]}}));
        let third = draft.step(Write::MetadataPatched(None), accepted("3"));
        assert_eq!(body(&third), json!({"status": {"seen": 1}}));
        let end = draft.step(Write::StatusPatched(None), accepted("4"));
        assert!(matches!(end, Progress::Done(Ok(()))));
        assert!(matches!(draft.write(), Progress::Done(Ok(()))), "nothing is left to write");
    }

    #[test]
    fn a_version_conflict_is_retried_on_the_latest_version() {
        let mut draft = draft();
        draft.object.set("status.conditions", json!([{"type": "Ready"}]));
        let _ = draft.write();
        let conflict = || Response::Api(Err(Status::failure(Reason::Conflict, "changed")));
        let wait = draft.step(Write::ConditionsPatched(0), conflict());
        assert!(matches!(wait, Progress::Wait(Write::ConflictWaited(1), PAUSE)));
        let _ = draft.step(Write::ConflictWaited(1), Response::Woken);
        let again = draft.step(Write::LatestRead(1), accepted("9"));
        assert_eq!(body(&again)["metadata"]["resourceVersion"], "9");
        let end = draft.step(Write::ConditionsPatched(TRIES), conflict());
        assert!(matches!(end, Progress::Done(Err(_))));
    }

    #[test]
    fn a_merge_patch_says_what_changed_and_what_is_gone() {
        let check = |from: Value, to: Value, expected: Option<Value>| {
            assert_eq!(changes(&from, &to), expected)
        };
        check(json!({"a": 1}), json!({"a": 1}), None);
        check(
            json!({"a": 1, "b": {"c": 1, "d": 2}}),
            json!({"b": {"c": 3, "d": 2}}),
            Some(json!({"a": null, "b": {"c": 3}})),
        );
        check(json!({"l": [1]}), json!({"l": [1, 2]}), Some(json!({"l": [1, 2]})));
    }
}
