//! gh's command line.

use super::Gh;
use crate::git::forge::{MergeMethod, Verdict};
use crate::scenario::commands::flags::{Args, Flag, Takes, parse as sort};
use crate::scenario::commands::words::Word;
use crate::scenario::mistake::Mistake;

use Takes::{Nothing, Value as Given};

/// The commands of `gh pr`, each with the flags that it knows.
const COMMANDS: &[(&str, &[Flag])] = &[
    (
        "create",
        &[
            ("title", Some('t'), Given),
            ("body", Some('b'), Given),
            ("base", Some('B'), Given),
            ("head", Some('H'), Given),
            ("fill", Some('f'), Nothing),
        ],
    ),
    (
        "review",
        &[
            ("approve", Some('a'), Nothing),
            ("request-changes", Some('r'), Nothing),
            ("comment", Some('c'), Nothing),
            ("body", Some('b'), Given),
        ],
    ),
    (
        "merge",
        &[
            ("merge", Some('m'), Nothing),
            ("squash", Some('s'), Nothing),
            ("rebase", Some('r'), Nothing),
            ("delete-branch", Some('d'), Nothing),
        ],
    ),
    ("close", &[]),
    ("list", &[]),
    ("view", &[]),
];

pub(super) fn parse(tool: &Word, words: &[Word]) -> Result<Gh, Mistake> {
    let names = || COMMANDS.iter().map(|(name, _)| *name);
    let expected = || format!("expected one of: {}", names().collect::<Vec<_>>().join(", "));
    let (command, rest) = match words {
        [topic, command, rest @ ..] if topic.text == "pr" => (command, rest),
        [topic] if topic.text == "pr" => {
            return Err(topic.mistake("gh pr what?").expected(expected()));
        }
        [topic, ..] => {
            return Err(topic
                .mistake(format!("gh {} is not simulated", topic.text))
                .expected("expected: gh pr"));
        }
        [] => return Err(tool.mistake("gh needs a command").expected("expected: gh pr")),
    };
    let Some((_, flags)) = COMMANDS.iter().find(|(name, _)| *name == command.text) else {
        return Err(command
            .mistake(format!("unknown command {:?} for \"gh pr\"", command.text))
            .expected(expected())
            .did_you_mean(&command.text, names()));
    };
    gh(command, &sort(command, rest, &[flags])?)
}

fn gh(command: &Word, args: &Args) -> Result<Gh, Mistake> {
    let body = args.text("body").unwrap_or_default();
    if command.text == "create" {
        args.at_most(0)?;
        if !args.has("title") && !args.has("fill") {
            return Err(args.missing("--title, or --fill: there is no editor here"));
        }
        let title = args.text("title").unwrap_or_default();
        return Ok(Gh::Create { title, body, base: args.text("base"), head: args.text("head") });
    }
    args.at_most(1)?;
    let number = number(args)?;
    Ok(match command.text.as_str() {
        "review" => Gh::Review { number, verdict: verdict(args)?, body },
        "merge" => {
            Gh::Merge { number, method: method(args), delete_branch: args.has("delete-branch") }
        }
        "close" => Gh::Close { number },
        "list" => Gh::List,
        _ => Gh::View { number },
    })
}

/// `7` or `#7`; without one, that of the branch one is on.
fn number(args: &Args) -> Result<Option<u64>, Mistake> {
    let Some(word) = args.arguments.first() else { return Ok(None) };
    let digits = word.text.trim_start_matches('#');
    digits.parse().map(Some).map_err(|_| {
        word.mistake(format!("{:?} is no pull request", word.text)).expected("expected its number")
    })
}

fn verdict(args: &Args) -> Result<Verdict, Mistake> {
    match (args.has("approve"), args.has("request-changes"), args.has("comment")) {
        (true, false, false) => Ok(Verdict::Approve),
        (false, true, false) => Ok(Verdict::RequestChanges),
        (false, false, true) => Ok(Verdict::Comment),
        _ => Err(args.missing("one of --approve, --request-changes and --comment")),
    }
}

fn method(args: &Args) -> MergeMethod {
    if args.has("squash") {
        MergeMethod::Squash
    } else if args.has("rebase") {
        MergeMethod::Rebase
    } else {
        MergeMethod::Merge
    }
}
