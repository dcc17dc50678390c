//! gh at work, in somebody's clone.

use super::{Gh, Wanted, show};
use crate::git::forge::{
    Caller, CheckState, Forge, MergeMethod, NewPull, PullError, PullRequest, PullState, Pulled,
    Verdict,
};
use crate::git::{DiffFormat, GitError, Repository, diff, unified_diff};
use crate::scenario::commands::git::Clone;
use crate::scenario::commands::terminal::{Output, Terminal};
use crate::sim::World;
use crate::time::Timestamp;

/// Runs a command.
pub(crate) fn run(terminal: &mut Terminal<'_>, command: &Gh) -> Output {
    let mut out = Output::default();
    let Some(clone) = terminal.desk.clones.get(terminal.repository) else {
        out.error("failed to run git: fatal: not a git repository");
        return out;
    };
    let mut at = At { world: terminal.world, who: terminal.who, clone, out };
    if let Err(message) = at.carry_out(command) {
        at.out.error(message);
    }
    at.out
}

/// Somebody at the forge.
struct At<'a> {
    world: &'a mut World,
    who: &'a str,
    clone: &'a Clone,
    out: Output,
}

impl At<'_> {
    fn carry_out(&mut self, command: &Gh) -> Result<(), String> {
        match command {
            Gh::Create { title, body, base, head } => {
                self.create(title, body, base.as_deref(), head.as_deref())
            }
            Gh::Review { number, verdict, body } => self.review(*number, *verdict, body),
            Gh::Merge { number, method, seen, delete_branch } => {
                let number = self.number(*number)?;
                self.merge(number, *method, seen.as_deref())?;
                self.delete_branch(number, *delete_branch)
            }
            Gh::Close { number, comment, delete_branch } => {
                let number = self.number(*number)?;
                self.close(number, comment.as_deref())?;
                self.delete_branch(number, *delete_branch)
            }
            Gh::Comment { number, body } => self.comment(*number, body),
            Gh::List(wanted) => {
                self.list(wanted);
                Ok(())
            }
            Gh::View { number, comments } => self.view(*number, *comments),
            Gh::Diff { number } => self.diff(*number),
            Gh::Checks { number, required } => self.checks(*number, *required),
            Gh::Report { repository, revision, name, state } => {
                self.report(repository, revision, name, *state)
            }
        }
    }

    /// Does something to a pull request, with what it sets off.
    fn act(
        &mut self,
        act: impl FnOnce(&mut Forge, &str, &Caller, Timestamp) -> Result<Pulled, PullError>,
    ) -> Result<Pulled, String> {
        self.world.add_person(self.who);
        let (caller, url) = (Caller::User(self.who.into()), self.clone.url.clone());
        let done = self.world.at_pull(self.who, |forge, now| act(forge, &url, &caller, now));
        done.map_err(|error| words(&error))
    }

    fn name(&self) -> String {
        let name = self.world.forge().name_of(&self.clone.url);
        name.unwrap_or(&self.clone.url).to_owned()
    }

    fn branch(&self) -> Result<&str, String> {
        let branch = self.clone.worktree.repository().current_branch();
        branch.ok_or_else(|| "could not determine the current branch".to_owned())
    }

    /// The pull request meant: by number, or of the branch one is on.
    fn number(&self, number: Option<u64>) -> Result<u64, String> {
        if let Some(number) = number {
            return Ok(number);
        }
        let branch = self.branch()?;
        let mut pulls = self.world.forge().pulls(&self.clone.url);
        let open = |pull: &&PullRequest| pull.state == PullState::Open && pull.source == branch;
        let found = pulls.find(open).map(|pull| pull.number);
        found.ok_or_else(|| format!("no pull requests found for branch {branch:?}"))
    }

    fn create(
        &mut self,
        title: &str,
        body: &str,
        base: Option<&str>,
        head: Option<&str>,
    ) -> Result<(), String> {
        let source =
            head.map_or_else(|| self.branch().map(str::to_owned), |head| Ok(head.to_owned()))?;
        let remote = self.world.repository(&self.clone.url);
        let default = remote.and_then(|remote| remote.current_branch()).unwrap_or("main");
        let target = base.unwrap_or(default).to_owned();
        let subject = || {
            let repository = self.clone.worktree.repository();
            repository.commit_at(&source).map(|commit| commit.subject()).unwrap_or_default()
        };
        let title = if title.is_empty() { subject() } else { title.to_owned() };
        let (from, to, name) = (source.clone(), target.clone(), self.name());
        let new = NewPull { title, body: body.into(), source, target };
        let pulled = self.act(|forge, url, caller, now| forge.open_pull(url, caller, new, now))?;
        self.out.line(format!("\nCreating pull request for {from} into {to} in {name}\n"));
        let line = self.address(pulled.number);
        self.out.line(line);
        Ok(())
    }

    fn review(&mut self, number: Option<u64>, verdict: Verdict, body: &str) -> Result<(), String> {
        let number = self.number(number)?;
        let _ = self
            .act(|forge, url, caller, now| forge.review(url, caller, number, verdict, body, now))?;
        let done = match verdict {
            Verdict::Approve => "✓ Approved",
            Verdict::RequestChanges => "+ Requested changes to",
            Verdict::Comment => "- Reviewed",
        };
        self.out.line(format!("{done} pull request {}#{number}", self.name()));
        Ok(())
    }

    fn comment(&mut self, number: Option<u64>, body: &str) -> Result<(), String> {
        let number = self.number(number)?;
        self.say(number, body)?;
        let line = format!("{}#issuecomment", self.address(number));
        self.out.line(line);
        Ok(())
    }

    fn say(&mut self, number: u64, body: &str) -> Result<(), String> {
        let verdict = Verdict::Comment;
        self.act(|forge, url, caller, now| forge.review(url, caller, number, verdict, body, now))
            .map(drop)
    }

    fn merge(
        &mut self,
        number: u64,
        method: MergeMethod,
        seen: Option<&str>,
    ) -> Result<(), String> {
        let pull = self.pull(number)?;
        if let PullState::Merged { .. } = pull.state {
            let line = format!("! Pull request {}#{number} was already merged", self.name());
            self.out.line(line);
            return Ok(());
        }
        let head = self.world.repository(&self.clone.url);
        let head = head.and_then(|found| found.reference(&pull.head_reference()));
        if seen.is_some_and(|seen| head.is_none_or(|head| head.to_string() != seen)) {
            return Err("Head branch was modified. Review and try the merge again.".into());
        }
        let _ =
            self.act(|forge, url, caller, now| forge.merge_pull(url, caller, number, method, now))?;
        let done = match method {
            MergeMethod::Merge => "✓ Merged",
            MergeMethod::Squash => "✓ Squashed and merged",
            MergeMethod::Rebase => "✓ Rebased and merged",
        };
        self.out.line(format!("{done} pull request {}#{number} ({})", self.name(), pull.title));
        Ok(())
    }

    /// Deletes the branch of a pull request, if that is asked for.
    fn delete_branch(&mut self, number: u64, is_asked: bool) -> Result<(), String> {
        let source = self.pull(number)?.source;
        if is_asked {
            let deleted = self.world.push(self.who, &self.clone.url, |remote| {
                remote.delete_reference(&format!("refs/heads/{source}"));
                Ok(())
            });
            deleted.map_err(|error| error.to_string())?;
            self.out.line(format!("✓ Deleted remote branch {source}"));
        }
        Ok(())
    }

    fn close(&mut self, number: u64, comment: Option<&str>) -> Result<(), String> {
        let pull = self.pull(number)?;
        if let Some(comment) = comment {
            self.say(number, comment)?;
        }
        let _ = self.act(|forge, url, caller, now| forge.close_pull(url, caller, number, now))?;
        let line = format!("✓ Closed pull request {}#{number} ({})", self.name(), pull.title);
        self.out.line(line);
        Ok(())
    }

    fn report(
        &mut self,
        repository: &str,
        revision: &str,
        name: &str,
        state: CheckState,
    ) -> Result<(), String> {
        let url = match repository {
            "{owner}/{repo}" | "{repo}" => self.clone.url.clone(),
            name => self.world.forge().url(name),
        };
        let revision = match revision {
            "{branch}" => self.branch()?.to_owned(),
            revision => revision.to_owned(),
        };
        self.world.add_person(self.who);
        let caller = Caller::User(self.who.into());
        let reported =
            self.world.report_status((self.who, &caller), &url, &revision, (name, state));
        let commit = reported.map_err(|error| words(&error))?;
        self.out.line(format!("{name} on {} is {}", commit.short(), state.name()));
        Ok(())
    }
}

/// What is looked at.
impl At<'_> {
    /// A pull request that there is.
    fn pull(&self, number: u64) -> Result<PullRequest, String> {
        let pull = self.world.forge().pull(&self.clone.url, number).cloned();
        pull.ok_or_else(|| PullError::NoSuchPull(number).to_string())
    }

    fn address(&self, number: u64) -> String {
        format!("{}/pull/{number}", self.clone.url.trim_end_matches(".git"))
    }

    fn list(&mut self, wanted: &Wanted) {
        let state = wanted.state.as_deref().unwrap_or("open");
        let is = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|w| w == text);
        let is_wanted = |pull: &&PullRequest| {
            (match (state, &pull.state) {
                ("all", _) | ("open", PullState::Open) => true,
                ("merged", PullState::Merged { .. }) => true,
                // What is merged is closed too.
                ("closed", state) => *state != PullState::Open,
                _ => false,
            }) && is(&wanted.base, &pull.target)
                && is(&wanted.head, &pull.source)
                && is(&wanted.author, &pull.author)
        };
        let pulls = self.world.forge().pulls(&self.clone.url);
        let mut found: Vec<&PullRequest> = pulls.filter(is_wanted).collect();
        found.reverse();
        if found.is_empty() {
            let state = if state == "all" { String::new() } else { format!("{state} ") };
            let line = format!("no {state}pull requests in {}", self.name());
            return self.out.line(line);
        }
        let lines = show::list(&found);
        lines.into_iter().for_each(|line| self.out.line(line));
    }

    fn view(&mut self, number: Option<u64>, comments: bool) -> Result<(), String> {
        let pull = self.pull(self.number(number)?)?;
        let (caller, now) = (Caller::User(self.who.into()), self.world.now());
        let forge = self.world.forge();
        let waits = forge.mergeability(&self.clone.url, &caller, pull.number, now).ok();
        let lines = show::view(&pull, waits.as_ref(), comments);
        lines.into_iter().for_each(|line| self.out.line(line));
        Ok(())
    }

    /// What a pull request changes: from where its branch left the target.
    fn diff(&mut self, number: Option<u64>) -> Result<(), String> {
        let pull = self.pull(self.number(number)?)?;
        let (url, head) = (&self.clone.url, pull.head_reference());
        let repository = self.world.repository(url).ok_or("the repository is gone")?;
        let text = changes(repository, &pull.target, &head).map_err(|error| error.to_string())?;
        self.out.text += &text;
        Ok(())
    }

    fn checks(&mut self, number: Option<u64>, required: bool) -> Result<(), String> {
        let pull = self.pull(self.number(number)?)?;
        let all = show::checks(self.world.forge(), &self.clone.url, &pull, required);
        if all.is_empty() {
            return Err(format!("no checks reported on the '{}' branch", pull.source));
        }
        let (exit, lines) = show::verdict(&all);
        lines.into_iter().for_each(|line| self.out.line(line));
        self.out.exit = exit;
        Ok(())
    }
}

/// Why the forge refuses; `git`'s words for who may not are no words of `gh`.
fn words(error: &PullError) -> String {
    match error {
        PullError::Access(error) => error.as_api().1,
        error => error.to_string(),
    }
}

fn changes(repository: &Repository, target: &str, head: &str) -> Result<String, GitError> {
    let head = repository.resolve_commit(head)?;
    let target = repository.resolve_commit(&format!("refs/heads/{target}"))?;
    let base = repository.merge_base(target, head);
    let before = base.map(|base| repository.tree(&base.to_string())).transpose()?;
    let after = repository.tree(&head.to_string())?;
    let changes = diff(&before.unwrap_or_default(), &after);
    Ok(String::from_utf8_lossy(&unified_diff(&changes, DiffFormat::default())).into_owned())
}
