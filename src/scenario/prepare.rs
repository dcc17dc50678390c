//! A scenario to something that can run: commands read, files brought, names looked up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::commands::{self, Typed};
use super::mistake::Mistake;
use crate::git::disk::{self, DiskError};
use crate::git::{Repository, Tree};
use crate::sim::script::{Action, RepositorySpec, Scenario, Step};
use crate::sim::signature;
use crate::time::Timestamp;

/// A scenario of which everything is read.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) scenario: Scenario,
    pub(crate) repositories: BTreeMap<String, Hosted>,
    /// The commands of each step's `run`, in the order of its actions.
    pub(crate) commands: Vec<Vec<Typed>>,
    /// Controllers that somebody brings, by name.
    pub(crate) guests: Vec<String>,
    /// Whether it ends soon after everything is decided, and not only when all could have been.
    pub(crate) ends_early: bool,
}

/// A repository and where it is.
#[derive(Clone)]
pub(crate) struct Hosted {
    pub(crate) url: String,
    pub(crate) repository: Repository,
}

impl Script {
    /// Reads what a scenario names; paths count from `base`.
    pub(crate) fn read(scenario: &Scenario, base: &Path) -> Result<Self, Vec<Mistake>> {
        Self::read_among(scenario, base, Vec::new())
    }

    /// The same, for a world with controllers of these names besides its own.
    pub(crate) fn read_among(
        scenario: &Scenario,
        base: &Path,
        guests: Vec<String>,
    ) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut repositories = BTreeMap::new();
        for (name, spec) in &scenario.repositories {
            match hosted(name, spec, base) {
                Ok(hosted) => {
                    repositories.insert(name.clone(), hosted);
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        let mut all = Vec::new();
        for (i, step) in scenario.steps.iter().enumerate() {
            match step_commands(i, step) {
                Ok(commands) => all.push(commands),
                Err(mistake) => {
                    mistakes.push(mistake);
                    all.push(Vec::new());
                }
            }
        }
        let scenario = scenario.clone();
        let script = Script { scenario, repositories, commands: all, guests, ends_early: false };
        mistakes.extend(super::verify::mistakes(&script));
        if mistakes.is_empty() { Ok(script) } else { Err(mistakes) }
    }

    /// Everybody who does something, each once.
    pub(crate) fn people(&self) -> Vec<&str> {
        let mut people: Vec<&str> = self.scenario.steps.iter().map(who_does).collect();
        people.sort_unstable();
        people.dedup();
        people
    }

    /// The repository that a step is in: the one it names, or the only one there is.
    pub(crate) fn repository_of<'a>(&'a self, step: &'a Step) -> &'a str {
        match self.scenario.repositories.len() {
            1 if step.repository.is_empty() => {
                self.scenario.repositories.keys().next().map_or("", |name| name)
            }
            _ => &step.repository,
        }
    }
}

/// Who does a step.
pub(crate) fn who_does(step: &Step) -> &str {
    if step.who.is_empty() { "alice" } else { &step.who }
}

/// The commands of a step, each mistake at its line of the step's text.
fn step_commands(i: usize, step: &Step) -> Result<Vec<Typed>, Mistake> {
    let mut commands = Vec::new();
    for action in &step.actions {
        if let Action::Run(text) = action {
            commands.extend(commands::parse(text).map_err(|mistake| in_text(mistake, i, text))?);
        }
    }
    Ok(commands)
}

fn in_text(mut mistake: Mistake, step: usize, text: &str) -> Mistake {
    mistake.place.path = format!("steps[{step}].run");
    let line = text.lines().nth(mistake.place.line.saturating_sub(1));
    mistake.place.text = line.unwrap_or_default().to_owned();
    mistake
}

/// The address of a repository that says none.
pub(crate) fn url_of(name: &str, spec: &RepositorySpec) -> String {
    match spec.url.as_str() {
        "" => format!("https://git.example.com/{name}.git"),
        url => url.to_owned(),
    }
}

fn hosted(name: &str, spec: &RepositorySpec, base: &Path) -> Result<Hosted, Mistake> {
    let repository = match spec.from.as_str() {
        "" => from_files(name, spec)?,
        from => from_disk(name, &spec.branch, &base.join(from))?,
    };
    Ok(Hosted { url: url_of(name, spec), repository })
}

fn from_files(name: &str, spec: &RepositorySpec) -> Result<Repository, Mistake> {
    let tree = Tree::from_files(spec.files.iter().map(|(path, text)| (path, text.as_str())))
        .map_err(|error| Mistake::at(format!("repositories.{name}.files"), error.to_string()))?;
    Ok(first_commit(tree, &spec.branch))
}

/// A repository whose only commit has these files.
pub(crate) fn first_commit(tree: Tree, branch: &str) -> Repository {
    let mut repository = Repository::new();
    if repository.switch_orphan(branch).is_err() {
        // It is there already: the branch that a new repository is on.
    }
    let who = signature("maintainers", Timestamp::START);
    repository.commit(tree, "First commit", who.clone(), who);
    repository
}

fn from_disk(name: &str, branch: &str, path: &Path) -> Result<Repository, Mistake> {
    let place = format!("repositories.{name}.from");
    if !path.exists() {
        return Err(Mistake::at(place, format!("{} is not there", path.display()))
            .hint("paths count from the folder of the scenario file"));
    }
    read_disk(path, branch).map_err(|error| {
        let message = format!("{}: {}", error.path.display(), error.message);
        Mistake::at(place, message).hint(error.remedy)
    })
}

/// A repository, or a folder as one with a single commit.
pub(crate) fn read_disk(path: &Path, branch: &str) -> Result<Repository, DiskError> {
    match is_repository(path) {
        true => disk::import(path),
        false => Ok(first_commit(disk::read_folder(path)?, branch)),
    }
}

/// Whether a folder is the top of a Git repository.
pub(crate) fn is_repository(path: &Path) -> bool {
    let bare: PathBuf = path.join("HEAD");
    path.join(".git").exists() || (bare.is_file() && path.join("objects").is_dir())
}
