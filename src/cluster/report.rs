//! Events: what a controller tells a person about an object, as `kubectl describe` shows them.

use std::hash::{Hash, Hasher};

use serde_json::json;

use super::fnv::Fnv64;
use crate::api::{ApiRequest, WriteOptions};
use crate::object::Object;
use crate::time::Timestamp;

/// An event (`v1`) that is about to be told. A `{}` in its message stands for what the write it goes
/// with came to: the name of the object that was made, or the sentence of the refusal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Report {
    about: Object,
    warning: bool,
    reason: &'static str,
    message: String,
    /// The field of the object it is about, such as `spec.containers{app}`.
    field: String,
    component: &'static str,
    host: String,
}

impl Report {
    pub(super) fn normal(
        component: &'static str,
        about: &Object,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Report {
            about: about.clone(),
            warning: false,
            reason,
            message: message.into(),
            field: String::new(),
            component,
            host: String::new(),
        }
    }

    pub(super) fn warning(
        component: &'static str,
        about: &Object,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Report { warning: true, ..Self::normal(component, about, reason, message) }
    }

    /// The same, told by a node.
    pub(super) fn on_node(mut self, node: &str) -> Self {
        self.host = node.into();
        self
    }

    /// The same, as nothing to worry about.
    pub(super) fn harmless(mut self) -> Self {
        self.warning = false;
        self
    }

    /// The same, about one field of the object.
    pub(super) fn of_field(mut self, field: String) -> Self {
        self.field = field;
        self
    }

    /// The same, with the result of a write in place of `{}`.
    pub(super) fn with(mut self, result: &str) -> Self {
        self.message = self.message.replace("{}", result);
        self
    }

    /// The request that tells it. Its name follows from its content, so that telling it again finds it.
    pub(super) fn request(&self, now: Timestamp) -> ApiRequest {
        ApiRequest::create(self.event(now), WriteOptions::default())
    }

    fn event(&self, now: Timestamp) -> Object {
        let about = &self.about;
        let namespace = if about.namespace().is_empty() { "default" } else { about.namespace() };
        let mut event = Object::new("v1", "Event", namespace, &self.name());
        let mut involved = json!({"apiVersion": about.api_version(), "kind": about.kind(), "name": about.name(), "uid": about.uid(), "resourceVersion": about.resource_version()});
        for (key, value) in [("namespace", about.namespace()), ("fieldPath", &self.field)] {
            if !value.is_empty() {
                involved[key] = value.into();
            }
        }
        let mut source = json!({"component": self.component});
        if !self.host.is_empty() {
            source["host"] = self.host.as_str().into();
        }
        event.set("involvedObject", involved);
        event.set("reason", self.reason);
        event.set("message", self.message.as_str());
        event.set("source", source);
        event.set("type", if self.warning { "Warning" } else { "Normal" });
        event.set("count", 1);
        event.set("firstTimestamp", now.to_string());
        event.set("lastTimestamp", now.to_string());
        event.set("reportingComponent", self.component);
        event.set("reportingInstance", self.host.as_str());
        event
    }

    fn name(&self) -> String {
        let mut hash = Fnv64::default();
        (self.about.uid(), self.reason, &self.message, &self.field, self.component, &self.host)
            .hash(&mut hash);
        let mut name = self.about.name().to_owned();
        name.truncate(236);
        format!("{name}.{:016x}", hash.finish())
    }
}

/// The stored event, told once more.
pub(super) fn told_again(mut event: Object, now: Timestamp) -> ApiRequest {
    event.set("count", event.int("count").unwrap_or(1) + 1);
    event.set("lastTimestamp", now.to_string());
    ApiRequest::update(event, WriteOptions::default())
}
