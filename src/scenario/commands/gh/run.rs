//! gh at work, in somebody's clone.

use super::Gh;
use crate::git::forge::{
    Caller, Forge, MergeMethod, NewPull, PullError, PullRequest, PullState, Pulled, Verdict,
};
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
            Gh::Merge { number, method, delete_branch } => {
                self.merge(*number, *method, *delete_branch)
            }
            Gh::Close { number } => self.close(*number),
            Gh::List => {
                self.list();
                Ok(())
            }
            Gh::View { number } => self.view(*number),
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
        done.map_err(|error| error.to_string())
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
        let url = self.clone.url.trim_end_matches(".git");
        self.out.line(format!("{url}/pull/{}", pulled.number));
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

    fn merge(
        &mut self,
        number: Option<u64>,
        method: MergeMethod,
        delete_branch: bool,
    ) -> Result<(), String> {
        let number = self.number(number)?;
        let _ =
            self.act(|forge, url, caller, now| forge.merge_pull(url, caller, number, method, now))?;
        let pull = self.world.forge().pull(&self.clone.url, number).cloned();
        let (title, source) = pull.map_or_else(Default::default, |pull| (pull.title, pull.source));
        let done = match method {
            MergeMethod::Merge => "✓ Merged",
            MergeMethod::Squash => "✓ Squashed and merged",
            MergeMethod::Rebase => "✓ Rebased and merged",
        };
        self.out.line(format!("{done} pull request {}#{number} ({title})", self.name()));
        if delete_branch {
            let deleted = self.world.push(self.who, &self.clone.url, |remote| {
                remote.delete_reference(&format!("refs/heads/{source}"));
                Ok(())
            });
            deleted.map_err(|error| error.to_string())?;
            self.out.line(format!("✓ Deleted remote branch {source}"));
        }
        Ok(())
    }

    fn close(&mut self, number: Option<u64>) -> Result<(), String> {
        let number = self.number(number)?;
        let _ = self.act(|forge, url, caller, now| forge.close_pull(url, caller, number, now))?;
        self.out.line(format!("✓ Closed pull request {}#{number}", self.name()));
        Ok(())
    }

    fn list(&mut self) {
        let open: Vec<String> = self
            .world
            .forge()
            .pulls(&self.clone.url)
            .filter(|pull| pull.state == PullState::Open)
            .map(|pull| format!("#{}  {}  {}", pull.number, pull.title, pull.source))
            .collect();
        if open.is_empty() {
            let name = self.name();
            return self.out.line(format!("no open pull requests in {name}"));
        }
        open.iter().for_each(|line| self.out.line(line));
    }

    fn view(&mut self, number: Option<u64>) -> Result<(), String> {
        let number = self.number(number)?;
        let Some(pull) = self.world.forge().pull(&self.clone.url, number) else {
            return Err(PullError::NoSuchPull(number).to_string());
        };
        let state = match &pull.state {
            PullState::Open => "Open".to_owned(),
            PullState::Closed => "Closed".to_owned(),
            PullState::Merged { by, .. } => format!("Merged by {by}"),
        };
        let approvals: Vec<&str> =
            pull.approvals(None).map(|review| review.author.as_str()).collect();
        let reviewers = if approvals.is_empty() { "nobody".into() } else { approvals.join(", ") };
        let text = format!(
            "{} #{number}\n{state} • {} wants to merge into {} from {}\napproved by {reviewers}",
            pull.title, pull.author, pull.target, pull.source
        );
        self.out.line(text);
        if !pull.body.is_empty() {
            let body = format!("\n{}", pull.body);
            self.out.line(body);
        }
        Ok(())
    }
}
