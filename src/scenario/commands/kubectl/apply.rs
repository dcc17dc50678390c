//! `apply`, `create` and `replace`.

use serde_json::{Value, json};

use super::ask::{Asking, Read, options, refusal};
use super::kinds::Kind;
use super::{DryRun, Files, ServerSide, three_way};
use crate::api::{ApiRequest, Patch, Status, WriteOptions};
use crate::object::Object;

/// Where client-side apply keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const CLIENT_SIDE: &str = "kubectl-client-side-apply";

impl Asking<'_> {
    pub(super) fn apply(
        &mut self,
        files: &Files,
        server_side: Option<&ServerSide>,
        dry_run: DryRun,
    ) {
        for read in self.read(files).unwrap_or_default() {
            match server_side {
                Some(how) => self.apply_on_server(&read, how, dry_run),
                None => self.apply_in_client(&read, dry_run),
            }
        }
    }

    fn apply_in_client(&mut self, read: &Read, dry_run: DryRun) {
        let name = read.kind.name(read.object.name());
        let modified = with_last_applied(&read.object);
        let live = match self.live(read) {
            Ok(live) => live,
            Err(status) => {
                return self.refused_about("retrieving current configuration of", read, &status);
            }
        };
        let Some(live) = live else {
            if dry_run != DryRun::Client
                && let Err(status) =
                    self.ask_object(ApiRequest::create(modified, options(CLIENT_SIDE, dry_run)))
            {
                return self.refused_about("creating", read, &status);
            }
            return self.out.line(format!("{name} created{}", dry_run.suffix()));
        };
        if live.annotation(LAST_APPLIED).is_none() {
            self.out.line(format!(
                "Warning: resource {}/{} is missing the {LAST_APPLIED} annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.",
                read.kind.plural, read.object.name()
            ));
        }
        let patch = self.patch_to(&read.kind, &live, &modified);
        if is_empty(&patch) {
            return self.out.line(format!("{name} unchanged{}", dry_run.suffix()));
        }
        if dry_run != DryRun::Client
            && let Err(status) =
                self.ask_object(patch_request(read, patch, options(CLIENT_SIDE, dry_run)))
        {
            return self.refused_about("applying patch to", read, &status);
        }
        self.out.line(format!("{name} configured{}", dry_run.suffix()));
    }

    fn apply_on_server(&mut self, read: &Read, how: &ServerSide, dry_run: DryRun) {
        let options = WriteOptions { force: how.force, ..options(&how.manager, dry_run) };
        match self.ask_object(ApiRequest::apply(&read.object, options)) {
            Ok(applied) => {
                if dry_run == DryRun::No {
                    self.adopt_client_side(read, &applied, &how.manager);
                }
                let name = read.kind.name(read.object.name());
                self.out.line(format!("{name} serverside-applied{}", dry_run.suffix()));
            }
            Err(status) if status.is_conflict() => {
                self.out.error(format!("error: {}\n{REVIEW}", status.message));
            }
            Err(status) => self.out.error(refusal(&status, "")),
        }
    }

    /// What client-side apply managed becomes the server-side manager's, so that a field that leaves
    /// the file leaves the object (`csaupgrade.UpgradeManagedFieldsPatch`).
    fn adopt_client_side(&mut self, read: &Read, applied: &Object, manager: &str) {
        let Some(entries) = adopted(applied, manager) else { return };
        let patch = json!([
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": applied.resource_version()},
        ]);
        let request = patch_request(read, Patch::Json(patch), WriteOptions::default());
        if let Err(status) = self.ask(request) {
            self.refused(&status);
        }
    }

    pub(super) fn create_files(&mut self, files: &Files, dry_run: DryRun) {
        for read in self.read(files).unwrap_or_default() {
            let name = read.kind.name(read.object.name());
            let request =
                ApiRequest::create(read.object.clone(), options("kubectl-create", dry_run));
            match self.send(request, dry_run) {
                Ok(()) => self.out.line(format!("{name} created{}", dry_run.suffix())),
                Err(status) => self.refused_about("creating", &read, &status),
            }
        }
    }

    pub(super) fn create_object(&mut self, object: &Object, dry_run: DryRun) {
        let mut object = object.clone();
        let kind = super::kinds::kind_of(self.world.server(), &object.gvk())
            .expect("kubectl create makes built-in kinds");
        if kind.namespaced {
            object.set("metadata.namespace", self.namespace.clone());
        }
        let name = kind.name(object.name());
        let request = ApiRequest::create(object, options("kubectl-create", dry_run));
        match self.send(request, dry_run) {
            Ok(()) => self.out.line(format!("{name} created{}", dry_run.suffix())),
            Err(status) if status.is_already_exists() => {
                let context = format!("failed to create {}: ", kind.gvk.kind.to_lowercase());
                self.out.error(format!("error: {context}{}", status.message));
            }
            Err(status) => self.refused(&status),
        }
    }

    pub(super) fn replace(&mut self, files: &Files, dry_run: DryRun) {
        for read in self.read(files).unwrap_or_default() {
            let name = read.kind.name(read.object.name());
            let request =
                ApiRequest::update(read.object.clone(), options("kubectl-replace", dry_run));
            match self.send(request, dry_run) {
                Ok(()) => self.out.line(format!("{name} replaced{}", dry_run.suffix())),
                Err(status) => self.refused_about("replacing", &read, &status),
            }
        }
    }

    /// Sends a write, unless it is a dry run in the client.
    pub(super) fn send(&mut self, request: ApiRequest, dry_run: DryRun) -> Result<(), Status> {
        match dry_run {
            DryRun::Client => Ok(()),
            _ => self.ask_object(request).map(|_| ()),
        }
    }

    fn live(&mut self, read: &Read) -> Result<Option<Object>, Status> {
        let Object { .. } = &read.object;
        let request = ApiRequest::get(&read.kind.gvk, read.object.namespace(), read.object.name());
        match self.ask_object(request) {
            Ok(live) => Ok(Some(live)),
            Err(status) if status.is_not_found() => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// The patch from what is live to what is to be applied.
    fn patch_to(&self, kind: &Kind, live: &Object, modified: &Object) -> Patch {
        let last = live.annotation(LAST_APPLIED).unwrap_or("{}");
        let original: Value = serde_json::from_str(last).unwrap_or_default();
        let schema = self.world.server().resources().find(|schema| schema.gvk == kind.gvk);
        let structure = schema.filter(|schema| !schema.is_custom()).map(|schema| &*schema.root);
        let (live, modified) = (live.as_value(), modified.as_value());
        let patch = three_way::patch(&original, modified, live, structure);
        match structure {
            Some(_) => Patch::Strategic(patch),
            None => Patch::Merge(patch),
        }
    }

    /// What an apply would make of an object: live, and as it would be. For `diff`.
    pub(super) fn tried(
        &mut self,
        read: &Read,
        server_side: Option<&ServerSide>,
    ) -> Result<(Option<Object>, Object), Status> {
        let live = self.live(read)?;
        let request = match (server_side, &live) {
            (Some(how), _) => {
                let options =
                    WriteOptions { force: how.force, ..options(&how.manager, DryRun::Server) };
                ApiRequest::apply(&read.object, options)
            }
            (None, None) => ApiRequest::create(
                with_last_applied(&read.object),
                options(CLIENT_SIDE, DryRun::Server),
            ),
            (None, Some(found)) => {
                let patch = self.patch_to(&read.kind, found, &with_last_applied(&read.object));
                if is_empty(&patch) {
                    return Ok((live.clone(), found.clone()));
                }
                patch_request(read, patch, options(CLIENT_SIDE, DryRun::Server))
            }
        };
        Ok((live, self.ask_object(request)?))
    }

    /// Prints a refusal that came while doing something with a file.
    fn refused_about(&mut self, doing: &str, read: &Read, status: &Status) {
        let context = format!("error when {doing} {:?}: ", read.file);
        self.out.error(refusal(status, &context));
    }
}

fn patch_request(read: &Read, patch: Patch, options: WriteOptions) -> ApiRequest {
    ApiRequest::patch(&read.kind.gvk, read.object.namespace(), read.object.name(), patch, options)
}

fn is_empty(patch: &Patch) -> bool {
    match patch {
        Patch::Strategic(body) | Patch::Merge(body) => {
            body.as_object().is_some_and(|fields| fields.is_empty())
        }
        _ => false,
    }
}

/// The object with itself as an annotation, as client-side apply sends it.
fn with_last_applied(object: &Object) -> Object {
    let mut bare = object.clone();
    bare.remove_at(&["metadata", "annotations", LAST_APPLIED]);
    if bare.get("metadata.annotations").is_none() {
        bare.set("metadata.annotations", json!({}));
    }
    let text = format!("{}\n", bare.as_value());
    let mut annotated = object.clone();
    annotated.set_annotation(LAST_APPLIED, &text);
    annotated
}

/// The managed fields with client-side apply's entry merged into the server-side manager's; `None`
/// when there is no such entry.
fn adopted(applied: &Object, manager: &str) -> Option<Vec<Value>> {
    let entries = applied.get("metadata.managedFields")?.as_array()?;
    let is_old = |entry: &&Value| {
        entry["manager"] == CLIENT_SIDE
            && entry["operation"] == "Update"
            && entry["subresource"].is_null()
    };
    let old = entries.iter().find(is_old)?.clone();
    let mut kept: Vec<Value> = entries.iter().filter(|entry| !is_old(entry)).cloned().collect();
    let is_new = |entry: &&mut Value| entry["manager"] == manager && entry["operation"] == "Apply";
    let new = kept.iter_mut().find(is_new)?;
    merge_fields(&mut new["fieldsV1"], &old["fieldsV1"]);
    Some(kept)
}

fn merge_fields(into: &mut Value, from: &Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        for (key, value) in from {
            merge_fields(into.entry(key.clone()).or_insert_with(|| json!({})), value);
        }
    }
}

/// What kubectl says below a conflict.
const REVIEW: &str = "\
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";
