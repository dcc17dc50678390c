//! What the command understands: one file a subcommand.

mod asked;
mod blame;
mod build;
mod explain;
mod git;
#[cfg(feature = "serve")]
mod pr;
mod run;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod teller;
mod terminal;

use std::process::ExitCode;

use lexopt::ValueExt;

use self::terminal::{drawing, print};

const COMMANDS: [&str; 7] = ["run", "explain", "blame", "build", "git", "serve", "pr"];

const USAGE: &str = "\
driftlab: learn GitOps by running it

A Git, a Kubernetes cluster and a GitOps engine in one process, in virtual time.

usage: driftlab COMMAND [ARGS]

  run FILE             play a scenario, print what happens, check what it expects
  run DIR              reconcile a folder or Git repository of manifests
  explain FILE OBJECT FIELD
                       say who set a field of an object, and why
  blame FILE OBJECT    print an object, and beside each field who set it
  build DIR            print what a kustomization comes to
  git replay           run a Git history given as JSON
  serve [FILE]         put the cluster behind a port, for kubectl and git (feature serve)
  pr COMMAND           open, review and merge pull requests there (feature serve)

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
            print(concat!("driftlab ", env!("CARGO_PKG_VERSION"), "\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Value(name)) => match &*name.to_string_lossy() {
            "run" => run::main(args),
            "build" => build::main(args),
            "explain" => explain::main(args),
            "blame" => blame::main(args),
            "git" => git::main(args),
            #[cfg(feature = "serve")]
            "serve" => serve::main(args),
            #[cfg(feature = "serve")]
            "pr" => pr::main(args),
            #[cfg(not(feature = "serve"))]
            name @ ("serve" | "pr") => Err(Mistake(format!(
                "{name} is not built in\n  = cargo run --features serve -- {name}"
            ))),
            other => {
                let known = COMMANDS.join(", ");
                Err(Mistake(format!("there is no command {other:?}\n  = there are: {known}")))
            }
        },
        Some(other) => Err(other.unexpected().into()),
    }
}

fn help(usage: &str) -> Exit {
    print(usage)?;
    Ok(ExitCode::SUCCESS)
}

impl From<lexopt::Error> for Mistake {
    fn from(error: lexopt::Error) -> Self {
        let command = std::env::args().nth(1).filter(|name| COMMANDS.contains(&name.as_str()));
        let command = command.map_or(String::new(), |name| format!("{name} "));
        Mistake(format!("{error}\n  = driftlab {command}--help says what there is"))
    }
}

/// Reads what belongs to an option.
fn value<T: std::str::FromStr<Err: std::fmt::Display>>(
    args: &mut lexopt::Parser,
    option: &str,
) -> Result<T, Mistake> {
    let text = text(args)?;
    text.parse().map_err(|error| Mistake(format!("{option} is {text:?}: {error}")))
}

fn text(args: &mut lexopt::Parser) -> Result<String, Mistake> {
    Ok(args.value()?.string()?)
}

/// Whether `--format` asks for JSON.
fn is_json(args: &mut lexopt::Parser) -> Result<bool, Mistake> {
    match text(args)?.as_str() {
        "text" => Ok(false),
        "json" => Ok(true),
        other => Err(Mistake(format!("--format is {other:?}; expected text or json"))),
    }
}
