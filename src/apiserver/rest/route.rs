//! From an HTTP request to the request it means.

use super::accept::{self, Form};
use super::path::{self, Place};
use super::query::{self, Query, decoded};
use super::{HttpRequest, HttpResponse, body, connect, discovery, guard, health, openapi};
use crate::api::{
    ApiRequest, Caller, FieldValidation, ListOptions, ReadFrom, Reason, ResourceVersion, Status,
    StatusDetails, Verb,
};
use crate::apiserver::refusal;
use crate::apiserver::resource::Resource;
use crate::apiserver::server::Server;
use crate::object::GroupVersionKind;

/// What an HTTP request asks for.
#[derive(Clone, Debug)]
pub struct Route {
    /// The request.
    pub request: ApiRequest,
    /// Seconds after which a watch ends, if it says so.
    pub timeout_seconds: Option<u64>,
    /// Whether a watch is to tell now and then how far it has come.
    pub bookmarks: bool,
    /// Whether a watch begins with the objects there are, and says where they end (KEP-3157).
    pub initial_events: bool,
    /// Warnings about the body, before the server sees it.
    pub warnings: Vec<String>,
    /// What of an object the answer is to show.
    pub(super) form: Form,
    /// The kind of a list of these objects.
    pub(super) list_kind: String,
    /// Whether objects carry their kind inside a list.
    pub(super) custom: bool,
}

/// Finds out what an HTTP request asks for.
///
/// # Errors
///
/// The answer to a request that asks for no resource: what the server says of itself (its version and
/// health, which resources there are, their schemas), no such path, an unreadable body, bad options.
/// Who may not even ask is refused.
pub fn route(
    server: &Server,
    caller: &Caller,
    request: &HttpRequest<'_>,
) -> Result<Route, HttpResponse> {
    find(server, request).map_err(|answered| match guard::guard(server, caller, request) {
        Ok(()) => answered,
        Err(refused) => refused.into(),
    })
}

fn find(server: &Server, request: &HttpRequest<'_>) -> Result<Route, HttpResponse> {
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    if !query::is_well_escaped(path) {
        return Err(HttpResponse::text(400, "400 Bad Request"));
    }
    let said = about(server, request, path, query);
    if let Some(said) = said.or_else(|| connect::answer(server, request)) {
        return Err(said);
    }
    let place = path::follow(server, &decoded(path, false))?;
    let mut reader = Reader { server, request, query: Query::read(query), warnings: Vec::new() };
    let form = accept::form(request.accept, reader.query.get("includeObject"))?;
    let verb = reader.verb(&place).map_err(|why| warned(server, &place.resource, why))?;
    Ok(Route {
        list_kind: place.resource.list_kind.clone(),
        custom: place.resource.is_custom(),
        timeout_seconds: reader.query.get("timeoutSeconds").parse().ok(),
        bookmarks: reader.query.flag("allowWatchBookmarks"),
        initial_events: reader.query.flag("sendInitialEvents"),
        form,
        warnings: reader.warnings,
        request: ApiRequest {
            kind: place.resource.gvk.clone(),
            namespace: place.namespace,
            name: place.name,
            subresource: place.subresource,
            verb,
        },
    })
}

/// A refusal with the warning that whoever uses a kind on its way out gets all the same.
fn warned(server: &Server, resource: &Resource, mut refused: Status) -> Status {
    if refused.code != 405 {
        refused.warnings.extend(resource.deprecation(&server.resources));
    }
    refused
}

/// What the server says of itself, without a look at what it holds. Some of it is told whatever the method.
fn about(
    server: &Server,
    request: &HttpRequest<'_>,
    path: &str,
    query: &str,
) -> Option<HttpResponse> {
    let anyhow = discovery::anyhow(server, path, request.accept);
    if let Some(said) = anyhow.or_else(|| health::answer(server, path, query)) {
        return Some(said);
    }
    let said = discovery::answer(server, path, request.accept);
    match (said, request.method) {
        (Some(said), "GET") => Some(said),
        (Some(_), _) => Some(refusal::method_not_allowed().into()),
        (None, _) => openapi::answer(server, path),
    }
}

struct Reader<'a> {
    server: &'a Server,
    request: &'a HttpRequest<'a>,
    query: Query,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn verb(&mut self, place: &Place) -> Result<Verb, Status> {
        let collection = place.name.is_empty();
        let everywhere = place.resource.namespaced && place.namespace.is_empty();
        match self.request.method {
            "GET" | "DELETE" if !place.resource.stored => Err(refusal::method_not_allowed()),
            "GET" if collection => self.list(),
            "GET" => self.get(),
            _ if collection && everywhere => Err(refusal::method_not_allowed()),
            "POST" if collection || place.subresource.is_some() => self.create(place),
            "PUT" if !collection => self.update(place),
            "PATCH" if !collection => self.patch(place),
            "DELETE" => self.delete(collection),
            _ => Err(refusal::method_not_allowed()),
        }
    }

    fn get(&self) -> Result<Verb, Status> {
        let version = self.query.version().map_err(refusal::bad_request)?;
        self.expect_reached(version)?;
        let from =
            if version == Some(ResourceVersion(0)) { ReadFrom::Cache } else { ReadFrom::Latest };
        Ok(Verb::Get(from))
    }

    fn list(&self) -> Result<Verb, Status> {
        let options = self.query.list_options()?;
        self.query.timeout()?;
        if self.query.flag("watch") {
            self.query.expect_watchable()?;
            let version = self.query.version().map_err(refusal::internal)?;
            // Whoever wants the objects there are gets them, whatever version it knows.
            let from = version.filter(|_| !self.query.flag("sendInitialEvents"));
            return Ok(Verb::Watch(options, from.unwrap_or_default()));
        }
        self.query.expect_no_watch()?;
        let version = self.version_of_list()?;
        let exact = self.exact(version)?;
        self.expect_reached(version)?;
        let read = match (exact, version) {
            (Some(version), _) => ReadFrom::Exactly(version),
            (_, Some(ResourceVersion(0))) => ReadFrom::Cache,
            _ => ReadFrom::Latest,
        };
        Ok(Verb::List(ListOptions { read, ..options }))
    }

    fn version_of_list(&self) -> Result<Option<ResourceVersion>, Status> {
        let version = self.query.version();
        version.map_err(|why| refusal::bad_request(format!("invalid resource version: {why}")))
    }

    /// The version, when `resourceVersionMatch=Exact` demands it.
    fn exact(&self, version: Option<ResourceVersion>) -> Result<Option<ResourceVersion>, Status> {
        let forbidden = |message: &str| {
            let message = format!("Forbidden: {message}");
            vec![refusal::cause("FieldValueForbidden", "resourceVersionMatch", message)]
        };
        let wanted = self.query.get("resourceVersionMatch");
        let causes = match (wanted, version) {
            ("", _) => return Ok(None),
            (_, None) => {
                forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided")
            }
            ("Exact", Some(ResourceVersion(0))) => {
                forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")
            }
            ("Exact", exact) => return Ok(exact),
            ("NotOlderThan", _) => return Ok(None),
            (other, _) => {
                let message = format!(
                    "Unsupported value: {other:?}: supported values: \"Exact\", \"NotOlderThan\", \"\""
                );
                vec![refusal::cause("FieldValueNotSupported", "resourceVersionMatch", message)]
            }
        };
        query::refuse("ListOptions", causes).map(|()| None)
    }

    fn expect_reached(&self, version: Option<ResourceVersion>) -> Result<(), Status> {
        let newest = self.server.version();
        match version {
            Some(asked) if asked > newest => Err(too_large(asked, newest)),
            _ => Ok(()),
        }
    }

    fn create(&mut self, place: &Place) -> Result<Verb, Status> {
        let options = self.query.write_options("CreateOptions", false)?;
        let object = self.object(place, options.field_validation)?;
        Ok(Verb::Create(object, options))
    }

    fn update(&mut self, place: &Place) -> Result<Verb, Status> {
        let options = self.query.write_options("UpdateOptions", false)?;
        let object = self.object(place, options.field_validation)?;
        Ok(Verb::Update(object, options))
    }

    fn patch(&mut self, place: &Place) -> Result<Verb, Status> {
        let media_type = self.media_type();
        let apply = media_type == "application/apply-patch+yaml";
        let options = self.query.write_options("PatchOptions", apply)?;
        match body::patch(&place.resource, &media_type, self.request.body) {
            Ok(patch) => Ok(Verb::Patch(patch, options)),
            Err(refused) if apply || refused.code != 400 => Err(refused),
            // A patch is read where there is something to change.
            Err(refused) => self.expect_there(place).and(Err(refused)),
        }
    }

    fn expect_there(&self, place: &Place) -> Result<(), Status> {
        let object = place.resource.gvk.named(&place.namespace, &place.name);
        match self.server.get(&object) {
            Some(_) => Ok(()),
            None => Err(refusal::not_found(&place.resource, &place.name)),
        }
    }

    fn delete(&self, collection: bool) -> Result<Verb, Status> {
        if !self.request.body.is_empty() && !is_readable(&self.media_type()) {
            return Err(refusal::unsupported_body());
        }
        let options = || body::delete_options(self.request.body, self.query.delete_options()?);
        if !collection {
            return Ok(Verb::Delete(options()?));
        }
        let list = self.query.list_options()?;
        self.query.expect_no_watch()?;
        self.exact(self.version_of_list()?)?;
        Ok(Verb::DeleteCollection(list, options()?))
    }

    fn object(
        &mut self,
        place: &Place,
        validation: FieldValidation,
    ) -> Result<crate::object::Object, Status> {
        let media_type = self.media_type();
        if !is_readable(&media_type) {
            return Err(refusal::unsupported_body());
        }
        let kind = body_kind(self.server, place);
        let is_yaml = media_type == "application/yaml";
        body::object(&kind, self.request.body, is_yaml, validation, &mut self.warnings)
    }

    fn media_type(&self) -> String {
        let given = self.request.content_type.split(';').next().unwrap_or_default();
        given.trim().to_lowercase()
    }
}

/// Whether a body of a media type can be read; one that says nothing is JSON.
fn is_readable(media_type: &str) -> bool {
    matches!(media_type, "" | "application/json" | "application/yaml")
}

/// The kind of the body that a path takes: of some subresources another than the resource's.
fn body_kind(server: &Server, place: &Place) -> std::sync::Arc<Resource> {
    let name = place.subresource.as_ref().map_or("", |s| s.name());
    let kind = match name {
        "scale" => GroupVersionKind::new("autoscaling/v1", "Scale"),
        "binding" => GroupVersionKind::new("v1", "Binding"),
        "eviction" => GroupVersionKind::new("policy/v1", "Eviction"),
        "token" => GroupVersionKind::new("authentication.k8s.io/v1", "TokenRequest"),
        _ => return place.resource.clone(),
    };
    let schema = server.resources.registry().kind(&kind);
    schema.map_or_else(|| place.resource.clone(), |schema| Resource::of(schema).into())
}

fn too_large(asked: ResourceVersion, newest: ResourceVersion) -> Status {
    let causes = vec![refusal::cause("ResourceVersionTooLarge", "", "Too large resource version")];
    Status::failure_about(
        Reason::Timeout,
        format!("Timeout: Too large resource version: {asked}, current: {newest}"),
        StatusDetails { causes, retry_after_seconds: 1, ..StatusDetails::default() },
    )
}
