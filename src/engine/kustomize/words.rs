//! A mistake in manifests, in the words that Flux has for it.
//!
//! Whoever knows Flux knows its sentences, and a status is compared with what a real one would say. Where
//! they are kustomize's own and say little, what `manifest` found out stands instead.

use super::build::folder_of;
use crate::git::Tree;
use crate::manifest::Mistake;
use crate::manifest::yaml::{self, Dialect};

/// What Flux says of a mistake in a build of a folder.
pub(super) fn of(mistake: &Mistake, tree: &Tree, folder: &str) -> String {
    let at = Place { tree, folder };
    at.undecoded(mistake)
        .or_else(|| at.missing(mistake))
        .or_else(|| at.twice(mistake))
        .unwrap_or_else(|| format!("kustomize build failed: {mistake}"))
}

struct Place<'a> {
    tree: &'a Tree,
    folder: &'a str,
}

impl Place<'_> {
    /// A file of a folder without kustomization that is no YAML.
    fn undecoded(&self, mistake: &Mistake) -> Option<String> {
        let text = self.tree.text(&mistake.file).filter(|_| self.is_generated())?;
        let error = yaml::nodes(&mistake.file, text, Dialect::Kustomize).err()?;
        let (file, problem) = (self.absolute(&mistake.file), go_yaml(&error, text));
        Some(format!("failed to decode Kubernetes YAML from {file}: MalformedYAMLError: {problem}"))
    }

    /// A resource that is not there.
    fn missing(&self, mistake: &Mistake) -> Option<String> {
        let path = mistake.message.strip_prefix("there is no ")?;
        let (shown, file) = (self.relative(path), self.absolute(path));
        let none = "no such file or directory";
        Some(format!(
            "kustomize build failed: accumulating resources: accumulation err='accumulating resources from '{shown}': open {file}: {none}': must build at directory: not a valid directory: evalsymlink failure on '{file}' : lstat {file}: {none}"
        ))
    }

    /// An object that two files define.
    fn twice(&self, mistake: &Mistake) -> Option<String> {
        let (object, places) = mistake.message.split_once(" is there twice: in ")?;
        let (_, second) = places.split_once(" and in ")?;
        let path = second.rsplit_once(':').map_or(second, |(path, _)| path);
        let (id, file) = (self.id(object, path)?, self.absolute(path));
        let dot = if self.is_generated() { "./" } else { "" };
        let shown = self.relative(path);
        Some(format!(
            "kustomize build failed: accumulating resources: accumulation err='merging resources from '{dot}{shown}': may not add resource with an already registered id: {id}': must build at directory: '{file}': file is not directory"
        ))
    }

    /// `ConfigMap.v1.[noGrp]/name.namespace`, as kustomize's `resid` prints it.
    fn id(&self, object: &str, path: &str) -> Option<String> {
        let (kind, name) = object.split_once(' ')?;
        let (namespace, name) = name.split_once('/').unwrap_or(("[noNs]", name));
        let nodes = yaml::nodes(path, self.tree.text(path)?, Dialect::Kustomize).ok()?;
        let node = nodes.iter().find(|node| {
            let is =
                |path: &[&str], text: &str| node.find(path).and_then(|n| n.as_str()) == Some(text);
            is(&["kind"], kind) && is(&["metadata", "name"], name)
        })?;
        let api_version = node.get("apiVersion")?.as_str()?;
        let (group, version) = api_version.split_once('/').unwrap_or(("[noGrp]", api_version));
        Some(format!("{kind}.{version}.{group}/{name}.{namespace}"))
    }

    fn is_generated(&self) -> bool {
        let names = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
        let folder = self.tree.folder(self.folder).unwrap_or_default();
        names.iter().all(|name| folder.file(name).is_none())
    }

    fn absolute(&self, path: &str) -> String {
        format!("{}/{path}", folder_of(self.tree))
    }

    fn relative<'p>(&self, path: &'p str) -> &'p str {
        let below = path.strip_prefix(self.folder).and_then(|rest| rest.strip_prefix('/'));
        below.unwrap_or(path)
    }
}

/// What go-yaml says of an error: it counts lines from 0 up to where the open construct began, or else up
/// to where it found out.
fn go_yaml(error: &yaml::YamlError, text: &str) -> String {
    let line = match error.line.saturating_sub(1) {
        0 => text.lines().count(),
        line => line,
    };
    let problem = match error.message.as_str() {
        "unclosed bracket '['" => "did not find expected ',' or ']'",
        "unclosed bracket '{'" => "did not find expected ',' or '}'",
        message => message,
    };
    format!("yaml: line {line}: {problem}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Overlay, build_generated};

    fn check(files: &[(&str, &str)], folder: &str, expected: &str) {
        let tree = Tree::from_files(files.iter().copied()).unwrap();
        let mistake = build_generated(&tree, folder, &Overlay::default()).unwrap_err();
        let said = of(&mistake, &tree, folder).replace(&folder_of(&tree), "<tmp>");
        assert_eq!(said, expected);
    }

    #[test]
    fn common_mistakes_are_told_as_flux_does() {
        check(
            &[("a.yaml", "kind: ConfigMap\nmetadata: {name: b\n")],
            "",
            "failed to decode Kubernetes YAML from <tmp>/a.yaml: MalformedYAMLError: yaml: line 1: did not find expected ',' or '}'",
        );
        check(
            &[("web/kustomization.yaml", "resources: [gone.yaml]\n")],
            "web",
            "kustomize build failed: accumulating resources: accumulation err='accumulating resources from 'gone.yaml': open <tmp>/web/gone.yaml: no such file or directory': must build at directory: not a valid directory: evalsymlink failure on '<tmp>/web/gone.yaml' : lstat <tmp>/web/gone.yaml: no such file or directory",
        );
        let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: n}\n";
        check(
            &[("a.yaml", config), ("b.yaml", config)],
            "",
            "kustomize build failed: accumulating resources: accumulation err='merging resources from './b.yaml': may not add resource with an already registered id: ConfigMap.v1.[noGrp]/a.n': must build at directory: '<tmp>/b.yaml': file is not directory",
        );
    }

    #[test]
    fn other_mistakes_keep_file_line_and_remedy() {
        let tree = Tree::from_files([("kustomization.yaml", "resource: []\n")]).unwrap();
        let mistake = build_generated(&tree, "", &Overlay::default()).unwrap_err();
        assert_eq!(of(&mistake, &tree, ""), format!("kustomize build failed: {mistake}"));
    }
}
