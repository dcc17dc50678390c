//! From text to nodes: composes the parser's events, follows aliases and merges within a budget.

use std::borrow::Cow;
use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::folded::written_back;
use super::scalar::{Scalar, Tag, float, integer, is_infinite, resolve, truth};
use super::{Content, Dialect, Entry, Key, Node, Position, YamlError};

/// Text longer than this is refused before it is read: no file of manifests is as long.
pub const MAX_BYTES: usize = 16 << 20;

/// Deeper nesting is refused.
pub const MAX_DEPTH: usize = 256;

/// What aliases may add, in bytes of text plus [`NODE_WEIGHT`] a node.
const MAX_ALIAS_WEIGHT: usize = 16 << 20;
const NODE_WEIGHT: usize = 64;

/// The documents of a text, empty ones as null.
pub(super) fn parse(file: &str, text: &str, dialect: Dialect) -> Result<Vec<Node>, YamlError> {
    if text.len() > MAX_BYTES {
        let message =
            format!("{} MiB of YAML; at most {} MiB are read", text.len() >> 20, MAX_BYTES >> 20);
        return Err(error(file, Position::START, message, "split the file, or leave it out"));
    }
    let options = granit_parser::options! {
        emit_comments: false,
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut composer = Composer::new(file, dialect);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|mistake| unreadable(file, text, &mistake))?;
        composer.take(event, &span)?;
    }
    Ok(composer.documents)
}

struct Composer<'a> {
    file: &'a str,
    dialect: Dialect,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    alias_weight: usize,
}

/// A collection whose end is not read yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key whose value comes next, in a mapping.
    key: Option<PendingKey>,
    /// Which entry each key made.
    index: BTreeMap<String, usize>,
    /// The mappings under `<<`, each with the number of entries above it. kubectl goes from top to
    /// bottom, so that a merge overrides the entries above it; to kustomize a mapping's own entries
    /// come first.
    merges: Vec<(usize, Node)>,
}

enum PendingKey {
    Key(Key),
    Merge,
}

struct Anchored {
    node: Node,
    weight: usize,
    depth: usize,
}

impl<'a> Composer<'a> {
    fn new(file: &'a str, dialect: Dialect) -> Self {
        Composer {
            file,
            dialect,
            documents: Vec::new(),
            open: Vec::new(),
            anchors: BTreeMap::new(),
            alias_weight: 0,
        }
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), YamlError> {
        let at = position(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text = self.text(text, style, span);
                self.scalar(text, style == ScalarStyle::Plain, anchor, tag.as_deref(), at)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(Content::Sequence(Vec::new()), anchor, at)
            }
            Event::MappingStart(_, anchor, _) => {
                self.open(Content::Mapping(Vec::new()), anchor, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, at),
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn text(&self, text: Cow<'_, str>, style: ScalarStyle, span: &Span) -> String {
        match style {
            // The parser says ~ for nothing at all.
            ScalarStyle::Plain if span.is_empty() => String::new(),
            ScalarStyle::Folded if self.dialect == Dialect::Kustomize => written_back(&text),
            _ => text.into_owned(),
        }
    }

    fn scalar(
        &mut self,
        text: String,
        unquoted: bool,
        anchor: usize,
        tag: Option<&granit_parser::Tag>,
        at: Position,
    ) -> Result<(), YamlError> {
        let plain = unquoted && tag.is_none();
        let merges = plain || tag.is_some_and(|tag| is_core(tag, "merge"));
        if merges && text == "<<" && self.awaits_key() {
            self.expect_one_merge(at)?;
            self.open.last_mut().expect("a mapping awaits a key").key = Some(PendingKey::Merge);
            return Ok(());
        }
        let scalar = self.resolve(text, plain, tag, at)?;
        let node = Node { content: Content::Scalar(scalar), at };
        self.anchor(anchor, &node)?;
        self.put(node)
    }

    /// kustomize takes one `<<` in a mapping.
    fn expect_one_merge(&self, at: Position) -> Result<(), YamlError> {
        let merged = self.open.last().is_some_and(|open| !open.merges.is_empty());
        if merged && self.dialect != Dialect::Kubectl {
            return Err(self.error(at, "<< stands twice in one mapping", "give one << a list"));
        }
        Ok(())
    }

    fn resolve(
        &self,
        text: String,
        plain: bool,
        tag: Option<&granit_parser::Tag>,
        at: Position,
    ) -> Result<Scalar, YamlError> {
        let scalar = match tag {
            None if plain => Scalar::plain(text, self.dialect),
            None => Scalar::text(text),
            Some(tag) => tagged(text, tag, self.dialect).map_err(|message| {
                self.error(at, message, "correct the value, or take the tag away")
            })?,
        };
        if scalar.tag == Tag::Float && is_infinite(&scalar.text) {
            let message = format!("{} is no number that JSON can hold", scalar.text);
            return Err(self.error(at, message, "quote it if it is text"));
        }
        Ok(scalar)
    }

    fn awaits_key(&self) -> bool {
        self.open.last().is_some_and(|open| {
            open.key.is_none() && matches!(open.node.content, Content::Mapping(_))
        })
    }

    fn open(&mut self, content: Content, anchor: usize, at: Position) -> Result<(), YamlError> {
        if self.awaits_key() {
            return Err(self.error(at, "a collection can't be a key", "use text as the key"));
        }
        self.check_depth(self.open.len() + 1, at)?;
        self.open.push(Open {
            node: Node { content, at },
            anchor,
            key: None,
            index: BTreeMap::new(),
            merges: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), YamlError> {
        let mut open = self.open.pop().expect("an end follows its start");
        let own = open.index.len();
        for (before, mapping) in std::mem::take(&mut open.merges) {
            match self.dialect {
                Dialect::Kubectl => open.merge(mapping, |at| !(before..own).contains(&at)),
                _ => open.merge(mapping, |_| false),
            }
        }
        self.anchor(open.anchor, &open.node)?;
        self.put(open.node)
    }

    /// Puts a finished node where it belongs: into the open collection, or among the documents.
    fn put(&mut self, node: Node) -> Result<(), YamlError> {
        let awaits_key = self.awaits_key();
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        if awaits_key {
            let key = self.key(node)?;
            self.open.last_mut().expect("a mapping is open").key = Some(PendingKey::Key(key));
            return Ok(());
        }
        match (&mut open.node.content, open.key.take()) {
            (Content::Sequence(items), _) => items.push(node),
            (Content::Mapping(_), Some(PendingKey::Key(key))) => open.set(key, node),
            _ => return self.collect_merges(node),
        }
        Ok(())
    }

    /// A key as text. kubectl turns truth and numbers into text; kustomize refuses them.
    fn key(&self, node: Node) -> Result<Key, YamlError> {
        let at = node.at;
        let Content::Scalar(scalar) = node.content else {
            return Err(self.error(at, "a collection can't be a key", "use text as the key"));
        };
        let text = match (scalar.tag, self.dialect) {
            (Tag::Str, _) => scalar.text,
            (Tag::Bool, Dialect::Kubectl) => truth(&scalar.text).unwrap_or_default().to_string(),
            (Tag::Int | Tag::Float, Dialect::Kubectl) => number_key(&scalar.text),
            (Tag::Null, _) => return Err(self.error(at, "null can't be a key", "quote the key")),
            _ => {
                let message = format!("{} is no text, and only text can be a key", scalar.text);
                return Err(self.error(at, message, "quote the key"));
            }
        };
        let twice = self.open.last().is_some_and(|open| open.index.contains_key(&text));
        if twice && self.dialect != Dialect::Kubectl {
            let message = format!("the key {text:?} stands twice in one mapping");
            return Err(self.error(at, message, "keep one of the two"));
        }
        Ok(Key { text, at })
    }

    fn alias(&mut self, id: usize, at: Position) -> Result<(), YamlError> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(self.error(
                at,
                "the alias stands inside its own anchor",
                "write the value out",
            ));
        };
        let (mut node, weight, depth) = (anchored.node.clone(), anchored.weight, anchored.depth);
        self.charge(weight, at)?;
        self.check_depth(self.open.len() + depth, at)?;
        node.at = at;
        self.put(node)
    }

    fn anchor(&mut self, id: usize, node: &Node) -> Result<(), YamlError> {
        if id == 0 {
            return Ok(());
        }
        let (weight, depth) = measure(node);
        self.charge(weight, node.at)?;
        self.anchors.insert(id, Anchored { node: node.clone(), weight, depth });
        Ok(())
    }

    fn charge(&mut self, weight: usize, at: Position) -> Result<(), YamlError> {
        self.alias_weight += weight;
        if self.alias_weight <= MAX_ALIAS_WEIGHT {
            return Ok(());
        }
        let message =
            format!("anchors and aliases expand to more than {} MiB", MAX_ALIAS_WEIGHT >> 20);
        Err(self.error(at, message, "write the values out"))
    }

    fn check_depth(&self, depth: usize, at: Position) -> Result<(), YamlError> {
        if depth <= MAX_DEPTH {
            return Ok(());
        }
        let message = format!("nested more than {MAX_DEPTH} levels deep");
        Err(self.error(at, message, "flatten the document"))
    }

    fn collect_merges(&mut self, node: Node) -> Result<(), YamlError> {
        let mappings = match node.content {
            Content::Mapping(_) => vec![node],
            // The first of several wins: it comes last where the later overrides.
            Content::Sequence(items) if self.dialect == Dialect::Kubectl => {
                items.into_iter().rev().collect()
            }
            Content::Sequence(items) => items,
            Content::Scalar(_) => vec![node],
        };
        if let Some(other) = mappings.iter().find(|m| !matches!(m.content, Content::Mapping(_))) {
            let message = "<< takes a mapping, or a list of mappings";
            return Err(self.error(other.at, message, "put an alias to a mapping here"));
        }
        let open = self.open.last_mut().expect("<< stands in an open mapping");
        let before = open.index.len();
        open.merges.extend(mappings.into_iter().map(|mapping| (before, mapping)));
        Ok(())
    }

    fn error(&self, at: Position, message: impl Into<String>, remedy: &str) -> YamlError {
        error(self.file, at, message, remedy)
    }
}

impl Open {
    /// Adds the entries of `mapping`; `overrides` says which entries give way.
    fn merge(&mut self, mapping: Node, overrides: impl Fn(usize) -> bool) {
        let Content::Mapping(entries) = mapping.content else {
            unreachable!("only mappings are collected under <<")
        };
        for Entry { key, value } in entries {
            if self.index.get(&key.text).is_none_or(|at| overrides(*at)) {
                self.set(key, value);
            }
        }
    }

    fn set(&mut self, key: Key, value: Node) {
        let Content::Mapping(entries) = &mut self.node.content else {
            unreachable!("only mappings have keys")
        };
        match self.index.get(&key.text) {
            Some(at) => entries[*at].value = value,
            None => {
                self.index.insert(key.text.clone(), entries.len());
                entries.push(Entry { key, value });
            }
        }
    }
}

/// A scalar with a tag of its own.
fn tagged(text: String, tag: &granit_parser::Tag, dialect: Dialect) -> Result<Scalar, String> {
    let suffix = tag.suffix_in_namespace("tag:yaml.org,2002:");
    let wanted = match suffix.as_deref() {
        Some("int") => Tag::Int,
        Some("float") => Tag::Float,
        Some("bool") => Tag::Bool,
        Some("null") => Tag::Null,
        Some("binary") => return decoded(&text),
        Some("timestamp") => return Ok(Scalar::plain(text, dialect)),
        // kustomize drops the lone `!` when it writes a scalar back.
        None if dialect == Dialect::Kustomize && tag.parts() == ("", "!") => {
            return Ok(Scalar::plain(text, dialect));
        }
        _ => return Ok(Scalar::text(text)),
    };
    let found = resolve(&text, dialect);
    let fits = found == wanted || (wanted == Tag::Float && found == Tag::Int);
    if !fits {
        return Err(format!("{text:?} is not what its tag says it is"));
    }
    Ok(Scalar { text, tag: wanted })
}

fn is_core(tag: &granit_parser::Tag, name: &str) -> bool {
    tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() == Some(name)
}

fn decoded(text: &str) -> Result<Scalar, String> {
    let compact: String = text.split_ascii_whitespace().collect();
    let bytes = crate::base64::decode(&compact).ok_or("the text is not base64")?;
    Ok(Scalar::text(String::from_utf8_lossy(&bytes)))
}

/// A number that is a key, as Go's YAML writes it: 32-bit precision, shortest.
fn number_key(text: &str) -> String {
    match (integer(text), float(text)) {
        (Some(whole), _) => whole.to_string(),
        (None, Some(float)) => super::write::float_text(float),
        (None, None) => text.into(),
    }
}

/// How much a node weighs against the budget, and how deep it is.
fn measure(node: &Node) -> (usize, usize) {
    let (mut weight, mut deepest) = (0, 0);
    let mut todo = vec![(node, 0)];
    while let Some((node, depth)) = todo.pop() {
        deepest = deepest.max(depth);
        weight += NODE_WEIGHT;
        match &node.content {
            Content::Scalar(scalar) => weight += scalar.text.len(),
            Content::Sequence(items) => todo.extend(items.iter().map(|item| (item, depth + 1))),
            Content::Mapping(entries) => {
                weight += entries.iter().map(|e| e.key.text.len() + NODE_WEIGHT).sum::<usize>();
                todo.extend(entries.iter().map(|e| (&e.value, depth + 1)));
            }
        }
    }
    (weight, deepest)
}

fn position(span: &Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

/// The parser's own complaint, with a remedy for the ones people meet.
fn unreadable(file: &str, text: &str, mistake: &ScanError) -> YamlError {
    let at = Position { line: mistake.marker().line(), column: mistake.marker().col() + 1 };
    if *mistake.kind() == granit_parser::ErrorKind::RecursionLimitExceeded {
        let message = format!("nested more than {MAX_DEPTH} levels deep");
        return error(file, at, message, "flatten the document");
    }
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or("");
    let remedy = if line.trim_start_matches(' ').starts_with('\t') {
        "indent with spaces: YAML takes no tabs"
    } else if line.contains("{{") {
        "render the template first: this is not YAML yet"
    } else {
        "check the indentation and the quotes here and on the line above"
    };
    error(file, at, mistake.info(), remedy)
}

fn error(file: &str, at: Position, message: impl Into<String>, remedy: &str) -> YamlError {
    YamlError {
        file: file.into(),
        line: at.line,
        column: at.column,
        message: message.into(),
        remedy: remedy.into(),
    }
}
