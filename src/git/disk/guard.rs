//! What `git` itself would wait for without end, looked for before it is started.
//!
//! Git opens what it finds in a repository, a pipe or a device too, and follows links among its
//! references in circles.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use super::DiskError;

/// Checks the files of a repository that Git would read.
///
/// # Errors
///
/// When one is a pipe or a device, or when a folder of references is a link.
pub(super) fn check(repository: &Path) -> Result<(), DiskError> {
    for folder in git_folders(repository) {
        check_folder(&folder, &|name| matches!(name, "objects" | "info"), false)?;
        check_folder(&folder.join("refs"), &|_| true, true)?;
    }
    Ok(())
}

/// Where Git looks: `.git`, or the folder itself if it is bare; for a working tree made by
/// `git worktree` the folders that its `.git` file leads to (gitrepository-layout(5)).
fn git_folders(repository: &Path) -> Vec<PathBuf> {
    let inside = repository.join(".git");
    if inside.is_dir() {
        return vec![inside];
    }
    let Some(own) = pointer(&inside, "gitdir: ") else { return vec![repository.into()] };
    let own = repository.join(own);
    let common = pointer(&own.join("commondir"), "").map(|common| own.join(common));
    common.into_iter().chain([own]).collect()
}

/// The path that a small file holds behind these words.
fn pointer(file: &Path, words: &str) -> Option<PathBuf> {
    let meta = fs::metadata(file).ok()?;
    let text = (meta.is_file() && meta.len() < 4096).then(|| fs::read_to_string(file).ok())??;
    Some(text.strip_prefix(words)?.trim_end_matches(['\n', '\r']).into())
}

/// Checks the files of a folder and of the folders in it that are wanted, all the way down.
fn check_folder(
    folder: &Path,
    wanted: &dyn Fn(&str) -> bool,
    are_references: bool,
) -> Result<(), DiskError> {
    // What is missing or may not be read is for Git to tell.
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        match what_is(&entry) {
            What::Folder if wanted(&entry.file_name().to_string_lossy()) => {
                check_folder(&path, &|_| true, are_references)?
            }
            What::LinkToFolder if are_references => {
                return Err(DiskError::new(&path, "a folder of references is a symbolic link")
                    .with_remedy("remove it"));
            }
            What::Endless => {
                return Err(DiskError::new(&path, "it is a pipe or a device, not a file")
                    .with_remedy("remove it"));
            }
            _ => {}
        }
    }
    Ok(())
}

enum What {
    Folder,
    LinkToFolder,
    /// Something whose reading may never end.
    Endless,
    File,
}

fn what_is(entry: &DirEntry) -> What {
    let Ok(kind) = entry.file_type() else { return What::File };
    if kind.is_file() || kind.is_dir() {
        return if kind.is_dir() { What::Folder } else { What::File };
    }
    match fs::metadata(entry.path()) {
        Ok(meta) if meta.is_dir() => What::LinkToFolder,
        Ok(meta) if is_endless(&meta) => What::Endless,
        _ => What::File,
    }
}

/// Sockets are not: opening one fails.
#[cfg(unix)]
fn is_endless(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    kind.is_fifo() || kind.is_char_device() || kind.is_block_device()
}

#[cfg(not(unix))]
fn is_endless(_: &fs::Metadata) -> bool {
    false
}
