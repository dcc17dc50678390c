//! What every controller is: a value that answers each response with at most one request.
//!
//! Nothing here runs anything. A driver (the simulator's world, or `live` for a real cluster) holds a
//! controller's queue and states, carries its requests out, hands back the answers, and tells the
//! time. See [`Reconciler`].

mod conditions;
mod queue;

use std::fmt::Debug;
use std::hash::Hash;

pub use conditions::{Condition, conditions, set_condition};
pub use queue::Queue;

use crate::api::{Caller, Request, Response, WatchEvent};
use crate::object::{GroupVersionKind, LabelSelector, Object, ObjectRef};
use crate::time::{Duration, Timestamp};

/// A controller: the GitOps engine's, the control plane's, or your own.
///
/// It is called in three places, the three words of a reconcile loop. A change to a watched object
/// becomes keys for the queue ([`handle_event`](Reconciler::handle_event), *watch*). A key taken from
/// the queue becomes a first request ([`start`](Reconciler::start)), and each answer the next
/// ([`step`](Reconciler::step)), until it is done: reads first, to *compare*, then writes, to
/// *reconcile*. Between two steps anything may happen: other controllers move, the process crashes and
/// loses every state.
pub trait Reconciler {
    /// Where a reconciliation stands, each variant named after the answer it awaits.
    type State: Clone + Eq + Hash + Debug;

    /// The controller's name, such as `kustomize-controller`.
    fn name(&self) -> &str;

    /// As whom it makes its requests.
    fn caller(&self) -> Caller;

    /// The kinds it watches.
    fn watches(&self) -> Vec<Watch>;

    /// The queue keys that a change to a watched object makes: by default the object itself.
    ///
    /// `previous` is the object as this controller last saw it, for predicates on what changed.
    fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
        let _ = previous;
        vec![event.object.reference()]
    }

    /// Begins to reconcile a key.
    fn start(&self, target: &ObjectRef, now: Timestamp) -> Next<Self::State>;

    /// Goes on with the answer to the last request, or after a pause.
    fn step(&self, state: Self::State, response: Response, now: Timestamp) -> Next<Self::State>;

    /// How many keys it works on at the same time.
    fn workers(&self) -> usize {
        1
    }

    /// The wait after a key's first failure, which doubles with each further one, and the longest wait:
    /// by default controller-runtime's 5 ms and 1000 s.
    fn backoff(&self) -> (Duration, Duration) {
        (Duration::from_millis(5), Duration::from_secs(1000))
    }

    /// What a reconciliation in this state is doing, for the trace.
    fn describe(&self, state: &Self::State) -> Activity {
        let _ = state;
        Activity::default()
    }
}

/// What a controller does next.
#[must_use = "a controller that is not asked on has lost its reconciliation"]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Next<S> {
    /// Make this request and hand the answer to `step`.
    Ask(S, Request),
    /// Pause, then call `step` with [`Response::Woken`].
    Wait(S, Duration),
    /// The key is done with for now.
    Done(Outcome),
}

/// How a reconciliation ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// When the key comes back of itself.
    pub requeue: Requeue,
    /// Other keys to put into the same queue now.
    pub enqueue: Vec<ObjectRef>,
    /// What was done, a line each in the words of Flux: `Deployment/web/hello configured`.
    pub changes: Vec<Change>,
    /// The revision that was reconciled, when there is one.
    pub revision: String,
    /// The sentence for a person; empty when there is nothing to say.
    pub message: String,
    /// Whether the key is not as it should be: its message then says why. It may come back at an
    /// interval of its own all the same.
    pub failed: bool,
}

/// When a key comes back of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Requeue {
    /// Not before something happens to it. Forgets earlier failures.
    #[default]
    Never,
    /// After a span, give or take `jitter_percent` of it. Forgets earlier failures.
    After {
        /// The span.
        after: Duration,
        /// The largest deviation, in percent of the span.
        jitter_percent: u8,
    },
    /// After the queue's backoff, which doubles with each failure in a row.
    Failed(String),
}

/// What happened to one object of a change set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// The object.
    pub object: ObjectRef,
    /// What happened to it.
    pub action: ChangeAction,
    /// The fields that differed, dotted; empty when that is not known or does not matter.
    pub fields: Vec<String>,
}

/// The change sets of Flux (`fluxcd/pkg/ssa`, `Action`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeAction {
    /// It was not there.
    Created,
    /// It differed.
    Configured,
    /// It was as wanted.
    Unchanged,
    /// It was removed.
    Deleted,
    /// It was left alone on purpose.
    Skipped,
}

/// What a reconciliation is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Activity {
    /// Which word of the loop it is at.
    pub phase: Phase,
    /// The Git revision that its writes come from; empty when none does.
    pub revision: String,
}

/// The words of the loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Learning what is wanted and what is.
    #[default]
    Watch,
    /// Finding what differs.
    Compare,
    /// Making it so.
    Reconcile,
}

/// A kind that a controller watches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Watch {
    /// The kind.
    pub kind: GroupVersionKind,
    /// Which objects of it.
    pub labels: LabelSelector,
}

impl Watch {
    /// All objects of a kind.
    pub fn all(api_version: &str, kind: &str) -> Self {
        Watch {
            kind: GroupVersionKind::new(api_version, kind),
            labels: LabelSelector::everything(),
        }
    }
}

impl<S> Next<S> {
    /// Done, and nothing more to say.
    pub fn done() -> Self {
        Next::Done(Outcome::default())
    }

    /// Asks a request.
    pub fn ask(state: S, request: impl Into<Request>) -> Self {
        Next::Ask(state, request.into())
    }

    /// Done with a failure: the key comes back after the queue's backoff.
    pub fn failed(message: impl Into<String>) -> Self {
        let message = message.into();
        Next::Done(Outcome {
            requeue: Requeue::Failed(message.clone()),
            message,
            failed: true,
            ..Outcome::default()
        })
    }

    /// Done; the key comes back after a span.
    pub fn again_after(after: Duration) -> Self {
        Next::Done(Outcome {
            requeue: Requeue::After { after, jitter_percent: 0 },
            ..Outcome::default()
        })
    }

    /// The same, with the state wrapped into a larger one.
    pub fn map<T>(self, wrap: impl FnOnce(S) -> T) -> Next<T> {
        match self {
            Next::Ask(state, request) => Next::Ask(wrap(state), request),
            Next::Wait(state, span) => Next::Wait(wrap(state), span),
            Next::Done(outcome) => Next::Done(outcome),
        }
    }
}

impl ChangeAction {
    /// The word for it, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeAction::Created => "created",
            ChangeAction::Configured => "configured",
            ChangeAction::Unchanged => "unchanged",
            ChangeAction::Deleted => "deleted",
            ChangeAction::Skipped => "skipped",
        }
    }
}

/// `Deployment/web/hello configured`.
impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.object, self.action.as_str())
    }
}
