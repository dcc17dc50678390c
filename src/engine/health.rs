//! Health: whether an object has become what its spec says.
//!
//! The rules are kstatus's (`fluxcd/cli-utils/pkg/kstatus`), with Flux's own for Job. They are a value:
//! [`HealthRules::with`] replaces the rule of a kind, for another engine's view or a custom resource.

mod rules;

use std::collections::BTreeMap;
use std::fmt;

use crate::object::{GroupVersionKind, Object};
use crate::reconciler::conditions;
use crate::time::Timestamp;

/// How an object is, in kstatus's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// It has become what its spec says.
    Current,
    /// It is on the way.
    InProgress,
    /// It will not get there by itself.
    Failed,
    /// It is on its way out.
    Terminating,
    /// It is not there.
    NotFound,
    /// It could not be judged.
    Unknown,
}

/// A verdict on an object's health, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verdict {
    /// How it is.
    pub health: Health,
    /// The sentence for a person.
    pub message: String,
}

/// The rule of a kind: judges an object of it at an instant, once the generic rules had nothing to say.
pub type Rule = fn(&Object, Timestamp) -> Verdict;

/// Which rule judges which kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRules {
    kinds: BTreeMap<(String, String), Named>,
    /// What an object is that no rule knows and that reports nothing.
    unobserved: Health,
}

#[derive(Clone, Copy)]
struct Named(Rule);

impl HealthRules {
    /// kstatus's rules as published.
    pub fn kstatus() -> Self {
        let mut rules = HealthRules { kinds: BTreeMap::new(), unobserved: Health::Current };
        for (group, kind, rule) in rules::KSTATUS {
            rules = rules.with(group, kind, rule);
        }
        rules
    }

    /// kstatus's rules with Flux's for Job: a running Job is in progress, a suspended one current.
    pub fn flux() -> Self {
        Self::kstatus().with("batch", "Job", rules::flux_job)
    }

    /// The same rules, with another for a kind.
    pub fn with(mut self, group: &str, kind: &str, rule: Rule) -> Self {
        self.kinds.insert((group.into(), kind.into()), Named(rule));
        self
    }

    /// The same rules, with kstatus's for Job: one that runs is current.
    pub fn with_kstatus_job(self) -> Self {
        self.with("batch", "Job", rules::job)
    }

    /// The same rules, with another verdict on objects of unknown kinds that report nothing.
    pub fn unobserved(mut self, health: Health) -> Self {
        self.unobserved = health;
        self
    }

    /// Judges an object at an instant.
    ///
    /// ```
    /// use driftlab::{engine::health::{Health, HealthRules}, object::Object, time::Timestamp};
    /// let settings = Object::new("v1", "ConfigMap", "web", "settings");
    /// let verdict = HealthRules::flux().judge(&settings, Timestamp::START);
    /// assert_eq!(verdict.health, Health::Current);
    /// ```
    pub fn judge(&self, object: &Object, now: Timestamp) -> Verdict {
        if let Some(verdict) = generic(object) {
            return verdict;
        }
        let GroupVersionKind { group, kind, .. } = object.gvk();
        match self.kinds.get(&(group, kind)) {
            Some(Named(rule)) => rule(object, now),
            None => ready_condition(object).unwrap_or_else(|| self.unknown_kind()),
        }
    }

    fn unknown_kind(&self) -> Verdict {
        match self.unobserved {
            Health::Current => Verdict::current("Resource is current"),
            health => Verdict { health, message: "Resource reports no status".into() },
        }
    }
}

impl Default for HealthRules {
    fn default() -> Self {
        Self::flux()
    }
}

impl Verdict {
    /// It is as wanted.
    pub fn current(message: impl Into<String>) -> Self {
        Verdict { health: Health::Current, message: message.into() }
    }

    /// It is on the way.
    pub fn in_progress(message: impl Into<String>) -> Self {
        Verdict { health: Health::InProgress, message: message.into() }
    }

    /// It will not get there.
    pub fn failed(message: impl Into<String>) -> Self {
        Verdict { health: Health::Failed, message: message.into() }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rule")
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl Eq for Named {}

/// What holds of every kind: deletion, generation, and the conditions `Reconciling` and `Stalled`.
fn generic(object: &Object) -> Option<Verdict> {
    if object.is_deleting() {
        let message = "Resource scheduled for deletion".into();
        return Some(Verdict { health: Health::Terminating, message });
    }
    let (generation, observed) = (object.generation(), object.int("status.observedGeneration"));
    if let Some(observed) = observed.filter(|o| generation != 0 && *o != generation) {
        let kind = object.kind();
        return Some(Verdict::in_progress(format!(
            "{kind} generation is {generation}, but latest observed generation is {observed}"
        )));
    }
    conditions(object).into_iter().filter(|c| c.is_true()).find_map(|c| match c.kind.as_str() {
        "Reconciling" => Some(Verdict::in_progress(c.message)),
        "Stalled" => Some(Verdict::failed(c.message)),
        _ => None,
    })
}

fn ready_condition(object: &Object) -> Option<Verdict> {
    let ready = conditions(object).into_iter().find(|c| c.kind == "Ready")?;
    match ready.status.as_str() {
        "True" => Some(Verdict::current("Resource is Ready")),
        "False" | "Unknown" => Some(Verdict::in_progress(ready.message)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn judge(value: Value) -> (Health, String) {
        let object = Object::from_value(value).unwrap();
        let verdict = HealthRules::flux().judge(&object, Timestamp::from_secs(100));
        (verdict.health, verdict.message)
    }

    #[test]
    fn deletion_generation_and_standard_conditions_come_before_the_rule_of_the_kind() {
        let config = |metadata: Value, status: Value| {
            judge(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "status": status})).0
        };
        assert_eq!(config(json!({}), json!({})), Health::Current);
        let gone = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert_eq!(config(gone, json!({})), Health::Terminating);
        let behind = json!({"observedGeneration": 1});
        assert_eq!(config(json!({"generation": 2}), behind), Health::InProgress);
        let with = |kind: &str| json!({"conditions": [{"type": kind, "status": "True"}]});
        assert_eq!(config(json!({}), with("Reconciling")), Health::InProgress);
        assert_eq!(config(json!({}), with("Stalled")), Health::Failed);
    }

    #[test]
    fn a_custom_resource_is_judged_by_its_ready_condition_and_is_current_without_one() {
        let widget = |status: Value| {
            judge(json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {}, "status": status})).0
        };
        assert_eq!(widget(json!({})), Health::Current);
        let ready = |status: &str| json!({"conditions": [{"type": "Ready", "status": status}]});
        assert_eq!(widget(ready("True")), Health::Current);
        assert_eq!(widget(ready("False")), Health::InProgress);
        let strict = HealthRules::flux().unobserved(Health::InProgress);
        let silent = Object::new("example.com/v1", "Widget", "a", "b");
        assert_eq!(strict.judge(&silent, Timestamp::START).health, Health::InProgress);
    }

    #[test]
    fn deployments_are_current_when_every_replica_is_new_ready_and_available() {
        let deployment = |status: Value| {
            judge(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {},
                "spec": {"replicas": 2, "progressDeadlineSeconds": 600}, "status": status}))
        };
        let status = |replicas: [i64; 4], progressing: &str, available: &str| {
            json!({"replicas": replicas[0], "updatedReplicas": replicas[1], "availableReplicas": replicas[2], "readyReplicas": replicas[3],
                "conditions": [{"type": "Progressing", "status": "True", "reason": progressing}, {"type": "Available", "status": available}]})
        };
        let check = |replicas, progressing, available, health, message: &str| {
            assert_eq!(
                deployment(status(replicas, progressing, available)),
                (health, message.into())
            );
        };
        let (new, running) = ("NewReplicaSetAvailable", Health::InProgress);
        check([2, 2, 2, 2], new, "True", Health::Current, "Deployment is available. Replicas: 2");
        check([1, 1, 1, 1], new, "True", running, "Replicas: 1/2");
        check([2, 1, 1, 1], new, "True", running, "Updated: 1/2");
        check([3, 2, 2, 2], new, "True", running, "Pending termination: 1");
        check([2, 2, 1, 2], new, "True", running, "Available: 1/2");
        check([2, 2, 2, 1], new, "True", running, "Ready: 1/2");
        check([2, 2, 2, 2], "ReplicaSetUpdated", "True", running, "ReplicaSet not Available");
        check([2, 2, 2, 2], new, "False", running, "Deployment not Available");
        let exceeded = "ProgressDeadlineExceeded";
        check([2, 2, 2, 2], exceeded, "True", Health::Failed, "Progress deadline exceeded");
    }

    #[test]
    fn jobs_are_current_when_complete_or_suspended_and_while_running_only_for_kstatus() {
        let job = |spec: Value, status: Value| {
            Object::from_value(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {}, "spec": spec, "status": status})).unwrap()
        };
        let check = |object: &Object, flux: Health, kstatus: Health| {
            let now = Timestamp::START;
            assert_eq!(HealthRules::flux().judge(object, now).health, flux);
            assert_eq!(HealthRules::kstatus().judge(object, now).health, kstatus);
        };
        let done = |kind: &str| json!({"conditions": [{"type": kind, "status": "True"}]});
        check(&job(json!({}), json!({})), Health::InProgress, Health::InProgress);
        check(&job(json!({}), json!({"startTime": "x"})), Health::InProgress, Health::Current);
        check(&job(json!({}), done("Complete")), Health::Current, Health::Current);
        check(&job(json!({}), done("Failed")), Health::Failed, Health::Failed);
        check(&job(json!({"suspend": true}), json!({})), Health::Current, Health::InProgress);
    }

    #[test]
    fn pods_claims_services_and_definitions_have_rules_of_their_own() {
        let check = |api: &str, kind: &str, spec: Value, status: Value, expected: Health| {
            let object = json!({"apiVersion": api, "kind": kind, "metadata": {"creationTimestamp": "1970-01-01T00:00:00Z"}, "spec": spec, "status": status});
            assert_eq!(judge(object.clone()).0, expected, "{object}");
        };
        let phase = |phase: &str| json!({ "phase": phase });
        let none = || json!({});
        check("v1", "Pod", none(), phase("Failed"), Health::Current);
        check("v1", "Pod", none(), phase("Running"), Health::InProgress);
        check("v1", "Pod", none(), none(), Health::InProgress);
        check("v1", "Pod", none(), phase("Strange"), Health::Unknown);
        let looping = json!({"phase": "Running", "containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]});
        check("v1", "Pod", none(), looping, Health::Failed);
        let unscheduled = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]});
        check("v1", "Pod", none(), unscheduled, Health::Failed);
        check("v1", "PersistentVolumeClaim", none(), phase("Pending"), Health::InProgress);
        check("v1", "PersistentVolumeClaim", none(), phase("Bound"), Health::Current);
        check("v1", "Service", json!({"type": "LoadBalancer"}), none(), Health::InProgress);
        check("v1", "Service", none(), none(), Health::Current);
        let crd = "apiextensions.k8s.io/v1";
        let established = json!({"conditions": [{"type": "Established", "status": "True"}]});
        check(crd, "CustomResourceDefinition", none(), none(), Health::InProgress);
        check(crd, "CustomResourceDefinition", none(), established, Health::Current);
        let refused = json!({"conditions": [{"type": "NamesAccepted", "status": "False"}]});
        check(crd, "CustomResourceDefinition", none(), refused, Health::Failed);
    }

    #[test]
    fn sets_of_pods_are_current_when_nothing_is_missing_or_left_over() {
        let check = |kind: &str, spec: Value, status: Value, expected: Health| {
            let object = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"generation": 1}, "spec": spec, "status": status});
            assert_eq!(judge(object.clone()).0, expected, "{object}");
        };
        let full = json!({"replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "fullyLabeledReplicas": 1, "currentRevision": "a", "updateRevision": "a"});
        check("StatefulSet", json!({"replicas": 1}), full.clone(), Health::Current);
        check("StatefulSet", json!({"replicas": 2}), full.clone(), Health::InProgress);
        check(
            "StatefulSet",
            json!({"replicas": 2, "updateStrategy": {"type": "OnDelete"}}),
            json!({}),
            Health::Current,
        );
        let mut behind = full.clone();
        behind["updateRevision"] = "b".into();
        check("StatefulSet", json!({"replicas": 1}), behind, Health::InProgress);
        check("ReplicaSet", json!({"replicas": 1}), full.clone(), Health::Current);
        check("ReplicaSet", json!({"replicas": 0}), full, Health::InProgress);
        let daemon = json!({"observedGeneration": 1, "desiredNumberScheduled": 1, "currentNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1, "numberReady": 1});
        check("DaemonSet", json!({}), daemon.clone(), Health::Current);
        let mut unready = daemon;
        unready["numberReady"] = 0.into();
        check("DaemonSet", json!({}), unready, Health::InProgress);
        check("DaemonSet", json!({}), json!({}), Health::InProgress);
    }
}
