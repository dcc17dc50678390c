//! Labels that kustomize writes once and shares: the same label of one object in several places.
//!
//! kustomize puts one and the same YAML node into every place where a label or annotation is new, so that
//! a later change in one of them shows in all: `commonLabels` below, a patch of `metadata.labels` above,
//! and the selector changes too. People meet this, and a faithful build repeats it. A JSON patch, which
//! makes the object anew, ends it.

use crate::manifest::yaml::Node;

/// A path of keys and list positions.
pub(super) type Trail = Vec<String>;

/// Sets of places that share their value.
#[derive(Clone, Debug, Default)]
pub(super) struct Twins(Vec<Vec<Trail>>);

/// What stood in the places before a change.
pub(super) struct Before(Vec<Vec<Option<Node>>>);

impl Twins {
    /// Makes places share their value from now on.
    pub(super) fn add(&mut self, places: Vec<Trail>) {
        if places.len() > 1 {
            self.0.push(places);
        }
    }

    /// Ends all sharing.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What stands in the places now.
    pub(super) fn before(&self, object: &Node) -> Before {
        let stands = |place: &Trail| at(object, place).cloned();
        Before(self.0.iter().map(|places| places.iter().map(stands).collect()).collect())
    }

    /// Lets places follow the last of them that changed; those that are gone share no more.
    pub(super) fn follow(&mut self, object: &mut Node, before: Before) {
        for (places, before) in self.0.iter_mut().zip(before.0) {
            let now: Vec<Option<Node>> =
                places.iter().map(|place| at(object, place).cloned()).collect();
            let mut pairs = now.iter().zip(&before);
            let changed = pairs.rfind(|(now, before)| now.is_some() && !same(now, before));
            if let Some(value) = changed.and_then(|(now, _)| now.clone()) {
                for place in places.iter() {
                    if let Some(node) = at_mut(object, place) {
                        *node = value.clone();
                    }
                }
            }
            let mut there = now.iter().map(Option::is_some);
            places.retain(|_| there.next().unwrap_or(false));
        }
        self.0.retain(|places| places.len() > 1);
    }
}

fn same(a: &Option<Node>, b: &Option<Node>) -> bool {
    a.as_ref().map(|node| &node.content) == b.as_ref().map(|node| &node.content)
}

fn at<'a>(object: &'a Node, place: &Trail) -> Option<&'a Node> {
    object.find(&place.iter().map(String::as_str).collect::<Vec<_>>())
}

fn at_mut<'a>(object: &'a mut Node, place: &Trail) -> Option<&'a mut Node> {
    place.iter().try_fold(object, |node, step| {
        if node.is_sequence() {
            node.items_mut()?.get_mut(step.parse::<usize>().ok()?)
        } else {
            node.get_mut(step)
        }
    })
}
