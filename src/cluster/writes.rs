//! Writes in a row, one a step, and the wait until the controller's own cache has caught up with them.
//!
//! The controllers of Kubernetes remember what they have just made and removed ("expectations") and let
//! a key rest until their informers have shown it; otherwise a cache that lags behind would have them
//! make it twice. Here a reconciliation remembers it by not being over: after writes whose repetition
//! would do harm it reads its cache until that has them.

use std::collections::{BTreeSet, VecDeque};

use super::answers;
use super::report::{self, Report};
use crate::api::{ApiRequest, DeleteOptions, Preconditions, Response, Status, Verb, WriteOptions};
use crate::object::Object;
use crate::reconciler::Next;
use crate::time::{Duration, Timestamp};

/// Writes to be made in order. The first is the one in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Writes {
    acts: VecDeque<Act>,
    failure: Option<Status>,
    /// The list that must show the writes before it is over; none for writes that may be repeated.
    fence: Option<Box<ApiRequest>>,
    expected: Expected,
    polls: u32,
}

/// One write, and what is told about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Act {
    request: ApiRequest,
    purpose: Purpose,
    told: Option<Report>,
    complaint: Option<Report>,
}

/// How the writes stand.
pub(super) enum Progress {
    /// More is to come.
    Going(Box<Next<Writes>>),
    /// All is done, or stopped at a refusal.
    Over(Option<Status>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Purpose {
    /// A refusal ends the writes.
    Needed,
    /// That the object is gone, or another by now, is as good.
    Removal,
    /// That there is one of the name already is as good.
    Presence,
    /// A creation; if the name is taken, this instead.
    OrElse(Box<ApiRequest>),
    /// A live read before an adoption: the owner must be this one still, and to stay.
    Verify(String),
    /// A live read after an uncertain write: the cache must come this far.
    Resync,
    Tell(Box<Report>),
    Recount,
    /// Nothing depends on it.
    Recounted,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Expected {
    version: u64,
    gone: BTreeSet<String>,
}

impl Act {
    /// A write without which the rest makes no sense.
    pub(super) fn needed(request: ApiRequest) -> Self {
        Act { request, purpose: Purpose::Needed, told: None, complaint: None }
    }

    /// The creation of an object.
    pub(super) fn create(object: Object) -> Self {
        Self::needed(ApiRequest::create(object, WriteOptions::default()))
    }

    /// The creation of an object, or if there is one of the name this request.
    pub(super) fn create_or(object: Object, otherwise: ApiRequest) -> Self {
        Act { purpose: Purpose::OrElse(Box::new(otherwise)), ..Self::create(object) }
    }

    /// The replacement of an object's status; its `resourceVersion` must be the stored one.
    pub(super) fn status(object: Object) -> Self {
        Self::needed(status_update(object))
    }

    /// The replacement of an object's status where it is another; its `resourceVersion` must be the
    /// stored one.
    pub(super) fn status_unless_same(object: &Object, status: serde_json::Value) -> Option<Self> {
        let same = object.get("status") == Some(&status);
        (!same).then(|| {
            let mut object = object.clone();
            object.set("status", status);
            Self::status(object)
        })
    }

    /// The replacement of an object; its `resourceVersion` must be the stored one.
    pub(super) fn update(object: Object) -> Self {
        Self::needed(ApiRequest::update(object, WriteOptions::default()))
    }

    /// The deletion of this very object; that it is gone already is as good.
    pub(super) fn delete(object: &Object) -> Self {
        Self::needed(delete_request(object)).or_gone()
    }

    /// A live read: the rest is done only if `owner` is still the same object and not being deleted.
    pub(super) fn verify(owner: &Object) -> Self {
        let request = ApiRequest::get(&owner.gvk(), owner.namespace(), owner.name());
        Act { purpose: Purpose::Verify(owner.uid().into()), ..Self::needed(request) }
    }

    /// Tells something; nothing depends on it.
    pub(super) fn tell(report: Report, now: Timestamp) -> Self {
        let request = report.request(now);
        Act { purpose: Purpose::Tell(Box::new(report)), ..Self::needed(request) }
    }

    /// The same write; when it is done, this is told.
    pub(super) fn telling(mut self, report: Report) -> Self {
        self.told = Some(report);
        self
    }

    /// The same write; when it is refused, this is told.
    pub(super) fn complaining(mut self, report: Report) -> Self {
        self.complaint = Some(report);
        self
    }

    /// The same write; that the object is gone, or another of its name, is as good.
    pub(super) fn or_gone(mut self) -> Self {
        self.purpose = Purpose::Removal;
        self
    }

    /// The same creation; that there is one of the name already is as good.
    pub(super) fn or_there(mut self) -> Self {
        self.purpose = Purpose::Presence;
        self
    }

    /// A conflict about the uid says so too, but not one about the version.
    fn finds_it_gone(&self, status: &Status) -> bool {
        let by_uid = |options: &DeleteOptions| options.preconditions.resource_version.is_empty();
        let conflict = matches!(&self.request.verb, Verb::Delete(options) if by_uid(options));
        status.is_not_found() || conflict && status.is_conflict()
    }

    fn is_about_events(&self) -> bool {
        matches!(self.purpose, Purpose::Tell(_) | Purpose::Recount | Purpose::Recounted)
    }
}

/// The request that replaces the status of an object.
pub(super) fn status_update(object: Object) -> ApiRequest {
    ApiRequest::update(object, WriteOptions::default()).to(crate::api::Subresource::Status)
}

/// The request that deletes this very object.
pub(super) fn delete_request(object: &Object) -> ApiRequest {
    let preconditions = Preconditions { uid: object.uid().into(), ..Preconditions::default() };
    let options = DeleteOptions { preconditions, ..DeleteOptions::default() };
    ApiRequest::delete(&object.gvk(), object.namespace(), object.name(), options)
}

impl Writes {
    pub(super) fn of(acts: impl IntoIterator<Item = Act>) -> Self {
        Writes { acts: acts.into_iter().collect(), ..Writes::default() }
    }

    /// The same writes, over only when this cached list shows what they did.
    pub(super) fn until_seen_in(mut self, list: ApiRequest) -> Self {
        self.fence = Some(Box::new(list));
        self
    }

    /// Adds a write at the end.
    pub(super) fn push(&mut self, act: Act) {
        self.acts.push_back(act);
    }

    /// Has them end with a refusal from before.
    pub(super) fn fail(&mut self, status: Status) {
        self.failure = Some(status);
    }

    /// Makes the first write.
    pub(super) fn begin(self) -> Progress {
        match self.acts.front() {
            Some(act) => {
                let request = act.request.clone();
                Progress::Going(Box::new(Next::ask(self, request)))
            }
            None => self.look(),
        }
    }

    /// Goes on with the answer to the write in flight, to the look into the cache, or after a pause.
    pub(super) fn answer(mut self, response: Response, now: Timestamp) -> Progress {
        if response == Response::Woken {
            return self.look();
        }
        let Some(act) = self.acts.pop_front() else { return self.seen(response) };
        match answers::answer(response) {
            Ok(answer) => self.carried_out(act, answer, now),
            Err(status) => self.refused(act, status, now),
        }
        self.begin()
    }

    fn carried_out(&mut self, act: Act, answer: answers::Answer, now: Timestamp) {
        match act.purpose {
            Purpose::Verify(uid) => {
                let same = answer.object().is_some_and(|o| o.uid() == uid && !o.is_deleting());
                if !same {
                    self.give_up(Status::failure(
                        crate::api::Reason::Conflict,
                        format!("{} is being replaced or deleted", act.request.reference()),
                    ));
                }
                return;
            }
            Purpose::Recount => {
                if let Some(event) = answer.object() {
                    let request = report::told_again(event.clone(), now);
                    self.push(Act { purpose: Purpose::Recounted, ..Act::needed(request) });
                }
                return;
            }
            Purpose::Tell(_) | Purpose::Recounted => return,
            Purpose::Needed
            | Purpose::Removal
            | Purpose::Presence
            | Purpose::OrElse(_)
            | Purpose::Resync => {}
        }
        self.expect(&act, &answer);
        if let Some(report) = act.told {
            let name = answer.object().map(|o| o.name().to_owned()).unwrap_or_default();
            self.push(Act::tell(report.with(&name), now));
        }
    }

    fn expect(&mut self, act: &Act, answer: &answers::Answer) {
        let fenced = self.fence.as_ref().is_some_and(|list| list.kind == act.request.kind);
        if !fenced {
            return;
        }
        self.expected.version = self.expected.version.max(answer.version());
        if let (Verb::Delete(options), None) = (&act.request.verb, answer.object()) {
            self.expected.gone.insert(options.preconditions.uid.clone());
        }
    }

    fn refused(&mut self, act: Act, status: Status, now: Timestamp) {
        match act.purpose {
            Purpose::Removal if act.finds_it_gone(&status) => return,
            Purpose::Presence if status.is_already_exists() => return,
            Purpose::Tell(report) if status.is_already_exists() => {
                let told = report.request(now).reference();
                let request = ApiRequest::get(&super::kinds::event(), &told.namespace, &told.name);
                return self.push(Act { purpose: Purpose::Recount, ..Act::needed(request) });
            }
            Purpose::Tell(_) | Purpose::Recount | Purpose::Recounted | Purpose::Resync => return,
            Purpose::OrElse(request) if status.is_already_exists() => {
                return self.acts.push_front(Act::needed(*request));
            }
            Purpose::Needed
            | Purpose::Removal
            | Purpose::Presence
            | Purpose::OrElse(_)
            | Purpose::Verify(_) => {}
        }
        if let Some(report) = act.complaint {
            self.push(Act::tell(report.with(&status.message), now));
        }
        if answers::is_uncertain(&status) {
            self.resync();
        }
        self.give_up(status);
    }

    /// Leaves the writes that are still to come, but not what is to be told.
    fn give_up(&mut self, status: Status) {
        self.acts.retain(|act| act.is_about_events() || act.purpose == Purpose::Resync);
        self.failure = Some(status);
    }

    /// A write may have been done although no answer says so: look how far the log is.
    fn resync(&mut self) {
        if let Some(list) = &self.fence {
            let mut request = ApiRequest::clone(list);
            if let Verb::List(options) = &mut request.verb {
                options.read = crate::api::ReadFrom::Latest;
                options.limit = 1;
            }
            self.push(Act { purpose: Purpose::Resync, ..Act::needed(request) });
        }
    }

    /// Looks whether the cache has what was written, if that matters.
    fn look(self) -> Progress {
        match &self.fence {
            Some(list) if self.expected != Expected::default() => {
                let request = ApiRequest::clone(list);
                Progress::Going(Box::new(Next::ask(self, request)))
            }
            _ => Progress::Over(self.failure),
        }
    }

    fn seen(mut self, response: Response) -> Progress {
        /// As often as makes the five minutes after which expectations expire.
        const POLLS: u32 = 300;
        let shown = match answers::list(response) {
            Ok(list) => self.expected.is_shown_by(list.resource_version.0, &list.items),
            Err(_) => false,
        };
        if shown || self.polls == POLLS {
            return Progress::Over(self.failure);
        }
        let pause = Duration::from_millis(10 << self.polls.min(7)).min(Duration::from_secs(1));
        self.polls += 1;
        Progress::Going(Box::new(Next::Wait(self, pause)))
    }
}

impl Expected {
    fn is_shown_by(&self, version: u64, items: &[Object]) -> bool {
        let still_there = |o: &Object| !o.is_deleting() && self.gone.contains(o.uid());
        version >= self.version && !items.iter().any(still_there)
    }
}

impl Progress {
    /// As the next step of a controller that has nothing to do after its writes but to let the key
    /// rest; a refusal brings the key back after its backoff.
    pub(super) fn or_done<S>(self, wrap: impl FnOnce(Writes) -> S) -> Next<S> {
        self.or_else(wrap, Next::done)
    }

    /// The same, with a look at the key again after that long; none where nothing is to be awaited.
    pub(super) fn or_again<S>(
        self,
        again: Option<Duration>,
        wrap: impl FnOnce(Writes, Option<Duration>) -> S,
    ) -> Next<S> {
        let end = || again.map_or_else(Next::done, Next::again_after);
        self.or_else(|writes| wrap(writes, again), end)
    }

    /// The same, with another end for the case that nothing was refused.
    pub(super) fn or_else<S>(
        self,
        wrap: impl FnOnce(Writes) -> S,
        end: impl FnOnce() -> Next<S>,
    ) -> Next<S> {
        match self {
            Progress::Going(next) => next.map(wrap),
            Progress::Over(None) => end(),
            Progress::Over(Some(status)) => Next::failed(status.message),
        }
    }
}
