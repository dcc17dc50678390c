//! Reviews: questions that are asked by creating an object, and answered with it. Nothing is kept.
//!
//! Source: `pkg/registry/authorization` and `pkg/registry/authentication` of Kubernetes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Answer, Write, metadata_mut, object};
use crate::api::{Body, Caller, Cause, Reason, Status, StatusDetails};
use crate::apiserver::authenticate::AUDIENCE;
use crate::apiserver::authorize::{self, Attributes, Decision};
use crate::apiserver::{golang, refusal};

impl Write<'_> {
    /// Answers the question that an object of a kind that is not kept asks.
    pub(super) fn review(&self, mut value: Value) -> Answer {
        match self.resource.gvk.kind.as_str() {
            "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview" => {
                self.review_access(&mut value)?
            }
            "SelfSubjectRulesReview" => self.review_rules(&mut value)?,
            "SelfSubjectReview" => self.review_self(&mut value),
            "TokenReview" => self.review_token(&mut value)?,
            // A pod is bound by its `binding`; this older way is said to be the same.
            _ => return Err(refusal::method_not_allowed()),
        }
        Ok((201, Body::Object(object(value))))
    }

    fn review_access(&self, value: &mut Value) -> Result<(), Status> {
        let causes = self.broken_review(value);
        if !causes.is_empty() {
            return Err(invalid(&self.resource.gvk.group, causes));
        }
        let wish = Attributes::of_review(&value["spec"]);
        let Decision { allowed, reason } = match self.asks_of_itself() {
            true => authorize::decide(self.server, self.caller, &wish),
            false => authorize::decide_of(self.server, &subject(&value["spec"]), &wish),
        };
        value["status"] = json!({ "allowed": allowed });
        if !reason.is_empty() {
            value["status"]["reason"] = json!(reason);
        }
        Ok(())
    }

    fn asks_of_itself(&self) -> bool {
        self.resource.gvk.kind == "SelfSubjectAccessReview"
    }

    /// The rules that an access review breaks. (`pkg/apis/authorization/validation`.)
    fn broken_review(&self, value: &Value) -> Vec<Cause> {
        let (spec, local) = (&value["spec"], self.resource.namespaced);
        let mut causes = Vec::new();
        let mut wrong = |field: &str, value: &str, why: &str| {
            causes.push(invalid_value(field, value, why));
        };
        let url = || path_and_verb(&spec["nonResourceAttributes"]);
        match (spec["resourceAttributes"].is_object(), spec["nonResourceAttributes"].is_object()) {
            (true, true) => wrong(
                "spec.nonResourceAttributes",
                &url(),
                "cannot be specified in combination with resourceAttributes",
            ),
            (false, false) => wrong(
                "spec.resourceAttributes",
                "null",
                "exactly one of nonResourceAttributes or resourceAttributes must be specified",
            ),
            _ => {}
        }
        if !self.asks_of_itself() && spec["user"].is_null() && spec["groups"].is_null() {
            wrong("spec.user", "\"\"", "at least one of user or group must be specified");
        }
        let allowed = |field: &&String| *field == "managedFields" || local && *field == "namespace";
        let metadata = value["metadata"].as_object();
        if metadata.is_some_and(|fields| fields.keys().any(|field| !allowed(&field))) {
            let shown = self.shown(value, "metadata");
            let except = if local { " except for namespace" } else { "" };
            wrong("metadata", &shown, &format!("must be empty{except}"));
        }
        let named = spec["resourceAttributes"]["namespace"].as_str().unwrap_or_default();
        if local && spec["resourceAttributes"].is_object() && named != self.namespace {
            let shown = format!("{named:?}");
            wrong("spec.resourceAttributes.namespace", &shown, "must match metadata.namespace");
        }
        if local && spec["nonResourceAttributes"].is_object() {
            wrong("spec.nonResourceAttributes", &url(), "disallowed on this kind of request");
        }
        causes
    }

    /// A field of the value as Go writes it.
    fn shown(&self, value: &Value, name: &str) -> String {
        let field = self.resource.root.fields.iter().find(|field| &*field.name == name);
        field.map_or_else(String::new, |field| golang::encode(&field.ty, &value[name], None))
    }

    fn review_rules(&self, value: &mut Value) -> Result<(), Status> {
        let namespace = value["spec"]["namespace"].as_str().unwrap_or_default();
        if namespace.is_empty() {
            return Err(refusal::bad_request("no namespace on request"));
        }
        let found = authorize::rules(self.server, self.caller, namespace);
        let (urls, resources): (Vec<&Value>, Vec<&Value>) =
            found.rules.iter().partition(|rule| rule["nonResourceURLs"].is_array());
        let mut status =
            json!({"resourceRules": resources, "nonResourceRules": urls, "incomplete": false});
        let errors = authorize::together(found.errors);
        if !errors.is_empty() {
            status["evaluationError"] = json!(errors);
        }
        metadata_mut(value).clear();
        value["spec"] = json!({});
        value["status"] = status;
        Ok(())
    }

    fn review_self(&self, value: &mut Value) {
        metadata_mut(value).insert("creationTimestamp".into(), json!(self.now.to_string()));
        value["status"] = json!({ "userInfo": user_info(self.caller) });
    }

    fn review_token(&self, value: &mut Value) -> Result<(), Status> {
        let token = value["spec"]["token"].as_str().unwrap_or_default();
        if token.is_empty() {
            return Err(refusal::bad_request(
                "token is required for TokenReview in authentication",
            ));
        }
        let wanted = value["spec"]["audiences"].as_array().into_iter().flatten();
        let mut wanted: Vec<String> = wanted.filter_map(Value::as_str).map(str::to_owned).collect();
        if wanted.is_empty() {
            wanted.push(AUDIENCE.into());
        }
        let found = self.server.authenticate_for(self.now, token, &wanted);
        let status = &mut value["status"];
        if !status.is_object() {
            *status = json!({});
        }
        match found {
            Ok(caller) => {
                status["authenticated"] = json!(true);
                status["user"] = user_info(&caller);
                status["audiences"] = json!(wanted);
            }
            Err(why) => {
                status["error"] = json!(why);
                if status["user"].is_null() {
                    status["user"] = json!({});
                }
            }
        }
        Ok(())
    }
}

/// Whom an access review asks about: with the groups it says, and no others.
fn subject(spec: &Value) -> Caller {
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let extra = spec["extra"].as_object().into_iter().flatten();
    Caller {
        groups: texts(&spec["groups"]),
        uid: spec["uid"].as_str().unwrap_or_default().into(),
        extra: extra.map(|(key, values)| (key.clone(), texts(values))).collect::<BTreeMap<_, _>>(),
        ..Caller::new(spec["user"].as_str().unwrap_or_default(), "")
    }
}

/// A user as `authentication.k8s.io/v1` `UserInfo`.
fn user_info(caller: &Caller) -> Value {
    let mut info = Map::new();
    for (field, text) in [("username", &caller.user), ("uid", &caller.uid)] {
        if !text.is_empty() {
            info.insert(field.into(), json!(text));
        }
    }
    if !caller.groups.is_empty() {
        info.insert("groups".into(), json!(caller.groups));
    }
    if !caller.extra.is_empty() {
        info.insert("extra".into(), json!(caller.extra));
    }
    Value::Object(info)
}

/// As Go writes `NonResourceAttributes` of its internal version.
fn path_and_verb(attributes: &Value) -> String {
    let text = |field: &str| attributes[field].as_str().unwrap_or_default();
    format!("{{\"Path\":{},\"Verb\":{}}}", json!(text("path")), json!(text("verb")))
}

fn invalid_value(field: &str, value: &str, why: &str) -> Cause {
    refusal::cause("FieldValueInvalid", field, format!("Invalid value: {value}: {why}"))
}

/// The refusal of a review, which names neither kind nor object.
fn invalid(group: &str, causes: Vec<Cause>) -> Status {
    let said: Vec<String> =
        causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    let listed = if said.len() == 1 { said[0].clone() } else { format!("[{}]", said.join(", ")) };
    let details = StatusDetails { group: group.into(), causes, ..StatusDetails::default() };
    Status::failure_about(Reason::Invalid, format!(".{group} \"\" is invalid: {listed}"), details)
}
