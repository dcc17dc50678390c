//! What gh prints of pull requests and checks.

use crate::git::forge::{CheckState, Forge, Mergeability, PullRequest, PullState, Verdict};

/// Where a pull request stands, as a list has it.
pub(super) fn state(pull: &PullRequest) -> &'static str {
    match pull.state {
        PullState::Open => "OPEN",
        PullState::Closed => "CLOSED",
        PullState::Merged { .. } => "MERGED",
    }
}

/// A table, as wide as it must be.
pub(super) fn list(pulls: &[&PullRequest]) -> Vec<String> {
    let widest = |text: fn(&PullRequest) -> usize| {
        pulls.iter().map(|pull| text(pull)).max().unwrap_or_default()
    };
    let title = widest(|pull| pull.title.chars().count());
    let branch = widest(|pull| pull.source.chars().count());
    let row = |pull: &&PullRequest| {
        let number = format!("#{}", pull.number);
        format!("{number:<4}  {:title$}  {:branch$}  {}", pull.title, pull.source, state(pull))
    };
    pulls.iter().map(row).collect()
}

/// All there is to say of a pull request.
pub(super) fn view(
    pull: &PullRequest,
    waits: Option<&Mergeability>,
    comments: bool,
) -> Vec<String> {
    let state = match &pull.state {
        PullState::Open => "Open".to_owned(),
        PullState::Closed => "Closed".to_owned(),
        PullState::Merged { by, .. } => format!("Merged by {by}"),
    };
    let approvals: Vec<&str> = pull.approvals(None).map(|review| review.author.as_str()).collect();
    let reviewers = if approvals.is_empty() { "nobody".into() } else { approvals.join(", ") };
    let mut lines = vec![
        format!("{} #{}", pull.title, pull.number),
        format!(
            "{state} • {} wants to merge into {} from {}",
            pull.author, pull.target, pull.source
        ),
        format!("approved by {reviewers}"),
    ];
    for review in pull.verdicts().filter(|review| review.verdict == Verdict::RequestChanges) {
        lines.push(format!("changes requested by {}", review.author));
    }
    if let Some(waits) = waits {
        lines.extend(conflicts(waits));
        lines.extend(waits.objections.iter().map(|objection| format!("X {objection}")));
    }
    if !pull.body.is_empty() {
        lines.extend([String::new(), pull.body.clone()]);
    }
    if comments {
        lines.extend(
            pull.reviews
                .iter()
                .filter(|review| !review.body.is_empty())
                .flat_map(|review| [String::new(), format!("{}: {}", review.author, review.body)]),
        );
    }
    lines
}

fn conflicts(waits: &Mergeability) -> Option<String> {
    let paths: Vec<&str> = waits.conflicts.iter().map(|conflict| conflict.path.as_str()).collect();
    let told = format!("X This branch has conflicts that must be resolved: {}", paths.join(", "));
    (!paths.is_empty()).then_some(told)
}

/// The checks on the head of a pull request: those that were reported, and those that are waited for.
pub(super) fn checks<'f>(
    forge: &'f Forge,
    url: &str,
    pull: &PullRequest,
    required: bool,
) -> Vec<(&'f str, CheckState)> {
    let wanted = forge.required_checks(url, &pull.target);
    let head = forge.repository(url).and_then(|found| found.reference(&pull.head_reference()));
    let mut all: Vec<(&str, CheckState)> =
        head.map(|head| forge.checks(url, head).collect()).unwrap_or_default();
    let missing: Vec<&String> =
        wanted.iter().filter(|name| !all.iter().any(|(known, _)| known == *name)).collect();
    all.extend(missing.into_iter().map(|name| (name.as_str(), CheckState::Pending)));
    if required {
        all.retain(|(name, _)| wanted.iter().any(|known| known == name));
    }
    all
}

/// What the checks come to: gh's exit code, and what it prints.
pub(super) fn verdict(all: &[(&str, CheckState)]) -> (u8, Vec<String>) {
    let count = |wanted: CheckState| all.iter().filter(|(_, state)| *state == wanted).count();
    let (failing, pending) = (count(CheckState::Failure), count(CheckState::Pending));
    let (exit, title) = match (failing, pending) {
        (0, 0) => (0, "All checks were successful"),
        (0, _) => (8, "Some checks are still pending"),
        _ => (1, "Some checks were not successful"),
    };
    let mut lines = vec![
        title.to_owned(),
        format!(
            "0 cancelled, {failing} failing, {} successful, 0 skipped, and {pending} pending checks",
            count(CheckState::Success)
        ),
        String::new(),
    ];
    let mark = |state: &CheckState| match state {
        CheckState::Pending => '*',
        CheckState::Success => '✓',
        CheckState::Failure => 'X',
    };
    lines.extend(all.iter().map(|(name, state)| format!("{}  {name}", mark(state))));
    (exit, lines)
}
