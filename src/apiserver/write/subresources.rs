//! Subresources that only one kind has: a namespace's `finalize`, a pod's `binding` and `eviction`.

use serde_json::{Value, json};

use super::update::Managed;
use super::{Answer, Write, text};
use crate::api::{Body, DeleteOptions, Status, Subresource};
use crate::apiserver::refusal;
use crate::object::{LabelSelector, Object};

impl Write<'_> {
    /// Whether an update goes to `finalize`.
    pub(super) fn is_finalize(&self) -> bool {
        self.subresource_name() == "finalize" && self.resource.is("", "Namespace")
    }

    /// Takes finalizers off a namespace; with the last one a terminating namespace is gone.
    pub(super) fn finalize(&mut self, given: &Value) -> Answer {
        let old = self.existing()?;
        let mut new = old.clone();
        match given["spec"].get("finalizers") {
            Some(left) => new.set("spec.finalizers", left.clone()),
            None => {
                new.remove("spec.finalizers");
            }
        }
        self.replace(&old, new.into_value(), Managed::Update)
    }

    /// A creation below an object.
    pub(super) fn create_below(&mut self, body: &Object) -> Answer {
        let pod = self.resource.is("", "Pod");
        match &self.subresource {
            Some(Subresource::Other(name)) if pod && name == "binding" => self.bind(body),
            Some(Subresource::Other(name)) if pod && name == "eviction" => self.evict(body),
            _ => Err(refusal::method_not_allowed()),
        }
    }

    /// Binds a pod to a node, as schedulers do.
    fn bind(&mut self, binding: &Object) -> Answer {
        self.name_from(binding);
        let old = self.existing()?;
        let node = binding.text("target.name");
        if node.is_empty() {
            let causes =
                vec![refusal::cause("FieldValueRequired", "target.name", "Required value")];
            return Err(refusal::invalid(&self.resource, &self.name, causes));
        }
        let there = old.text("spec.nodeName");
        if old.is_deleting() {
            let why = format!("pod {} is being deleted, cannot be assigned to a host", self.name);
            return Err(refusal::conflict(&self.resource, &self.name, &why));
        }
        if !there.is_empty() {
            let why = format!("pod {} is already assigned to node \"{there}\"", self.name);
            return Err(refusal::conflict(&self.resource, &self.name, &why));
        }
        let mut new = old.clone();
        new.set("spec.nodeName", node);
        set_scheduled(&mut new, &self.now.to_string());
        self.commit(&old, Some(new));
        Ok((201, Body::Status(Status { code: 201, ..Status::default() })))
    }

    /// Deletes a pod if its disruption budgets allow it.
    fn evict(&mut self, eviction: &Object) -> Answer {
        self.name_from(eviction);
        let pod = self.existing()?;
        if let Some(budget) = self.exhausted_budget(&pod) {
            return Err(refusal::disruption_budget(budget.name()));
        }
        let options = eviction.get("deleteOptions").cloned().unwrap_or_else(|| json!({}));
        let grace = options["gracePeriodSeconds"].as_i64();
        self.subresource = None;
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

fn set_scheduled(pod: &mut Object, now: &str) {
    let conditions = pod.get("status.conditions").and_then(Value::as_array).cloned();
    let mut conditions = conditions.unwrap_or_default();
    conditions.retain(|condition| text(condition, "type") != "PodScheduled");
    conditions.push(json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now}));
    pod.set("status.conditions", conditions);
}
