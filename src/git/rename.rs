//! Files that moved: pairs of a removed and an added file whose contents are alike, as Git pairs them.
//!
//! Git remembers no renames. It takes a removed and an added file of the same content for one that
//! moved; then files of the same name in another folder if they are similar enough; then the most
//! similar of what is left (`diffcore-rename`).

use std::collections::{BTreeMap, BTreeSet};

use super::{Blob, Entry, Mode, TreeChange, is_binary};

/// The score of equal contents.
const SAME: u64 = 60_000;
/// Half of the content is the same: the least that counts as a rename.
const SIMILAR: u64 = SAME / 2;
/// What is asked of files that kept their name, if that name is unique.
const SIMILAR_AND_SAME_NAME: u64 = SIMILAR + (SAME - SIMILAR) / 2;
/// How many candidates of each added file are kept.
const CANDIDATES: usize = 4;

/// Which files moved where.
#[derive(Clone, Copy, Debug)]
pub(super) struct RenameOptions<'p> {
    /// Only what this file was before is asked for.
    pub(super) only_to: Option<&'p str>,
    /// Empty files count.
    pub(super) empty: bool,
    /// Where more pairs than the square of this would have to be compared, none is.
    pub(super) limit: usize,
}

/// The files that moved, by the new path: the old path.
pub(super) fn find_renames(
    changes: &[TreeChange],
    options: RenameOptions<'_>,
) -> BTreeMap<String, String> {
    let counts = |entry: &Entry| options.empty || entry.id() != Blob::new(&b""[..]).id();
    let wanted = |path: &str| options.only_to.is_none_or(|only| only == path);
    let mut search = Search::default();
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
    search.pair_same_names();
    search.pair_similar(options.limit);
    search
        .pairs
        .into_iter()
        .map(|(to, from)| (search.added[to].path.into(), search.removed[from].path.into()))
        .collect()
}

#[derive(Default)]
struct Search<'c> {
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

    /// Files whose name is unique on both sides.
    fn pair_same_names(&mut self) {
        let open = |taken: &dyn Fn(usize) -> bool, files: &[File<'_>]| {
            let mut names: BTreeMap<String, Option<usize>> = BTreeMap::new();
            for (at, file) in files.iter().enumerate().filter(|(at, _)| !taken(*at)) {
                let place = names.entry(file.name().into());
                place.and_modify(|place| *place = None).or_insert(Some(at));
            }
            names
        };
        let removed = open(&|at| self.used.contains(&at), &self.removed);
        let added = open(&|at| self.pairs.contains_key(&at), &self.added);
        for (name, from) in removed {
            let to = added.get(&name).copied().flatten();
            if let Some((from, to)) = from.zip(to)
                && self.similarity(from, to) >= SIMILAR_AND_SAME_NAME
            {
                self.pair(from, to);
            }
        }
    }

    fn pair_similar(&mut self, limit: usize) {
        let from: Vec<usize> =
            (0..self.removed.len()).filter(|at| !self.used.contains(at)).collect();
        let to: Vec<usize> =
            (0..self.added.len()).filter(|at| !self.pairs.contains_key(at)).collect();
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
        candidates.sort_by(|a, b| b.rank().cmp(&a.rank()));
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
        self.pieces.entry((false, from)).or_insert_with(|| pieces(old));
        self.pieces.entry((true, to)).or_insert_with(|| pieces(new));
        let (one, two) = (&self.pieces[&(false, from)], &self.pieces[&(true, to)]);
        let shared: u64 = one
            .iter()
            .map(|(hash, count)| two.get(hash).map_or(0, |other| *count.min(other)))
            .sum();
        shared * SAME / larger
    }
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

/// A content in pieces of a line or 64 bytes: how many bytes there are of each. A line at the end
/// that is not ended does not count, and neither does the CR of a CR LF in a text.
fn pieces(content: &[u8]) -> BTreeMap<u32, u64> {
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
        if len == 64 || *byte == b'\n' {
            let hash = one.wrapping_add(two.wrapping_mul(0x61)) % 107_927;
            *counts.entry(hash).or_default() += len;
            (one, two, len) = (0, 0, 0);
        }
    }
    counts
}
