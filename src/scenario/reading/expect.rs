//! What must hold, as a scenario file says it.

use super::Reader;
use super::fields::Fields;
use super::node::{Node, Shape};
use crate::scenario::mistake::Mistake;
use crate::sim::script::{Claim, Count, Expectation, Test, When};
use crate::time::Duration;

/// What an expectation can be about: the key that says so, and the keys that go with it.
const CLAIMS: [(&str, &[&str]); 8] = [
    ("field", &["of", "is", "isNot", "contains", "exists", "setBy"]),
    ("object", &["exists"]),
    ("converged", &[]),
    ("writes", &["actor", "of"]),
    ("writers", &["of"]),
    ("commits", &["in"]),
    ("pods", &["of", "are"]),
    ("drift", &["of"]),
];
const WHEN: [&str; 7] = ["at", "by", "within", "always", "never", "from", "until"];

/// The expectations of a scenario, or of a step at a time.
pub(super) fn expectations(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    step: Option<Duration>,
) -> Vec<Expectation> {
    let items = match fields.get("expect") {
        Some(Node { shape: Shape::Map(_), .. }) => {
            fields.get("expect").map(|node| (fields.at("expect"), node)).into_iter().collect()
        }
        _ => fields.list(reader, "expect"),
    };
    let mut all = Vec::new();
    for (path, node) in items {
        if let Some(expectation) = expectation(reader, node, &path, step) {
            reader.expectations.push(path);
            all.push(expectation);
        }
    }
    all
}

fn expectation(
    reader: &mut Reader<'_>,
    node: &Node,
    path: &str,
    step: Option<Duration>,
) -> Option<Expectation> {
    let open = Fields::open(reader, node, path, "an expectation");
    let Some((claim, with)) = CLAIMS.into_iter().find(|(key, _)| open.has(key)) else {
        let claims: Vec<&str> = CLAIMS.into_iter().map(|(key, _)| key).collect();
        let first = open.iter().next().map_or("", |(key, ..)| key);
        let mistake = Mistake::at(path, "an expectation of nothing in particular")
            .expected(format!("expected one of: {}", claims.join(", ")))
            .did_you_mean(first, claims);
        reader.mistake(node.place, mistake);
        return None;
    };
    let known = [&[claim][..], with, &WHEN].concat();
    let fields = Fields::of(reader, node, path, &format!("an expectation of '{claim}'"), &known);
    let when = when(reader, &fields, step);
    let from = fields.duration(reader, "from").or(step);
    Some(Expectation { claim: self::claim(reader, &fields, claim)?, when, from })
}

fn when(reader: &mut Reader<'_>, fields: &Fields<'_>, step: Option<Duration>) -> When {
    let given: Vec<&str> = ["at", "by", "within", "always", "never"]
        .into_iter()
        .filter(|key| fields.has(key))
        .collect();
    if let [_, second, ..] = given[..] {
        let mistake = Mistake::at(fields.at(second), format!("'{}' and '{second}'", given[0]))
            .expected("expected one of them: they say when it must hold");
        reader.mistake(fields.key_place(second), mistake);
    }
    let until = fields.duration(reader, "until");
    match given.first().copied() {
        Some("at") => When::At(fields.duration(reader, "at").unwrap_or_default()),
        Some("by") => When::By(fields.duration(reader, "by").unwrap_or_default()),
        Some("within") => {
            let span = fields.duration(reader, "within").unwrap_or_default();
            When::By(step.unwrap_or_default() + span)
        }
        Some("always") if fields.flag(reader, "always") == Some(true) => When::Always(until),
        Some("never") if fields.flag(reader, "never") == Some(true) => When::Never(until),
        _ => When::End,
    }
}

fn claim(reader: &mut Reader<'_>, fields: &Fields<'_>, claim: &str) -> Option<Claim> {
    let of = |reader: &mut Reader<'_>| fields.text(reader, "of");
    Some(match claim {
        "field" => Claim::Field {
            of: fields.needed_text(reader, "of"),
            field: fields.text(reader, "field"),
            test: test(reader, fields)?,
        },
        "object" => Claim::Object {
            of: fields.text(reader, "object"),
            exists: fields.flag(reader, "exists").unwrap_or(true),
        },
        "converged" => {
            if fields.flag(reader, "converged") == Some(false) {
                let mistake = Mistake::at(fields.at("converged"), "'converged: false'")
                    .expected("expected 'converged: true' with 'never: true'");
                reader.mistake(fields.key_place("converged"), mistake);
            }
            Claim::Converged
        }
        "writes" => Claim::Writes {
            count: count(reader, fields, claim)?,
            actor: fields.text(reader, "actor"),
            of: of(reader),
        },
        "writers" => Claim::Writers { are: fields.texts(reader, "writers"), of: of(reader) },
        "commits" => Claim::Commits {
            count: count(reader, fields, claim)?,
            repository: fields.text(reader, "in"),
        },
        "pods" => Claim::Pods {
            count: count(reader, fields, claim)?,
            of: fields.needed_text(reader, "of"),
            are: fields.text(reader, "are"),
        },
        _ => Claim::Drift { at_most: fields.duration(reader, claim)?, of: of(reader) },
    })
}

fn test(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Test> {
    const TESTS: [&str; 5] = ["is", "isNot", "contains", "exists", "setBy"];
    let given: Vec<&str> = TESTS.into_iter().filter(|key| fields.has(key)).collect();
    match given[..] {
        ["is"] => Some(Test::Is(fields.value("is")?)),
        ["isNot"] => Some(Test::IsNot(fields.value("isNot")?)),
        ["contains"] => Some(Test::Contains(fields.text(reader, "contains"))),
        ["exists"] => Some(Test::Exists(fields.flag(reader, "exists")?)),
        ["setBy"] => Some(Test::SetBy(fields.text(reader, "setBy"))),
        _ => {
            let mistake = Mistake::at(fields.path.clone(), "a field, and no test of it")
                .expected(format!("expected one of: {}", TESTS.join(", ")));
            reader.mistake(fields.key_place("field"), mistake);
            None
        }
    }
}

/// `3`, `at most 3`, `at least 3`.
fn count(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<Count> {
    let node = fields.get(key)?;
    let text = reader.text(node, &fields.at(key));
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let count = if let Some(rest) = text.strip_prefix("at most ") {
        number(rest).map(Count::AtMost)
    } else if let Some(rest) = text.strip_prefix("at least ") {
        number(rest).map(Count::AtLeast)
    } else {
        number(&text).map(Count::Exactly)
    };
    if count.is_none() {
        let mistake = Mistake::at(fields.at(key), format!("{text:?} is no count"))
            .expected("expected a number, 'at most 3' or 'at least 3'");
        reader.mistake(node.place, mistake);
    }
    count
}
