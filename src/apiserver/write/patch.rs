//! Patch: the four media types.

use serde_json::Value;

use super::update::Managed;
use super::{Answer, Write, semantics};
use crate::api::{Body, Patch, Status, Subresource, WriteOptions};
use crate::apiserver::{refusal, scale};
use crate::object::Object;

impl Write<'_> {
    pub(in crate::apiserver) fn patch(&mut self, patch: Patch, options: &WriteOptions) -> Answer {
        if let (Patch::Strategic(_), true) = (&patch, self.resource.is_custom()) {
            return Err(refusal::no_strategic_merge());
        }
        if self.subresource == Some(Subresource::Scale) {
            return self.patch_scale(patch);
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
        let mut value =
            self.manage_apply(old.as_ref().map(Object::as_value), &config, options.force)?;
        self.default(&mut value);
        match old {
            Some(old) => self.replace(&old, value, Managed::Applied),
            None => Ok((201, Body::Object(self.insert(value)?))),
        }
    }

    fn patched(&self, live: &Value, patch: &Patch) -> Result<Value, Status> {
        match patch {
            Patch::Merge(changes) => {
                let mut value = live.clone();
                semantics::merge(&mut value, changes);
                Ok(value)
            }
            Patch::Strategic(changes) => self.strategic(live, changes),
            Patch::Json(operations) => self.json_patch(live, operations),
            Patch::Apply(_) => unreachable!("an apply goes its own way"),
        }
    }

    fn json_patch(&self, live: &Value, operations: &Value) -> Result<Value, Status> {
        let _ = (live, operations);
        Err(refusal::unpatchable())
    }

    /// Patches the wanted count in the shape of an `autoscaling/v1` Scale.
    fn patch_scale(&mut self, patch: Patch) -> Answer {
        let paths = self.resource.scale.clone().ok_or_else(refusal::unknown_resource)?;
        let live = scale::of(&self.existing()?, &paths);
        let patched = match &patch {
            Patch::Apply(config) => {
                let mut value = live.into_value();
                semantics::merge(&mut value, config);
                value
            }
            other => self.patched(live.as_value(), other)?,
        };
        self.update_scale(patched)
    }
}
