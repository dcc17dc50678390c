//! Lists under a strategic merge patch: merged by key or as sets, then put in order.

use serde_json::{Map, Value};

use super::strategic::{directive, item_fields, merge_maps};
use crate::apiserver::golang::{plain, type_of};
use crate::apiserver::schema::Struct;

/// Why a strategic merge patch cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// A directive is malformed.
    Malformed(String),
    /// A list that merges holds lists.
    ListOfLists,
    /// Anything else; the server gives no reason for it.
    Other(String),
}

impl Problem {
    pub(super) fn bad_list(value: &Value) -> Self {
        Problem::Other(format!("expected a []interface {{}}, but received a {}", type_of(value)))
    }

    pub(super) fn not_an_object(value: &Value) -> Self {
        Problem::Other(format!(
            "expected a map[string]interface {{}}, but received a {}",
            type_of(value)
        ))
    }

    fn no_key(item: &Map<String, Value>, key: &str) -> Self {
        let item = plain(&Value::Object(item.clone()));
        Problem::Other(format!("map: {item} does not contain declared merge key: {key}"))
    }
}

/// The items of a list.
pub(super) fn items(value: &Value) -> Result<&[Value], Problem> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| Problem::bad_list(value))
}

/// `there` with `change` merged in, item by item: objects by `key`, scalars as a set.
pub(super) fn merge(
    item: Option<&Struct>,
    key: &str,
    there: &[Value],
    change: &[Value],
) -> Result<Vec<Value>, Problem> {
    if there.is_empty() && change.is_empty() {
        return Ok(Vec::new());
    }
    if !of_objects(there, change)? {
        let mut merged: Vec<Value> = Vec::new();
        for value in there.iter().chain(change) {
            if !merged.contains(value) {
                merged.push(value.clone());
            }
        }
        return ordered(merged, change, there, "");
    }
    if key.is_empty() {
        let name = item.map_or("", |item| item.go.rsplit('.').next().unwrap_or(""));
        return Err(Problem::Other(format!("cannot merge lists without merge key for {name}")));
    }
    let (there, change) = direct(there, change, key)?;
    let mut merged = there.clone();
    for new in &change {
        let fields = item_fields(new)?;
        let value = fields.get(key).ok_or_else(|| Problem::no_key(fields, key))?;
        match position(&merged, key, value)? {
            Some(at) => {
                let own = item_fields(&merged[at])?.clone();
                merged[at] = Value::Object(merge_maps(item, own, fields)?);
            }
            None => merged.push(new.clone()),
        }
    }
    ordered(merged, &change, &there, key)
}

/// Whether the items are objects; they must all be of one type.
fn of_objects(there: &[Value], change: &[Value]) -> Result<bool, Problem> {
    let mut all = there.iter().chain(change);
    let first = all.next().expect("one of them is not empty");
    if first.is_array() {
        return Err(Problem::ListOfLists);
    }
    if all.any(|item| type_of(item) != type_of(first)) {
        let print = |items: &[Value]| plain(&Value::Array(items.to_vec()));
        return Err(Problem::Other(format!(
            "list element types are not identical: [{} {}]",
            print(there),
            print(change)
        )));
    }
    Ok(first.is_object())
}

/// Does what the `$patch` items of a list say, and gives what is left of both sides.
fn direct(
    there: &[Value],
    change: &[Value],
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), Problem> {
    let (mut there, mut plain_items, mut replace) = (there.to_vec(), Vec::new(), false);
    for new in change {
        let Some(directive) = directive(new) else {
            plain_items.push(new.clone());
            continue;
        };
        let fields = item_fields(new)?;
        match directive.as_str() {
            Some("delete") => {
                let value = fields.get(key).ok_or_else(|| Problem::no_key(fields, key))?;
                there.retain(|item| item.get(key) != Some(value));
            }
            Some("replace") => replace = true,
            Some("merge") => {
                let message = "merging lists cannot yet be specified in the patch";
                return Err(Problem::Other(message.into()));
            }
            _ => {
                let within = plain(new);
                let directive = plain(directive);
                return Err(Problem::Other(format!(
                    "unknown patch type: {directive} in map: {within}"
                )));
            }
        }
    }
    Ok(if replace { (plain_items, Vec::new()) } else { (there, plain_items) })
}

fn position(items: &[Value], key: &str, value: &Value) -> Result<Option<usize>, Problem> {
    if let Some(at) = items.iter().position(|item| !item.is_object()) {
        return Err(Problem::Other(format!("value for key {at} is not a map")));
    }
    Ok(items.iter().position(|item| item.get(key) == Some(value)))
}

/// Checks that a patch list follows the order it comes with.
pub(super) fn check_order(change: &[Value], order: &[Value], key: &str) -> Result<(), Problem> {
    if change.is_empty() || order.is_empty() {
        return Ok(());
    }
    let identity = |item: &Value| -> Result<Value, Problem> {
        if key.is_empty() {
            return Ok(item.clone());
        }
        let fields = item_fields(item)?;
        fields.get(key).cloned().ok_or_else(|| Problem::no_key(fields, key))
    };
    let mut wanted = order.iter();
    for item in change.iter().filter(|item| directive(item).is_none()) {
        let own = identity(item)?;
        loop {
            let Some(next) = wanted.next() else {
                let print = |items: &[Value]| plain(&Value::Array(items.to_vec()));
                return Err(Problem::Other(format!(
                    "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
                    print(change),
                    print(order)
                )));
            };
            if identity(next)? == own {
                break;
            }
        }
    }
    Ok(())
}

/// `merged` in order: items that `order` names follow it, the others keep the order of `server`,
/// each before the first named item that stood after it there.
pub(super) fn ordered(
    merged: Vec<Value>,
    order: &[Value],
    server: &[Value],
    key: &str,
) -> Result<Vec<Value>, Problem> {
    for item in &merged {
        if !key.is_empty() && item.get(key).is_none() {
            return Err(Problem::no_key(item_fields(item)?, key));
        }
    }
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| rank(order, item, key).is_some());
    named.sort_by_key(|item| rank(order, item, key));
    others.sort_by_key(|item| rank(server, item, key));
    let mut all = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let (Some(other), Some(next)) = (others.peek(), named.peek()) {
        let before = match (rank(server, other, key), rank(server, next, key)) {
            (Some(other), Some(next)) => other < next,
            _ => false,
        };
        all.extend(if before { others.next() } else { named.next() });
    }
    all.extend(named);
    all.extend(others);
    Ok(all)
}

fn rank(items: &[Value], item: &Value, key: &str) -> Option<usize> {
    if key.is_empty() {
        return items.iter().position(|other| other == item);
    }
    items.iter().position(|other| other.get(key) == item.get(key))
}
