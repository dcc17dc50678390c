//! The laws of server-side apply (KEP-555), on random objects, appliers and orders.
//!
//! `DRIFTLAB_APPLIES=2000 cargo test -p driftlab-tests --test apply` tries as many of each.

#[path = "apply/model.rs"]
mod model;

use std::collections::{BTreeMap, BTreeSet};

use driftlab::api::Caller;
use driftlab::apiserver::{Server, rest};
use driftlab::time::{Duration, Timestamp};
use driftlab_tests::rounds;
use model::{Intent, LEAVES, Leaf, Model, Refusal, closed, leaves, owned};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// A server, and a clock that goes on by a second with every request.
struct Api {
    server: Server,
    now: Timestamp,
}

const THING: &str = "/apis/example.com/v1/namespaces/default/things/thing";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/default/deployments/web";

impl Api {
    fn new() -> Self {
        let mut api = Api { server: Server::new(), now: Timestamp::START };
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let (code, answer) = api.ask("POST", definitions, "json", &model::definition());
        assert_eq!(code, 201, "{answer}");
        api
    }

    fn ask(&mut self, method: &str, target: &str, format: &str, body: &Value) -> (u16, Value) {
        let content_type = match format {
            "json" => "application/json",
            "merge" => "application/merge-patch+json",
            "strategic" => "application/strategic-merge-patch+json",
            "jsonpatch" => "application/json-patch+json",
            _ => "application/apply-patch+yaml",
        };
        let body = if method == "GET" { Vec::new() } else { body.to_string().into_bytes() };
        let request = rest::HttpRequest { method, target, content_type, accept: "", body: &body };
        let caller = Caller::new("ada", "test/1");
        let answer = rest::answer(&mut self.server, self.now, &caller, &request);
        self.now += Duration::from_secs(1);
        match answer.body {
            rest::HttpBody::Json(value) => (answer.code, value),
            _ => (answer.code, Value::Null),
        }
    }

    fn apply(&mut self, target: &str, manager: &str, force: bool, body: &Value) -> (u16, Value) {
        let target = format!("{target}?fieldManager={manager}&force={force}");
        self.ask("PATCH", &target, "apply", body)
    }

    fn get(&mut self, target: &str) -> Value {
        self.ask("GET", target, "json", &Value::Null).1
    }

    /// Asks for a dry run first: it must change nothing, and answer what the request will.
    fn ask_twice(
        &mut self,
        method: &str,
        target: &str,
        format: &str,
        body: &Value,
    ) -> (u16, Value) {
        let (version, path) = (self.server.version(), target.split('?').next().unwrap_or_default());
        let before = self.get(path);
        let dry = self.ask(method, &format!("{target}&dryRun=All"), format, body);
        assert_eq!(self.server.version(), version, "a dry run writes nothing");
        assert_eq!(self.get(path), before, "a dry run changes nothing");
        let real = self.ask(method, target, format, body);
        assert_eq!((dry.0, timeless(&dry.1)), (real.0, timeless(&real.1)), "a dry run predicts");
        real
    }
}

/// Without what differs from write to write: versions, uids, times; `managedFields` in order.
fn timeless(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["resourceVersion", "uid", "creationTimestamp", "generation"] {
            metadata.remove(field);
        }
        if let Some(entries) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
            for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                entry.remove("time");
            }
            entries.sort_by_key(Value::to_string);
        }
    }
    object
}

/// The managers of an object, and what of the test's own kind each owns.
fn owners(object: &Value) -> BTreeMap<&str, BTreeSet<Leaf>> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries
        .map(|entry| (entry["manager"].as_str().unwrap_or_default(), owned(&entry["fieldsV1"])))
        .filter(|(_, leaves)| !leaves.is_empty())
        .collect()
}

/// Every field that `managedFields` names is there. (Of empty texts this is not so: they are owned, and
/// left out where the kind leaves them out.)
fn expect_described(object: &Value) {
    for entry in object["metadata"]["managedFields"].as_array().into_iter().flatten() {
        let lost = undescribed(&entry["fieldsV1"], object, "");
        assert_eq!(lost, None, "{} owns what is not there: {object}", entry["manager"]);
    }
}

fn undescribed(fields: &Value, value: &Value, path: &str) -> Option<String> {
    fields.as_object().into_iter().flatten().filter(|(step, _)| *step != ".").find_map(
        |(step, below)| {
            let path = format!("{path}/{step}");
            let (sort, text) = step.split_once(':').expect("a step has a sort");
            let parsed = || serde_json::from_str::<Value>(text).expect("JSON");
            let items = || value.as_array().into_iter().flatten();
            let found = match sort {
                "f" => value.get(text),
                "v" => items().find(|item| **item == parsed()),
                "k" => items().find(|item| {
                    let key = parsed();
                    key.as_object()
                        .expect("keys")
                        .iter()
                        .all(|(name, wanted)| item[name] == *wanted)
                }),
                other => panic!("no such step: {other}"),
            };
            found.map_or(Some(path.clone()), |value| undescribed(below, value, &path))
        },
    )
}

fn expect_like(model: &Model, object: &Value) {
    assert_eq!(leaves(&object["spec"]), leaves(&model::spec(&model.values)));
    assert_eq!(owners(object), model.owning());
    expect_described(object);
}

/// One thing that somebody does to the test's own kind.
#[derive(Clone, Debug)]
enum Deed {
    Apply { manager: &'static str, intent: Intent, force: bool },
    Write { manager: &'static str, leaf: Leaf, value: Option<u8> },
}

fn intent() -> impl Strategy<Value = Intent> {
    proptest::collection::btree_map(select(&LEAVES[..]), 0..3u8, 0..9).prop_map(closed)
}

fn deed() -> impl Strategy<Value = Deed> {
    let apply = (select(&["flux", "helm", "ada"][..]), intent(), any::<bool>())
        .prop_map(|(manager, intent, force)| Deed::Apply { manager, intent, force });
    let written: Vec<Leaf> = LEAVES
        .into_iter()
        .filter(|leaf| matches!(leaf, Leaf::Field(_) | Leaf::Key(_) | Leaf::AtomicList))
        .collect();
    let write = (select(&["edit", "scale"][..]), select(written), proptest::option::of(0..3u8))
        // A map whose keys are all removed stays behind, which the model does not know.
        .prop_map(|(manager, leaf, value)| match leaf {
            Leaf::Key(_) => (manager, leaf, value.or(Some(0))),
            _ => (manager, leaf, value),
        })
        .prop_map(|(manager, leaf, value)| Deed::Write { manager, leaf, value });
    prop_oneof![3 => apply, 2 => write]
}

fn config(everyday: u32) -> ProptestConfig {
    let cases = rounds("DRIFTLAB_APPLIES", everyday as usize);
    let cases = u32::try_from(cases).unwrap_or(u32::MAX);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(60))]

    /// Conflicts exactly where another owns with another value; force takes; what is dropped and owned by
    /// nobody else goes; a dry run predicts; the managers are those of the model.
    #[test]
    fn apply_does_what_the_model_does(deeds in proptest::collection::vec(deed(), 1..12)) {
        let (mut api, mut model) = (Api::new(), Model::default());
        let mut exists = false;
        for deed in &deeds {
            match deed {
                Deed::Apply { manager, intent, force } => {
                    let target = format!("{THING}?fieldManager={manager}&force={force}");
                    let body = model::object(intent);
                    let (code, answer) = api.ask_twice("PATCH", &target, "apply", &body);
                    match model.apply(manager, intent, *force) {
                        Ok(()) => assert!(code < 300, "{answer}"),
                        Err(Refusal::Emptied) => assert_eq!(code, 422, "{answer}"),
                        Err(Refusal::Conflicts(count)) => {
                            let causes = answer["details"]["causes"].as_array().map(Vec::len);
                            assert_eq!((code, causes), (409, Some(count)), "{answer}");
                        }
                    }
                    exists |= code < 300;
                }
                Deed::Write { manager, leaf, value } if exists => {
                    let target = format!("{THING}?fieldManager={manager}");
                    let (code, answer) = api.ask_twice("PATCH", &target, "merge", &model::patch(*leaf, *value));
                    assert_eq!(code, 200, "{answer}");
                    model.update(manager, *leaf, *value);
                }
                Deed::Write { .. } => {}
            }
            if exists {
                expect_like(&model, &api.get(THING));
            }
        }
    }

    #[test]
    fn applying_again_changes_nothing(first in intent(), second in intent()) {
        let mut api = Api::new();
        api.apply(THING, "helm", false, &model::object(&first));
        let (code, once) = api.apply(THING, "flux", true, &model::object(&second));
        prop_assert!(code < 300, "{}", once);
        let version = api.server.version();
        let again = api.apply(THING, "flux", true, &model::object(&second));
        prop_assert_eq!(again, (200, once));
        prop_assert_eq!(api.server.version(), version);
    }

    #[test]
    fn appliers_that_share_nothing_may_come_in_any_order(whole in intent(), sides: u16) {
        let side = |wanted: bool| -> Intent {
            let at = |leaf: &Leaf| LEAVES.iter().position(|other| other == leaf).unwrap_or(0);
            let chosen = whole.iter().filter(|(leaf, _)| (sides >> at(leaf) & 1 == 1) == wanted);
            closed(chosen.map(|(leaf, value)| (*leaf, *value)).collect())
        };
        let [ours, theirs] = [true, false].map(|wanted| model::object(&side(wanted)));
        let end = |first: (&str, &Value), second: (&str, &Value)| {
            let mut api = Api::new();
            for (manager, body) in [first, second] {
                let (code, answer) = api.apply(THING, manager, false, body);
                assert!(code < 300, "{answer}");
            }
            let object = api.get(THING);
            (leaves(&object["spec"]), timeless(&object)["metadata"].clone())
        };
        let one = end(("flux", &ours), ("helm", &theirs));
        prop_assert_eq!(one, end(("helm", &theirs), ("flux", &ours)));
    }

    #[test]
    fn a_deployment_keeps_the_laws(parts in proptest::collection::vec((0..3usize, 0..4u32, part()), 1..8)) {
        let mut api = Api::new();
        let (code, answer) = api.apply(DEPLOYMENT, "base", false, &deployment(&[]));
        prop_assert_eq!(code, 201, "{}", answer);
        let mut wanted: [Vec<Value>; 3] = Default::default();
        for (who, mode, part) in parts {
            let manager = ["flux", "helm", "ada"][who];
            match mode {
                0 => wanted[who].clear(),
                1 => drop(wanted[who].pop()),
                _ => wanted[who].push(part),
            }
            let body = deployment(&wanted[who]);
            let target = format!("{DEPLOYMENT}?fieldManager={manager}&force={}", mode == 3);
            let (code, answer) = api.ask_twice("PATCH", &target, "apply", &body);
            prop_assert!([200, 409, 422].contains(&code), "{}", answer);
            if code != 200 {
                continue;
            }
            let version = api.server.version();
            let (_, again) = api.apply(DEPLOYMENT, manager, true, &body);
            prop_assert_eq!(again, answer);
            prop_assert_eq!(api.server.version(), version);
            expect_described(&api.get(DEPLOYMENT));
        }
    }

    #[test]
    fn no_request_makes_the_server_panic(
        method in select(&["PATCH", "PATCH", "PUT", "POST"][..]),
        format in select(&["apply", "merge", "strategic", "jsonpatch", "json"][..]),
        target in select(&[DEPLOYMENT, THING, "/api/v1/namespaces/default/services/web", "/api/v1/namespaces/default/pods/web", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com"][..]),
        below in select(&["", "", "/status", "/scale", "/binding"][..]),
        part in part(),
        path in proptest::collection::vec(any::<prop::sample::Index>(), 0..7),
        strange in strange(),
    ) {
        let mut api = Api::new();
        api.apply(DEPLOYMENT, "base", false, &deployment(&[]));
        api.apply(THING, "base", false, &model::object(&Intent::new()));
        let mut body = match target {
            DEPLOYMENT => deployment(&[part]),
            THING => model::object(&LEAVES.into_iter().map(|leaf| (leaf, 1)).collect()),
            _ if target.ends_with("things.example.com") => model::definition(),
            _ => json!({"apiVersion": "v1", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "a"}], "ports": [{"port": 80}]}}),
        };
        put_somewhere(&mut body, &path, strange);
        if format == "jsonpatch" {
            body = json!([{"op": "add", "path": "/spec", "value": body["spec"]}, body]);
        }
        let version = api.server.version();
        let (code, answer) = api.ask(method, &format!("{target}{below}?fieldManager=flux&force=true"), format, &body);
        prop_assert!((200..600).contains(&code));
        prop_assert!(code < 400 || api.server.version() == version, "a refusal wrote: {}", answer);
        expect_described(&api.get(target));
    }
}

/// A deployment of one container, with the parts merged in.
fn deployment(parts: &[Value]) -> Value {
    let mut whole = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "app", "image": "nginx"}]},
            },
        },
    });
    parts.iter().for_each(|part| lay_over(&mut whole, part));
    whole
}

/// Lays one object over another; items of lists with names meet by name.
fn lay_over(whole: &mut Value, part: &Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (key, value) in part {
                match whole.get_mut(key) {
                    Some(old) => lay_over(old, value),
                    None => drop(whole.insert(key.clone(), value.clone())),
                }
            }
        }
        (Value::Array(whole), Value::Array(part)) => {
            let new: Vec<&Value> = part.iter().filter(|item| !whole.contains(item)).collect();
            for item in new {
                let keys = ["name", "containerPort", "ip", "uid", "topologyKey"];
                let key = |item: &Value| keys.iter().find_map(|key| item.get(key)).cloned();
                match whole.iter_mut().find(|old| key(old).is_some() && key(old) == key(item)) {
                    Some(old) => lay_over(old, item),
                    None => whole.push(item.clone()),
                }
            }
        }
        (whole, part) => *whole = part.clone(),
    }
}

/// Something to say of a deployment.
fn part() -> impl Strategy<Value = Value> {
    let container =
        |fields: Value| json!({"spec": {"template": {"spec": {"containers": [fields]}}}});
    let pod = |fields: Value| json!({"spec": {"template": {"spec": fields}}});
    let parts = vec![
        json!({"spec": {"replicas": 2}}),
        json!({"spec": {"replicas": 3}}),
        json!({"metadata": {"labels": {"team": "web", "a.b/c": "d"}}}),
        json!({"metadata": {"labels": {"team": "ops"}, "annotations": {"note": "x"}, "finalizers": ["a.com/b"]}}),
        json!({"metadata": {"finalizers": ["a.com/c"], "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "y", "uid": "z"}]}}),
        json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1}}}}),
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%"}}, "paused": true}}),
        container(json!({"name": "app", "image": "nginx:2", "args": ["a", "b"]})),
        container(
            json!({"name": "app", "image": "nginx", "args": ["c"], "env": [{"name": "A", "value": "1"}]}),
        ),
        container(
            json!({"name": "app", "image": "nginx", "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]}),
        ),
        container(
            json!({"name": "app", "image": "nginx", "ports": [{"containerPort": 80, "protocol": "TCP"}]}),
        ),
        container(
            json!({"name": "app", "image": "nginx", "ports": [{"containerPort": 53, "protocol": "UDP", "name": "dns"}]}),
        ),
        container(
            json!({"name": "app", "image": "nginx", "resources": {"limits": {"cpu": "1", "memory": "1000Mi"}}}),
        ),
        container(
            json!({"name": "side", "image": "redis", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}),
        ),
        pod(json!({"volumes": [{"name": "v", "emptyDir": {}}]})),
        pod(
            json!({"volumes": [{"name": "v", "configMap": {"name": "c"}}], "nodeSelector": {"disk": "fast"}}),
        ),
        pod(
            json!({"tolerations": [{"key": "a", "operator": "Exists"}], "nodeSelector": {"zone": "b"}}),
        ),
        pod(
            json!({"hostAliases": [{"ip": "1.2.3.4", "hostnames": ["a"]}], "terminationGracePeriodSeconds": 5}),
        ),
        pod(
            json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "k", "whenUnsatisfiable": "DoNotSchedule"}]}),
        ),
    ];
    select(parts)
}

/// A value that stands where it should not.
fn strange() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z./$0-9:-]{0,12}".prop_map(Value::from),
        Just(json!({"$patch": "delete"})),
        Just(json!({"$patch": "replace"})),
        Just(json!({"$setElementOrder/containers": [{"name": "x"}], "$retainKeys": ["a"]})),
        Just(json!([null, {}, [], "", {"name": null}, {"name": "app"}, {"name": "app"}])),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z$]{0,4}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Puts something at the end of a path of choices.
fn put_somewhere(value: &mut Value, path: &[prop::sample::Index], strange: Value) {
    let below = path.split_first().and_then(|(step, rest)| match &mut *value {
        Value::Object(fields) if !fields.is_empty() => {
            let at = step.index(fields.len());
            Some((fields.values_mut().nth(at)?, rest))
        }
        Value::Array(items) if !items.is_empty() => {
            let at = step.index(items.len());
            Some((&mut items[at], rest))
        }
        _ => None,
    });
    match below {
        Some((below, rest)) => put_somewhere(below, rest, strange),
        None => *value = strange,
    }
}
