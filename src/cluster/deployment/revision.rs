//! Revisions: which ReplicaSet is of which template, and the annotations that tell their order.

use crate::cluster::template;
use crate::object::Object;

use super::replicas;

/// The annotation that numbers the templates of a Deployment.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// Annotations that are not copied from a Deployment to its ReplicaSets.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAX,
    "deprecated.deployment.rollback.to",
];

/// The position of the ReplicaSet of the current template; of several, the oldest.
pub(super) fn position_of_new(deployment: &Object, sets: &[Object]) -> Option<usize> {
    let template = deployment.get("spec.template")?;
    let mut same: Vec<usize> = (0..sets.len())
        .filter(|i| sets[*i].get("spec.template").is_some_and(|t| template::same(t, template)))
        .collect();
    same.sort_by_key(|i| age(&sets[*i]));
    same.first().copied()
}

/// What orders ReplicaSets, the oldest first.
pub(super) fn age(set: &Object) -> (Option<crate::time::Timestamp>, &str) {
    (set.creation_timestamp(), set.name())
}

/// The number of a ReplicaSet's template; 0 when it has none.
pub(super) fn number(object: &Object) -> i64 {
    object.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The ReplicaSet with the annotations that it should have as the newest one.
pub(super) fn annotate_new(
    deployment: &Object,
    set: &mut Object,
    number_wanted: i64,
    exists: bool,
) {
    for (key, value) in deployment.annotations() {
        if !OWN.contains(&key) && set.annotation(key) != Some(value) {
            set.set_annotation(key, value);
        }
    }
    let number_now = number(set);
    if number_now < number_wanted {
        if exists {
            remember(set, number_now);
        }
        set.set_annotation(REVISION, &number_wanted.to_string());
    }
    if !exists {
        annotate_size(deployment, set);
    }
}

/// Notes for which size of the Deployment a ReplicaSet was scaled; whether that was news.
pub(super) fn annotate_size(deployment: &Object, set: &mut Object) -> bool {
    let desired = replicas::wanted(deployment);
    let max = desired + replicas::max_surge(deployment);
    let mut changed = false;
    for (key, value) in [(DESIRED, desired.to_string()), (MAX, max.to_string())] {
        if set.annotation(key) != Some(&value) {
            set.set_annotation(key, &value);
            changed = true;
        }
    }
    changed
}

/// Whether a ReplicaSet was scaled for another size of the Deployment.
pub(super) fn is_of_another_size(deployment: &Object, set: &Object) -> bool {
    let desired = set.annotation(DESIRED).and_then(|text| text.parse::<i64>().ok());
    desired.is_some_and(|desired| desired != replicas::wanted(deployment))
}

/// Keeps the number that a template had before it was rolled out again.
fn remember(set: &mut Object, number: i64) {
    if number == 0 {
        return;
    }
    let history = match set.annotation(HISTORY) {
        Some(earlier) => format!("{earlier},{number}"),
        None => number.to_string(),
    };
    set.set_annotation(HISTORY, &history);
}
