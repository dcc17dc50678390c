//! Selectors: which objects a list, a watch or a workload means.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::Object;

/// A label selector: all its requirements must hold. The empty selector selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelSelector {
    /// What must hold, in the order written.
    pub requirements: Vec<Requirement>,
}

/// One condition on labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Requirement {
    /// The label has one of the values.
    In(String, Vec<String>),
    /// The label has none of the values, or is absent.
    NotIn(String, Vec<String>),
    /// The label is there, whatever its value.
    Exists(String),
    /// The label is absent.
    Absent(String),
}

/// A field selector: every term compares one field with a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldSelector {
    /// Dotted field path, wanted text, and whether it must be equal (`true`) or differ.
    pub terms: Vec<(String, String, bool)>,
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseSelectorError(pub String);

impl LabelSelector {
    /// The selector of everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// The selector of objects that have all these labels.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        LabelSelector {
            requirements: labels
                .into_iter()
                .map(|(k, v)| Requirement::In(k.into(), vec![v.into()]))
                .collect(),
        }
    }

    /// Reads `matchLabels` and `matchExpressions`, as workloads write them under `spec.selector`.
    /// Operators other than In, NotIn, Exists and DoesNotExist select nothing.
    pub fn from_value(value: &Value) -> Self {
        let mut requirements = Vec::new();
        for (key, wanted) in
            value.get("matchLabels").and_then(Value::as_object).into_iter().flatten()
        {
            requirements.push(Requirement::In(
                key.clone(),
                vec![wanted.as_str().unwrap_or_default().into()],
            ));
        }
        for expression in
            value.get("matchExpressions").and_then(Value::as_array).into_iter().flatten()
        {
            let text = |field: &str| {
                expression.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let values: Vec<String> = expression
                .get("values")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|v| v.as_str().map(str::to_owned))
                .collect();
            requirements.push(match text("operator").as_str() {
                "NotIn" => Requirement::NotIn(text("key"), values),
                "Exists" => Requirement::Exists(text("key")),
                "DoesNotExist" => Requirement::Absent(text("key")),
                "In" => Requirement::In(text("key"), values),
                _ => Requirement::In(text("key"), Vec::new()),
            });
        }
        LabelSelector { requirements }
    }

    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether it selects an object, by its labels.
    pub fn matches(&self, object: &Object) -> bool {
        self.requirements.iter().all(|r| r.holds(|key| object.label(key)))
    }

    /// Whether it selects these labels.
    pub fn matches_labels(&self, labels: &BTreeMap<&str, &str>) -> bool {
        self.requirements.iter().all(|r| r.holds(|key| labels.get(key).copied()))
    }
}

impl Requirement {
    fn holds<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        match self {
            Requirement::In(key, values) => {
                label(key).is_some_and(|v| values.iter().any(|w| w == v))
            }
            Requirement::NotIn(key, values) => {
                label(key).is_none_or(|v| values.iter().all(|w| w != v))
            }
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Absent(key) => label(key).is_none(),
        }
    }
}

/// Reads the query form: `app=web,tier!=db,env in (dev,prod),!canary,owner`.
///
/// The grammar and the complaints are those of `k8s.io/apimachinery/pkg/labels`, without `gt` and `lt`.
impl FromStr for LabelSelector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, ParseSelectorError> {
        Parser { tokens: tokens(text), at: 0 }.selector().map_err(ParseSelectorError)
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match requirement {
                Requirement::In(key, values) if values.len() == 1 => {
                    write!(f, "{key}={}", values[0])?
                }
                Requirement::In(key, values) => write!(f, "{key} in ({})", values.join(","))?,
                Requirement::NotIn(key, values) if values.len() == 1 => {
                    write!(f, "{key}!={}", values[0])?
                }
                Requirement::NotIn(key, values) => write!(f, "{key} notin ({})", values.join(","))?,
                Requirement::Exists(key) => f.write_str(key)?,
                Requirement::Absent(key) => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

impl FieldSelector {
    /// The selector of everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Whether it selects an object. An absent field compares as the empty text.
    pub fn matches(&self, object: &Object) -> bool {
        self.terms
            .iter()
            .all(|(path, wanted, equal)| (field_text(object, path) == *wanted) == *equal)
    }
}

/// Reads `metadata.name=x,status.phase!=Running`.
impl FromStr for FieldSelector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, ParseSelectorError> {
        let term = |term: &str| -> Result<(String, String, bool), ParseSelectorError> {
            let (path, wanted, equal) = if let Some((path, wanted)) = term.split_once("!=") {
                (path, wanted, false)
            } else if let Some((path, wanted)) =
                term.split_once("==").or_else(|| term.split_once('='))
            {
                (path, wanted, true)
            } else {
                return Err(ParseSelectorError(format!(
                    "invalid selector: '{term}'; can't understand '{term}'"
                )));
            };
            Ok((path.trim().into(), wanted.trim().into(), equal))
        };
        let terms =
            text.split(',').filter(|t| !t.trim().is_empty()).map(term).collect::<Result<_, _>>()?;
        Ok(FieldSelector { terms })
    }
}

fn field_text(object: &Object, path: &str) -> String {
    match object.get(path) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The words of a selector: `(`, `)`, `,`, `!`, `=`, `==`, `!=`, `<`, `>` and what is between them.
fn tokens(text: &str) -> Vec<&str> {
    const SPECIAL: &str = "()!=<>,";
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match SPECIAL.contains(first) {
            true => {
                ["==", "!="].iter().find(|two| rest.starts_with(**two)).map_or(1, |two| two.len())
            }
            false => {
                rest.find(|c: char| c.is_whitespace() || SPECIAL.contains(c)).unwrap_or(rest.len())
            }
        };
        let (token, tail) = rest.split_at(end);
        tokens.push(token);
        rest = tail.trim_start();
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    /// The next word; empty at the end.
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or("")
    }

    fn take(&mut self) -> &'a str {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn selector(&mut self) -> Result<LabelSelector, String> {
        let mut requirements = Vec::new();
        while !self.peek().is_empty() {
            if !starts_requirement(self.peek()) {
                return Err(expected(self.peek(), "!, identifier, or 'end of string'"));
            }
            let requirement = self.requirement();
            requirements
                .push(requirement.map_err(|why| format!("unable to parse requirement: {why}"))?);
            match self.take() {
                "" => break,
                "," if starts_requirement(self.peek()) => {}
                "," => return Err(expected(self.peek(), "identifier after ','")),
                other => return Err(expected(other, "',' or 'end of string'")),
            }
        }
        Ok(LabelSelector { requirements })
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.peek() == "!";
        self.at += usize::from(absent);
        let key = self.identifier()?.to_owned();
        match self.peek() {
            "" | "," if absent => return Ok(Requirement::Absent(key)),
            "" | "," => return Ok(Requirement::Exists(key)),
            _ => {}
        }
        match self.take() {
            "=" | "==" => Ok(Requirement::In(key, vec![self.value()?])),
            "!=" => Ok(Requirement::NotIn(key, vec![self.value()?])),
            "in" => Ok(Requirement::In(key, self.values()?)),
            "notin" => Ok(Requirement::NotIn(key, self.values()?)),
            other => Err(expected(other, "in, notin, =, ==, !=, gt, lt")),
        }
    }

    fn identifier(&mut self) -> Result<&'a str, String> {
        let token = self.take();
        if is_identifier(token) { Ok(token) } else { Err(expected(token, "identifier")) }
    }

    fn value(&mut self) -> Result<String, String> {
        match self.peek() {
            "" | "," => Ok(String::new()),
            _ => self.identifier().map(str::to_owned),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        match self.take() {
            "(" => {}
            // Here alone Kubernetes has no comma.
            other => return Err(format!("found '{other}' expected: '('")),
        }
        let mut values = Vec::new();
        loop {
            match self.take() {
                ")" => return Ok(values),
                "," if values.is_empty() => values.extend(["".into(), "".into()]),
                "," => values.push(String::new()),
                token if is_identifier(token) => {
                    values.pop_if(|last| last.is_empty());
                    values.push(token.to_owned());
                    if !matches!(self.peek(), "," | ")") {
                        return Err(expected(self.peek(), "',' or ')'"));
                    }
                }
                other => return Err(expected(other, "',', ')' or identifier")),
            }
        }
    }
}

fn is_identifier(token: &str) -> bool {
    token.chars().next().is_some_and(|c| !"()!=<>,".contains(c))
}

fn starts_requirement(token: &str) -> bool {
    token == "!" || is_identifier(token)
}

fn expected(found: &str, what: &str) -> String {
    format!("found '{found}', expected: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_selectors_select_what_kubectl_selects() {
        let mut web = Object::new("v1", "Pod", "a", "web");
        web.set_label("app", "web");
        web.set_label("env", "dev");
        let check = |selector: &str, selected: bool| {
            assert_eq!(
                selector.parse::<LabelSelector>().unwrap().matches(&web),
                selected,
                "{selector}"
            )
        };
        check("", true);
        check("app=web", true);
        check("app==web,env=dev", true);
        check("app!=web", false);
        check("tier!=db", true);
        check("env in (dev, prod)", true);
        check("env in(dev)", true);
        check("env notin (dev,prod)", false);
        check("app", true);
        check("!app", false);
        check("!tier,app", true);
        check("app in (web,)", true);
        check("none in ()", false);
        check("in in (web)", false);
        let check = |bad: &str, why: &str| {
            assert_eq!(bad.parse::<LabelSelector>().unwrap_err().0, why, "{bad}")
        };
        check("app in dev", "unable to parse requirement: found 'dev' expected: '('");
        check("=x", "found '=', expected: !, identifier, or 'end of string'");
        check(
            "a b c",
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        );
        check(",", "found ',', expected: !, identifier, or 'end of string'");
        check("a,", "found '', expected: identifier after ','");
        check("a=b c", "found 'c', expected: ',' or 'end of string'");
        check("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'");
        check("!", "unable to parse requirement: found '', expected: identifier");
    }

    #[test]
    fn field_selectors_compare_text() {
        let mut pod = Object::new("v1", "Pod", "a", "web");
        pod.set("status.phase", "Running");
        let check = |selector: &str, selected: bool| {
            assert_eq!(
                selector.parse::<FieldSelector>().unwrap().matches(&pod),
                selected,
                "{selector}"
            )
        };
        check("metadata.name=web,status.phase!=Pending", true);
        check("metadata.namespace==b", false);
        check("spec.nodeName=", true);
        assert!("phase".parse::<FieldSelector>().is_err());
    }
}
