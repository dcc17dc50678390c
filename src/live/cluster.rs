//! A real API server, answering the same requests as the model.

use std::collections::BTreeMap;

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body as WireBody;
use serde_json::Value;

use super::rest;
use crate::api::{
    ApiRequest, ApiResource, ApiResponse, Body, Caller, ObjectList, Reason, ResourceVersion,
    Status, Verb,
};
use crate::object::{GroupVersionKind, Object};

/// The cluster that a `kube::Client` is connected to.
pub struct Cluster {
    client: kube::Client,
    resources: BTreeMap<GroupVersionKind, ApiResource>,
}

impl Cluster {
    /// The cluster behind a client.
    pub fn new(client: kube::Client) -> Self {
        Cluster { client, resources: BTreeMap::new() }
    }

    /// Carries out a request as the client's user, naming `caller`'s agent, or with `impersonate` in
    /// the caller's name.
    ///
    /// # Errors
    ///
    /// The server's refusal; a status with code 0 when no answer came, in which case a write may or
    /// may not have been done.
    pub async fn answer(
        &mut self,
        caller: &Caller,
        impersonate: bool,
        request: &ApiRequest,
    ) -> Result<ApiResponse, Status> {
        let resource = self.resource(&request.kind).await?;
        if request.verb == Verb::Discover {
            return Ok(ApiResponse::ok(Body::Resource(resource)));
        }
        let wire = rest::wire(request, &resource);
        let mut http = Request::builder()
            .method(wire.method)
            .uri(&wire.path)
            .header("Content-Type", wire.media_type)
            .header("Accept", "application/json")
            .header("User-Agent", &caller.agent);
        if impersonate {
            http = http.header("Impersonate-User", &caller.user);
            for group in &caller.groups {
                http = http.header("Impersonate-Group", group);
            }
        }
        let body = wire.body.map(|body| body.to_string()).unwrap_or_default();
        let http = http.body(WireBody::from(body.into_bytes())).map_err(|error| {
            Status::failure(Reason::BadRequest, format!("cannot be sent: {error}"))
        })?;
        let (code, warnings, value) = self.exchange(http).await?;
        Ok(ApiResponse { code, body: body_of(value, &request.kind)?, warnings })
    }

    /// How a kind is served. What is found is kept; what is not found is asked for anew, since a
    /// definition may come.
    async fn resource(&mut self, kind: &GroupVersionKind) -> Result<ApiResource, Status> {
        if let Some(known) = self.resources.get(kind) {
            return Ok(known.clone());
        }
        let no_such_kind = || {
            let message = format!(
                "no matches for kind \"{}\" in version \"{}\"",
                kind.kind,
                kind.api_version()
            );
            Status::failure(Reason::NotFound, message)
        };
        let path = rest::group_path(kind);
        let request = Request::get(path).body(WireBody::empty()).map_err(|_| no_such_kind())?;
        let (_, _, value) = self
            .exchange(request)
            .await
            .map_err(|status| if status.code == 404 { no_such_kind() } else { status })?;
        let listed = value.get("resources").and_then(Value::as_array).into_iter().flatten();
        let found = listed
            .filter(|entry| entry["kind"] == kind.kind.as_str())
            .find(|entry| entry["name"].as_str().is_some_and(|name| !name.contains('/')))
            .ok_or_else(no_such_kind)?;
        let resource = ApiResource {
            kind: kind.clone(),
            plural: found["name"].as_str().unwrap_or_default().to_owned(),
            namespaced: found["namespaced"] == true,
        };
        self.resources.insert(kind.clone(), resource.clone());
        Ok(resource)
    }

    async fn exchange(
        &self,
        request: Request<WireBody>,
    ) -> Result<(u16, Vec<String>, Value), Status> {
        let silence = |error: &dyn std::fmt::Display| {
            Status::unreachable(format!("no answer from the API server: {error}"))
        };
        let response: Response<WireBody> =
            self.client.send(request).await.map_err(|error| silence(&error))?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|error| silence(&error))?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        match parts.status.as_u16() {
            code @ 200..=299 => Ok((code, warnings(&parts.headers), value)),
            code => Err(Status::from_value(code, &value)),
        }
    }
}

/// The texts of `Warning` headers, `299 - "text"` (RFC 7234, section 5.5).
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let texts = headers.get_all("Warning").into_iter().filter_map(|value| value.to_str().ok());
    texts
        .filter_map(|text| Some(text.split_once('"')?.1.strip_suffix('"')?.replace("\\\"", "\"")))
        .collect()
}

fn body_of(value: Value, kind: &GroupVersionKind) -> Result<Body, Status> {
    if value["kind"] == "Status" && value["apiVersion"] == "v1" {
        return Ok(Body::Status(Status::from_value(200, &value)));
    }
    if value["items"].is_array() && value["kind"] == format!("{}List", kind.kind).as_str() {
        return list_of(value, kind).map(Body::List);
    }
    object_of(value).map(Body::Object)
}

/// The items of a list do not repeat its kind.
fn list_of(mut value: Value, kind: &GroupVersionKind) -> Result<ObjectList, Status> {
    let items = value["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let named = |mut item: Value| {
        if let Some(fields) = item.as_object_mut() {
            fields.entry("apiVersion").or_insert_with(|| kind.api_version().into());
            fields.entry("kind").or_insert_with(|| kind.kind.clone().into());
        }
        object_of(item)
    };
    let meta = &value["metadata"];
    let text = |field: &str| meta[field].as_str().unwrap_or_default();
    Ok(ObjectList {
        resource_version: ResourceVersion(text("resourceVersion").parse().unwrap_or(0)),
        continue_token: text("continue").to_owned(),
        remaining: meta["remainingItemCount"].as_u64(),
        items: items.into_iter().map(named).collect::<Result<_, _>>()?,
    })
}

fn object_of(value: Value) -> Result<Object, Status> {
    Object::from_value(value).map_err(|error| {
        Status::failure(
            Reason::InternalError,
            format!("the API server answered with no object: {error}"),
        )
    })
}
