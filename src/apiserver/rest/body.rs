//! Bodies: an object, a patch, or the options of a deletion.

use serde_json::{Map, Value, json};

use super::json::{self, Parsed};
use super::query::{self, dry_run};
use crate::api::{DeleteOptions, FieldValidation, Patch, Preconditions, Propagation, Status};
use crate::apiserver::refusal;
use crate::apiserver::resource::Resource;
use crate::apiserver::schema;
use crate::manifest::yaml;
use crate::object::Object;

/// Bodies larger than this are refused (`MaxRequestBodyBytes` of the API server).
const LARGEST: usize = 3 * 1024 * 1024;

/// The object in a body, in JSON or else in YAML; `apiVersion` and `kind` come from the path when they are not given.
pub(super) fn object(
    resource: &Resource,
    bytes: &[u8],
    is_yaml: bool,
    validation: FieldValidation,
    warnings: &mut Vec<String>,
) -> Result<Object, Status> {
    expect_size(bytes)?;
    let kind = &resource.gvk.kind;
    let unrecognized = |why: &str| {
        let excerpt = json::excerpt(bytes);
        refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {why} ({excerpt})"
        ))
    };
    let parsed = parse(bytes, is_yaml).map_err(|why| unrecognized(&why))?;
    let mut value = match parsed.value {
        Value::Null => json!({}),
        value @ Value::Object(_) => value,
        other => {
            let head = "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
            let given = json::go_type(&other);
            return Err(unrecognized(&format!(
                "json: cannot unmarshal {given} into Go value of type {head}"
            )));
        }
    };
    for field in ["apiVersion", "kind"] {
        let given = value.get(field).unwrap_or(&Value::Null);
        if !given.is_string() && !given.is_null() {
            let what = json::go_type(given);
            return Err(unrecognized(&format!(
                "json: cannot unmarshal {what} into Go struct field .{field} of type string"
            )));
        }
    }
    if resource.is_custom() && is_unset(&value, "kind") {
        let text = String::from_utf8_lossy(bytes);
        let excerpt = json::excerpt(bytes);
        return Err(refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): Object 'Kind' is missing in '{text}' ({excerpt})"
        )));
    }
    complain_of_duplicates(resource, &parsed.duplicates, validation, warnings)?;
    complete(resource, &mut value)?;
    Object::from_value(value).map_err(|why| refusal::bad_request(why.0))
}

/// The patch in a body, by its media type.
pub(super) fn patch(resource: &Resource, media_type: &str, bytes: &[u8]) -> Result<Patch, Status> {
    expect_size(bytes)?;
    let parse = || json::parse(bytes).map(|parsed| parsed.value);
    let decoding = |why: String| refusal::bad_request(format!("error decoding patch: {why}"));
    match media_type {
        "application/json-patch+json" => {
            let operations = parse().map_err(decoding)?;
            expect_list_of_operations(&operations)?;
            Ok(Patch::Json(operations))
        }
        "application/merge-patch+json" => {
            let changes = parse().map_err(decoding)?;
            match &changes {
                Value::Object(_) => Ok(Patch::Merge(changes)),
                Value::Null => Err(refusal::bad_request("Invalid JSON Patch")),
                other => Err(decoding(not_a_map(other))),
            }
        }
        "application/strategic-merge-patch+json" if resource.is_custom() => {
            Err(refusal::no_strategic_merge())
        }
        "application/strategic-merge-patch+json" => {
            let changes = parse().map_err(refusal::bad_request)?;
            match &changes {
                Value::Object(_) => Ok(Patch::Strategic(changes)),
                Value::Null => Ok(Patch::Strategic(json!({}))),
                other => Err(refusal::bad_request(not_a_map(other))),
            }
        }
        "application/apply-patch+yaml" => configuration(bytes).map(Patch::Apply),
        _ => Err(refusal::unsupported_patch()),
    }
}

/// `DeleteOptions` from a body, over those of the query.
pub(super) fn delete_options(
    bytes: &[u8],
    from_query: DeleteOptions,
) -> Result<DeleteOptions, Status> {
    expect_size(bytes)?;
    if bytes.is_empty() {
        return Ok(from_query);
    }
    let parsed = json::parse(bytes).map_err(|why| {
        refusal::bad_request(format!("couldn't get version/kind; json parse error: {why}"))
    })?;
    let Value::Object(fields) = parsed.value else { return Ok(from_query) };
    let kind = fields.get("kind").and_then(Value::as_str).unwrap_or("");
    if !matches!(kind, "" | "DeleteOptions") {
        return Err(refusal::bad_request(format!(
            "no kind {kind:?} is registered for version \"meta.k8s.io/v1\" in scheme \"pkg/runtime/scheme.go:111\""
        )));
    }
    options_of(&fields)
}

fn options_of(fields: &Map<String, Value>) -> Result<DeleteOptions, Status> {
    let mut causes = Vec::new();
    let policy = text(fields, "propagationPolicy", "v1.DeletionPropagation")?;
    let mut propagation = query::propagation(policy, &mut causes);
    if let Some(orphan) = fields.get("orphanDependents").and_then(Value::as_bool) {
        if !policy.is_empty() {
            let message = format!(
                "Invalid value: {policy:?}: orphanDependents and deletionPropagation cannot be both set"
            );
            causes.push(refusal::cause("FieldValueInvalid", "propagationPolicy", message));
        }
        propagation = Some(if orphan { Propagation::Orphan } else { Propagation::Background });
    }
    let dry: Vec<&str> = fields
        .get("dryRun")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let dry_run = dry_run(&dry, &mut causes);
    query::refuse("DeleteOptions", causes)?;
    let grace_period_seconds = fields.get("gracePeriodSeconds").and_then(Value::as_i64);
    let preconditions = match fields.get("preconditions") {
        Some(Value::Object(wanted)) => Preconditions {
            uid: text(wanted, "uid", "types.UID")?.into(),
            resource_version: text(wanted, "resourceVersion", "string")?.into(),
        },
        _ => Preconditions::default(),
    };
    Ok(DeleteOptions { dry_run, propagation, preconditions, grace_period_seconds })
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str, go: &str) -> Result<&'a str, Status> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(refusal::bad_request(format!(
            "json: cannot unmarshal {} into Go struct field DeleteOptions.{name} of type {go}",
            json::go_type(other)
        ))),
    }
}

/// What an apply wants, in YAML; JSON is YAML, and what clients send.
fn configuration(bytes: &[u8]) -> Result<Value, Status> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    let parsed = parse(bytes, true).map_err(|why| {
        refusal::bad_request(format!("error decoding YAML: error converting YAML to JSON: {why}"))
    })?;
    match parsed.value {
        value @ Value::Object(_) => Ok(value),
        other => Err(refusal::bad_request(format!(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: {}",
            not_a_map(&other)
        ))),
    }
}

/// JSON, or YAML where that is allowed too: JSON is most often what is sent, and faster to read.
fn parse(bytes: &[u8], is_yaml: bool) -> Result<Parsed, String> {
    json::parse(bytes).or_else(|why| {
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        let braced = matches!(first, Some(b'{' | b'['));
        let (true, Ok(text)) = (is_yaml, std::str::from_utf8(bytes)) else { return Err(why) };
        let read = yaml::documents("body", text);
        match read.map(|documents| documents.into_iter().next()) {
            Ok(Some(document)) => Ok(Parsed { value: document.value, duplicates: Vec::new() }),
            Ok(None) => Ok(Parsed { value: Value::Null, duplicates: Vec::new() }),
            Err(_) if braced => Err(why),
            Err(error) => Err(format!("yaml: line {}: {}", error.line, error.message)),
        }
    })
}

fn not_a_map(value: &Value) -> String {
    let given = json::go_type(value);
    format!("json: cannot unmarshal {given} into Go value of type map[string]interface {{}}")
}

fn expect_list_of_operations(operations: &Value) -> Result<(), Status> {
    if operations.is_array() || operations.is_null() {
        return Ok(());
    }
    let given = json::go_type(operations);
    Err(refusal::bad_request(format!(
        "error decoding patch: json: cannot unmarshal {given} into Go value of type []handlers.jsonPatchOp"
    )))
}

fn expect_size(bytes: &[u8]) -> Result<(), Status> {
    if bytes.len() <= LARGEST { Ok(()) } else { Err(refusal::too_large(LARGEST)) }
}

fn complain_of_duplicates(
    resource: &Resource,
    duplicates: &[String],
    validation: FieldValidation,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    if duplicates.is_empty() || validation == FieldValidation::Ignore {
        return Ok(());
    }
    let said: Vec<String> = duplicates.iter().map(|d| format!("duplicate field {d:?}")).collect();
    if validation == FieldValidation::Strict {
        let kind = &resource.gvk.kind;
        return Err(refusal::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {kind}: strict decoding error: {}",
            resource.gvk.version,
            said.join(", ")
        )));
    }
    warnings.extend(said);
    Ok(())
}

/// Fills in what the path says of the object, and refuses metadata that are none.
fn complete(resource: &Resource, value: &mut Value) -> Result<(), Status> {
    if is_unset(value, "apiVersion") {
        value["apiVersion"] = json!(resource.gvk.api_version());
    }
    if is_unset(value, "kind") {
        value["kind"] = json!(resource.gvk.kind);
    }
    match value.get("metadata") {
        Some(Value::Object(_)) => Ok(()),
        None | Some(Value::Null) => {
            value["metadata"] = json!({});
            Ok(())
        }
        Some(_) => match schema::decode(resource, value.clone(), FieldValidation::Ignore) {
            Err(refused) => Err(refused),
            Ok(_) => Err(refusal::bad_request("metadata is not an object")),
        },
    }
}

fn is_unset(value: &Value, field: &str) -> bool {
    value.get(field).and_then(Value::as_str).is_none_or(str::is_empty)
}

#[cfg(test)]
mod tests {
    use crate::api::Caller;
    use crate::apiserver::Server;
    use crate::apiserver::rest::{self, HttpRequest};
    use crate::time::Timestamp;

    #[test]
    fn bodies_are_read_in_yaml_where_their_type_says_so() {
        let mut server = Server::new();
        let mut check = |method: &str, content_type: &str, body: &str, code: u16| {
            let target = match method {
                "POST" => "/api/v1/namespaces/default/configmaps?dryRun=All",
                _ => "/api/v1/namespaces/default/configmaps/a?fieldManager=m",
            };
            let body = body.as_bytes();
            let request = HttpRequest { method, target, content_type, accept: "", body };
            let caller = Caller::new("alice", "test/1");
            let answer = rest::answer(&mut server, Timestamp::START, &caller, &request);
            assert_eq!(answer.code, code, "{content_type} {:?}", answer.body);
        };
        let (block, flow) = ("metadata:\n  name: a\ndata: {k: v}\n", "{metadata: {name: a}}");
        check("POST", "application/yaml", block, 201);
        check("POST", "application/yaml", flow, 201);
        check("POST", "application/yaml", "a: [", 400);
        check("POST", "application/json", block, 400);
        check("POST", "application/json", flow, 400);
        let whole = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        check("PATCH", "application/apply-patch+yaml", whole, 201);
        check("PATCH", "application/apply-patch+yaml", "- a", 400);
        check("PATCH", "application/merge-patch+json", whole, 400);
    }
}
