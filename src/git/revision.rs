//! Revisions: the words that name an object, as `gitrevisions(7)` gives them.

use super::repository::wrong_kind;
use super::{Commit, Entry, GitError, Object, ObjectId, ObjectKind, Repository, Tree};

impl Repository {
    /// The object that a revision names: a full or short id, `HEAD` or `@`, a branch, a tag, a
    /// reference (`refs/…`, `tags/v1`), each with any of `~n`, `^n`, `^{commit}`, `^{tree}`, `^{}` after
    /// it, or `revision:path`.
    ///
    /// # Errors
    ///
    /// When nothing is named so, or several objects are.
    pub fn resolve(&self, rev: &str) -> Result<ObjectId, GitError> {
        if let Some((rev, path)) = rev.split_once(':') {
            return self.entry_at(rev, path).map(|entry| entry.id());
        }
        let unknown = || GitError::UnknownRevision(rev.into());
        let end = rev.find(['~', '^']).unwrap_or(rev.len());
        let (name, mut steps) = rev.split_at(end);
        let mut id = self.resolve_name(name, rev)?;
        while !steps.is_empty() {
            let (step, rest) = next_step(steps).ok_or_else(unknown)?;
            id = self.take(step, id).map_err(|error| error.unwrap_or_else(unknown))?;
            steps = rest;
        }
        Ok(id)
    }

    /// The commit that a revision names, through annotated tags.
    ///
    /// # Errors
    ///
    /// As [`Repository::resolve`], and when it is no commit.
    pub fn resolve_commit(&self, rev: &str) -> Result<ObjectId, GitError> {
        self.peel(self.resolve(rev)?, ObjectKind::Commit).map_err(|error| match error {
            GitError::WrongKind { expected, found, .. } => {
                GitError::WrongKind { rev: rev.into(), expected, found }
            }
            other => other,
        })
    }

    /// The commit that a revision names, itself.
    ///
    /// # Errors
    ///
    /// As [`Repository::resolve_commit`].
    pub fn commit_at(&self, rev: &str) -> Result<&Commit, GitError> {
        Ok(self.find_commit(self.resolve_commit(rev)?)?)
    }

    /// The tree of the commit that a revision names, or the tree that it names.
    ///
    /// # Errors
    ///
    /// As [`Repository::resolve`], and when it is neither commit nor tree.
    pub fn tree(&self, rev: &str) -> Result<Tree, GitError> {
        match self.peel_tags(self.resolve(rev)?)? {
            (_, Object::Commit(commit)) => Ok(commit.tree.clone()),
            (_, Object::Tree(tree)) => Ok(tree),
            (_, other) => Err(wrong_kind(rev, ObjectKind::Tree, other.kind())),
        }
    }

    /// The folder at a path of a revision; `""` is the whole tree.
    ///
    /// # Errors
    ///
    /// As [`Repository::tree`], and when no folder is there.
    pub fn tree_at(&self, rev: &str, path: &str) -> Result<Tree, GitError> {
        match self.entry_at(rev, path)? {
            Entry::Folder(folder) => Ok(folder),
            _ => Err(wrong_kind(&format!("{rev}:{path}"), ObjectKind::Tree, ObjectKind::Blob)),
        }
    }

    /// The shortest form of an id that names nothing else here: seven digits or more.
    pub fn abbreviate(&self, id: ObjectId) -> String {
        let full = id.to_string();
        let unique = |len: &usize| {
            self.objects.starting_with(&full[..*len]).iter().all(|(other, _)| *other == id)
        };
        let len = (7..40).find(unique).unwrap_or(40);
        full[..len].to_owned()
    }

    fn entry_at(&self, rev: &str, path: &str) -> Result<Entry, GitError> {
        let missing = || GitError::NoSuchPath { rev: rev.into(), path: path.into() };
        self.tree(if rev.is_empty() { "HEAD" } else { rev })?.get(path).ok_or_else(missing)
    }

    fn resolve_name(&self, name: &str, rev: &str) -> Result<ObjectId, GitError> {
        if matches!(name, "HEAD" | "@") {
            return self.born_head();
        }
        if let Some(id) = name.parse().ok().filter(|id| self.find_object(*id).is_some()) {
            return Ok(id);
        }
        match self.reference_named(name) {
            Some(id) => Ok(id),
            None => self.resolve_short_id(name, rev),
        }
    }

    /// The reference a short name means, by the rules and in the order of `gitrevisions(7)`.
    fn reference_named(&self, name: &str) -> Option<ObjectId> {
        let rules = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
        rules.iter().find_map(|prefix| self.reference(&format!("{prefix}{name}")))
    }

    fn resolve_short_id(&self, digits: &str, rev: &str) -> Result<ObjectId, GitError> {
        let looks =
            (4..=40).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let hits = if looks { self.objects.starting_with(digits) } else { Vec::new() };
        let commits: Vec<_> =
            hits.iter().filter(|(_, object)| object.kind() == ObjectKind::Commit).collect();
        match (&hits[..], &commits[..]) {
            ([], _) => Err(GitError::UnknownRevision(rev.into())),
            ([(id, _)], _) | (_, [(id, _)]) => Ok(*id),
            _ => Err(GitError::AmbiguousId(digits.into())),
        }
    }

    /// An error of `None` says that the step leads nowhere.
    fn take(&self, step: Step, id: ObjectId) -> Result<ObjectId, Option<GitError>> {
        match step {
            Step::Parent(0) => Ok(self.peel(id, ObjectKind::Commit)?),
            Step::Parent(n) => self.parent(id, n),
            Step::Generations(n) => {
                (0..n).try_fold(self.peel(id, ObjectKind::Commit)?, |id, _| self.parent(id, 1))
            }
            Step::Peel(Some(kind)) => Ok(self.peel(id, kind)?),
            Step::Peel(None) => Ok(self.peel_tags(id)?.0),
        }
    }

    fn parent(&self, id: ObjectId, n: usize) -> Result<ObjectId, Option<GitError>> {
        let commit = self.peel(id, ObjectKind::Commit)?;
        self.parents(commit).get(n - 1).copied().ok_or(None)
    }

    /// Follows tags, and the step from a commit to its tree, until an object of the kind is reached.
    pub(super) fn peel(&self, id: ObjectId, kind: ObjectKind) -> Result<ObjectId, GitError> {
        let is_it = |id| self.objects.get(id).is_some_and(|object| object.kind() == kind);
        if is_it(id) {
            return Ok(id);
        }
        match self.peel_tags(id)? {
            (id, object) if object.kind() == kind => Ok(id),
            (_, Object::Commit(commit)) if kind == ObjectKind::Tree => Ok(commit.tree.id()),
            (id, other) => Err(wrong_kind(&id.to_string(), kind, other.kind())),
        }
    }

    fn peel_tags(&self, mut id: ObjectId) -> Result<(ObjectId, Object), GitError> {
        loop {
            match self.find_object(id).ok_or(GitError::NoSuchObject(id))? {
                Object::Tag(tag) => id = tag.target,
                object => return Ok((id, object)),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Step {
    Parent(usize),
    Generations(usize),
    /// To an object of a kind; `None` is whatever is no tag.
    Peel(Option<ObjectKind>),
}

fn next_step(text: &str) -> Option<(Step, &str)> {
    if let Some(peel) = text.strip_prefix("^{") {
        let (kind, rest) = peel.split_once('}')?;
        return Some((Step::Peel(peel_kind(kind)?), rest));
    }
    let sign = text.chars().next().filter(|sign| matches!(sign, '^' | '~'))?;
    let rest = &text[1..];
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at(digits);
    let number = if number.is_empty() { 1 } else { number.parse().ok()? };
    let step = if sign == '^' { Step::Parent(number) } else { Step::Generations(number) };
    Some((step, rest))
}

/// What stands between the braces of `^{}`.
fn peel_kind(name: &str) -> Option<Option<ObjectKind>> {
    if name.is_empty() { Some(None) } else { ObjectKind::named(name).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Signature;
    use crate::time::Timestamp;

    fn ada(secs: u64) -> Signature {
        Signature::new("Ada", "ada@example.com", Timestamp::from_secs(secs))
    }

    fn three_commits() -> (Repository, Vec<ObjectId>) {
        let mut repository = Repository::new();
        let commit = |n: u64| {
            let tree = Tree::from_files([("app/a.yaml", format!("{n}\n"))]).unwrap();
            repository.commit(tree, &format!("Commit {n}"), ada(n), ada(n))
        };
        let ids = (1..=3).map(commit).collect();
        (repository, ids)
    }

    #[test]
    fn revisions_name_what_gitrevisions_says() {
        let (mut repository, ids) = three_commits();
        repository.branch("topic", "HEAD~1").unwrap();
        let tag = repository.annotated_tag("v1", "HEAD", "One", ada(4)).unwrap();
        let check = |rev: &str, id: ObjectId| assert_eq!(repository.resolve(rev), Ok(id), "{rev}");
        check("HEAD", ids[2]);
        check("@~2", ids[0]);
        check("main^^", ids[0]);
        check("main^0", ids[2]);
        check("topic", ids[1]);
        check("refs/heads/topic", ids[1]);
        check("heads/topic", ids[1]);
        check("v1", tag);
        check("v1^{}", ids[2]);
        check("v1^{commit}~1", ids[1]);
        check("v1~1", ids[1]);
        check(&ids[0].short(), ids[0]);
        check(&ids[0].to_string().to_uppercase(), ids[0]);
        let commit = repository.find_commit(ids[1]).unwrap();
        check("topic^{tree}", commit.tree.id());
        check(&commit.tree.id().to_string(), commit.tree.id());
        check("topic:app/a.yaml", commit.tree.file("app/a.yaml").unwrap().id());
        check("topic:", commit.tree.id());
    }

    #[test]
    fn what_names_nothing_is_an_error() {
        let (repository, _) = three_commits();
        let bad = [
            "",
            "nope",
            "HEAD~3",
            "HEAD^2",
            "HEAD^{blob}",
            "HEAD^{x}",
            "HEAD^{",
            "main:nope",
            "~",
            "^",
            "HEAD~99999999999999999999999",
            "0000000",
            "HEAD@{1}",
            "HEAD^{tag}",
            "HEAD~1é",
            "é^é",
            "HEAD^{é}",
            "HEAD:é",
        ];
        for rev in bad {
            assert!(repository.resolve(rev).is_err(), "{rev}");
        }
        assert_eq!(Repository::new().resolve("HEAD"), Err(GitError::Unborn("main".into())));
    }
}
