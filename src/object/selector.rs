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
impl FromStr for LabelSelector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, ParseSelectorError> {
        let requirements = split_terms(text)
            .into_iter()
            .map(|term| parse_requirement(term.trim()))
            .collect::<Result<_, _>>()?;
        Ok(LabelSelector { requirements })
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

/// Splits at commas outside parentheses.
fn split_terms(text: &str) -> Vec<&str> {
    let (mut terms, mut depth, mut start) = (Vec::new(), 0usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    if text.trim().is_empty() { Vec::new() } else { terms }
}

fn parse_requirement(term: &str) -> Result<Requirement, ParseSelectorError> {
    let unreadable = || {
        ParseSelectorError(format!(
            "unable to parse requirement: found '{term}', expected: identifier, '!', 'in', 'notin', '=', '==' or '!='"
        ))
    };
    let key = |text: &str| {
        let text = text.trim();
        let readable = !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        readable.then(|| text.to_owned()).ok_or_else(unreadable)
    };
    let listed = |text: &str| {
        let inner = text
            .trim()
            .strip_prefix('(')
            .and_then(|t| t.strip_suffix(')'))
            .ok_or_else(unreadable)?;
        Ok(inner.split(',').map(|v| v.trim().to_owned()).collect::<Vec<_>>())
    };
    if let Some(rest) = term.strip_prefix('!') {
        return Ok(Requirement::Absent(key(rest)?));
    }
    if let Some((left, right)) = term.split_once("!=") {
        return Ok(Requirement::NotIn(key(left)?, vec![right.trim().into()]));
    }
    if let Some((left, right)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Ok(Requirement::In(key(left)?, vec![right.trim().into()]));
    }
    if let Some((left, right)) = term.split_once(" notin ").or_else(|| {
        term.split_once(" notin(")
            .map(|_| term.split_at(term.find("(").unwrap_or(0)))
            .map(|(l, r)| (l.trim_end_matches("notin"), r))
    }) {
        return Ok(Requirement::NotIn(key(left)?, listed(right)?));
    }
    if let Some((left, right)) = term.split_once(" in ").or_else(|| {
        term.split_once(" in(")
            .map(|_| term.split_at(term.find("(").unwrap_or(0)))
            .map(|(l, r)| (l.trim_end_matches("in"), r))
    }) {
        return Ok(Requirement::In(key(left)?, listed(right)?));
    }
    Ok(Requirement::Exists(key(term)?))
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
        for bad in ["app in dev", "=x", "a b", ","] {
            assert!(bad.parse::<LabelSelector>().is_err(), "{bad}");
        }
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
