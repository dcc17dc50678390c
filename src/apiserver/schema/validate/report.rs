//! Where a rule looks, and what it says when it is broken.

use std::fmt::Display;

use serde_json::Value;

use super::print;
use crate::api::Cause;

/// A place in an object: a value, and the way to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a, 'v> {
    above: Option<&'a Node<'a, 'v>>,
    step: Step<'a>,
    pub(super) value: &'v Value,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Item(usize),
    Key(&'a str),
}

static NOTHING: Value = Value::Null;

impl<'a, 'v> Node<'a, 'v> {
    pub(super) fn root(value: &'v Value) -> Self {
        Node { above: None, step: Step::Root, value }
    }

    /// A field; null when it is not there.
    pub(super) fn at(&'a self, field: &'a str) -> Node<'a, 'v> {
        let value = self.value.get(field).unwrap_or(&NOTHING);
        Node { above: Some(self), step: Step::Field(field), value }
    }

    /// A value that is named otherwise than where it stands.
    pub(super) fn field_of(above: &'a Node<'a, 'v>, name: &'a str, value: &'v Value) -> Self {
        Node { above: Some(above), step: Step::Field(name), value }
    }

    /// A list item; null when it is not there.
    pub(super) fn item(&'a self, index: usize) -> Node<'a, 'v> {
        let value = self.value.get(index).unwrap_or(&NOTHING);
        Node { above: Some(self), step: Step::Item(index), value }
    }

    /// A map's entry, named by its key.
    pub(super) fn key(&'a self, key: &'a str) -> Node<'a, 'v> {
        let value = self.value.get(key).unwrap_or(&NOTHING);
        Node { above: Some(self), step: Step::Key(key), value }
    }

    /// The items of a list; none for anything else.
    pub(super) fn items(&'a self) -> impl Iterator<Item = Node<'a, 'v>> {
        let count = self.value.as_array().map_or(0, Vec::len);
        (0..count).map(move |index| self.item(index))
    }

    /// The keys of a map; none for anything else.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'v str> + use<'v> {
        self.value.as_object().into_iter().flat_map(|map| map.keys().map(String::as_str))
    }

    /// The place that holds this one.
    pub(super) fn above(&self) -> Option<&'a Node<'a, 'v>> {
        self.above
    }

    /// The position in a list.
    pub(super) fn index(&self) -> Option<usize> {
        match self.step {
            Step::Item(index) => Some(index),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> &'v str {
        self.value.as_str().unwrap_or("")
    }

    pub(super) fn int(&self) -> Option<i64> {
        self.value.as_i64()
    }

    pub(super) fn is_true(&self) -> bool {
        self.value == &Value::Bool(true)
    }

    /// Whether there is a value, be it zero.
    pub(super) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// Whether the value is what Go calls zero: nothing, an empty text, list or map, 0, false.
    pub(super) fn is_zero(&self) -> bool {
        super::super::decode::is_zero(self.value)
    }

    /// As refusals write it: `spec.containers[0].name`.
    pub(super) fn path(&self) -> String {
        let mut path = self.above.map_or_else(String::new, Node::path);
        match self.step {
            Step::Root => {}
            Step::Field(field) if path.is_empty() => path.push_str(field),
            Step::Field(field) => {
                path.push('.');
                path.push_str(field);
            }
            Step::Item(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) => path.push_str(&format!("[{key}]")),
        }
        path
    }
}

/// The rules that are broken, in the order they were found.
///
/// Source: `k8s.io/apimachinery/pkg/util/validation/field`.
#[derive(Debug, Default)]
pub(super) struct Report(pub(super) Vec<Cause>);

impl Report {
    fn push(&mut self, reason: &str, at: &Node, message: String) {
        self.0.push(Cause { reason: reason.into(), message, field: at.path() });
    }

    /// The value breaks a rule.
    pub(super) fn invalid(&mut self, at: &Node, detail: impl Display) {
        self.invalid_value(at, at.value, detail);
    }

    /// What is wrong is not one value.
    pub(super) fn invalid_whole(&mut self, at: &Node, detail: impl Display) {
        self.push("FieldValueInvalid", at, format!("Invalid value: {detail}"));
    }

    /// Another value than the one at the place is to blame.
    pub(super) fn invalid_value(&mut self, at: &Node, value: &Value, detail: impl Display) {
        let message = said(format!("Invalid value: {value}"), detail);
        self.push("FieldValueInvalid", at, message);
    }

    /// A rule about several schemas is broken: such a complaint has no field.
    pub(super) fn broken_combination(&mut self, at: &Node, what: &str) {
        let message = format!("Invalid value: \"\": {:?} {what}", at.path());
        self.0.push(Cause { reason: "FieldValueInvalid".into(), message, field: "<nil>".into() });
    }

    /// A structure breaks a rule; it is quoted as Go's own type `name` prints.
    pub(super) fn invalid_structure(&mut self, at: &Node, name: &str, detail: impl Display) {
        let printed = print::line(name, at.value);
        self.push("FieldValueInvalid", at, said(format!("Invalid value: {printed}"), detail));
    }

    /// The value is of the wrong type.
    pub(super) fn wrong_type(&mut self, at: &Node, value: &Value, detail: impl Display) {
        let message = said(format!("Invalid value: {value}"), detail);
        self.push("FieldValueTypeInvalid", at, message);
    }

    pub(super) fn required(&mut self, at: &Node, detail: impl Display) {
        self.push("FieldValueRequired", at, said("Required value".into(), detail));
    }

    pub(super) fn duplicate(&mut self, at: &Node) {
        self.push("FieldValueDuplicate", at, format!("Duplicate value: {}", at.value));
    }

    /// The same as [`Report::duplicate`], with the value that is there twice.
    pub(super) fn duplicate_value(&mut self, at: &Node, value: &Value) {
        self.push("FieldValueDuplicate", at, format!("Duplicate value: {value}"));
    }

    /// The same as [`Report::duplicate`], of a structure that Go calls `name`.
    pub(super) fn duplicate_structure(&mut self, at: &Node, name: &str, value: &Value) {
        let printed = print::line(name, value);
        self.push("FieldValueDuplicate", at, format!("Duplicate value: {printed}"));
    }

    pub(super) fn not_found(&mut self, at: &Node) {
        self.push("FieldValueNotFound", at, format!("Not found: {}", at.value));
    }

    pub(super) fn forbidden(&mut self, at: &Node, detail: impl Display) {
        self.push("FieldValueForbidden", at, said("Forbidden".into(), detail));
    }

    pub(super) fn too_long(&mut self, at: &Node, limit: usize) {
        let bytes = if limit == 1 { "byte" } else { "bytes" };
        let message = format!("Too long: may not be more than {limit} {bytes}");
        self.push("FieldValueTooLong", at, message);
    }

    pub(super) fn too_many(&mut self, at: &Node, count: usize, limit: i64) {
        let items = if limit == 1 { "item" } else { "items" };
        let message = format!("Too many: {count}: must have at most {limit} {items}");
        self.push("FieldValueTooMany", at, message);
    }

    /// The value is none of those there are.
    pub(super) fn unsupported<S: AsRef<str>>(&mut self, at: &Node, supported: &[S]) {
        self.unsupported_value(at, at.value, supported);
    }

    pub(super) fn unsupported_value<S: AsRef<str>>(
        &mut self,
        at: &Node,
        value: &Value,
        supported: &[S],
    ) {
        self.unsupported_text(at, &value.to_string(), supported);
    }

    /// A structure that Go calls `name` is none of those there are.
    pub(super) fn unsupported_structure(&mut self, at: &Node, name: &str, supported: &[&str]) {
        self.unsupported_text(at, &print::line(name, at.value), supported);
    }

    fn unsupported_text<S: AsRef<str>>(&mut self, at: &Node, text: &str, supported: &[S]) {
        let quoted: Vec<_> = supported.iter().map(|s| format!("{:?}", s.as_ref())).collect();
        let message = format!("Unsupported value: {text}: supported values: {}", quoted.join(", "));
        self.push("FieldValueNotSupported", at, message);
    }

    /// Each of these sentences as an invalid value.
    pub(super) fn invalid_each(&mut self, at: &Node, details: Vec<String>) {
        details.into_iter().for_each(|detail| self.invalid(at, detail));
    }
}

fn said(what: String, detail: impl Display) -> String {
    let detail = detail.to_string();
    if detail.is_empty() { what } else { format!("{what}: {detail}") }
}
