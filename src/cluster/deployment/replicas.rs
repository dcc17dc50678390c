//! How many pods each ReplicaSet of a Deployment may have: the arithmetic of a rolling update
//! (`k8s.io/kubernetes/pkg/controller/deployment`, rolling.go and sync.go).

use serde_json::Value;

use crate::cluster::pods;
use crate::object::Object;

/// `spec.replicas`, 1 when unset.
pub(super) fn wanted(object: &Object) -> i64 {
    object.int("spec.replicas").unwrap_or(1)
}

/// The sum of `spec.replicas`.
pub(super) fn sum<'a>(sets: impl IntoIterator<Item = &'a Object>) -> i64 {
    sets.into_iter().map(wanted).sum()
}

/// The sum of a counter of the status.
pub(super) fn counted<'a>(sets: impl IntoIterator<Item = &'a Object>, counter: &str) -> i64 {
    sets.into_iter().filter_map(|set| set.get("status")?.get(counter)?.as_i64()).sum()
}

/// `maxSurge` and `maxUnavailable` in pods: percentages of `spec.replicas`, the surge rounded up and
/// the other down; never both zero.
pub(super) fn fenceposts(deployment: &Object) -> (i64, i64) {
    let total = wanted(deployment);
    let rolling = |field: &str| deployment.get("spec.strategy.rollingUpdate")?.get(field);
    let quarter = Value::from("25%");
    let share = |field, up| pods::share(rolling(field).or(Some(&quarter)), total, up).unwrap_or(0);
    let (surge, unavailable) = (share("maxSurge", true), share("maxUnavailable", false));
    match (surge, unavailable) {
        (0, 0) => (0, 1),
        both => both,
    }
}

/// How many pods a Deployment may have in all: with a surge only while it rolls.
pub(super) fn max_surge(deployment: &Object) -> i64 {
    if is_rolling(deployment) { fenceposts(deployment).0 } else { 0 }
}

/// How many of the wanted pods may be unavailable.
pub(super) fn max_unavailable(deployment: &Object) -> i64 {
    match is_rolling(deployment) && wanted(deployment) > 0 {
        true => fenceposts(deployment).1.min(wanted(deployment)),
        false => 0,
    }
}

/// Whether pods are replaced bit by bit.
pub(super) fn is_rolling(deployment: &Object) -> bool {
    deployment.text("spec.strategy.type") != "Recreate"
}

/// How many pods the newest ReplicaSet should have now (`NewRSNewReplicas`).
pub(super) fn of_new_set(deployment: &Object, old: &[Object], new: i64) -> i64 {
    if !is_rolling(deployment) {
        return wanted(deployment);
    }
    let room = wanted(deployment) + fenceposts(deployment).0 - sum(old) - new;
    if room <= 0 { new } else { new + room.min(wanted(deployment) - new) }
}

/// How many pods each old ReplicaSet may keep while a rolling update goes on: those that are not
/// available go first, then as many as the new ones allow.
pub(super) fn of_old_sets(deployment: &Object, old: &[Object], new: Option<&Object>) -> Vec<i64> {
    let mut replicas: Vec<i64> = old.iter().map(wanted).collect();
    let fewest = wanted(deployment) - max_unavailable(deployment);
    let available = |set: &Object| counted([set], "availableReplicas");
    let new_pods = new.map_or(0, wanted);
    let unavailable_new = new_pods - new.map_or(0, available);
    let mut room = sum(old) + new_pods - fewest - unavailable_new;
    if sum(old) == 0 || room <= 0 {
        return replicas;
    }
    for (kept, set) in replicas.iter_mut().zip(old) {
        let unhealthy = (*kept - available(set)).clamp(0, room);
        *kept -= unhealthy;
        room -= unhealthy;
    }
    let mut spare = counted(old.iter().chain(new), "availableReplicas") - fewest;
    for kept in &mut replicas {
        let fewer = (*kept).min(spare).max(0);
        *kept -= fewer;
        spare -= fewer;
    }
    replicas
}

/// How many pods each ReplicaSet gets when a Deployment is scaled in the middle of a rollout: in
/// proportion to what it has. `sets` holds the active ones, in the order of [`by_size`].
pub(super) fn in_proportion(deployment: &Object, sets: &[&Object]) -> Vec<i64> {
    let all = sum(sets.iter().copied());
    let allowed = match wanted(deployment) {
        0 => 0,
        wanted => wanted + max_surge(deployment),
    };
    let to_add = allowed - all;
    let mut added = 0;
    let mut replicas: Vec<i64> = Vec::new();
    for set in sets {
        let share = if to_add == 0 { 0 } else { portion(set, deployment, to_add, added) };
        added += share;
        replicas.push(wanted(set) + share);
    }
    if let Some(first) = replicas.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    replicas
}

/// Puts ReplicaSets in the order in which a scaling reaches them: the larger first; of equals the
/// newer when scaled up, the older when scaled down.
pub(super) fn by_size(sets: &mut [&Object], grows: bool) {
    sets.sort_by(|a, b| {
        let age = a.creation_timestamp().cmp(&b.creation_timestamp()).then(a.name().cmp(b.name()));
        wanted(b).cmp(&wanted(a)).then(if grows { age.reverse() } else { age })
    });
}

/// `GetReplicaSetProportion`: what share of the pods to add (or to remove, below zero) is this set's.
fn portion(set: &Object, deployment: &Object, to_add: i64, added: i64) -> i64 {
    if wanted(set) == 0 || to_add == added {
        return 0;
    }
    let share = fraction(set, deployment);
    let left = to_add - added;
    if to_add > 0 { share.min(left) } else { share.max(left) }
}

fn fraction(set: &Object, deployment: &Object) -> i64 {
    let size = wanted(set);
    if wanted(deployment) == 0 {
        return -size;
    }
    let now = wanted(deployment) + max_surge(deployment);
    let annotated = set.annotation("deployment.kubernetes.io/max-replicas");
    let before = annotated.and_then(|text| text.parse().ok()).filter(|n| *n > 0);
    let before = before.unwrap_or_else(|| counted([deployment], "replicas")).max(1);
    round_div(size * now, before) - size
}

fn round_div(value: i64, by: i64) -> i64 {
    (2 * value + by).div_euclid(2 * by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(replicas: i64, surge: Value, unavailable: Value) -> Object {
        let mut object = Object::new("apps/v1", "Deployment", "a", "b");
        object.set("spec", json!({"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}));
        object
    }

    fn set(name: &str, replicas: i64, available: i64) -> Object {
        let mut object = Object::new("apps/v1", "ReplicaSet", "a", name);
        object.set("spec.replicas", replicas);
        object.set("status.availableReplicas", available);
        object
    }

    #[test]
    fn percentages_round_in_favour_of_availability() {
        let check = |replicas, surge: Value, unavailable: Value, expected| {
            assert_eq!(fenceposts(&deployment(replicas, surge, unavailable)), expected)
        };
        check(3, json!("25%"), json!("25%"), (1, 0));
        check(10, json!("25%"), json!("25%"), (3, 2));
        check(1, json!("25%"), json!("25%"), (1, 0));
        check(4, json!(0), json!("10%"), (0, 1));
        check(4, json!(2), json!(1), (2, 1));
    }

    #[test]
    fn a_rolling_update_never_goes_below_what_must_be_available() {
        let check = |replicas, old: (i64, i64), new: (i64, i64), expected: (i64, i64)| {
            let d = deployment(replicas, json!("25%"), json!("25%"));
            let (old, new) = ([set("old", old.0, old.1)], set("new", new.0, new.1));
            let up = of_new_set(&d, &old, wanted(&new));
            assert_eq!((up, of_old_sets(&d, &old, Some(&new))[0]), expected)
        };
        check(3, (3, 3), (0, 0), (1, 3));
        check(3, (3, 3), (1, 0), (1, 3));
        check(3, (3, 3), (1, 1), (1, 2));
        check(10, (10, 10), (3, 0), (3, 8));
        check(10, (8, 8), (5, 0), (5, 8));
        check(10, (8, 8), (5, 5), (5, 3));
        check(4, (4, 1), (1, 0), (1, 3));
    }

    #[test]
    fn a_scaling_in_the_middle_of_a_rollout_is_shared_out() {
        let mut d = deployment(15, json!(3), json!(2));
        d.set("status.replicas", 13);
        let annotated = |name, replicas| {
            let mut set = set(name, replicas, replicas);
            set.set_annotation("deployment.kubernetes.io/max-replicas", "13");
            set
        };
        let (old, new) = (annotated("old", 8), annotated("new", 5));
        assert_eq!(in_proportion(&d, &[&old, &new]), [11, 7]);
    }
}
