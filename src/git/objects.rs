//! The objects of a repository: persistent, so that a copy of it costs a reference count.

use std::collections::BTreeSet;
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

use super::{Blob, Commit, Entry, ObjectId, ObjectKind, Tag, Tree};

/// One object of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// The content of a file.
    Blob(Blob),
    /// A folder.
    Tree(Tree),
    /// A commit.
    Commit(Arc<Commit>),
    /// An annotated tag.
    Tag(Arc<Tag>),
}

/// Commits, annotated tags and what only a tag names, by id. The trees and blobs of a commit live in
/// it, sharing structure with those of other commits.
#[derive(Clone, Default)]
pub(super) struct Objects {
    map: RedBlackTreeMapSync<ObjectId, Object>,
    /// The encodings that commits and tags were read in, where ours would be others.
    foreign: RedBlackTreeMapSync<ObjectId, Arc<[u8]>>,
}

impl Object {
    /// Which kind it is.
    pub fn kind(&self) -> ObjectKind {
        match self {
            Object::Blob(_) => ObjectKind::Blob,
            Object::Tree(_) => ObjectKind::Tree,
            Object::Commit(_) => ObjectKind::Commit,
            Object::Tag(_) => ObjectKind::Tag,
        }
    }

    /// Git's encoding, without the header of type and length.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Object::Blob(blob) => blob.as_bytes().to_vec(),
            Object::Tree(tree) => tree.encode(),
            Object::Commit(commit) => commit.encode(),
            Object::Tag(tag) => tag.encode(),
        }
    }
}

impl Objects {
    pub(super) fn insert(&mut self, id: ObjectId, object: Object) {
        if !self.map.contains_key(&id) {
            self.map.insert_mut(id, object);
        }
    }

    /// An object that was read in this encoding, which has this id.
    pub(super) fn insert_encoded(&mut self, id: ObjectId, object: Object, encoding: &[u8]) {
        if object.encode() != encoding {
            self.foreign.insert_mut(id, encoding.into());
        }
        self.insert(id, object);
    }

    /// The encoding that an object came in, if ours is another.
    pub(super) fn foreign(&self, id: ObjectId) -> Option<&[u8]> {
        self.foreign.get(&id).map(|encoding| &**encoding)
    }

    /// The encoding of an object, its own one if it came with another than ours.
    pub(super) fn encoding(&self, id: ObjectId) -> Option<Vec<u8>> {
        match self.foreign(id) {
            Some(foreign) => Some(foreign.to_vec()),
            None => self.find(id).map(|object| object.encode()),
        }
    }

    pub(super) fn get(&self, id: ObjectId) -> Option<&Object> {
        self.map.get(&id)
    }

    pub(super) fn commit(&self, id: ObjectId) -> Option<&Arc<Commit>> {
        match self.get(id)? {
            Object::Commit(commit) => Some(commit),
            _ => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.map.size()
    }

    /// The object with an id, looked for in the trees too, which takes a while.
    pub(super) fn find(&self, id: ObjectId) -> Option<Object> {
        self.get(id)
            .cloned()
            .or_else(|| self.find_in_trees(&|other| other == id).pop().map(|hit| hit.1))
    }

    /// The objects whose ids begin so: commits and tags if there are any, else trees and blobs.
    pub(super) fn starting_with(&self, prefix: &str) -> Vec<(ObjectId, Object)> {
        let hits: Vec<_> = (self.map.range(ObjectId::first_with_prefix(prefix)..))
            .take_while(|(id, _)| id.has_prefix(prefix))
            .map(|(id, object)| (*id, object.clone()))
            .collect();
        match hits.is_empty() {
            true => self.find_in_trees(&|id| id.has_prefix(prefix)),
            false => hits,
        }
    }

    /// Those of these objects that are here, looked for in the trees too.
    pub(super) fn find_all(&self, ids: &BTreeSet<ObjectId>) -> Vec<(ObjectId, Object)> {
        let here = ids.iter().filter_map(|id| Some((*id, self.get(*id)?.clone())));
        let mut hits: Vec<_> = here.collect();
        if hits.len() < ids.len() {
            hits.extend(self.find_in_trees(&|id| ids.contains(&id) && self.get(id).is_none()));
        }
        hits
    }

    /// All trees and blobs.
    pub(super) fn trees_and_blobs(&self) -> Vec<(ObjectId, Object)> {
        let own = self.map.iter().map(|(id, object)| (*id, object.clone()));
        let own = own.filter(|(_, object)| matches!(object, Object::Tree(_) | Object::Blob(_)));
        own.chain(self.find_in_trees(&|_| true)).collect()
    }

    fn find_in_trees(&self, wanted: &dyn Fn(ObjectId) -> bool) -> Vec<(ObjectId, Object)> {
        let mut seen = BTreeSet::new();
        let mut hits = Vec::new();
        let mut open: Vec<Tree> = self.map.values().filter_map(Object::tree).collect();
        while let Some(tree) = open.pop() {
            if !seen.insert(tree.id()) {
                continue;
            }
            for (_, entry) in tree.entries() {
                match entry {
                    Entry::Folder(folder) => open.push(folder.clone()),
                    Entry::File(_, blob) if wanted(blob.id()) && seen.insert(blob.id()) => {
                        hits.push((blob.id(), Object::Blob(blob.clone())))
                    }
                    _ => {}
                }
            }
            if wanted(tree.id()) {
                hits.push((tree.id(), Object::Tree(tree)));
            }
        }
        hits
    }
}

impl Object {
    fn tree(&self) -> Option<Tree> {
        match self {
            Object::Tree(tree) => Some(tree.clone()),
            Object::Commit(commit) => Some(commit.tree.clone()),
            Object::Blob(_) | Object::Tag(_) => None,
        }
    }
}
