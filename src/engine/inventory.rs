//! The inventory: what a Kustomization has applied, and so may prune.
//!
//! An entry is `namespace_name_group_kind` and a version, as `status.inventory` holds it. Source:
//! `object.ObjMetadata` of `fluxcd/cli-utils` and `internal/inventory` of kustomize-controller.

use serde_json::{Value, json};

use super::order::apply_order;
use crate::object::{GroupVersionKind, Object, ObjectRef};

/// What was applied, in the order it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inventory {
    entries: Vec<Entry>,
}

/// One object of an inventory, and the version it was applied at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The object.
    pub object: ObjectRef,
    /// The version of its group.
    pub version: String,
}

/// A text that is no inventory id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse stored object metadata: {0}")]
pub struct ParseIdError(pub String);

impl Inventory {
    /// The inventory that `status.inventory` of a Kustomization holds; ids that cannot be read are left
    /// out.
    pub fn of(kustomization: &Object) -> Self {
        let listed = kustomization.get("status.inventory.entries").and_then(Value::as_array);
        Inventory { entries: listed.into_iter().flatten().filter_map(Entry::from_value).collect() }
    }

    /// The entries, in the order they were added.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether nothing is tracked.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether an object is tracked, at whatever version.
    pub fn contains(&self, object: &ObjectRef) -> bool {
        self.entries.iter().any(|entry| entry.object == *object)
    }

    /// Adds what is not tracked yet.
    pub fn merge(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            if !self.contains(&entry.object) {
                self.entries.push(entry);
            }
        }
    }

    /// The entries that the other inventory lacks, in apply order: what is stale once `newer` stands.
    pub fn stale(&self, newer: &Inventory) -> Vec<Entry> {
        if self.entries == newer.entries {
            return Vec::new();
        }
        let kept: std::collections::BTreeSet<&ObjectRef> =
            newer.entries.iter().map(|entry| &entry.object).collect();
        let mut stale: Vec<Entry> =
            self.entries.iter().filter(|entry| !kept.contains(&entry.object)).cloned().collect();
        stale.sort_by(|a, b| apply_order(&a.object, &b.object));
        stale
    }

    /// As `status.inventory` holds it.
    pub fn to_value(&self) -> Value {
        let entries: Vec<Value> =
            self.entries.iter().map(|e| json!({"id": id(&e.object), "v": e.version})).collect();
        json!({ "entries": entries })
    }
}

impl FromIterator<Entry> for Inventory {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        Inventory { entries: entries.into_iter().collect() }
    }
}

impl Entry {
    /// The entry of an object as it stands.
    pub fn of(object: &Object) -> Self {
        let gvk = object.gvk();
        Entry { object: gvk.named(object.namespace(), object.name()), version: gvk.version }
    }

    /// The kind at the entry's version.
    pub fn gvk(&self) -> GroupVersionKind {
        self.object.at_version(&self.version)
    }

    fn from_value(value: &Value) -> Option<Self> {
        let object = parse_id(value.get("id")?.as_str()?).ok()?;
        Some(Entry { object, version: value.get("v")?.as_str()?.into() })
    }
}

/// The id of an object: `namespace_name_group_kind`. The colons that names of RBAC kinds may have are
/// written as two underscores.
///
/// ```
/// use driftlab::{engine::inventory::id, object::ObjectRef};
/// assert_eq!(id(&ObjectRef::new("apps", "Deployment", "web", "hello")), "web_hello_apps_Deployment");
/// assert_eq!(id(&ObjectRef::new("", "Namespace", "", "web")), "_web__Namespace");
/// ```
pub fn id(object: &ObjectRef) -> String {
    let rbac = object.group == "rbac.authorization.k8s.io"
        && ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"]
            .contains(&object.kind.as_str());
    let name = if rbac { object.name.replace(':', "__") } else { object.name.clone() };
    format!("{}_{}_{}_{}", object.namespace, name, object.group, object.kind)
}

/// Reads an id.
///
/// # Errors
///
/// When it has fewer than three underscores.
pub fn parse_id(text: &str) -> Result<ObjectRef, ParseIdError> {
    let parts = || {
        let (namespace, rest) = text.split_once('_')?;
        let (rest, kind) = rest.rsplit_once('_')?;
        let (name, group) = rest.rsplit_once('_')?;
        Some(ObjectRef::new(group, kind, namespace, &name.replace("__", ":")))
    };
    parts().ok_or_else(|| ParseIdError(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, name: &str) -> Entry {
        Entry { object: ObjectRef::new("", kind, "a", name), version: "v1".into() }
    }

    #[test]
    fn ids_are_read_back_as_they_were_written() {
        let check = |object: ObjectRef, text: &str| {
            assert_eq!(id(&object), text);
            assert_eq!(parse_id(text), Ok(object));
        };
        check(ObjectRef::new("apps", "Deployment", "a", "d"), "a_d_apps_Deployment");
        check(ObjectRef::new("", "Namespace", "", "a"), "_a__Namespace");
        let role = ObjectRef::new("rbac.authorization.k8s.io", "ClusterRole", "", "system:x");
        check(role, "_system__x_rbac.authorization.k8s.io_ClusterRole");
        assert_eq!(parse_id("a_b_c"), Err(ParseIdError("a_b_c".into())));
    }

    #[test]
    fn what_the_newer_inventory_lacks_is_stale_whatever_its_version() {
        let old: Inventory =
            [entry("Secret", "s"), entry("ConfigMap", "b"), entry("ConfigMap", "a")]
                .into_iter()
                .collect();
        let new: Inventory =
            [Entry { version: "v2".into(), ..entry("ConfigMap", "a") }].into_iter().collect();
        assert_eq!(old.stale(&new), [entry("ConfigMap", "b"), entry("Secret", "s")]);
    }

    #[test]
    fn a_status_is_read_back_as_it_was_written() {
        let inventory: Inventory = [entry("ConfigMap", "a")].into_iter().collect();
        let mut object = Object::new("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "a", "b");
        object.set("status.inventory", inventory.to_value());
        assert_eq!(Inventory::of(&object), inventory);
        object.set("status.inventory.entries", json!([{"id": "?"}, 3]));
        assert!(Inventory::of(&object).is_empty());
    }
}
