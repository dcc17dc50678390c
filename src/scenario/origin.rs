//! Where in Git a field comes from: source, revision, file, line, commit, author, reviewers.

use serde_json::{Value, json};

use super::explain::{day, reference};
use super::names::FieldPath;
use crate::git::forge::PullRequest;
use crate::git::{ObjectId, Repository, Tree};
use crate::manifest::yaml::{self, Dialect, Node};
use crate::object::{Object, ObjectRef};
use crate::sim::World;
use crate::time::Timestamp;

/// Where in Git a field comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The Kustomization that applied it.
    pub kustomization: ObjectRef,
    /// The source of its files.
    pub source: ObjectRef,
    /// The remote.
    pub url: String,
    /// The revision that was applied: `main@sha1:…`.
    pub revision: String,
    /// The value as the files have it, when a line does.
    pub value: Option<Value>,
    /// The line; `None` when the field is in no file: then a generator or the engine made it.
    pub line: Option<Line>,
}

/// A line of a file, and who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file's path from the top of the repository.
    pub path: String,
    /// The number of the line, from 1.
    pub number: usize,
    /// The line.
    pub text: String,
    /// The commit that wrote it.
    pub commit: String,
    /// That commit's subject.
    pub subject: String,
    /// Its author, with the address.
    pub author: String,
    /// When it was written.
    pub when: Timestamp,
    /// The pull request that brought it, if one did.
    pub pull: Option<Pull>,
}

/// A pull request, and who let it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Who approved it.
    pub approved_by: Vec<String>,
}

impl Origin {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "kustomization": reference(&self.kustomization), "source": reference(&self.source),
            "url": self.url, "revision": self.revision, "value": self.value,
            "line": self.line.as_ref().map(Line::to_json),
        })
    }
}

impl Line {
    fn to_json(&self) -> Value {
        let pull = |pull: &Pull| json!({"number": pull.number, "title": pull.title, "approved_by": pull.approved_by});
        json!({
            "path": self.path, "number": self.number, "text": self.text, "commit": self.commit,
            "subject": self.subject, "author": self.author, "when": self.when.to_string(),
            "pull": self.pull.as_ref().map(pull),
        })
    }
}

/// The files that a Kustomization was built from, as far as they are about one object.
pub(super) struct Sources<'a> {
    world: &'a World,
    object: &'a Object,
    kustomization: ObjectRef,
    source: ObjectRef,
    url: String,
    revision: String,
    repository: &'a Repository,
    commit: ObjectId,
    tree: Tree,
    /// Manifests and patches of the object, and kustomizations that may set something of it, by file:
    /// under the Kustomization's path first, then anywhere, for bases stand beside overlays.
    nodes: Vec<(String, Node)>,
}

/// A value in a file.
struct Place {
    path: String,
    line: usize,
    value: Value,
}

impl<'a> Sources<'a> {
    /// Those of the revision that a Kustomization applied last; `None` when it is not there to be read.
    pub(super) fn of(
        world: &'a World,
        kustomization: ObjectRef,
        object: &'a Object,
    ) -> Option<Self> {
        let applier = world.server().get(&kustomization)?;
        let namespace = match applier.text("spec.sourceRef.namespace") {
            "" => applier.namespace(),
            namespace => namespace,
        };
        let name = applier.text("spec.sourceRef.name");
        let source = ObjectRef::new("source.toolkit.fluxcd.io", "GitRepository", namespace, name);
        let url = world.server().get(&source)?.text("spec.url").to_owned();
        let revision = applier.text("status.lastAppliedRevision").to_owned();
        let repository = world.repository(&url)?;
        let commit: ObjectId = revision.rsplit(':').next()?.parse().ok()?;
        let tree = repository.find_commit(commit).ok()?.tree.clone();
        let folder = applier.text("spec.path").trim_start_matches("./").trim_matches('/');
        let nodes = nodes(&tree, folder, object);
        let own = Sources {
            world,
            object,
            kustomization,
            source,
            url,
            revision,
            repository,
            commit,
            tree,
            nodes,
        };
        Some(own)
    }

    /// Where a field comes from.
    pub(super) fn origin(&self, path: &FieldPath) -> Origin {
        let found = self.find(path);
        let line = found.as_ref().and_then(|place| self.blamed(place));
        Origin {
            kustomization: self.kustomization.clone(),
            source: self.source.clone(),
            url: self.url.clone(),
            revision: self.revision.clone(),
            value: found.map(|place| place.value),
            line,
        }
    }

    /// The place of a field. What a kustomization sets itself wins, then what has the value that is live.
    fn find(&self, path: &FieldPath) -> Option<Place> {
        let live = path.get(self.object);
        let places = self.nodes.iter().filter_map(|(file, node)| {
            let found = in_object(node, self.object, path)
                .or_else(|| in_kustomization(node, self.object, path))?;
            Some(Place { path: file.clone(), line: found.at.line, value: found.value() })
        });
        let mut places: Vec<Place> = places.collect();
        let agreeing = places.iter().position(|place| Some(&place.value) == live);
        (!places.is_empty()).then(|| places.swap_remove(agreeing.unwrap_or(0)))
    }

    fn blamed(&self, place: &Place) -> Option<Line> {
        let at = self.commit.to_string();
        let blame = self.repository.blame_line(&at, &place.path, place.line).ok()?;
        let commit = self.repository.find_commit(blame.commit).ok()?;
        let text = self.tree.text(&place.path)?.lines().nth(place.line - 1)?;
        Some(Line {
            path: place.path.clone(),
            number: place.line,
            text: text.trim().to_owned(),
            commit: blame.commit.to_string(),
            subject: commit.subject(),
            author: commit.author.person(),
            when: commit.author.when,
            pull: self.world.forge().pull_of(&self.url, blame.commit).map(Pull::of),
        })
    }
}

fn nodes(tree: &Tree, folder: &str, object: &Object) -> Vec<(String, Node)> {
    let mut files = tree.files();
    files.sort_by_key(|(file, ..)| !file.starts_with(folder));
    let mut found = Vec::new();
    for (file, _, blob) in files {
        let is_yaml = file.ends_with(".yaml") || file.ends_with(".yml");
        let Some(text) = blob.as_text().filter(|_| is_yaml) else { continue };
        let nodes = yaml::nodes(&file, text, Dialect::Kustomize).unwrap_or_default();
        let about = nodes.into_iter().filter(|node| {
            is_of(node, object) || node.get("replicas").is_some() || node.get("images").is_some()
        });
        found.extend(about.map(|node| (file.clone(), node)));
    }
    found
}

/// Whether a document is the manifest of the object, or a patch of it.
fn is_of(node: &Node, object: &Object) -> bool {
    let is = |at: &[&str]| node.find(at).and_then(Node::as_str).unwrap_or_default();
    let name = is(&["metadata", "name"]);
    // kustomize may have put something before or after the name.
    is(&["kind"]) == object.kind() && !name.is_empty() && object.name().contains(name)
}

/// The field in the manifest of the object, or in a patch of it.
fn in_object<'n>(node: &'n Node, object: &Object, path: &FieldPath) -> Option<&'n Node> {
    is_of(node, object).then(|| path.find(node)).flatten()
}

/// The field as a kustomization sets it: `replicas`, `images`.
fn in_kustomization<'n>(node: &'n Node, object: &Object, path: &FieldPath) -> Option<&'n Node> {
    let entry = |list: &str, is: &dyn Fn(&str) -> bool| {
        node.get(list)?
            .items()
            .iter()
            .find(|item| item.get("name").and_then(Node::as_str).is_some_and(is))
    };
    let field = path.to_string();
    if field == "spec.replicas" {
        let named = |name: &str| object.name().contains(name);
        return entry("replicas", &named)?.get("count");
    }
    if field.ends_with(".image") {
        let image = path.get(object)?.as_str()?;
        let starts = |name: &str| image.starts_with(name);
        let set = entry("images", &starts)?;
        return set.get("newTag").or(set.get("digest")).or(set.get("newName"));
    }
    None
}

impl Pull {
    fn of(pull: &PullRequest) -> Self {
        let approved_by = pull.approvals(None).map(|review| review.author.clone()).collect();
        Pull { number: pull.number, title: pull.title.clone(), approved_by }
    }
}

impl Origin {
    /// The chain, a line a link.
    pub(super) fn lines(&self, title: &'static str) -> Vec<(&'static str, String)> {
        let revision = match self.revision.split_once("sha1:") {
            Some((branch, id)) => format!("{branch}{}", &id[..id.len().min(7)]),
            None => self.revision.clone(),
        };
        let mut lines = vec![
            (title, format!("{} applied {revision}", self.kustomization)),
            ("from", format!("{}, {}", self.source, self.url)),
        ];
        let Some(line) = &self.line else {
            lines.push(("line", "none: no file has this field".into()));
            return lines;
        };
        lines.push(("line", format!("{}:{}  {}", line.path, line.number, line.text)));
        lines.push(("commit", format!("{} {}", &line.commit[..7], line.subject)));
        lines.push(("author", format!("{}, {}", line.author, day(line.when))));
        if let Some(pull) = &line.pull {
            let approved = match &pull.approved_by[..] {
                [] => "approved by nobody".to_owned(),
                some => format!("approved by {}", some.join(", ")),
            };
            lines.push(("reviewed", format!("#{} {}, {approved}", pull.number, pull.title)));
        }
        lines
    }
}
