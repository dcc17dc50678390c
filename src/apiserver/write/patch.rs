//! Patch: the four media types.

use serde_json::Value;

use super::update::Managed;
use super::{Answer, Write};
use crate::api::{Body, Patch, Subresource, WriteOptions};
use crate::apiserver::managed::{self, Applied};
use crate::apiserver::refusal;
use crate::object::Object;

impl Write<'_> {
    pub(in crate::apiserver) fn patch(&mut self, patch: Patch, options: &WriteOptions) -> Answer {
        if let (Patch::Strategic(_), true) = (&patch, self.resource.is_custom()) {
            return Err(refusal::no_strategic_merge());
        }
        if self.subresource == Some(Subresource::Scale) {
            return self.patch_scale(patch, options);
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
    fn apply(&mut self, config: Value, options: &WriteOptions) -> Answer {
        let mut config = config;
        self.expect_kind(&config)?;
        if self.namespace.is_empty() && self.resource.namespaced {
            self.namespace =
                config["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        }
        self.expect_place(&mut config)?;
        let old = self.stored();
        let live = old.as_ref().map(Object::as_value);
        let applied = self.manage_apply(live, &config, options.force)?;
        match (old, applied) {
            (Some(old), Applied::Unchanged) => Ok((200, Body::Object(old))),
            (Some(old), Applied::Object(value)) => self.replace(&old, value, Managed::Applied),
            (None, Applied::Object(value)) => Ok((201, Body::Object(self.insert(value)?))),
            (None, Applied::Unchanged) => unreachable!("what is not there changes by being made"),
        }
    }

    /// Patches the wanted count in the shape of an `autoscaling/v1` Scale.
    fn patch_scale(&mut self, patch: Patch, options: &WriteOptions) -> Answer {
        let old = self.existing()?;
        let live = self.scale_of(&old)?;
        match patch {
            Patch::Apply(config) => {
                let kind = self.scale_kind();
                let registry = self.server.resources.registry();
                let writer = self.scale_writer(options.force);
                match managed::apply(registry, &kind, Some(&live), &config, &writer)? {
                    Applied::Unchanged => self.write_scale(&old, live),
                    Applied::Object(scale) => self.write_scale(&old, scale),
                }
            }
            other => {
                let patched = self.patched(&live, &other)?;
                self.update_scale(patched)
            }
        }
    }
}
