//! Between a clone and its remote: push, fetch, pull.

use crate::git::forge::{Caller, PushError, Pushed, Refusal};
use crate::git::{FastForward, GitError, MergeOptions, RebaseOutcome, Rejection, Worktree};
use crate::scenario::commands::terminal::Output;
use crate::sim::{World, signature};

/// Somebody's clone of a repository.
#[derive(Clone)]
pub(crate) struct Clone {
    pub(crate) url: String,
    pub(crate) worktree: Worktree,
}

impl Clone {
    /// Brings news from the remote, and the branch forward if nothing of one's own is in the way: what
    /// somebody does who sits down to work.
    pub(crate) fn freshen(&mut self, world: &World) {
        let Some(remote) = world.repository(&self.url) else { return };
        self.worktree.repository_mut().fetch(remote, "origin");
        let Some(branch) = self.worktree.repository().current_branch().map(str::to_owned) else {
            return;
        };
        let upstream = format!("refs/remotes/origin/{branch}");
        let clean = self.worktree.staged().is_empty() && self.worktree.unstaged().is_empty();
        if clean && self.worktree.repository().reference(&upstream).is_some() {
            let only = MergeOptions { fast_forward: FastForward::Only, ..MergeOptions::default() };
            // A branch that has commits of its own stays where it is.
            let _ = self.worktree.merge(&upstream, &only, signature("", world.now()));
        }
    }

    pub(super) fn fetch(&mut self, world: &World, out: &mut Output) {
        let Some(remote) = world.repository(&self.url) else { return self.not_found(out) };
        let updates = self.worktree.repository_mut().fetch(remote, "origin");
        if updates.is_empty() {
            return;
        }
        out.line(format!("From {}", self.url));
        for update in updates {
            let line = update.to_string();
            let name = update.name.rsplit('/').next().unwrap_or_default();
            let tracked = line.replace("origin/", "");
            out.line(match tracked.rsplit_once(" -> ") {
                Some((what, _)) if update.name.starts_with("refs/remotes/") => {
                    format!("{what:<30} -> origin/{name}")
                }
                _ => tracked,
            });
        }
    }

    pub(super) fn pull(
        &mut self,
        world: &World,
        who: &str,
        rebase: bool,
        only: bool,
        out: &mut Output,
    ) {
        self.fetch(world, out);
        let Some(branch) = self.worktree.repository().current_branch() else {
            return out.error("You are not currently on a branch.");
        };
        let upstream = format!("refs/remotes/origin/{branch}");
        let who = signature(who, world.now());
        if rebase {
            match self.worktree.rebase(&upstream, who) {
                Ok(RebaseOutcome::UpToDate) => out.line("Already up to date."),
                Ok(RebaseOutcome::Conflicts(stop)) => {
                    stop.unmerged.conflicts.iter().for_each(|conflict| out.line(conflict));
                    out.error("error: could not apply a commit: resolve the conflicts, then git rebase --continue");
                }
                Ok(_) => out.line(format!(
                    "Successfully rebased and updated {branch}.",
                    branch = upstream.replace("refs/remotes/origin", "refs/heads")
                )),
                Err(error) => fatal(out, &error),
            }
            return;
        }
        let fast_forward = if only { FastForward::Only } else { FastForward::Allowed };
        let message = Some(format!("Merge branch '{}' of {}", &upstream[20..], self.url));
        let options = MergeOptions { fast_forward, message, ..MergeOptions::default() };
        super::run::merge(&mut self.worktree, &upstream, &options, who, out);
    }

    pub(super) fn push(
        &mut self,
        world: &mut World,
        who: &str,
        refspecs: &[&str],
        force: bool,
        out: &mut Output,
    ) {
        world.add_person(who);
        let caller = Caller::User(who.into());
        let local = self.worktree.repository().clone();
        let pushed = world.at_forge(who, |forge, now| {
            match forge.push(&self.url, &caller, &local, refspecs, force, now) {
                Ok(mut pushed) => {
                    let events = std::mem::take(&mut pushed.events);
                    (Ok(pushed), events)
                }
                Err(error) => (Err(error), Vec::new()),
            }
        });
        match pushed {
            Ok(pushed) if pushed.is_ok() => out.line(pushed),
            Ok(pushed) => {
                out.error(&pushed);
                out.text += hint(&pushed);
            }
            Err(PushError::Git(error)) => {
                let spec = refspecs.first().copied().unwrap_or("HEAD");
                out.line(format!("error: src refspec {spec} does not match any: {error}"));
                out.error(format!("error: failed to push some refs to '{}'", self.url));
            }
            Err(error) => {
                out.error(error);
                out.exit = 128;
            }
        }
        if let Some(remote) = world.repository(&self.url) {
            self.worktree.repository_mut().fetch(remote, "origin");
        }
    }

    fn not_found(&self, out: &mut Output) {
        out.error(format!("fatal: repository '{}' not found", self.url));
        out.exit = 128;
    }
}

/// What git advises when the remote has moved on.
fn hint(pushed: &Pushed) -> &'static str {
    let rejected = |why: Rejection| {
        pushed.reports.iter().any(|report| report.refusal == Some(Refusal::Rejected(why)))
    };
    if rejected(Rejection::FetchFirst) {
        "hint: Updates were rejected because the remote contains work that you do not\nhint: have locally. Integrate the remote changes (e.g. 'git pull') before pushing again.\n"
    } else if rejected(Rejection::NonFastForward) {
        "hint: Updates were rejected because the tip of your current branch is behind\nhint: its remote counterpart. Integrate the remote changes (e.g. 'git pull') before pushing again.\n"
    } else {
        ""
    }
}

/// An error as git ends with it.
pub(super) fn fatal(out: &mut Output, error: &GitError) {
    let prefix = match error {
        GitError::WouldOverwrite { .. } | GitError::Unmerged(_) => "error",
        GitError::NothingToCommit => return out.error(error),
        _ => "fatal",
    };
    out.error(format!("{prefix}: {error}"));
    out.exit = if prefix == "fatal" { 128 } else { 1 };
}
