//! Writes: what a create, an update, a patch and a deletion go through before they are in the log.
//!
//! The order of the phases is the real server's: decode, default, field managers, admission, the
//! kind's own preparation, validation, and only then the store.

mod admission;
mod create;
mod delete;
mod identity;
mod limits;
mod patch;
mod quotas;
mod reviews;
mod scaling;
mod semantics;
mod services;
mod strategy;
mod subresources;
mod tokens;
mod update;
mod warnings;
mod webhooks;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::history::{Entry, at_version};
use super::read::in_version;
use super::refusal;
use super::resource::Resource;
use super::schema::{Generation, KindSchema};
use super::server::{Server, verb_name};
use super::store::key;
use crate::api::{ApiRequest, Body, Caller, ResourceVersion, Status, Subresource, Verb};
use crate::object::{GroupVersionKind, Object};
use crate::time::Timestamp;

/// A code and a body: an answer without its warnings.
type Answer = Result<(u16, Body), Status>;

/// One request to write, on its way through the phases.
pub(super) struct Write<'a> {
    server: &'a mut Server,
    now: Timestamp,
    caller: &'a Caller,
    resource: Arc<Resource>,
    manager: String,
    verb: &'static str,
    dry_run: bool,
    namespace: String,
    name: String,
    subresource: Option<Subresource>,
    warnings: Vec<String>,
}

impl<'a> Write<'a> {
    pub(super) fn new(
        server: &'a mut Server,
        now: Timestamp,
        caller: &'a Caller,
        resource: Arc<Resource>,
        manager: String,
        request: &ApiRequest,
    ) -> Self {
        Write {
            server,
            now,
            caller,
            resource,
            manager,
            verb: verb_name(&request.verb),
            dry_run: request.is_dry_run(),
            namespace: request.namespace.clone(),
            name: request.name.clone(),
            subresource: request.subresource.clone(),
            warnings: Vec::new(),
        }
    }

    /// Does what the verb says.
    pub(super) fn answer(&mut self, verb: Verb) -> Answer {
        match verb {
            Verb::Create(object, options) => self.create(object, &options),
            Verb::Update(object, options) => self.update(object, &options),
            Verb::Patch(patch, options) => self.patch(patch, &options),
            Verb::Delete(options) => self.delete(&options),
            Verb::DeleteCollection(list, options) => self.delete_collection(&list, &options),
            Verb::Discover | Verb::Get(_) | Verb::List(_) | Verb::Watch(..) => {
                unreachable!("reads are answered elsewhere")
            }
        }
    }

    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    fn warn(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The stored object that the request names.
    fn stored(&self) -> Option<Object> {
        let key = key(&self.namespace, &self.name);
        let object = self.server.store.get(&self.resource.table, &key)?;
        Some(in_version(self.server, object.clone(), &self.resource.gvk))
    }

    fn existing(&self) -> Result<Object, Status> {
        self.stored().ok_or_else(|| refusal::not_found(&self.resource, &self.name))
    }

    fn subresource_name(&self) -> &str {
        self.subresource.as_ref().map_or("", Subresource::name)
    }

    /// Takes an object of another kind than the request's for what it is: a mistake.
    fn expect_kind(&self, value: &Value) -> Result<(), Status> {
        let wanted = &self.resource.gvk;
        let (api_version, kind) = (text(value, "apiVersion"), text(value, "kind"));
        if api_version == wanted.api_version() && kind == wanted.kind {
            return Ok(());
        }
        let given = GroupVersionKind::new(api_version, kind);
        if self.resource.is_custom() && given.version != wanted.version {
            return Err(refusal::wrong_version(&self.resource, api_version));
        }
        let known = self.server.resources.registry().kind(&given).is_some();
        Err(refusal::wrong_kind(&self.resource, &given, known))
    }

    /// The namespace and the name of the body must be those of the request, where it has them. A
    /// namespace in the body of what lives in none is not kept.
    /// (`rest.EnsureObjectNamespaceMatchesRequestNamespace`.)
    fn expect_place(&mut self, value: &mut Value) -> Result<(), Status> {
        let metadata = metadata_mut(value);
        if !self.resource.namespaced {
            metadata.remove("namespace");
        }
        let given = metadata.get("namespace").and_then(Value::as_str).unwrap_or("");
        if given.is_empty() && !self.namespace.is_empty() {
            metadata.insert("namespace".into(), json!(self.namespace));
        } else if given != self.namespace {
            return Err(refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        let given = metadata.get("name").and_then(Value::as_str).unwrap_or("");
        if given.is_empty() && self.verb == "update" {
            return Err(refusal::nameless(&self.name));
        }
        if given.is_empty() && !self.name.is_empty() {
            metadata.insert("name".into(), json!(self.name));
        } else if !self.name.is_empty() && given != self.name {
            return Err(refusal::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({})",
                self.name
            )));
        }
        Ok(())
    }

    /// Where the outcomes of applies to the request's object are kept.
    fn settled_key(&self) -> String {
        format!("{}/{}", self.resource.table, key(&self.namespace, &self.name))
    }

    /// Puts the new state of the object at `place` (`None`: its removal) into the log and the store,
    /// unless the request is a dry run. Gives it at its new version.
    fn commit(&mut self, place: &Object, after: Option<Object>) -> Option<Object> {
        if self.dry_run {
            return after;
        }
        let version = self.server.history.next_version();
        let key = key(place.namespace(), place.name());
        let after = after.map(|object| at_version(object, version));
        let storage = &self.resource.storage;
        let stored = after.clone().map(|object| in_version(self.server, object, storage));
        let before = self.server.store.get(&self.resource.table, &key).cloned();
        self.server.settled.forget(&format!("{}/{key}", self.resource.table));
        if self.resource.is("", "Service") {
            self.server.addresses.note(before.as_ref(), stored.as_ref());
        }
        match &stored {
            Some(object) => self.server.store.put(&self.resource.table, key, object.clone()),
            None => self.server.store.remove(&self.resource.table, &key),
        }
        self.server.history.push(Entry {
            version,
            at: self.now,
            user: self.caller.user.clone(),
            manager: self.manager.clone(),
            verb: self.verb,
            subresource: self.subresource_name().to_owned(),
            object: self.resource.storage.named(place.namespace(), place.name()),
            before,
            after: stored,
        });
        after
    }

    fn next_version(&self) -> ResourceVersion {
        self.server.history.next_version()
    }
}

/// Whether the new state of an object is a new generation of it.
fn is_new_generation(kind: &KindSchema, old: &Value, new: &Value) -> bool {
    match &kind.generation {
        Generation::None => false,
        Generation::Fields(paths) => paths.iter().any(|path| at(old, path) != at(new, path)),
        Generation::Custom => {
            let counts =
                |field: &&String| *field != "metadata" && !(kind.status && *field == "status");
            fields(old).chain(fields(new)).filter(counts).any(|f| old.get(f) != new.get(f))
        }
    }
}

fn fields(value: &Value) -> impl Iterator<Item = &String> {
    value.as_object().into_iter().flat_map(Map::keys)
}

/// The value at a dotted path.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, step| value.get(step))
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

/// The metadata of a value that is an object with metadata.
fn metadata_mut(value: &mut Value) -> &mut Map<String, Value> {
    let metadata = &mut value["metadata"];
    if !metadata.is_object() {
        *metadata = json!({});
    }
    metadata.as_object_mut().expect("just made")
}

/// A value that has been through decoding, as an object.
fn object(value: Value) -> Object {
    Object::from_value(value).expect("a decoded object has apiVersion, kind and metadata")
}
