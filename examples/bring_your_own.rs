//! Bring your own controller, and let the checker break it.
//!
//! ```text
//! cargo run --example bring_your_own
//! ```
//!
//! The controller issues certificates: for every ConfigMap that is labelled `request`, it makes a
//! Secret and writes the Secret's name into an annotation of the request. The first version is what one
//! writes first. The second differs in one line.

use std::fmt::Write;
use std::process::ExitCode;

use driftlab::api::{
    ApiRequest, ApiResponse, Caller, Patch, Response, Status, WatchEvent, WriteOptions,
};
use driftlab::check::{Convergence, Counterexample, Draw, Size, faults};
use driftlab::object::{GroupVersionKind, Object, ObjectRef};
use driftlab::reconciler::{Activity, Next, Phase, Reconciler, Watch};
use driftlab::report::{Options, timeline};
use driftlab::sim::script::{Action, Step};
use driftlab::sim::{Choice, Scenario, World};
use driftlab::time::{Duration, Timestamp};
use serde_json::json;

/// Issues a Secret for every request.
#[derive(Clone, Copy)]
struct Issuer {
    /// Whether the Secret's name is made from the request's: then a second attempt meets the first.
    careful: bool,
}

/// Where an issue stands: each variant says what is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Issuing {
    Request,
    Secret { request: ObjectRef },
    Annotation,
}

impl Reconciler for Issuer {
    type State = Issuing;

    fn name(&self) -> &str {
        "issuer"
    }

    fn caller(&self) -> Caller {
        Caller::service_account("issuer", "issuer", "issuer/v1")
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch {
            labels: "request".parse().expect("a selector"),
            ..Watch::all("v1", "ConfigMap")
        }]
    }

    fn handle_event(&self, event: &WatchEvent, _: Option<&Object>) -> Vec<ObjectRef> {
        vec![event.object.reference()]
    }

    fn start(&self, target: &ObjectRef, _: Timestamp) -> Next<Issuing> {
        let request = ApiRequest::get_cached(&config_map(), &target.namespace, &target.name);
        Next::ask(Issuing::Request, request)
    }

    fn step(&self, state: Issuing, response: Response, _: Timestamp) -> Next<Issuing> {
        let Response::Api(answer) = response else {
            return Next::failed("an answer of the API is due");
        };
        match state {
            Issuing::Request => self.issue(answer),
            Issuing::Secret { request } => Self::note(request, answer),
            Issuing::Annotation => match answer {
                Err(status) if !status.is_not_found() => Next::failed(status.message),
                _ => Next::done(),
            },
        }
    }

    fn describe(&self, state: &Issuing) -> Activity {
        let phase = match state {
            Issuing::Request => Phase::Watch,
            Issuing::Secret { .. } | Issuing::Annotation => Phase::Reconcile,
        };
        Activity { phase, revision: String::new() }
    }
}

impl Issuer {
    fn issue(&self, answer: Result<ApiResponse, Status>) -> Next<Issuing> {
        let request = match answer.map(ApiResponse::into_object) {
            Ok(Some(request)) => request,
            Err(status) if !status.is_not_found() => return Next::failed(status.message),
            _ => return Next::done(),
        };
        if request.annotation("certificate").is_some() {
            return Next::done();
        }
        let mut secret = Object::new("v1", "Secret", request.namespace(), "");
        match self.careful {
            true => secret.set("metadata.name", format!("cert-{}", request.name())),
            false => secret.set("metadata.generateName", "cert-"),
        }
        secret.set_label("for", request.name());
        let create = ApiRequest::create(secret, WriteOptions::default());
        Next::ask(Issuing::Secret { request: request.reference() }, create)
    }

    fn note(request: ObjectRef, answer: Result<ApiResponse, Status>) -> Next<Issuing> {
        let name = match answer.map(ApiResponse::into_object) {
            Ok(Some(secret)) => secret.name().to_owned(),
            Err(status) if status.is_already_exists() => format!("cert-{}", request.name),
            Err(status) => return Next::failed(status.message),
            Ok(None) => return Next::failed("the API answered a creation with no object"),
        };
        let patch = Patch::Merge(json!({"metadata": {"annotations": {"certificate": name}}}));
        let options = WriteOptions::default();
        let (namespace, name) = (&request.namespace, &request.name);
        Next::ask(
            Issuing::Annotation,
            ApiRequest::patch(&config_map(), namespace, name, patch, options),
        )
    }
}

fn config_map() -> GroupVersionKind {
    GroupVersionKind::new("v1", "ConfigMap")
}

/// What must be true in the end: every request has one certificate, and knows it.
fn one_each(world: &World) -> Result<(), String> {
    let requests = world.server().objects_of("", "ConfigMap");
    requests.filter(|object| object.label("request").is_some()).try_for_each(|request| {
        let secrets = world.server().objects_of("", "Secret");
        let issued: Vec<&str> =
            secrets.filter(|s| s.label("for") == Some(request.name())).map(Object::name).collect();
        match (&issued[..], request.annotation("certificate")) {
            ([one], Some(noted)) if *one == noted => Ok(()),
            (_, noted) => {
                Err(format!("{} has {issued:?} and notes {noted:?}", request.reference()))
            }
        }
    })
}

/// People ask for certificates and change their requests, while things go wrong.
fn made_up(choice: &mut dyn Choice) -> Scenario {
    let size =
        Size { actors: vec!["issuer".into()], span: Duration::from_mins(2), ..Size::default() };
    let mut draw = Draw::from(choice);
    let mut scenario = Scenario::new("Certificates are asked for");
    (scenario.cluster.flux, scenario.cluster.nodes) = (false, 1);
    scenario.steps = (0..draw.number(1, 5)).map(|n| step(&mut draw, n, size.span)).collect();
    scenario.steps.sort_by_key(|step| step.at);
    scenario.faults = faults(&mut draw, &size);
    scenario
}

fn step(draw: &mut Draw<'_>, n: usize, span: Duration) -> Step {
    let commands = format!(
        "kubectl create configmap order-{n} --from-literal=host={n}.example.com\nkubectl label configmap order-{n} request=certificate"
    );
    let at = draw.time(span, Duration::from_secs(1));
    Step { at, actions: vec![Action::Run(commands)], ..Step::default() }
}

fn run(scenario: &Scenario, issuer: Issuer) -> World {
    let played = scenario.play_in(|world| world.add_controller(issuer));
    played.unwrap_or_else(|mistakes| panic!("{}", mistakes[0])).world
}

/// Looks for a scenario that the issuer does not survive.
fn search(issuer: Issuer, seeds: u64) -> Result<usize, Box<Counterexample>> {
    let mut property = Convergence::new(|scenario| run(scenario, issuer), one_each);
    property.settle = Duration::from_mins(5);
    property.search(1..=seeds, made_up)
}

fn main() -> ExitCode {
    let mut out = String::new();
    let found = search(Issuer { careful: false }, 100).expect_err("the first version has a bug");
    let (steps, faults) = (found.scenario.steps.len(), found.scenario.faults.faults.len());
    let failing = run(&found.scenario, Issuer { careful: false });
    let _ = writeln!(
        out,
        "The first version breaks. The shortest way to see it, as a scenario file:\n"
    );
    let _ = writeln!(out, "{found}\nWhat happens then:\n");
    let _ = writeln!(out, "{}", timeline(failing.trace(), &Options::default()));
    assert!(steps <= 1 && faults <= 1, "{steps} steps and {faults} faults");

    let survived = search(Issuer { careful: true }, 100).expect("a name of its own makes it safe");
    let _ = writeln!(
        out,
        "The second version, whose Secrets have a name of their own, survived {survived} such scenarios."
    );
    anstream::print!("{out}");
    ExitCode::SUCCESS
}
