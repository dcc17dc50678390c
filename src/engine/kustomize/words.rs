//! A mistake in manifests, in the words that Flux and kustomize have for it.
//!
//! Whoever knows Flux knows its sentences, and a status is compared with what a real one would say. They tell
//! by which kustomizations a build came to the mistake, so the way there is gone once more: kustomize
//! accumulates resources, then generates, then accumulates components, then patches. Where it has a sentence
//! that is not known here, what `manifest` found out stands instead: file, line and remedy.

mod go_yaml;
mod manifest;
mod outline;
mod own;
mod twice;

use std::collections::BTreeSet;

use serde_json::Value;

use self::outline::{Listed, Outline};
use self::twice::Twice;
use super::build::folder_of;
use crate::git::{Entry, Tree};
use crate::manifest::Mistake;

/// A way that is longer is not told: each step quotes the next, and quotes within quotes double.
const DEEPEST: usize = 12;

/// What Flux says of a mistake in a build of a folder, to whose kustomization the `spec` of a Kustomization
/// adds components.
pub(super) fn of(mistake: &Mistake, tree: &Tree, folder: &str, spec: &Value) -> String {
    let twice = Twice::of(mistake, tree);
    let mut teller = Teller { mistake, twice, tree, folder, spec, explored: BTreeSet::new() };
    teller.before_the_build().or_else(|| teller.after_the_build()).unwrap_or_else(|| {
        let told = teller.key_twice().or_else(|| teller.within(folder, &mut Vec::new()));
        format!("kustomize build failed: {}", told.unwrap_or_else(|| mistake.to_string()))
    })
}

/// Goes the way to a mistake.
struct Teller<'a> {
    mistake: &'a Mistake,
    /// The mistake, if it is that an object is there twice.
    twice: Option<Twice<'a>>,
    tree: &'a Tree,
    /// Where the build begins.
    folder: &'a str,
    spec: &'a Value,
    /// Folders that do not lead to it.
    explored: BTreeSet<String>,
}

impl Teller<'_> {
    /// What Flux finds out itself, before it lets kustomize build: it reads the kustomization of the folder,
    /// or every manifest of a folder without one.
    fn before_the_build(&self) -> Option<String> {
        let file = &self.mistake.file;
        match &outline::files(self.tree, self.folder)[..] {
            [] => {
                let outline = Outline::of(self.tree, self.folder)?;
                let is_read = outline.resources.iter().any(|r| self.at(&outline, r) == *file);
                let problem = manifest::problem(self.text(file)?, self.mistake.line)?;
                let file = self.absolute(file);
                is_read.then(|| format!("failed to decode Kubernetes YAML from {file}: {problem}"))
            }
            [own] if own == file => match outline::syntax(self.text(file)?) {
                Some(error) => Some(format!("error converting YAML to JSON: {error}")),
                None => {
                    let type_error = outline::type_error(self.text(file)?, self.mistake.line)?;
                    let doing = "error unmarshaling JSON: while decoding JSON";
                    Some(format!("{doing}: {type_error}"))
                }
            },
            [_] => None,
            _ => Some(format!("kustomize build failed: {}", self.unusable(self.folder)?)),
        }
    }

    /// What Flux finds out itself when it reads what was built.
    fn after_the_build(&self) -> Option<String> {
        let Mistake { file, line, message, .. } = self.mistake;
        let lacks_version = message == "apiVersion is missing";
        let object = manifest::value(self.text(file)?, *line).filter(|_| lacks_version)?;
        Some(format!("failed to decode Kubernetes apiVersion, kind and name from: {object}"))
    }

    /// Two equal keys of an object, which kustomize finds out at the very end.
    fn key_twice(&self) -> Option<String> {
        let Mistake { file, line, message, .. } = self.mistake;
        let is_kustomization = file.rsplit('/').next().is_some_and(outline::is_kustomization);
        let stands_twice = message.ends_with("stands twice in one mapping");
        let error = go_yaml::key_twice(self.text(file)?, *line).filter(|_| stands_twice)?;
        (!is_kustomization).then(|| format!("map[string]interface {{}}(nil): {error}"))
    }

    /// What kustomize says of the mistake when it builds a folder; `None` when that does not lead to it.
    fn within(&mut self, folder: &str, way: &mut Vec<String>) -> Option<String> {
        if way.len() == DEEPEST || !self.explored.insert(folder.to_owned()) {
            return None;
        }
        let mut outline = Outline::of(self.tree, folder)?;
        if way.is_empty() {
            outline.components.extend(self.added());
        }
        way.push(folder.to_owned());
        let told = self.resources(&outline, way).or_else(|| self.components(&outline, way));
        way.pop();
        told.or_else(|| {
            let is_here = self.mistake.file == outline.file;
            let own = || own::told(self.mistake, self.tree, &outline);
            is_here.then(|| own().unwrap_or_else(|| self.mistake.to_string()))
        })
    }

    /// What the Kustomization adds to the components of the folder's kustomization.
    fn added(&self) -> impl Iterator<Item = Listed> {
        let components = self.spec["components"].as_array().into_iter().flatten();
        components.filter_map(|text| Some(Listed { text: text.as_str()?.to_owned(), line: 1 }))
    }

    fn resources(&mut self, outline: &Outline, way: &mut Vec<String>) -> Option<String> {
        let told = outline.resources.iter().find_map(|entry| self.resource(outline, entry, way));
        told.map(|told| format!("accumulating resources: {told}"))
    }

    fn resource(
        &mut self,
        outline: &Outline,
        entry: &Listed,
        way: &mut Vec<String>,
    ) -> Option<String> {
        let path = self.at(outline, entry);
        let (text, file, is_here) = (&entry.text, self.absolute(&path), self.is_at(outline, entry));
        match self.tree.get(&path) {
            None => is_here.then(|| {
                let gone = no_directory(&file);
                let none = "no such file or directory";
                format!("accumulation err='accumulating resources from '{text}': open {file}: {none}': {gone}")
            }),
            Some(Entry::Folder(_)) => {
                let why = self.base(&path, is_here, way)?;
                Some(format!("accumulation err='accumulating resources from '{text}': read {file}: is a directory': {why}"))
            }
            Some(_) => {
                let why = match is_here {
                    true => self.again(text)?,
                    false => self.manifest(&path, text)?,
                };
                let no_folder = format!("must build at directory: '{file}': file is not directory");
                match why.strip_prefix("MalformedYAMLError") {
                    Some(_) => Some(format!("accumulating resources from '{text}': {why} in File: {text}")),
                    None => Some(format!("accumulation err='{why}': {no_folder}")),
                }
            }
        }
    }

    /// What is wrong with a base, or that two of its objects are there already.
    fn base(&mut self, path: &str, is_here: bool, way: &mut Vec<String>) -> Option<String> {
        let file = self.absolute(path);
        if is_here {
            let wrong_kind = || {
                self.is_component(path)
                    .then(|| format!("expected kind != 'Component' for path '{file}'"))
            };
            let twice = || {
                let twice = self.twice.as_ref()?;
                Some(format!("recursed merging from path '{file}': {}", twice.told()))
            };
            return self.circle(path, way).or_else(wrong_kind).or_else(twice);
        }
        if let Some(why) = self.unusable(path) {
            return Some(format!("couldn't make target for path '{file}': {why}"));
        }
        let told = self.within(path, way)?;
        Some(format!("recursed accumulation of path '{file}': {told}"))
    }

    fn components(&mut self, outline: &Outline, way: &mut Vec<String>) -> Option<String> {
        let told = outline.components.iter().find_map(|entry| self.component(outline, entry, way));
        told.map(|told| format!("accumulating components: {told}"))
    }

    fn component(
        &mut self,
        outline: &Outline,
        entry: &Listed,
        way: &mut Vec<String>,
    ) -> Option<String> {
        let path = self.at(outline, entry);
        let (file, is_here) = (self.absolute(&path), self.is_at(outline, entry));
        let loading = |why: String| format!("loader.New {why:?}");
        let why = match self.tree.get(&path) {
            None => return is_here.then(|| loading(no_directory(&file))),
            Some(Entry::Folder(_)) if is_here => {
                if let Some(circle) = self.circle(&path, way) {
                    return Some(loading(circle));
                }
                let kind = "expected kind 'Component'";
                (!self.is_component(&path))
                    .then(|| format!("{kind} for path '{file}' but got 'Kustomization'"))?
            }
            Some(Entry::Folder(_)) => match self.unusable(&path) {
                Some(why) => format!("couldn't make target for path '{file}': {why}"),
                None => {
                    let told = self.within(&path, way)?;
                    format!("recursed accumulation of path '{file}': {told}")
                }
            },
            Some(_) => {
                let why = format!("must build at directory: '{file}': file is not directory");
                return is_here.then(|| loading(why));
            }
        };
        Some(format!("accumulateDirectory: {why:?}"))
    }

    /// That a folder leads back to one of those that led to it.
    fn circle(&self, path: &str, way: &[String]) -> Option<String> {
        let is_above = |folder: &&String| {
            let below = folder.strip_prefix(path);
            path.is_empty() || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let visited = self.absolute(way.iter().rev().find(is_above)?);
        let folder = self.absolute(path);
        Some(format!("cycle detected: candidate root '{folder}' contains visited root '{visited}'"))
    }

    /// Why the kustomization of a folder cannot be read, if that is the mistake.
    fn unusable(&self, folder: &str) -> Option<String> {
        let here = self.absolute(folder);
        match &outline::files(self.tree, folder)[..] {
            [] => Some(format!(
                "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{here}'"
            )),
            [file] if *file == self.mistake.file => {
                outline::unreadable(self.text(file)?, self.mistake)
            }
            [_] => None,
            _ => Some(format!("Found multiple kustomization files under: {here}\n")),
        }
    }

    fn is_component(&self, folder: &str) -> bool {
        Outline::of(self.tree, folder).is_some_and(|outline| outline.is_component)
    }

    /// A manifest that is none.
    fn manifest(&self, path: &str, shown: &str) -> Option<String> {
        let is_it = self.mistake.file == path;
        let problem = is_it.then(|| manifest::problem(self.text(path)?, self.mistake.line))??;
        match problem.starts_with("MalformedYAMLError") {
            true => Some(problem),
            false => Some(format!("accumulating resources from '{shown}': {problem}")),
        }
    }

    /// An object that the manifest at an entry defines again.
    fn again(&self, shown: &str) -> Option<String> {
        let twice = self.twice.as_ref()?;
        let doing = if twice.is_within_one_file() { "accumulating" } else { "merging" };
        Some(format!("{doing} resources from '{shown}': {}", twice.told()))
    }

    /// Whether the mistake is an entry of a kustomization's lists.
    fn is_at(&self, outline: &Outline, entry: &Listed) -> bool {
        self.mistake.file == outline.file
            && self.mistake.line == entry.line
            && self.twice.as_ref().is_none_or(|twice| {
                twice.culprit(self.tree, outline, entry.line).is_none_or(|it| it == entry.text)
            })
    }

    fn at(&self, outline: &Outline, entry: &Listed) -> String {
        outline.join(&entry.text)
    }

    fn text(&self, file: &str) -> Option<&str> {
        self.tree.text(file)
    }

    fn absolute(&self, path: &str) -> String {
        absolute(self.tree, path)
    }
}

/// Where Flux would have put what stands at a path of a tree.
fn absolute(tree: &Tree, path: &str) -> String {
    match path {
        "" => folder_of(tree),
        path => format!("{}/{path}", folder_of(tree)),
    }
}

fn no_directory(path: &str) -> String {
    format!(
        "must build at directory: not a valid directory: evalsymlink failure on '{path}' : lstat {path}: no such file or directory"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Overlay, build_generated};

    fn check(files: &[(&str, &str)], folder: &str, expected: &str) {
        let tree = Tree::from_files(files.iter().copied()).unwrap();
        let mistake = build_generated(&tree, folder, &Overlay::default()).unwrap_err();
        let said = of(&mistake, &tree, folder, &Value::Null).replace(&folder_of(&tree), "<tmp>");
        assert_eq!(said, expected);
    }

    #[test]
    fn the_way_to_a_mistake_is_told() {
        let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: n}\n";
        check(
            &[("a.yaml", config), ("b.yaml", config)],
            "",
            "kustomize build failed: accumulating resources: accumulation err='merging resources from './b.yaml': may not add resource with an already registered id: ConfigMap.v1.[noGrp]/a.n': must build at directory: '<tmp>/b.yaml': file is not directory",
        );
        check(
            &[
                ("web/kustomization.yaml", "resources: [../base]\n"),
                ("base/kustomization.yaml", "components: [../part]\n"),
                ("part/kustomization.yaml", "kind: Component\nresources: [../web]\n"),
            ],
            "web",
            "kustomize build failed: accumulating resources: accumulation err='accumulating resources from '../base': read <tmp>/base: is a directory': recursed accumulation of path '<tmp>/base': accumulating components: accumulateDirectory: \"recursed accumulation of path '<tmp>/part': accumulating resources: accumulation err='accumulating resources from '../web': read <tmp>/web: is a directory': cycle detected: candidate root '<tmp>/web' contains visited root '<tmp>/web'\"",
        );
    }

    #[test]
    fn a_way_that_is_long_is_left_out() {
        for list in ["resources", "components"] {
            let kind = if list == "components" { "Component" } else { "Kustomization" };
            let step = |i: usize| format!("kind: {kind}\n{list}: [../{}]\n", i + 1);
            let mut files: Vec<(String, String)> =
                (1..200).map(|i| (format!("{i}/kustomization.yaml"), step(i))).collect();
            files.push(("0/kustomization.yaml".into(), format!("{list}: [../1]\n")));
            let tree = Tree::from_files(files.iter().map(|(path, text)| (path, &**text))).unwrap();
            let mistake = build_generated(&tree, "0", &Overlay::default()).unwrap_err();
            let said = of(&mistake, &tree, "0", &Value::Null);
            assert_eq!(said, format!("kustomize build failed: {mistake}"));
        }
    }

    #[test]
    fn folders_may_be_nested_deeply() {
        let file = format!("{}k.yaml", "a/".repeat(500));
        let tree = Tree::from_files([(file, "kind: [")]).unwrap();
        let mistake = build_generated(&tree, "", &Overlay::default()).unwrap_err();
        assert!(of(&mistake, &tree, "", &Value::Null).contains("MalformedYAMLError"));
    }

    #[test]
    fn what_has_no_sentence_keeps_file_line_and_remedy() {
        let files = [
            ("web/kustomization.yaml", "resources: [../base]\n"),
            ("base/kustomization.yaml", "resources: [a.yaml]\nimages: [{newTag: b}]\n"),
            ("base/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
        ];
        let tree = Tree::from_files(files).unwrap();
        let mistake =
            Mistake::new("base/kustomization.yaml", 2, "an image without a name", "name it");
        let said = of(&mistake, &tree, "web", &Value::Null).replace(&folder_of(&tree), "<tmp>");
        let way = "accumulating resources: accumulation err='accumulating resources from '../base': read <tmp>/base: is a directory': recursed accumulation of path '<tmp>/base'";
        assert_eq!(said, format!("kustomize build failed: {way}: {mistake}"));
    }
}
