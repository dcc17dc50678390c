//! Random requests: on a few objects of a few kinds, well-formed and slightly broken.
//!
//! `kinds.json` has a line a kind: an object that is accepted, and parts of it with other values they
//! could have, some of which no server accepts.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

static KINDS: LazyLock<Vec<Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("kinds.json")).expect("a table"));

/// The request that defines the kind `Widget`: all that a structural schema can say.
const WIDGETS: &str = include_str!("widgets.json");

/// What any object could say of itself.
static COMMON: LazyLock<Value> = LazyLock::new(|| {
    json!([
        ["metadata.labels.app", ["web", "db", "-bad-", null]],
        ["metadata.annotations.note", ["x", "", null, 5]],
        ["metadata.finalizers", [["example.com/hold"], ["bad"], [], null]],
        ["metadata.ownerReferences", [
            [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "5ad6f4a6-7f1d-4a6b-9b1f-0c2f5e3d1a01"}],
            [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "5ad6f4a6-7f1d-4a6b-9b1f-0c2f5e3d1a01", "controller": true},
             {"apiVersion": "v1", "kind": "ConfigMap", "name": "p", "uid": "5ad6f4a6-7f1d-4a6b-9b1f-0c2f5e3d1a02", "controller": true}],
            [{"kind": "ConfigMap", "name": "", "uid": ""}]
        ]],
        ["metadata.namespace", ["elsewhere"]],
        ["metadata.name", ["other", "Bad_Name"]],
        ["metadata.managedFields", [[], [{}]]],
        ["metadata.uid", ["wrong"]],
        ["metadata.generation", [7]],
        ["metadata.creationTimestamp", ["2020-01-01T00:00:00Z", "x", null]],
    ])
});

/// A case: what is asked of a server, one request after the other.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    focus: Vec<Index>,
    deeds: Vec<Deed>,
}

#[derive(Clone, Debug)]
struct Deed {
    kind: Index,
    name: usize,
    act: Act,
    below: &'static str,
    parts: Vec<(Index, Index)>,
    /// Something strange, and where in the body it stands.
    odd: Option<(Vec<Index>, Value)>,
    /// Whether an apply wants all of the object, or the parts alone.
    whole: bool,
    /// Which version of the object is named.
    version: &'static str,
    query: Vec<&'static str>,
    agent: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Create,
    Update,
    Patch(&'static str),
    Get,
    List,
    Watch,
    Delete,
    DeleteAll,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let focus = vec(any::<Index>(), 1..3);
    (focus, vec(deed(), 1..14)).prop_map(|(focus, deeds)| Case { focus, deeds })
}

fn deed() -> impl Strategy<Value = Deed> {
    let act = prop_oneof![
        6 => Just(Act::Create),
        4 => Just(Act::Update),
        3 => Just(Act::Patch("merge")),
        3 => Just(Act::Patch("strategic")),
        2 => Just(Act::Patch("jsonpatch")),
        6 => Just(Act::Patch("apply")),
        1 => Just(Act::Get),
        3 => Just(Act::List),
        1 => Just(Act::Watch),
        3 => Just(Act::Delete),
        1 => Just(Act::DeleteAll),
    ];
    let below =
        prop_oneof![12 => Just(""), 4 => Just("status"), 2 => Just("scale"), 1 => Just("nothing")];
    let odd = weighted(0.08, (vec(any::<Index>(), 0..6), strange()));
    let version =
        prop_oneof![6 => Just(""), 3 => Just("current"), 1 => Just("stale"), 1 => Just("wrong")];
    let agent = prop_oneof![3 => Just("probe/1.0"), 1 => Just("other/2")];
    let what = (any::<Index>(), 0..2usize, act, below);
    let how = (vec(any::<(Index, Index)>(), 0..4), odd, any::<bool>(), version, query(), agent);
    (what, how).prop_map(
        |((kind, name, act, below), (parts, odd, whole, version, query, agent))| Deed {
            kind,
            name,
            act,
            below,
            parts,
            odd,
            whole,
            version,
            query,
            agent,
        },
    )
}

/// Options, most of which are for other verbs.
fn query() -> impl Strategy<Value = Vec<&'static str>> {
    let common = prop_oneof![
        4 => select(&["fieldManager=flux", "fieldManager=helm", "force=true"][..]),
        2 => select(&["dryRun=All", "fieldValidation=Strict", "fieldValidation=Ignore"][..]),
        2 => select(&["limit=1", "labelSelector=app%3Dweb", "labelSelector=app", "continue", "rv"][..]),
        1 => select(&["propagationPolicy=Orphan", "propagationPolicy=Foreground", "gracePeriodSeconds=5"][..]),
        1 => select(&["dryRun=Some", "fieldValidation=Odd", "limit=x", "labelSelector=a%3D%3D%3Db",
            "fieldSelector=metadata.name%3Done", "fieldSelector=spec.x%3D1", "propagationPolicy=Odd",
            "resourceVersion=0", "resourceVersion=x", "resourceVersionMatch=Exact", "gracePeriodSeconds=-1",
            "labelSelector=app+in+(web,db),!x", "labelSelector=app+notin", "fieldManager=b%00d",
            "sendInitialEvents=true"][..]),
    ];
    vec(common, 0..4)
}

/// A value that stands where it should not.
fn strange() -> impl Strategy<Value = Value> {
    select(vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("x"),
        json!({}),
        json!([]),
        json!([null]),
        json!([{}]),
        json!({"$patch": "delete"}),
        json!({"$patch": "replace"}),
        json!({"$retainKeys": ["a"]}),
        json!({"a": "b"}),
    ])
}

impl Case {
    /// The requests, as a transcript has them; those of this test's own kind make that first.
    pub(crate) fn requests(&self, namespace: &str) -> Vec<Value> {
        let focus: Vec<Value> = self.focus.iter().map(|kind| kind.get(&KINDS).clone()).collect();
        let mut requests = vec![json!({
            "method": "POST", "path": "/api/v1/namespaces",
            "body": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        })];
        if focus.iter().any(|kind| kind["custom"] == true) {
            requests.push(serde_json::from_str(WIDGETS).expect("a request"));
            let path = "/apis/{group}/v1/namespaces/{ns}/widgets";
            requests.push(json!({"method": "GET", "path": path, "until": {"status": 200}}));
        }
        for deed in &self.deeds {
            let request = Writer { kind: deed.kind.get(&focus), deed, before: &requests }.request();
            requests.push(request);
        }
        let text = Value::from(requests).to_string();
        let text = text.replace("{group}", &format!("{namespace}.example.com"));
        serde_json::from_str(&text.replace("{ns}", namespace)).expect("it was JSON")
    }
}

/// Writes a deed down.
struct Writer<'a> {
    kind: &'a Value,
    deed: &'a Deed,
    before: &'a [Value],
}

impl Writer<'_> {
    fn request(&self) -> Value {
        let (method, on_object) = match self.deed.act {
            Act::Create => ("POST", false),
            Act::Update => ("PUT", true),
            Act::Patch(_) => ("PATCH", true),
            Act::Get => ("GET", true),
            Act::List | Act::Watch => ("GET", false),
            Act::Delete => ("DELETE", true),
            Act::DeleteAll => ("DELETE", false),
        };
        // What is in no namespace is shared with other cases.
        let shared = self.kind["cluster"] == true && !on_object && method != "POST";
        let path = if on_object || shared { self.object_path() } else { self.collection() };
        let query = self.query();
        let mut request = json!({"method": method, "path": path + &query});
        if let Some(body) = self.body() {
            request["body"] = body;
        }
        if let Act::Patch(sort) = self.deed.act {
            request["type"] = json!(sort);
        }
        if self.deed.agent != "probe/1.0" {
            request["agent"] = json!(self.deed.agent);
        }
        request
    }

    fn name(&self) -> String {
        let name = ["one", "two"][self.deed.name];
        if self.kind["cluster"] == true { format!("{{ns}}-{name}") } else { name.into() }
    }

    fn collection(&self) -> String {
        let (api, plural) = (text(&self.kind["api"]), text(&self.kind["plural"]));
        let root = if api.contains('/') { "/apis/" } else { "/api/" };
        match self.kind["cluster"] == true {
            true => format!("{root}{api}/{plural}"),
            false => format!("{root}{api}/namespaces/{{ns}}/{plural}"),
        }
    }

    fn below(&self) -> &str {
        match (self.deed.act, self.deed.below) {
            (Act::Create | Act::List | Act::Watch | Act::DeleteAll | Act::Delete, _) => "",
            (_, "status") if self.kind["status"].is_null() => "",
            (_, "scale") if self.kind["scale"].is_null() => "",
            (_, below) => below,
        }
    }

    fn object_path(&self) -> String {
        let path = format!("{}/{}", self.collection(), self.name());
        if self.below().is_empty() { path } else { format!("{path}/{}", self.below()) }
    }

    fn query(&self) -> String {
        let mut terms: Vec<String> = self.deed.query.iter().filter_map(|q| self.term(q)).collect();
        if self.deed.act == Act::Patch("apply") && !terms.iter().any(|t| t.contains("Manager")) {
            terms.push("fieldManager=flux".into());
        }
        if self.deed.act == Act::Watch {
            terms.retain(|term| !term.starts_with("limit"));
            terms.extend(["watch=1".into(), "timeoutSeconds=1".into()]);
        }
        if terms.is_empty() { String::new() } else { format!("?{}", terms.join("&")) }
    }

    /// A term of the query; what is for lists alone is left out elsewhere.
    fn term(&self, term: &str) -> Option<String> {
        let lists = matches!(self.deed.act, Act::List | Act::Watch | Act::DeleteAll);
        match term {
            "continue" => self.last_list("continue").filter(|_| self.deed.act == Act::List),
            // A real server's caches may be behind the version of a list, and then wait.
            "rv" => self.last_list("resourceVersion").filter(|_| self.deed.act == Act::List),
            _ if term.starts_with("limit")
                || term.contains("Selector")
                || term.contains("resource") =>
            {
                lists.then(|| term.into())
            }
            _ if term.starts_with("force") => {
                (self.deed.act == Act::Patch("apply")).then(|| term.into())
            }
            _ => Some(term.into()),
        }
    }

    /// A field of the metadata of the last list of these objects.
    fn last_list(&self, field: &str) -> Option<String> {
        let here = self.collection();
        let listed = |request: &&Value| {
            request["method"] == "GET" && text(&request["path"]).split('?').next() == Some(&here)
        };
        let at = self.before.iter().rposition(|request| listed(&request))?;
        Some(format!("{field}=${{{at}:metadata.{field}}}"))
    }

    /// A field of the metadata of this object, as an earlier answer had it.
    fn earlier(&self, field: &str, first: bool) -> Option<Value> {
        let (name, collection) = (self.name(), self.collection());
        let object = format!("{collection}/{name}");
        let about = |request: &Value| {
            let path = text(&request["path"]).split('?').next().unwrap_or_default();
            path == object || path == collection && request["body"]["metadata"]["name"] == name
        };
        let mut found = self.before.iter().enumerate().filter(|(_, request)| about(request));
        let (at, _) = if first { found.next() } else { found.next_back() }?;
        Some(json!(format!("${at}:metadata.{field}")))
    }

    fn body(&self) -> Option<Value> {
        let mut body = match self.deed.act {
            Act::Get | Act::List | Act::Watch => return None,
            Act::Delete | Act::DeleteAll => return self.delete_options(),
            _ if self.below() == "scale" => self.scale(),
            Act::Create | Act::Update => self.whole(),
            Act::Patch("apply") if self.deed.whole => self.whole(),
            Act::Patch("apply") => self.apart(true, true),
            Act::Patch("jsonpatch") => self.operations(),
            Act::Patch(sort) => self.apart(sort == "strategic", false),
        };
        if let Some((path, odd)) = &self.deed.odd {
            put_somewhere(&mut body, path, odd.clone());
        }
        Some(body)
    }

    fn delete_options(&self) -> Option<Value> {
        let (uid, version) = match self.deed.version {
            "current" => (self.earlier("uid", false), None),
            "stale" => (None, self.earlier("resourceVersion", true)),
            "wrong" => (Some(json!("wrong")), None),
            _ => return None,
        };
        let mut wanted = Map::new();
        wanted.extend(uid.map(|uid| ("uid".to_owned(), uid)));
        wanted.extend(version.map(|version| ("resourceVersion".to_owned(), version)));
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": wanted});
        Some(options)
    }

    fn scale(&self) -> Value {
        let replicas = self.deed.parts.len() as i64 * 2 - 1;
        let metadata = json!({"name": self.name(), "namespace": "{ns}"});
        match self.deed.act {
            Act::Patch("jsonpatch") => {
                json!([{"op": "replace", "path": "/spec/replicas", "value": replicas}])
            }
            Act::Patch("merge" | "strategic") => json!({"spec": {"replicas": replicas}}),
            _ => json!({
                "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata,
                "spec": {"replicas": replicas},
            }),
        }
    }

    /// The parts that are said otherwise than in the base: path and value.
    fn parts(&self) -> Vec<(Vec<String>, Value)> {
        let table = match self.below() {
            "status" => &self.kind["status"],
            _ => &self.kind["parts"],
        };
        let table = table.as_array().into_iter().flatten();
        let common = COMMON.as_array().into_iter().flatten();
        // Those of the kind count double.
        let table: Vec<&Value> = table.clone().chain(table).chain(common).collect();
        let chosen = self.deed.parts.iter().map(|(part, value)| {
            let part = *part.get(&table);
            let path = text(&part[0]).split('.').map(str::to_owned).collect();
            (path, value.get(part[1].as_array().expect("values")).clone())
        });
        chosen.collect()
    }

    fn head(&self) -> Value {
        let mut head = json!({
            "apiVersion": self.kind["api"], "kind": self.kind["kind"],
            "metadata": {"name": self.name()},
        });
        let version = match self.deed.version {
            "current" => self.earlier("resourceVersion", false),
            "stale" => self.earlier("resourceVersion", true),
            "wrong" => Some(json!("1")),
            _ => None,
        };
        if let Some(version) = version.filter(|_| self.deed.act == Act::Update) {
            head["metadata"]["resourceVersion"] = version;
        }
        head
    }

    fn whole(&self) -> Value {
        let mut whole = self.head();
        for (field, value) in self.kind["base"].as_object().expect("fields") {
            whole[field] = value.clone();
        }
        for (path, value) in self.parts() {
            set(&mut whole, &path, value);
        }
        whole
    }

    /// The parts alone, as they are in the whole; of lists, the item alone or all of them.
    fn apart(&self, by_item: bool, head: bool) -> Value {
        let whole = self.whole();
        let mut apart = if head { self.head() } else { json!({}) };
        for (path, value) in self.parts() {
            graft(&mut apart, &whole, &path, &value, by_item);
        }
        apart
    }

    fn operations(&self) -> Value {
        let operation = |(at, (path, value)): (usize, (Vec<String>, Value))| {
            let sorts = ["add", "replace", "remove", "test", "add"];
            let sort = sorts[(at + self.deed.name + path.len()) % sorts.len()];
            let path: String =
                path.iter().map(|step| format!("/{}", step.replace('/', "~1"))).collect();
            match sort {
                "remove" => json!({"op": sort, "path": path}),
                _ => json!({"op": sort, "path": path, "value": value}),
            }
        };
        self.parts().into_iter().enumerate().map(operation).collect()
    }
}

/// Sets a part; null takes it out.
fn set(whole: &mut Value, path: &[String], value: Value) {
    let Some((step, rest)) = path.split_first() else { return *whole = value };
    match whole {
        Value::Array(items) => {
            let at = step.parse::<usize>().unwrap_or(0).min(items.len());
            if at == items.len() {
                items.push(json!({}));
            }
            set(&mut items[at], rest, value);
        }
        _ if rest.is_empty() && value.is_null() => {
            whole.as_object_mut().map(|fields| fields.remove(step));
        }
        _ => {
            if !whole.is_object() {
                *whole = json!({});
            }
            set(&mut whole[step.as_str()], rest, value);
        }
    }
}

/// Lays a part over an object, with as much around it as it needs to be found again.
fn graft(apart: &mut Value, whole: &Value, path: &[String], value: &Value, by_item: bool) {
    let Some((step, rest)) = path.split_first() else { return *apart = value.clone() };
    if let Value::Array(items) = whole {
        let at = step.parse::<usize>().unwrap_or(0);
        let item = items.get(at).cloned().unwrap_or_default();
        if !by_item || rest.is_empty() || apart.is_array() {
            return *apart = whole.clone();
        }
        let mut kept = json!({});
        for (key, value) in item.as_object().into_iter().flatten() {
            if matches!(key.as_str(), "name" | "port" | "containerPort" | "ip" | "type") {
                kept[key] = value.clone();
            }
        }
        graft(&mut kept, &item, rest, value, by_item);
        return *apart = json!([kept]);
    }
    if !apart.is_object() {
        *apart = json!({});
    }
    graft(&mut apart[step.as_str()], whole.get(step).unwrap_or(&Value::Null), rest, value, by_item);
}

/// Puts something at the end of a path of choices.
fn put_somewhere(value: &mut Value, path: &[Index], strange: Value) {
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

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
