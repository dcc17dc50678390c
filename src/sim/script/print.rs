//! A scenario as the file that a person would write.

mod forge;

use std::fmt;

use serde_json::{Map, Value, json};

use super::{
    Action, Claim, Count, DeliverySpec, Expectation, PipelineSpec, RepositorySpec, Scenario, Step,
    SyncSpec, Test, When,
};
use crate::apiserver::webhook::Webhook;
use crate::manifest::yaml;
use crate::time::Duration;

/// The YAML of a scenario file: reading it gives the same scenario.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut file = File::default();
        file.text("scenario", &self.title);
        file.text("about", &self.about);
        if self.seed != 1 {
            file.put("seed", self.seed.into());
        }
        file.span("until", self.until);
        file.map("repositories", &self.repositories, repository);
        file.map("tokens", &self.tokens, forge::token);
        self.put_cluster(&mut file);
        if let Some(images) = &self.registry {
            file.put("registry", json!(images));
        }
        file.map("pipelines", &self.pipelines, pipeline);
        file.map("sync", &self.sync, sync);
        file.map("webhooks", &self.webhooks, webhook);
        if !self.faults.is_empty() {
            let faults = serde_json::to_value(&self.faults).map_err(|_| fmt::Error)?;
            file.put("faults", faults);
        }
        // What a step expects is printed with what else must hold; one that does nothing else is none.
        let doing = self.steps.iter().filter(|step| !step.actions.is_empty());
        file.list("steps", doing.flat_map(steps));
        file.list("expect", self.expect.iter().map(expectation));
        f.write_str(&file.text)
    }
}

impl Scenario {
    fn put_cluster(&self, file: &mut File) {
        let cluster = &self.cluster;
        let mut fields = Map::new();
        if !cluster.flux {
            fields.insert("flux".into(), false.into());
        }
        if cluster.nodes != 3 {
            fields.insert("nodes".into(), cluster.nodes.into());
        }
        if !cluster.apply.is_empty() {
            fields.insert("apply".into(), json!(cluster.apply));
        }
        if !cluster.people.is_empty() {
            fields.insert("people".into(), json!(cluster.people));
        }
        if let Ok(Value::Object(policies)) = serde_json::to_value(&cluster.policies) {
            let set: Map<_, _> =
                policies.into_iter().filter(|(_, on)| *on != json!(false)).collect();
            if !set.is_empty() {
                fields.insert("policies".into(), Value::Object(set));
            }
        }
        if !fields.is_empty() {
            file.put("cluster", Value::Object(fields));
        }
    }
}

/// Fields in the order written.
type Fields = Vec<(String, Value)>;

/// A file that grows, key by key.
#[derive(Default)]
struct File {
    text: String,
}

impl File {
    fn put(&mut self, key: &str, value: Value) {
        self.text += &yaml::to_string(&json!({(key): value}));
    }

    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.put(key, text.into());
        }
    }

    fn span(&mut self, key: &str, span: Option<Duration>) {
        if let Some(span) = span {
            self.put(key, span.to_string().into());
        }
    }

    fn map<T>(
        &mut self,
        key: &str,
        items: &std::collections::BTreeMap<String, T>,
        fields: impl Fn(&T) -> Fields,
    ) {
        if items.is_empty() {
            return;
        }
        self.text += &format!("{key}:\n");
        for (name, item) in items {
            let name = yaml::to_string(&json!({(name): null}));
            let name = name.trim_end().trim_end_matches("null").trim_end();
            self.text += &format!("  {name}\n{}", indented(&fields(item), "    "));
        }
    }

    fn list(&mut self, key: &str, items: impl Iterator<Item = Fields>) {
        let mut items = items.peekable();
        if items.peek().is_none() {
            return;
        }
        self.text += &format!("{key}:\n");
        for fields in items {
            let item = indented(&fields, "    ");
            self.text += &format!("  - {}", item.trim_start());
        }
    }
}

/// Fields, a line or more each, behind an indent.
fn indented(fields: &Fields, indent: &str) -> String {
    let text: String =
        fields.iter().map(|(key, value)| yaml::to_string(&json!({(key): value}))).collect();
    let line = |line: &str| match line {
        "" => "\n".to_owned(),
        line => format!("{indent}{line}\n"),
    };
    text.lines().map(line).collect()
}

/// Fields by name.
fn of<const N: usize>(fields: [(&str, Value); N]) -> Fields {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Adds fields that are texts, those that are not empty.
fn texts(fields: &mut Fields, texts: &[(&str, &str)]) {
    let given = texts.iter().filter(|(_, text)| !text.is_empty());
    fields.extend(given.map(|(key, text)| ((*key).to_owned(), Value::from(*text))));
}

fn put(fields: &mut Fields, key: &str, value: impl Into<Value>) {
    fields.push((key.to_owned(), value.into()));
}

fn span(fields: &mut Fields, key: &str, span: Option<Duration>) {
    fields.extend(span.map(|span| (key.to_owned(), Value::from(span.to_string()))));
}

fn repository(spec: &RepositorySpec) -> Fields {
    let mut fields = Fields::new();
    texts(&mut fields, &[("url", &spec.url)]);
    if spec.branch != "main" {
        put(&mut fields, "branch", json!(spec.branch));
    }
    fields.extend(spec.approvals.map(|count| ("approvals".to_owned(), count.into())));
    fields.extend(spec.signed.then(|| ("signed".to_owned(), true.into())));
    fields.extend(forge::hosting(spec));
    match spec.from.as_str() {
        "" => put(&mut fields, "files", json!(spec.files)),
        from => put(&mut fields, "from", from),
    }
    fields
}

fn pipeline(spec: &PipelineSpec) -> Fields {
    let mut fields = of([("repository", json!(spec.repository))]);
    if spec.branch != "main" {
        put(&mut fields, "branch", json!(spec.branch));
    }
    put(&mut fields, "image", json!(spec.image));
    match &spec.delivery {
        DeliverySpec::Commit { repository, folder } => {
            put(&mut fields, "commit", json!({"repository": repository, "folder": folder}));
        }
        DeliverySpec::Apply { folder } => put(&mut fields, "apply", json!({"folder": folder})),
        DeliverySpec::None => {}
    }
    fields.extend(spec.checks.then(|| ("checks".to_owned(), true.into())));
    span(&mut fields, "build", spec.build);
    span(&mut fields, "test", spec.test);
    fields
}

fn sync(spec: &SyncSpec) -> Fields {
    let mut fields = of([("repository", json!(spec.repository))]);
    span(&mut fields, "sourceInterval", spec.source_interval);
    fields.extend(spec.webhook.then(|| ("webhook".to_owned(), true.into())));
    fields.extend(spec.spec.iter().map(|(field, value)| (field.clone(), value.clone())));
    fields
}

/// The address first, as a person writes it.
fn webhook(webhook: &Webhook) -> Fields {
    let Ok(Value::Object(mut written)) = serde_json::to_value(webhook) else {
        return Fields::new();
    };
    let keys = ["service", "path", "url", "does"];
    keys.iter().filter_map(|key| Some(((*key).to_owned(), written.remove(*key)?))).collect()
}

/// A step, as several of the same time where it does one kind of thing twice, or in an order that a
/// file cannot say.
fn steps(step: &Step) -> Vec<Fields> {
    let mut groups: Vec<Vec<&Action>> = vec![Vec::new()];
    for action in &step.actions {
        let fits = |last: &&&Action| {
            rank(last) < rank(action) || rank(last) == rank(action) && is_many(action)
        };
        match groups.last_mut() {
            Some(group) if group.last().is_none_or(|last| fits(&last)) => group.push(action),
            _ => groups.push(vec![action]),
        }
    }
    groups.iter().map(|actions| self::step(step, actions)).collect()
}

/// The order in which a step of a file does things.
fn rank(action: &Action) -> u8 {
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

/// Whether a step of a file can do several of them.
fn is_many(action: &Action) -> bool {
    matches!(action, Action::Write { .. } | Action::Remove { .. })
}

fn step(step: &Step, actions: &[&Action]) -> Fields {
    let mut fields = of([("at", step.at.to_string().into())]);
    texts(&mut fields, &[("as", &step.who), ("in", &step.repository)]);
    let mut written = Map::new();
    let mut removed = Vec::new();
    for action in actions {
        match action {
            Action::Write { path, content } => {
                written.insert(path.clone(), content.as_str().into());
            }
            Action::Remove { path } => removed.push(Value::from(path.as_str())),
            other => fields.extend(self::action(other)),
        }
    }
    if !written.is_empty() {
        put(&mut fields, "write", Value::Object(written));
    }
    if !removed.is_empty() {
        put(&mut fields, "remove", Value::Array(removed));
    }
    if actions.iter().any(|action| matches!(action, Action::Run(_))) {
        fields.extend(step.exit.map(|exit| ("exit".to_owned(), exit.into())));
        texts(&mut fields, &[("output", &step.output)]);
    }
    fields
}

fn action(action: &Action) -> Fields {
    match action {
        Action::Note(text) => of([("note", text.as_str().into())]),
        Action::Image(image) => of([("image", image.as_str().into())]),
        Action::Edit { path, replace, with } => {
            of([("edit", json!(path)), ("replace", json!(replace)), ("with", json!(with))])
        }
        Action::Run(commands) => of([("run", commands.as_str().into())]),
        Action::Fault { what, lasts } => {
            let mut fields = of([("fault", serde_json::to_value(what).unwrap_or_default())]);
            span(&mut fields, "for", *lasts);
            fields
        }
        Action::Metrics { of, resource, value } => {
            self::of([("metrics", json!({(of): {(resource): value}}))])
        }
        Action::Write { .. } | Action::Remove { .. } => Fields::new(),
    }
}

fn expectation(expectation: &Expectation) -> Fields {
    let mut fields = claim(&expectation.claim);
    match expectation.when {
        When::End => {}
        When::At(time) => span(&mut fields, "at", Some(time)),
        When::By(time) => span(&mut fields, "by", Some(time)),
        When::Always(until) => {
            put(&mut fields, "always", true);
            span(&mut fields, "until", until);
        }
        When::Never(until) => {
            put(&mut fields, "never", true);
            span(&mut fields, "until", until);
        }
    }
    span(&mut fields, "from", expectation.from);
    fields
}

fn claim(claim: &Claim) -> Fields {
    let mut fields = Fields::new();
    match claim {
        Claim::Field { of, field, test } => {
            texts(&mut fields, &[("field", field), ("of", of)]);
            let (key, value) = self::test(test);
            put(&mut fields, key, value);
        }
        Claim::Object { of, exists } => {
            put(&mut fields, "object", of.as_str());
            put(&mut fields, "exists", *exists);
        }
        Claim::Converged => put(&mut fields, "converged", true),
        Claim::Writes { count, actor, of } => {
            put(&mut fields, "writes", self::count(*count));
            texts(&mut fields, &[("actor", actor), ("of", of)]);
        }
        Claim::Writers { are, of } => {
            put(&mut fields, "writers", json!(are));
            texts(&mut fields, &[("of", of)]);
        }
        Claim::Commits { count, repository } => {
            put(&mut fields, "commits", self::count(*count));
            texts(&mut fields, &[("in", repository)]);
        }
        Claim::Pods { count, of, are } => {
            put(&mut fields, "pods", self::count(*count));
            texts(&mut fields, &[("of", of), ("are", are)]);
        }
        Claim::Drift { at_most, of } => {
            put(&mut fields, "drift", json!(at_most.to_string()));
            texts(&mut fields, &[("of", of)]);
        }
    }
    fields
}

fn test(test: &Test) -> (&'static str, Value) {
    match test {
        Test::Is(value) => ("is", value.clone()),
        Test::IsNot(value) => ("isNot", value.clone()),
        Test::Contains(text) => ("contains", json!(text)),
        Test::Exists(exists) => ("exists", json!(exists)),
        Test::SetBy(manager) => ("setBy", json!(manager)),
    }
}

fn count(count: Count) -> Value {
    match count {
        Count::Exactly(n) => n.into(),
        Count::AtMost(n) => format!("at most {n}").into(),
        Count::AtLeast(n) => format!("at least {n}").into(),
    }
}
