//! What a repository tells Flux: its sources, and what `flux bootstrap` left in it or will make for it.

use std::collections::BTreeMap;

use super::normal;
use crate::engine::{KUSTOMIZE_API, SOURCE_API};
use crate::object::Object;

/// The Flux objects among a repository's manifests.
pub(super) struct Flux<'a> {
    sources: Vec<&'a Object>,
    kustomizations: Vec<&'a Object>,
    generators: Vec<&'a Object>,
}

impl<'a> Flux<'a> {
    pub(super) fn among(objects: &'a [Object]) -> Self {
        let of = |api: &str, kind: &str| {
            objects.iter().filter(|o| o.api_version() == api && o.kind() == kind).collect()
        };
        Flux {
            sources: of(SOURCE_API, "GitRepository"),
            kustomizations: of(KUSTOMIZE_API, "Kustomization"),
            generators: objects.iter().filter(|o| o.kind() == "ArtifactGenerator").collect(),
        }
    }

    /// The Kustomization that `flux bootstrap` made for a folder: it reconciles the folder that it stands
    /// in. Without a folder, the only one of its kind.
    pub(super) fn root(&self, folder: Option<&str>) -> Option<&'a Object> {
        let bootstrapped =
            |object: &&&Object| object.name() == "flux-system" && self.source_of(object).is_some();
        let mut roots = self.kustomizations.iter().filter(bootstrapped).copied();
        match folder {
            Some(folder) => roots.find(|root| path_of(root) == normal(folder)),
            None => roots.next().filter(|_| roots.next().is_none()),
        }
    }

    pub(super) fn source_of(&self, kustomization: &Object) -> Option<&'a Object> {
        let name = kustomization.text("spec.sourceRef.name");
        self.sources.iter().find(|object| object.name() == name).copied()
    }

    /// The GitRepository that most objects refer to and none of them is: the one that will be there once
    /// the repository is bootstrapped.
    pub(super) fn missing_source(&self) -> Option<&'a str> {
        let of_one = |object: &&'a Object| object.get("spec.sourceRef");
        let of_generator = |object: &&'a Object| object.get("spec.sources")?.as_array();
        let references = self
            .kustomizations
            .iter()
            .filter_map(of_one)
            .chain(self.generators.iter().filter_map(of_generator).flatten());
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for reference in references.filter(|reference| reference["kind"] == "GitRepository") {
            let name = reference["name"].as_str().unwrap_or_default();
            if !name.is_empty() && !self.sources.iter().any(|source| source.name() == name) {
                *counts.entry(name).or_default() += 1;
            }
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name)
    }

    /// Whether a source follows something else than this branch: then more of the history is needed than
    /// its newest commit.
    pub(super) fn looks_back(&self, branch: &str) -> bool {
        self.sources.iter().any(|source| {
            let other = ["tag", "semver", "name", "commit"];
            let named = source.text("spec.ref.branch");
            other.iter().any(|field| !source.text(&format!("spec.ref.{field}")).is_empty())
                || !named.is_empty() && named != branch
        })
    }

    /// The address by which the repository's own GitRepositories name it.
    pub(super) fn own_url(&self, name: &str) -> Option<String> {
        let mut urls: Vec<&str> =
            self.sources.iter().map(|source| source.text("spec.url")).collect();
        urls.sort_unstable();
        urls.dedup();
        let last = |url: &&&str| url.trim_end_matches(".git").rsplit('/').next() == Some(name);
        match &urls[..] {
            [only] => Some((*only).to_owned()),
            several => several.iter().find(last).map(|url| (*url).to_owned()),
        }
    }
}

pub(super) fn is_kustomization(object: &Object) -> bool {
    object.api_version() == KUSTOMIZE_API && object.kind() == "Kustomization"
}

pub(super) fn path_of(kustomization: &Object) -> String {
    normal(kustomization.text("spec.path"))
}
