//! One object of a stage: what is there, what an apply would make of it, and so what is to be done.
//!
//! An object that cannot be changed, and may be made anew, is deleted on the way. Like Flux this waits without
//! end until it is gone: whatever a finalizer holds holds the reconciliation too.

use super::{Applied, Apply, ApplyTurn, Await, Planned, WAIT_INTERVAL, apply, has, options};
use crate::api::{ApiRequest, ApiResponse, DeleteOptions, Patch, Propagation, Reason, Status};
use crate::engine::ignore;
use crate::engine::inventory::Entry;
use crate::engine::kustomize::state::Turn;
use crate::engine::names::{FORCE, RECONCILE, SSA};
use crate::engine::normalize::without_undeclared;
use crate::engine::ownership::reclaim;
use crate::object::Object;
use crate::reconciler::{Change, ChangeAction};
use crate::time::Timestamp;

/// An object that is being tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Tried {
    desired: Object,
    live: Option<Object>,
}

impl Apply {
    pub(super) fn live_read(
        mut self,
        answer: Result<ApiResponse, Status>,
        now: Timestamp,
    ) -> ApplyTurn {
        let desired = self.object().clone();
        let live = answer.ok().and_then(ApiResponse::into_object);
        if is_left_alone(&desired, live.as_ref()) {
            let entry = Entry::of(live.as_ref().unwrap_or(&desired));
            self.plan.push(planned(entry, ChangeAction::Skipped, Vec::new(), None));
            self.next += 1;
            return self.try_next(now);
        }
        let request = apply(&desired, true);
        self.ask(Await::DryRun(Tried { desired, live }), request)
    }

    pub(super) fn dry_run(
        self,
        mut tried: Tried,
        answer: Result<ApiResponse, Status>,
        now: Timestamp,
    ) -> ApplyTurn {
        let refusal = match answer {
            Ok(answer) => return self.tried(tried, answer, now),
            Err(refusal) => refusal,
        };
        if let Some(trimmed) = without_undeclared(&tried.desired, &refusal.message) {
            let request = apply(&trimmed, true);
            tried.desired = trimmed;
            return self.ask(Await::DryRun(tried), request);
        }
        if tried.live.is_some() && self.is_forced(&tried) && is_immutable(&refusal) {
            let object = &tried.desired;
            let options = DeleteOptions {
                propagation: Some(Propagation::Background),
                ..DeleteOptions::default()
            };
            let (gvk, namespace, name) = (object.gvk(), object.namespace(), object.name());
            let request = ApiRequest::delete(&gvk, namespace, name, options);
            return self.ask(Await::Deleted(tried, refusal), request);
        }
        if refusal.is_not_found() {
            let request = ApiRequest::discover(&tried.desired.gvk());
            return self.ask(Await::KindDiscovered(refusal), request);
        }
        self.refused(&refusal)
    }

    /// A dry run that found nothing: the kind is unknown, or the namespace is missing or not named.
    pub(super) fn not_served(
        self,
        refusal: Status,
        answer: Result<ApiResponse, Status>,
    ) -> ApplyTurn {
        let object = self.object().reference();
        let gvk = self.object().gvk();
        if answer.is_err() {
            return self.fail(format!(
                "{object} dry-run failed: no matches for kind {:?} in version {:?}",
                gvk.kind,
                gvk.api_version()
            ));
        }
        if object.namespace.is_empty() {
            let reason = "the server could not find the requested resource";
            return self.fail(format!("{object} namespace not specified: {reason}"));
        }
        self.fail(format!("{object} not found: {refusal}"))
    }

    pub(super) fn deleted(
        self,
        tried: Tried,
        refusal: &Status,
        answer: Result<ApiResponse, Status>,
    ) -> ApplyTurn {
        match answer {
            Err(status) if !status.is_not_found() => {
                let object = tried.desired.reference();
                self.fail(format!(
                    "{object} immutable field detected, failed to delete object: {status} (after: {refusal})"
                ))
            }
            _ => self.read_gone(tried),
        }
    }

    pub(super) fn read_gone(self, tried: Tried) -> ApplyTurn {
        let object = &tried.desired;
        let request = ApiRequest::get(&object.gvk(), object.namespace(), object.name());
        self.ask(Await::GoneRead(tried), request)
    }

    pub(super) fn gone_read(
        mut self,
        mut tried: Tried,
        answer: Result<ApiResponse, Status>,
    ) -> ApplyTurn {
        match answer {
            Ok(_) => {
                self.awaiting = Await::DeletionWaited(tried);
                Turn::Wait(self, WAIT_INTERVAL)
            }
            Err(status) if status.is_not_found() => {
                tried.live = None;
                let request = apply(&tried.desired, true);
                self.ask(Await::DryRunAnew(tried), request)
            }
            Err(status) => {
                let object = tried.desired.reference();
                self.fail(format!(
                    "{object} immutable field detected, failed to wait for object to be deleted: {status}"
                ))
            }
        }
    }

    pub(super) fn dry_run_anew(
        self,
        tried: Tried,
        answer: Result<ApiResponse, Status>,
        now: Timestamp,
    ) -> ApplyTurn {
        match answer {
            Ok(answer) => self.tried(tried, answer, now),
            Err(refusal) => self.refused(&refusal),
        }
    }

    /// A dry run went well: take fields back, or compare.
    fn tried(self, tried: Tried, answer: ApiResponse, now: Timestamp) -> ApplyTurn {
        let Some(dry) = answer.into_object() else {
            return self
                .refused(&Status::failure(Reason::InternalError, "the answer is no object"));
        };
        let patch = tried.live.as_ref().filter(|live| self.may_reclaim(&tried.desired, live));
        match patch.and_then(|live| reclaim(live, &self.options.override_managers)) {
            None => self.compared(tried, &dry, false, now),
            Some(patch) => {
                let (gvk, namespace, name) = (dry.gvk(), dry.namespace(), dry.name());
                let patch = Patch::Json(patch);
                let request = ApiRequest::patch(&gvk, namespace, name, patch, options(false));
                self.ask(Await::Reclaimed(tried, dry), request)
            }
        }
    }

    fn may_reclaim(&self, desired: &Object, live: &Object) -> bool {
        let merges = |object: &Object| has(object, SSA, "Merge");
        !self.options.keep_foreign_managers && !merges(desired) && !merges(live)
    }

    pub(super) fn reclaimed(
        self,
        mut tried: Tried,
        dry: &Object,
        answer: Result<ApiResponse, Status>,
        now: Timestamp,
    ) -> ApplyTurn {
        match answer {
            Ok(answer) => {
                tried.live = answer.into_object().or(tried.live);
                self.compared(tried, dry, true, now)
            }
            Err(status) => {
                let object = tried.desired.reference();
                self.fail(format!("{object} metadata.managedFields cleanup failed: {status}"))
            }
        }
    }

    fn compared(
        mut self,
        tried: Tried,
        dry: &Object,
        reclaimed: bool,
        now: Timestamp,
    ) -> ApplyTurn {
        let Tried { desired, live } = tried;
        let entry = Entry::of(dry);
        let plan = match live {
            None if dry.resource_version().is_empty() => {
                planned(entry, ChangeAction::Created, Vec::new(), Some(desired))
            }
            None => planned(entry, ChangeAction::Configured, Vec::new(), Some(desired)),
            Some(live) => {
                let fields = ignore::differences(dry, &live, &self.options.ignore);
                if fields.is_empty() && !reclaimed {
                    planned(entry, ChangeAction::Unchanged, fields, None)
                } else {
                    let write = ignore::adjusted(desired, dry, &live, &self.options.ignore);
                    planned(entry, ChangeAction::Configured, fields, Some(write))
                }
            }
        };
        self.plan.push(plan);
        self.next += 1;
        self.try_next(now)
    }

    fn is_forced(&self, tried: &Tried) -> bool {
        let forced = |object: &Object| has(object, FORCE, "Enabled");
        self.options.force || forced(&tried.desired) || tried.live.as_ref().is_some_and(forced)
    }

    fn refused(self, refusal: &Status) -> ApplyTurn {
        let object = self.object().reference();
        let conflict = refusal.causes().iter().any(|cause| cause.reason == "FieldManagerConflict");
        let reason = match refusal.reason {
            _ if conflict => " (FieldManagerConflict)".into(),
            Reason::None => String::new(),
            reason => format!(" ({reason})"),
        };
        self.fail(format!("{object} dry-run failed{reason}: {refusal}"))
    }
}

/// Whether an object asks not to be applied: always, or because it is there already.
fn is_left_alone(desired: &Object, live: Option<&Object>) -> bool {
    let excluded =
        |object: &Object| has(object, RECONCILE, "disabled") || has(object, SSA, "Ignore");
    excluded(desired)
        || live.is_some_and(|live| excluded(live) || has(desired, SSA, "IfNotPresent"))
}

/// Whether a refusal may be about a field that cannot change, as kubectl and Flux guess it.
fn is_immutable(refusal: &Status) -> bool {
    refusal.is_conflict()
        || refusal.is_invalid()
        || refusal.message.contains("is immutable")
        || refusal.message.contains("immutable field")
}

fn planned(
    entry: Entry,
    action: ChangeAction,
    fields: Vec<String>,
    write: Option<Object>,
) -> Planned {
    let change = Change { object: entry.object.clone(), action, fields };
    Planned { applied: Applied { entry, change }, write }
}
