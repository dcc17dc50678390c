//! `driftlab blame`: who set what of an object.

use std::process::ExitCode;

use super::asked::Asked;
use super::{Exit, Mistake, help, print};

const USAGE: &str = "\
Print an object as YAML and beside each field who set it: the commit, the author and the line in Git, or
who set it past Git, with what and when.

usage: driftlab blame FILE OBJECT [-n NAMESPACE] [OPTIONS]
       driftlab blame DIR  OBJECT [-n NAMESPACE] [--path PATH] [OPTIONS]

FILE is played, or DIR reconciled, as by 'driftlab run', and the object is shown as it is at the end. OBJECT
is KIND/NAME, as for kubectl:

  driftlab blame day2.yaml deployment/hello -n hello

  -n, --namespace NS   the object's namespace; 'default' if not given
  --path PATH          the folder of DIR to reconcile
  --seed N             decide by this seed what the world leaves open
  --until TIME         show it as it is after this long: 10m, 1h30m
  --format text|json   YAML with comments, or a JSON object

'driftlab explain' tells all there is to tell of one field.

Exit codes: 0 nobody set anything past Git, 1 somebody did, 2 a mistake in the input.
";

const WHAT: &str = "\
blame whom? FILE OBJECT are needed: day2.yaml deployment/hello
  = driftlab blame --help says more";

/// Runs `driftlab blame …`.
pub(crate) fn main(args: &mut lexopt::Parser) -> Exit {
    let Some(asked) = Asked::read(args, 2)? else { return help(USAGE) };
    let [what, object] = &asked.words[..] else {
        return Err(Mistake(WHAT.into()));
    };
    let run = asked.play(what)?;
    let blame = run.blame(&asked.object(object)).map_err(|mistake| Mistake(mistake.to_string()))?;
    match asked.json {
        true => print(&format!("{}\n", blame.to_json()))?,
        false => print(&blame.to_string())?,
    }
    Ok(if blame.is_past_git() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
