//! From an answer to JSON.

use serde_json::{Value, json};

use super::accept::{self, Form, Include};
use super::{HttpBody, HttpResponse, Route};
use crate::api::{ApiResponse, Body, ObjectList, ResourceVersion, Status, Verb, WatchEvent};
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
        let answer = match (&self.request.verb, answer) {
            // A watch has begun by then, and tells it as an event.
            (Verb::Watch(..), Err(status)) if status.is_expired() => {
                let gone = json!({"type": "ERROR", "object": status.to_value()});
                let body = HttpBody::Events(vec![gone]);
                return HttpResponse { code: 200, body, warnings: status.warnings };
            }
            (_, answer) => answer.and_then(|response| self.success(server, now, response)),
        };
        let HttpResponse { code, body, warnings } = answer.unwrap_or_else(HttpResponse::from);
        HttpResponse { code, body, warnings: [self.warnings.clone(), warnings].concat() }
    }

    fn success(
        &self,
        server: &Server,
        now: Timestamp,
        answer: ApiResponse,
    ) -> Result<HttpResponse, Status> {
        let ApiResponse { code, body, warnings } = answer;
        let body = match body {
            Body::Object(object) => HttpBody::Json(self.object(server, now, object)?),
            Body::List(list) => HttpBody::Json(self.list(server, now, list)?),
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
        Ok(HttpResponse { code, body, warnings })
    }

    /// One event of a watch.
    pub fn event(&self, server: &Server, now: Timestamp, event: WatchEvent) -> Value {
        match self.object(server, now, event.object) {
            Ok(object) => json!({"type": event.kind.to_string(), "object": object}),
            Err(status) => json!({"type": "ERROR", "object": status.to_value()}),
        }
    }

    /// The event that says how far a watch has come; `initial` where the objects that were there end.
    pub fn bookmark(&self, version: ResourceVersion, initial: bool) -> Value {
        let mut metadata =
            json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
        if initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let kind = &self.request.kind;
        let object = match self.form {
            Form::Table(_) => json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata, "columnDefinitions": [], "rows": [],
            }),
            Form::Metadata | Form::MetadataList => bare(&metadata),
            Form::Whole => json!({
                "kind": kind.kind, "apiVersion": kind.api_version(), "metadata": metadata,
            }),
        };
        json!({"type": "BOOKMARK", "object": object})
    }

    fn object(&self, server: &Server, now: Timestamp, object: Object) -> Result<Value, Status> {
        Ok(match self.form {
            Form::Whole => object.into_value(),
            Form::Table(include) => {
                let metadata = json!({"resourceVersion": object.resource_version()});
                self.table(server, now, &[object], include, metadata)
            }
            Form::Metadata => metadata_of(&object),
            Form::MetadataList => {
                let kind = self.go_type(&self.request.kind.kind);
                return Err(accept::wrong_number("PartialObjectMetadataList", false, &kind));
            }
        })
    }

    /// A list; the kinds of built-in items are said once, by the list's own.
    fn list(&self, server: &Server, now: Timestamp, list: ObjectList) -> Result<Value, Status> {
        let mut metadata = json!({"resourceVersion": list.resource_version.to_string()});
        if self.custom || !list.continue_token.is_empty() {
            metadata["continue"] = json!(list.continue_token);
        }
        if let Some(remaining) = list.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
        let kind = match self.form {
            Form::Whole => return Ok(self.items(metadata, list.items)),
            Form::Table(include) => {
                return Ok(self.table(server, now, &list.items, include, metadata));
            }
            Form::Metadata => {
                let kind = self.go_type(&self.list_kind);
                return Err(accept::wrong_number("PartialObjectMetadata", true, &kind));
            }
            Form::MetadataList => "PartialObjectMetadataList",
        };
        Ok(json!({
            "kind": kind, "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "items": list.items.iter().map(metadata_of).collect::<Vec<_>>(),
        }))
    }

    fn items(&self, metadata: Value, items: Vec<Object>) -> Value {
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
            "items": items.into_iter().map(item).collect::<Vec<_>>(),
        })
    }

    /// What Go calls a kind inside the API server.
    fn go_type(&self, kind: &str) -> String {
        let group = self.request.kind.group.split('.').next().unwrap_or_default();
        match (self.custom, group) {
            (true, _) => {
                "*unstructured.Unstructured".to_owned()
                    + if kind == self.list_kind { "List" } else { "" }
            }
            (false, "" | "events") => format!("*core.{kind}"),
            (false, group) => format!("*{group}.{kind}"),
        }
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
    bare(object.get("metadata").unwrap_or(&Value::Null))
}

fn bare(metadata: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
}

/// `UP-TO-DATE` as the server says it: `Up-to-date`.
fn capitalized(title: &str) -> String {
    let mut letters = title.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_string() + &letters.as_str().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::super::{HttpRequest, answer};
    use super::*;
    use crate::api::Caller;

    fn ask(target: &str, form: &str) -> HttpResponse {
        let accept = format!("application/json;as={form};g=meta.k8s.io;v=v1");
        let request =
            HttpRequest { method: "GET", target, accept: &accept, ..HttpRequest::default() };
        answer(&mut Server::new(), Timestamp::START, &Caller::default(), &request)
    }

    #[test]
    fn metadata_comes_alone_to_who_asks_for_it() {
        let HttpBody::Json(one) = ask("/api/v1/namespaces/default", "PartialObjectMetadata").body
        else {
            panic!("no JSON")
        };
        let target = "/api/v1/namespaces?limit=1";
        let HttpBody::Json(list) = ask(target, "PartialObjectMetadataList").body else {
            panic!("no JSON")
        };
        assert_eq!(list["items"][0], one);
        let fields: Vec<&str> = one.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["apiVersion", "kind", "metadata"]);
        let watch = format!("{target}&watch=true");
        let HttpBody::Events(events) = ask(&watch, "PartialObjectMetadata").body else {
            panic!("no events")
        };
        assert_eq!(events[0]["object"], one);
    }

    #[test]
    fn a_list_is_not_asked_for_as_one_object() {
        let check = |target: &str, form: &str, expected: &str| {
            let answer = ask(target, form);
            let HttpBody::Json(status) = answer.body else { panic!("no JSON") };
            assert_eq!((answer.code, status["message"].as_str().unwrap()), (406, expected));
        };
        check(
            "/api/v1/namespaces",
            "PartialObjectMetadata",
            "you requested PartialObjectMetadata, but the requested object is a list (*core.NamespaceList)",
        );
        check(
            "/api/v1/namespaces/default",
            "PartialObjectMetadataList",
            "you requested PartialObjectMetadataList, but the requested object is not a list (*core.Namespace)",
        );
    }
}
