//! `Ready` of a source, summed up from its other conditions.
//!
//! Source: `summarize` of source-controller and `conditions.SetSummary` of `fluxcd/pkg/runtime`: what is
//! bad and true comes before what is good and false, then what is good and true.

use super::verify::SOURCE_VERIFIED;
use crate::engine::conditions::{READY, RECONCILING, STALLED};
use crate::object::Object;
use crate::reconciler::{Condition, conditions};

pub(super) const FETCH_FAILED: &str = "FetchFailed";
pub(super) const ARTIFACT_OUTDATED: &str = "ArtifactOutdated";
pub(super) const ARTIFACT_IN_STORAGE: &str = "ArtifactInStorage";

/// The conditions that count, most telling first, and whether it is bad when they are true.
const ORDER: [(&str, bool); 6] = [
    (FETCH_FAILED, true),
    (ARTIFACT_OUTDATED, true),
    (ARTIFACT_IN_STORAGE, false),
    (SOURCE_VERIFIED, false),
    (STALLED, true),
    (RECONCILING, true),
];

/// The `Ready` condition that the others add up to; `None` when there is none.
pub(super) fn summarize(object: &Object) -> Option<Condition> {
    let found = conditions(object);
    let telling = ORDER.iter().enumerate().filter_map(|(place, (kind, bad))| {
        let condition = found.iter().find(|condition| condition.kind == *kind)?;
        let priority = match (condition.status.as_str(), bad) {
            ("True", true) => 0,
            ("False", false) => 1,
            ("True", false) => 2,
            ("False", true) => 3,
            _ => 4,
        };
        Some(((priority, place), condition))
    });
    let ((priority, _), condition) = telling.min_by_key(|(order, _)| *order)?;
    // What cannot be verified tells more than all that follows from it.
    let unverified = found.iter().find(|condition| condition.kind == SOURCE_VERIFIED);
    if let Some(unverified) = unverified.filter(|condition| condition.is_false()) {
        return Some(Condition { kind: READY.into(), ..unverified.clone() });
    }
    let status = match priority {
        0 | 1 => "False",
        2 | 3 => "True",
        _ => "Unknown",
    };
    Some(Condition::new(READY, status, &condition.reason, condition.message.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_failure_tells_more_than_work_under_way_and_that_more_than_an_artifact() {
        let check = |conditions: &[(&str, &str)], expected: Option<(&str, &str)>| {
            let mut object = Object::new("source.toolkit.fluxcd.io/v1", "GitRepository", "a", "b");
            let list: Vec<_> = conditions
                .iter()
                .map(|(kind, status)| json!({"type": kind, "status": status, "message": kind}))
                .collect();
            object.set("status.conditions", list);
            let found = summarize(&object).map(|c| (c.status, c.message));
            let found = found.as_ref().map(|(status, message)| (status.as_str(), message.as_str()));
            assert_eq!(found, expected, "{conditions:?}");
        };
        let stored = (ARTIFACT_IN_STORAGE, "True");
        check(&[], None);
        check(&[stored], Some(("True", ARTIFACT_IN_STORAGE)));
        check(&[stored, (RECONCILING, "True")], Some(("False", RECONCILING)));
        check(
            &[(RECONCILING, "True"), (FETCH_FAILED, "True"), stored],
            Some(("False", FETCH_FAILED)),
        );
        check(&[(READY, "True")], None);
        let unverified = (SOURCE_VERIFIED, "False");
        check(&[(STALLED, "True"), unverified, stored], Some(("False", SOURCE_VERIFIED)));
        check(&[stored, (SOURCE_VERIFIED, "True")], Some(("True", ARTIFACT_IN_STORAGE)));
    }
}
