//! Patch: the four media types.

use serde_json::Value;

use super::update::Managed;
use super::{Answer, Write, metadata_mut};
use crate::api::{Body, Patch, Subresource, WriteOptions};
use crate::apiserver::managed::Applied;
use crate::apiserver::refusal;
use crate::object::Object;

impl Write<'_> {
    pub(in crate::apiserver) fn patch(&mut self, patch: Patch, options: &WriteOptions) -> Answer {
        if let (Patch::Strategic(_), true) = (&patch, self.resource.is_custom()) {
            return Err(refusal::no_strategic_merge());
        }
        if self.subresource == Some(Subresource::Scale) {
            return self.patch_scale(&patch, options);
        }
        self.expect_subresource()?;
        if let Patch::Apply(config) = patch {
            return self.apply(config, options);
        }
        let old = self.existing()?;
        let patched = self.patched(old.as_value(), &patch)?;
        let mut value = self.decode(patched, options.field_validation)?;
        self.expect_place(&mut value)?;
        self.default(&mut value);
        self.replace(&old, value, Managed::Update)
    }

    /// Server-side apply (KEP-555).
    fn apply(&mut self, mut config: Value, options: &WriteOptions) -> Answer {
        if self.namespace.is_empty() && self.resource.namespaced {
            self.namespace = config["metadata"]["namespace"].as_str().unwrap_or_default().into();
        }
        let old = self.stored();
        let live = old.as_ref().map(Object::as_value);
        let applied = self.manage_apply(live, &config, options.force)?;
        self.expect_place(&mut config)?;
        match (applied, old) {
            (Applied::Unchanged, Some(old)) => {
                self.expect_identity(&old, &config)?;
                Ok((200, Body::Object(old)))
            }
            (Applied::Object(value), Some(old)) => self.replace(&old, value, Managed::Applied),
            (Applied::Object(mut value), None) => {
                if self.subresource.is_some() {
                    return Err(refusal::not_found(&self.resource, &self.name));
                }
                self.expect_place(&mut value)?;
                metadata_mut(&mut value).remove("resourceVersion");
                Ok((201, Body::Object(self.insert(value)?)))
            }
            (Applied::Unchanged, None) => unreachable!("what is not there changes when it is made"),
        }
    }
}
