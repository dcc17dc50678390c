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

#[cfg(test)]
mod tests {
    use crate::scenario::commands::parse;

    #[test]
    fn what_gh_does_not_know_is_told_with_what_it_does() {
        let check = |line: &str, expected: &str| {
            let found = parse(line).err().map(|mistake| mistake.to_string()).unwrap_or_default();
            assert!(found.contains(expected), "{line}: {found}");
        };
        check("gh", "gh needs a command");
        check("gh issue list", "gh issue is not simulated");
        check("gh pr", "gh pr what?");
        check("gh pr opne", "unknown command \"opne\" for \"gh pr\"");
        check("gh pr create", "create needs --title, or --fill");
        check("gh pr review 1", "review needs one of --approve, --request-changes and --comment");
        check("gh pr merge 1 --squash --rebase", "merge needs only one of --merge");
        check("gh pr merge one", "\"one\" is no pull request");
        check("gh pr list --state every", "invalid argument \"every\" for \"-s, --state\"");
        check("gh pr view 1 2", "unexpected argument \"2\"");
        check("gh api user", "gh api user is not simulated");
        check("gh api repos/a/statuses/b", "api needs -f state=STATE");
        check("gh api repos/a/statuses/b -f state=great", "there is no state \"great\" of a check");
    }

    #[test]
    fn numbers_and_flags_are_read_as_gh_reads_them() {
        let check = |line: &str, expected: &str| {
            let typed = parse(line).map_err(|mistake| mistake.to_string()).unwrap();
            let found = format!("{:?}", typed[0].command);
            assert!(found.contains(expected), "{line}: {found}");
        };
        check("gh pr view '#7'", "View { number: Some(7), comments: false }");
        check("gh pr merge -sd 7", "method: Squash, seen: None, delete_branch: true");
        check("gh pr close 7 -dc Later", "comment: Some(\"Later\"), delete_branch: true");
        check("gh pr list -s all -A bob", "state: Some(\"all\")");
        check("gh pr checks --required", "Checks { number: None, required: true }");
        let report =
            "repository: \"acme/app\", revision: \"fix/1\", name: \"default\", state: Success";
        check("gh api /repos/acme/app/statuses/fix/1 -X POST -f state=success", report);
    }
}
