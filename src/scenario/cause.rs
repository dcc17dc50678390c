//! Where in the files of a repository it is that keeps a Kustomization from being Ready, and what to do.

use super::names::FieldPath;
use super::run::converged::source_of;
use super::written::written;
use crate::git::{ObjectId, Tree};
use crate::manifest::yaml::Node;
use crate::manifest::{self, Overlay};
use crate::object::{Object, ObjectRef};
use crate::reconciler::conditions;
use crate::sim::World;

/// `base/kustomization.yaml:3: there is no base/web.yaml; correct the path, or add the file`; `None` when it
/// is not known.
pub(super) fn cause(world: &World, kustomization: &Object) -> Option<String> {
    let ready =
        conditions(kustomization).into_iter().find(|c| c.kind == "Ready" && c.is_false())?;
    let failure = Failure { tree: tree(world, kustomization)?, kustomization };
    match ready.reason.as_str() {
        "BuildFailed" => failure.of_build(),
        "ArtifactFailed" if ready.message.contains("path not found") => failure.of_path(),
        "DependencyNotReady" if ready.message.contains("not found") => failure.of_dependency(world),
        "ReconciliationFailed" => failure.of_object(&ready.message),
        _ => None,
    }
}

struct Failure<'a> {
    tree: Tree,
    kustomization: &'a Object,
}

impl Failure<'_> {
    fn of_build(&self) -> Option<String> {
        let spec = self.kustomization.get("spec")?;
        let overlay = Overlay::from_spec(spec).ok()?;
        let built = manifest::build_generated(&self.tree, &self.path(), &overlay);
        built.err().map(|mistake| mistake.to_string())
    }

    fn of_path(&self) -> Option<String> {
        let path = self.kustomization.text("spec.path");
        let place = place(&self.tree, &self.kustomization.reference(), "path", "")?;
        Some(format!("{place}: there is no {path}; correct the path, or add the folder"))
    }

    fn of_dependency(&self, world: &World) -> Option<String> {
        let own = self.kustomization.reference();
        let wanted = dependencies(self.kustomization);
        let missing = wanted.into_iter().find(|wanted| world.server().get(wanted).is_none())?;
        let place = place(&self.tree, &own, "dependsOn", &missing.name)?;
        Some(format!("{place}: nobody makes {missing}; correct the name, or add its manifest"))
    }

    /// An object that the API server refused, which the message begins with.
    fn of_object(&self, message: &str) -> Option<String> {
        let (name, refusal) = message.split_once(' ')?;
        let parts: Vec<&str> = name.split('/').collect();
        let object = match parts[..] {
            [kind, namespace, name] => ObjectRef::new("", kind, namespace, name),
            [kind, name] => ObjectRef::new("", kind, "", name),
            _ => return None,
        };
        let found = written(&self.tree, &self.path(), &object)?;
        let line = refused_field(&found.node, refusal).unwrap_or(&found.node).at.line;
        let (file, kind, remedy) = (&found.file, &object.kind, remedy(refusal));
        Some(format!("{file}:{line}: this {kind} is refused; {remedy}"))
    }

    /// The folder, without `./` in front.
    fn path(&self) -> String {
        let path = self.kustomization.text("spec.path");
        path.trim_start_matches("./").trim_matches('/').to_owned()
    }
}

/// The field of a manifest that a refusal names: `.spec.replicas: expected numeric`.
fn refused_field<'n>(manifest: &'n Node, refusal: &str) -> Option<&'n Node> {
    let fields = refusal.split_whitespace().filter_map(|word| word.strip_suffix(':'));
    let paths = fields.map(|field| field.trim_start_matches(['.', '[']));
    paths.filter_map(|path| FieldPath::read(path).ok()).find_map(|path| path.find(manifest))
}

/// What to do about a refusal of the API server.
fn remedy(refusal: &str) -> &'static str {
    let says = |words: &str| refusal.contains(words);
    if says("immutable") || says("cannot change") {
        return "undo the change, or have the object made anew: spec.force of the Kustomization does";
    }
    if says("no matches for kind") {
        return "correct apiVersion and kind, or define the kind first";
    }
    if says("namespace not specified") {
        return "give it a namespace, or the Kustomization a targetNamespace";
    }
    if says("namespaces ") && says(" not found") {
        return "correct the namespace, or add it";
    }
    if says("is forbidden") {
        return "give the Kustomization's service account a role that allows it";
    }
    "correct it"
}

/// The Kustomizations that one depends on.
pub(super) fn dependencies(kustomization: &Object) -> Vec<ObjectRef> {
    let listed = kustomization.get("spec.dependsOn").and_then(|listed| listed.as_array());
    let dependency = |entry: &serde_json::Value| {
        let namespace = entry["namespace"].as_str().unwrap_or(kustomization.namespace());
        let name = entry["name"].as_str().unwrap_or_default();
        ObjectRef { namespace: namespace.into(), name: name.into(), ..kustomization.reference() }
    };
    listed.into_iter().flatten().map(dependency).collect()
}

/// `file:line` of a field of a Kustomization's spec or, of a list, of the entry with this name.
pub(super) fn place(
    tree: &Tree,
    kustomization: &ObjectRef,
    field: &str,
    entry: &str,
) -> Option<String> {
    let found = written(tree, "", kustomization)?;
    let value = found.node.find(&["spec", field]);
    let named = |item: &&Node| item.get("name").and_then(|name| name.as_str()) == Some(entry);
    let entry = value.and_then(|value| value.items().iter().find(named));
    let line = entry.or(value).map_or(found.node.at.line, |node| node.at.line);
    Some(format!("{}:{line}", found.file))
}

/// The files that a Kustomization was built from last, or would be.
fn tree(world: &World, kustomization: &Object) -> Option<Tree> {
    let source = world.server().get(&source_of(kustomization))?;
    let repository = world.repository(source.text("spec.url"))?;
    let revision = source.text("status.artifact.revision");
    let commit: ObjectId = revision.rsplit(':').next()?.parse().ok()?;
    Some(repository.find_commit(commit).ok()?.tree.clone())
}
