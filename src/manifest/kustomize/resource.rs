//! The objects under way: what each is called now, what it was called before, and how they are found.

use std::collections::BTreeSet;
use std::fmt;

use super::fault::{Fault, Outcome};
use super::fields::text_at;
use super::file::Behavior;
use super::schema;
use super::twins::Twins;
use crate::manifest::Mistake;
use crate::manifest::yaml::{self, Dialect, Node};
use crate::object::GroupVersionKind;

/// The namespace of what has none.
pub(super) const NO_NAMESPACE: &str = "_non_namespaceable_";

/// What an object is called. Two objects of one build never share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) kind: GroupVersionKind,
    /// `default` when none is written, [`NO_NAMESPACE`] for cluster-scoped kinds.
    pub(super) namespace: String,
    pub(super) name: String,
}

/// An object under way.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) node: Node,
    /// Kind, namespace and name of each earlier moment, the oldest first.
    previous: Vec<(String, String, String)>,
    pub(super) prefixes: Vec<String>,
    pub(super) suffixes: Vec<String>,
    pub(super) needs_hash: bool,
    pub(super) is_generated: bool,
    pub(super) behavior: Behavior,
    pub(super) twins: Twins,
    /// The vars that read a field of it.
    pub(super) vars: Vec<String>,
    /// Where it is written: file and line.
    pub(super) origin: (String, usize),
}

/// The objects of a build, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Resources(pub(super) Vec<Resource>);

impl Resource {
    pub(super) fn new(node: Node, origin: (String, usize)) -> Self {
        Resource {
            node,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            needs_hash: false,
            is_generated: false,
            behavior: Behavior::Create,
            twins: Twins::default(),
            vars: Vec::new(),
            origin,
        }
    }

    pub(super) fn kind(&self) -> String {
        text_at(&self.node, "kind")
    }

    pub(super) fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind::new(&text_at(&self.node, "apiVersion"), &self.kind())
    }

    pub(super) fn name(&self) -> String {
        self.metadata_text("name")
    }

    /// The namespace as written, empty when none is.
    pub(super) fn namespace(&self) -> String {
        self.metadata_text("namespace")
    }

    pub(super) fn set_name(&mut self, name: &str) {
        if let Some(metadata) = self.node.mapping_at("metadata") {
            metadata.set("name", Node::string(name));
        }
    }

    /// Sets the namespace; an empty one takes it away.
    pub(super) fn set_namespace(&mut self, namespace: &str) {
        let Some(metadata) = self.node.mapping_at("metadata") else { return };
        match namespace {
            "" => drop(metadata.remove("namespace")),
            namespace => metadata.set("namespace", Node::string(namespace)),
        }
    }

    pub(super) fn is_cluster_scoped(&self) -> bool {
        schema::is_cluster_scoped(&text_at(&self.node, "apiVersion"), &self.kind())
    }

    /// What it is called now.
    pub(super) fn id(&self) -> Id {
        let namespace = if self.is_cluster_scoped() {
            NO_NAMESPACE.into()
        } else {
            or_default(self.namespace())
        };
        Id { kind: self.gvk(), namespace, name: self.name() }
    }

    /// What it was called at earlier moments, the oldest first.
    pub(super) fn previous_ids(&self) -> Vec<Id> {
        let gvk = self.gvk();
        let id = |(kind, namespace, name): &(String, String, String)| Id {
            kind: GroupVersionKind { kind: kind.clone(), ..gvk.clone() },
            namespace: namespace.clone(),
            name: name.clone(),
        };
        self.previous.iter().map(id).collect()
    }

    /// What it was called at first.
    pub(super) fn original_id(&self) -> Id {
        self.previous_ids().into_iter().next().unwrap_or_else(|| self.id())
    }

    /// Every name it goes by: the earlier ones and the one of now.
    pub(super) fn ids(&self) -> Vec<Id> {
        let mut ids = self.previous_ids();
        ids.push(self.id());
        ids
    }

    /// Remembers what it is called, before that changes.
    pub(super) fn remember(&mut self) {
        let id = self.id();
        self.previous.push((id.kind.kind, id.namespace, id.name));
    }

    /// Takes over what was noted of an object that it replaces.
    pub(super) fn inherit(&mut self, old: &Resource) {
        self.previous.clone_from(&old.previous);
        self.prefixes.clone_from(&old.prefixes);
        self.suffixes.clone_from(&old.suffixes);
        self.vars.clone_from(&old.vars);
    }

    /// Whether anything was noted of it, which kustomize does in annotations.
    pub(super) fn is_noted(&self) -> bool {
        !self.previous.is_empty() || self.is_generated
    }

    /// Makes the map of annotations when there is none: where kustomize keeps its notes.
    pub(super) fn make_annotations(&mut self) {
        if let Some(metadata) = self.node.mapping_at("metadata") {
            metadata.mapping_at("annotations");
        }
    }

    /// The entries of `metadata.labels` or `metadata.annotations`, as text.
    pub(super) fn texts(&self, map: &str) -> Vec<(&str, &str)> {
        let entries = self.node.find(&["metadata", map]).map(Node::entries).unwrap_or_default();
        entries.iter().map(|entry| (entry.key.text.as_str(), entry.value.raw())).collect()
    }

    fn metadata_text(&self, field: &str) -> String {
        self.node.find(&["metadata", field]).map(Node::raw).unwrap_or_default().to_owned()
    }
}

impl Resources {
    /// Adds a resource at the end.
    pub(super) fn append(&mut self, resource: Resource) -> Outcome {
        self.append_all(Resources(vec![resource]))
    }

    /// Adds resources at the end, in their order.
    pub(super) fn append_all(&mut self, more: Resources) -> Outcome {
        self.append_with(more, &mut self.ids())
    }

    /// Adds resources at the end, in their order; `ids` are those of the resources that are there.
    pub(super) fn append_with(&mut self, more: Resources, ids: &mut BTreeSet<Id>) -> Outcome {
        for resource in more.0 {
            let id = resource.id();
            if let Some(id) = ids.replace(id) {
                let other = self.0.iter().find(|other| other.id() == id);
                return Err(twice(&id, other.unwrap_or(&resource), &resource));
            }
            self.0.push(resource);
        }
        Ok(())
    }

    /// What each is called now.
    pub(super) fn ids(&self) -> BTreeSet<Id> {
        self.0.iter().map(Resource::id).collect()
    }

    /// The one resource that is, or ever was, called `id`.
    pub(super) fn the_one_called(&mut self, id: &Id) -> Outcome<&mut Resource> {
        let called = |resource: &Resource| resource.ids().contains(id);
        match self.0.iter().filter(|resource| called(resource)).count() {
            1 => {}
            0 => {
                let message = format!("no object is called {id}");
                return Err(Fault::new(
                    message,
                    "check apiVersion, kind, name and namespace, or give a target",
                ));
            }
            n => {
                let message = format!("{n} objects are or were called {id}");
                return Err(Fault::new(message, "name the one that is meant"));
            }
        }
        Ok(self.0.iter_mut().find(|resource| called(resource)).expect("counted one"))
    }

    /// Leaves out what nothing is left of.
    pub(super) fn drop_empty(&mut self) {
        self.0.retain(|resource| !resource.node.is_empty());
    }
}

fn twice(id: &Id, first: &Resource, second: &Resource) -> Fault {
    let (file, line) = &first.origin;
    let (other_file, other_line) = &second.origin;
    let message = format!("{id} is there twice: in {file}:{line} and in {other_file}:{other_line}");
    Fault::new(message, "leave one out, or rename it")
}

/// Reads the objects of a text as kustomize does: lists are taken apart, nothing else is checked but
/// that each has a kind and a name.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Resource>, Mistake> {
    let mut queue: std::collections::VecDeque<Node> = yaml::nodes(file, text, Dialect::Kustomize)?
        .into_iter()
        .filter(|node| !node.is_empty())
        .collect();
    queue.iter().try_for_each(|node| check(file, node))?;
    let mut resources = Vec::new();
    while let Some(mut node) = queue.pop_front() {
        let items =
            if text_at(&node, "kind").ends_with("List") { node.remove("items") } else { None };
        match items {
            None => resources.push(Resource::new(node.clone(), (file.into(), node.at.line))),
            Some(items) if items.is_null() => {}
            Some(mut items) => {
                let line = items.at.line;
                let items = items.items_mut().ok_or_else(|| {
                    Mistake::new(
                        file,
                        line,
                        "items of a list is no list",
                        "write one object after a - each",
                    )
                })?;
                items.retain(|item| !item.is_empty());
                items.iter().try_for_each(|item| check(file, item))?;
                queue.append(&mut std::mem::take(items).into());
            }
        }
    }
    Ok(resources)
}

fn check(file: &str, node: &Node) -> Result<(), Mistake> {
    let mistake = |what: &str, remedy: &str| Err(Mistake::new(file, node.at.line, what, remedy));
    if !node.is_mapping() {
        return mistake("this document is no object", "write apiVersion, kind and metadata");
    }
    let kind = text_at(node, "kind");
    if kind.is_empty() {
        return mistake(
            "an object without a kind",
            "write apiVersion and kind; is this file a manifest?",
        );
    }
    let name = node.find(&["metadata", "name"]).map(Node::raw).unwrap_or_default();
    if name.is_empty() && !kind.ends_with("List") {
        return mistake(&format!("a {kind} without a name"), "write metadata.name");
    }
    Ok(())
}

fn or_default(namespace: String) -> String {
    if namespace.is_empty() { "default".into() } else { namespace }
}

/// `Kind.group namespace/name`.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.kind.group.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{} ", self.kind.kind, self.kind.group)?;
        if self.namespace != NO_NAMESPACE {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}
