//! Any controller, whatever its type of state, as one type of thing.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::api::{Caller, Response, WatchEvent};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Activity, Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

/// A [`Reconciler`] with its type of state forgotten, as the world holds it.
pub(crate) trait Controller: Send + Sync {
    fn name(&self) -> &str;
    fn caller(&self) -> Caller;
    fn watches(&self) -> Vec<Watch>;
    fn workers(&self) -> usize;
    fn backoff(&self) -> (Duration, Duration);
    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef>;
    fn start(&self, target: &ObjectRef, now: Timestamp) -> Next<State>;
    fn step(&self, state: State, response: Response, now: Timestamp) -> Next<State>;
    fn describe(&self, state: &State) -> Activity;
}

impl<R> Controller for R
where
    R: Reconciler + Send + Sync,
    R::State: Send + Sync + 'static,
{
    fn name(&self) -> &str {
        Reconciler::name(self)
    }

    fn caller(&self) -> Caller {
        Reconciler::caller(self)
    }

    fn watches(&self) -> Vec<Watch> {
        Reconciler::watches(self)
    }

    fn workers(&self) -> usize {
        Reconciler::workers(self)
    }

    fn backoff(&self) -> (Duration, Duration) {
        Reconciler::backoff(self)
    }

    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        Reconciler::handle_event(self, event, previous)
    }

    fn start(&self, target: &ObjectRef, now: Timestamp) -> Next<State> {
        Reconciler::start(self, target, now).map(State::of)
    }

    fn step(&self, state: State, response: Response, now: Timestamp) -> Next<State> {
        Reconciler::step(self, state.into_inner(), response, now).map(State::of)
    }

    fn describe(&self, state: &State) -> Activity {
        Reconciler::describe(self, state.inner())
    }
}

/// Where a reconciliation stands: a [`Reconciler::State`] of some controller. Compares, hashes and
/// prints as that does.
#[derive(Clone)]
pub struct State(Arc<dyn ErasedState>);

trait ErasedState: Any + Send + Sync + fmt::Debug {
    fn equals(&self, other: &dyn Any) -> bool;
    fn hash_into(&self, hasher: &mut dyn Hasher);
}

impl<S: Any + Send + Sync + Clone + Eq + Hash + fmt::Debug> ErasedState for S {
    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<S>().is_some_and(|other| self == other)
    }

    fn hash_into(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }
}

impl State {
    fn of<S: Any + Send + Sync + Clone + Eq + Hash + fmt::Debug>(state: S) -> Self {
        State(Arc::new(state))
    }

    fn inner<S: 'static>(&self) -> &S {
        let any: &dyn Any = &*self.0;
        any.downcast_ref().expect("a state goes back to the controller that made it")
    }

    fn into_inner<S: Any + Send + Sync + Clone>(self) -> S {
        let any: Arc<dyn Any + Send + Sync> = self.0;
        let state = any.downcast().expect("a state goes back to the controller that made it");
        Arc::unwrap_or_clone(state)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let any: &dyn Any = &*other.0;
        self.0.equals(any)
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash_into(hasher);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
