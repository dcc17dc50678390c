//! What of a run is shown, and what is folded away.

use std::collections::{BTreeMap, BTreeSet};

use crate::reconciler::ChangeAction;
use crate::time::{Duration, Timestamp};
use crate::trace::{Event, Role, Trace, What};

use super::words::{family, reason};

/// What one row of a timeline is made of.
pub(super) enum Item<'a> {
    /// One event, at its position.
    One(usize, &'a Event),
    /// Events alike of several pods of one owner, in the same moment.
    Alike(&'a Event, usize),
    /// An event that came about after that many attempts.
    AtLast(usize, &'a Event, usize),
    /// A stretch in which the loop ran and nothing was to be done.
    Quiet(Quiet),
}

/// A stretch of cycles that wrote nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quiet {
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) cycles: usize,
    pub(super) actor: String,
}

/// The rows of a run; with `everything` each event is one.
pub(super) fn fold(trace: &Trace, everything: bool) -> Vec<Item<'_>> {
    if everything {
        return trace.events().enumerate().map(|(i, event)| Item::One(i, event)).collect();
    }
    let mut folder = Folder::default();
    for (position, event) in trace.events().enumerate() {
        folder.read(position, event);
    }
    folder.flush();
    folder.items
}

#[derive(Default)]
struct Folder<'a> {
    items: Vec<Item<'a>>,
    quiet: Option<Quiet>,
    /// The newest revision each remote was found at.
    fetched: BTreeMap<&'a str, &'a str>,
    /// The fetches of each remote that failed since one did not: why the last did, and how many.
    attempts: BTreeMap<&'a str, (&'a str, usize)>,
    /// The last failure each target was shown with.
    failures: BTreeMap<String, String>,
    /// What each fault was shown to strike.
    strikes: BTreeSet<(&'a str, &'a str)>,
    /// Who typed a command, and how many rows there were then.
    typed: BTreeMap<&'a str, usize>,
    /// The newest row of each kind that others may join.
    groups: BTreeMap<String, usize>,
}

impl<'a> Folder<'a> {
    fn read(&mut self, position: usize, event: &'a Event) {
        match &event.what {
            What::Started { .. } | What::Phase { .. } => {}
            What::Typed { .. } => {
                self.show(position, event);
                self.typed.insert(&event.actor, self.items.len());
            }
            What::Answered { output, exit, .. } => {
                let silent = self.typed.remove(event.actor.as_str()) == Some(self.items.len());
                if !output.is_empty() && (silent || *exit != 0) {
                    self.show(position, event);
                }
            }
            What::Fetched { url, revision, error } if error.is_empty() => {
                let failed = self.attempts.remove(url.as_str()).map_or(0, |(_, count)| count);
                let is_news = self.fetched.insert(url, revision) != Some(revision.as_str());
                if is_news || failed > 0 {
                    self.flush();
                    self.items.push(Item::AtLast(position, event, failed));
                }
            }
            What::Fetched { url, error, .. } => {
                let (last, count) = self.attempts.entry(url).or_default();
                *count += 1;
                if std::mem::replace(last, error) != error {
                    self.show(position, event);
                }
            }
            What::Fault { name, message } => {
                if self.strikes.insert((name, message)) || !message.contains(" strikes ") {
                    self.show(position, event);
                }
            }
            What::Finished { .. } => self.finished(position, event),
            What::Request { .. } if !is_telling_request(event) => {}
            What::Workload { state, .. } if is_told_otherwise(state) => {}
            What::Request { .. } | What::Workload { .. } if is_groupable(event) => {
                self.join(event);
            }
            _ => self.show(position, event),
        }
    }

    fn finished(&mut self, position: usize, event: &'a Event) {
        let What::Finished { target, changes, message, failed, .. } = &event.what else { return };
        let key = target.to_string();
        if *failed {
            let reason = reason(message);
            if self.failures.insert(key, reason.clone()) != Some(reason) {
                self.show(position, event);
            }
            return;
        }
        let recovered = self.failures.remove(&key).is_some();
        let wrote = changes.iter().any(|change| {
            !matches!(change.action, ChangeAction::Unchanged | ChangeAction::Skipped)
        });
        if event.role == Role::ControlPlane {
            return;
        }
        if wrote || (recovered && !changes.is_empty()) {
            self.show(position, event);
        } else if !changes.is_empty() {
            self.quiet_cycle(event);
        }
    }

    fn quiet_cycle(&mut self, event: &Event) {
        let quiet = self.quiet.get_or_insert_with(|| Quiet {
            began: event.at,
            ended: event.at,
            cycles: 0,
            actor: event.actor.clone(),
        });
        quiet.ended = event.at;
        quiet.cycles += 1;
    }

    /// Shows an event with those like it of the last moments, if there are any.
    fn join(&mut self, event: &'a Event) {
        const MOMENTS: Duration = Duration::from_secs(2);
        let key = alikeness(event);
        if let Some(row) = self.groups.get(&key).copied()
            && let Item::Alike(first, count) = &mut self.items[row]
            && event.at.since(first.at) <= MOMENTS
        {
            *count += 1;
            return;
        }
        self.flush();
        self.groups.insert(key, self.items.len());
        self.items.push(Item::Alike(event, 1));
    }

    fn show(&mut self, position: usize, event: &'a Event) {
        self.flush();
        self.items.push(Item::One(position, event));
    }

    fn flush(&mut self) {
        self.items.extend(self.quiet.take().map(Item::Quiet));
    }
}

/// Whether a request is worth a row: a write that was carried out or refused, and no bookkeeping.
fn is_telling_request(event: &Event) -> bool {
    let What::Request { verb, subresource, dry_run: false, code, .. } = &event.what else {
        return false;
    };
    let refused =
        (*code == 0 || *code >= 400) && !matches!(verb.as_str(), "get" | "list" | "watch");
    let by_hand = matches!(event.role, Role::Person | Role::Pipeline);
    if is_of_the_server(event) {
        return false;
    }
    let told = match event.role {
        Role::ControlPlane => event.is_stored_write() && is_of_a_loop(event),
        Role::Person | Role::Pipeline => event.is_stored_write() || refused,
        _ => (event.is_stored_write() || refused) && !is_bookkeeping(event),
    };
    told && (by_hand || !matches!(subresource.as_str(), "status" | "binding"))
}

/// Whether a write is one that controllers note things down with: events, leases, their own status,
/// finalizers and bookkeeping annotations of the objects that configure them.
pub(crate) fn is_bookkeeping(event: &Event) -> bool {
    let What::Request { object, subresource, code, changed, .. } = &event.what else {
        return false;
    };
    let only_finalizers = || changed.iter().all(|change| change.path == "metadata.finalizers");
    let of_its_own = object.group.ends_with(".toolkit.fluxcd.io") && *code == 200;
    matches!(object.kind.as_str(), "Event" | "Lease")
        || is_of_the_server(event)
        || matches!(subresource.as_str(), "status" | "binding")
        || event.role == Role::Engine
            && of_its_own
            && (event.revision.is_empty() || only_finalizers())
}

/// Whether a write is the API server's own, which names what a new definition defines.
fn is_of_the_server(event: &Event) -> bool {
    let What::Request { object, changed, .. } = &event.what else { return false };
    object.kind == "CustomResourceDefinition"
        && !changed.is_empty()
        && changed.iter().all(|change| change.path.starts_with("status."))
}

/// What the control plane's own loop does that a reader wants to see: workloads made, scaled, removed.
fn is_of_a_loop(event: &Event) -> bool {
    const KINDS: [&str; 6] = ["ReplicaSet", "Pod", "Job", "Deployment", "StatefulSet", "DaemonSet"];
    let What::Request { verb, object, code, changed, .. } = &event.what else { return false };
    if !KINDS.contains(&object.kind.as_str()) {
        return object.kind == "Namespace" && verb == "delete";
    }
    match verb.as_str() {
        "delete" => !event.actor.starts_with("kubelet"),
        _ if *code == 201 => true,
        _ => changed.iter().any(|change| change.path == "spec.replicas"),
    }
}

/// States of pods that the writes of the control plane tell already.
fn is_told_otherwise(state: &str) -> bool {
    matches!(state, "" | "Pending" | "Terminating")
}

/// Pods come in numbers, and so do nodes and definitions.
fn is_groupable(event: &Event) -> bool {
    match &event.what {
        What::Request { object, .. } if object.kind == "CustomResourceDefinition" => true,
        What::Request { object, .. } => event.role == Role::ControlPlane && object.kind == "Pod",
        What::Workload { object, .. } => matches!(object.kind.as_str(), "Pod" | "Node"),
        _ => false,
    }
}

fn alikeness(event: &Event) -> String {
    match &event.what {
        What::Request { verb, object, code, .. } => {
            format!("{} {verb} {code} {}", event.actor, family(object))
        }
        What::Workload { object, state, .. } => format!("{state} {}", family(object)),
        _ => String::new(),
    }
}
