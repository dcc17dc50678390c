//! Stories of real Flux, played in process: what its kustomize-controller 1.9 did on a real control plane,
//! against what the engine does on the model.
//!
//! `tests/flux/stories.jsonl` was recorded from the real thing. Four levels of likeness, each including the
//! one before: *outcome* (each Kustomization's Ready status, reason and inventory), *cluster* (every object),
//! *owners* (the field managers), *words* (messages, other conditions, events). `tests/flux/floor.txt` says
//! how many steps of each family are alike at least; it only ever goes up.
//!
//! `FLUX_CASE=drift cargo test -p driftlab-tests --test flux -- --nocapture` plays the stories whose name
//! contains a text, and prints what differs.

#[path = "flux/kubelet.rs"]
mod kubelet;
#[path = "flux/player.rs"]
mod player;
#[path = "flux/repository.rs"]
mod repository;
#[path = "flux/see.rs"]
mod see;
#[path = "flux/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use driftlab::apiserver::Authorization;
use driftlab::sim::World;
use player::Story;
use serde_json::{Map, Value};

const LEVELS: [&str; 4] = ["outcome", "cluster", "owners", "words"];

type Scores = BTreeMap<String, [usize; 5]>;

#[test]
fn the_engine_does_what_flux_did_in_its_stories() {
    let only = std::env::var("FLUX_CASE").ok();
    let stories = stories(only.as_deref().unwrap_or_default());
    let mut world = world();
    let mut scores = Scores::new();
    let mut differences = String::new();
    for story in &stories {
        let got = Story::new(&mut world, story).play().unwrap_or_else(|| {
            world = self::world();
            Vec::new()
        });
        score(story, &got, &mut scores, &mut differences);
    }
    let table = table(&scores);
    say(&table);
    if only.is_some() {
        say(&differences);
    } else {
        hold(&scores);
        driftlab_tests::page("flux", &markdown(&scores));
    }
}

/// A cluster with its controllers and the engine, roles enforced, and the stand-in for kubelets.
fn world() -> World {
    let mut world = World::builder().nodes(0).authorization(Authorization::Rbac).build();
    world.add_controller(kubelet::Kubelet);
    world
}

fn stories(only: &str) -> Vec<Value> {
    include_str!("flux/stories.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a story a line"))
        .filter(|story: &Value| story["case"].as_str().is_some_and(|case| case.contains(only)))
        .collect()
}

fn score(story: &Value, got: &[Value], scores: &mut Scores, differences: &mut String) {
    let family = scores.entry(story["family"].as_str().unwrap_or_default().into()).or_default();
    for (i, want) in story["steps"].as_array().into_iter().flatten().enumerate() {
        let got = got.get(i).unwrap_or(&Value::Null);
        let levels = levels(want, got);
        family[4] += 1;
        LEVELS
            .iter()
            .enumerate()
            .for_each(|(level, _)| family[level] += usize::from(levels[level]));
        if !levels[3] {
            let _ = writeln!(differences, "{} step {i}: {levels:?}", story["case"]);
            for part in ["did", "see"] {
                differ(part, &want[part], &got[part], differences);
            }
        }
    }
}

/// Which of the four levels hold of a step.
fn levels(want: &Value, got: &Value) -> [bool; 4] {
    let (w, g) = (&want["see"], &got["see"]);
    let outcome = kustomizations(w) == kustomizations(g);
    let cluster = outcome && bare(&w["objects"]) == bare(&g["objects"]);
    let owners = cluster && w["objects"] == g["objects"];
    [outcome, cluster, owners, owners && w == g && want["did"] == got["did"]]
}

fn kustomizations(see: &Value) -> Vec<(&String, &Value, &Value)> {
    let all = see["kustomizations"].as_object().into_iter().flatten();
    all.map(|(name, k)| (name, &k["ready"], &k["inventory"])).collect()
}

fn bare(objects: &Value) -> Map<String, Value> {
    let mut objects = objects.as_object().cloned().unwrap_or_default();
    for object in objects.values_mut().filter_map(Value::as_object_mut) {
        object.remove("managers");
    }
    objects
}

/// A line for every leaf that differs.
fn differ(path: &str, want: &Value, got: &Value, out: &mut String) {
    match (want, got) {
        (want, got) if want == got => {}
        (Value::Object(w), Value::Object(g)) => {
            let keys: std::collections::BTreeSet<&String> = w.keys().chain(g.keys()).collect();
            for key in keys {
                let side = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                differ(&format!("{path}/{key}"), &side(w), &side(g), out);
            }
        }
        (want, got) => {
            let _ = writeln!(out, "    {path}\n      flux   {want}\n      engine {got}");
        }
    }
}

fn table(scores: &Scores) -> String {
    let mut out = format!("{:12} {:>5}", "family", "steps");
    for level in LEVELS {
        let _ = write!(out, " {level:>8}");
    }
    let mut all = [0; 5];
    for (family, score) in scores {
        line(&mut out, family, score);
        (0..5).for_each(|i| all[i] += score[i]);
    }
    line(&mut out, "all", &all);
    out
}

fn line(out: &mut String, family: &str, score: &[usize; 5]) {
    let _ = write!(out, "\n{family:12} {:5}", score[4]);
    for level in &score[..4] {
        let _ = write!(out, " {:7.1}%", 100.0 * *level as f64 / score[4].max(1) as f64);
    }
}

/// The table as the fidelity page has it: how many steps are alike.
fn markdown(scores: &Scores) -> String {
    let mut out = "| Family | Steps | Outcome | Cluster | Owners | Words |\n".to_owned();
    out.push_str("|---|--:|--:|--:|--:|--:|\n");
    for (family, [outcome, cluster, owners, words, steps]) in scores {
        let _ =
            writeln!(out, "| {family} | {steps} | {outcome} | {cluster} | {owners} | {words} |");
    }
    out
}

/// No family may fall below its floor.
fn hold(scores: &Scores) {
    let mut risen = String::new();
    for line in include_str!("flux/floor.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let family = words.next().expect("a family");
        let floor: Vec<usize> = words.map(|word| word.parse().expect("a number")).collect();
        let found = scores.get(family).copied().unwrap_or_default();
        for (level, name) in LEVELS.iter().enumerate() {
            assert!(
                found[level] >= floor[level],
                "{family}: {name} fell to {} from {}",
                found[level],
                floor[level]
            );
        }
        if found[..4] != floor[..] {
            let _ = write!(
                risen,
                "\n{family:8} {:3} {:3} {:3} {:3}",
                found[0], found[1], found[2], found[3]
            );
        }
    }
    if !risen.is_empty() {
        say(&format!("the floor may rise (tests/flux/floor.txt):{risen}"));
    }
}

/// Prints past the test runner's capture.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
