//! What is read from outside, as bytes: YAML, a tree of kustomizations, a scenario, a body in protobuf, three
//! texts to merge. Nothing panics, and what is read and written is read as the same again.
//!
//! The first byte of an input says which: `y`, `k`, `s`, `p`, `m`.

#![no_main]

use std::sync::OnceLock;

use driftlab::apiserver::Server;
use driftlab::apiserver::rest::protobuf;
use driftlab::git::{Favor, Labels, Tree, is_binary, merge_text};
use driftlab::manifest::{self, yaml};
use driftlab::scenario;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    match first {
        b'y' => text(rest, read_yaml),
        b'k' => text(rest, build),
        b's' => text(rest, read_scenario),
        b'p' => decode(rest),
        b'm' => merge(rest),
        _ => {}
    }
});

fn text(bytes: &[u8], read: impl Fn(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        read(text);
    }
}

fn read_yaml(text: &str) {
    let Ok(documents) = yaml::documents("a.yaml", text) else { return };
    for document in documents {
        let written = yaml::to_string(&document.value);
        let again = yaml::documents("b.yaml", &written).expect("what we write can be read");
        assert_eq!(again.len(), 1, "{written}");
        assert_eq!(again[0].value, document.value, "{written}");
    }
}

fn build(text: &str) {
    let files = text.split('\0').filter_map(|file| file.split_once('\u{1}'));
    if let Ok(tree) = Tree::from_files(files) {
        let _a_mistake_is_an_error = manifest::build(&tree, ".");
    }
}

/// One that names no files elsewhere.
fn read_scenario(text: &str) {
    if text.contains("from") || text.contains("nodes") {
        return;
    }
    let Ok(read) = scenario::read("s.yaml", text) else { return };
    let written = read.to_string();
    match scenario::read("s.yaml", &written) {
        Ok(again) => assert_eq!(again.to_string(), written),
        Err(mistakes) => panic!("what we write can be read: {}\n{written}", mistakes[0]),
    }
}

fn decode(body: &[u8]) {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let _a_mistake_is_an_error = protobuf::to_json(SERVER.get_or_init(Server::new), body);
}

/// A side that changed nothing has no say, and both sides count alike where they agree.
fn merge(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    let (base, ours, theirs) = (next(), next(), next());
    if [base, ours, theirs].into_iter().any(is_binary) {
        return;
    }
    let merged = |base: &[u8], ours: &[u8], theirs: &[u8]| {
        merge_text(base, ours, theirs, Labels::default(), Favor::default())
    };
    assert_eq!(merged(base, ours, base).content, ours);
    assert_eq!(merged(base, base, theirs).content, theirs);
    assert_eq!(merged(base, ours, ours).content, ours);
    let _conflicts_perhaps = merged(base, ours, theirs);
}
