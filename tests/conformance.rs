//! The model against a recorded kube-apiserver 1.36: every exchange of the transcripts is put to the
//! server's REST face in process, and the answer compared with the recorded one at four levels.
//! `api.jsonl` is about the write path of most kinds; `lifecycle.jsonl` about how pods, namespaces and
//! what they hold come and go, limits included; `apply.jsonl` about nulls and what an apply empties;
//! `webhooks.jsonl` about admission webhooks: each case names those who answered, and what they did.
//! `cluster.jsonl` and `controllers.jsonl` were recorded with kube-controller-manager at work: rollouts, jobs,
//! budgets, garbage, quotas and namespaces on their way out; they are put to a cluster of the model.
//! `faces.jsonl` holds what `tests/faces.rs` found otherwise once. `TRANSCRIPT=file` replays another.
//!
//! An exchange that once agreed at a level must go on agreeing: `conformance/disagreements.txt` names
//! those that fall short, and how far they get. `UPDATE=1 cargo test --test conformance` rewrites it, and the
//! tables of FIDELITY.md.

//!
//! `controller.jsonl` is what Flux's kustomize-controller asked of the model while it healed three drifts,
//! and what it was answered: its watches, its lease, its events, its patches. A real server answers all but
//! the watches the same; the watches' answers are the model's own, so they are in no table.

mod conformance {
    pub(crate) mod model;
    pub(crate) mod page;
    pub(crate) mod replay;
}

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use conformance::page;
use conformance::replay::{Outcome, replay};
use driftlab_tests::exchange::Level;

const TRANSCRIPTS: [&str; 7] = [
    "api.jsonl",
    "lifecycle.jsonl",
    "apply.jsonl",
    "webhooks.jsonl",
    "cluster.jsonl",
    "controllers.jsonl",
    "faces.jsonl",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// What the committed file says of an exchange: the level it reaches.
fn recorded() -> BTreeMap<String, Level> {
    let text = std::fs::read_to_string(folder().join("disagreements.txt")).unwrap_or_default();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (level, exchange) =
                line.split_once(' ').expect("a line has a level and an exchange");
            (exchange.to_owned(), level.parse().expect("a level"))
        })
        .collect()
}

fn table(outcomes: &[Outcome]) -> String {
    let mut families: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        families.entry(&outcome.family).or_default().push(outcome);
        families.entry("~all").or_default().push(outcome);
    }
    let mut text = format!("{:12} {:>5}", "family", "n");
    for level in Level::REACHED {
        write!(text, " {:>8}", level.name()).unwrap();
    }
    for (family, outcomes) in families {
        write!(text, "\n{:12} {:5}", family.trim_start_matches('~'), outcomes.len()).unwrap();
        for level in Level::REACHED {
            let reached = outcomes.iter().filter(|o| o.level >= level).count();
            write!(text, " {:7.1}%", 100.0 * reached as f64 / outcomes.len() as f64).unwrap();
        }
    }
    text
}

#[test]
fn no_exchange_agrees_less_than_it_did() {
    let other = std::env::var_os("TRANSCRIPT").map(PathBuf::from);
    let case = std::env::var("CASE").unwrap_or_default();
    let files = match &other {
        Some(file) => vec![file.clone()],
        None => TRANSCRIPTS.iter().map(|name| folder().join(name)).collect(),
    };
    let outcomes: Vec<Outcome> = files.iter().flat_map(|file| replay(file, &case)).collect();
    let table = table(&outcomes);
    if std::env::var("VERBOSE").is_ok() {
        for outcome in outcomes.iter().filter(|o| o.level < Level::Exact) {
            println!("{} {}", outcome.level.name(), outcome.label());
            outcome.differences.iter().for_each(|difference| println!("    {difference}"));
        }
    }
    println!("{table}");
    if other.is_some() || !case.is_empty() {
        return;
    }
    driftlab_tests::page("families", &page::families(&outcomes));
    driftlab_tests::page("resources", &page::resources(&outcomes));
    driftlab_tests::page("disagreements", &page::disagreements(&outcomes));
    if std::env::var("UPDATE").is_ok() {
        let mut text = String::from(
            "# Exchanges whose answer differs from the recorded one, and the level they reach.\n",
        );
        for outcome in outcomes.iter().filter(|o| o.level < Level::Exact) {
            writeln!(text, "{} {}", outcome.level.name(), outcome.label()).unwrap();
        }
        std::fs::write(folder().join("disagreements.txt"), text).expect("the folder is writable");
        return;
    }
    let recorded = recorded();
    let worse: Vec<String> = outcomes
        .iter()
        .filter(|o| o.level < recorded.get(&o.label()).copied().unwrap_or(Level::Exact))
        .map(|o| format!("{} {}\n    {}", o.level.name(), o.label(), o.differences.join("\n    ")))
        .collect();
    assert!(
        worse.is_empty(),
        "{} exchanges agree less than they did:\n{}\n{table}",
        worse.len(),
        worse.join("\n")
    );
}

#[test]
fn a_real_controller_is_answered_as_it_was() {
    let outcomes = replay(&folder().join("controller.jsonl"), "");
    assert!(outcomes.len() > 80, "{} exchanges", outcomes.len());
    let changed: Vec<String> = outcomes
        .iter()
        .filter(|outcome| outcome.level < Level::Exact)
        .map(|outcome| format!("{}\n    {}", outcome.label(), outcome.differences.join("\n    ")))
        .collect();
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}
