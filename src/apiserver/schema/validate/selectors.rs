//! Labels, annotations, and the selectors that pick by them.

use serde_json::Value;

use super::names;
use super::report::{Node, Report};

/// All annotations of an object may have so many bytes.
const ANNOTATIONS: usize = 256 * 1024;

pub(super) fn check_labels(node: &Node, report: &mut Report) {
    for key in node.keys() {
        let mut refuse = |value: &Value, problems: Vec<String>| {
            problems.iter().for_each(|problem| report.invalid_value(node, value, problem));
        };
        refuse(&key.into(), names::label_key(key));
        let value = node.key(key);
        refuse(value.value, names::label_value(value.text()));
    }
}

pub(super) fn check_annotations(node: &Node, report: &mut Report) {
    let mut size = 0;
    for key in node.keys() {
        for problem in names::label_key(&key.to_ascii_lowercase()) {
            report.invalid_value(node, &key.into(), problem);
        }
        size += key.len() + node.key(key).text().len();
    }
    if size > ANNOTATIONS {
        report.too_long(node, ANNOTATIONS);
    }
}

pub(super) fn check_selector(node: &Node, report: &mut Report) {
    check_labels(&node.at("matchLabels"), report);
    node.at("matchExpressions")
        .items()
        .for_each(|requirement| check_requirement(&requirement, report));
}

/// Whether a selector can be read; one that is not set can.
pub(super) fn is_valid(selector: &Node) -> bool {
    let mut report = Report::default();
    check_selector(selector, &mut report);
    report.0.is_empty()
}

fn check_requirement(node: &Node, report: &mut Report) {
    let values = node.at("values");
    let operator = node.at("operator");
    match operator.text() {
        "In" | "NotIn" if values.is_zero() => {
            report.required(&values, "must be specified when `operator` is 'In' or 'NotIn'")
        }
        "In" | "NotIn" => {}
        "Exists" | "DoesNotExist" if values.is_zero() => {}
        "Exists" | "DoesNotExist" => report.forbidden(
            &values,
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        _ => report.invalid(&operator, "not a valid selector operator"),
    }
    let key = node.at("key");
    report.invalid_each(&key, names::label_key(key.text()));
    values.items().for_each(|value| report.invalid_each(&value, names::label_value(value.text())));
}

/// Whether a selector picks by nothing.
pub(super) fn is_empty(selector: &Node) -> bool {
    selector.at("matchLabels").is_zero() && selector.at("matchExpressions").is_zero()
}

/// Whether a selector picks these labels; one that is not set picks none, an empty one all.
pub(super) fn picks(selector: &Node, labels: &Node) -> bool {
    let label = |key: &str| labels.value.get(key).and_then(Value::as_str);
    let matches = |node: &Node| {
        let key = node.at("key");
        let own = label(key.text());
        let listed = || node.at("values").items().any(|value| Some(value.text()) == own);
        match node.at("operator").text() {
            "In" => listed(),
            "NotIn" => !listed(),
            "Exists" => own.is_some(),
            "DoesNotExist" => own.is_none(),
            _ => false,
        }
    };
    let wanted = selector.at("matchLabels");
    selector.is_set()
        && wanted.keys().all(|key| label(key) == Some(wanted.key(key).text()))
        && selector.at("matchExpressions").items().all(|node| matches(&node))
}
