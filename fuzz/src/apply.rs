//! What three managers apply and edit, drawn from bytes, to one object with lists and maps of every sort: an apply
//! that is repeated changes nothing, takes nothing that stays another's, and does not hang on the order in
//! which managers are noted.

#![no_main]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use driftlab::api::{ApiRequest, Caller, Patch, Status, WriteOptions};
use driftlab::apiserver::Server;
use driftlab::apiserver::managed::{self, Applied, Writer};
use driftlab::apiserver::schema::Registry;
use driftlab::manifest;
use driftlab::object::{GroupVersionKind, Object};
use driftlab::time::{Duration, Timestamp};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let mut server = furnished().0.clone();
    let mut now = Timestamp::START;
    for _ in 0..8 {
        now += Duration::from_secs(1);
        if bytes.0.is_empty() {
            return;
        }
        let manager = ["flux", "helm", "kubectl"][bytes.pick(3)];
        let config = config(&mut bytes);
        match bytes.pick(5) {
            0 => edit(&mut server, now, manager, &config),
            pick => apply(&mut server, now, manager, pick == 1, &config),
        }
    }
});

/// What is left of the input; zeros when it is used up.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn pick(&mut self, n: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % n
    }

    fn word(&mut self) -> String {
        ["x", "y", "z", ""][self.pick(4)].into()
    }
}

/// A configuration: any of the fields, each with little in it, so that managers meet.
fn config(bytes: &mut Bytes<'_>) -> Value {
    let mut spec = Map::new();
    let fields = bytes.pick(256);
    for (at, field) in
        ["a", "map", "set", "list", "atom", "atoms", "any", "nested"].iter().enumerate()
    {
        if fields & (1 << at) != 0 {
            spec.insert((*field).into(), value(bytes, at));
        }
    }
    let mut metadata = json!({"name": "thing", "namespace": "default"});
    if bytes.pick(3) == 0 {
        metadata["labels"] = map(bytes);
    }
    if bytes.pick(5) == 0 {
        metadata["finalizers"] = json!(["x/y"]);
    }
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": metadata, "spec": spec})
}

fn value(bytes: &mut Bytes<'_>, field: usize) -> Value {
    match field {
        0 => bytes.word().into(),
        2 => distinct(bytes).into(),
        3 => list(bytes),
        5 => (0..bytes.pick(3)).map(|_| bytes.word()).collect(),
        6 => any(bytes, 3),
        7 => json!({"inner": map(bytes), "list": list(bytes)}),
        _ => map(bytes),
    }
}

fn map(bytes: &mut Bytes<'_>) -> Value {
    distinct(bytes).into_iter().map(|key| (key, bytes.word().into())).collect::<Map<_, _>>().into()
}

fn list(bytes: &mut Bytes<'_>) -> Value {
    let keys = distinct(bytes);
    keys.into_iter()
        .map(|key| {
            let mut item = json!({"key": key});
            for field in ["p", "q"].iter().take(bytes.pick(3)) {
                item[field] = bytes.word().into();
            }
            item
        })
        .collect()
}

fn distinct(bytes: &mut Bytes<'_>) -> Vec<String> {
    let chosen = bytes.pick(8);
    ["x", "y", "z"]
        .iter()
        .enumerate()
        .filter(|(i, _)| chosen & (1 << i) != 0)
        .map(|(_, w)| (*w).into())
        .collect()
}

fn any(bytes: &mut Bytes<'_>, depth: usize) -> Value {
    match bytes.pick(if depth == 0 { 3 } else { 6 }) {
        0 => bytes.word().into(),
        1 => json!(bytes.pick(3)),
        2 => json!({}),
        3 => json!([any(bytes, depth - 1)]),
        _ => json!({"x": any(bytes, depth - 1), "y": any(bytes, depth - 1)}),
    }
}

fn options(manager: &str, force: bool) -> WriteOptions {
    WriteOptions { field_manager: manager.into(), force, ..WriteOptions::default() }
}

fn ask(server: &mut Server, now: Timestamp, request: ApiRequest) -> Result<Object, Status> {
    let answer = server.handle(now, &Caller::new("admin", "fuzz/1"), request)?;
    Ok(answer.into_object().expect("a write answers with the object"))
}

/// With `TELL=1` an input tells what it means.
fn tell(what: impl Fn() -> String) {
    if std::env::var_os("TELL").is_some() {
        eprintln!("{}", what());
    }
}

/// An update by a merge patch.
fn edit(server: &mut Server, now: Timestamp, manager: &str, config: &Value) {
    let patch = Patch::Merge(
        json!({"spec": config["spec"], "metadata": {"labels": config["metadata"]["labels"]}}),
    );
    tell(|| format!("{manager} edits {config}"));
    let request = ApiRequest::patch(&kind(), "default", "thing", patch, options(manager, false));
    let _nothing_there_perhaps = ask(server, now, request);
}

fn apply(server: &mut Server, now: Timestamp, manager: &str, force: bool, config: &Value) {
    let object = Object::from_value(config.clone()).expect("it has a kind and a name");
    let request =
        |dry_run| ApiRequest::apply(&object, WriteOptions { dry_run, ..options(manager, force) });
    let before = server.get(&object.reference()).cloned();
    tell(|| format!("{manager} applies {config}, forced: {force}"));
    expect_any_order(before.as_ref(), config, manager, force, now);
    let tried = ask(server, now, request(true));
    let done = ask(server, now, request(false));
    tell(|| format!("  comes to {done:?}"));
    let stored = server.get(&object.reference()).cloned();
    let Ok(done) = done else {
        assert_eq!(before, stored, "what is refused changes nothing");
        assert!(tried.is_err(), "what is refused is refused when it is tried");
        return;
    };
    assert_eq!(Some(&done), stored.as_ref());
    let tried = tried.expect("what is done can be tried");
    assert_eq!(tried.get("spec"), done.get("spec"), "what is tried is done");
    expect_rest(server, now, &request(false), config, &done);
    let has = owned(&done);
    let own = has.get(&format!("{manager} Apply"));
    for (path, found) in own.into_iter().flatten() {
        expect_same(path, at(config, path), found.as_ref(), manager);
    }
    if let Some(before) = &before {
        for (other, fields) in owned(before).iter().filter(|(name, _)| !name.starts_with(manager)) {
            // Where there is no schema, what stands there gives way without a word; and an item goes with
            // all that is in it when nobody has the item itself any more. So does a real server.
            let known = |path: &&Vec<String>| {
                !path.iter().any(|step| step == "f:any" || step.starts_with("k:"))
            };
            for (path, value) in fields.iter().filter(|(path, _)| known(path)) {
                if has.get(other).is_some_and(|fields| fields.contains_key(path)) {
                    expect_same(path, value.as_ref(), at(done.as_value(), path), other);
                } else {
                    assert!(force || at(config, path).is_some(), "{other} lost {path:?} to nobody");
                }
            }
        }
    }
}

/// The same again changes nothing. Where it empties lists and maps it comes to rest in some steps, on a real
/// server too: what is emptied is nothing first, then empty, and when nobody manages a field any more,
/// `before-first-apply` does at last.
fn expect_rest(
    server: &mut Server,
    now: Timestamp,
    request: &ApiRequest,
    config: &Value,
    done: &Object,
) {
    let mut again =
        |step: u64| ask(server, now + Duration::from_millis(100 * step), request.clone());
    let second = again(1);
    if !has_empty(config) {
        assert_eq!(second.as_ref(), Ok(done), "the same again changes nothing");
    }
    let third = second.is_ok().then(|| again(2));
    if third.is_some_and(|third| third.is_ok()) {
        let fourth = again(3);
        assert_eq!(again(4), fourth, "it comes to rest");
    }
}

fn has_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty() || fields.values().any(has_empty),
        Value::Array(items) => items.is_empty() || items.iter().any(has_empty),
        _ => false,
    }
}

/// What a manager has stays as it is. A list or map that it has as such is what the others make of it.
fn expect_same(path: &[String], wanted: Option<&Value>, found: Option<&Value>, manager: &str) {
    let atomic = path.iter().any(|step| step.starts_with("f:atom"));
    if !atomic && wanted.is_some_and(|v| v.is_object() || v.is_array()) {
        return;
    }
    assert_eq!(wanted, found, "{manager} has {path:?}");
}

/// The outcome does not hang on the order of the entries.
fn expect_any_order(
    live: Option<&Object>,
    config: &Value,
    manager: &str,
    force: bool,
    now: Timestamp,
) {
    let registry = &furnished().1;
    let schema = registry.kind(&kind()).expect("the definition gives it");
    let writer = Writer {
        manager: manager.into(),
        api_version: "example.com/v1".into(),
        force,
        now,
        ..Writer::default()
    };
    let outcome = |live: Option<&Value>| {
        let applied = managed::apply(registry, schema, live, config, &writer);
        applied.map_err(|status| (status.code, status.reason))
    };
    let Some(live) = live else { return };
    let mut turned = live.as_value().clone();
    if let Some(Value::Array(entries)) = turned["metadata"].get_mut("managedFields") {
        // Of one manager an apply stands before an update, always.
        entries.sort_by_key(|entry| Reverse(entry["manager"].as_str().map(str::to_owned)));
    }
    match (outcome(Some(live.as_value())), outcome(Some(&turned))) {
        (Ok(Applied::Object(one)), Ok(Applied::Object(other))) => {
            assert_eq!(sorted(one), sorted(other));
        }
        (one, other) => assert_eq!(one, other),
    }
}

/// With the entries in one order, and without their times.
fn sorted(mut object: Value) -> Value {
    if let Some(Value::Array(entries)) = object["metadata"].get_mut("managedFields") {
        entries.iter_mut().for_each(|entry| entry["time"] = Value::Null);
        entries.sort_by_cached_key(Value::to_string);
    }
    object
}

/// By manager and operation: the leaves that it has, and what stands there.
fn owned(object: &Object) -> BTreeMap<String, BTreeMap<Vec<String>, Option<Value>>> {
    let entries = object.get("metadata.managedFields").and_then(Value::as_array);
    let mut all: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
    for entry in entries.into_iter().flatten() {
        let name = format!(
            "{} {}",
            entry["manager"].as_str().unwrap(),
            entry["operation"].as_str().unwrap()
        );
        let mut paths = Vec::new();
        leaves(&entry["fieldsV1"], &mut Vec::new(), &mut paths);
        let found = paths.into_iter().map(|path| {
            let value = at(object.as_value(), &path).cloned();
            (path, value)
        });
        all.entry(name).or_default().extend(found);
    }
    all
}

fn leaves(fields: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    for (key, below) in fields.as_object().into_iter().flatten().filter(|(key, _)| *key != ".") {
        path.push(key.clone());
        if below.as_object().is_some_and(Map::is_empty) {
            found.push(path.clone());
        } else {
            leaves(below, path, found);
        }
        path.pop();
    }
}

/// What stands at a path of `managedFields`.
fn at<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| {
        let (sort, rest) = step.split_once(':')?;
        match sort {
            "f" => value.get(rest),
            "k" => {
                let keys: Map<String, Value> = serde_json::from_str(rest).ok()?;
                value
                    .as_array()?
                    .iter()
                    .find(|item| keys.iter().all(|(k, v)| item.get(k) == Some(v)))
            }
            _ => {
                let wanted: Value = serde_json::from_str(rest).ok()?;
                value.as_array()?.iter().find(|item| **item == wanted)
            }
        }
    })
}

fn kind() -> GroupVersionKind {
    GroupVersionKind::new("example.com/v1", "Thing")
}

/// A server with a kind that has everything, and its schema.
fn furnished() -> &'static (Server, Registry) {
    static FURNISHED: OnceLock<(Server, Registry)> = OnceLock::new();
    FURNISHED.get_or_init(|| {
        let definition =
            manifest::yaml::documents("definition.yaml", DEFINITION).expect("YAML").remove(0).value;
        let definition = Object::from_value(definition).expect("an object");
        let (mut server, mut registry) = (Server::new(), Registry::builtin());
        registry.add_custom(&definition).expect("a definition");
        ask(&mut server, Timestamp::START, ApiRequest::create(definition, WriteOptions::default()))
            .expect("it is taken");
        (server, registry)
    })
}

const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing, listKind: ThingList}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                a: {type: string}
                map: &map {type: object, additionalProperties: {type: string}}
                set: {type: array, x-kubernetes-list-type: set, items: {type: string}}
                list: &list
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [key]
                  items:
                    type: object
                    required: [key]
                    properties: {key: {type: string}, p: {type: string}, q: {type: string}}
                atom: {type: object, x-kubernetes-map-type: atomic, additionalProperties: {type: string}}
                atoms: {type: array, items: {type: string}}
                any: {x-kubernetes-preserve-unknown-fields: true}
                nested: {type: object, properties: {inner: *map, list: *list}}
";
