//! git at work, in somebody's clone.

use super::remote::fatal;
use super::{Clone, Git, Verb, print};
use crate::git::{
    GitError, MergeOptions, MergeOutcome, PickOutcome, RebaseOutcome, Reset, Signature, SigningKey,
    TreeChange, Unmerged, Worktree, diff,
};
use crate::scenario::commands::terminal::{Output, Terminal};
use crate::sim::{World, signature};

/// Runs a command.
pub(crate) fn run(terminal: &mut Terminal<'_>, command: &Git) -> Output {
    let mut out = Output::default();
    let name = command.repository.as_ref().map_or(terminal.repository, |word| &word.text);
    let Some(clone) = terminal.desk.clones.get_mut(name) else {
        out.error("fatal: not a git repository (or any of the parent directories): .git");
        out.exit = 128;
        return out;
    };
    let who = signature(terminal.who, terminal.world.now());
    let key = command.signs.then(|| SigningKey::of(&who.email));
    clone.worktree.repository_mut().config_mut().signing_key = key;
    let mut shell = At { clone, world: terminal.world, name: terminal.who, who, out };
    if let Err(error) = shell.carry_out(&command.verb) {
        fatal(&mut shell.out, &error);
    }
    shell.out
}

/// Somebody in a clone.
struct At<'a> {
    clone: &'a mut Clone,
    world: &'a mut World,
    name: &'a str,
    who: Signature,
    out: Output,
}

/// How a log is shown.
struct Style {
    oneline: bool,
    show_signature: bool,
}

impl At<'_> {
    fn carry_out(&mut self, verb: &Verb) -> Result<(), GitError> {
        match verb {
            Verb::Status { short } => self.status(*short),
            Verb::Log { revision, path, oneline, show_signature, limit } => {
                let (revision, path) = (revision.as_deref(), path.as_deref());
                let style = Style { oneline: *oneline, show_signature: *show_signature };
                return self.log(revision, path, style, *limit);
            }
            Verb::Show { revision, show_signature } => {
                return self.show(revision, *show_signature);
            }
            Verb::VerifyCommit { revisions } => return self.each(revisions, Self::verify_commit),
            Verb::VerifyTag { names } => return self.each(names, Self::verify_tag),
            Verb::Diff { revisions, staged, stat } => {
                return self.diff(revisions, *staged, *stat);
            }
            Verb::Add { paths } => return self.add(paths),
            Verb::Remove { paths } => return self.remove(paths),
            Verb::Commit { message, all, amend, allow_empty } => {
                return self.commit(message.as_deref(), *all, *amend, *allow_empty);
            }
            Verb::Revert { revisions, mainline } => {
                return self.each(revisions, |at, rev| at.revert(rev, *mainline));
            }
            Verb::CherryPick { revisions, mainline } => {
                return self.each(revisions, |at, rev| at.cherry_pick(rev, *mainline));
            }
            Verb::Resume { operation, abort } => return self.resume(operation, *abort),
            Verb::Merge { revision, fast_forward, message } => {
                let options = MergeOptions {
                    fast_forward: *fast_forward,
                    message: message.clone(),
                    ..MergeOptions::default()
                };
                let who = self.who.clone();
                merge(&mut self.clone.worktree, revision, &options, who, &mut self.out);
            }
            Verb::Rebase { onto } => return self.rebase(onto),
            Verb::Branches { .. }
            | Verb::Branch { .. }
            | Verb::DeleteBranch { .. }
            | Verb::Switch { .. }
            | Verb::Detach { .. }
            | Verb::Restore { .. }
            | Verb::Tags
            | Verb::Tag { .. }
            | Verb::DeleteTag { .. }
            | Verb::Reset { .. } => return self.move_about(verb),
            Verb::Push { remote, refspecs, force, tags } => {
                let remote = remote.as_ref().map_or("origin", |word| &word.text);
                self.push(remote, refspecs, *force, *tags);
            }
            Verb::Fetch => self.clone.fetch(self.world, &mut self.out),
            Verb::Pull { rebase, fast_forward_only } => {
                let (rebase, only) = (*rebase, *fast_forward_only);
                self.clone.pull(self.world, self.name, rebase, only, &mut self.out);
            }
        }
        Ok(())
    }

    fn each(
        &mut self,
        revisions: &[String],
        mut act: impl FnMut(&mut Self, &str) -> Result<(), GitError>,
    ) -> Result<(), GitError> {
        revisions.iter().try_for_each(
            |revision| {
                if self.out.exit == 0 { act(self, revision) } else { Ok(()) }
            },
        )
    }

    fn move_about(&mut self, verb: &Verb) -> Result<(), GitError> {
        let worktree = &mut self.clone.worktree;
        match verb {
            Verb::Branches { remote } => self.branches(*remote),
            Verb::Branch { name, at } => {
                worktree.repository_mut().branch(name, at)?;
            }
            Verb::DeleteBranch { names, force } => return self.delete_branches(names, *force),
            Verb::Switch { name, create, at } => return self.switch(name, *create, at),
            Verb::Detach { revision } => return self.detach(revision),
            Verb::Restore { paths, staged } => return self.restore(paths, *staged),
            Verb::Tags => {
                let tags: Vec<String> =
                    worktree.repository().tags().map(|(tag, _)| tag.to_owned()).collect();
                tags.iter().for_each(|tag| self.out.line(tag));
            }
            Verb::Tag { name, at, message, signed } => {
                let repository = worktree.repository_mut();
                let who = self.who.clone();
                match message {
                    Some(message) if *signed => {
                        let key = SigningKey::of(&who.email);
                        repository.signed_tag(name, at, message, who, &key)?
                    }
                    Some(message) => repository.annotated_tag(name, at, message, who)?,
                    None => repository.tag(name, at)?,
                };
            }
            Verb::DeleteTag { names } => {
                for name in names {
                    worktree.repository_mut().delete_tag(name)?;
                    self.out.line(format!("Deleted tag '{name}'"));
                }
            }
            Verb::Reset { revision, how } => return self.reset(revision, *how),
            _ => unreachable!("carried out elsewhere"),
        }
        Ok(())
    }

    fn status(&mut self, short: bool) {
        let worktree = &self.clone.worktree;
        let (staged, unstaged) = (worktree.staged(), worktree.unstaged());
        let (new, changed): (Vec<TreeChange>, Vec<TreeChange>) =
            unstaged.into_iter().partition(|change| change.old.is_none());
        if short {
            for (changes, column) in [(&staged, 0), (&changed, 1)] {
                for change in changes {
                    let letter = change.kind().letter();
                    let (x, y) = if column == 0 { (letter, ' ') } else { (' ', letter) };
                    self.out.line(format!("{x}{y} {}", change.path));
                }
            }
            new.iter().for_each(|change| self.out.line(format!("?? {}", change.path)));
            return;
        }
        let repository = worktree.repository();
        match repository.current_branch() {
            Some(branch) => self.out.line(format!("On branch {branch}")),
            None => {
                let id = repository.head_id().map(|id| id.short()).unwrap_or_default();
                self.out.line(format!("HEAD detached at {id}"));
            }
        }
        if let Some(line) = ahead_or_behind(worktree) {
            self.out.line(line);
        }
        let conflicts: Vec<String> = worktree
            .conflicts()
            .iter()
            .map(|c| format!("\tboth modified:   {}\n", c.path))
            .collect();
        let mut section = |title: &str, lines: String| {
            if !lines.is_empty() {
                self.out.line(format!("\n{title}\n{}", lines.trim_end_matches('\n')));
            }
        };
        section("Unmerged paths:", conflicts.concat());
        section("Changes to be committed:", print::changed_paths(&staged));
        section("Changes not staged for commit:", print::changed_paths(&changed));
        let files = new.iter().map(|change| format!("\t{}\n", change.path));
        section("Untracked files:", files.collect());
        if staged.is_empty() && changed.is_empty() && new.is_empty() {
            self.out.line("nothing to commit, working tree clean");
        }
    }

    fn log(
        &mut self,
        revision: Option<&str>,
        path: Option<&str>,
        style: Style,
        limit: Option<usize>,
    ) -> Result<(), GitError> {
        let repository = self.clone.worktree.repository();
        let revision = revision.unwrap_or("HEAD");
        let mut log = match revision.split_once("..") {
            Some((from, to)) => {
                let to = if to.is_empty() { "HEAD" } else { to };
                let shown = [repository.resolve_commit(to)?];
                repository.log_of(&shown, &[repository.resolve_commit(from)?])
            }
            None => repository.log(revision)?,
        };
        if let Some(path) = path {
            log = log.path(path);
        }
        for (i, id) in log.ids().into_iter().take(limit.unwrap_or(usize::MAX)).enumerate() {
            let commit = repository.find_commit(id)?;
            if style.oneline {
                self.out.text += &print::one_line(repository, id, commit);
                continue;
            }
            let gap = if i > 0 { "\n" } else { "" };
            let shown = print::long(repository, id, commit, style.show_signature);
            self.out.text += &format!("{gap}{shown}");
        }
        Ok(())
    }

    fn verify_commit(&mut self, revision: &str) -> Result<(), GitError> {
        let commit = self.clone.worktree.repository().commit_at(revision)?.clone();
        self.told(print::signature(&commit));
        Ok(())
    }

    fn verify_tag(&mut self, name: &str) -> Result<(), GitError> {
        let repository = self.clone.worktree.repository();
        let tag = repository.find_tag(repository.resolve(name)?)?.clone();
        match print::tag_signature(&tag) {
            Some(verdict) => self.told(Some(verdict)),
            None => self.out.error("error: no signature found"),
        }
        Ok(())
    }

    /// Says whether a signature is good; there being none is no word, but a failure.
    fn told(&mut self, verdict: Option<Result<String, String>>) {
        match verdict {
            Some(Ok(good)) => self.out.line(good),
            Some(Err(bad)) => self.out.error(bad),
            None => self.out.exit = 1,
        }
    }

    fn show(&mut self, revision: &str, show_signature: bool) -> Result<(), GitError> {
        let repository = self.clone.worktree.repository();
        if let Some((revision, path)) = revision.split_once(':') {
            let tree = repository.tree(revision)?;
            let text = tree
                .text(path)
                .ok_or_else(|| GitError::NoSuchPath { rev: revision.into(), path: path.into() })?;
            self.out.text.push_str(text);
            return Ok(());
        }
        let id = repository.resolve_commit(revision)?;
        let commit = repository.find_commit(id)?;
        let changes = print::changes_of(repository, commit);
        let shown = print::long(repository, id, commit, show_signature);
        self.out.text += &format!("{shown}\n{}", print::patch(&changes));
        Ok(())
    }

    fn diff(&mut self, revisions: &[String], staged: bool, stat: bool) -> Result<(), GitError> {
        let worktree = &self.clone.worktree;
        let repository = worktree.repository();
        let spread: Vec<&str> = revisions.iter().flat_map(|text| text.split("..")).collect();
        let changes = match (&spread[..], staged) {
            ([], false) => worktree.unstaged(),
            ([], true) => worktree.staged(),
            ([one], true) => diff(&repository.tree(one)?, worktree.index()),
            ([one], false) => diff(&repository.tree(one)?, worktree.files()),
            ([one, two, ..], _) => {
                let two = if two.is_empty() { "HEAD" } else { two };
                diff(&repository.tree(one)?, &repository.tree(two)?)
            }
        };
        self.out.text += &if stat { print::stat(&changes) } else { print::patch(&changes) };
        Ok(())
    }

    fn add(&mut self, paths: &[String]) -> Result<(), GitError> {
        for path in paths {
            let known = print::exists(self.clone.worktree.files(), path)
                || print::exists(self.clone.worktree.index(), path);
            if !matches!(path.as_str(), "." | "") && !known {
                self.out.error(format!("fatal: pathspec '{path}' did not match any files"));
                self.out.exit = 128;
                return Ok(());
            }
            self.clone.worktree.stage(path)?;
        }
        Ok(())
    }

    fn remove(&mut self, paths: &[String]) -> Result<(), GitError> {
        for path in paths {
            if !print::exists(self.clone.worktree.index(), path) {
                self.out.error(format!("fatal: pathspec '{path}' did not match any files"));
                self.out.exit = 128;
                return Ok(());
            }
            self.clone.worktree.remove(path);
            self.clone.worktree.stage(path)?;
            self.out.line(format!("rm '{path}'"));
        }
        Ok(())
    }

    fn commit(
        &mut self,
        message: Option<&str>,
        all: bool,
        amend: bool,
        allow_empty: bool,
    ) -> Result<(), GitError> {
        let worktree = &mut self.clone.worktree;
        if all {
            stage_tracked(worktree)?;
        }
        let id = if amend {
            let tree = worktree.index().clone();
            worktree.repository_mut().amend(tree, message, self.who.clone())?
        } else if allow_empty {
            worktree.commit_anyway(message.unwrap_or_default(), self.who.clone())?
        } else {
            match worktree.commit(message.unwrap_or_default(), self.who.clone()) {
                Err(GitError::NothingToCommit) => {
                    self.status(false);
                    self.out.exit = 1;
                    return Ok(());
                }
                committed => committed?,
            }
        };
        self.out.text += &print::committed(self.clone.worktree.repository(), id, amend);
        Ok(())
    }

    fn revert(&mut self, revision: &str, mainline: Option<usize>) -> Result<(), GitError> {
        let outcome = self.clone.worktree.revert(revision, mainline, self.who.clone())?;
        self.picked(outcome, "revert", revision);
        Ok(())
    }

    fn cherry_pick(&mut self, revision: &str, mainline: Option<usize>) -> Result<(), GitError> {
        let outcome = self.clone.worktree.cherry_pick(revision, mainline, self.who.clone())?;
        self.picked(outcome, "apply", revision);
        Ok(())
    }

    fn picked(&mut self, outcome: PickOutcome, doing: &str, revision: &str) {
        let repository = self.clone.worktree.repository();
        match outcome {
            PickOutcome::Commit(id) => self.out.text += &print::committed(repository, id, true),
            PickOutcome::Empty => {
                self.status(false);
                self.out.exit = 1;
            }
            PickOutcome::Conflicts(unmerged) => {
                let about = repository
                    .commit_at(revision)
                    .map(|commit| format!("{}... {}", commit.id().short(), commit.subject()));
                conflicts(&unmerged, &mut self.out);
                self.out.error(format!("error: could not {doing} {}", about.unwrap_or_default()));
                self.out.line(
                    "hint: After resolving the conflicts, mark them with 'git add', then commit.",
                );
            }
        }
    }

    fn resume(&mut self, operation: &'static str, abort: bool) -> Result<(), GitError> {
        let worktree = &mut self.clone.worktree;
        if worktree.under_way() != Some(operation) {
            return Err(GitError::NotInProgress(operation));
        }
        if abort {
            return worktree.abort();
        }
        if operation == "rebase" {
            let outcome = worktree.continue_rebase(self.who.clone())?;
            self.rebased(outcome);
            return Ok(());
        }
        let id = worktree.commit("", self.who.clone())?;
        self.out.text += &print::committed(self.clone.worktree.repository(), id, true);
        Ok(())
    }

    fn rebase(&mut self, onto: &str) -> Result<(), GitError> {
        let outcome = self.clone.worktree.rebase(onto, self.who.clone())?;
        self.rebased(outcome);
        Ok(())
    }

    fn rebased(&mut self, outcome: RebaseOutcome) {
        let branch = self.clone.worktree.repository().current_branch().unwrap_or("HEAD");
        match outcome {
            RebaseOutcome::UpToDate => {
                self.out.line(format!("Current branch {branch} is up to date."));
            }
            RebaseOutcome::Conflicts(stop) => {
                conflicts(&stop.unmerged, &mut self.out);
                self.out.error("error: could not apply a commit");
            }
            _ => {
                self.out.line(format!("Successfully rebased and updated refs/heads/{branch}."));
            }
        }
    }

    fn branches(&mut self, remote: bool) {
        let repository = self.clone.worktree.repository();
        if remote {
            for (name, _) in repository.references() {
                if let Some(name) = name.strip_prefix("refs/remotes/") {
                    self.out.text += &format!("  {name}\n");
                }
            }
            return;
        }
        for (name, _) in repository.branches() {
            let mark = if repository.current_branch() == Some(name) { '*' } else { ' ' };
            self.out.text += &format!("{mark} {name}\n");
        }
    }

    fn delete_branches(&mut self, names: &[String], force: bool) -> Result<(), GitError> {
        for name in names {
            let repository = self.clone.worktree.repository_mut();
            let id =
                repository.branch_id(name).ok_or_else(|| GitError::NoSuchBranch(name.clone()))?;
            let merged = repository.head_id().is_some_and(|head| repository.is_ancestor(id, head));
            if !merged && !force {
                self.out.error(format!("error: the branch '{name}' is not fully merged"));
                return Ok(());
            }
            repository.delete_branch(name)?;
            self.out.line(format!("Deleted branch {name} (was {}).", id.short()));
        }
        Ok(())
    }

    fn switch(&mut self, name: &str, create: bool, at: &str) -> Result<(), GitError> {
        let worktree = &mut self.clone.worktree;
        let upstream = format!("refs/remotes/origin/{name}");
        if create {
            worktree.repository_mut().branch(name, at)?;
            worktree.switch(name)?;
            self.out.line(format!("Switched to a new branch '{name}'"));
        } else if worktree.repository().branch_id(name).is_some() {
            if worktree.repository().current_branch() == Some(name) {
                self.out.line(format!("Already on '{name}'"));
                return Ok(());
            }
            worktree.switch(name)?;
            self.out.line(format!("Switched to branch '{name}'"));
        } else if worktree.repository().reference(&upstream).is_some() {
            worktree.repository_mut().branch(name, &upstream)?;
            worktree.switch(name)?;
            self.out.line(format!("branch '{name}' set up to track 'origin/{name}'."));
            self.out.line(format!("Switched to a new branch '{name}'"));
        } else {
            return self.detach(name);
        }
        Ok(())
    }

    fn detach(&mut self, revision: &str) -> Result<(), GitError> {
        let id = self.clone.worktree.detach(revision)?;
        let subject = self.clone.worktree.repository().find_commit(id)?.subject();
        self.out.line(format!("HEAD is now at {} {subject}", id.short()));
        Ok(())
    }

    fn restore(&mut self, paths: &[String], staged: bool) -> Result<(), GitError> {
        let worktree = &mut self.clone.worktree;
        let head = worktree.repository().tree("HEAD")?;
        for path in paths {
            let from = if staged { head.clone() } else { worktree.index().clone() };
            let path = if path == "." { "" } else { path };
            let entry = from.get(path).ok_or_else(|| GitError::NoSuchPath {
                rev: "the index".into(),
                path: path.into(),
            })?;
            let kept = worktree.files().get(path);
            worktree.put(path, entry)?;
            if staged {
                worktree.stage(path)?;
                if let Some(kept) = kept {
                    worktree.put(path, kept)?;
                }
            }
        }
        Ok(())
    }

    fn reset(&mut self, revision: &str, how: Reset) -> Result<(), GitError> {
        let id = self.clone.worktree.reset(revision, how)?;
        if how == Reset::Hard {
            let subject = self.clone.worktree.repository().find_commit(id)?.subject();
            self.out.line(format!("HEAD is now at {} {subject}", id.short()));
        }
        Ok(())
    }

    fn push(&mut self, remote: &str, refspecs: &[String], force: bool, tags: bool) {
        if remote != "origin" {
            self.out.error(format!("fatal: '{remote}' does not appear to be a git repository"));
            self.out.exit = 128;
            return;
        }
        let tag_names: Vec<String> =
            self.clone.worktree.repository().tags().map(|(tag, _)| tag.to_owned()).collect();
        let tags = tag_names.iter().filter(|_| tags);
        let mut refspecs: Vec<&str> = refspecs.iter().map(String::as_str).collect();
        refspecs.extend(tags.map(String::as_str));
        self.clone.push(self.world, self.name, &refspecs, force, &mut self.out);
    }
}

/// Merges, and prints what git prints.
pub(super) fn merge(
    worktree: &mut Worktree,
    revision: &str,
    options: &MergeOptions,
    who: Signature,
    out: &mut Output,
) {
    let before = worktree.repository().head_id();
    let old = worktree.repository().tree("HEAD").unwrap_or_default();
    match worktree.merge(revision, options, who) {
        Ok(MergeOutcome::UpToDate) => out.line("Already up to date."),
        Ok(MergeOutcome::FastForward(id)) => {
            let changes = diff(&old, &worktree.repository().tree("HEAD").unwrap_or_default());
            if let Some(before) = before {
                out.line(format!("Updating {}..{}", before.short(), id.short()));
            }
            out.line("Fast-forward");
            out.text += &(print::stat(&changes) + &print::modes(&changes));
        }
        Ok(MergeOutcome::Commit(_)) => {
            let changes = diff(&old, &worktree.repository().tree("HEAD").unwrap_or_default());
            out.line("Merge made by the 'ort' strategy.");
            out.text += &(print::stat(&changes) + &print::modes(&changes));
        }
        Ok(MergeOutcome::Conflicts(unmerged)) => {
            conflicts(&unmerged, out);
            out.error("Automatic merge failed; fix conflicts and then commit the result.");
        }
        Err(error) => fatal(out, &error),
    }
}

fn conflicts(unmerged: &Unmerged, out: &mut Output) {
    for conflict in &unmerged.conflicts {
        out.line(format!("Auto-merging {}", conflict.path));
        out.line(conflict);
    }
}

/// `git commit -a`: what is tracked and changed, not what is new.
fn stage_tracked(worktree: &mut Worktree) -> Result<(), GitError> {
    let tracked = worktree.unstaged().into_iter().filter(|change| change.old.is_some());
    tracked
        .map(|change| change.path)
        .collect::<Vec<_>>()
        .iter()
        .try_for_each(|path| worktree.stage(path))
}

fn ahead_or_behind(worktree: &Worktree) -> Option<String> {
    let repository = worktree.repository();
    let branch = repository.current_branch()?;
    let here = repository.head_id()?;
    let there = repository.reference(&format!("refs/remotes/origin/{branch}"))?;
    let ahead = repository.log_of(&[here], &[there]).ids().len();
    let behind = repository.log_of(&[there], &[here]).ids().len();
    let commits = |n: usize| if n == 1 { "commit" } else { "commits" };
    Some(match (ahead, behind) {
        (0, 0) => format!("Your branch is up to date with 'origin/{branch}'."),
        (n, 0) => format!("Your branch is ahead of 'origin/{branch}' by {n} {}.", commits(n)),
        (0, n) => format!(
            "Your branch is behind 'origin/{branch}' by {n} {}, and can be fast-forwarded.",
            commits(n)
        ),
        (a, b) => format!(
            "Your branch and 'origin/{branch}' have diverged,\nand have {a} and {b} different commits each, respectively."
        ),
    })
}
