//! One build: a kustomization, those it stands on, its generators and its transformers, in the order in
//! which kustomize runs them.

use std::collections::BTreeSet;

use super::config::Config;
use super::fault::{Fault, Outcome};
use super::fields::check_key;
use super::file::{FILE_NAMES, Kustomization, Patch, Replacement, Text, replacements};
use super::files::{Files, Found, is_within, missing, shown};
use super::generate::{Made, absorb, add_hashes, generate};
use super::patch::{self, Patching};
use super::resource::{self, Id, Resource, Resources};
use super::{order, plugin, references, replace, transform, vars};
use crate::manifest::Mistake;
use crate::manifest::yaml::Node;
use crate::object::Object;

/// A build visits no more kustomizations than this.
const MAX_VISITS: usize = 10_000;

/// Kustomizations stand on each other in no more levels than this.
const MAX_LEVELS: usize = 50;

/// A build makes no more objects than this.
const MAX_OBJECTS: usize = 100_000;

/// Objects that stay where they are written.
const LOCAL: &str = "config.kubernetes.io/local-config";

type Step<T = ()> = Result<T, Mistake>;

/// A build under way.
pub(super) struct Target<'a> {
    files: Files<'a>,
    /// The folders that led here, outermost first.
    chain: Vec<String>,
    visits: usize,
    pub(super) warnings: Vec<String>,
}

/// What a kustomization comes to, names and vars not yet followed.
#[derive(Default)]
struct Accumulated {
    resources: Resources,
    config: Config,
    vars: Vec<super::file::Var>,
}

impl<'a> Target<'a> {
    pub(super) fn new(files: Files<'a>) -> Self {
        Target { files, chain: Vec::new(), visits: 0, warnings: Vec::new() }
    }

    /// Builds a kustomization that stands in `folder`.
    pub(super) fn build(&mut self, top: &Kustomization, folder: &str) -> Step<Vec<Object>> {
        self.chain.push(folder.into());
        let accumulated = self.accumulate(top, folder, Accumulated::default())?;
        let Accumulated { mut resources, config, vars } = accumulated;
        let about = |fault: Fault| fault.at(&top.file, 0);
        add_hashes(&mut resources);
        references::fix(&mut resources, &config).map_err(about)?;
        vars::resolve(&mut resources, &vars, &config).map_err(about)?;
        resources.0.retain(|resource| {
            let texts = resource.texts("annotations");
            texts.iter().all(|(key, value)| *key != LOCAL || *value == "false")
        });
        order::sort(&mut resources, top.sort.as_ref());
        resources.0.into_iter().map(finished).collect()
    }

    /// Reads the kustomization file of a folder.
    pub(super) fn load(&mut self, folder: &str) -> Step<Kustomization> {
        self.load_file(folder, false)
    }

    /// Reads the kustomization file of a folder as Flux does, which rewrites it.
    pub(super) fn load_rewritten(&mut self, folder: &str) -> Step<Kustomization> {
        self.load_file(folder, true)
    }

    fn load_file(&mut self, folder: &str, is_rewritten: bool) -> Step<Kustomization> {
        let mut found = Vec::new();
        for name in FILE_NAMES {
            if let Found::File(at, _) =
                self.files.find(folder, name).map_err(|fault| fault.at(folder, 0))?
            {
                found.push(at);
            }
        }
        match found.as_slice() {
            [file] => {
                let (_, text) = self.files.text("", file).map_err(|fault| fault.at(file, 0))?;
                let kustomization = Kustomization::parse(file, &text, is_rewritten)?;
                self.warnings.extend(kustomization.warnings.iter().cloned());
                Ok(kustomization)
            }
            [] => {
                let message = format!("there is no kustomization file in {}", shown(folder));
                Err(Mistake::new(shown(folder), 0, message, "add a kustomization.yaml"))
            }
            [one, other, ..] => {
                let message = format!("{one} and {other} are both kustomization files");
                Err(Mistake::new(shown(folder), 0, message, "keep one"))
            }
        }
    }

    /// Adds what a kustomization says to what is there: nothing at first, its parent's for a component.
    fn accumulate(
        &mut self,
        k: &Kustomization,
        folder: &str,
        mut all: Accumulated,
    ) -> Step<Accumulated> {
        self.visits += 1;
        if self.visits > MAX_VISITS {
            let message = format!("the build visits more than {MAX_VISITS} kustomizations");
            return Err(Mistake::new(&k.file, 0, message, "list each base once"));
        }
        let mut ids = all.resources.ids();
        for entry in &k.resources {
            self.resource(k, folder, entry, &mut all, &mut ids)?;
        }
        self.configure(k, folder, &mut all)?;
        self.generate(k, folder, &mut all.resources)?;
        for entry in &k.components {
            all = self.component(k, folder, entry, all)?;
        }
        self.transform(k, folder, &mut all)?;
        for var in &k.vars {
            let one = std::slice::from_ref(var);
            vars::collect(&mut all.vars, one, &mut all.resources)
                .map_err(|f| f.at(&k.file, var.line))?;
        }
        if all.resources.0.len() > MAX_OBJECTS {
            let message = format!("the build makes more than {MAX_OBJECTS} objects");
            return Err(Mistake::new(&k.file, 0, message, "build it in parts"));
        }
        Ok(all)
    }

    fn resource(
        &mut self,
        k: &Kustomization,
        folder: &str,
        entry: &Text,
        all: &mut Accumulated,
        ids: &mut BTreeSet<Id>,
    ) -> Step {
        let here = |fault: Fault| fault.at(&k.file, entry.line);
        let more = match self.files.find(folder, &entry.value).map_err(here)? {
            Found::File(at, _) => {
                self.files.check_inside(folder, &at).map_err(here)?;
                let (at, text) = self.files.text("", &at).map_err(here)?;
                Resources(resource::read(&at, &text)?)
            }
            Found::Folder(below) => {
                let base = self.enter(k, entry, &below)?;
                if base.is_component {
                    let message = format!("{} is a component", shown(&below));
                    return Err(Mistake::new(
                        &k.file,
                        entry.line,
                        message,
                        "list it under components",
                    ));
                }
                let accumulated = self.accumulate(&base, &below, Accumulated::default())?;
                self.chain.pop();
                all.config.merge(&accumulated.config).map_err(here)?;
                vars::merge(&mut all.vars, &accumulated.vars).map_err(here)?;
                accumulated.resources
            }
            Found::Nothing => return Err(here(missing(folder, &entry.value))),
        };
        all.resources.append_with(more, ids).map_err(here)
    }

    fn component(
        &mut self,
        k: &Kustomization,
        folder: &str,
        entry: &Text,
        all: Accumulated,
    ) -> Step<Accumulated> {
        let here = |fault: Fault| fault.at(&k.file, entry.line);
        let below = match self.files.find(folder, &entry.value).map_err(here)? {
            Found::Folder(below) => below,
            Found::File(at, _) => {
                return Err(here(Fault::new(
                    format!("{at} is a file"),
                    "name the component's folder",
                )));
            }
            Found::Nothing => return Err(here(missing(folder, &entry.value))),
        };
        let component = self.enter(k, entry, &below)?;
        if !component.is_component {
            let message = format!("{} is no component", shown(&below));
            let remedy = "list it under resources, or write kind: Component in it";
            return Err(Mistake::new(&k.file, entry.line, message, remedy));
        }
        let accumulated = self.accumulate(&component, &below, all)?;
        self.chain.pop();
        Ok(accumulated)
    }

    /// Steps into a folder, unless that leads in a circle.
    fn enter(&mut self, k: &Kustomization, entry: &Text, below: &str) -> Step<Kustomization> {
        if self.chain.iter().any(|visited| is_within(below, visited)) {
            let mut chain: Vec<&str> = self.chain.iter().map(|folder| shown(folder)).collect();
            chain.push(shown(below));
            let message = format!("the kustomizations form a cycle: {}", chain.join(" -> "));
            return Err(Mistake::new(&k.file, entry.line, message, "take this entry out"));
        }
        if self.chain.len() == MAX_LEVELS {
            let message = format!("more than {MAX_LEVELS} kustomizations stand on each other");
            let remedy = "list what is further down here, or build it on its own";
            return Err(Mistake::new(&k.file, entry.line, message, remedy));
        }
        self.chain.push(below.into());
        self.load(below)
    }

    fn configure(&self, k: &Kustomization, folder: &str, all: &mut Accumulated) -> Step {
        let about = |fault: Fault| fault.at(&k.file, 0);
        let mut config = Config::default_fields().clone();
        for entry in &k.configurations {
            let here = |fault: Fault| fault.at(&k.file, entry.line);
            let (at, text) = self.files.text(folder, &entry.value).map_err(here)?;
            config.merge(&Config::parse(&at, &text)?).map_err(here)?;
        }
        all.config.merge(&config).map_err(about)
    }

    fn generate(&mut self, k: &Kustomization, folder: &str, resources: &mut Resources) -> Step {
        let config_maps = k.config_maps.iter().map(|generator| (generator, Made::ConfigMap));
        let secrets = k.secrets.iter().map(|generator| (generator, Made::Secret));
        for (generator, made) in config_maps.chain(secrets) {
            let global = k.generator_options.as_ref();
            let object = generate(generator, made, global, &self.files, folder);
            object
                .and_then(|mut object| {
                    object.origin.0.clone_from(&k.file);
                    absorb(resources, object)
                })
                .map_err(|fault| fault.at(&k.file, generator.line))?;
        }
        for config in self.plugins(k, folder, &k.generators)? {
            let (generator, made) = plugin::generator(&config)?;
            let object = generate(&generator, made, None, &self.files, folder);
            let here = |fault: Fault| fault.at(&config.origin.0, config.origin.1);
            object.and_then(|object| absorb(resources, object)).map_err(here)?;
        }
        Ok(())
    }

    /// The objects that configure generators or transformers: written here, in files, or in folders.
    fn plugins(
        &mut self,
        k: &Kustomization,
        folder: &str,
        entries: &[Text],
    ) -> Step<Vec<Resource>> {
        let (mut all, mut ids) = (Accumulated::default(), BTreeSet::new());
        for entry in entries {
            match resource::read(&k.file, &entry.value) {
                Ok(inline) => all
                    .resources
                    .append_with(Resources(inline), &mut ids)
                    .map_err(|f| f.at(&k.file, entry.line))?,
                Err(_) => self.resource(k, folder, entry, &mut all, &mut ids)?,
            }
        }
        Ok(all.resources.0)
    }

    fn transform(&mut self, k: &Kustomization, folder: &str, all: &mut Accumulated) -> Step {
        let Accumulated { resources, config, .. } = all;
        self.strategic_patches(k, folder, resources)?;
        self.patches(k, folder, resources)?;
        let at = |line: usize| move |fault: Fault| fault.at(&k.file, line);
        if !k.namespace.value.is_empty() {
            transform::namespace(resources, &k.namespace.value, &config.namespace)
                .map_err(at(k.namespace.line))?;
        }
        if !k.name_prefix.value.is_empty() {
            transform::prefix(resources, &k.name_prefix.value, &config.name_prefix)
                .map_err(at(k.name_prefix.line))?;
        }
        if !k.name_suffix.value.is_empty() {
            transform::suffix(resources, &k.name_suffix.value, &config.name_suffix)
                .map_err(at(k.name_suffix.line))?;
        }
        for label in &k.labels {
            transform::label(resources, label, config).map_err(at(label.line))?;
        }
        transform::entries(resources, &k.common_labels, &config.common_labels).map_err(at(0))?;
        transform::entries(resources, &k.common_annotations, &config.common_annotations)
            .map_err(at(0))?;
        self.json_patches(k, folder, resources)?;
        for replicas in &k.replicas {
            transform::replicas(resources, replicas, &config.replicas)
                .map_err(at(replicas.line))?;
        }
        for image in &k.images {
            transform::image(resources, image, &config.images).map_err(at(image.line))?;
        }
        for (replacement, file) in self.replacements(k, folder)? {
            replace::apply(resources, &replacement)
                .map_err(|fault| fault.at(&file, replacement.line))?;
        }
        for config in self.plugins(k, folder, &k.transformers)? {
            plugin::transform(&config, resources, &self.files, folder)?;
            resources.drop_empty();
        }
        Ok(())
    }

    fn strategic_patches(
        &self,
        k: &Kustomization,
        folder: &str,
        resources: &mut Resources,
    ) -> Step {
        for entry in &k.patches_strategic_merge {
            patch::apply_strategic(resources, entry, &self.files, folder, &k.file)
                .map_err(|fault| fault.at(&k.file, entry.line))?;
        }
        resources.drop_empty();
        Ok(())
    }

    /// All patches are read before the first is applied.
    fn patches(&self, k: &Kustomization, folder: &str, resources: &mut Resources) -> Step {
        let read = |patch: &Patch| -> Outcome<Patching> {
            patch::read(patch, &self.files, folder, &k.file)
        };
        let patchings: Vec<Patching> = k
            .patches
            .iter()
            .map(|patch| read(patch).map_err(|fault| fault.at(&k.file, patch.line)))
            .collect::<Step<_>>()?;
        for (patch, patching) in k.patches.iter().zip(&patchings) {
            patch::apply(resources, patch, patching)
                .map_err(|fault| fault.at(&k.file, patch.line))?;
            resources.drop_empty();
        }
        Ok(())
    }

    fn json_patches(&self, k: &Kustomization, folder: &str, resources: &mut Resources) -> Step {
        for patch in &k.patches_json6902 {
            patch::apply_json6902(resources, patch, &self.files, folder, &k.file)
                .map_err(|fault| fault.at(&k.file, patch.line))?;
        }
        Ok(())
    }

    /// The replacements, those of other files read, each with the file it stands in.
    fn replacements(&self, k: &Kustomization, folder: &str) -> Step<Vec<(Replacement, String)>> {
        let mut all = Vec::new();
        for entry in &k.replacements {
            let here = |fault: Fault| fault.at(&k.file, entry.line);
            if entry.path.is_empty() {
                all.push((entry.clone(), k.file.clone()));
                continue;
            }
            if entry.source.is_some() || !entry.targets.is_empty() {
                return Err(here(Fault::new(
                    "a replacement with path and fields",
                    "keep one of the two",
                )));
            }
            let (at, text) = self.files.text(folder, &entry.path).map_err(here)?;
            all.extend(replacements(&at, &text)?.into_iter().map(|one| (one, at.clone())));
        }
        Ok(all)
    }
}

/// The object, its annotations turned into text, as kustomize leaves them.
fn finished(mut resource: Resource) -> Step<Object> {
    let (file, line) = resource.origin.clone();
    if let Some(metadata) = resource.node.get_mut("metadata") {
        if metadata.get("annotations").is_some_and(Node::is_empty) {
            metadata.remove("annotations");
        }
        let annotations = metadata.get_mut("annotations").and_then(Node::entries_mut);
        for annotation in annotations.into_iter().flatten() {
            check_key(&annotation.key.text).map_err(|fault| fault.at(&file, line))?;
            annotation.value = Node::string(annotation.value.raw());
        }
    }
    if let Some(unfit) = resource.node.unfit() {
        let message =
            format!("{:?} stands in {} where a number or a truth stood", unfit.text, resource.id());
        return Err(Mistake::new(
            file,
            line,
            message,
            "correct the replacement or the patch that put it there",
        ));
    }
    Object::from_value(resource.node.value()).map_err(|lack| {
        Mistake::new(file, line, lack.0, "every object needs apiVersion, kind and metadata")
    })
}
