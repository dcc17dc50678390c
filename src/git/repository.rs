//! A repository: objects, references and HEAD, without a working tree.

use std::sync::Arc;

use super::objects::Objects;
use super::refs::{Refs, check_short_name};
use super::{
    Commit, Config, GitError, Head, Object, ObjectId, ObjectKind, Signature, SigningKey, Tag, Tree,
    check_ref_name, clean_message,
};

/// A Git repository in memory. Cloning it costs a few reference counts, whatever its size, and the
/// clone shares all objects.
///
/// ```
/// use driftlab::git::{Repository, Signature, Tree};
/// use driftlab::time::Timestamp;
///
/// let ada = Signature::new("Ada", "ada@example.com", Timestamp::from_secs(1_767_225_600));
/// let mut repository = Repository::new();
/// let three = Tree::from_files([("hello.yaml", "replicas: 3\n")])?;
/// let first = repository.commit(three, "Run three", ada.clone(), ada.clone());
/// let five = repository.tree("HEAD")?.with_file("hello.yaml", "replicas: 5\n")?;
/// let second = repository.commit(five, "Run five", ada.clone(), ada);
///
/// assert_eq!(repository.resolve("main~1")?, first);
/// assert_eq!(repository.tree("HEAD^")?.text("hello.yaml"), Some("replicas: 3\n"));
/// assert!(repository.is_ancestor(first, second));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Repository {
    pub(super) objects: Objects,
    pub(super) refs: Refs,
    pub(super) head: Head,
    pub(super) config: Config,
}

impl Default for Repository {
    fn default() -> Self {
        Repository::new()
    }
}

/// What a repository holds.
impl Repository {
    /// An empty repository, HEAD at the unborn branch `main`.
    pub fn new() -> Self {
        Repository {
            objects: Objects::default(),
            refs: Refs::default(),
            head: Head::Branch("main".into()),
            config: Config::default(),
        }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The settings, to change them.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Where HEAD points.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The commit at HEAD, if there is one.
    pub fn head_id(&self) -> Option<ObjectId> {
        match &self.head {
            Head::Branch(name) => self.branch_id(name),
            Head::Detached(id) => Some(*id),
        }
    }

    /// The branch that HEAD is on, born or not.
    pub fn current_branch(&self) -> Option<&str> {
        match &self.head {
            Head::Branch(name) => Some(name),
            Head::Detached(_) => None,
        }
    }

    /// The commit a branch is at.
    pub fn branch_id(&self, name: &str) -> Option<ObjectId> {
        self.refs.get(&branch_ref(name))
    }

    /// The branches by name.
    pub fn branches(&self) -> impl Iterator<Item = (&str, ObjectId)> {
        self.refs.under("refs/heads/").map(|(name, id)| (&name["refs/heads/".len()..], id))
    }

    /// The tags by name, with the id of the tag object where it is annotated, else of the commit.
    pub fn tags(&self) -> impl Iterator<Item = (&str, ObjectId)> {
        self.refs.under("refs/tags/").map(|(name, id)| (&name["refs/tags/".len()..], id))
    }

    /// All references by full name; HEAD is not among them.
    pub fn references(&self) -> impl Iterator<Item = (&str, ObjectId)> {
        self.refs.under("")
    }

    /// What a reference names, by its full name such as `refs/heads/main`.
    pub fn reference(&self, name: &str) -> Option<ObjectId> {
        self.refs.get(name)
    }

    /// The commit with an id.
    ///
    /// # Errors
    ///
    /// When there is no such object, or it is no commit.
    pub fn find_commit(&self, id: ObjectId) -> Result<&Arc<Commit>, GitError> {
        match self.objects.get(id) {
            Some(Object::Commit(commit)) => Ok(commit),
            Some(other) => Err(wrong_kind(&id.to_string(), ObjectKind::Commit, other.kind())),
            None => Err(GitError::NoSuchObject(id)),
        }
    }

    /// The annotated tag with an id.
    ///
    /// # Errors
    ///
    /// When there is no such object, or it is no annotated tag.
    pub fn find_tag(&self, id: ObjectId) -> Result<&Arc<Tag>, GitError> {
        match self.objects.get(id) {
            Some(Object::Tag(tag)) => Ok(tag),
            Some(other) => Err(wrong_kind(&id.to_string(), ObjectKind::Tag, other.kind())),
            None => Err(GitError::NoSuchObject(id)),
        }
    }

    /// The object with an id, of any kind. Trees and blobs are searched for; commits and tags are
    /// looked up.
    pub fn find_object(&self, id: ObjectId) -> Option<Object> {
        self.objects.find(id)
    }

    /// The encoding of an object, without the header of type and length: to the byte the one that its id
    /// is of, also where the object came from a tool that wrote it as Git no longer does.
    pub fn encoding(&self, id: ObjectId) -> Option<Vec<u8>> {
        self.objects.encoding(id)
    }

    /// How many commits and annotated tags there are, reachable or not.
    pub fn object_count(&self) -> usize {
        self.objects.len()
    }
}

/// What moves references.
impl Repository {
    /// Makes a commit on top of HEAD and moves HEAD's branch (or the detached HEAD) to it, also when
    /// it changes nothing. The message is cleaned as `git commit -m` does.
    pub fn commit(
        &mut self,
        tree: Tree,
        message: &str,
        author: Signature,
        committer: Signature,
    ) -> ObjectId {
        let parents: Vec<_> = self.head_id().into_iter().collect();
        let commit = Commit::new(tree, parents, author, committer, clean_message(message));
        let id = self.make_commit(commit);
        self.advance(id);
        id
    }

    /// Replaces the commit at HEAD: same parents and author, another tree, and another message if
    /// one is given.
    ///
    /// # Errors
    ///
    /// When there is no commit at HEAD.
    pub fn amend(
        &mut self,
        tree: Tree,
        message: Option<&str>,
        committer: Signature,
    ) -> Result<ObjectId, GitError> {
        let head = self.born_head()?;
        let old = self.find_commit(head)?;
        let message = message.map_or_else(|| old.message.clone(), clean_message);
        let amended = Commit::new(tree, self.parents(head), old.author.clone(), committer, message);
        let id = self.make_commit(amended);
        self.advance(id);
        Ok(id)
    }

    /// Stores a commit that is made here: signed, when commits are to be.
    pub(super) fn make_commit(&mut self, commit: Commit) -> ObjectId {
        let key = self.config.signing_key;
        self.write_commit(match key {
            Some(key) => commit.signed_by(&key),
            None => commit,
        })
    }

    /// Stores a commit as it is, moving nothing.
    pub fn write_commit(&mut self, commit: Commit) -> ObjectId {
        let id = commit.id();
        self.objects.insert(id, Object::Commit(Arc::new(commit)));
        id
    }

    /// Stores an annotated tag as it is, making no reference.
    pub fn write_tag(&mut self, tag: Tag) -> ObjectId {
        let id = tag.id();
        self.objects.insert(id, Object::Tag(Arc::new(tag)));
        id
    }

    /// Makes a branch at a revision.
    ///
    /// # Errors
    ///
    /// When the name is taken or not valid, or the revision names no commit.
    pub fn branch(&mut self, name: &str, at: &str) -> Result<ObjectId, GitError> {
        check_short_name(name)?;
        if self.branch_id(name).is_some() {
            return Err(GitError::BranchExists(name.into()));
        }
        let id = self.resolve_commit(at)?;
        self.set_reference(&branch_ref(name), id)?;
        Ok(id)
    }

    /// Points HEAD at a branch.
    ///
    /// # Errors
    ///
    /// When there is no such branch.
    pub fn switch(&mut self, name: &str) -> Result<(), GitError> {
        let unborn_here = self.head_id().is_none() && self.current_branch() == Some(name);
        if self.branch_id(name).is_none() && !unborn_here {
            return Err(GitError::NoSuchBranch(name.into()));
        }
        self.head = Head::Branch(name.into());
        Ok(())
    }

    /// Points HEAD at a branch that has no commit yet, as `git switch --orphan` does.
    ///
    /// # Errors
    ///
    /// When the name is taken or not valid.
    pub fn switch_orphan(&mut self, name: &str) -> Result<(), GitError> {
        check_short_name(name)?;
        if self.branch_id(name).is_some() {
            return Err(GitError::BranchExists(name.into()));
        }
        self.head = Head::Branch(name.into());
        Ok(())
    }

    /// Points HEAD at a commit itself.
    ///
    /// # Errors
    ///
    /// When the revision names no commit.
    pub fn detach(&mut self, at: &str) -> Result<ObjectId, GitError> {
        let id = self.resolve_commit(at)?;
        self.head = Head::Detached(id);
        Ok(id)
    }

    /// Removes a branch.
    ///
    /// # Errors
    ///
    /// When there is no such branch, or HEAD is on it.
    pub fn delete_branch(&mut self, name: &str) -> Result<(), GitError> {
        if self.current_branch() == Some(name) {
            return Err(GitError::BranchInUse(name.into()));
        }
        match self.refs.remove(&branch_ref(name)) {
            true => Ok(()),
            false => Err(GitError::NoSuchBranch(name.into())),
        }
    }

    /// Makes a light tag at a revision.
    ///
    /// # Errors
    ///
    /// When the name is taken or not valid, or the revision names nothing.
    pub fn tag(&mut self, name: &str, at: &str) -> Result<ObjectId, GitError> {
        let id = self.resolve(at)?;
        self.place_tag(name, id)
    }

    /// Makes an annotated tag at a revision; the id is that of the tag object.
    ///
    /// # Errors
    ///
    /// As [`Repository::tag`], and when the message is empty.
    pub fn annotated_tag(
        &mut self,
        name: &str,
        at: &str,
        message: &str,
        tagger: Signature,
    ) -> Result<ObjectId, GitError> {
        let target = self.resolve(at)?;
        let object = self.find_object(target).ok_or(GitError::NoSuchObject(target))?;
        let (kind, message) = (object.kind(), clean_message(message));
        let tag = Tag { target, kind, name: name.into(), tagger: Some(tagger), message };
        self.check_tag_name(name)?;
        let id = self.write_tag(tag);
        self.place_tag(name, id)
    }

    /// Makes an annotated tag that is signed: `git tag -s`.
    ///
    /// # Errors
    ///
    /// As [`Repository::annotated_tag`].
    pub fn signed_tag(
        &mut self,
        name: &str,
        at: &str,
        message: &str,
        tagger: Signature,
        key: &SigningKey,
    ) -> Result<ObjectId, GitError> {
        let id = self.annotated_tag(name, at, message, tagger)?;
        let signed = Tag::clone(self.find_tag(id)?).signed_by(key);
        let id = self.write_tag(signed);
        self.set_reference(&tag_ref(name), id)?;
        Ok(id)
    }

    /// Removes a tag.
    ///
    /// # Errors
    ///
    /// When there is no such tag.
    pub fn delete_tag(&mut self, name: &str) -> Result<(), GitError> {
        match self.refs.remove(&tag_ref(name)) {
            true => Ok(()),
            false => Err(GitError::NoSuchTag(name.into())),
        }
    }

    /// Moves HEAD's branch (or the detached HEAD) to a revision, wherever that is: `git reset`.
    ///
    /// # Errors
    ///
    /// When the revision names no commit.
    pub fn reset(&mut self, to: &str) -> Result<ObjectId, GitError> {
        let id = self.resolve_commit(to)?;
        self.advance(id);
        Ok(id)
    }

    /// Points a reference at an object, wherever it was before: a forced update. The name is a full
    /// one, such as `refs/heads/main`.
    ///
    /// # Errors
    ///
    /// When the name is not valid or stands in another's way, the object is not here, or a branch
    /// would name something else than a commit.
    pub fn set_reference(&mut self, name: &str, id: ObjectId) -> Result<(), GitError> {
        check_ref_name(name)?;
        if let Some(other) = self.refs.blocker(name) {
            return Err(GitError::RefInTheWay { name: name.into(), other });
        }
        match self.objects.find(id) {
            None => return Err(GitError::NoSuchObject(id)),
            Some(object) if name.starts_with("refs/heads/") => match object.kind() {
                ObjectKind::Commit => {}
                other => return Err(wrong_kind(name, ObjectKind::Commit, other)),
            },
            Some(_) => {}
        }
        self.refs.set(name, id);
        Ok(())
    }

    /// Removes a reference by its full name; false when there was none.
    pub fn delete_reference(&mut self, name: &str) -> bool {
        self.refs.remove(name)
    }

    /// The commit at HEAD, or the error that there is none yet.
    pub(super) fn born_head(&self) -> Result<ObjectId, GitError> {
        let unborn = || GitError::Unborn(self.current_branch().unwrap_or_default().into());
        self.head_id().ok_or_else(unborn)
    }

    /// Moves HEAD's branch, or the detached HEAD.
    pub(super) fn advance(&mut self, id: ObjectId) {
        match &mut self.head {
            Head::Branch(name) => self.refs.set(&branch_ref(name), id),
            Head::Detached(at) => *at = id,
        }
    }

    fn check_tag_name(&self, name: &str) -> Result<(), GitError> {
        check_short_name(name)?;
        match self.refs.get(&tag_ref(name)) {
            Some(_) => Err(GitError::TagExists(name.into())),
            None => Ok(()),
        }
    }

    fn place_tag(&mut self, name: &str, id: ObjectId) -> Result<ObjectId, GitError> {
        self.check_tag_name(name)?;
        self.set_reference(&tag_ref(name), id)?;
        Ok(id)
    }
}

pub(super) fn branch_ref(name: &str) -> String {
    format!("refs/heads/{name}")
}

pub(super) fn tag_ref(name: &str) -> String {
    format!("refs/tags/{name}")
}

pub(super) fn wrong_kind(rev: &str, expected: ObjectKind, found: ObjectKind) -> GitError {
    GitError::WrongKind { rev: rev.into(), expected: expected.name(), found: found.name() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn ada(secs: u64) -> Signature {
        Signature::new("Ada", "ada@example.com", Timestamp::from_secs(secs))
    }

    fn started() -> Repository {
        let mut repository = Repository::new();
        repository.commit(Tree::default(), "Start", ada(1), ada(1));
        repository
    }

    #[test]
    fn head_follows_its_branch_until_it_is_detached() {
        let mut repository = Repository::new();
        assert_eq!((repository.head_id(), repository.current_branch()), (None, Some("main")));
        let first = repository.commit(Tree::default(), "Start", ada(1), ada(1));
        assert_eq!(repository.branch_id("main"), Some(first));
        repository.detach("HEAD").unwrap();
        let second = repository.commit(Tree::default(), "More", ada(2), ada(2));
        assert_eq!(
            (repository.head_id(), repository.branch_id("main")),
            (Some(second), Some(first))
        );
    }

    #[test]
    fn a_clone_goes_its_own_way() {
        let first = started();
        let mut second = first.clone();
        second.commit(Tree::default(), "More", ada(2), ada(2));
        assert_ne!(first.head_id(), second.head_id());
    }

    #[test]
    fn names_are_taken_once() {
        let mut repository = started();
        repository.branch("topic", "HEAD").unwrap();
        assert_eq!(repository.branch("topic", "HEAD"), Err(GitError::BranchExists("topic".into())));
        assert!(matches!(repository.branch("topic/x", "HEAD"), Err(GitError::RefInTheWay { .. })));
        repository.tag("v1", "HEAD").unwrap();
        assert_eq!(repository.tag("v1", "HEAD"), Err(GitError::TagExists("v1".into())));
        assert!(repository.tag("v 2", "HEAD").is_err());
        assert!(repository.delete_branch("main").is_err());
        assert!(repository.delete_branch("topic").is_ok());
    }

    #[test]
    fn a_branch_names_commits_only() {
        let mut repository = started();
        let tag = repository.annotated_tag("v1", "HEAD", "One", ada(2)).unwrap();
        assert!(repository.set_reference("refs/heads/x", tag).is_err());
        assert!(repository.set_reference("refs/heads/x", ObjectId::default()).is_err());
    }

    #[test]
    fn amending_keeps_author_and_parents() {
        let mut repository = started();
        let first = repository.head_id().unwrap();
        repository.commit(Tree::default(), "Typo", ada(2), ada(2));
        let tree = Tree::from_files([("a", "1")]).unwrap();
        let id = repository.amend(tree.clone(), Some("Fixed"), ada(9)).unwrap();
        let commit = repository.find_commit(id).unwrap();
        assert_eq!((&commit.parents[..], &commit.author), (&[first][..], &ada(2)));
        assert_eq!((&commit.tree, commit.message.as_str()), (&tree, "Fixed\n"));
    }
}
