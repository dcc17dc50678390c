//! A model of server-side apply that is small enough to be seen to be right: an object as a flat map from
//! leaves to values, and who owns each. Held against the server.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// A place of the test's own kind that is owned as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leaf {
    /// A field of the spec.
    Field(&'static str),
    /// A key of a map.
    Key(&'static str),
    /// A member of a set: its value is itself.
    Member(&'static str),
    /// An item of a list by its key: its value is its key.
    Item(&'static str),
    /// A field of an item.
    ItemField(&'static str, &'static str),
    /// A list that is one value.
    AtomicList,
    /// A map that is one value.
    AtomicMap,
}

/// Every leaf there is.
pub(crate) const LEAVES: [Leaf; 16] = [
    Leaf::Field("a"),
    Leaf::Field("b"),
    Leaf::Key("k"),
    Leaf::Key("l"),
    Leaf::Key("m.n/o"),
    Leaf::Member("x"),
    Leaf::Member("y"),
    Leaf::Member("z"),
    Leaf::Item("1"),
    Leaf::Item("2"),
    Leaf::ItemField("1", "p"),
    Leaf::ItemField("1", "q"),
    Leaf::ItemField("2", "p"),
    Leaf::ItemField("2", "q"),
    Leaf::AtomicList,
    Leaf::AtomicMap,
];

/// What somebody wants: leaves, and which of a few values each has.
pub(crate) type Intent = BTreeMap<Leaf, u8>;

/// The definition of the kind that has such leaves.
pub(crate) fn definition() -> Value {
    let text = json!({"type": "string"});
    let spec = json!({
        "a": text, "b": text,
        "map": {"type": "object", "additionalProperties": text},
        "set": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
        "list": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["key"],
            "items": {
                "type": "object", "required": ["key"],
                "properties": {"key": text, "p": text, "q": text},
            },
        },
        "atoms": {"type": "array", "items": text, "x-kubernetes-list-type": "atomic"},
        "atom": {
            "type": "object", "additionalProperties": text, "x-kubernetes-map-type": "atomic",
        },
    });
    let schema = json!({
        "type": "object", "properties": {"spec": {"type": "object", "properties": spec}},
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            "versions": [
                {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    })
}

/// The object of an intent.
pub(crate) fn object(intent: &Intent) -> Value {
    json!({
        "apiVersion": "example.com/v1", "kind": "Thing",
        "metadata": {"name": "thing", "namespace": "default"}, "spec": spec(intent),
    })
}

pub(crate) fn spec(intent: &Intent) -> Value {
    let mut spec = json!({});
    for (leaf, value) in intent {
        let value = json!(format!("v{value}"));
        match leaf {
            Leaf::Field(name) => spec[*name] = value,
            Leaf::Key(key) => spec["map"][*key] = value,
            Leaf::Member(member) => push(&mut spec["set"], json!(member)),
            Leaf::Item(key) => push(&mut spec["list"], json!({"key": key})),
            Leaf::ItemField(key, name) => {
                let items = spec["list"].as_array_mut().expect("items come before their fields");
                let item = items.iter_mut().find(|item| item["key"] == *key);
                item.expect("an item comes before its fields")[*name] = value;
            }
            Leaf::AtomicList => spec["atoms"] = json!([value, "end"]),
            Leaf::AtomicMap => spec["atom"] = json!({"of": value}),
        }
    }
    spec
}

fn push(list: &mut Value, item: Value) {
    match list {
        Value::Array(items) => items.push(item),
        _ => *list = json!([item]),
    }
}

/// The leaves of a spec, with their values as they stand in it.
pub(crate) fn leaves(spec: &Value) -> BTreeMap<Leaf, Value> {
    let value = |leaf: &Leaf| match leaf {
        Leaf::Field(name) => spec.get(name).cloned(),
        Leaf::Key(key) => spec["map"].get(key).cloned(),
        Leaf::Member(member) => {
            spec["set"].as_array()?.iter().find(|other| **other == json!(member)).cloned()
        }
        Leaf::Item(key) => item(spec, key).map(|item| item["key"].clone()),
        Leaf::ItemField(key, name) => item(spec, key)?.get(name).cloned(),
        Leaf::AtomicList => spec.get("atoms").cloned(),
        Leaf::AtomicMap => spec.get("atom").cloned(),
    };
    LEAVES.iter().filter_map(|leaf| Some((*leaf, value(leaf)?))).collect()
}

fn item<'a>(spec: &'a Value, key: &str) -> Option<&'a Value> {
    spec["list"].as_array()?.iter().find(|item| item["key"] == *key)
}

/// The leaves that an entry of `managedFields` names.
pub(crate) fn owned(fields: &Value) -> BTreeSet<Leaf> {
    let spec = &fields["f:spec"];
    let names = |leaf: &Leaf| match leaf {
        Leaf::Field(name) => spec.get(format!("f:{name}")).is_some(),
        Leaf::Key(key) => spec["f:map"].get(format!("f:{key}")).is_some(),
        Leaf::Member(member) => spec["f:set"].get(format!("v:{}", json!(member))).is_some(),
        Leaf::Item(key) => entry(spec, key).get(".").is_some(),
        Leaf::ItemField(key, name) => entry(spec, key).get(format!("f:{name}")).is_some(),
        Leaf::AtomicList => spec.get("f:atoms").is_some(),
        Leaf::AtomicMap => spec.get("f:atom").is_some(),
    };
    LEAVES.into_iter().filter(names).collect()
}

fn entry<'a>(spec: &'a Value, key: &str) -> &'a Value {
    &spec["f:list"][format!("k:{}", json!({"key": key}))]
}

/// The whole intent: items that have fields are in it themselves.
pub(crate) fn closed(mut intent: Intent) -> Intent {
    let items: Vec<Leaf> = intent
        .keys()
        .filter_map(|leaf| match leaf {
            Leaf::ItemField(key, _) => Some(Leaf::Item(key)),
            _ => None,
        })
        .collect();
    intent.extend(items.into_iter().map(|item| (item, 0)));
    intent
}

/// Why an apply changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// So many leaves are others', with other values.
    Conflicts(usize),
    /// The spec, or a map that somebody made, would lose its last leaf. A real server makes null of it, and
    /// then refuses the null.
    Emptied,
}

/// The model: what there is, and who owns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) values: Intent,
    pub(crate) owners: BTreeMap<&'static str, BTreeSet<Leaf>>,
    /// Who makes the map by an update owns it for good, also without its keys.
    map_is_owned: bool,
    /// Who applied an empty spec owns that.
    of_nothing: BTreeSet<&'static str>,
    exists: bool,
}

/// Who owns what was there when nobody was tracked.
const BEFORE: &str = "before-first-apply";

impl Model {
    /// Applies an intent, or refuses it.
    pub(crate) fn apply(
        &mut self,
        manager: &'static str,
        intent: &Intent,
        force: bool,
    ) -> Result<(), Refusal> {
        let before = self.clone();
        self.track();
        let conflicts = self.conflicts(manager, intent);
        if !force && !conflicts.is_empty() {
            *self = before;
            return Err(Refusal::Conflicts(conflicts.len()));
        }
        self.take(manager, intent, conflicts);
        let emptied = self.values.is_empty() && !before.values.is_empty();
        if emptied || (self.map_is_owned && !self.has_keys() && before.has_keys()) {
            *self = before;
            return Err(Refusal::Emptied);
        }
        Ok(())
    }

    /// Whether somebody owns something. Where nobody does, an update is nobody's either.
    fn is_tracked(&self) -> bool {
        !self.of_nothing.is_empty() || self.owners.values().any(|owned| !owned.is_empty())
    }

    /// What is there and nobody's becomes somebody's with the next apply.
    fn track(&mut self) {
        if self.exists && !self.is_tracked() {
            self.map_is_owned |= self.has_keys();
            self.owners.insert(BEFORE, self.values.keys().copied().collect());
            if self.values.is_empty() {
                self.of_nothing.insert(BEFORE);
            }
        }
        self.exists = true;
    }

    fn take(&mut self, manager: &'static str, intent: &Intent, conflicts: Vec<(&str, Leaf)>) {
        for (other, leaf) in conflicts {
            self.owners.get_mut(other).expect("it has a conflict").remove(&leaf);
        }
        let wanted: BTreeSet<Leaf> = intent.keys().copied().collect();
        match wanted.is_empty() {
            true => self.of_nothing.insert(manager),
            false => self.of_nothing.remove(manager),
        };
        let before = self.owners.insert(manager, wanted).unwrap_or_default();
        for leaf in before.iter().filter(|leaf| !intent.contains_key(leaf)) {
            if !self.owners.values().any(|owned| owned.contains(leaf)) {
                self.values.remove(leaf);
            }
        }
        self.values.extend(intent);
    }

    /// Owned by another with another value. Members and items are their own values.
    fn conflicts(&self, manager: &str, intent: &Intent) -> Vec<(&'static str, Leaf)> {
        let differs = |leaf: &Leaf, value: &u8| {
            !matches!(leaf, Leaf::Member(_) | Leaf::Item(_)) && self.values.get(leaf) != Some(value)
        };
        let others = self.owners.iter().filter(|(other, _)| **other != manager);
        others
            .flat_map(|(other, owned)| owned.iter().map(|leaf| (*other, *leaf)))
            .filter(|(_, leaf)| intent.get(leaf).is_some_and(|value| differs(leaf, value)))
            .collect()
    }

    /// Writes one leaf without apply: whoever changes a value owns it alone.
    pub(crate) fn update(&mut self, manager: &'static str, leaf: Leaf, value: Option<u8>) {
        if self.values.get(&leaf).copied() == value {
            return;
        }
        let tracked = self.is_tracked();
        self.map_is_owned |= tracked && matches!(leaf, Leaf::Key(_)) && !self.has_keys();
        self.owners.values_mut().for_each(|owned| {
            owned.remove(&leaf);
        });
        match value {
            Some(value) => {
                self.values.insert(leaf, value);
                if tracked {
                    self.owners.entry(manager).or_default().insert(leaf);
                }
            }
            None => {
                self.values.remove(&leaf);
            }
        }
    }

    fn has_keys(&self) -> bool {
        self.values.keys().any(|leaf| matches!(leaf, Leaf::Key(_)))
    }

    /// Those who own something.
    pub(crate) fn owning(&self) -> BTreeMap<&str, BTreeSet<Leaf>> {
        let owning = self.owners.iter().filter(|(_, owned)| !owned.is_empty());
        owning.map(|(manager, owned)| (*manager, owned.clone())).collect()
    }
}

/// The merge patch that writes one leaf.
pub(crate) fn patch(leaf: Leaf, value: Option<u8>) -> Value {
    let text = value.map(|value| format!("v{value}"));
    let mut fields = Map::new();
    match leaf {
        Leaf::Field(name) => fields.insert(name.into(), json!(text)),
        Leaf::Key(key) => fields.insert("map".into(), json!({key: text})),
        Leaf::AtomicList => {
            fields.insert("atoms".into(), text.map_or(Value::Null, |text| json!([text, "end"])))
        }
        _ => unreachable!("lists are not written by merge patches"),
    };
    json!({"spec": fields})
}
