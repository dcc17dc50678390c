//! From an answer to JSON.

use serde_json::{Value, json};

use super::{HttpBody, HttpResponse, Route};
use crate::api::{ApiResponse, Body, ObjectList, Status, WatchEvent};
use crate::object::Object;

impl Route {
    /// Puts the answer to this route's request into the parts of an HTTP response.
    pub fn render(&self, answer: Result<ApiResponse, Status>) -> HttpResponse {
        let ApiResponse { code, body, warnings } = match answer {
            Ok(response) => response,
            Err(status) => return status.into(),
        };
        let body = match body {
            Body::Object(object) => HttpBody::Json(object.into_value()),
            Body::List(list) => HttpBody::Json(self.list(list)),
            Body::Status(status) => HttpBody::Json(status.to_value()),
            Body::Resource(resource) => HttpBody::Json(json!({
                "name": resource.plural,
                "namespaced": resource.namespaced,
                "kind": resource.kind.kind,
            })),
            Body::Events(events) => HttpBody::Events(events.into_iter().map(event).collect()),
        };
        HttpResponse { code, body, warnings }
    }

    /// A list; the kinds of built-in items are said once, by the list's own.
    fn list(&self, list: ObjectList) -> Value {
        let item = |object: Object| {
            let mut value = object.into_value();
            if let (false, Some(fields)) = (self.custom, value.as_object_mut()) {
                fields.remove("apiVersion");
                fields.remove("kind");
            }
            value
        };
        let mut metadata = json!({"resourceVersion": list.resource_version.to_string()});
        if self.custom || !list.continue_token.is_empty() {
            metadata["continue"] = json!(list.continue_token);
        }
        if let Some(remaining) = list.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
        json!({
            "apiVersion": self.request.kind.api_version(),
            "kind": self.list_kind,
            "metadata": metadata,
            "items": list.items.into_iter().map(item).collect::<Vec<_>>(),
        })
    }
}

fn event(event: WatchEvent) -> Value {
    json!({"type": event.kind.to_string(), "object": event.object.into_value()})
}
