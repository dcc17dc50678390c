//! The kustomization that Flux makes for a folder without one.

use super::decode::Line;
use super::file::{FILE_NAMES, Kustomization};
use super::resource;
use crate::git::{Entry, Tree};
use crate::manifest::Mistake;

/// A kustomization of all manifests in and below a folder: files that end in `.yaml` or `.yml`, by name;
/// of a folder below that has a kustomization file, the folder.
pub(super) fn kustomization(tree: &Tree, folder: &str) -> Result<Kustomization, Mistake> {
    let mut found = Vec::new();
    if let Some(root) = tree.folder(folder) {
        scan(&root, "", folder, &mut found)?;
    }
    let file = join(folder, "kustomization.yaml");
    let resources = found.into_iter().map(|value| Line { value, line: 0 }).collect();
    Ok(Kustomization { file, resources, ..Kustomization::default() })
}

/// Whether a folder holds a kustomization file.
pub(super) fn has_file(tree: &Tree, folder: &str) -> bool {
    FILE_NAMES.iter().any(|name| tree.file(&join(folder, name)).is_some())
}

fn scan(folder: &Tree, path: &str, top: &str, found: &mut Vec<String>) -> Result<(), Mistake> {
    let mut entries: Vec<(&str, &Entry)> = folder.entries().collect();
    entries.sort_by_key(|(name, _)| *name);
    for (name, entry) in entries {
        let below = join(path, name);
        match entry {
            Entry::Folder(inner) if has_file(inner, "") => found.push(below),
            Entry::Folder(inner) => scan(inner, &below, top, found)?,
            Entry::File(_, blob) if name.ends_with(".yaml") || name.ends_with(".yml") => {
                let file = join(top, &below);
                let text = blob.as_text().ok_or_else(|| {
                    Mistake::new(
                        &file,
                        0,
                        "the manifest is no text",
                        "write it in UTF-8, or leave it out",
                    )
                })?;
                resource::read(&file, text)?;
                found.push(below);
            }
            _ => {}
        }
    }
    Ok(())
}

fn join(folder: &str, name: &str) -> String {
    let folder = folder.trim_matches('/');
    if folder.is_empty() || folder == "." { name.into() } else { format!("{folder}/{name}") }
}
