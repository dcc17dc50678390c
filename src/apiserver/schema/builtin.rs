//! The table of built-in kinds, read once. Structures are read when they are first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, OnceLock};

use super::types::{
    Field, Generation, KindSchema, ListMerge, ListType, MapType, PatchStrategy, Scale, Struct,
    StructRef, Type,
};
use super::validate::Rule;
use crate::object::GroupVersionKind;

static TEXT: &str = include_str!("builtin.schema");
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::index(TEXT));

struct Table {
    kinds: BTreeMap<GroupVersionKind, Arc<KindSchema>>,
    groups: BTreeSet<String>,
    types: Vec<Entry>,
    by_name: BTreeMap<&'static str, u16>,
}

/// A type of the table: its lines, and what they say once somebody asked.
struct Entry {
    header: &'static str,
    lines: &'static str,
    read: OnceLock<Struct>,
}

/// Every built-in kind, by group, version and kind.
pub(super) fn kinds() -> &'static BTreeMap<GroupVersionKind, Arc<KindSchema>> {
    &TABLE.kinds
}

/// The structure at this position of the table.
pub(super) fn structure(position: u16) -> &'static Struct {
    let entry = &TABLE.types[position as usize];
    entry.read.get_or_init(|| read_struct(&TABLE, entry))
}

/// Whether a version, such as `apps/v1`, is of a group of built-in kinds, or of answers about them.
pub(in crate::apiserver) fn is_built_in(api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    matches!(group, "" | "meta.k8s.io") || TABLE.groups.contains(group)
}

/// The names of the fields of metadata, as Go declares them.
pub(in crate::apiserver) fn metadata_order() -> impl Iterator<Item = &'static str> + Clone {
    structure(TABLE.by_name["ObjectMeta"]).fields.iter().map(|field| &*field.name)
}

/// The structure of this name.
pub(super) fn named(name: &str) -> StructRef {
    StructRef::Builtin(TABLE.by_name[name])
}

/// The names of all types.
#[cfg(test)]
pub(super) fn type_names() -> impl Iterator<Item = &'static str> {
    TABLE.by_name.keys().copied()
}

impl Table {
    fn index(text: &'static str) -> Self {
        let types = read_entries(text);
        let by_name = types
            .iter()
            .enumerate()
            .map(|(i, entry)| (entry.header.split(' ').next().unwrap_or(""), i as u16))
            .collect();
        let (kinds, groups) = (BTreeMap::new(), BTreeSet::new());
        let mut table = Table { kinds, groups, types, by_name };
        table.kinds = text
            .lines()
            .filter_map(|line| line.strip_prefix("kind "))
            .map(|line| read_kind(&table.by_name, line))
            .map(|kind| (kind.gvk.clone(), Arc::new(kind)))
            .collect();
        table.groups = table.kinds.keys().map(|gvk| gvk.group.clone()).collect();
        table
    }
}

fn read_entries(text: &'static str) -> Vec<Entry> {
    let blocks = text.split("\ntype ").skip(1);
    blocks
        .map(|block| {
            let (header, lines) = block.split_once('\n').unwrap_or((block, ""));
            Entry { header, lines, read: OnceLock::new() }
        })
        .collect()
}

fn read_kind(types: &BTreeMap<&str, u16>, line: &str) -> KindSchema {
    let mut words = line.split(' ');
    let mut word = || words.next().expect("a kind has a version, a name, a plural and a type");
    let (version, kind, plural, ty) = (word(), word(), word(), word());
    let gvk = GroupVersionKind::new(version, kind);
    let mut schema = KindSchema {
        storage: storage(&gvk),
        plural: plural.trim_matches('-').into(),
        singular: kind.to_ascii_lowercase(),
        list_kind: format!("{kind}List"),
        short_names: Vec::new(),
        categories: Vec::new(),
        namespaced: false,
        stored: plural != "-",
        status: false,
        scale: None,
        generation: Generation::None,
        root: StructRef::Builtin(types[ty]),
        custom: None,
        gvk,
    };
    words.for_each(|attribute| read_kind_attribute(&mut schema, attribute));
    schema
}

fn read_kind_attribute(schema: &mut KindSchema, attribute: &str) {
    let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
    let list = || value.split(',').filter(|word| !word.is_empty()).map(String::from);
    match name {
        "namespaced" => schema.namespaced = true,
        "virtual" => schema.stored = false,
        "status" => schema.status = true,
        "short" => schema.short_names = list().collect(),
        "categories" => schema.categories = list().collect(),
        "generation" => schema.generation = Generation::Fields(list().collect()),
        "scale" => {
            let mut paths = list();
            let mut path = || paths.next().unwrap_or_default();
            schema.scale = Some(Scale { spec: path(), status: path(), selector: path() });
        }
        _ => panic!("unknown attribute {attribute} of kind {}", schema.gvk),
    }
}

/// Two served kinds may share their stored objects: the first is a view of the second.
fn storage(gvk: &GroupVersionKind) -> GroupVersionKind {
    match (&*gvk.group, &*gvk.kind) {
        ("autoscaling", "HorizontalPodAutoscaler") => {
            GroupVersionKind::new("autoscaling/v2", &gvk.kind)
        }
        ("events.k8s.io", "Event") => GroupVersionKind::new("v1", "Event"),
        _ => gvk.clone(),
    }
}

fn read_struct(table: &Table, entry: &Entry) -> Struct {
    let mut words = entry.header.split(' ');
    let name = words.next().unwrap_or("");
    let (mut package, mut atomic, mut order) = ("v1", false, "");
    for word in words {
        match word.split_once('=') {
            Some(("go", go)) => package = go,
            Some(("order", fields)) => order = fields,
            _ => atomic = word == "atomic",
        }
    }
    let go = format!("{package}.{}", name.rsplit('.').next().unwrap_or(name));
    let fields = entry.lines.lines().filter(|line| !line.is_empty());
    let fields = fields.map(|line| read_field(table, line.trim_start())).collect();
    let mut structure = Struct { atomic, ..Struct::new(name, &go, fields) };
    order_fields(&mut structure, order);
    structure
}

/// Puts the named fields first in the order of checking.
fn order_fields(structure: &mut Struct, order: &str) {
    let named: Vec<&str> = order.split(',').collect();
    let rank = |i: &u16| {
        let name = &*structure.fields[*i as usize].name;
        named.iter().position(|named| *named == name).unwrap_or(named.len())
    };
    let mut order = structure.order.clone();
    order.sort_by_key(rank);
    structure.order = order;
}

fn read_field(table: &Table, line: &str) -> Field {
    let mut words = line.splitn(3, ' ');
    let (name, shape) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (presence, shape) = shape.split_at(1);
    let pointee = shape.strip_prefix('*');
    let mut field = Field::new(name, read_type(table, pointee.unwrap_or(shape)));
    field.pointer = pointee.is_some();
    field.always = presence == "!";
    let mut rest = words.next().unwrap_or("");
    while !rest.is_empty() {
        // A default is the last attribute: its JSON may hold spaces.
        let end = if rest.starts_with("default=") { None } else { rest.find(' ') };
        let (attribute, next) = end.map_or((rest, ""), |end| (&rest[..end], &rest[end + 1..]));
        read_field_attribute(&mut field, attribute);
        rest = next;
    }
    field
}

fn read_field_attribute(field: &mut Field, attribute: &str) {
    let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
    match name {
        "required" => field.required = true,
        "enum" => field.allowed = value.split('|').map(Box::from).collect(),
        "rule" => field.rules = Rule::parse_all(value),
        "default" => field.default = Some(serde_json::from_str(value).expect("defaults are JSON")),
        "patch" => field.patch = read_strategy(value),
        "map" => set_merge(field, ListMerge::Map(value.split(',').map(Box::from).collect())),
        "set" => set_merge(field, ListMerge::Set),
        "atomic" => set_atomic(field),
        _ => panic!("unknown attribute {attribute} of field {}", field.name),
    }
}

fn read_strategy(value: &str) -> PatchStrategy {
    let (strategies, key) = value.split_once(':').unwrap_or((value, ""));
    let has = |strategy| strategies.split(',').any(|s| s == strategy);
    PatchStrategy { merge: has("merge"), retain_keys: has("retainKeys"), key: key.into() }
}

fn set_merge(field: &mut Field, merge: ListMerge) {
    match &mut field.ty {
        Type::List(list) => list.merge = merge,
        _ => panic!("{} is no list", field.name),
    }
}

fn set_atomic(field: &mut Field) {
    match &mut field.ty {
        Type::Map(map) => map.atomic = true,
        // A structure that is atomic here only: a copy of its own.
        Type::Struct(structure) => {
            let own = Struct { atomic: true, ..Struct::clone(structure) };
            *structure = StructRef::Own(Arc::new(own));
        }
        _ => panic!("{} is neither map nor structure", field.name),
    }
}

fn read_type(table: &Table, text: &str) -> Type {
    if let Some(element) = text.strip_prefix("[]") {
        let pointee = element.strip_prefix('*');
        let element = read_type(table, pointee.unwrap_or(element));
        let pointers = pointee.is_some();
        return Type::List(Box::new(ListType { element, merge: ListMerge::Atomic, pointers }));
    }
    if let Some(element) = text.strip_prefix("{}") {
        return Type::Map(Box::new(MapType { element: read_type(table, element), atomic: false }));
    }
    let (name, go) = text.split_once(':').unwrap_or((text, text));
    match name {
        "string" => Type::String(go.into()),
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "number" => Type::Number,
        "bool" => Type::Bool,
        "bytes" => Type::Bytes,
        "time" => Type::Time,
        "microtime" => Type::MicroTime,
        "quantity" => Type::Quantity,
        "intorstring" => Type::IntOrString,
        "any" | "fields" => Type::Any,
        "raw" => Type::Raw,
        _ => Type::Struct(StructRef::Builtin(table.by_name[name])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_table_reads() {
        for position in 0..TABLE.types.len() as u16 {
            let structure = structure(position);
            assert!(structure.fields.iter().all(|f| structure.field(&f.name) == Some(f)));
        }
        assert!(kinds().len() > 40);
    }

    #[test]
    fn a_field_says_all_that_its_line_says() {
        let ports = structure(TABLE.by_name["Container"]).field("ports").unwrap();
        assert_eq!(
            ports.ty.as_list().unwrap().merge,
            ListMerge::Map(vec!["containerPort".into(), "protocol".into()])
        );
        assert_eq!((ports.patch.merge, &*ports.patch.key), (true, "containerPort"));
        let strategy = structure(TABLE.by_name["DeploymentSpec"]).field("strategy").unwrap();
        assert_eq!((strategy.patch.retain_keys, strategy.always), (true, true));
    }
}
