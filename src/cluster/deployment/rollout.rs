//! What to do for a Deployment, from what there is: nothing here asks or waits.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::conditions::{self, Condition};
use super::{NAME, replicas, revision, status};
use crate::api::{ApiRequest, Status, WriteOptions};
use crate::cluster::report::Report;
use crate::cluster::template;
use crate::cluster::writes::{Act, Writes, status_update};
use crate::object::{Object, OwnerReference};
use crate::time::{Duration, Timestamp};

/// A Deployment and its ReplicaSets as far as they are known, and what is being done about them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rollout {
    pub(super) deployment: Object,
    pub(super) sets: Vec<Object>,
    mode: Mode,
    revision_noted: bool,
    made: bool,
    any_scaled: bool,
    scalings: VecDeque<Scaling>,
    reports: Vec<Report>,
}

/// A write on the way to a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preparation {
    /// A condition tells that the Deployment is paused, or no more.
    Pause,
    /// The ReplicaSet of the template gets its annotations.
    Annotate,
    /// The ReplicaSet of the template is made.
    Create,
    /// The Deployment gets the number of its template.
    Note,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mode {
    /// It is being deleted: only count.
    Count,
    /// It is paused or was scaled: no template is rolled out.
    Scale,
    Roll,
    Recreate,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Scaling {
    set: Object,
    from: i64,
    to: i64,
}

impl Rollout {
    pub(super) fn new(deployment: Object, mut sets: Vec<Object>) -> Self {
        sets.sort_by(|a, b| revision::age(a).cmp(&revision::age(b)));
        let mode = Mode::of(&deployment, &sets);
        Rollout {
            deployment,
            sets,
            mode,
            revision_noted: false,
            made: false,
            any_scaled: false,
            scalings: VecDeque::new(),
            reports: Vec::new(),
        }
    }

    /// The ReplicaSet of the current template.
    pub(super) fn new_set(&self) -> Option<&Object> {
        revision::position_of_new(&self.deployment, &self.sets).map(|i| &self.sets[i])
    }

    /// All others, the oldest first.
    fn old_sets(&self) -> Vec<Object> {
        let new = revision::position_of_new(&self.deployment, &self.sets);
        let others = self.sets.iter().enumerate().filter(|(i, _)| Some(*i) != new);
        others.map(|(_, set)| set.clone()).collect()
    }

    /// Whether a ReplicaSet is this Deployment's for its current template.
    pub(super) fn is_new_set(&self, set: &Object) -> bool {
        let sets = std::slice::from_ref(set);
        set.controller().is_some_and(|c| c.uid == self.deployment.uid())
            && revision::position_of_new(&self.deployment, sets).is_some()
    }

    /// What messages are about: the new ReplicaSet, or the Deployment while there is none.
    pub(super) fn subject(&self) -> String {
        match self.new_set() {
            Some(set) => format!("ReplicaSet {:?}", set.name()),
            None => format!("Deployment {:?}", self.deployment.name()),
        }
    }

    /// The next write before anything is scaled.
    pub(super) fn preparation(&self, now: Timestamp) -> Option<(Preparation, ApiRequest)> {
        if self.mode == Mode::Count {
            return None;
        }
        if let Some(condition) = self.pause_condition() {
            return Some((Preparation::Pause, self.with_condition(&condition, now)));
        }
        match self.new_set() {
            Some(set) => self.annotate(set).or_else(|| self.note(set, now)),
            None if self.may_create() => Some((
                Preparation::Create,
                ApiRequest::create(self.new_set_to_make(), WriteOptions::default()),
            )),
            None => None,
        }
    }

    /// Takes up what the write came to.
    pub(super) fn prepared(&mut self, step: Preparation, answer: Option<Object>) {
        let Some(object) = answer else { return };
        match step {
            Preparation::Pause => self.deployment = object,
            Preparation::Note => {
                self.deployment = object;
                self.revision_noted = true;
            }
            Preparation::Annotate => self.replace(object),
            Preparation::Create => {
                self.made = true;
                self.report_scaling(&object, 0, replicas::wanted(&object));
                self.sets.push(object);
            }
        }
    }

    fn may_create(&self) -> bool {
        match self.mode {
            Mode::Roll => true,
            Mode::Recreate => {
                let old = self.old_sets();
                let there = ["replicas", "terminatingReplicas"];
                replicas::sum(&old) == 0 && there.iter().all(|f| replicas::counted(&old, f) == 0)
            }
            Mode::Count | Mode::Scale => false,
        }
    }

    fn pause_condition(&self) -> Option<Condition> {
        status::deadline(&self.deployment)?;
        let paused = is_paused(&self.deployment);
        let condition = |reason, message: &str| Condition {
            kind: "Progressing",
            status: "Unknown",
            reason,
            message: message.into(),
        };
        match (paused, conditions::progressing_reason(&self.deployment)) {
            (_, "ProgressDeadlineExceeded") | (true, "DeploymentPaused") => None,
            (true, _) => Some(condition("DeploymentPaused", "Deployment is paused")),
            (false, "DeploymentPaused") => {
                Some(condition("DeploymentResumed", "Deployment is resumed"))
            }
            (false, _) => None,
        }
    }

    fn with_condition(&self, condition: &Condition, now: Timestamp) -> ApiRequest {
        let mut deployment = self.deployment.clone();
        let mut list = conditions::of(&deployment);
        conditions::set(&mut list, condition, now);
        deployment.set("status.conditions", list);
        status_update(deployment)
    }

    fn annotate(&self, set: &Object) -> Option<(Preparation, ApiRequest)> {
        let mut changed = set.clone();
        revision::annotate_new(&self.deployment, &mut changed, self.revision(), true);
        match self.deployment.int("spec.minReadySeconds").unwrap_or(0) {
            0 => drop(changed.remove("spec.minReadySeconds")),
            seconds => changed.set("spec.minReadySeconds", seconds),
        }
        (changed != *set)
            .then(|| (Preparation::Annotate, ApiRequest::update(changed, WriteOptions::default())))
    }

    fn note(&self, set: &Object, now: Timestamp) -> Option<(Preparation, ApiRequest)> {
        let mut deployment = self.deployment.clone();
        if revision::number(&deployment) != revision::number(set) {
            let number = revision::number(set).to_string();
            deployment.set_annotation(revision::REVISION, &number);
        }
        if let Some(condition) = self.arrival(set) {
            let mut list = conditions::of(&deployment);
            conditions::set(&mut list, &condition, now);
            deployment.set("status.conditions", list);
        }
        (!self.revision_noted && deployment != self.deployment)
            .then(|| (Preparation::Note, status_update(deployment)))
    }

    /// The condition that a new ReplicaSet gives rise to.
    fn arrival(&self, set: &Object) -> Option<Condition> {
        status::deadline(&self.deployment)?;
        let known = !conditions::progressing_reason(&self.deployment).is_empty();
        let (reason, what) = match (self.made, known) {
            (true, _) => ("NewReplicaSetCreated", "Created new"),
            (false, false) => ("FoundNewReplicaSet", "Found new"),
            (false, true) => return None,
        };
        let message = format!("{what} replica set {:?}", set.name());
        Some(Condition { kind: "Progressing", status: "True", reason, message })
    }

    /// The number of the current template: one more than any other's.
    fn revision(&self) -> i64 {
        self.old_sets().iter().map(revision::number).max().unwrap_or(0) + 1
    }

    /// The ReplicaSet for the current template, yet to be made.
    pub(super) fn new_set_to_make(&self) -> Object {
        let deployment = &self.deployment;
        let template = deployment.get("spec.template").unwrap_or(&Value::Null);
        let hash = template::hash(template, deployment.int("status.collisionCount"));
        let name = format!("{}-{hash}", deployment.name());
        let mut set = Object::new("apps/v1", "ReplicaSet", deployment.namespace(), &name);
        let labelled = template::labelled(template, template::HASH_LABEL, &hash);
        set.set("metadata.labels", labelled["metadata"]["labels"].clone());
        let owner = OwnerReference::controller_of(deployment).to_value();
        set.set("metadata.ownerReferences", json!([owner]));
        let old = self.old_sets();
        set.set("spec.replicas", replicas::of_new_set(deployment, &old, 0));
        if let Some(seconds) = deployment.int("spec.minReadySeconds").filter(|s| *s != 0) {
            set.set("spec.minReadySeconds", seconds);
        }
        let mut selector = deployment.get("spec.selector").cloned().unwrap_or_else(|| json!({}));
        selector["matchLabels"][template::HASH_LABEL] = hash.into();
        set.set("spec.selector", selector);
        set.set("spec.template", labelled);
        revision::annotate_new(deployment, &mut set, self.revision(), false);
        set
    }

    /// The Deployment with one more name that was taken.
    pub(super) fn with_collision(&self) -> Object {
        let mut deployment = self.deployment.clone();
        let collisions = deployment.int("status.collisionCount").unwrap_or(0);
        deployment.set("status.collisionCount", collisions + 1);
        deployment
    }

    /// The Deployment telling that no ReplicaSet could be made, if that is news.
    pub(super) fn status_after_failure(&self, status: &Status, now: Timestamp) -> Option<Object> {
        status::deadline(&self.deployment)?;
        let mut deployment = self.deployment.clone();
        let mut list = conditions::of(&deployment);
        let (kind, state, reason) = ("Progressing", "False", "ReplicaSetCreateError");
        let message = status.message.clone();
        conditions::set(&mut list, &Condition { kind, status: state, reason, message }, now);
        deployment.set("status.conditions", list);
        (deployment != self.deployment).then_some(deployment)
    }

    /// Decides what is scaled, once.
    pub(super) fn plan(&mut self) {
        let sizes = match self.mode {
            Mode::Count => Vec::new(),
            Mode::Scale => self.sizes_when_scaled(),
            Mode::Roll => self.sizes_while_rolling(),
            Mode::Recreate => self.sizes_when_recreated(),
        };
        for (set, to) in sizes {
            let mut changed = set.clone();
            let from = replicas::wanted(&set);
            let annotated = revision::annotate_size(&self.deployment, &mut changed);
            if from != to || annotated && self.mode == Mode::Scale {
                changed.set("spec.replicas", to);
                self.scalings.push_back(Scaling { set: changed, from, to });
            }
        }
    }

    /// First up, and only when that is done down.
    fn sizes_while_rolling(&self) -> Vec<(Object, i64)> {
        let old = self.old_sets();
        let new = self.new_set();
        if let Some(set) = new {
            let size = replicas::wanted(set);
            let wanted = replicas::of_new_set(&self.deployment, &old, size);
            let wanted = wanted.min(replicas::wanted(&self.deployment));
            if wanted != size {
                return vec![(set.clone(), wanted)];
            }
        }
        let sizes = replicas::of_old_sets(&self.deployment, &old, new);
        old.into_iter().zip(sizes).collect()
    }

    /// All down, and when no old pod is left up.
    fn sizes_when_recreated(&self) -> Vec<(Object, i64)> {
        let old = self.old_sets();
        if !self.may_create() {
            return old.into_iter().map(|set| (set, 0)).collect();
        }
        let wanted = replicas::wanted(&self.deployment);
        self.new_set().map(|set| (set.clone(), wanted)).into_iter().collect()
    }

    /// The one active ReplicaSet follows the Deployment; of several, all in proportion.
    fn sizes_when_scaled(&self) -> Vec<(Object, i64)> {
        let wanted = replicas::wanted(&self.deployment);
        let mut active: Vec<&Object> =
            self.sets.iter().filter(|set| replicas::wanted(set) > 0).collect();
        let only = match active.as_slice() {
            [] => self.new_set().or(self.sets.last()),
            [only] => Some(*only),
            _ => None,
        };
        if let Some(set) = only {
            return vec![(set.clone(), wanted)];
        }
        if active.is_empty() {
            return Vec::new();
        }
        if self.new_set().is_some_and(|set| self.is_saturated(set)) {
            return self.old_sets().into_iter().map(|set| (set, 0)).collect();
        }
        if !replicas::is_rolling(&self.deployment) {
            return Vec::new();
        }
        let allowed = wanted + replicas::max_surge(&self.deployment);
        let grows = allowed > replicas::sum(active.iter().copied());
        replicas::by_size(&mut active, grows);
        let sizes = replicas::in_proportion(&self.deployment, &active);
        active.into_iter().cloned().zip(sizes).collect()
    }

    fn is_saturated(&self, set: &Object) -> bool {
        let wanted = replicas::wanted(&self.deployment);
        let desired = set.annotation("deployment.kubernetes.io/desired-replicas");
        replicas::wanted(set) == wanted
            && desired.and_then(|d| d.parse().ok()) == Some(wanted)
            && replicas::counted([set], "availableReplicas") == wanted
    }

    /// The next ReplicaSet to scale.
    pub(super) fn next_scaling(&self) -> Option<ApiRequest> {
        let scaling = self.scalings.front()?;
        Some(ApiRequest::update(scaling.set.clone(), WriteOptions::default()))
    }

    /// Takes up the ReplicaSet that was scaled.
    pub(super) fn scaled(&mut self, answer: Option<Object>) {
        let Some(scaling) = self.scalings.pop_front() else { return };
        self.any_scaled |= scaling.from != scaling.to;
        self.report_scaling(&scaling.set, scaling.from, scaling.to);
        if let Some(set) = answer {
            self.replace(set);
        }
    }

    fn replace(&mut self, set: Object) {
        if let Some(place) = self.sets.iter_mut().find(|other| other.uid() == set.uid()) {
            *place = set;
        }
    }

    fn report_scaling(&mut self, set: &Object, from: i64, to: i64) {
        let way = if to > from { "up" } else { "down" };
        if from != to {
            let message = format!("Scaled {way} replica set {} from {from} to {to}", set.name());
            let report = Report::normal(NAME, &self.deployment, "ScalingReplicaSet", message);
            self.reports.push(report);
        }
    }

    /// What is left to write: the end of old history, the status, the events.
    pub(super) fn conclusion(&self, now: Timestamp) -> Writes {
        let surplus = self.history_to_cut();
        let status = Act::status_unless_same(&self.deployment, self.status(now));
        let told = self.reports.iter().map(|report| Act::tell(report.clone(), now));
        Writes::of(surplus.iter().map(Act::delete).chain(status).chain(told))
    }

    fn status(&self, now: Timestamp) -> Value {
        status::status(self, matches!(self.mode, Mode::Roll | Mode::Recreate), now)
    }

    /// When to look again whether the rollout is late.
    pub(super) fn next_look(&self, now: Timestamp) -> Option<Duration> {
        if !matches!(self.mode, Mode::Roll | Mode::Recreate) {
            return None;
        }
        let mut deployment = self.deployment.clone();
        let status = self.status(now);
        deployment.set("status", status.clone());
        status::next_look(&deployment, &status, now)
    }

    /// Old ReplicaSets beyond `spec.revisionHistoryLimit`, once a rollout is complete.
    fn history_to_cut(&self) -> Vec<Object> {
        let Some(limit) = self.deployment.int("spec.revisionHistoryLimit") else { return vec![] };
        let complete = status::is_complete(&self.deployment, &status::counters(self));
        if self.any_scaled || self.mode == Mode::Count || !(complete || is_paused(&self.deployment))
        {
            return Vec::new();
        }
        let mut empty: Vec<Object> = self.old_sets();
        empty.retain(|set| replicas::wanted(set) == 0 && is_observed_empty(set));
        empty.sort_by_key(revision::number);
        let excess = empty.len().saturating_sub(limit.max(0) as usize);
        empty.truncate(excess);
        empty
    }
}

impl Mode {
    fn of(deployment: &Object, sets: &[Object]) -> Mode {
        let scaled = || {
            let mut active = sets.iter().filter(|set| replicas::wanted(set) > 0);
            active.any(|set| revision::is_of_another_size(deployment, set))
        };
        if deployment.is_deleting() {
            Mode::Count
        } else if is_paused(deployment) || scaled() {
            Mode::Scale
        } else if replicas::is_rolling(deployment) {
            Mode::Roll
        } else {
            Mode::Recreate
        }
    }
}

fn is_paused(deployment: &Object) -> bool {
    deployment.get("spec.paused") == Some(&Value::Bool(true))
}

fn is_observed_empty(set: &Object) -> bool {
    replicas::counted([set], "replicas") == 0
        && set.int("status.observedGeneration").unwrap_or(0) >= set.generation()
        && !set.is_deleting()
}
