//! Events: what a controller tells people about an object, as objects of kind `Event`.
//!
//! Like client-go's recorder it writes a sentence once and counts it from then on. A failure to record is
//! nobody's failure.

use serde_json::json;

use super::names;
use crate::api::{ApiRequest, Patch, Response, WriteOptions};
use crate::object::{Object, ObjectRef};
use crate::time::Timestamp;

/// Whether an event tells of success or of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Severity {
    /// `Normal`.
    Info,
    /// `Warning`.
    Error,
}

/// Which answer the recording of an event awaits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// To the creation of the event.
    EventCreated(Object),
    /// To reading the event that says the same.
    EventRead(Object),
    /// To the patch that counts it.
    EventPatched,
}

/// An event about an object, made by `reporter` for a revision (empty for none).
pub(crate) fn event(
    about: &Object,
    (severity, reason, message): (Severity, &str, &str),
    revision: &str,
    reporter: &str,
    now: Timestamp,
) -> Object {
    let kind = match severity {
        Severity::Info => "Normal",
        Severity::Error => "Warning",
    };
    let digest = fnv(&[about.uid(), kind, reason, message]);
    let name = format!("{}.{digest:016x}", about.name());
    let mut event = Object::new("v1", "Event", about.namespace(), &name);
    let fields = json!({
        "involvedObject": {
            "apiVersion": about.api_version(), "kind": about.kind(), "name": about.name(),
            "namespace": about.namespace(), "uid": about.uid(),
            "resourceVersion": about.resource_version(),
        },
        "type": kind, "reason": reason, "message": message,
        "source": {"component": reporter}, "reportingComponent": reporter, "reportingInstance": "",
        "firstTimestamp": now.to_string(), "lastTimestamp": now.to_string(), "count": 1,
        "eventTime": null,
    });
    for (field, value) in fields.as_object().expect("just made") {
        event.set(field, value.clone());
    }
    if !revision.is_empty() {
        let group = about.gvk().group;
        event.set_annotation(&format!("{group}/revision"), revision);
    }
    event
}

/// Begins to record an event.
pub(crate) fn record(event: Object) -> (Record, ApiRequest) {
    let request = ApiRequest::create(event.clone(), WriteOptions::default());
    (Record::EventCreated(event), request)
}

/// Goes on with an answer; `None` when the event is recorded, or cannot be.
pub(crate) fn step(state: Record, response: Response) -> Option<(Record, ApiRequest)> {
    match (state, response) {
        (Record::EventCreated(event), Response::Api(Err(s))) if s.is_already_exists() => {
            let ObjectRef { namespace, name, .. } = event.reference();
            let request = ApiRequest::get(&names::event(), &namespace, &name);
            Some((Record::EventRead(event), request))
        }
        (Record::EventRead(event), Response::Api(Ok(answer))) => {
            let stored = answer.into_object()?;
            let count = stored.int("count").unwrap_or(1).saturating_add(1);
            let patch = json!({"count": count, "lastTimestamp": event.text("lastTimestamp")});
            let (namespace, name) = (stored.namespace(), stored.name());
            let patch = Patch::Merge(patch);
            let options = WriteOptions::default();
            let request = ApiRequest::patch(&names::event(), namespace, name, patch, options);
            Some((Record::EventPatched, request))
        }
        _ => None,
    }
}

/// FNV-1a, 64 bits, over texts and the gaps between them.
fn fnv(texts: &[&str]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ApiResponse, Body, Reason, Status, Verb};

    #[test]
    fn a_sentence_said_again_is_counted() {
        let about = Object::new("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "a", "apps");
        let said = (Severity::Info, "Progressing", "x created");
        let now = Timestamp::START;
        let event = event(&about, said, "main@sha1:1", "kustomize-controller", now);
        assert_eq!(event.annotation("kustomize.toolkit.fluxcd.io/revision"), Some("main@sha1:1"));
        let (created, _) = record(event.clone());
        let taken = Status::failure(Reason::AlreadyExists, "taken");
        let (read, _) = step(created, Response::Api(Err(taken))).unwrap();
        let answer = ApiResponse::ok(Body::Object(event));
        let (patched, request) = step(read, Response::Api(Ok(answer))).unwrap();
        let Verb::Patch(Patch::Merge(patch), _) = request.verb else { panic!("{request:?}") };
        assert_eq!(patch["count"], 2);
        assert_eq!(step(patched, Response::Woken), None);
    }

    #[test]
    fn what_cannot_be_recorded_is_let_go() {
        let about = Object::new("v1", "ConfigMap", "a", "b");
        let (state, _) =
            record(event(&about, (Severity::Error, "R", "m"), "", "c", Timestamp::START));
        let refused = Status::failure(Reason::Forbidden, "no");
        assert_eq!(step(state, Response::Api(Err(refused))), None);
    }
}
