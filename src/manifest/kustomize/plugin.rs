//! Built-in generators and transformers that a file of their own configures: `transformers: [labels.yaml]`
//! with an object of `apiVersion: builtin`. Those that run another program are refused.

use super::decode::{Fields, Line};
use super::fault::Fault;
use super::fields::FieldSpec;
use super::file::{self, Generator, Image, Patch, Replacement, Text};
use super::files::Files;
use super::generate::Made;
use super::patch::{self, Patching};
use super::resource::{Resource, Resources};
use super::{order, replace, transform};
use crate::manifest::Mistake;
use crate::manifest::yaml::Node;

type Step<T = ()> = Result<T, Mistake>;

/// The generator that an object configures.
pub(super) fn generator(config: &Resource) -> Step<(Generator, Made)> {
    let made = match config.kind().as_str() {
        _ if !is_builtin(config) => return Err(foreign(config)),
        "ConfigMapGenerator" => Made::ConfigMap,
        "SecretGenerator" => Made::Secret,
        _ => return Err(foreign(config)),
    };
    let (file, line) = &config.origin;
    let mut f = fields(config)?;
    let metadata = config.node.get("metadata").cloned().unwrap_or_else(Node::mapping);
    let secret_type = f.text("type")?;
    let generator = file::generator_named(&config.name(), file, &mut f)?;
    let namespace = metadata.get("namespace").map(Node::raw).unwrap_or_default().to_owned();
    Ok((Generator { secret_type, namespace, line: *line, ..generator }, made))
}

/// Runs the transformer that an object configures.
pub(super) fn transform(
    config: &Resource,
    resources: &mut Resources,
    files: &Files<'_>,
    folder: &str,
) -> Step {
    if !is_builtin(config) {
        return Err(foreign(config));
    }
    let mut f = fields(config)?;
    match config.kind().as_str() {
        "LabelTransformer"
        | "AnnotationsTransformer"
        | "PrefixTransformer"
        | "SuffixTransformer"
        | "NamespaceTransformer"
        | "ImageTagTransformer"
        | "ReplicaCountTransformer" => change_fields(config, &mut f, resources),
        "PatchTransformer" | "PatchJson6902Transformer" | "PatchStrategicMergeTransformer" => {
            patch(config, &mut f, resources, files, folder)
        }
        "ReplacementTransformer" => {
            let replacements: Vec<Replacement> = f.each("replacements", file::replacement)?;
            let all = replacements.iter().try_for_each(|one| replace::apply(resources, one));
            all.map_err(|fault| at(config, fault))
        }
        "LegacyOrderTransformer" => {
            order::sort(resources, None);
            Ok(())
        }
        _ => Err(foreign(config)),
    }
}

/// The transformers that work on fields which their own fields name.
fn change_fields(config: &Resource, f: &mut Fields<'_>, resources: &mut Resources) -> Step {
    let specs = f.each("fieldSpecs", file::field_spec)?;
    let outcome = match config.kind().as_str() {
        "LabelTransformer" => transform::entries(resources, &f.text_map("labels")?, &specs),
        "AnnotationsTransformer" => {
            transform::entries(resources, &f.text_map("annotations")?, &specs)
        }
        "PrefixTransformer" => transform::prefix(resources, &f.text("prefix")?, &specs),
        "SuffixTransformer" => transform::suffix(resources, &f.text("suffix")?, &specs),
        "NamespaceTransformer" => return namespace(config, f, resources, &specs),
        "ImageTagTransformer" => {
            let image: Image = f.one("imageTag", file::image)?.unwrap_or_default();
            transform::image(resources, &image, &specs)
        }
        _ => match f.one("replica", file::replicas)? {
            Some(replicas) => transform::replicas(resources, &replicas, &specs),
            None => Err(Fault::new(
                "a ReplicaCountTransformer without replica",
                "write its name and count",
            )),
        },
    };
    outcome.map_err(|fault| at(config, fault))
}

fn patch(
    config: &Resource,
    f: &mut Fields<'_>,
    resources: &mut Resources,
    files: &Files<'_>,
    folder: &str,
) -> Step {
    let (file, line) = &config.origin;
    let outcome = match config.kind().as_str() {
        "PatchTransformer" => {
            let patch = patch_of(f, "patch")?;
            patch::read(&patch, files, folder, file)
                .and_then(|patching: Patching| patch::apply(resources, &patch, &patching))
        }
        "PatchJson6902Transformer" => {
            patch::apply_json6902(resources, &patch_of(f, "jsonOp")?, files, folder, file)
        }
        _ => {
            let mut patches: Vec<Text> = f.texts("paths")?;
            let inline = Line { value: f.text("patches")?, line: *line };
            patches.extend(Some(inline).filter(|inline| !inline.value.is_empty()));
            patches
                .iter()
                .try_for_each(|p| patch::apply_strategic(resources, p, files, folder, file))
        }
    };
    outcome.map_err(|fault| at(config, fault))
}

fn at(config: &Resource, fault: Fault) -> Mistake {
    let (file, line) = &config.origin;
    fault.at(file, *line)
}

fn namespace(
    config: &Resource,
    f: &mut Fields<'_>,
    resources: &mut Resources,
    specs: &[FieldSpec],
) -> Step {
    let (file, line) = &config.origin;
    for option in ["unsetOnly", "setRoleBindingSubjects"] {
        if f.value(option).is_some() {
            let message = format!("{option} of a NamespaceTransformer is not done here");
            return Err(Mistake::new(file, *line, message, "leave it out"));
        }
    }
    let namespace = config.namespace();
    transform::namespace(resources, &namespace, specs).map_err(|fault| at(config, fault))
}

fn patch_of(f: &mut Fields<'_>, text: &'static str) -> Step<Patch> {
    Ok(Patch {
        path: f.text("path")?,
        patch: f.text(text)?,
        target: f.one("target", file::selector)?,
        options: f.flags("options")?,
        line: f.line(),
    })
}

fn fields(config: &Resource) -> Step<Fields<'_>> {
    Fields::of(&config.origin.0, &config.node, "a built-in plugin")
}

fn is_builtin(config: &Resource) -> bool {
    config.gvk().api_version() == "builtin"
}

fn foreign(config: &Resource) -> Mistake {
    let (file, line) = &config.origin;
    let message = format!(
        "{} of {} is a program of its own, which is not run here",
        config.kind(),
        config.gvk().api_version()
    );
    let remedy = "use the fields of the kustomization, or list what it makes under resources";
    Mistake::new(file, *line, message, remedy)
}
