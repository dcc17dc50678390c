//! Bundles as files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::import::{choose, stand_on};
use super::{DiskError, MOST_BYTES};
use crate::git::Repository;
use crate::git::bundle::{self, BundleError};

/// Writes everything that a reference or HEAD leads to into a bundle: one file, which `git clone` and
/// `git fetch` read.
///
/// # Errors
///
/// When there is something at the path already, it cannot be written, there is nothing to write, or the
/// history is cut off. Nothing is left behind then.
pub fn export_bundle(repository: &Repository, path: &Path) -> Result<(), DiskError> {
    let bytes = bundle::write(repository).map_err(|error| of_bundle(path, &error))?;
    let mut file = File::create_new(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            DiskError::new(path, "there is something already").with_remedy("name a new file")
        }
        _ => DiskError::of_io(path, &error),
    })?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|error| {
        // A part of it is of no use.
        let _ = fs::remove_file(path);
        DiskError::of_io(path, &error)
    })
}

/// Brings what a bundle holds, or these references of it.
pub(super) fn import(path: &Path, names: &[String]) -> Result<Repository, DiskError> {
    let of_io = |error: io::Error| DiskError::of_io(path, &error);
    let size = fs::metadata(path).map_err(of_io)?.len();
    if size > MOST_BYTES {
        let (is, may) = (size >> 20, MOST_BYTES >> 20);
        let message = format!("the bundle has {is} MiB; {may} MiB is the limit");
        return Err(DiskError::new(path, message).with_remedy(
            "make it of less: `git bundle create FILE --since=1.year main`, or of a shallow clone",
        ));
    }
    let bytes = fs::read(path).map_err(of_io)?;
    let mut repository = bundle::read(&bytes).map_err(|error| of_bundle(path, &error))?;
    if !names.is_empty() {
        keep_only(path, &mut repository, names)?;
    }
    Ok(repository)
}

fn keep_only(path: &Path, repository: &mut Repository, names: &[String]) -> Result<(), DiskError> {
    let all: Vec<String> = repository.references().map(|(name, _)| name.to_owned()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let wanted = choose(path, &all, names)?;
    for name in all.iter().filter(|name| !wanted.contains(name)) {
        repository.delete_reference(name);
    }
    let branch = repository.current_branch().map(str::to_owned);
    stand_on(path, repository, branch, &wanted)
}

fn of_bundle(path: &Path, error: &BundleError) -> DiskError {
    DiskError::new(path, error.to_string()).with_remedy(error.remedy())
}
