//! The files a build reads: a tree, or whatever else answers to paths.

use super::fault::{Fault, Outcome};
use crate::git::{Entry, Mode, Tree};

/// More symbolic links than this in a row lead nowhere.
const MAX_LINKS: usize = 40;

/// Gives what stands at a path from the top; of folders only that they are there.
pub(super) type Read<'a> = dyn Fn(&str) -> Option<Entry> + 'a;

/// The files, and where they may be read from.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    read: &'a Read<'a>,
    /// Whether a kustomization may name files only in its own folder and below, as kubectl insists.
    stays_inside: bool,
}

/// What a path names.
pub(super) enum Found {
    /// A file: its path with links followed, and its content.
    File(String, Vec<u8>),
    /// A folder: its path with links followed.
    Folder(String),
    Nothing,
}

impl<'a> Files<'a> {
    pub(super) fn new(read: &'a Read<'a>, stays_inside: bool) -> Self {
        Files { read, stays_inside }
    }

    /// What `path`, written in a file of `folder`, names.
    pub(super) fn find(&self, folder: &str, path: &str) -> Outcome<Found> {
        if path.starts_with('/') {
            let message = format!("{path} is an absolute path");
            return Err(Fault::new(message, "write the path from the folder of the kustomization"));
        }
        if is_remote(path) {
            let message = format!("{path} is not here but on a server");
            return Err(Fault::new(message, "copy it into the repository and write its path"));
        }
        self.follow(join(folder, path)?, 0)
    }

    /// The content of the file that `path`, written in a file of `folder`, names; and its path.
    pub(super) fn file(&self, folder: &str, path: &str) -> Outcome<(String, Vec<u8>)> {
        match self.find(folder, path)? {
            Found::File(at, content) => {
                self.check_inside(folder, &at)?;
                Ok((at, content))
            }
            Found::Folder(_) => {
                Err(Fault::new(format!("{path} is a folder"), "write the path of a file"))
            }
            Found::Nothing => Err(missing(folder, path)),
        }
    }

    /// The text of a file, as [`Files::file`] finds it.
    pub(super) fn text(&self, folder: &str, path: &str) -> Outcome<(String, String)> {
        let (at, content) = self.file(folder, path)?;
        let text = String::from_utf8(content).map_err(|_| {
            Fault::new(format!("{at} is no text"), "write it in UTF-8, or leave it out")
        })?;
        Ok((at, text))
    }

    /// Refuses a file above or beside the folder, where only those in it and below may be read.
    pub(super) fn check_inside(&self, folder: &str, file: &str) -> Outcome {
        if !self.stays_inside || is_within(folder, file) {
            return Ok(());
        }
        let message = format!("{file} is not in or below {}", shown(folder));
        Err(Fault::new(message, "move it there, or make its folder a kustomization and list that"))
    }

    fn follow(&self, path: String, links: usize) -> Outcome<Found> {
        if let Some(found) = self.through_link(&path, links)? {
            return Ok(found);
        }
        match (self.read)(&path) {
            Some(Entry::File(Mode::Symlink, blob)) => {
                let target = String::from_utf8_lossy(blob.as_bytes()).into_owned();
                self.follow(self.linked(parent(&path), &target, links)?, links + 1)
            }
            Some(Entry::File(_, blob)) => Ok(Found::File(path, blob.as_bytes().to_vec())),
            Some(Entry::Folder(_)) => Ok(Found::Folder(path)),
            Some(Entry::Submodule(_)) | None => Ok(Found::Nothing),
        }
    }

    /// A folder on the way that is a link: where it leads.
    fn through_link(&self, path: &str, links: usize) -> Outcome<Option<Found>> {
        for (at, _) in path.match_indices('/') {
            let Some(Entry::File(Mode::Symlink, blob)) = (self.read)(&path[..at]) else { continue };
            let target = String::from_utf8_lossy(blob.as_bytes()).into_owned();
            let real = self.linked(parent(&path[..at]), &target, links)?;
            return self.follow(join(&real, &path[at + 1..])?, links + 1).map(Some);
        }
        Ok(None)
    }

    fn linked(&self, folder: &str, target: &str, links: usize) -> Outcome<String> {
        if links >= MAX_LINKS {
            let message = format!("the symbolic link to {target} leads in a circle");
            return Err(Fault::new(message, "make it point to a file"));
        }
        if target.starts_with('/') {
            let message = format!("a symbolic link leads out of the tree, to {target}");
            return Err(Fault::new(message, "make it relative"));
        }
        join(folder, target)
    }
}

/// Reads from a tree.
pub(super) fn of_tree(tree: &Tree) -> impl Fn(&str) -> Option<Entry> + '_ {
    |path| tree.get(path)
}

/// `path` as seen from `folder`, without `.` and `..`.
pub(super) fn join(folder: &str, path: &str) -> Outcome<String> {
    let mut names: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                if names.pop().is_none() {
                    let message = format!("{path} leads out of the tree");
                    return Err(Fault::new(message, "name only what is in the repository"));
                }
            }
            name => names.push(name),
        }
    }
    Ok(names.join("/"))
}

/// Whether `path` is `folder` or lies below it.
pub(super) fn is_within(folder: &str, path: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The folder that holds what stands at a path.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The path of a folder for people: the top is `.`.
pub(super) fn shown(folder: &str) -> &str {
    if folder.is_empty() { "." } else { folder }
}

/// That nothing stands at a path.
pub(super) fn missing(folder: &str, path: &str) -> Fault {
    let seen_from = join(folder, path).unwrap_or_else(|_| path.into());
    Fault::new(format!("there is no {}", shown(&seen_from)), "correct the path, or add the file")
}

/// Whether a path is what kustomize would fetch: a URL, or a repository on a known host.
fn is_remote(path: &str) -> bool {
    path.contains("://")
        || path.starts_with("git@")
        || path.contains("?ref=")
        || ["github.com/", "gitlab.com/", "bitbucket.org/"]
            .iter()
            .any(|host| path.starts_with(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_without_leaving_the_tree() {
        let check = |folder: &str, path: &str, joined: Option<&str>| {
            assert_eq!(join(folder, path).ok().as_deref(), joined, "{folder} {path}");
        };
        check("a/b", "../c.yaml", Some("a/c.yaml"));
        check("a", "./b//c/", Some("a/b/c"));
        check("a", "..", Some(""));
        check("a", "../..", None);
    }

    #[test]
    fn links_are_followed_and_circles_refused() {
        let link = |target: &str| Entry::File(Mode::Symlink, target.into());
        let tree = Tree::from_files([("real/a.yaml", "text")]).unwrap();
        let tree = tree.with("folder", link("real")).unwrap();
        let tree = tree.with("file", link("folder/a.yaml")).unwrap();
        let tree = tree.with("circle", link("circle")).unwrap();
        let tree = tree.with("out", link("/etc/passwd")).unwrap();
        let read = of_tree(&tree);
        let files = Files::new(&read, false);
        for path in ["real/a.yaml", "folder/a.yaml", "file"] {
            assert_eq!(
                files.text("", path).unwrap(),
                ("real/a.yaml".into(), "text".into()),
                "{path}"
            );
        }
        assert!(files.text("", "circle").is_err());
        assert!(files.text("", "out").is_err());
    }

    #[test]
    fn files_outside_the_folder_are_refused_where_that_is_asked_for() {
        let tree = Tree::from_files([("a.yaml", ""), ("k/b.yaml", ""), ("kk/c.yaml", "")]).unwrap();
        let read = of_tree(&tree);
        let check = |path: &str, inside: bool| {
            assert_eq!(Files::new(&read, true).text("k", path).is_ok(), inside, "{path}");
            assert!(Files::new(&read, false).text("k", path).is_ok(), "{path}");
        };
        check("b.yaml", true);
        check("../k/b.yaml", true);
        check("../a.yaml", false);
        check("../kk/c.yaml", false);
    }
}
