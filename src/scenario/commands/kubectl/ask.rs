//! Asking the API server, and naming what is asked about.

use super::kinds::{Kind, kind_of, kinds};
use super::{DryRun, Files, Targets};
use crate::api::{
    ApiRequest, ApiResponse, Caller, ListOptions, Reason, Status, Verb, WriteOptions,
};
use crate::git::Tree;
use crate::manifest;
use crate::object::{GroupVersionKind, Object};
use crate::scenario::commands::terminal::Output;
use crate::scenario::commands::words::Word;
use crate::sim::World;

/// kubectl at work: what it asks with, and what it has printed.
pub(super) struct Asking<'a> {
    pub(super) world: &'a mut World,
    pub(super) who: &'a str,
    /// `-n`, or `default`.
    pub(super) namespace: String,
    /// Whether `-n` was given.
    pub(super) namespace_given: bool,
    pub(super) files: Tree,
    pub(super) out: Output,
}

/// An object that a command is about.
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) object: Object,
}

/// An object from a file.
pub(super) struct Read {
    pub(super) kind: Kind,
    pub(super) object: Object,
    pub(super) file: String,
}

/// As whom, and with which User-Agent, a person's kubectl asks: its first word is the default field
/// manager.
pub(crate) fn caller(world: &World, who: &str) -> Caller {
    let groups = world.groups_of(who);
    Caller { groups, ..Caller::new(who, "kubectl/v1.37.1 (linux/amd64) kubernetes/driftlab") }
}

impl Asking<'_> {
    pub(super) fn ask(&mut self, request: ApiRequest) -> Result<ApiResponse, Status> {
        let caller = caller(self.world, self.who);
        self.world.request(&caller, request)
    }

    pub(super) fn ask_object(&mut self, request: ApiRequest) -> Result<Object, Status> {
        let response = self.ask(request)?;
        for warning in &response.warnings {
            self.out.line(format!("Warning: {warning}"));
        }
        Ok(response.into_object().unwrap_or_else(|| Object::new("v1", "Status", "", "")))
    }

    /// The namespace for a kind: none for those that live outside of them.
    pub(super) fn namespace_for(&self, kind: &Kind) -> String {
        if kind.namespaced { self.namespace.clone() } else { String::new() }
    }

    pub(super) fn get(&mut self, kind: &Kind, name: &str) -> Result<Object, Status> {
        let namespace = self.namespace_for(kind);
        self.ask_object(ApiRequest::get(&kind.gvk, &namespace, name))
    }

    /// The kinds that a word names; prints what kubectl prints when there is none.
    pub(super) fn kinds(&mut self, word: &Word) -> Vec<Kind> {
        let found = kinds(self.world.server(), &word.text);
        if found.is_empty() {
            let message = format!("error: the server doesn't have a resource type {:?}", word.text);
            self.out.error(message);
        }
        found
    }

    /// Every object that is named or selected; what is not there is printed as an error.
    pub(super) fn find(&mut self, targets: &Targets) -> Vec<Found> {
        let mut all = Vec::new();
        for (word, name) in &targets.kinds {
            for kind in self.kinds(word) {
                match self.find_of(&kind, name.as_deref(), targets) {
                    Ok(objects) => {
                        let found = objects.into_iter();
                        all.extend(found.map(|object| Found { kind: kind.clone(), object }));
                    }
                    Err(status) => self.refused(&status),
                }
            }
        }
        all
    }

    pub(super) fn find_of(
        &mut self,
        kind: &Kind,
        name: Option<&str>,
        targets: &Targets,
    ) -> Result<Vec<Object>, Status> {
        if let Some(name) = name {
            return self.get(kind, name).map(|object| vec![object]);
        }
        let namespace = match targets.all_namespaces {
            true => String::new(),
            false => self.namespace_for(kind),
        };
        let options = ListOptions {
            labels: targets.labels.clone(),
            fields: targets.fields.clone(),
            ..ListOptions::default()
        };
        let request = ApiRequest {
            kind: kind.gvk.clone(),
            namespace,
            name: String::new(),
            subresource: None,
            verb: Verb::List(options),
        };
        Ok(self.ask(request)?.into_list().unwrap_or_default().items)
    }

    /// The objects of files, each in its namespace. `None` when something is wrong, which is printed.
    pub(super) fn read(&mut self, files: &Files) -> Option<Vec<Read>> {
        let mut all = Vec::new();
        for (file, object) in self.read_files(files)? {
            match self.place(object, &file) {
                Ok(read) => all.push(read),
                Err(message) => self.out.error(message),
            }
        }
        (self.out.exit == 0).then_some(all)
    }

    fn read_files(&mut self, files: &Files) -> Option<Vec<(String, Object)>> {
        let mut all = Vec::new();
        for path in &files.paths {
            let found = manifests(&self.files, &path.text, files.recursive);
            if found.is_empty() {
                self.out.error(format!("error: the path {:?} does not exist", path.text));
                return None;
            }
            for (file, text) in found {
                match manifest::objects(&file, &text) {
                    Ok(objects) => all.extend(objects.into_iter().map(|o| (file.clone(), o))),
                    Err(mistake) => self.out.error(format!("error: error parsing {mistake}")),
                }
            }
        }
        if let Some(path) = &files.kustomize {
            match manifest::build(&self.files, &path.text) {
                Ok(built) => {
                    all.extend(built.objects.into_iter().map(|o| (path.text.clone(), o)));
                }
                Err(mistake) => self.out.error(format!("error: {mistake}")),
            }
        }
        Some(all)
    }

    /// Finds the kind of an object from a file, and puts the object into its namespace.
    fn place(&mut self, mut object: Object, file: &str) -> Result<Read, String> {
        let gvk = object.gvk();
        let Some(kind) = kind_of(self.world.server(), &gvk) else {
            return Err(no_match(&object, &gvk, file));
        };
        if kind.namespaced && object.namespace().is_empty() {
            object.set("metadata.namespace", self.namespace.clone());
        } else if kind.namespaced && self.namespace_given && object.namespace() != self.namespace {
            return Err(format!(
                "error: the namespace from the provided object {:?} does not match the namespace {:?}. You must pass '--namespace={}' to perform this operation.",
                object.namespace(),
                self.namespace,
                object.namespace()
            ));
        }
        Ok(Read { kind, object, file: file.into() })
    }

    /// Prints a refusal as kubectl does.
    pub(super) fn refused(&mut self, status: &Status) {
        self.out.error(refusal(status, ""));
    }
}

/// A refusal in kubectl's words; `context` is what it was about to do, with a colon.
pub(super) fn refusal(status: &Status, context: &str) -> String {
    if status.code == 0 {
        return format!("Unable to connect to the server: {}", status.message);
    }
    if let (true, Some(details), true) = (status.is_invalid(), &status.details, context.is_empty())
    {
        let head = format!("The {} {:?} is invalid: ", details.kind, details.name);
        let causes: Vec<String> =
            details.causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
        return match &causes[..] {
            [one] => head + one,
            many => many.iter().fold(head, |text, cause| format!("{text}\n* {cause}")),
        };
    }
    match status.reason {
        Reason::None => format!("Error from server: {context}{}", status.message),
        reason => format!("Error from server ({reason}): {context}{}", status.message),
    }
}

fn no_match(object: &Object, gvk: &GroupVersionKind, file: &str) -> String {
    format!(
        "error: resource mapping not found for name: {:?} namespace: {:?} from {file:?}: no matches for kind {:?} in version {:?}\nensure CRDs are installed first",
        object.name(),
        object.namespace(),
        gvk.kind,
        gvk.api_version()
    )
}

/// The manifests at a path: the file, or those of a folder that end in `.yaml`, `.yml` or `.json`.
pub(super) fn manifests(tree: &Tree, path: &str, recursive: bool) -> Vec<(String, String)> {
    if let Some(text) = tree.text(path) {
        return vec![(path.to_owned(), text.to_owned())];
    }
    let Some(folder) = tree.folder(path) else { return Vec::new() };
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let is_manifest =
        |name: &str| [".yaml", ".yml", ".json"].iter().any(|suffix| name.ends_with(suffix));
    folder
        .files()
        .into_iter()
        .filter(|(name, ..)| is_manifest(name) && (recursive || !name.contains('/')))
        .filter_map(|(name, _, blob)| Some((format!("{prefix}{name}"), blob.as_text()?.to_owned())))
        .collect()
}

/// The options of a write by a field manager.
pub(super) fn options(manager: &str, dry_run: DryRun) -> WriteOptions {
    WriteOptions {
        field_manager: manager.into(),
        dry_run: dry_run == DryRun::Server,
        ..WriteOptions::default()
    }
}

impl DryRun {
    /// What stands behind a line that says what was done.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            DryRun::No => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        }
    }
}
