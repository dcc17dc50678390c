//! Jobs and CronJobs.

use serde_json::Value;

use super::report::{Node, Report};
use super::{immutable, print, selectors, workload};

/// A job's own rules; a job in a CronJob has no selector yet.
pub(super) fn job(spec: &Node, report: &mut Report) {
    let template = spec.at("template");
    let pod = template.at("spec");
    let policy = pod.at("restartPolicy");
    match policy.text() {
        "OnFailure" | "Never" => {}
        "" | "Always" => report.required(&policy, "valid values: \"OnFailure\", \"Never\""),
        _ => report.unsupported(&policy, &["OnFailure", "Never"]),
    }
    check_mode(spec, report);
    if spec.path() == "spec" {
        check_selector(&spec.at("selector"), report);
    }
}

fn check_mode(spec: &Node, report: &mut Report) {
    let indexed = spec.at("completionMode").text() == "Indexed";
    let completions = spec.at("completions");
    if indexed && !completions.is_set() {
        report.required(&completions, "when completion mode is Indexed");
    }
    if !indexed {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            let field = spec.at(field);
            if field.is_set() {
                report.invalid(&field, "requires indexed completion mode");
            }
        }
    }
}

fn check_selector(selector: &Node, report: &mut Report) {
    if !selector.is_set() {
        report.required(selector, "");
    } else {
        selectors::check_selector(selector, report);
    }
    workload::check_template_labels(selector, report);
}

pub(super) fn job_template(template: &Node, report: &mut Report) {
    let spec = template.at("spec");
    let selector = spec.at("selector");
    if selector.is_set() {
        report.invalid(&selector, "`selector` will be auto-generated");
    }
    let manual = spec.at("manualSelector");
    if manual.is_true() {
        report.unsupported(&manual, &["nil", "false"]);
    }
}

/// The pods of a job stay as they were made.
pub(super) fn job_change(new: &Node, old: &Node, report: &mut Report) {
    let (spec, old) = (new.at("spec"), old.at("spec"));
    let indexed = spec.at("completionMode").text() == "Indexed";
    let completions = spec.at("completions");
    if !indexed {
        immutable(&completions, &old.at("completions"), report);
    } else if completions.value != old.at("completions").value
        && completions.value != spec.at("parallelism").value
    {
        report.invalid(&completions, "can only be modified in tandem with spec.parallelism");
    }
    immutable(&spec.at("selector"), &old.at("selector"), report);
    check_template(&spec.at("template"), &old, report);
    for field in
        ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    {
        immutable(&spec.at(field), &old.at(field), report);
    }
}

/// A suspended job that never ran may be scheduled otherwise.
fn check_template(template: &Node, old: &Node, report: &mut Report) {
    let suspended = old.at("suspend").is_true() && old.above().is_some_and(never_started);
    let mut was = old.at("template").value.clone();
    if suspended {
        adopt_scheduling(&mut was, template.value);
    }
    if *template.value != was {
        let printed = print::line("PodTemplateSpec", template.value);
        report.0.push(crate::api::Cause {
            reason: "FieldValueInvalid".into(),
            message: format!("Invalid value: {printed}: field is immutable"),
            field: template.path(),
        });
    }
}

fn never_started(job: &Node) -> bool {
    !job.at("status").at("startTime").is_set()
}

fn adopt_scheduling(was: &mut Value, template: &Value) {
    for path in [
        ["metadata", "labels"],
        ["metadata", "annotations"],
        ["spec", "nodeSelector"],
        ["spec", "tolerations"],
        ["spec", "schedulingGates"],
    ] {
        let Some(Value::Object(part)) = was.get_mut(path[0]) else { continue };
        match template.get(path[0]).and_then(|part| part.get(path[1])) {
            Some(value) => part.insert(path[1].into(), value.clone()),
            None => part.remove(path[1]),
        };
    }
}

/// Jobs are named after their CronJob, with eleven characters more.
pub(super) fn cron_job_name(cron_job: &Node, report: &mut Report) {
    let metadata = cron_job.at("metadata");
    let name = metadata.at("name");
    if name.text().len() > 52 {
        report.invalid(&name, "must be no more than 52 characters");
    }
}
