//! A value as merging sees it: a leaf, a list whose items are told apart, or a map.

use serde_json::{Map, Value};

use crate::apiserver::schema::{ListMerge, ListType, MapType, Struct, Type};

/// What a type makes of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape<'a> {
    /// A scalar.
    Scalar,
    /// A list or map that is one thing.
    Atomic,
    /// A list whose items are told apart.
    List(&'a ListType),
    /// A map or structure whose entries are told apart.
    Map(Fields<'a>),
}

/// What a map's keys lead to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fields<'a> {
    Struct(&'a Struct),
    Map(&'a MapType),
    Any,
}

static ANY: Type = Type::Any;

impl<'a> Shape<'a> {
    /// The shape of a value of type `ty`.
    pub(super) fn of(ty: &'a Type, value: &Value) -> Self {
        match ty {
            Type::Struct(structure) if structure.atomic => Shape::Atomic,
            Type::Struct(structure) => Shape::Map(Fields::Struct(structure)),
            Type::Map(map) if map.atomic => Shape::Atomic,
            Type::Map(map) => Shape::Map(Fields::Map(map)),
            Type::List(list) if list.merge == ListMerge::Atomic => Shape::Atomic,
            Type::List(list) => Shape::List(list),
            Type::Any => match value {
                Value::Object(_) | Value::Null => Shape::Map(Fields::Any),
                Value::Array(_) => Shape::Atomic,
                _ => Shape::Scalar,
            },
            Type::Raw => match value {
                Value::Object(_) | Value::Array(_) => Shape::Atomic,
                _ => Shape::Scalar,
            },
            _ => Shape::Scalar,
        }
    }

    /// Whether two values of one type have different shapes; only untyped values can.
    pub(super) fn differs(ty: &Type, left: &Value, right: &Value) -> bool {
        let class = |value| match Shape::of(ty, value) {
            Shape::Scalar => 0,
            Shape::Atomic => 1,
            Shape::List(_) => 2,
            Shape::Map(_) => 3,
        };
        matches!(ty, Type::Any | Type::Raw) && class(left) != class(right)
    }
}

impl<'a> Fields<'a> {
    /// What a key leads to; `None` when the schema has no such field.
    pub(super) fn child(self, name: &str) -> Option<&'a Type> {
        match self {
            Fields::Struct(structure) => match structure.field(name) {
                Some(field) => Some(&field.ty),
                None => is_open(structure).then_some(&ANY),
            },
            Fields::Map(map) => Some(&map.element),
            Fields::Any => Some(&ANY),
        }
    }

    /// Whether the schema declares the key by name.
    pub(super) fn declares(self, name: &str) -> bool {
        matches!(self, Fields::Struct(structure) if structure.field(name).is_some())
    }
}

/// A structure without any field takes any.
fn is_open(structure: &Struct) -> bool {
    structure.open || structure.fields.is_empty()
}

/// The entries of a map; none for anything else.
pub(super) fn entries(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value.and_then(Value::as_object)
}

/// The items of a list; none for anything else.
pub(super) fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The path element that names `item` in its list.
///
/// # Errors
///
/// When the item lacks what tells it apart.
pub(super) fn item_element(list: &ListType, item: &Value) -> Result<String, String> {
    match &list.merge {
        ListMerge::Map(keys) => keyed_element(list, keys, item),
        ListMerge::Set => match item {
            Value::Object(_) => {
                Err("associative list without keys has an element that's a map type".into())
            }
            Value::Array(_) => Err("not supported: associative list with lists as elements".into()),
            Value::Null => {
                Err("associative list without keys has an element that's an explicit null".into())
            }
            scalar => Ok(format!("v:{scalar}")),
        },
        ListMerge::Atomic => Err("invalid indexing of non-associative list".into()),
    }
}

fn keyed_element(list: &ListType, keys: &[Box<str>], item: &Value) -> Result<String, String> {
    let fields = match item {
        Value::Object(fields) => fields,
        Value::Null => return Err("associative list with keys may not have a null element".into()),
        _ => return Err("associative list with keys may not have non-map elements".into()),
    };
    let mut parts: Vec<(&str, String)> = Vec::with_capacity(keys.len());
    for key in keys {
        if let Some(value) = fields.get(&**key) {
            parts.push((key, value.to_string()));
        } else if let Some(default) = key_default(list, key) {
            parts.push((key, default));
        }
    }
    if parts.is_empty() {
        let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
        let keys = keys.join(" ");
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{keys}] (and doesn't have default values for any key fields)"
        ));
    }
    parts.sort();
    let parts: Vec<String> = parts.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
    Ok(format!("k:{{{}}}", parts.join(",")))
}

/// What a key field is when an item leaves it out: its default, or the zero that Go writes.
fn key_default(list: &ListType, key: &str) -> Option<String> {
    let field = list.element.as_struct()?.field(key)?;
    if let Some(default) = &field.default {
        return Some(default.to_string());
    }
    let zero = match field.ty {
        Type::String(_) => "\"\"",
        Type::Bool => "false",
        _ => "0",
    };
    (field.always && !field.pointer).then(|| zero.into())
}

/// Whether two values are equal, `1` and `1.0` included.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(l), Value::Number(r)) => l == r || l.as_f64() == r.as_f64(),
        (Value::Array(l), Value::Array(r)) => {
            l.len() == r.len() && l.iter().zip(r).all(|(l, r)| same(l, r))
        }
        (Value::Object(l), Value::Object(r)) => {
            l.len() == r.len()
                && l.iter().zip(r).all(|((lk, lv), (rk, rv))| lk == rk && same(lv, rv))
        }
        _ => left == right,
    }
}
