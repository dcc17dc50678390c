//! Files that moved: pairs of a removed and an added file whose contents are alike, as Git pairs them.
//!
//! Git remembers no renames. It takes a removed and an added file of the same content for one that
//! moved; then files of the same name in another folder if they are similar enough; then the most
//! similar of what is left (gitdiffcore(7)).

use std::collections::{BTreeMap, BTreeSet};

use super::{Blob, Entry, GitVersion, Mode, TreeChange, is_binary};

/// The score of equal contents.
const SAME: u64 = 60_000;
/// Half of the content is the same: the least that counts as a rename.
const SIMILAR: u64 = SAME / 2;
/// What is asked of files that kept their name, if that name is unique.
const SIMILAR_AND_SAME_NAME: u64 = SIMILAR + (SAME - SIMILAR) / 2;
/// How many candidates of each added file are kept.
const CANDIDATES: usize = 4;

/// What to pair.
#[derive(Clone, Copy)]
pub(super) struct RenameOptions<'o> {
    /// Only what this file was before is asked for.
    pub(super) only_to: Option<&'o str>,
    /// Empty files count.
    pub(super) empty: bool,
    /// Where more pairs than the square of this would have to be compared, none is.
    pub(super) limit: usize,
    /// The removed files for which more than a look at the ids is worth while; all if not given.
    pub(super) worth: Option<&'o BTreeSet<String>>,
    /// Tells where a file would be if its folder moved as others of its files did.
    pub(super) guess: Option<&'o Guess<'o>>,
    /// The Git to be like.
    pub(super) version: GitVersion,
}

/// From the pairs of same content and a path, the path that this one probably has now.
pub(super) type Guess<'g> = dyn Fn(&BTreeMap<String, String>, &str) -> Option<String> + 'g;

impl Default for RenameOptions<'_> {
    /// What Git does where differences are shown.
    fn default() -> Self {
        RenameOptions {
            only_to: None,
            empty: true,
            limit: 1000,
            worth: None,
            guess: None,
            version: GitVersion::default(),
        }
    }
}

/// The files that moved, by the new path: the old path.
pub(super) fn find_renames(
    changes: &[TreeChange],
    options: RenameOptions<'_>,
) -> BTreeMap<String, String> {
    let counts = |entry: &Entry| options.empty || entry.id() != Blob::new(&b""[..]).id();
    let wanted = |path: &str| options.only_to.is_none_or(|only| only == path);
    let mut search = Search { version: options.version, ..Search::default() };
    for change in changes {
        match (&change.old, &change.new) {
            (Some(old), None) if counts(old) => search.removed.push(File::new(&change.path, old)),
            (None, Some(new)) if counts(new) && wanted(&change.path) => {
                search.added.push(File::new(&change.path, new))
            }
            _ => {}
        }
    }
    search.pair_same_content();
    let worth = |path: &str| options.worth.is_none_or(|worth| worth.contains(path));
    search.pair_same_names(&worth, options.guess);
    search.pair_similar(&worth, options.limit);
    search.paths()
}

#[derive(Default)]
struct Search<'c> {
    version: GitVersion,
    removed: Vec<File<'c>>,
    added: Vec<File<'c>>,
    /// Added to removed, by place in the lists.
    pairs: BTreeMap<usize, usize>,
    used: BTreeSet<usize>,
    pieces: BTreeMap<(bool, usize), BTreeMap<u32, u64>>,
}

#[derive(Clone, Copy)]
struct File<'c> {
    path: &'c str,
    entry: &'c Entry,
}

impl<'c> File<'c> {
    fn new(path: &'c str, entry: &'c Entry) -> Self {
        File { path, entry }
    }

    fn name(&self) -> &'c str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// The content of a regular file.
    fn content(&self) -> Option<&'c [u8]> {
        match self.entry {
            Entry::File(Mode::Regular | Mode::Executable, blob) => Some(blob.as_bytes()),
            _ => None,
        }
    }
}

impl Search<'_> {
    /// Of several removed files of that content, one of the same name is taken, else the first.
    fn pair_same_content(&mut self) {
        let mut by_id: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (from, file) in self.removed.iter().enumerate() {
            by_id.entry(file.entry.id()).or_default().push(from);
        }
        for to in 0..self.added.len() {
            let file = self.added[to];
            let fits = |from: &usize| {
                let other = self.removed[*from];
                let kind = other.content().is_some() == file.content().is_some();
                let same_mode = file.content().is_some() || other.entry.mode() == file.entry.mode();
                kind && same_mode && !self.used.contains(from)
            };
            let known = by_id.get(&file.entry.id()).into_iter().flatten().copied();
            let fitting: Vec<usize> = known.filter(fits).take(100).collect();
            let named = fitting.iter().find(|from| self.removed[**from].name() == file.name());
            if let Some(from) = named.or(fitting.first()).copied() {
                self.pair(from, to);
            }
        }
    }

    /// Files whose name is unique on both sides, or that are where their folder went.
    fn pair_same_names(&mut self, worth: &dyn Fn(&str) -> bool, guess: Option<&Guess<'_>>) {
        let same_content = self.paths();
        let open_from: Vec<usize> = self.open_removed(&|_| true);
        let removed = unique_names(&self.removed, &open_from);
        let open_to = self.open_added();
        let added = unique_names(&self.added, &open_to);
        let at: BTreeMap<&str, usize> =
            open_to.iter().map(|to| (self.added[*to].path, *to)).collect();
        for from in open_from {
            let file = self.removed[from];
            if !worth(file.path) {
                continue;
            }
            let Some(named) = added.get(file.name()) else { continue };
            let unique = removed.get(file.name()).copied().flatten().and(*named);
            let guessed = || guess.and_then(|guess| guess(&same_content, file.path));
            let to = unique.or_else(|| at.get(guessed()?.as_str()).copied());
            let Some(to) = to.filter(|to| !self.pairs.contains_key(to)) else { continue };
            if self.similarity(from, to) >= SIMILAR_AND_SAME_NAME {
                self.pair(from, to);
            }
        }
    }

    fn open_removed(&self, worth: &dyn Fn(&str) -> bool) -> Vec<usize> {
        let open = |at: &usize| !self.used.contains(at) && worth(self.removed[*at].path);
        (0..self.removed.len()).filter(open).collect()
    }

    fn open_added(&self) -> Vec<usize> {
        (0..self.added.len()).filter(|at| !self.pairs.contains_key(at)).collect()
    }

    fn paths(&self) -> BTreeMap<String, String> {
        let path = |(to, from): (&usize, &usize)| {
            (self.added[*to].path.into(), self.removed[*from].path.into())
        };
        self.pairs.iter().map(path).collect()
    }

    fn pair_similar(&mut self, worth: &dyn Fn(&str) -> bool, limit: usize) {
        let (from, to) = (self.open_removed(worth), self.open_added());
        if from.len().saturating_mul(to.len()) > limit.saturating_mul(limit) {
            return;
        }
        let mut candidates: Vec<Candidate> = Vec::new();
        for to in to {
            let mut best = Vec::new();
            for from in &from {
                let (score, named) = (
                    self.similarity(*from, to),
                    self.removed[*from].name() == self.added[to].name(),
                );
                keep_best(&mut best, Candidate { score, named, from: *from, to });
            }
            candidates.extend(best);
        }
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.rank()));
        for Candidate { score, from, to, .. } in candidates {
            if score >= SIMILAR && !self.used.contains(&from) && !self.pairs.contains_key(&to) {
                self.pair(from, to);
            }
        }
    }

    fn pair(&mut self, from: usize, to: usize) {
        self.used.insert(from);
        self.pairs.insert(to, from);
    }

    /// How much of the larger file both have, of [`SAME`].
    fn similarity(&mut self, from: usize, to: usize) -> u64 {
        let (removed, added) = (self.removed[from].content(), self.added[to].content());
        let (Some(old), Some(new)) = (removed, added) else { return 0 };
        let (larger, smaller) = (old.len().max(new.len()) as u64, old.len().min(new.len()) as u64);
        if larger * (SAME - SIMILAR) < (larger - smaller) * SAME || new.is_empty() {
            return 0;
        }
        self.pieces.entry((false, from)).or_insert_with(|| pieces(old, self.version));
        self.pieces.entry((true, to)).or_insert_with(|| pieces(new, self.version));
        let (one, two) = (&self.pieces[&(false, from)], &self.pieces[&(true, to)]);
        let shared: u64 = one
            .iter()
            .map(|(hash, count)| two.get(hash).map_or(0, |other| *count.min(other)))
            .sum();
        shared * SAME / larger
    }
}

/// The files of each name; none where there are several.
fn unique_names<'c>(files: &[File<'c>], of: &[usize]) -> BTreeMap<&'c str, Option<usize>> {
    let mut names = BTreeMap::new();
    for at in of {
        names.entry(files[*at].name()).and_modify(|place| *place = None).or_insert(Some(*at));
    }
    names
}

#[derive(Clone, Copy)]
struct Candidate {
    score: u64,
    named: bool,
    from: usize,
    to: usize,
}

impl Candidate {
    fn rank(&self) -> (u64, bool) {
        (self.score, self.named)
    }
}

/// Keeps the best few in their places: a better one takes the place of the worst.
fn keep_best(best: &mut Vec<Candidate>, new: Candidate) {
    if best.len() < CANDIDATES {
        return best.push(new);
    }
    let mut worst = 0;
    for at in 1..best.len() {
        if best[at].rank() < best[worst].rank() {
            worst = at;
        }
    }
    if best[worst].rank() < new.rank() {
        best[worst] = new;
    }
}

/// A content in pieces of a line or 64 bytes: how many bytes there are of each. The CR of a CR LF in a
/// text does not count, nor, before Git 2.44, a line at the end that is not ended.
fn pieces(content: &[u8], version: GitVersion) -> BTreeMap<u32, u64> {
    let is_text = !is_binary(content);
    let mut counts = BTreeMap::new();
    let (mut one, mut two, mut len) = (0u32, 0u32, 0u64);
    for (at, byte) in content.iter().enumerate() {
        if is_text && *byte == b'\r' && content.get(at + 1) == Some(&b'\n') {
            continue;
        }
        let before = one;
        one = (one << 7) ^ (two >> 25);
        two = (two << 7) ^ (before >> 25);
        one = one.wrapping_add(u32::from(*byte));
        len += 1;
        let is_last = at + 1 == content.len() && version >= GitVersion(2, 44);
        if len == 64 || *byte == b'\n' || is_last {
            let hash = one.wrapping_add(two.wrapping_mul(0x61)) % 107_927;
            *counts.entry(hash).or_default() += len;
            (one, two, len) = (0, 0, 0);
        }
    }
    counts
}
