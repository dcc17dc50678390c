//! What the command understands: one file a subcommand.

mod build;
mod git;

use std::process::ExitCode;

const USAGE: &str = "\
driftlab: learn GitOps by running it

usage: driftlab COMMAND [ARGS]

Exit codes: 0 all is well, 1 an expectation failed, 2 a mistake in the input.
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
        None | Some(Short('h') | Long("help")) => {
            anstream::print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        Some(Short('V') | Long("version")) => {
            anstream::println!("driftlab {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
        Some(Value(name)) if name == "build" => build::main(args),
        Some(Value(name)) if name == "git" => git::main(args),
        Some(Value(name)) => {
            Err(Mistake(format!("no command {:?}; see driftlab --help", name.to_string_lossy())))
        }
        Some(other) => Err(Mistake(other.unexpected().to_string())),
    }
}

impl From<lexopt::Error> for Mistake {
    fn from(error: lexopt::Error) -> Self {
        Mistake(error.to_string())
    }
}
