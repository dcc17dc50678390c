//! The pods of a StatefulSet by ordinal, and what to do next about them
//! (`k8s.io/kubernetes/pkg/controller/statefulset`, stateful_set_control.go).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{NAME, identity};
use crate::cluster::pods;
use crate::cluster::report::Report;
use crate::cluster::revisions::History;
use crate::cluster::writes::Act;
use crate::object::Object;
use crate::time::{Duration, Timestamp};

/// A StatefulSet and its pods as they were found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ordinals {
    pub(super) set: Object,
    history: History,
    /// The revision of its template.
    update: Object,
    /// The revision that it was at before the update.
    current: Object,
    pods: BTreeMap<i64, Object>,
    /// Names of the claims that are there.
    claims: BTreeSet<String>,
}

impl Ordinals {
    pub(super) fn new(set: Object, history: History, update: Object, pods: Vec<Object>) -> Self {
        let current = history.named(set.text("status.currentRevision")).unwrap_or(&update).clone();
        let numbered = |pod: Object| Some((identity::ordinal(&set, &pod)?, pod));
        let pods = pods.into_iter().filter_map(numbered).collect();
        Ordinals { set, history, update, current, pods, claims: BTreeSet::new() }
    }

    /// Whether its pods have claims.
    pub(super) fn has_claims(&self) -> bool {
        identity::templates(&self.set).next().is_some()
    }

    pub(super) fn know_claims(&mut self, claims: Vec<Object>) {
        self.claims = claims.iter().map(|claim| claim.name().to_owned()).collect();
    }

    fn range(&self) -> std::ops::Range<i64> {
        let start = self.set.int("spec.ordinals.start").unwrap_or(0);
        start..start + self.set.int("spec.replicas").unwrap_or(1)
    }

    fn is_ordered(&self) -> bool {
        self.set.text("spec.podManagementPolicy") != "Parallel"
    }

    fn min_ready(&self) -> i64 {
        self.set.int("spec.minReadySeconds").unwrap_or(0)
    }

    fn is_available(&self, pod: &Object, now: Timestamp) -> bool {
        pods::phase(pod) == "Running" && pods::is_available(pod, self.min_ready(), now)
    }

    /// The pods to make and to remove now. In order, nothing is done before all before it is done.
    pub(super) fn changes(&self, now: Timestamp) -> Vec<Act> {
        if self.set.is_deleting() {
            return Vec::new();
        }
        let (mut acts, settled) = self.fill(now);
        if settled {
            let (removals, none_left) = self.shrink(now);
            acts.extend(removals);
            if none_left {
                acts.extend(self.update(now));
            }
        }
        acts
    }

    /// Makes what is missing. Also tells whether there is nothing to wait for.
    fn fill(&self, now: Timestamp) -> (Vec<Act>, bool) {
        let mut acts = Vec::new();
        for ordinal in self.range() {
            match self.pods.get(&ordinal) {
                None => {
                    acts.extend(self.make(ordinal));
                    if self.is_ordered() {
                        return (acts, false);
                    }
                }
                Some(pod) if pods::is_finished(pod) => {
                    acts.extend((!pod.is_deleting()).then(|| self.remove(pod)));
                    return (acts, false);
                }
                Some(pod) => {
                    let ready = !pod.is_deleting() && self.is_available(pod, now);
                    if self.is_ordered() && !ready {
                        return (acts, false);
                    }
                }
            }
        }
        (acts, true)
    }

    /// Removes what is too many, from the highest ordinal down. Also tells whether nothing is left to
    /// be removed.
    fn shrink(&self, now: Timestamp) -> (Vec<Act>, bool) {
        let range = self.range();
        let condemned = || self.pods.iter().rev().filter(|(ordinal, _)| !range.contains(ordinal));
        if !self.is_ordered() {
            let going = condemned().filter(|(_, pod)| !pod.is_deleting());
            return (going.map(|(_, pod)| self.remove(pod)).collect(), true);
        }
        let Some((ordinal, pod)) = condemned().next() else { return (Vec::new(), true) };
        let first_unavailable = self.pods.iter().find(|(_, pod)| !self.is_available(pod, now));
        let may_go = self.is_available(pod, now)
            || first_unavailable.is_some_and(|(first, _)| first == ordinal);
        let goes = may_go && !pod.is_deleting();
        (goes.then(|| self.remove(pod)).into_iter().collect(), false)
    }

    /// Removes pods of another revision, so that they are made anew: the highest ordinal first, as many
    /// at a time as may be unavailable.
    fn update(&self, now: Timestamp) -> Vec<Act> {
        if self.set.text("spec.updateStrategy.type") == "OnDelete" {
            return Vec::new();
        }
        let range = self.range();
        let from = range.start + self.partition();
        let missing = |ordinal: &i64| {
            self.pods
                .get(ordinal)
                .is_none_or(|pod| pod.is_deleting() || !self.is_available(pod, now))
        };
        let unavailable = range.clone().filter(missing).count() as i64;
        let room = (self.max_unavailable() - unavailable).max(0);
        let outdated = range.rev().take_while(|ordinal| *ordinal >= from).filter_map(|ordinal| {
            let pod = self.pods.get(&ordinal)?;
            let old = identity::revision(pod) != self.update.name() && !pod.is_deleting();
            old.then_some(pod)
        });
        outdated.take(usize::try_from(room).unwrap_or(0)).map(|pod| self.remove(pod)).collect()
    }

    fn partition(&self) -> i64 {
        self.set.int("spec.updateStrategy.rollingUpdate.partition").unwrap_or(0)
    }

    fn max_unavailable(&self) -> i64 {
        let given = self.set.get("spec.updateStrategy.rollingUpdate.maxUnavailable");
        let replicas = self.set.int("spec.replicas").unwrap_or(1);
        pods::share(given, replicas, false).unwrap_or(1).max(1)
    }

    /// Below the partition a pod is made as it was.
    fn revision_for(&self, ordinal: i64) -> &Object {
        let rolling = self.set.text("spec.updateStrategy.type") != "OnDelete";
        let below = rolling && ordinal < self.range().start + self.partition();
        if below { &self.current } else { &self.update }
    }

    fn make(&self, ordinal: i64) -> Vec<Act> {
        let name = format!("{}-{ordinal}", self.set.name());
        let claims = identity::claims(&self.set, ordinal).into_iter();
        let missing = claims.filter(|claim| !self.claims.contains(claim.name()));
        let mut acts: Vec<Act> = missing
            .map(|claim| {
                let about =
                    format!("Claim {} Pod {name} in StatefulSet {}", claim.name(), self.set.name());
                Act::create(claim)
                    .or_there()
                    .telling(self.report("SuccessfulCreate", format!("Create {about} success")))
                    .complaining(
                        self.complaint(
                            "FailedCreate",
                            format!("Create {about} failed error: {{}}"),
                        ),
                    )
            })
            .collect();
        let about = format!("Pod {name} in StatefulSet {}", self.set.name());
        let pod = identity::pod(&self.set, ordinal, self.revision_for(ordinal));
        acts.push(
            Act::create(pod)
                .or_there()
                .telling(self.report("SuccessfulCreate", format!("Create {about} successful")))
                .complaining(
                    self.complaint("FailedCreate", format!("Create {about} failed error: {{}}")),
                ),
        );
        acts
    }

    fn remove(&self, pod: &Object) -> Act {
        let about = format!("Pod {} in StatefulSet {}", pod.name(), self.set.name());
        Act::delete(pod)
            .telling(self.report("SuccessfulDelete", format!("Delete {about} successful")))
            .complaining(
                self.complaint("FailedDelete", format!("Delete {about} failed error: {{}}")),
            )
    }

    fn report(&self, reason: &'static str, message: String) -> Report {
        Report::normal(NAME, &self.set, reason, message)
    }

    fn complaint(&self, reason: &'static str, message: String) -> Report {
        Report::warning(NAME, &self.set, reason, message)
    }

    /// What is left to write: the status, the end of old history.
    pub(super) fn conclusion(&self, now: Timestamp) -> Vec<Act> {
        let status = Act::status_unless_same(&self.set, self.status(now));
        let mut acts: Vec<Act> = status.into_iter().collect();
        let limit = self.set.int("spec.revisionHistoryLimit").unwrap_or(10);
        let mut in_use: BTreeSet<&str> = self.pods.values().map(identity::revision).collect();
        in_use.extend([self.update.name(), self.current.name()]);
        acts.extend(self.history.surplus(limit, &in_use));
        acts
    }

    fn status(&self, now: Timestamp) -> Value {
        let count = |is: &dyn Fn(&Object) -> bool| self.pods.values().filter(|pod| is(pod)).count();
        let running = |pod: &Object| pods::phase(pod) == "Running";
        let of = |revision: &Object| {
            count(&|pod| !pod.is_deleting() && identity::revision(pod) == revision.name())
        };
        let replicas = count(&|_| true);
        let ready = count(&|pod| running(pod) && pods::is_ready(pod));
        let updated = of(&self.update);
        let wanted = self.set.int("spec.replicas").unwrap_or(1) as usize;
        let rolls = self.set.text("spec.updateStrategy.type") != "OnDelete";
        let complete = rolls && [replicas, ready, updated].iter().all(|n| *n == wanted);
        let current = if complete { &self.update } else { &self.current };
        let mut status = json!({
            "observedGeneration": self.set.generation(),
            "replicas": replicas,
            "availableReplicas": count(&|pod| self.is_available(pod, now)),
            "currentRevision": current.name(),
            "updateRevision": self.update.name(),
            "collisionCount": self.set.int("status.collisionCount").unwrap_or(0),
        });
        for (field, count) in [
            ("readyReplicas", ready),
            ("updatedReplicas", updated),
            ("currentReplicas", of(current)),
        ] {
            if count > 0 {
                status[field] = count.into();
            }
        }
        status
    }

    /// When the next ready pod counts as available.
    pub(super) fn next_look(&self, now: Timestamp) -> Option<Duration> {
        let min_ready = Duration::from_secs(self.min_ready().max(0) as u64);
        let ripe = |pod: &Object| Some(pods::ready_since(pod)? + min_ready);
        self.pods.values().filter_map(ripe).filter(|at| *at > now).min().map(|at| at.since(now))
    }
}
