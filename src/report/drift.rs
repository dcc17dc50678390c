//! Drift, read from the events: a field that somebody set past Git, until something set it back.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::ObjectRef;
use crate::reconciler::ChangeAction;
use crate::time::{Duration, Timestamp};
use crate::trace::{Event, FieldChange, Role, Trace, What};

/// One stretch of drift: an object, or one leaf of it, was not as Git had it.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// The object.
    pub object: ObjectRef,
    /// The leaf, dotted; empty when the whole object was deleted.
    pub path: String,
    /// The values it had: as Git had it, then each that replaced it. `None`: it was not there.
    pub values: Vec<Option<Value>>,
    /// Who brought it about.
    pub by: String,
    /// When.
    pub began: Timestamp,
    /// Position of the event that brought it about.
    pub event: usize,
    /// How it ended.
    pub ending: Ending,
}

/// How a drift ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It did not, up to the end of the trace.
    Open,
    /// The value of before came back.
    Healed {
        /// Who brought it back.
        by: String,
        /// When.
        at: Timestamp,
        /// Position of the event.
        event: usize,
    },
    /// Git was changed to agree, or to something else.
    Adopted {
        /// When the controller found it so.
        at: Timestamp,
    },
}

impl Drift {
    /// How long it took until it was healed; `None` when it was not.
    pub fn healed_after(&self) -> Option<Duration> {
        match self.ending {
            Ending::Healed { at, .. } => Some(at.since(self.began)),
            Ending::Open | Ending::Adopted { .. } => None,
        }
    }

    /// How long it lasted, or has lasted at `now`.
    pub fn lasted(&self, now: Timestamp) -> Duration {
        match self.ending {
            Ending::Open => now.since(self.began),
            Ending::Healed { at, .. } | Ending::Adopted { at } => at.since(self.began),
        }
    }
}

/// Every drift of a run, in the order they began.
///
/// What is wanted is what the GitOps engine, or a pipeline, wrote last; of objects that neither knows,
/// what somebody applied from a file. A leaf of it that is changed in any other way has drifted, and so
/// has a leaf that anybody but the control plane adds to such an object; what controllers keep for
/// themselves (status, bookkeeping annotations) does not count.
pub fn drifts(trace: &Trace) -> Vec<Drift> {
    let mut ledger = Ledger::default();
    for (position, event) in trace.events().enumerate() {
        ledger.read(position, event);
    }
    ledger.drifts
}

/// What is known of each object while reading along.
#[derive(Default)]
struct Ledger {
    drifts: Vec<Drift>,
    objects: BTreeMap<ObjectRef, Record>,
}

/// An object that is wanted.
#[derive(Default)]
struct Record {
    /// Whether it came from Git, and not only from a file that somebody applied.
    from_git: bool,
    /// The leaves that are wanted.
    leaves: BTreeMap<String, Option<Value>>,
    /// The drifts that are open, by leaf.
    open: BTreeMap<String, usize>,
}

impl Ledger {
    fn read(&mut self, position: usize, event: &Event) {
        match &event.what {
            What::Request {
                verb,
                object,
                subresource,
                manager,
                dry_run: false,
                code,
                changed,
                ..
            } if (200..300).contains(code)
                && !matches!(subresource.as_str(), "status" | "finalize") =>
            {
                let by_file = event.role == Role::Person
                    && (verb == "apply" || manager == "kubectl-client-side-apply")
                    && !configures_the_loop(object);
                let write = Write { position, event, object, by_file };
                match verb.as_str() {
                    "delete" => self.deleted(&write),
                    "create" | "update" | "patch" | "apply" => {
                        self.written(&write, verb, changed);
                    }
                    _ => {}
                }
            }
            What::Finished { changes, failed: false, .. } if is_authority(event.role) => {
                for change in changes {
                    if matches!(change.action, ChangeAction::Unchanged | ChangeAction::Configured) {
                        self.found_in_sync(&change.object, event.at);
                    }
                }
            }
            _ => {}
        }
    }

    fn deleted(&mut self, write: &Write<'_>) {
        let Some(record) = self.objects.get_mut(write.object) else { return };
        if is_authority(write.event.role) || !record.from_git {
            for drift in record.open.values() {
                self.drifts[*drift].ending = Ending::Adopted { at: write.event.at };
            }
            self.objects.remove(write.object);
        } else if write.event.role != Role::ControlPlane {
            record.open.insert(String::new(), self.drifts.len());
            self.drifts.push(write.drift("", vec![Some(Value::Bool(true)), None]));
        }
    }

    fn written(&mut self, write: &Write<'_>, verb: &str, changed: &[FieldChange]) {
        let from_git = is_from_git(write.event.role, verb);
        let known_to_git = self.objects.get(write.object).is_some_and(|record| record.from_git);
        let authority = from_git || write.by_file && !known_to_git;
        if authority {
            let record = self.objects.entry(write.object.clone()).or_default();
            record.from_git |= from_git;
            if let Some(drift) = record.open.remove("") {
                self.drifts[drift].heal(write, Some(Value::Bool(true)));
            }
        }
        let Some(record) = self.objects.get_mut(write.object) else { return };
        for change in changed.iter().filter(|change| counts(&change.path)) {
            if authority {
                record.set_from_git(&mut self.drifts, write, change);
            } else {
                record.set_past_git(&mut self.drifts, write, change);
            }
        }
    }

    /// The controller has seen the object and is content: what is open and was Git's is so no more.
    fn found_in_sync(&mut self, object: &ObjectRef, at: Timestamp) {
        let Some(record) = self.objects.get_mut(object) else { return };
        for (path, drift) in std::mem::take(&mut record.open) {
            if record.leaves.contains_key(&path) || path.is_empty() {
                self.drifts[drift].ending = Ending::Adopted { at };
            } else {
                record.open.insert(path, drift);
            }
        }
    }
}

impl Record {
    fn set_from_git(&mut self, drifts: &mut [Drift], write: &Write<'_>, change: &FieldChange) {
        if let Some(drift) = self.open.remove(&change.path) {
            drifts[drift].heal(write, change.after.clone());
        }
        match &change.after {
            Some(_) => self.leaves.insert(change.path.clone(), change.after.clone()),
            None => self.leaves.remove(&change.path),
        };
    }

    fn set_past_git(&mut self, drifts: &mut Vec<Drift>, write: &Write<'_>, change: &FieldChange) {
        if let Some(drift) = self.open.get(&change.path).copied() {
            drifts[drift].values.push(change.after.clone());
            if drifts[drift].values.first() == Some(&change.after) {
                self.open.remove(&change.path);
                drifts[drift].end(write);
            }
            return;
        }
        let from_git = self.leaves.contains_key(&change.path);
        if from_git || write.event.role != Role::ControlPlane {
            self.open.insert(change.path.clone(), drifts.len());
            drifts
                .push(write.drift(&change.path, vec![change.before.clone(), change.after.clone()]));
        }
    }
}

impl Drift {
    fn heal(&mut self, write: &Write<'_>, value: Option<Value>) {
        let back = self.values.first() == Some(&value);
        self.values.push(value);
        if back {
            self.end(write);
        } else {
            self.ending = Ending::Adopted { at: write.event.at };
        }
    }

    fn end(&mut self, write: &Write<'_>) {
        self.ending = Ending::Healed {
            by: write.event.actor.clone(),
            at: write.event.at,
            event: write.position,
        };
    }
}

/// A write that was carried out.
struct Write<'a> {
    position: usize,
    event: &'a Event,
    object: &'a ObjectRef,
    /// Whether somebody applied a file.
    by_file: bool,
}

impl Write<'_> {
    fn drift(&self, path: &str, values: Vec<Option<Value>>) -> Drift {
        Drift {
            object: self.object.clone(),
            path: path.into(),
            values,
            by: self.event.actor.clone(),
            began: self.event.at,
            event: self.position,
            ending: Ending::Open,
        }
    }
}

/// Whether it is an object that tells the engine what to do: people suspend it and resume it.
fn configures_the_loop(object: &ObjectRef) -> bool {
    object.group.ends_with(".toolkit.fluxcd.io")
}

/// Whether what it writes is what Git says.
fn is_authority(role: Role) -> bool {
    matches!(role, Role::Engine | Role::Pipeline)
}

/// Whether a write says what Git says: the engine applies what it built, and patches only its own
/// bookkeeping; a pipeline deploys by any verb.
fn is_from_git(role: Role, verb: &str) -> bool {
    role == Role::Pipeline || role == Role::Engine && verb == "apply"
}

/// Whether a leaf is part of what somebody may want, and no bookkeeping.
pub(super) fn counts(path: &str) -> bool {
    const BOOKKEEPING: [&str; 12] = [
        "status",
        "metadata.managedFields",
        "metadata.resourceVersion",
        "metadata.generation",
        "metadata.uid",
        "metadata.creationTimestamp",
        "metadata.deletionTimestamp",
        "metadata.deletionGracePeriodSeconds",
        "metadata.finalizers",
        "metadata.annotations.kubectl.kubernetes.io/last-applied-configuration",
        "metadata.annotations.deployment.kubernetes.io/revision",
        "metadata.annotations.reconcile.fluxcd.io/requestedAt",
    ];
    !BOOKKEEPING.iter().any(|field| {
        path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}
