//! Three trees into one, by the rules of Git's default strategy: `ort` in git-merge(1).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::renames;
use crate::git::{Blob, Entry, Favor, GitVersion, Labels, Mode, Tree, diff, is_binary, merge_text};

/// What the sides are called, in conflict markers and in the names of files that move aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeLabels<'l> {
    /// The side merged into, mostly `HEAD`.
    pub ours: &'l str,
    /// The side merged.
    pub theirs: &'l str,
}

/// How trees are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeMergeOptions {
    /// What becomes of lines that both sides changed.
    pub favor: Favor,
    /// Files that one side moved are found, and the changes of the other follow them.
    pub renames: bool,
    /// The Git to be like.
    pub version: GitVersion,
    /// How many merges of merge bases this one is within: conflicts in them are no one's to resolve.
    pub depth: usize,
}

impl Default for TreeMergeOptions {
    fn default() -> Self {
        let version = GitVersion::default();
        TreeMergeOptions { favor: Favor::Neither, renames: true, version, depth: 0 }
    }
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
    /// One moved what the other deleted.
    RenameDelete {
        /// Where it was.
        was: String,
        /// Who moved it.
        renamed_in: String,
        /// Who deleted it.
        deleted_in: String,
    },
    /// Both moved the same file, to different places; this is one of the two, or where it was.
    RenameRename {
        /// Where it was.
        was: String,
        /// Where ours moved it.
        ours: String,
        /// Where theirs moved it.
        theirs: String,
    },
    /// One put a file into a folder that the other moved: it is put where the folder went.
    FileLocation {
        /// Where it was put.
        was: String,
        /// Who put it there.
        added_in: String,
        /// Who moved the folder.
        renamed_in: String,
    },
    /// Files cannot follow their folder, for something is in the way there.
    DirectoryRename,
    /// A file on one side, a link or submodule on the other: one of them, or both, move aside.
    DistinctTypes {
        /// The path that both had.
        was: String,
    },
}

impl Conflict {
    /// Whether the index lists the path as unmerged; some conflicts are about folders only.
    pub fn has_stages(&self) -> bool {
        self.base.is_some() || self.ours.is_some() || self.theirs.is_some()
    }
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
            ConflictKind::RenameDelete { was, renamed_in, deleted_in } => write!(
                f,
                "CONFLICT (rename/delete): {was} renamed to {path} in {renamed_in}, but deleted in {deleted_in}."
            ),
            ConflictKind::RenameRename { was, ours, theirs } => write!(
                f,
                "CONFLICT (rename/rename): {was} renamed to {ours} by ours and to {theirs} by theirs."
            ),
            ConflictKind::FileLocation { was, added_in, renamed_in } => write!(
                f,
                "CONFLICT (file location): {was} added in {added_in} inside a directory that was renamed in {renamed_in}, suggesting it should perhaps be moved to {path}."
            ),
            ConflictKind::DirectoryRename => write!(
                f,
                "CONFLICT (implicit dir rename): Existing file/dir at {path} in the way of implicit directory rename(s)."
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
    let mut paths = collect(base, ours, theirs);
    let merger = Merger { labels, options };
    let mut tree = paths.keys().fold(base.clone(), |tree, path| tree.without(path));
    let mut conflicts = Vec::new();
    if options.renames {
        conflicts = renames::follow(&mut paths, [base, ours, theirs], merger);
        tree = paths.keys().fold(tree, |tree, path| tree.without(path));
    }
    let taken = paths.keys().cloned().collect();
    let mut merge = Merge { tree, taken, conflicts, merger };
    // From the last path to the first: what is in a folder comes before a file of the folder's name.
    for (path, stages) in paths.into_iter().rev() {
        merge.settle(path, stages);
    }
    merge.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    MergedTree { tree: merge.tree, conflicts: merge.conflicts }
}

pub(super) const BASE: usize = 0;
pub(super) const OURS: usize = 1;
pub(super) const THEIRS: usize = 2;

/// What stands at one path in the base, in ours and in theirs; folders count as nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Stages {
    pub(super) entries: [Option<Entry>; 3],
    /// The path that each had before it moved here.
    pub(super) names: [Option<String>; 3],
    /// A file moved here: what stands here was not compared before.
    pub(super) moved: bool,
    /// Both sides had the same here before anything moved, which Git takes for the last word.
    pub(super) agreed: bool,
    /// A conflict about the path itself, whatever the contents.
    pub(super) conflict: Option<ConflictKind>,
}

fn collect(base: &Tree, ours: &Tree, theirs: &Tree) -> BTreeMap<String, Stages> {
    let mut paths: BTreeMap<String, Stages> = BTreeMap::new();
    let stages = |entries| Stages { entries, ..Stages::default() };
    for change in diff(base, ours) {
        let entries = [change.old.clone(), change.new, change.old];
        paths.insert(change.path, stages(entries));
    }
    for change in diff(base, theirs) {
        let unchanged = || stages([change.old.clone(), change.old.clone(), None]);
        paths.entry(change.path).or_insert_with(unchanged).entries[THEIRS] = change.new;
    }
    for stages in paths.values_mut() {
        let [_, ours, theirs] = &stages.entries;
        stages.agreed = ours.is_some() && ours == theirs;
    }
    paths
}

struct Merge<'m> {
    tree: Tree,
    /// Paths that nothing may move aside to.
    taken: BTreeSet<String>,
    conflicts: Vec<Conflict>,
    merger: Merger<'m>,
}

impl Merge<'_> {
    fn settle(&mut self, path: String, stages: Stages) {
        let [base, ours, theirs] = &stages.entries;
        if ours.is_none() && theirs.is_none() {
            if let (Some(kind), Some(_)) = (&stages.conflict, base) {
                self.conflict(path, kind.clone(), stages);
            }
            return;
        }
        if self.tree.folder(&path).is_none() {
            return self.settle_file(path, stages);
        }
        // The side without a file here is the one with the folder.
        let labels = self.merger.labels;
        let from = if ours.is_some() { labels.ours } else { labels.theirs };
        let aside = self.aside(&path, from);
        let known = self.conflicts.len();
        self.settle_file(aside.clone(), stages.clone());
        if self.conflicts.len() == known && self.tree.get(&aside).is_some() {
            let kind = ConflictKind::FileDirectory { was: path, from: from.into() };
            self.conflict(aside, kind, stages);
        }
    }

    fn settle_file(&mut self, path: String, stages: Stages) {
        let [base, ours, theirs] = &stages.entries;
        match (ours, theirs) {
            _ if stages.agreed || !stages.moved && (ours == theirs || base == theirs) => {
                self.place(path, ours.clone(), stages)
            }
            _ if !stages.moved && base == ours => self.place(path, theirs.clone(), stages),
            (Some(one), Some(two)) if type_of(one) != type_of(two) => {
                self.settle_types(path, stages)
            }
            (Some(one), Some(two)) => {
                let names = stages.names.each_ref().map(Option::as_deref);
                let names = names
                    .iter()
                    .any(Option::is_some)
                    .then(|| names.map(|name| name.unwrap_or(&path)));
                let (merged, clean) = self.merger.merge(base.as_ref(), one, two, names, 0);
                match clean {
                    true => self.place(path, merged, stages),
                    false => {
                        self.put(&path, merged);
                        let added = base.is_none();
                        let kind = if added { ConflictKind::AddAdd } else { ConflictKind::Content };
                        self.conflict(path, kind, stages);
                    }
                }
            }
            (Some(_), None) | (None, Some(_)) if base.is_none() => {
                self.place(path, ours.clone().or(theirs.clone()), stages)
            }
            _ => self.settle_deleted(path, stages),
        }
    }

    /// Puts what is settled, unless the path itself is in conflict.
    fn place(&mut self, path: String, entry: Option<Entry>, stages: Stages) {
        let is_there = entry.is_some();
        self.put(&path, entry);
        if let Some(kind) = stages.conflict.clone().filter(|_| is_there) {
            self.conflict(path, kind, stages);
        }
    }

    /// One side deleted what the other changed: the changed one stays.
    fn settle_deleted(&mut self, path: String, stages: Stages) {
        let MergeLabels { ours, theirs } = self.merger.labels;
        let [base, our, their] = &stages.entries;
        let (modified_in, deleted_in) = if our.is_some() { (ours, theirs) } else { (theirs, ours) };
        let left = our.clone().or(their.clone());
        let left = if self.merger.options.depth > 0 { base.clone() } else { left };
        self.put(&path, left);
        let (deleted_in, modified_in) = (deleted_in.into(), modified_in.into());
        let kind = ConflictKind::ModifyDelete { deleted_in, modified_in };
        let kind = stages.conflict.clone().unwrap_or(kind);
        self.conflict(path, kind, stages);
    }

    /// A regular file gives way to a link or submodule; two others both give way.
    fn settle_types(&mut self, path: String, stages: Stages) {
        let kind = ConflictKind::DistinctTypes { was: path.clone() };
        let [base, ours, theirs] = stages.entries.clone();
        if self.merger.options.depth > 0 {
            self.put(&path, base);
            return self.conflict(path, kind, stages);
        }
        let is_file = |entry: &Option<Entry>| entry.as_ref().is_some_and(is_regular);
        let (ours_moves, theirs_moves) = match (is_file(&ours), is_file(&theirs)) {
            (true, _) => (true, false),
            (_, true) => (false, true),
            _ => (true, true),
        };
        let place = |merge: &mut Self, moves: bool, label: &str| match moves {
            true => merge.aside(&path, label),
            false => path.clone(),
        };
        let our_path = place(self, ours_moves, self.merger.labels.ours);
        let their_path = place(self, theirs_moves, self.merger.labels.theirs);
        let base_of = |side: &Option<Entry>| {
            let same = side.as_ref().map(type_of) == base.as_ref().map(type_of);
            base.clone().filter(|_| same)
        };
        self.put(&our_path, ours.clone());
        self.put(&their_path, theirs.clone());
        let stages = |entries| Stages { entries, ..Stages::default() };
        self.conflict(our_path, kind.clone(), stages([base_of(&ours), ours, None]));
        self.conflict(their_path, kind, stages([base_of(&theirs), None, theirs]));
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
        let [base, ours, theirs] = stages.entries;
        self.conflicts.push(Conflict { path, kind, base, ours, theirs });
    }
}

/// Merges single entries.
#[derive(Clone, Copy)]
pub(super) struct Merger<'m> {
    pub(super) labels: MergeLabels<'m>,
    pub(super) options: TreeMergeOptions,
}

impl Merger<'_> {
    /// What becomes of two entries of one type that both differ from the base; whether it is clean.
    /// Where files moved, their paths stand beside the labels, and longer markers set a merge apart
    /// that is merged again.
    pub(super) fn merge(
        &self,
        base: Option<&Entry>,
        ours: &Entry,
        theirs: &Entry,
        names: Option<[&str; 3]>,
        longer: usize,
    ) -> (Option<Entry>, bool) {
        let base_of_type = base.filter(|base| type_of(base) == type_of(ours));
        let within = self.options.depth > 0;
        let (Entry::File(our_mode, one), Entry::File(their_mode, two)) = (ours, theirs) else {
            // Submodules are not looked into.
            return (Some(if within { base.unwrap_or(ours) } else { ours }.clone()), false);
        };
        let (mode, modes_clean) = merge_modes(base, *our_mode, *their_mode);
        let base_id = base.map(Entry::id);
        let (blob, clean) = match () {
            () if one == two || base_id == Some(one.id()) => (two.clone(), true),
            () if base_id == Some(two.id()) => (one.clone(), true),
            () if mode == Mode::Symlink && within => return (base.cloned(), false),
            () if mode == Mode::Symlink => (one.clone(), false),
            () => self.merge_blobs(base_of_type, one, two, names, longer),
        };
        (Some(Entry::File(mode, blob)), clean && modes_clean)
    }

    fn merge_blobs(
        &self,
        base: Option<&Entry>,
        ours: &Blob,
        theirs: &Blob,
        names: Option<[&str; 3]>,
        longer: usize,
    ) -> (Blob, bool) {
        let base = match base {
            Some(Entry::File(_, blob)) => blob.as_bytes(),
            _ => b"",
        };
        let depth = self.options.depth;
        let contents = [base, ours.as_bytes(), theirs.as_bytes()];
        if depth > 0 && contents.into_iter().any(is_binary) {
            return (Blob::new(base), true);
        }
        let label = |label: &str, side: usize| match names {
            Some(names) => format!("{label}:{}", names[side]),
            None => label.to_owned(),
        };
        let (one, two) = (label(self.labels.ours, OURS), label(self.labels.theirs, THEIRS));
        let labels = Labels { ours: &one, theirs: &two, marker_size: 7 + 2 * depth + longer };
        let favor = if depth > 0 { Favor::Neither } else { self.options.favor };
        let merged = merge_text(base, ours.as_bytes(), theirs.as_bytes(), labels, favor);
        (Blob::new(merged.content), merged.conflicts == 0)
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
pub(super) fn type_of(entry: &Entry) -> &'static str {
    &entry.mode()[..2]
}

pub(super) fn is_regular(entry: &Entry) -> bool {
    type_of(entry) == "10"
}
