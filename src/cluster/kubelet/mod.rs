//! The kubelet: runs the pods of one node, as far as the API shows it.

mod container;
mod node;
mod plan;
mod pull;

use serde_json::Value;

use plan::{Plan, Step};
use pull::PullFailure;

use super::report::Report;
use super::writes::{Act, Progress, Writes};
use super::{answers, callers, kinds, pods};
use crate::api::{
    ApiRequest, Caller, DeleteOptions, Preconditions, Request, Response, Status, WatchEvent,
    WatchEventType,
};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Next, Outcome, Reconciler, Requeue, Watch};
use crate::time::{Duration, Timestamp};

pub(super) use node::LEASES;
pub use node::{last_heartbeat, registration};

/// The kubelet of one node.
///
/// It pulls the images of each pod bound to its node, starts the containers after a delay, and tells
/// the API: `ContainerCreating`, `Running` and ready, `Completed` or `CrashLoopBackOff`,
/// `ErrImagePull` and `ImagePullBackOff` with a wait that doubles from 10 s to 5 min. A pod that is
/// deleted stops after [`Kubelet::stops_in`], or its grace period if that is shorter.
///
/// What runs in a container is told by annotations of the pod:
///
/// | annotation | meaning | default |
/// |---|---|---|
/// | `driftlab/ready-after` | from the start to readiness, such as `5s`, or `never` | `initialDelaySeconds` of the readiness probe, else at once |
/// | `driftlab/exit-after` | from the start to the exit, or `never` | 5 s when `restartPolicy` is not `Always`, else never |
/// | `driftlab/exit-code` | how it exits | 0 |
///
/// The label `stuck` is short for `driftlab/ready-after: never`: the stories that real clusters are held
/// against say it so.
///
/// Its keys: a `Pod` that is being deleted, a `Container` (the pod's, to be started and watched over),
/// and its `Node`.
#[derive(Clone, Debug)]
pub struct Kubelet {
    node: String,
    name: String,
    /// From the pull of its images to the start of a pod's containers.
    pub starts_in: Duration,
    /// From the deletion of a pod to its end.
    pub stops_in: Duration,
}

/// Where the work on a pod, or on the node, stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaiting {
    /// The pod to be run.
    Pod,
    /// Its status being written, before the work goes on.
    Status,
    /// The next of its images, and the digests of those that are there.
    Image(Object, Vec<String>),
    /// The start of its containers.
    Start(Object, Vec<String>),
    /// That it runs being told.
    Running(Writes, ObjectRef),
    /// The failure of a pull being told.
    PullError(Writes, PullFailure),
    /// The moment between a failed pull and the wait before the next.
    BackOff(PullFailure),
    /// The wait being told.
    BackOffTold(Writes, PullFailure),
    /// The next thing to happen to its containers.
    Change(ObjectRef),
    /// The pod to be stopped.
    Doomed,
    /// The end of its containers.
    Stop(Object),
    /// The removal of the pod.
    Removal,
    /// The node's own object.
    Node,
    /// The node's lease.
    Lease(Object),
    /// The node's status and lease being written.
    Heartbeat(Writes),
}

impl Kubelet {
    /// The kubelet of the node of this name; containers start and stop within a second.
    pub fn new(node: &str) -> Self {
        Kubelet {
            node: node.into(),
            name: format!("kubelet/{node}"),
            starts_in: Duration::from_secs(1),
            stops_in: Duration::from_secs(1),
        }
    }

    /// The name of its node.
    pub fn node(&self) -> &str {
        &self.node
    }

    fn is_mine(&self, pod: &Object) -> bool {
        pod.text("spec.nodeName") == self.node
    }
}

impl Reconciler for Kubelet {
    type State = Awaiting;

    fn name(&self) -> &str {
        &self.name
    }

    fn caller(&self) -> Caller {
        callers::kubelet(&self.node)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all("v1", "Pod"),
            Watch::all("v1", "Node"),
            Watch::all("coordination.k8s.io/v1", "Lease"),
        ]
    }

    /// Every pod has a worker of its own.
    fn workers(&self) -> usize {
        usize::MAX
    }

    /// How image pulls are spaced.
    fn backoff(&self) -> (Duration, Duration) {
        (Duration::from_secs(10), Duration::from_mins(5))
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let object = &event.object;
        let known = previous.filter(|p| self.is_mine(p));
        match object.kind() {
            _ if event.kind == WatchEventType::Deleted => Vec::new(),
            "Node" | "Lease" => {
                let mine =
                    object.name() == self.node && matches!(object.namespace(), "" | node::LEASES);
                mine.then(|| kinds::node().named("", &self.node)).into_iter().collect()
            }
            "Pod" if !self.is_mine(object) => Vec::new(),
            "Pod" if object.is_deleting() => {
                let news = known.is_none_or(|p| !p.is_deleting());
                news.then(|| object.reference()).into_iter().collect()
            }
            "Pod" if known.is_none_or(|p| plan::images(p) != plan::images(object)) => {
                vec![container_key(object)]
            }
            _ => Vec::new(),
        }
    }

    fn start(&self, target: &ObjectRef, _now: Timestamp) -> Next<Awaiting> {
        let read = |kind| ApiRequest::get_cached(&kind, &target.namespace, &target.name);
        match target.kind.as_str() {
            "Node" => Next::ask(Awaiting::Node, read(kinds::node())),
            "Pod" => Next::ask(Awaiting::Doomed, read(kinds::pod())),
            _ => Next::ask(Awaiting::Pod, read(kinds::pod())),
        }
    }

    fn step(&self, state: Awaiting, response: Response, now: Timestamp) -> Next<Awaiting> {
        self.advance(state, response, now).unwrap_or_else(|status| match status.is_not_found() {
            true => Next::done(),
            false => again_soon(&status),
        })
    }
}

/// The key of a pod's containers.
fn container_key(pod: &Object) -> ObjectRef {
    ObjectRef::new("", "Container", pod.namespace(), pod.name())
}

/// Refusals of the API are not failures of a pull: they do not lengthen its backoff.
fn again_soon(status: &Status) -> Next<Awaiting> {
    Next::Done(Outcome {
        requeue: Requeue::After { after: Duration::from_secs(1), jitter_percent: 0 },
        message: status.message.clone(),
        ..Outcome::default()
    })
}

impl Kubelet {
    fn advance(
        &self,
        state: Awaiting,
        response: Response,
        now: Timestamp,
    ) -> Result<Next<Awaiting>, Status> {
        Ok(match state {
            Awaiting::Pod | Awaiting::Status => match answers::object(response)? {
                Some(pod) => self.go_on(pod, now),
                None => Next::done(),
            },
            Awaiting::Change(pod) => Next::ask(Awaiting::Pod, cached_pod(&pod)),
            Awaiting::Image(pod, digests) => self.pulled(pod, digests, response, now),
            Awaiting::Start(pod, digests) => self.started(&pod, &digests, now),
            Awaiting::Running(writes, pod) => running(writes.answer(response, now), pod),
            Awaiting::PullError(writes, failure) => {
                pull_error_told(writes.answer(response, now), failure)
            }
            Awaiting::BackOff(failure) => self.tell_back_off(failure, now),
            Awaiting::BackOffTold(writes, failure) => {
                back_off_told(writes.answer(response, now), failure)
            }
            Awaiting::Doomed => self.stop(answers::object(response)?, now),
            Awaiting::Stop(pod) => Next::ask(Awaiting::Removal, removal(&pod)),
            Awaiting::Removal => {
                answers::written(response)?;
                Next::done()
            }
            Awaiting::Node => match answers::object(response)? {
                Some(node) => {
                    let lease = ApiRequest::get_cached(&kinds::lease(), node::LEASES, &self.node);
                    Next::ask(Awaiting::Lease(node), lease)
                }
                None => Next::done(),
            },
            Awaiting::Lease(node) => {
                node::heartbeat(&node, answers::object(response)?.as_ref(), now)
            }
            Awaiting::Heartbeat(writes) => {
                writes.answer(response, now).or_done(Awaiting::Heartbeat)
            }
        })
    }

    /// Does what comes next for a pod.
    fn go_on(&self, pod: Object, now: Timestamp) -> Next<Awaiting> {
        if !self.is_mine(&pod) {
            return Next::done();
        }
        match plan::next(&pod, now) {
            Plan::Rest => Next::done(),
            Plan::Wait(until) => Next::Wait(Awaiting::Change(pod.reference()), until.since(now)),
            Plan::Do(Step::Admit) => tell(&pod, container::admitted(&pod, now)),
            Plan::Do(Step::Ready) => tell(&pod, container::ready(&pod, now)),
            Plan::Do(Step::Exit) => tell(&pod, container::exited(&pod, now)),
            Plan::Do(Step::Pull) => self.pull(pod, Vec::new()),
        }
    }

    fn pull(&self, pod: Object, digests: Vec<String>) -> Next<Awaiting> {
        match plan::images(&pod).get(digests.len()) {
            Some(image) => {
                let request = Request::Pull { image: (*image).to_owned() };
                Next::ask(Awaiting::Image(pod, digests), request)
            }
            None => Next::Wait(Awaiting::Start(pod, digests), self.starts_in),
        }
    }

    fn pulled(
        &self,
        pod: Object,
        mut digests: Vec<String>,
        response: Response,
        now: Timestamp,
    ) -> Next<Awaiting> {
        let Response::Pulled(pulled) = response else {
            unreachable!("a pull is answered with an image, not with {response:?}")
        };
        let container = digests.len();
        match pulled {
            Ok(digest) => {
                digests.push(digest);
                self.pull(pod, digests)
            }
            Err(error) => self.pull_failed(PullFailure { pod, container, error }, now),
        }
    }

    fn started(&self, pod: &Object, digests: &[String], now: Timestamp) -> Next<Awaiting> {
        let mut writes =
            Writes::of([Act::needed(container::patch(pod, container::running(pod, digests, now)))]);
        for (i, image) in plan::images(pod).into_iter().enumerate() {
            let field = container::field(pod, i);
            let tell = |reason, message: String| {
                let report = Report::normal("kubelet", pod, reason, message);
                Act::tell(report.on_node(&self.node).of_field(field.clone()), now)
            };
            writes.push(tell("Pulled", format!("Successfully pulled image {image:?}")));
            writes.push(tell("Started", "Container started".into()));
        }
        running(writes.begin(), pod.reference())
    }

    /// The first failure is told; further ones find it told already and only wait longer.
    fn pull_failed(&self, failure: PullFailure, now: Timestamp) -> Next<Awaiting> {
        if failure.is_backing_off() {
            return failure.wait();
        }
        let messages = [failure.told(), format!("Error: {}", failure.reason())];
        let reports = messages.map(|m| self.complaint(&failure, "Failed", m));
        pull_error_told(failure.tell(failure.reason(), failure.told(), reports, now), failure)
    }

    fn tell_back_off(&self, failure: PullFailure, now: Timestamp) -> Next<Awaiting> {
        let message = format!("Back-off pulling image {:?}", failure.image());
        let reports = [
            self.complaint(&failure, "BackOff", message.clone()).harmless(),
            self.complaint(&failure, "Failed", format!("Error: {}", failure.back_off_reason())),
        ];
        let told = format!("{message}: {}: {}", failure.reason(), failure.told());
        back_off_told(failure.tell(failure.back_off_reason(), told, reports, now), failure)
    }

    fn complaint(&self, failure: &PullFailure, reason: &'static str, message: String) -> Report {
        Report::warning("kubelet", &failure.pod, reason, message)
            .on_node(&self.node)
            .of_field(container::field(&failure.pod, failure.container))
    }

    /// Stops the containers of a pod that is being deleted, and then removes it.
    fn stop(&self, pod: Option<Object>, _now: Timestamp) -> Next<Awaiting> {
        let Some(pod) = pod.filter(|pod| pod.is_deleting() && self.is_mine(pod)) else {
            return Next::done();
        };
        let grace = pod.int("metadata.deletionGracePeriodSeconds").unwrap_or(30).max(0) as u64;
        let stops_in = match pods::is_finished(&pod) {
            true => Duration::ZERO,
            false => self.stops_in.min(Duration::from_secs(grace)),
        };
        Next::Wait(Awaiting::Stop(pod), stops_in)
    }
}

fn cached_pod(pod: &ObjectRef) -> ApiRequest {
    ApiRequest::get_cached(&kinds::pod(), &pod.namespace, &pod.name)
}

fn tell(pod: &Object, status: Value) -> Next<Awaiting> {
    Next::ask(Awaiting::Status, container::patch(pod, status))
}

fn removal(pod: &Object) -> ApiRequest {
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        preconditions: Preconditions { uid: pod.uid().into(), ..Preconditions::default() },
        ..DeleteOptions::default()
    };
    ApiRequest::delete(&kinds::pod(), pod.namespace(), pod.name(), options)
}

fn running(progress: Progress, pod: ObjectRef) -> Next<Awaiting> {
    let look_again = Next::Wait(Awaiting::Change(pod.clone()), Duration::ZERO);
    progress.or_else(|writes| Awaiting::Running(writes, pod), || look_again)
}

fn pull_error_told(progress: Progress, failure: PullFailure) -> Next<Awaiting> {
    /// For how long `kubectl get pods` shows the error before it shows the wait.
    const SHOWN: Duration = Duration::from_secs(2);
    let pause = Next::Wait(Awaiting::BackOff(failure.clone()), SHOWN);
    progress.or_else(|writes| Awaiting::PullError(writes, failure), || pause)
}

fn back_off_told(progress: Progress, failure: PullFailure) -> Next<Awaiting> {
    let wait = failure.wait();
    progress.or_else(|writes| Awaiting::BackOffTold(writes, failure), || wait)
}
