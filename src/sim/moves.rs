//! What could happen next, one by one: for a person who decides, and for a search that tries all.

use std::fmt;
use std::sync::Arc;

use super::actor::{Actor, Turn};
use super::choice::Choice;
use super::strike::FOR_EVER;
use super::world::{Inner, World};
use crate::api::{ApiRequest, Request};
use crate::time::Timestamp;

/// One thing that can happen next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Move {
    /// Who moves; empty for the surroundings: a fault, a pipeline, a webhook.
    pub actor: Arc<str>,
    /// What the actor does, in a few words.
    pub what: String,
    index: usize,
    turn: Option<Turn>,
}

/// Which moves are possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// Those of the next instant, as [`World::step`] has it.
    #[default]
    ByTime,
    /// Any answer and any news that is under way may come next, however long it was to take; keys come
    /// back, pauses end and the surroundings move when nothing is under way. This is what a search for
    /// races tries.
    Any,
}

impl World {
    /// Everything that can happen next.
    ///
    /// ```
    /// use driftlab::sim::{Order, World};
    /// let world = World::builder().build();
    /// let first = &world.moves(Order::ByTime)[0];
    /// assert!(first.to_string().contains(": hears of "), "{first}");
    /// ```
    pub fn moves(&self, order: Order) -> Vec<Move> {
        let inner = &self.inner;
        if order == Order::Any {
            let under_way = inner.moves_at(FOR_EVER, Actor::is_under_way);
            if !under_way.is_empty() {
                return under_way;
            }
        }
        match inner.due() {
            Some(due) if inner.agenda.due().is_some_and(|next| next <= due) => vec![Move {
                actor: "".into(),
                what: "the surroundings move".into(),
                index: 0,
                turn: None,
            }],
            Some(due) => inner.rung(due).moves_at(due.max(inner.now), |_, _| true),
            None => Vec::new(),
        }
    }

    /// Lets one of these moves happen. What it leaves open is decided by `choice`.
    ///
    /// # Panics
    ///
    /// When the move is not one that [`World::moves`] gave for this world.
    pub fn make(&mut self, chosen: &Move, choice: &mut dyn Choice) {
        let inner = self.inner_mut();
        match chosen.turn {
            None => {
                inner.now = inner.agenda.due().map_or(inner.now, |due| due.max(inner.now));
                inner.meet(choice);
            }
            Some(turn) => {
                let actor = &inner.actors[chosen.index];
                // In any order, what comes early comes now; a timer brings its time along.
                if !actor.is_under_way(turn) {
                    inner.now = inner.due().map_or(inner.now, |due| due.max(inner.now));
                    inner.ring();
                }
                inner.take_turn(chosen.index, turn, choice);
            }
        }
    }
}

impl Inner {
    /// The world as it is when the keys have come back that are due then.
    fn rung(&self, due: Timestamp) -> Inner {
        let mut later = self.clone();
        later.now = later.now.max(due);
        later.ring();
        later
    }

    fn moves_at(&self, now: Timestamp, wanted: impl Fn(&Actor, Turn) -> bool) -> Vec<Move> {
        let (mut moves, mut turns) = (Vec::new(), Vec::new());
        for (index, actor) in self.actors.iter().enumerate() {
            actor.turns(now, &mut turns);
            for turn in turns.drain(..).filter(|turn| wanted(actor, *turn)) {
                let what = actor.words_for(turn);
                moves.push(Move { actor: actor.name.clone(), what, index, turn: Some(turn) });
            }
        }
        moves
    }
}

impl Actor {
    /// Whether a turn waits for nothing but its turn: no pause, no timer, no restart.
    fn is_under_way(&self, turn: Turn) -> bool {
        match turn {
            Turn::Restart => false,
            Turn::Hear(_) | Turn::Take => true,
            Turn::Advance(task) => self.tasks[task].request.is_some(),
        }
    }

    fn words_for(&self, turn: Turn) -> String {
        match turn {
            Turn::Restart => "comes back".into(),
            Turn::Hear(informer) => {
                format!("hears of {}", self.informers[informer].watch.kind.kind)
            }
            Turn::Take => match self.queue.ready().first() {
                Some(key) => format!("takes {key}"),
                None => "takes a key".into(),
            },
            Turn::Advance(task) => {
                let task = &self.tasks[task];
                match &task.request {
                    None => format!("goes on with {}", task.key),
                    Some(request) => format!("{} for {}", words_of(request), task.key),
                }
            }
        }
    }
}

fn words_of(request: &Request) -> String {
    let api = |request: &ApiRequest| {
        let dry = if request.is_dry_run() { " (dry run)" } else { "" };
        format!("{} {}{dry}", request.verb.name(), request.reference())
    };
    match request {
        Request::Api(request) | Request::ApiAs(_, request) => api(request),
        Request::Fetch(request) => format!("fetches {}", request.url),
        Request::Download(artifact) => format!("downloads {}", artifact.revision),
        Request::Pull { image } => format!("pulls {image}"),
    }
}

/// `kustomize-controller: patch Deployment/web/hello for Kustomization/flux-system/apps`.
impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.actor.is_empty() {
            true => f.write_str(&self.what),
            false => write!(f, "{}: {}", self.actor, self.what),
        }
    }
}
