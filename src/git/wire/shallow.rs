//! Histories that are cut off: where, and by whose wish (Git's technical/shallow).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::git::{ObjectId, Repository};

/// How much of a history is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Cut {
    /// All there is.
    #[default]
    Nowhere,
    /// So many commits deep, from what is wanted.
    Depth(u32),
    /// As many commits more than the client has, from where its history ends.
    Deeper(u32),
    /// What is not older, in seconds since 1970, and not behind these commits.
    After(Option<u64>, Vec<ObjectId>),
}

/// The commits that are wanted, and where the history of them is cut off.
#[derive(Default)]
pub(super) struct Reach {
    pub(super) commits: BTreeSet<ObjectId>,
    /// Commits whose parents are not among them.
    pub(super) boundary: BTreeSet<ObjectId>,
}

impl Reach {
    /// What these commits lead to.
    pub(super) fn of(
        repository: &Repository,
        tips: &[ObjectId],
        cut: &Cut,
        shallow: &BTreeSet<ObjectId>,
    ) -> Self {
        let depths = match cut {
            Cut::Nowhere => depths(repository, tips, u32::MAX),
            Cut::Depth(most) => depths(repository, tips, *most),
            Cut::Deeper(more) => {
                let whole = depths(repository, tips, u32::MAX);
                let ends = shallow.iter().filter_map(|id| whole.get(id)).max();
                let most = ends.map_or(u32::MAX, |depth| depth.saturating_add(*more));
                depths(repository, tips, most)
            }
            Cut::After(since, not) => return Reach::after(repository, tips, *since, not),
        };
        Reach::within(repository, depths.into_keys().collect())
    }

    fn after(
        repository: &Repository,
        tips: &[ObjectId],
        since: Option<u64>,
        not: &[ObjectId],
    ) -> Self {
        let behind = repository.ancestors(not);
        let is_young = |id: &ObjectId| since.is_none_or(|since| repository.date(*id) >= since);
        let mut commits = BTreeSet::new();
        let mut open: Vec<ObjectId> = tips.to_vec();
        while let Some(id) = open.pop() {
            let is_commit = repository.find_commit(id).is_ok();
            if is_commit && !behind.contains(&id) && is_young(&id) && commits.insert(id) {
                open.extend(repository.parents(id));
            }
        }
        Reach::within(repository, commits)
    }

    fn within(repository: &Repository, commits: BTreeSet<ObjectId>) -> Self {
        let is_cut = |id: &&ObjectId| {
            let commit = repository.find_commit(**id);
            commit.is_ok_and(|commit| commit.parents.iter().any(|id| !commits.contains(id)))
        };
        Reach { boundary: commits.iter().filter(is_cut).copied().collect(), commits }
    }
}

/// How deep each commit lies, 1 for a tip, as far as so deep.
fn depths(repository: &Repository, tips: &[ObjectId], most: u32) -> BTreeMap<ObjectId, u32> {
    let mut depths = BTreeMap::new();
    let mut open: VecDeque<(ObjectId, u32)> = tips.iter().map(|id| (*id, 1)).collect();
    while let Some((id, depth)) = open.pop_front() {
        if depth > most || depths.contains_key(&id) || repository.find_commit(id).is_err() {
            continue;
        }
        depths.insert(id, depth);
        open.extend(repository.parents(id).iter().map(|id| (*id, depth + 1)));
    }
    depths
}

/// The commits at which the history of the repository itself is cut off.
pub(super) fn own(repository: &Repository) -> BTreeSet<ObjectId> {
    let tips: Vec<ObjectId> = repository.references().map(|(_, id)| id).collect();
    let is_cut = |id: &ObjectId| {
        let commit = repository.find_commit(*id);
        commit.is_ok_and(|commit| repository.parents(*id) != commit.parents)
    };
    repository.ancestors(&tips).into_iter().filter(is_cut).collect()
}
