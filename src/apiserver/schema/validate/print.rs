//! Values as the real server's internal Go types print, where a refusal quotes a whole structure.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::apiserver::schema::types::{Field, Struct, Type};
use crate::apiserver::schema::{builtin, decode};

static NAMES: LazyLock<BTreeMap<&str, Vec<Printed>>> =
    LazyLock::new(|| read(include_str!("print.names")));

/// A field of an internal type.
struct Printed {
    name: &'static str,
    /// The field of the table's type; empty for none.
    field: &'static str,
    /// Whether that field is one of the structure above.
    from_above: bool,
    zero: Zero,
}

#[derive(Clone, Copy)]
enum Zero {
    Null,
    Text,
    Number,
    False,
    Structure,
}

fn read(text: &'static str) -> BTreeMap<&'static str, Vec<Printed>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split(' ');
            (words.next().unwrap_or(""), words.filter_map(read_field).collect())
        })
        .collect()
}

fn read_field(word: &'static str) -> Option<Printed> {
    let (name, rest) = word.split_once('=')?;
    let (field, zero) = rest.split_at(rest.len() - 1);
    let zero = match zero {
        "\"" => Zero::Text,
        "0" => Zero::Number,
        "f" => Zero::False,
        "{" => Zero::Structure,
        _ => Zero::Null,
    };
    let above = field.strip_prefix('^');
    let field = above.unwrap_or(field).trim_start_matches('-');
    Some(Printed { name, field, from_above: above.is_some(), zero })
}

/// `value`, a structure of the table's type `name`, as one line of JSON.
pub(super) fn line(name: &str, value: &Value) -> String {
    let ty = Type::Struct(builtin::named(name));
    let mut text = String::new();
    print(&ty, value, &Value::Null, &mut text);
    text
}

/// The difference of two structures of the table's type `name`, as `diff -u` gives it of their
/// indented JSON.
pub(super) fn difference(name: &str, old: &Value, new: &Value) -> String {
    let lines = |value: &Value| indented(&line(name, value));
    let (old, new) = (lines(old), lines(new));
    let diff = similar::TextDiff::from_lines(&old, &new);
    diff.unified_diff().context_radius(3).to_string()
}

fn print(ty: &Type, value: &Value, above: &Value, text: &mut String) {
    match (ty, value) {
        (Type::Struct(structure), Value::Object(fields)) => match NAMES.get(&*structure.name) {
            Some(printed) => print_internal(structure, printed, fields, above, text),
            None => print_declared(structure, fields, value, text),
        },
        (Type::List(list), Value::Array(items)) => {
            let parts = items.iter().map(|item| {
                let mut part = String::new();
                print(&list.element, item, value, &mut part);
                part
            });
            text.push('[');
            text.push_str(&parts.collect::<Vec<_>>().join(","));
            text.push(']');
        }
        (_, value) => text.push_str(&value.to_string()),
    }
}

fn print_internal(
    structure: &Struct,
    printed: &[Printed],
    fields: &Map<String, Value>,
    above: &Value,
    text: &mut String,
) {
    let own = Value::Object(fields.clone());
    let mut parts = Vec::new();
    for field in printed {
        let holder = if field.from_above { above } else { &own };
        let value = holder.get(field.field).unwrap_or(&Value::Null);
        let declared = structure.field(field.field);
        if field.name.is_empty() {
            parts.extend(embedded(declared, value));
            continue;
        }
        let mut part = format!("{:?}:", field.name);
        print_field(field, declared, value, &own, &mut part);
        parts.push(part);
    }
    text.push('{');
    text.push_str(&parts.join(","));
    text.push('}');
}

fn print_field(
    field: &Printed,
    declared: Option<&Field>,
    value: &Value,
    own: &Value,
    text: &mut String,
) {
    let zero = match (value, field.zero) {
        (Value::Null, Zero::Null) => "null",
        (Value::Null, Zero::Text) => "\"\"",
        (Value::Null, Zero::Number) => "0",
        (Value::Null, Zero::False) => "false",
        _ => "",
    };
    match declared {
        _ if !zero.is_empty() => text.push_str(zero),
        Some(declared) if value.is_null() => {
            print(&declared.ty, &decode::zero(&declared.ty), own, text)
        }
        Some(declared) => print(&declared.ty, value, own, text),
        None => text.push_str(&value.to_string()),
    }
}

/// The fields of a structure that Go embeds: they print as fields of what holds them.
fn embedded(declared: Option<&Field>, value: &Value) -> Option<String> {
    let fields = value.as_object().filter(|fields| !fields.is_empty())?;
    let mut text = String::new();
    print_declared(declared?.ty.as_struct()?, fields, value, &mut text);
    Some(text[1..text.len() - 1].to_string())
}

/// A type that prints as it is written, in the order it is declared.
fn print_declared(structure: &Struct, fields: &Map<String, Value>, own: &Value, text: &mut String) {
    let parts = structure.fields.iter().filter_map(|field| {
        let value = fields.get(&*field.name)?;
        let mut part = format!("{:?}:", field.name);
        print(&field.ty, value, own, &mut part);
        Some(part)
    });
    text.push('{');
    text.push_str(&parts.collect::<Vec<_>>().join(","));
    text.push('}');
}

/// One line of JSON, indented by one space a level.
fn indented(line: &str) -> String {
    let (mut text, mut depth, mut quoted, mut escaped) = (String::new(), 0usize, false, false);
    let mut letters = line.chars().peekable();
    while let Some(c) = letters.next() {
        let structural = !quoted;
        if !escaped && c == '"' {
            quoted = !quoted;
        }
        escaped = quoted && !escaped && c == '\\';
        match c {
            '{' | '[' if structural => {
                text.push(c);
                if letters.peek().is_some_and(|next| matches!(next, '}' | ']')) {
                    text.extend(letters.next());
                    continue;
                }
                depth += 1;
                new_line(&mut text, depth);
            }
            '}' | ']' if structural => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(c);
            }
            ',' if structural => {
                text.push(c);
                new_line(&mut text, depth);
            }
            ':' if structural => text.push_str(": "),
            c => text.push(c),
        }
    }
    text.push('\n');
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', depth));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn structures_print_as_internal_types_do() {
        let check =
            |name: &str, value: Value, expected: &str| assert_eq!(line(name, &value), expected);
        check(
            "DeploymentStrategy",
            json!({"type": "Magic"}),
            r#"{"Type":"Magic","RollingUpdate":null}"#,
        );
        check(
            "RoleRef",
            json!({"apiGroup": "a", "kind": "Role", "name": "b"}),
            r#"{"APIGroup":"a","Kind":"Role","Name":"b"}"#,
        );
    }

    #[test]
    fn differences_are_of_the_indented_print() {
        let claim = |mode: &str| json!({"accessModes": [mode], "resources": {}});
        let difference = difference("PersistentVolumeClaimSpec", &claim("A"), &claim("B"));
        assert!(difference.starts_with("@@ -1,6 +1,6 @@\n {\n  \"AccessModes\": [\n-  \"A\"\n+  \"B\"\n  ],\n  \"Selector\": null,\n"), "{difference}");
    }
}
