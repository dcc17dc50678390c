//! The kustomization that Flux makes for a folder without one.

use super::decode::Line;
use super::file::{FILE_NAMES, Kustomization};
use super::resource;
use crate::git::{Entry, Tree};
use crate::manifest::Mistake;

/// A kustomization of all manifests in and below a folder: files that end in `.yaml` or `.yml`, by name;
/// of a folder below that has a kustomization file, the folder.
pub(super) fn kustomization(tree: &Tree, folder: &str) -> Result<Kustomization, Mistake> {
    let root = tree.folder(folder).unwrap_or_default();
    let found = resources(&root);
    found.iter().try_for_each(|path| check(&root, path, folder))?;
    let file = join(folder, "kustomization.yaml");
    let resources = found.into_iter().map(|value| Line { value, line: 0 }).collect();
    Ok(Kustomization { file, resources, ..Kustomization::default() })
}

/// What that kustomization of a folder lists.
pub(crate) fn resources(folder: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    // With a stack of its own, for folders may be nested deeply.
    let mut open = vec![(String::new(), folder.clone())];
    while let Some((path, folder)) = open.pop() {
        if !path.is_empty() && has_file(&folder, "") {
            found.push(path);
            continue;
        }
        for (name, entry) in folder.entries() {
            let below = join(&path, name);
            match entry {
                Entry::Folder(inner) => open.push((below, inner.clone())),
                Entry::File(..) if is_yaml(name) => found.push(below),
                _ => {}
            }
        }
    }
    found.sort_by(|a, b| a.split('/').cmp(b.split('/')));
    found
}

/// Whether a folder holds a kustomization file.
pub(super) fn has_file(tree: &Tree, folder: &str) -> bool {
    FILE_NAMES.iter().any(|name| tree.file(&join(folder, name)).is_some())
}

/// Whether what is listed is a folder, or a file of manifests.
fn check(root: &Tree, path: &str, folder: &str) -> Result<(), Mistake> {
    let Some(blob) = root.file(path) else { return Ok(()) };
    let file = join(folder, path);
    let text = blob.as_text().ok_or_else(|| {
        let remedy = "write it in UTF-8, or leave it out";
        Mistake::new(&file, 0, "the manifest is no text", remedy)
    })?;
    resource::read(&file, text).map(drop)
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

fn join(folder: &str, name: &str) -> String {
    let folder = folder.trim_matches('/');
    if folder.is_empty() || folder == "." { name.into() } else { format!("{folder}/{name}") }
}
