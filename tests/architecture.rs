//! The house keeps its floors: what a module may use is read from its `use` lines and paths, and a
//! floor that is reached upwards, or a forbidden neighbour, fails here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every room and its floor, as ARCHITECTURE.md draws them. Siblings on a floor never meet.
const FLOORS: [(&str, u8); 21] = [
    ("scenario", 8),
    ("check", 7),
    ("report", 7),
    ("sim", 6),
    ("live", 6),
    ("serve", 7),
    ("trace", 5),
    ("engine", 4),
    ("cluster", 4),
    ("apiserver", 3),
    ("reconciler", 3),
    ("manifest", 2),
    ("api", 2),
    ("quota", 2),
    ("git", 1),
    ("object", 1),
    ("time", 0),
    ("base64", 0),
    ("cli", 9),
    ("lesson", 9),
    ("source", 3),
];

/// What may not be used although it stands lower: (room, path, why).
const NEVER: [(&str, &str, &str); 6] = [
    ("engine", "apiserver", "the engine knows requests, not who answers them"),
    ("engine", "git::Repository", "the engine knows revisions and trees, not repositories"),
    ("cluster", "apiserver", "a controller knows requests, not who answers them"),
    ("cluster", "git::Repository", "the control plane knows nothing of Git"),
    ("live", "apiserver", "the real cluster is not the model"),
    ("trace", "apiserver", "a run on a real cluster writes the same events"),
];

/// What would make a run depend on more than its inputs, below the floors that touch the world.
const AMBIENT: [(&str, &str); 7] = [
    ("std::time", "the time is handed in"),
    ("HashMap", "its order is random; use BTreeMap"),
    ("HashSet", "its order is random; use BTreeSet"),
    ("std::thread", "nothing below the top floors runs by itself"),
    ("std::net", "nothing below the top floors reaches a network"),
    ("rand::rng(", "choices come from one source"),
    ("std::process::Command", "nothing below the top floors starts a program"),
];

/// Files below floor 6 that exist to touch the disk, and what they may use for it.
const AT_THE_DOOR: [(&str, &str); 2] =
    [("git/disk", "std::process::Command"), ("git/disk", "std::thread")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("src")
}

/// The source files below `src`, by path, without comments and test modules.
fn sources() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root()).expect("below src").display().to_string();
                files.insert(name, code_of(&fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    files
}

fn code_of(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let lines =
        shipped.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

fn room_of(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or(file)
}

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// Paths that begin at the crate's root, `{a, b::c}` spelled out: `use crate::{a, b::c}` gives `a`
/// and `b::c`.
fn crate_paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, prefix) in code.match_indices("crate::").chain(code.match_indices("driftlab::")) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => paths.extend(members(group)),
            None => paths.push(path_at(rest)),
        }
    }
    paths
}

fn path_at(text: &str) -> String {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':' || c == '{'))
        .unwrap_or(text.len());
    text[..end].replace(":{", ":").trim_end_matches(':').to_owned()
}

fn members(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut paths) = (0usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                paths.push(path_at(group[start..at].trim()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                paths.push(path_at(group[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    paths
}

#[test]
fn every_room_has_a_floor() {
    for file in sources().keys() {
        let room = room_of(file);
        let entrance = matches!(file.as_str(), "lib.rs" | "main.rs");
        assert!(entrance || floor_of(room).is_some(), "src/{file}: no floor is given to `{room}`");
    }
}

#[test]
fn a_room_uses_lower_floors_only() {
    let mut faults = Vec::new();
    for (file, code) in sources() {
        let Some(floor) = floor_of(room_of(&file)) else { continue };
        for path in crate_paths(&code) {
            let other = path.split(':').next().unwrap_or_default();
            if other == room_of(&file) {
                continue;
            }
            if floor_of(other).is_some_and(|reached| reached >= floor) {
                faults.push(format!("src/{file}, floor {floor}, reaches up or aside to `{path}`"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn forbidden_neighbours_never_meet() {
    let mut faults = Vec::new();
    for (file, code) in sources() {
        for (room, forbidden, why) in NEVER {
            let used = crate_paths(&code).iter().any(|path| path.starts_with(forbidden));
            let grouped = forbidden.split_once("::").is_some_and(|(outer, inner)| {
                code.contains(&format!("crate::{outer}::{{")) && code.contains(inner)
            });
            if room_of(&file) == room && (used || grouped) {
                faults.push(format!("src/{file} uses `{forbidden}`: {why}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_ambient_below_the_world() {
    let mut faults = Vec::new();
    for (file, code) in sources() {
        let below = floor_of(room_of(&file)).is_some_and(|floor| floor <= 5)
            || matches!(room_of(&file), "sim" | "check" | "report");
        for (ambient, why) in AMBIENT {
            let excused = AT_THE_DOOR.iter().any(|(f, a)| file.starts_with(f) && *a == ambient);
            if below && !excused && code.contains(ambient) {
                faults.push(format!("src/{file} uses {ambient}: {why}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_reader_of_use_lines_sees_groups_and_paths() {
    let check = |code: &str, expected: &[&str]| assert_eq!(crate_paths(code), expected, "{code}");
    check("use crate::api::Status;", &["api::Status"]);
    check("use crate::{api::Status, git};", &["api::Status", "git"]);
    check("let x = crate::time::Duration::ZERO;", &["time::Duration::ZERO"]);
    check("use crate::{git::{Tree, Blob}, time};", &["git::Tree", "time"]);
    check("use driftlab::sim::World;", &["sim::World"]);
}
