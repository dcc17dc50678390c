//! A scenario as the file that reads back as it.

use std::fmt;

use serde_json::{Map, Value, json};

use super::script::{
    Action, Claim, ClusterSpec, Count, Expectation, RepositorySpec, Scenario, Step, SyncSpec, Test,
    When,
};
use crate::manifest::yaml;

/// As a scenario file, which reads back as the same scenario.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = self.until.map(|span| json!(span.to_string()));
        let sections = [
            ("scenario", Some(json!(self.title))),
            ("about", text(&self.about)),
            ("seed", Some(json!(self.seed))),
            ("until", until),
            ("repositories", map(self.repositories.iter().map(|(n, r)| (n, repository(r))))),
            ("cluster", cluster(&self.cluster)),
            ("registry", self.registry.as_ref().map(|images| json!(images))),
            ("sync", map(self.sync.iter().map(|(name, spec)| (name, sync(spec))))),
            ("faults", list(self.faults.faults.iter().map(|fault| json!(fault)).collect())),
            ("steps", list(self.steps.iter().flat_map(step).collect())),
            ("expect", list(self.expect.iter().map(expectation).collect())),
        ];
        for (name, value) in sections {
            if let Some(value) = value {
                f.write_str(&yaml::to_string(&json!({name: value})))?;
            }
        }
        Ok(())
    }
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!(text))
}

fn list(items: Vec<Value>) -> Option<Value> {
    (!items.is_empty()).then_some(Value::Array(items))
}

fn map<'a>(entries: impl Iterator<Item = (&'a String, Value)>) -> Option<Value> {
    let entries: Map<String, Value> = entries.map(|(name, value)| (name.clone(), value)).collect();
    (!entries.is_empty()).then_some(Value::Object(entries))
}

/// The fields that are given.
fn fields<const N: usize>(given: [(&str, Option<Value>); N]) -> Value {
    let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect())
}

fn repository(spec: &RepositorySpec) -> Value {
    let files = spec.from.is_empty().then(|| json!(spec.files));
    fields([
        ("url", text(&spec.url)),
        ("branch", (spec.branch != "main").then(|| json!(spec.branch))),
        ("files", files),
        ("from", text(&spec.from)),
    ])
}

fn cluster(spec: &ClusterSpec) -> Option<Value> {
    let usual = ClusterSpec::default();
    let differs = |differs: bool, value: Value| differs.then_some(value);
    (*spec != usual).then(|| {
        fields([
            ("flux", differs(spec.flux != usual.flux, json!(spec.flux))),
            ("nodes", differs(spec.nodes != usual.nodes, json!(spec.nodes))),
            ("apply", differs(!spec.apply.is_empty(), json!(spec.apply))),
        ])
    })
}

fn sync(spec: &SyncSpec) -> Value {
    let mut all: Map<String, Value> = spec.spec.clone().into_iter().collect();
    all.insert("repository".into(), json!(spec.repository));
    if let Some(interval) = spec.source_interval {
        all.insert("sourceInterval".into(), json!(interval.to_string()));
    }
    Value::Object(all)
}

/// A step of a file does its actions in an order of its own; where that is another, it takes several.
fn step(step: &Step) -> Vec<Value> {
    let head = || {
        fields([
            ("at", Some(json!(step.at.to_string()))),
            ("as", text(&step.who)),
            ("in", text(&step.repository)),
            ("exit", step.exit.map(|code| json!(code))),
            ("output", text(&step.output)),
        ])
    };
    let (mut written, mut rank) = (Vec::new(), usize::MAX);
    for action in &step.actions {
        let next = rank_of(action);
        let again = next == rank && !matches!(action, Action::Write { .. });
        if next < rank || again {
            written.push(head());
        }
        rank = next;
        let place = written.last_mut().and_then(Value::as_object_mut).expect("pushed above");
        put(action, place);
    }
    written
}

/// Where an action stands in the order in which a file's step does them.
fn rank_of(action: &Action) -> usize {
    match action {
        Action::Note(_) => 0,
        Action::Image(_) => 1,
        Action::Write { .. } => 2,
        Action::Edit { .. } => 3,
        Action::Remove { .. } => 4,
        Action::Run(_) => 5,
        Action::Fault { .. } => 6,
        Action::Metrics { .. } => 7,
    }
}

fn put(action: &Action, step: &mut Map<String, Value>) {
    match action {
        Action::Note(note) => drop(step.insert("note".into(), json!(note))),
        Action::Image(image) => drop(step.insert("image".into(), json!(image))),
        Action::Write { path, content } => {
            let files = step.entry("write").or_insert_with(|| json!({}));
            files[path] = json!(content);
        }
        Action::Edit { path, replace, with } => {
            step.extend([
                ("edit".to_owned(), json!(path)),
                ("replace".to_owned(), json!(replace)),
                ("with".to_owned(), json!(with)),
            ]);
        }
        Action::Remove { path } => drop(step.insert("remove".into(), json!(path))),
        Action::Run(commands) => drop(step.insert("run".into(), json!(commands))),
        Action::Fault { what, lasts } => {
            step.insert("fault".into(), json!(what));
            step.extend(lasts.map(|span| ("for".to_owned(), json!(span.to_string()))));
        }
        Action::Metrics { of, resource, value } => {
            step.insert("metrics".into(), json!({of: {resource: value}}));
        }
    }
}

fn expectation(expectation: &Expectation) -> Value {
    let mut value = claim(&expectation.claim);
    let time = |span: crate::time::Duration| json!(span.to_string());
    let mut put = |name: &str, given: Value| value[name] = given;
    match expectation.when {
        When::End => {}
        When::At(at) => put("at", time(at)),
        When::By(by) => put("by", time(by)),
        When::Always(until) | When::Never(until) => {
            let name = if matches!(expectation.when, When::Never(_)) { "never" } else { "always" };
            put(name, json!(true));
            until.into_iter().for_each(|until| put("until", time(until)));
        }
    }
    expectation.from.into_iter().for_each(|from| put("from", time(from)));
    value
}

fn claim(claim: &Claim) -> Value {
    match claim {
        Claim::Field { of, field, test } => {
            let mut value = json!({"field": field, "of": of});
            let (name, wanted) = match test {
                Test::Is(wanted) => ("is", wanted.clone()),
                Test::IsNot(wanted) => ("isNot", wanted.clone()),
                Test::Contains(part) => ("contains", json!(part)),
                Test::Exists(there) => ("exists", json!(there)),
                Test::SetBy(manager) => ("setBy", json!(manager)),
            };
            value[name] = wanted;
            value
        }
        Claim::Object { of, exists } => json!({"object": of, "exists": exists}),
        Claim::Converged => json!({"converged": true}),
        Claim::Writes { count, actor, of } => fields([
            ("writes", Some(json!(count.to_string()))),
            ("actor", text(actor)),
            ("of", text(of)),
        ]),
        Claim::Writers { are, of } => fields([("writers", Some(json!(are))), ("of", text(of))]),
        Claim::Commits { count, repository } => {
            fields([("commits", Some(json!(count.to_string()))), ("in", text(repository))])
        }
        Claim::Pods { count, of, are } => {
            json!({"pods": count.to_string(), "of": of, "are": are})
        }
        Claim::Drift { at_most, of } => {
            fields([("drift", Some(json!(at_most.to_string()))), ("of", text(of))])
        }
    }
}

/// `3`, `at most 3`, `at least 3`.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Count::Exactly(n) => write!(f, "{n}"),
            Count::AtMost(n) => write!(f, "at most {n}"),
            Count::AtLeast(n) => write!(f, "at least {n}"),
        }
    }
}
