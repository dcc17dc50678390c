//! The messages that Git writes itself.

use crate::git::{Commit, GitError, GitVersion, Object, ObjectId, Repository};

impl Repository {
    /// What `git merge` says about a merge of this revision (`git fmt-merge-msg`).
    pub(super) fn merge_message(&self, rev: &str) -> Result<String, GitError> {
        let into = self.current_branch().unwrap_or("HEAD");
        let into = match into {
            "main" | "master" => String::new(),
            other => format!(" into {other}"),
        };
        let mut message = format!("Merge {}{into}\n", self.describe(rev));
        if let Some(Object::Tag(tag)) = self.objects.get(self.resolve(rev)?) {
            message += &format!("\n{}", tag.message);
        }
        Ok(message)
    }

    fn describe(&self, rev: &str) -> String {
        let early = rev.trim_end_matches('^');
        let early = early.split_once('~').map_or(early, |(name, _)| name);
        match () {
            () if self.reference(&format!("refs/tags/{rev}")).is_some() => format!("tag '{rev}'"),
            () if self.branch_id(rev).is_some() => format!("branch '{rev}'"),
            () if self.reference(&format!("refs/remotes/{rev}")).is_some() => {
                format!("remote-tracking branch '{rev}'")
            }
            () if self.branch_id(early).is_some() => format!("branch '{early}' (early part)"),
            () => format!("commit '{rev}'"),
        }
    }
}

/// The first line that is not blank, which is how reverts and picks name a commit.
pub(super) fn first_line(commit: &Commit) -> &str {
    commit.message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()
}

/// What `git revert` says.
pub(super) fn revert_message(
    commit: &Commit,
    id: ObjectId,
    against: Option<ObjectId>,
    version: GitVersion,
) -> String {
    let merged = match against.filter(|_| commit.parents.len() > 1) {
        Some(parent) => format!(", reversing\nchanges made to {parent}"),
        None => String::new(),
    };
    let subject = first_line(commit);
    let reverted = subject.strip_prefix("Revert \"").filter(|rest| !rest.starts_with("Revert \""));
    let title = match reverted.filter(|_| version >= GitVersion(2, 43)) {
        Some(rest) => format!("Reapply \"{rest}"),
        None => format!("Revert \"{subject}\""),
    };
    format!("{title}\n\nThis reverts commit {id}{merged}.\n")
}
