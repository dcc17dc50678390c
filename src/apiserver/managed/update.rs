//! Who manages what after a creation, an update or a patch.

use std::sync::Arc;

use serde_json::Value;

use super::compare::Comparison;
use super::entries::{Entries, Entry, Manager, Operation, is_reset};
use super::set::FieldSet;
use super::versions::Versions;
use super::{Writer, ignored, stripped};
use crate::apiserver::schema::{KindSchema, Registry, zero_object};

/// At most so many entries of updates; the oldest beyond are put together.
const UPDATERS: usize = 10;

/// Notes in `new` who manages its fields, when it was made or changed otherwise than by apply:
/// whoever changed a field has it.
///
/// `live` is the stored object, `None` on creation; both are at the version of `kind`, in normal form
/// and with defaults. Entries that the request brings along count only when they can be read.
pub fn update(
    registry: &Registry,
    kind: &Arc<KindSchema>,
    live: Option<&Value>,
    new: &mut Value,
    writer: &Writer,
) {
    let zero;
    let before = match live {
        Some(live) => live,
        None => {
            zero = zero_object(kind);
            &zero
        }
    };
    let mut entries = known_entries(before, new, writer);
    clear(new);
    if !(entries.is_empty() && live.is_some()) {
        track(&Versions::new(registry, kind), before, new, &mut entries, writer);
        cap(&mut entries);
    }
    entries.write(new);
}

/// Keeps the stored managers when nothing but their times would change: such a write is none.
/// (`IgnoreManagedFieldsTimestampsTransformer`.)
pub fn keep_times(live: &Value, new: &mut Value) {
    let stored = live.pointer("/metadata/managedFields");
    let own = new.pointer("/metadata/managedFields");
    if let (Some(Value::Array(stored)), Some(Value::Array(own))) = (stored, own)
        && stored != own
        && is_same_but_for_times(stored, own)
        && is_same_but_for_managers(live, new)
    {
        new["metadata"]["managedFields"] = stored.clone().into();
    }
}

/// Whether two records tell the same, in whatever order and of whatever times.
fn is_same_but_for_times(one: &[Value], other: &[Value]) -> bool {
    one.len() == other.len()
        && by_manager(one).into_iter().zip(by_manager(other)).all(|(a, b)| told(a).eq(told(b)))
}

/// Whether two states of an object tell the same of all but its managers.
fn is_same_but_for_managers(one: &Value, other: &Value) -> bool {
    fn but<'v>(
        value: &'v Value,
        left_out: &'v str,
    ) -> impl Iterator<Item = (&'v String, &'v Value)> {
        value.as_object().into_iter().flatten().filter(move |(field, _)| *field != left_out)
    }
    but(one, "metadata").eq(but(other, "metadata"))
        && but(&one["metadata"], "managedFields").eq(but(&other["metadata"], "managedFields"))
}

fn by_manager(entries: &[Value]) -> Vec<&Value> {
    let mut entries: Vec<&Value> = entries.iter().collect();
    entries.sort_by_key(|entry| entry["manager"].as_str());
    entries
}

/// The fields of an entry but its time.
fn told(entry: &Value) -> impl Iterator<Item = (&String, &Value)> {
    entry.as_object().into_iter().flatten().filter(|(field, _)| *field != "time")
}

/// The request's own entries when they can be read, else the stored ones. Through a subresource
/// nobody sets them.
fn known_entries(live: &Value, new: &Value, writer: &Writer) -> Entries {
    let stored = || Entries::of(live).unwrap_or_default();
    if !writer.subresource.is_empty() {
        return stored();
    }
    if is_reset(new) {
        return Entries::default();
    }
    match Entries::of(new) {
        Ok(entries) if !entries.is_empty() => entries,
        _ => stored(),
    }
}

fn clear(object: &mut Value) {
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.remove("managedFields");
    }
}

/// Takes every changed field from whoever had it, and gives it to the writer.
pub(super) fn track(
    versions: &Versions,
    live: &Value,
    new: &Value,
    entries: &mut Entries,
    writer: &Writer,
) {
    versions.forget_unserved(entries);
    let bare_live = without_entries(live);
    let changes = Changes::between(versions, &bare_live, new, writer);
    changes.take_from_all(entries);
    entries.drop_empty();
    let own = changes.at(&writer.api_version).unwrap_or_default();
    let won = own.modified.union(&own.added);
    let won = stripped(won.without(&ignored(versions.kind, writer)));
    if !won.is_empty() {
        give(entries, won, writer);
    }
}

/// The live object as it is compared: its own record of managers is no field of it.
fn without_entries(live: &Value) -> std::borrow::Cow<'_, Value> {
    if live.pointer("/metadata/managedFields").is_none() {
        return std::borrow::Cow::Borrowed(live);
    }
    let mut bare = live.clone();
    clear(&mut bare);
    std::borrow::Cow::Owned(bare)
}

fn give(entries: &mut Entries, won: FieldSet, writer: &Writer) {
    let manager =
        Manager::new(&writer.manager, Operation::Update, &writer.api_version, &writer.subresource);
    let fields = match entries.take(&manager) {
        Some(earlier) => won.union(&earlier.fields),
        None => won,
    };
    let (api_version, time) = (writer.api_version.clone(), writer.now.to_string());
    entries.put(Entry { manager, api_version, time, fields });
}

/// What a write changes, at each version that managers write at.
pub(super) struct Changes<'a, 'v> {
    versions: &'a Versions<'a>,
    live: &'v Value,
    new: &'v Value,
    ignored: FieldSet,
    known: std::cell::RefCell<Vec<(String, Comparison)>>,
}

impl<'a, 'v> Changes<'a, 'v> {
    pub(super) fn between(
        versions: &'a Versions<'a>,
        live: &'v Value,
        new: &'v Value,
        writer: &Writer,
    ) -> Self {
        Changes {
            versions,
            live,
            new,
            ignored: ignored(versions.kind, writer),
            known: Default::default(),
        }
    }

    /// The changes at a version; `None` when it is not served any more.
    pub(super) fn at(&self, api_version: &str) -> Option<Comparison> {
        if let Some((_, known)) = self.known.borrow().iter().find(|(v, _)| v == api_version) {
            return Some(known.clone());
        }
        let ty = self.versions.root_at(api_version)?;
        let live = self.versions.to(api_version, self.live)?;
        let new = self.versions.to(api_version, self.new)?;
        let found = Comparison::of(&ty, &live, &new).without(&self.ignored);
        self.known.borrow_mut().push((api_version.into(), found.clone()));
        Some(found)
    }

    /// What of an entry's fields is given another value.
    pub(super) fn taken(&self, entry: &Entry) -> FieldSet {
        let changes = self.at(&entry.api_version).unwrap_or_default();
        entry.fields.intersection(&changes.modified.union(&changes.added))
    }

    /// Takes changed and removed fields from every entry.
    fn take_from_all(&self, entries: &mut Entries) {
        for entry in &mut entries.0 {
            self.take_from(entry);
        }
    }

    pub(super) fn take_from(&self, entry: &mut Entry) {
        let Some(changes) = self.at(&entry.api_version) else { return };
        if changes.is_same() {
            return;
        }
        let gone = changes.modified.union(&changes.added).union(&changes.removed);
        entry.fields = entry.fields.difference(&gone);
    }
}

/// Puts the oldest entries of updates together until there are not too many.
///
/// Source: `capManagersManager` of Kubernetes.
fn cap(entries: &mut Entries) {
    let updaters = |entries: &Entries| {
        entries.0.iter().filter(|entry| entry.manager.operation == Operation::Update).count()
    };
    if updaters(entries) <= UPDATERS {
        return;
    }
    let mut oldest: Vec<Manager> = Vec::new();
    entries.0.sort_by(|a, b| (&a.time, &a.manager).cmp(&(&b.time, &b.manager)));
    oldest.extend(entries.0.iter().map(|entry| entry.manager.clone()));
    oldest.retain(|manager| manager.operation == Operation::Update);
    let mut first_of_version: Vec<(String, Manager)> = Vec::new();
    for manager in oldest {
        if updaters(entries) <= UPDATERS {
            return;
        }
        let version = manager.api_version.clone();
        match first_of_version.iter().find(|(v, _)| *v == version) {
            None => first_of_version.push((version, manager)),
            Some((_, first)) => pour(entries, &manager, &first.clone()),
        }
    }
}

/// Pours an entry into the bucket of its version, which the version's first entry becomes.
fn pour(entries: &mut Entries, manager: &Manager, first: &Manager) {
    let Some(entry) = entries.take(manager) else { return };
    let bucket = Manager::new("ancient-changes", Operation::Update, &entry.api_version, "");
    let earlier = entries.take(&bucket).or_else(|| entries.take(first));
    let fields = match earlier {
        Some(earlier) => entry.fields.union(&earlier.fields),
        None => entry.fields,
    };
    entries.put(Entry { manager: bucket, fields, ..entry });
}

/// An object that nobody manages yet, as the first apply finds it: all its fields are those of
/// `before-first-apply`.
pub(super) fn before_first_apply(versions: &Versions, live: &Value, writer: &Writer) -> Entries {
    let mut entries = Entries::default();
    let empty = zero_object(versions.kind);
    let former = Writer { manager: "before-first-apply".into(), ..writer.clone() };
    track(versions, &empty, live, &mut entries, &former);
    entries
}
