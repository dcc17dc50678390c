//! A folder as a tree, as `git add --all` would take it.

use std::fs;
use std::path::Path;

use super::{DiskError, LARGEST_FILE, MOST_FILES};
use crate::git::{Blob, Entry, Ignore, Mode, Tree};

/// Reads a folder: every file but those that a `.gitignore` in it leaves out, symbolic links as links.
///
/// # Errors
///
/// When something cannot be read, is larger than [`LARGEST_FILE`], or has a name that is no UTF-8; when
/// there are more files than [`MOST_FILES`].
pub fn read_folder(path: &Path) -> Result<Tree, DiskError> {
    let mut walk = Walk { root: path, files: 0 };
    if !path.is_dir() {
        let what = if path.exists() { "is no folder" } else { "there is no such folder" };
        return Err(DiskError::new(path, what));
    }
    walk.folder("", &Ignore::default(), Tree::default())
}

struct Walk<'a> {
    root: &'a Path,
    files: usize,
}

impl Walk<'_> {
    fn folder(&mut self, prefix: &str, ignore: &Ignore, tree: Tree) -> Result<Tree, DiskError> {
        let here = self.root.join(prefix);
        let ignore = match fs::read_to_string(here.join(".gitignore")) {
            Ok(rules) => ignore.clone().and(Ignore::parse_in(prefix, &rules)),
            Err(_) => ignore.clone(),
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&here).map_err(|error| DiskError::of_io(&here, &error))? {
            let entry = entry.map_err(|error| DiskError::of_io(&here, &error))?;
            let name = entry.file_name().into_string().map_err(|name| {
                DiskError::new(&here.join(name), "the name is not UTF-8").with_remedy("rename it")
            })?;
            let kind = entry.file_type().map_err(|error| DiskError::of_io(&here, &error))?;
            names.push((name, kind));
        }
        // The order of a folder is the disk's; ours is by name.
        names.sort_by(|a, b| a.0.cmp(&b.0));
        let mut tree = tree;
        for (name, kind) in names {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            if name.eq_ignore_ascii_case(".git") || ignore.matches(&path, kind.is_dir()) {
                continue;
            }
            tree = match kind.is_dir() {
                true => self.folder(&path, &ignore, tree)?,
                false => self.file(&path, kind.is_symlink(), &tree)?,
            };
        }
        Ok(tree)
    }

    fn file(&mut self, path: &str, is_link: bool, tree: &Tree) -> Result<Tree, DiskError> {
        let on_disk = self.root.join(path);
        let of_io = |error: std::io::Error| DiskError::of_io(&on_disk, &error);
        self.files += 1;
        if self.files > MOST_FILES {
            return Err(DiskError::new(
                self.root,
                format!("there are more than {MOST_FILES} files"),
            )
            .with_remedy("name the folder that holds the manifests"));
        }
        let (mode, content) = if is_link {
            let target = fs::read_link(&on_disk).map_err(of_io)?;
            (Mode::Symlink, target.to_string_lossy().into_owned().into_bytes())
        } else {
            let meta = fs::metadata(&on_disk).map_err(of_io)?;
            if !meta.is_file() {
                // Pipes and sockets are not Git's business, and reading one may never end.
                return Ok(tree.clone());
            }
            if meta.len() > LARGEST_FILE {
                return Err(too_large(&on_disk, meta.len()));
            }
            (mode_of(&meta), fs::read(&on_disk).map_err(of_io)?)
        };
        tree.with(path, Entry::File(mode, Blob::from(content)))
            .map_err(|error| DiskError::new(&on_disk, error.to_string()))
    }
}

fn too_large(path: &Path, size: u64) -> DiskError {
    let (is, may) = (size >> 20, LARGEST_FILE >> 20);
    DiskError::new(path, format!("the file has {is} MiB; {may} MiB is the limit"))
        .with_remedy("move it out, or name it in .gitignore")
}

#[cfg(unix)]
fn mode_of(meta: &fs::Metadata) -> Mode {
    use std::os::unix::fs::PermissionsExt;
    if meta.permissions().mode() & 0o100 == 0 { Mode::Regular } else { Mode::Executable }
}

#[cfg(not(unix))]
fn mode_of(_: &fs::Metadata) -> Mode {
    Mode::Regular
}
