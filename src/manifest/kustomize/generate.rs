//! The generators: config maps and secrets from literals, files and environment files, with the hash
//! of their content in their name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::fault::{Fault, Outcome};
use super::fields::{check_key, text_at};
use super::file::{Behavior, Generator, Options, Text};
use super::files::Files;
use super::resource::{Resource, Resources};
use crate::base64;
use crate::manifest::yaml::{Content, Node, Scalar, Tag};

/// Base64 in objects is broken into lines of this many characters.
const LINE: usize = 70;

/// A file of this many bytes fits into no object.
const MAX_BYTES: usize = 1 << 24;

/// Which kind is generated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    ConfigMap,
    Secret,
}

/// The object that a generator of a kustomization in `folder` makes.
pub(super) fn generate(
    generator: &Generator,
    made: Made,
    global: Option<&Options>,
    files: &Files<'_>,
    folder: &str,
) -> Outcome<Resource> {
    let options = options(generator.options.as_ref(), global);
    let data = data(generator, files, folder)?;
    let mut node = Node::mapping();
    node.set("apiVersion", Node::string("v1"));
    node.set("kind", Node::string(if made == Made::Secret { "Secret" } else { "ConfigMap" }));
    node.set("metadata", metadata(generator, &options));
    if made == Made::Secret {
        let usual = generator.secret_type.is_empty();
        node.set("type", Node::string(if usual { "Opaque" } else { &generator.secret_type }));
        node.set("data", Node::mapping());
    }
    for (key, content) in &data {
        check_key(key)?;
        let (field, text) = field_of(content, made);
        node.mapping_at(field).expect("made as a mapping").set(key, Node::string(text));
    }
    if options.immutable {
        node.set(
            "immutable",
            Node::new(Content::Scalar(Scalar { text: "true".into(), tag: Tag::Bool })),
        );
    }
    let mut resource = Resource::new(node, (String::new(), generator.line));
    resource.is_generated = true;
    resource.needs_hash = !options.disable_name_suffix_hash;
    resource.behavior = generator.behavior;
    Ok(resource)
}

/// Adds a generated object: new, in place of one, or merged into one.
pub(super) fn absorb(resources: &mut Resources, mut made: Resource) -> Outcome {
    let id = made.id();
    let called = |resource: &Resource| resource.ids().contains(&id);
    let mut places = (0..resources.0.len()).filter(|at| called(&resources.0[*at]));
    let (first, second) = (places.next(), places.next());
    match (first, made.behavior) {
        (None, Behavior::Create) => resources.append(made),
        (None, _) => {
            let message = format!("there is no {id} to merge into or to replace");
            Err(Fault::new(message, "name one of the resources, or leave behavior out"))
        }
        (Some(_), _) if second.is_some() => Err(Fault::new(
            format!("several objects are or were called {id}"),
            "rename all but one",
        )),
        (Some(_), Behavior::Create) => Err(Fault::new(
            format!("{id} is there already"),
            "write behavior: merge or behavior: replace",
        )),
        (Some(at), behavior) => {
            let old = &mut resources.0[at];
            if behavior == Behavior::Merge {
                merge_data(&mut made.node, &old.node);
            }
            take_metadata(&mut made, old);
            *old = made;
            Ok(())
        }
    }
}

/// The new object takes name, namespace, labels, annotations and history of the old one.
fn take_metadata(made: &mut Resource, old: &Resource) {
    let metadata = made.node.mapping_at("metadata").expect("made with metadata");
    for map in ["labels", "annotations"] {
        let mut texts: BTreeMap<String, String> =
            old.texts(map).into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        let own = metadata.get(map).map(Node::entries).unwrap_or_default();
        texts.extend(own.iter().map(|entry| (entry.key.text.clone(), entry.value.raw().into())));
        metadata.remove(map);
        if !texts.is_empty() {
            metadata.set(map, text_map(&texts));
        }
    }
    metadata.set("name", Node::string(old.name()));
    made.set_namespace(&old.namespace());
    made.needs_hash &= old.needs_hash;
    made.inherit(old);
}

fn merge_data(made: &mut Node, old: &Node) {
    for field in ["data", "binaryData"] {
        let entries = |node: &Node| -> BTreeMap<String, String> {
            let entries = node.get(field).map(Node::entries).unwrap_or_default();
            entries.iter().map(|entry| (entry.key.text.clone(), entry.value.raw().into())).collect()
        };
        let mut data = entries(old);
        data.extend(entries(made));
        made.remove(field);
        if !data.is_empty() {
            made.set(field, text_map(&data));
        }
    }
}

fn text_map(texts: &BTreeMap<String, String>) -> Node {
    let mut node = Node::mapping();
    texts.iter().for_each(|(key, text)| node.set(key, Node::string(text)));
    node
}

fn metadata(generator: &Generator, options: &Options) -> Node {
    let mut metadata = Node::mapping();
    metadata.set("name", Node::string(&generator.name));
    if !generator.namespace.is_empty() {
        metadata.set("namespace", Node::string(&generator.namespace));
    }
    for (map, texts) in [("labels", &options.labels), ("annotations", &options.annotations)] {
        if !texts.is_empty() {
            metadata.set(map, text_map(texts));
        }
    }
    metadata
}

/// A generator's own options come before those for all.
fn options(own: Option<&Options>, global: Option<&Options>) -> Options {
    let mut options = own.cloned().unwrap_or_default();
    let Some(global) = global else { return options };
    for (own, all) in
        [(&mut options.labels, &global.labels), (&mut options.annotations, &global.annotations)]
    {
        for (key, value) in all {
            own.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    options.disable_name_suffix_hash |= global.disable_name_suffix_hash;
    options.immutable |= global.immutable;
    options
}

/// The field a content goes to, and how it is written there.
fn field_of(content: &[u8], made: Made) -> (&'static str, String) {
    match std::str::from_utf8(content) {
        Ok(text) if made == Made::ConfigMap => ("data", text.into()),
        _ if made == Made::ConfigMap => ("binaryData", in_lines(content)),
        _ => ("data", in_lines(content)),
    }
}

/// Base64; more than a line of it in lines.
fn in_lines(content: &[u8]) -> String {
    let encoded = base64::encode(content);
    if encoded.len() < LINE {
        return encoded;
    }
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
    for line in encoded.as_bytes().chunks(LINE) {
        lines.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        lines.push('\n');
    }
    lines
}

fn data(
    generator: &Generator,
    files: &Files<'_>,
    folder: &str,
) -> Outcome<BTreeMap<String, Vec<u8>>> {
    let mut data = BTreeMap::new();
    let mut add = |key: String, content: Vec<u8>| match data.insert(key.clone(), content) {
        None => Ok(()),
        Some(_) => Err(Fault::new(
            format!("the key {key:?} comes twice in {}", generator.name),
            "keep one of the two",
        )),
    };
    for env in &generator.envs {
        let (file, content) = read(files, folder, &env.value)?;
        env_lines(&file, &content)?.into_iter().try_for_each(|(key, value)| add(key, value))?;
    }
    for literal in &generator.literals {
        let (key, value) = split_literal(literal)?;
        add(key.into(), value.into())?;
    }
    for source in &generator.files {
        let (key, path) = split_source(source)?;
        add(key.into(), read(files, folder, path)?.1)?;
    }
    Ok(data)
}

fn read(files: &Files<'_>, folder: &str, path: &str) -> Outcome<(String, Vec<u8>)> {
    let (file, content) = files.file(folder, path)?;
    if content.len() <= MAX_BYTES {
        return Ok((file, content));
    }
    let message = format!("{file} has {} MiB; no object holds as much", content.len() >> 20);
    Err(Fault::new(message, "leave it out"))
}

fn split_literal(literal: &Text) -> Outcome<(&str, &str)> {
    match literal.value.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, unquoted(value))),
        _ => {
            let message = format!("the literal {:?} is no key=value", literal.value);
            Err(Fault::new(message, "write key=value"))
        }
    }
}

fn unquoted(value: &str) -> &str {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

/// `path`, whose key is its last name, or `key=path`.
fn split_source(source: &Text) -> Outcome<(&str, &str)> {
    let text = source.value.as_str();
    match text.split_once('=') {
        None => Ok((text.trim_end_matches('/').rsplit('/').next().unwrap_or(text), text)),
        Some((key, path)) if !key.is_empty() && !path.is_empty() && !path.contains('=') => {
            Ok((key, path))
        }
        Some(_) => {
            let message = format!("the file source {text:?} is neither path nor key=path");
            Err(Fault::new(message, "write key=path"))
        }
    }
}

/// The variables of an environment file: comments and empty lines are left out, quotes kept.
fn env_lines(file: &str, content: &[u8]) -> Outcome<Vec<(String, Vec<u8>)>> {
    let Ok(text) = std::str::from_utf8(content) else {
        return Err(Fault::new(format!("{file} is no text"), "write it in UTF-8"));
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let variable = |line: &str| {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        (key.to_owned(), value.as_bytes().to_vec())
    };
    let lines =
        text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(variable).filter(|(key, _)| !key.is_empty()).collect())
}

/// Puts the hash of their content behind the names of generated objects.
pub(super) fn add_hashes(resources: &mut Resources) {
    for resource in resources.0.iter_mut().filter(|resource| resource.needs_hash) {
        let name = format!("{}-{}", resource.name(), hash(&resource.node));
        resource.remember();
        resource.set_name(&name);
    }
}

/// The hash that kustomize and `kubectl create --append-hash` make of a config map or a secret.
fn hash(node: &Node) -> String {
    let kind = text_at(node, "kind");
    let field = |name: &str| match node.get(name) {
        None => Value::String(String::new()),
        Some(value) if value.as_scalar().is_some() => Value::String(value.raw().into()),
        Some(value) => value.value(),
    };
    let mut hashed = Map::new();
    hashed.insert("kind".into(), json!(kind));
    hashed.insert("name".into(), json!(""));
    hashed.insert("data".into(), field("data"));
    if kind == "Secret" {
        hashed.insert("type".into(), field("type"));
    }
    for optional in [if kind == "Secret" { "stringData" } else { "binaryData" }] {
        if node.get(optional).is_some_and(Node::is_mapping) {
            hashed.insert(optional.into(), field(optional));
        }
    }
    let digest = Sha256::digest(go_json(&Value::Object(hashed)));
    let hex: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    hex.chars().map(consonant).collect()
}

/// Digits and vowels that might spell words become consonants.
fn consonant(digit: char) -> char {
    match digit {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    }
}

/// JSON as Go writes it: without spaces, keys sorted, `<`, `>`, `&` and two line separators escaped.
fn go_json(value: &Value) -> String {
    let plain = value.to_string();
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)))
            }
            other => out.push(other),
        }
    }
    out
}
