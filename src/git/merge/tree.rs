//! Three trees into one, by the rules of Git's default strategy (`ort`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::git::{Blob, Entry, Favor, Labels, Mode, Tree, diff, merge_text};

/// What the sides are called, in conflict markers and in the names of files that move aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeLabels<'l> {
    /// The side merged into, mostly `HEAD`.
    pub ours: &'l str,
    /// The side merged.
    pub theirs: &'l str,
}

/// How trees are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeMergeOptions {
    /// What becomes of lines that both sides changed.
    pub favor: Favor,
    /// How many merges of merge bases this one is within: conflicts in them are no one's to resolve.
    pub depth: usize,
}

/// The result of a merge of trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedTree {
    /// The files; those in conflict hold markers, or the version that Git leaves.
    pub tree: Tree,
    /// What is in conflict, by path; empty when the merge is clean.
    pub conflicts: Vec<Conflict>,
}

/// A path that a merge could not settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where what is left of it stands in the tree.
    pub path: String,
    /// What the sides disagree about.
    pub kind: ConflictKind,
    /// The common ancestor's version.
    pub base: Option<Entry>,
    /// Our version.
    pub ours: Option<Entry>,
    /// Their version.
    pub theirs: Option<Entry>,
}

/// What two sides can disagree about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConflictKind {
    /// Both changed the same lines.
    Content,
    /// Both added a file of that name, with different contents.
    AddAdd,
    /// One deleted what the other changed; the labels of both.
    ModifyDelete {
        /// Who deleted it.
        deleted_in: String,
        /// Whose version is left in the tree.
        modified_in: String,
    },
    /// One has a file where the other has a folder: the file moves aside.
    FileDirectory {
        /// The path that is a folder now.
        was: String,
        /// Whose file it was.
        from: String,
    },
    /// A file on one side, a link or submodule on the other: one of them, or both, move aside.
    DistinctTypes {
        /// The path that both had.
        was: String,
    },
}

/// As `git merge` reports it.
impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.kind {
            ConflictKind::Content => {
                write!(f, "CONFLICT (content): Merge conflict in {path}")
            }
            ConflictKind::AddAdd => write!(f, "CONFLICT (add/add): Merge conflict in {path}"),
            ConflictKind::ModifyDelete { deleted_in, modified_in } => write!(
                f,
                "CONFLICT (modify/delete): {path} deleted in {deleted_in} and modified in {modified_in}.  Version {modified_in} of {path} left in tree."
            ),
            ConflictKind::FileDirectory { was, from } => write!(
                f,
                "CONFLICT (file/directory): directory in the way of {was} from {from}; moving it to {path} instead."
            ),
            ConflictKind::DistinctTypes { was } => write!(
                f,
                "CONFLICT (distinct types): {was} had different types on each side; renamed one of them so each can be recorded somewhere."
            ),
        }
    }
}

/// Merges what two sides made of a tree. Only what either side changed is visited.
///
/// ```
/// use driftlab::git::{MergeLabels, Tree, TreeMergeOptions, merge_trees};
/// let base = Tree::from_files([("a", "1\n"), ("b", "1\n")])?;
/// let (ours, theirs) = (base.with_file("a", "2\n")?, base.with_file("b", "2\n")?);
/// let labels = MergeLabels { ours: "HEAD", theirs: "topic" };
/// let merged = merge_trees(&base, &ours, &theirs, labels, TreeMergeOptions::default());
/// assert_eq!(merged.tree, Tree::from_files([("a", "2\n"), ("b", "2\n")])?);
/// # Ok::<(), driftlab::git::InvalidPath>(())
/// ```
pub fn merge_trees(
    base: &Tree,
    ours: &Tree,
    theirs: &Tree,
    labels: MergeLabels<'_>,
    options: TreeMergeOptions,
) -> MergedTree {
    if ours == theirs || base == theirs {
        return MergedTree { tree: ours.clone(), conflicts: Vec::new() };
    }
    if base == ours {
        return MergedTree { tree: theirs.clone(), conflicts: Vec::new() };
    }
    let paths = collect(base, ours, theirs);
    let tree = paths.keys().fold(base.clone(), |tree, path| tree.without(path));
    let taken = paths.keys().cloned().collect();
    let mut merge = Merge { tree, taken, conflicts: Vec::new(), labels, options };
    // From the last path to the first: what is in a folder comes before a file of the folder's name.
    for (path, stages) in paths.into_iter().rev() {
        merge.settle(path, stages);
    }
    merge.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    MergedTree { tree: merge.tree, conflicts: merge.conflicts }
}

/// What stands at one path in the base, in ours and in theirs; folders count as nothing.
#[derive(Clone, Debug, Default)]
struct Stages {
    base: Option<Entry>,
    ours: Option<Entry>,
    theirs: Option<Entry>,
}

fn collect(base: &Tree, ours: &Tree, theirs: &Tree) -> BTreeMap<String, Stages> {
    let mut paths: BTreeMap<String, Stages> = BTreeMap::new();
    let changed = |side: &Tree| diff(base, side).into_iter();
    for change in changed(ours) {
        let stages = Stages { base: change.old.clone(), ours: change.new, theirs: change.old };
        paths.insert(change.path, stages);
    }
    for change in changed(theirs) {
        let unchanged =
            || Stages { base: change.old.clone(), ours: change.old.clone(), theirs: None };
        paths.entry(change.path).or_insert_with(unchanged).theirs = change.new;
    }
    paths
}

struct Merge<'m> {
    tree: Tree,
    /// Paths that nothing may move aside to.
    taken: BTreeSet<String>,
    conflicts: Vec<Conflict>,
    labels: MergeLabels<'m>,
    options: TreeMergeOptions,
}

impl Merge<'_> {
    fn settle(&mut self, path: String, stages: Stages) {
        let folder_stays = self.tree.folder(&path).is_some();
        let only_in_base = stages.ours.is_none() && stages.theirs.is_none();
        if only_in_base {
            return;
        }
        if !folder_stays {
            return self.settle_file(path, stages);
        }
        // The side without a file here is the one with the folder.
        let from = if stages.ours.is_some() { self.labels.ours } else { self.labels.theirs };
        let aside = self.aside(&path, from);
        let known = self.conflicts.len();
        self.settle_file(aside.clone(), stages.clone());
        if self.conflicts.len() == known && self.tree.get(&aside).is_some() {
            let kind = ConflictKind::FileDirectory { was: path, from: from.into() };
            self.conflict(aside, kind, stages);
        }
    }

    fn settle_file(&mut self, path: String, stages: Stages) {
        let Stages { base, ours, theirs } = &stages;
        match (ours, theirs) {
            _ if ours == theirs || base == theirs => self.put(&path, ours.clone()),
            _ if base == ours => self.put(&path, theirs.clone()),
            (Some(one), Some(two)) if type_of(one) != type_of(two) => {
                self.settle_types(path, stages)
            }
            (Some(one), Some(two)) => {
                let (merged, clean) = self.merge_entries(base.as_ref(), one, two);
                self.put(&path, merged);
                if !clean {
                    let kind =
                        if base.is_none() { ConflictKind::AddAdd } else { ConflictKind::Content };
                    self.conflict(path, kind, stages);
                }
            }
            _ => self.settle_deleted(path, stages),
        }
    }

    /// One side deleted what the other changed: the changed one stays.
    fn settle_deleted(&mut self, path: String, stages: Stages) {
        let MergeLabels { ours, theirs } = self.labels;
        let (modified_in, deleted_in, left) = match (&stages.ours, &stages.theirs) {
            (Some(left), _) => (ours, theirs, left),
            (_, Some(left)) => (theirs, ours, left),
            _ => unreachable!("a path deleted on both sides is settled"),
        };
        let left = if self.options.depth > 0 { stages.base.clone() } else { Some(left.clone()) };
        self.put(&path, left);
        let (deleted_in, modified_in) = (deleted_in.into(), modified_in.into());
        self.conflict(path, ConflictKind::ModifyDelete { deleted_in, modified_in }, stages);
    }

    /// A regular file gives way to a link or submodule; two others both give way.
    fn settle_types(&mut self, path: String, stages: Stages) {
        let kind = ConflictKind::DistinctTypes { was: path.clone() };
        if self.options.depth > 0 {
            self.put(&path, stages.base.clone());
            return self.conflict(path, kind, stages);
        }
        let is_file = |entry: &Option<Entry>| entry.as_ref().is_some_and(is_regular);
        let (ours_moves, theirs_moves) = match (is_file(&stages.ours), is_file(&stages.theirs)) {
            (true, _) => (true, false),
            (_, true) => (false, true),
            _ => (true, true),
        };
        let place = |merge: &mut Self, moves: bool, label: &str| match moves {
            true => merge.aside(&path, label),
            false => path.clone(),
        };
        let our_path = place(self, ours_moves, self.labels.ours);
        let their_path = place(self, theirs_moves, self.labels.theirs);
        let base_of = |side: &Option<Entry>| {
            let same = side.as_ref().map(type_of) == stages.base.as_ref().map(type_of);
            stages.base.clone().filter(|_| same)
        };
        let Stages { ours, theirs, .. } = &stages;
        self.put(&our_path, ours.clone());
        self.put(&their_path, theirs.clone());
        let one = Stages { base: base_of(ours), ours: ours.clone(), theirs: None };
        let two = Stages { base: base_of(theirs), ours: None, theirs: theirs.clone() };
        self.conflict(our_path, kind.clone(), one);
        self.conflict(their_path, kind, two);
    }

    /// What becomes of two entries of one type that both differ from the base; whether it is clean.
    fn merge_entries(
        &self,
        base: Option<&Entry>,
        ours: &Entry,
        theirs: &Entry,
    ) -> (Option<Entry>, bool) {
        let base_of_type = base.filter(|base| type_of(base) == type_of(ours));
        let (Entry::File(our_mode, one), Entry::File(their_mode, two)) = (ours, theirs) else {
            // Submodules are not looked into.
            return (
                Some(if self.options.depth > 0 { base.unwrap_or(ours) } else { ours }.clone()),
                false,
            );
        };
        let (mode, modes_clean) = merge_modes(base, *our_mode, *their_mode);
        let base_id = base.map(Entry::id);
        let (blob, clean) = match () {
            () if one == two || base_id == Some(one.id()) => (two.clone(), true),
            () if base_id == Some(two.id()) => (one.clone(), true),
            () if mode == Mode::Symlink && self.options.depth > 0 => {
                return (base.cloned(), false);
            }
            () if mode == Mode::Symlink => (one.clone(), false),
            () => self.merge_blobs(base_of_type, one, two),
        };
        (Some(Entry::File(mode, blob)), clean && modes_clean)
    }

    fn merge_blobs(&self, base: Option<&Entry>, ours: &Blob, theirs: &Blob) -> (Blob, bool) {
        let base = match base {
            Some(Entry::File(_, blob)) => blob.as_bytes(),
            _ => b"",
        };
        let depth = self.options.depth;
        let any_binary =
            [base, ours.as_bytes(), theirs.as_bytes()].into_iter().any(crate::git::is_binary);
        if any_binary && depth > 0 {
            return (Blob::new(base), true);
        }
        let MergeLabels { ours: one, theirs: two } = self.labels;
        let labels = Labels { ours: one, theirs: two, marker_size: 7 + 2 * depth };
        let favor = if depth > 0 { Favor::Neither } else { self.options.favor };
        let merged = merge_text(base, ours.as_bytes(), theirs.as_bytes(), labels, favor);
        (Blob::new(merged.content), merged.conflicts == 0)
    }

    /// A name nothing else has, for a file that has to make room.
    fn aside(&mut self, path: &str, label: &str) -> String {
        let stem = format!("{path}~{}", label.replace('/', "_"));
        let numbered = (0..).map(|n| format!("{stem}_{n}"));
        let is_free = |name: &String| !self.taken.contains(name) && self.tree.get(name).is_none();
        let free = std::iter::once(stem.clone()).chain(numbered).find(is_free).unwrap_or(stem);
        self.taken.insert(free.clone());
        free
    }

    fn put(&mut self, path: &str, entry: Option<Entry>) {
        if let Some(entry) = entry {
            self.tree = self.tree.put(path, entry);
        }
    }

    fn conflict(&mut self, path: String, kind: ConflictKind, stages: Stages) {
        let Stages { base, ours, theirs } = stages;
        self.conflicts.push(Conflict { path, kind, base, ours, theirs });
    }
}

/// The mode that one side changed wins; when both did, ours, and it is a conflict.
fn merge_modes(base: Option<&Entry>, ours: Mode, theirs: Mode) -> (Mode, bool) {
    let base = match base {
        Some(Entry::File(mode, _)) => Some(*mode),
        _ => None,
    };
    match () {
        () if ours == theirs || base == Some(ours) => (theirs, true),
        () => (ours, base == Some(theirs)),
    }
}

/// Regular and executable files are of one type.
fn type_of(entry: &Entry) -> &'static str {
    &entry.mode()[..2]
}

fn is_regular(entry: &Entry) -> bool {
    type_of(entry) == "10"
}
