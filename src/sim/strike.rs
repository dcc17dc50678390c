//! Faults at work: which are in force, and what they do to a request.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::actor::{Actor, Fate, Informer};
use super::agenda::Item;
use super::choice::{Choice, Choices};
use super::fault::{Fault, FaultAction, FaultPlan, Trigger, words};
use super::forge::place;
use super::schedule::Moved;
use super::world::{Author, Inner, World};
use crate::api::{
    FetchError, FetchErrorKind, PullError, Reason, Request, ResourceVersion, Response, Status,
    StatusDetails,
};
use crate::cluster;
use crate::engine::notification::{self, ReceiverController};
use crate::git::forge::WebhookEvent;
use crate::reconciler::Reconciler;
use crate::time::{Duration, Timestamp};
use crate::trace::{Role, What};

/// The faults of a run, and how far they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Faults {
    plan: Arc<Vec<Fault>>,
    /// Of each fault, how many requests matched its trigger.
    seen: Vec<u32>,
    /// Those in force: the fault's position, and when it ends.
    active: Vec<(usize, Timestamp)>,
}

/// What becomes of a request.
pub(super) enum Verdict {
    /// It is answered.
    Pass,
    /// It is refused with this.
    Refused(Response),
    /// It is carried out, but this is what the controller hears.
    Lost(Response),
    /// It takes longer by this.
    Later(Duration, Fate),
    /// The controller crashes.
    Crash { after_request: bool, until: Timestamp },
}

/// Longer than any run.
pub(super) const FOR_EVER: Timestamp = Timestamp::from_millis(u64::MAX);

/// What a Git client waits for an answer.
const GIT_TIMEOUT: Duration = Duration::from_secs(60);

impl World {
    /// Adds a fault. Times in it count from the start of the run; one that is past begins now.
    pub fn inject(&mut self, fault: Fault) {
        self.inner_mut().plan_fault(fault);
    }

    /// Adds the faults of a plan.
    pub fn inject_all(&mut self, plan: &FaultPlan) {
        plan.faults.iter().cloned().for_each(|fault| self.inject(fault));
    }

    /// Ends every fault that is in force and forgets those to come; who crashed comes back now.
    pub fn end_faults(&mut self) {
        self.inner_mut().end_faults();
    }
}

impl Inner {
    fn plan_fault(&mut self, fault: Fault) {
        let index = self.faults.plan.len();
        if let Trigger::At(time) = fault.when {
            self.agenda.put((self.start + time).max(self.now), Item::FaultBegins(index));
        }
        Arc::make_mut(&mut self.faults.plan).push(fault);
        self.faults.seen.push(0);
    }

    fn end_faults(&mut self) {
        let now = self.now;
        let ending: Vec<usize> = self.faults.active.iter().map(|(fault, _)| *fault).collect();
        ending.into_iter().for_each(|fault| self.end_fault(fault));
        self.faults = Faults::default();
        self.agenda.retain(|item| !matches!(item, Item::FaultBegins(_) | Item::FaultEnds(_)));
        for index in 0..self.actors.len() {
            self.actor_mut(index).recover(now);
        }
    }

    /// What stood on the agenda happens.
    pub(super) fn meet(&mut self, choice: &mut dyn Choice) -> Option<Moved> {
        match self.agenda.take()? {
            Item::FaultBegins(fault) => self.begin_fault(fault, ""),
            Item::FaultEnds(fault) => self.end_fault(fault),
            Item::Webhook(webhook) => self.deliver_webhook(&webhook),
            Item::Run(run) => self.advance_run(run, choice),
        }
        Some(Moved { at: self.now, actor: "".into() })
    }

    /// A webhook for the GitOps engine is a key of its receiver.
    fn deliver_webhook(&mut self, webhook: &WebhookEvent) {
        let lost = |fault: &FaultAction| matches!(fault, FaultAction::WebhooksLost {});
        let Some(path) = webhook.url.find("/hook/").map(|at| &webhook.url[at..]) else { return };
        let place = place(&webhook.repository).to_owned();
        let (ok, message) = match self.faults.longest(lost) {
            Some(_) => (false, "lost on its way".to_owned()),
            None => (true, format!("{} to {}", webhook.event.name(), &path[..path.len().min(13)])),
        };
        self.note(
            "forge",
            Role::Pipeline,
            What::Pipeline { place, stage: "webhook".into(), ok, message },
        );
        let now = self.now;
        if ok {
            let receiver = ReceiverController::new();
            self.each_actor(
                |actor| *actor.name == *Reconciler::name(&receiver) && actor.down_until.is_none(),
                |actor| {
                    actor.queue.add(notification::webhook(path));
                    actor.settle(now);
                },
            );
        }
    }

    fn begin_fault(&mut self, index: usize, requester: &str) {
        let plan = self.faults.plan.clone();
        let fault = &plan[index];
        self.note_fault(fault.what.name(), format!("{} begins", fault.what));
        let until = fault.lasts.map_or(FOR_EVER, |span| self.now + span);
        match &fault.what {
            FaultAction::Crash { actor, restart_after, .. } => {
                let name = if actor.is_empty() { requester } else { actor };
                let until = self.now + *restart_after;
                self.each_actor(|a| a.name.as_ref() == name, |actor| actor.crash(until));
                return;
            }
            FaultAction::NodeDown { node } => {
                self.end_heartbeat(node);
                self.each_actor(|actor| actor.node == *node, |actor| actor.crash(until));
            }
            FaultAction::Partition { actor } => {
                let found = self.actors.iter().find(|a| a.name.as_ref() == actor);
                let node = found.map(|actor| actor.node.clone()).unwrap_or_default();
                self.end_heartbeat(&node);
            }
            FaultAction::Rewind { actor, versions } => {
                let back = ResourceVersion(self.server.version().0.saturating_sub(*versions));
                self.rewind(actor, back, until);
            }
            FaultAction::ClockSkew { actor, ahead_ms } => {
                self.each_actor(|a| a.name.as_ref() == actor, |actor| actor.skew = *ahead_ms);
            }
            FaultAction::AdmissionDown { webhook } => self.server.set_webhook_down(webhook, true),
            FaultAction::Compact {} => {
                let head = self.server.version();
                self.server.compact(head);
                return;
            }
            _ => {}
        }
        self.faults.active.push((index, until));
        if until < FOR_EVER {
            self.agenda.put(until, Item::FaultEnds(index));
        }
    }

    fn end_fault(&mut self, index: usize) {
        let plan = self.faults.plan.clone();
        let Some(fault) = plan.get(index) else { return };
        self.faults.active.retain(|(active, _)| *active != index);
        if let FaultAction::ClockSkew { actor, .. } = &fault.what {
            self.each_actor(|a| a.name.as_ref() == actor, |actor| actor.skew = 0);
        }
        if let FaultAction::AdmissionDown { webhook } = &fault.what {
            self.server.set_webhook_down(webhook, false);
        }
        self.note_fault(fault.what.name(), format!("{} ends", fault.what));
    }

    /// What becomes of a request, as the faults have it: the first that strikes decides.
    pub(super) fn judge(
        &mut self,
        actor: &str,
        fate: Option<Fate>,
        request: &Request,
        choice: &mut dyn Choice,
    ) -> Verdict {
        if self.faults.plan.is_empty() {
            return Verdict::Pass;
        }
        match fate {
            Some(Fate::Late) => return Verdict::Pass,
            Some(Fate::TimedOut) => return Verdict::Refused(timeout_of(request)),
            None => {}
        }
        for fault in 0..self.faults.plan.len() {
            if self.strikes(fault, actor, request, choice) {
                return self.strike(fault, actor, request);
            }
        }
        Verdict::Pass
    }

    /// Whether a fault strikes a request, which may be the one that sets it off.
    fn strikes(
        &mut self,
        index: usize,
        actor: &str,
        request: &Request,
        choice: &mut dyn Choice,
    ) -> bool {
        let plan = self.faults.plan.clone();
        let fault = &plan[index];
        let set_off = self.sets_off(index, fault, actor, request, choice);
        if set_off && !fault.strikes_once_at(actor) {
            self.begin_fault(index, actor);
        }
        set_off && fault.strikes_once_at(actor)
            || self.faults.is_active(index) && fault.what.covers(actor, request)
    }

    fn sets_off(
        &mut self,
        index: usize,
        fault: &Fault,
        actor: &str,
        request: &Request,
        choice: &mut dyn Choice,
    ) -> bool {
        let (verb, kind) = words_of(request);
        match &fault.when {
            Trigger::At(_) => false,
            Trigger::Request { requests, nth } => {
                let seen = &mut self.faults.seen[index];
                *seen += u32::from(requests.include(actor, verb, kind));
                *seen == *nth && requests.include(actor, verb, kind)
            }
            Trigger::Sometimes { from, until, one_in, requests } => {
                let elapsed = self.now.since(self.start);
                let n = (*one_in).max(1) as usize;
                (*from..=*until).contains(&elapsed)
                    && requests.include(actor, verb, kind)
                    && !self.faults.is_active(index)
                    && (n == 1 || choice.pick(n, "fault") == n - 1)
            }
        }
    }

    /// What a fault does to a request that it strikes.
    fn strike(&mut self, index: usize, actor: &str, request: &Request) -> Verdict {
        let plan = self.faults.plan.clone();
        let fault = &plan[index].what;
        let (verb, kind) = words_of(request);
        let effect = fault.effect();
        let whose = if effect.contains(actor) { String::new() } else { format!("{actor}'s") };
        self.note_fault(fault.name(), format!("{effect} strikes {}", words(&[&whose, verb, kind])));
        match fault {
            FaultAction::GitDown { .. }
            | FaultAction::RegistryDown {}
            | FaultAction::Partition { .. } => Verdict::Refused(unreachable(request)),
            FaultAction::GitSlow { by, .. } if *by >= GIT_TIMEOUT => {
                Verdict::Later(GIT_TIMEOUT, Fate::TimedOut)
            }
            FaultAction::GitSlow { by, .. } | FaultAction::Slow { by, .. } => {
                Verdict::Later(*by, Fate::Late)
            }
            FaultAction::ApiError { code, .. } => {
                Verdict::Refused(Response::Api(Err(refusal(*code))))
            }
            FaultAction::AnswerLost { .. } => Verdict::Lost(timeout_of(request)),
            FaultAction::Crash { after_request, restart_after, .. } => {
                Verdict::Crash { after_request: *after_request, until: self.now + *restart_after }
            }
            _ => Verdict::Pass,
        }
    }

    /// Shows an actor the past until an instant: it lists what there was, and hears nothing newer.
    fn rewind(&mut self, actor: &str, back: ResourceVersion, until: Timestamp) {
        for index in 0..self.actors.len() {
            if self.actors[index].name.as_ref() == actor && self.actors[index].down_until.is_none()
            {
                let past: Vec<_> = self.actors[index]
                    .informers
                    .iter()
                    .flat_map(|informer| self.everything(informer, back))
                    .collect();
                let controller = self.actors[index].controller.clone();
                let now = self.now;
                let actor = self.actor_mut(index);
                for (event, _) in &past {
                    let keys = controller.handle_event(event, None);
                    keys.into_iter().for_each(|key| actor.queue.add(key));
                }
                actor.fall_back(back, until);
                actor.settle(now);
            }
        }
    }

    fn each_actor(&mut self, is: impl Fn(&Actor) -> bool, change: impl Fn(&mut Actor)) {
        for index in 0..self.actors.len() {
            if is(&self.actors[index]) {
                change(self.actor_mut(index));
            }
        }
    }

    /// The last that is heard of a node's kubelet.
    fn end_heartbeat(&mut self, node: &str) {
        let Some(kubelet) = self.actors.iter().find(|actor| actor.node == node).cloned() else {
            return;
        };
        if !node.is_empty() {
            let who = Author { actor: &kubelet.name, role: kubelet.role, revision: "" };
            let request = cluster::last_heartbeat(node, self.now);
            let _no_lease_yet = self.write(&who, &kubelet.caller, request, &mut Choices::first());
        }
    }

    fn note_fault(&mut self, name: &str, message: String) {
        self.note("", Role::World, What::Fault { name: name.into(), message });
    }
}

impl Faults {
    /// Until when an informer hears nothing, if it does not.
    pub(super) fn deaf_until(&self, actor: &Actor, informer: &Informer) -> Option<Timestamp> {
        self.longest(|fault| match fault {
            FaultAction::Stale { actor: name, kind } => is_about(name, kind, actor, informer),
            FaultAction::Partition { actor: name } | FaultAction::Rewind { actor: name, .. } => {
                is_about(name, "", actor, informer)
            }
            _ => false,
        })
    }

    /// Whether an informer's news are lost.
    pub(super) fn drops_events(&self, actor: &Actor, informer: &Informer) -> bool {
        let drops = |fault: &FaultAction| match fault {
            FaultAction::DropEvents { actor: name, kind } => is_about(name, kind, actor, informer),
            _ => false,
        };
        self.longest(drops).is_some()
    }

    /// What faults there are to come and in force, for a fingerprint.
    pub(super) fn hash_into(&self, now: Timestamp, hasher: &mut impl Hasher) {
        (self.plan.len(), &self.seen).hash(hasher);
        self.active.iter().for_each(|(fault, until)| (fault, until.since(now)).hash(hasher));
    }

    fn is_active(&self, index: usize) -> bool {
        self.active.iter().any(|(active, _)| *active == index)
    }

    fn longest(&self, is: impl Fn(&FaultAction) -> bool) -> Option<Timestamp> {
        let active = self.active.iter().filter(|(fault, _)| is(&self.plan[*fault].what));
        active.map(|(_, until)| *until).max()
    }
}

impl Fault {
    /// Whether it strikes just the one request that sets it off.
    fn strikes_once_at(&self, requester: &str) -> bool {
        match &self.what {
            FaultAction::Crash { actor, .. } => actor.is_empty() || actor == requester,
            what => self.lasts.is_none() && what.is_about_requests(),
        }
    }
}

impl FaultAction {
    fn is_about_requests(&self) -> bool {
        matches!(
            self,
            FaultAction::GitDown { .. }
                | FaultAction::GitSlow { .. }
                | FaultAction::RegistryDown {}
                | FaultAction::ApiError { .. }
                | FaultAction::AnswerLost { .. }
                | FaultAction::Slow { .. }
        )
    }

    /// Whether a request is struck while this is in force.
    fn covers(&self, actor: &str, request: &Request) -> bool {
        let (verb, kind) = words_of(request);
        match self {
            FaultAction::GitDown { url } | FaultAction::GitSlow { url, .. } => match request {
                Request::Fetch(fetch) => url.is_empty() || *url == fetch.url,
                _ => false,
            },
            FaultAction::RegistryDown {} => matches!(request, Request::Pull { .. }),
            FaultAction::ApiError { requests, .. } | FaultAction::AnswerLost { requests } => {
                request.as_api().is_some() && requests.include(actor, verb, kind)
            }
            FaultAction::Slow { requests, .. } => requests.include(actor, verb, kind),
            FaultAction::Partition { actor: name } => name == actor,
            _ => false,
        }
    }
}

fn is_about(name: &str, kind: &str, actor: &Actor, informer: &Informer) -> bool {
    name == actor.name.as_ref() && (kind.is_empty() || kind == informer.watch.kind.kind)
}

/// The verb and the kind of a request, in the words of [`Requests`](super::Requests).
fn words_of(request: &Request) -> (&str, &str) {
    match request {
        Request::Api(request) | Request::ApiAs(_, request) => {
            (request.verb.name(), &request.kind.kind)
        }
        Request::Fetch(_) => ("fetch", ""),
        Request::Download(_) => ("download", ""),
        Request::Pull { .. } => ("pull", ""),
    }
}

fn unreachable(request: &Request) -> Response {
    let message = "connection refused";
    failed(request, FetchErrorKind::Unreachable, Status::unreachable(message), message)
}

fn timeout_of(request: &Request) -> Response {
    let message = "context deadline exceeded";
    failed(request, FetchErrorKind::Timeout, Status::failure(Reason::Timeout, message), message)
}

fn failed(request: &Request, kind: FetchErrorKind, status: Status, message: &str) -> Response {
    let fetch = |url: &str| Err(FetchError { kind, message: format!("{url}: {message}") });
    match request {
        Request::Api(_) | Request::ApiAs(..) => Response::Api(Err(status)),
        Request::Fetch(request) => Response::Fetched(fetch(&request.url)),
        Request::Download(request) => Response::Downloaded(fetch(&request.url)),
        Request::Pull { image } => Response::Pulled(Err(PullError::Unreachable(format!(
            "failed to pull image \"{image}\": {message}"
        )))),
    }
}

/// The refusal with an HTTP status code, in the words of a real API server.
fn refusal(code: u16) -> Status {
    let (reason, message) = match code {
        409 => (
            Reason::Conflict,
            "the object has been modified; please apply your changes to the latest version and try again",
        ),
        429 => (
            Reason::TooManyRequests,
            "the server has received too many requests and has asked us to try again later",
        ),
        503 => (Reason::ServiceUnavailable, "the server is currently unable to handle the request"),
        504 => (Reason::Timeout, "the server was unable to return a response in the time allotted"),
        _ => (
            Reason::InternalError,
            "an error on the server has prevented the request from succeeding",
        ),
    };
    match code {
        429 => {
            let details = StatusDetails { retry_after_seconds: 1, ..StatusDetails::default() };
            Status::failure_about(reason, message, details)
        }
        _ => Status::failure(reason, message),
    }
}
