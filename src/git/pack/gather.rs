//! All objects of a repository.

use std::collections::BTreeSet;

use crate::git::{Entry, Object, ObjectId, Repository, Tree};

/// Everything that a reference or HEAD leads to, each once.
pub(in crate::git) struct Gathered<'a> {
    repository: &'a Repository,
    seen: BTreeSet<ObjectId>,
    /// With the number of its type in a pack.
    pub(in crate::git) objects: Vec<(u8, Vec<u8>)>,
    /// The commits before which history is cut off.
    pub(in crate::git) shallow: Vec<ObjectId>,
}

impl<'a> Gathered<'a> {
    pub(in crate::git) fn of(repository: &'a Repository) -> Self {
        let (seen, objects, shallow) = (BTreeSet::new(), Vec::new(), Vec::new());
        let mut gathered = Gathered { repository, seen, objects, shallow };
        let heads = repository.references().map(|(_, id)| id).chain(repository.head_id());
        let mut open: Vec<ObjectId> = heads.collect();
        while let Some(id) = open.pop() {
            if gathered.seen.insert(id) {
                gathered.visit(id, &mut open);
            }
        }
        gathered
    }

    fn visit(&mut self, id: ObjectId, open: &mut Vec<ObjectId>) {
        match self.repository.find_object(id) {
            Some(Object::Commit(commit)) => {
                self.push(1, id);
                let parents = self.repository.parents(id);
                if parents != commit.parents {
                    self.shallow.push(id);
                }
                open.extend(parents);
                self.tree(&commit.tree);
            }
            Some(Object::Tag(tag)) => {
                self.push(4, id);
                open.push(tag.target);
            }
            Some(Object::Tree(tree)) => {
                self.seen.remove(&id);
                self.tree(&tree);
            }
            Some(Object::Blob(blob)) => self.objects.push((3, blob.as_bytes().to_vec())),
            None => {}
        }
    }

    fn push(&mut self, kind: u8, id: ObjectId) {
        self.objects.extend(self.repository.encoding(id).map(|encoding| (kind, encoding)));
    }

    fn tree(&mut self, tree: &Tree) {
        if !self.seen.insert(tree.id()) {
            return;
        }
        self.objects.push((2, tree.encode()));
        for (_, entry) in tree.entries() {
            match entry {
                Entry::Folder(folder) => self.tree(folder),
                Entry::File(_, blob) if self.seen.insert(blob.id()) => {
                    self.objects.push((3, blob.as_bytes().to_vec()));
                }
                _ => {}
            }
        }
    }
}
