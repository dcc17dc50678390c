//! Patch: the four media types.

use serde_json::{Map, Value};

use super::create::wipe_system_metadata;
use super::update::Managed;
use super::{Answer, Write, metadata_mut};
use crate::api::{Body, Patch, Status, Subresource, WriteOptions};
use crate::apiserver::managed::Applied;
use crate::apiserver::schema::Type;
use crate::apiserver::settled::Apply;
use crate::apiserver::{golang, refusal};
use crate::object::Object;

impl Write<'_> {
    pub(super) fn patch(&mut self, patch: Patch, options: &WriteOptions) -> Answer {
        if let (Patch::Strategic(_), true) = (&patch, self.resource.is_custom()) {
            return Err(refusal::no_strategic_merge());
        }
        if self.subresource == Some(Subresource::Scale) {
            return self.patch_scale(&patch, options);
        }
        if let Patch::Apply(config) = patch {
            return self.apply(config, options);
        }
        let old = self.existing()?;
        let patched = self.patched(old.as_value(), &patch)?;
        let mut value = self
            .decode(patched, options.field_validation)
            .or_else(|why| Err(self.undecodable(&old, &patch, &why)?))?;
        if value["metadata"]["name"].as_str().is_none_or(str::is_empty) {
            return Err(refusal::nameless(&self.name));
        }
        self.expect_place(&mut value)?;
        self.default(&mut value);
        self.replace(&old, value, Managed::Update)
    }

    /// The patch is well formed, but what it makes of the object is none.
    fn undecodable(&self, old: &Object, patch: &Patch, why: &Status) -> Result<Status, Status> {
        let root = Type::Struct(self.resource.root.clone());
        let patched = &self.patched(old.as_value(), patch)?;
        let shown = match patch {
            Patch::Merge(changes) => golang::encode(&root, patched, Some(changes)),
            Patch::Strategic(changes) => golang::plain(changes),
            _ => golang::encode(&root, patched, Some(&Value::Object(Map::new()))),
        };
        let reason = why.message.split_once(" cannot be handled as a ");
        let reason = reason.and_then(|(_, rest)| rest.split_once(": ")).map(|(_, reason)| reason);
        Ok(refusal::invalid_patch(&shown, reason.unwrap_or(&why.message)))
    }

    /// Server-side apply (KEP-555).
    fn apply(&mut self, mut config: Value, options: &WriteOptions) -> Answer {
        if self.namespace.is_empty() && self.resource.namespaced {
            self.namespace = config["metadata"]["namespace"].as_str().unwrap_or_default().into();
        }
        if !self.resource.namespaced {
            metadata_mut(&mut config).remove("namespace");
        }
        let old = self.stored();
        if old.is_none() && self.subresource.is_some() {
            return Err(refusal::not_found(&self.resource, &self.name));
        }
        let version = self.resource.gvk.api_version();
        let sub = self.subresource_name();
        let known = Apply::new(&self.manager, sub, version, options.force, &config);
        let asks = self.asks_webhooks();
        if let Some(old) = &old
            && !asks
            && self.server.settled.knows(&self.settled_key(), &known)
        {
            return Ok((200, Body::Object(old.clone())));
        }
        let live = old.as_ref().map(Object::as_value);
        let applied = self.manage_apply(live, &config, options.force)?;
        self.expect_place(&mut config)?;
        match (applied, old) {
            (Applied::Unchanged, Some(old)) if asks || self.is_stored_otherwise(&old) => {
                self.expect_given(&old, &config)?;
                self.replace(&old, old.as_value().clone(), Managed::Applied)
            }
            (Applied::Unchanged, Some(old)) => self.leave_as_is(old, &config, known),
            (Applied::Object(mut value), Some(old)) => {
                self.fold(&mut value);
                self.replace(&old, value, Managed::Applied)
            }
            (Applied::Object(value), None) => self.create_applied(value, &config),
            (Applied::Unchanged, None) => unreachable!("what is not there changes when it is made"),
        }
    }

    /// The apply changes nothing; the next one like it will be known by that.
    fn leave_as_is(&mut self, old: Object, config: &Value, known: Apply) -> Answer {
        self.expect_given(&old, config)?;
        self.warn_of(Some(old.as_value()), old.as_value());
        if self.warnings.is_empty() {
            self.server.settled.note(self.settled_key(), known);
        }
        Ok((200, Body::Object(old)))
    }

    /// An apply makes what is not there. What it takes for there already, by a uid, it does not make.
    fn create_applied(&mut self, mut value: Value, config: &Value) -> Answer {
        self.fold(&mut value);
        self.expect_place(&mut value)?;
        if let Some(uid) = config["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty()) {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            return Err(refusal::conflict(&self.resource, &self.name, &why));
        }
        wipe_system_metadata(&mut value);
        metadata_mut(&mut value).remove("resourceVersion");
        Ok((201, Body::Object(self.insert(value)?)))
    }
}
