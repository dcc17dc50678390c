//! Paths of replacements and vars: field names between dots, `[key=value]`, positions and `*`.

use regex_lite::Regex;

use super::fault::{Fault, Outcome};
use super::fields::split_path;
use crate::manifest::yaml::{Content, Dialect, Node, Scalar};

/// Splits a path at dots; what stands in brackets stays together, and loses them when it has no `=`.
pub(super) fn split(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut parts = split_path(path, '.').into_iter();
    while let Some(mut part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            steps.push(part);
            continue;
        }
        while !part.ends_with(']') {
            let Some(next) = parts.next() else { break };
            part = format!("{part}.{next}");
        }
        let keeps = part.contains('=');
        steps.push(if keeps { part } else { part.trim_matches(['[', ']']).to_owned() });
    }
    steps
}

/// The one node at a path; `None` when something on the way is missing.
pub(super) fn get<'a>(node: &'a Node, path: &[String]) -> Outcome<Option<&'a Node>> {
    let mut here = node;
    for step in path.iter().map(|step| step.trim()).filter(|step| !step.is_empty()) {
        let next = match step {
            "*" => return Err(Fault::new("a source has no *", "name the one item that is meant")),
            "-" => here.items().last(),
            _ => match (step.parse::<usize>(), list_item(step)) {
                (Ok(at), _) => here.items().get(at),
                (_, Some((key, value))) => {
                    here.items().iter().find(|item| is_item(item, key, value))
                }
                _ => here.get(step),
            },
        };
        let Some(next) = next else { return Ok(None) };
        here = next;
    }
    Ok(Some(here))
}

/// Applies `set` to every node that a path leads to; with `make`, what is missing is made, and what
/// the path ends in has that content. How many there were.
pub(super) fn for_each(
    node: &mut Node,
    path: &[String],
    make: Option<&Content>,
    set: &mut dyn FnMut(&mut Node) -> Outcome,
) -> Outcome<usize> {
    let Some((step, rest)) = path.split_first() else {
        set(node)?;
        return Ok(1);
    };
    if let Ok(at) = step.parse::<usize>() {
        return at_position(node, at, rest, make, set);
    }
    match list_item(step) {
        Some((key, value)) => at_items(node, key, value, rest, make, set),
        None if step == "*" => {
            let items = items_of(node)?.iter_mut();
            items.map(|item| for_each(item, rest, make, set)).sum()
        }
        None if step.starts_with('[') && step.ends_with(']') => {
            Err(Fault::new(format!("{step} names no item"), "write [key=value]"))
        }
        None => at_field(node, step, rest, make, set),
    }
}

fn at_field(
    node: &mut Node,
    name: &str,
    rest: &[String],
    make: Option<&Content>,
    set: &mut dyn FnMut(&mut Node) -> Outcome,
) -> Outcome<usize> {
    if !node.is_mapping() && !node.is_null() {
        return Err(Fault::new(
            format!("{name} is looked for in what is no mapping"),
            "correct the path",
        ));
    }
    if node.get(name).is_none() {
        let Some(make) = make else { return Ok(0) };
        if node.is_null() {
            node.content = Content::Mapping(Vec::new());
        }
        node.set(name, Node::new(made_for(rest.first(), make)));
    }
    for_each(node.get_mut(name).expect("there, or made"), rest, make, set)
}

fn at_position(
    node: &mut Node,
    at: usize,
    rest: &[String],
    make: Option<&Content>,
    set: &mut dyn FnMut(&mut Node) -> Outcome,
) -> Outcome<usize> {
    let items = items_of(node)?;
    if let (true, Some(make)) = (items.len() == at, make) {
        items.push(Node::new(made_for(rest.first(), make)));
    }
    let length = items.len();
    match items.get_mut(at) {
        Some(item) => for_each(item, rest, make, set),
        None => {
            let message = format!("position {at} of a list of {length}");
            Err(Fault::new(message, "positions count from 0"))
        }
    }
}

fn at_items(
    node: &mut Node,
    key: &str,
    value: &str,
    rest: &[String],
    make: Option<&Content>,
    set: &mut dyn FnMut(&mut Node) -> Outcome,
) -> Outcome<usize> {
    let pattern = Regex::new(value).map_err(|_| {
        Fault::new(format!("{value:?} is no regular expression"), "write the value")
    })?;
    let matches = |item: &Node| match key {
        "" => pattern.is_match(item.raw()),
        key => item.get(key).is_some_and(|field| pattern.is_match(field.raw())),
    };
    let items = items_of(node)?;
    let mut count = 0;
    for item in items.iter_mut().filter(|item| matches(item)) {
        count += for_each(item, rest, make, set)?;
    }
    let (0, Some(_)) = (count, make) else { return Ok(count) };
    let item = new_item(key, value);
    if !matches(&item) || items.iter().any(matches) {
        return Ok(0);
    }
    items.push(item);
    for_each(items.last_mut().expect("just put there"), rest, make, set)
}

fn new_item(key: &str, value: &str) -> Node {
    let scalar = Node::new(Content::Scalar(Scalar::plain(value, Dialect::Kustomize)));
    if key.is_empty() {
        return scalar;
    }
    let mut item = Node::mapping();
    item.set(key, scalar);
    item
}

fn items_of(node: &mut Node) -> Outcome<&mut Vec<Node>> {
    if node.is_null() {
        node.content = Content::Sequence(Vec::new());
    }
    node.items_mut()
        .ok_or_else(|| Fault::new("an item is looked for in what is no list", "correct the path"))
}

/// What is made so that the next step finds its place.
fn made_for(next: Option<&String>, make: &Content) -> Content {
    match next {
        None => make.clone(),
        Some(step) if step.starts_with('[') && step.ends_with(']') => Content::Sequence(Vec::new()),
        Some(step) if step.parse::<usize>().is_ok() => Content::Sequence(Vec::new()),
        Some(_) => Content::Mapping(Vec::new()),
    }
}

/// The key and the value of `[key=value]`.
fn list_item(step: &str) -> Option<(&str, &str)> {
    step.strip_prefix('[')?.strip_suffix(']')?.split_once('=')
}

fn is_item(item: &Node, key: &str, value: &str) -> bool {
    match key {
        "" => item.raw() == value,
        key => item.get(key).is_some_and(|field| field.raw() == value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_keep_dots_together() {
        let check = |path: &str, steps: &[&str]| assert_eq!(split(path), steps, "{path}");
        check("spec.template.spec", &["spec", "template", "spec"]);
        check("metadata.annotations.[a.b/c]", &["metadata", "annotations", "a.b/c"]);
        check("spec.[name=a.b].image", &["spec", "[name=a.b]", "image"]);
        check("a.b\\.c", &["a", "b.c"]);
        check("a.[b", &["a", "b"]);
    }
}
