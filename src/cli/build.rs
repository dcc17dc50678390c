//! `driftlab build`: prints what a kustomization comes to, as `kubectl kustomize` does.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use driftlab::git::{Blob, Entry, Mode, Tree};
use driftlab::manifest::{self, build_from, yaml};
use driftlab::scenario;

use super::{Exit, Mistake, help, print};

const USAGE: &str = "\
Print the objects of the kustomization in DIR as YAML documents, to the byte as 'kubectl kustomize'.

usage: driftlab build DIR

Nothing is fetched: remote bases and Helm charts are refused by name. Exit codes: 0 it is built, 2 a
mistake in the files.
";

/// Files larger than this are not read: no object holds as much.
const MAX_BYTES: u64 = 32 << 20;

/// Runs `driftlab build …`.
pub(crate) fn main(args: &mut lexopt::Parser) -> Exit {
    use lexopt::Arg::{Long, Short, Value};
    let mut folder = None;
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return help(USAGE),
            Value(value) if folder.is_none() => folder = Some(PathBuf::from(value)),
            other => return Err(other.unexpected().into()),
        }
    }
    build(&folder.ok_or_else(|| Mistake("build what? Name the folder of a kustomization".into()))?)
}

/// A kustomization may reach beside its folder: paths count from the top of the disk.
fn build(folder: &Path) -> Exit {
    let there = folder.canonicalize().map_err(|error| unreadable(folder, &error))?;
    let Some(top) = there.to_str().map(|path| path.trim_start_matches('/').to_owned()) else {
        return Err(Mistake(format!("{}: the path is not UTF-8; rename it", there.display())));
    };
    let trouble = RefCell::new(None);
    let read = |path: &str| entry(&Path::new("/").join(path), &trouble);
    let built = build_from(&read, &top);
    if let Some(trouble) = trouble.take() {
        return Err(trouble);
    }
    let built = built.map_err(|mistake| Mistake(told(mistake)))?;
    for warning in &built.warnings {
        anstream::eprintln!("driftlab: warning: {}", from_here(&format!("/{warning}")));
    }
    let documents: Vec<String> =
        built.objects.iter().map(|object| yaml::to_string(object.as_value())).collect();
    print(&documents.join("---\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// A mistake with its line; paths count from the current folder.
fn told(mistake: manifest::Mistake) -> String {
    let path = format!("/{}", mistake.file);
    let text = std::fs::read_to_string(&path).ok();
    let mistake = manifest::Mistake { file: path, ..mistake };
    from_here(&scenario::Mistake::in_manifest(mistake, text.as_deref()).to_string())
}

/// A message without the way from the top of the disk to the current folder.
fn from_here(message: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    match here.to_str().map(|here| here.trim_matches('/')) {
        None | Some("") => message.to_owned(),
        Some(here) => message.replace(&format!("/{here}/"), "").replace(&format!("{here}/"), ""),
    }
}

/// What stands at a path; what can't be read is noted, and taken for missing.
fn entry(path: &Path, trouble: &RefCell<Option<Mistake>>) -> Option<Entry> {
    let about = path.symlink_metadata().ok()?;
    if about.is_dir() {
        return Some(Entry::Folder(Tree::default()));
    }
    let content = if about.is_symlink() {
        path.read_link().map(|target| target.into_os_string().into_encoded_bytes())
    } else if about.len() > MAX_BYTES {
        let message = format!("{} MiB; at most {} are read", about.len() >> 20, MAX_BYTES >> 20);
        Err(std::io::Error::other(message))
    } else {
        std::fs::read(path)
    };
    let mode = if about.is_symlink() { Mode::Symlink } else { Mode::Regular };
    match content {
        Ok(content) => Some(Entry::File(mode, Blob::new(content))),
        Err(error) => {
            trouble.replace(Some(unreadable(path, &error)));
            None
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Mistake {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        _ => error.to_string(),
    };
    Mistake(format!("{}: {message}\n  = name a folder and files that can be read", path.display()))
}
