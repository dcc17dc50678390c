//! Anybody's configuration: a folder or a Git repository of manifests, reconciled as it is.

mod checkout;
mod circle;
mod flux;
mod folder;
mod presumed;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use self::checkout::Checkout;
use self::flux::{Flux, path_of};
use super::mistake::Mistake;
use super::prepare::{Hosted, Script, is_repository};
use crate::git::{Repository, disk};
use crate::object::Object;
use crate::sim::script::{Claim, RepositorySpec, Scenario, SyncSpec, When};
use crate::time::Duration;

pub use self::checkout::History;

/// How long it may take.
const PATIENCE: Duration = Duration::from_mins(15);

/// The script that reconciles a folder of a repository.
pub(super) fn script(
    path: &Path,
    folder: Option<&str>,
    history: History,
) -> Result<Script, Mistake> {
    let shown = path.display().to_string();
    let checkout = Checkout::read(path, history)?;
    let flux = Flux::among(&checkout.flux);
    let root = flux.root(folder);
    let folder = folder.map(normal).unwrap_or_else(|| root.map_or(String::new(), path_of));
    if checkout.tree.folder(&folder).is_none() {
        return Err(Mistake::in_file(&shown, format!("it has no folder {folder:?}"))
            .hint(format!("it has: {}", folder::with_manifests(&checkout.tree).join(", "))));
    }
    let mut plan = Plan { name: name_of(path), ..Plan::default() };
    plan.about.extend(left_out(path));
    let planned = match root {
        Some(root) => plan.resume(&flux, root, &checkout),
        None => plan.bootstrap(&flux, &folder, &checkout),
    };
    planned.map_err(|mistake| mistake.within(&shown))?;
    let title = title(path, &folder, &checkout.repository);
    Ok(plan.script(&title, shown, checkout.repository))
}

/// What is put into the cluster.
#[derive(Default)]
struct Plan {
    /// What people call the repository.
    name: String,
    url: String,
    /// Objects that are there before anything else.
    given: Vec<Object>,
    sync: BTreeMap<String, SyncSpec>,
    about: Vec<String>,
}

impl Plan {
    /// The repository was bootstrapped: its own source and Kustomization are put in.
    fn resume(
        &mut self,
        flux: &Flux<'_>,
        root: &Object,
        checkout: &Checkout,
    ) -> Result<(), Mistake> {
        let source = flux.source_of(root);
        self.url = source.map_or(String::new(), |source| source.text("spec.url").to_owned());
        self.presume(&checkout.objects());
        self.given.extend(source.into_iter().chain([root]).cloned());
        circle::mistake(&checkout.artifact, &self.given).map_or(Ok(()), Err)
    }

    /// It was not: a source and a Kustomization are made for it.
    fn bootstrap(
        &mut self,
        flux: &Flux<'_>,
        folder: &str,
        checkout: &Checkout,
    ) -> Result<(), Mistake> {
        let built = folder::build(&checkout.artifact, folder)?;
        let leads_on = built.iter().any(flux::is_kustomization);
        match leads_on {
            true => self.presume(&checkout.objects()),
            false => self.presume(&built),
        }
        self.url = flux.own_url(&self.name).unwrap_or_default();
        let home = folder::home(&built);
        if let Some(home) = home {
            let line = "Objects without a namespace go to";
            self.about.push(format!("{line} {home:?}, as kubectl has it."));
        }
        let name = Flux::among(&built).missing_source().unwrap_or(&self.name).to_owned();
        self.sync.insert(name, sync(&self.name, folder, home));
        circle::mistake(&checkout.artifact, &built).map_or(Ok(()), Err)
    }

    fn presume(&mut self, objects: &[Object]) {
        let definitions = presumed::definitions(objects);
        self.about.extend(presumption(&definitions));
        self.given.extend(definitions);
    }

    fn script(self, title: &str, from: String, repository: Repository) -> Script {
        let spec = RepositorySpec { from, url: self.url, ..RepositorySpec::default() };
        let hosted = Hosted { url: super::prepare::url_of(&self.name, &spec), repository };
        let mut scenario = Scenario::new(title).expect(Claim::Converged, When::By(PATIENCE));
        scenario.about = self.about.join("\n");
        scenario.sync = self.sync;
        scenario.cluster.apply =
            self.given.iter().map(|object| object.as_value().to_string()).collect();
        scenario.repositories.insert(self.name.clone(), spec);
        Script {
            scenario,
            repositories: [(self.name, hosted)].into(),
            commands: Vec::new(),
            guests: Vec::new(),
            ends_early: true,
        }
    }
}

/// What is said of a working tree that is ahead of its commit.
fn left_out(path: &Path) -> Option<String> {
    let changed = if is_repository(path) { disk::uncommitted(path) } else { 0 };
    match changed {
        0 => None,
        1 => Some("Left out: a file that is not committed.".into()),
        n => Some(format!("Left out: {n} files that are not committed.")),
    }
}

/// What is said of the definitions that are presumed.
fn presumption(definitions: &[Object]) -> Option<String> {
    const FEW: usize = 5;
    let kinds: Vec<&str> = definitions.iter().map(|d| d.text("spec.names.kind")).collect();
    let listed = match kinds.len() {
        0 => return None,
        1 => format!("the custom kind {}", kinds[0]),
        2..=FEW => format!("the custom kinds {}", kinds.join(", ")),
        n => format!("{n} custom kinds, such as {}", kinds[..3].join(", ")),
    };
    Some(format!("Presumed to be defined: {listed}."))
}

fn sync(repository: &str, folder: &str, home: Option<&str>) -> SyncSpec {
    let mut fields: BTreeMap<String, Value> =
        [("path".to_owned(), format!("./{folder}").into())].into();
    fields.extend(home.map(|home| ("targetNamespace".to_owned(), home.into())));
    SyncSpec { repository: repository.into(), spec: fields, ..SyncSpec::default() }
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

/// A path without `./` in front and `/` behind.
fn normal(path: &str) -> String {
    let path = path.trim_matches('/');
    let path = path.strip_prefix("./").unwrap_or(path);
    if path == "." { String::new() } else { path.trim_matches('/').to_owned() }
}
