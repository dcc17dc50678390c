//! Vars: `$(NAME)` in some fields stands for a field of an object. Deprecated, replacements do better.

use std::collections::BTreeMap;

use super::config::Config;
use super::fault::{Fault, Outcome};
use super::fields::Make;
use super::file::Var;
use super::path;
use super::resource::{Id, Resource, Resources};
use super::schema;
use crate::manifest::yaml::{Content, Node, Scalar, Tag};

/// Notes which object each var reads, and collects the vars.
pub(super) fn collect(all: &mut Vec<Var>, more: &[Var], resources: &mut Resources) -> Outcome {
    for var in more {
        let mut meant = resources.0.iter_mut().filter(|resource| is_meant(resource, var));
        let (first, second) = (meant.next(), meant.next());
        if second.is_some() {
            let message = format!("the var {} may read several objects", var.name);
            return Err(Fault::new(message, "add the namespace to its objref"));
        }
        if let Some(resource) = first {
            resource.vars.push(var.name.clone());
        }
    }
    merge(all, more)
}

/// Adds vars; two of one name are a mistake.
pub(super) fn merge(all: &mut Vec<Var>, more: &[Var]) -> Outcome {
    for var in more {
        if all.iter().any(|other| other.name == var.name) {
            return Err(Fault::new(format!("the var {} is there twice", var.name), "rename one"));
        }
        all.push(var.clone());
    }
    Ok(())
}

/// Puts the values of vars where they are used.
pub(super) fn resolve(resources: &mut Resources, vars: &[Var], config: &Config) -> Outcome {
    let mut values = BTreeMap::new();
    for var in vars {
        values.insert(var.name.as_str(), value_of(var, resources)?);
    }
    if values.is_empty() {
        return Ok(());
    }
    for resource in &mut resources.0 {
        let mut set = |node: &mut Node| substitute(node, &values);
        let specs = config.var_reference.iter();
        specs
            .into_iter()
            .try_for_each(|spec| spec.apply(&mut resource.node, Make::Nothing, &mut set))?;
    }
    Ok(())
}

fn is_meant(resource: &Resource, var: &Var) -> bool {
    let object = &var.object;
    let in_any = object.namespace.is_empty()
        && !schema::is_cluster_scoped(&object.kind.api_version(), &object.kind.kind);
    let fits = |id: &Id| {
        id.name == object.name
            && id.kind == object.kind
            && (in_any || object.namespace.is_empty() || id.namespace == object.namespace)
    };
    resource.ids().iter().any(fits)
}

fn value_of(var: &Var, resources: &Resources) -> Outcome<Scalar> {
    let reads = |resource: &&Resource| resource.vars.contains(&var.name);
    let Some(resource) = resources.0.iter().find(reads) else {
        return Err(Fault::new(
            format!("the var {} reads no object of the build", var.name),
            "correct its objref",
        ));
    };
    let path = if var.field_path.is_empty() { "metadata.name" } else { &var.field_path };
    let path = path.replace('[', ".").replace(']', "");
    match path::get(&resource.node, &path::split(&path))?.and_then(Node::as_scalar) {
        Some(scalar) => Ok(scalar.clone()),
        None => {
            let message =
                format!("the var {} reads {}, which has no such text", var.name, resource.id());
            Err(Fault::new(message, "correct its fieldref"))
        }
    }
}

fn substitute(node: &mut Node, values: &BTreeMap<&str, Scalar>) -> Outcome {
    match &mut node.content {
        Content::Scalar(scalar) if scalar.tag == Tag::Str => {
            *scalar = expanded(&scalar.text, values)
        }
        Content::Scalar(_) => {}
        Content::Sequence(items) => {
            items.iter_mut().try_for_each(|item| substitute(item, values))?
        }
        Content::Mapping(entries) => {
            let scalars = entries.iter_mut().map(|entry| &mut entry.value);
            let mut scalars = scalars.filter(|value| value.as_scalar().is_some());
            scalars.try_for_each(|value| substitute(value, values))?;
        }
    }
    Ok(())
}

/// A text with its `$(NAME)` replaced; one that is nothing else takes over the sort of the value.
fn expanded(text: &str, values: &BTreeMap<&str, Scalar>) -> Scalar {
    let whole = text.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(value) = whole.and_then(|name| values.get(name)) {
        return value.clone();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) =
            rest.strip_prefix('(').and_then(|rest| rest.split_once(')'))
        {
            match values.get(name) {
                Some(value) => out.push_str(&value.text),
                None => out.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    Scalar::text(out + rest)
}
