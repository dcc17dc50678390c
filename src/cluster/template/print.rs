//! A pod template as Go prints it: `%#v` of `github.com/davecgh/go-spew` with sorted keys and without
//! methods, addresses and capacities (`k8s.io/apimachinery/pkg/util/dump.ForHash`).

use std::fmt::Write;

use serde_json::Value;

use super::layout::{self, Layout};
use crate::object::Quantity;

/// Prints a pod template.
pub(super) fn template(template: &Value, out: &mut dyn Write) {
    let mut printer = Printer { layout: layout::pod_template(), out };
    printer.typed("v1.PodTemplateSpec", template);
}

struct Printer<'a> {
    layout: &'static Layout,
    out: &'a mut dyn Write,
}

impl Printer<'_> {
    fn put(&mut self, text: &str) {
        self.out.write_str(text).expect("a hash and a text take everything");
    }

    /// A value with its type before it.
    fn typed(&mut self, go: &str, value: &Value) {
        self.put("(");
        self.put(go);
        self.put(")");
        match go.strip_prefix('*') {
            Some(_) if value.is_null() => self.put("<nil>"),
            Some(pointed) => self.bare(pointed, value),
            None => self.bare(go, value),
        }
    }

    /// A value without its type.
    fn bare(&mut self, go: &str, value: &Value) {
        if let Some(element) = go.strip_prefix("[]") {
            return self.slice(element, value);
        }
        if let Some((_, element)) = go.strip_prefix("map[").and_then(|m| m.split_once(']')) {
            return self.map(element, value);
        }
        match go {
            "resource.Quantity" => self.quantity(value),
            "intstr.IntOrString" => self.int_or_string(value),
            "time.Time" => self.put("{wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}"),
            "v1.ResourceList" => self.map("resource.Quantity", value),
            _ => match self.layout.fields(go) {
                Some(_) => self.fields(go, value),
                None => self.scalar(self.layout.bottom(go), value),
            },
        }
    }

    fn slice(&mut self, element: &str, value: &Value) {
        let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
            return self.put("<nil>");
        };
        self.put("[");
        for (i, item) in items.iter().enumerate() {
            self.put(if i > 0 { " " } else { "" });
            self.bare(element, item);
        }
        self.put("]");
    }

    fn map(&mut self, element: &str, value: &Value) {
        let Some(entries) = value.as_object().filter(|entries| !entries.is_empty()) else {
            return self.put("<nil>");
        };
        self.put("map[");
        for (i, (key, item)) in entries.iter().enumerate() {
            self.put(if i > 0 { " " } else { "" });
            self.put(key);
            self.put(":");
            self.bare(element, item);
        }
        self.put("]");
    }

    fn fields(&mut self, go: &str, value: &Value) {
        self.put("{");
        for (i, field) in self.layout.fields(go).into_iter().flatten().enumerate() {
            self.put(if i > 0 { " " } else { "" });
            self.put(field.name);
            self.put(":");
            match field.json {
                Some(json) => self.typed(field.go, value.get(json).unwrap_or(&Value::Null)),
                None => self.typed(field.go, value),
            }
        }
        self.put("}");
    }

    fn scalar(&mut self, bottom: &str, value: &Value) {
        match (bottom, value) {
            ("string", value) => self.put(value.as_str().unwrap_or_default()),
            ("bool", value) => self.put(if *value == true { "true" } else { "false" }),
            (_, Value::Number(number)) => self.put(&number.to_string()),
            _ => self.put("0"),
        }
    }

    fn int_or_string(&mut self, value: &Value) {
        let (kind, number) = match value {
            Value::String(_) => (1, 0),
            number => (0, number.as_i64().unwrap_or(0)),
        };
        let text = value.as_str().unwrap_or_default();
        self.put(&format!(
            "{{Type:(intstr.Type){kind} IntVal:(int32){number} StrVal:(string){text}}}"
        ));
    }

    fn quantity(&mut self, value: &Value) {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let text = text.parse::<Quantity>().map_or(text, |quantity| quantity.to_string());
        let Amount { value, scale, format, kept } = Amount::of(&text);
        let text = if kept { &text } else { "" };
        self.put(&format!("{{i:(resource.int64Amount){{value:(int64){value} scale:(resource.Scale){scale}}} d:(resource.infDecAmount){{Dec:(*inf.Dec)<nil>}} s:(string){text} Format:(resource.Format){format}}}"));
    }
}

/// A quantity in canonical form as Go holds it (`resource.ParseQuantity`).
struct Amount {
    value: i64,
    /// The power of ten that the value is multiplied with.
    scale: i32,
    format: &'static str,
    /// Whether Go keeps the text: only where it is canonical at a glance.
    kept: bool,
}

const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

impl Amount {
    fn of(text: &str) -> Self {
        let end = text.find(|c: char| !(c.is_ascii_digit() || "+-".contains(c)));
        let (digits, suffix) = text.split_at(end.unwrap_or(text.len()));
        let number: i64 = digits.parse().unwrap_or(0);
        if let Some(power) = BINARY.iter().position(|s| *s == suffix) {
            let value = number.saturating_mul(1 << (10 * (power + 1)));
            return Amount { value, scale: 0, format: "BinarySI", kept: number & 7 != 0 };
        }
        let kept = text == "0" || !digits.ends_with("000") && !digits.starts_with('0');
        let (scale, format) = match DECIMAL.iter().find(|(s, _)| *s == suffix) {
            Some((_, scale)) => (*scale, "DecimalSI"),
            None => (suffix.trim_start_matches(['e', 'E']).parse().unwrap_or(0), "DecimalExponent"),
        };
        Amount { value: number, scale, format, kept }
    }
}
