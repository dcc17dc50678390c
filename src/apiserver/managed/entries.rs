//! `metadata.managedFields`: who manages which fields.

use std::fmt;

use serde_json::{Map, Value, json};

use super::set::FieldSet;

/// How a manager came to its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// Who manages fields: the same manager may do so by several ways.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) operation: Operation,
    /// Empty for appliers: theirs is one entry whatever the version.
    pub(super) api_version: String,
    pub(super) subresource: String,
}

/// One entry of `managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) manager: Manager,
    pub(super) api_version: String,
    /// As written; empty for none.
    pub(super) time: String,
    pub(super) fields: FieldSet,
}

/// All entries of an object, each manager once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries(pub(super) Vec<Entry>);

impl Manager {
    /// A manager who writes at `api_version`.
    pub(super) fn new(
        name: &str,
        operation: Operation,
        api_version: &str,
        subresource: &str,
    ) -> Self {
        let api_version = if operation == Operation::Apply { "" } else { api_version };
        Manager {
            name: if name.is_empty() { "unknown".into() } else { name.into() },
            operation,
            api_version: api_version.into(),
            subresource: subresource.into(),
        }
    }
}

/// As conflicts name a manager.
impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {:?}", self.subresource)?;
        }
        match self.operation {
            Operation::Apply => Ok(()),
            Operation::Update => write!(f, " using {}", self.api_version),
        }
    }
}

impl Entry {
    fn decode(position: usize, entry: &Value) -> Result<Self, String> {
        let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or("");
        let operation = match text("operation") {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return Err("operation must be `Apply` or `Update`".into()),
        };
        if text("apiVersion").is_empty() {
            return Err("apiVersion must not be empty".into());
        }
        match text("fieldsType") {
            "FieldsV1" => {}
            "" => return Err(format!("missing fieldsType in managed fields entry {position}")),
            other => {
                return Err(format!(
                    "invalid fieldsType {other:?} in managed fields entry {position}"
                ));
            }
        }
        let fields = match entry.get("fieldsV1") {
            None | Some(Value::Null) => FieldSet::default(),
            Some(fields) => FieldSet::decode(fields).map_err(|e| e.to_string())?,
        };
        Ok(Entry {
            manager: Manager {
                name: text("manager").into(),
                ..Manager::new("", operation, text("apiVersion"), text("subresource"))
            },
            api_version: text("apiVersion").into(),
            time: text("time").into(),
            fields,
        })
    }

    fn encode(&self) -> Value {
        let mut entry = Map::new();
        let operation = match self.manager.operation {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        };
        let texts = [
            ("manager", &*self.manager.name),
            ("operation", operation),
            ("apiVersion", &self.api_version),
            ("time", &self.time),
            ("subresource", &self.manager.subresource),
        ];
        for (field, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            entry.insert(field.into(), text.into());
        }
        entry.insert("fieldsType".into(), "FieldsV1".into());
        entry.insert("fieldsV1".into(), self.fields.encode());
        Value::Object(entry)
    }

    /// Appliers first, then by time, then by name.
    fn order(&self) -> impl Ord + '_ {
        let manager = &self.manager;
        (manager.operation, &*self.time, &*manager.name, &*self.api_version, &*manager.subresource)
    }
}

impl Entries {
    /// The entries of an object.
    ///
    /// # Errors
    ///
    /// Why an entry cannot be read.
    pub(super) fn of(object: &Value) -> Result<Self, String> {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        let mut all = Entries::default();
        for (i, entry) in entries.into_iter().flatten().enumerate() {
            all.put(Entry::decode(i, entry)?);
        }
        Ok(all)
    }

    /// Writes the entries into an object, in their order.
    pub(super) fn write(self, object: &mut Value) {
        let Some(Value::Object(metadata)) = object.get_mut("metadata") else { return };
        match self.into_value() {
            Value::Null => metadata.remove("managedFields"),
            entries => metadata.insert("managedFields".into(), entries),
        };
    }

    /// The entries in their order; null when there are none.
    pub(super) fn into_value(mut self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        self.0.sort_by(|a, b| a.order().cmp(&b.order()));
        self.0.iter().map(Entry::encode).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, manager: &Manager) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.manager == *manager)
    }

    /// Puts an entry in the place of its manager's earlier one.
    pub(super) fn put(&mut self, entry: Entry) {
        match self.0.iter_mut().find(|own| own.manager == entry.manager) {
            Some(own) => *own = entry,
            None => self.0.push(entry),
        }
    }

    pub(super) fn take(&mut self, manager: &Manager) -> Option<Entry> {
        let at = self.0.iter().position(|entry| entry.manager == *manager)?;
        Some(self.0.remove(at))
    }

    pub(super) fn drop_empty(&mut self) {
        self.0.retain(|entry| !entry.fields.is_empty());
    }
}

/// Whether somebody asks for a fresh start: an empty list, or a list of one empty entry.
pub fn is_reset(object: &Value) -> bool {
    match object.pointer("/metadata/managedFields") {
        Some(Value::Array(entries)) => entries.is_empty() || **entries == [json!({})],
        _ => false,
    }
}
