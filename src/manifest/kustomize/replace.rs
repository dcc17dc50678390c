//! Replacements: a value of one object, copied into fields of others.

use super::fault::{Fault, Outcome};
use super::fields::is_selected;
use super::file::{Delimited, Replacement, Selector, Source, Target};
use super::patch::labels;
use super::path;
use super::resource::{Id, Resource, Resources};
use crate::manifest::yaml::{Content, Node, Scalar};

/// Does one replacement.
pub(super) fn apply(resources: &mut Resources, replacement: &Replacement) -> Outcome {
    let Some(source) = replacement.source.as_ref().filter(|_| !replacement.targets.is_empty())
    else {
        return Err(Fault::new(
            "a replacement without source or targets",
            "write source and targets",
        ));
    };
    let value = value_of(resources, source)?;
    replacement.targets.iter().try_for_each(|target| put(resources, target, &value))
}

fn value_of(resources: &Resources, source: &Source) -> Outcome<Node> {
    let chosen: Vec<&Resource> =
        resources.0.iter().filter(|resource| is_chosen(resource, &source.select)).collect();
    let resource = match chosen.as_slice() {
        [one] => one,
        [] => {
            return Err(Fault::new(
                format!("{} is no object of the build", shown(&source.select)),
                "correct the source",
            ));
        }
        _ => {
            return Err(Fault::new(
                format!("{} is more than one object", shown(&source.select)),
                "name the one that is meant",
            ));
        }
    };
    let field = or_name(&source.field_path);
    let node = path::get(&resource.node, &path::split(field))?.filter(|node| !node.is_empty());
    let Some(node) = node else {
        let message = format!("{} has no {field}", resource.id());
        return Err(Fault::new(message, "correct fieldPath of the source"));
    };
    part_of(node, &source.options)
}

/// The part of a text between delimiters.
fn part_of(node: &Node, options: &Delimited) -> Outcome<Node> {
    if options.delimiter.is_empty() {
        return Ok(node.clone());
    }
    let Some(scalar) = node.as_scalar() else { return Err(undelimited()) };
    let part = usize::try_from(options.index)
        .ok()
        .and_then(|at| scalar.text.split(options.delimiter.as_str()).nth(at));
    let Some(part) = part else {
        let message = format!("{:?} has no part {}", scalar.text, options.index);
        return Err(Fault::new(message, "correct options.index; parts count from 0"));
    };
    let mut node = node.clone();
    node.content = Content::Scalar(Scalar { text: part.into(), tag: scalar.tag });
    Ok(node)
}

fn undelimited() -> Fault {
    Fault::new(
        "a delimiter for what is no text",
        "leave the delimiter out, or name a field of text",
    )
}

fn put(resources: &mut Resources, target: &Target, value: &Node) -> Outcome {
    let Some(select) = &target.select else {
        return Err(Fault::new("a target without select", "say which objects the value goes to"));
    };
    for resource in &mut resources.0 {
        if !agrees(resource, select)? || is_rejected_by_labels(resource, target)? {
            continue;
        }
        let is_rejected =
            target.reject.iter().any(|reject| names_any(reject) && is_chosen(resource, reject));
        if is_chosen(resource, select) && !is_rejected {
            copy(resource, target, value)?;
        }
    }
    Ok(())
}

fn copy(resource: &mut Resource, target: &Target, value: &Node) -> Outcome {
    let id = resource.id();
    let usual = ["metadata.name".to_owned()];
    let paths = if target.field_paths.is_empty() { &usual[..] } else { &target.field_paths };
    let make = target.options.create.then(|| empty_like(value));
    for field in paths {
        let before = resource.twins.before(&resource.node);
        let mut set = |node: &mut Node| set_value(node, value, &target.options);
        let count =
            path::for_each(&mut resource.node, &path::split(field), make.as_ref(), &mut set)
                .map_err(|fault| fault.within(&format!("{field} of {id}")))?;
        resource.twins.follow(&mut resource.node, before);
        if count == 0 {
            let remedy = if target.options.create {
                "correct the path"
            } else {
                "correct the path, or write options: {create: true}"
            };
            return Err(Fault::new(format!("{id} has no {field}"), remedy));
        }
    }
    Ok(())
}

fn empty_like(value: &Node) -> Content {
    match &value.content {
        Content::Scalar(_) => Content::Scalar(Scalar::text("")),
        Content::Sequence(_) => Content::Sequence(Vec::new()),
        Content::Mapping(_) => Content::Mapping(Vec::new()),
    }
}

/// A scalar takes the text and keeps what it is of; anything else is replaced.
fn set_value(node: &mut Node, value: &Node, options: &Delimited) -> Outcome {
    let text = if options.delimiter.is_empty() {
        value.raw().to_owned()
    } else {
        let old = node.as_scalar().ok_or_else(undelimited)?;
        spliced(&old.text, value.raw(), options)
    };
    match &mut node.content {
        Content::Scalar(scalar) => scalar.text = text,
        content => *content = value.content.clone(),
    }
    Ok(())
}

/// The old text with one part replaced; a part before the first or behind the last is added.
fn spliced(old: &str, new: &str, options: &Delimited) -> String {
    let mut parts: Vec<&str> = old.split(options.delimiter.as_str()).collect();
    match usize::try_from(options.index) {
        Err(_) => parts.insert(0, new),
        Ok(at) if at >= parts.len() => parts.push(new),
        Ok(at) => parts[at] = new,
    }
    parts.join(&options.delimiter)
}

/// Whether one of the names of an object is the selector's.
fn is_chosen(resource: &Resource, selector: &Selector) -> bool {
    let namespace = if selector.namespace.is_empty() { "default" } else { &selector.namespace };
    let fits = |id: &Id| {
        (selector.name.is_empty() || selector.name == id.name)
            && (selector.namespace.is_empty() || namespace == id.namespace)
            && is_selected(&id.kind, &selector.kind)
    };
    resource.ids().iter().any(fits)
}

fn names_any(selector: &Selector) -> bool {
    *selector
        != Selector {
            labels: selector.labels.clone(),
            annotations: selector.annotations.clone(),
            ..Selector::default()
        }
}

fn is_rejected_by_labels(resource: &Resource, target: &Target) -> Outcome<bool> {
    for reject in target.reject.iter().filter(|r| !r.labels.is_empty() || !r.annotations.is_empty())
    {
        if agrees(resource, reject)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether labels and annotations are those the selector asks for.
fn agrees(resource: &Resource, selector: &Selector) -> Outcome<bool> {
    let texts = |map| resource.texts(map).into_iter().collect();
    Ok(labels(&selector.labels)?.matches_labels(&texts("labels"))
        && labels(&selector.annotations)?.matches_labels(&texts("annotations")))
}

fn or_name(path: &str) -> &str {
    if path.is_empty() { "metadata.name" } else { path }
}

fn shown(selector: &Selector) -> String {
    let parts = [
        &selector.kind.group,
        &selector.kind.version,
        &selector.kind.kind,
        &selector.namespace,
        &selector.name,
    ];
    let parts: Vec<&str> =
        parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    format!("source {:?}", parts.join("/"))
}
