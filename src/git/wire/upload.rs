//! `git-upload-pack`: what a fetch is answered.

use super::WireError;
use super::advertise::{Version, peeled};
use super::negotiate::Wish;
use super::pkt::{Answer, Packet, Packets};
use crate::git::{Head, ObjectId, Repository};

/// Answers a request of a client that fetches.
///
/// # Errors
///
/// When the request makes no sense, or asks for what is not here. The client is told by
/// [`WireError::packet`].
pub fn upload_pack(
    repository: &Repository,
    version: Version,
    request: &[u8],
) -> Result<Vec<u8>, WireError> {
    let mut answer = Answer::default();
    let mut packets = Packets::of(request);
    if version < Version::V2 {
        fetch_v0(repository, packets, &mut answer)?;
        return Ok(answer.into_bytes());
    }
    while let Some(packet) = packets.next()? {
        match packet {
            Packet::Flush => {}
            Packet::Line("command=ls-refs") => list(repository, &mut packets, &mut answer)?,
            Packet::Line("command=fetch") => fetch(repository, &mut packets, &mut answer)?,
            Packet::Line(other) => return Err(unexpected(other)),
            Packet::Delimiter => return Err(unexpected("0001")),
        }
    }
    Ok(answer.into_bytes())
}

impl WireError {
    /// The packet that tells it to a client, which prints it as `fatal: remote error: …`.
    pub fn packet(&self) -> Vec<u8> {
        let mut answer = Answer::default();
        answer.line(&format!("ERR {self}"));
        answer.into_bytes()
    }
}

/// The arguments of a command, past what the client can do.
fn arguments<'r>(packets: &mut Packets<'r>) -> Result<Vec<&'r str>, WireError> {
    let mut lines = packets.lines()?;
    lines.retain(|line| {
        !["agent=", "object-format=", "session-id=", "server-option="]
            .iter()
            .any(|key| line.starts_with(key))
    });
    Ok(lines)
}

fn list(
    repository: &Repository,
    packets: &mut Packets<'_>,
    answer: &mut Answer,
) -> Result<(), WireError> {
    let lines = arguments(packets)?;
    let asked = |word: &str| lines.contains(&word);
    let prefixes: Vec<&str> =
        lines.iter().filter_map(|line| line.strip_prefix("ref-prefix ")).collect();
    let wanted = |name: &str| prefixes.is_empty() || prefixes.iter().any(|p| name.starts_with(p));
    if wanted("HEAD") {
        let target = match repository.head() {
            Head::Branch(name) if asked("symrefs") => format!(" symref-target:refs/heads/{name}"),
            _ => String::new(),
        };
        match repository.head_id() {
            Some(id) => {
                answer.line(&format!("{id} HEAD{target}"));
            }
            None if asked("unborn") => {
                answer.line(&format!("unborn HEAD{target}"));
            }
            None => {}
        }
    }
    for (name, id) in repository.references().filter(|(name, _)| wanted(name)) {
        let tag = peeled(repository, id).filter(|_| asked("peel"));
        let tag = tag.map(|id| format!(" peeled:{id}")).unwrap_or_default();
        answer.line(&format!("{id} {name}{tag}"));
    }
    answer.flush();
    Ok(())
}

fn fetch(
    repository: &Repository,
    packets: &mut Packets<'_>,
    answer: &mut Answer,
) -> Result<(), WireError> {
    let mut wish = Wish::default();
    for line in arguments(packets)? {
        wish.take(line, repository)?;
    }
    wish.check(repository)?;
    let common = wish.common(repository);
    if !wish.done {
        answer.line("acknowledgments");
        if common.is_empty() {
            answer.line("NAK");
        }
        answer.lines(common.iter().map(|id| format!("ACK {id}")));
        if !wish.is_ready(repository, &common) {
            answer.flush();
            return Ok(());
        }
        answer.line("ready").delimiter();
    }
    let reach = wish.reach(repository);
    let info = wish.shallow_info(repository, &reach);
    if !info.is_empty() {
        answer.line("shallow-info");
        answer.lines(info);
        answer.delimiter();
    }
    answer.line("packfile");
    wish.pack(repository, &common, &reach, true, answer);
    Ok(())
}

/// A fetch in versions 0 and 1: wants, then haves in rounds, each of which ends with a flush.
fn fetch_v0(
    repository: &Repository,
    mut packets: Packets<'_>,
    answer: &mut Answer,
) -> Result<(), WireError> {
    let mut wish = Wish::default();
    let mut abilities = Vec::new();
    for line in packets.lines()? {
        let id = "want ".len() + 40;
        let (line, more) = match line.starts_with("want ") {
            true => line.split_at_checked(id).ok_or_else(|| unexpected(line))?,
            false => (line, ""),
        };
        wish.take(line, repository)?;
        abilities.extend(more.split_whitespace());
    }
    for word in &abilities {
        // What asks for nothing we do.
        let _ability = wish.option(word);
    }
    if wish.wants.is_empty() {
        return Ok(());
    }
    wish.check(repository)?;
    let reach = wish.reach(repository);
    if wish.is_cut() {
        let info = wish.shallow_info(repository, &reach);
        answer.lines(info);
        answer.flush();
    }
    let is_detailed = abilities.contains(&"multi_ack_detailed");
    acknowledge(repository, &mut wish, packets, is_detailed, answer)?;
    if wish.done {
        let common = wish.common(repository);
        let by_band = abilities.iter().any(|word| word.starts_with("side-band"));
        wish.pack(repository, &common, &reach, by_band, answer);
    }
    Ok(())
}

fn acknowledge(
    repository: &Repository,
    wish: &mut Wish,
    mut packets: Packets<'_>,
    is_detailed: bool,
    answer: &mut Answer,
) -> Result<(), WireError> {
    let mut common: Vec<ObjectId> = Vec::new();
    while let Some(packet) = packets.next()? {
        match packet {
            Packet::Flush if is_detailed || common.is_empty() => {
                answer.line("NAK");
            }
            Packet::Flush => {}
            Packet::Delimiter => return Err(unexpected("0001")),
            Packet::Line(line) => {
                let known = wish.haves.len();
                wish.take(line, repository)?;
                let new = wish.haves[known..].first().copied();
                let Some(id) = new.filter(|id| repository.objects.get(*id).is_some()) else {
                    continue;
                };
                common.push(id);
                match is_detailed {
                    true if wish.is_ready(repository, &common) => {
                        answer.line(&format!("ACK {id} ready"));
                    }
                    true => {
                        answer.line(&format!("ACK {id} common"));
                    }
                    false if common.len() == 1 => {
                        answer.line(&format!("ACK {id}"));
                    }
                    false => {}
                }
            }
        }
    }
    match common.last() {
        _ if !wish.done => {}
        Some(id) if is_detailed => {
            answer.line(&format!("ACK {id}"));
        }
        Some(_) => {}
        None => {
            answer.line("NAK");
        }
    }
    Ok(())
}

fn unexpected(what: &str) -> WireError {
    WireError::Unexpected(what.chars().take(100).collect())
}
