//! Objects and fields by the words that people use: `deployment/hello -n hello`, `spec.replicas`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::commands::kubectl;
use crate::apiserver::Server;
use crate::manifest::yaml::Node;
use crate::object::{Object, ObjectRef};

/// An object's name in words, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectWords {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
}

/// Reads `KIND/NAME [-n NAMESPACE]`.
pub(crate) fn object_words(text: &str) -> Result<ObjectWords, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (target, namespace) = match words[..] {
        [target] => (target, None),
        [target, "-n" | "--namespace", namespace] | ["-n" | "--namespace", namespace, target] => {
            (target, Some(namespace.to_owned()))
        }
        _ => return Err(format!("{text:?} names no object")),
    };
    match target.split_once('/') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(ObjectWords { kind: kind.into(), name: name.into(), namespace })
        }
        _ => Err(format!("{target:?} names no object")),
    }
}

impl ObjectWords {
    /// The object, if its kind is served; without a namespace, `default` is meant.
    pub(crate) fn find(&self, server: &Server) -> Option<ObjectRef> {
        let kind = kubectl::kinds(server, &self.kind).into_iter().next()?;
        let namespace = match kind.namespaced {
            true => self.namespace.clone().unwrap_or_else(|| "default".into()),
            false => String::new(),
        };
        Some(kind.gvk.named(&namespace, &self.name))
    }
}

/// One step of a field's path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
    /// The item of a list with this name, or with this value of another key.
    Item(String, String),
}

/// A field's path: `spec.template.spec.containers[hello].image`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldPath(Vec<Step>);

impl FieldPath {
    /// Reads a path; list items are named in brackets, or counted after a dot.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut rest = text.strip_prefix('.').unwrap_or(text);
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let Some((inner, after)) = after.split_once(']') else {
                    return Err(format!("{text:?} has a '[' without its ']'"));
                };
                steps.push(item(inner));
                rest = after.strip_prefix('.').unwrap_or(after);
                continue;
            }
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if name.is_empty() {
                return Err(format!("{text:?} has an empty step"));
            }
            steps.push(match name.parse() {
                Ok(index) => Step::Index(index),
                Err(_) => Step::Field(name.into()),
            });
            rest = after.strip_prefix('.').unwrap_or(after);
        }
        if steps.is_empty() { Err("a field's path is empty".into()) } else { Ok(FieldPath(steps)) }
    }

    /// The path of a field below.
    pub(crate) fn field(&self, name: &str) -> Self {
        // A name with dots reads as an item's does: `labels[app.kubernetes.io/name]`.
        let is_plain = !name.contains(['.', '[', ']']);
        self.below(match is_plain {
            true => Step::Field(name.into()),
            false => Step::Item("name".into(), name.into()),
        })
    }

    /// The path of an item of a list below: by what tells it from the others, if anything does.
    pub(crate) fn item_at(&self, items: &[Node], index: usize) -> Self {
        const KEYS: [&str; 7] =
            ["name", "type", "key", "mountPath", "containerPort", "port", "uid"];
        let of = |item: &Node, key: &str| item.get(key).map(|value| text(Some(&value.value())));
        let tells_apart = |key: &&str| {
            let values: BTreeSet<String> = items.iter().filter_map(|item| of(item, key)).collect();
            values.len() == items.len()
        };
        let key = KEYS.into_iter().find(tells_apart);
        let named = key.and_then(|key| Some(Step::Item(key.into(), of(&items[index], key)?)));
        self.below(named.unwrap_or(Step::Index(index)))
    }

    fn below(&self, step: Step) -> Self {
        FieldPath(self.0.iter().cloned().chain([step]).collect())
    }

    /// The value in an object.
    pub(crate) fn get<'a>(&self, object: &'a Object) -> Option<&'a Value> {
        self.0.iter().try_fold(object.as_value(), |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Index(index) => value.get(index).or_else(|| value.get(index.to_string())),
            Step::Item(key, wanted) => item_of(value, key, wanted),
        })
    }

    /// The value in a file.
    pub(crate) fn find<'n>(&self, node: &'n Node) -> Option<&'n Node> {
        self.0.iter().try_fold(node, |node, step| match step {
            Step::Field(name) => node.get(name),
            Step::Index(index) => node.items().get(*index).or_else(|| node.get(&index.to_string())),
            Step::Item(key, wanted) => {
                let is =
                    |item: &&Node| item.get(key).is_some_and(|k| text(Some(&k.value())) == *wanted);
                node.items().iter().find(is).or_else(|| node.get(wanted))
            }
        })
    }

    /// The steps of managed fields that lead to it: `f:spec`, `k:{"name":"hello"}`.
    pub(crate) fn is_owned_in(&self, fields: &Value) -> bool {
        let mut fields = fields;
        for step in &self.0 {
            let within = match step {
                Step::Field(name) => fields.get(format!("f:{name}")),
                // A list whose items have no names is owned as a whole.
                Step::Index(_) => return true,
                Step::Item(key, wanted) => item_in(fields, key, wanted),
            };
            match within {
                Some(within) => fields = within,
                None => return false,
            }
        }
        true
    }

    /// Whether a path of the trace is this one, or one within it.
    pub(crate) fn covers(&self, path: &str) -> bool {
        FieldPath::read(path).is_ok_and(|path| path.0.starts_with(&self.0))
    }
}

impl std::fmt::Display for FieldPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            let dot = if i > 0 { "." } else { "" };
            match step {
                Step::Field(name) => write!(f, "{dot}{name}")?,
                Step::Index(index) => write!(f, "{dot}{index}")?,
                Step::Item(key, value) => write!(f, "[{key}={value}]")?,
            }
        }
        Ok(())
    }
}

fn item(inner: &str) -> Step {
    let inner = inner.trim_matches(['"', '\'']);
    match inner.split_once('=') {
        Some((key, value)) => Step::Item(key.into(), value.into()),
        None => match inner.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Item("name".into(), inner.into()),
        },
    }
}

/// The item with a key; `[a.b/c]` also reads a field of a map by a name with dots.
fn item_of<'a>(value: &'a Value, key: &str, wanted: &str) -> Option<&'a Value> {
    match value {
        Value::Array(items) => items.iter().find(|item| text(item.get(key)) == wanted),
        Value::Object(fields) => fields.get(wanted),
        _ => None,
    }
}

/// The fields of the item of a list that has this value of a key, among others: `k:{"name":"hello"}`; or of
/// a map, the field of that name.
fn item_in<'f>(fields: &'f Value, key: &str, wanted: &str) -> Option<&'f Value> {
    let item = fields.as_object()?.iter().find_map(|(path, inner)| {
        let keys: Value = serde_json::from_str(path.strip_prefix("k:")?).ok()?;
        (text(Some(keys.get(key)?)) == wanted).then_some(inner)
    });
    item.or_else(|| fields.get(format!("f:{wanted}")))
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_named_as_for_kubectl() {
        let check = |text: &str, kind: &str, name: &str, namespace: Option<&str>| {
            let words = object_words(text).unwrap();
            assert_eq!(
                (words.kind.as_str(), words.name.as_str(), words.namespace.as_deref()),
                (kind, name, namespace)
            );
        };
        check("deployment/hello", "deployment", "hello", None);
        check("deploy/hello -n web", "deploy", "hello", Some("web"));
        check("-n web deploy/hello", "deploy", "hello", Some("web"));
        for bad in ["", "hello", "a/b/c", "a/", "a/b -n", "a/b c/d"] {
            assert!(object_words(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fields_are_found_by_name_position_and_key() {
        let object = Object::from_value(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a.b/c": "d"}},
            "spec": {"containers": [{"name": "x", "image": "i:1"}]}, "data": {"1": "one"},
        }))
        .unwrap();
        let check = |path: &str, expected: Option<Value>| {
            assert_eq!(FieldPath::read(path).unwrap().get(&object).cloned(), expected, "{path}");
        };
        check("spec.containers[x].image", Some(json!("i:1")));
        check("spec.containers[name=x].image", Some(json!("i:1")));
        check("spec.containers.0.image", Some(json!("i:1")));
        check(".spec.containers[0].image", Some(json!("i:1")));
        check("metadata.labels[a.b/c]", Some(json!("d")));
        check("data.1", Some(json!("one")));
        check("spec.containers[y].image", None);
        for bad in ["", "a..b", "a[b", "."] {
            assert!(FieldPath::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_covers_the_leaves_of_the_trace_below_it() {
        let path = FieldPath::read("spec.template.spec.containers[app]").unwrap();
        assert!(path.covers("spec.template.spec.containers[name=app].image"));
        assert!(!path.covers("spec.template.spec.containers[name=other].image"));
    }
}
