//! Update: the new state of an object that is there.

use serde_json::{Map, Value, json};

use super::identity::{is_finished, keep_metadata};
use super::webhooks::Subject;
use super::{Answer, Write, is_new_generation, metadata_mut, object};
use crate::api::{Body, ResourceVersion, Status, Subresource, WriteOptions};
use crate::apiserver::authorize::check_escalation;
use crate::apiserver::{managed, refusal, schema};
use crate::object::Object;

/// How the field managers are told of a change.
pub(super) enum Managed {
    /// The change is an update: what differs is the manager's.
    Update,
    /// The change is an apply, which has written `managedFields` already.
    Applied,
    /// The change came through the scale subresource, which has noted its managers; times alone
    /// make a change there.
    Scaled,
}

impl Write<'_> {
    pub(super) fn update(&mut self, body: Object, options: &WriteOptions) -> Answer {
        let value = body.into_value();
        if self.subresource == Some(Subresource::Scale) {
            return self.update_scale(value, options);
        }
        let mut value = self.decode(value, options.field_validation)?;
        if self.namespace.is_empty() && self.resource.namespaced {
            self.namespace = value["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        }
        self.expect_place(&mut value)?;
        self.default(&mut value);
        let Some(old) = self.stored() else {
            if !self.resource.strategy.create_on_update || self.subresource.is_some() {
                return Err(refusal::not_found(&self.resource, &self.name));
            }
            self.expect_no_uid(&value)?;
            self.manage_update(None, &mut value);
            return Ok((201, Body::Object(self.insert(value)?)));
        };
        self.replace(&old, value, Managed::Update)
    }

    /// From the new state to the store: what updates and patches have in common.
    pub(super) fn replace(&mut self, old: &Object, mut value: Value, managed: Managed) -> Answer {
        self.expect_namespace()?;
        let before = old.as_value();
        if let Managed::Update = managed {
            self.manage_update(Some(before), &mut value);
        }
        let kind = self.resource.clone();
        let subject = Subject { operation: "UPDATE", kind: &kind, old: Some(before) };
        if !matches!(managed, Managed::Scaled) {
            self.mutate(subject, &mut value, |_, _| Ok(()))?;
        }
        check_escalation(self.server, self.caller, &self.resource, &value)?;
        self.expect_identity(old, &value)?;
        self.keep_parts(before, &mut value);
        keep_metadata(before, &mut value);
        self.prepare_for_update(before, &mut value)?;
        self.count_generation(before, &mut value);
        let causes = self.broken_rules(&value, Some(before));
        if !causes.is_empty() {
            return Err(refusal::invalid(&self.resource, &self.name, causes));
        }
        if self.subresource.is_none() || self.subresource == Some(Subresource::Scale) {
            self.warn_of(Some(before), &value);
        }
        self.drop_nulls(&managed, &mut value);
        if matches!(managed, Managed::Scaled) {
            self.validate_scale(old, &value)?;
        } else {
            self.validate_by_webhooks(subject, Some(&value))?;
            managed::keep_times(before, &mut value);
        }
        if value == *before && !self.is_stored_otherwise(old) {
            return Ok((200, Body::Object(old.clone())));
        }
        if self.subresource.is_none() && self.is_charged_again() {
            let charged = self.charged_quotas(Some(old), &value)?;
            self.charge(charged)?;
        }
        let new = object(value);
        if is_finished(&new) {
            self.commit(old, None);
            return Ok((200, Body::Object(new)));
        }
        let stored = self.commit(old, Some(new)).expect("an update leaves an object");
        Ok((200, Body::Object(stored)))
    }

    /// Whether objects may come to use more of a quota: the others use the same all their life.
    fn is_charged_again(&self) -> bool {
        self.resource.is("", "Service") || self.resource.is("", "PersistentVolumeClaim")
    }

    /// A null that an apply left in a custom resource, and validation let pass, is not read back.
    fn drop_nulls(&self, managed: &Managed, value: &mut Value) {
        if self.resource.is_custom() && matches!(managed, Managed::Applied) {
            schema::normalize(&self.resource, value).expect("it was read before");
        }
    }

    /// Whether the stored bytes would become others although the object stays the same: then an update
    /// is a change, whatever it says.
    pub(super) fn is_stored_otherwise(&self, old: &Object) -> bool {
        let version = old.resource_version().parse().map(ResourceVersion).unwrap_or_default();
        let Some(entry) = self.server.history.get(version) else { return false };
        // The scale subresource writes the keys of managed items in the order of their text, all others
        // by what they say: 443 before 80, or after it.
        let by_scale = self.subresource == Some(Subresource::Scale);
        entry.before.is_none() && self.is_stored_short(old)
            || by_scale != (entry.subresource == "scale") && managed::keys_have_two_orders(old)
    }

    /// Whether the object was first stored without something that a real server fills in whenever it
    /// reads it.
    fn is_stored_short(&self, old: &Object) -> bool {
        match (self.resource.gvk.group.as_str(), self.resource.gvk.kind.as_str()) {
            ("", "PersistentVolumeClaim") => true,
            ("batch", "Job") => {
                old.label("controller-uid").is_some()
                    && old.get("metadata.labels") == old.get("spec.template.metadata.labels")
            }
            _ => false,
        }
    }

    /// Optimistic concurrency: some kinds are not updated without a version.
    fn expect_identity(&self, old: &Object, value: &Value) -> Result<(), Status> {
        let version = value["metadata"]["resourceVersion"].as_str().unwrap_or("");
        if self.resource.strategy.needs_version && matches!(version, "" | "0") {
            return Err(refusal::needs_version(&self.resource, &self.name));
        }
        self.expect_given(old, value)
    }

    /// A version or uid that is given must be the stored one.
    pub(super) fn expect_given(&self, old: &Object, value: &Value) -> Result<(), Status> {
        let given =
            |field: &str| value["metadata"].get(field).and_then(Value::as_str).unwrap_or("");
        let uid = given("uid");
        // Of a patch it is a field like others.
        if self.verb == "update" && !uid.is_empty() && uid != old.uid() {
            return Err(refusal::other_uid(&self.resource, old, uid, self.dry_run));
        }
        match given("resourceVersion") {
            "" | "0" => Ok(()),
            version if version == old.resource_version() => Ok(()),
            version if version.parse::<u64>().is_err() => Err(refusal::bad_version(version)),
            _ => Err(refusal::modified(&self.resource, &self.name)),
        }
    }

    /// An update that makes an object is meant for none that was there.
    fn expect_no_uid(&self, value: &Value) -> Result<(), Status> {
        match value["metadata"]["uid"].as_str().unwrap_or_default() {
            "" => Ok(()),
            uid => {
                let kind = &self.resource.gvk;
                let none =
                    Object::new(&kind.api_version(), &kind.kind, &self.namespace, &self.name);
                Err(refusal::other_uid(&self.resource, &none, uid, self.dry_run))
            }
        }
    }

    /// A write to the object keeps its status; a write to the status keeps everything else.
    fn keep_parts(&self, old: &Value, new: &mut Value) {
        let keep = |new: &mut Value, field: &str| match old.get(field) {
            Some(part) => {
                new[field] = part.clone();
            }
            None => {
                new.as_object_mut().map(|fields| fields.remove(field));
            }
        };
        match &self.subresource {
            None if self.resource.is("", "Namespace") => {
                keep(new, "status");
                keep(new, "spec");
            }
            Some(Subresource::Other(_)) => keep(new, "status"),
            None if self.resource.status => keep(new, "status"),
            Some(Subresource::Status) => {
                let metadata = new["metadata"].take();
                let others = without_status(old);
                let fields = new.as_object_mut().expect("a decoded object has fields");
                fields.retain(|field, _| field == "status");
                fields.extend(others);
                if !fields.contains_key("status") {
                    keep(new, "status");
                }
                self.metadata_with_status(metadata, metadata_mut(new));
            }
            _ => {}
        }
    }

    /// Built-in kinds take metadata along with a status (but the labels of Deployments): that is how a
    /// Deployment gets its revision. Custom resources do not.
    fn metadata_with_status(&self, mut given: Value, metadata: &mut Map<String, Value>) {
        if self.resource.custom.is_some() {
            if let Some(managed) = given.get_mut("managedFields").map(Value::take) {
                metadata.insert("managedFields".into(), managed);
            }
            return;
        }
        let Value::Object(given) = given else { return };
        let labels = metadata.remove("labels");
        *metadata = given;
        if self.resource.is("apps", "Deployment") {
            metadata.remove("labels");
            metadata.extend(labels.map(|labels| ("labels".to_owned(), labels)));
        }
    }

    fn count_generation(&self, old: &Value, new: &mut Value) {
        let resource = &self.resource;
        if !resource.has_generation() {
            return;
        }
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(0);
        let step =
            self.subresource != Some(Subresource::Status) && is_new_generation(resource, old, new);
        metadata_mut(new).insert("generation".into(), json!(generation + i64::from(step)));
    }
}

/// All fields of an object but its status.
fn without_status(object: &Value) -> impl Iterator<Item = (String, Value)> {
    let fields = object.as_object().into_iter().flatten();
    fields
        .filter(|(field, _)| *field != "status")
        .map(|(field, value)| (field.clone(), value.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::{ApiRequest, Caller, WriteOptions};
    use crate::apiserver::Server;
    use crate::object::Object;
    use crate::time::Timestamp;

    /// As kube-apiserver 1.36 does, which leaves nothing first, and an empty map the next time.
    #[test]
    fn what_an_apply_empties_where_there_is_no_schema_is_gone_first_and_empty_then() {
        let mut server = Server::new();
        let mut ask = |request| {
            let answer = server.handle(Timestamp::START, &Caller::new("alice", "test/1"), request);
            answer.unwrap().into_object().unwrap()
        };
        let mut definition = Object::new(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "",
            "things.example.com",
        );
        definition.set("spec", json!({
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": {
                    "any": {"x-kubernetes-preserve-unknown-fields": true},
                }}},
            }}}],
        }));
        ask(ApiRequest::create(definition, WriteOptions::default()));
        let mut check = |any: Value, expected: Value| {
            let mut thing = Object::new("example.com/v1", "Thing", "default", "a");
            thing.set("spec", json!({"any": any}));
            let options = WriteOptions { field_manager: "m".into(), ..WriteOptions::default() };
            let applied = ask(ApiRequest::apply(&thing, options));
            assert_eq!(applied.get("spec"), Some(&expected));
        };
        check(json!({"x": "1"}), json!({"any": {"x": "1"}}));
        check(json!({}), json!({}));
        check(json!({}), json!({"any": {}}));
        check(json!({}), json!({"any": {}}));
    }
}
