//! The objects that a client needs and does not have.

use std::collections::BTreeSet;

use super::advertise::peeled;
use super::shallow::Reach;
use crate::git::{Entry, Object, ObjectId, ObjectKind, Repository, Tree};

/// What a client has: all that these commits lead to, as far as its own history goes.
pub(super) struct Client<'a> {
    pub(super) haves: &'a [ObjectId],
    pub(super) shallow: &'a BTreeSet<ObjectId>,
}

/// Objects for a pack, each with the number of its type.
pub(super) struct Selection<'a> {
    repository: &'a Repository,
    seen: BTreeSet<ObjectId>,
    pub(super) objects: Vec<(u8, Vec<u8>)>,
}

impl<'a> Selection<'a> {
    /// What is wanted, as far as the history is to reach; with the annotated tags of what is sent, if
    /// those are wanted too.
    pub(super) fn of(
        repository: &'a Repository,
        wants: &[ObjectId],
        client: &Client<'_>,
        reach: &Reach,
        with_tags: bool,
    ) -> Self {
        let mut selection =
            Selection { repository, seen: client.commits(repository), objects: vec![] };
        let had = selection.seen.clone();
        let commits = selection.commits(wants, client, reach);
        selection.skip_trees(&commits, client, &had);
        for id in &commits {
            if let Ok(commit) = repository.find_commit(*id) {
                selection.tree(&commit.tree);
            }
        }
        if with_tags {
            selection.tags();
        }
        selection
    }

    /// Puts in the commits that are sent, and what else is wanted by its id. Where the client's history is
    /// cut off, what comes before commits that it has may be wanted.
    fn commits(&mut self, wants: &[ObjectId], client: &Client<'_>, reach: &Reach) -> Vec<ObjectId> {
        let (mut commits, mut open) = (Vec::new(), wants.to_vec());
        let mut passed = BTreeSet::new();
        while let Some(id) = open.pop() {
            match self.repository.find_object(id) {
                Some(Object::Commit(_)) if reach.commits.contains(&id) && passed.insert(id) => {
                    let is_sent = self.put(ObjectKind::Commit, id);
                    commits.extend(is_sent.then_some(id));
                    if is_sent || !client.shallow.is_empty() {
                        open.extend(self.repository.parents(id));
                    }
                }
                Some(Object::Tag(tag)) if passed.insert(id) => {
                    self.put(ObjectKind::Tag, id);
                    open.push(tag.target);
                }
                Some(Object::Tree(tree)) => self.tree(&tree),
                Some(Object::Blob(blob)) => self.blob(id, blob.as_bytes()),
                _ => {}
            }
        }
        commits
    }

    /// What the files of the client's commits are, next to those that are sent, need not be sent.
    fn skip_trees(&mut self, commits: &[ObjectId], client: &Client<'_>, had: &BTreeSet<ObjectId>) {
        let parents = commits.iter().flat_map(|id| self.repository.parents(*id));
        let edge: BTreeSet<ObjectId> =
            parents.chain(client.haves).filter(|id| had.contains(id)).copied().collect();
        for id in edge {
            if let Ok(commit) = self.repository.find_commit(id) {
                self.skip(&commit.tree);
            }
        }
    }

    fn skip(&mut self, tree: &Tree) {
        if !self.seen.insert(tree.id()) {
            return;
        }
        for (_, entry) in tree.entries() {
            match entry {
                Entry::Folder(folder) => self.skip(folder),
                Entry::File(_, blob) => drop(self.seen.insert(blob.id())),
                Entry::Submodule(_) => {}
            }
        }
    }

    fn tree(&mut self, tree: &Tree) {
        if !self.seen.insert(tree.id()) {
            return;
        }
        self.objects.push((number(ObjectKind::Tree), tree.encode()));
        for (_, entry) in tree.entries() {
            match entry {
                Entry::Folder(folder) => self.tree(folder),
                Entry::File(_, blob) => self.blob(blob.id(), blob.as_bytes()),
                Entry::Submodule(_) => {}
            }
        }
    }

    fn blob(&mut self, id: ObjectId, content: &[u8]) {
        if self.seen.insert(id) {
            self.objects.push((number(ObjectKind::Blob), content.to_vec()));
        }
    }

    /// Puts in a commit or tag; false if that was done, or need not be.
    fn put(&mut self, kind: ObjectKind, id: ObjectId) -> bool {
        let is_new = self.seen.insert(id);
        if is_new {
            let encoding = self.repository.encoding(id);
            self.objects.extend(encoding.map(|encoding| (number(kind), encoding)));
        }
        is_new
    }

    /// Puts in the annotated tags of what is sent, or was before.
    fn tags(&mut self) {
        let repository = self.repository;
        for (_, mut id) in repository.tags() {
            if !peeled(repository, id).is_some_and(|target| self.seen.contains(&target)) {
                continue;
            }
            while let Ok(tag) = repository.find_tag(id) {
                self.put(ObjectKind::Tag, id);
                id = tag.target;
            }
        }
    }
}

impl Client<'_> {
    /// The commits that it has.
    fn commits(&self, repository: &Repository) -> BTreeSet<ObjectId> {
        let mut seen = BTreeSet::new();
        let mut open = self.haves.to_vec();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            if let Ok(tag) = repository.find_tag(id) {
                open.push(tag.target);
            }
            if !self.shallow.contains(&id) {
                open.extend(repository.parents(id));
            }
        }
        seen
    }
}

/// The number of a type in a pack (gitformat-pack(5)).
fn number(kind: ObjectKind) -> u8 {
    match kind {
        ObjectKind::Commit => 1,
        ObjectKind::Tree => 2,
        ObjectKind::Blob => 3,
        ObjectKind::Tag => 4,
    }
}
