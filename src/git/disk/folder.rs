//! A folder as a tree, as `git add --all` would take it.

use std::fs;
use std::path::Path;

use super::{DEEPEST, DiskError, LARGEST_FILE, MOST_BYTES, MOST_FILES};
use crate::git::{Blob, Entry, Ignore, Mode, Tree};

/// Reads a folder: every file but those that a `.gitignore` in it leaves out, symbolic links as links.
///
/// # Errors
///
/// When something cannot be read, is larger than [`LARGEST_FILE`], or has a name that is no UTF-8; when
/// there are more files than [`MOST_FILES`], together they are larger than [`MOST_BYTES`], or folders are
/// nested deeper than [`DEEPEST`].
pub fn read_folder(path: &Path) -> Result<Tree, DiskError> {
    let mut walk = Walk { root: path, files: 0, bytes: 0 };
    if !path.is_dir() {
        let what = if path.exists() { "is no folder" } else { "there is no such folder" };
        return Err(DiskError::new(path, what));
    }
    walk.folder("", &Ignore::default(), Tree::default())
}

struct Walk<'a> {
    root: &'a Path,
    files: usize,
    bytes: u64,
}

impl Walk<'_> {
    fn folder(&mut self, prefix: &str, ignore: &Ignore, tree: Tree) -> Result<Tree, DiskError> {
        let here = self.root.join(prefix);
        if prefix.split('/').count() > DEEPEST {
            return Err(self.too_much(&format!("{DEEPEST} folders within each other")));
        }
        let ignore = match read_rules(&here.join(".gitignore"))? {
            Some(rules) => ignore.clone().and(Ignore::parse_in(prefix, &rules)),
            None => ignore.clone(),
        };
        let mut names = names_in(&here)?;
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
        let (mode, content) = if is_link {
            self.weigh(&on_disk, 0)?;
            let target = fs::read_link(&on_disk).map_err(of_io)?;
            (Mode::Symlink, target.to_string_lossy().into_owned().into_bytes())
        } else {
            let meta = fs::metadata(&on_disk).map_err(of_io)?;
            if !meta.is_file() {
                // Pipes and sockets are not Git's business, and reading one may never end.
                return Ok(tree.clone());
            }
            self.weigh(&on_disk, meta.len())?;
            (mode_of(&meta), fs::read(&on_disk).map_err(of_io)?)
        };
        tree.with(path, Entry::File(mode, Blob::from(content)))
            .map_err(|error| DiskError::new(&on_disk, error.to_string()))
    }

    /// Counts a file of this size before it is read.
    fn weigh(&mut self, path: &Path, size: u64) -> Result<(), DiskError> {
        self.files += 1;
        self.bytes += size;
        match () {
            () if size > LARGEST_FILE => {
                let (is, may) = (size >> 20, LARGEST_FILE >> 20);
                Err(DiskError::new(path, format!("the file has {is} MiB; {may} MiB is the limit"))
                    .with_remedy("move it out, or name it in .gitignore"))
            }
            () if self.files > MOST_FILES => Err(self.too_much(&format!("{MOST_FILES} files"))),
            () if self.bytes > MOST_BYTES => {
                Err(self.too_much(&format!("{} GiB of files", MOST_BYTES >> 30)))
            }
            () => Ok(()),
        }
    }

    fn too_much(&self, most: &str) -> DiskError {
        DiskError::new(self.root, format!("there are more than {most}"))
            .with_remedy("name the folder that holds the manifests")
    }
}

/// The text of a `.gitignore`; like Git, no link is followed to it, and what is no file is none.
fn read_rules(path: &Path) -> Result<Option<String>, DiskError> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() <= LARGEST_FILE => {
            let rules = fs::read(path).map_err(|error| DiskError::of_io(path, &error))?;
            Ok(Some(String::from_utf8_lossy(&rules).into_owned()))
        }
        _ => Ok(None),
    }
}

fn names_in(folder: &Path) -> Result<Vec<(String, fs::FileType)>, DiskError> {
    let of_io = |error: std::io::Error| DiskError::of_io(folder, &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(of_io)? {
        let entry = entry.map_err(of_io)?;
        let name = entry.file_name().into_string().map_err(|name| {
            DiskError::new(&folder.join(name), "the name is not UTF-8").with_remedy("rename it")
        })?;
        names.push((name, entry.file_type().map_err(of_io)?));
    }
    Ok(names)
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
