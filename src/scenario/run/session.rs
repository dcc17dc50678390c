//! People at their terminals, command by command.

use std::collections::VecDeque;

use super::{Runner, Verdict};
use crate::scenario::commands::git::Clone;
use crate::scenario::commands::{self, Answer, Output, Terminal, Typed, Waiting};
use crate::scenario::prepare::who_does;
use crate::sim::script::{Action, Step};
use crate::sim::{Fault, Trigger};
use crate::time::Timestamp;
use crate::trace::{Role, What};

/// Somebody carrying out a step.
pub(super) struct Session {
    step: usize,
    who: String,
    repository: String,
    rest: VecDeque<Typed>,
    waiting: Option<(String, Waiting)>,
}

impl Session {
    /// When the command that waits gives up.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.waiting.as_ref()?.1.deadline
    }
}

impl Runner<'_> {
    /// Does what a step says; its commands may go on for longer.
    pub(super) fn begin_step(&mut self, index: usize) {
        let script = self.script;
        let step = &script.scenario.steps[index];
        let who = who_does(step);
        self.sit_down(who);
        let repository = script.repository_of(step).to_owned();
        for action in &step.actions {
            if !self.act(index, who, &repository, action) {
                return;
            }
        }
        let session = Session {
            step: index,
            who: who.to_owned(),
            repository,
            rest: script.commands[index].iter().cloned().collect(),
            waiting: None,
        };
        self.sessions.push(session);
        self.poll_sessions();
        self.begun = self.world.now();
        self.look();
    }

    /// Somebody has a clone of every repository, and brings them up to date before starting.
    fn sit_down(&mut self, who: &str) {
        let desk = self.desks.entry(who.to_owned()).or_default();
        for (name, hosted) in &self.script.repositories {
            match desk.clones.get_mut(name) {
                Some(clone) => clone.freshen(&self.world),
                None => {
                    let remote = self.world.repository(&hosted.url).unwrap_or(&hosted.repository);
                    desk.clones.insert(name.clone(), Clone::of(&hosted.url, remote));
                }
            }
        }
    }

    /// Does one thing that is no command; whether the step can go on.
    fn act(&mut self, step: usize, who: &str, repository: &str, action: &Action) -> bool {
        match action {
            Action::Run(_) => {}
            Action::Note(text) => {
                self.world.record(who, Role::World, What::Note { text: text.clone() });
            }
            Action::Write { path, content } => {
                self.typed(who, &format!("vim {path}"));
                return self.change_file(step, who, repository, |clone| {
                    clone.worktree.write(path, content.as_str()).map_err(|e| e.to_string())
                });
            }
            Action::Edit { path, replace, with } => {
                self.typed(who, &sed(path, replace, with));
                return self
                    .change_file(step, who, repository, |clone| edit(clone, path, replace, with));
            }
            Action::Remove { path } => {
                self.typed(who, &format!("rm -r {path}"));
                return self.change_file(step, who, repository, |clone| {
                    if clone.worktree.files().get(path).is_none() {
                        return Err(format!(
                            "rm: cannot remove '{path}': No such file or directory"
                        ));
                    }
                    clone.worktree.remove(path);
                    Ok(())
                });
            }
            Action::Image(image) => self.push_image(who, image),
            Action::Fault { what, lasts } => {
                let at = self.world.elapsed();
                let fault = Fault { when: Trigger::At(at), what: what.clone(), lasts: *lasts };
                self.world.inject(fault);
            }
            Action::Metrics { of, resource, value } => self.set_metrics(of, resource, value),
        }
        true
    }

    fn typed(&mut self, who: &str, line: &str) {
        self.world.record(who, Role::Person, What::Typed { line: line.into() });
    }

    fn change_file(
        &mut self,
        step: usize,
        who: &str,
        repository: &str,
        change: impl FnOnce(&mut Clone) -> Result<(), String>,
    ) -> bool {
        let desk = self.desks.entry(who.to_owned()).or_default();
        let done = match desk.clones.get_mut(repository) {
            Some(clone) => change(clone),
            None => Err(format!("there is no repository {repository:?}")),
        };
        if let Err(difference) = done {
            let at = self.script.scenario.steps[step].at;
            let text = format!("the files of the step at {at} are changed");
            self.tell(Verdict { text, holds: false, difference });
            return false;
        }
        true
    }

    fn push_image(&mut self, who: &str, image: &str) {
        let now = self.world.now();
        let pushed = self.world.registry_mut().push(image, image, now);
        let (place, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
        let message = match &pushed {
            Ok(_) => tag.to_owned(),
            Err(error) => error.to_string(),
        };
        let what = What::Pipeline {
            place: place.into(),
            stage: "push".into(),
            ok: pushed.is_ok(),
            message,
        };
        self.world.record(who, Role::Person, what);
    }

    fn set_metrics(&mut self, of: &str, resource: &str, value: &str) {
        let text = format!("each pod of {of} uses {value} of {resource}");
        self.world.record("", Role::World, What::Note { text });
    }

    /// Goes on with every session that can.
    pub(super) fn poll_sessions(&mut self) {
        let mut sessions = std::mem::take(&mut self.sessions);
        sessions.retain_mut(|session| self.go_on(session));
        sessions.append(&mut self.sessions);
        self.sessions = sessions;
    }

    /// Runs a session as far as it goes; whether anything is left of it.
    fn go_on(&mut self, session: &mut Session) -> bool {
        loop {
            if let Some((line, waiting)) = &mut session.waiting {
                let Some(output) = waiting.poll(&mut self.world) else { return true };
                let line = line.clone();
                session.waiting = None;
                if !self.answered(session, &line, output) {
                    return false;
                }
                continue;
            }
            let Some(typed) = session.rest.pop_front() else { return false };
            self.typed(&session.who, &typed.line);
            let desk = self.desks.entry(session.who.clone()).or_default();
            let mut terminal = Terminal {
                world: &mut self.world,
                who: &session.who,
                desk,
                repository: &session.repository,
            };
            match commands::run(&mut terminal, &typed.command) {
                Answer::Wait(waiting) => session.waiting = Some((typed.line, waiting)),
                Answer::Done(output) => {
                    if !self.answered(session, &typed.line, output) {
                        return false;
                    }
                }
            }
        }
    }

    /// Notes how a command ended; whether the session goes on.
    fn answered(&mut self, session: &Session, line: &str, output: Output) -> bool {
        let Output { text, exit } = output;
        let what = What::Answered { line: line.into(), output: text.clone(), exit };
        self.world.record(&session.who, Role::Person, what);
        let step = &self.script.scenario.steps[session.step];
        match unexpected(step, exit, &text, session.rest.is_empty()) {
            None => true,
            Some((wanted, difference)) => {
                let text = format!("`{line}` {wanted}");
                self.tell(Verdict { text, holds: false, difference });
                false
            }
        }
    }

    /// At the end, a command that still waits has failed.
    pub(super) fn give_up_sessions(&mut self) {
        for session in std::mem::take(&mut self.sessions) {
            if let Some((line, mut waiting)) = session.waiting {
                let Output { text, .. } = waiting.give_up();
                let verdict = Verdict {
                    text: format!("`{line}` ends"),
                    holds: false,
                    difference: format!("still waiting at the end of the run\n{}", text.trim_end()),
                };
                self.tell(verdict);
            }
        }
    }
}

/// What a command had to do and did not, if so. The exit code asked for is the last command's.
fn unexpected(step: &Step, exit: u8, text: &str, last: bool) -> Option<(String, String)> {
    let wanted = if last { step.exit.unwrap_or(0) } else { 0 };
    if exit != wanted {
        let found = format!("exit code {exit}\n{}", text.trim_end());
        return Some((format!("exits with {wanted}"), found.trim_end().to_owned()));
    }
    if last && !text.contains(&step.output) {
        let found = if text.is_empty() { "(nothing)" } else { text.trim_end() };
        return Some((format!("prints {:?}", step.output), found.to_owned()));
    }
    None
}

/// An edit as somebody would type it.
fn sed(path: &str, replace: &str, with: &str) -> String {
    let quoted = |text: &str| text.replace('/', "\\/").replace('\n', "\\n");
    format!("sed -i 's/{}/{}/' {path}", quoted(replace), quoted(with))
}

fn edit(clone: &mut Clone, path: &str, replace: &str, with: &str) -> Result<(), String> {
    let Some(text) = clone.worktree.files().text(path).map(str::to_owned) else {
        return Err(format!("there is no file {path}"));
    };
    if !text.contains(replace) {
        return Err(format!("{path} does not contain {replace:?}"));
    }
    clone.worktree.write(path, text.replace(replace, with)).map_err(|error| error.to_string())
}
