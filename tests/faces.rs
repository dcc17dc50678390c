//! One server, three faces: over HTTP, as a service in process, and as plain functions it gives the same
//! answers to any sequence of requests. Sequences that tell them apart are shrunk.
//!
//! With `DRIFTLAB_ORACLE=KUBECONFIG` the same sequences are put to a real API server too, which should
//! run no controllers: what it answers otherwise is shrunk, and written as a transcript into
//! `DRIFTLAB_FOUND` (a folder; `target/faces` if not given), to be put into `conformance/`.
//!
//! `DRIFTLAB_FACES=1000` tries as many sequences, `DRIFTLAB_SEED=7` others.
//!
//! Needs the feature `kube`.

mod faces {
    pub(crate) mod face;
    pub(crate) mod requests;
}

use std::collections::BTreeMap;
use std::path::PathBuf;

use driftlab::sim::{Controllers, World};
use driftlab_tests::exchange::{Level, differ, level, resolve};
use driftlab_tests::normal::Normal;
use driftlab_tests::rounds;
use faces::face::{Answer, Face};
use faces::requests::{Case, case};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn world() -> World {
    World::builder().controllers(Controllers::None).nodes(0).build()
}

fn random_cases(seed: u64) -> TestRunner {
    let seed: Vec<u8> = seed.to_le_bytes().repeat(4);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    TestRunner::new_with_rng(Config::default(), rng)
}

/// Puts a case to a face: each answer as it comes.
async fn play(face: &mut Face, requests: &[Value]) -> Vec<Answer> {
    let (mut answers, mut seen) = (Vec::new(), Vec::new());
    for request in requests {
        let answer = face.ask(&resolve(request, &seen)).await;
        seen.push(answer["body"].clone());
        answers.push(answer);
    }
    answers
}

/// So many smaller cases are tried: each is a dozen requests to each face.
const TRIES: usize = 100;

/// The smallest case like this one that still tells what `telling` tells of it.
fn shrunk<T: ValueTree<Value = Case>>(mut tree: T, telling: impl Fn(&Case) -> bool) -> Case {
    let mut least = tree.current();
    for _ in 0..TRIES {
        if telling(&tree.current()) {
            least = tree.current();
            if !tree.simplify() {
                break;
            }
        } else if !tree.complicate() {
            break;
        }
    }
    least
}

#[test]
fn every_face_gives_the_same_answers() {
    let runtime = runtime();
    let seed = rounds("DRIFTLAB_SEED", 0) as u64;
    let (mut runner, strategy) = (random_cases(seed), case());
    let world = world();
    let answers = |case: &Case| {
        runtime.block_on(async {
            let requests = case.requests("faces");
            let functions = play(&mut Face::in_process(&world), &requests).await;
            let service = play(&mut Face::service(&world), &requests).await;
            let port = play(&mut Face::port(&world).await, &requests).await;
            (requests, functions, service, port)
        })
    };
    let differs = |case: &Case| {
        let (_, functions, service, port) = answers(case);
        functions != service || service != port
    };
    for round in 0..rounds("DRIFTLAB_FACES", 60) {
        let tree = strategy.new_tree(&mut runner).expect("a case");
        if differs(&tree.current()) {
            let (requests, functions, service, port) = answers(&shrunk(tree, differs));
            for (at, request) in requests.iter().enumerate() {
                let request = request.to_string();
                assert_eq!(functions[at], service[at], "round {round}: in process: {request}");
                assert_eq!(service[at], port[at], "round {round}: on the port: {request}");
            }
        }
    }
}

/// Where the model differs from the real server.
struct Found {
    at: usize,
    level: Level,
    differences: Vec<String>,
    /// What tells one disagreement from another: the request's sort, and the place.
    signature: String,
    exchanges: Vec<Value>,
}

#[test]
fn the_model_answers_as_the_real_server_does() {
    let Ok(oracle) = std::env::var("DRIFTLAB_ORACLE") else {
        return eprintln!("SKIPPED: DRIFTLAB_ORACLE names no kubeconfig");
    };
    let runtime = runtime();
    let seed = rounds("DRIFTLAB_SEED", 0) as u64;
    let (mut runner, strategy) = (random_cases(seed), case());
    let oracle = std::cell::RefCell::new(runtime.block_on(Face::oracle(&oracle)));
    let count = std::cell::Cell::new((0, 0));
    let (stamp, world) = (std::process::id(), world());
    let compared = |case: &Case| {
        let (cases, requests) = count.get();
        let asked = case.requests(&format!("f{stamp}-{seed}-{cases}"));
        count.set((cases + 1, requests + asked.len()));
        runtime.block_on(compare(&mut oracle.borrow_mut(), &world, &asked))
    };
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..rounds("DRIFTLAB_FACES", 60) {
        if round % 200 == 199 {
            let ((cases, requests), sorts) = (count.get(), known.len());
            eprintln!("round {round}: {cases} cases, {requests} requests, {sorts} disagreements");
        }
        let tree = strategy.new_tree(&mut runner).expect("a case");
        let Some(found) = compared(&tree.current()) else { continue };
        let times = known.entry(found.signature.clone()).or_default();
        *times += 1;
        if *times > 1 {
            continue;
        }
        let same =
            |case: &Case| compared(case).is_some_and(|other| other.signature == found.signature);
        let least = shrunk(tree, same);
        let found = compared(&least).unwrap_or(found);
        write(seed, known.len(), &found);
        let (cases, requests) = count.get();
        let (at, level) = (found.at, found.level.name());
        eprintln!("{cases} cases, {requests} requests: {} at {at}, {level}", found.signature);
        found.differences.iter().take(4).for_each(|difference| eprintln!("    {difference}"));
    }
    let (cases, requests) = count.get();
    eprintln!("{cases} cases, {requests} requests, {} sorts of disagreement", known.len());
    assert!(known.is_empty(), "{known:#?}");
}

/// Puts a case to the real server and to a model; the first answers that differ.
async fn compare(oracle: &mut Face, world: &World, requests: &[Value]) -> Option<Found> {
    let want = play(oracle, requests).await;
    let got = play(&mut Face::in_process(world), requests).await;
    let (mut ours, mut theirs, mut exchanges) = (Normal::default(), Normal::default(), Vec::new());
    for (at, request) in requests.iter().enumerate() {
        let normal = |normal: &mut Normal, answer: &Value| {
            let body = normal.walk(&answer["body"], "");
            json!({"status": answer["status"], "body": body, "warnings": answer["warnings"]})
        };
        let (want, got) = (normal(&mut theirs, &want[at]), normal(&mut ours, &got[at]));
        exchanges.push(json!({"request": request, "response": want}));
        if want["body"].to_string().contains("Too large resource version") {
            return None;
        }
        let level = level(&want, &got);
        if level < Level::Exact {
            let mut differences = Vec::new();
            differ(&want, &got, "", &mut differences);
            let signature = signature(request, level, &differences);
            return Some(Found { at, level, differences, signature, exchanges });
        }
    }
    None
}

fn signature(request: &Value, level: Level, differences: &[String]) -> String {
    let path = request["path"].as_str().unwrap_or_default().split('?').next().unwrap_or_default();
    let plural = path.split('/').rfind(|step| step.ends_with('s') && *step != "status");
    let place = differences.first().map_or("", |difference| difference.as_str());
    let place: String = place.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
    format!("{} {} {} {place}", request["method"], plural.unwrap_or_default(), level.name())
}

/// Writes a disagreement as a transcript of its own, in a namespace of a name that stays.
fn write(seed: u64, number: usize, found: &Found) {
    let folder = std::env::var_os("DRIFTLAB_FOUND").map_or("../target/faces".into(), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let name = format!("faces-{seed}-{number}");
    let case = json!({"case": name, "family": "faces", "exchanges": found.exchanges}).to_string();
    let namespace = found.exchanges[0]["request"]["body"]["metadata"]["name"].as_str();
    let case = case.replace(namespace.expect("a namespace"), &format!("t-{name}"));
    std::fs::write(folder.join(format!("{name}.jsonl")), case + "\n").expect("it can be written");
}
