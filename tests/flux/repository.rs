//! The story's Git repository: commits whose ids are the same everywhere, since every git command that the
//! recorder ran moved its clock by a minute.

use driftlab::git::{GitVersion, PickOutcome, Repository, Signature, Tree};
use driftlab::time::Timestamp;
use serde_json::{Map, Value};

pub(crate) struct StoryRepository {
    pub(crate) repository: Repository,
    tick: u64,
}

impl StoryRepository {
    pub(crate) fn new() -> Self {
        let mut repository = Repository::new();
        repository.config_mut().version = GitVersion(2, 39); // the recorder's
        let mut story = StoryRepository { repository, tick: 1_767_225_600 };
        story.command(); // git init
        story
    }

    pub(crate) fn commit(&mut self, files: &Map<String, Value>, message: &str) {
        let head = self
            .repository
            .head_id()
            .map(|_| self.repository.tree("HEAD").expect("HEAD has a tree"));
        let tree =
            files.iter().fold(head.unwrap_or_default(), |tree, (path, text)| match text.as_str() {
                Some(text) => {
                    tree.with_file(path, text).expect("stories name files within the tree")
                }
                None => tree.without(path),
            });
        self.command(); // git add
        self.write(tree, message);
    }

    pub(crate) fn revert_head(&mut self) {
        let alice = self.alice();
        let reverted = self.repository.revert("HEAD", None, alice);
        assert!(matches!(reverted, Ok(PickOutcome::Commit(_))), "{reverted:?}");
    }

    /// `git rev-parse HEAD`, as a revision.
    pub(crate) fn revision(&mut self) -> String {
        self.command();
        format!("main@sha1:{}", self.repository.head_id().expect("there is a commit"))
    }

    /// The recorder ran a git command.
    pub(crate) fn command(&mut self) {
        self.tick += 60;
    }

    fn write(&mut self, tree: Tree, message: &str) {
        let alice = self.alice();
        self.repository.commit(tree, message, alice.clone(), alice);
    }

    fn alice(&mut self) -> Signature {
        self.command();
        Signature::new("alice", "alice@example.com", Timestamp::from_secs(self.tick))
    }
}
