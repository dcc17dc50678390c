//! A repository on disk, object by object.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::NO_REPOSITORY;
use super::program::{answer, bare_git, failed, git, not_started, run, text};
use super::{DiskError, bundle, guard, objects};
use crate::git::raw::{Builder, DAMAGED, build};
use crate::git::{ObjectId, ObjectKind, Repository};

/// Brings the history of a repository on disk, bare or not, or of a bundle: everything that a reference or
/// HEAD leads to, whether loose, packed or borrowed from another repository. What is not committed stays
/// out. Of a shallow clone it is what was cloned: its oldest commits count as the first. [`Import`] brings
/// less of it, and tells how far it is.
///
/// # Errors
///
/// When it is no repository, is damaged, or holds what is not supported: objects named by SHA-256, a file
/// larger than [`LARGEST_FILE`](super::LARGEST_FILE), more than [`MOST_BYTES`](super::MOST_BYTES), folders
/// nested deeper than [`DEEPEST`](super::DEEPEST), or file names that are no UTF-8. Messages and people's
/// names that are no UTF-8 keep their bytes, and so their ids; only what is shown of them is approximate.
pub fn import(path: &Path) -> Result<Repository, DiskError> {
    Import::default().run(path)
}

/// What to bring of a repository or bundle, and whom to tell how far it is.
///
/// ```no_run
/// use driftlab::git::disk::{Import, Progress};
///
/// let mut tell = |progress: Progress| println!("{} objects", progress.objects);
/// let repository = Import::default().reference("main").progress(&mut tell).run("config".as_ref())?;
/// # Ok::<(), driftlab::git::disk::DiskError>(())
/// ```
#[derive(Default)]
pub struct Import<'i> {
    names: Vec<String>,
    tell: Option<&'i mut dyn FnMut(Progress)>,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many objects have been read.
    pub objects: u64,
    /// How many there are in the repository, of which not all need be reached; unknown of a bundle.
    pub of: Option<u64>,
}

impl<'i> Import<'i> {
    /// This reference, and others named so: of a branch or tag the name will do (`main`, `v1.0.0`,
    /// `refs/pull/1/head`). Without any, it is all of them and HEAD. Of those that are brought, HEAD is on
    /// the branch that it is on there; else on the first that is named, or detached at the first tag.
    #[must_use]
    pub fn reference(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Told now and then how far the import is.
    #[must_use]
    pub fn progress(self, tell: &'i mut dyn FnMut(Progress)) -> Self {
        Import { tell: Some(tell), ..self }
    }

    /// Brings it.
    ///
    /// # Errors
    ///
    /// As [`import`], and when there is no reference of a name.
    pub fn run(self, path: &Path) -> Result<Repository, DiskError> {
        match path.is_file() {
            true => bundle::import(path, &self.names),
            false => self.of_repository(path),
        }
    }

    fn of_repository(self, path: &Path) -> Result<Repository, DiskError> {
        check(path)?;
        let head = head(path)?;
        let listed = list_references(path)?;
        let all: Vec<&str> = listed.iter().map(|listed| listed.name.as_str()).collect();
        let wanted = choose(path, &all, &self.names)?;
        let mut tips = wanted.clone();
        if self.names.is_empty() {
            tips = vec!["--all"];
            tips.extend(head.is_some().then_some("HEAD"));
        }
        let mut builder = read(path, tips, self.tell)?;
        let is_wanted = |listed: &&Listed| wanted.contains(&listed.name.as_str());
        set_references(path, &mut builder, listed.iter().filter(is_wanted))?;
        match self.names.is_empty() {
            true => set_head(path, &mut builder.repository, head)?,
            false => stand_on(path, &mut builder.repository, branch(path)?, &wanted)?,
        }
        Ok(builder.repository)
    }
}

/// The references that these names stand for (gitrevisions(7)); all, if there are no names.
///
/// # Errors
///
/// When there is none of a name.
pub(super) fn choose<'r>(
    path: &Path,
    references: &[&'r str],
    names: &[String],
) -> Result<Vec<&'r str>, DiskError> {
    const PLACES: [&str; 5] = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
    if names.is_empty() {
        return Ok(references.to_vec());
    }
    let find = |name: &String| {
        let is_it =
            |place: &&str| references.iter().find(|full| **full == format!("{place}{name}"));
        PLACES.iter().find_map(is_it).copied().ok_or_else(|| no_reference(path, references, name))
    };
    names.iter().map(find).collect()
}

fn no_reference(path: &Path, references: &[&str], name: &str) -> DiskError {
    const FEW: usize = 10;
    let short = |name: &&str| {
        let places = ["refs/heads/", "refs/tags/"];
        places.iter().find_map(|place| name.strip_prefix(place)).unwrap_or(name).to_owned()
    };
    let mut there: Vec<String> = references.iter().take(FEW).map(short).collect();
    there.extend((references.len() > FEW).then(|| "…".to_owned()));
    let error = DiskError::new(path, format!("there is no branch, tag or reference {name:?}"));
    match there.is_empty() {
        true => error.with_remedy("it has none at all"),
        false => error.with_remedy(format!("there are {}", there.join(", "))),
    }
}

/// Puts HEAD on this branch if it was brought, else on the first that was named.
pub(super) fn stand_on(
    path: &Path,
    repository: &mut Repository,
    branch: Option<String>,
    named: &[&str],
) -> Result<(), DiskError> {
    let brought = branch.filter(|name| repository.branch_id(name).is_some());
    let first = named.iter().find_map(|name| name.strip_prefix("refs/heads/"));
    let set = match (brought.as_deref().or(first), named.first()) {
        (Some(branch), _) => repository.switch(branch),
        (None, Some(tag)) => repository.detach(tag).map(drop),
        (None, None) => Ok(()),
    };
    set.map_err(|why| DiskError::new(path, format!("HEAD: {why}")).with_remedy(DAMAGED))
}

/// Brings the commit at HEAD alone, on its branch and without what came before: all that it takes to
/// reconcile it, at a cost that does not grow with the history.
///
/// # Errors
///
/// When it is no repository, has no commit yet, or is damaged; for files as [`import`].
pub fn import_newest(path: &Path) -> Result<Repository, DiskError> {
    check(path)?;
    let branch = branch(path)?;
    let Some(head) = head(path)? else { return Err(unborn(path, branch.as_deref())) };
    let mut repository = read(path, vec!["--no-walk", &head], None)?.repository;
    let branch = branch.as_deref().unwrap_or("main");
    let id = head.parse().expect("Git resolved it");
    let set = repository.set_reference(&format!("refs/heads/{branch}"), id);
    let on_it = set.and_then(|()| repository.switch(branch));
    on_it.map_err(|error| DiskError::new(path, format!("{branch}: {error}")))?;
    Ok(repository)
}

/// Clones a remote into a folder of its own under `scratch` and imports it; a second time only what is
/// new is fetched.
///
/// # Errors
///
/// When the remote does not answer or refuses, and as [`import`].
pub fn clone(url: &str, scratch: &Path) -> Result<Repository, DiskError> {
    const ASK: &str = "`git ls-remote` with that address says whether it can be reached";
    let folder = scratch.join(ObjectId::of("blob", url.as_bytes()).to_string());
    let named = |error: DiskError| DiskError { path: PathBuf::from(url), ..error };
    let unreachable = |error: DiskError| named(error).or_remedy(ASK);
    if folder.join("HEAD").exists() {
        let fetch = git(&folder, &["remote", "update", "--prune"]);
        run(&folder, fetch).map_err(unreachable)?;
    } else {
        fs::create_dir_all(scratch).map_err(|error| DiskError::of_io(scratch, &error))?;
        let mut command = bare_git(&["clone", "--quiet", "--mirror", "--"]);
        command.arg(url).arg(&folder);
        run(scratch, command).map_err(unreachable)?;
    }
    import(&folder).map_err(named)
}

/// Checks that there is a repository, right here, whose objects can be read.
fn check(path: &Path) -> Result<(), DiskError> {
    guard::check(path)?;
    let ask = ["rev-parse", "--show-object-format", "--show-prefix"];
    let said = text(path, git(path, &ask)).map_err(|error| no_repository(path, error))?;
    let (format, prefix) = said.split_once('\n').unwrap_or((&said, ""));
    if !prefix.is_empty() {
        // Git goes up until it finds a repository; that one is not what was named.
        return Err(no_repository(path, DiskError::new(path, "not a git repository")));
    }
    if format != "sha1" {
        let message = format!("its objects are named by {format}; only sha1 is supported");
        return Err(DiskError::new(path, message).with_remedy(
            "convert it: git init --object-format=sha1 NEW; git fast-export --all --signed-tags=strip | git -C NEW fast-import",
        ));
    }
    Ok(())
}

/// Git says the same of a folder without a repository and of one whose repository it cannot make out.
fn no_repository(path: &Path, error: DiskError) -> DiskError {
    const UNREADABLE: &str =
        "not a git repository that can be read: its HEAD, objects or refs are missing or broken";
    const ASTRAY: &str =
        "mend the path in .git (`git worktree repair`), or name the repository itself";
    let inside = path.join(".git");
    let is_there = inside.exists() || path.join("HEAD").exists();
    match error.message.as_str() {
        said if said.starts_with("invalid gitfile") => error.with_remedy(ASTRAY),
        said if !said.starts_with("not a git repository") => error.or_remedy(DAMAGED),
        _ if inside.is_file() => error.with_remedy(ASTRAY),
        _ if is_there => DiskError::new(path, UNREADABLE).with_remedy(DAMAGED),
        _ => error.or_remedy(NO_REPOSITORY),
    }
}

/// The id of the commit at HEAD; none when there is no such commit here.
fn head(path: &Path) -> Result<Option<String>, DiskError> {
    answer(path, &["rev-parse", "--quiet", "--verify", "HEAD^{commit}"])
}

/// The branch that HEAD is on, born or not.
fn branch(path: &Path) -> Result<Option<String>, DiskError> {
    let name = answer(path, &["symbolic-ref", "--quiet", "HEAD"])?;
    Ok(name.and_then(|name| Some(name.strip_prefix("refs/heads/")?.to_owned())))
}

/// Why there is no commit at HEAD.
fn unborn(path: &Path, branch: Option<&str>) -> DiskError {
    let ask = ["for-each-ref", "--format=%(objecttype) %(refname:short)", "refs/heads"];
    let said = match git(path, &ask).output() {
        Ok(said) if said.stderr.is_empty() => String::from_utf8_lossy(&said.stdout).into_owned(),
        Ok(said) => return failed(path, &said.stderr).or_remedy(DAMAGED),
        Err(error) => return not_started(path, &error),
    };
    let Some(branch) = branch else {
        return DiskError::new(path, "HEAD names no branch, and no commit that is here")
            .with_remedy("`git switch` to a branch");
    };
    let born: Vec<_> = said.lines().filter_map(|line| line.split_once(' ')).collect();
    if born.iter().any(|(_, name)| *name == branch) {
        let message = format!("the commit at the tip of {branch:?} cannot be read");
        return DiskError::new(path, message).with_remedy(DAMAGED);
    }
    let others: Vec<&str> =
        born.iter().filter(|(kind, _)| *kind == "commit").map(|(_, name)| *name).collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!(", or `git switch` to {}", others.join(", ")),
    };
    DiskError::new(path, format!("the branch {branch:?} has no commit yet"))
        .with_remedy(format!("commit the manifests first{others}"))
}

/// The objects that these tips lead to.
fn read(
    path: &Path,
    mut tips: Vec<&str>,
    tell: Option<&mut dyn FnMut(Progress)>,
) -> Result<Builder, DiskError> {
    let is_partial = is_partial(path)?;
    // Git would fetch what is missing, object by object.
    tips.extend(is_partial.then_some("--missing=allow-promisor"));
    build(objects::read(path, &tips, tell)?).map_err(|fault| match is_partial {
        true => fault.at(path).with_remedy("it is a partial clone: clone it without --filter"),
        false => fault.at(path),
    })
}

/// Whether objects may be missing that Git would fetch when it needs them (Git's technical/partial-clone).
fn is_partial(path: &Path) -> Result<bool, DiskError> {
    let ask = ["config", "--get-regexp", r"^remote\..*\.promisor$"];
    Ok(answer(path, &ask)?.is_some())
}

/// A reference as Git lists it.
struct Listed {
    id: ObjectId,
    kind: ObjectKind,
    name: String,
}

fn list_references(path: &Path) -> Result<Vec<Listed>, DiskError> {
    let format = "--format=%(objectname) %(objecttype) %(refname)";
    let listed = text(path, git(path, &["for-each-ref", format]));
    let listed = listed.map_err(|error| error.or_remedy(DAMAGED))?;
    let broken = |line| DiskError::new(path, format!("reference {line}")).with_remedy(DAMAGED);
    let parsed = |line| Listed::parse(line).ok_or_else(|| broken(line));
    listed.lines().map(parsed).collect()
}

impl Listed {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(3, ' ');
        let (id, kind, name) = (words.next()?, words.next()?, words.next()?);
        Some(Listed { id: id.parse().ok()?, kind: ObjectKind::named(kind)?, name: name.into() })
    }
}

fn set_references<'l>(
    path: &Path,
    builder: &mut Builder,
    listed: impl Iterator<Item = &'l Listed>,
) -> Result<(), DiskError> {
    for Listed { id, kind, name } in listed {
        let kept = builder.keep(*id, *kind);
        kept.map_err(|fault| fault.within(name).at(path))?;
        let set = builder.repository.set_reference(name, *id);
        set.map_err(|why| DiskError::new(path, format!("{name}: {why}")).with_remedy(DAMAGED))?;
    }
    Ok(())
}

fn set_head(
    path: &Path,
    repository: &mut Repository,
    head: Option<String>,
) -> Result<(), DiskError> {
    let branch = branch(path)?;
    let set = match (branch, head) {
        (Some(name), Some(_)) => repository.switch(&name),
        (Some(name), None) => repository.switch_orphan(&name),
        (None, Some(id)) => repository.detach(&id).map(drop),
        (None, None) => return Err(unborn(path, None)),
    };
    set.map_err(|why| DiskError::new(path, format!("HEAD: {why}")).with_remedy(DAMAGED))
}
