//! Who moves next, and what a move is.

use std::sync::Arc;

use super::actor::{Actor, Task, Turn};
use super::choice::Choice;
use super::strike::{FOR_EVER, Verdict};
use super::world::{Author, Inner, World};
use crate::api::{Request, Response, WatchEvent};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Activity, Next, Outcome, Requeue};
use crate::time::{Duration, Timestamp};
use crate::trace::{Role, What};

/// One move of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// When.
    pub at: Timestamp,
    /// Who moved; empty when it was the surroundings.
    pub actor: Arc<str>,
}

/// A run that did not come to rest in time: who was still at work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("still at work after {after}: {}", busy.join(", "))]
pub struct NotQuiet {
    /// How long was waited.
    pub after: Duration,
    /// Who was at work, with what.
    pub busy: Vec<String>,
}

impl World {
    /// When the next move is; `None` when nothing will ever happen of itself.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.inner.due().map(|due| due.max(self.inner.now))
    }

    /// Lets the next one move, at its time. When several could move at that time, the source of
    /// choice says who. `None` when nothing will ever happen of itself.
    pub fn step(&mut self) -> Option<Moved> {
        let World { inner, choices } = self;
        Arc::make_mut(inner).step(FOR_EVER, choices)
    }

    /// The same, if the next move is not later than a time.
    pub fn step_until(&mut self, time: Timestamp) -> Option<Moved> {
        let World { inner, choices } = self;
        Arc::make_mut(inner).step(time, choices)
    }

    /// The same, decided by somebody else: a person at a prompt, a search.
    pub fn step_with(&mut self, choice: &mut dyn Choice) -> Option<Moved> {
        self.inner_mut().step(FOR_EVER, choice)
    }

    /// Lets everything happen up to an instant and including it, and stops the clock there.
    pub fn run_until(&mut self, time: Timestamp) {
        let World { inner, choices } = self;
        let inner = Arc::make_mut(inner);
        while inner.step(time, choices).is_some() {}
        inner.now = inner.now.max(time);
    }

    /// Lets everything happen for a span of time.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.inner.now + span);
    }

    /// Runs until nobody is at work and nothing is under way; keys that come back later do not count.
    /// Returns when that was.
    ///
    /// # Errors
    ///
    /// When somebody is still at work after `limit`.
    pub fn run_until_quiet(&mut self, limit: Duration) -> Result<Timestamp, NotQuiet> {
        let end = self.inner.now + limit;
        while !self.is_quiet() {
            if self.next_at().is_none_or(|next| next > end) {
                return Err(NotQuiet { after: limit, busy: self.inner.busy() });
            }
            self.step();
        }
        Ok(self.inner.now)
    }

    /// Whether nobody is at work and nothing is under way; keys that come back later do not count.
    pub fn is_quiet(&self) -> bool {
        self.inner.actors.iter().all(|actor| actor.is_still())
            && self.inner.runs.iter().all(|run| run.stage.is_over())
    }
}

impl Inner {
    pub(super) fn due(&self) -> Option<Timestamp> {
        let actors = self.actors.iter().filter_map(|actor| actor.due());
        actors.chain(self.agenda.due()).min()
    }

    /// The next move, if it is not later than a limit.
    fn step(&mut self, limit: Timestamp, choice: &mut dyn Choice) -> Option<Moved> {
        loop {
            let due = self.due().filter(|due| *due <= limit)?;
            self.now = self.now.max(due);
            if self.agenda.due().is_some_and(|due| due <= self.now) {
                return self.meet(choice);
            }
            self.ring();
            let moves = self.moves();
            if moves.is_empty() {
                continue;
            }
            let (index, turn) = moves[choice.pick(moves.len(), "who moves")];
            let actor = self.actors[index].name.clone();
            self.take_turn(index, turn, choice);
            return Some(Moved { at: self.now, actor });
        }
    }

    /// Keys whose time has come are ready, wherever they wait.
    pub(super) fn ring(&mut self) {
        let now = self.now;
        for index in 0..self.actors.len() {
            if self.actors[index].rings(now) {
                self.actor_mut(index).settle(now);
            }
        }
    }

    /// What can be done now, by whom.
    fn moves(&self) -> Vec<(usize, Turn)> {
        let (mut moves, mut turns) = (Vec::new(), Vec::new());
        for (index, actor) in self.actors.iter().enumerate() {
            if actor.due().is_some_and(|due| due <= self.now) {
                actor.turns(self.now, &mut turns);
                moves.extend(turns.drain(..).map(|turn| (index, turn)));
            }
        }
        moves
    }

    pub(super) fn take_turn(&mut self, index: usize, turn: Turn, choice: &mut dyn Choice) {
        match turn {
            Turn::Restart => {
                let now = self.now;
                self.actor_mut(index).boot(now);
            }
            Turn::Hear(informer) => self.hear(index, informer),
            Turn::Take => self.take(index, choice),
            Turn::Advance(task) => self.advance(index, task, choice),
        }
        let now = self.now;
        self.actor_mut(index).settle(now);
    }

    /// An informer hears its news, and the queue gets the keys that they make.
    fn hear(&mut self, index: usize, informer: usize) {
        let actor = &self.actors[index];
        if let Some(until) = self.faults.deaf_until(actor, &actor.informers[informer]) {
            self.actor_mut(index).informers[informer].due = Some(until);
            return;
        }
        let told = !self.faults.drops_events(actor, &actor.informers[informer]);
        let news = if told { self.news(&actor.informers[informer]) } else { Vec::new() };
        let head = self.server.version();
        let controller = actor.controller.clone();
        let actor = self.actor_mut(index);
        for (event, previous) in &news {
            for key in controller.handle_event(event, previous.as_ref()) {
                actor.queue.add(key);
            }
        }
        let informer = &mut actor.informers[informer];
        (informer.cursor, informer.due) = (Some(head), None);
    }

    /// A worker takes a key.
    fn take(&mut self, index: usize, choice: &mut dyn Choice) {
        let now = self.now;
        let actor = self.actor_mut(index);
        let key = actor.queue.take(0);
        let (controller, clock) = (actor.controller.clone(), actor.clock(now));
        if is_told(actor.role) {
            let (name, role) = (actor.name.clone(), actor.role);
            self.note(&name, role, What::Started { target: key.clone() });
        }
        let next = controller.start(&key, clock);
        self.go_on(index, key, None, next, choice);
    }

    /// A task goes on: its request is answered, or its pause is over.
    fn advance(&mut self, index: usize, task: usize, choice: &mut dyn Choice) {
        let mut task = self.actor_mut(index).tasks.remove(task);
        let answered = match &task.request {
            None => Some(Response::Woken),
            Some(request) => match self.verdict(index, &task, request, choice) {
                Verdict::Pass => Some(self.answer(index, &task, choice)),
                Verdict::Refused(response) => Some(response),
                Verdict::Lost(response) => {
                    self.answer(index, &task, choice);
                    Some(response)
                }
                Verdict::Later(by, fate) => {
                    (task.due, task.fate) = (self.now + by, Some(fate));
                    self.actor_mut(index).tasks.push(task);
                    return;
                }
                Verdict::Crash { after_request, until } => {
                    if after_request {
                        self.answer(index, &task, choice);
                    }
                    self.actor_mut(index).crash(until);
                    return;
                }
            },
        };
        let Some(response) = answered else { return };
        if let Some(request) = &task.request {
            self.tell_fetch(index, request, &response);
        }
        let actor = &self.actors[index];
        let (controller, clock) = (actor.controller.clone(), actor.clock(self.now));
        let next = controller.step(task.state, response, clock);
        self.go_on(index, task.key, Some(task.activity), next, choice);
    }

    /// What faults make of a task's request; a read of its own cache meets none.
    fn verdict(
        &mut self,
        index: usize,
        task: &Task,
        request: &Request,
        choice: &mut dyn Choice,
    ) -> Verdict {
        match request {
            Request::Api(read) if self.is_local(index, read) => Verdict::Pass,
            _ => {
                let actor = self.actors[index].name.clone();
                self.judge(&actor, task.fate, request, choice)
            }
        }
    }

    /// What a controller wants next is noted, and due when it will have come.
    fn go_on(
        &mut self,
        index: usize,
        key: ObjectRef,
        before: Option<Activity>,
        next: Next<super::State>,
        choice: &mut dyn Choice,
    ) {
        let (state, request, span) = match next {
            Next::Done(outcome) => return self.finish(index, key, before, outcome, choice),
            Next::Ask(state, request) => {
                let span = self.time_of(index, &request, choice);
                (state, Some(request), span)
            }
            Next::Wait(state, span) => (state, None, span),
        };
        let activity = self.actors[index].controller.describe(&state);
        self.note_phase(index, &key, before.as_ref(), &activity);
        let due = self.now + span;
        let task = Task { key, state, activity, request, due, fate: None };
        self.actor_mut(index).tasks.push(task);
    }

    fn note_phase(
        &mut self,
        index: usize,
        key: &ObjectRef,
        before: Option<&Activity>,
        now: &Activity,
    ) {
        let actor = self.actors[index].clone();
        if is_told(actor.role) && before.is_none_or(|before| before.phase != now.phase) {
            let who = Author { actor: &actor.name, role: actor.role, revision: &now.revision };
            self.note_for(&who, What::Phase { target: key.clone(), phase: now.phase });
        }
    }

    /// A key is done with; it may come back.
    fn finish(
        &mut self,
        index: usize,
        key: ObjectRef,
        before: Option<Activity>,
        outcome: Outcome,
        choice: &mut dyn Choice,
    ) {
        let now = self.now;
        let actor = self.actor_mut(index);
        let failed = outcome.failed || matches!(outcome.requeue, Requeue::Failed(_));
        let next = requeue(actor, &key, &outcome.requeue, now, choice);
        for key in outcome.enqueue {
            actor.queue.add(key);
        }
        actor.queue.done(&key);
        let (name, role) = (actor.name.clone(), actor.role);
        if is_told(role) {
            let before = before.unwrap_or_default();
            let revision =
                if outcome.revision.is_empty() { before.revision } else { outcome.revision };
            let who = Author { actor: &name, role, revision: &revision };
            let (changes, message) = (outcome.changes, outcome.message);
            self.note_for(&who, What::Finished { target: key, changes, message, failed, next });
        }
    }

    /// How long a request will be under way.
    fn time_of(&self, index: usize, request: &Request, choice: &mut dyn Choice) -> Duration {
        match request {
            Request::Api(request) if self.is_local(index, request) => Duration::ZERO,
            Request::Api(_) | Request::ApiAs(..) => self.latency.api.pick(choice),
            Request::Fetch(_) => self.latency.fetch.pick(choice),
            Request::Download(_) => self.latency.download.pick(choice),
            Request::Pull { .. } => self.latency.pull.pick(choice),
        }
    }

    fn busy(&self) -> Vec<String> {
        let busy = self.actors.iter().filter(|actor| !actor.is_still());
        busy.map(|actor| match actor.tasks.first() {
            Some(task) => format!("{} with {}", actor.name, task.key),
            None => actor.name.to_string(),
        })
        .collect()
    }
}

/// One change, with the object as the informer last saw it.
pub(super) type News = (WatchEvent, Option<Object>);

/// Whether each reconciliation is told in the trace; of the cluster's own controllers only writes are.
fn is_told(role: Role) -> bool {
    role != Role::ControlPlane
}

/// Puts a key back as its outcome asks; returns the wait, if it comes back of itself.
fn requeue(
    actor: &mut Actor,
    key: &ObjectRef,
    requeue: &Requeue,
    now: Timestamp,
    choice: &mut dyn Choice,
) -> Option<Duration> {
    if let Requeue::Failed(_) = requeue {
        return Some(actor.queue.add_rate_limited(key.clone(), now));
    }
    actor.queue.forget(key);
    let Requeue::After { after, jitter_percent } = requeue else { return None };
    let span = jittered(*after, *jitter_percent, choice);
    actor.queue.add_at(key.clone(), now + span);
    Some(span)
}

/// A span give or take some percent of it, in 21 even steps; the first alternative is none.
fn jittered(span: Duration, percent: u8, choice: &mut dyn Choice) -> Duration {
    const STEPS: u64 = 10;
    if percent == 0 {
        return span;
    }
    let pick = choice.pick(2 * STEPS as usize + 1, "jitter") as u64;
    let most = span.as_millis() / 100 * u64::from(percent);
    match pick {
        0..=STEPS => span + Duration::from_millis(most * pick / STEPS),
        _ => span.saturating_sub(Duration::from_millis(most * (pick - STEPS) / STEPS)),
    }
}
