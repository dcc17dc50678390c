//! Writes to the `scale` subresource: the wanted count, in the shape of an `autoscaling/v1` Scale.

use std::sync::Arc;

use serde_json::Value;

use super::update::Managed;
use super::webhooks::Subject;
use super::{Answer, Write, metadata_mut, object};
use crate::api::{Body, Patch, Status, WriteOptions};
use crate::apiserver::managed::{self, Applied, Writer};
use crate::apiserver::resource::Resource;
use crate::apiserver::schema::{self, Scale};
use crate::apiserver::{patch, refusal, scale};
use crate::object::{GroupVersionKind, Object};

impl Write<'_> {
    pub(super) fn update_scale(&mut self, given: Value, options: &WriteOptions) -> Answer {
        let (paths, old) = (self.scale_paths()?, self.existing()?);
        let live = self.managed_scale(&old, &paths);
        self.put_scale(&old, &live, given, &paths, options)
    }

    pub(super) fn patch_scale(&mut self, patch: &Patch, options: &WriteOptions) -> Answer {
        let (paths, old) = (self.scale_paths()?, self.existing()?);
        let live = self.managed_scale(&old, &paths);
        let kind = self.scale_kind();
        let patched = match patch {
            Patch::Json(operations) => patch::json(&live, operations)?,
            Patch::Merge(changes) => patch::merge(&live, changes)?,
            Patch::Strategic(changes) => patch::strategic(&kind, &live, changes)?,
            Patch::Apply(config) => {
                let writer = self.scale_writer(options.force);
                let registry = self.registry();
                match managed::apply(registry, &kind.schema, Some(&live), config, &writer)? {
                    Applied::Object(scale) => return self.set_count(&old, &scale, &paths),
                    Applied::Unchanged => {
                        return Ok((200, Body::Object(scale::of(&old, &paths))));
                    }
                }
            }
        };
        self.put_scale(&old, &live, patched, &paths, options)
    }

    fn put_scale(
        &mut self,
        old: &Object,
        live: &Value,
        given: Value,
        paths: &Scale,
        options: &WriteOptions,
    ) -> Answer {
        let kind = self.scale_kind();
        let (mut scale, warnings) = schema::decode(&kind, given, options.field_validation)?;
        warnings.into_iter().for_each(|warning| self.warn(warning));
        self.expect_place(&mut scale)?;
        schema::default(&kind, &mut scale);
        let writer = self.scale_writer(false);
        managed::update(self.registry(), &kind.schema, Some(live), &mut scale, &writer);
        self.set_count(old, &scale, paths)
    }

    /// Gives the object the count of a Scale, and those who manage it.
    fn set_count(&mut self, old: &Object, scale: &Value, paths: &Scale) -> Answer {
        let mut scale = scale.clone();
        let (kind, live) = (self.scale_kind(), scale::of(old, paths).into_value());
        let subject = Subject { operation: "UPDATE", kind: &kind, old: Some(&live) };
        self.mutate(subject, &mut scale, |_, _| Ok(()))?;
        let scale = &scale;
        let count = scale["spec"]["replicas"].as_i64().unwrap_or(0);
        if count < 0 {
            let message = format!("Invalid value: {count}: must be greater than or equal to 0");
            let cause = refusal::cause("FieldValueInvalid", "spec.replicas", message);
            return Err(refusal::invalid(&self.scale_kind(), &self.name, vec![cause]));
        }
        let entries =
            managed::parent_entries(self.registry(), &self.resource.schema, old.as_value(), scale);
        let mut new = old.clone();
        new.set(&paths.spec, count);
        let mut new = new.into_value();
        let metadata = metadata_mut(&mut new);
        metadata.remove("managedFields");
        if !entries.is_null() {
            metadata.insert("managedFields".into(), entries);
        }
        let given = |field: &str| scale["metadata"].get(field).cloned().unwrap_or_default();
        metadata.insert("resourceVersion".into(), given("resourceVersion"));
        metadata.insert("uid".into(), given("uid"));
        match self.replace(old, new, Managed::Scaled)? {
            (code, Body::Object(scaled)) => Ok((code, Body::Object(scale::of(&scaled, paths)))),
            other => Ok(other),
        }
    }

    /// Shows a new count to the webhooks that have a look at it.
    pub(super) fn validate_scale(&mut self, old: &Object, new: &Value) -> Result<(), Status> {
        let (paths, kind) = (self.scale_paths()?, self.scale_kind());
        let [live, new] =
            [old.clone(), object(new.clone())].map(|state| scale::of(&state, &paths).into_value());
        let subject = Subject { operation: "UPDATE", kind: &kind, old: Some(&live) };
        self.validate_by_webhooks(subject, Some(&new))
    }

    /// The Scale that stands for an object, with those who manage its count.
    fn managed_scale(&self, object: &Object, paths: &Scale) -> Value {
        let entries =
            managed::scale_entries(self.registry(), &self.resource.schema, object.as_value());
        let mut scale = scale::of(object, paths).into_value();
        if !entries.is_null() {
            scale["metadata"]["managedFields"] = entries;
        }
        scale
    }

    fn scale_paths(&self) -> Result<Scale, Status> {
        let none = || refusal::no_subresource(&self.resource, &self.name);
        self.resource.scale.clone().ok_or_else(none)
    }

    fn scale_kind(&self) -> Arc<Resource> {
        let kind = GroupVersionKind::new("autoscaling/v1", "Scale");
        let schema = self.registry().kind(&kind).expect("Scale is built in");
        Arc::new(Resource::of(schema))
    }

    fn scale_writer(&self, force: bool) -> Writer {
        Writer { api_version: "autoscaling/v1".into(), ..self.writer(force) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{ApiRequest, Caller, Subresource};
    use crate::apiserver::Server;
    use crate::time::Timestamp;

    #[test]
    fn a_scaled_count_is_managed_by_who_scaled() {
        let mut server = Server::new();
        let mut ask = |agent: &str, request| {
            server.handle(Timestamp::START, &Caller::new("alice", agent), request)
        };
        let mut web = Object::new("apps/v1", "Deployment", "default", "web");
        web.set("spec.selector.matchLabels", json!({"app": "web"}));
        web.set("spec.template.metadata.labels", json!({"app": "web"}));
        web.set("spec.template.spec.containers", json!([{"name": "a", "image": "b:1"}]));
        ask("maker", ApiRequest::create(web.clone(), WriteOptions::default())).unwrap();
        let patch = ApiRequest::patch(
            &web.gvk(),
            "default",
            "web",
            Patch::Merge(json!({"spec": {"replicas": 4}})),
            WriteOptions::default(),
        );
        let scaled = ask("scaler", patch.to(Subresource::Scale)).unwrap().into_object().unwrap();
        assert_eq!((scaled.kind(), scaled.int("spec.replicas")), ("Scale", Some(4)));
        let stored = server.get(&web.reference()).unwrap();
        assert_eq!((stored.int("spec.replicas"), stored.generation()), (Some(4), 2));
        let entries = stored.get("metadata.managedFields").and_then(Value::as_array).unwrap();
        let mut managers: Vec<_> = entries
            .iter()
            .map(|entry| (entry["manager"].as_str().unwrap(), entry["subresource"].as_str()))
            .collect();
        managers.sort_unstable();
        assert_eq!(managers, [("maker", None), ("scaler", Some("scale"))]);
    }
}
