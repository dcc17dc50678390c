//! From one repository to another: what `git clone`, `git fetch` and `git push` carry over.

use std::fmt;

use super::refs::check_short_name;
use super::repository::branch_ref;
use super::{GitError, Head, Object, ObjectId, Repository};

/// A reference that moves, appears or goes away.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefUpdate {
    /// The full name, such as `refs/heads/main`.
    pub name: String,
    /// What it named; none if it is new.
    pub old: Option<ObjectId>,
    /// What it is to name; none if it goes away.
    pub new: Option<ObjectId>,
    /// Whether it may leave commits behind.
    pub force: bool,
}

/// Why `git push` does not even ask the remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Rejection {
    /// The remote has commits that are not here.
    #[error("fetch first")]
    FetchFirst,
    /// The branch here is behind, or went another way.
    #[error("non-fast-forward")]
    NonFastForward,
    /// Tags do not move.
    #[error("already exists")]
    AlreadyExists,
}

/// What a push would do to one reference of the remote.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PlannedUpdate {
    /// What is pushed, as it is called here; empty for a deletion.
    pub source: String,
    /// The update.
    pub update: RefUpdate,
    /// Why it is not sent.
    pub rejection: Option<Rejection>,
}

impl Repository {
    /// Everything that these ids lead to and is not here is copied from another repository; where its
    /// history is cut off, so is the copy.
    ///
    /// # Errors
    ///
    /// When the other repository lacks an object: then nothing is copied.
    pub fn receive(
        &mut self,
        from: &Repository,
        ids: impl IntoIterator<Item = ObjectId>,
    ) -> Result<(), GitError> {
        let mut objects = self.objects.clone();
        let mut open: Vec<ObjectId> = ids.into_iter().collect();
        while let Some(id) = open.pop() {
            if objects.get(id).is_some() {
                continue;
            }
            let object = from.find_object(id).ok_or(GitError::NoSuchObject(id))?;
            match &object {
                Object::Commit(_) => open.extend(from.parents(id)),
                Object::Tag(tag) => open.push(tag.target),
                Object::Tree(_) | Object::Blob(_) => {}
            }
            match from.objects.foreign(id) {
                Some(encoding) => objects.insert_encoded(id, object, encoding),
                None => objects.insert(id, object),
            }
        }
        self.objects = objects;
        Ok(())
    }

    /// A clone as `git clone` makes it: HEAD's branch, the remote's branches under
    /// `refs/remotes/origin/`, and its tags. To copy a repository as it is, use `Clone`.
    pub fn clone_of(remote: &Repository) -> Repository {
        let mut clone = Repository::new();
        clone.fetch(remote, "origin");
        clone.head = remote.head().clone();
        if let (Head::Branch(name), Some(id)) = (remote.head(), remote.head_id()) {
            clone.refs.set(&branch_ref(name), id);
        }
        clone
    }

    /// Brings the remote's branches to `refs/remotes/NAME/`, wherever they were, with the tags on what
    /// they lead to; branches that the remote no longer has stay, as without `--prune`.
    pub fn fetch(&mut self, remote: &Repository, name: &str) -> Vec<RefUpdate> {
        let branches =
            remote.branches().map(|(branch, id)| (format!("refs/remotes/{name}/{branch}"), id));
        let tags = remote.tags().map(|(tag, id)| (format!("refs/tags/{tag}"), id));
        let new_tags = tags.filter(|(tag, _)| self.reference(tag).is_none());
        let wanted: Vec<(String, ObjectId)> = branches.chain(new_tags).collect();
        let mut updates = Vec::new();
        for (name, id) in wanted {
            let old = self.reference(&name);
            if old != Some(id) && self.receive(remote, [id]).is_ok() {
                self.refs.set(&name, id);
                let force = old.is_some_and(|old| !self.is_ancestor(old, id));
                updates.push(RefUpdate { name, old, new: Some(id), force });
            }
        }
        updates
    }

    /// What `git push REMOTE REFSPEC…` would ask the remote for. A refspec is `[+]source:destination`,
    /// or a branch or tag of the same name there; `:destination` deletes; a `+`, or `force`, lets
    /// commits be left behind. None means HEAD's branch.
    ///
    /// # Errors
    ///
    /// When a refspec names nothing here, or its destination is no reference's name.
    pub fn plan_push(
        &self,
        remote: &Repository,
        refspecs: &[&str],
        force: bool,
    ) -> Result<Vec<PlannedUpdate>, GitError> {
        let current = self.current_branch().unwrap_or("HEAD");
        let refspecs = if refspecs.is_empty() { &[current][..] } else { refspecs };
        let plan = refspecs.iter().map(|refspec| self.plan_one(remote, refspec, force));
        Ok(plan.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Nothing when the remote is there already.
    fn plan_one(
        &self,
        remote: &Repository,
        refspec: &str,
        force: bool,
    ) -> Result<Option<PlannedUpdate>, GitError> {
        let (plus, refspec) = match refspec.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, refspec),
        };
        let (source, destination) = refspec.split_once(':').unwrap_or((refspec, refspec));
        let new = if source.is_empty() { None } else { Some(self.resolve(source)?) };
        let name = self.destination(remote, source, destination)?;
        let (old, force) = (remote.reference(&name), force || plus);
        if old == new {
            return Ok(None);
        }
        let rejection =
            old.zip(new).filter(|_| !force).and_then(|(old, new)| self.rejection(&name, old, new));
        let update = RefUpdate { name, old, new, force };
        Ok(Some(PlannedUpdate { source: source.into(), update, rejection }))
    }

    fn destination(
        &self,
        remote: &Repository,
        source: &str,
        destination: &str,
    ) -> Result<String, GitError> {
        let current = self.current_branch().filter(|_| destination == "HEAD" || destination == "@");
        let name = current.unwrap_or(destination);
        if name.starts_with("refs/") {
            return Ok(name.into());
        }
        check_short_name(name)?;
        let tag = format!("refs/tags/{name}");
        let is_tag = remote.reference(&tag).is_some() && remote.branch_id(name).is_none()
            || self.reference(&format!("refs/tags/{source}")).is_some()
                && self.branch_id(source).is_none();
        Ok(if is_tag { tag } else { branch_ref(name) })
    }

    fn rejection(&self, name: &str, old: ObjectId, new: ObjectId) -> Option<Rejection> {
        match () {
            () if name.starts_with("refs/tags/") => Some(Rejection::AlreadyExists),
            () if self.objects.get(old).is_none() => Some(Rejection::FetchFirst),
            () if !self.is_ancestor(old, new) => Some(Rejection::NonFastForward),
            () => None,
        }
    }
}

/// The line of `git push` or `git fetch` about an update that was made.
impl fmt::Display for RefUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = short_name(&self.name);
        let what = if self.name.starts_with("refs/tags/") { "tag" } else { "branch" };
        match (self.old, self.new, self.force) {
            (None, Some(_), _) => {
                write!(f, " * {:<17} {short} -> {short}", format!("[new {what}]"))
            }
            (Some(_), None, _) => write!(f, " - {:<17} {short}", "[deleted]"),
            (Some(old), Some(new), true) => {
                write!(f, " + {}...{} {short} -> {short} (forced update)", old.short(), new.short())
            }
            (Some(old), Some(new), false) => {
                write!(f, "   {}..{}  {short} -> {short}", old.short(), new.short())
            }
            (None, None, _) => write!(f, " = {:<17} {short}", "[up to date]"),
        }
    }
}

/// The name without `refs/heads/` or `refs/tags/`.
pub(super) fn short_name(name: &str) -> &str {
    let folders = ["refs/heads/", "refs/tags/", "refs/remotes/"];
    folders.iter().find_map(|folder| name.strip_prefix(folder)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{Signature, Tree};
    use crate::time::Timestamp;

    fn commit(repository: &mut Repository, n: u64) -> ObjectId {
        let ada = Signature::new("Ada", "a@b", Timestamp::from_secs(n));
        let tree = Tree::from_files([("f", format!("{n}\n"))]).unwrap();
        repository.commit(tree, &format!("Commit {n}"), ada.clone(), ada)
    }

    fn remote() -> Repository {
        let mut remote = Repository::new();
        commit(&mut remote, 1);
        commit(&mut remote, 2);
        remote.tag("v1", "HEAD").unwrap();
        remote
    }

    fn lines(updates: &[PlannedUpdate]) -> String {
        let line = |planned: &PlannedUpdate| match planned.rejection {
            Some(why) => format!("{} ({why})", planned.update.name),
            None => planned.update.to_string(),
        };
        updates.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_clone_has_the_branch_and_the_tracking_branches() {
        let remote = remote();
        let clone = Repository::clone_of(&remote);
        let names: Vec<&str> = clone.references().map(|(name, _)| name).collect();
        assert_eq!(names, ["refs/heads/main", "refs/remotes/origin/main", "refs/tags/v1"]);
        assert_eq!(clone.head_id(), remote.head_id());
    }

    #[test]
    fn a_push_says_what_moves() {
        let remote = remote();
        let mut clone = Repository::clone_of(&remote);
        assert_eq!(clone.plan_push(&remote, &[], false), Ok(vec![]));
        let (old, new) = (clone.head_id().unwrap(), commit(&mut clone, 3));
        clone.tag("v2", "HEAD").unwrap();
        let check = |refspecs: &[&str], expected: &str| {
            let plan = clone.plan_push(&remote, refspecs, false).unwrap();
            assert_eq!(lines(&plan), expected, "{refspecs:?}");
        };
        let moved = format!("   {}..{}  main -> main", old.short(), new.short());
        check(&[], &moved);
        check(&["HEAD"], &moved);
        check(&["main:main"], &moved);
        check(&["HEAD:topic"], " * [new branch]      topic -> topic");
        check(&["v2"], " * [new tag]         v2 -> v2");
        check(&[":v1"], " - [deleted]         v1");
        check(&["HEAD:refs/tags/v1"], "refs/tags/v1 (already exists)");
        assert!(clone.plan_push(&remote, &["nope"], false).is_err());
    }

    #[test]
    fn what_would_leave_commits_behind_needs_force() {
        let mut remote = remote();
        let mut clone = Repository::clone_of(&remote);
        commit(&mut remote, 3);
        commit(&mut clone, 4);
        let plan = |clone: &Repository, refspec: &str| {
            lines(&clone.plan_push(&remote, &[refspec], false).unwrap())
        };
        assert_eq!(plan(&clone, "main"), "refs/heads/main (fetch first)");
        clone.fetch(&remote, "origin");
        assert_eq!(plan(&clone, "main"), "refs/heads/main (non-fast-forward)");
        assert!(plan(&clone, "+main").ends_with("main -> main (forced update)"));
    }
}
