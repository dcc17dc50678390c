//! An exchange with an API server: a request, as a transcript has it, and how far two answers agree.

use std::str::FromStr;

use driftlab::apiserver::rest;
use serde_json::{Map, Value, json};

/// How far an answer agrees, each level including those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not at all.
    None,
    /// The HTTP status code.
    Status,
    /// Kind and reason of a Status.
    Outcome,
    /// The whole body, but for managedFields and the wording of errors.
    Object,
    /// Everything, warnings included.
    Exact,
}

impl Level {
    /// Those worth a column.
    pub const REACHED: [Level; 4] = [Level::Status, Level::Outcome, Level::Object, Level::Exact];

    pub fn name(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Status => "status",
            Level::Outcome => "outcome",
            Level::Object => "object",
            Level::Exact => "exact",
        }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Level::None, Level::Status, Level::Outcome, Level::Object, Level::Exact];
        all.into_iter().find(|l| l.name() == text).ok_or_else(|| format!("no level: {text}"))
    }
}

/// A warning as the header quotes it.
pub fn header(warning: &str) -> String {
    warning.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The `Content-Type` of a request.
pub fn media_type(request: &Value, body: &[u8]) -> &'static str {
    match request["type"].as_str().unwrap_or("json") {
        _ if body.is_empty() => "",
        "jsonpatch" => "application/json-patch+json",
        "merge" => "application/merge-patch+json",
        "strategic" => "application/strategic-merge-patch+json",
        "apply" => "application/apply-patch+yaml",
        _ => "application/json",
    }
}

/// A body as the transcripts have it.
pub fn json_of(body: rest::HttpBody) -> Value {
    match body {
        rest::HttpBody::Json(value) => value,
        rest::HttpBody::Text(text) => json!({"text": text.trim()}),
        // One event alone reads as a JSON document.
        rest::HttpBody::Events(mut events) if events.len() == 1 => events.remove(0),
        rest::HttpBody::Events(events) => json!({"watch": events}),
    }
}

/// What the exchange shows of a body: all, or some paths.
pub fn shown(body: Value, status: u16, request: &Value) -> Value {
    match request["show"].as_array() {
        Some(paths) if status < 300 => paths
            .iter()
            .map(|path| {
                let steps: Vec<&str> = text(path).split('.').collect();
                (text(path).to_owned(), pick(&body, &steps))
            })
            .collect::<Map<_, _>>()
            .into(),
        _ => body,
    }
}

/// The value at a path; `*` stands for every item of a list, whose values come sorted.
pub fn pick(value: &Value, steps: &[&str]) -> Value {
    match steps {
        [] => value.clone(),
        ["*", rest @ ..] => {
            let items = value.as_array().into_iter().flatten();
            let mut picked: Vec<Value> = items.map(|item| pick(item, rest)).collect();
            picked.sort_by_cached_key(Value::to_string);
            picked.into()
        }
        [step, rest @ ..] => pick(value.get(step).unwrap_or(&Value::Null), rest),
    }
}

/// `$3:metadata.resourceVersion` stands for that field of exchange 3's answer.
pub fn resolve(value: &Value, seen: &[Value]) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(k, v)| (k.clone(), resolve(v, seen))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(|item| resolve(item, seen)).collect(),
        Value::String(text) => resolve_text(text, seen),
        other => other.clone(),
    }
}

fn resolve_text(text: &str, seen: &[Value]) -> Value {
    if let Some(found) = text.strip_prefix('$').and_then(|reference| dig(reference, seen)) {
        return found;
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (reference, after) = after.split_once('}').expect("a reference ends");
        out.push_str(before);
        match dig(reference, seen) {
            Some(Value::String(text)) => out.push_str(&text),
            Some(other) => out.push_str(&other.to_string()),
            None => out.push_str("None"),
        }
        rest = after;
    }
    json!(out + rest)
}

fn dig(reference: &str, seen: &[Value]) -> Option<Value> {
    let (index, path) = reference.split_once(':')?;
    let body = seen.get(index.parse::<usize>().ok()?)?;
    let found = path.split('.').try_fold(body, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    });
    Some(found.cloned().unwrap_or(Value::Null))
}

/// How far an answer agrees with another: objects of `status`, `body` and `warnings`.
pub fn level(want: &Value, got: &Value) -> Level {
    let kind = |answer: &Value| {
        let body = &answer["body"];
        (body["kind"] == "Status").then(|| (body["kind"].clone(), body["reason"].clone()))
    };
    let loose = |answer: &Value| {
        let hidden: &[&str] = match kind(answer) {
            Some(_) => &["managedFields", "message", "details"],
            None => &["managedFields"],
        };
        without(&answer["body"], hidden)
    };
    if want["status"] != got["status"] {
        Level::None
    } else if kind(want) != kind(got) {
        Level::Status
    } else if loose(want) != loose(got) {
        Level::Outcome
    } else if want["body"] != got["body"] || want["warnings"] != got["warnings"] {
        Level::Object
    } else {
        Level::Exact
    }
}

fn without(value: &Value, keys: &[&str]) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(k, _)| !keys.contains(&k.as_str()))
            .map(|(k, v)| (k.clone(), without(v, keys)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| without(item, keys)).collect(),
        other => other.clone(),
    }
}

/// Where they differ, as paths.
pub fn differ(want: &Value, got: &Value, at: &str, found: &mut Vec<String>) {
    match (want, got) {
        (Value::Object(w), Value::Object(g)) => {
            for (key, value) in w {
                match g.get(key) {
                    Some(other) => differ(value, other, &format!("{at}.{key}"), found),
                    None => found.push(format!("{at}.{key}: missing, want {}", short(value))),
                }
            }
            for (key, value) in g.iter().filter(|(key, _)| !w.contains_key(*key)) {
                found.push(format!("{at}.{key}: extra {}", short(value)));
            }
        }
        (Value::Array(w), Value::Array(g)) => {
            if w.len() != g.len() {
                found.push(format!("{at}: want {} items, got {}", w.len(), g.len()));
            }
            for (i, (w, g)) in w.iter().zip(g).enumerate() {
                differ(w, g, &format!("{at}[{i}]"), found);
            }
        }
        (w, g) if w != g => found.push(format!("{at}: want {} got {}", short(w), short(g))),
        _ => {}
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

/// A text; empty for what is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}
