//! Custom resources against their OpenAPI schema.
//!
//! Source: `k8s.io/kube-openapi/pkg/validation`, whose sentences are kept.

use serde_json::Value;

use super::pattern::Pattern;
use super::report::{Node, Report};
use crate::apiserver::schema::KindSchema;

/// Checks what a write through `subresource` sets against the schema of the kind.
pub(super) fn check(kind: &KindSchema, subresource: &str, root: &Node, report: &mut Report) {
    let Some(custom) = &kind.custom else { return };
    if subresource.is_empty() {
        return check_value(&custom.schema, root, report);
    }
    if let Some(schema) = custom.schema.get("properties").and_then(|p| p.get(subresource)) {
        let part = root.at(subresource);
        if part.is_set() {
            check_value(schema, &part, report);
        }
    }
}

fn check_value(schema: &Value, node: &Node, report: &mut Report) {
    if !schema.is_object() || node.value.is_null() && flag(schema, "nullable") {
        return;
    }
    if !check_type(schema, node, report) {
        return;
    }
    check_choice(schema, node, report);
    match node.value {
        Value::String(text) => check_text(schema, text, node, report),
        Value::Number(_) => check_number(schema, node, report),
        Value::Array(items) => check_list(schema, items, node, report),
        Value::Object(_) => check_object(schema, node, report),
        _ => {}
    }
    check_combinations(schema, node, report);
}

fn flag(schema: &Value, name: &str) -> bool {
    schema.get(name) == Some(&Value::Bool(true))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// How the sentences name a place: its path, and nothing at the root.
fn place(node: &Node) -> String {
    let path = node.path();
    if path.is_empty() { "<nil>".into() } else { path }
}

fn check_type(schema: &Value, node: &Node, report: &mut Report) -> bool {
    let wanted = if flag(schema, "x-kubernetes-int-or-string") {
        "integer,string"
    } else {
        schema.get("type").and_then(Value::as_str).unwrap_or("")
    };
    let own = type_name(node.value);
    let whole = node.value.as_f64().is_some_and(|number| number.fract() == 0.0);
    let fits = wanted.is_empty()
        || wanted.split(',').any(|wanted| wanted == own)
        || wanted == "number" && own == "integer"
        || wanted == "integer" && own == "number" && whole;
    if !fits {
        let place = place(node);
        let sentence = format!("{place} in body must be of type {wanted}: {own:?}");
        report.wrong_type(node, &own.into(), sentence);
    }
    fits
}

fn check_choice(schema: &Value, node: &Node, report: &mut Report) {
    let Some(Value::Array(allowed)) = schema.get("enum") else { return };
    if !allowed.contains(node.value) {
        let allowed: Vec<String> = allowed
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), String::from))
            .collect();
        report.unsupported(node, &allowed);
    }
}

fn check_text(schema: &Value, text: &str, node: &Node, report: &mut Report) {
    let length = text.chars().count() as u64;
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
    if let Some(most) = limit("maxLength").filter(|most| length > *most) {
        report.too_long(node, most as usize);
    }
    if let Some(least) = limit("minLength").filter(|least| length < *least) {
        let sentence = format!("{} in body should be at least {least} chars long", place(node));
        report.invalid(node, sentence);
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && Pattern::parse(pattern).is_some_and(|parsed| !parsed.matches(text))
    {
        report.invalid(node, format!("{} in body should match '{pattern}'", place(node)));
    }
    if let Some(format) = schema.get("format").and_then(Value::as_str)
        && !has_format(format, text)
    {
        let sentence = format!("{} in body must be of type {format}: {text:?}", place(node));
        report.invalid(node, sentence);
    }
}

/// Formats that are checked; others are taken as they come.
fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => text.parse::<crate::time::Timestamp>().is_ok(),
        "ipv4" => text.parse::<core::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<core::net::Ipv6Addr>().is_ok(),
        "duration" => text.parse::<crate::time::Duration>().is_ok(),
        _ => true,
    }
}

fn check_number(schema: &Value, node: &Node, report: &mut Report) {
    let Some(number) = node.value.as_f64() else { return };
    let limit = |name: &str| schema.get(name).and_then(|limit| Some((limit, limit.as_f64()?)));
    if let Some((text, least)) = limit("minimum") {
        let exclusive = flag(schema, "exclusiveMinimum");
        if number < least || exclusive && number == least {
            let or = if exclusive { "" } else { " or equal to" };
            let sentence = format!("{} in body should be greater than{or} {text}", place(node));
            report.invalid(node, sentence);
        }
    }
    if let Some((text, most)) = limit("maximum") {
        let exclusive = flag(schema, "exclusiveMaximum");
        if number > most || exclusive && number == most {
            let or = if exclusive { "" } else { " or equal to" };
            let sentence = format!("{} in body should be less than{or} {text}", place(node));
            report.invalid(node, sentence);
        }
    }
    if let Some((text, step)) = limit("multipleOf")
        && step > 0.0
        && (number / step).fract() != 0.0
    {
        report.invalid(node, format!("{} in body should be a multiple of {text}", place(node)));
    }
}

fn check_list(schema: &Value, items: &[Value], node: &Node, report: &mut Report) {
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
    let count = items.len() as u64;
    if let Some(most) = limit("maxItems").filter(|most| count > *most) {
        report.too_many(node, items.len(), most as i64);
    }
    if let Some(least) = limit("minItems").filter(|least| count < *least) {
        let sentence = format!("{} in body should have at least {least} items", place(node));
        report.invalid_value(node, &count.into(), sentence);
    }
    if let Some(own) = schema.get("items") {
        node.items().for_each(|item| check_value(own, &item, report));
    }
    check_unique(schema, node, report);
}

/// Sets and keyed lists hold each item once.
fn check_unique(schema: &Value, node: &Node, report: &mut Report) {
    let keys: Vec<&str> = match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => Vec::new(),
        Some("map") => schema
            .get("x-kubernetes-list-map-keys")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
        _ => return,
    };
    let identity = |item: &Value| -> Value {
        if keys.is_empty() {
            return item.clone();
        }
        let own = keys.iter().filter_map(|key| Some((key.to_string(), item.get(*key)?.clone())));
        Value::Object(own.collect())
    };
    let mut seen: Vec<Value> = Vec::new();
    for item in node.items() {
        let own = identity(item.value);
        if seen.contains(&own) {
            report.duplicate_value(&item, &own);
        } else {
            seen.push(own);
        }
    }
}

fn check_object(schema: &Value, node: &Node, report: &mut Report) {
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
    let count = node.keys().count() as u64;
    if let Some(most) = limit("maxProperties").filter(|most| count > *most) {
        report.too_many(node, count as usize, most as i64);
    }
    if let Some(least) = limit("minProperties").filter(|least| count < *least) {
        let sentence = format!("{} in body should have at least {least} properties", place(node));
        report.invalid(node, sentence);
    }
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if node.value.get(name).is_none() {
            report.required(&node.at(name), "");
        }
    }
    let properties = schema.get("properties");
    let additional = schema.get("additionalProperties").filter(|schema| schema.is_object());
    for name in node.keys() {
        let own = properties.and_then(|properties| properties.get(name)).or(additional);
        if let Some(own) = own {
            check_value(own, &node.at(name), report);
        }
    }
}

fn check_combinations(schema: &Value, node: &Node, report: &mut Report) {
    let list = |name: &str| schema.get(name).and_then(Value::as_array);
    let holds = |schema: &Value| {
        let mut tried = Report::default();
        check_value(schema, node, &mut tried);
        tried.0.is_empty()
    };
    for schema in list("allOf").into_iter().flatten() {
        check_value(schema, node, report);
    }
    let mut broken = |what: &str| {
        report.invalid_value(node, &"".into(), format!("{:?} must {what}", place(node)));
    };
    if list("anyOf").is_some_and(|all| !all.iter().any(holds)) {
        broken("validate at least one schema (anyOf)");
    }
    if let Some(all) = list("oneOf")
        && all.iter().filter(|schema| holds(schema)).count() != 1
    {
        let found = all.iter().filter(|schema| holds(schema)).count();
        let none = if found == 0 { "Found none valid" } else { "Found more than one valid" };
        broken(&format!("validate one and only one schema (oneOf). {none}"));
    }
    if schema.get("not").is_some_and(holds) {
        broken("not validate the schema (not)");
    }
}
