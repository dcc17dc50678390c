//! The receiver of webhooks: somebody pushed, look now.
//!
//! Source: `Receiver` of `notification.toolkit.fluxcd.io/v1`. Flux serves `/hook/<sha256 of token, name and
//! namespace>`; a call to it annotates what the Receiver names, and nothing else: the change itself is still
//! pulled.

use std::fmt::Write as _;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::conditions;
use super::draft::{Draft, Progress, Write};
use super::names::{self, REQUESTED_AT};
use crate::api::{
    ApiRequest, ApiResponse, Caller, Patch, Response, Status, WatchEvent, WriteOptions,
};
use crate::base64;
use crate::object::{GroupVersionKind, Object, ObjectRef};
use crate::reconciler::{Next, Outcome, Reconciler, Watch};
use crate::time::Timestamp;

/// The controller's name and field manager.
const NAME: &str = "notification-controller";

/// Reconciles `Receiver` objects, and carries out the webhooks that arrive for them.
///
/// A webhook is a key of the queue as any other: [`webhook`] makes it from the path that was called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiverController {}

/// Where a reconciliation or a webhook stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Awaits the Receiver.
    ReceiverRead,
    /// Awaits the Secret with the Receiver's token.
    TokenRead(Box<Object>),
    /// Awaits a write of the Receiver's status; then says how it ended.
    Writing(Box<Written>, Write),
    /// Awaits all Receivers, to find the one whose path was called.
    ReceiversListed(String),
    /// Awaits the annotation of what the Receiver names; holds what is left to annotate.
    ResourceAnnotated(Vec<(GroupVersionKind, ObjectRef)>, Timestamp),
}

/// A Receiver whose status is being written, and how its reconciliation ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Written {
    draft: Draft,
    outcome: Outcome,
}

/// The key for a webhook that called a path, such as `/hook/…`.
pub fn webhook(path: &str) -> ObjectRef {
    ObjectRef::new("", "Webhook", "", path)
}

/// The path that a Receiver listens on: its token, name and namespace, hashed.
///
/// ```
/// let path = driftlab::engine::notification::webhook_path("token", "repo", "flux-system");
/// assert!(path.starts_with("/hook/") && path.len() == 70);
/// ```
pub fn webhook_path(token: &str, name: &str, namespace: &str) -> String {
    let digest = Sha256::digest(format!("{token}{name}{namespace}").as_bytes());
    digest.iter().fold("/hook/".to_owned(), |mut path, byte| {
        let _ = write!(path, "{byte:02x}");
        path
    })
}

impl ReceiverController {
    /// A controller as Flux's notification-controller is, as far as Receivers go.
    pub fn new() -> Self {
        Self::default()
    }

    fn receiver_read(&self, answer: Answer) -> Next<State> {
        let receiver = match answer.map(ApiResponse::into_object) {
            Ok(Some(receiver)) => receiver,
            Err(status) if !status.is_not_found() => return Next::failed(status.message),
            _ => return Next::done(),
        };
        let secret = receiver.text("spec.secretRef.name").to_owned();
        let gvk = GroupVersionKind::new("v1", "Secret");
        let request = ApiRequest::get(&gvk, receiver.namespace(), &secret);
        Next::ask(State::TokenRead(Box::new(receiver)), request)
    }

    fn token_read(&self, receiver: Object, answer: Answer, now: Timestamp) -> Next<State> {
        let mut draft = Draft::new(receiver, NAME);
        let object = &mut draft.object;
        let outcome = match token(object, answer) {
            Ok(token) => {
                let path = webhook_path(&token, object.name(), object.namespace());
                let message = format!("Receiver initialized for path: {path}");
                object.set("status.webhookPath", path);
                conditions::mark_ready(object, "True", "Succeeded", message.clone(), now);
                Outcome { message, ..Outcome::default() }
            }
            Err(message) => {
                conditions::mark_ready(object, "False", "TokenNotFound", message.clone(), now);
                let requeue = crate::reconciler::Requeue::Failed(message.clone());
                Outcome { requeue, message, failed: true, ..Outcome::default() }
            }
        };
        object.set("status.observedGeneration", object.generation());
        let progress = draft.write();
        writing(Written { draft, outcome }, progress)
    }

    fn receivers_listed(&self, path: &str, answer: Answer, now: Timestamp) -> Next<State> {
        let receivers = match answer {
            Ok(answer) => answer.into_list().unwrap_or_default().items,
            Err(status) => return Next::failed(status.message),
        };
        let called = receivers.iter().find(|receiver| {
            let suspended = receiver.get("spec.suspend").and_then(serde_json::Value::as_bool);
            receiver.text("status.webhookPath") == path && suspended != Some(true)
        });
        match called {
            Some(receiver) => annotate(resources(receiver), now),
            None => Next::Done(Outcome {
                message: format!("no Receiver listens on {path}"),
                ..Outcome::default()
            }),
        }
    }
}

type Answer = Result<ApiResponse, Status>;

impl Reconciler for ReceiverController {
    type State = State;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        Caller::service_account("flux-system", NAME, NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all(names::NOTIFICATION_API, "Receiver")]
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let object = &event.object;
        let counts = previous.is_none_or(|before| before.generation() != object.generation());
        if counts { vec![object.reference()] } else { Vec::new() }
    }

    fn start(&self, target: &ObjectRef, _: Timestamp) -> Next<State> {
        let receiver = names::receiver();
        match target.kind.as_str() {
            "Webhook" => Next::ask(
                State::ReceiversListed(target.name.clone()),
                ApiRequest::list_all_cached(&receiver, ""),
            ),
            _ => Next::ask(
                State::ReceiverRead,
                ApiRequest::get_cached(&receiver, &target.namespace, &target.name),
            ),
        }
    }

    fn step(&self, state: State, response: Response, now: Timestamp) -> Next<State> {
        match (state, response) {
            (State::ReceiverRead, Response::Api(answer)) => self.receiver_read(answer),
            (State::TokenRead(receiver), Response::Api(answer)) => {
                self.token_read(*receiver, answer, now)
            }
            (State::Writing(mut written, write), response) => {
                let progress = written.draft.step(write, response);
                writing(*written, progress)
            }
            (State::ReceiversListed(path), Response::Api(answer)) => {
                self.receivers_listed(&path, answer, now)
            }
            (State::ResourceAnnotated(left, at), Response::Api(answer)) => match answer {
                Err(status) if !status.is_not_found() => Next::failed(status.message),
                _ => annotate(left, at),
            },
            (state, response) => panic!("{state:?} was answered with {response:?}"),
        }
    }
}

fn writing(written: Written, progress: Progress) -> Next<State> {
    match progress {
        Progress::Ask(write, request) => {
            Next::ask(State::Writing(Box::new(written), write), *request)
        }
        Progress::Wait(write, pause) => Next::Wait(State::Writing(Box::new(written), write), pause),
        Progress::Done(Ok(())) => Next::Done(written.outcome),
        Progress::Done(Err(status)) => Next::failed(status.message),
    }
}

/// Annotates one resource after the other.
fn annotate(mut left: Vec<(GroupVersionKind, ObjectRef)>, now: Timestamp) -> Next<State> {
    let Some((gvk, object)) = left.pop() else { return Next::done() };
    let patch = json!({"metadata": {"annotations": {REQUESTED_AT: now.to_micro_string()}}});
    let options = WriteOptions { field_manager: NAME.into(), ..WriteOptions::default() };
    let (namespace, name) = (&object.namespace, &object.name);
    let request = ApiRequest::patch(&gvk, namespace, name, Patch::Merge(patch), options);
    Next::ask(State::ResourceAnnotated(left, now), request)
}

/// What a Receiver names, last first.
fn resources(receiver: &Object) -> Vec<(GroupVersionKind, ObjectRef)> {
    let listed = receiver.get("spec.resources").and_then(|v| v.as_array()).into_iter().flatten();
    let resource = |entry: &serde_json::Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        let or = |field: &str, default: &str| match text(field) {
            "" => default.to_owned(),
            found => found.to_owned(),
        };
        let api_version = or("apiVersion", names::SOURCE_API);
        let gvk = GroupVersionKind::new(&api_version, text("kind"));
        let object = gvk.named(&or("namespace", receiver.namespace()), text("name"));
        (gvk, object)
    };
    let mut resources: Vec<_> = listed.map(resource).collect();
    resources.reverse();
    resources
}

fn token(receiver: &Object, answer: Answer) -> Result<String, String> {
    let name = receiver.text("spec.secretRef.name");
    let unread = |why: String| {
        format!("unable to read token from secret '{}/{name}' error: {why}", receiver.namespace())
    };
    let secret = answer.map_err(|status| unread(status.message))?.into_object();
    let data = secret.as_ref().map_or("", |secret| secret.text("data.token"));
    let bytes = base64::decode(data).filter(|bytes| !bytes.is_empty());
    let bytes = bytes.ok_or_else(|| {
        format!("invalid '{}/{name}' secret data: required field 'token'", receiver.namespace())
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
