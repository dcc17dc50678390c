//! What a client wants, and what it has.

use std::collections::BTreeSet;

use super::WireError;
use super::advertise::peeled;
use super::pkt::{Answer, Band};
use super::select::{Client, Selection};
use super::shallow::{Cut, Reach, own};
use crate::git::{ObjectId, Repository, pack};

/// A request for objects.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) wants: Vec<ObjectId>,
    pub(super) haves: Vec<ObjectId>,
    /// Where the client's own history is cut off.
    pub(super) shallow: BTreeSet<ObjectId>,
    pub(super) done: bool,
    cut: Cut,
    is_relative: bool,
    include_tag: bool,
    no_progress: bool,
}

impl Wish {
    /// Takes in a line of a request.
    pub(super) fn take(&mut self, line: &str, repository: &Repository) -> Result<(), WireError> {
        let unexpected = || WireError::Unexpected(line.chars().take(100).collect());
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let id = || rest.parse::<ObjectId>().map_err(|_| unexpected());
        let number = || rest.parse::<u64>().map_err(|_| unexpected());
        match word {
            "want" => self.wants.push(id()?),
            "have" => self.haves.push(id()?),
            "shallow" => drop(self.shallow.insert(id()?)),
            "deepen" => self.cut = Cut::Depth(u32::try_from(number()?).unwrap_or(u32::MAX)),
            "deepen-since" => *self.cut.after().0 = Some(number()?),
            "deepen-not" => {
                let commit = repository.resolve_commit(rest).map_err(|_| unexpected())?;
                self.cut.after().1.push(commit);
            }
            "done" => self.done = true,
            option => return self.option(option).ok_or_else(unexpected),
        }
        Ok(())
    }

    /// Takes in a word that asks for something; those that ask for nothing we do are passed over.
    pub(super) fn option(&mut self, word: &str) -> Option<()> {
        match word {
            "deepen-relative" => self.is_relative = true,
            "include-tag" => self.include_tag = true,
            "no-progress" => self.no_progress = true,
            "thin-pack" | "ofs-delta" => {}
            _ => return None,
        }
        Some(())
    }

    /// Whether every object that is wanted is here.
    pub(super) fn check(&self, repository: &Repository) -> Result<(), WireError> {
        let missing = self.wants.iter().find(|id| repository.find_object(**id).is_none());
        missing.map_or(Ok(()), |id| Err(WireError::NotOurRef(*id)))
    }

    /// Those that the client has and that are here.
    pub(super) fn common(&self, repository: &Repository) -> Vec<ObjectId> {
        let is_here = |id: &&ObjectId| repository.objects.get(**id).is_some();
        self.haves.iter().filter(is_here).copied().collect()
    }

    /// Whether so much is known to be common that everything wanted leads to it.
    pub(super) fn is_ready(&self, repository: &Repository, common: &[ObjectId]) -> bool {
        let common: BTreeSet<ObjectId> = common.iter().copied().collect();
        !common.is_empty() && self.wants.iter().all(|want| leads_to(repository, *want, &common))
    }

    /// Whether the client asks for a part of the history.
    pub(super) fn is_cut(&self) -> bool {
        self.cut != Cut::Nowhere
    }

    /// What of the history is sent.
    pub(super) fn reach(&self, repository: &Repository) -> Reach {
        let tips: Vec<ObjectId> =
            self.wants.iter().map(|id| peeled(repository, *id).unwrap_or(*id)).collect();
        let cut = match &self.cut {
            Cut::Depth(more) if self.is_relative => &Cut::Deeper(*more),
            cut => cut,
        };
        Reach::of(repository, &tips, cut, &self.shallow)
    }

    /// The lines about where the client's history is cut off from now on; none where nothing about that
    /// was asked, and there is nothing to tell.
    pub(super) fn shallow_info(&self, repository: &Repository, reach: &Reach) -> Vec<String> {
        if !self.is_cut() && own(repository).is_empty() {
            return Vec::new();
        }
        let new = reach.boundary.difference(&self.shallow).map(|id| format!("shallow {id}"));
        let whole = self
            .shallow
            .iter()
            .filter(|id| reach.commits.contains(id) && !reach.boundary.contains(id));
        new.chain(whole.map(|id| format!("unshallow {id}"))).collect()
    }

    /// The pack, in packets by band or as it is.
    pub(super) fn pack(
        &self,
        repository: &Repository,
        common: &[ObjectId],
        reach: &Reach,
        by_band: bool,
        answer: &mut Answer,
    ) {
        let client = Client { haves: common, shallow: &self.shallow };
        let selection = Selection::of(repository, &self.wants, &client, reach, self.include_tag);
        let pack = pack::encode(&selection.objects);
        if !by_band {
            answer.raw(&pack);
            return;
        }
        if !self.no_progress {
            let count = selection.objects.len();
            let told = format!(
                "Enumerating objects: {count}, done.\nTotal {count} (delta 0), reused 0 (delta 0)\n"
            );
            answer.band(Band::Progress, told.as_bytes());
        }
        answer.band(Band::Data, &pack).flush();
    }
}

impl Cut {
    fn after(&mut self) -> (&mut Option<u64>, &mut Vec<ObjectId>) {
        if !matches!(self, Cut::After(..)) {
            *self = Cut::After(None, Vec::new());
        }
        match self {
            Cut::After(since, not) => (since, not),
            _ => unreachable!("it was made so"),
        }
    }
}

/// Whether a commit is one of these or comes after one.
fn leads_to(repository: &Repository, from: ObjectId, to: &BTreeSet<ObjectId>) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![peeled(repository, from).unwrap_or(from)];
    while let Some(id) = open.pop() {
        if to.contains(&id) {
            return true;
        }
        if seen.insert(id) {
            open.extend(repository.parents(id));
        }
    }
    false
}
