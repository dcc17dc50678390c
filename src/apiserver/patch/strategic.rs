//! Strategic merge patch: a merge patch whose lists merge by key where the schema says so.
//!
//! Source: Kubernetes documentation, "Update API Objects in Place Using kubectl patch", and the
//! design "Preserve order in strategic merge patch".

use serde_json::{Map, Value};

use super::list::{self, Problem};
use super::{bad_request, unprocessable};
use crate::api::Status;
use crate::apiserver::golang::plain;
use crate::apiserver::schema::{Field, KindSchema, Struct};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// `object` after a strategic merge patch.
///
/// Directives: `$patch` (`replace`, `delete`) in objects and list items, `$retainKeys`,
/// `$deleteFromPrimitiveList/FIELD`, `$setElementOrder/FIELD`.
///
/// # Errors
///
/// `BadRequest` and 422 for malformed directives; 500 for an item without its merge key, as the
/// real server has it. Custom resources have no strategic merge: that is for the caller to refuse.
pub fn strategic(kind: &KindSchema, object: &Value, patch: &Value) -> Result<Value, Status> {
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else {
        let message = "json: cannot unmarshal array into Go value of type map[string]interface {}";
        return Err(bad_request(message.into()));
    };
    let merged = merge_maps(Some(&kind.root), object.clone(), patch);
    merged.map(Value::Object).map_err(refusal)
}

fn refusal(problem: Problem) -> Status {
    match problem {
        Problem::Malformed(message) => bad_request(message),
        Problem::ListOfLists => unprocessable(),
        Problem::Other(message) => Status { code: 500, message, ..Status::default() },
    }
}

/// `original` with `patch` merged in; `ty` is `None` where the schema says nothing.
pub(super) fn merge_maps(
    ty: Option<&Struct>,
    original: Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    if let Some(directive) = patch.get(PATCH) {
        return directed(directive, patch);
    }
    let mut original = retain_keys(original, patch)?;
    let ordered = order_lists(ty, &mut original, patch)?;
    for (name, change) in patch {
        let directive = name == RETAIN_KEYS || name.starts_with(ORDER);
        if directive || ordered.contains(&name.as_str()) {
            continue;
        }
        match name.strip_prefix(DELETE_FROM) {
            Some(list) => delete_from(&mut original, list, change)?,
            None => merge_field(ty, &mut original, name, change)?,
        }
    }
    Ok(original)
}

/// What an object with a `$patch` of its own comes to.
fn directed(directive: &Value, patch: &Map<String, Value>) -> Result<Map<String, Value>, Problem> {
    match directive.as_str() {
        Some("replace") => {
            let mut own = patch.clone();
            own.remove(PATCH);
            Ok(own)
        }
        Some("delete") => Ok(Map::new()),
        _ => Err(Problem::unknown_directive(directive, patch)),
    }
}

/// `$retainKeys`: fields that it does not list go; the patch may set no others.
fn retain_keys(
    mut original: Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    let Some(listed) = patch.get(RETAIN_KEYS) else { return Ok(original) };
    let malformed = || Problem::Malformed("invalid patch format of retainKeys".into());
    let listed = listed.as_array().ok_or_else(malformed)?;
    let is_listed = |name: &str| listed.iter().any(|listed| listed == name);
    let set = patch.iter().filter(|(name, value)| {
        let directive = name.starts_with(DELETE_FROM) || name.starts_with(ORDER);
        *name != RETAIN_KEYS && !value.is_null() && !directive
    });
    if set.into_iter().any(|(name, _)| !is_listed(name)) {
        return Err(malformed());
    }
    original.retain(|name, _| is_listed(name));
    Ok(original)
}

/// Merges the lists that a `$setElementOrder` is about, and gives their names.
fn order_lists<'p>(
    ty: Option<&Struct>,
    original: &mut Map<String, Value>,
    patch: &'p Map<String, Value>,
) -> Result<Vec<&'p str>, Problem> {
    let mut done = Vec::new();
    for (directive, order) in patch {
        let Some(name) = directive.strip_prefix(ORDER) else { continue };
        let Value::Array(order) = order else { return Err(Problem::bad_list(order)) };
        let field = field(ty, name).ok_or_else(|| Problem::unknown_field(ty, name))?;
        let change = patch.get(name).map(list::items).transpose()?;
        let there = original.get(name).map(list::items).transpose()?;
        let key = &*field.patch.key;
        list::check_order(change.unwrap_or(&[]), order, key)?;
        let merged = match (there, change) {
            (None, None) => continue,
            (Some(there), None) => there.to_vec(),
            (None, Some(change)) => {
                change.iter().filter_map(without_directives).collect::<Vec<_>>()
            }
            (Some(there), Some(change)) => merge_lists(field, there, change)?,
        };
        let server = there.unwrap_or(&[]).to_vec();
        original.insert(name.into(), list::ordered(merged, order, &server, key)?.into());
        done.push(name);
    }
    Ok(done)
}

fn delete_from(original: &mut Map<String, Value>, list: &str, gone: &Value) -> Result<(), Problem> {
    let malformed = || Problem::Malformed("invalid patch format of primitive list".into());
    let gone = gone.as_array().ok_or_else(malformed)?;
    if let Some(Value::Array(items)) = original.get_mut(list) {
        items.retain(|item| !gone.contains(item));
    }
    Ok(())
}

fn merge_field(
    ty: Option<&Struct>,
    original: &mut Map<String, Value>,
    name: &str,
    change: &Value,
) -> Result<(), Problem> {
    if change.is_null() {
        original.remove(name);
        return Ok(());
    }
    let field = field(ty, name);
    let merged = match (original.get_mut(name).map(Value::take), change) {
        (Some(Value::Object(there)), Value::Object(change)) => {
            let below = field.and_then(|field| field.ty.as_struct());
            Some(Value::Object(merge_maps(below, there, change)?))
        }
        (Some(Value::Array(there)), Value::Array(change)) => match field {
            Some(field) if field.patch.merge => {
                Some(Value::Array(merge_lists(field, &there, change)?))
            }
            _ => Some(Value::Array(change.clone())),
        },
        (_, change) => without_directives(&without_nulls(change)),
    };
    match merged {
        Some(merged) => original.insert(name.into(), merged),
        None => original.remove(name),
    };
    Ok(())
}

fn merge_lists(field: &Field, there: &[Value], change: &[Value]) -> Result<Vec<Value>, Problem> {
    if !field.patch.merge {
        return Ok(change.to_vec());
    }
    let item = field.ty.as_list().and_then(|list| list.element.as_struct());
    list::merge(item, &field.patch.key, there, change)
}

fn field<'a>(ty: Option<&'a Struct>, name: &str) -> Option<&'a Field> {
    ty?.field(name)
}

impl Problem {
    fn unknown_directive(directive: &Value, within: &Map<String, Value>) -> Self {
        let within = plain(&Value::Object(within.clone()));
        Problem::Other(format!("unknown patch type: {} in map: {within}", plain(directive)))
    }

    fn unknown_field(ty: Option<&Struct>, name: &str) -> Self {
        let ty = ty.map_or("", |ty| ty.go.rsplit('.').next().unwrap_or(""));
        Problem::Other(format!(
            "unable to find api field in struct {ty} for the json field {name:?}"
        ))
    }
}

/// A new value without its directives; `None` when it is nothing but one.
pub(super) fn without_directives(value: &Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(PATCH) => None,
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), without_directives(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(items.iter().filter_map(without_directives).collect()),
        other => Some(other.clone()),
    }
}

/// A new value: nulls in its objects remove nothing and are not kept.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Whether a list item is a directive and no item.
pub(super) fn directive(item: &Value) -> Option<&Value> {
    item.get(PATCH)
}

/// The structure of a field, for the merge of its items.
pub(super) fn item_fields(item: &Value) -> Result<&Map<String, Value>, Problem> {
    item.as_object().ok_or_else(|| Problem::not_an_object(item))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apiserver::schema::Registry;
    use crate::object::GroupVersionKind;
    use serde_json::json;

    fn patched(live: Value, patch: Value) -> Result<Value, Status> {
        let registry = Registry::builtin();
        let kind = registry.kind(&GroupVersionKind::new("v1", "Pod")).unwrap();
        let live = json!({"spec": live});
        strategic(kind, &live, &json!({"spec": patch})).map(|mut pod| pod["spec"].take())
    }

    #[test]
    fn lists_merge_by_key_and_keep_the_order_of_the_patch_first() {
        let check = |live: Value, patch: Value, expected: Value| {
            assert_eq!(patched(live.clone(), patch.clone()), Ok(expected), "{live} {patch}")
        };
        let names = |names: &[&str]| -> Value {
            json!({"containers": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()})
        };
        check(names(&["a", "b"]), names(&["c"]), names(&["c", "a", "b"]));
        check(names(&["a", "b"]), names(&["b"]), names(&["a", "b"]));
        check(
            names(&["a", "b"]),
            json!({"containers": [{"name": "b", "$patch": "delete"}]}),
            names(&["a"]),
        );
        check(
            names(&["a", "b"]),
            json!({"containers": [{"name": "c"}, {"$patch": "replace"}]}),
            names(&["c"]),
        );
        check(
            names(&["a", "b"]),
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
            names(&["b", "a"]),
        );
        check(
            json!({"tolerations": [{"key": "a"}]}),
            json!({"tolerations": [{"key": "b"}]}),
            json!({"tolerations": [{"key": "b"}]}),
        );
        check(
            json!({"nodeName": "a", "hostname": "b"}),
            json!({"$retainKeys": ["nodeName"], "nodeName": "c"}),
            json!({"nodeName": "c"}),
        );
        check(
            json!({"nodeSelector": {"a": "b"}}),
            json!({"nodeSelector": {"$patch": "delete"}}),
            json!({"nodeSelector": {}}),
        );
    }

    #[test]
    fn malformed_patches_are_refused_with_the_servers_words() {
        let check = |patch: Value, code: u16, message: &str| {
            let refused = patched(json!({"containers": [{"name": "a"}]}), patch).unwrap_err();
            assert_eq!((refused.code, &*refused.message), (code, message));
        };
        check(
            json!({"containers": [{"image": "x"}]}),
            500,
            "map: map[image:x] does not contain declared merge key: name",
        );
        check(json!({"$patch": "x"}), 500, "unknown patch type: x in map: map[$patch:x]");
        check(json!({"$retainKeys": 1}), 400, "invalid patch format of retainKeys");
    }
}
