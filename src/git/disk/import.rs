//! A repository on disk, object by object.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::NO_REPOSITORY;
use super::program::{answer, bare_git, failed, git, not_started, run, text};
use super::{DiskError, guard, objects};
use crate::git::raw::{Builder, DAMAGED, build};
use crate::git::{ObjectId, ObjectKind, Repository};

/// Brings the history of a repository on disk, bare or not: everything that a reference or HEAD leads
/// to, whether loose, packed or borrowed from another repository. What is not committed stays out. Of a
/// shallow clone it is what was cloned: its oldest commits count as the first.
///
/// # Errors
///
/// When it is no repository, is damaged, or holds what is not supported: objects named by SHA-256, a file
/// larger than [`LARGEST_FILE`](super::LARGEST_FILE), more than [`MOST_BYTES`](super::MOST_BYTES), folders
/// nested deeper than [`DEEPEST`](super::DEEPEST), or file names that are no UTF-8. Messages and people's
/// names that are no UTF-8 keep their bytes, and so their ids; only what is shown of them is approximate.
pub fn import(path: &Path) -> Result<Repository, DiskError> {
    check(path)?;
    let head = head(path)?;
    let mut tips = vec!["--all"];
    tips.extend(head.is_some().then_some("HEAD"));
    let mut builder = read(path, tips)?;
    set_references(path, &mut builder)?;
    set_head(path, &mut builder.repository, head)?;
    Ok(builder.repository)
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
    let mut repository = read(path, vec!["--no-walk", &head])?.repository;
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
fn read(path: &Path, mut tips: Vec<&str>) -> Result<Builder, DiskError> {
    let is_partial = is_partial(path)?;
    // Git would fetch what is missing, object by object.
    tips.extend(is_partial.then_some("--missing=allow-promisor"));
    build(objects::read(path, &tips)?).map_err(|fault| match is_partial {
        true => fault.at(path).with_remedy("it is a partial clone: clone it without --filter"),
        false => fault.at(path),
    })
}

/// Whether objects may be missing that Git would fetch when it needs them (Git's technical/partial-clone).
fn is_partial(path: &Path) -> Result<bool, DiskError> {
    let ask = ["config", "--get-regexp", r"^remote\..*\.promisor$"];
    Ok(answer(path, &ask)?.is_some())
}

fn set_references(path: &Path, builder: &mut Builder) -> Result<(), DiskError> {
    let format = "--format=%(objectname) %(objecttype) %(refname)";
    let listed = text(path, git(path, &["for-each-ref", format]));
    let listed = listed.map_err(|error| error.or_remedy(DAMAGED))?;
    for line in listed.lines() {
        let (id, kind, name) = parse_reference(line).ok_or_else(|| {
            DiskError::new(path, format!("reference {line}")).with_remedy(DAMAGED)
        })?;
        let kept = builder.keep(id, kind);
        kept.map_err(|fault| fault.within(name).at(path))?;
        let set = builder.repository.set_reference(name, id);
        set.map_err(|why| DiskError::new(path, format!("{name}: {why}")).with_remedy(DAMAGED))?;
    }
    Ok(())
}

fn parse_reference(line: &str) -> Option<(ObjectId, ObjectKind, &str)> {
    let mut words = line.splitn(3, ' ');
    let (id, kind) = (words.next()?, words.next()?);
    Some((id.parse().ok()?, ObjectKind::named(kind)?, words.next()?))
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
