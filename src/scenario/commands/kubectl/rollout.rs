//! `rollout`: status, undo, restart, history, pause, resume.

use serde_json::{Value, json};

use super::ask::{Asking, Found, options};
use super::wait::Awaited;
use super::{DryRun, Rollout, Targets};
use crate::api::{ApiRequest, Patch};
use crate::object::{GroupVersionKind, LabelSelector, Object};
use crate::reconciler::conditions;

const REVISION: &str = "deployment.kubernetes.io/revision";
const MANAGER: &str = "kubectl-rollout";

/// How far a rollout is, with the line that kubectl prints.
pub(super) enum Progress {
    Waiting(String),
    Done(String),
    Failed(String),
}

impl Asking<'_> {
    /// Does what is asked of a rollout; what `status` waits for is returned.
    pub(super) fn rollout(&mut self, targets: &Targets, what: &Rollout) -> Option<Awaited> {
        let found = self.find(targets);
        for found in &found {
            match what {
                Rollout::Status { watch: true, .. } => {}
                Rollout::Status { .. } => self.status(found),
                Rollout::Undo { to_revision } => self.undo(found, *to_revision),
                Rollout::Restart => self.restart(found),
                Rollout::History => self.history(found),
                Rollout::Pause(paused) => self.pause(found, *paused),
            }
        }
        match (what, found.first()) {
            (Rollout::Status { watch: true, .. }, Some(found)) => {
                Some(Awaited::Rollout { object: found.object.reference(), said: String::new() })
            }
            _ => None,
        }
    }

    fn status(&mut self, found: &Found) {
        match progress(&found.object) {
            Progress::Waiting(line) | Progress::Done(line) => self.out.line(line),
            Progress::Failed(line) => self.out.error(line),
        }
    }

    fn undo(&mut self, found: &Found, to_revision: Option<i64>) {
        let name = found.kind.name(found.object.name());
        let revisions = self.revisions(found);
        let wanted = match to_revision {
            Some(wanted) => revisions.iter().find(|(revision, _)| *revision == wanted),
            None => revisions.len().checked_sub(2).and_then(|i| revisions.get(i)),
        };
        let Some((revision, replica_set)) = wanted else {
            return self.out.error(match to_revision {
                Some(wanted) => {
                    format!("error: unable to find specified revision {wanted} in history")
                }
                None => format!("error: no rollout history found for {name}"),
            });
        };
        let mut template = replica_set.get("spec.template").cloned().unwrap_or_default();
        if let Some(labels) =
            template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut)
        {
            labels.remove("pod-template-hash");
        }
        if found.object.get("spec.template") == Some(&template) {
            return self.out.line(format!(
                "{name} skipped rollback (current template already matches revision {revision})"
            ));
        }
        self.warn_of_last_applied(found);
        let patch = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
        self.send_patch(found, Patch::Json(patch), "rolled back");
    }

    fn warn_of_last_applied(&mut self, found: &Found) {
        const LAST: &str = "kubectl.kubernetes.io/last-applied-configuration";
        if found.object.annotation(LAST).is_some() {
            self.out.line(format!(
                "Warning: resource {}/{} was previously managed with 'kubectl apply'. Rolling back will not update the {LAST} annotation, which may cause unexpected behavior on future 'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file instead.",
                found.kind.plural, found.object.name()
            ));
        }
    }

    fn restart(&mut self, found: &Found) {
        let now = self.world.now().to_string();
        let note = json!({"kubectl.kubernetes.io/restartedAt": now});
        let template = json!({"metadata": {"annotations": note}});
        let patch = Patch::Strategic(json!({"spec": {"template": template}}));
        self.send_patch(found, patch, "restarted");
    }

    fn pause(&mut self, found: &Found, paused: bool) {
        let name = found.kind.name(found.object.name());
        let word = if paused { "paused" } else { "resumed" };
        if (found.object.get("spec.paused") == Some(&json!(true))) == paused {
            let already = if paused { "already paused" } else { "not paused" };
            return self.out.error(format!(
                "error: {}s.apps {:?} is {already}",
                found.object.kind().to_lowercase(),
                found.object.name()
            ));
        }
        let _ = name;
        let value = if paused { json!(true) } else { Value::Null };
        self.send_patch(found, Patch::Strategic(json!({"spec": {"paused": value}})), word);
    }

    fn history(&mut self, found: &Found) {
        self.out.line(format!("{} ", found.kind.name(found.object.name())));
        self.out.line("REVISION  CHANGE-CAUSE");
        for (revision, replica_set) in self.revisions(found) {
            let cause = replica_set.annotation("kubernetes.io/change-cause").unwrap_or("<none>");
            self.out.line(format!("{revision:<10}{cause}"));
        }
        self.out.line("");
    }

    /// The ReplicaSets of a Deployment by revision, oldest first.
    fn revisions(&mut self, found: &Found) -> Vec<(i64, Object)> {
        let kind = GroupVersionKind::new("apps/v1", "ReplicaSet");
        let labels = found.object.get("spec.selector").map(LabelSelector::from_value);
        let request = ApiRequest::list(&kind, found.object.namespace(), labels.unwrap_or_default());
        let all = self.ask(request).ok().and_then(|answer| answer.into_list()).unwrap_or_default();
        let mut revisions: Vec<(i64, Object)> = all
            .items
            .into_iter()
            .filter(|set| set.controller().is_some_and(|owner| owner.uid == found.object.uid()))
            .filter_map(|set| Some((set.annotation(REVISION)?.parse().ok()?, set)))
            .collect();
        revisions.sort_by_key(|(revision, _)| *revision);
        revisions
    }

    fn send_patch(&mut self, found: &Found, patch: Patch, done: &str) {
        match self.ask_object(found.patch(patch, options(MANAGER, DryRun::No))) {
            Ok(_) => self.out.line(format!("{} {done}", found.kind.name(found.object.name()))),
            Err(status) => self.refused(&status),
        }
    }
}

/// How far a rollout is (`k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go`).
pub(super) fn progress(object: &Object) -> Progress {
    let int = |path: &str| object.int(path).unwrap_or(0);
    let observed = int("status.observedGeneration") >= object.generation();
    match object.kind() {
        "Deployment" => deployment(object, observed),
        "DaemonSet" => daemon_set(object, observed),
        "StatefulSet" => stateful_set(object, observed),
        kind => {
            Progress::Failed(format!("error: no status viewer has been implemented for {kind}"))
        }
    }
}

fn deployment(object: &Object, observed: bool) -> Progress {
    let name = object.name();
    let int = |path: &str| object.int(path).unwrap_or(0);
    if !observed {
        return Progress::Waiting("Waiting for deployment spec update to be observed...".into());
    }
    let late = |c: &crate::reconciler::Condition| {
        c.kind == "Progressing" && c.reason == "ProgressDeadlineExceeded"
    };
    if conditions(object).iter().any(late) {
        return Progress::Failed(format!(
            "error: deployment {name:?} exceeded its progress deadline"
        ));
    }
    let wait = |what: String| {
        Progress::Waiting(format!("Waiting for deployment {name:?} rollout to finish: {what}..."))
    };
    let (wanted, updated) = (int("spec.replicas"), int("status.updatedReplicas"));
    let (all, available) = (int("status.replicas"), int("status.availableReplicas"));
    if updated < wanted {
        wait(format!("{updated} out of {wanted} new replicas have been updated"))
    } else if all > updated {
        wait(format!("{} old replicas are pending termination", all - updated))
    } else if available < updated {
        wait(format!("{available} of {updated} updated replicas are available"))
    } else {
        Progress::Done(format!("deployment {name:?} successfully rolled out"))
    }
}

fn daemon_set(object: &Object, observed: bool) -> Progress {
    let name = object.name();
    let int = |path: &str| object.int(path).unwrap_or(0);
    if !observed {
        return Progress::Waiting("Waiting for daemon set spec update to be observed...".into());
    }
    let wait = |what: String| {
        Progress::Waiting(format!("Waiting for daemon set {name:?} rollout to finish: {what}..."))
    };
    let wanted = int("status.desiredNumberScheduled");
    let (updated, available) =
        (int("status.updatedNumberScheduled"), int("status.numberAvailable"));
    if updated < wanted {
        wait(format!("{updated} out of {wanted} new pods have been updated"))
    } else if available < wanted {
        wait(format!("{available} of {wanted} updated pods are available"))
    } else {
        Progress::Done(format!("daemon set {name:?} successfully rolled out"))
    }
}

fn stateful_set(object: &Object, observed: bool) -> Progress {
    let int = |path: &str| object.int(path).unwrap_or(0);
    if !observed {
        return Progress::Waiting("Waiting for statefulset spec update to be observed...".into());
    }
    let (wanted, ready) = (int("spec.replicas"), int("status.readyReplicas"));
    if ready < wanted {
        return Progress::Waiting(format!("Waiting for {} pods to be ready...", wanted - ready));
    }
    let (current, update) =
        (object.text("status.currentRevision"), object.text("status.updateRevision"));
    if current != update {
        let updated = int("status.updatedReplicas");
        return Progress::Waiting(format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
        ));
    }
    Progress::Done(format!(
        "statefulset rolling update complete {} pods at revision {current}...",
        int("status.currentReplicas")
    ))
}
