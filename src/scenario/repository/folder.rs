//! What a folder of a repository comes to.

use crate::git::Tree;
use crate::manifest::{self, Overlay};
use crate::object::Object;
use crate::scenario::mistake::Mistake;
use crate::sim::World;

/// The objects of a folder, as Flux builds it.
///
/// # Errors
///
/// When it cannot be built, or to nothing: then there is nothing to run.
pub(super) fn build(tree: &Tree, folder: &str) -> Result<Vec<Object>, Mistake> {
    let built = manifest::build_generated(tree, folder, &Overlay::default());
    let objects = built.map_err(|mistake| unbuildable(mistake, tree, folder))?.objects;
    if objects.is_empty() {
        let others = with_manifests(tree);
        let hint = match others.is_empty() {
            true => "a manifest is a file of YAML whose name ends in .yaml or .yml".to_owned(),
            false => format!("--path names a folder; these have manifests: {}", others.join(", ")),
        };
        return Err(Mistake::in_file(folder, "there are no manifests in it").hint(hint));
    }
    Ok(objects)
}

/// Where objects go that name no namespace: nowhere if some are to be somewhere, else to the namespace
/// where `kubectl apply` would put them.
pub(super) fn home(built: &[Object]) -> Option<&'static str> {
    let world = World::builder().nodes(0).build();
    let is_cluster_wide = |object: &&Object| {
        let gvk = object.gvk();
        world.server().resources().any(|schema| schema.gvk == gvk && !schema.namespaced)
    };
    // A target namespace would give its name to a Namespace too.
    let has_namespaces = built.iter().any(|object| object.kind() == "Namespace");
    let mut namespaced = built.iter().filter(|object| !is_cluster_wide(object)).peekable();
    let homeless = namespaced.peek().is_some() && namespaced.all(|o| o.namespace().is_empty());
    (homeless && !has_namespaces).then_some("default")
}

fn unbuildable(mistake: manifest::Mistake, tree: &Tree, folder: &str) -> Mistake {
    let hint = elsewhere(tree, folder, &mistake.file);
    let text = tree.text(&mistake.file);
    Mistake::in_manifest(mistake, text).hint(hint)
}

/// What may be run instead of a folder that cannot be built.
fn elsewhere(tree: &Tree, folder: &str, file: &str) -> String {
    let mut above = file.rsplit_once('/').map(|(folder, _)| folder);
    while let Some(folder) = above {
        if tree.file(&format!("{folder}/Chart.yaml")).is_some() {
            return format!("{folder} is a Helm chart: 'helm template' makes manifests of it");
        }
        above = folder.rsplit_once('/').map(|(above, _)| above);
    }
    match kustomized(tree, folder) {
        others if others.is_empty() => String::new(),
        others => {
            format!("--path names a folder; these have a kustomization: {}", others.join(", "))
        }
    }
}

/// The folders below another that have a kustomization, the first few.
fn kustomized(tree: &Tree, folder: &str) -> Vec<String> {
    const FEW: usize = 6;
    let below = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let files = tree.files();
    let paths = files.iter().filter_map(|(path, ..)| path.rsplit_once('/'));
    let mut found: Vec<String> = paths
        .filter(|(_, name)| matches!(*name, "kustomization.yaml" | "kustomization.yml"))
        .filter(|(place, _)| place.starts_with(&below))
        .map(|(place, _)| place.to_owned())
        .collect();
    if found.len() > FEW {
        found.truncate(FEW);
        found.push("…".into());
    }
    found
}

/// The folders that hold manifests, the first few.
pub(super) fn with_manifests(tree: &Tree) -> Vec<String> {
    const FEW: usize = 12;
    let mut folders: Vec<String> = tree
        .files()
        .into_iter()
        .filter(|(path, ..)| path.ends_with(".yaml") || path.ends_with(".yml"))
        .filter_map(|(path, ..)| Some(path.rsplit_once('/')?.0.to_owned()))
        .collect();
    folders.sort();
    folders.dedup();
    if folders.len() > FEW {
        folders.truncate(FEW);
        folders.push("…".into());
    }
    folders
}
