//! Strategic merge: a patch that looks like the object, with built-in lists merged by key.
//!
//! The rules are kyaml's `merge2` as kustomize calls it: new items come before old ones, `null` and
//! `$patch: delete` take away, `$patch: replace` replaces, and lists without a merge key are replaced.

use super::fault::{Fault, Outcome};
use super::fields::text_at;
use super::schema::Schema;
use crate::manifest::yaml::{Content, Node, Tag};

/// `object` with `patch` merged into it; `None` when the patch deletes it.
pub(super) fn merge(object: Node, patch: Node) -> Outcome<Option<Node>> {
    walk(Some(object), Some(patch), None)
}

/// What a patch says to do with what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

/// Merges one place. What a patch brings anew is merged with itself: that drops its directives and nulls.
fn walk(old: Option<Node>, new: Option<Node>, schema: Option<Schema>) -> Outcome<Option<Node>> {
    let schema = schema.or_else(|| schema_of(old.as_ref()).or_else(|| schema_of(new.as_ref())));
    let present = |node: &Option<Node>| node.as_ref().is_some_and(|node| !node.is_null());
    let leading = if present(&old) { &old } else { &new };
    match leading.as_ref().map(|node| &node.content) {
        Some(Content::Mapping(_)) => {
            same_shape(&old, &new, "a mapping", Node::is_mapping)?;
            mapping(old, new, schema)
        }
        Some(Content::Sequence(_)) => {
            same_shape(&old, &new, "a list", Node::is_sequence)?;
            match schema.as_ref().and_then(Schema::merge_keys) {
                Some(keys) => list(old, new, &keys, schema),
                None => Ok(latest(old, new)),
            }
        }
        Some(Content::Scalar(scalar)) if scalar.tag != Tag::Null => {
            same_shape(&old, &new, "one value", |node| node.as_scalar().is_some())?;
            Ok(latest(old, new))
        }
        _ => Ok(nothing(old, new)),
    }
}

/// The new one if there is one; null takes the old one away.
fn latest(old: Option<Node>, new: Option<Node>) -> Option<Node> {
    new.or(old).filter(|node| !node.is_null())
}

/// Both null or missing: only a null that is written out stays.
fn nothing(old: Option<Node>, new: Option<Node>) -> Option<Node> {
    let kept = old.filter(|node| !node.raw().is_empty());
    if new.is_some() { None } else { kept }
}

fn same_shape(
    old: &Option<Node>,
    new: &Option<Node>,
    what: &str,
    fits: fn(&Node) -> bool,
) -> Outcome {
    let misfit = [old, new].into_iter().flatten().find(|node| !node.is_null() && !fits(node));
    match misfit {
        None => Ok(()),
        Some(_) => {
            let message = format!("the patch and the object differ in kind: one has {what}");
            Err(Fault::new(message, "give the patch the shape of the object"))
        }
    }
}

fn schema_of(node: Option<&Node>) -> Option<Schema> {
    let node = node?;
    let (api_version, kind) = (text_at(node, "apiVersion"), text_at(node, "kind"));
    Schema::of_kind(&api_version, &kind)
}

fn mapping(old: Option<Node>, new: Option<Node>, schema: Option<Schema>) -> Outcome<Option<Node>> {
    let old = old.filter(|node| !node.is_null());
    let Some(mut new) = new else { return mapping_alone(old, schema) };
    if new.is_null() {
        return Ok(None);
    }
    match (map_directive(&mut new)?, old) {
        (Directive::Delete, _) => Ok(None),
        (Directive::Replace, _) | (Directive::Merge, None) => {
            fields(new.clone(), Some(new), schema)
        }
        (Directive::Merge, Some(mut old)) => {
            old.remove("$patch");
            fields(old, Some(new), schema)
        }
    }
}

/// A mapping that the patch does not mention is gone through all the same.
fn mapping_alone(old: Option<Node>, schema: Option<Schema>) -> Outcome<Option<Node>> {
    old.map_or(Ok(None), |old| fields(old, None, schema))
}

fn fields(mut old: Node, mut new: Option<Node>, schema: Option<Schema>) -> Outcome<Option<Node>> {
    let mut names: Vec<String> = Vec::new();
    for node in [Some(&old), new.as_ref()].into_iter().flatten() {
        names.extend(node.entries().iter().map(|entry| entry.key.text.clone()));
    }
    names.sort();
    names.dedup();
    for name in names {
        let below = schema.as_ref().and_then(|schema| schema.field(&name));
        let old_value = old.get_mut(&name).map(take);
        let new_value = new.as_mut().and_then(|new| new.get_mut(&name)).map(take);
        let merged = walk(old_value, new_value, below).map_err(|fault| fault.within(&name))?;
        match merged {
            Some(value) => old.set(&name, value),
            None => {
                old.remove(&name);
            }
        }
    }
    Ok(Some(old))
}

fn take(node: &mut Node) -> Node {
    std::mem::replace(node, Node::mapping())
}

/// The directive of a mapping, taken out of it.
fn map_directive(patch: &mut Node) -> Outcome<Directive> {
    match patch.get("$patch").map(|node| node.raw().to_owned()) {
        None => Ok(Directive::Merge),
        Some(word) => {
            let directive = directive(&word)?;
            patch.remove("$patch");
            Ok(directive)
        }
    }
}

/// The directive of a list: an item that is nothing but `$patch`, taken out of it.
fn list_directive(patch: &mut Node) -> Outcome<Directive> {
    let items = patch.items_mut().expect("only lists come here");
    let first = items.iter().find(|item| item.get("$patch").is_some());
    let Some(word) =
        first.filter(|item| item.entries().len() == 1).and_then(|item| item.get("$patch"))
    else {
        return Ok(Directive::Merge);
    };
    let word = word.raw().to_owned();
    let directive = directive(&word)?;
    items.retain(|item| item.get("$patch").is_none_or(|other| other.raw() != word));
    Ok(directive)
}

fn directive(word: &str) -> Outcome<Directive> {
    match word {
        "merge" => Ok(Directive::Merge),
        "replace" => Ok(Directive::Replace),
        "delete" => Ok(Directive::Delete),
        _ => Err(Fault::new(
            format!("no directive $patch: {word}"),
            "write merge, replace or delete",
        )),
    }
}

fn list(
    old: Option<Node>,
    new: Option<Node>,
    keys: &[&str],
    schema: Option<Schema>,
) -> Outcome<Option<Node>> {
    let old = old.filter(|node| !node.is_null());
    let Some(mut new) = new else {
        return old.map_or(Ok(None), |old| items(old, Some(Node::sequence()), keys, schema));
    };
    if new.is_null() {
        return Ok(None);
    }
    // Directives of a list are for one that is there; in a new one they are left standing.
    let Some(mut old) = old else { return items(new, None, keys, schema) };
    match list_directive(&mut new)? {
        Directive::Delete => Ok(None),
        Directive::Replace => items(new, None, keys, schema),
        Directive::Merge => {
            let old_items = old.items_mut().expect("the same shape as the patch");
            old_items.retain(|item| item.get("$patch").is_none());
            items(old, Some(new), keys, schema)
        }
    }
}

/// Merges the items of two lists, or of one with itself: kustomize has one list in both places then.
fn items(
    mut old: Node,
    new: Option<Node>,
    keys: &[&str],
    schema: Option<Schema>,
) -> Outcome<Option<Node>> {
    let old_items = std::mem::take(old.items_mut().expect("a list"));
    let new_items = new.map(|mut new| std::mem::take(new.items_mut().expect("a list")));
    let merged = if keys.is_empty() {
        scalars(old_items, new_items.unwrap_or_default())
    } else {
        let item = schema.as_ref().and_then(Schema::items);
        Keyed { keys, item }.merge(old_items, new_items.as_deref())?
    };
    old.content = Content::Sequence(merged);
    Ok(Some(old))
}

/// The new scalars, then the old ones that are not among them.
fn scalars(old: Vec<Node>, new: Vec<Node>) -> Vec<Node> {
    let mut merged: Vec<Node> = Vec::new();
    for node in new.into_iter().chain(old) {
        if !merged.iter().any(|other| other.raw() == node.raw()) {
            merged.push(node);
        }
    }
    merged
}

/// A list of mappings that have keys.
struct Keyed<'a> {
    keys: &'a [&'a str],
    item: Option<Schema>,
}

impl Keyed<'_> {
    /// The new items in their order, merged with old ones of the same keys, then the other old ones.
    fn merge(&self, mut old: Vec<Node>, new: Option<&[Node]>) -> Outcome<Vec<Node>> {
        let wanted = self.wanted(&old, new.unwrap_or_default());
        let used = self.used_keys(&wanted);
        let keys: Vec<&str> = used.iter().map(|at| self.keys[*at]).collect();
        let mut merged: Vec<Node> = Vec::new();
        for values in &wanted {
            let values: Vec<&str> = used.iter().map(|at| values[*at].as_str()).collect();
            if let Some(item) = self.merge_one(&keys, &values, &mut old, new)? {
                put(&mut merged, &keys, &values, Some(item));
            }
        }
        if wanted.is_empty() {
            return Ok(old);
        }
        old.into_iter().for_each(|item| append(&mut merged, &keys, item));
        Ok(merged)
    }

    /// The key values of all items, the new ones' first.
    fn wanted(&self, old: &[Node], new: &[Node]) -> Vec<Vec<String>> {
        let mut wanted: Vec<Vec<String>> = Vec::new();
        for item in new.iter().chain(old) {
            let values = self.keys.iter().map(|key| text_at(item, key)).collect();
            if !wanted.contains(&values) {
                wanted.push(values);
            }
        }
        if self.keys.len() > 1 {
            complete(&mut wanted);
        }
        wanted
    }

    /// Which keys any item has a value for; all of them when none has.
    fn used_keys(&self, wanted: &[Vec<String>]) -> Vec<usize> {
        let is_used = |at: &usize| wanted.iter().any(|values| !values[*at].is_empty());
        let used: Vec<usize> = (0..self.keys.len()).filter(is_used).collect();
        if used.is_empty() { (0..self.keys.len()).collect() } else { used }
    }

    /// Merges the old and the new item of these key values. The old one becomes the merged one, unless
    /// the patch replaces it; `None`, and the old one is gone, when nothing is left.
    fn merge_one(
        &self,
        keys: &[&str],
        values: &[&str],
        old: &mut Vec<Node>,
        new: Option<&[Node]>,
    ) -> Outcome<Option<Node>> {
        let (keys_given, values_given) = given(keys, values);
        let is_wanted = |item: &Node| is_keyed(item, &keys_given, &values_given);
        let in_old = old.iter().position(is_wanted);
        let in_new = new.unwrap_or(old).iter().find(|item| is_wanted(item)).cloned();
        let replaces =
            new.is_some() && in_new.as_ref().is_some_and(|new| text_at(new, "$patch") == "replace");
        let merged = walk(in_old.map(|at| old[at].clone()), in_new, self.item.clone())
            .map_err(|fault| fault.within(&format!("[{}]", values.join(","))))?;
        let Some(mut item) = merged.filter(|item| !item.is_empty()) else {
            put(old, keys, values, None);
            return Ok(None);
        };
        for (key, value) in keys.iter().zip(values).filter(|(_, value)| !value.is_empty()) {
            if item.get(key).is_none() {
                item.set(key, Node::string(*value));
            }
        }
        if let Some(at) = in_old.filter(|_| !replaces) {
            old[at] = item.clone();
        }
        Ok(Some(item))
    }
}

/// The keys that have a value, and their values; all of them when none has.
fn given<'a>(keys: &[&'a str], values: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>) {
    let none = values.iter().all(|value| value.is_empty());
    let pairs = keys.iter().copied().zip(values.iter().copied());
    pairs.filter(|(_, value)| none || !value.is_empty()).unzip()
}

/// Lets values with gaps take what is missing from others that agree in the rest.
fn complete(wanted: &mut [Vec<String>]) {
    for i in 0..wanted.len() {
        for j in 0..wanted.len() {
            if let Some(both) = agreed(&wanted[i], &wanted[j]) {
                wanted[i].clone_from(&both);
                wanted[j] = both;
            }
        }
    }
}

fn agreed(a: &[String], b: &[String]) -> Option<Vec<String>> {
    let fits = a.iter().zip(b).all(|(a, b)| a == b || a.is_empty() || b.is_empty());
    let shares = a.iter().zip(b).any(|(a, b)| a == b);
    let both = a.iter().zip(b).map(|(a, b)| if a.is_empty() { b } else { a }.clone());
    (fits && shares).then(|| both.collect())
}

/// Puts an old item behind the merged ones, or in the place of the one that it became.
fn append(merged: &mut Vec<Node>, keys: &[&str], item: Node) {
    let values: Vec<String> =
        keys.iter().filter_map(|key| Some(item.get(key)?.raw().to_owned())).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    if keys.len() > 1 {
        put(merged, keys, &values, None);
    }
    put(merged, keys, &values, Some(item));
}

/// Puts an item in the place of those with the same key values, or at the end; without an item those
/// are taken out.
fn put(items: &mut Vec<Node>, keys: &[&str], values: &[&str], item: Option<Node>) {
    items.retain(|other| !other.is_empty() && (!other.is_mapping() || !values.is_empty()));
    let is_same = |other: &Node| has(other, &keys[..values.len().min(keys.len())], values);
    match (item, items.iter().position(is_same)) {
        (Some(item), Some(at)) => items[at] = item,
        (Some(item), None) => items.push(item),
        (None, _) => items.retain(|other| !is_same(other)),
    }
}

/// Whether an item has exactly these values under its keys.
fn is_keyed(item: &Node, keys: &[&str], values: &[&str]) -> bool {
    let holds = |(key, value): (&&str, &&str)| item.get(key).is_some_and(|n| n.raw() == *value);
    item.is_mapping() && keys.iter().zip(values).all(holds)
}

/// Whether an item has these values under its keys; an empty value stands for any.
fn has(item: &Node, keys: &[&str], values: &[&str]) -> bool {
    item.is_mapping()
        && keys.iter().zip(values).all(|(key, value)| {
            item.get(key).is_some_and(|node| value.is_empty() || node.raw() == *value)
        })
}
