//! A pack taken into a repository, if nothing is missing then.

use super::PackError;
use super::read::{Limits, read};
use crate::git::raw::{Fault, build_onto};
use crate::git::{ObjectId, Repository};

/// The repository with the objects of a pack; of trees and blobs, those of commits and those that are named.
///
/// # Errors
///
/// When the pack is damaged or too large, lacks an object, or has one that no Git writes.
pub(in crate::git) fn unpack(
    pack: &[u8],
    repository: &Repository,
    named: &[ObjectId],
    limits: Limits,
) -> Result<Repository, PackError> {
    let raw = read(pack, repository, limits)?;
    let commits: Vec<ObjectId> = raw.commits.iter().map(|(id, _)| *id).collect();
    let tags: Vec<ObjectId> = raw.tags.iter().map(|(id, _)| *id).collect();
    let refused = |fault: Fault| PackError::Object(fault.to_string());
    let mut builder = build_onto(repository.clone(), raw).map_err(refused)?;
    for id in named {
        builder.keep_any(*id).map_err(refused)?;
    }
    let built = builder.repository;
    check_parents(&built, &commits)?;
    check_targets(&built, &tags)?;
    Ok(built)
}

/// Every commit follows some that are here.
fn check_parents(repository: &Repository, commits: &[ObjectId]) -> Result<(), PackError> {
    for id in commits {
        let Ok(commit) = repository.find_commit(*id) else { continue };
        let missing = commit.parents.iter().find(|id| repository.find_commit(**id).is_err());
        if let Some(parent) = missing {
            let why = format!("commit {id}: its parent {parent} is missing");
            return Err(PackError::Object(why));
        }
    }
    Ok(())
}

/// Every tag names something that is here, and of the kind it says.
fn check_targets(repository: &Repository, tags: &[ObjectId]) -> Result<(), PackError> {
    for id in tags {
        let Ok(tag) = repository.find_tag(*id) else { continue };
        let target = repository.objects.get(tag.target);
        if target.is_none_or(|object| object.kind() != tag.kind) {
            let (kind, target) = (tag.kind.name(), tag.target);
            let why = format!("tag {id}: it names {kind} {target}, which is missing");
            return Err(PackError::Object(why));
        }
    }
    Ok(())
}
