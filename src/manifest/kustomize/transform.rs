//! The transformers that write the same into every object: namespace, prefix and suffix, labels,
//! annotations, replicas, images.

use std::collections::BTreeMap;

use regex_lite::Regex;

use super::config::Config;
use super::fault::{Fault, Outcome};
use super::fields::{self, FieldSpec, Make, is_selected, set_entry, set_text, text_at};
use super::file::{Image, Label, Replicas};
use super::resource::{Resource, Resources};
use super::twins::Trail;
use crate::manifest::yaml::{Content, Node, Scalar, Tag};
use crate::object::GroupVersionKind;

/// Puts every object into a namespace.
pub(super) fn namespace(
    resources: &mut Resources,
    namespace: &str,
    specs: &[FieldSpec],
) -> Outcome {
    for resource in &mut resources.0 {
        resource.remember();
        set_namespace(resource, namespace, specs)?;
    }
    let ids: Vec<_> = resources.0.iter().map(Resource::id).collect();
    let mut sorted = ids.clone();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            let message = format!("in namespace {namespace}, two objects are both {}", pair[0]);
            Err(Fault::new(message, "rename one, or leave it out"))
        }
    }
}

fn set_namespace(resource: &mut Resource, namespace: &str, specs: &[FieldSpec]) -> Outcome {
    let mut set = |node: &mut Node| overwrite(node, Scalar::text(namespace));
    if !resource.is_cluster_scoped() {
        let own =
            FieldSpec { path: "metadata/namespace".into(), create: true, ..FieldSpec::default() };
        own.apply(&mut resource.node, Make::Text, &mut set)?;
    }
    let kind = resource.kind();
    let binds = kind == "RoleBinding" || kind == "ClusterRoleBinding";
    if binds {
        default_subjects(&mut resource.node, namespace)?;
    }
    let is_core = text_at(&resource.node, "apiVersion") == "v1";
    let applies = |spec: &&FieldSpec| match spec.path.as_str() {
        "metadata/namespace" => false,
        "metadata/name" => is_core,
        "subjects/namespace" => !binds,
        _ => true,
    };
    specs
        .iter()
        .filter(applies)
        .try_for_each(|spec| spec.apply(&mut resource.node, Make::Text, &mut set))
}

/// Subjects named `default` move along.
fn default_subjects(node: &mut Node, namespace: &str) -> Outcome {
    let Some(subjects) = node.get_mut("subjects").filter(|node| !node.is_null()) else {
        return Ok(());
    };
    let Some(subjects) = subjects.items_mut() else {
        return Err(Fault::new("subjects is no list", "write one subject after a - each"));
    };
    for subject in subjects.iter_mut().filter(|subject| text_at(subject, "name") == "default") {
        subject.set("namespace", Node::string(namespace));
    }
    Ok(())
}

fn overwrite(node: &mut Node, scalar: Scalar) -> Outcome {
    if node.as_scalar().is_none() {
        return Err(Fault::new(
            "a collection stands where text should",
            "check the object against its kind",
        ));
    }
    node.content = Content::Scalar(scalar);
    Ok(())
}

/// Puts a prefix before every name.
pub(super) fn prefix(resources: &mut Resources, prefix: &str, specs: &[FieldSpec]) -> Outcome {
    rename(
        resources,
        specs,
        |name| format!("{prefix}{name}"),
        |resource| {
            resource.prefixes.push(prefix.into());
        },
    )
}

/// Puts a suffix after every name.
pub(super) fn suffix(resources: &mut Resources, suffix: &str, specs: &[FieldSpec]) -> Outcome {
    rename(
        resources,
        specs,
        |name| format!("{name}{suffix}"),
        |resource| {
            resource.suffixes.push(suffix.into());
        },
    )
}

fn rename(
    resources: &mut Resources,
    specs: &[FieldSpec],
    renamed: impl Fn(&str) -> String,
    note: impl Fn(&mut Resource),
) -> Outcome {
    for resource in &mut resources.0 {
        let original = resource.original_id().kind;
        if keeps_its_name(&original) {
            continue;
        }
        for spec in specs.iter().filter(|spec| is_selected(&original, &spec.kind)) {
            if spec.path == "metadata/name" {
                note(resource);
                resource.remember();
            }
            let mut set = |node: &mut Node| {
                let name = renamed(node.raw());
                set_text(node, &name)
            };
            spec.apply(&mut resource.node, Make::Text, &mut set)?;
        }
    }
    Ok(())
}

/// Kinds whose name says what they are about.
fn keeps_its_name(kind: &GroupVersionKind) -> bool {
    matches!(kind.kind.as_str(), "CustomResourceDefinition" | "Namespace")
        || (kind.kind == "APIService" && kind.group == "apiregistration.k8s.io")
}

/// Adds the labels of an entry of `labels`.
pub(super) fn label(resources: &mut Resources, label: &Label, config: &Config) -> Outcome {
    let mut specs = label.fields.clone();
    fields::merge(&mut specs, &config.labels)?;
    if label.include_selectors {
        fields::merge(&mut specs, &config.common_labels)?;
    } else {
        if label.include_templates {
            fields::merge(&mut specs, &config.template_labels)?;
        }
        let own =
            FieldSpec { path: "metadata/labels".into(), create: true, ..FieldSpec::default() };
        fields::merge(&mut specs, &[own])?;
    }
    entries(resources, &label.pairs, &specs)
}

/// Puts entries into the mappings at some fields of every object.
pub(super) fn entries(
    resources: &mut Resources,
    pairs: &BTreeMap<String, String>,
    specs: &[FieldSpec],
) -> Outcome {
    for resource in &mut resources.0 {
        for (key, value) in pairs {
            set_entries(resource, key, value, specs)?;
        }
    }
    Ok(())
}

fn set_entries(resource: &mut Resource, key: &str, value: &str, specs: &[FieldSpec]) -> Outcome {
    let before = resource.twins.before(&resource.node);
    let mut new_places = Vec::new();
    let mut set = |node: &mut Node, place: &Trail| {
        if node.get(key).is_none() {
            new_places.push([place.as_slice(), &[key.to_owned()]].concat());
        }
        set_entry(node, key, value)
    };
    for spec in specs {
        spec.apply_with_place(&mut resource.node, Make::Mapping, &mut set)?;
    }
    resource.twins.follow(&mut resource.node, before);
    resource.twins.add(new_places);
    Ok(())
}

/// Sets the number of replicas of what is, or was, called by a name.
pub(super) fn replicas(
    resources: &mut Resources,
    replicas: &Replicas,
    specs: &[FieldSpec],
) -> Outcome {
    let mut found = false;
    let count = Scalar { text: replicas.count.to_string(), tag: Tag::Int };
    for spec in specs {
        let meant = |resource: &&mut Resource| {
            let is = |kind, name: &str| name == replicas.name && is_selected(kind, &spec.kind);
            resource.ids().iter().any(|id| is(&id.kind, &id.name))
        };
        for resource in resources.0.iter_mut().filter(meant) {
            found = true;
            let mut set = |node: &mut Node| overwrite(node, count.clone());
            spec.apply(&mut resource.node, Make::Whole, &mut set)?;
        }
    }
    if found {
        return Ok(());
    }
    let message = format!("nothing that has replicas is called {:?}", replicas.name);
    Err(Fault::new(
        message,
        "write the name of a Deployment, StatefulSet, ReplicaSet or ReplicationController",
    ))
}

/// Changes the images that an entry of `images` names.
pub(super) fn image(resources: &mut Resources, image: &Image, specs: &[FieldSpec]) -> Outcome {
    let pattern = format!("^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$", image.name);
    let pattern = Regex::new(&pattern).map_err(|_| {
        let message = format!("{:?} is no image name", image.name);
        Fault::new(message, "write the name without tag and digest")
    })?;
    let has_images = |resource: &&mut Resource| resource.kind() != "CustomResourceDefinition";
    let mut set = |node: &mut Node| set_image(node, image, &pattern);
    for resource in resources.0.iter_mut().filter(has_images) {
        in_containers(&mut resource.node, &mut set)?;
        specs
            .iter()
            .try_for_each(|spec| spec.apply(&mut resource.node, Make::Nothing, &mut set))?;
    }
    Ok(())
}

/// The images under any `containers` or `initContainers`, wherever they stand.
fn in_containers(node: &mut Node, set: &mut dyn FnMut(&mut Node) -> Outcome) -> Outcome {
    match &mut node.content {
        Content::Scalar(_) => Ok(()),
        Content::Sequence(items) => items.iter_mut().try_for_each(|item| in_containers(item, set)),
        Content::Mapping(entries) => entries.iter_mut().try_for_each(|entry| {
            in_containers(&mut entry.value, set)?;
            let holds = matches!(entry.key.text.as_str(), "containers" | "initContainers");
            let items = entry.value.items_mut().filter(|_| holds);
            let images = items.into_iter().flatten().filter_map(|item| item.get_mut("image"));
            images.into_iter().try_for_each(&mut *set)
        }),
    }
}

fn set_image(node: &mut Node, image: &Image, pattern: &Regex) -> Outcome {
    if node.is_null() {
        return Ok(());
    }
    if node.as_scalar().is_none() {
        return Err(Fault::new("an image that is no text", "write the name of the image"));
    }
    if !pattern.is_match(node.raw()) {
        return Ok(());
    }
    let changed = changed_image(node.raw(), image);
    set_text(node, &changed)
}

fn changed_image(text: &str, image: &Image) -> String {
    let (name, tag, digest) = split_image(text);
    let name = if image.new_name.is_empty() { name } else { &image.new_name };
    let suffixed = format!("{tag}{}", image.tag_suffix);
    let (tag, digest) = match (image.new_tag.as_str(), image.digest.as_str()) {
        ("", "") if image.tag_suffix.is_empty() => (tag, digest),
        ("", "") => (suffixed.as_str(), ""),
        (tag, digest) => (tag, digest),
    };
    let part = |mark: &str, part: &str| {
        if part.is_empty() { String::new() } else { format!("{mark}{part}") }
    };
    format!("{name}{}{}", part(":", tag), part("@", digest))
}

/// Name, tag and digest of an image; a port of the registry belongs to the name.
fn split_image(text: &str) -> (&str, &str, &str) {
    let search = text.find('/').filter(|at| *at > 0).unwrap_or(0);
    let (rest, digest) = match text[search..].find('@') {
        Some(at) => (&text[..search + at], &text[search + at + 1..]),
        None => (text, ""),
    };
    match rest[search..].find(':') {
        Some(at) => (&rest[..search + at], &rest[search + at + 1..], digest),
        None => (rest, "", digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_changed_part_by_part() {
        let check = |text: &str, image: Image, changed: &str| {
            assert_eq!(changed_image(text, &image), changed, "{text}");
        };
        let new_tag = || Image { new_tag: "2".into(), ..Image::default() };
        let new_name = || Image { new_name: "other".into(), ..Image::default() };
        let digest = || Image { digest: "sha256:b".into(), ..Image::default() };
        let suffix = || Image { tag_suffix: "-x".into(), ..Image::default() };
        check("nginx", new_tag(), "nginx:2");
        check("reg:5000/x/y:1", new_tag(), "reg:5000/x/y:2");
        check("reg:5000/x/y", new_tag(), "reg:5000/x/y:2");
        check("a/b:1@sha256:a", new_name(), "other:1@sha256:a");
        check("a/b:1@sha256:a", new_tag(), "a/b:2");
        check("a/b:1", digest(), "a/b@sha256:b");
        check("a/b:1@sha256:a", suffix(), "a/b:1-x");
    }
}
