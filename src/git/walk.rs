//! Walks over the history: log (git-log(1), "History Simplification"), ancestry, merge bases
//! (git-merge-base(1)).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::{Commit, Entry, GitError, ObjectId, Repository};

/// The commits reachable from some revisions, newest first, as `git log` orders them.
///
/// ```
/// # use driftlab::git::{Repository, Signature, Tree};
/// # let ada = Signature::new("Ada", "a@x", driftlab::time::Timestamp::from_secs(1));
/// # let mut repository = Repository::new();
/// # repository.commit(Tree::default(), "Start", ada.clone(), ada);
/// for (id, commit) in repository.log("HEAD")?.path("clusters/prod") {
///     println!("{} {}", id.short(), commit.subject());
/// }
/// # Ok::<(), driftlab::git::GitError>(())
/// ```
#[derive(Clone)]
pub struct Log<'r> {
    repository: &'r Repository,
    queue: DateQueue,
    seen: BTreeSet<ObjectId>,
    paths: Vec<String>,
    first_parent: bool,
}

/// Commits to visit, the latest first; of those of one second, the first come first.
#[derive(Clone, Default)]
struct DateQueue {
    heap: BinaryHeap<(u64, Reverse<usize>, ObjectId)>,
    count: usize,
}

impl Repository {
    /// The history of a revision, or of a range (`a..b`: what `b` has and `a` has not).
    ///
    /// # Errors
    ///
    /// When a revision names no commit.
    pub fn log(&self, rev: &str) -> Result<Log<'_>, GitError> {
        let or_head = |rev: &str| self.resolve_commit(if rev.is_empty() { "HEAD" } else { rev });
        match rev.split_once("..") {
            Some((hidden, shown)) => Ok(self.log_of(&[or_head(shown)?], &[or_head(hidden)?])),
            None => Ok(self.log_of(&[self.resolve_commit(rev)?], &[])),
        }
    }

    /// The history of some commits, without that of others.
    pub fn log_of(&self, shown: &[ObjectId], hidden: &[ObjectId]) -> Log<'_> {
        let mut log = Log {
            repository: self,
            queue: DateQueue::default(),
            seen: self.ancestors(hidden),
            paths: Vec::new(),
            first_parent: false,
        };
        shown.iter().for_each(|id| log.push(*id));
        log
    }

    /// Whether a commit is another, or comes before it.
    pub fn is_ancestor(&self, ancestor: ObjectId, of: ObjectId) -> bool {
        ancestor == of || self.paint_down(ancestor, &[of]).contains(&ancestor)
    }

    /// The best common ancestors of two commits: none of them is an ancestor of another. There are
    /// several where histories cross, none where they have nothing in common. In Git's order.
    pub fn merge_bases(&self, a: ObjectId, b: ObjectId) -> Vec<ObjectId> {
        if a == b {
            return vec![a];
        }
        let candidates = self.paint_down(a, &[b]);
        let redundant = |id: ObjectId| {
            candidates.iter().any(|other| *other != id && self.is_ancestor(id, *other))
        };
        if candidates.len() < 2 {
            return candidates;
        }
        candidates.iter().copied().filter(|id| !redundant(*id)).collect()
    }

    /// The best common ancestor of two commits, the first if there are several.
    pub fn merge_base(&self, a: ObjectId, b: ObjectId) -> Option<ObjectId> {
        self.merge_bases(a, b).first().copied()
    }

    /// Common ancestors, latest first, with those left out that are seen to be behind another.
    fn paint_down(&self, one: ObjectId, others: &[ObjectId]) -> Vec<ObjectId> {
        let mut paint = Paint::new(self);
        paint.mark(one, ONE);
        others.iter().for_each(|id| paint.mark(*id, OTHER));
        paint.spread()
    }

    /// These commits and all before them.
    pub(super) fn ancestors(&self, ids: &[ObjectId]) -> BTreeSet<ObjectId> {
        let mut seen = BTreeSet::new();
        let mut open = ids.to_vec();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.parents(id));
            }
        }
        seen
    }

    pub(super) fn date(&self, id: ObjectId) -> u64 {
        self.objects.commit(id).map_or(0, |commit| commit.committer.when.as_secs())
    }

    /// The commits that a commit follows. Where one of them is not here, history was cut off (by
    /// `git clone --depth`), and the commit counts as a first one, as in Git.
    pub(super) fn parents(&self, id: ObjectId) -> &[ObjectId] {
        let parents = self.objects.commit(id).map_or(&[][..], |commit| &commit.parents);
        let is_here = |parent: &ObjectId| self.objects.get(*parent).is_some();
        if parents.iter().all(is_here) { parents } else { &[] }
    }
}

impl<'r> Log<'r> {
    /// Only commits that change this path; of a merge, only the parents that explain what is there.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Only the first parent of merges is followed.
    pub fn first_parent(mut self) -> Self {
        self.first_parent = true;
        self
    }

    /// The ids alone.
    pub fn ids(self) -> Vec<ObjectId> {
        self.map(|(id, _)| id).collect()
    }

    fn push(&mut self, id: ObjectId) {
        if self.seen.insert(id) && self.repository.objects.commit(id).is_some() {
            self.queue.push(self.repository.date(id), id);
        }
    }

    /// The parents to follow, and whether the commit itself is shown.
    fn simplify(&self, id: ObjectId, commit: &Commit) -> (Vec<ObjectId>, bool) {
        let most = if self.first_parent { 1 } else { usize::MAX };
        let parents: Vec<_> = self.repository.parents(id).iter().copied().take(most).collect();
        if self.paths.is_empty() {
            return (parents, true);
        }
        let mine = self.at_paths(commit);
        if parents.is_empty() {
            return (parents, mine.iter().any(Option::is_some));
        }
        let same = |id: &ObjectId| {
            self.repository.objects.commit(*id).is_some_and(|parent| self.at_paths(parent) == mine)
        };
        match parents.iter().copied().find(same) {
            Some(parent) => (vec![parent], false),
            None => (parents, true),
        }
    }

    fn at_paths(&self, commit: &Commit) -> Vec<Option<Entry>> {
        self.paths.iter().map(|path| commit.tree.get(path)).collect()
    }
}

impl<'r> Iterator for Log<'r> {
    type Item = (ObjectId, &'r Commit);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let id = self.queue.pop()?;
            let commit: &'r Commit = self.repository.objects.commit(id)?;
            let (parents, shown) = self.simplify(id, commit);
            parents.into_iter().for_each(|id| self.push(id));
            if shown {
                return Some((id, commit));
            }
        }
    }
}

impl DateQueue {
    fn push(&mut self, date: u64, id: ObjectId) {
        self.heap.push((date, Reverse(self.count), id));
        self.count += 1;
    }

    fn pop(&mut self) -> Option<ObjectId> {
        self.heap.pop().map(|(_, _, id)| id)
    }
}

const ONE: u8 = 1;
const OTHER: u8 = 2;
const STALE: u8 = 4;
const RESULT: u8 = 8;

/// Two colours that run down the history; where both meet is a common ancestor, and below it all is
/// stale.
struct Paint<'r> {
    repository: &'r Repository,
    marks: BTreeMap<ObjectId, u8>,
    queue: DateQueue,
}

impl<'r> Paint<'r> {
    fn new(repository: &'r Repository) -> Self {
        Paint { repository, marks: BTreeMap::new(), queue: DateQueue::default() }
    }

    fn mark(&mut self, id: ObjectId, marks: u8) {
        let known = self.marks.entry(id).or_default();
        if *known & marks != marks {
            *known |= marks;
            self.queue.push(self.repository.date(id), id);
        }
    }

    fn spread(mut self) -> Vec<ObjectId> {
        let mut found: Vec<ObjectId> = Vec::new();
        while self.has_fresh() {
            let Some(id) = self.queue.pop() else { break };
            let mut marks = self.marks[&id] & (ONE | OTHER | STALE);
            if marks == ONE | OTHER {
                self.note(id, &mut found);
                marks |= STALE;
            }
            for parent in self.repository.parents(id) {
                self.mark(*parent, marks);
            }
        }
        found.retain(|id| self.marks[id] & STALE == 0);
        found
    }

    fn has_fresh(&self) -> bool {
        self.queue.heap.iter().any(|(_, _, id)| self.marks[id] & STALE == 0)
    }

    /// Keeps the found ones by date, the latest first.
    fn note(&mut self, id: ObjectId, found: &mut Vec<ObjectId>) {
        if let Some(marks) = self.marks.get_mut(&id).filter(|marks| **marks & RESULT == 0) {
            *marks |= RESULT;
            let date = self.repository.date(id);
            let at = found.iter().position(|other| self.repository.date(*other) < date);
            found.insert(at.unwrap_or(found.len()), id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{Signature, Tree};
    use crate::time::Timestamp;

    /// Commits by letter, each with its parents' letters and a time that grows; a file `f` holds
    /// the content given.
    fn history(lines: &[(&str, &str, &str)]) -> (Repository, BTreeMap<char, ObjectId>) {
        let mut repository = Repository::new();
        let mut ids = BTreeMap::new();
        for (secs, (name, parents, content)) in lines.iter().enumerate() {
            let who = Signature::new("A", "a@b", Timestamp::from_secs(secs as u64));
            let parents: Vec<_> = parents.chars().map(|parent| ids[&parent]).collect();
            let tree = Tree::from_files([("f", *content)]).unwrap();
            let commit = Commit::new(tree, parents, who.clone(), who, *name);
            ids.extend(name.chars().map(|name| (name, repository.write_commit(commit.clone()))));
        }
        (repository, ids)
    }

    fn criss_cross() -> (Repository, BTreeMap<char, ObjectId>) {
        history(&[
            ("a", "", "1"),
            ("b", "a", "1"),
            ("c", "a", "2"),
            ("d", "bc", "2"),
            ("e", "cb", "1"),
            ("f", "d", "2"),
        ])
    }

    fn letters(repository: &Repository, ids: &[ObjectId]) -> String {
        ids.iter().map(|id| repository.find_commit(*id).unwrap().message.clone()).collect()
    }

    #[test]
    fn merge_bases_are_the_best_common_ancestors() {
        let (repository, ids) = criss_cross();
        let check = |a: char, b: char, expected: &str| {
            let bases = repository.merge_bases(ids[&a], ids[&b]);
            assert_eq!(letters(&repository, &bases), expected, "{a} {b}");
        };
        check('b', 'c', "a");
        check('d', 'e', "cb");
        check('f', 'e', "cb");
        check('d', 'f', "d");
        check('a', 'a', "a");
        assert!(repository.is_ancestor(ids[&'a'], ids[&'f']));
        assert!(!repository.is_ancestor(ids[&'e'], ids[&'f']));
    }

    #[test]
    fn the_log_goes_back_by_date() {
        let (repository, ids) = criss_cross();
        let check = |log: Log<'_>, expected: &str| {
            assert_eq!(letters(&repository, &log.ids()), expected);
        };
        let all = || repository.log_of(&[ids[&'f'], ids[&'e']], &[]);
        check(all(), "fedcba");
        check(repository.log_of(&[ids[&'f']], &[]).first_parent(), "fdba");
        check(repository.log_of(&[ids[&'f']], &[ids[&'c']]), "fdb");
        check(repository.log(&format!("{}..{}", ids[&'e'], ids[&'f'])).unwrap(), "fd");
        check(repository.log_of(&[ids[&'f']], &[]).path("f"), "ca");
        check(repository.log_of(&[ids[&'e']], &[]).path("f"), "a");
        check(repository.log_of(&[ids[&'e']], &[]).path("g"), "");
    }
}
