//! `driftlab run`: plays a scenario, or reconciles a folder or repository of manifests.

use std::path::PathBuf;
use std::process::ExitCode;

use driftlab::report::{Glyphs, Options, json_lines, timeline};
use driftlab::scenario::{self, History, Loaded, Mistake as ScenarioMistake, Run, RunOptions};
use driftlab::time::Duration;
use lexopt::ValueExt;

use super::{Exit, Mistake, drawing, help};

const USAGE: &str = "\
Play a scenario, or reconcile a folder or Git repository of manifests, in virtual time.

usage: driftlab run FILE [OPTIONS]
       driftlab run DIR [--path PATH] [OPTIONS]

FILE is a scenario: what is in the repositories and the cluster, what happens when, and what must
hold. DIR is anybody's configuration: a GitRepository and a Kustomization are made for it, unless it
brings its own (a repository that 'flux bootstrap' wrote does), and it is run until the cluster is as
the repository says.

  --path PATH          the folder of DIR to reconcile; the top if not given
  --seed N             decide by this seed what the world leaves open
  --until TIME         end after this long: 10m, 1h30m
  --format text|json   a timeline, or a JSON object a line for each event
  --all                fold nothing away: reads, dry runs and cycles without a change too
  --ascii              draw with ASCII characters only

An expectation says when: 'at: T', 'by: T' (not later, and still so then), in a step 'within: SPAN',
'always: true' or 'never: true' ('from: T', 'until: T'); else it is about the end.

Colours are used on a terminal only; NO_COLOR turns them off. The width is that of COLUMNS, or 100.
Exit codes: 0 everything holds, 1 something does not, 2 a mistake in the input.
";

/// Runs `driftlab run …`.
pub(crate) fn main(args: &mut lexopt::Parser) -> Exit {
    let Some(arguments) = Arguments::read(args)? else { return help(USAGE) };
    let loaded = arguments.load().map_err(|mistakes| Mistake(told(&mistakes)))?;
    let run = loaded.play(&arguments.options);
    arguments.print(&loaded, &run);
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
                Long("path") => path = Some(args.value()?.string()?),
                Long("seed") => options.seed = Some(args.value()?.parse()?),
                Long("until") => options.until = Some(args.value()?.parse::<Duration>()?),
                Long("format") => json = format(&args.value()?.string()?)?,
                Long("all") => drawing.everything = true,
                Long("ascii") => drawing.glyphs = Glyphs::Ascii,
                Value(value) if what.is_none() => what = Some(PathBuf::from(value)),
                other => return Err(other.unexpected().into()),
            }
        }
        let what = what.ok_or_else(|| Mistake(format!("run what?\n\n{USAGE}")))?;
        Ok(Some(Arguments { what, path, options, json, drawing }))
    }

    fn load(&self) -> Result<Loaded, Vec<ScenarioMistake>> {
        match self.what.is_dir() {
            true => scenario::of_repository(&self.what, self.path.as_deref(), History::Newest),
            false => scenario::load(&self.what),
        }
    }

    fn print(&self, loaded: &Loaded, run: &Run) {
        if self.json {
            anstream::print!("{}", json_lines(run.trace()));
            return;
        }
        let scenario = loaded.scenario();
        if !scenario.title.is_empty() {
            anstream::println!("{}", scenario.title);
        }
        if !scenario.about.is_empty() {
            anstream::println!("{}", scenario.about.trim_end());
        }
        if !(scenario.title.is_empty() && scenario.about.is_empty()) {
            anstream::println!();
        }
        anstream::print!("{}", timeline(run.trace(), &self.drawing));
        if self.what.is_dir() {
            let sections = run.standing().sections();
            sections.iter().for_each(|section| anstream::print!("{}", section.text(&self.drawing)));
        }
    }
}

/// Whether it is JSON.
fn format(text: &str) -> Result<bool, Mistake> {
    match text {
        "text" => Ok(false),
        "json" => Ok(true),
        other => Err(Mistake(format!("--format is {other:?}; expected text or json"))),
    }
}

/// Every mistake, one below the other.
pub(super) fn told(mistakes: &[ScenarioMistake]) -> String {
    let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    all.join("\n\n")
}
