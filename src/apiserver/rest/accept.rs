//! The form in which an answer is wanted: the `Accept` header.
//!
//! Source: `k8s.io/apiserver/pkg/endpoints/handlers/negotiation`.

use crate::api::{Reason, Status, StatusDetails};

/// What of an object an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// All of it.
    Whole,
    /// Rows of a table.
    Table(Include),
    /// Its metadata; of a list, `as=PartialObjectMetadata` is not a form.
    Metadata,
    /// The metadata of the items of a list; of an object, it is not a form.
    MetadataList,
}

/// How much of each object stands beside its row in a table (`includeObject`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Include {
    Nothing,
    Metadata,
    Object,
}

/// The form that a client likes best of those there are; anything when it does not say.
///
/// # Errors
///
/// `NotAcceptable` when there is none that it takes.
pub(super) fn form(accept: &str, include: &str) -> Result<Form, Status> {
    if accept.trim().is_empty() {
        return Ok(Form::Whole);
    }
    let mut clauses: Vec<Clause> = accept.split(',').map(Clause::read).collect();
    clauses.sort_by_key(|clause| std::cmp::Reverse(clause.thousandths));
    if !clauses.iter().any(Clause::is_json) {
        return Err(refusal("406: Not Acceptable\n\nAvailable representations: application/json"));
    }
    let mut forms = clauses.iter().filter(|c| c.is_json()).filter_map(|c| c.form(include));
    forms.next().ok_or_else(|| {
        let message = "only the following media types are accepted: application/json";
        Status::failure(Reason::NotAcceptable, message)
    })
}

/// A list was asked for as something that it is not, or the other way round.
pub(super) fn wrong_number(wanted: &str, is_list: bool, go_type: &str) -> Status {
    let is = if is_list { "is a list" } else { "is not a list" };
    let message = format!("you requested {wanted}, but the requested object {is} ({go_type})");
    Status::failure(Reason::NotAcceptable, message)
}

fn refusal(message: &str) -> Status {
    Status::failure_about(Reason::NotAcceptable, message, StatusDetails::default())
}

/// One of the media types of the header.
struct Clause<'a> {
    media_type: &'a str,
    /// `as`, `g` and `v`: the kind, group and version of the form.
    form: [&'a str; 3],
    thousandths: u32,
}

impl<'a> Clause<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let mut clause = Clause {
            media_type: parts.next().unwrap_or(""),
            form: ["", "", ""],
            thousandths: 1000,
        };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let position = ["as", "g", "v"].iter().position(|known| *known == name.trim());
            match (position, value.trim().parse::<f64>()) {
                (Some(position), _) => clause.form[position] = value.trim(),
                // What is no number between 0 and 1 says nothing.
                (None, Ok(quality)) if name.trim() == "q" && (0.0..=1.0).contains(&quality) => {
                    clause.thousandths = (quality * 1000.0) as u32;
                }
                _ => {}
            }
        }
        clause
    }

    fn is_json(&self) -> bool {
        self.thousandths > 0
            && matches!(self.media_type, "application/json" | "application/*" | "*/*" | "*")
    }

    fn form(&self, include: &str) -> Option<Form> {
        match self.form {
            ["", ..] => Some(Form::Whole),
            ["Table", "meta.k8s.io", "v1" | "v1beta1"] => Some(Form::Table(match include {
                "None" => Include::Nothing,
                "Object" => Include::Object,
                _ => Include::Metadata,
            })),
            ["PartialObjectMetadata", "meta.k8s.io", "v1" | "v1beta1"] => Some(Form::Metadata),
            ["PartialObjectMetadataList", "meta.k8s.io", "v1" | "v1beta1"] => {
                Some(Form::MetadataList)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_form_that_there_is_is_given() {
        let check = |accept: &str, expected: Option<Form>| {
            assert_eq!(form(accept, "").ok(), expected, "{accept}");
        };
        let metadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        let protobuf = "application/vnd.kubernetes.protobuf";
        check("", Some(Form::Whole));
        check("*/*", Some(Form::Whole));
        check("application/json, */*", Some(Form::Whole));
        check(metadata, Some(Form::Metadata));
        check(&format!("{protobuf};as=Table;g=meta.k8s.io;v=v1,{metadata}"), Some(Form::Metadata));
        check(&format!("{protobuf},application/json"), Some(Form::Whole));
        check(&format!("application/json;q=0.5,{metadata};q=0.9"), Some(Form::Metadata));
        check("application/json;as=Foo;g=meta.k8s.io;v=v1, application/json", Some(Form::Whole));
        check("application/json;as=Table;g=meta.k8s.io;v=v1", Some(Form::Table(Include::Metadata)));
        check("application/json;as=Foo;g=meta.k8s.io;v=v1", None);
        check("application/json;as=Table;g=meta.k8s.io;v=v9", None);
        check(protobuf, None);
        check("text/html, application/json;q=0", None);
    }
}
