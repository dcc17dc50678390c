//! What there is, or may come to be.

use std::collections::{BTreeMap, BTreeSet};

use crate::apiserver::Server;
use crate::git::Tree;
use crate::manifest;
use crate::object::Object;
use crate::scenario::commands::{Command, flux, kubectl};
use crate::scenario::mistake::Mistake;
use crate::scenario::prepare::Script;
use crate::scenario::run::begin;
use crate::sim::World;
use crate::sim::script::Action;

/// What there is, or may come to be.
pub(super) struct Known {
    /// The world at the start.
    pub(super) world: World,
    /// By the name of a repository: its files, and those that steps write.
    pub(super) files: BTreeMap<String, Tree>,
    pub(super) namespaces: BTreeSet<String>,
    /// Words for kinds that custom resource definitions bring.
    custom_kinds: BTreeSet<String>,
    /// Names of Kustomizations and GitRepositories.
    pub(super) flux: BTreeSet<(flux::Resource, String)>,
    /// Controllers that somebody brings, by name.
    pub(super) guests: Vec<String>,
}

impl Known {
    pub(super) fn of(script: &Script) -> Self {
        let mut known = Known {
            world: begin::world(script, None),
            files: files(script),
            namespaces: BTreeSet::new(),
            custom_kinds: BTreeSet::new(),
            flux: BTreeSet::new(),
            guests: script.guests.clone(),
        };
        let present: Vec<Object> = known.world.server().objects().cloned().collect();
        present.iter().for_each(|object| known.note(object));
        let manifests: Vec<Object> = known.files.values().flat_map(objects).collect();
        manifests.iter().for_each(|object| known.note(object));
        script.commands.iter().flatten().for_each(|typed| known.note_command(&typed.command));
        known
    }

    /// What an object brings with it.
    fn note(&mut self, object: &Object) {
        match (object.gvk().group.as_str(), object.kind()) {
            ("", "Namespace") => {
                self.namespaces.insert(object.name().into());
            }
            ("apiextensions.k8s.io", "CustomResourceDefinition") => self.note_definition(object),
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => {
                let target = object.text("spec.targetNamespace").to_owned();
                self.namespaces.extend((!target.is_empty()).then_some(target));
                self.flux.insert((flux::Resource::Kustomization, object.name().into()));
            }
            ("source.toolkit.fluxcd.io", "GitRepository") => {
                self.flux.insert((flux::Resource::GitRepository, object.name().into()));
            }
            // kustomize's own file may put everything into a namespace.
            _ => {
                let namespace = object.text("namespace").to_owned();
                self.namespaces.extend((!namespace.is_empty()).then_some(namespace));
            }
        }
    }

    fn note_definition(&mut self, definition: &Object) {
        let names = |field: &str| definition.text(&format!("spec.names.{field}")).to_lowercase();
        self.custom_kinds.extend(["plural", "singular", "kind"].map(names));
        let short = definition.get("spec.names.shortNames").and_then(|list| list.as_array());
        let short = short.into_iter().flatten().filter_map(|name| name.as_str());
        self.custom_kinds.extend(short.map(str::to_owned));
    }

    fn note_command(&mut self, command: &Command) {
        match command {
            Command::Kubectl(kubectl) => {
                if let kubectl::Verb::CreateObject { object, .. } = &kubectl.verb {
                    self.note(object);
                }
            }
            Command::Flux(command) => match &command.verb {
                flux::Verb::CreateSource { name, .. } => {
                    self.flux.insert((flux::Resource::GitRepository, name.clone()));
                }
                flux::Verb::CreateKustomization { name, target_namespace, .. } => {
                    self.flux.insert((flux::Resource::Kustomization, name.clone()));
                    self.namespaces.extend(target_namespace.clone());
                }
                _ => {}
            },
            Command::Git(_) | Command::Gh(_) => {}
        }
    }

    fn server(&self) -> &Server {
        self.world.server()
    }

    /// Whether a word names a kind.
    pub(super) fn has_kind(&self, word: &str) -> bool {
        let bare = word.split('.').next().unwrap_or(word).to_lowercase();
        !kubectl::kinds(self.server(), word).is_empty() || self.custom_kinds.contains(&bare)
    }

    /// A mistake about a word that names no kind.
    pub(super) fn no_kind(&self, mistake: Mistake, word: &str) -> Mistake {
        match kubectl::suggestion(self.server(), word) {
            Some(meant) => mistake.hint(format!("did you mean '{meant}'?")),
            None => mistake.hint("a kind of its own needs its CustomResourceDefinition"),
        }
    }

    /// A mistake about a namespace that nothing makes.
    pub(super) fn no_namespace(&self, mistake: Mistake, name: &str) -> Mistake {
        let names = self.namespaces.iter().map(String::as_str);
        mistake
            .expected(format!("expected one of: {}", names.clone().collect::<Vec<_>>().join(", ")))
            .did_you_mean(name, names)
    }
}

/// The files of each repository, with those that steps write.
fn files(script: &Script) -> BTreeMap<String, Tree> {
    let mut files: BTreeMap<String, Tree> = BTreeMap::new();
    for (name, hosted) in &script.repositories {
        let branches = hosted.repository.branches();
        let trees = branches.filter_map(|(branch, _)| hosted.repository.tree(branch).ok());
        let all = trees.fold(Tree::default(), |all, tree| union(&all, &tree));
        files.insert(name.clone(), all);
    }
    for step in &script.scenario.steps {
        let Some(tree) = files.get_mut(script.repository_of(step)) else { continue };
        for action in &step.actions {
            if let Action::Write { path, content } = action
                && let Ok(with) = tree.with_file(path, content.as_str())
            {
                *tree = with;
            }
        }
    }
    files
}

/// The files of both trees; of a path in both, the second's.
fn union(one: &Tree, other: &Tree) -> Tree {
    let add =
        |tree: Tree, (path, _, blob): (String, _, _)| tree.with_file(&path, blob).unwrap_or(tree);
    if one.is_empty() { other.clone() } else { other.files().into_iter().fold(one.clone(), add) }
}

/// The objects in the YAML files of a tree, kustomizations among them; what is no manifest is left out.
fn objects(tree: &Tree) -> Vec<Object> {
    let mut all = Vec::new();
    for (path, _, blob) in tree.files() {
        let Some(text) = blob.as_text().filter(|_| is_yaml(&path)) else { continue };
        let documents = manifest::yaml::documents(&path, text).unwrap_or_default();
        for document in documents {
            let mut value = document.value;
            if path.ends_with("kustomization.yaml") && value.is_object() {
                value["apiVersion"] = "kustomize.config.k8s.io/v1beta1".into();
                value["kind"] = "Kustomization".into();
                value["metadata"] = serde_json::json!({});
            }
            all.extend(Object::from_value(value).ok());
        }
    }
    all
}

fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}
