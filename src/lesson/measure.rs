//! What lessons count in a run.

use crate::scenario::{self, Run};
use crate::time::Duration;
use crate::trace::{Event, Trace, What};

use super::{Grade, listed};

/// Plays the scenario that a learner wrote.
///
/// # Errors
///
/// The grade of a file that is no scenario, with every mistake in it and its place.
pub fn play(content: &str) -> Result<Run, Grade> {
    let played = scenario::read("exercise.yaml", content).and_then(|scenario| scenario.play());
    played.map_err(|mistakes| Grade::unreadable(listed(&mistakes)))
}

/// How long after the start of a run something happened.
pub fn since_start(trace: &Trace, event: &Event) -> Duration {
    event.at.since(trace.start())
}

/// The writes to the Kubernetes API that were carried out, status and bookkeeping aside: those that
/// changed a field that somebody may want, made an object or removed one.
pub fn writes(trace: &Trace) -> impl Iterator<Item = &Event> {
    trace.events().filter(|event| match &event.what {
        What::Request { verb, object, subresource, dry_run, code, changed, .. } => {
            let made = *code == 201 || verb == "delete";
            !dry_run
                && (200..300).contains(code)
                && subresource != "status"
                && !matches!(object.kind.as_str(), "Event" | "Lease")
                && (made || changed.iter().any(|change| is_wanted(&change.path)))
        }
        _ => false,
    })
}

fn is_wanted(path: &str) -> bool {
    !["status", "metadata.finalizers", "metadata.annotations"].iter().any(|p| path.starts_with(p))
}

/// How often a branch that was there already was moved: commits pushed, merges and resets.
pub fn pushes(trace: &Trace) -> usize {
    let moved = |what: &What| matches!(what, What::RefMoved { from, to, .. } if !from.is_empty() && !to.is_empty());
    trace.events().filter(|event| moved(&event.what)).count()
}
