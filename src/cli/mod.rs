//! What the command understands: one file a subcommand.

mod build;
mod explain;
mod git;
mod run;

use std::process::ExitCode;

use driftlab::report::{Glyphs, Options};

const USAGE: &str = "\
driftlab: learn GitOps by running it

A Git, a Kubernetes cluster and a GitOps engine in one process, in virtual time.

usage: driftlab COMMAND [ARGS]

  run FILE             play a scenario, print what happens, check what it expects
  run DIR              reconcile a folder or Git repository of manifests
  explain FILE OBJECT FIELD
                       say who set a field of an object, and why
  build DIR            print what a kustomization comes to
  git replay           run a Git history given as JSON

driftlab COMMAND --help says more. Exit codes: 0 all is well, 1 something that must hold does not,
2 a mistake in the input.
";

/// A mistake in the input: what is wrong and what to do about it.
pub(crate) struct Mistake(pub(crate) String);

/// What a subcommand comes to.
pub(crate) type Exit = Result<ExitCode, Mistake>;

/// Runs the subcommand that the arguments name.
pub(crate) fn main() -> ExitCode {
    let mut args = lexopt::Parser::from_env();
    match dispatch(&mut args) {
        Ok(code) => code,
        Err(Mistake(message)) => {
            anstream::eprintln!("driftlab: {message}");
            ExitCode::from(2)
        }
    }
}

fn dispatch(args: &mut lexopt::Parser) -> Exit {
    use lexopt::Arg::{Long, Short, Value};
    match args.next()? {
        None | Some(Short('h') | Long("help")) => help(USAGE),
        Some(Short('V') | Long("version")) => {
            anstream::println!("driftlab {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
        Some(Value(name)) => match &*name.to_string_lossy() {
            "run" => run::main(args),
            "build" => build::main(args),
            "explain" => explain::main(args),
            "git" => git::main(args),
            other => Err(Mistake(format!("no command {other:?}; see driftlab --help"))),
        },
        Some(other) => Err(Mistake(other.unexpected().to_string())),
    }
}

fn help(usage: &str) -> Exit {
    anstream::print!("{usage}");
    Ok(ExitCode::SUCCESS)
}

/// How to draw on this terminal. Colours are always written: they are taken out again where they are
/// not wanted (no terminal, `NO_COLOR`, `TERM=dumb`).
fn drawing() -> Options {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let dumb = variable("TERM") == "dumb";
    Options {
        width: variable("COLUMNS").parse().unwrap_or(100),
        glyphs: if dumb { Glyphs::Ascii } else { Glyphs::Unicode },
        colour: true,
        everything: false,
    }
}

impl From<lexopt::Error> for Mistake {
    fn from(error: lexopt::Error) -> Self {
        Mistake(error.to_string())
    }
}
