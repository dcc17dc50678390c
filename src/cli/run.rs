//! `driftlab run`: plays a scenario, or reconciles a folder or repository of manifests.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use driftlab::report::{Glyphs, Options, json_lines, timeline};
use driftlab::scenario::{self, History, Loaded, Mistake as ScenarioMistake, Run, RunOptions};

use super::{Exit, Mistake, drawing, help, is_json, print, text, value};

const USAGE: &str = "\
Play a scenario, or reconcile a folder or Git repository of manifests, in virtual time.

usage: driftlab run FILE [OPTIONS]
       driftlab run DIR [--path PATH] [OPTIONS]

FILE is a scenario: what is in the repositories and the cluster, what happens when, and what must
hold. DIR is anybody's configuration: a GitRepository and a Kustomization are made for it, unless it
brings its own (a repository that 'flux bootstrap' wrote does), and it is run until the cluster is as
the repository says. Of a repository the newest commit counts, of a folder the files. At the end it
says what is not in sync, what is not healthy, and what nothing here acts on, such as Helm releases.

  --path PATH          the folder of DIR to reconcile; the top if not given
  --seed N             decide by this seed what the world leaves open
  --until TIME         end after this long: 10m, 1h30m
  --format text|json   a timeline, or a JSON object a line for each event
  --all                fold nothing away: reads, dry runs and cycles without a change too
  --ascii              draw with ASCII characters only

An expectation says when: 'at: T', 'by: T' (not later, and still so then), in a step 'within: SPAN',
'always: true' or 'never: true' ('from: T', 'until: T'); else it is about the end.

Colours are used on a terminal only; NO_COLOR turns them off. The width is the terminal's,
or COLUMNS, else 100.
Exit codes: 0 everything holds (DIR: every Kustomization is in sync), 1 something does not, 2 a mistake
in the input.
";

const WHAT: &str = "\
run what? Name a scenario, or a folder or Git repository of manifests
  = driftlab run --help says more";

/// Runs `driftlab run …`.
pub(crate) fn main(args: &mut lexopt::Parser) -> Exit {
    let Some(arguments) = Arguments::read(args)? else { return help(USAGE) };
    let loaded = load(&arguments.what, arguments.path.as_deref(), History::Newest)?;
    let run = loaded.play(&arguments.options);
    arguments.print(&loaded, &run)?;
    Ok(if run.holds() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

struct Arguments {
    what: PathBuf,
    path: Option<String>,
    options: RunOptions,
    json: bool,
    drawing: Options,
}

impl Arguments {
    /// The arguments; `None` when help is asked for.
    fn read(args: &mut lexopt::Parser) -> Result<Option<Self>, Mistake> {
        use lexopt::Arg::{Long, Short, Value};
        let (mut what, mut path, mut json) = (None, None, false);
        let (mut options, mut drawing) = (RunOptions::default(), drawing());
        while let Some(arg) = args.next()? {
            match arg {
                Short('h') | Long("help") => return Ok(None),
                Long("path") => path = Some(text(args)?),
                Long("seed") => options.seed = Some(value(args, "--seed")?),
                Long("until") => options.until = Some(value(args, "--until")?),
                Long("format") => json = is_json(args)?,
                Long("all") => drawing.everything = true,
                Long("ascii") => drawing.glyphs = Glyphs::Ascii,
                Value(value) if what.is_none() => what = Some(PathBuf::from(value)),
                other => return Err(other.unexpected().into()),
            }
        }
        let what = what.ok_or_else(|| Mistake(WHAT.into()))?;
        Ok(Some(Arguments { what, path, options, json, drawing }))
    }

    fn print(&self, loaded: &Loaded, run: &Run) -> Result<(), Mistake> {
        if self.json {
            return print(&json_lines(run.trace()));
        }
        let scenario = loaded.scenario();
        let head = [scenario.title.as_str(), scenario.about.trim_end(), ""];
        let head: Vec<&str> = head.into_iter().filter(|line| !line.is_empty()).collect();
        let mut text = head.iter().map(|line| format!("{line}\n")).collect::<String>();
        text += if head.is_empty() { "" } else { "\n" };
        text += &timeline(run.trace(), &self.drawing);
        if self.what.is_dir() {
            let sections = run.standing().sections();
            text.extend(sections.iter().map(|section| section.text(&self.drawing)));
        }
        print(&text)
    }
}

/// A scenario, or somebody's configuration.
pub(super) fn load(what: &Path, path: Option<&str>, history: History) -> Result<Loaded, Mistake> {
    let loaded = match (what.is_dir(), path) {
        (true, path) => scenario::of_repository(what, path, history),
        (false, None) => scenario::load(what),
        (false, Some(path)) => {
            let file = what.display();
            let message = format!(
                "--path {path}: {file} is no folder\n  = --path names a folder of a folder or repository of manifests"
            );
            return Err(Mistake(message));
        }
    };
    loaded.map_err(|mistakes| Mistake(told(&mistakes)))
}

/// Every mistake, one below the other.
fn told(mistakes: &[ScenarioMistake]) -> String {
    let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    all.join("\n\n")
}
