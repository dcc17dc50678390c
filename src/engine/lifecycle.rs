//! What all of Flux's objects have in common: the finalizer, suspension, the annotation that asks for a
//! reconciliation now, and how soon a controller comes back.

use super::names::{FINALIZER, REQUESTED_AT};
use crate::object::Object;
use crate::time::Duration;

/// The jitter of an interval, in percent: `--interval-jitter-percentage`.
pub(crate) const JITTER: u8 = 5;

/// How long until an object that failed is looked at again, at first and at the longest:
/// `--min-retry-delay` and `--max-retry-delay`. The first is also controller-runtime's `Requeue`, after
/// which an object comes back that just got its finalizer.
pub(crate) const RETRY: (Duration, Duration) =
    (Duration::from_millis(750), Duration::from_mins(15));

/// Whether an object has Flux's finalizer.
pub(crate) fn has_finalizer(object: &Object) -> bool {
    object.finalizers().contains(&FINALIZER)
}

/// Adds Flux's finalizer behind those that are there.
pub(crate) fn add_finalizer(object: &mut Object) {
    let finalizers = object.finalizers().into_iter().chain([FINALIZER]);
    let finalizers: Vec<String> = finalizers.map(str::to_owned).collect();
    object.set("metadata.finalizers", finalizers);
}

/// Takes Flux's finalizer off.
pub(crate) fn remove_finalizer(object: &mut Object) {
    let left = object.finalizers().into_iter().filter(|finalizer| *finalizer != FINALIZER);
    let left: Vec<String> = left.map(str::to_owned).collect();
    match left.is_empty() {
        true => drop(object.remove("metadata.finalizers")),
        false => object.set("metadata.finalizers", left),
    }
}

/// Whether `spec.suspend` is set.
pub(crate) fn is_suspended(object: &Object) -> bool {
    object.get("spec.suspend").is_some_and(|suspend| *suspend == true)
}

/// Whether the spec changed, or a reconciliation is asked for by annotation.
pub(crate) fn is_asked_anew(before: &Object, now: &Object) -> bool {
    let asked = now.annotation(REQUESTED_AT);
    before.generation() != now.generation()
        || asked.is_some() && asked != before.annotation(REQUESTED_AT)
}

/// Says in the status which reconciliation that was asked for has been made.
pub(crate) fn note_handled(object: &mut Object) {
    if let Some(asked) = object.annotation(REQUESTED_AT).map(str::to_owned) {
        object.set("status.lastHandledReconcileAt", asked);
    }
}
