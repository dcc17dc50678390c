//! The parts of a scenario file, from the whole down to a step.

use std::collections::BTreeMap;

use super::Reader;
use super::expect::expectations;
use super::fields::Fields;
use super::forge;
use super::node::{Node, Shape, Spot};
use crate::apiserver::webhook::Webhook;
use crate::scenario::mistake::Mistake;
use crate::sim::script::{
    Action, ClusterSpec, DeliverySpec, PipelineSpec, RepositorySpec, Scenario, Step, SyncSpec,
};
use crate::sim::{Fault, FaultAction, FaultPlan};
use crate::time::Duration;

pub(super) fn scenario(reader: &mut Reader<'_>, node: &Node) -> Scenario {
    const KEYS: [&str; 14] = [
        "scenario",
        "about",
        "seed",
        "until",
        "repositories",
        "tokens",
        "cluster",
        "registry",
        "pipelines",
        "sync",
        "webhooks",
        "faults",
        "steps",
        "expect",
    ];
    if let Some(mistake) = no_scenario(node) {
        reader.mistake(node.place, mistake);
        return Scenario::default();
    }
    let fields = Fields::of(reader, node, "", "a scenario", &KEYS);
    let mut scenario = Scenario {
        title: fields.text(reader, "scenario"),
        about: fields.text(reader, "about"),
        seed: fields.number(reader, "seed").unwrap_or(1),
        until: fields.duration(reader, "until"),
        repositories: repositories(reader, &fields),
        tokens: forge::tokens(reader, &fields),
        cluster: cluster(reader, &fields),
        registry: fields.has("registry").then(|| fields.texts(reader, "registry")),
        pipelines: pipelines(reader, &fields),
        sync: syncs(reader, &fields),
        webhooks: webhooks(reader, &fields),
        faults: FaultPlan { faults: faults(reader, &fields) },
        steps: Vec::new(),
        expect: expectations(reader, &fields, None),
    };
    steps(reader, &fields, &mut scenario);
    scenario
}

/// What a document is that is no scenario at all.
fn no_scenario(node: &Node) -> Option<Mistake> {
    const SMALLEST: &str = "the smallest scenario has 'scenario: A title' and 'steps:'";
    let has = |fields: &[(String, Spot, Node)], key| fields.iter().any(|(name, ..)| name == key);
    match &node.shape {
        Shape::Map(fields) if has(fields, "apiVersion") && has(fields, "kind") => {
            let hint = "'driftlab run DIR' reconciles a folder of manifests";
            Some(Mistake::at("", "a manifest, and no scenario").hint(hint))
        }
        Shape::Map(fields) if !fields.is_empty() => None,
        Shape::Map(_) | Shape::Null => {
            Some(Mistake::at("", "there is no scenario in it").hint(SMALLEST))
        }
        _ => {
            let message = format!("{}, and no scenario", node.word());
            Some(Mistake::at("", message).expected("expected a map").hint(SMALLEST))
        }
    }
}

fn repositories(reader: &mut Reader<'_>, fields: &Fields<'_>) -> BTreeMap<String, RepositorySpec> {
    let Some(node) = fields.get("repositories") else { return BTreeMap::new() };
    let all = Fields::open(reader, node, "repositories", "repositories by name");
    all.iter().map(|(name, _, node)| (name.to_owned(), repository(reader, node, name))).collect()
}

fn repository(reader: &mut Reader<'_>, node: &Node, name: &str) -> RepositorySpec {
    let path = format!("repositories.{name}");
    const KEYS: [&str; 6] = ["url", "branch", "files", "from", "approvals", "signed"];
    let known = [&KEYS[..], &forge::HOSTING].concat();
    let fields = Fields::of(reader, node, &path, "a repository", &known);
    if fields.has("files") == fields.has("from") {
        let mistake = Mistake::at(path, format!("repository '{name}' needs its content"))
            .expected("expected 'files:' or 'from:', one of them");
        reader.mistake(node.place, mistake);
    }
    let branch = fields.text(reader, "branch");
    let spec = RepositorySpec {
        url: fields.text(reader, "url"),
        branch: if branch.is_empty() { "main".into() } else { branch },
        files: files(reader, &fields, "files"),
        from: fields.text(reader, "from"),
        approvals: fields.number(reader, "approvals").map(|count| count.min(100) as u32),
        signed: fields.flag(reader, "signed").unwrap_or(false),
        ..RepositorySpec::default()
    };
    forge::hosting(reader, &fields, spec)
}

fn files(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> BTreeMap<String, String> {
    let Some(node) = fields.get(key) else { return BTreeMap::new() };
    let files = Fields::open(reader, node, &fields.at(key), "contents by path");
    files
        .iter()
        .map(|(path, _, node)| (path.to_owned(), reader.text(node, &files.at(path))))
        .collect()
}

fn cluster(reader: &mut Reader<'_>, fields: &Fields<'_>) -> ClusterSpec {
    let Some(node) = fields.get("cluster") else { return ClusterSpec::default() };
    const KEYS: [&str; 5] = ["flux", "nodes", "apply", "people", "policies"];
    let fields = Fields::of(reader, node, "cluster", "a cluster", &KEYS);
    let policies = fields
        .get("policies")
        .and_then(|node| typed(reader, node, "cluster.policies", "the policies"));
    let nodes = fields.number(reader, "nodes").unwrap_or(3);
    if !(1..=1000).contains(&nodes) {
        let mistake = Mistake::at("cluster.nodes", format!("a cluster of {nodes} nodes"))
            .expected("expected 1 to 1000");
        reader.mistake(fields.key_place("nodes"), mistake);
    }
    ClusterSpec {
        flux: fields.flag(reader, "flux").unwrap_or(true),
        nodes: nodes as u32,
        apply: fields.texts(reader, "apply"),
        people: people(reader, &fields),
        policies: policies.unwrap_or_default(),
    }
}

/// The groups of people who are no administrators, by name.
fn people(reader: &mut Reader<'_>, fields: &Fields<'_>) -> BTreeMap<String, Vec<String>> {
    let Some(node) = fields.get("people") else { return BTreeMap::new() };
    let all = Fields::open(reader, node, &fields.at("people"), "groups by person");
    let names: Vec<String> = all.iter().map(|(name, ..)| name.to_owned()).collect();
    names.into_iter().map(|name| (name.clone(), all.texts(reader, &name))).collect()
}

fn pipelines(reader: &mut Reader<'_>, fields: &Fields<'_>) -> BTreeMap<String, PipelineSpec> {
    let Some(node) = fields.get("pipelines") else { return BTreeMap::new() };
    let all = Fields::open(reader, node, "pipelines", "pipelines by name");
    all.iter().map(|(name, _, node)| (name.to_owned(), pipeline(reader, node, name))).collect()
}

fn pipeline(reader: &mut Reader<'_>, node: &Node, name: &str) -> PipelineSpec {
    const KEYS: [&str; 8] =
        ["repository", "branch", "image", "commit", "apply", "checks", "build", "test"];
    let path = format!("pipelines.{name}");
    let fields = Fields::of(reader, node, &path, "a pipeline", &KEYS);
    let branch = fields.text(reader, "branch");
    PipelineSpec {
        repository: fields.needed_text(reader, "repository"),
        branch: if branch.is_empty() { "main".into() } else { branch },
        image: fields.needed_text(reader, "image"),
        delivery: delivery(reader, &fields),
        checks: fields.flag(reader, "checks").unwrap_or(false),
        build: fields.duration(reader, "build"),
        test: fields.duration(reader, "test"),
    }
}

/// `commit: {repository, folder}` for an engine to pull, or `apply: {folder}` to push.
fn delivery(reader: &mut Reader<'_>, fields: &Fields<'_>) -> DeliverySpec {
    match (fields.get("commit"), fields.get("apply")) {
        (Some(node), None) => {
            let path = fields.at("commit");
            let keys = ["repository", "folder"];
            let fields = Fields::of(reader, node, &path, "a delivery by commit", &keys);
            DeliverySpec::Commit {
                repository: fields.needed_text(reader, "repository"),
                folder: fields.text(reader, "folder"),
            }
        }
        (None, Some(node)) => {
            let path = fields.at("apply");
            let fields = Fields::of(reader, node, &path, "a delivery by apply", &["folder"]);
            DeliverySpec::Apply { folder: fields.text(reader, "folder") }
        }
        (None, None) => DeliverySpec::None,
        (Some(_), Some(_)) => {
            let mistake = Mistake::at(fields.at("apply"), "'commit' and 'apply'")
                .expected("expected one of them: an image is pulled, or pushed");
            reader.mistake(fields.key_place("apply"), mistake);
            DeliverySpec::None
        }
    }
}

fn syncs(reader: &mut Reader<'_>, fields: &Fields<'_>) -> BTreeMap<String, SyncSpec> {
    let Some(node) = fields.get("sync") else { return BTreeMap::new() };
    let all = Fields::open(reader, node, "sync", "Kustomizations by name");
    all.iter().map(|(name, _, node)| (name.to_owned(), sync(reader, node, name))).collect()
}

/// Every other field goes into the Kustomization's `spec` as it is.
fn sync(reader: &mut Reader<'_>, node: &Node, name: &str) -> SyncSpec {
    const SPEC: [&str; 24] = [
        "commonMetadata",
        "components",
        "decryption",
        "deletionPolicy",
        "dependsOn",
        "force",
        "healthCheckExprs",
        "healthChecks",
        "ignore",
        "images",
        "interval",
        "namePrefix",
        "nameSuffix",
        "patches",
        "path",
        "postBuild",
        "prune",
        "retryInterval",
        "serviceAccountName",
        "suspend",
        "targetNamespace",
        "timeout",
        "wait",
        "ignoreMissingComponents",
    ];
    let known = [&["repository", "sourceInterval", "webhook"][..], &SPEC].concat();
    let fields = Fields::of(reader, node, &format!("sync.{name}"), "a sync", &known);
    SyncSpec {
        repository: fields.needed_text(reader, "repository"),
        source_interval: fields.duration(reader, "sourceInterval"),
        webhook: fields.flag(reader, "webhook").unwrap_or(false),
        spec: SPEC.iter().filter_map(|key| Some(((*key).to_owned(), fields.value(key)?))).collect(),
    }
}

fn webhooks(reader: &mut Reader<'_>, fields: &Fields<'_>) -> BTreeMap<String, Webhook> {
    let Some(node) = fields.get("webhooks") else { return BTreeMap::new() };
    let all = Fields::open(reader, node, "webhooks", "webhooks by name");
    let read = all.iter().filter_map(|(name, _, node)| {
        let path = format!("webhooks.{name}");
        let webhook: Webhook = typed(reader, node, &path, "a webhook")?;
        Some((name.to_owned(), Webhook { name: name.to_owned(), ..webhook }))
    });
    read.collect()
}

fn faults(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<Fault> {
    let items = fields.list(reader, "faults");
    items.into_iter().filter_map(|(path, node)| typed(reader, node, &path, "a fault")).collect()
}

/// A part that serde reads from its plain value.
fn typed<T: serde::de::DeserializeOwned>(
    reader: &mut Reader<'_>,
    node: &Node,
    path: &str,
    what: &str,
) -> Option<T> {
    match serde_json::from_value(node.value()) {
        Ok(part) => Some(part),
        Err(error) => {
            let error = error.to_string();
            let (message, expected) = error.split_once(", expected ").unwrap_or((&error, ""));
            let mut mistake = Mistake::at(path, format!("{what}: {message}"));
            if !expected.is_empty() {
                let mut quoted = expected.split('`').skip(1).step_by(2);
                let wrong = message.split('`').nth(1).unwrap_or_default();
                mistake = mistake.did_you_mean(wrong, &mut quoted);
                mistake = mistake.expected(format!("expected {}", expected.replace('`', "")));
            }
            reader.mistake(node.place, mistake);
            None
        }
    }
}

const STEP_KEYS: [&str; 15] = [
    "at", "as", "in", "note", "image", "edit", "replace", "with", "write", "remove", "run",
    "fault", "for", "metrics", "exit",
];

fn steps(reader: &mut Reader<'_>, fields: &Fields<'_>, scenario: &mut Scenario) {
    let known = [&STEP_KEYS[..], &["output", "expect"]].concat();
    let mut at = Duration::ZERO;
    for (path, node) in fields.list(reader, "steps") {
        let fields = Fields::of(reader, node, &path, "a step", &known);
        if let Some(time) = fields.duration(reader, "at") {
            if time < at {
                let mistake =
                    Mistake::at(path.clone(), format!("a step at {time} after one at {at}"))
                        .expected("expected a later time: steps stand in order");
                reader.mistake(fields.get("at").map_or(node.place, |n| n.place), mistake);
            }
            at = time;
        }
        let step = step(reader, &fields, at);
        scenario.expect.extend(expectations(reader, &fields, Some(at)));
        scenario.steps.push(step);
    }
}

fn step(reader: &mut Reader<'_>, fields: &Fields<'_>, at: Duration) -> Step {
    let actions = actions(reader, fields);
    let tried = ["expect", "fault", "metrics"].iter().any(|key| fields.has(key));
    if actions.is_empty() && !tried {
        let mistake = Mistake::at(fields.path.clone(), "a step that does nothing").expected(
            "expected one of: run, edit, write, remove, note, image, fault, metrics, expect",
        );
        reader.mistake(fields.place, mistake);
    }
    Step {
        at,
        who: fields.text(reader, "as"),
        repository: fields.text(reader, "in"),
        actions,
        exit: exit(reader, fields),
        output: fields.text(reader, "output"),
    }
}

fn exit(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<u8> {
    let code = fields.number(reader, "exit")?;
    let code = u8::try_from(code).ok();
    if code.is_none() {
        let mistake = Mistake::at(fields.at("exit"), "an exit code of more than 255");
        reader.mistake(fields.key_place("exit"), mistake);
    }
    code
}

/// What a step does, in the order in which it makes sense: say, change files, then run commands.
fn actions(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<Action> {
    let mut actions = Vec::new();
    if fields.has("note") {
        actions.push(Action::Note(fields.text(reader, "note")));
    }
    if fields.has("image") {
        actions.push(Action::Image(fields.text(reader, "image")));
    }
    for (path, content) in files(reader, fields, "write") {
        actions.push(Action::Write { path, content });
    }
    if fields.has("edit") {
        actions.push(edit(reader, fields));
    }
    actions.extend(fields.texts(reader, "remove").into_iter().map(|path| Action::Remove { path }));
    if fields.has("run") {
        actions.push(Action::Run(fields.text(reader, "run")));
    }
    actions.extend(fault(reader, fields));
    actions.extend(metrics(reader, fields));
    actions
}

fn edit(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Action {
    Action::Edit {
        path: fields.text(reader, "edit"),
        replace: fields.needed_text(reader, "replace"),
        with: fields.needed_text(reader, "with"),
    }
}

fn fault(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Action> {
    let node = fields.get("fault")?;
    // `fault: registryDown` is short for a fault without particulars.
    let mut node = node.clone();
    if let Shape::Text(name) = &node.shape {
        let place = node.place;
        let empty = Node { shape: Shape::Map(Vec::new()), place };
        node.shape = Shape::Map(vec![(name.clone(), place, empty)]);
    }
    let what: FaultAction = typed(reader, &node, &fields.at("fault"), "a fault")?;
    Some(Action::Fault { what, lasts: fields.duration(reader, "for") })
}

fn metrics(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<Action> {
    let Some(node) = fields.get("metrics") else { return Vec::new() };
    let all = Fields::open(reader, node, &fields.at("metrics"), "usage by workload");
    let mut actions = Vec::new();
    for (of, _, node) in all.iter() {
        let usage = Fields::of(reader, node, &all.at(of), "usage", &["cpu", "memory"]);
        for (resource, _, node) in usage.iter() {
            let value = reader.text(node, &usage.at(resource));
            actions.push(Action::Metrics { of: of.into(), resource: resource.into(), value });
        }
    }
    actions
}
