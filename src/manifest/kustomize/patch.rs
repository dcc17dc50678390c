//! Patches: strategic merge and JSON patch, and which objects they are for.

use regex_lite::Regex;
use serde_json::Value;

use super::fault::{Fault, Outcome};
use super::fields::text_at;
use super::file::{Patch, Selector, Text};
use super::files::Files;
use super::merge::merge;
use super::resource::{self, Id, Resource, Resources};
use crate::manifest::yaml::{self, Dialect, Node};
use crate::object::{GroupVersionKind, LabelSelector, apply_json_patch};

/// A patch, read.
pub(super) enum Patching {
    Strategic(Vec<Resource>),
    Json(Vec<Value>),
}

/// Reads an entry of `patches`.
pub(super) fn read(
    patch: &Patch,
    files: &Files<'_>,
    folder: &str,
    file: &str,
) -> Outcome<Patching> {
    let inline = patch.patch.trim();
    let (at, text) = match (inline.is_empty(), patch.path.is_empty()) {
        (false, true) => (file.to_owned(), inline.to_owned()),
        (true, false) => files.text(folder, &patch.path)?,
        _ => return Err(Fault::new("a patch is either patch or path", "write one of the two")),
    };
    match (resource::read(&at, &text), json_operations(&at, &text)) {
        (Ok(patches), Err(_)) => Ok(Patching::Strategic(patches)),
        (Err(_), Ok(operations)) => Ok(Patching::Json(operations)),
        (Ok(_), Ok(_)) => Err(Fault::new(
            format!("{at} is neither clearly a strategic merge patch nor a JSON patch"),
            "write a mapping for the one, a list of operations for the other",
        )),
        (Err(strategic), Err(json)) => Err(neither(&text, strategic, json)),
    }
}

/// Applies an entry of `patches`.
pub(super) fn apply(resources: &mut Resources, patch: &Patch, patching: &Patching) -> Outcome {
    match (patching, &patch.target) {
        (Patching::Strategic(patches), None) if !patches.is_empty() => {
            patches.iter().try_for_each(|one| {
                let target = resources.the_one_called(&one.id())?;
                strategic(target, one.node.clone(), Renames::of(patch))
            })
        }
        (Patching::Strategic(patches), Some(target)) => match patches.as_slice() {
            [] => Ok(()),
            [one] => strategic_to_all(resources, target, one, Renames::of(patch)),
            _ => Err(Fault::new(
                "several patches for one target",
                "write one entry of patches for each",
            )),
        },
        (Patching::Json(operations), Some(target)) => {
            for at in select(resources, target)? {
                let resource = &mut resources.0[at];
                resource.remember();
                json(resource, operations)?;
            }
            Ok(())
        }
        (_, None) => {
            Err(Fault::new("a JSON patch without a target", "write target with kind and name"))
        }
    }
}

/// Reads and applies an entry of `patchesStrategicMerge`: a patch, or the path of a file of some.
pub(super) fn apply_strategic(
    resources: &mut Resources,
    entry: &Text,
    files: &Files<'_>,
    folder: &str,
    file: &str,
) -> Outcome {
    let patches = match resource::read(file, &entry.value) {
        Ok(patches) => patches,
        Err(_) => {
            let (at, text) = files.text(folder, &entry.value)?;
            resource::read(&at, &text)
                .map_err(|mistake| Fault::new(mistake.to_string(), "correct the patch"))?
        }
    };
    if patches.is_empty() {
        return Err(Fault::new("the patch is empty", "write the patch, or leave the entry out"));
    }
    for patch in patches {
        let target = resources.the_one_called(&patch.id())?.id();
        strategic_to(resources, |resource| resource.id() == target, &patch, Renames::default())?;
    }
    Ok(())
}

/// Reads and applies an entry of `patchesJson6902`.
pub(super) fn apply_json6902(
    resources: &mut Resources,
    patch: &Patch,
    files: &Files<'_>,
    folder: &str,
    file: &str,
) -> Outcome {
    let Some(target) = patch.target.as_ref().filter(|target| !target.name.is_empty()) else {
        return Err(Fault::new(
            "a JSON patch without a target's name",
            "write target with kind and name",
        ));
    };
    let (at, text) = match (patch.patch.is_empty(), patch.path.is_empty()) {
        (false, true) => (file.to_owned(), patch.patch.clone()),
        (true, false) => files.text(folder, &patch.path)?,
        _ => return Err(Fault::new("a patch is either patch or path", "write one of the two")),
    };
    let operations = json_operations(&at, &text)?;
    if operations.is_empty() {
        return Err(Fault::new(
            "the patch is empty",
            "write its operations, or leave the entry out",
        ));
    }
    for at in select(resources, target)? {
        json(&mut resources.0[at], &operations)?;
    }
    Ok(())
}

/// What a patch may change of what its target is called.
#[derive(Clone, Copy, Default)]
struct Renames {
    name: bool,
    kind: bool,
}

impl Renames {
    fn of(patch: &Patch) -> Self {
        let allows = |option: &str| patch.options.get(option).copied().unwrap_or(false);
        Renames { name: allows("allowNameChange"), kind: allows("allowKindChange") }
    }
}

fn strategic_to_all(
    resources: &mut Resources,
    target: &Selector,
    patch: &Resource,
    renames: Renames,
) -> Outcome {
    let ids: Vec<Id> =
        select(resources, target)?.into_iter().map(|at| resources.0[at].id()).collect();
    strategic_to(resources, |resource| ids.contains(&resource.id()), patch, renames)
}

/// Applies a patch to what `is_meant`: the patch takes on the version of each.
fn strategic_to(
    resources: &mut Resources,
    is_meant: impl Fn(&Resource) -> bool,
    patch: &Resource,
    renames: Renames,
) -> Outcome {
    let mut patch = patch.node.clone();
    textual(&mut patch, "labels");
    textual(&mut patch, "annotations");
    for resource in resources.0.iter_mut().filter(|resource| is_meant(resource)) {
        let mut patch = patch.clone();
        patch.set("apiVersion", Node::string(text_at(&resource.node, "apiVersion")));
        strategic(resource, patch, renames)?;
    }
    resources.drop_empty();
    let patched = std::mem::take(resources);
    resources.append_all(patched)
}

/// Makes text of all values of a map in the metadata; an empty one goes.
fn textual(patch: &mut Node, map: &str) {
    let Some(metadata) = patch.get_mut("metadata") else { return };
    if metadata.get(map).is_some_and(Node::is_empty) {
        metadata.remove(map);
    }
    for entry in metadata.get_mut(map).and_then(Node::entries_mut).into_iter().flatten() {
        entry.value = Node::string(entry.value.raw());
    }
}

/// Merges a patch into one object, which keeps its name, its namespace and its kind. `$patch: replace`
/// at the top does nothing in kustomize, which keeps the object and drops the replacement.
fn strategic(resource: &mut Resource, patch: Node, renames: Renames) -> Outcome {
    let (name, namespace, kind) = (resource.name(), resource.namespace(), resource.kind());
    if renames.name || renames.kind {
        resource.remember();
    }
    if text_at(&patch, "$patch") == "replace" {
        return Ok(());
    }
    let id = resource.id();
    let before = resource.twins.before(&resource.node);
    let object = std::mem::replace(&mut resource.node, Node::mapping());
    let Some(merged) =
        merge(object, patch).map_err(|fault| fault.within(&format!("patching {id}")))?
    else {
        return Ok(());
    };
    resource.node = merged;
    resource.twins.follow(&mut resource.node, before);
    if !renames.kind {
        resource.node.set("kind", Node::string(kind));
    }
    if !renames.name {
        resource.set_name(&name);
    }
    resource.set_namespace(&namespace);
    Ok(())
}

/// Applies the operations of a JSON patch to one object.
fn json(resource: &mut Resource, operations: &[Value]) -> Outcome {
    let id = resource.id();
    if resource.is_noted() {
        resource.make_annotations();
    }
    if let Some(unfit) = resource.node.unfit() {
        let message = format!("{:?} stands in {id} where a number or a truth stood", unfit.text);
        return Err(Fault::new(message, "correct the replacement that put it there"));
    }
    let mut object = resource.node.value();
    for operation in operations {
        apply_json_patch(&mut object, operation).ok_or_else(|| {
            let message = format!("patching {id}: can't do {operation}");
            Fault::new(message, "check the path against the object as it is built so far")
        })?;
    }
    resource.node = Node::from_value(&object);
    resource.twins.clear();
    Ok(())
}

/// The operations of a JSON patch, in JSON or YAML.
fn json_operations(file: &str, text: &str) -> Outcome<Vec<Value>> {
    let wrong =
        || Fault::new(format!("{file} is no JSON patch"), "write a list of op, path and value");
    if text.is_empty() {
        return Err(wrong());
    }
    let value = if text.starts_with('[') {
        serde_json::from_str(text).map_err(|error| wrong().within(&error.to_string()))?
    } else {
        let documents = yaml::nodes(file, text, Dialect::Kubectl)
            .map_err(|error| Fault::new(error.to_string(), "write a list of op, path and value"))?;
        documents.first().map_or(Value::Null, Node::value)
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(operations) if operations.iter().all(Value::is_object) => Ok(operations),
        _ => Err(wrong()),
    }
}

/// Text that is no patch of either sort: which complaint is the useful one is told by its look.
fn neither(text: &str, strategic: crate::manifest::Mistake, json: Fault) -> Fault {
    if text.trim_start().starts_with(['-', '[']) {
        return json;
    }
    Fault::new(format!("this is no patch: {}", strategic.message), strategic.remedy)
}

/// The places of the objects that a target selects.
fn select(resources: &Resources, target: &Selector) -> Outcome<Vec<usize>> {
    let matcher = Matcher::of(target)?;
    let selected = resources.0.iter().enumerate().filter(|(_, resource)| matcher.matches(resource));
    Ok(selected.map(|(at, _)| at).collect())
}

/// A target with its expressions read; `None` matches anything.
struct Matcher {
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
    labels: LabelSelector,
    annotations: LabelSelector,
}

impl Matcher {
    fn of(target: &Selector) -> Outcome<Self> {
        let GroupVersionKind { group, version, kind } = &target.kind;
        Ok(Matcher {
            group: whole(group)?,
            version: whole(version)?,
            kind: whole(kind)?,
            name: whole(&target.name)?,
            namespace: whole(&target.namespace)?,
            labels: labels(&target.labels)?,
            annotations: labels(&target.annotations)?,
        })
    }

    fn matches(&self, resource: &Resource) -> bool {
        let fits =
            |pattern: &Option<Regex>, text: &str| pattern.as_ref().is_none_or(|p| p.is_match(text));
        let (first, now) = (resource.original_id(), resource.id());
        (fits(&self.namespace, &first.namespace) || fits(&self.namespace, &now.namespace))
            && (fits(&self.name, &first.name) || fits(&self.name, &now.name))
            && fits(&self.group, &now.kind.group)
            && fits(&self.version, &now.kind.version)
            && fits(&self.kind, &now.kind.kind)
            && self.labels.matches_labels(&resource.texts("labels").into_iter().collect())
            && self.annotations.matches_labels(&resource.texts("annotations").into_iter().collect())
    }
}

/// An expression that must match a whole text.
fn whole(pattern: &str) -> Outcome<Option<Regex>> {
    if pattern.is_empty() {
        return Ok(None);
    }
    Regex::new(&format!("^(?:{pattern})$")).map(Some).map_err(|error| {
        Fault::new(
            format!("{pattern:?} is no regular expression: {error}"),
            "write one, such as web-.*",
        )
    })
}

/// Reads a label selector.
pub(super) fn labels(text: &str) -> Outcome<LabelSelector> {
    text.parse().map_err(|error| {
        Fault::new(format!("{text:?} is no selector: {error}"), "write one, such as app=web")
    })
}
