//! Creation.

use serde_json::{Value, json};

use super::webhooks::Subject;
use super::{Answer, Write, admission, limits, metadata_mut, object};
use crate::api::{Body, Status, WriteOptions};
use crate::apiserver::authorize::check_escalation;
use crate::apiserver::store::key;
use crate::apiserver::{names, refusal};
use crate::object::Object;

impl Write<'_> {
    pub(super) fn create(&mut self, body: Object, options: &WriteOptions) -> Answer {
        if self.subresource.is_some() {
            return self.create_below(&body);
        }
        let mut value = self.decode(body.into_value(), options.field_validation)?;
        if self.namespace.is_empty() && self.resource.namespaced {
            self.namespace = value["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        }
        self.expect_place(&mut value)?;
        wipe_system_metadata(&mut value);
        self.default(&mut value);
        self.manage_update(None, &mut value);
        if !self.resource.stored {
            return self.review(value);
        }
        let created = self.insert(value)?;
        Ok((201, Body::Object(created)))
    }

    /// From admission to the store: what a creation by POST, by update and by apply have in common.
    pub(super) fn insert(&mut self, mut value: Value) -> Result<Object, Status> {
        self.admit_to_namespace(&value)?;
        let kind = self.resource.clone();
        let subject = Subject { operation: "CREATE", kind: &kind, old: None };
        self.mutate(subject, &mut value, |write, value| {
            admission::admit(write.server, &write.resource, value)
        })?;
        check_escalation(self.server, self.caller, &self.resource, &value)?;
        self.prepare_metadata(&mut value);
        self.prepare_for_create(&mut value)?;
        let causes = self.broken_rules(&value, None);
        let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if !causes.is_empty() {
            return Err(refusal::invalid(&self.resource, &name, causes));
        }
        self.warn_of(None, &value);
        limits::check(self.server, &self.resource, &value)?;
        admission::check_overhead(self.server, &self.resource, &value)?;
        self.validate_by_webhooks(subject, Some(&value))?;
        let charged = self.charged_quotas(None, &value)?;
        let version = value["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if self.verb == "create" && !matches!(version, "" | "0") {
            return Err(refusal::internal(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        if let Some(there) =
            self.server.store.get(&self.resource.table, &key(&self.namespace, &name))
        {
            return Err(refusal::already_exists(&self.resource, &name, there.is_deleting()));
        }
        metadata_mut(&mut value).remove("resourceVersion");
        self.charge(charged)?;
        let new = object(value);
        Ok(self.commit(&new, Some(new.clone())).expect("a creation leaves an object"))
    }

    /// Nothing new enters a namespace that is not there or is on its way out.
    /// (Admission plugin `NamespaceLifecycle`.)
    pub(super) fn admit_to_namespace(&self, value: &Value) -> Result<(), Status> {
        match self.expect_namespace()? {
            Some(namespace) if namespace.is_deleting() => {
                let name = value["metadata"]["name"].as_str().unwrap_or_default();
                Err(refusal::terminating_namespace(&self.resource, name, &self.namespace))
            }
            _ => Ok(()),
        }
    }

    /// The namespace of the request, if it has one; nothing is written into one that is gone.
    pub(super) fn expect_namespace(&self) -> Result<Option<&Object>, Status> {
        if !self.resource.namespaced {
            return Ok(None);
        }
        let namespaces = self.server.namespaces();
        let there = self.server.store.get(&namespaces.table, &self.namespace);
        there.map(Some).ok_or_else(|| refusal::not_found(&namespaces, &self.namespace))
    }

    /// `uid`, `creationTimestamp` and a generated name.
    fn prepare_metadata(&self, value: &mut Value) {
        let version = self.next_version();
        let metadata = metadata_mut(value);
        let prefix = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default();
        if metadata.get("name").and_then(Value::as_str).is_none_or(str::is_empty)
            && !prefix.is_empty()
        {
            let name = self.free_name(prefix);
            metadata.insert("name".into(), json!(name));
        }
        // What is only tried is another object each time.
        let tries = if self.dry_run { self.server.requests_audited() + 1 } else { 0 };
        let seed = format!(
            "{}/{}/{}/{tries}",
            self.resource.table,
            self.namespace,
            metadata.get("name").and_then(Value::as_str).unwrap_or_default(),
        );
        metadata.insert("uid".into(), json!(names::uid(version, &seed)));
        metadata.insert("creationTimestamp".into(), json!(self.now.to_string()));
    }

    fn free_name(&self, prefix: &str) -> String {
        let taken = |name: &str| {
            self.server.store.get(&self.resource.table, &key(&self.namespace, name)).is_some()
        };
        (0..)
            .map(|attempt| names::generate(prefix, self.next_version(), attempt))
            .find(|name| !taken(name))
            .expect("there are more names than objects")
    }
}

/// What is the server's to set is not taken from a body. (`rest.WipeObjectMetaSystemFields`.)
pub(super) fn wipe_system_metadata(value: &mut Value) {
    let metadata = metadata_mut(value);
    for field in
        ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"]
    {
        metadata.remove(field);
    }
}
