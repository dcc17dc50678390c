//! The endpoint controllers: which pods stand behind a service.

mod form;

use form::Form;

use super::writes::Writes;
use super::{answers, callers, keys, kinds, pods};
use crate::api::{ApiRequest, Caller, Response, Status, WatchEvent};
use crate::object::{LabelSelector, Object, ObjectRef};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::Timestamp;

/// Keeps the EndpointSlices of every service with a selector, a hundred endpoints each.
///
/// Its keys are services, and pods whose change may concern some.
#[derive(Clone, Copy, Debug, Default)]
pub struct EndpointSlices;

/// Keeps the Endpoints of every service with a selector, as older clients read them.
///
/// Its keys are services, and pods whose change may concern some.
#[derive(Clone, Copy, Debug, Default)]
pub struct Endpoints;

/// Where the look at a service stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// A pod that has changed.
    Pod(String),
    /// The services that may select it; all when it is gone.
    Services(Option<Object>),
    /// The service.
    Service(ObjectRef),
    /// The pods of its namespace.
    Pods(Object),
    /// What is published about it.
    Published(Object, Vec<Object>),
    /// That being brought up to date.
    Writes(Writes),
}

impl Reconciler for EndpointSlices {
    type State = Awaiting;

    fn name(&self) -> &str {
        "endpointslice-controller"
    }

    fn caller(&self) -> Caller {
        callers::controller(self.name())
    }

    fn watches(&self) -> Vec<Watch> {
        watches(Form::Slices)
    }

    fn workers(&self) -> usize {
        5
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        keys_of(event, previous)
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        start(target)
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        step(Form::Slices, state, response, now)
    }
}

impl Reconciler for Endpoints {
    type State = Awaiting;

    fn name(&self) -> &str {
        "endpoint-controller"
    }

    fn caller(&self) -> Caller {
        callers::controller(self.name())
    }

    fn watches(&self) -> Vec<Watch> {
        watches(Form::Subsets)
    }

    fn workers(&self) -> usize {
        5
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        keys_of(event, previous)
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        start(target)
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        step(Form::Subsets, state, response, now)
    }
}

fn watches(form: Form) -> Vec<Watch> {
    let kind = form.kind();
    let published = Watch::all(&kind.api_version(), &kind.kind);
    vec![Watch::all("v1", "Service"), Watch::all("v1", "Pod"), published]
}

fn keys_of(event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
    let object = &event.object;
    match object.kind() {
        "Service" => vec![object.reference()],
        "Pod" => {
            let same = previous.is_some_and(|p| form::traits(p) == form::traits(object));
            let gone = event.kind == crate::api::WatchEventType::Deleted;
            if same && !gone { Vec::new() } else { vec![object.reference()] }
        }
        _ => {
            let service = form::service_of(object);
            service
                .map(|name| kinds::service().named(object.namespace(), name))
                .into_iter()
                .collect()
        }
    }
}

fn start(target: &ObjectRef) -> Next<Awaiting> {
    let read = |kind| ApiRequest::get_cached(&kind, &target.namespace, &target.name);
    match target.kind.as_str() {
        "Pod" => Next::ask(Awaiting::Pod(target.namespace.clone()), read(kinds::pod())),
        _ => Next::ask(Awaiting::Service(target.clone()), read(kinds::service())),
    }
}

fn step(form: Form, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
    advance(form, state, response, now).unwrap_or_else(|status| Next::failed(status.message))
}

fn advance(
    form: Form,
    state: Awaiting,
    response: Response,
    now: Timestamp,
) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::Pod(namespace) => {
            let pod = answers::object(response)?;
            let services = ApiRequest::list_all_cached(&kinds::service(), &namespace);
            Next::ask(Awaiting::Services(pod), services)
        }
        Awaiting::Services(pod) => {
            let services = answers::list(response)?.items;
            let concerned = services.iter().filter(|service| match (&pod, selector(service)) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(pod), Some(selector)) => selector.matches(pod),
            });
            keys::enqueue(concerned.map(Object::reference))
        }
        Awaiting::Service(key) => match answers::object(response)? {
            Some(service) if selector(&service).is_some() && !service.is_deleting() => {
                let request = ApiRequest::list_all_cached(&kinds::pod(), service.namespace());
                Next::ask(Awaiting::Pods(service), request)
            }
            Some(_) => Next::done(),
            None => form.withdraw(&key),
        },
        Awaiting::Pods(service) => {
            let selector = selector(&service).unwrap_or_default();
            let mut behind = answers::list(response)?.items;
            behind.retain(|pod| selector.matches(pod) && has_address(pod));
            let request = ApiRequest::list_all_cached(&form.kind(), service.namespace());
            Next::ask(Awaiting::Published(service, behind), request)
        }
        Awaiting::Published(service, behind) => {
            let published = answers::list(response)?.items;
            let acts = form.publish(&service, &behind, published, now);
            let fence = ApiRequest::list_all_cached(&form.kind(), service.namespace());
            Writes::of(acts).until_seen_in(fence).begin().or_done(Awaiting::Writes)
        }
        Awaiting::Writes(writes) => writes.answer(response, now).or_done(Awaiting::Writes),
    })
}

/// The selector of a service; `None` for one without, whose endpoints are somebody else's.
fn selector(service: &Object) -> Option<LabelSelector> {
    let labels = service.get("spec.selector")?.as_object().filter(|labels| !labels.is_empty())?;
    let labels = labels.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or("")));
    (service.text("spec.type") != "ExternalName").then(|| LabelSelector::from_labels(labels))
}

fn has_address(pod: &Object) -> bool {
    !pods::is_finished(pod) && !pod.text("status.podIP").is_empty()
}
