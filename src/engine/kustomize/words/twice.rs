//! An object that is there twice: which, and what brings it the second time.

use std::collections::BTreeSet;

use super::manifest;
use super::outline::Outline;
use crate::git::Tree;
use crate::manifest::Mistake;
use crate::manifest::yaml::{self, Dialect};

/// A mistake of this kind.
pub(super) struct Twice<'a> {
    /// As kustomize's `resid` prints it.
    id: String,
    /// Where it stands: file and line.
    first: (&'a str, &'a str),
    second: (&'a str, &'a str),
}

impl<'a> Twice<'a> {
    /// Reads a mistake: `ConfigMap a is there twice: in a.yaml:1 and in b.yaml:3`.
    pub(super) fn of(mistake: &'a Mistake, tree: &Tree) -> Option<Self> {
        let (object, places) = mistake.message.split_once(" is there twice: in ")?;
        let (first, second) = places.split_once(" and in ")?;
        let (first, second) = (first.rsplit_once(':')?, second.rsplit_once(':')?);
        let (kind, name) = object.split_once(' ')?;
        let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
        let nodes = yaml::nodes(second.0, tree.text(second.0)?, Dialect::Kustomize).ok()?;
        let found = manifest::named(&nodes, kind, name);
        Some(Twice { id: manifest::id(found?), first, second })
    }

    /// What kustomize says of it.
    pub(super) fn told(&self) -> String {
        format!("may not add resource with an already registered id: {}", self.id)
    }

    /// Whether one file defines it in two places.
    pub(super) fn is_within_one_file(&self) -> bool {
        self.first.0 == self.second.0 && self.first.1 != self.second.1
    }

    /// Which of the resources on a line of a kustomization brings it the second time.
    pub(super) fn culprit(&self, tree: &Tree, outline: &Outline, line: usize) -> Option<String> {
        let on_line = outline.resources.iter().filter(|entry| entry.line == line);
        let mut bring =
            on_line.filter(|entry| leads(tree, outline.join(&entry.text), self.second.0));
        let culprit = match self.first == self.second {
            true => bring.next_back(),
            false => bring.next(),
        };
        culprit.map(|entry| entry.text.clone())
    }
}

/// Whether a resource is a file, or a folder whose kustomization leads to it.
fn leads(tree: &Tree, resource: String, file: &str) -> bool {
    let mut visited = BTreeSet::new();
    let mut open = vec![resource];
    while let Some(path) = open.pop() {
        if path == file {
            return true;
        }
        if tree.folder(&path).is_none() || !visited.insert(path.clone()) {
            continue;
        }
        let outline = Outline::of(tree, &path);
        open.extend(outline.iter().flat_map(|outline| {
            let listed = outline.resources.iter().chain(&outline.components);
            listed.map(|entry| outline.join(&entry.text))
        }));
    }
    false
}
