//! What commands name.

use super::known::Known;
use crate::git::Tree;
use crate::scenario::commands::kubectl::{Files, Kubectl, Targets, Verb, Victims};
use crate::scenario::commands::{Command, Typed, Word, flux};
use crate::scenario::mistake::Mistake;
use crate::scenario::prepare::Script;
use crate::sim::script::{Action, Step};

/// Every mistake in what steps name.
pub(super) fn mistakes(script: &Script, known: &Known) -> Vec<Mistake> {
    let mut all = Vec::new();
    for (i, step) in script.scenario.steps.iter().enumerate() {
        let at = At { script, known, step, path: format!("steps[{i}]") };
        all.extend(at.repository());
        all.extend(at.files());
        for typed in &script.commands[i] {
            let text = run_text(step);
            let found = at.command(typed).into_iter();
            all.extend(found.map(|mistake| at.in_text(mistake, text)));
        }
    }
    all
}

fn run_text(step: &Step) -> &str {
    let text = step.actions.iter().find_map(|action| match action {
        Action::Run(text) => Some(text.as_str()),
        _ => None,
    });
    text.unwrap_or_default()
}

/// A step, and where it stands.
struct At<'a> {
    script: &'a Script,
    known: &'a Known,
    step: &'a Step,
    path: String,
}

impl At<'_> {
    fn mistake(&self, field: &str, message: impl Into<String>) -> Mistake {
        Mistake::at(format!("{}.{field}", self.path), message)
    }

    fn in_text(&self, mut mistake: Mistake, text: &str) -> Mistake {
        mistake.place.path = format!("{}.run", self.path);
        let line = text.lines().nth(mistake.place.line.saturating_sub(1));
        mistake.place.text = line.unwrap_or_default().to_owned();
        mistake
    }

    fn repositories(&self) -> impl Iterator<Item = &str> + Clone {
        self.script.repositories.keys().map(String::as_str)
    }

    /// The step's repository, where it needs one.
    fn repository(&self) -> Option<Mistake> {
        let named = &self.step.repository;
        if !named.is_empty() && !self.script.repositories.contains_key(named) {
            let mistake = self.mistake("in", format!("there is no repository {named:?}"));
            return Some(self.with_repositories(mistake).did_you_mean(named, self.repositories()));
        }
        let needs = self.step.actions.iter().any(|action| {
            matches!(action, Action::Write { .. } | Action::Edit { .. } | Action::Remove { .. })
        });
        let field = if needs { "edit" } else { "run" };
        let commands = &self.script.commands[self.index()];
        let git = commands.iter().any(|typed| match &typed.command {
            Command::Git(git) => git.repository.is_none(),
            Command::Gh(_) => true,
            _ => false,
        });
        if (needs || git) && self.script.repository_of(self.step).is_empty() {
            let mistake = self.mistake(field, "in which repository?");
            return Some(self.with_repositories(mistake).hint("say 'in: NAME' in the step"));
        }
        None
    }

    fn index(&self) -> usize {
        let digits = self.path.trim_start_matches("steps[").trim_end_matches(']');
        digits.parse().expect("the path was made of a position")
    }

    fn with_repositories(&self, mistake: Mistake) -> Mistake {
        let names: Vec<&str> = self.repositories().collect();
        match names.is_empty() {
            true => mistake.expected("there are none: 'repositories:' makes some"),
            false => mistake.expected(format!("expected one of: {}", names.join(", "))),
        }
    }

    fn tree(&self) -> Option<&Tree> {
        self.known.files.get(self.script.repository_of(self.step))
    }

    /// Files that are edited or removed.
    fn files(&self) -> Vec<Mistake> {
        let Some(tree) = self.tree() else { return Vec::new() };
        let missing = |field: &str, path: &str| {
            tree.get(path).is_none().then(|| {
                let mistake = self.mistake(field, format!("there is no file {path:?}"));
                close_file(mistake, tree, path)
            })
        };
        let check = |action: &Action| match action {
            Action::Edit { path, replace, .. } => {
                missing("edit", path).or_else(|| self.text_is_there(tree, path, replace))
            }
            Action::Remove { path } => missing("remove", path),
            Action::Write { path, .. } => Tree::default()
                .with_file(path, "")
                .err()
                .map(|error| self.mistake("write", error.to_string())),
            _ => None,
        };
        self.step.actions.iter().filter_map(check).collect()
    }

    /// What an edit looks for must be there, unless an earlier edit may have put it there.
    fn text_is_there(&self, tree: &Tree, path: &str, replace: &str) -> Option<Mistake> {
        let text = tree.text(path)?;
        let may_be_put =
            self.script.scenario.steps.iter().flat_map(|step| &step.actions).any(|action| {
                match action {
                    Action::Edit { path: edited, with, .. } => {
                        edited == path && with.contains(replace)
                    }
                    Action::Write { path: written, content } => {
                        written == path && content.contains(replace)
                    }
                    _ => false,
                }
            });
        (!text.contains(replace) && !may_be_put).then(|| {
            self.mistake("replace", format!("{path} does not contain {replace:?}"))
                .expected("expected a text that is in the file")
        })
    }

    fn command(&self, typed: &Typed) -> Vec<Mistake> {
        match &typed.command {
            Command::Kubectl(kubectl) => self.kubectl(kubectl),
            Command::Git(git) => {
                let unknown = git
                    .repository
                    .iter()
                    .filter(|word| !self.script.repositories.contains_key(&word.text));
                unknown.map(|word| self.no_repository(word)).collect()
            }
            Command::Flux(command) => self.flux(command).into_iter().collect(),
            Command::Gh(_) => Vec::new(),
        }
    }

    fn no_repository(&self, word: &Word) -> Mistake {
        let mistake = word.mistake(format!("there is no repository {:?}", word.text));
        self.with_repositories(mistake).did_you_mean(&word.text, self.repositories())
    }

    fn kubectl(&self, command: &Kubectl) -> Vec<Mistake> {
        let mut all = Vec::new();
        if let Some(word) = &command.namespace
            && !self.known.namespaces.contains(&word.text)
        {
            let mistake = word.mistake(format!("there is no namespace {:?}", word.text));
            all.push(self.known.no_namespace(mistake, &word.text));
        }
        let (targets, files) = named(&command.verb);
        let kinds = targets.into_iter().flat_map(|targets| &targets.kinds);
        for (word, _) in kinds.filter(|(word, _)| !self.known.has_kind(&word.text)) {
            let mistake =
                word.mistake(format!("the server doesn't have a resource type {:?}", word.text));
            all.push(self.known.no_kind(mistake, &word.text));
        }
        all.extend(files.into_iter().flat_map(|files| self.paths(files)));
        all
    }

    fn paths(&self, files: &Files) -> Vec<Mistake> {
        let words = files.paths.iter().chain(&files.kustomize);
        let Some(tree) = self.tree() else {
            return words
                .map(|word| {
                    let mistake = word.mistake("a file of which repository?");
                    self.with_repositories(mistake).hint("say 'in: NAME' in the step")
                })
                .collect();
        };
        words
            .filter(|word| tree.get(&word.text).is_none())
            .map(|word| {
                let mistake = word.mistake(format!("the path {:?} does not exist", word.text));
                close_file(mistake, tree, &word.text)
            })
            .collect()
    }

    fn flux(&self, command: &flux::Flux) -> Option<Mistake> {
        let (what, name) = match &command.verb {
            flux::Verb::Reconcile { what, name, .. }
            | flux::Verb::Suspend { what, name }
            | flux::Verb::Resume { what, name, .. }
            | flux::Verb::Delete { what, name } => (*what, name),
            _ => return None,
        };
        if self.known.flux.contains(&(what, name.text.clone())) {
            return None;
        }
        let names = self.known.flux.iter().filter(|(kind, _)| *kind == what);
        let names: Vec<&str> = names.map(|(_, name)| name.as_str()).collect();
        let kind = what.kind().kind;
        let mistake = name.mistake(format!("there is no {kind} {:?}", name.text));
        let expected = match names.is_empty() {
            true => "there are none: 'sync:' makes some".to_owned(),
            false => format!("expected one of: {}", names.join(", ")),
        };
        Some(mistake.expected(expected).did_you_mean(&name.text, names))
    }
}

/// What a command names: objects, and files.
fn named(verb: &Verb) -> (Option<&Targets>, Option<&Files>) {
    match verb {
        Verb::Apply { files, .. }
        | Verb::Create { files, .. }
        | Verb::Replace { files, .. }
        | Verb::Diff { files, .. }
        | Verb::Delete { what: Victims::Files(files), .. } => (None, Some(files)),
        Verb::Get { targets, .. }
        | Verb::Describe { targets }
        | Verb::Delete { what: Victims::Targets(targets), .. }
        | Verb::Scale { targets, .. }
        | Verb::Patch { targets, .. }
        | Verb::SetImage { targets, .. }
        | Verb::SetEnv { targets, .. }
        | Verb::Metadata { targets, .. }
        | Verb::Rollout { targets, .. }
        | Verb::Wait { targets, .. }
        | Verb::Autoscale { targets, .. } => (Some(targets), None),
        Verb::CreateObject { .. } | Verb::Cordon { .. } | Verb::Drain { .. } => (None, None),
    }
}

/// A mistake about a path, with one that is close.
fn close_file(mistake: Mistake, tree: &Tree, path: &str) -> Mistake {
    let files = tree.files();
    let names: Vec<&str> = files.iter().map(|(path, ..)| path.as_str()).collect();
    let few = if names.len() > 8 { &names[..8] } else { &names[..] };
    let more = if names.len() > few.len() { ", …" } else { "" };
    mistake.expected(format!("there are: {}{more}", few.join(", "))).did_you_mean(path, names)
}
