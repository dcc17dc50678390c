//! Raw objects made into a repository: trees that share what they have in common.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::parse::{self, Kind, RawEntry};
use super::{Fault, RawObjects};
use crate::git::disk::DEEPEST;
use crate::git::{Blob, Commit, Entry, Object, ObjectId, ObjectKind, Repository, Tree};

/// A repository of these objects, without references.
///
/// # Errors
///
/// When an object lacks another, makes no sense, or is not supported.
pub(in crate::git) fn build(raw: RawObjects) -> Result<Builder, Fault> {
    build_onto(Repository::new(), raw)
}

/// A repository with these objects more, which may lead to those that it has.
///
/// # Errors
///
/// As [`build`].
pub(in crate::git) fn build_onto(
    repository: Repository,
    mut raw: RawObjects,
) -> Result<Builder, Fault> {
    let commits = std::mem::take(&mut raw.commits);
    let tags = std::mem::take(&mut raw.tags);
    let RawObjects { trees, blobs, .. } = raw;
    let built = BTreeMap::new();
    let mut builder = Builder { repository, trees, blobs, built, known: None };
    for (id, content) in commits.into_iter().rev() {
        builder.commit(id, &content).map_err(|fault| fault.within(&format!("commit {id}")))?;
    }
    for (id, content) in tags {
        builder.tag(id, &content).map_err(|fault| fault.within(&format!("tag {id}")))?;
    }
    Ok(builder)
}

/// A repository in the making.
pub(in crate::git) struct Builder {
    pub(in crate::git) repository: Repository,
    /// Those that are not built yet.
    trees: BTreeMap<ObjectId, Vec<u8>>,
    blobs: BTreeMap<ObjectId, Blob>,
    built: BTreeMap<ObjectId, Tree>,
    /// The trees and blobs that the repository had; not looked for as long as nobody asks.
    known: Option<BTreeMap<ObjectId, Object>>,
}

impl Builder {
    /// Keeps what a tag or reference names right away. Other trees and blobs live in commits.
    pub(in crate::git) fn keep(&mut self, id: ObjectId, kind: ObjectKind) -> Result<(), Fault> {
        let object = match kind {
            ObjectKind::Tree => Object::Tree(self.tree(id, &Tree::default(), 0)?),
            ObjectKind::Blob => Object::Blob(self.blob(id)?),
            ObjectKind::Commit | ObjectKind::Tag => return Ok(()),
        };
        self.repository.objects.insert(id, object);
        Ok(())
    }

    /// Keeps what is named by this id, whatever it is; what is nowhere stays unnamed.
    pub(in crate::git) fn keep_any(&mut self, id: ObjectId) -> Result<(), Fault> {
        match () {
            () if self.trees.contains_key(&id) || self.built.contains_key(&id) => {
                self.keep(id, ObjectKind::Tree)
            }
            () if self.blobs.contains_key(&id) => self.keep(id, ObjectKind::Blob),
            () => Ok(()),
        }
    }

    fn commit(&mut self, id: ObjectId, content: &[u8]) -> Result<(), Fault> {
        let raw = parse::commit(content)?;
        let parent = raw.parents.first().and_then(|id| self.repository.objects.commit(*id));
        let like = parent.map(|parent| parent.tree.clone()).unwrap_or_default();
        let tree = self.tree(raw.tree, &like, 0)?;
        let mut commit = Commit::new(tree, raw.parents, raw.author, raw.committer, raw.message);
        commit.headers = raw.headers;
        self.repository.objects.insert_encoded(id, Object::Commit(Arc::new(commit)), content);
        Ok(())
    }

    fn tag(&mut self, id: ObjectId, content: &[u8]) -> Result<(), Fault> {
        let tag = parse::tag(content)?;
        self.keep(tag.target, tag.kind)?;
        self.repository.objects.insert_encoded(id, Object::Tag(Arc::new(tag)), content);
        Ok(())
    }

    /// A tree, made of one that is probably much like it: what is the same is shared.
    fn tree(&mut self, id: ObjectId, like: &Tree, depth: usize) -> Result<Tree, Fault> {
        if let Some(tree) = self.built.get(&id) {
            return Ok(tree.clone());
        }
        if depth > DEEPEST {
            return Err(Fault::unsupported(format!("folders are nested more than {DEEPEST} deep")));
        }
        // The empty tree need not be stored.
        let content = match self.trees.remove(&id) {
            Some(content) => content,
            None if id == Tree::default().id() => Vec::new(),
            None => match self.known(id) {
                Some(Object::Tree(tree)) => return Ok(tree.clone()),
                _ => return Err(format!("tree {id} is missing").into()),
            },
        };
        let mut entries = parse::tree(&content)?;
        let canonical = entries.is_sorted_by(|a, b| a.order(b) == Ordering::Less)
            && entries.iter().all(RawEntry::is_canonical);
        if !canonical {
            entries.sort_by(RawEntry::order);
        }
        let (removed, changed) = difference(like, &entries);
        let mut put = Vec::with_capacity(changed.len());
        for (raw, old) in changed {
            put.push((raw.name()?, self.entry(raw, old, depth)?));
        }
        let tree = Tree::rebuilt(like, &removed, put, id, (!canonical).then_some(&content));
        debug_assert!(tree.encode() == content, "tree {id} is not what was read");
        self.built.insert(id, tree.clone());
        Ok(tree)
    }

    fn entry(&mut self, raw: &RawEntry, old: Option<&Entry>, depth: usize) -> Result<Entry, Fault> {
        let entry = match raw.kind()? {
            Kind::File(mode) => self.blob(raw.id).map(|blob| Entry::File(mode, blob)),
            Kind::Submodule => Ok(Entry::Submodule(raw.id)),
            Kind::Folder => {
                let none = Tree::default();
                let like = if let Some(Entry::Folder(folder)) = old { folder } else { &none };
                self.tree(raw.id, like, depth + 1).map(Entry::Folder)
            }
        };
        entry.map_err(|fault| fault.below(&String::from_utf8_lossy(raw.name)))
    }

    fn blob(&mut self, id: ObjectId) -> Result<Blob, Fault> {
        if let Some(blob) = self.blobs.get(&id) {
            return Ok(blob.clone());
        }
        match self.known(id) {
            Some(Object::Blob(blob)) => Ok(blob.clone()),
            _ => Err(format!("blob {id} is missing, or is no blob").into()),
        }
    }

    /// A tree or blob that the repository had.
    fn known(&mut self, id: ObjectId) -> Option<&Object> {
        let objects = &self.repository.objects;
        let known =
            self.known.get_or_insert_with(|| objects.trees_and_blobs().into_iter().collect());
        known.get(&id)
    }
}

/// An entry to put, and what is in its place so far.
type Changed<'r, 't> = (&'r RawEntry<'t>, Option<&'r Entry>);

/// The keys that a tree has and a list has not, and what of the list the tree has not. Both are sorted.
fn difference<'r, 't>(
    like: &'r Tree,
    list: &'r [RawEntry<'t>],
) -> (Vec<&'r str>, Vec<Changed<'r, 't>>) {
    let (mut removed, mut changed) = (Vec::new(), Vec::new());
    let mut here = like.keys().peekable();
    for raw in list {
        let same = |(key, _): &(&str, &Entry)| raw.has_key(key);
        let mut old = here.next_if(same);
        while old.is_none() {
            let before = here.next_if(|(key, _)| key.bytes().lt(raw.key()));
            let Some((key, _)) = before else { break };
            removed.push(key);
            old = here.next_if(same);
        }
        let old = old.map(|(_, entry)| entry);
        if old.is_none_or(|entry| entry.id() != raw.id || entry.mode().as_bytes() != raw.mode) {
            changed.push((raw, old));
        }
    }
    removed.extend(here.map(|(key, _)| key));
    (removed, changed)
}
