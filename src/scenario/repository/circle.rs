//! Kustomizations that wait for each other: none of them will ever be applied.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::flux::{is_kustomization, path_of};
use crate::git::Tree;
use crate::manifest::{self, Overlay};
use crate::object::{Object, ObjectRef};
use crate::scenario::cause::{dependencies, place};
use crate::scenario::mistake::{Mistake, Place};

/// The first circle among the Kustomizations that some objects lead to.
pub(super) fn mistake(tree: &Tree, objects: &[Object]) -> Option<Mistake> {
    let edges = reachable(tree, objects);
    let mut settled = BTreeSet::new();
    let way = edges.keys().find_map(|first| way_back(&edges, first, &mut settled))?;
    let (last, first) = (&way[way.len() - 2], &way[way.len() - 1]);
    let names: Vec<String> = way.iter().map(ToString::to_string).collect();
    let message = format!("these depend on each other: {}", names.join(" -> "));
    let file = place(tree, last, "dependsOn", &first.name).unwrap_or_default();
    let place = Place { file, ..Place::default() };
    Some(Mistake::at("", message).hint("take one of the dependencies out").with_place(place))
}

/// The Kustomizations among objects, those that they build, and so on: what each depends on. Those whose
/// files cannot be built here lead no further.
fn reachable(tree: &Tree, objects: &[Object]) -> BTreeMap<ObjectRef, Vec<ObjectRef>> {
    let mut found = BTreeMap::new();
    let mut open: VecDeque<Object> =
        objects.iter().filter(|object| is_kustomization(object)).cloned().collect();
    while let Some(kustomization) = open.pop_front() {
        let name = kustomization.reference();
        if found.insert(name, dependencies(&kustomization)).is_none() {
            open.extend(built(tree, &kustomization).into_iter().filter(is_kustomization));
        }
    }
    found
}

fn built(tree: &Tree, kustomization: &Object) -> Vec<Object> {
    let spec = kustomization.get("spec").cloned().unwrap_or_default();
    let path = path_of(kustomization);
    let built = Overlay::from_spec(&spec)
        .and_then(|overlay| manifest::build_generated(tree, &path, &overlay));
    built.map(|built| built.objects).unwrap_or_default()
}

/// The way from a Kustomization over what it depends on to one that was on it, from there on, and that one
/// again.
fn way_back(
    edges: &BTreeMap<ObjectRef, Vec<ObjectRef>>,
    first: &ObjectRef,
    settled: &mut BTreeSet<ObjectRef>,
) -> Option<Vec<ObjectRef>> {
    let after = |name: &ObjectRef| edges.get(name).cloned().unwrap_or_default();
    let mut way = vec![(first.clone(), after(first))];
    while let Some((name, left)) = way.last_mut() {
        let Some(next) = left.pop() else {
            settled.insert(name.clone());
            way.pop();
            continue;
        };
        if let Some(start) = way.iter().position(|(visited, _)| *visited == next) {
            let circle = way[start..].iter().map(|(name, _)| name.clone());
            return Some(circle.chain([next]).collect());
        }
        if !settled.contains(&next) {
            let left = after(&next);
            way.push((next, left));
        }
    }
    None
}
