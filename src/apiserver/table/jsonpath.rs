//! kubectl's JSONPath templates: text, and paths in braces.
//!
//! What people type is read: fields, `['quoted fields']`, indices from either end, `[*]`, `..`, filters
//! `[?(@.name=="x")]`, unions `[0,1]`, slices, and `{range .items[*]}…{end}`.

use std::cmp::Ordering;

use serde_json::Value;

/// A template, parsed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Part>),
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    Slice(Option<i64>, Option<i64>),
    Union(Vec<Step>),
    All,
    Descend,
    Filter { path: Vec<Step>, test: Option<(Comparison, Value)> },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    Unequal,
    AtMost,
    AtLeast,
    Less,
    Greater,
}

/// Reads a template.
pub(crate) fn parse(text: &str) -> Result<Template, String> {
    Ok(Template(Parser { rest: text }.parts(false)?))
}

impl Template {
    /// What it says of a value: the values found, a blank between them.
    pub(crate) fn render(&self, value: &Value) -> String {
        let mut out = String::new();
        render(&self.0, value, &mut out);
        out
    }
}

fn render(parts: &[Part], here: &Value, out: &mut String) {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(steps) => {
                let found: Vec<String> = find(steps, here).into_iter().map(text_of).collect();
                out.push_str(&found.join(" "));
            }
            Part::Range(steps, inner) => {
                find(steps, here).into_iter().for_each(|item| render(inner, item, out));
            }
        }
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn find<'a>(steps: &[Step], value: &'a Value) -> Vec<&'a Value> {
    steps.iter().fold(vec![value], |found, step| {
        found.into_iter().flat_map(|value| take(step, value)).collect()
    })
}

fn take<'a>(step: &Step, value: &'a Value) -> Vec<&'a Value> {
    match step {
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::Index(at) => {
            let items = items(value);
            position(*at, items.len()).and_then(|at| items.get(at)).into_iter().collect()
        }
        Step::Slice(from, to) => {
            let items = items(value);
            let from = from.and_then(|at| position(at, items.len())).unwrap_or(0);
            let to = to.and_then(|at| position(at, items.len())).unwrap_or(items.len());
            items.iter().take(to).skip(from).collect()
        }
        Step::Union(steps) => steps.iter().flat_map(|step| take(step, value)).collect(),
        Step::All => children(value),
        Step::Descend => with_all_below(value),
        Step::Filter { path, test } => {
            children(value).into_iter().filter(|item| passes(path, test.as_ref(), item)).collect()
        }
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn with_all_below(value: &Value) -> Vec<&Value> {
    let mut all = vec![value];
    all.extend(children(value).into_iter().flat_map(with_all_below));
    all
}

fn position(at: i64, length: usize) -> Option<usize> {
    usize::try_from(if at < 0 { at + length as i64 } else { at }).ok()
}

fn passes(path: &[Step], test: Option<&(Comparison, Value)>, item: &Value) -> bool {
    let found = find(path, item);
    let Some((comparison, wanted)) = test else { return !found.is_empty() };
    found.into_iter().any(|value| comparison.holds(order(value, wanted)))
}

fn order(value: &Value, wanted: &Value) -> Option<Ordering> {
    match (value, wanted) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (a, b) => (a == b).then_some(Ordering::Equal),
    }
}

impl Comparison {
    /// Their signs; a sign that begins with another stands before it.
    const SIGNS: [(&'static str, Comparison); 6] = [
        ("==", Comparison::Equal),
        ("!=", Comparison::Unequal),
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];

    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Comparison::Equal => order == Some(Ordering::Equal),
            Comparison::Unequal => order != Some(Ordering::Equal),
            Comparison::AtMost => order.is_some_and(Ordering::is_le),
            Comparison::AtLeast => order.is_some_and(Ordering::is_ge),
            Comparison::Less => order.is_some_and(Ordering::is_lt),
            Comparison::Greater => order.is_some_and(Ordering::is_gt),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn parts(&mut self, in_range: bool) -> Result<Vec<Part>, String> {
        let mut parts = Vec::new();
        while !self.rest.is_empty() {
            let (text, rest) = self.rest.split_at(self.rest.find('{').unwrap_or(self.rest.len()));
            if !text.is_empty() {
                parts.push(Part::Text(unescape(text)));
            }
            self.rest = rest;
            let Some(rest) = rest.strip_prefix('{') else { break };
            let end = closing(rest, '{', '}').ok_or("unclosed action: a '{' without its '}'")?;
            self.rest = &rest[end + 1..];
            match rest[..end].trim() {
                "end" if in_range => return Ok(parts),
                "end" => return Err("not in range, nothing to end".into()),
                action => parts.push(self.action(action)?),
            }
        }
        match in_range {
            true => Err("unterminated range: a {range …} without its {end}".into()),
            false => Ok(parts),
        }
    }

    fn action(&mut self, action: &str) -> Result<Part, String> {
        if let Some(path) = action.strip_prefix("range ") {
            return Ok(Part::Range(steps(path.trim())?, self.parts(true)?));
        }
        if action.starts_with(['"', '\'']) {
            return Ok(Part::Text(unescape(action.trim_matches(['"', '\'']))));
        }
        Ok(Part::Path(steps(action)?))
    }
}

/// Where what is open closes, outside of quotes and of others within.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match quote {
            Some(opened) if c == opened => quote = None,
            Some(_) => {}
            None if c == close && depth == 0 => return Some(at),
            None if c == close => depth -= 1,
            None if c == open => depth += 1,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => {}
        }
    }
    None
}

fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t")
}

fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = text.strip_prefix(['$', '@']).unwrap_or(text);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            steps.push(Step::Descend);
            rest = if after.starts_with('[') { after } else { field(after, &mut steps) };
        } else if let Some(after) = rest.strip_prefix('.') {
            rest = field(after, &mut steps);
        } else if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after, '[', ']');
            let end = end.ok_or_else(|| format!("unterminated array in {text:?}"))?;
            steps.push(index(after[..end].trim())?);
            rest = &after[end + 1..];
        } else if steps.is_empty() {
            rest = field(rest, &mut steps);
        } else {
            return Err(format!("unexpected {rest:?} in {text:?}"));
        }
    }
    Ok(steps)
}

/// Takes a field's name off the front; `\.` is a dot within it.
fn field<'a>(text: &'a str, steps: &mut Vec<Step>) -> &'a str {
    let mut name = String::new();
    let mut chars = text.char_indices();
    let mut end = text.len();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => {
                end = at;
                break;
            }
            c => name.push(c),
        }
    }
    match name.as_str() {
        "" => {}
        "*" => steps.push(Step::All),
        _ => steps.push(Step::Field(name)),
    }
    &text[end..]
}

/// What stands in brackets.
fn index(text: &str) -> Result<Step, String> {
    if let Some(filter) = text.strip_prefix("?(").and_then(|t| t.strip_suffix(')')) {
        return self::filter(filter);
    }
    if text == "*" {
        return Ok(Step::All);
    }
    if text.starts_with(['"', '\'']) {
        return Ok(Step::Field(text.trim_matches(['"', '\'']).into()));
    }
    if let Some((from, to)) = text.split_once(':') {
        let bound = |text: &str| if text.is_empty() { Ok(None) } else { number(text).map(Some) };
        return Ok(Step::Slice(bound(from)?, bound(to)?));
    }
    let mut indices: Vec<Step> = text
        .split(',')
        .map(|part| number(part.trim()).map(Step::Index))
        .collect::<Result<_, _>>()?;
    Ok(if indices.len() == 1 { indices.remove(0) } else { Step::Union(indices) })
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| format!("invalid array index {text}"))
}

fn filter(text: &str) -> Result<Step, String> {
    for (sign, comparison) in Comparison::SIGNS {
        if let Some((path, wanted)) = text.split_once(sign) {
            let test = Some((comparison, literal(wanted.trim())?));
            return Ok(Step::Filter { path: steps(path.trim())?, test });
        }
    }
    Ok(Step::Filter { path: steps(text.trim())?, test: None })
}

fn literal(text: &str) -> Result<Value, String> {
    if text.starts_with(['"', '\'']) {
        return Ok(Value::String(text.trim_matches(['"', '\'']).into()));
    }
    serde_json::from_str(text).map_err(|_| format!("unrecognized identifier {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_find_what_kubectl_finds() {
        let object = json!({
            "metadata": {"name": "web", "labels": {"a.b/c": "d"}},
            "spec": {"replicas": 3, "containers": [
                {"name": "x", "image": "i:1"}, {"name": "y", "image": "i:2", "cpu": 2},
            ]},
        });
        let check = |template: &str, expected: &str| {
            assert_eq!(parse(template).unwrap().render(&object), expected, "{template}")
        };
        check("{.spec.replicas}", "3");
        check("{.metadata.name}: {.spec.replicas}\\n", "web: 3\n");
        check("{.spec.containers[0].image}", "i:1");
        check("{.spec.containers[-1].name}", "y");
        check("{.spec.containers[*].image}", "i:1 i:2");
        check("{.spec.containers[?(@.name==\"y\")].image}", "i:2");
        check("{.spec.containers[?(@.cpu)].name}", "y");
        check("{.spec.containers[?(@.cpu>1)].name}", "y");
        check("{.spec.containers[0:1].name}", "x");
        check("{.spec.containers[0,1].name}", "x y");
        check("{.metadata.labels['a.b/c']}", "d");
        check("{.metadata.labels.a\\.b/c}", "d");
        check("{..image}", "i:1 i:2");
        check("{range .spec.containers[*]}{.name}={.image}{\"\\n\"}{end}", "x=i:1\ny=i:2\n");
        check("{.spec.nothing}", "");
        check("{.metadata.labels}", "{\"a.b/c\":\"d\"}");
        check("{$.spec.replicas}", "3");
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for bad in ["{.a", "{.a[}", "{.a[x]}", "{range .a}", "{end}", "{.a[0]b}"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
