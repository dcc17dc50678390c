//! JSON as Go prints it: the server's refusals quote values in Go's formats.

use serde_json::{Map, Value};

use super::schema::Type;

/// As `%v` prints a decoded value: `map[a:1 b:[x y]]`.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" "))
        }
        Value::Object(fields) => {
            let parts: Vec<_> = fields.iter().map(|(k, v)| format!("{k}:{}", plain(v))).collect();
            format!("map[{}]", parts.join(" "))
        }
        Value::Null => "<nil>".into(),
        other => other.to_string(),
    }
}

/// The type of a decoded value, as `%T` prints it.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// As `encoding/json` writes a value of a Go type: fields in declared order, keys of maps sorted.
/// Where `touched` is an object, a patch has gone through, which leaves the fields sorted by name.
pub(super) fn encode(ty: &Type, value: &Value, touched: Option<&Value>) -> String {
    let mut out = String::new();
    write_json(&mut out, Some(ty), value, touched);
    escape_html(&out)
}

fn write_json(out: &mut String, ty: Option<&Type>, value: &Value, touched: Option<&Value>) {
    match value {
        Value::Object(fields) => write_fields(out, ty, fields, touched),
        Value::Array(items) => {
            let element = ty.and_then(Type::as_list).map(|list| &list.element);
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_json(out, element, item, None);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn write_fields(
    out: &mut String,
    ty: Option<&Type>,
    fields: &Map<String, Value>,
    touched: Option<&Value>,
) {
    let declared = ty.and_then(Type::as_struct);
    let position = |name: &String| match declared {
        Some(structure) if touched.is_none_or(|t| !t.is_object()) => {
            structure.fields.iter().position(|field| *field.name == **name).unwrap_or(usize::MAX)
        }
        _ => 0,
    };
    let mut names: Vec<&String> = fields.keys().collect();
    names.sort_by_key(|name| position(name));
    out.push('{');
    for (i, name) in names.into_iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        out.push_str(&Value::String(name.clone()).to_string());
        out.push(':');
        let inner = match (declared, ty) {
            (Some(structure), _) => structure.field(name).map(|field| &field.ty),
            (None, Some(Type::Map(map))) => Some(&map.element),
            _ => None,
        };
        write_json(out, inner, &fields[name], touched.and_then(|t| t.get(name)));
    }
    out.push('}');
}

/// Go writes JSON that is safe within HTML.
fn escape_html(text: &str) -> String {
    text.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

/// What Go says of a text that is no JSON; `why` is what was found here.
pub(super) fn json_error(bytes: &[u8], why: &serde_json::Error) -> String {
    if why.is_eof() {
        return "unexpected end of JSON input".into();
    }
    let line = bytes.split(|b| *b == b'\n').nth(why.line().saturating_sub(1)).unwrap_or_default();
    let at = line.get(why.column().saturating_sub(1)).copied().unwrap_or(b' ');
    let shown = if at.is_ascii() { char::from(at).to_string() } else { format!("\\u00{at:02x}") };
    let text = why.to_string();
    let what = if text.starts_with("recursion limit") {
        "exceeded max depth"
    } else if text.starts_with("trailing characters") {
        "after top-level value"
    } else if text.starts_with("expected `,`") {
        "after object key:value pair"
    } else if text.starts_with("key must be a string") || text.starts_with("trailing comma") {
        "looking for beginning of object key string"
    } else if text.starts_with("expected ident") {
        return literal_error(line.get(..why.column()).unwrap_or_default(), &shown);
    } else if text.starts_with("expected `:`") {
        "after object key"
    } else {
        "looking for beginning of value"
    };
    format!("invalid character '{shown}' {what}")
}

/// `null`, `true` or `false` is cut off or goes on otherwise.
fn literal_error(line: &[u8], shown: &str) -> String {
    let start = line[..line.len().saturating_sub(1)]
        .iter()
        .rposition(|byte| !byte.is_ascii_lowercase())
        .map_or(0, |before| before + 1);
    let given = &line[start..line.len().saturating_sub(1)];
    let literals = ["null", "true", "false"];
    let literal = literals.iter().find(|literal| literal.as_bytes().starts_with(given));
    let Some((literal, next)) =
        literal.and_then(|literal| Some((literal, literal.chars().nth(given.len())?)))
    else {
        return format!("invalid character '{shown}' looking for beginning of value");
    };
    format!("invalid character '{shown}' in literal {literal} (expecting '{next}')")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::apiserver::schema::Registry;
    use crate::object::GroupVersionKind;

    #[test]
    fn json_comes_in_the_order_of_the_go_type() {
        let registry = Registry::builtin();
        let kind = registry.kind(&GroupVersionKind::new("v1", "ConfigMap")).unwrap();
        let root = Type::Struct(kind.root.clone());
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"b": "<", "a": ""}, "metadata": {"uid": "u", "namespace": "n", "labels": {}, "name": "a"}});
        let check = |touched: Option<&Value>, expected: &str| {
            assert_eq!(encode(&root, &map, touched), expected)
        };
        let metadata = r#""metadata":{"name":"a","namespace":"n","uid":"u","labels":{}}"#;
        let data = r#""data":{"a":"","b":"\u003c"}"#;
        check(None, &format!(r#"{{"kind":"ConfigMap","apiVersion":"v1",{metadata},{data}}}"#));
        let touched = json!({"data": {}});
        check(
            Some(&touched),
            &format!(r#"{{"apiVersion":"v1",{data},"kind":"ConfigMap",{metadata}}}"#),
        );
    }
}
