//! `git-receive-pack`: a push as it comes in, and the report that goes back.

use std::collections::BTreeSet;

use super::pkt::{Answer, Band, Packets};
use super::{PackError, WireError};
use crate::git::forge::{Pushed, Refusal};
use crate::git::{ObjectId, RefUpdate, Repository, pack};

/// A push: which references are to move, and a pack with what the other side lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push<'r> {
    /// The references, in the order asked for.
    pub updates: Vec<RefUpdate>,
    /// Whether it is all of them or none.
    pub atomic: bool,
    by_band: bool,
    report: bool,
    shallow: BTreeSet<ObjectId>,
    pack: &'r [u8],
}

impl<'r> Push<'r> {
    /// Takes the request of a client apart.
    ///
    /// # Errors
    ///
    /// When it makes no sense or is cut off.
    pub fn read(request: &'r [u8]) -> Result<Self, WireError> {
        let mut packets = Packets::of(request);
        let lines = packets.lines()?;
        let mut push = Push {
            updates: Vec::new(),
            atomic: false,
            by_band: false,
            report: false,
            shallow: BTreeSet::new(),
            pack: packets.rest(),
        };
        for line in lines {
            push.line(line)
                .ok_or_else(|| WireError::Unexpected(line.chars().take(100).collect()))?;
        }
        Ok(push)
    }

    fn line(&mut self, line: &str) -> Option<()> {
        if let Some(id) = line.strip_prefix("shallow ") {
            self.shallow.insert(id.parse().ok()?);
            return Some(());
        }
        let (command, abilities) = line.split_once('\0').unwrap_or((line, ""));
        for word in abilities.split_whitespace() {
            match word {
                "atomic" => self.atomic = true,
                "side-band-64k" => self.by_band = true,
                "report-status" => self.report = true,
                _ => {}
            }
        }
        let mut words = command.splitn(3, ' ');
        let mut id = || words.next()?.parse::<ObjectId>().ok();
        let (old, new) = (id()?, id()?);
        let some = |id: ObjectId| Some(id).filter(|id| *id != ObjectId::default());
        let name = words.next()?.to_owned();
        self.updates.push(RefUpdate { name, old: some(old), new: some(new), force: true });
        Some(())
    }

    /// The repository with the objects of the push, its references as they are.
    ///
    /// # Errors
    ///
    /// When the pack is damaged or too large, lacks an object, or has one that no Git writes.
    pub fn unpack(&self, repository: &Repository) -> Result<Repository, PackError> {
        if self.updates.iter().all(|update| update.new.is_none()) {
            return Ok(repository.clone());
        }
        let named: Vec<ObjectId> = self.updates.iter().filter_map(|update| update.new).collect();
        pack::unpack(self.pack, repository, &named, pack::Limits::WIRE)
    }

    /// The report on a push whose objects were taken in: reference by reference, and what the forge says.
    pub fn report(&self, pushed: &Pushed) -> Vec<u8> {
        let said = pushed.reports.iter().filter_map(|report| match &report.refusal {
            Some(Refusal::Remote { said, .. }) => Some(said.iter()),
            _ => None,
        });
        let said: String = said.flatten().map(|line| format!("{line}\n")).collect();
        let mut report = Answer::default();
        report.line("unpack ok");
        for done in &pushed.reports {
            let name = &done.update.name;
            match &done.refusal {
                None => report.line(&format!("ok {name}")),
                Some(Refusal::Remote { reason, .. }) => report.line(&format!("ng {name} {reason}")),
                Some(Refusal::Rejected(why)) => report.line(&format!("ng {name} {why}")),
            };
        }
        self.wrap(report, &said)
    }

    /// The report on a push of which nothing was taken in.
    pub fn refuse(&self, why: &PackError) -> Vec<u8> {
        let mut report = Answer::default();
        report.line(&format!("unpack {why}"));
        for update in &self.updates {
            report.line(&format!("ng {} unpacker error", update.name));
        }
        self.wrap(report, &format!("fatal: {why}\n"))
    }

    fn wrap(&self, mut report: Answer, said: &str) -> Vec<u8> {
        report.flush();
        let report = if self.report { report.into_bytes() } else { Vec::new() };
        if !self.by_band {
            return report;
        }
        let mut answer = Answer::default();
        answer.band(Band::Progress, said.as_bytes()).band(Band::Data, &report).flush();
        answer.into_bytes()
    }
}
