//! The kustomization file: its fields, read strictly as kustomize reads them.

use std::collections::BTreeMap;

use super::decode::{Fields, Line};
use super::fields::FieldSpec;
use crate::manifest::Mistake;
use crate::manifest::yaml::{self, Dialect, Entry, Node};
use crate::object::GroupVersionKind;

/// The names a kustomization file may have.
pub(super) const FILE_NAMES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A text with its line.
pub(super) type Text = Line<String>;
type Texts = BTreeMap<String, String>;
type Read<T> = Result<T, Mistake>;

/// A kustomization, or a component.
#[derive(Clone, Debug, Default)]
pub(super) struct Kustomization {
    /// Its path from the top of the tree.
    pub(super) file: String,
    pub(super) is_component: bool,
    pub(super) resources: Vec<Text>,
    pub(super) components: Vec<Text>,
    pub(super) configurations: Vec<Text>,
    pub(super) namespace: Text,
    pub(super) name_prefix: Text,
    pub(super) name_suffix: Text,
    pub(super) labels: Vec<Label>,
    pub(super) common_labels: Texts,
    pub(super) common_annotations: Texts,
    pub(super) images: Vec<Image>,
    pub(super) replicas: Vec<Replicas>,
    pub(super) patches: Vec<Patch>,
    pub(super) patches_strategic_merge: Vec<Text>,
    pub(super) patches_json6902: Vec<Patch>,
    pub(super) replacements: Vec<Replacement>,
    /// Objects, or files of them, that configure generators.
    pub(super) generators: Vec<Text>,
    /// Objects, or files of them, that configure transformers.
    pub(super) transformers: Vec<Text>,
    pub(super) config_maps: Vec<Generator>,
    pub(super) secrets: Vec<Generator>,
    pub(super) generator_options: Option<Options>,
    pub(super) vars: Vec<Var>,
    pub(super) sort: Option<Sort>,
    /// What it asks for and does not get.
    pub(super) warnings: Vec<String>,
}

/// An entry of `labels`.
#[derive(Clone, Debug, Default)]
pub(super) struct Label {
    pub(super) pairs: Texts,
    pub(super) include_selectors: bool,
    pub(super) include_templates: bool,
    pub(super) fields: Vec<FieldSpec>,
    pub(super) line: usize,
}

/// An entry of `images`.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) name: String,
    pub(super) new_name: String,
    pub(super) tag_suffix: String,
    pub(super) new_tag: String,
    pub(super) digest: String,
    pub(super) line: usize,
}

/// An entry of `replicas`.
#[derive(Clone, Debug)]
pub(super) struct Replicas {
    pub(super) name: String,
    pub(super) count: i64,
    pub(super) line: usize,
}

/// An entry of `patches` or `patchesJson6902`.
#[derive(Clone, Debug, Default)]
pub(super) struct Patch {
    pub(super) path: String,
    pub(super) patch: String,
    pub(super) target: Option<Selector>,
    pub(super) options: BTreeMap<String, bool>,
    pub(super) line: usize,
}

/// Which objects: in a patch's target regular expressions, in a replacement's exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) kind: GroupVersionKind,
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) annotations: String,
    pub(super) labels: String,
}

/// An entry of `replacements`: a file of some, or one.
#[derive(Clone, Debug, Default)]
pub(super) struct Replacement {
    pub(super) path: String,
    pub(super) source: Option<Source>,
    pub(super) targets: Vec<Target>,
    pub(super) line: usize,
}

/// Where a replacement takes its value.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    pub(super) select: Selector,
    pub(super) field_path: String,
    pub(super) options: Delimited,
}

/// Where a replacement puts its value.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) select: Option<Selector>,
    pub(super) reject: Vec<Selector>,
    pub(super) field_paths: Vec<String>,
    pub(super) options: Delimited,
}

/// Which part of a text is meant, and whether a field is made.
#[derive(Clone, Debug, Default)]
pub(super) struct Delimited {
    pub(super) delimiter: String,
    pub(super) index: i64,
    pub(super) create: bool,
}

/// An entry of `configMapGenerator` or `secretGenerator`.
#[derive(Clone, Debug, Default)]
pub(super) struct Generator {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) behavior: Behavior,
    pub(super) literals: Vec<Text>,
    pub(super) files: Vec<Text>,
    pub(super) envs: Vec<Text>,
    pub(super) options: Option<Options>,
    pub(super) secret_type: String,
    pub(super) line: usize,
}

/// What becomes of an object that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Behavior {
    #[default]
    Create,
    Merge,
    Replace,
}

/// `generatorOptions`, or `options` of one generator.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) labels: Texts,
    pub(super) annotations: Texts,
    pub(super) disable_name_suffix_hash: bool,
    pub(super) immutable: bool,
}

/// An entry of `vars`.
#[derive(Clone, Debug, Default)]
pub(super) struct Var {
    pub(super) name: String,
    pub(super) object: Selector,
    pub(super) field_path: String,
    pub(super) line: usize,
}

/// `sortOptions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// In the order of the resources.
    FirstInFirstOut,
    /// By kind: these first, these last; `None` for the usual ones.
    Legacy(Option<(Vec<String>, Vec<String>)>),
}

impl Kustomization {
    /// Reads a kustomization file. One that says nothing or has a field that there is not is a mistake,
    /// unless Flux reads and rewrites it first, which lets both pass.
    pub(super) fn parse(file: &str, text: &str, is_rewritten: bool) -> Read<Self> {
        let documents = yaml::nodes(file, text, Dialect::Kubectl)?;
        let nothing = Node::mapping();
        let node = documents.first().unwrap_or(&nothing);
        let (mut kustomization, unknown) = Kustomization::read_known(file, node)?;
        match unknown {
            Some(field) if is_rewritten => kustomization.warnings.push(field.to_string()),
            Some(field) => return Err(field),
            None => {}
        }
        let says_something = |entry: &Entry| says_something(&entry.key.text, &entry.value);
        if !is_rewritten && !node.entries().iter().any(says_something) {
            return Err(empty(file));
        }
        Ok(kustomization)
    }

    /// Reads a kustomization from a mapping, which may say nothing.
    pub(super) fn read(file: &str, node: &Node) -> Read<Self> {
        let (kustomization, unknown) = Kustomization::read_known(file, node)?;
        unknown.map_or(Ok(kustomization), Err)
    }

    /// Reads the fields that a kustomization has; and the first that it has not.
    fn read_known(file: &str, node: &Node) -> Read<(Self, Option<Mistake>)> {
        let mut f = Fields::of(file, node, "a kustomization")?;
        let is_component = kind(file, &mut f)?;
        refuse_plugins(file, &mut f)?;
        let mut resources = f.texts("resources")?;
        resources.extend(f.texts("bases")?);
        let mut images = f.each("images", image)?;
        images.extend(f.each("imageTags", image)?);
        let kustomization = Kustomization {
            file: file.into(),
            is_component,
            resources,
            components: f.texts("components")?,
            configurations: f.texts("configurations")?,
            namespace: line_of(&mut f, "namespace")?,
            name_prefix: line_of(&mut f, "namePrefix")?,
            name_suffix: line_of(&mut f, "nameSuffix")?,
            labels: f.each("labels", label)?,
            common_labels: f.text_map("commonLabels")?,
            common_annotations: f.text_map("commonAnnotations")?,
            images,
            replicas: f.each("replicas", replicas)?,
            patches: f.each("patches", patch)?,
            patches_strategic_merge: f.texts("patchesStrategicMerge")?,
            patches_json6902: f.each("patchesJson6902", patch)?,
            replacements: f.each("replacements", replacement)?,
            generators: f.texts("generators")?,
            transformers: f.texts("transformers")?,
            config_maps: f.each("configMapGenerator", config_map)?,
            secrets: f.each("secretGenerator", secret)?,
            generator_options: f.one("generatorOptions", options)?,
            vars: f.each("vars", var)?,
            sort: f.one("sortOptions", sort)?,
            warnings: warnings(file, &mut f),
        };
        f.value("metadata");
        Ok((kustomization, f.finish().err()))
    }
}

/// Reads the entries of a file that `replacements` names: one, or a list.
pub(super) fn replacements(file: &str, text: &str) -> Read<Vec<Replacement>> {
    let documents = yaml::nodes(file, text, Dialect::Kubectl)?;
    match documents.first() {
        Some(node) if node.is_sequence() => {
            node.items().iter().map(|item| replacement(file, item)).collect()
        }
        Some(node) => Ok(vec![replacement(file, node)?]),
        None => Err(empty(file)),
    }
}

/// Reads a field spec.
pub(super) fn field_spec(file: &str, node: &Node) -> Read<FieldSpec> {
    let mut f = Fields::of(file, node, "a field spec")?;
    let kind = group_version_kind(&mut f)?;
    let spec = FieldSpec { kind, path: f.text("path")?, create: f.flag("create")? };
    f.finish()?;
    Ok(spec)
}

/// Reads the parts of a kind.
pub(super) fn group_version_kind(f: &mut Fields<'_>) -> Read<GroupVersionKind> {
    Ok(GroupVersionKind {
        group: f.text("group")?,
        version: f.text("version")?,
        kind: f.text("kind")?,
    })
}

fn empty(file: &str) -> Mistake {
    Mistake::new(file, 0, "the kustomization is empty", "list at least one file under resources")
}

/// Whether a field counts as more than nothing.
fn says_something(key: &str, value: &Node) -> bool {
    let is_zero = value.as_scalar().is_some_and(|scalar| {
        value.is_null() || matches!(scalar.text.as_str(), "" | "0" | "false")
    });
    !is_zero && !key.eq_ignore_ascii_case("kind") && !key.eq_ignore_ascii_case("apiVersion")
}

/// Checks `kind` and `apiVersion`; whether it is a component.
fn kind(file: &str, f: &mut Fields<'_>) -> Read<bool> {
    let line = f.line();
    let (kind, version) = (f.text("kind")?, f.text("apiVersion")?);
    let is_component = match kind.as_str() {
        "" | "Kustomization" => false,
        "Component" => true,
        _ => {
            let message =
                format!("a kustomization file is of kind Kustomization or Component, not {kind}");
            return Err(Mistake::new(
                file,
                line,
                message,
                "correct kind, or list the file under resources",
            ));
        }
    };
    let wanted = match is_component {
        false => "kustomize.config.k8s.io/v1beta1",
        true => "kustomize.config.k8s.io/v1alpha1",
    };
    if version.is_empty() || version == wanted {
        return Ok(is_component);
    }
    let message = format!("apiVersion {version} is not that of a kustomization file");
    Err(Mistake::new(file, line, message, format!("write {wanted}")))
}

/// Refuses what runs other programs.
fn refuse_plugins(file: &str, f: &mut Fields<'_>) -> Read<()> {
    let refused = [
        ("helmCharts", "render the chart with `helm template` and list the result under resources"),
        (
            "helmChartInflationGenerator",
            "render the chart with `helm template` and list the result under resources",
        ),
        ("validators", "leave them out: nothing is validated here"),
    ];
    for (field, remedy) in refused {
        let Some(node) = f.value(field).filter(|node| !node.items().is_empty()) else { continue };
        let message = format!("{field} runs a program of its own, which is not done here");
        return Err(Mistake::new(file, node.at.line, message, remedy));
    }
    f.value("helmGlobals");
    Ok(())
}

fn warnings(file: &str, f: &mut Fields<'_>) -> Vec<String> {
    let ignored = [
        ("crds", "names inside custom resources are not followed"),
        ("openapi", "lists of custom resources are replaced whole"),
        ("buildMetadata", "objects don't say where they come from"),
    ];
    let note = |(field, so): (&'static str, &str)| {
        let node = f.value(field)?;
        Some(format!("{file}:{}: {field} is ignored: {so}", node.at.line))
    };
    ignored.into_iter().filter_map(note).collect()
}

fn line_of(f: &mut Fields<'_>, name: &'static str) -> Read<Text> {
    let line = f.value(name).map_or(0, |node| node.at.line);
    Ok(Line { value: f.text(name)?, line })
}

fn label(file: &str, node: &Node) -> Read<Label> {
    let mut f = Fields::of(file, node, "an entry of labels")?;
    let label = Label {
        pairs: f.text_map("pairs")?,
        include_selectors: f.flag("includeSelectors")?,
        include_templates: f.flag("includeTemplates")?,
        fields: f.each("fields", field_spec)?,
        line: f.line(),
    };
    f.finish()?;
    Ok(label)
}

/// Reads an image entry.
pub(super) fn image(file: &str, node: &Node) -> Read<Image> {
    let mut f = Fields::of(file, node, "an entry of images")?;
    let image = Image {
        name: f.text("name")?,
        new_name: f.text("newName")?,
        tag_suffix: f.text("tagSuffix")?,
        new_tag: f.text("newTag")?,
        digest: f.text("digest")?,
        line: f.line(),
    };
    f.finish()?;
    Ok(image)
}

/// Reads a replicas entry.
pub(super) fn replicas(file: &str, node: &Node) -> Read<Replicas> {
    let mut f = Fields::of(file, node, "an entry of replicas")?;
    let replicas = Replicas { name: f.text("name")?, count: f.whole("count")?, line: f.line() };
    f.finish()?;
    Ok(replicas)
}

fn patch(file: &str, node: &Node) -> Read<Patch> {
    let mut f = Fields::of(file, node, "an entry of patches")?;
    let patch = Patch {
        path: f.text("path")?,
        patch: f.text("patch")?,
        target: f.one("target", selector)?,
        options: f.flags("options")?,
        line: f.line(),
    };
    f.finish()?;
    Ok(patch)
}

/// Reads a selector.
pub(super) fn selector(file: &str, node: &Node) -> Read<Selector> {
    let mut f = Fields::of(file, node, "a selector")?;
    let selector = read_selector(&mut f)?;
    f.finish()?;
    Ok(selector)
}

fn read_selector(f: &mut Fields<'_>) -> Read<Selector> {
    Ok(Selector {
        kind: group_version_kind(f)?,
        name: f.text("name")?,
        namespace: f.text("namespace")?,
        annotations: f.text("annotationSelector")?,
        labels: f.text("labelSelector")?,
    })
}

/// Reads a replacement.
pub(super) fn replacement(file: &str, node: &Node) -> Read<Replacement> {
    let mut f = Fields::of(file, node, "a replacement")?;
    let replacement = Replacement {
        path: f.text("path")?,
        source: f.one("source", source)?,
        targets: f.each("targets", target)?,
        line: f.line(),
    };
    f.finish()?;
    Ok(replacement)
}

fn source(file: &str, node: &Node) -> Read<Source> {
    let mut f = Fields::of(file, node, "the source of a replacement")?;
    let source = Source {
        select: read_selector(&mut f)?,
        field_path: f.text("fieldPath")?,
        options: f.one("options", delimited)?.unwrap_or_default(),
    };
    f.finish()?;
    Ok(source)
}

fn target(file: &str, node: &Node) -> Read<Target> {
    let mut f = Fields::of(file, node, "a target of a replacement")?;
    let target = Target {
        select: f.one("select", selector)?,
        reject: f.each("reject", selector)?,
        field_paths: f.texts("fieldPaths")?.into_iter().map(|path| path.value).collect(),
        options: f.one("options", delimited)?.unwrap_or_default(),
    };
    f.finish()?;
    Ok(target)
}

fn delimited(file: &str, node: &Node) -> Read<Delimited> {
    let mut f = Fields::of(file, node, "options of a replacement")?;
    let options = Delimited {
        delimiter: f.text("delimiter")?,
        index: f.whole("index")?,
        create: f.flag("create")?,
    };
    f.text("encoding")?;
    f.finish()?;
    Ok(options)
}

fn config_map(file: &str, node: &Node) -> Read<Generator> {
    let mut f = Fields::of(file, node, "an entry of configMapGenerator")?;
    let generator = generator(file, &mut f)?;
    f.finish()?;
    Ok(generator)
}

fn secret(file: &str, node: &Node) -> Read<Generator> {
    let mut f = Fields::of(file, node, "an entry of secretGenerator")?;
    let secret_type = f.text("type")?;
    let generator = Generator { secret_type, ..generator(file, &mut f)? };
    f.finish()?;
    Ok(generator)
}

fn generator(file: &str, f: &mut Fields<'_>) -> Read<Generator> {
    let name = f.text("name")?;
    generator_named(&name, file, f)
}

/// Reads the fields of a generator but for its name.
pub(super) fn generator_named(name: &str, file: &str, f: &mut Fields<'_>) -> Read<Generator> {
    let line = f.line();
    if name.is_empty() {
        return Err(Mistake::new(file, line, "a generator without a name", "give it a name"));
    }
    let mut envs = f.texts("envs")?;
    envs.extend(Some(line_of(f, "env")?).filter(|env| !env.value.is_empty()));
    Ok(Generator {
        name: name.into(),
        namespace: f.text("namespace")?,
        behavior: behavior(&f.text("behavior")?),
        literals: f.texts("literals")?,
        files: f.texts("files")?,
        envs,
        options: f.one("options", options)?,
        secret_type: String::new(),
        line,
    })
}

fn behavior(text: &str) -> Behavior {
    match text {
        "merge" => Behavior::Merge,
        "replace" => Behavior::Replace,
        _ => Behavior::Create,
    }
}

fn options(file: &str, node: &Node) -> Read<Options> {
    let mut f = Fields::of(file, node, "generator options")?;
    let options = Options {
        labels: f.text_map("labels")?,
        annotations: f.text_map("annotations")?,
        disable_name_suffix_hash: f.flag("disableNameSuffixHash")?,
        immutable: f.flag("immutable")?,
    };
    f.finish()?;
    Ok(options)
}

fn var(file: &str, node: &Node) -> Read<Var> {
    let mut f = Fields::of(file, node, "an entry of vars")?;
    let var = Var {
        name: f.text("name")?,
        object: f.one("objref", var_object)?.unwrap_or_default(),
        field_path: f.one("fieldref", field_path)?.unwrap_or_default(),
        line: f.line(),
    };
    f.finish()?;
    Ok(var)
}

fn var_object(file: &str, node: &Node) -> Read<Selector> {
    let mut f = Fields::of(file, node, "objref of a var")?;
    let (mut kind, version) = (group_version_kind(&mut f)?, f.text("apiVersion")?);
    if !version.is_empty() {
        kind = GroupVersionKind::new(&version, &kind.kind);
    }
    let object = Selector {
        kind,
        name: f.text("name")?,
        namespace: f.text("namespace")?,
        ..Selector::default()
    };
    f.finish()?;
    Ok(object)
}

fn field_path(file: &str, node: &Node) -> Read<String> {
    let mut f = Fields::of(file, node, "fieldref of a var")?;
    let path = f.text("fieldPath")?;
    f.finish()?;
    Ok(path)
}

fn sort(file: &str, node: &Node) -> Read<Sort> {
    let mut f = Fields::of(file, node, "sortOptions")?;
    let (order, kinds) = (f.text("order")?, f.one("legacySortOptions", kind_order)?);
    let line = f.line();
    f.finish()?;
    match (order.as_str(), kinds) {
        ("legacy", kinds) => Ok(Sort::Legacy(kinds)),
        ("fifo", None) => Ok(Sort::FirstInFirstOut),
        ("fifo", Some(_)) => Err(Mistake::new(
            file,
            line,
            "legacySortOptions with order fifo",
            "write order: legacy",
        )),
        _ => Err(Mistake::new(file, line, format!("no order {order:?}"), "write fifo or legacy")),
    }
}

fn kind_order(file: &str, node: &Node) -> Read<(Vec<String>, Vec<String>)> {
    let mut f = Fields::of(file, node, "legacySortOptions")?;
    let names = |texts: Vec<Text>| texts.into_iter().map(|text| text.value).collect();
    let order = (names(f.texts("orderFirst")?), names(f.texts("orderLast")?));
    f.finish()?;
    Ok(order)
}
