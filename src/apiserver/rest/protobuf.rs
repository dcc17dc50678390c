//! Bodies in protobuf, which typed clients send for built-in kinds: `kubectl create`, client-go.
//!
//! The schema says what a field holds and `wire.numbers` where it stands, so that this is one walk for
//! all kinds. Source: `k8s.io/apimachinery/pkg/runtime/serializer/protobuf`, and the `generated.proto` of
//! each group.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::api::Status;
use crate::apiserver::schema::{Field, ListType, MapType, Struct, Type};
use crate::apiserver::server::Server;
use crate::apiserver::{base64, refusal};
use crate::object::GroupVersionKind;
use crate::time::Timestamp;

/// What a body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Messages nest no deeper than this.
const DEEPEST: usize = 100;

/// Where the fields of a type stand: one number, or several for a part that JSON shows in place.
type Numbers = Vec<(&'static str, Vec<u64>)>;

static NUMBERS: LazyLock<BTreeMap<&str, Numbers>> = LazyLock::new(|| {
    let lines =
        include_str!("../schema/wire.numbers").lines().filter(|line| !line.starts_with('#'));
    let row = |line: &'static str| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let field = |word: &'static str| {
            let (name, path) = word.split_once('=').expect("a field and its number");
            (name, path.split('.').map(|step| step.parse().expect("a number")).collect())
        };
        (name, words.map(field).collect())
    };
    lines.map(row).collect()
});

/// What a message cannot be read for.
struct Malformed(&'static str);

type Read<T> = Result<T, Malformed>;

/// One field as it stands in a message.
#[derive(Clone, Copy)]
enum Payload<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// A body in protobuf as the JSON that says the same.
///
/// # Errors
///
/// When it is no such body, or of a kind that is not built in.
pub fn to_json(server: &Server, body: &[u8]) -> Result<Value, Status> {
    let refused =
        |Malformed(why)| refusal::bad_request(format!("the protobuf body is malformed: {why}"));
    let (kind, raw) = envelope(body).map_err(refused)?;
    let schema = server.resources.registry().kind(&kind).filter(|schema| schema.custom.is_none());
    let mut value = match (schema, kind.kind.as_str()) {
        (_, "DeleteOptions") => delete_options(raw),
        (Some(schema), _) => structure(&schema.root, raw, DEEPEST),
        (None, _) => return Err(refusal::unsupported_body()),
    }
    .map_err(refused)?;
    value["apiVersion"] = json!(kind.api_version());
    value["kind"] = json!(kind.kind);
    Ok(value)
}

/// `runtime.Unknown`: the kind, and the object.
fn envelope(body: &[u8]) -> Read<(GroupVersionKind, &[u8])> {
    let message = body.strip_prefix(MAGIC).ok_or(Malformed("it does not begin with k8s"))?;
    let fields = fields(message)?;
    let kind = fields.iter().find_map(|field| bytes_of(field, 1)).unwrap_or_default();
    let raw = fields.iter().find_map(|field| bytes_of(field, 2)).unwrap_or_default();
    let kind = self::fields(kind)?;
    let text =
        |number| text(kind.iter().find_map(|field| bytes_of(field, number)).unwrap_or_default());
    Ok((GroupVersionKind::new(&text(1)?, &text(2)?), raw))
}

fn delete_options(raw: &[u8]) -> Read<Value> {
    let mut options = json!({});
    for (number, payload) in fields(raw)? {
        match (number, payload) {
            (1, Payload::Number(seconds)) => options["gracePeriodSeconds"] = json!(seconds as i64),
            (2, Payload::Bytes(preconditions)) => {
                for field in fields(preconditions)? {
                    for (number, name) in [(1, "uid"), (2, "resourceVersion")] {
                        if let Some(value) = bytes_of(&field, number) {
                            options["preconditions"][name] = text(value)?.into();
                        }
                    }
                }
            }
            (3, Payload::Number(orphan)) => options["orphanDependents"] = json!(orphan != 0),
            (4, Payload::Bytes(policy)) => options["propagationPolicy"] = text(policy)?.into(),
            (5, Payload::Bytes(value)) => options["dryRun"] = json!([text(value)?]),
            _ => {}
        }
    }
    Ok(options)
}

fn structure(of: &Struct, message: &[u8], depth: usize) -> Read<Value> {
    let numbers = NUMBERS.get(&*of.name).ok_or(Malformed("a type that is not known here"))?;
    let depth = depth.checked_sub(1).ok_or(Malformed("it is nested too deeply"))?;
    let own = fields(message)?;
    let mut object = Map::new();
    for (name, path) in numbers {
        let (Some(field), Some((last, parts))) = (of.field(name), path.split_last()) else {
            continue;
        };
        let found = stand_at(&own, parts, *last)?;
        if !found.is_empty()
            && let Some(value) = field_value(field, &found, depth)?
        {
            object.insert((*name).to_owned(), value);
        }
    }
    Ok(Value::Object(object))
}

/// The payloads of a number, in the message that the parts lead to.
fn stand_at<'a>(own: &[(u64, Payload<'a>)], parts: &[u64], number: u64) -> Read<Vec<Payload<'a>>> {
    let Some((part, parts)) = parts.split_first() else {
        return Ok(own.iter().filter(|(n, _)| *n == number).map(|(_, payload)| *payload).collect());
    };
    match own.iter().rev().find_map(|field| bytes_of(field, *part)) {
        Some(below) => stand_at(&fields(below)?, parts, number),
        None => Ok(Vec::new()),
    }
}

/// What a field is in JSON; `None` where Go leaves it out for being zero.
fn field_value(field: &Field, found: &[Payload<'_>], depth: usize) -> Read<Option<Value>> {
    let value = match &field.ty {
        Type::List(list) => items(list, found, depth)?,
        Type::Map(map) => entries(map, found, depth)?,
        ty => single(ty, *found.last().expect("at least one"), depth)?,
    };
    let kept = field.always || field.pointer || !is_zero(&value);
    Ok(kept.then_some(value))
}

fn items(list: &ListType, found: &[Payload<'_>], depth: usize) -> Read<Value> {
    found
        .iter()
        .map(|item| single(&list.element, *item, depth))
        .collect::<Read<Vec<_>>>()
        .map(Value::Array)
}

fn entries(map: &MapType, found: &[Payload<'_>], depth: usize) -> Read<Value> {
    let mut object = Map::new();
    for entry in found {
        let Payload::Bytes(entry) = entry else {
            return Err(Malformed("an entry that is no message"));
        };
        let entry = fields(entry)?;
        let key = text(entry.iter().find_map(|field| bytes_of(field, 1)).unwrap_or_default())?;
        let value = entry.iter().find(|(number, _)| *number == 2).map(|(_, payload)| *payload);
        object.insert(key, single(&map.element, value.unwrap_or(Payload::Bytes(&[])), depth)?);
    }
    Ok(Value::Object(object))
}

fn single(ty: &Type, payload: Payload<'_>, depth: usize) -> Read<Value> {
    Ok(match (ty, payload) {
        (Type::Bool, Payload::Number(n)) => json!(n != 0),
        (Type::Int32, Payload::Number(n)) => json!(n as i32),
        (Type::Int64, Payload::Number(n)) => json!(n as i64),
        (Type::Number, Payload::Number(bits)) => json!(f64::from_bits(bits)),
        (Type::String(_), Payload::Bytes(bytes)) => json!(text(bytes)?),
        (Type::Bytes, Payload::Bytes(bytes)) => json!(base64::encode(bytes)),
        (Type::Time, Payload::Bytes(message)) => time(message, false)?,
        (Type::MicroTime, Payload::Bytes(message)) => time(message, true)?,
        (Type::Quantity, Payload::Bytes(message)) => json!(text(first(message)?)?),
        (Type::IntOrString, Payload::Bytes(message)) => int_or_string(message)?,
        (Type::Any | Type::Raw, Payload::Bytes(message)) => serde_json::from_slice(first(message)?)
            .map_err(|_| Malformed("a raw part that is no JSON"))?,
        (Type::Struct(of), Payload::Bytes(message)) => structure(of, message, depth)?,
        // A list within a list or a map is a message with its items.
        (Type::List(list), Payload::Bytes(message)) => {
            let own = fields(message)?;
            let found: Vec<Payload<'_>> = own.into_iter().map(|(_, payload)| payload).collect();
            items(list, &found, depth)?
        }
        _ => return Err(Malformed("a field of another type than its own")),
    })
}

fn time(message: &[u8], micros: bool) -> Read<Value> {
    let number = |wanted: u64| -> Read<i64> {
        Ok(fields(message)?
            .iter()
            .rev()
            .find_map(|field| match field {
                (number, Payload::Number(n)) if *number == wanted => Some(*n as i64),
                _ => None,
            })
            .unwrap_or(0))
    };
    let (seconds, nanos) = (number(1)?, number(2)?);
    let Ok(seconds) = u64::try_from(seconds) else { return Ok(Value::Null) };
    if seconds == 0 && nanos == 0 {
        return Ok(Value::Null);
    }
    let whole = seconds.checked_mul(1000).ok_or(Malformed("a time out of range"))?;
    let text = Timestamp::from_millis(whole).to_string();
    Ok(match micros {
        false => json!(text),
        true => json!(format!(
            "{}.{:06}Z",
            text.trim_end_matches('Z'),
            nanos.clamp(0, 999_999_999) / 1000
        )),
    })
}

fn int_or_string(message: &[u8]) -> Read<Value> {
    let own = fields(message)?;
    let number = |wanted: u64| {
        own.iter().rev().find_map(|field| match field {
            (number, Payload::Number(n)) if *number == wanted => Some(*n),
            _ => None,
        })
    };
    match number(1).unwrap_or(0) {
        0 => Ok(json!(number(2).unwrap_or(0) as i32)),
        _ => Ok(json!(text(own.iter().find_map(|field| bytes_of(field, 3)).unwrap_or_default())?)),
    }
}

/// The bytes of a message's first field.
fn first(message: &[u8]) -> Read<&[u8]> {
    Ok(fields(message)?.iter().find_map(|field| bytes_of(field, 1)).unwrap_or_default())
}

fn bytes_of<'a>(field: &(u64, Payload<'a>), number: u64) -> Option<&'a [u8]> {
    match field {
        (n, Payload::Bytes(bytes)) if *n == number => Some(bytes),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Read<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed("a text that is not UTF-8"))
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// The fields of a message, in order.
fn fields(mut message: &[u8]) -> Read<Vec<(u64, Payload<'_>)>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let payload = match tag & 7 {
            0 => Payload::Number(varint(&mut message)?),
            1 => Payload::Number(u64::from_le_bytes(fixed(&mut message)?)),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok();
                let split = length.and_then(|length| message.split_at_checked(length));
                let (bytes, rest) = split.ok_or(Malformed("it ends within a field"))?;
                message = rest;
                Payload::Bytes(bytes)
            }
            5 => Payload::Number(u64::from(u32::from_le_bytes(fixed(&mut message)?))),
            _ => return Err(Malformed("a wire type that is not known")),
        };
        found.push((tag >> 3, payload));
    }
    Ok(found)
}

fn varint(message: &mut &[u8]) -> Read<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().ok_or(Malformed("it ends within a number"))?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed("a number of more than 64 bits"))
}

fn fixed<const N: usize>(message: &mut &[u8]) -> Read<[u8; N]> {
    let (bytes, rest) = message.split_first_chunk().ok_or(Malformed("it ends within a number"))?;
    *message = rest;
    Ok(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apiserver::schema::Registry;

    /// A field of bytes.
    fn part(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).expect("a short part");
        [&[number << 3 | 2, length], content].concat()
    }

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let kind = [part(1, api_version.as_bytes()), part(2, kind.as_bytes())].concat();
        [MAGIC, &part(1, &kind), &part(2, raw)].concat()
    }

    #[test]
    fn every_field_of_every_built_in_kind_has_a_number() {
        let registry = Registry::builtin();
        let mut left: Vec<&Struct> = registry.kinds().map(|kind| &*kind.root).collect();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(of) = left.pop() {
            if !seen.insert(&*of.name) {
                continue;
            }
            let numbers =
                NUMBERS.get(&*of.name).unwrap_or_else(|| panic!("no numbers of {}", of.name));
            for field in &of.fields {
                let known = numbers.iter().any(|(name, _)| *name == &*field.name);
                let own = matches!(&*field.name, "apiVersion" | "kind");
                assert!(known || own, "no number of {}.{}", of.name, field.name);
                left.extend(structures(&field.ty));
            }
        }
        assert!(seen.len() > 300, "{}", seen.len());
    }

    fn structures(ty: &Type) -> Option<&Struct> {
        match ty {
            Type::Struct(of) => Some(of),
            Type::List(list) => structures(&list.element),
            Type::Map(map) => structures(&map.element),
            _ => None,
        }
    }

    #[test]
    fn a_message_is_the_json_that_says_the_same() {
        let server = Server::new();
        let metadata = part(1, &[part(1, b"settings"), part(3, b"web"), part(2, b"")].concat());
        let data = part(2, &[part(1, b"mode"), part(2, b"dark")].concat());
        let raw = [metadata, data].concat();
        let json = to_json(&server, &body("v1", "ConfigMap", &raw)).unwrap();
        let expected = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": "web"}, "data": {"mode": "dark"},
        });
        assert_eq!(json, expected);
        let target = [&[1 << 3, 1][..], &part(3, b"http")].concat();
        let port = [&[3 << 3, 80][..], &part(4, &target)].concat();
        let spec = part(2, &part(1, &port));
        let json = to_json(&server, &body("v1", "Service", &spec)).unwrap();
        assert_eq!(json["spec"]["ports"], json!([{"port": 80, "targetPort": "http"}]));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let server = Server::new();
        let check = |body: &[u8]| assert_eq!(to_json(&server, body).unwrap_err().code / 100, 4);
        check(b"");
        check(b"{}");
        check(&[MAGIC, &[0xff; 20]].concat());
        check(&body("v1", "Widget", b""));
        check(&body("v1", "ConfigMap", &[0x0a, 0x7f]));
        check(&body("v1", "ConfigMap", &[0x0a]));
        check(&body("v1", "ConfigMap", &part(1, &part(1, &[0xff, 0xfe]))));
        check(&body("v1", "ConfigMap", &[1 << 3, 5]));
    }
}
