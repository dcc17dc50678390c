//! The tables of the fidelity page: how many exchanges agree, by family, and by resource and verb.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use driftlab_tests::exchange::Level;

use super::replay::Outcome;

/// What an exchange asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    /// The resource, with its group; empty for what is no resource.
    pub(crate) resource: String,
    /// As RBAC names it, but patches by their type.
    pub(crate) verb: &'static str,
}

const VERBS: [&str; 12] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "merge",
    "json",
    "strategic",
    "apply",
    "delete",
    "deletecollection",
    "dry run",
];

impl Asked {
    /// From the method, the path and the type of body, as a transcript has them.
    pub(crate) fn of(method: &str, target: &str, body: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let steps: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, rest) = match steps.as_slice() {
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => return Asked::default(),
        };
        let rest = match rest {
            ["namespaces", _, rest @ ..] if !matches!(rest, [] | ["status" | "finalize"]) => rest,
            rest => rest,
        };
        let [resource, name @ ..] = rest else { return Asked::default() };
        let dot = if group.is_empty() { "" } else { "." };
        Asked {
            resource: format!("{resource}{dot}{group}"),
            verb: verb(method, query, body, !name.is_empty()),
        }
    }
}

fn verb(method: &str, query: &str, body: &str, named: bool) -> &'static str {
    match (method, body) {
        _ if query.contains("dryRun=") => "dry run",
        ("GET", _) if query.contains("watch=") => "watch",
        ("GET", _) if named => "get",
        ("GET", _) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("DELETE", _) if named => "delete",
        ("DELETE", _) => "deletecollection",
        (_, "jsonpatch") => "json",
        (_, "strategic") => "strategic",
        (_, "apply") => "apply",
        _ => "merge",
    }
}

/// How many exchanges of each family agree at each level.
pub(crate) fn families(outcomes: &[Outcome]) -> String {
    let mut text = "| Family | Exchanges | Status | Outcome | Object | Exact |\n".to_owned();
    text.push_str("|---|--:|--:|--:|--:|--:|\n");
    let names: BTreeSet<&str> = outcomes.iter().map(|o| o.family.as_str()).collect();
    for name in names {
        let of_it: Vec<&Outcome> = outcomes.iter().filter(|o| o.family == name).collect();
        line(&mut text, name, &of_it);
    }
    line(&mut text, "**all**", &outcomes.iter().collect::<Vec<_>>());
    text
}

fn line(text: &mut String, name: &str, outcomes: &[&Outcome]) {
    write!(text, "| {name} | {} |", outcomes.len()).expect("a string takes all");
    for level in Level::REACHED {
        let reached = outcomes.iter().filter(|o| o.level >= level).count();
        let percent = 100.0 * reached as f64 / outcomes.len() as f64;
        write!(text, " {} |", percentage(percent)).expect("a string takes all");
    }
    text.push('\n');
}

/// Never a hundred that is not one.
fn percentage(percent: f64) -> String {
    match percent {
        100.0 => "100 %".into(),
        percent => format!("{:.1} %", (percent * 10.0).floor() / 10.0),
    }
}

/// How many exchanges agree to the letter, a line a resource and a column a verb.
pub(crate) fn resources(outcomes: &[Outcome]) -> String {
    let mut cells: BTreeMap<&str, BTreeMap<&str, (usize, usize)>> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|o| !o.asked.resource.is_empty()) {
        let line = cells.entry(&outcome.asked.resource).or_default();
        let (exact, all) = line.entry(outcome.asked.verb).or_default();
        *exact += usize::from(outcome.level == Level::Exact);
        *all += 1;
    }
    let mut text = format!("| Resource | {} |\n|---|", VERBS.join(" | "));
    text.push_str(&"--:|".repeat(VERBS.len()));
    for (resource, line) in cells {
        write!(text, "\n| {resource} |").expect("a string takes all");
        for verb in VERBS {
            let cell = match line.get(verb) {
                None => String::new(),
                Some((exact, all)) if exact == all => format!(" {all}"),
                Some((exact, all)) => format!(" {exact} of {all}"),
            };
            write!(text, "{cell} |").expect("a string takes all");
        }
    }
    text + "\n"
}

/// The exchanges that differ, and what differs first.
pub(crate) fn disagreements(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes.iter().filter(|o| o.level < Level::Exact) {
        let first = outcome.differences.first().map_or("", String::as_str);
        let first: String = first.chars().take(160).collect();
        writeln!(text, "- `{}` agrees at {}; `{first}`", outcome.label(), outcome.level.name())
            .expect("a string takes all");
    }
    if text.is_empty() { "None.\n".into() } else { text }
}
