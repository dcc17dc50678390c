//! Each event in a sentence, in the words of git, kubectl and Flux.

use serde_json::Value;

use super::drift::{Drift, counts};
use super::paint::{Span, Tone};
use crate::object::ObjectRef;
use crate::reconciler::{Change, ChangeAction};
use crate::trace::{FieldChange, What};

/// How objects are named in one run: as Flux does, less the namespace where no other object of the
/// run has the same kind and name.
pub(super) struct Names(Vec<ObjectRef>);

impl Names {
    pub(super) fn of<'a>(whats: impl Iterator<Item = &'a What>) -> Self {
        let mut all: Vec<ObjectRef> = whats.flat_map(objects).cloned().collect();
        all.sort();
        all.dedup();
        Names(all)
    }

    pub(super) fn short(&self, object: &ObjectRef) -> String {
        if object.name.is_empty() {
            return object.kind.clone();
        }
        let twin = |other: &&ObjectRef| {
            other.kind == object.kind
                && other.name == object.name
                && other.namespace != object.namespace
        };
        match self.0.iter().find(twin) {
            Some(_) => object.to_string(),
            None => format!("{}/{}", object.kind, object.name),
        }
    }
}

fn objects(what: &What) -> Vec<&ObjectRef> {
    match what {
        What::Started { target } | What::Phase { target, .. } => vec![target],
        What::Finished { target, changes, .. } => {
            std::iter::once(target).chain(changes.iter().map(|c| &c.object)).collect()
        }
        What::Request { object, .. } | What::Workload { object, .. } => vec![object],
        _ => Vec::new(),
    }
}

/// A branch or tag that moved, as `git push` and `git fetch` print it.
pub(super) fn ref_moved(
    repository: &str,
    reference: &str,
    ids: (&str, &str),
    subject: &str,
    forced: bool,
) -> Vec<Span> {
    let (from, to) = (short(ids.0), short(ids.1));
    let mut spans = vec![Span::plain(format!("{repository} "))];
    match (from, to) {
        ("", to) => spans.extend([
            Span::new(Tone::Hash, to.to_owned()),
            Span::plain(format!(" -> {reference}")),
        ]),
        (from, "") => spans.extend([
            Span::new(Tone::Hash, from.to_owned()),
            Span::plain(format!(" {reference} [deleted]")),
        ]),
        (from, to) => {
            let dots = if forced { "..." } else { ".." };
            spans.push(Span::new(Tone::Hash, format!("{from}{dots}{to}")));
            spans.push(Span::plain(format!(" -> {reference}")));
        }
    }
    if forced {
        spans.push(Span::new(Tone::Bad, " (forced update)"));
    }
    if !subject.is_empty() {
        spans.push(Span::plain("  "));
        spans.push(Span::new(Tone::Strong, subject));
    }
    spans
}

/// A write, as Flux and kubectl tell it, with what it changed.
pub(super) fn write(
    name: &str,
    verb: &str,
    subresource: &str,
    code: u16,
    changed: &[FieldChange],
) -> Vec<Span> {
    let created = code == 201 && subresource.is_empty();
    let word = match verb {
        "delete" | "deletecollection" => "deleted",
        _ if created => "created",
        _ if changed.is_empty() => "unchanged",
        _ if subresource == "scale" => "scaled",
        _ => "configured",
    };
    let mut spans = vec![Span::plain(format!("{name} ")), Span::plain(word)];
    let fields = if created { telling(changed) } else { shown(changed) };
    if !fields.is_empty() && word != "deleted" {
        spans.push(Span::plain(" ("));
        spans.extend(fields);
        spans.push(Span::plain(")"));
    }
    spans
}

/// What the control plane's own controllers do to what they own: `ReplicaSet/a scaled (3 → 5)`.
pub(super) fn controlled(name: &str, changed: &[FieldChange]) -> Option<Vec<Span>> {
    let change = changed.iter().find(|change| change.path == "spec.replicas")?;
    let (before, after) = (change.before.as_ref()?, change.after.as_ref()?);
    let values = format!("{} → {}", value(before), value(after));
    Some(vec![
        Span::plain(format!("{name} scaled (")),
        Span::new(Tone::Strong, values),
        Span::plain(")"),
    ])
}

/// What tells the most of a new workload: how many of which image.
fn telling(changed: &[FieldChange]) -> Vec<Span> {
    let text = |is: &dyn Fn(&str) -> bool| {
        changed.iter().find(|c| is(&c.path)).and_then(|c| Some(value(c.after.as_ref()?)))
    };
    let replicas = text(&|path| path == "spec.replicas");
    let image = text(&is_container_image);
    let spans = match (replicas, image) {
        (Some(replicas), Some(image)) => format!("{replicas}\u{a0}×\u{a0}{image}"),
        (Some(replicas), None) => format!("replicas {replicas}"),
        (None, Some(image)) => image,
        (None, None) => return Vec::new(),
    };
    vec![Span::plain(spans)]
}

fn is_container_image(path: &str) -> bool {
    path.ends_with("].image") && path.contains("containers[")
}

/// The changes, the first few in full.
fn shown(changed: &[FieldChange]) -> Vec<Span> {
    const FEW: usize = 3;
    let is_told = |path: &str| counts(path) && !is_owner_label(path);
    let changes: Vec<&FieldChange> = changed.iter().filter(|c| is_told(&c.path)).collect();
    let mut spans: Vec<Span> = changes
        .iter()
        .take(FEW)
        .enumerate()
        .flat_map(|(i, change)| separated(i, field_change(change)))
        .collect();
    if changes.len() > FEW {
        let more = changes.len() - FEW;
        let s = if more == 1 { "" } else { "s" };
        spans.push(Span::faint(format!(", and {more} more field{s}")));
    }
    spans
}

/// The labels by which Flux knows what it applied.
fn is_owner_label(path: &str) -> bool {
    path.starts_with("metadata.labels[kustomize.toolkit.fluxcd.io/")
}

fn separated(position: usize, spans: Vec<Span>) -> Vec<Span> {
    let comma = (position > 0).then(|| Span::plain(", "));
    comma.into_iter().chain(spans).collect()
}

/// `spec.replicas 5 → 3`.
fn field_change(change: &FieldChange) -> Vec<Span> {
    let path = Span::plain(format!("{} ", short_path(&change.path)));
    let values = match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{} → {}", value(before), value(after)),
        (None, Some(after)) => format!("added: {}", value(after)),
        (Some(before), None) => format!("{} removed", value(before)),
        (None, None) => String::new(),
    };
    vec![path, Span::new(Tone::Strong, values)]
}

/// The values a drift went through: `3 → 5 → 3`.
pub(super) fn chain(drift: &Drift) -> String {
    let whole = drift.path.is_empty();
    let show = |shown: &Option<Value>| match shown {
        Some(_) if whole => "there".to_owned(),
        Some(found) => value(found),
        None if whole => "deleted".to_owned(),
        None => "unset".to_owned(),
    };
    drift.values.iter().map(show).collect::<Vec<_>>().join(" → ")
}

/// A path without the steps that every workload has.
pub(super) fn short_path(path: &str) -> String {
    path.replace("spec.template.spec.", "…").replace("spec.jobTemplate.…", "…")
}

/// A value on one line, long ones cut in the middle.
pub(super) fn value(value: &Value) -> String {
    const LONG: usize = 40;
    let text = match value {
        Value::String(text) => text.replace('\n', " "),
        other => other.to_string(),
    };
    let length = text.chars().count();
    if length <= LONG {
        return if text.is_empty() { "\"\"".into() } else { text };
    }
    let head: String = text.chars().take(LONG / 2).collect();
    let tail: String = text.chars().skip(length - LONG / 2 + 1).collect();
    format!("{head}…{tail}")
}

/// Whether a failure is nothing but waiting for something that comes first.
pub(super) fn is_waiting(message: &str) -> bool {
    message.starts_with("Source artifact not found")
        || message.starts_with("dependency '")
        || message.starts_with("Dependencies do not meet ready condition")
}

/// How a reconciliation ended, in Flux's words: `applied main@3f2a1c9: 1 configured of 5`.
pub(super) fn finished(
    name: &str,
    revision: &str,
    changes: &[Change],
    message: &str,
    failed: bool,
) -> Vec<Span> {
    let mut spans = vec![Span::plain(format!("{name} "))];
    if failed && is_waiting(message) {
        spans.push(Span::faint(format!("waits: {}", short_ids(message))));
        return spans;
    }
    if failed {
        spans.push(Span::new(Tone::Bad, "failed"));
        spans.push(Span::plain(format!(": {}", short_ids(&reason(message)))));
        return spans;
    }
    if changes.is_empty() {
        spans.push(Span::plain(short_ids(message)));
        return spans;
    }
    spans.push(Span::plain("applied "));
    spans.push(Span::new(Tone::Hash, short_revision(revision)));
    spans.push(Span::plain(format!(": {}", tally(changes))));
    spans
}

/// A failure's message on one line, without the changes that came before it: they have rows of their own.
pub(crate) fn reason(message: &str) -> String {
    let is_change = |line: &str| {
        let (object, word) = line.rsplit_once(' ').unwrap_or_default();
        object.contains('/') && !object.contains(' ') && ACTIONS.contains(&word)
    };
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty() && !is_change(line));
    lines.collect::<Vec<_>>().join("; ")
}

const ACTIONS: [&str; 5] = ["created", "configured", "unchanged", "deleted", "skipped"];

/// `1 created, 1 configured of 9`.
fn tally(changes: &[Change]) -> String {
    use ChangeAction::{Configured, Created, Deleted, Skipped};
    let count = |action| changes.iter().filter(|c| c.action == action).count();
    let told: Vec<String> = [Created, Configured, Deleted, Skipped]
        .into_iter()
        .filter(|action| count(*action) > 0)
        .map(|action| format!("{} {}", count(action), action.as_str()))
        .collect();
    match count(ChangeAction::Unchanged) {
        0 => told.join(", "),
        unchanged if told.is_empty() => format!("{unchanged} unchanged"),
        _ => format!("{} of {}", told.join(", "), changes.len()),
    }
}

/// The first seven digits of a commit id.
pub(super) fn short(id: &str) -> &str {
    if is_id(id) { &id[..7] } else { id }
}

/// `main@sha1:3f2a1c9…` as `main@3f2a1c9`.
pub(super) fn short_revision(revision: &str) -> String {
    match revision.split_once("sha1:") {
        Some((branch, id)) => format!("{branch}{}", short(id)),
        None => revision.to_owned(),
    }
}

/// A sentence with its commit ids cut to seven digits.
pub(super) fn short_ids(message: &str) -> String {
    let mut out = String::new();
    let mut rest = message;
    while let Some(at) = rest.find("sha1:") {
        let (before, after) = rest.split_at(at + 5);
        let digits = after.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(after.len());
        let keep = if digits == 40 { 7 } else { digits };
        out.push_str(before.strip_suffix("sha1:").filter(|_| digits == 40).unwrap_or(before));
        out.push_str(&after[..keep]);
        rest = &after[digits..];
    }
    out + rest
}

fn is_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The last part of a remote's address: the repository's name.
pub(super) fn repository_of(url: &str) -> &str {
    let name = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(url);
    name.strip_suffix(".git").unwrap_or(name)
}

/// A pod's name without the part that is its own: `hello-6d4b9c-x2x1z` is one of `hello-6d4b9c-*`; and
/// definitions, of which many come at once, without any.
pub(super) fn family(object: &ObjectRef) -> String {
    match object.name.rsplit_once('-') {
        Some((owner, _)) if matches!(object.kind.as_str(), "Pod" | "Node") => {
            format!("{}/{owner}-*", object.kind)
        }
        _ if object.kind == "CustomResourceDefinition" => format!("{}/*", object.kind),
        _ => format!("{}/{}", object.kind, object.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(spans: &[Span]) -> String {
        spans.iter().map(|span| span.text.as_str()).collect()
    }

    #[test]
    fn a_moved_branch_reads_as_git_push_prints_it() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let check = |from: &str, to: &str, forced, expected: &str| {
            assert_eq!(text(&ref_moved("config", "main", (from, to), "Subject", forced)), expected)
        };
        check("", &a, false, "config aaaaaaa -> main  Subject");
        check(&a, &b, false, "config aaaaaaa..bbbbbbb -> main  Subject");
        check(&a, &b, true, "config aaaaaaa...bbbbbbb -> main (forced update)  Subject");
        check(&a, "", false, "config aaaaaaa main [deleted]  Subject");
    }

    #[test]
    fn a_write_says_which_fields_it_changed() {
        let change = |path: &str, before: Value, after: Value| FieldChange {
            path: path.into(),
            before: (!before.is_null()).then_some(before),
            after: (!after.is_null()).then_some(after),
        };
        let check = |verb: &str, changed: &[FieldChange], expected: &str| {
            assert_eq!(
                text(&write(
                    "Deployment/hello",
                    verb,
                    "",
                    if verb == "create" { 201 } else { 200 },
                    changed
                )),
                expected
            )
        };
        let scaled = change("spec.replicas", json!(5), json!(3));
        check(
            "patch",
            std::slice::from_ref(&scaled),
            "Deployment/hello configured (spec.replicas 5 → 3)",
        );
        check(
            "patch",
            &[scaled.clone(), change("metadata.generation", json!(1), json!(2))],
            "Deployment/hello configured (spec.replicas 5 → 3)",
        );
        check("patch", &[], "Deployment/hello unchanged");
        check("delete", &[scaled], "Deployment/hello deleted");
        check(
            "create",
            &[
                change("spec.replicas", Value::Null, json!(3)),
                change(
                    "spec.template.spec.containers[name=a].image",
                    Value::Null,
                    json!("nginx:1"),
                ),
            ],
            "Deployment/hello created (3\u{a0}×\u{a0}nginx:1)",
        );
        check(
            "patch",
            &[change(
                "spec.template.spec.containers[name=a].env[name=X].value",
                Value::Null,
                json!("1"),
            )],
            "Deployment/hello configured (…containers[name=a].env[name=X].value added: 1)",
        );
    }

    #[test]
    fn ids_in_sentences_are_cut_to_seven_digits() {
        let id = "0123456789".repeat(4);
        assert_eq!(
            short_ids(&format!("Applied revision: main@sha1:{id} again")),
            "Applied revision: main@0123456 again"
        );
        assert_eq!(short_ids("sha1:12 no"), "sha1:12 no");
    }
}
