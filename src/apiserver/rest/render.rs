//! From an answer to JSON.

use serde_json::{Value, json};

use super::route::Include;
use super::{HttpBody, HttpResponse, Route};
use crate::api::{ApiResponse, Body, ObjectList, ResourceVersion, Status, WatchEvent};
use crate::apiserver::server::Server;
use crate::apiserver::table::Table;
use crate::object::Object;
use crate::time::Timestamp;

impl Route {
    /// Puts the answer to this route's request into the parts of an HTTP response.
    pub fn render(
        &self,
        server: &Server,
        now: Timestamp,
        answer: Result<ApiResponse, Status>,
    ) -> HttpResponse {
        let HttpResponse { code, body, warnings } = match answer {
            Ok(response) => self.success(server, now, response),
            Err(status) => status.into(),
        };
        HttpResponse { code, body, warnings: [self.warnings.clone(), warnings].concat() }
    }

    fn success(&self, server: &Server, now: Timestamp, answer: ApiResponse) -> HttpResponse {
        let ApiResponse { code, body, warnings } = answer;
        let body = match body {
            Body::Object(object) => HttpBody::Json(self.object(server, now, object)),
            Body::List(list) => HttpBody::Json(self.list(server, now, list)),
            Body::Status(status) => HttpBody::Json(status.to_value()),
            Body::Resource(resource) => HttpBody::Json(json!({
                "name": resource.plural,
                "namespaced": resource.namespaced,
                "kind": resource.kind.kind,
            })),
            Body::Events(events) => {
                let event = |event: WatchEvent| self.event(server, now, event);
                HttpBody::Events(events.into_iter().map(event).collect())
            }
        };
        HttpResponse { code, body, warnings }
    }

    /// One event of a watch.
    pub fn event(&self, server: &Server, now: Timestamp, event: WatchEvent) -> Value {
        let object = self.object(server, now, event.object);
        json!({"type": event.kind.to_string(), "object": object})
    }

    /// The event that says how far a watch has come; `initial` where the objects that were there end.
    pub fn bookmark(&self, version: ResourceVersion, initial: bool) -> Value {
        let mut metadata =
            json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
        if initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.table {
            Some(_) => json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata, "columnDefinitions": [], "rows": [],
            }),
            None => json!({
                "kind": self.request.kind.kind, "apiVersion": self.request.kind.api_version(),
                "metadata": metadata,
            }),
        };
        json!({"type": "BOOKMARK", "object": object})
    }

    fn object(&self, server: &Server, now: Timestamp, object: Object) -> Value {
        match self.table {
            Some(include) if !self.request.is_write() => {
                let metadata = json!({"resourceVersion": object.resource_version()});
                self.table(server, now, &[object], include, metadata)
            }
            _ => object.into_value(),
        }
    }

    /// A list; the kinds of built-in items are said once, by the list's own.
    fn list(&self, server: &Server, now: Timestamp, list: ObjectList) -> Value {
        let mut metadata = json!({"resourceVersion": list.resource_version.to_string()});
        if self.custom || !list.continue_token.is_empty() {
            metadata["continue"] = json!(list.continue_token);
        }
        if let Some(remaining) = list.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
        if let Some(include) = self.table {
            return self.table(server, now, &list.items, include, metadata);
        }
        let item = |object: Object| {
            let mut value = object.into_value();
            if let (false, Some(fields)) = (self.custom, value.as_object_mut()) {
                fields.remove("apiVersion");
                fields.remove("kind");
            }
            value
        };
        json!({
            "apiVersion": self.request.kind.api_version(),
            "kind": self.list_kind,
            "metadata": metadata,
            "items": list.items.into_iter().map(item).collect::<Vec<_>>(),
        })
    }

    fn table(
        &self,
        server: &Server,
        now: Timestamp,
        objects: &[Object],
        include: Include,
        metadata: Value,
    ) -> Value {
        let kind = server.resource(&self.request.kind);
        let table = kind.map(|kind| Table::of(&kind, objects, now)).unwrap_or_default();
        let columns = table.columns.iter().map(|column| {
            json!({
                "name": capitalized(&column.title), "type": "string",
                "format": if column.title == "NAME" { "name" } else { "" },
                "description": "", "priority": i64::from(column.wide),
            })
        });
        let columns: Vec<Value> = columns.collect();
        let row = |(cells, object): (&Vec<String>, &Object)| {
            let mut row = json!({ "cells": cells });
            match include {
                Include::Nothing => {}
                Include::Metadata => row["object"] = metadata_of(object),
                Include::Object => row["object"] = object.as_value().clone(),
            }
            row
        };
        let rows: Vec<Value> = table.rows.iter().zip(objects).map(row).collect();
        json!({
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": columns, "rows": rows,
        })
    }
}

fn metadata_of(object: &Object) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata"),
    })
}

/// `UP-TO-DATE` as the server says it: `Up-to-date`.
fn capitalized(title: &str) -> String {
    let mut letters = title.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_string() + &letters.as_str().to_lowercase())
}
