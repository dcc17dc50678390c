//! The horizontal pod autoscaler: as many replicas as the load needs.

mod advice;
mod metrics;
mod status;

pub use metrics::{pod_metrics, pod_metrics_definition};

use advice::{Advice, History};
use serde_json::Value;

use super::report::Report;
use super::writes::{Act, Progress, Writes};
use super::{answers, callers, kinds};
use crate::api::{
    ApiRequest, Caller, Response, Status, Subresource, Verb, WatchEvent, WatchEventType,
    WriteOptions,
};
use crate::object::{GroupVersionKind, LabelSelector, Object, ObjectRef};
use crate::reconciler::{Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

const NAME: &str = "horizontal-pod-autoscaler";

/// How often the load is looked at (`--horizontal-pod-autoscaler-sync-period`).
const PERIOD: Duration = Duration::from_secs(15);

/// Scales the target of a HorizontalPodAutoscaler so that its pods use what the metrics aim at.
///
/// The load comes from PodMetrics (`metrics.k8s.io/v1beta1`), which somebody writes: a script, a test, a
/// model of the load. See [`pod_metrics_definition`] and [`pod_metrics`]. Metrics of type `Resource` are
/// supported; of `behavior` the stabilization windows, and the policies without their history: a policy
/// limits each step, whatever its period.
#[derive(Clone, Copy, Debug, Default)]
pub struct HorizontalPodAutoscalers;

/// Where the look at a target stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The autoscaler, and what was advised lately.
    Autoscaler(ObjectRef, History),
    /// The scale of its target.
    Scale(Object, History),
    /// The pods of the target.
    Pods(Box<Round>),
    /// What they use.
    Metrics(Box<Round>),
    /// The target being scaled.
    Scaling(Box<Round>, Advice),
    /// The status being written.
    Status(Writes, ObjectRef, Option<History>),
    /// The next look, while a smaller size has been advised and is not due yet.
    NextLook(ObjectRef, History),
}

/// An autoscaler and what is known of its target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Round {
    autoscaler: Object,
    history: History,
    scale: Object,
    pods: Vec<Object>,
}

impl Reconciler for HorizontalPodAutoscalers {
    type State = Awaiting;

    fn name(&self) -> &str {
        NAME
    }

    fn caller(&self) -> Caller {
        callers::controller(NAME)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all("autoscaling/v2", "HorizontalPodAutoscaler"), Watch::all("v1", "Pod")]
    }

    fn workers(&self) -> usize {
        usize::MAX
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let object = &event.object;
        let gone = event.kind == WatchEventType::Deleted;
        let same = previous.is_some_and(|p| p.get("spec") == object.get("spec"));
        match object.kind() == "HorizontalPodAutoscaler" && !gone && !same {
            true => vec![object.reference()],
            false => Vec::new(),
        }
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        look(target.clone(), History::default())
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        advance(state, response, now).unwrap_or_else(|status| Next::failed(status.message))
    }
}

fn advance(state: Awaiting, response: Response, now: Timestamp) -> Result<Next<Awaiting>, Status> {
    Ok(match state {
        Awaiting::NextLook(key, history) => look(key, history),
        Awaiting::Autoscaler(_, history) => match answers::object(response)? {
            Some(autoscaler) if !autoscaler.is_deleting() => {
                let request = read_scale(&autoscaler);
                Next::ask(Awaiting::Scale(autoscaler, history), request)
            }
            _ => Next::done(),
        },
        Awaiting::Scale(autoscaler, history) => match answers::written(response) {
            Ok(Some(scale)) => with_scale(autoscaler, history, scale, now),
            Ok(None) => unreachable!("a read is answered with an object"),
            Err(failure) => no_scale(autoscaler, &failure, now),
        },
        Awaiting::Pods(mut round) => {
            let selector: Result<LabelSelector, _> = round.scale.text("status.selector").parse();
            let selector = selector.unwrap_or_default();
            round.pods = answers::list(response)?.items;
            round.pods.retain(|pod| selector.matches(pod));
            let metrics = metrics::kind();
            let request = ApiRequest::list_all(&metrics, round.autoscaler.namespace());
            Next::ask(Awaiting::Metrics(round), request)
        }
        Awaiting::Metrics(round) => measured(round, answers::list(response), now),
        Awaiting::Scaling(round, advice) => {
            let failure = answers::written(response).err();
            round.conclude(advice, failure, now)
        }
        Awaiting::Status(writes, key, history) => {
            finish(writes.answer(response, now), key, history)
        }
    })
}

fn look(key: ObjectRef, history: History) -> Next<Awaiting> {
    let kind = kinds::autoscaler();
    let request = ApiRequest::get_cached(&kind, &key.namespace, &key.name);
    Next::ask(Awaiting::Autoscaler(key, history), request)
}

fn read_scale(autoscaler: &Object) -> ApiRequest {
    let target = |field: &str| autoscaler.text(&format!("spec.scaleTargetRef.{field}"));
    let kind = GroupVersionKind::new(target("apiVersion"), target("kind"));
    ApiRequest::get(&kind, autoscaler.namespace(), target("name")).to(Subresource::Scale)
}

fn with_scale(
    autoscaler: Object,
    history: History,
    scale: Object,
    now: Timestamp,
) -> Next<Awaiting> {
    let round = Box::new(Round { autoscaler, history, scale, pods: Vec::new() });
    if round.current() == 0 && round.fewest() != 0 {
        let advice = Advice::disabled();
        return round.conclude(advice, None, now);
    }
    let request = ApiRequest::list_all_cached(&kinds::pod(), round.autoscaler.namespace());
    Next::ask(Awaiting::Pods(round), request)
}

fn no_scale(autoscaler: Object, failure: &Status, now: Timestamp) -> Next<Awaiting> {
    let message = format!(
        "the HPA controller was unable to get the target's current scale: {}",
        failure.message
    );
    let report = Report::warning(NAME, &autoscaler, "FailedGetScale", failure.message.clone());
    let changed = status::without_scale(&autoscaler, &message, now);
    let mut acts: Vec<Act> = changed.map(Act::status).into_iter().collect();
    acts.push(Act::tell(report, now));
    let key = autoscaler.reference();
    finish(Writes::of(acts).begin(), key, None)
}

/// From what the pods use to how many there should be.
fn measured(
    round: Box<Round>,
    metrics: Result<crate::api::ObjectList, Status>,
    now: Timestamp,
) -> Next<Awaiting> {
    let usage = metrics.map(|list| metrics::by_pod(&list.items)).map_err(|status| {
        format!("unable to fetch metrics from resource metrics API: {}", status.message)
    });
    let advice = round.advise(usage, now);
    if advice.size == round.current() || advice.failure.is_some() {
        return round.conclude(advice, None, now);
    }
    let request = round.write_scale(advice.size);
    Next::ask(Awaiting::Scaling(round, advice), request)
}

fn finish(progress: Progress, key: ObjectRef, history: Option<History>) -> Next<Awaiting> {
    let wait = match history.clone() {
        Some(history) => Next::Wait(Awaiting::NextLook(key.clone(), history), PERIOD),
        None => Next::again_after(PERIOD),
    };
    progress.or_else(|writes| Awaiting::Status(writes, key, history), || wait)
}

impl Round {
    fn current(&self) -> i64 {
        self.scale.int("spec.replicas").unwrap_or(0)
    }

    fn fewest(&self) -> i64 {
        self.autoscaler.int("spec.minReplicas").unwrap_or(1)
    }

    fn most(&self) -> i64 {
        self.autoscaler.int("spec.maxReplicas").unwrap_or(1)
    }

    fn advise(&self, usage: Result<metrics::Usage, String>, now: Timestamp) -> Advice {
        let specs = self.autoscaler.get("spec.metrics").and_then(Value::as_array);
        let measured = usage.and_then(|usage| {
            metrics::measure(
                specs.map_or(&[][..], Vec::as_slice),
                &self.pods,
                &usage,
                self.current(),
            )
        });
        Advice::new(self, measured, now)
    }

    fn write_scale(&self, replicas: i64) -> ApiRequest {
        let mut scale = self.scale.clone();
        scale.set("spec.replicas", replicas);
        let verb = Verb::Update(scale, WriteOptions::default());
        ApiRequest { verb, ..read_scale(&self.autoscaler) }
    }

    /// Writes what was found and done.
    fn conclude(&self, advice: Advice, failure: Option<Status>, now: Timestamp) -> Next<Awaiting> {
        let mut acts = Vec::new();
        let changed = status::status(self, &advice, failure.as_ref(), now);
        acts.extend(changed.map(Act::status));
        acts.extend(status::news(self, &advice, failure).map(|report| Act::tell(report, now)));
        finish(Writes::of(acts).begin(), self.autoscaler.reference(), advice.history)
    }
}
