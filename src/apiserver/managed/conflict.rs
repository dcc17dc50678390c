//! What an apply may not take, and the one way around it: kubectl's own client-side apply.

use serde_json::{Value, json};

use super::Writer;
use super::check::{check, field_set};
use super::compare::Comparison;
use super::entries::Manager;
use super::set::FieldSet;
use super::versions::Versions;
use crate::api::{Cause, Reason, Status, StatusDetails};

/// The annotation in which client-side apply keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Fields of another manager that an apply would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    manager: Manager,
    pub(super) fields: FieldSet,
}

impl Conflict {
    pub(super) fn new(manager: &Manager, fields: FieldSet) -> Self {
        Conflict { manager: manager.clone(), fields }
    }
}

/// Runs an apply; for kubectl once more by force, when all it conflicts with is what the same user
/// applied client-side before.
pub(super) fn upgraded<T>(
    live: &Value,
    writer: &Writer,
    versions: &Versions,
    run: impl Fn(bool) -> Result<T, Vec<Conflict>>,
) -> Result<T, Status> {
    let mut conflicts = match run(writer.force) {
        Ok(done) => return Ok(done),
        Err(conflicts) => conflicts,
    };
    if writer.manager == "kubectl"
        && let Some(allowed) = last_applied_fields(live, writer, versions)
    {
        for conflict in &mut conflicts {
            conflict.fields = conflict.fields.difference(&allowed);
        }
        conflicts.retain(|conflict| !conflict.fields.is_empty());
        if conflicts.is_empty() {
            return run(true).map_err(|_| unreachable!("a forced apply has no conflicts"));
        }
    }
    Err(refusal(conflicts))
}

/// The fields of the last client-side apply that still have its values.
fn last_applied_fields(live: &Value, writer: &Writer, versions: &Versions) -> Option<FieldSet> {
    let annotation = live.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()?;
    let applied: Value = serde_json::from_str(annotation).ok()?;
    if applied.get("apiVersion")?.as_str()? != writer.api_version {
        return None;
    }
    let root = versions.root();
    check(root, &applied).ok()?;
    let changes = Comparison::of(root, &applied, live);
    let fields = field_set(root, &applied);
    let fields = fields.difference(&changes.modified).difference(&changes.added);
    Some(fields.difference(&changes.removed))
}

/// Keeps kubectl's annotation in step with what it applies here.
pub(super) fn sync_last_applied(object: &mut Value, patch: &Value, writer: &Writer) {
    if writer.manager != "kubectl" {
        return;
    }
    let Some(annotations) = object.pointer_mut("/metadata/annotations") else { return };
    if annotations.get(LAST_APPLIED).and_then(Value::as_str).is_none_or(str::is_empty) {
        return;
    }
    let mut applied = patch.clone();
    if let Some(Value::Object(own)) = applied.pointer_mut("/metadata/annotations") {
        own.remove(LAST_APPLIED);
    }
    annotations[LAST_APPLIED] = json!(format!("{applied}\n"));
}

fn refusal(mut conflicts: Vec<Conflict>) -> Status {
    conflicts.sort_by(|a, b| a.manager.cmp(&b.manager));
    let fields: Vec<(&Manager, Vec<String>)> =
        conflicts.iter().map(|conflict| (&conflict.manager, conflict.fields.paths())).collect();
    let causes = fields.iter().flat_map(|(manager, paths)| {
        paths.iter().map(move |path| Cause {
            reason: "FieldManagerConflict".into(),
            message: format!("conflict with {manager}"),
            field: path.clone(),
        })
    });
    let causes: Vec<Cause> = causes.collect();
    let message = message(&fields, causes.len());
    let details = StatusDetails { causes, ..StatusDetails::default() };
    Status::failure_about(Reason::Conflict, message, details)
}

fn message(fields: &[(&Manager, Vec<String>)], count: usize) -> String {
    if let [(manager, paths)] = fields
        && let [path] = &**paths
    {
        return format!("Apply failed with 1 conflict: conflict with {manager}: {path}");
    }
    let lines = fields.iter().map(|(manager, paths)| {
        let paths: String = paths.iter().map(|path| format!("\n- {path}")).collect();
        format!("conflicts with {manager}:{paths}")
    });
    let lines: Vec<String> = lines.collect();
    format!("Apply failed with {count} conflicts: {}", lines.join("\n"))
}
