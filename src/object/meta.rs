//! An object: its JSON, with a name for each part that every kind has.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{GroupVersionKind, ObjectRef};
use crate::time::Timestamp;

/// A Kubernetes object: JSON with `apiVersion`, `kind` and `metadata`, shared until it is changed.
///
/// Cloning is a reference count; changing a clone copies the JSON once. Reading a part that is absent
/// or of another type gives the empty value, as Go's zero values do; checking shapes is the API
/// server's work.
///
/// ```
/// use driftlab::object::Object;
/// let mut hello = Object::new("apps/v1", "Deployment", "web", "hello");
/// hello.set("spec.replicas", 3);
/// assert_eq!(hello.get("spec.replicas").and_then(|v| v.as_i64()), Some(3));
/// assert_eq!(hello.reference().to_string(), "Deployment/web/hello");
/// ```
#[derive(Clone, Debug)]
pub struct Object(Arc<Value>);

/// A value that is no object: what it lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedObject(pub String);

/// One entry of `metadata.ownerReferences`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerReference {
    /// `apiVersion` of the owner.
    pub api_version: String,
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner, in the same namespace or cluster-scoped.
    pub name: String,
    /// Uid of the owner: an owner of the same name made later is another one.
    pub uid: String,
    /// Whether this owner is the managing controller.
    pub controller: bool,
    /// Whether a foreground deletion of the owner waits for this object.
    pub block_owner_deletion: bool,
}

impl Object {
    /// An object with nothing but its kind and name; `namespace` is empty for cluster-scoped kinds.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        let mut object = Object(Arc::new(
            serde_json::json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}),
        ));
        if !namespace.is_empty() {
            object.set("metadata.namespace", namespace);
        }
        object
    }

    /// Takes a JSON value as an object.
    ///
    /// # Errors
    ///
    /// When it is no JSON object, or `apiVersion`, `kind` or `metadata` is missing or of another type.
    /// A name may be missing: `generateName` and nameless requests exist.
    pub fn from_value(value: Value) -> Result<Self, MalformedObject> {
        let malformed = |what: &str| Err(MalformedObject(what.into()));
        let Some(fields) = value.as_object() else { return malformed("not an object") };
        let text =
            |field: &str| fields.get(field).and_then(Value::as_str).filter(|s| !s.is_empty());
        if text("apiVersion").is_none() {
            return malformed("apiVersion is missing");
        }
        if text("kind").is_none() {
            return malformed("kind is missing");
        }
        if !fields.get("metadata").is_some_and(Value::is_object) {
            return malformed("metadata is missing");
        }
        Ok(Object(Arc::new(value)))
    }

    /// The JSON.
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// The JSON, owned; copied when it is shared.
    pub fn into_value(self) -> Value {
        Arc::unwrap_or_clone(self.0)
    }

    /// The top-level fields, to change; copies the JSON when it is shared.
    ///
    /// Keep `apiVersion`, `kind` and `metadata` in place: an object without them is none.
    pub fn fields_mut(&mut self) -> &mut Map<String, Value> {
        match Arc::make_mut(&mut self.0) {
            Value::Object(fields) => fields,
            _ => unreachable!("an Object is built from a JSON object only"),
        }
    }

    /// Whether both are the very same JSON in memory: a cheap, sufficient test of equality.
    pub fn same(&self, other: &Object) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// `apiVersion`.
    pub fn api_version(&self) -> &str {
        text(self.0.get("apiVersion"))
    }

    /// `kind`.
    pub fn kind(&self) -> &str {
        text(self.0.get("kind"))
    }

    /// The kind at its version.
    pub fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind::new(self.api_version(), self.kind())
    }

    /// The name that points to this object.
    pub fn reference(&self) -> ObjectRef {
        self.gvk().named(self.namespace(), self.name())
    }

    /// `metadata.name`, empty when unset.
    pub fn name(&self) -> &str {
        self.meta_text("name")
    }

    /// `metadata.namespace`, empty when unset.
    pub fn namespace(&self) -> &str {
        self.meta_text("namespace")
    }

    /// `metadata.uid`, empty before the object is stored.
    pub fn uid(&self) -> &str {
        self.meta_text("uid")
    }

    /// `metadata.resourceVersion` as written, empty before the object is stored.
    pub fn resource_version(&self) -> &str {
        self.meta_text("resourceVersion")
    }

    /// `metadata.generation`, 0 when unset.
    pub fn generation(&self) -> i64 {
        self.meta("generation").and_then(Value::as_i64).unwrap_or(0)
    }

    /// `metadata.creationTimestamp`, when set and readable.
    pub fn creation_timestamp(&self) -> Option<Timestamp> {
        self.meta_text("creationTimestamp").parse().ok()
    }

    /// `metadata.deletionTimestamp`, when set and readable.
    pub fn deletion_timestamp(&self) -> Option<Timestamp> {
        self.meta_text("deletionTimestamp").parse().ok()
    }

    /// Whether deletion was asked for: `metadata.deletionTimestamp` is set.
    pub fn is_deleting(&self) -> bool {
        !self.meta_text("deletionTimestamp").is_empty()
    }

    /// `metadata.finalizers`, in order.
    pub fn finalizers(&self) -> Vec<&str> {
        self.meta("finalizers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.meta("labels")?.get(key)?.as_str()
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.meta("annotations")?.get(key)?.as_str()
    }

    /// `metadata.labels`; values that are no text are left out.
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        string_map(self.meta("labels"))
    }

    /// `metadata.annotations`; values that are no text are left out.
    pub fn annotations(&self) -> BTreeMap<&str, &str> {
        string_map(self.meta("annotations"))
    }

    /// Sets a label.
    pub fn set_label(&mut self, key: &str, value: &str) {
        self.set_in_meta("labels", key, value);
    }

    /// Sets an annotation.
    pub fn set_annotation(&mut self, key: &str, value: &str) {
        self.set_in_meta("annotations", key, value);
    }

    /// `metadata.ownerReferences`, in order.
    pub fn owner_references(&self) -> Vec<OwnerReference> {
        let entries = self.meta("ownerReferences").and_then(Value::as_array).into_iter().flatten();
        entries.map(OwnerReference::from_value).collect()
    }

    /// The owner reference with `controller: true`, if any.
    pub fn controller(&self) -> Option<OwnerReference> {
        self.owner_references().into_iter().find(|owner| owner.controller)
    }

    /// The value at a dotted path of field names and list positions, such as
    /// `spec.template.spec.containers.0.image`. For keys with dots in them use [`Object::at`].
    pub fn get(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&*self.0, |value, step| child(value, step))
    }

    /// The value at a path given step by step.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&*self.0, |value, step| child(value, step))
    }

    /// The text at a dotted path; empty when absent or of another type.
    pub fn text(&self, path: &str) -> &str {
        text(self.get(path))
    }

    /// The whole number at a dotted path; `None` when absent or of another type.
    pub fn int(&self, path: &str) -> Option<i64> {
        self.get(path).and_then(Value::as_i64)
    }

    /// Sets the value at a dotted path; objects on the way are made, list positions must exist.
    ///
    /// # Panics
    ///
    /// When the path leads through a list position that does not exist: a path is the caller's own.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        let steps: Vec<&str> = path.split('.').collect();
        self.set_at(&steps, value);
    }

    /// Sets the value at a path given step by step, like [`Object::set`].
    pub fn set_at(&mut self, path: &[&str], value: impl Into<Value>) {
        let root = Arc::make_mut(&mut self.0);
        let place = path.iter().fold(root, |place, step| match place {
            Value::Array(items) => step
                .parse::<usize>()
                .ok()
                .and_then(|i| items.get_mut(i))
                .expect("a path leads through existing list positions"),
            place => {
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                place.as_object_mut().expect("just made").entry(*step).or_insert(Value::Null)
            }
        });
        *place = value.into();
    }

    /// Removes and returns the value at a path given step by step.
    pub fn remove_at(&mut self, path: &[&str]) -> Option<Value> {
        let (last, parents) = path.split_last()?;
        self.at(path)?;
        let root = Arc::make_mut(&mut self.0);
        let parent = parents.iter().try_fold(root, |value, step| match value {
            Value::Object(fields) => fields.get_mut(*step),
            Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        })?;
        match parent {
            Value::Object(fields) => fields.remove(*last),
            Value::Array(items) => {
                last.parse().ok().filter(|i| *i < items.len()).map(|i: usize| items.remove(i))
            }
            _ => None,
        }
    }

    /// Removes and returns the value at a dotted path.
    pub fn remove(&mut self, path: &str) -> Option<Value> {
        let steps: Vec<&str> = path.split('.').collect();
        self.remove_at(&steps)
    }

    fn meta(&self, field: &str) -> Option<&Value> {
        self.0.get("metadata")?.get(field)
    }

    fn meta_text(&self, field: &str) -> &str {
        text(self.meta(field))
    }

    fn set_in_meta(&mut self, map: &str, key: &str, value: &str) {
        self.set_at(&["metadata", map, key], value);
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Object) -> bool {
        self.same(other) || self.0 == other.0
    }
}

impl Eq for Object {}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl OwnerReference {
    /// The reference to `owner` as its managing controller, blocking its foreground deletion, as
    /// `metav1.NewControllerRef` makes it.
    pub fn controller_of(owner: &Object) -> Self {
        OwnerReference {
            api_version: owner.api_version().into(),
            kind: owner.kind().into(),
            name: owner.name().into(),
            uid: owner.uid().into(),
            controller: true,
            block_owner_deletion: true,
        }
    }

    /// The reference as JSON; flags that are false are left out.
    pub fn to_value(&self) -> Value {
        let mut value = serde_json::json!({"apiVersion": self.api_version, "kind": self.kind, "name": self.name, "uid": self.uid});
        if self.controller {
            value["controller"] = true.into();
        }
        if self.block_owner_deletion {
            value["blockOwnerDeletion"] = true.into();
        }
        value
    }

    fn from_value(value: &Value) -> Self {
        let flag = |field: &str| value.get(field).and_then(Value::as_bool).unwrap_or(false);
        OwnerReference {
            api_version: text(value.get("apiVersion")).into(),
            kind: text(value.get("kind")).into(),
            name: text(value.get("name")).into(),
            uid: text(value.get("uid")).into(),
            controller: flag("controller"),
            block_owner_deletion: flag("blockOwnerDeletion"),
        }
    }
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or("")
}

fn string_map(value: Option<&Value>) -> BTreeMap<&str, &str> {
    value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)))
        .collect()
}

fn child<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_that_are_no_objects_are_refused_by_what_they_lack() {
        let check = |value: Value, message: &str| {
            assert_eq!(Object::from_value(value).unwrap_err().0, message)
        };
        check(json!([]), "not an object");
        check(json!({"kind": "Pod", "metadata": {}}), "apiVersion is missing");
        check(json!({"apiVersion": "v1", "metadata": {}}), "kind is missing");
        check(json!({"apiVersion": "v1", "kind": "Pod", "metadata": 1}), "metadata is missing");
    }

    #[test]
    fn a_change_to_a_clone_leaves_the_original_alone() {
        let original = Object::new("v1", "ConfigMap", "a", "b");
        let mut copy = original.clone();
        assert!(copy.same(&original));
        copy.set_label("x", "1");
        assert_eq!((original.label("x"), copy.label("x")), (None, Some("1")));
    }

    #[test]
    fn paths_lead_through_fields_and_list_positions() {
        let mut object =
            Object::from_value(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [{"image": "a"}, {"image": "b"}]}})).unwrap();
        object.set("spec.containers.1.image", "c");
        assert_eq!(object.text("spec.containers.1.image"), "c");
        assert_eq!(object.remove("spec.containers.0"), Some(json!({"image": "a"})));
        assert_eq!(object.get("spec.containers.1"), None);
        assert_eq!(object.remove("spec.none.x"), None);
    }
}
