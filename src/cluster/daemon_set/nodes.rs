//! The pods of a DaemonSet by node, and what to do next about them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{NAME, REVISION};
use crate::cluster::pods;
use crate::cluster::report::Report;
use crate::cluster::revisions::History;
use crate::cluster::scheduler::{is_selected, tolerates};
use crate::cluster::writes::Act;
use crate::object::Object;
use crate::time::{Duration, Timestamp};

/// The taints that every pod of a DaemonSet tolerates.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// What of a node decides whether a pod belongs on it.
pub(super) fn traits(node: &Object) -> [Option<&Value>; 3] {
    ["metadata.labels", "spec.taints", "spec.unschedulable"].map(|path| node.get(path))
}

/// A DaemonSet, the nodes, and its pods on them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nodes {
    set: Object,
    history: History,
    /// The hash of its template.
    revision: String,
    /// What each node should have.
    wanted: BTreeMap<String, Fit>,
    pods: Vec<Object>,
}

/// Whether a pod belongs on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fit {
    /// It does.
    Run,
    /// It does not, but one that is there may stay.
    Stay,
    /// It does not.
    Go,
}

impl Nodes {
    pub(super) fn new(
        set: Object,
        history: History,
        revision: String,
        nodes: Vec<Object>,
        pods: Vec<Object>,
    ) -> Self {
        let pod = pod(&set, &revision, "");
        let wanted = nodes.iter().map(|node| (node.name().to_owned(), fit(&pod, node))).collect();
        Nodes { set, history, revision, wanted, pods }
    }

    fn min_ready(&self) -> i64 {
        self.set.int("spec.minReadySeconds").unwrap_or(0)
    }

    fn fit(&self, node: &str) -> Fit {
        self.wanted.get(node).copied().unwrap_or(Fit::Go)
    }

    /// The nodes that should have a pod.
    fn running(&self) -> impl Iterator<Item = &str> {
        self.wanted.iter().filter(|(_, fit)| **fit == Fit::Run).map(|(node, _)| node.as_str())
    }

    fn on<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Object> {
        self.pods.iter().filter(move |pod| node_of(pod) == node)
    }

    fn is_current(&self, pod: &Object) -> bool {
        pod.label(REVISION) == Some(&self.revision)
    }

    /// The pods to make and to remove now.
    pub(super) fn changes(&self, now: Timestamp) -> Vec<Act> {
        if self.set.is_deleting() {
            return Vec::new();
        }
        let mut removals: Vec<&Object> = self.misplaced();
        let bare = self.running().filter(|node| self.on(node).next().is_none());
        let mut acts: Vec<Act> = bare.map(|node| self.make(node)).collect();
        let rolls = self.set.text("spec.updateStrategy.type") != "OnDelete";
        if acts.is_empty() && removals.is_empty() && rolls {
            removals = self.outdated(now);
        }
        acts.extend(removals.into_iter().map(|pod| self.remove(pod)));
        acts
    }

    /// Pods where none belongs, pods that are over, and all but the oldest where there are several.
    fn misplaced(&self) -> Vec<&Object> {
        let mut kept: BTreeSet<&str> = BTreeSet::new();
        let mut pods: Vec<&Object> = self.pods.iter().filter(|pod| !pod.is_deleting()).collect();
        pods.sort_by_key(|pod| (pod.creation_timestamp(), pod.name()));
        pods.retain(|pod| {
            let node = node_of(pod);
            let belongs = self.fit(node) != Fit::Go && !pods::is_finished(pod);
            !(belongs && kept.insert(node))
        });
        pods
    }

    /// Pods of an older template: those that serve nobody, and of the others as many as may be missing.
    fn outdated(&self, now: Timestamp) -> Vec<&Object> {
        let available =
            |pod: &Object| !pod.is_deleting() && pods::is_available(pod, self.min_ready(), now);
        let missing = self.running().filter(|node| !self.on(node).any(available)).count() as i64;
        let room = (self.max_unavailable() - missing).max(0) as usize;
        let old = |pod: &&Object| !pod.is_deleting() && !self.is_current(pod);
        let (serving, idle): (Vec<&Object>, Vec<&Object>) =
            self.pods.iter().filter(old).partition(|pod| available(pod));
        idle.into_iter().chain(serving.into_iter().take(room)).collect()
    }

    fn max_unavailable(&self) -> i64 {
        let given = self.set.get("spec.updateStrategy.rollingUpdate.maxUnavailable");
        let nodes = self.running().count() as i64;
        pods::share(given, nodes, true).unwrap_or(1).max(1)
    }

    fn make(&self, node: &str) -> Act {
        Act::create(pod(&self.set, &self.revision, node))
            .telling(Report::normal(NAME, &self.set, "SuccessfulCreate", "Created pod: {}"))
            .complaining(Report::warning(NAME, &self.set, "FailedCreate", "Error creating: {}"))
    }

    fn remove(&self, pod: &Object) -> Act {
        let (gone, failed) = (format!("Deleted pod: {}", pod.name()), "Error deleting: {}");
        Act::delete(pod)
            .telling(Report::normal(NAME, &self.set, "SuccessfulDelete", gone))
            .complaining(Report::warning(NAME, &self.set, "FailedDelete", failed))
    }

    /// What is left to write: the status, the end of old history.
    pub(super) fn conclusion(&self, now: Timestamp) -> Vec<Act> {
        let status = Act::status_unless_same(&self.set, self.status(now));
        let mut acts: Vec<Act> = status.into_iter().collect();
        let limit = self.set.int("spec.revisionHistoryLimit").unwrap_or(10);
        let name = |hash: &str| format!("{}-{hash}", self.set.name());
        let hashes = self.pods.iter().filter_map(|pod| pod.label(REVISION));
        let names: Vec<String> = hashes.chain([self.revision.as_str()]).map(name).collect();
        let in_use: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        acts.extend(self.history.surplus(limit, &in_use));
        acts
    }

    fn status(&self, now: Timestamp) -> Value {
        let (mut scheduled, mut ready, mut available, mut updated) = (0, 0, 0, 0);
        for pod in self.running().filter_map(|node| self.on(node).min_by_key(|p| p.is_deleting())) {
            scheduled += 1;
            ready += i64::from(pods::is_ready(pod));
            available += i64::from(pods::is_available(pod, self.min_ready(), now));
            updated += i64::from(self.is_current(pod));
        }
        let desired = self.running().count() as i64;
        let misplaced =
            |node: &&String| self.fit(node) != Fit::Run && self.on(node).next().is_some();
        let mut status = json!({
            "observedGeneration": self.set.generation(),
            "desiredNumberScheduled": desired,
            "currentNumberScheduled": scheduled,
            "numberMisscheduled": self.wanted.keys().filter(misplaced).count(),
            "numberReady": ready,
        });
        for (field, count) in [
            ("numberAvailable", available),
            ("numberUnavailable", desired - available),
            ("updatedNumberScheduled", updated),
        ] {
            if count > 0 {
                status[field] = count.into();
            }
        }
        if let Some(collisions) = self.set.get("status.collisionCount") {
            status["collisionCount"] = collisions.clone();
        }
        status
    }

    /// When the next ready pod counts as available.
    pub(super) fn next_look(&self, now: Timestamp) -> Option<Duration> {
        let min_ready = Duration::from_secs(self.min_ready().max(0) as u64);
        let ripe = |pod: &Object| Some(pods::ready_since(pod)? + min_ready);
        self.pods.iter().filter_map(ripe).filter(|at| *at > now).min().map(|at| at.since(now))
    }
}

/// The pod for a node. The scheduler binds it; the required node affinity leaves it no choice.
fn pod(set: &Object, revision: &str, node: &str) -> Object {
    let template = set.get("spec.template").unwrap_or(&Value::Null);
    let mut pod = pods::from_template(set, template);
    pod.set_label(REVISION, revision);
    if let Some(generation) = set.annotation("deprecated.daemonset.template.generation") {
        pod.set_label("pod-template-generation", generation);
    }
    let given = pod.get("spec.tolerations").and_then(Value::as_array).cloned();
    let mut tolerations = given.unwrap_or_default();
    for (key, effect) in TOLERATED {
        let toleration = json!({"key": key, "operator": "Exists", "effect": effect});
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    pod.set("spec.tolerations", tolerations);
    if !node.is_empty() {
        bind(&mut pod, node);
    }
    pod
}

fn bind(pod: &mut Object, node: &str) {
    let field = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    pod.set(
        &format!("spec.affinity.nodeAffinity.{required}"),
        json!({"nodeSelectorTerms": [{"matchFields": [field]}]}),
    );
}

/// The node that a pod is on, or made for.
fn node_of(pod: &Object) -> &str {
    let bound = pod.text("spec.nodeName");
    let required = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution";
    let path = format!("{required}.nodeSelectorTerms.0.matchFields.0.values.0");
    if bound.is_empty() { pod.text(&path) } else { bound }
}

fn fit(pod: &Object, node: &Object) -> Fit {
    if !is_selected(pod, node) {
        return Fit::Go;
    }
    let taints = node.get("spec.taints").and_then(Value::as_array);
    let tolerations = pod.get("spec.tolerations").and_then(Value::as_array);
    let tolerated = |taint: &Value| tolerations.into_iter().flatten().any(|t| tolerates(t, taint));
    let open: Vec<&Value> =
        taints.into_iter().flatten().filter(|taint| !tolerated(taint)).collect();
    if open.iter().any(|taint| taint["effect"] == "NoExecute") {
        Fit::Go
    } else if open.iter().any(|taint| taint["effect"] == "NoSchedule") {
        Fit::Stay
    } else {
        Fit::Run
    }
}
