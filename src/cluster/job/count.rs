//! How far a Job has come, and what to do next for it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::status::{self, End};
use super::{NAME, TRACKING, ended_at, has_failed, is_tracked, untrack};
use crate::cluster::pods;
use crate::cluster::report::Report;
use crate::cluster::writes::Act;
use crate::object::Object;
use crate::time::{Duration, Timestamp};

const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// A Job that is not over, and its pods.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Count {
    pub(super) job: Object,
    pods: Vec<Object>,
    /// Pods that ended and whose end is not in the counters yet, by uid.
    pub(super) succeeded: BTreeSet<String>,
    pub(super) failed: BTreeSet<String>,
    /// Whether and how the Job ends.
    pub(super) end: Option<End>,
}

impl Count {
    pub(super) fn new(job: Object, pods: Vec<Object>, now: Timestamp) -> Self {
        let uids = |is: &dyn Fn(&Object) -> bool, noted: &str| -> BTreeSet<String> {
            let noted = status::uncounted(&job, noted);
            let ended = pods.iter().filter(|pod| is_tracked(pod) && is(pod));
            ended.map(|pod| pod.uid().to_owned()).chain(noted).collect()
        };
        let succeeded = uids(&|pod| pods::phase(pod) == "Succeeded", "succeeded");
        let mut failed = uids(&has_failed, "failed");
        failed.retain(|uid| !succeeded.contains(uid));
        let mut count = Count { job, pods, succeeded, failed, end: None };
        count.end = count.find_end(now);
        count
    }

    pub(super) fn active(&self) -> impl Iterator<Item = &Object> {
        self.pods.iter().filter(|pod| pods::is_active(pod))
    }

    pub(super) fn ready(&self) -> usize {
        self.active().filter(|pod| pods::is_ready(pod)).count()
    }

    pub(super) fn terminating(&self) -> usize {
        self.pods.iter().filter(|pod| pods::is_terminating(pod)).count()
    }

    /// Pods that succeeded, in the counter or about to be.
    pub(super) fn all_succeeded(&self) -> i64 {
        if self.is_indexed() {
            return self.completed_indexes().len() as i64;
        }
        self.job.int("status.succeeded").unwrap_or(0) + self.succeeded.len() as i64
    }

    /// Pods that failed, in the counter or about to be.
    pub(super) fn all_failed(&self) -> i64 {
        self.job.int("status.failed").unwrap_or(0) + self.failed.len() as i64
    }

    /// Ends that are noted and whose pods are let go: they can be counted.
    pub(super) fn countable(&self, noted: &str) -> Vec<String> {
        let tracked: BTreeSet<&str> =
            self.pods.iter().filter(|pod| is_tracked(pod)).map(Object::uid).collect();
        let noted = status::uncounted(&self.job, noted);
        noted.into_iter().filter(|uid| !tracked.contains(uid.as_str())).collect()
    }

    fn completions(&self) -> Option<i64> {
        self.job.int("spec.completions")
    }

    fn parallelism(&self) -> i64 {
        self.job.int("spec.parallelism").unwrap_or(1)
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.job.get("spec.suspend") == Some(&Value::Bool(true))
    }

    pub(super) fn is_indexed(&self) -> bool {
        self.job.text("spec.completionMode") == "Indexed"
    }

    fn find_end(&self, now: Timestamp) -> Option<End> {
        if let Some(end) = status::decided(&self.job) {
            return Some(end);
        }
        let limit = self.job.int("spec.backoffLimit").unwrap_or(6);
        let restarts: i64 = match self.job.text("spec.template.spec.restartPolicy") {
            "OnFailure" => self.active().map(pods::restarts).sum(),
            _ => 0,
        };
        let enough = match self.completions() {
            Some(completions) => self.all_succeeded() >= completions,
            None => self.all_succeeded() > 0 && self.active().next().is_none(),
        };
        if enough {
            Some(End::Complete)
        } else if self.all_failed() > limit || restarts > 0 && restarts >= limit.max(1) {
            Some(End::BackoffLimit)
        } else if self.deadline().is_some_and(|at| at <= now) && !self.is_suspended() {
            Some(End::Deadline)
        } else {
            None
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        let seconds = self.job.int("spec.activeDeadlineSeconds")?;
        let started: Timestamp = self.job.text("status.startTime").parse().ok()?;
        Some(started + Duration::from_secs(seconds.max(0) as u64))
    }

    /// Pods to make or remove.
    pub(super) fn changes(&self, now: Timestamp) -> Vec<Act> {
        if self.job.is_deleting() {
            return Vec::new();
        }
        if self.end.is_some() || self.is_suspended() {
            return self.active().map(|pod| self.remove(pod)).collect();
        }
        let (active, parallelism) = (self.active().count() as i64, self.parallelism());
        let surplus = usize::try_from(active - self.wanted()).unwrap_or(0);
        if surplus > 0 {
            let mut active: Vec<&Object> = self.active().collect();
            active.sort_by_key(|pod| (pods::is_ready(pod), pod.name()));
            return active.into_iter().take(surplus).map(|pod| self.remove(pod)).collect();
        }
        let missing = (self.wanted() - active).min(parallelism).max(0);
        match self.retry_at().is_some_and(|at| at > now) {
            true => Vec::new(),
            false => self.make(usize::try_from(missing).unwrap_or(0)),
        }
    }

    fn wanted(&self) -> i64 {
        let parallelism = self.parallelism().max(0);
        match self.completions() {
            Some(completions) => (completions - self.all_succeeded()).clamp(0, parallelism),
            None if self.all_succeeded() > 0 => (self.active().count() as i64).min(parallelism),
            None => parallelism,
        }
    }

    /// After failures in a row the next pod waits 10 s, doubling, six minutes at most.
    fn retry_at(&self) -> Option<Timestamp> {
        let mut ended: Vec<(Timestamp, bool)> = self
            .pods
            .iter()
            .filter(|pod| pods::is_finished(pod))
            .filter_map(|pod| Some((ended_at(pod)?, has_failed(pod))))
            .collect();
        ended.sort();
        let in_a_row = ended.iter().rev().take_while(|(_, failed)| *failed).count() as u32;
        let (last, _) = ended.last().filter(|_| in_a_row > 0)?;
        let wait = 10u64.saturating_mul(1 << (in_a_row - 1).min(16)).min(360);
        Some(*last + Duration::from_secs(wait))
    }

    fn make(&self, many: usize) -> Vec<Act> {
        let indexes = self.free_indexes(many);
        (0..many)
            .map(|i| self.pod(indexes.get(i).copied()))
            .map(|pod| {
                Act::create(pod)
                    .telling(Report::normal(NAME, &self.job, "SuccessfulCreate", "Created pod: {}"))
                    .complaining(Report::warning(
                        NAME,
                        &self.job,
                        "FailedCreate",
                        "Error creating: {}",
                    ))
            })
            .collect()
    }

    fn pod(&self, index: Option<i64>) -> Object {
        let template = self.job.get("spec.template").unwrap_or(&Value::Null);
        let mut pod = pods::from_template(&self.job, template);
        let mut finalizers: Vec<String> = pod.finalizers().into_iter().map(str::to_owned).collect();
        finalizers.push(TRACKING.into());
        pod.set("metadata.finalizers", json!(finalizers));
        if let Some(index) = index {
            pod.set("metadata.generateName", format!("{}-{index}-", self.job.name()));
            pod.set_annotation(INDEX, &index.to_string());
            pod.set_label(INDEX, &index.to_string());
            pod.set("spec.hostname", format!("{}-{index}", self.job.name()));
        }
        pod
    }

    /// The lowest indexes that no pod works on or has completed; none unless the Job is indexed.
    fn free_indexes(&self, many: usize) -> Vec<i64> {
        if !self.is_indexed() {
            return Vec::new();
        }
        let mut taken = self.completed_indexes();
        taken.extend(self.active().filter_map(index));
        (0..self.completions().unwrap_or(0)).filter(|i| !taken.contains(i)).take(many).collect()
    }

    /// The indexes whose pods have succeeded.
    pub(super) fn completed_indexes(&self) -> BTreeSet<i64> {
        let mut completed = status::parse_indexes(self.job.text("status.completedIndexes"));
        let succeeded = self.pods.iter().filter(|pod| pods::phase(pod) == "Succeeded");
        completed.extend(succeeded.filter_map(index));
        completed
    }

    fn remove(&self, pod: &Object) -> Act {
        let (gone, failed) = (format!("Deleted pod: {}", pod.name()), "Error deleting: {}");
        Act::delete(pod)
            .telling(Report::normal(NAME, &self.job, "SuccessfulDelete", gone))
            .complaining(Report::warning(NAME, &self.job, "FailedDelete", failed))
    }

    /// What is left to write: the status, then the release of the pods it notes, then the events.
    pub(super) fn conclusion(&self, now: Timestamp) -> Vec<Act> {
        let status = Act::status_unless_same(&self.job, status::status(self, now));
        let mut acts: Vec<Act> = status.into_iter().collect();
        let noted = |pod: &&Object| {
            is_tracked(pod)
                && (self.succeeded.contains(pod.uid()) || self.failed.contains(pod.uid()))
        };
        acts.extend(self.pods.iter().filter(noted).map(untrack));
        acts.extend(status::news(self, now).into_iter().map(|report| Act::tell(report, now)));
        acts
    }

    /// When to look again although nothing happens.
    pub(super) fn next_look(&self, now: Timestamp) -> Option<Duration> {
        let instants = [self.deadline(), self.retry_at()];
        let coming = instants.into_iter().flatten().filter(|at| *at > now).min();
        coming.filter(|_| self.end.is_none() && !self.is_suspended()).map(|at| at.since(now))
    }
}

fn index(pod: &Object) -> Option<i64> {
    pod.annotation(INDEX)?.parse().ok()
}
