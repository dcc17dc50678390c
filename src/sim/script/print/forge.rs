//! What a scenario file says of the forge: who may do what, rules for branches, hooks, tokens.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Fields, put, span};
use crate::git::forge::{Protection, Role};
use crate::sim::script::{RepositorySpec, TokenSpec};

/// What is hosted with a repository.
pub(super) fn hosting(spec: &RepositorySpec) -> Fields {
    let mut fields = Fields::new();
    if spec.private {
        put(&mut fields, "private", true);
    }
    if !spec.roles.is_empty() {
        put(&mut fields, "roles", roles(&spec.roles));
    }
    if !spec.protect.is_empty() {
        let rules = spec.protect.iter().map(|rule| (rule.pattern.clone(), protection(rule)));
        put(&mut fields, "protect", Value::Object(rules.collect()));
    }
    if !spec.hooks.is_empty() {
        put(&mut fields, "hooks", json!(spec.hooks));
    }
    fields
}

fn roles(roles: &BTreeMap<String, Role>) -> Value {
    let named = roles.iter().map(|(login, role)| (login.clone(), Value::from(role.name())));
    Value::Object(named.collect())
}

fn protection(rule: &Protection) -> Value {
    let mut fields = Map::new();
    fields.extend(rule.required_approvals.map(|count| ("approvals".to_owned(), json!(count))));
    if !rule.required_checks.is_empty() {
        fields.insert("checks".into(), json!(rule.required_checks));
    }
    let flags = [
        ("dismissStale", rule.dismiss_stale),
        ("force", rule.allow_force),
        ("deletion", rule.allow_deletion),
        ("signed", rule.require_signatures),
        ("linear", rule.linear_history),
        ("sparesAdmins", !rule.include_admins),
    ];
    let set = flags.iter().filter(|(_, is_set)| *is_set);
    fields.extend(set.map(|(key, _)| ((*key).to_owned(), json!(true))));
    Value::Object(fields)
}

/// A token, behind its secret.
pub(super) fn token(spec: &TokenSpec) -> Fields {
    let mut fields = super::of([("user", json!(spec.user))]);
    if let Some(scopes) = &spec.scopes {
        let names: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        put(&mut fields, "scopes", json!(names));
    }
    if let Some(repositories) = &spec.repositories {
        put(&mut fields, "repositories", json!(repositories));
    }
    span(&mut fields, "until", spec.until);
    fields
}
