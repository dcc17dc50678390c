//! Limit ranges (admission plugin `LimitRanger`): what the containers of a new pod get that say nothing
//! of their resources, and what they, the pod and a claim may ask for.

use serde_json::{Map, Value, json};

use super::strategy::set_annotation;
use crate::api::Status;
use crate::apiserver::refusal;
use crate::apiserver::resource::Resource;
use crate::apiserver::server::Server;
use crate::object::Object;
use crate::quota::{Amounts, amounts, asked_by};

/// Gives the containers of a new pod the requests and limits that they leave open.
pub(super) fn set_defaults(server: &Server, pod: &mut Value) {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    for range in ranges(server, &namespace) {
        let given = items_of(range, "Container").fold([json!({}), json!({})], |mut given, item| {
            for (given, field) in given.iter_mut().zip(["defaultRequest", "default"]) {
                let amounts = item.get(field).and_then(Value::as_object).cloned();
                given.as_object_mut().expect("an object").extend(amounts.unwrap_or_default());
            }
            given
        });
        let mut told = Vec::new();
        for (list, kind) in [("containers", "container"), ("initContainers", "init container")] {
            let containers = pod["spec"].get_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                told.extend(fill(container, kind, &given));
            }
        }
        if !told.is_empty() {
            let told = format!("LimitRanger plugin set: {}", told.join("; "));
            set_annotation(pod, "kubernetes.io/limit-ranger", &told);
        }
    }
}

/// Fills one container in; tells what it got.
fn fill(container: &mut Value, kind: &str, given: &[Value; 2]) -> Vec<String> {
    let name = container["name"].as_str().unwrap_or_default().to_owned();
    let mut told = Vec::new();
    for (field, given) in ["requests", "limits"].into_iter().zip(given) {
        let there = container["resources"].get(field);
        let missing: Map<String, Value> = given
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(resource, _)| there.is_none_or(|there| there.get(resource).is_none()))
            .map(|(resource, amount)| (resource.clone(), amount.clone()))
            .collect();
        if missing.is_empty() {
            continue;
        }
        let resources: Vec<&str> = missing.keys().map(String::as_str).collect();
        let word = field.trim_end_matches('s');
        told.push(format!("{} {word} for {kind} {name}", resources.join(", ")));
        for (resource, amount) in missing {
            container["resources"][field][&resource] = amount;
        }
    }
    told
}

/// Refuses a new pod or claim that asks for more, or for less, than the ranges of its namespace allow.
pub(super) fn check(server: &Server, resource: &Resource, value: &Value) -> Result<(), Status> {
    let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default();
    for range in ranges(server, text("namespace")) {
        let broken = if resource.is("", "Pod") {
            broken_by_pod(range, value)
        } else if resource.is("", "PersistentVolumeClaim") {
            broken_by_claim(range, value)
        } else {
            return Ok(());
        };
        let why = match &broken[..] {
            [] => continue,
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        return Err(refusal::forbidden(resource, text("name"), &why, Vec::new()));
    }
    Ok(())
}

fn broken_by_pod(range: &Object, pod: &Value) -> Vec<String> {
    let containers =
        || list(&pod["spec"], "containers").chain(list(&pod["spec"], "initContainers"));
    let asked = |container: &Value| {
        ["requests", "limits"].map(|field| amounts(container["resources"].get(field)))
    };
    let mut broken = Vec::new();
    for item in range.get("spec.limits").and_then(Value::as_array).into_iter().flatten() {
        match item["type"].as_str() {
            Some("Container") => {
                containers().for_each(|c| broken.extend(broken_by(item, "Container", &asked(c))));
            }
            Some("Pod") => broken.extend(broken_by(item, "Pod", &asked_by(&pod["spec"]))),
            _ => {}
        }
    }
    broken
}

fn broken_by_claim(range: &Object, claim: &Value) -> Vec<String> {
    let requests = amounts(claim["spec"]["resources"].get("requests"));
    let kind = "PersistentVolumeClaim";
    let mut broken = Vec::new();
    for item in items_of(range, kind) {
        broken.extend(too_little(item, kind, &[requests.clone(), Amounts::new()]));
        for (resource, most) in amounts(item.get("max")) {
            let is_most = format!("maximum {resource} usage per {kind} is {most}");
            match requests.get(&resource) {
                None => broken.push(format!("{is_most}.  No request is specified")),
                Some(request) if *request > most => {
                    broken.push(format!("{is_most}, but request is {request}"));
                }
                Some(_) => {}
            }
        }
    }
    broken
}

fn broken_by(item: &Value, kind: &str, asked: &[Amounts; 2]) -> Vec<String> {
    let too_little = too_little(item, kind, asked);
    [too_little, too_much(item, kind, asked), out_of_ratio(item, kind, asked)].concat()
}

fn too_little(item: &Value, kind: &str, [requests, limits]: &[Amounts; 2]) -> Vec<String> {
    let mut broken = Vec::new();
    for (resource, least) in amounts(item.get("min")) {
        let is_least = format!("minimum {resource} usage per {kind} is {least}");
        match (requests.get(&resource), limits.get(&resource)) {
            (None, _) => broken.push(format!("{is_least}.  No request is specified")),
            (Some(request), _) if *request < least => {
                broken.push(format!("{is_least}, but request is {request}"));
            }
            (_, Some(limit)) if *limit < least => {
                broken.push(format!("{is_least}, but limit is {limit}"));
            }
            _ => {}
        }
    }
    broken
}

fn too_much(item: &Value, kind: &str, [requests, limits]: &[Amounts; 2]) -> Vec<String> {
    let mut broken = Vec::new();
    for (resource, most) in amounts(item.get("max")) {
        let is_most = format!("maximum {resource} usage per {kind} is {most}");
        match (requests.get(&resource), limits.get(&resource)) {
            (_, None) => broken.push(format!("{is_most}.  No limit is specified")),
            (_, Some(limit)) if *limit > most => {
                broken.push(format!("{is_most}, but limit is {limit}"));
            }
            (Some(request), _) if *request > most => {
                broken.push(format!("{is_most}, but request is {request}"));
            }
            _ => {}
        }
    }
    broken
}

fn out_of_ratio(item: &Value, kind: &str, [requests, limits]: &[Amounts; 2]) -> Vec<String> {
    let mut broken = Vec::new();
    let some = |amounts: &Amounts, resource: &str| {
        amounts.get(resource).map(|amount| amount.milli_value()).filter(|amount| *amount != 0)
    };
    for (resource, most) in amounts(item.get("maxLimitRequestRatio")) {
        let is_most = format!("{resource} max limit to request ratio per {kind} is {most}, but");
        match (some(requests, &resource), some(limits, &resource)) {
            (None, _) => broken.push(format!("{is_most} no request is specified or request is 0")),
            (_, None) => broken.push(format!("{is_most} no limit is specified or limit is 0")),
            (Some(request), Some(limit)) => {
                let ratio = limit as f64 / request as f64;
                if ratio * 1000.0 > most.milli_value() as f64 {
                    broken.push(format!("{is_most} provided ratio is {ratio:.6}"));
                }
            }
        }
    }
    broken
}

fn ranges<'s>(server: &'s Server, namespace: &str) -> impl Iterator<Item = &'s Object> {
    server.objects_of("", "LimitRange").filter(move |range| range.namespace() == namespace)
}

fn items_of<'o>(range: &'o Object, kind: &str) -> impl Iterator<Item = &'o Value> {
    let items = range.get("spec.limits").and_then(Value::as_array);
    items.into_iter().flatten().filter(move |item| item["type"] == kind)
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}
