//! Anybody's configuration: a folder or a Git repository of manifests, reconciled as it is.

use std::path::Path;

use super::mistake::Mistake;
use super::prepare::{Hosted, Script, is_repository, read_disk};
use crate::engine::{KUSTOMIZE_API, SOURCE_API};
use crate::git::{Repository, Tree};
use crate::manifest;
use crate::object::Object;
use crate::sim::script::{Claim, RepositorySpec, Scenario, SyncSpec, When};
use crate::time::Duration;

/// How long it may take.
const PATIENCE: Duration = Duration::from_mins(15);

/// The script that reconciles a folder of a repository.
pub(super) fn script(path: &Path, folder: Option<&str>) -> Result<Script, Mistake> {
    let shown = path.display().to_string();
    let repository = read_disk(path, "main").map_err(|error| Mistake::in_file(&shown, error))?;
    let name = name_of(path);
    let tree = tree_of(&repository).map_err(|error| Mistake::in_file(&shown, error))?;
    let flux = flux_objects(&tree);
    let root = root(&flux, folder);
    let folder = folder.map(normal).unwrap_or_else(|| root.map_or(String::new(), path_of));
    if tree.folder(&folder).is_none() {
        return Err(Mistake::in_file(&shown, format!("it has no folder {folder:?}"))
            .hint(format!("it has: {}", folders(&tree).join(", "))));
    }
    let mut scenario = Scenario::new(&title(path, &folder, &repository));
    let mut spec = RepositorySpec { from: shown, ..RepositorySpec::default() };
    match root {
        Some(root) => {
            let source = source_of(&flux, root);
            spec.url = source.map_or(String::new(), |source| source.text("spec.url").to_owned());
            let bootstrap = source.into_iter().chain([root]);
            scenario.cluster.apply =
                bootstrap.map(|object| object.as_value().to_string()).collect();
        }
        None => {
            spec.url = own_url(&flux, &name).unwrap_or_default();
            let fields = [("path".to_owned(), format!("./{folder}").into())];
            let sync =
                SyncSpec { repository: name.clone(), spec: fields.into(), ..SyncSpec::default() };
            scenario.sync.insert(name.clone(), sync);
        }
    }
    let url = super::prepare::url_of(&name, &spec);
    scenario.repositories.insert(name.clone(), spec);
    let scenario = scenario.expect(Claim::Converged, When::By(PATIENCE));
    let repositories = [(name, Hosted { url, repository })].into();
    Ok(Script { scenario, repositories, commands: Vec::new(), guests: Vec::new() })
}

fn title(path: &Path, folder: &str, repository: &Repository) -> String {
    let place = if folder.is_empty() { String::new() } else { format!(", {folder}") };
    let what = if is_repository(path) { "repository" } else { "folder" };
    let branch = repository.current_branch().unwrap_or("HEAD");
    let at = repository.head_id().map(|id| id.short()).unwrap_or_default();
    format!("{} ({what}{place}) at {branch}@{at}", path.display())
}

/// The last part of a path: what people call the repository.
fn name_of(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = full.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| "config".into()).to_lowercase();
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.trim_end_matches(".git").chars().map(legal).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "config".into() } else { name.to_owned() }
}

fn tree_of(repository: &Repository) -> Result<Tree, String> {
    repository.tree("HEAD").map_err(|error| error.to_string())
}

/// The GitRepositories and Kustomizations among the manifests.
fn flux_objects(tree: &Tree) -> Vec<Object> {
    let mut found = Vec::new();
    for (path, _, blob) in tree.files() {
        let yaml = path.ends_with(".yaml") || path.ends_with(".yml");
        let text = blob.as_text().filter(|text| yaml && text.contains("toolkit.fluxcd.io"));
        // A file that is no YAML is the reconciliation's to complain of.
        let objects = text.and_then(|text| manifest::objects(&path, text).ok()).unwrap_or_default();
        found.extend(objects.into_iter().filter(|object| {
            matches!(object.kind(), "GitRepository" | "Kustomization")
                && object.api_version().contains("toolkit.fluxcd.io")
        }));
    }
    found
}

/// The Kustomization that `flux bootstrap` made for a folder: it reconciles the folder that it stands
/// in. Without a folder, the only one of its kind.
fn root<'a>(flux: &'a [Object], folder: Option<&str>) -> Option<&'a Object> {
    let bootstrapped = |object: &&Object| {
        object.api_version() == KUSTOMIZE_API
            && object.kind() == "Kustomization"
            && object.name() == "flux-system"
            && source_of(flux, object).is_some()
    };
    let mut roots = flux.iter().filter(bootstrapped);
    match folder {
        Some(folder) => roots.find(|root| path_of(root) == normal(folder)),
        None => roots.next().filter(|_| roots.next().is_none()),
    }
}

fn source_of<'a>(flux: &'a [Object], kustomization: &Object) -> Option<&'a Object> {
    let name = kustomization.text("spec.sourceRef.name");
    flux.iter().find(|object| {
        object.api_version() == SOURCE_API
            && object.kind() == "GitRepository"
            && object.name() == name
    })
}

fn path_of(kustomization: &Object) -> String {
    normal(kustomization.text("spec.path"))
}

/// A path without `./` in front and `/` behind.
fn normal(path: &str) -> String {
    let path = path.trim_matches('/');
    let path = path.strip_prefix("./").unwrap_or(path);
    if path == "." { String::new() } else { path.trim_matches('/').to_owned() }
}

/// The address by which the repository's own GitRepositories name it.
fn own_url(flux: &[Object], name: &str) -> Option<String> {
    let mut urls: Vec<&str> = flux
        .iter()
        .filter(|object| object.kind() == "GitRepository")
        .map(|object| object.text("spec.url"))
        .collect();
    urls.sort_unstable();
    urls.dedup();
    let last = |url: &&&str| url.trim_end_matches(".git").rsplit('/').next() == Some(name);
    match &urls[..] {
        [only] => Some((*only).to_owned()),
        several => several.iter().find(last).map(|url| (*url).to_owned()),
    }
}

/// The folders that hold manifests, the first few.
fn folders(tree: &Tree) -> Vec<String> {
    const FEW: usize = 12;
    let mut folders: Vec<String> = tree
        .files()
        .into_iter()
        .filter(|(path, ..)| path.ends_with(".yaml") || path.ends_with(".yml"))
        .filter_map(|(path, ..)| Some(path.rsplit_once('/')?.0.to_owned()))
        .collect();
    folders.dedup();
    if folders.len() > FEW {
        folders.truncate(FEW);
        folders.push("…".into());
    }
    folders
}
