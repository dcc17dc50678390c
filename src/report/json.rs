//! A run as JSON lines: one object an event, nothing left out.

use serde_json::{Map, Value, json};

use crate::object::ObjectRef;
use crate::time::Timestamp;
use crate::trace::{Event, FieldChange, Lane, Role, Trace, What};

/// The whole trace, one JSON object a line, in order.
///
/// Every line has these fields:
///
/// - `ms`: milliseconds since the run began; `time`: the instant, RFC 3339
/// - `lane`: `git`, `controller`, `api`, `workloads`, or null for what concerns them all
/// - `actor`, and `role`: `person`, `pipeline`, `engine`, `control-plane`, `guest`, `world`
/// - `revision`: the Git revision it goes back to, or null
/// - `event`: which of these, each with its own fields:
///
/// | `event` | fields |
/// |---|---|
/// | `typed` | `line` |
/// | `answered` | `line`, `output`, `exit` |
/// | `ref` | `repository`, `reference`, `from`, `to` (commit ids or null), `subject`, `forced` |
/// | `pipeline` | `place`, `stage`, `ok`, `message` |
/// | `fetched` | `url`, `error` or null |
/// | `started` | `object` |
/// | `phase` | `object`, `phase`: `watch`, `compare`, `reconcile` |
/// | `finished` | `object`, `changes`: list of `object`, `action`, `fields`; `message`, `failed`, `next_ms` or null |
/// | `request` | `verb`, `object`, `subresource`, `manager`, `dry_run`, `code`, `error`, `changed`: list of `path`, `before`, `after` |
/// | `workload` | `object`, `state`, `message` |
/// | `fault` | `name`, `message` |
/// | `expectation` | `text`, `holds`, `difference` or null |
/// | `note` | `text` |
///
/// An `object` is `group`, `kind`, `namespace`, `name`, each a text, empty where Kubernetes has none.
/// Texts that are empty are null where the table says so. Fields are only ever added.
pub fn json_lines(trace: &Trace) -> String {
    let start = trace.start();
    trace.events().map(|event| json_line(event, start) + "\n").collect()
}

/// One event as one line of JSON, without the newline; `start` is when the run began.
pub fn json_line(event: &Event, start: Timestamp) -> String {
    let mut line = Map::new();
    line.insert("ms".into(), event.at.since(start).as_millis().into());
    line.insert("time".into(), event.at.to_string().into());
    line.insert("lane".into(), event.lane().map(lane_name).into());
    line.insert("actor".into(), event.actor.clone().into());
    line.insert("role".into(), role_name(event.role).into());
    line.insert("revision".into(), text_or_null(&event.revision));
    let (name, fields) = what(&event.what);
    line.insert("event".into(), name.into());
    line.extend(fields.as_object().cloned().unwrap_or_default());
    Value::Object(line).to_string()
}

fn lane_name(lane: Lane) -> &'static str {
    match lane {
        Lane::Git => "git",
        Lane::Controller => "controller",
        Lane::Api => "api",
        Lane::Workloads => "workloads",
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Person => "person",
        Role::Pipeline => "pipeline",
        Role::Engine => "engine",
        Role::ControlPlane => "control-plane",
        Role::Guest => "guest",
        Role::World => "world",
    }
}

fn what(what: &What) -> (&'static str, Value) {
    match what {
        What::Typed { line } => ("typed", json!({"line": line})),
        What::Answered { line, output, exit } => {
            ("answered", json!({"line": line, "output": output, "exit": exit}))
        }
        What::RefMoved { .. } | What::Pipeline { .. } => of_git(what),
        What::Fetched { url, error, .. } => {
            ("fetched", json!({"url": url, "error": text_or_null(error)}))
        }
        What::Started { .. } | What::Phase { .. } | What::Finished { .. } => of_controller(what),
        What::Request { .. } | What::Workload { .. } => of_cluster(what),
        What::Fault { name, message } => ("fault", json!({"name": name, "message": message})),
        What::Expectation { text, holds, difference } => (
            "expectation",
            json!({"text": text, "holds": holds, "difference": text_or_null(difference)}),
        ),
        What::Note { text } => ("note", json!({"text": text})),
    }
}

fn of_git(what: &What) -> (&'static str, Value) {
    match what {
        What::RefMoved { repository, reference, from, to, subject, forced } => (
            "ref",
            json!({
                "repository": repository, "reference": reference,
                "from": text_or_null(from), "to": text_or_null(to),
                "subject": subject, "forced": forced,
            }),
        ),
        What::Pipeline { place, stage, ok, message } => {
            ("pipeline", json!({"place": place, "stage": stage, "ok": ok, "message": message}))
        }
        _ => unreachable!("called for the events of Git only"),
    }
}

fn of_controller(what: &What) -> (&'static str, Value) {
    match what {
        What::Started { target } => ("started", json!({"object": object(target)})),
        What::Phase { target, phase } => {
            let phase = format!("{phase:?}").to_lowercase();
            ("phase", json!({"object": object(target), "phase": phase}))
        }
        What::Finished { target, changes, message, failed, next } => {
            let changes: Vec<Value> = changes
                .iter()
                .map(|change| json!({"object": object(&change.object), "action": change.action.as_str(), "fields": change.fields}))
                .collect();
            let next = next.map(|span| span.as_millis());
            (
                "finished",
                json!({"object": object(target), "changes": changes, "message": message, "failed": failed, "next_ms": next}),
            )
        }
        _ => unreachable!("called for the events of controllers only"),
    }
}

fn of_cluster(what: &What) -> (&'static str, Value) {
    match what {
        What::Request {
            verb,
            object: about,
            subresource,
            manager,
            dry_run,
            code,
            error,
            changed,
        } => {
            let changed: Vec<Value> = changed.iter().map(field_change).collect();
            (
                "request",
                json!({
                    "verb": verb, "object": object(about), "subresource": subresource,
                    "manager": manager, "dry_run": dry_run, "code": code, "error": error,
                    "changed": changed,
                }),
            )
        }
        What::Workload { object: about, state, message } => {
            ("workload", json!({"object": object(about), "state": state, "message": message}))
        }
        _ => unreachable!("called for the events of the cluster only"),
    }
}

fn object(about: &ObjectRef) -> Value {
    json!({"group": about.group, "kind": about.kind, "namespace": about.namespace, "name": about.name})
}

fn field_change(change: &FieldChange) -> Value {
    json!({"path": change.path, "before": change.before, "after": change.after})
}

fn text_or_null(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}
