//! What will happen at a time of its own, whoever else moves.

use rpds::RedBlackTreeMapSync;

use crate::git::forge::WebhookEvent;
use crate::time::Timestamp;

/// Things to come, by time, then in the order they were put in.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Agenda {
    items: RedBlackTreeMapSync<(Timestamp, u64), Item>,
    put: u64,
}

/// One thing to come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    /// The fault at a position of the plan begins.
    FaultBegins(usize),
    /// The fault at a position of the plan ends.
    FaultEnds(usize),
    /// The run of a pipeline goes on.
    Run(usize),
    /// A webhook arrives.
    Webhook(WebhookEvent),
}

impl Agenda {
    pub(super) fn put(&mut self, at: Timestamp, item: Item) {
        self.items.insert_mut((at, self.put), item);
        self.put += 1;
    }

    /// Keeps only the things to come that are wanted.
    pub(super) fn retain(&mut self, wanted: impl Fn(&Item) -> bool) {
        let unwanted: Vec<_> =
            self.items.iter().filter(|(_, item)| !wanted(item)).map(|(key, _)| *key).collect();
        for key in unwanted {
            self.items.remove_mut(&key);
        }
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        self.items.first().map(|((at, _), _)| *at)
    }

    pub(super) fn take(&mut self) -> Option<Item> {
        let (key, item) = self.items.first().map(|(key, item)| (*key, item.clone()))?;
        self.items.remove_mut(&key);
        Some(item)
    }
}
