//! From a tree of files to what is to be applied: kustomize build, substitution, owner labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::memory::Memory;
use super::settings::{Reference, Settings, Substitution};
use super::state::Answer;
use super::words;
use super::{KustomizationController, Options, Run, State, Step};
use crate::api::ApiRequest;
use crate::base64;
use crate::engine::names::{GROUP, SUBSTITUTE};
use crate::engine::normalize::normalized;
use crate::engine::stages::{Stage, stages};
use crate::engine::substitute::substitute;
use crate::git::{ObjectId, Tree};
use crate::manifest::{self, Overlay, yaml};
use crate::object::{GroupVersionKind, Object, ObjectRef};
use crate::reconciler::Next;
use crate::time::Timestamp;

/// A build whose variables are being read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Build {
    objects: Arc<[Object]>,
    /// The reference whose values are awaited.
    next: usize,
    variables: BTreeMap<String, String>,
    secrets: Vec<String>,
}

/// What builds were made of, and the objects they came to.
pub(super) type Builds = Memory<(ObjectId, String, Value), Arc<[Object]>>;

/// What builds were finished with, and what they came to.
pub(super) type Finished = Memory<Finishing, Arc<Built>>;

/// All that the objects of a build are finished with.
#[derive(Debug, PartialEq)]
pub(super) struct Finishing {
    owner: ObjectRef,
    build: Build,
    settings: Arc<Settings>,
}

/// What is to be applied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Built {
    /// Stage by stage.
    pub(super) stages: Arc<[Stage]>,
    /// `sha256:…` of the build, as `status.history` shows it.
    pub(super) checksum: String,
    /// Values that came from Secrets and must not be told.
    pub(super) secrets: Vec<String>,
    /// A Secret that is encrypted with SOPS.
    pub(super) encrypted: Option<ObjectRef>,
}

/// What Flux says when the artifact has nothing at `spec.path`.
pub(super) fn path_not_found(tree: &Tree, path: &str) -> Option<String> {
    let within = normal_path(path);
    let file = format!("{}/{within}", folder_of(tree));
    let none = "no such file or directory";
    tree.get(&within)
        .is_none()
        .then(|| format!("kustomization path not found: stat {file}: {none}"))
}

impl Build {
    /// Builds what the Kustomization points to, but for variables.
    pub(super) fn new(
        kustomization: &Object,
        settings: &Settings,
        tree: &Tree,
        builds: &Builds,
    ) -> Result<Self, String> {
        let spec = kustomization.get("spec").cloned().unwrap_or_default();
        let of = (tree.id(), normal_path(&settings.path), spec);
        let objects = builds
            .recall(of, |(_, path, spec)| objects(tree, path, spec).map(Arc::<[Object]>::from))?;
        Ok(Build { objects, next: 0, variables: BTreeMap::new(), secrets: Vec::new() })
    }

    fn take(&mut self, reference: &Reference, answer: Answer) -> Result<(), String> {
        let found = match answer.map(|answer| answer.into_object()) {
            Ok(Some(found)) => found,
            Err(status) if reference.optional && status.is_not_found() => return Ok(()),
            Ok(None) => return Err("the answer is no object".into()),
            Err(status) => return Err(status.message),
        };
        for (key, value) in found.get("data").and_then(|d| d.as_object()).into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            let value = match reference.kind.as_str() {
                "Secret" => decoded(text),
                _ => text.to_owned(),
            };
            let value = value.replace('\n', "");
            if reference.kind == "Secret" {
                self.secrets.push(value.clone());
            }
            self.variables.insert(key.clone(), value);
        }
        Ok(())
    }

    fn substituted(
        &self,
        substitution: &Substitution,
        strict: bool,
    ) -> Result<Vec<Object>, String> {
        let inline = substitution.inline.iter();
        let inline = inline.map(|(name, value)| (name.clone(), value.replace('\n', "")));
        let variables: BTreeMap<String, String> =
            self.variables.clone().into_iter().chain(inline).collect();
        if variables.is_empty() && !substitution.always {
            return Ok(self.objects.to_vec());
        }
        let objects = self.objects.iter().cloned();
        objects.map(|object| substitute_in(object, &variables, strict)).collect()
    }
}

impl Finishing {
    /// What is to be applied, with owner labels and all else that Flux adds.
    fn finish(&self, options: &Options) -> Result<Built, String> {
        let objects = match &self.settings.substitution {
            Some(with) => self.build.substituted(with, options.strict_substitutions)?,
            None => self.build.objects.to_vec(),
        };
        let checksum = checksum(&objects);
        let encrypted = objects.iter().find(|object| is_encrypted(object)).map(Object::reference);
        let owned = objects.into_iter().map(|object| own(object, &self.owner, &self.settings));
        let stages = stages(owned.collect(), &options.custom_stage_kinds).into();
        Ok(Built { stages, checksum, secrets: self.build.secrets.clone(), encrypted })
    }
}

impl Built {
    /// Whether there is nothing to apply.
    pub(super) fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Jobs that remove themselves when they are done.
    pub(super) fn vanishing_jobs(&self) -> Vec<ObjectRef> {
        let vanishes = |object: &&Object| {
            object.kind() == "Job"
                && object.api_version().starts_with("batch/")
                && object.int("spec.ttlSecondsAfterFinished").is_some()
        };
        let objects = self.stages.iter().flat_map(|stage| &stage.objects);
        objects.filter(vanishes).map(Object::reference).collect()
    }
}

impl KustomizationController {
    /// Reads the ConfigMaps and Secrets that variables come from, one after the other.
    pub(super) fn read_variables(
        &self,
        run: Box<Run>,
        build: Build,
        now: Timestamp,
    ) -> Next<State> {
        let wanted = run.settings.substitution.as_ref().and_then(|s| s.from.get(build.next));
        let needed = build.objects.iter().any(|object| !is_untouched(object));
        let Some(reference) = wanted.filter(|_| needed) else {
            return self.finish(run, build, now);
        };
        let gvk = GroupVersionKind::new("v1", &reference.kind);
        let request = ApiRequest::get(&gvk, run.draft.object.namespace(), &reference.name);
        run.ask(Step::VariablesRead(Box::new(build)), request)
    }

    fn finish(&self, run: Box<Run>, build: Build, now: Timestamp) -> Next<State> {
        let (owner, settings) = (run.draft.object.reference(), Arc::clone(&run.settings));
        let finishing = Finishing { owner, build, settings };
        let made = |finishing: &Finishing| finishing.finish(&self.options).map(Arc::new);
        match self.finished.recall(finishing, made) {
            Ok(built) => self.built(run, built, now),
            Err(message) => self.fail(run, "BuildFailed", message, now),
        }
    }

    pub(super) fn variables_read(
        &self,
        run: Box<Run>,
        mut build: Build,
        answer: Answer,
        now: Timestamp,
    ) -> Next<State> {
        let substitution = run.settings.substitution.as_ref().expect("variables are substituted");
        let reference = substitution.from[build.next].clone();
        if let Err(error) = build.take(&reference, answer) {
            let first = build.objects.iter().find(|object| !is_untouched(object));
            let failed = first.map_or(String::new(), |object| post_build_failed(object) + ": ");
            let Reference { kind, name, .. } = reference;
            let message = format!("{failed}substitute from '{kind}/{name}' error: {error}");
            return self.fail(run, "BuildFailed", message, now);
        }
        build.next += 1;
        self.read_variables(run, build, now)
    }
}

fn objects(tree: &Tree, path: &str, spec: &Value) -> Result<Vec<Object>, String> {
    if tree.folder(path).is_none() {
        let file = format!("{}/{path}/kustomization.yaml", folder_of(tree));
        return Err(format!("open {file}: not a directory remove {file}: not a directory"));
    }
    let overlay = Overlay::from_spec(spec).map_err(|mistake| mistake.to_string())?;
    let built = manifest::build_generated(tree, path, &overlay);
    built.map(|built| built.objects).map_err(|mistake| words::of(&mistake, tree, path, spec))
}

/// Where Flux would have put the files, which its messages name.
pub(super) fn folder_of(tree: &Tree) -> String {
    let digits =
        tree.id().as_bytes().iter().take(4).fold(0u32, |n, byte| n << 8 | u32::from(*byte));
    format!("/tmp/kustomization-{digits}")
}

/// A path without `.`, `..` and empty steps, which cannot lead out of the tree.
pub(super) fn normal_path(path: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.join("/")
}

fn substitute_in(
    object: Object,
    variables: &BTreeMap<String, String>,
    strict: bool,
) -> Result<Object, String> {
    if is_untouched(&object) {
        return Ok(object);
    }
    let failed = |error: String| format!("{}: {error}", post_build_failed(&object));
    let text =
        substitute(&yaml::to_string(object.as_value()), variables, strict).map_err(|error| {
            failed(format!("envsubst error: variable substitution failed: {error}"))
        })?;
    let mut documents = yaml::documents("", &text)
        .map_err(|error| failed(format!("envsubst error: YAMLToJSON: {}", error.message)))?;
    let value = documents.pop().map(|document| document.value).unwrap_or_default();
    Object::from_value(value).map_err(|error| failed(error.to_string()))
}

/// The object with the labels of its owner and the metadata that all objects share.
fn own(mut object: Object, owner: &ObjectRef, settings: &Settings) -> Object {
    // Flux reads labels as texts, all or none, and writes back what it read.
    let labels = object.get("metadata.labels").and_then(Value::as_object);
    if labels.is_some_and(|labels| !labels.values().all(Value::is_string)) {
        object.set("metadata.labels", json!({}));
    }
    object.set_label(&format!("{GROUP}/name"), &owner.name);
    object.set_label(&format!("{GROUP}/namespace"), &owner.namespace);
    let mut object = normalized(object);
    for (key, value) in &settings.common_labels {
        object.set_label(key, value);
    }
    for (key, value) in &settings.common_annotations {
        object.set_annotation(key, value);
    }
    object
}

fn checksum(objects: &[Object]) -> String {
    let documents: Vec<String> = objects.iter().map(|o| yaml::to_string(o.as_value())).collect();
    let digest = Sha256::digest(documents.join("---\n").as_bytes());
    digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

fn is_untouched(object: &Object) -> bool {
    let disabled = Some("disabled");
    object.label(SUBSTITUTE) == disabled || object.annotation(SUBSTITUTE) == disabled
}

fn is_encrypted(object: &Object) -> bool {
    object.kind() == "Secret" && object.get("sops").is_some()
}

/// `post build failed for 'Deployment.v1.apps/hello'`: the name as kustomize's `resid.Gvk` prints it.
fn post_build_failed(object: &Object) -> String {
    let GroupVersionKind { group, version, kind } = object.gvk();
    let group = if group.is_empty() { "[noGrp]" } else { &group };
    format!("post build failed for '{kind}.{version}.{group}/{}'", object.name())
}

fn decoded(text: &str) -> String {
    let bytes = base64::decode(text).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
