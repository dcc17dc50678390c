//! From JSON to YAML, as `kubectl -o yaml` and `kubectl kustomize` write it: keys in natural order,
//! lists not indented, lines folded past column 80, text quoted where a YAML 1.1 reader would take it
//! for something else.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::scalar::{Tag, resolve};
use super::{Dialect, timestamp};

const INDENT: usize = 2;
const FOLD_AFTER: usize = 80;
/// Keys longer than this are written after a `?`.
const LONGEST_SIMPLE_KEY: usize = 128;

/// The YAML of a value, ending in a line feed.
///
/// ```
/// use driftlab::manifest::yaml;
/// let yaml = yaml::to_string(&serde_json::json!({"on": "yes", "list": [{"mode": "0644", "size": 420}]}));
/// assert_eq!(yaml, "list:\n- mode: \"0644\"\n  size: 420\n\"on\": \"yes\"\n");
/// ```
pub fn to_string(value: &Value) -> String {
    let mut writer = Writer::default();
    let indent = if value.is_object() || value.is_array() { 0 } else { INDENT };
    writer.node(value, indent);
    writer.out.push('\n');
    writer.out
}

#[derive(Default)]
struct Writer {
    out: String,
    column: usize,
}

impl Writer {
    /// A value where the cursor stands; what follows its first line is indented by `indent`.
    fn node(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(fields) if !fields.is_empty() => self.mapping(fields, indent),
            Value::Array(items) if !items.is_empty() => self.sequence(items, indent),
            scalar => self.scalar(scalar, indent, true),
        }
    }

    fn mapping(&mut self, fields: &Map<String, Value>, indent: usize) {
        let mut fields: Vec<_> = fields.iter().collect();
        fields.sort_by(|a, b| natural(a.0, b.0));
        for (place, (key, value)) in fields.into_iter().enumerate() {
            if place > 0 {
                self.line(indent);
            }
            self.entry(key, value, indent);
        }
    }

    fn entry(&mut self, key: &str, value: &Value, indent: usize) {
        if key.len() > LONGEST_SIMPLE_KEY || key.contains('\n') {
            self.put("? ");
            self.text(key, indent + INDENT, true);
            self.line(indent);
            self.put(": ");
            return self.node(value, indent + INDENT);
        }
        self.text(key, indent + INDENT, false);
        self.put(":");
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                self.line(indent + INDENT);
                self.mapping(fields, indent + INDENT);
            }
            Value::Array(items) if !items.is_empty() => {
                self.line(indent);
                self.sequence(items, indent);
            }
            scalar => {
                self.put(" ");
                self.scalar(scalar, indent + INDENT, true);
            }
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize) {
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.line(indent);
            }
            self.put("- ");
            self.node(item, indent + INDENT);
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize, may_fold: bool) {
        match value {
            Value::Null => self.put("null"),
            Value::Bool(truth) => self.put(if *truth { "true" } else { "false" }),
            Value::Number(number) => self.put(&number_text(number)),
            Value::String(text) => self.text(text, indent, may_fold),
            Value::Array(_) => self.put("[]"),
            Value::Object(_) => self.put("{}"),
        }
    }

    fn text(&mut self, text: &str, indent: usize, may_fold: bool) {
        let shape = Shape::of(text);
        let multiline = text.contains('\n');
        if multiline && may_fold && shape.may_be_block {
            self.literal(text, indent);
        } else if multiline || !shape.may_be_single_quoted || looks_like_something_else(text) {
            self.double_quoted(text, indent, may_fold);
        } else if shape.may_be_plain {
            self.folded(text, indent, may_fold, false);
        } else {
            self.put("'");
            self.folded(text, indent, may_fold, true);
            self.put("'");
        }
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with([' ', '\n']) {
            self.put("2");
        }
        let body = text.strip_suffix('\n');
        match body {
            None => self.put("-"),
            Some(body) if body.is_empty() || body.ends_with('\n') => self.put("+"),
            Some(_) => {}
        }
        for line in body.unwrap_or(text).split('\n') {
            self.line(if line.is_empty() { 0 } else { indent });
            self.put(line);
        }
    }

    /// Plain or single-quoted text, folded at single spaces past the margin.
    fn folded(&mut self, text: &str, indent: usize, may_fold: bool, quoted: bool) {
        let chars: Vec<char> = text.chars().collect();
        for (at, c) in chars.iter().enumerate() {
            let alone = at > 0
                && chars[at - 1] != ' '
                && chars.get(at + 1).is_some_and(|next| *next != ' ');
            if *c == ' ' && may_fold && alone && self.column > FOLD_AFTER {
                self.line(indent);
            } else if *c == '\'' && quoted {
                self.put("''");
            } else {
                self.push(*c);
            }
        }
    }

    fn double_quoted(&mut self, text: &str, indent: usize, may_fold: bool) {
        let chars: Vec<char> = text.chars().collect();
        self.put("\"");
        for (at, c) in chars.iter().enumerate() {
            let inside = at > 0 && at + 1 < chars.len() && chars[at - 1] != ' ';
            if *c == ' ' && may_fold && inside && self.column > FOLD_AFTER {
                self.line(indent);
                if chars[at + 1] == ' ' {
                    self.put("\\");
                }
            } else if is_printable(*c)
                && !matches!(c, '"' | '\\' | '\n' | '\u{feff}')
                && !is_break(*c)
            {
                self.push(*c);
            } else {
                self.escaped(*c);
            }
        }
        self.put("\"");
    }

    fn escaped(&mut self, c: char) {
        let code = u32::from(c);
        let escape = match c {
            '\0' => "\\0".into(),
            '\u{7}' => "\\a".into(),
            '\u{8}' => "\\b".into(),
            '\t' => "\\t".into(),
            '\n' => "\\n".into(),
            '\u{b}' => "\\v".into(),
            '\u{c}' => "\\f".into(),
            '\r' => "\\r".into(),
            '\u{1b}' => "\\e".into(),
            '"' => "\\\"".into(),
            '\\' => "\\\\".into(),
            '\u{85}' => "\\N".into(),
            '\u{a0}' => "\\_".into(),
            '\u{2028}' => "\\L".into(),
            '\u{2029}' => "\\P".into(),
            _ if code <= 0xff => format!("\\x{code:02X}"),
            _ if code <= 0xffff => format!("\\u{code:04X}"),
            _ => format!("\\U{code:08X}"),
        };
        self.put(&escape);
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn push(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }
}

/// Whether a text reads as itself when it is written in a block, after `|` or `>`.
pub(super) fn may_be_block(text: &str) -> bool {
    let printable = text.chars().all(|c| c == '\t' || u32::from(c) > 0xffff || is_printable(c));
    printable && !text.contains(" \n") && !text.ends_with(' ') && !text.is_empty()
}

/// How a text may be written so that it reads as itself.
struct Shape {
    may_be_plain: bool,
    may_be_single_quoted: bool,
    may_be_block: bool,
}

impl Shape {
    fn of(text: &str) -> Shape {
        let chars: Vec<char> = text.chars().collect();
        let is_space_then_break = chars.windows(2).any(|w| w[0] == ' ' && is_break(w[1]));
        let is_break_then_space = chars.windows(2).any(|w| is_break(w[0]) && w[1] == ' ');
        let is_special = chars.iter().any(|c| !is_printable(*c)) || is_space_then_break;
        let has_break = chars.iter().any(|c| is_break(*c));
        let is_edged = text.starts_with(' ') || text.ends_with(' ');
        Shape {
            may_be_plain: !is_special && !has_break && !is_edged && !has_indicator(&chars),
            may_be_single_quoted: !is_special && !is_break_then_space,
            may_be_block: !is_special && !text.ends_with(' ') && !text.is_empty(),
        }
    }
}

/// Whether punctuation would change the meaning of plain text in a block.
fn has_indicator(chars: &[char]) -> bool {
    let blank_after = |at: usize| chars.get(at + 1).is_none_or(|c| matches!(c, ' ' | '\t'));
    let starts_like_a_marker = chars.starts_with(&['-'; 3]) || chars.starts_with(&['.'; 3]);
    starts_like_a_marker
        || chars.iter().enumerate().any(|(at, c)| match c {
            '?' | '-' if at == 0 => blank_after(at),
            ':' => blank_after(at),
            '#' => at == 0 || matches!(chars[at - 1], ' ' | '\t'),
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`' => at == 0,
            _ => false,
        })
}

/// Whether a YAML 1.1 reader would not take the plain text for text.
fn looks_like_something_else(text: &str) -> bool {
    text == "<<"
        || resolve(text, Dialect::Kubectl) != Tag::Str
        || timestamp::normalised(text).is_some()
        || is_sexagesimal(text)
}

/// `190:20:30`, a number of base 60 in YAML 1.1.
fn is_sexagesimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let mut places = whole.split(':');
    let first = places.next().unwrap_or("");
    let starts_with_a_digit = first.starts_with(|c: char| c.is_ascii_digit());
    let is_place = |place: &str| place.parse::<u8>().is_ok_and(|n| n < 60) && place.len() <= 2;
    whole.contains(':')
        && starts_with_a_digit
        && digits(first)
        && digits(fraction)
        && places.all(is_place)
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && !matches!(c, '\u{feff}')
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_text(float),
        _ => number.to_string(),
    }
}

/// A float as Go's `strconv.FormatFloat(f, 'g', -1, 64)` writes it.
pub(super) fn float_text(float: f64) -> String {
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').expect("LowerExp writes an exponent");
    let exponent: i32 = exponent.parse().expect("LowerExp writes a whole exponent");
    if (-4..6).contains(&exponent) {
        return format!("{float}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// The order of keys: runs of digits by their number, letters after everything else.
fn natural(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else {
        return a.len().cmp(&b.len());
    };
    match (a[at].is_alphabetic(), b[at].is_alphabetic()) {
        (true, true) => a[at].cmp(&b[at]),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let lead = leading_digit(&a[..at], a[at], b[at]);
            let (number_a, end_a) = digits_from(&a, at, lead);
            let (number_b, end_b) = digits_from(&b, at, lead);
            number_a.cmp(&number_b).then(end_a.cmp(&end_b)).then(a[at].cmp(&b[at]))
        }
    }
}

/// A zero in the middle of a number counts: 1 when the equal digits before hold more than zeros.
fn leading_digit(before: &[char], a: char, b: char) -> i64 {
    let mut digits = before.iter().rev().take_while(|c| c.is_ascii_digit());
    i64::from((a == '0' || b == '0') && digits.any(|c| *c != '0'))
}

fn digits_from(chars: &[char], from: usize, lead: i64) -> (i64, usize) {
    let run = chars[from..].iter().map_while(|c| c.to_digit(10));
    run.fold((lead, from), |(number, end), digit| {
        (number.wrapping_mul(10).wrapping_add(i64::from(digit)), end + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_that_reads_as_something_else_is_quoted() {
        let check = |text: &str, written: &str| {
            assert_eq!(to_string(&json!(text)), format!("{written}\n"));
        };
        for plain in
            ["web", "a b", "a:b", "http://x", "-x", "a#b", "é", "x,y", "1.2.3", "tRue", "_1"]
        {
            check(plain, plain);
        }
        for quoted in [
            "yes",
            "on",
            "1_000",
            "0644",
            "1e3",
            "",
            "~",
            "2024-01-01",
            "12:30:45",
            "<<",
            ".inf",
            "0x1F",
        ] {
            check(quoted, &format!("\"{quoted}\""));
        }
        for single in ["- a", "a: b", "a #b", "*x", "[a", "a:", " a", "a ", "---x", "?"] {
            check(single, &format!("'{single}'"));
        }
        check("it's: x", "'it''s: x'");
        check("a\tb", "\"a\\tb\"");
        check("😀", "\"\\U0001F600\"");
        check("a\n b\n\nc", "|-\n  a\n   b\n\n  c");
        check("a\n", "|\n  a");
        check(" a\nb\n\n", "|2+\n   a\n  b\n");
        check("a \nb", "\"a \\nb\"");
    }

    #[test]
    fn long_lines_are_folded_past_column_80() {
        let words = |n: usize| vec!["word"; n].join(" ");
        let written = to_string(&json!({"key": words(20)}));
        assert_eq!(written, format!("key: {}\n  {}\n", words(16), words(4)));
    }

    #[test]
    fn keys_stand_in_natural_order() {
        let keys = ["", "_a", "1", "9", "10", "A", "a: b", "a2", "a02", "a10", "x-y", "x.y", "xy"];
        let mut sorted: Vec<&str> = keys.iter().rev().copied().collect();
        sorted.sort_by(|a, b| natural(a, b));
        assert_eq!(sorted, keys);
    }

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (float, text) in [
            (0.5, "0.5"),
            (1e-7, "1e-07"),
            (1000000.5, "1.0000005e+06"),
            (1e21, "1e+21"),
            (123456.5, "123456.5"),
            (0.0001, "0.0001"),
        ] {
            assert_eq!(float_text(float), text);
        }
    }
}
