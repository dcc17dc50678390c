//! Creations below a pod: its `binding` and its `eviction`.

use serde_json::{Value, json};

use super::webhooks::Subject;
use super::{Answer, Write, object};
use crate::api::{Body, DeleteOptions, Status};
use crate::apiserver::refusal;
use crate::apiserver::resource::Resource;
use crate::object::{LabelSelector, Object};

impl Write<'_> {
    /// A creation below an object.
    pub(super) fn create_below(&mut self, body: &Object) -> Answer {
        self.name_from(body);
        self.admit_to_namespace(&json!({"metadata": {"name": self.name}}))?;
        let body = &self.admit_below(body)?;
        match self.subresource_name() {
            "binding" => self.bind(body),
            "token" => self.issue_token(body),
            _ => self.evict(body),
        }
    }

    /// Shows what is created to the webhooks.
    fn admit_below(&mut self, body: &Object) -> Result<Object, Status> {
        let Some(schema) = self.registry().kind(&body.gvk()).cloned() else {
            return Ok(body.clone());
        };
        let kind = Resource::of(&schema);
        let subject = Subject { operation: "CREATE", kind: &kind, old: None };
        let mut value = body.as_value().clone();
        self.mutate(subject, &mut value, |_, _| Ok(()))?;
        self.validate_by_webhooks(subject, Some(&value))?;
        Ok(object(value))
    }

    /// Binds a pod to a node, as schedulers do.
    fn bind(&mut self, binding: &Object) -> Answer {
        let node = binding.text("target.name");
        if node.is_empty() {
            return Err(refusal::internal("target.name: Required value"));
        }
        let old = self.existing()?;
        let there = old.text("spec.nodeName");
        if old.is_deleting() {
            let why = format!("pod {} is being deleted, cannot be assigned to a host", self.name);
            return Err(refusal::unbindable(&self.name, &why));
        }
        if !there.is_empty() {
            let why = format!("pod {} is already assigned to node \"{there}\"", self.name);
            return Err(refusal::unbindable(&self.name, &why));
        }
        let mut new = old.clone();
        new.set("spec.nodeName", node);
        let now = self.now.to_string();
        set_condition(
            &mut new,
            json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now}),
        );
        self.commit(&old, Some(new));
        Ok((201, Body::Status(Status { code: 201, ..Status::default() })))
    }

    /// Deletes a pod if its disruption budgets allow it.
    fn evict(&mut self, eviction: &Object) -> Answer {
        let pod = self.existing()?;
        if let Some(budget) = self.exhausted_budget(&pod) {
            return Err(refusal::disruption_budget(&budget));
        }
        let options = eviction.get("deleteOptions").cloned().unwrap_or_else(|| json!({}));
        let grace = options["gracePeriodSeconds"].as_i64();
        self.subresource = None;
        let mut marked = pod.clone();
        set_condition(
            &mut marked,
            json!({
                "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                "message": "Eviction API: evicting",
                "lastProbeTime": null, "lastTransitionTime": self.now.to_string(),
            }),
        );
        self.commit(&pod, Some(marked));
        let deleted =
            self.delete(&DeleteOptions { grace_period_seconds: grace, ..DeleteOptions::default() });
        deleted.map(|_| (201, Body::Status(Status { code: 201, ..Status::default() })))
    }

    fn exhausted_budget(&self, pod: &Object) -> Option<Object> {
        let ended = matches!(pod.text("status.phase"), "Succeeded" | "Failed" | "Pending");
        let covers = |budget: &&Object| {
            let selector = budget.get("spec.selector").unwrap_or(&Value::Null);
            budget.namespace() == pod.namespace()
                && LabelSelector::from_value(selector).matches(pod)
                && budget.int("status.disruptionsAllowed").unwrap_or(0) <= 0
        };
        let mut budgets = self.server.objects_of("policy", "PodDisruptionBudget");
        budgets.find(covers).filter(|_| !ended).cloned()
    }

    fn name_from(&mut self, body: &Object) {
        if self.name.is_empty() {
            self.name = body.name().to_owned();
        }
        if self.namespace.is_empty() {
            self.namespace = body.namespace().to_owned();
        }
    }
}

/// Puts a condition into the status, in place of an older one of its type.
fn set_condition(pod: &mut Object, condition: Value) {
    let conditions = pod.get("status.conditions").and_then(Value::as_array).cloned();
    let mut conditions = conditions.unwrap_or_default();
    conditions.retain(|other| other["type"] != condition["type"]);
    conditions.push(condition);
    pod.set("status.conditions", conditions);
}
