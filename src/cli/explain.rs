//! `driftlab explain`: who set this, and why.

use std::path::PathBuf;
use std::process::ExitCode;

use driftlab::scenario::{self, History, RunOptions};
use driftlab::time::Duration;
use lexopt::ValueExt;

use super::run::told;
use super::{Exit, Mistake, help};

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

Exit codes: 0 it is as Git has it, 1 it was set past Git, 2 a mistake in the input.
";

/// Runs `driftlab explain …`.
pub(crate) fn main(args: &mut lexopt::Parser) -> Exit {
    use lexopt::Arg::{Long, Short, Value};
    let (mut words, mut namespace, mut path) = (Vec::new(), None, None);
    let mut options = RunOptions::default();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return help(USAGE),
            Short('n') | Long("namespace") => namespace = Some(args.value()?.string()?),
            Long("path") => path = Some(args.value()?.string()?),
            Long("seed") => options.seed = Some(args.value()?.parse()?),
            Long("until") => options.until = Some(args.value()?.parse::<Duration>()?),
            Value(value) if words.len() < 3 => words.push(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let [what, object, field] = &words[..] else {
        return Err(Mistake(format!("explain what? FILE OBJECT FIELD are needed\n\n{USAGE}")));
    };
    let what = PathBuf::from(what);
    let loaded = match what.is_dir() {
        true => scenario::of_repository(&what, path.as_deref(), History::All),
        false => scenario::load(&what),
    };
    let run = loaded.map_err(|mistakes| Mistake(told(&mistakes)))?.play(&options);
    let object = match namespace {
        Some(namespace) => format!("{object} -n {namespace}"),
        None => object.clone(),
    };
    let explanation =
        run.explain(&object, field).map_err(|mistake| Mistake(mistake.to_string()))?;
    anstream::print!("{explanation}");
    Ok(if explanation.is_past_git() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
