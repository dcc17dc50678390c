//! flux's command line.

use super::{Flux, Resource, Verb};
use crate::scenario::commands::flags::{Args, Flag, Takes, parse as sort};
use crate::scenario::commands::words::Word;
use crate::scenario::mistake::Mistake;
use crate::time::Duration;

use Takes::{Nothing, Value as Given};

const GLOBAL: &[Flag] = &[("namespace", Some('n'), Given), ("timeout", None, Given)];

/// The commands, each with the flags that it knows beside the global ones.
const COMMANDS: &[(&str, &[Flag])] = &[
    ("reconcile", &[("with-source", None, Nothing)]),
    ("suspend", &[]),
    ("resume", &[]),
    ("get", &[("all-namespaces", Some('A'), Nothing)]),
    (
        "create",
        &[
            ("url", None, Given),
            ("branch", None, Given),
            ("interval", None, Given),
            ("source", None, Given),
            ("path", None, Given),
            ("prune", None, Nothing),
            ("wait", None, Nothing),
            ("depends-on", None, Given),
            ("target-namespace", None, Given),
        ],
    ),
    ("delete", &[("silent", Some('s'), Nothing)]),
];

pub(super) fn parse(tool: &Word, words: &[Word]) -> Result<Flux, Mistake> {
    let names = || COMMANDS.iter().map(|(name, _)| *name);
    let Some((command, rest)) = words.split_first() else {
        return Err(tool.mistake("flux needs a command").expected(one_of(names())));
    };
    let Some((_, flags)) = COMMANDS.iter().find(|(name, _)| *name == command.text) else {
        return Err(command
            .mistake(format!("unknown command {:?} for \"flux\"", command.text))
            .expected(one_of(names()))
            .did_you_mean(&command.text, names()));
    };
    let args = sort(command, rest, &[GLOBAL, flags])?;
    let namespace = args.text("namespace").unwrap_or_else(|| "flux-system".into());
    Ok(Flux { namespace, verb: verb(command, args)? })
}

fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    format!("expected one of: {}", names.into_iter().collect::<Vec<_>>().join(", "))
}

fn verb(command: &Word, mut args: Args) -> Result<Verb, Mistake> {
    let timeout = args.duration("timeout")?.unwrap_or(Duration::from_mins(5));
    if command.text == "get" && matches!(args.arguments.first(), Some(word) if word.text == "all") {
        return Ok(Verb::Get { what: None });
    }
    let what = resource(&mut args)?;
    if command.text == "get" {
        return Ok(Verb::Get { what: Some(what) });
    }
    let Some(name) = args.take_first() else { return Err(args.missing("a name")) };
    args.at_most(0)?;
    Ok(match command.text.as_str() {
        "reconcile" => {
            Verb::Reconcile { what, name, with_source: args.has("with-source"), timeout }
        }
        "suspend" => Verb::Suspend { what, name },
        "resume" => Verb::Resume { what, name, timeout },
        "delete" => Verb::Delete { what, name },
        _ => create(what, name.text, &args)?,
    })
}

fn resource(args: &mut Args) -> Result<Resource, Mistake> {
    const KINDS: [&str; 3] = ["kustomization", "source git", "all"];
    let Some(word) = args.take_first() else {
        return Err(args.missing("a kind").expected(one_of(KINDS)));
    };
    match word.text.as_str() {
        "kustomization" | "kustomizations" | "ks" => Ok(Resource::Kustomization),
        "source" | "sources" => match args.take_first() {
            Some(kind) if kind.text == "git" => Ok(Resource::GitRepository),
            Some(kind) => Err(kind
                .mistake(format!("sources of kind {:?} are not simulated", kind.text))
                .expected("expected: git")),
            None => Err(word.mistake("a source of which kind?").expected("expected: source git")),
        },
        other => Err(word
            .mistake(format!("flux knows no {other:?} here"))
            .expected(one_of(KINDS))
            .did_you_mean(other, ["kustomization", "source", "all"])),
    }
}

fn create(what: Resource, name: String, args: &Args) -> Result<Verb, Mistake> {
    let interval = args.duration("interval")?.unwrap_or(Duration::from_mins(1));
    if what == Resource::GitRepository {
        return Ok(Verb::CreateSource {
            name,
            url: args.text("url").ok_or_else(|| args.missing("--url"))?,
            branch: args.text("branch").unwrap_or_else(|| "main".into()),
            interval,
        });
    }
    let source = args.text("source").ok_or_else(|| args.missing("--source"))?;
    let depends_on = args.values("depends-on").flat_map(|word| word.text.split(','));
    Ok(Verb::CreateKustomization {
        name,
        source: source.strip_prefix("GitRepository/").unwrap_or(&source).to_owned(),
        path: args.text("path").unwrap_or_else(|| "./".into()),
        prune: args.has("prune"),
        wait: args.has("wait"),
        interval,
        depends_on: depends_on.map(str::to_owned).collect(),
        target_namespace: args.text("target-namespace"),
    })
}
