//! git's command line.

use super::{Git, Verb};
use crate::git::{FastForward, Reset};
use crate::scenario::commands::flags::{Args, Flag, Takes, parse as sort};
use crate::scenario::commands::words::Word;
use crate::scenario::mistake::Mistake;

use Takes::{Nothing, Value as Given};

const QUIET: &[Flag] = &[("quiet", Some('q'), Nothing)];
const MESSAGE: &[Flag] = &[("message", Some('m'), Given)];
const STOPPED: &[Flag] = &[("continue", None, Nothing), ("abort", None, Nothing)];
const NO_EDIT: &[Flag] = &[("no-edit", None, Nothing), ("edit", Some('e'), Nothing)];
const SIGN: &[Flag] = &[("gpg-sign", Some('S'), Nothing), ("no-gpg-sign", None, Nothing)];
const SHOW_SIGNATURE: &[Flag] = &[("show-signature", None, Nothing)];

/// The commands, each with the flags that it knows.
const COMMANDS: &[(&str, &[&[Flag]])] = &[
    ("status", &[&[("short", Some('s'), Nothing)]]),
    ("log", &[SHOW_SIGNATURE, &[("oneline", None, Nothing), ("max-count", Some('n'), Given)]]),
    ("show", &[SHOW_SIGNATURE]),
    ("diff", &[&[("staged", None, Nothing), ("cached", None, Nothing), ("stat", None, Nothing)]]),
    ("add", &[&[("all", Some('A'), Nothing)]]),
    ("rm", &[QUIET, &[("recursive", Some('r'), Nothing)]]),
    (
        "commit",
        &[
            QUIET,
            MESSAGE,
            NO_EDIT,
            SIGN,
            &[
                ("all", Some('a'), Nothing),
                ("amend", None, Nothing),
                ("allow-empty", None, Nothing),
            ],
        ],
    ),
    ("revert", &[NO_EDIT, STOPPED, SIGN, &[("mainline", Some('m'), Given)]]),
    ("cherry-pick", &[NO_EDIT, STOPPED, SIGN, &[("mainline", Some('m'), Given)]]),
    (
        "merge",
        &[
            QUIET,
            MESSAGE,
            NO_EDIT,
            STOPPED,
            SIGN,
            &[("ff-only", None, Nothing), ("no-ff", None, Nothing), ("ff", None, Nothing)],
        ],
    ),
    ("rebase", &[QUIET, STOPPED, SIGN]),
    (
        "branch",
        &[&[
            ("delete", Some('d'), Nothing),
            ("D", Some('D'), Nothing),
            ("remotes", Some('r'), Nothing),
        ]],
    ),
    ("switch", &[QUIET, &[("create", Some('c'), Nothing), ("detach", Some('d'), Nothing)]]),
    ("checkout", &[QUIET, &[("b", Some('b'), Nothing)]]),
    ("restore", &[&[("staged", Some('S'), Nothing)]]),
    (
        "tag",
        &[
            MESSAGE,
            &[
                ("annotate", Some('a'), Nothing),
                ("sign", Some('s'), Nothing),
                ("delete", Some('d'), Nothing),
            ],
        ],
    ),
    ("verify-commit", &[]),
    ("verify-tag", &[]),
    (
        "reset",
        &[QUIET, &[("hard", None, Nothing), ("soft", None, Nothing), ("mixed", None, Nothing)]],
    ),
    (
        "push",
        &[
            QUIET,
            &[
                ("force", Some('f'), Nothing),
                ("force-with-lease", None, Nothing),
                ("tags", None, Nothing),
                ("set-upstream", Some('u'), Nothing),
                ("delete", Some('d'), Nothing),
            ],
        ],
    ),
    ("fetch", &[QUIET, &[("prune", Some('p'), Nothing), ("tags", None, Nothing)]]),
    ("pull", &[QUIET, SIGN, &[("ff-only", None, Nothing), ("rebase", Some('r'), Nothing)]]),
];

pub(super) fn parse(tool: &Word, words: &[Word]) -> Result<Git, Mistake> {
    let (repository, words) = match words {
        [flag, name, rest @ ..] if flag.text == "-C" => (Some(name.clone()), rest),
        _ => (None, words),
    };
    let names = || COMMANDS.iter().map(|(name, _)| *name);
    let Some((command, rest)) = words.split_first() else {
        return Err(tool.mistake("git needs a command").expected(one_of(names())));
    };
    let Some((_, flags)) = COMMANDS.iter().find(|(name, _)| *name == command.text) else {
        let mistake = command.mistake(format!("'{}' is not a git command here", command.text));
        return Err(match command.text.as_str() {
            "clone" => mistake.hint("everybody has a clone of every repository already"),
            "init" => mistake.hint("repositories are made under 'repositories:'"),
            text => mistake.expected(one_of(names())).did_you_mean(text, names()),
        });
    };
    let rest = count_flags(rest);
    let args = sort(command, &rest, flags)?;
    let signs = args.has("gpg-sign") && !args.has("no-gpg-sign");
    Ok(Git { repository, signs, verb: verb(command, args)? })
}

/// `-3` is short for `-n 3`.
fn count_flags(words: &[Word]) -> Vec<Word> {
    let spelled = |word: &Word| {
        let digits = word.text.strip_prefix('-').filter(|d| !d.is_empty());
        match digits.filter(|d| d.bytes().all(|b| b.is_ascii_digit())) {
            Some(digits) => Word { text: format!("-n{digits}"), ..word.clone() },
            None => word.clone(),
        }
    };
    words.iter().map(spelled).collect()
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("expected one of: {}", names.collect::<Vec<_>>().join(", "))
}

fn verb(command: &Word, args: Args) -> Result<Verb, Mistake> {
    let first = || args.arguments.first().map(|word| word.text.clone());
    let all = || args.arguments.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
    let head =
        |at: usize| args.arguments.get(at).map_or("HEAD".to_owned(), |word| word.text.clone());
    Ok(match command.text.as_str() {
        "status" => Verb::Status { short: args.has("short") },
        "log" => log(&args)?,
        "show" => Verb::Show { revision: head(0), show_signature: args.has("show-signature") },
        "verify-commit" => Verb::VerifyCommit { revisions: some_revisions(&args)? },
        "verify-tag" => Verb::VerifyTag { names: some_revisions(&args)? },
        "diff" => Verb::Diff {
            revisions: all(),
            staged: args.has("staged") || args.has("cached"),
            stat: args.has("stat"),
        },
        "add" => Verb::Add { paths: some_paths(&args, args.has("all"))? },
        "rm" => Verb::Remove { paths: some_paths(&args, false)? },
        "commit" => commit(&args)?,
        "revert" | "cherry-pick" | "merge" | "rebase" if stopped(&args) => {
            Verb::Resume { operation: operation(&command.text), abort: args.has("abort") }
        }
        "revert" => Verb::Revert { revisions: some_revisions(&args)?, mainline: mainline(&args)? },
        "cherry-pick" => {
            Verb::CherryPick { revisions: some_revisions(&args)?, mainline: mainline(&args)? }
        }
        "merge" => Verb::Merge {
            revision: first().ok_or_else(|| args.missing("a branch or commit"))?,
            fast_forward: fast_forward(&args),
            message: args.text("message"),
        },
        "rebase" => {
            Verb::Rebase { onto: first().ok_or_else(|| args.missing("a branch to rebase onto"))? }
        }
        "branch" => branch(&args, all(), head(1)),
        "switch" | "checkout" => switch(&args)?,
        "restore" => Verb::Restore { paths: some_paths(&args, false)?, staged: args.has("staged") },
        "tag" if args.has("delete") => Verb::DeleteTag { names: all() },
        "tag" => tag(&args, head(1))?,
        "reset" => reset(&args, head(0)),
        "push" => push(&args),
        "fetch" => Verb::Fetch,
        "pull" => Verb::Pull { rebase: args.has("rebase"), fast_forward_only: args.has("ff-only") },
        other => unreachable!("{other} is not in the table of commands"),
    })
}

fn log(args: &Args) -> Result<Verb, Mistake> {
    let limit = args.number("max-count")?.map(|count| usize::try_from(count).unwrap_or(0));
    Ok(Verb::Log {
        revision: args.arguments.first().map(|word| word.text.clone()),
        path: args.rest.first().map(|word| word.text.clone()),
        oneline: args.has("oneline"),
        show_signature: args.has("show-signature"),
        limit,
    })
}

fn tag(args: &Args, at: String) -> Result<Verb, Mistake> {
    let Some(name) = args.arguments.first().map(|word| word.text.clone()) else {
        return Ok(Verb::Tags);
    };
    let (message, signed) = (args.text("message"), args.has("sign"));
    if message.is_none() && (signed || args.has("annotate")) {
        return Err(args.missing("-m: there is no editor here"));
    }
    Ok(Verb::Tag { name, at, message, signed })
}

/// Paths, at least one unless `all` of them are meant.
fn some_paths(args: &Args, all: bool) -> Result<Vec<String>, Mistake> {
    let words = args.arguments.iter().chain(&args.rest);
    let paths: Vec<String> = words.map(|word| clean(&word.text)).collect();
    match paths.is_empty() {
        true if all => Ok(vec![".".into()]),
        true => Err(args.missing("a path")),
        false => Ok(paths),
    }
}

fn clean(path: &str) -> String {
    path.strip_prefix("./").unwrap_or(path).trim_end_matches('/').to_owned()
}

fn some_revisions(args: &Args) -> Result<Vec<String>, Mistake> {
    if args.arguments.is_empty() {
        return Err(args.missing("a commit"));
    }
    Ok(args.arguments.iter().map(|word| word.text.clone()).collect())
}

fn mainline(args: &Args) -> Result<Option<usize>, Mistake> {
    Ok(args.number("mainline")?.map(|parent| usize::try_from(parent).unwrap_or(0)))
}

fn stopped(args: &Args) -> bool {
    args.has("continue") || args.has("abort")
}

fn operation(command: &str) -> &'static str {
    ["revert", "cherry-pick", "merge", "rebase"]
        .into_iter()
        .find(|name| *name == command)
        .expect("only these can stop")
}

fn commit(args: &Args) -> Result<Verb, Mistake> {
    let messages: Vec<&str> = args.values("message").map(|word| word.text.as_str()).collect();
    let message = (!messages.is_empty()).then(|| messages.join("\n\n"));
    if message.is_none() && !args.has("amend") && !args.has("no-edit") {
        return Err(args.missing("-m: there is no editor here"));
    }
    args.at_most(0)?;
    Ok(Verb::Commit {
        message,
        all: args.has("all"),
        amend: args.has("amend"),
        allow_empty: args.has("allow-empty"),
    })
}

fn fast_forward(args: &Args) -> FastForward {
    if args.has("ff-only") {
        FastForward::Only
    } else if args.has("no-ff") {
        FastForward::Never
    } else {
        FastForward::Allowed
    }
}

fn branch(args: &Args, mut names: Vec<String>, at: String) -> Verb {
    if args.has("delete") || args.has("D") {
        return Verb::DeleteBranch { names, force: args.has("D") };
    }
    match names.is_empty() {
        true => Verb::Branches { remote: args.has("remotes") },
        false => Verb::Branch { name: names.remove(0), at },
    }
}

fn switch(args: &Args) -> Result<Verb, Mistake> {
    if !args.rest.is_empty() {
        let paths = args.rest.iter().map(|word| clean(&word.text)).collect();
        return Ok(Verb::Restore { paths, staged: false });
    }
    let Some(name) = args.arguments.first().map(|word| word.text.clone()) else {
        return Err(args.missing("a branch"));
    };
    if args.has("detach") {
        return Ok(Verb::Detach { revision: name });
    }
    let at = args.arguments.get(1).map_or("HEAD".into(), |word| word.text.clone());
    Ok(Verb::Switch { name, create: args.has("create") || args.has("b"), at })
}

fn reset(args: &Args, revision: String) -> Verb {
    let how = if args.has("hard") {
        Reset::Hard
    } else if args.has("soft") {
        Reset::Soft
    } else {
        Reset::Mixed
    };
    Verb::Reset { revision, how }
}

fn push(args: &Args) -> Verb {
    let deletes = args.has("delete");
    let spelled = |word: &Word| match deletes {
        true => format!(":{}", word.text),
        false => word.text.clone(),
    };
    Verb::Push {
        remote: args.arguments.first().cloned(),
        refspecs: args.arguments.iter().skip(1).map(spelled).collect(),
        force: args.has("force") || args.has("force-with-lease"),
        tags: args.has("tags"),
    }
}
