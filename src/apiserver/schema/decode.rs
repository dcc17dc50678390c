//! From the JSON somebody sent to the form objects are kept in: unknown fields dropped, zeros left
//! out or written as the Go types would, quantities and times in canonical form.

use serde_json::{Map, Value};

use super::builtin;
use super::types::{KindSchema, ListType, MapType, Struct, Type};
use crate::api::{FieldValidation, Reason, Status};
use crate::object::Quantity;
use crate::time::Timestamp;

/// Reads `value` as an object of `kind`. Gives its normal form, and warnings about dropped fields.
///
/// The normal form is what `encoding/json` writes of the Go type; for custom resources, the object
/// with unknown fields pruned.
///
/// # Errors
///
/// `BadRequest` when a value is of the wrong type, or with [`FieldValidation::Strict`] when a field is
/// unknown.
pub fn decode(
    kind: &KindSchema,
    mut value: Value,
    validation: FieldValidation,
) -> Result<(Value, Vec<String>), Status> {
    let unknown = normalize(kind, &mut value).map_err(|message| cannot_handle(kind, &message))?;
    if unknown.is_empty() || validation == FieldValidation::Ignore {
        return Ok((value, Vec::new()));
    }
    let unknown: Vec<_> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
    if validation == FieldValidation::Strict {
        let message = format!("strict decoding error: {}", unknown.join(", "));
        return Err(cannot_handle(kind, &message));
    }
    Ok((value, unknown))
}

/// Brings `value` into normal form. Gives the paths of the unknown fields that were dropped.
///
/// # Errors
///
/// The message of Go's decoder.
pub(in crate::apiserver) fn normalize(
    kind: &KindSchema,
    value: &mut Value,
) -> Result<Vec<String>, String> {
    Walk::default().normalize(kind, value)
}

/// As [`normalize`], for what an apply merged. A null that is none of a custom resource's business is left
/// standing there, for validation to refuse: where an apply empties a map that it goes on to want, a
/// real server is left with one.
pub(in crate::apiserver) fn normalize_merged(
    kind: &KindSchema,
    value: &mut Value,
) -> Result<Vec<String>, String> {
    Walk { keeps_nulls: true, ..Walk::default() }.normalize(kind, value)
}

fn cannot_handle(kind: &KindSchema, message: &str) -> Status {
    let name = &kind.gvk.kind;
    Status::failure(
        Reason::BadRequest,
        format!(
            "{name} in version {:?} cannot be handled as a {name}: {message}",
            kind.gvk.version
        ),
    )
}

#[derive(Default)]
struct Walk {
    /// Where we are: `.name` and `[0]` one after the other.
    path: Vec<Step>,
    /// The Go structure we are in, without its package.
    within: Box<str>,
    unknown: Vec<String>,
    /// Whether nulls of custom resources are left where there may be none.
    keeps_nulls: bool,
}

enum Step {
    Field(Box<str>),
    Key(String),
    Item(usize),
}

impl Walk {
    fn structure(&mut self, ty: &Struct, value: &mut Value) -> Result<(), String> {
        let Value::Object(fields) = value else {
            return Err(self.mismatch(value, &ty.go));
        };
        let outside = std::mem::replace(&mut self.within, bare(&ty.go).into());
        self.fields(ty, fields)?;
        self.within = outside;
        carry_over(&ty.name, fields);
        Ok(())
    }

    fn fields(&mut self, ty: &Struct, fields: &mut Map<String, Value>) -> Result<(), String> {
        let mut failed = Ok(());
        fields.retain(|name, value| {
            if failed.is_err() {
                return true;
            }
            let Some(field) = ty.field(name) else {
                self.unknown.push(self.strict_path(name));
                return false;
            };
            if value.is_null() {
                return false;
            }
            self.path.push(Step::Field(field.name.clone()));
            failed = self.value(&field.ty, value);
            self.path.pop();
            field.always || field.pointer || !is_zero(value)
        });
        failed?;
        self.add_zeros(ty, fields);
        Ok(())
    }

    fn add_zeros(&mut self, ty: &Struct, fields: &mut Map<String, Value>) {
        for field in ty.fields.iter().filter(|field| field.always) {
            if !fields.contains_key(&*field.name) {
                let zero = if field.pointer { Value::Null } else { zero(&field.ty) };
                fields.insert(field.name.to_string(), zero);
            } else if !field.pointer && is_empty_container(&fields[&*field.name], &field.ty) {
                fields[&*field.name] = Value::Null;
            }
        }
    }

    fn value(&mut self, ty: &Type, value: &mut Value) -> Result<(), String> {
        match ty {
            Type::String(_) => self.expect(value.is_string(), ty, value),
            Type::Int32 => {
                let fits = value.as_i64().is_some_and(|n| i32::try_from(n).is_ok());
                self.expect(fits, ty, value)
            }
            Type::Int64 => self.expect(value.is_i64(), ty, value),
            Type::Number => self.expect(value.is_number(), ty, value),
            Type::Bool => self.expect(value.is_boolean(), ty, value),
            Type::Bytes => self.bytes(value),
            Type::Time | Type::MicroTime => time(ty, value),
            Type::Quantity => quantity(value),
            Type::IntOrString => int_or_string(value),
            Type::Any | Type::Raw => Ok(()),
            Type::Struct(structure) => self.structure(structure, value),
            Type::Map(map) => self.map(map, ty, value),
            Type::List(list) => self.list(list, ty, value),
        }
    }

    fn map(&mut self, map: &MapType, ty: &Type, value: &mut Value) -> Result<(), String> {
        let Value::Object(entries) = value else { return Err(self.mismatch(value, &ty.go())) };
        for (key, value) in entries.iter_mut() {
            if value.is_null() {
                *value = zero(&map.element);
                continue;
            }
            self.path.push(Step::Key(key.clone()));
            self.value(&map.element, value)?;
            self.path.pop();
        }
        Ok(())
    }

    fn list(&mut self, list: &ListType, ty: &Type, value: &mut Value) -> Result<(), String> {
        let Value::Array(items) = value else { return Err(self.mismatch(value, &ty.go())) };
        for (i, item) in items.iter_mut().enumerate() {
            if item.is_null() {
                *item = if list.pointers { Value::Null } else { zero(&list.element) };
                continue;
            }
            self.path.push(Step::Item(i));
            self.value(&list.element, item)?;
            self.path.pop();
        }
        Ok(())
    }

    fn bytes(&mut self, value: &mut Value) -> Result<(), String> {
        let Value::String(text) = value else { return Err(self.mismatch(value, "[]uint8")) };
        if let Err(position) = check_base64(text) {
            return Err(format!("illegal base64 data at input byte {position}"));
        }
        text.retain(|c| !matches!(c, '\r' | '\n'));
        Ok(())
    }

    fn expect(&self, fits: bool, ty: &Type, value: &Value) -> Result<(), String> {
        if fits { Ok(()) } else { Err(self.mismatch(value, &ty.go())) }
    }

    /// `json.UnmarshalTypeError`: the structure we are in, and the fields that lead here.
    fn mismatch(&self, value: &Value, go: &str) -> String {
        let fields = self.path.iter().filter_map(|step| match step {
            Step::Field(name) => Some(&**name),
            _ => None,
        });
        let fields: Vec<&str> = fields.collect();
        let what = describe(value, go);
        if fields.is_empty() {
            return format!("json: cannot unmarshal {what} into Go value of type {go}");
        }
        let within = &self.within;
        let path = fields.join(".");
        format!("json: cannot unmarshal {what} into Go struct field {within}.{path} of type {go}")
    }

    /// The path of a field here, as strict decoding names it.
    fn strict_path(&self, name: &str) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Item(i) => path.push_str(&format!("[{i}]")),
                Step::Field(name) => push_name(&mut path, name),
                Step::Key(name) => push_name(&mut path, name),
            }
        }
        push_name(&mut path, name);
        path
    }

    fn normalize(mut self, kind: &KindSchema, value: &mut Value) -> Result<Vec<String>, String> {
        if kind.is_custom() {
            self.prune_root(&kind.root, value)?;
        } else {
            self.structure(&kind.root, value)?;
            value["apiVersion"] = kind.gvk.api_version().into();
            value["kind"] = kind.gvk.kind.as_str().into();
        }
        Ok(self.unknown)
    }

    fn prune_root(&mut self, root: &Struct, value: &mut Value) -> Result<(), String> {
        let Value::Object(fields) = value else { return Err("not an object".into()) };
        let mut metadata = fields.remove("metadata").unwrap_or(Value::Null);
        if metadata.is_null() {
            metadata = Value::Object(Map::new());
        }
        self.path.push(Step::Field("metadata".into()));
        self.structure(&builtin::named("ObjectMeta"), &mut metadata)?;
        self.path.pop();
        let known = self.unknown.len();
        self.prune_fields(root, fields);
        self.unknown[known..].sort();
        fields.insert("metadata".into(), metadata);
        Ok(())
    }

    fn prune_fields(&mut self, ty: &Struct, fields: &mut Map<String, Value>) {
        fields.retain(|name, value| {
            let Some(field) = ty.field(name) else {
                if !ty.open {
                    self.unknown.push(self.strict_path(name));
                }
                return ty.open;
            };
            if value.is_null() && !self.keeps_nulls && !field.nullable && field.default.is_none() {
                return false;
            }
            self.path.push(Step::Field(field.name.clone()));
            self.prune(&field.ty, value);
            self.path.pop();
            true
        });
    }

    fn prune(&mut self, ty: &Type, value: &mut Value) {
        match (ty, value) {
            (Type::Struct(structure), Value::Object(fields)) => {
                self.prune_fields(structure, fields)
            }
            (Type::Map(map), Value::Object(entries)) => {
                for (key, value) in entries {
                    self.path.push(Step::Key(key.clone()));
                    self.prune(&map.element, value);
                    self.path.pop();
                }
            }
            (Type::List(list), Value::Array(items)) => {
                for (i, item) in items.iter_mut().enumerate() {
                    self.path.push(Step::Item(i));
                    self.prune(&list.element, item);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }
}

/// What the conversion to the server's own types and back changes.
///
/// Source: `pkg/apis/*/v1/conversion.go`.
fn carry_over(structure: &str, fields: &mut Map<String, Value>) {
    match structure {
        "PodSpec" => mirror_account(fields),
        "StatefulSetSpec" => name_claims(fields),
        "DaemonSet" => note_template_generation(fields),
        _ => {}
    }
}

/// `serviceAccount` is the former name of `serviceAccountName`.
fn mirror_account(spec: &mut Map<String, Value>) {
    const NAMES: [&str; 2] = ["serviceAccountName", "serviceAccount"];
    let Some(name) = NAMES.iter().find_map(|name| spec.get(*name)).cloned() else { return };
    NAMES.iter().for_each(|field| drop(spec.insert((*field).into(), name.clone())));
}

/// The templates of claims are whole objects.
fn name_claims(spec: &mut Map<String, Value>) {
    let Some(Value::Array(claims)) = spec.get_mut("volumeClaimTemplates") else { return };
    for claim in claims.iter_mut().filter_map(Value::as_object_mut) {
        claim.insert("apiVersion".into(), "v1".into());
        claim.insert("kind".into(), "PersistentVolumeClaim".into());
    }
}

/// An annotation keeps what was a field once.
fn note_template_generation(daemon_set: &mut Map<String, Value>) {
    let metadata = daemon_set.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(metadata) = metadata else { return };
    let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(annotations) = annotations else { return };
    annotations.entry("deprecated.daemonset.template.generation").or_insert_with(|| "0".into());
}

fn push_name(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

fn bare(go: &str) -> &str {
    go.rsplit('.').next().unwrap_or(go)
}

/// How Go's decoder names a JSON value.
fn describe(value: &Value, go: &str) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(n) if go.starts_with("int") || go.starts_with("float") => {
            format!("number {n}")
        }
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(_) => "array".into(),
        Value::Object(_) => "object".into(),
    }
}

fn quantity(value: &mut Value) -> Result<(), String> {
    let text = match &*value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let quantity: Quantity = text.parse().map_err(|e| format!("{e}"))?;
    *value = quantity.to_string().into();
    Ok(())
}

fn time(ty: &Type, value: &mut Value) -> Result<(), String> {
    let Value::String(text) = value else {
        let what = describe(value, "string");
        return Err(format!("json: cannot unmarshal {what} into Go value of type string"));
    };
    let Ok(instant) = text.parse::<Timestamp>() else {
        let layout = match ty {
            Type::MicroTime => "2006-01-02T15:04:05.000000Z07:00",
            _ => "2006-01-02T15:04:05Z07:00",
        };
        return Err(format!(
            "parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""
        ));
    };
    *text = match ty {
        Type::MicroTime => micros(text, instant),
        _ => instant.to_string(),
    };
    Ok(())
}

/// The virtual clock counts milliseconds; a written fraction keeps its six digits.
fn micros(text: &str, instant: Timestamp) -> String {
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let digits: String = fraction.chars().take_while(char::is_ascii_digit).take(6).collect();
    let whole = instant.to_string();
    format!("{}.{digits:0<6}Z", whole.trim_end_matches('Z'))
}

fn int_or_string(value: &Value) -> Result<(), String> {
    if value.is_string() || value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) {
        return Ok(());
    }
    let what = describe(value, "int32");
    Err(format!("json: cannot unmarshal {what} into Go value of type int32"))
}

/// Standard base64 with padding, as `encoding/base64` reads it.
///
/// # Errors
///
/// The position that Go's decoder names.
fn check_base64(text: &str) -> Result<(), usize> {
    let mut bytes = text.bytes().enumerate().filter(|(_, byte)| !matches!(byte, b'\r' | b'\n'));
    let mut within = 0;
    while let Some((position, byte)) = bytes.next() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => within = (within + 1) % 4,
            b'=' if within == 2 => match bytes.next() {
                None => return Err(text.len()),
                Some((_, b'=')) => return nothing_more(bytes.next()),
                Some((position, _)) => return Err(position - 1),
            },
            b'=' if within == 3 => return nothing_more(bytes.next()),
            _ => return Err(position),
        }
    }
    if within == 0 { Ok(()) } else { Err(text.len() - within) }
}

fn nothing_more(next: Option<(usize, u8)>) -> Result<(), usize> {
    next.map_or(Ok(()), |(position, _)| Err(position))
}

/// Whether Go leaves the value out under `omitempty`.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// Whether an empty list or map stands where storage keeps nothing at all.
fn is_empty_container(value: &Value, ty: &Type) -> bool {
    matches!(ty, Type::List(_) | Type::Map(_)) && is_zero(value)
}

/// What Go writes of a type's zero value.
pub(super) fn zero(ty: &Type) -> Value {
    match ty {
        Type::String(_) => "".into(),
        Type::Int32 | Type::Int64 | Type::Number | Type::IntOrString => 0.into(),
        Type::Bool => false.into(),
        Type::Quantity => "0".into(),
        Type::Bytes | Type::Time | Type::MicroTime | Type::Any | Type::Raw => Value::Null,
        Type::Map(_) | Type::List(_) => Value::Null,
        Type::Struct(structure) => zero_struct(structure),
    }
}

fn zero_struct(structure: &Struct) -> Value {
    let written = structure.fields.iter().filter(|field| field.always);
    let zeros = written.map(|field| {
        let zero = if field.pointer { Value::Null } else { zero(&field.ty) };
        (field.name.to_string(), zero)
    });
    Value::Object(zeros.collect())
}
