//! `driftlab explain`: who set this, and why.

use std::process::ExitCode;

use super::asked::Asked;
use super::{Exit, Mistake, help, print};

const USAGE: &str = "\
Say who set a field of an object, and why: from the field through its manager, the request, the
Kustomization and the revision to the line, the commit, its author and who reviewed it.

usage: driftlab explain FILE OBJECT FIELD [-n NAMESPACE] [OPTIONS]
       driftlab explain DIR  OBJECT FIELD [-n NAMESPACE] [--path PATH] [OPTIONS]

FILE is played, or DIR reconciled, as by 'driftlab run', and the field is explained as it is at the
end. OBJECT is KIND/NAME, as for kubectl; FIELD is a dotted path, items of lists by name:

  driftlab explain day2.yaml deployment/hello spec.replicas -n hello
  driftlab explain day2.yaml deploy/hello 'spec.template.spec.containers[hello].image' -n hello

  -n, --namespace NS   the object's namespace; 'default' if not given
  --path PATH          the folder of DIR to reconcile
  --seed N             decide by this seed what the world leaves open
  --until TIME         explain it as it is after this long: 10m, 1h30m
  --format text|json   the chain as lines, or as a JSON object

Exit codes: 0 it is as Git has it, 1 it was set past Git, 2 a mistake in the input.
";

const WHAT: &str = "\
explain what? FILE OBJECT FIELD are needed: day2.yaml deployment/hello spec.replicas
  = driftlab explain --help says more";

/// Runs `driftlab explain …`.
pub(crate) fn main(args: &mut lexopt::Parser) -> Exit {
    let Some(asked) = Asked::read(args, 3)? else { return help(USAGE) };
    let [what, object, field] = &asked.words[..] else {
        return Err(Mistake(WHAT.into()));
    };
    let run = asked.play(what)?;
    let explanation = run
        .explain(&asked.object(object), field)
        .map_err(|mistake| Mistake(mistake.to_string()))?;
    match asked.json {
        true => print(&format!("{}\n", explanation.to_json()))?,
        false => print(&explanation.to_string())?,
    }
    Ok(if explanation.is_past_git() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
