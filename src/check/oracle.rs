//! What ought to be, found without the engine: an oracle to hold the engine against.

use serde_json::Value;

use crate::apiserver::schema::KindSchema;
use crate::object::{Object, ObjectRef};
use crate::sim::World;

/// Of desired objects, what a world lacks: objects that are not there, and fields that differ.
///
/// A field counts as there when everything desired is in it; what others have added is nobody's loss.
///
/// # Errors
///
/// The first thing that is missing.
pub fn missing<'a>(
    world: &World,
    desired: impl IntoIterator<Item = &'a Object>,
) -> Result<(), String> {
    desired.into_iter().try_for_each(|wanted| {
        let name = named(world, wanted);
        let found = world.server().get(&name).ok_or_else(|| format!("{name} is not there"))?;
        if found.is_deleting() {
            return Err(format!("{name} is being deleted"));
        }
        match missing_fields(wanted.as_value(), found.as_value()) {
            Some(path) => Err(format!("{name} differs in {path}")),
            None => Ok(()),
        }
    })
}

/// The name of an object as it is stored: in the namespace `default` when it names none and lives in one.
fn named(world: &World, object: &Object) -> ObjectRef {
    let name = object.reference();
    let is_in_one = |r: &&KindSchema| r.gvk.kind == name.kind && r.gvk.group == name.group;
    let namespaced = world.server().resources().find(is_in_one).is_some_and(|r| r.namespaced);
    match name.namespace.is_empty() && namespaced {
        true => ObjectRef { namespace: "default".into(), ..name },
        false => name,
    }
}

/// The path of the first field that is desired and not found as desired.
pub fn missing_fields(wanted: &Value, found: &Value) -> Option<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted.iter().find_map(|(name, value)| {
            let lacking = match found.get(name) {
                Some(found) => missing_fields(value, found)?,
                None if value.is_null() => return None,
                None => String::new(),
            };
            Some(format!(".{name}{lacking}"))
        }),
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.iter().enumerate().find_map(|(i, value)| {
                let there = found.iter().any(|found| missing_fields(value, found).is_none());
                (!there).then(|| format!("[{i}]"))
            })
        }
        _ if wanted == found => None,
        _ => Some(String::new()),
    }
}
