//! Rules for branches, and the checks that they ask for.

use std::collections::BTreeSet;

use super::access::Granted;
use super::{
    Caller, Forge, Hosted, MergeMethod, NoSuchRepository, PullError, PullRequest, Role, Scope,
};
use crate::git::{GitError, Log, ObjectId, RefUpdate, Repository};
use crate::time::Timestamp;

/// What must hold before the branches that match a pattern move.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Protection {
    /// The branches it is about; `*` stands for any text without a slash.
    pub pattern: String,
    /// They move by pull requests only, each with so many approvals by people who may write.
    pub required_approvals: Option<usize>,
    /// An approval counts only for what was there to see.
    pub dismiss_stale: bool,
    /// Checks that must have succeeded on the commit.
    pub required_checks: Vec<String>,
    /// Commits may be left behind.
    pub allow_force: bool,
    /// The branch may be deleted.
    pub allow_deletion: bool,
    /// Every commit carries a signature. What the forge commits itself, merging, is signed by the forge; what
    /// it would make anew in somebody's name, rebasing, cannot be.
    pub require_signatures: bool,
    /// No merge commits.
    pub linear_history: bool,
    /// Administrators are bound too.
    pub include_admins: bool,
}

/// How a check on a commit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckState {
    /// It runs.
    Pending,
    /// It is content.
    Success,
    /// It is not.
    Failure,
}

impl Protection {
    /// The rule that a forge begins with: no force, no deletion, administrators too.
    pub fn of(pattern: &str) -> Self {
        Protection {
            pattern: pattern.into(),
            required_approvals: None,
            dismiss_stale: false,
            required_checks: Vec::new(),
            allow_force: false,
            allow_deletion: false,
            require_signatures: false,
            linear_history: false,
            include_admins: true,
        }
    }

    /// The same with pull requests required, each with so many approvals.
    pub fn require_approvals(mut self, approvals: usize) -> Self {
        self.required_approvals = Some(approvals);
        self
    }

    /// The same with a signature required of every commit.
    pub fn require_signatures(mut self) -> Self {
        self.require_signatures = true;
        self
    }

    /// The same with a check required.
    pub fn require_check(mut self, name: &str) -> Self {
        self.required_checks.push(name.into());
        self
    }

    fn is_about(&self, branch: &str) -> bool {
        matches(&self.pattern, branch)
    }
}

impl Forge {
    /// Reports a check on a commit, as a CI does.
    ///
    /// # Errors
    ///
    /// When there is no such repository.
    pub fn report_check(
        &mut self,
        url: &str,
        commit: ObjectId,
        name: &str,
        state: CheckState,
    ) -> Result<(), NoSuchRepository> {
        let repository = self.hosted(url)?.0.to_owned();
        self.change(&repository, |hosted| {
            hosted.checks.insert((commit, name.into()), state);
        });
        Ok(())
    }
}

impl Forge {
    /// Reports a check on what a revision names, as somebody; gives the commit.
    ///
    /// # Errors
    ///
    /// When the caller may not, the revision names no commit, or the check's name is not one line of 1 to
    /// 100 characters.
    pub fn report_status(
        &mut self,
        url: &str,
        caller: &Caller,
        revision: &str,
        (name, state): (&str, CheckState),
        now: Timestamp,
    ) -> Result<ObjectId, PullError> {
        let granted = self.check(url, caller, Role::Write, Scope::Statuses, now)?;
        let is_name = !name.trim().is_empty() && !name.contains(char::is_control);
        if !is_name || name.chars().count() > 100 {
            let why = "context must be one line of 1 to 100 characters";
            return Err(PullError::Text(why.into()));
        }
        let missing = || GitError::UnknownRevision(revision.into());
        let repository = self.repository(&self.url(&granted.name)).ok_or_else(missing)?;
        let commit = repository.resolve_commit(revision)?;
        self.change(&granted.name, |hosted| {
            hosted.checks.insert((commit, name.into()), state);
        });
        Ok(commit)
    }

    /// How the checks on a commit stand, by name: those that were reported.
    pub fn checks(&self, url: &str, commit: ObjectId) -> impl Iterator<Item = (&str, CheckState)> {
        let hosted = self.name_of(url).and_then(|name| self.hosted.get(name));
        let all = hosted.into_iter().flat_map(|hosted| &hosted.checks);
        let of_it = all.filter(move |((id, _), _)| *id == commit);
        of_it.map(|((_, name), state)| (name.as_str(), *state))
    }

    /// The checks that a branch asks for.
    pub fn required_checks(&self, url: &str, branch: &str) -> &[String] {
        let hosted = self.name_of(url).and_then(|name| self.hosted.get(name));
        let rule = hosted.and_then(|hosted| hosted.protection(branch));
        rule.map_or(&[], |rule| &rule.required_checks)
    }
}

impl CheckState {
    /// Every state.
    pub const ALL: [CheckState; 3] =
        [CheckState::Pending, CheckState::Success, CheckState::Failure];

    /// The word for it: `pending`, `success`, `failure`.
    pub fn name(self) -> &'static str {
        match self {
            CheckState::Pending => "pending",
            CheckState::Success => "success",
            CheckState::Failure => "failure",
        }
    }
}

impl Hosted {
    /// The rule for a branch, that named most exactly first.
    pub(super) fn protection(&self, branch: &str) -> Option<&Protection> {
        let exact = self.protections.iter().find(|rule| rule.pattern == branch);
        exact.or_else(|| self.protections.iter().find(|rule| rule.is_about(branch)))
    }

    /// Why a branch may not be pushed so; nothing when it may.
    pub(super) fn objections_to_push(
        &self,
        branch: &str,
        update: &RefUpdate,
        after: &Repository,
        role: Role,
    ) -> Vec<String> {
        let Some(rule) = self.binding_rule(branch, role) else { return Vec::new() };
        let mut objections = Vec::new();
        match (update.old, update.new) {
            (_, None) if !rule.allow_deletion => {
                objections.push("Cannot delete this branch".into())
            }
            (Some(old), Some(new)) if !rule.allow_force && !after.is_ancestor(old, new) => {
                objections.push("Cannot force-push to this branch".into())
            }
            _ => {}
        }
        if let Some(new) = update.new {
            if rule.required_approvals.is_some() && objections.is_empty() {
                objections.push("Changes must be made through a pull request.".into());
            }
            objections.extend(self.missing_checks(rule, new));
            objections.extend(unfit_commits(rule, after, new, update.old));
        }
        objections
    }

    /// Why a pull request may not be merged; nothing when it may.
    pub(super) fn objections_to_merge(
        &self,
        pull: &PullRequest,
        head: ObjectId,
        method: MergeMethod,
        who: &Granted,
    ) -> Vec<String> {
        let Some(rule) = self.binding_rule(&pull.target, who.role) else { return Vec::new() };
        let wanted = rule.required_approvals.unwrap_or(0);
        let mut objections = Vec::new();
        if pull.approvals(rule.dismiss_stale.then_some(head)).count() < wanted {
            let reviews = if wanted == 1 { "review is" } else { "reviews are" };
            objections.push(format!(
                "At least {wanted} approving {reviews} required by reviewers with write access."
            ));
        }
        if wanted > 0 && pull.has_objections() {
            objections.push("Changes were requested by a reviewer.".into());
        }
        objections.extend(self.missing_checks(rule, head));
        if rule.require_signatures {
            objections.extend(self.unsigned(pull, head, method, &who.user));
        }
        objections
    }

    /// Whether a branch takes signed commits only, and so the forge signs what it commits there.
    pub(super) fn signs(&self, branch: &str) -> bool {
        self.protection(branch).is_some_and(|rule| rule.require_signatures)
    }

    /// Why a merge cannot be signed
    /// (<https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches/about-protected-branches#require-signed-commits>).
    fn unsigned(
        &self,
        pull: &PullRequest,
        head: ObjectId,
        method: MergeMethod,
        user: &str,
    ) -> Option<String> {
        let target: Vec<ObjectId> = self.repository.branch_id(&pull.target).into_iter().collect();
        match method {
            MergeMethod::Rebase => Some(
                "Base branch requires signed commits. Rebase merges cannot be automatically signed."
                    .into(),
            ),
            MergeMethod::Merge => all_signed(self.repository.log_of(&[head], &target)),
            MergeMethod::Squash => (user != pull.author).then(|| {
                "Base branch requires signed commits. Only the author of a pull request can squash it."
                    .into()
            }),
        }
    }

    fn binding_rule(&self, branch: &str, role: Role) -> Option<&Protection> {
        self.protection(branch).filter(|rule| rule.include_admins || role < Role::Admin)
    }

    fn missing_checks(&self, rule: &Protection, commit: ObjectId) -> Vec<String> {
        let state = |name: &String| self.checks.get(&(commit, name.clone())).copied();
        let objection = |name: &String| match state(name) {
            Some(CheckState::Success) => None,
            Some(CheckState::Failure) => {
                Some(format!("Required status check \"{name}\" is failing."))
            }
            Some(CheckState::Pending) => {
                Some(format!("Required status check \"{name}\" is pending."))
            }
            None => Some(format!("Required status check \"{name}\" is expected.")),
        };
        rule.required_checks.iter().filter_map(objection).collect()
    }
}

fn unfit_commits(
    rule: &Protection,
    after: &Repository,
    new: ObjectId,
    old: Option<ObjectId>,
) -> Vec<String> {
    let hidden: Vec<ObjectId> = old.into_iter().collect();
    let commits = || after.log_of(&[new], &hidden);
    let mut objections = Vec::new();
    if rule.require_signatures {
        objections.extend(all_signed(commits()));
    }
    if rule.linear_history && commits().any(|(_, commit)| commit.parents.len() > 1) {
        objections.push("This branch must not contain merge commits.".into());
    }
    objections
}

fn all_signed(mut log: Log<'_>) -> Option<String> {
    let unsigned = log.any(|(_, commit)| !commit.is_signed());
    unsigned.then(|| "Commits must have verified signatures.".into())
}

/// Whether a pattern matches a name; `*` is any text without a slash, `**` any text.
///
/// Keeps the set of places that the pattern so far can lead to, so that no pattern takes long.
fn matches(pattern: &str, name: &str) -> bool {
    let mut places = BTreeSet::from([0]);
    let mut rest = pattern;
    loop {
        let (text, after) = match rest.split_once('*') {
            Some((text, after)) => (text, Some(after)),
            None => (rest, None),
        };
        places.retain(|at| name[*at..].starts_with(text));
        places = places.into_iter().map(|at| at + text.len()).collect();
        let Some(after) = after else { return places.contains(&name.len()) };
        let over_slashes = after.starts_with('*');
        let end = |at: usize| match name[at..].find('/').filter(|_| !over_slashes) {
            Some(slash) => at + slash,
            None => name.len(),
        };
        let spread = places.into_iter().flat_map(|at| at..=end(at));
        places = spread.filter(|at| name.is_char_boundary(*at)).collect();
        rest = after.strip_prefix('*').unwrap_or(after);
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_a_part_of_a_name() {
        assert!(matches("main", "main") && !matches("main", "maint"));
        assert!(matches("release/*", "release/1.0") && !matches("release/*", "release/1/x"));
        assert!(matches("**", "a/b/c") && matches("*-x", "a-x") && !matches("*-x", "a/b-x"));
        assert!(matches("ü*é", "üé") && !matches("ü*é", "ü"));
        assert!(!matches(&"*a".repeat(50), &"a".repeat(49)));
    }
}
