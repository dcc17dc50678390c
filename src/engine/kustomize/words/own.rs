//! A mistake in what a kustomization says beside what it lists: its generators and patches.

use serde_json::Value;

use super::outline::Outline;
use super::{absolute, manifest};
use crate::git::Tree;
use crate::manifest::Mistake;
use crate::manifest::yaml::{self, Dialect, Node};

/// What kustomize says of a mistake on a line of a kustomization; `None` for what is not known here.
pub(super) fn told(mistake: &Mistake, tree: &Tree, outline: &Outline) -> Option<String> {
    let own = Own { mistake, tree, outline };
    own.generator()
        .or_else(|| own.operation())
        .or_else(|| own.patch())
        .or_else(|| own.strategic_patch())
}

struct Own<'a> {
    mistake: &'a Mistake,
    tree: &'a Tree,
    outline: &'a Outline,
}

impl Own<'_> {
    /// A generator that names a file which is missing.
    fn generator(&self) -> Option<String> {
        let generator =
            self.on_line("configMapGenerator").or_else(|| self.on_line("secretGenerator"))?;
        [("envs", "env source files"), ("files", "file sources")].into_iter().find_map(
            |(field, sources)| {
                let texts = generator.get(field)?.items().iter().filter_map(Node::as_str);
                let texts: Vec<&str> = texts.collect();
                let mut paths = texts.iter().filter_map(|text| text.rsplit('=').next());
                let gone = paths.find_map(|path| self.gone(path))?;
                Some(format!("loading KV pairs: {sources}: [{}]: {gone}", texts.join(" ")))
            },
        )
    }

    /// An operation of a JSON patch (RFC 6902) that cannot be done.
    fn operation(&self) -> Option<String> {
        let (about, operation) = self.mistake.message.split_once(": can't do ")?;
        let operation: Value = serde_json::from_str(operation).ok()?;
        let (path, from) = (operation["path"].as_str()?, operation["from"].as_str());
        let missing = |op: &str, path: &str| {
            format!("{op} operation does not apply: doc is missing path: {path}: missing value")
        };
        let no_key = |key: &str| format!("Unable to remove nonexistent key: {key}: missing value");
        let (parent, key) = path.rsplit_once('/')?;
        match operation["op"].as_str()? {
            "test" => Some(format!("testing value {path} failed: test failed")),
            "replace" => Some(missing("replace", path)),
            "add" => Some(missing("add", &format!("{path:?}"))),
            "remove" if self.has(about, parent)? => {
                Some(format!("error in remove for path: '{path}': {}", no_key(key)))
            }
            "remove" => Some(missing("remove", &format!("{path:?}"))),
            "move" => {
                let key = from?.rsplit('/').next()?;
                Some(format!("error in move for path: '{key}': {}", no_key(key)))
            }
            _ => None,
        }
    }

    /// Whether the manifest of a patched object, named as in `patching Deployment.apps default/web`, has
    /// something at a pointer.
    fn has(&self, about: &str, pointer: &str) -> Option<bool> {
        let (kind, name) = about.strip_prefix("patching ")?.split_once(' ')?;
        let kind = kind.split('.').next()?;
        let name = name.rsplit('/').next()?;
        let files = self.tree.files();
        let mut texts = files.iter().filter_map(|(_, _, blob)| blob.as_text());
        let object = texts.find_map(|text| {
            let nodes = yaml::nodes("", text, Dialect::Kustomize).ok()?;
            let found = manifest::named(&nodes, kind, name)?;
            Some(found.value())
        })?;
        Some(object.pointer(pointer).is_some())
    }

    /// An entry of `patches` whose file is missing, that is no patch, or whose object is.
    fn patch(&self) -> Option<String> {
        let patch = self.on_line("patches")?;
        if self.mistake.message == "a JSON patch without a target" {
            let text = patch.get("patch")?.as_str()?.trim_end();
            return Some(format!("must specify a target for JSON patch [patch: {text:?}]"));
        }
        if self.mistake.message.starts_with("no object is called ") {
            return self.without_object(patch);
        }
        let path = patch.get("path")?.as_str()?;
        let is_plain = patch.entries().iter().all(|e| ["path", "target"].contains(&&*e.key.text));
        let config = is_plain.then(|| yaml::to_string(&patch.value()))?;
        let why = match self.gone(path) {
            Some(gone) => format!("failed to get the patch file from path({path}): {gone}"),
            None if self.mistake.message.starts_with("this is no patch") => {
                format!("unable to parse SM or JSON patch from [path: {path:?}]")
            }
            None => return None,
        };
        Some(trouble("PatchTransformer", &config, &why))
    }

    fn without_object(&self, patch: &Node) -> Option<String> {
        let inline = patch.get("patch").and_then(Node::as_str);
        let text = match inline {
            Some(text) => text,
            None => self.tree.text(&self.outline.join(patch.get("path")?.as_str()?))?,
        };
        let id = manifest::id_of(text)?;
        Some(format!(
            "no resource matches strategic merge patch {id:?}: no matches for Id {id}; failed to find unique target for patch {id}"
        ))
    }

    /// An entry of `patchesStrategicMerge` whose file is missing.
    fn strategic_patch(&self) -> Option<String> {
        let patches = self.outline.get("patchesStrategicMerge")?;
        let on_line = patches.items().iter().filter(|item| item.at.line == self.mistake.line);
        let gone = on_line.filter_map(Node::as_str).find_map(|path| self.gone(path))?;
        let config = yaml::to_string(&serde_json::json!({"paths": patches.value()}));
        Some(trouble("PatchStrategicMergeTransformer", &config, &gone))
    }

    /// The mapping in a list that starts on the line of the mistake.
    fn on_line(&self, list: &str) -> Option<&Node> {
        let mut items = self.outline.get(list)?.items().iter();
        items.find(|item| item.at.line == self.mistake.line)
    }

    /// That a file cannot be opened, if it is not there.
    fn gone(&self, path: &str) -> Option<String> {
        let path = self.outline.join(path);
        let is_gone = self.tree.get(&path).is_none();
        is_gone.then(|| format!("open {}: no such file or directory", absolute(self.tree, &path)))
    }
}

fn trouble(transformer: &str, config: &str, why: &str) -> String {
    format!("trouble configuring builtin {transformer} with config: `\n{config}`: {why}")
}
