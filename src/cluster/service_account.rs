//! What every namespace gets: a service account `default`, and a config map with the cluster's root
//! certificates.

use serde_json::json;

use super::writes::{Act, Writes};
use super::{answers, callers, kinds};
use crate::api::{ApiRequest, Caller, Response, Status, WatchEvent};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::Timestamp;

/// Makes the service account `default` in every namespace, and again when it is deleted.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceAccounts;

/// Makes the config map `kube-root-ca.crt` in every namespace, and again when it is deleted or changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct RootCertificates;

/// Where the furnishing of a namespace stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The namespace.
    Namespace,
    /// What it should have.
    Present(Object),
    /// That being made.
    Writes(Writes),
}

const ROOT: &str = "kube-root-ca.crt";
const ABOUT_ROOT: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

impl Reconciler for ServiceAccounts {
    type State = Awaiting;

    fn name(&self) -> &str {
        "service-account-controller"
    }

    fn caller(&self) -> Caller {
        callers::controller(self.name())
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("v1", "Namespace"), Watch::all("v1", "ServiceAccount")]
    }

    fn handle_event(&self, event: &WatchEvent, _previous: Option<&Object>) -> Vec<ObjectRef> {
        namespace_key(event, "default")
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        Next::ask(
            Awaiting::Namespace,
            ApiRequest::get_cached(&kinds::namespace(), "", &target.name),
        )
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        furnish(state, response, now, |namespace| {
            Object::new("v1", "ServiceAccount", namespace, "default")
        })
    }
}

impl Reconciler for RootCertificates {
    type State = Awaiting;

    fn name(&self) -> &str {
        "root-ca-certificate-publisher-controller"
    }

    fn caller(&self) -> Caller {
        callers::controller("root-ca-cert-publisher")
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("v1", "Namespace"), Watch::all("v1", "ConfigMap")]
    }

    fn handle_event(&self, event: &WatchEvent, _previous: Option<&Object>) -> Vec<ObjectRef> {
        namespace_key(event, ROOT)
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        Next::ask(
            Awaiting::Namespace,
            ApiRequest::get_cached(&kinds::namespace(), "", &target.name),
        )
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        furnish(state, response, now, root_certificates)
    }
}

fn root_certificates(namespace: &str) -> Object {
    let mut map = Object::new("v1", "ConfigMap", namespace, ROOT);
    map.set("metadata.annotations", json!({"kubernetes.io/description": ABOUT_ROOT}));
    map.set("data", json!({"ca.crt": ""}));
    map
}

/// The namespace of an event about a namespace, or about an object of this name in one.
fn namespace_key(event: &WatchEvent, name: &str) -> Vec<ObjectRef> {
    let object = &event.object;
    let namespace = match object.kind() {
        "Namespace" => object.name(),
        _ if object.name() == name => object.namespace(),
        _ => return Vec::new(),
    };
    vec![kinds::namespace().named("", namespace)]
}

fn furnish(
    state: Awaiting,
    response: Response,
    now: Timestamp,
    wanted: impl Fn(&str) -> Object,
) -> Next<Awaiting> {
    match advance(state, response, now, wanted) {
        Ok(next) => next,
        Err(status) => Next::failed(status.message),
    }
}

fn advance(
    state: Awaiting,
    response: Response,
    now: Timestamp,
    wanted: impl Fn(&str) -> Object,
) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::Namespace => match answers::object(response)? {
            Some(namespace) if !namespace.is_deleting() => {
                let wanted = wanted(namespace.name());
                let read = ApiRequest::get_cached(&wanted.gvk(), wanted.namespace(), wanted.name());
                Next::ask(Awaiting::Present(wanted), read)
            }
            _ => Next::done(),
        },
        Awaiting::Present(wanted) => match answers::object(response)? {
            None => carry_out(Act::create(wanted)),
            Some(present) if is_stale(&present, &wanted) => {
                let mut present = present;
                present.set("data", wanted.get("data").cloned().unwrap_or_default());
                carry_out(Act::update(present))
            }
            Some(_) => Next::done(),
        },
        Awaiting::Writes(writes) => writes.answer(response, now).or_done(Awaiting::Writes),
    })
}

fn is_stale(present: &Object, wanted: &Object) -> bool {
    wanted.get("data").is_some() && present.get("data") != wanted.get("data")
}

fn carry_out(act: Act) -> Next<Awaiting> {
    Writes::of([act]).begin().or_done(Awaiting::Writes)
}
