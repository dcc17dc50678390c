//! Nobody grants what they may not do themselves: neither by the rules of a role nor by binding one.
//!
//! Who may `escalate` roles or `bind` a role is excepted. Source:
//! <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping>,
//! and `Covers` and `CompactRules` of `k8s.io/component-helpers/auth/rbac/validation` for the words.

use std::collections::BTreeSet;

use serde_json::Value;

use super::attributes::covers;
use super::subject::{Subject, role_of, rules_of};
use super::{
    Attributes, Authorization, EVERYTHING, GROUP, ResourceTarget, Target, decide_for, items,
    together,
};
use crate::api::{Caller, Status};
use crate::apiserver::refusal;
use crate::apiserver::resource::Resource;
use crate::apiserver::server::Server;
use crate::object::Object;

/// Refuses a role or binding, as it is about to be stored, that grants more than the caller may do.
pub(in crate::apiserver) fn check_escalation(
    server: &Server,
    caller: &Caller,
    resource: &Resource,
    value: &Value,
) -> Result<(), Status> {
    if server.authorization != Authorization::Rbac || resource.gvk.group != GROUP {
        return Ok(());
    }
    let subject = Subject::of(caller);
    let Ok(object) = Object::from_value(value.clone()) else { return Ok(()) };
    if subject.is_trusted() || is_excepted(server, &subject, resource, &object) {
        return Ok(());
    }
    let held: Vec<&Value> = subject.rules(server, object.namespace()).collect();
    let granted = granted(server, resource, &object)?;
    let unresolved = unresolved(server, &subject, resource, object.namespace());
    let missing = granted.iter().flat_map(rights).filter(|right| !right.is_among(&held));
    match compact(missing.collect()) {
        missing if missing.is_empty() => Ok(()),
        missing => {
            let Subject { user, groups } = subject;
            let groups: Vec<String> = groups.iter().map(|group| format!("{group:?}")).collect();
            let why = format!(
                "user {user:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}{}",
                groups.join(" "),
                Vec::from_iter(missing).join("\n"),
                unresolved
            );
            Err(refusal::forbidden_to(resource, object.name(), &why))
        }
    }
}

/// What is said of roles that are bound to the subject and not there: as of the resource that is written.
fn unresolved(
    server: &Server,
    subject: &Subject<'_>,
    resource: &Resource,
    namespace: &str,
) -> String {
    let missing =
        subject.grants(server, namespace).filter_map(|grant| grant.missing_in(&resource.plural));
    match together(missing.collect()) {
        errors if errors.is_empty() => errors,
        errors => format!("; resolution errors: [{errors}]"),
    }
}

/// Whether the subject may `escalate` the role, or `bind` the one that the binding names.
fn is_excepted(
    server: &Server,
    subject: &Subject<'_>,
    resource: &Resource,
    object: &Object,
) -> bool {
    let (verb, resource, name) = match object.text("roleRef.kind") {
        "" => ("escalate", resource.schema.plural.as_str(), object.name()),
        "Role" => ("bind", "roles", object.text("roleRef.name")),
        _ => ("bind", "clusterroles", object.text("roleRef.name")),
    };
    let target = ResourceTarget {
        group: GROUP.into(),
        resource: resource.into(),
        namespace: object.namespace().into(),
        name: name.into(),
        ..ResourceTarget::default()
    };
    let wish = Attributes { verb: verb.into(), target: Target::Resource(target) };
    decide_for(server, subject, &wish).allowed
}

/// The rules that an object grants.
fn granted(server: &Server, resource: &Resource, object: &Object) -> Result<Vec<Value>, Status> {
    if object.kind().ends_with("Binding") {
        let Some(role) = role_of(server, object) else {
            return Err(refusal::not_found(resource, object.text("roleRef.name")));
        };
        return Ok(rules_of(server, role).into_iter().cloned().collect());
    }
    // What a role will gather is not known.
    let gathers = object.get("aggregationRule").is_some();
    let unknown = EVERYTHING.iter().filter(|_| gathers);
    Ok(items(object.get("rules")).chain(unknown).cloned().collect())
}

/// The smallest part of a rule.
#[derive(Clone, PartialEq, Eq)]
struct Right {
    verb: String,
    /// Group and resource; `None` for a URL.
    resource: Option<(String, String)>,
    /// The name of an object, or a URL; empty for all objects.
    name: String,
}

/// The parts of a rule.
fn rights(rule: &Value) -> Vec<Right> {
    let texts = |field: &str| -> Vec<String> {
        let texts = items(rule.get(field)).filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let (verbs, urls) = (texts("verbs"), texts("nonResourceURLs"));
    let names = Some(texts("resourceNames")).filter(|names| !names.is_empty());
    let names = names.unwrap_or_else(|| vec![String::new()]);
    let mut rights = Vec::new();
    for group in texts("apiGroups") {
        for resource in texts("resources") {
            for verb in &verbs {
                rights.extend(names.iter().map(|name| Right {
                    verb: verb.clone(),
                    resource: Some((group.clone(), resource.clone())),
                    name: name.clone(),
                }));
            }
        }
    }
    let at = |url: &String, verb: &String| Right {
        verb: verb.clone(),
        resource: None,
        name: url.clone(),
    };
    rights.extend(urls.iter().flat_map(|url| verbs.iter().map(move |verb| at(url, verb))));
    rights
}

impl Right {
    fn is_among(&self, rules: &[&Value]) -> bool {
        rules.iter().any(|rule| self.is_in(rule))
    }

    fn is_in(&self, rule: &Value) -> bool {
        let has = |field: &str, wanted: &str| items(rule.get(field)).any(|value| value == wanted);
        let has_or_all = |field: &str, wanted: &str| has(field, "*") || has(field, wanted);
        if !has_or_all("verbs", &self.verb) {
            return false;
        }
        let Some((group, resource)) = &self.resource else {
            let mut urls = items(rule.get("nonResourceURLs")).filter_map(Value::as_str);
            return urls.any(|url| covers(url, &self.name));
        };
        let below = resource.split_once('/').map(|(_, below)| format!("*/{below}"));
        let of_resource = has_or_all("resources", resource)
            || below.is_some_and(|wanted| has("resources", &wanted));
        let all_names = items(rule.get("resourceNames")).next().is_none();
        let named = all_names || !self.name.is_empty() && has("resourceNames", &self.name);
        has_or_all("apiGroups", group) && of_resource && named
    }
}

/// Rights as rules, sorted: the verbs of one resource together.
fn compact(rights: Vec<Right>) -> BTreeSet<String> {
    let mut rules: Vec<(Right, Vec<String>)> = Vec::new();
    for right in rights {
        let same = |rule: &&mut (Right, Vec<String>)| {
            right.resource.is_some()
                && rule.0.resource == right.resource
                && rule.0.name == right.name
        };
        match rules.iter_mut().find(same) {
            Some((_, verbs)) => verbs.push(format!("{:?}", right.verb)),
            None => {
                let verbs = vec![format!("{:?}", right.verb)];
                rules.push((right, verbs));
            }
        }
    }
    rules.iter().map(|(right, verbs)| shown(right, &verbs.join(" "))).collect()
}

/// `{APIGroups:["apps"], Resources:["deployments"], Verbs:["get" "list"]}`.
fn shown(right: &Right, verbs: &str) -> String {
    let name = &right.name;
    match &right.resource {
        None => format!("{{NonResourceURLs:[{name:?}], Verbs:[{verbs}]}}"),
        Some((group, resource)) => {
            let names = match name.as_str() {
                "" => String::new(),
                name => format!(", ResourceNames:[{name:?}]"),
            };
            format!("{{APIGroups:[{group:?}], Resources:[{resource:?}]{names}, Verbs:[{verbs}]}}")
        }
    }
}
