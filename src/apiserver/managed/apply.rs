//! Server-side apply.
//!
//! Source: KEP-555, and structured-merge-diff, whose every rule is kept: what is applied is merged
//! in, what the manager applied before and no longer does is removed unless somebody else has it,
//! and a change to a field that somebody else has is a conflict.

use std::sync::Arc;

use serde_json::Value;

use super::check::{check, field_set};
use super::conflict::{self, Conflict};
use super::entries::{Entries, Entry, Manager, Operation};
use super::merge::merge;
use super::remove::remove;
use super::set::FieldSet;
use super::shape::same;
use super::unchanged::is_unchanged;
use super::update::{Changes, before_first_apply, keep_times};
use super::versions::Versions;
use super::{Writer, ignored, stripped};
use crate::api::{Reason, Status};
use crate::apiserver::schema::{
    KindSchema, Registry, Type, default, normalize_merged, zero_object,
};
use crate::object::GroupVersionKind;

/// What an apply comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Applied {
    /// Neither the object nor who manages it changes.
    Unchanged,
    /// The object as it is to be, in normal form, with defaults and managers.
    Object(Value),
}

/// Applies `patch`, all that the writer wants of the object, to the stored object `live` (`None`: it
/// is to be made), at the version of `kind`.
///
/// # Errors
///
/// `BadRequest` for a patch of another kind or with managed fields, 500 for fields that the schema does
/// not have, `Conflict` with a cause a field for what others manage, unless the writer forces it.
pub fn apply(
    registry: &Registry,
    kind: &Arc<KindSchema>,
    live: Option<&Value>,
    patch: &Value,
    writer: &Writer,
) -> Result<Applied, Status> {
    if live.is_some_and(|live| is_unchanged(kind, live, patch, writer)) {
        return Ok(Applied::Unchanged);
    }
    apply_in_full(registry, kind, live, patch, writer)
}

/// The apply itself, without a look whether it is needed.
pub(super) fn apply_in_full(
    registry: &Registry,
    kind: &Arc<KindSchema>,
    live: Option<&Value>,
    patch: &Value,
    writer: &Writer,
) -> Result<Applied, Status> {
    let versions = Versions::new(registry, kind);
    check_patch(&versions, kind, patch)?;
    let zero;
    let live_object = match live {
        Some(live) => live,
        None => {
            zero = zero_object(kind);
            &zero
        }
    };
    let stored = Entries::of(live_object)
        .map_err(|e| internal(format!("failed to decode managed fields: {e}")))?;
    let bare = bare(live_object);
    let mut entries = stored.clone();
    if entries.is_empty() {
        entries = before_first_apply(&versions, &bare, writer);
    }
    let apply = Apply { versions: &versions, live: &bare, patch, writer };
    let (merged, mut entries) =
        conflict::upgraded(&bare, writer, &versions, |force| apply.run(entries.clone(), force))?;
    let mut object = match merged {
        None if live.is_some() && entries == stored => return Ok(Applied::Unchanged),
        None => bare,
        Some(mut merged) => {
            normalize_merged(kind, &mut merged).map_err(|e| unconvertible(kind, patch, &e))?;
            default(kind, &mut merged);
            note_time(&mut entries, writer);
            merged
        }
    };
    conflict::sync_last_applied(&mut object, patch, writer);
    entries.write(&mut object);
    if let Some(live) = live {
        keep_times(live, &mut object);
        if object == *live {
            return Ok(Applied::Unchanged);
        }
    }
    Ok(Applied::Object(object))
}

fn note_time(entries: &mut Entries, writer: &Writer) {
    let own = applier(writer);
    if let Some(entry) = entries.0.iter_mut().find(|entry| entry.manager == own) {
        entry.time = writer.now.to_string();
    }
}

fn applier(writer: &Writer) -> Manager {
    Manager::new(&writer.manager, Operation::Apply, &writer.api_version, &writer.subresource)
}

/// The object without its record of managers.
fn bare(object: &Value) -> Value {
    let mut bare = object.clone();
    if let Some(Value::Object(metadata)) = bare.get_mut("metadata") {
        metadata.remove("managedFields");
    }
    bare
}

fn check_patch(versions: &Versions, kind: &KindSchema, patch: &Value) -> Result<(), Status> {
    let text = |field: &str| patch.get(field).and_then(Value::as_str).unwrap_or("");
    let named = GroupVersionKind::new(text("apiVersion"), text("kind"));
    if named != kind.gvk {
        return Err(bad_request(format!("invalid object type: {named}")));
    }
    if patch.pointer("/metadata/managedFields").is_some_and(|entries| !entries.is_null()) {
        return Err(bad_request("metadata.managedFields must be nil".into()));
    }
    check(versions.root(), patch).map_err(|problem| {
        let subject = subject(kind, patch);
        internal(format!("failed to create typed patch object ({subject}): {problem}"))
    })
}

/// `namespace/name; apps/v1, Kind=Deployment`
fn subject(kind: &KindSchema, patch: &Value) -> String {
    let text = |path: &str| patch.pointer(path).and_then(Value::as_str).unwrap_or("");
    format!("{}/{}; {}", text("/metadata/namespace"), text("/metadata/name"), kind.gvk)
}

fn unconvertible(kind: &KindSchema, patch: &Value, problem: &str) -> Status {
    let subject = subject(kind, patch);
    internal(format!(
        "failed to convert new object ({subject}) to proper version: unable to convert unstructured object to {}: {problem}",
        kind.gvk
    ))
}

fn bad_request(message: String) -> Status {
    Status::failure(Reason::BadRequest, message)
}

/// An error that the server did not give a reason.
fn internal(message: String) -> Status {
    Status { code: 500, message, ..Status::default() }
}

/// One apply, once its patch is known to be well formed.
struct Apply<'a> {
    versions: &'a Versions<'a>,
    live: &'a Value,
    patch: &'a Value,
    writer: &'a Writer,
}

impl Apply<'_> {
    /// The merged object, `None` when nothing of it changes, and who manages it then.
    ///
    /// # Errors
    ///
    /// The fields that others have.
    fn run(
        &self,
        mut entries: Entries,
        force: bool,
    ) -> Result<(Option<Value>, Entries), Vec<Conflict>> {
        self.versions.forget_unserved(&mut entries);
        let root = self.versions.root();
        let manager = applier(self.writer);
        let last = entries.get(&manager).cloned();
        let fields = field_set(root, self.patch).without(&ignored(self.versions.kind, self.writer));
        entries.put(Entry {
            manager: manager.clone(),
            api_version: self.writer.api_version.clone(),
            time: last.as_ref().map(|last| last.time.clone()).unwrap_or_default(),
            fields,
        });
        let mut merged = merge(root, self.live, self.patch);
        if let Some(last) = last.filter(|last| !last.fields.is_empty()) {
            merged = self.prune(merged, &entries, &last);
        }
        self.settle(&merged, &mut entries, &manager, force)?;
        if let Some(entry) = entries.0.iter_mut().find(|entry| entry.manager == manager) {
            entry.fields = stripped(std::mem::take(&mut entry.fields));
        }
        entries.drop_empty();
        let changed = !same(&merged, self.live);
        Ok((changed.then_some(merged), entries))
    }

    /// Takes what changes from everybody else, or refuses to.
    fn settle(
        &self,
        merged: &Value,
        entries: &mut Entries,
        manager: &Manager,
        force: bool,
    ) -> Result<(), Vec<Conflict>> {
        let changes = Changes::between(self.versions, self.live, merged, self.writer);
        let others = || entries.0.iter().filter(|entry| entry.manager != *manager);
        if !force {
            let conflicts: Vec<Conflict> = others()
                .map(|entry| Conflict::new(&entry.manager, changes.taken(entry)))
                .filter(|conflict| !conflict.fields.is_empty())
                .collect();
            if !conflicts.is_empty() {
                return Err(conflicts);
            }
        }
        for entry in entries.0.iter_mut().filter(|entry| entry.manager != *manager) {
            changes.take_from(entry);
        }
        Ok(())
    }

    /// Removes what the manager applied last time, does not apply now, and nobody else has.
    fn prune(&self, merged: Value, entries: &Entries, last: &Entry) -> Value {
        let version = &last.api_version;
        let (Some(root), Some(at_last)) =
            (self.versions.root_at(version), self.versions.to(version, &merged))
        else {
            return merged;
        };
        let last_fields = last.fields.with_named_fields(&root);
        let pruned = remove(&root, &at_last, &last_fields);
        let pruned = self.add_back_owned(&at_last, pruned, version, entries);
        let pruned = add_back_dangling(&root, &at_last, &pruned, &last_fields);
        self.versions.back(version, pruned)
    }

    /// Puts back what anybody manages, the new patch included, version by version.
    fn add_back_owned(
        &self,
        merged: &Value,
        pruned: Value,
        version: &str,
        entries: &Entries,
    ) -> Value {
        let mut managed: Vec<(&str, FieldSet)> = vec![(version, FieldSet::default())];
        for entry in &entries.0 {
            match managed.iter_mut().find(|(version, _)| *version == entry.api_version) {
                Some((_, fields)) => *fields = std::mem::take(fields).union(&entry.fields),
                None => managed.push((&entry.api_version, entry.fields.clone())),
            }
        }
        let (mut merged, mut pruned, mut at) = (merged.clone(), pruned, version.to_string());
        for (version, fields) in managed {
            let own = self.versions.back(&at, merged.clone());
            let own_pruned = self.versions.back(&at, pruned.clone());
            let (Some(root), Some(whole), Some(part)) = (
                self.versions.root_at(version),
                self.versions.to(version, &own),
                self.versions.to(version, &own_pruned),
            ) else {
                continue;
            };
            let fields = fields.with_named_fields(&root);
            pruned = keep(&root, &whole, &part, &fields);
            (merged, at) = (whole.into_owned(), version.into());
        }
        let own = self.versions.back(&at, pruned);
        self.versions.to(version, &own).map_or(own.clone(), |value| value.into_owned())
    }
}

/// `whole` without what is neither in `part` nor managed.
fn keep(root: &Type, whole: &Value, part: &Value, managed: &FieldSet) -> Value {
    let there = field_set(root, whole).with_named_fields(root);
    let kept = field_set(root, part).with_named_fields(root).union(managed);
    remove(root, whole, &there.difference(&kept))
}

/// Puts back what was pruned though the manager never applied it.
fn add_back_dangling(root: &Type, whole: &Value, pruned: &Value, last: &FieldSet) -> Value {
    let there = field_set(root, whole).with_named_fields(root);
    let kept = field_set(root, pruned).with_named_fields(root);
    remove(root, whole, &there.difference(&kept).intersection(last))
}
