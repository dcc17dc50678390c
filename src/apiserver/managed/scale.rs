//! The managers of a replica count, seen through the scale subresource.
//!
//! Source: `managedfields.ScaleHandler` of Kubernetes.

use std::sync::Arc;

use serde_json::Value;

use super::entries::{Entries, Entry};
use super::set::FieldSet;
use crate::apiserver::schema::{KindSchema, Registry};
use crate::object::GroupVersionKind;

const SCALE: &str = "autoscaling/v1";
const REPLICAS: [&str; 2] = ["f:spec", "f:replicas"];

/// The `managedFields` of the Scale that stands for `parent`: the entries that have its replica count.
/// Null when there are none.
///
/// Set them on the Scale before [`update`](super::update) or [`apply`](super::apply) is called with
/// the kind `autoscaling/v1` Scale.
pub fn scale_entries(registry: &Registry, kind: &Arc<KindSchema>, parent: &Value) -> Value {
    let mut entries = Entries::of(parent).unwrap_or_default();
    entries.0.retain(|entry| {
        let path = replicas_path(registry, kind, &entry.api_version);
        path.flatten().is_some_and(|path| has(&entry.fields, &path))
    });
    for entry in &mut entries.0 {
        entry.api_version = SCALE.into();
        entry.fields = only(&REPLICAS);
    }
    entries.into_value()
}

/// The `managedFields` of `parent` once its Scale was written: `scale` gives the managers of the
/// replica count, every other field keeps its own. Null when there are none.
pub fn parent_entries(
    registry: &Registry,
    kind: &Arc<KindSchema>,
    parent: &Value,
    scale: &Value,
) -> Value {
    let stored = Entries::of(parent).unwrap_or_default();
    let mut scaled = Entries::of(scale).unwrap_or_default();
    let mut entries = Entries::default();
    for entry in &stored.0 {
        let Some(path) = replicas_path(registry, kind, &entry.api_version) else { continue };
        let owned = path.filter(|path| has(&entry.fields, path));
        let kept = match owned {
            Some(path) if scaled.take(&entry.manager).is_none() => {
                entry.fields.difference(&only(&path))
            }
            _ => entry.fields.clone(),
        };
        if !kept.is_empty() {
            entries.0.push(Entry { fields: kept, ..entry.clone() });
        }
    }
    let own = kind.gvk.api_version();
    let path = replicas_path(registry, kind, &own).flatten().unwrap_or_default();
    for entry in scaled.0.iter().filter(|entry| has(&entry.fields, &REPLICAS)) {
        // The handler looks the time up under the parent's own name for the manager.
        let time = stored.get(&entry.manager).map(|entry| entry.time.clone()).unwrap_or_default();
        let fields = only(&path);
        entries.0.push(Entry {
            manager: entry.manager.clone(),
            api_version: own.clone(),
            time,
            fields,
        });
    }
    entries.into_value()
}

/// Where the replica count is at a version: `None` for a version that is not served, an inner `None`
/// for one without the subresource.
fn replicas_path(
    registry: &Registry,
    kind: &KindSchema,
    api_version: &str,
) -> Option<Option<Vec<String>>> {
    let at = registry.kind(&GroupVersionKind::new(api_version, &kind.gvk.kind))?;
    let path = |scale: &crate::apiserver::schema::Scale| {
        scale.spec.split('.').map(|field| format!("f:{field}")).collect()
    };
    Some(at.scale.as_ref().map(path))
}

fn has<S: AsRef<str>>(fields: &FieldSet, path: &[S]) -> bool {
    let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    fields.contains(&path)
}

fn only<S: AsRef<str>>(path: &[S]) -> FieldSet {
    let mut set = FieldSet::default();
    set.insert(path);
    set
}
