//! Where in an object a transformer works: field specs, and the default ones.

use super::fault::{Fault, Outcome};
use super::twins::Trail;
use crate::manifest::yaml::{Content, Dialect, Node, Scalar, Tag};
use crate::object::GroupVersionKind;

/// A path in objects of some kinds; empty parts of the kind stand for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSpec {
    pub(super) kind: GroupVersionKind,
    /// Field names between `/`, which `\/` escapes; lists on the way are gone through.
    pub(super) path: String,
    /// Whether what is missing on the way is made.
    pub(super) create: bool,
}

/// The kind of an object that may hold names of others, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NameReference {
    pub(super) target: GroupVersionKind,
    pub(super) referrers: Vec<FieldSpec>,
}

/// What is done to a place, whose path comes with it.
type Set<'a> = &'a mut dyn FnMut(&mut Node, &Trail) -> Outcome;

/// What a transformer makes where its path ends in nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Make {
    Nothing,
    Mapping,
    Text,
    Whole,
}

impl FieldSpec {
    /// Applies `set` to every place of `object` that the path leads to.
    pub(super) fn apply(
        &self,
        object: &mut Node,
        make: Make,
        set: &mut dyn FnMut(&mut Node) -> Outcome,
    ) -> Outcome {
        self.apply_with_place(object, make, &mut |node, _| set(node))
    }

    /// Applies `set` to every place of `object` that the path leads to, and tells it the place.
    pub(super) fn apply_with_place(&self, object: &mut Node, make: Make, set: Set<'_>) -> Outcome {
        let (api_version, kind) = (text_at(object, "apiVersion"), text_at(object, "kind"));
        if !is_selected(&GroupVersionKind::new(&api_version, &kind), &self.kind) {
            return Ok(());
        }
        let steps = split_path(&self.path, '/');
        let make = if self.create { make } else { Make::Nothing };
        walk(object, &steps, make, &mut Trail::new(), set)
            .map_err(|fault| fault.within(&format!("at {} of {kind}", self.path)))
    }
}

/// Whether a kind is one that `selector` stands for.
pub(super) fn is_selected(kind: &GroupVersionKind, selector: &GroupVersionKind) -> bool {
    let fits = |selector: &str, part: &str| selector.is_empty() || selector == part;
    fits(&selector.group, &kind.group)
        && fits(&selector.version, &kind.version)
        && fits(&selector.kind, &kind.kind)
}

/// Splits a path; `\` before the separator keeps it.
pub(super) fn split_path(path: &str, separator: char) -> Vec<String> {
    let path = path.strip_prefix(separator).filter(|rest| !rest.is_empty()).unwrap_or(path);
    let mut steps: Vec<String> = Vec::new();
    for part in path.split(separator) {
        match steps.last_mut().filter(|last| last.ends_with('\\')) {
            Some(last) => {
                last.pop();
                last.push(separator);
                last.push_str(part);
            }
            None => steps.push(part.into()),
        }
    }
    steps
}

/// Adds specs that are not there yet; one for the same place with another `create` is a mistake.
pub(super) fn merge(specs: &mut Vec<FieldSpec>, more: &[FieldSpec]) -> Outcome {
    for spec in more {
        let same = |old: &&FieldSpec| is_selected(&old.kind, &spec.kind) && old.path == spec.path;
        match specs.iter().find(same) {
            Some(old) if old.create != spec.create => {
                let message = format!("two field specs for {} differ in create", spec.path);
                return Err(Fault::new(message, "keep one of the two"));
            }
            Some(_) => {}
            None => specs.push(spec.clone()),
        }
    }
    Ok(())
}

fn walk(node: &mut Node, steps: &[String], make: Make, trail: &mut Trail, set: Set<'_>) -> Outcome {
    let Some((step, rest)) = steps.split_first() else { return set(node, trail) };
    if node.is_null() {
        return Ok(());
    }
    match &mut node.content {
        Content::Sequence(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                trail.push(at.to_string());
                walk(item, steps, make, trail, set)?;
                trail.pop();
            }
            Ok(())
        }
        Content::Mapping(_) => {
            let Some(field) = field(node, step, rest.is_empty(), make)? else { return Ok(()) };
            trail.push(step.trim_end_matches("[]").into());
            walk(field, rest, make, trail, set)?;
            trail.pop();
            Ok(())
        }
        Content::Scalar(scalar) => {
            let message = format!("{:?} stands where a mapping or a list should", scalar.text);
            Err(Fault::new(message, "check the object against its kind"))
        }
    }
}

/// The field to go on with: what is missing is made where that is asked for, and null turns into it.
fn field<'a>(
    node: &'a mut Node,
    step: &str,
    is_last: bool,
    make: Make,
) -> Result<Option<&'a mut Node>, Fault> {
    let (name, made) = match step.strip_suffix("[]") {
        Some(name) => (name, None),
        None if is_last => (step, content_of(make)),
        None => (step, content_of(if make == Make::Nothing { make } else { Make::Mapping })),
    };
    if name.is_empty() {
        return Err(Fault::new("a field path with an empty name", "write field names between /"));
    }
    let stands = node.get(name).map(Node::is_null);
    match (stands, made) {
        (None, None) => return Ok(None),
        (None | Some(true), Some(content)) => node.set(name, Node::new(content)),
        (Some(_), _) => {}
    }
    Ok(node.get_mut(name))
}

fn content_of(make: Make) -> Option<Content> {
    match make {
        Make::Nothing => None,
        Make::Mapping => Some(Content::Mapping(Vec::new())),
        Make::Text => Some(Content::Scalar(Scalar::text(""))),
        Make::Whole => Some(Content::Scalar(Scalar { text: "0".into(), tag: Tag::Int })),
    }
}

/// Puts text where a scalar stands.
pub(super) fn set_text(node: &mut Node, text: &str) -> Outcome {
    match &mut node.content {
        Content::Scalar(scalar) => {
            let was_text = scalar.tag == Tag::Str;
            *scalar = match was_text {
                true => Scalar::text(text),
                false => Scalar::plain(text, Dialect::Kustomize),
            };
            Ok(())
        }
        _ => Err(Fault::new(
            "a collection stands where text should",
            "check the object against its kind",
        )),
    }
}

/// Puts an entry of text into a mapping.
pub(super) fn set_entry(node: &mut Node, key: &str, value: &str) -> Outcome {
    if !node.is_mapping() {
        return Err(Fault::new(
            format!("no mapping to put {key:?} into"),
            "check the object against its kind",
        ));
    }
    if node.get(key).is_none() {
        check_key(key)?;
    }
    node.set(key, Node::string(value));
    Ok(())
}

/// Refuses a key that kustomize, which writes it without quotes, would not read as text again.
pub(super) fn check_key(key: &str) -> Outcome {
    if Scalar::plain(key, Dialect::Kustomize) == Scalar::text(key) {
        return Ok(());
    }
    let message = format!("{key:?} as a key reads as something other than text");
    Err(Fault::new(message, "choose a key with a letter that makes it a word"))
}

/// The raw text of a field.
pub(super) fn text_at(node: &Node, field: &str) -> String {
    node.get(field).map(Node::raw).unwrap_or_default().to_owned()
}
