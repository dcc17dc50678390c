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

/// Where in Git a field of an object comes from that a Kustomization applied.
pub(super) fn origin(
    world: &World,
    kustomization: &ObjectRef,
    object: &Object,
    path: &FieldPath,
) -> Option<Origin> {
    let applier = world.server().get(kustomization)?;
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
    let folder = applier.text("spec.path").trim_start_matches("./").trim_matches('/').to_owned();
    let found = find(&tree, &folder, object, path);
    let line =
        found.as_ref().and_then(|place| place.blamed(world, &url, repository, commit, &tree));
    let value = found.map(|place| place.value);
    Some(Origin { kustomization: kustomization.clone(), source, url, revision, value, line })
}

/// A value in a file.
struct Place {
    path: String,
    line: usize,
    value: Value,
}

/// The place of a field in the files: under the Kustomization's path first, then anywhere, for bases
/// stand beside overlays. What a kustomization sets itself wins, then what has the value that is live.
fn find(tree: &Tree, folder: &str, object: &Object, path: &FieldPath) -> Option<Place> {
    let live = path.get(object);
    let mut places = Vec::new();
    let inside = |file: &str| file.starts_with(folder) as usize;
    let mut files = tree.files();
    files.sort_by_key(|(file, ..)| std::cmp::Reverse(inside(file)));
    for (file, _, blob) in files {
        let is_yaml = file.ends_with(".yaml") || file.ends_with(".yml");
        let Some(text) = blob.as_text().filter(|_| is_yaml) else { continue };
        let nodes = yaml::nodes(&file, text, Dialect::Kustomize).unwrap_or_default();
        for node in &nodes {
            let found =
                in_object(node, object, path).or_else(|| in_kustomization(node, object, path));
            places.extend(found.map(|found| Place {
                path: file.clone(),
                line: found.at.line,
                value: found.value(),
            }));
        }
    }
    let agreeing = places.iter().position(|place| Some(&place.value) == live);
    (!places.is_empty()).then(|| places.swap_remove(agreeing.unwrap_or(0)))
}

/// The field in the manifest of the object, or in a patch of it.
fn in_object<'n>(node: &'n Node, object: &Object, path: &FieldPath) -> Option<&'n Node> {
    let is = |at: &[&str]| node.find(at).and_then(Node::as_str).unwrap_or_default();
    let name = is(&["metadata", "name"]);
    // kustomize may have put something before or after the name.
    let named = !name.is_empty() && object.name().contains(name);
    (is(&["kind"]) == object.kind() && named).then(|| path.find(node)).flatten()
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

impl Place {
    fn blamed(
        &self,
        world: &World,
        url: &str,
        repository: &Repository,
        at: ObjectId,
        tree: &Tree,
    ) -> Option<Line> {
        let blame = repository.blame_line(&at.to_string(), &self.path, self.line).ok()?;
        let commit = repository.find_commit(blame.commit).ok()?;
        let text = tree.text(&self.path)?.lines().nth(self.line - 1)?;
        Some(Line {
            path: self.path.clone(),
            number: self.line,
            text: text.trim().to_owned(),
            commit: blame.commit.to_string(),
            subject: commit.subject(),
            author: commit.author.person(),
            when: commit.author.when,
            pull: world.forge().pull_of(url, blame.commit).map(Pull::of),
        })
    }
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
