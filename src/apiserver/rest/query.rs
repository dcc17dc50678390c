//! Query parameters: the options of a request, checked as `metav1` options are.

use crate::api::{
    Cause, DeleteOptions, FieldValidation, ListOptions, Propagation, Reason, ResourceVersion,
    Status, StatusDetails, WriteOptions,
};
use crate::apiserver::refusal;

/// The decoded parameters, in order.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// What cannot be read is left out, as Go's `URL.Query` leaves it out.
    pub(super) fn read(text: &str) -> Self {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name, true), decoded(value, true))
        };
        let readable =
            |pair: &&str| !pair.is_empty() && is_well_escaped(pair) && !pair.contains(';');
        Query(text.split('&').filter(readable).map(pair).collect())
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// As Go converts a query parameter: everything is true but what says that it is not.
    pub(super) fn flag(&self, name: &str) -> bool {
        let given = self.0.iter().find(|(n, _)| n == name);
        given.is_some_and(|(_, value)| !matches!(value.to_lowercase().as_str(), "false" | "0"))
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn int(&self, name: &str) -> Result<Option<i64>, Status> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| {
            refusal::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
        })
    }

    /// Seconds after which a watch ends, if it says so.
    pub(super) fn timeout(&self) -> Result<Option<u64>, Status> {
        Ok(self.int("timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok()))
    }

    /// What is for watches alone.
    pub(super) fn expect_no_watch(&self) -> Result<(), Status> {
        let forbidden = "Forbidden: sendInitialEvents is forbidden for list";
        let cause = refusal::cause("FieldValueForbidden", "sendInitialEvents", forbidden);
        let given = !self.get("sendInitialEvents").is_empty();
        refuse("ListOptions", given.then_some(cause).into_iter().collect())
    }

    /// The options of a watch must fit together (`ValidateListOptions` of `k8s.io/apimachinery`).
    pub(super) fn expect_watchable(&self) -> Result<(), Status> {
        let field = "resourceVersionMatch";
        let mut causes = Vec::new();
        let mut forbid = |message: &str| {
            causes.push(refusal::cause(
                "FieldValueForbidden",
                field,
                format!("Forbidden: {message}"),
            ));
        };
        let (wanted, initial) = (self.get(field), !self.get("sendInitialEvents").is_empty());
        if initial && wanted != "NotOlderThan" {
            forbid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        }
        if !wanted.is_empty() && !initial {
            forbid(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
        if !matches!(wanted, "" | "NotOlderThan") {
            let message =
                format!("Unsupported value: {wanted:?}: supported values: \"NotOlderThan\"");
            causes.push(refusal::cause("FieldValueNotSupported", field, message));
        }
        refuse("ListOptions", causes)
    }

    /// `CreateOptions`, `UpdateOptions` or `PatchOptions`, as `kind` says.
    pub(super) fn write_options(&self, kind: &str, apply: bool) -> Result<WriteOptions, Status> {
        let mut causes = Vec::new();
        if kind == "PatchOptions" && !apply && self.0.iter().any(|(n, _)| n == "force") {
            let message = "Forbidden: may not be specified for non-apply patch";
            causes.push(refusal::cause("FieldValueForbidden", "force", message));
        }
        let manager = self.get("fieldManager");
        if apply && manager.is_empty() {
            let message = "Required value: is required for apply patch";
            causes.push(refusal::cause("FieldValueRequired", "fieldManager", message));
        }
        causes.extend(bad_manager(manager));
        let dry_run = self.dry_run(&mut causes);
        let field_validation = self.field_validation(&mut causes);
        refuse(kind, causes)?;
        let force = self.flag("force");
        Ok(WriteOptions { dry_run, field_manager: manager.into(), force, field_validation })
    }

    /// Whether this is a dry run.
    pub(super) fn dry_run(&self, causes: &mut Vec<Cause>) -> bool {
        let given: Vec<&str> = self.all("dryRun").filter(|value| !value.is_empty()).collect();
        dry_run(&given, causes)
    }

    fn field_validation(&self, causes: &mut Vec<Cause>) -> FieldValidation {
        match self.get("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                let message = format!(
                    "Unsupported value: {other:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
                );
                causes.push(refusal::cause("FieldValueNotSupported", "fieldValidation", message));
                FieldValidation::default()
            }
        }
    }

    /// `DeleteOptions` without what only a body can say.
    pub(super) fn delete_options(&self) -> Result<DeleteOptions, Status> {
        let mut causes = Vec::new();
        let dry_run = self.dry_run(&mut causes);
        let propagation = propagation(self.get("propagationPolicy"), &mut causes);
        let grace_period_seconds = self.int("gracePeriodSeconds")?;
        refuse("DeleteOptions", causes)?;
        Ok(DeleteOptions { dry_run, propagation, grace_period_seconds, ..DeleteOptions::default() })
    }

    /// `ListOptions` without the version.
    pub(super) fn list_options(&self) -> Result<ListOptions, Status> {
        let selector = |text: &str| {
            let parsed = text.parse();
            parsed.map_err(|why: crate::object::ParseSelectorError| refusal::bad_request(why.0))
        };
        let fields = self.get("fieldSelector");
        let fields = fields
            .parse()
            .map_err(|why: crate::object::ParseSelectorError| refusal::bad_request(why.0))?;
        Ok(ListOptions {
            labels: selector(self.get("labelSelector"))?,
            fields,
            limit: usize::try_from(self.int("limit")?.unwrap_or(0)).unwrap_or(0),
            continue_token: self.get("continue").into(),
            ..ListOptions::default()
        })
    }

    /// The version asked for; `None` for none. `wrap` is what precedes the complaint about a bad one.
    pub(super) fn version(&self) -> Result<Option<ResourceVersion>, String> {
        let text = self.get("resourceVersion");
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(|version| Some(ResourceVersion(version))).map_err(|_| {
            format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
        })
    }
}

/// Whether `dryRun` says so.
pub(super) fn dry_run(given: &[&str], causes: &mut Vec<Cause>) -> bool {
    if given.iter().any(|value| *value != "All") {
        let given = serde_json::Value::from(given);
        let message = format!("Unsupported value: {given}: supported values: \"All\"");
        causes.push(refusal::cause("FieldValueNotSupported", "dryRun", message));
    }
    !given.is_empty()
}

/// What `propagationPolicy` says.
pub(super) fn propagation(text: &str, causes: &mut Vec<Cause>) -> Option<Propagation> {
    match text {
        "Orphan" => Some(Propagation::Orphan),
        "Background" => Some(Propagation::Background),
        "Foreground" => Some(Propagation::Foreground),
        "" => None,
        other => {
            let message = format!(
                "Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            );
            causes.push(refusal::cause("FieldValueNotSupported", "propagationPolicy", message));
            None
        }
    }
}

/// # Errors
///
/// `Invalid` about options of this kind, when there are causes.
pub(super) fn refuse(kind: &str, causes: Vec<Cause>) -> Result<(), Status> {
    if causes.is_empty() {
        return Ok(());
    }
    let said: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
    let said = if said.len() == 1 { said[0].clone() } else { format!("[{}]", said.join(", ")) };
    let details = StatusDetails {
        group: "meta.k8s.io".into(),
        kind: kind.into(),
        causes,
        ..StatusDetails::default()
    };
    let message = format!("{kind}.meta.k8s.io \"\" is invalid: {said}");
    Err(Status::failure_about(Reason::Invalid, message, details))
}

fn bad_manager(manager: &str) -> Option<Cause> {
    if manager.len() > 128 {
        let message = "Too long: may not be more than 128 bytes";
        return Some(refusal::cause("FieldValueTooLong", "fieldManager", message));
    }
    let (at, odd) = manager.char_indices().find(|(_, c)| c.is_control())?;
    let quoted = format!("{manager:?}").replace("\\0", "\\x00");
    let message = format!(
        "Invalid value: {quoted}: invalid character U+{:04X} (at position {at})",
        u32::from(odd)
    );
    Some(refusal::cause("FieldValueInvalid", "fieldManager", message))
}

/// Whether every `%` is followed by two hexadecimal digits.
pub(super) fn is_well_escaped(text: &str) -> bool {
    let is_hex = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    text.split('%').skip(1).all(|after| after.get(..2).is_some_and(is_hex))
}

/// Percent-decoded; what is no UTF-8 is replaced.
pub(super) fn decoded(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        let hex = rest.as_slice().get(..2).and_then(|h| std::str::from_utf8(h).ok());
        match (byte, hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest.nth(1);
            }
            (b'+', _) if plus_is_space => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::read("labelSelector=tier%20in%20(a,b)&x=1+2&watch&limit=%zz&a=b;c=d");
        assert_eq!(query.get("labelSelector"), "tier in (a,b)");
        assert_eq!((query.get("x"), query.get("limit"), query.get("none")), ("1 2", "", ""));
        assert!(query.flag("watch") && !query.flag("none"));
    }

    #[test]
    fn wrong_options_are_refused_by_name() {
        let check = |text: &str, field: &str| {
            let refused = Query::read(text).write_options("PatchOptions", false).unwrap_err();
            assert_eq!(refused.causes()[0].field, field);
        };
        check("force=true", "force");
        check("dryRun=Some", "dryRun");
        check("fieldValidation=Bad", "fieldValidation");
        check("fieldManager=a%0Ab", "fieldManager");
        check(&format!("fieldManager={}", "x".repeat(129)), "fieldManager");
        let missing = Query::read("").write_options("PatchOptions", true).unwrap_err();
        assert_eq!(missing.causes()[0].message, "Required value: is required for apply patch");
    }
}
