//! Custom resources against their OpenAPI schema.
//!
//! Source: `k8s.io/kube-openapi/pkg/validation`, whose sentences are kept.

use serde_json::Value;

use super::pattern::Pattern;
use super::report::{Node, Report};
use crate::apiserver::schema::KindSchema;

/// Checks what a write through `subresource` sets against the schema of the kind. Items that come twice are
/// found in a walk of their own, after all else.
pub(super) fn check(kind: &KindSchema, subresource: &str, root: &Node, report: &mut Report) {
    let mut found = Report::default();
    check_part(kind, subresource, root, &mut found);
    let (twice, others): (Vec<_>, Vec<_>) =
        found.0.into_iter().partition(|cause| cause.reason == "FieldValueDuplicate");
    report.0.extend(others.into_iter().chain(twice));
}

fn check_part(kind: &KindSchema, subresource: &str, root: &Node, report: &mut Report) {
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
    check_combinations(schema, node, report);
    check_choice(schema, node, report);
    match node.value {
        Value::String(text) => check_text(schema, text, node, report),
        Value::Number(_) => check_number(schema, node, report),
        Value::Array(items) => check_list(schema, items, node, report),
        Value::Object(_) => check_object(schema, node, report),
        _ => {}
    }
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

/// What of several schemas holds. The first of the alternatives tells why it does not, as the one that a
/// real server finds closest most often is.
fn check_combinations(schema: &Value, node: &Node, report: &mut Report) {
    let list = |name: &str| schema.get(name).and_then(Value::as_array);
    let holds = |schema: &Value| {
        let mut tried = Report::default();
        check_value(schema, node, &mut tried);
        tried.0.is_empty()
    };
    let held = |all: &[Value]| all.iter().filter(|schema| holds(schema)).count();
    if let Some(all) = list("anyOf").filter(|all| held(all) == 0) {
        report.broken_combination(node, "must validate at least one schema (anyOf)");
        all.iter().take(1).for_each(|schema| check_value(schema, node, report));
    }
    if let Some(all) = list("oneOf").filter(|all| held(all) != 1) {
        let found = match held(all) {
            0 => "Found none valid".to_owned(),
            found => format!("Found {found} valid alternatives"),
        };
        let what = format!("must validate one and only one schema (oneOf). {found}");
        report.broken_combination(node, &what);
        if held(all) == 0 {
            all.iter().take(1).for_each(|schema| check_value(schema, node, report));
        }
    }
    if let Some(all) = list("allOf") {
        all.iter().for_each(|schema| check_value(schema, node, report));
        if held(all) < all.len() {
            let none = if held(all) == 0 { ". None validated" } else { "" };
            let what = format!("must validate all the schemas (allOf){none}");
            report.broken_combination(node, &what);
        }
    }
    if schema.get("not").is_some_and(holds) {
        report.broken_combination(node, "must not validate the schema (not)");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::apiserver::schema::Registry;
    use crate::object::{GroupVersionKind, Object};

    /// What a kube-apiserver 1.36 says of `spec.f`, as `field: message`.
    fn check(schema: &Value, value: Value, expected: &[&str]) {
        let mut definition = Object::new(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "",
            "things.example.com",
        );
        definition.set("spec", json!({
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object",
                "properties": {"spec": {"type": "object", "properties": {"f": schema}}},
            }}}],
        }));
        let mut registry = Registry::builtin();
        registry.add_custom(&definition).unwrap();
        let kind = registry.kind(&GroupVersionKind::new("example.com/v1", "Thing")).unwrap();
        let object = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "default"}, "spec": {"f": value}});
        let causes = crate::apiserver::schema::validate(kind, "", &object, None);
        let told: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_several_schemas_demand_together_is_told_without_a_field() {
        let of = |name: &str| {
            let all = json!([{"required": ["a"]}, {"required": ["b"]}]);
            let properties = json!({"a": {"type": "string"}, "b": {"type": "string"}});
            json!({"type": "object", "properties": properties, name: all})
        };
        let any = r#"<nil>: Invalid value: "": "spec.f" must validate at least one schema (anyOf)"#;
        check(&of("anyOf"), json!({}), &[any, "spec.f.a: Required value"]);
        check(&of("anyOf"), json!({"b": "1"}), &[]);
        let one = |found: &str| {
            format!(
                r#"<nil>: Invalid value: "": "spec.f" must validate one and only one schema (oneOf). {found}"#
            )
        };
        check(&of("oneOf"), json!({}), &[&one("Found none valid"), "spec.f.a: Required value"]);
        check(&of("oneOf"), json!({"a": "1", "b": "2"}), &[&one("Found 2 valid alternatives")]);
        let all = r#"<nil>: Invalid value: "": "spec.f" must validate all the schemas (allOf). None validated"#;
        check(
            &of("allOf"),
            json!({}),
            &["spec.f.a: Required value", "spec.f.b: Required value", all],
        );
        let not = json!({"type": "object", "properties": {"a": {"type": "string"}}, "not": {"required": ["a"]}});
        let told = r#"<nil>: Invalid value: "": "spec.f" must not validate the schema (not)"#;
        check(&not, json!({"a": "1"}), &[told]);
    }

    #[test]
    fn items_that_come_twice_are_told_last() {
        let schema = json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string", "maxLength": 1}});
        let told = [
            "spec.f[2]: Too long: may not be more than 1 byte",
            "spec.f[1]: Duplicate value: \"a\"",
        ];
        check(&schema, json!(["a", "a", "long"]), &told);
    }
}
