//! gh's command line.

use super::{Gh, Wanted};
use crate::git::forge::{CheckState, MergeMethod, Verdict};
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
            ("match-head-commit", None, Given),
        ],
    ),
    ("close", &[("comment", Some('c'), Given), ("delete-branch", Some('d'), Nothing)]),
    ("comment", &[("body", Some('b'), Given)]),
    (
        "list",
        &[
            ("state", Some('s'), Given),
            ("base", Some('B'), Given),
            ("head", Some('H'), Given),
            ("author", Some('A'), Given),
        ],
    ),
    ("view", &[("comments", Some('c'), Nothing)]),
    ("diff", &[]),
    ("checks", &[("required", None, Nothing)]),
];

/// The flags of `gh api`.
const API: &[Flag] =
    &[("method", Some('X'), Given), ("raw-field", Some('f'), Given), ("field", Some('F'), Given)];

pub(super) fn parse(tool: &Word, words: &[Word]) -> Result<Gh, Mistake> {
    let names = || COMMANDS.iter().map(|(name, _)| *name);
    let expected = || format!("expected one of: {}", names().collect::<Vec<_>>().join(", "));
    let (command, rest) = match words {
        [topic, command, rest @ ..] if topic.text == "pr" => (command, rest),
        [topic] if topic.text == "pr" => {
            return Err(topic.mistake("gh pr what?").expected(expected()));
        }
        [topic, rest @ ..] if topic.text == "api" => return api(&sort(topic, rest, &[API])?),
        [topic, ..] => {
            return Err(topic
                .mistake(format!("gh {} is not simulated", topic.text))
                .expected("expected: gh pr, gh api"));
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
        "merge" => Gh::Merge {
            number,
            method: method(args)?,
            seen: args.text("match-head-commit"),
            delete_branch: args.has("delete-branch"),
        },
        "close" => Gh::Close {
            number,
            comment: args.text("comment"),
            delete_branch: args.has("delete-branch"),
        },
        "comment" => Gh::Comment { number, body },
        "list" => Gh::List(wanted(args)?),
        "diff" => Gh::Diff { number },
        "checks" => Gh::Checks { number, required: args.has("required") },
        _ => Gh::View { number, comments: args.has("comments") },
    })
}

fn wanted(args: &Args) -> Result<Wanted, Mistake> {
    const STATES: [&str; 4] = ["open", "closed", "merged", "all"];
    if let Some(word) = args.value("state").filter(|word| !STATES.contains(&word.text.as_str())) {
        return Err(word
            .mistake(format!("invalid argument {:?} for \"-s, --state\"", word.text))
            .expected(format!("expected one of: {}", STATES.join(", ")))
            .did_you_mean(&word.text, STATES));
    }
    let text = |flag| args.text(flag);
    let (state, base) = (text("state"), text("base"));
    Ok(Wanted { state, base, head: text("head"), author: text("author") })
}

/// `gh api repos/{owner}/{repo}/statuses/SHA -f state=success -f context=test`, and no other path.
fn api(args: &Args) -> Result<Gh, Mistake> {
    const EXPECTED: &str = "expected: gh api repos/{owner}/{repo}/statuses/SHA -f state=success \
                            -f context=NAME; a branch will do for SHA";
    args.at_most(1)?;
    let Some(path) = args.arguments.first() else { return Err(args.missing("a path")) };
    let found = path.text.trim_start_matches('/').strip_prefix("repos/");
    let Some((repository, revision)) = found.and_then(|path| path.split_once("/statuses/")) else {
        return Err(path
            .mistake(format!("gh api {} is not simulated", path.text))
            .expected(EXPECTED));
    };
    let fields = || args.values("raw-field").chain(args.values("field"));
    let field = |name: &str| {
        let mut pairs = fields().filter_map(|word| Some((word, word.text.split_once('=')?)));
        pairs.find(|(_, (key, _))| *key == name).map(|(word, (_, value))| (word, value.to_owned()))
    };
    let Some((word, state)) = field("state") else { return Err(args.missing("-f state=STATE")) };
    let known = CheckState::ALL.into_iter().find(|known| known.name() == state);
    let state = known.ok_or_else(|| {
        word.mistake(format!("there is no state {state:?} of a check"))
            .expected("expected one of: pending, success, failure")
    })?;
    let name = field("context").map_or_else(|| "default".into(), |(_, name)| name);
    Ok(Gh::Report { repository: repository.into(), revision: revision.into(), name, state })
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

fn method(args: &Args) -> Result<MergeMethod, Mistake> {
    match (args.has("merge"), args.has("squash"), args.has("rebase")) {
        (_, false, false) => Ok(MergeMethod::Merge),
        (false, true, false) => Ok(MergeMethod::Squash),
        (false, false, true) => Ok(MergeMethod::Rebase),
        _ => Err(args.missing("only one of --merge, --squash and --rebase")),
    }
}
