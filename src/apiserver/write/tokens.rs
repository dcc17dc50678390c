//! Tokens that the server issues to a service account: its `token` (`TokenRequest`).
//!
//! Source: `pkg/registry/core/serviceaccount/storage/token.go` of Kubernetes.

use serde_json::{Value, json};

use super::{Answer, Write, metadata_mut, object};
use crate::api::{Body, Cause, FieldValidation, Reason, Status, StatusDetails};
use crate::apiserver::authenticate::{AUDIENCE, Claims, Named};
use crate::apiserver::resource::Resource;
use crate::apiserver::{managed, names, refusal, schema};
use crate::object::{GroupVersionKind, Object, ObjectRef};
use crate::time::Timestamp;

/// The shortest and the longest that a token lasts, in seconds.
const LASTS: (i64, i64) = (600, 1 << 32);

impl Write<'_> {
    pub(super) fn issue_token(&mut self, body: &Object) -> Answer {
        let kind = GroupVersionKind::new("authentication.k8s.io/v1", "TokenRequest");
        let schema = self.server.resources.registry().kind(&kind).cloned();
        let kind = Resource::of(&schema.expect("token requests are built in"));
        let mut value = body.as_value().clone();
        value = schema::decode(&kind, value, FieldValidation::Ignore)?.0;
        schema::default(&kind, &mut value);
        let account = self.existing()?;
        self.expect_account(&account, &mut value)?;
        let writer = self.writer(false);
        let writer = managed::Writer { api_version: kind.gvk.api_version(), ..writer };
        managed::update(self.registry(), &kind.schema, None, &mut value, &writer);
        let seconds = value["spec"]["expirationSeconds"].as_i64().unwrap_or_default();
        expect_span(seconds)?;
        let claims = self.claims(&account, &mut value, seconds.unsigned_abs())?;
        let expires = Timestamp::from_secs(claims.expires).to_string();
        let metadata = metadata_mut(&mut value);
        metadata.insert("creationTimestamp".into(), json!(self.now.to_string()));
        value["status"] = json!({
            "token": self.server.signing_key.sign(&claims), "expirationTimestamp": expires,
        });
        Ok((201, Body::Object(object(value))))
    }

    /// The request must be for the account of the path, as far as it says; then it is completed.
    fn expect_account(&self, account: &Object, value: &mut Value) -> Result<(), Status> {
        let metadata = metadata_mut(value);
        for (field, own) in [("name", &self.name), ("namespace", &self.namespace)] {
            let given = metadata.get(field).and_then(Value::as_str).unwrap_or_default();
            if !given.is_empty() && given != own {
                let why = format!(
                    "Invalid value: {given:?}: must match the service account {field} if specified"
                );
                let field = format!("metadata.{field}");
                return Err(invalid(&self.name, refusal::cause("FieldValueInvalid", &field, why)));
            }
            metadata.insert(field.into(), json!(own));
        }
        metadata.insert("uid".into(), json!(account.uid()));
        Ok(())
    }

    fn claims(&self, account: &Object, value: &mut Value, seconds: u64) -> Result<Claims, Status> {
        let spec = &mut value["spec"];
        if spec["audiences"].as_array().is_none_or(Vec::is_empty) {
            spec["audiences"] = json!([AUDIENCE]);
        }
        let audiences = spec["audiences"].as_array().into_iter().flatten();
        let issued = self.now.as_secs();
        let id = format!("{}/{}", account.uid(), self.server.requests_audited());
        Ok(Claims {
            audiences: audiences.filter_map(Value::as_str).map(str::to_owned).collect(),
            issued,
            expires: issued + seconds,
            id: names::uid(self.server.version(), &id),
            namespace: self.namespace.clone(),
            account: named(account),
            bound: self.bound_to(&spec["boundObjectRef"])?,
        })
    }

    /// The object that a token is bound to: it is good as long as that is there.
    fn bound_to(&self, reference: &Value) -> Result<Option<(String, Named)>, Status> {
        if !reference.is_object() {
            return Ok(None);
        }
        let text = |field: &str| reference[field].as_str().unwrap_or_default();
        let kind = GroupVersionKind::new(text("apiVersion"), text("kind"));
        let namespace = match text("kind") {
            "Pod" | "Secret" => self.namespace.as_str(),
            "Node" => "",
            _ => return Err(unbindable(&kind)),
        };
        if !kind.group.is_empty() {
            return Err(unbindable(&kind));
        }
        let name = text("name");
        let there = self.server.get(&ObjectRef::new("", &kind.kind, namespace, name)).cloned();
        let resource = self.server.resource(&GroupVersionKind::new("v1", &kind.kind))?;
        let object = there.ok_or_else(|| refusal::not_found(&resource, name))?;
        if !text("uid").is_empty() && text("uid") != object.uid() {
            let why = format!(
                "the UID in the bound object reference ({}) does not match the UID in record. The object might have been deleted and then recreated",
                text("uid")
            );
            return Err(refusal::conflict(&resource, name, &why));
        }
        let account = object.text("spec.serviceAccountName");
        if kind.kind == "Pod" && account != self.name {
            return Err(refusal::bad_request(format!(
                "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                self.name
            )));
        }
        Ok(Some((kind.kind.to_lowercase(), named(&object))))
    }
}

fn named(object: &Object) -> Named {
    Named { name: object.name().into(), uid: object.uid().into() }
}

fn unbindable(kind: &GroupVersionKind) -> Status {
    refusal::bad_request(format!(
        "cannot bind token to object of type {}/{}, Kind={}",
        kind.group, kind.version, kind.kind
    ))
}

fn expect_span(seconds: i64) -> Result<(), Status> {
    let why = match seconds {
        short if short < LASTS.0 => "may not specify a duration less than 10 minutes",
        long if long > LASTS.1 => "may not specify a duration larger than 2^32 seconds",
        _ => return Ok(()),
    };
    let message = format!("Invalid value: {seconds}: {why}");
    Err(invalid("", refusal::cause("FieldValueInvalid", "spec.expirationSeconds", message)))
}

fn invalid(name: &str, cause: Cause) -> Status {
    let message = format!(
        "TokenRequest.authentication.k8s.io {name:?} is invalid: {}: {}",
        cause.field, cause.message
    );
    let details = StatusDetails {
        name: name.into(),
        group: "authentication.k8s.io".into(),
        kind: "TokenRequest".into(),
        causes: vec![cause],
        ..StatusDetails::default()
    };
    Status::failure_about(Reason::Invalid, message, details)
}
