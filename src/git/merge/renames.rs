//! Files that one side moved: the other side's changes follow them, and files that it put into a folder
//! that moved follow the folder (Git's technical/directory-rename-detection).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::tree::{BASE, Merger, OURS, Stages, THEIRS, is_regular};
use super::{Conflict, ConflictKind};
use crate::git::rename::{RenameOptions, find_renames};
use crate::git::{Entry, Tree, TreeChange};

/// Above this many files the pairs of files are too many to compare.
const LIMIT: usize = 7000;

type Paths = BTreeMap<String, Stages>;

/// One file that moved on one side.
struct Rename {
    from: String,
    to: String,
    side: usize,
}

/// Brings together at one path what moved there with what the other side has at the old path. What
/// could not follow its folder comes back as conflicts.
pub(super) fn follow(paths: &mut Paths, trees: [&Tree; 3], merger: Merger<'_>) -> Vec<Conflict> {
    let folders = Folders::of(paths, trees);
    let found = [OURS, THEIRS].map(|side| find(paths, trees, side, &folders, merger));
    let (moved_folders, conflicts) = match merger.options.depth {
        0 => moved_folders(&found, &folders),
        _ => Default::default(),
    };
    let mut carry = Carry { paths, trees, merger, moved_folders, conflicts };
    let mut renames = carry.with_folders(found);
    renames.sort_by(|a, b| a.from.cmp(&b.from));
    let mut renames = renames.into_iter().peekable();
    while let Some(rename) = renames.next() {
        match renames.next_if(|next| next.from == rename.from && carry.is_open(&rename.from)) {
            Some(other) => carry.both_moved(&rename, &other),
            None => carry.one_moved(&rename),
        }
    }
    carry.conflicts
}

fn other(side: usize) -> usize {
    OURS + THEIRS - side
}

/// What one side removed and added; a folder in place of a file counts as nothing.
fn changes(paths: &Paths, side: usize) -> Vec<TreeChange> {
    let change = |(path, stages): (&String, &Stages)| {
        let (old, new) = (stages.entries[BASE].clone(), stages.entries[side].clone());
        (old.is_some() != new.is_some()).then(|| TreeChange { path: path.clone(), old, new })
    };
    paths.iter().filter_map(change).collect()
}

/// The files that a side moved, by the new path. They are looked for only where it matters: where the
/// other side changed one, or put files into a folder that went away.
fn find(
    paths: &Paths,
    trees: [&Tree; 3],
    side: usize,
    folders: &Folders,
    merger: Merger<'_>,
) -> BTreeMap<String, String> {
    let changes = changes(paths, side);
    let removed = changes.iter().filter(|change| change.new.is_none());
    let matters = |path: &str| {
        let stages = &paths[path];
        stages.entries[other(side)] != stages.entries[BASE] || folders.is_in_wanted(path)
    };
    let worth: BTreeSet<String> =
        removed.map(|change| change.path.clone()).filter(|path| matters(path)).collect();
    if worth.is_empty() {
        return BTreeMap::new();
    }
    let guess = |pairs: &BTreeMap<String, String>, path: &str| {
        let counts = folders.count(side, pairs);
        let targets = counts.get(folder_of(path))?;
        let most = targets.iter().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        Some(format!("{}/{}", most.0, name_of(path)))
    };
    let changes = in_order_of_visit(changes, trees, side, folders);
    let (worth, guess, version) = (Some(&worth), Some(&guess as &_), merger.options.version);
    find_renames(
        &changes,
        RenameOptions { only_to: None, empty: false, limit: LIMIT, worth, guess, version },
    )
}

/// Of several files of one content the first is taken, so the order counts in which Git comes upon
/// them: it puts off folders that only this side changed, and then visits them by the hash of their
/// path.
fn in_order_of_visit(
    changes: Vec<TreeChange>,
    trees: [&Tree; 3],
    side: usize,
    folders: &Folders,
) -> Vec<TreeChange> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let place = |change: &TreeChange| {
        let mut above: Vec<&str> = ancestors(&change.path).collect();
        above.reverse();
        let folder = above.into_iter().find(|folder| is_put_off(folder, trees, side, folders))?;
        let next = seen.len();
        let first = *seen.entry(folder.into()).or_insert(next);
        Some((path_hash(folder), Reverse(first)))
    };
    let places: Vec<_> = changes.iter().map(place).collect();
    // A table of 64 places, made four times as large whenever it is four fifths full.
    let size = std::iter::successors(Some(64), |size| Some(size * 4))
        .find(|size| seen.len() <= size * 4 / 5);
    let bucket = |hash: u32| hash as usize % size.unwrap_or(64);
    let mut order: Vec<_> = changes.into_iter().zip(places).collect();
    order.sort_by_key(|(_, place)| place.map(|(hash, first)| (bucket(hash), first)));
    order.into_iter().map(|(change, _)| change).collect()
}

/// Whether a folder is as it was on the other side, or new on this one; those whose place after a move
/// is asked for are not put off.
fn is_put_off(folder: &str, trees: [&Tree; 3], side: usize, folders: &Folders) -> bool {
    let at = |side: usize| trees[side].get(folder);
    let same = at(BASE) == at(other(side)) && at(BASE) != at(side);
    let is_folder = matches!(at(BASE).or_else(|| at(side)), Some(Entry::Folder(_)));
    same && is_folder && !folders.is_in_wanted(folder)
}

/// FNV-1, as Git hashes paths.
fn path_hash(path: &str) -> u32 {
    let step = |hash: u32, byte: u8| hash.wrapping_mul(0x0100_0193) ^ u32::from(byte);
    path.bytes().fold(0x811c_9dc5, step)
}

/// The folders of the base that a side no longer has.
struct Folders {
    gone: [BTreeSet<String>; 2],
    /// Those of them into which the other side put a file.
    wanted: [BTreeSet<String>; 2],
}

impl Folders {
    fn of(paths: &Paths, trees: [&Tree; 3]) -> Self {
        let gone = |side: usize| {
            let removed = paths.iter().filter(move |(_, stages)| {
                stages.entries[BASE].is_some() && stages.entries[side].is_none()
            });
            let folders = removed.flat_map(|(path, _)| ancestors(path));
            folders.filter(move |folder| trees[side].folder(folder).is_none()).map(str::to_owned)
        };
        let gone = [OURS, THEIRS].map(|side| gone(side).collect::<BTreeSet<_>>());
        let wanted = |side: usize| {
            let added = paths.iter().filter(|(_, stages)| {
                let [base, ..] = &stages.entries;
                base.is_none()
                    && stages.entries[side].is_none()
                    && stages.entries[other(side)].is_some()
            });
            let folders = added.map(|(path, _)| folder_of(path).to_owned());
            folders.filter(|folder| gone[side - OURS].contains(folder)).collect()
        };
        Folders { wanted: [OURS, THEIRS].map(wanted), gone }
    }

    /// Whether it matters where a folder went.
    fn is_relevant(&self, side: usize, folder: &str) -> bool {
        let wanted = &self.wanted[side - OURS];
        std::iter::once(folder).chain(ancestors(folder)).any(|folder| wanted.contains(folder))
    }

    fn is_in_wanted(&self, path: &str) -> bool {
        ancestors(path).any(|folder| self.wanted.iter().any(|wanted| wanted.contains(folder)))
    }

    /// Where the files of each folder went, and how many. A file that keeps the end of its path speaks
    /// for the folders above too, where one of these is wanted.
    fn count(
        &self,
        side: usize,
        renames: &BTreeMap<String, String>,
    ) -> BTreeMap<String, BTreeMap<String, usize>> {
        let (gone, wanted) = (&self.gone[side - OURS], &self.wanted[side - OURS]);
        let mut counts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (to, from) in renames {
            let (mut old, mut new) = (folder_of(from), folder_of(to));
            let mut first = true;
            while gone.contains(old) {
                if first || wanted.contains(old) {
                    *counts.entry(old.into()).or_default().entry(new.into()).or_default() += 1;
                }
                if !self.is_relevant(side, old)
                    || old.is_empty()
                    || new.is_empty()
                    || name_of(old) != name_of(new)
                {
                    break;
                }
                (old, new, first) = (folder_of(old), folder_of(new), false);
            }
        }
        counts
    }
}

/// For each side, the folders that it moved and where: where most of their files went, which is a
/// conflict when two places have as many. A folder that both moved is no one's.
fn moved_folders(
    found: &[BTreeMap<String, String>; 2],
    folders: &Folders,
) -> ([BTreeMap<String, String>; 2], Vec<Conflict>) {
    let mut conflicts = Vec::new();
    let mut moved = [OURS, THEIRS].map(|side| {
        let mut moved = BTreeMap::new();
        for (folder, targets) in folders.count(side, &found[side - OURS]) {
            let most = targets.values().max().copied();
            let mut best = targets.into_iter().filter(|(_, count)| Some(*count) == most);
            match (best.next(), best.next()) {
                _ if !folders.is_relevant(side, &folder) => {}
                (Some((target, _)), None) => drop(moved.insert(folder, target)),
                _ => conflicts.push(in_the_way(folder)),
            }
        }
        moved
    });
    let both: Vec<String> =
        moved[0].keys().filter(|folder| moved[1].contains_key(*folder)).cloned().collect();
    for folder in both {
        moved.iter_mut().for_each(|moved| drop(moved.remove(&folder)));
    }
    (moved, conflicts)
}

/// Files cannot go where their folder went.
fn in_the_way(path: String) -> Conflict {
    Conflict { path, kind: ConflictKind::DirectoryRename, base: None, ours: None, theirs: None }
}

struct Carry<'m> {
    paths: &'m mut Paths,
    trees: [&'m Tree; 3],
    merger: Merger<'m>,
    moved_folders: [BTreeMap<String, String>; 2],
    conflicts: Vec<Conflict>,
}

impl Carry<'_> {
    /// The renames of both sides, and as renames the files that follow a folder which the other side
    /// moved.
    fn with_folders(&mut self, found: [BTreeMap<String, String>; 2]) -> Vec<Rename> {
        let mut renames = Vec::new();
        let targets = [OURS, THEIRS].map(|side| self.targets(side));
        for (side, found) in [OURS, THEIRS].into_iter().zip(found) {
            for change in changes(self.paths, side).into_iter().filter(|c| c.new.is_some()) {
                let from = found.get(&change.path);
                let to = self.follow_folder(&change.path, side, &targets);
                if let Some(to) = &to {
                    self.relocate(&change.path, to, side);
                }
                if from.is_some() || to.is_some() {
                    let from = from.unwrap_or(&change.path).clone();
                    renames.push(Rename { from, to: to.unwrap_or(change.path), side });
                }
            }
        }
        renames
    }

    /// Where the files that a side added would go with their folders, and which go there.
    fn targets(&self, side: usize) -> BTreeMap<String, Vec<String>> {
        let mut targets: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for change in changes(self.paths, side).into_iter().filter(|c| c.new.is_some()) {
            if let Some((_, target)) = self.with_folder(&change.path, side) {
                targets.entry(target).or_default().push(change.path);
            }
        }
        targets
    }

    /// The nearest folder of a path that the other side moved, and where the path goes with it.
    fn with_folder(&self, path: &str, side: usize) -> Option<(String, String)> {
        let moved = &self.moved_folders[other(side) - OURS];
        let (folder, new) = ancestors(path).find_map(|folder| moved.get_key_value(folder))?;
        let rest = path[folder.len()..].trim_start_matches('/');
        let target = if new.is_empty() { rest.to_owned() } else { format!("{new}/{rest}") };
        Some((new.clone(), target))
    }

    fn follow_folder(
        &mut self,
        path: &str,
        side: usize,
        targets: &[BTreeMap<String, Vec<String>>; 2],
    ) -> Option<String> {
        if targets[other(side) - OURS].contains_key(path) {
            return None;
        }
        let (new_folder, target) = self.with_folder(path, side)?;
        if self.moved_folders[side - OURS].contains_key(&new_folder) {
            return None;
        }
        let alone = targets[side - OURS].get(&target).is_some_and(|sources| sources.len() == 1);
        if alone && self.trees[side].get(&target).is_none() {
            return Some(target);
        }
        let conflict = in_the_way(target);
        if !self.conflicts.contains(&conflict) {
            self.conflicts.push(conflict);
        }
        None
    }

    /// Moves what a side added, and says that it was not there that it was added.
    fn relocate(&mut self, from: &str, to: &str, side: usize) {
        let Some(mut stages) = self.paths.remove(from) else { return };
        let label = |side: usize| match side {
            OURS => self.merger.labels.ours.to_owned(),
            _ => self.merger.labels.theirs.to_owned(),
        };
        let kind = ConflictKind::FileLocation {
            was: from.into(),
            added_in: label(side),
            renamed_in: label(other(side)),
        };
        let here = self.paths.entry(to.into()).or_default();
        here.entries[side] = stages.entries[side].take();
        here.moved = true;
        here.conflict = Some(kind);
    }

    fn is_open(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    fn one_moved(&mut self, Rename { from, to, side }: &Rename) {
        let (side, other) = (*side, other(*side));
        let Some(old) = self.paths.get(from).cloned() else { return };
        let Some(new) = self.paths.get(to).cloned() else { return };
        let deleted = old.entries[OURS].is_none() && old.entries[THEIRS].is_none();
        let regular = |entry: &Option<Entry>| entry.as_ref().is_some_and(is_regular);
        let other_type = !deleted && regular(&old.entries[other]) != regular(&new.entries[side]);
        let collides = new.entries[other].is_some() && !other_type;
        let mut new = new;
        new.moved = true;
        match (collides, deleted) {
            (true, false) => new.entries[side] = self.merged_before(from, to, side, &old, &new),
            (true, true) => new.conflict = Some(self.rename_delete(from, side)),
            (false, _) => {
                new.entries[BASE] = old.entries[BASE].clone();
                new.names[BASE] = Some(from.clone());
                if deleted {
                    new.conflict = Some(self.rename_delete(from, side));
                } else if !other_type {
                    new.entries[other] = old.entries[other].clone();
                    new.names[other] = Some(from.clone());
                }
            }
        }
        self.paths.insert(to.clone(), new);
        match other_type {
            true => drop(self.paths.get_mut(from).and_then(|old| old.entries[BASE].take())),
            false => self.close(from),
        }
    }

    /// What moved, merged with what the other side made of it, where the other side has yet another
    /// file at the new path.
    fn merged_before(
        &self,
        from: &str,
        to: &str,
        side: usize,
        old: &Stages,
        new: &Stages,
    ) -> Option<Entry> {
        let mut names = [from; 3];
        names[side] = to;
        let mut sides = old.entries.clone();
        sides[side] = new.entries[side].clone();
        let [base, ours, theirs] = sides;
        let (ours, theirs) = (ours?, theirs?);
        self.merger.merge(base.as_ref(), &ours, &theirs, Some(names), 1).0
    }

    fn both_moved(&mut self, one: &Rename, two: &Rename) {
        let entry =
            |carry: &Self, path: &str, side: usize| carry.paths.get(path)?.entries[side].clone();
        let base = entry(self, &one.from, BASE);
        if one.to == two.to {
            if let Some(stages) = self.paths.get_mut(&one.to) {
                stages.entries[BASE] = base;
                stages.moved = true;
            }
            return self.close(&one.from);
        }
        let (ours, theirs) = (entry(self, &one.to, OURS), entry(self, &two.to, THEIRS));
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return };
        let names = [one.from.as_str(), &one.to, &two.to];
        let (merged, clean) = self.merger.merge(base.as_ref(), &ours, &theirs, Some(names), 1);
        // A binary file cannot hold both: each keeps its own.
        let is_ours = !clean && merged.as_ref() == Some(&ours);
        let kind = ConflictKind::RenameRename {
            was: one.from.clone(),
            ours: one.to.clone(),
            theirs: two.to.clone(),
        };
        let mut mark = |path: &str, entry: Option<(usize, Option<Entry>)>| {
            if let Some(stages) = self.paths.get_mut(path) {
                stages.conflict = Some(kind.clone());
                stages.moved = true;
                if let Some((side, entry)) = entry {
                    stages.entries[side] = entry;
                }
            }
        };
        mark(&one.from, None);
        mark(&one.to, Some((OURS, merged.clone())));
        mark(&two.to, Some((THEIRS, if is_ours { Some(theirs) } else { merged })));
    }

    fn rename_delete(&self, from: &str, side: usize) -> ConflictKind {
        let (ours, theirs) = (self.merger.labels.ours.into(), self.merger.labels.theirs.into());
        let (renamed_in, deleted_in) = if side == OURS { (ours, theirs) } else { (theirs, ours) };
        ConflictKind::RenameDelete { was: from.into(), renamed_in, deleted_in }
    }

    /// Nothing is left at a path: it went with the rename.
    fn close(&mut self, path: &str) {
        self.paths.remove(path);
    }
}

/// The folders of a path, the nearest first; the whole tree is not among them.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(slash, _)| &path[..slash])
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
