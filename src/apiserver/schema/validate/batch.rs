//! Jobs and CronJobs.

use serde_json::{Value, json};

use super::report::{Node, Report};
use super::{immutable, immutable_structure, selectors, workload};

/// A job's own rules; a job in a CronJob has no selector yet.
pub(super) fn job(spec: &Node, report: &mut Report) {
    let template = spec.at("template");
    let pod = template.at("spec");
    let policy = pod.at("restartPolicy");
    match policy.text() {
        "OnFailure" if spec.at("podFailurePolicy").is_set() => report
            .invalid(&policy, "only \"Never\" is supported when podFailurePolicy is specified"),
        "OnFailure" | "Never" => {}
        "" | "Always" => report.required(&policy, "valid values: \"OnFailure\", \"Never\""),
        _ => report.unsupported(&policy, &["OnFailure", "Never"]),
    }
    if spec.path() == "spec" {
        check_selector(&spec.at("selector"), report);
    }
}

/// How many pods an indexed job may have at a time.
const MOST_PARALLEL: i64 = 100_000;

/// What comes with an index for each pod, and only then.
pub(super) fn mode(mode: &Node, report: &mut Report) {
    let Some(spec) = mode.above() else { return };
    let indexed = mode.text() == "Indexed";
    let (completions, parallelism) = (spec.at("completions"), spec.at("parallelism"));
    let per_index = spec.at("backoffLimitPerIndex");
    if spec.at("maxFailedIndexes").is_set() && !per_index.is_set() {
        report.required(&per_index, "when maxFailedIndexes is specified");
    }
    if indexed && !completions.is_set() {
        report.required(&completions, "when completion mode is Indexed");
    }
    if indexed && parallelism.int().is_some_and(|pods| pods > MOST_PARALLEL) {
        report.invalid(
            &parallelism,
            format!(
                "must be less than or equal to {MOST_PARALLEL} when completion mode is Indexed"
            ),
        );
    }
    let success = spec.at("successPolicy");
    if success.is_set() && !indexed {
        report.invalid_structure(&success, "SuccessPolicy", "requires indexed completion mode");
    } else {
        success.at("rules").items().for_each(|rule| check_success(&rule, report));
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

fn check_success(rule: &Node, report: &mut Report) {
    if !rule.at("succeededCount").is_set() && !rule.at("succeededIndexes").is_set() {
        let sentence = "at least one of succeededCount or succeededIndexes must be specified";
        report.required(rule, sentence);
    }
}

/// With a policy for failed pods, only those are replaced.
pub(super) fn replacement(policy: &Node, report: &mut Report) {
    let Some(spec) = policy.above() else { return };
    if spec.at("podFailurePolicy").is_set() && policy.text() == "TerminatingOrFailed" {
        report.unsupported(policy, &["Failed"]);
    }
}

pub(super) fn failure_action(action: &Node, report: &mut Report) {
    let Some(rule) = action.above() else { return };
    let spec = rule.above().and_then(Node::above).and_then(Node::above);
    if action.text() == "FailIndex"
        && spec.is_some_and(|spec| !spec.at("backoffLimitPerIndex").is_set())
    {
        report.invalid(action, "requires the backoffLimitPerIndex to be set");
    }
}

pub(super) fn failure_rule(rule: &Node, report: &mut Report) {
    match (rule.at("onExitCodes").is_set(), !rule.at("onPodConditions").is_zero()) {
        (true, true) => report.invalid_whole(
            rule,
            "specifying both OnExitCodes and OnPodConditions is not supported",
        ),
        (false, false) => report
            .invalid_whole(rule, "specifying one of OnExitCodes and OnPodConditions is required"),
        _ => {}
    }
}

/// The codes are in order, each once; success is no failure.
pub(super) fn exit_codes(codes: &Node, report: &mut Report) {
    check_container(codes, report);
    let values = codes.at("values");
    let all: Vec<i64> = values.items().filter_map(|value| value.int()).collect();
    if all.is_empty() {
        report.invalid_value(&values, &json!([]), "at least one value is required");
    }
    for value in values.items() {
        if codes.at("operator").text() == "In" && value.int() == Some(0) {
            report.invalid(&value, "must not be 0 for the In operator");
        }
        let earlier = &all[..value.index().unwrap_or(0)];
        if value.int().is_some_and(|code| earlier.contains(&code)) {
            report.duplicate(&value);
        }
    }
    if !all.is_sorted() {
        report.invalid(&values, "must be ordered");
    }
}

fn check_container(codes: &Node, report: &mut Report) {
    let name = codes.at("containerName");
    let policy = codes.above().and_then(Node::above).and_then(Node::above);
    let Some(spec) = policy.and_then(Node::above).filter(|_| name.is_set()) else { return };
    let template = spec.at("template");
    let pod = template.at("spec");
    let (containers, init) = (pod.at("containers"), pod.at("initContainers"));
    let mut all = containers.items().chain(init.items());
    if !all.any(|container| container.at("name").text() == name.text()) {
        report.invalid(
            &name,
            "must be one of the container or initContainer names in the pod template",
        );
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

/// A selector that is made for a job picks by its uid.
pub(super) fn generated_selector(job: &Node, report: &mut Report) {
    let spec = job.at("spec");
    let selector = spec.at("selector");
    if spec.at("manualSelector").is_true() || !selector.is_set() {
        return;
    }
    let uid = job.at("metadata").at("uid").value;
    let labels = json!({"controller-uid": uid, "batch.kubernetes.io/controller-uid": uid});
    if selectors::is_valid(&selector) && !selectors::picks(&selector, &Node::root(&labels)) {
        report.invalid_structure(&selector, "LabelSelector", "`selector` not auto-generated");
    }
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
    immutable_structure(&spec.at("selector"), &old.at("selector"), "LabelSelector", report);
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
        let was = Node::root(&was);
        immutable_structure(&template.at("spec"), &was.at("spec"), "PodSpec", report);
    } else {
        immutable_structure(template, &Node::root(&was), "PodTemplateSpec", report);
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
