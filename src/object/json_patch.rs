//! JSON patch (RFC 6902), one operation at a time.

use serde_json::Value;

/// Does one operation of a JSON patch (RFC 6902); `None` when it cannot be done, and then `object` may be
/// left half changed.
///
/// As the Go library of the API server and of kustomize does, `replace` also adds a field that is not
/// there, and negative list positions count from the end.
///
/// ```
/// use driftlab::object::apply_json_patch;
/// use serde_json::json;
/// let mut object = json!({"replicas": 3});
/// let patch = json!({"op": "replace", "path": "/replicas", "value": 5});
/// assert_eq!(apply_json_patch(&mut object, &patch), Some(()));
/// assert_eq!(object, json!({"replicas": 5}));
/// ```
pub fn apply_json_patch(object: &mut Value, operation: &Value) -> Option<()> {
    let text = |field: &str| operation.get(field).and_then(Value::as_str);
    let value = || operation.get("value").cloned().unwrap_or_default();
    let path = Path::parse(text("path")?);
    match text("op")? {
        "add" => path.parent_in(object)?.add(path.key()?, value()),
        "remove" => path.parent_in(object)?.remove(path.key()?).map(|_| ()),
        "replace" => replace(object, &path, value()),
        "move" => {
            let from = Path::parse(text("from")?);
            let moved = from.parent_in(object)?.remove(from.key()?)?;
            path.parent_in(object)?.add(path.key()?, moved)
        }
        "copy" => {
            let from = Path::parse(text("from")?);
            let copied = from.parent_in(object)?.get(from.key()?)?;
            path.parent_in(object)?.add(path.key()?, copied)
        }
        "test" => {
            let there = match path.key() {
                None => object.clone(),
                Some(key) => path.parent_in(object)?.get(key)?,
            };
            (there == value()).then_some(())
        }
        _ => None,
    }
}

fn replace(object: &mut Value, path: &Path, value: Value) -> Option<()> {
    let Some(key) = path.key() else {
        let container = value.is_object() || value.is_array();
        return container.then(|| *object = value);
    };
    let parent = path.parent_in(object)?;
    if let Parent::List(items) = &parent {
        index(key, items.len())?;
    }
    parent.set(key, value)
}

/// A JSON pointer (RFC 6901), its escapes undone.
struct Path(Vec<String>);

impl Path {
    fn parse(pointer: &str) -> Self {
        let parts = pointer.split('/').skip(1);
        Path(parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
    }

    fn key(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    /// The object or list that holds what the path points to.
    fn parent_in<'a>(&self, object: &'a mut Value) -> Option<Parent<'a>> {
        let (_, above) = self.0.split_last()?;
        let mut place = object;
        for part in above {
            place = match place {
                Value::Object(fields) => fields.get_mut(part)?,
                Value::Array(items) => {
                    let at = index(part, items.len())?;
                    items.get_mut(at)?
                }
                _ => return None,
            };
        }
        match place {
            Value::Object(fields) => Some(Parent::Object(fields)),
            Value::Array(items) => Some(Parent::List(items)),
            _ => None,
        }
    }
}

enum Parent<'a> {
    Object(&'a mut serde_json::Map<String, Value>),
    List(&'a mut Vec<Value>),
}

impl Parent<'_> {
    /// A field that is not there reads as null, a list position does not.
    fn get(&self, key: &str) -> Option<Value> {
        match self {
            Parent::Object(fields) => Some(fields.get(key).cloned().unwrap_or_default()),
            Parent::List(items) => items.get(index(key, items.len())?).cloned(),
        }
    }

    fn set(self, key: &str, value: Value) -> Option<()> {
        match self {
            Parent::Object(fields) => {
                fields.insert(key.into(), value);
            }
            Parent::List(items) => {
                let at = index(key, items.len())?;
                items[at] = value;
            }
        }
        Some(())
    }

    fn add(self, key: &str, value: Value) -> Option<()> {
        match self {
            Parent::Object(fields) => {
                fields.insert(key.into(), value);
            }
            Parent::List(items) if key == "-" => items.push(value),
            Parent::List(items) => {
                let at = index(key, items.len() + 1)?;
                items.insert(at, value);
            }
        }
        Some(())
    }

    fn remove(self, key: &str) -> Option<Value> {
        match self {
            Parent::Object(fields) => fields.remove(key),
            Parent::List(items) => {
                let at = index(key, items.len())?;
                Some(items.remove(at))
            }
        }
    }
}

/// A list position below `length`; negative ones count from the end.
fn index(text: &str, length: usize) -> Option<usize> {
    let index: i64 = text.parse().ok()?;
    let length = i64::try_from(length).ok()?;
    let index = if index < 0 { index + length } else { index };
    (0..length).contains(&index).then_some(index as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_do_what_the_real_server_does() {
        let start = json!({"a": {"b~/c": 1}, "l": [1, 2, 3]});
        let check = |operation: Value, expected: Option<Value>| {
            let mut patched = start.clone();
            let done = apply_json_patch(&mut patched, &operation);
            assert_eq!(done.map(|()| patched), expected, "{operation}");
        };
        let with = |path: &str, value: Value| {
            let mut changed = start.clone();
            *changed.pointer_mut(path).unwrap() = value;
            Some(changed)
        };
        check(
            json!({"op": "replace", "path": "/a/b~0~1c", "value": 2}),
            with("/a/b~0~1c", json!(2)),
        );
        check(
            json!({"op": "replace", "path": "/a/new", "value": 2}),
            with("/a", json!({"b~/c": 1, "new": 2})),
        );
        check(json!({"op": "replace", "path": "/l/3", "value": 2}), None);
        check(json!({"op": "add", "path": "/l/-", "value": 4}), with("/l", json!([1, 2, 3, 4])));
        check(json!({"op": "add", "path": "/l/1", "value": 4}), with("/l", json!([1, 4, 2, 3])));
        check(json!({"op": "add", "path": "/l/9", "value": 4}), None);
        check(json!({"op": "remove", "path": "/l/-1"}), with("/l", json!([1, 2])));
        check(json!({"op": "remove", "path": "/none"}), None);
        check(json!({"op": "move", "from": "/l/0", "path": "/l/-"}), with("/l", json!([2, 3, 1])));
        check(
            json!({"op": "copy", "from": "/a", "path": "/l/0"}),
            with("/l", json!([{"b~/c": 1}, 1, 2, 3])),
        );
        check(json!({"op": "test", "path": "/l/0", "value": 1}), Some(start.clone()));
        check(json!({"op": "test", "path": "/l/0", "value": 2}), None);
        check(json!({"op": "bogus", "path": "/a"}), None);
    }
}
