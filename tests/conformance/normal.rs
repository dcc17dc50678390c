//! Names what differs from server to server (uids, versions, times, addresses) by order of appearance,
//! as the transcripts do.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The names given so far in a case.
#[derive(Default)]
pub struct Normal {
    uids: BTreeMap<String, String>,
    order: Vec<String>,
    versions: BTreeMap<String, String>,
}

const TIMES: [&str; 9] = [
    "creationTimestamp",
    "deletionTimestamp",
    "time",
    "lastTransitionTime",
    "lastPhaseTransitionTime",
    "lastUpdateTime",
    "renewTime",
    "startTime",
    "completionTime",
];

impl Normal {
    fn version(&mut self, value: &str) -> String {
        let next = format!("rv{}", self.versions.len() + 1);
        self.versions.entry(value.to_owned()).or_insert(next).clone()
    }

    fn uid(&mut self, value: &str) -> String {
        if let Some(name) = self.uids.get(value) {
            return name.clone();
        }
        let name = format!("uid{}", self.uids.len() + 1);
        self.order.push(value.to_owned());
        self.uids.insert(value.to_owned(), name.clone());
        name
    }

    fn named(&self, text: &str) -> String {
        self.order
            .iter()
            .filter(|uid| !uid.is_empty())
            .fold(text.to_owned(), |text, uid| text.replace(uid, &self.uids[uid]))
    }

    /// `key` is the field that the value is in.
    pub fn walk(&mut self, value: &Value, key: &str) -> Value {
        match value {
            Value::Object(fields) => self.object(fields),
            Value::Array(items) => items.iter().map(|item| self.walk(item, key)).collect(),
            Value::String(text) => self.text(text, key),
            _ if key == "nodePort" => json!("<port>"),
            other => other.clone(),
        }
    }

    fn object(&mut self, fields: &Map<String, Value>) -> Value {
        let kind = fields.get("kind").and_then(Value::as_str).unwrap_or("");
        let is_list = kind.ends_with("List") && fields.contains_key("items");
        let mut out = Map::new();
        for (key, value) in in_given_order(fields) {
            let walked = match (key.as_str(), value) {
                ("resourceVersion", Value::String(version)) => json!(self.version(version)),
                ("metadata", Value::Object(metadata)) if is_list => {
                    let kept = metadata.iter().filter(|(k, _)| *k != "resourceVersion");
                    kept.map(|(k, v)| {
                        (k.clone(), if k == "continue" { json!("<more>") } else { v.clone() })
                    })
                    .collect()
                }
                ("managedFields", Value::Array(entries)) => self.sorted(
                    entries,
                    key,
                    &["manager", "operation", "subresource", "apiVersion"],
                ),
                ("causes", Value::Array(causes)) => self.sorted(causes, key, &["field", "message"]),
                _ => self.walk(value, key),
            };
            out.insert(self.named(key), walked);
        }
        Value::Object(out)
    }

    fn sorted(&mut self, items: &[Value], key: &str, by: &[&str]) -> Value {
        let mut items: Vec<Value> = items.iter().map(|item| self.walk(item, key)).collect();
        items.sort_by_cached_key(|item| {
            by.iter()
                .map(|field| item.get(field).and_then(Value::as_str).unwrap_or("").to_owned())
                .collect::<Vec<_>>()
        });
        Value::Array(items)
    }

    fn text(&mut self, text: &str, key: &str) -> Value {
        match key {
            "uid" => return json!(self.uid(text)),
            "clusterIP" if !matches!(text, "None" | "") => return json!("<ip>"),
            "clusterIPs" => return json!("<ip>"),
            _ if TIMES.contains(&key) && is_time(text) => return json!("<time>"),
            _ => {}
        }
        let text = self.named(text);
        if key != "message" {
            return json!(text);
        }
        let text = hide_versions(&hide_times(&hide_uids(&text)));
        if !text.contains("conflict with") && !text.contains("conflicts with") {
            return json!(text);
        }
        let mut lines: Vec<&str> = text.split('\n').collect();
        lines.sort_unstable();
        json!(lines.into_iter().map(hide_conflict_count).collect::<Vec<_>>().join("\n"))
    }
}

/// As the recorded bodies had them, as far as it matters: the order decides who is `uid1`.
fn in_given_order(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let place = |key: &str| match key {
        "metadata" | "uid" => 0,
        "ownerReferences" => 1,
        _ => 2,
    };
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(key, _)| place(key));
    fields.into_iter()
}

fn is_time(text: &str) -> bool {
    time_len(text.as_bytes()) == Some(text.len())
}

/// How long the time is that a text begins with: `2026-01-01T00:00:00Z`, perhaps with a fraction.
fn time_len(text: &[u8]) -> Option<usize> {
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let fits = text.len() > shape.len()
        && shape
            .iter()
            .zip(text)
            .all(|(s, t)| if *s == b'd' { t.is_ascii_digit() } else { s == t });
    if !fits {
        return None;
    }
    let mut at = shape.len();
    if text[at] == b'.' {
        at += 1 + text[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
    }
    (text.get(at) == Some(&b'Z')).then_some(at + 1)
}

fn uid_len(text: &[u8]) -> Option<usize> {
    let groups = [8, 4, 4, 4, 12];
    let mut at = 0;
    for (i, len) in groups.into_iter().enumerate() {
        if i > 0 {
            if text.get(at) != Some(&b'-') {
                return None;
            }
            at += 1;
        }
        let hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
        if text.get(at..at + len).is_none_or(|group| !group.iter().all(hex)) {
            return None;
        }
        at += len;
    }
    Some(at)
}

fn hide(text: &str, name: &str, len: fn(&[u8]) -> Option<usize>) -> String {
    let mut out = String::new();
    let mut at = 0;
    while at < text.len() {
        if let Some(found) = len(&text.as_bytes()[at..]) {
            out.push_str(name);
            at += found;
            continue;
        }
        let c = text[at..].chars().next().expect("not at the end");
        out.push(c);
        at += c.len_utf8();
    }
    out
}

fn hide_uids(text: &str) -> String {
    hide(text, "<uid>", uid_len)
}

fn hide_times(text: &str) -> String {
    hide(text, "<time>", time_len)
}

/// Numbers that follow the word `resourceVersion` within forty characters.
fn hide_versions(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(found) = rest.find("esourceVersion").or_else(|| rest.find("esourceversion")) {
        let end = found + "esourceVersion".len();
        let (head, tail) = rest.split_at(end);
        out.push_str(head);
        let gap = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        rest = tail;
        if gap < tail.len() && tail[..gap].chars().count() <= 40 + 28 {
            let number =
                tail[gap..].find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len() - gap);
            out.push_str(&tail[..gap]);
            out.push_str("<n>");
            rest = &tail[gap + number..];
        }
    }
    out + rest
}

/// `Apply failed with 2 conflicts: ` and `… 1 conflict: ` alike.
fn hide_conflict_count(line: &str) -> String {
    let Some(rest) = line.strip_prefix("Apply failed with ") else { return line.to_owned() };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    match rest.strip_prefix(" conflicts: ").or_else(|| rest.strip_prefix(" conflict: ")) {
        Some(rest) => format!("conflict: {rest}"),
        None => line.to_owned(),
    }
}
