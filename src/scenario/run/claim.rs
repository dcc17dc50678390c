//! Whether a claim holds of a world, and if not, what is found instead.

use serde_json::Value;

use super::converged::converged;
use crate::object::{LabelSelector, Object, ObjectRef};
use crate::report::{clock, drifts, is_bookkeeping};
use crate::scenario::commands::kubectl::pod_state;
use crate::scenario::names::{FieldPath, object_words};
use crate::scenario::prepare::Script;
use crate::sim::World;
use crate::sim::script::{Claim, Count, Test};
use crate::time::{Duration, Timestamp};
use crate::trace::{Event, Role, What};

/// The object that words name, if its kind is served.
pub(super) fn object(world: &World, words: &str) -> Option<ObjectRef> {
    object_words(words).ok()?.find(world.server())
}

/// Whether a claim holds now, counting from a time.
///
/// # Errors
///
/// What is found instead.
pub(super) fn holds(
    claim: &Claim,
    from: Timestamp,
    world: &World,
    script: &Script,
) -> Result<(), String> {
    match claim {
        Claim::Field { of, field, test } => {
            let path = FieldPath::read(field)?;
            let found = object(world, of).and_then(|object| world.server().get(&object));
            field_holds(found, &path, test).map_err(|found| match history(world, of, &path) {
                Some(told) => format!("{found}\n{told}"),
                None => found,
            })
        }
        Claim::Object { of, exists } => {
            let found =
                object(world, of).is_some_and(|object| world.server().get(&object).is_some());
            match (found, exists) {
                (true, false) => Err(format!("{of} exists")),
                (false, true) => Err(format!("{of} does not exist")),
                _ => Ok(()),
            }
        }
        Claim::Converged => converged(world),
        Claim::Writes { count, actor, of } => {
            let writes = writes(world, from, actor, of);
            counted(*count, &writes, "writes")
        }
        Claim::Writers { are, of } => writers_are(world, from, are, of),
        Claim::Commits { count, repository } => {
            let commits = commits(world, script, repository);
            counted(*count, &commits, "commits")
        }
        Claim::Pods { count, of, are } => pods_are(world, *count, of, are),
        Claim::Drift { at_most, of } => drift_is_short(world, from, *at_most, of),
    }
}

fn field_holds(object: Option<&Object>, path: &FieldPath, test: &Test) -> Result<(), String> {
    let Some(object) = object else {
        return match test {
            Test::Exists(false) | Test::IsNot(_) => Ok(()),
            _ => Err("found no such object".into()),
        };
    };
    let found = path.get(object);
    let shown = found.map_or("nothing".to_owned(), Value::to_string);
    let holds = match test {
        Test::Is(wanted) => found.is_some_and(|found| is(found, wanted)),
        Test::IsNot(unwanted) => !found.is_some_and(|found| is(found, unwanted)),
        Test::Contains(part) => {
            found.and_then(Value::as_str).is_some_and(|text| text.contains(part))
        }
        Test::Exists(exists) => found.is_some() == *exists,
        Test::SetBy(manager) => return set_by(object, path, manager),
    };
    if holds { Ok(()) } else { Err(format!("found {shown}")) }
}

/// Equal, numbers also to their texts: YAML's `1.0` may be meant as either.
fn is(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::String(text), Value::Number(_) | Value::Bool(_)) => {
            let wanted = wanted.to_string();
            text == &wanted
        }
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => found == wanted,
    }
}

fn set_by(object: &Object, path: &FieldPath, manager: &str) -> Result<(), String> {
    let managers = managers(object, path);
    match managers.iter().any(|found| found == manager) {
        true => Ok(()),
        false if managers.is_empty() => Err("found no manager of it".into()),
        false => Err(format!("found it set by {}", managers.join(", "))),
    }
}

/// The field managers that own a field.
pub(crate) fn managers(object: &Object, path: &FieldPath) -> Vec<String> {
    let entries = object.get("metadata.managedFields").and_then(Value::as_array);
    let owning = entries.into_iter().flatten().filter(|entry| path.is_owned_in(&entry["fieldsV1"]));
    owning.filter_map(|entry| entry["manager"].as_str().map(str::to_owned)).collect()
}

/// Who set a field, and when, in a line each: the last few.
fn history(world: &World, of: &str, path: &FieldPath) -> Option<String> {
    const FEW: usize = 4;
    let object = object(world, of)?;
    let start = world.now() - world.elapsed();
    let mut lines: Vec<String> =
        world.trace().events().filter_map(|event| change(event, &object, path, start)).collect();
    if lines.len() > FEW {
        lines.drain(..lines.len() - FEW);
        lines.insert(0, "…".into());
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// `+2m00s alice set spec.replicas 3 → 5`.
fn change(event: &Event, object: &ObjectRef, path: &FieldPath, start: Timestamp) -> Option<String> {
    let What::Request { object: about, changed, verb, .. } = &event.what else { return None };
    if about != object {
        return None;
    }
    let at = clock(event.at.since(start));
    if verb == "delete" {
        return Some(format!("+{at} {} deleted it", event.actor));
    }
    let change = changed.iter().find(|change| path.covers(&change.path))?;
    let show = |value: &Option<Value>| value.as_ref().map_or("nothing".into(), Value::to_string);
    let (before, after) = (show(&change.before), show(&change.after));
    Some(format!("+{at} {} set {} {before} → {after}", event.actor, change.path))
}

fn counted(count: Count, found: &[String], what: &str) -> Result<(), String> {
    if count.includes(found.len() as u64) {
        return Ok(());
    }
    const FEW: usize = 8;
    let mut text = format!("found {} {what}", found.len());
    found.iter().take(FEW).for_each(|line| text += &format!("\n{line}"));
    if found.len() > FEW {
        text += &format!("\n… and {} more", found.len() - FEW);
    }
    Err(text)
}

/// The writes that changed something, a line each.
fn writes(world: &World, from: Timestamp, actor: &str, of: &str) -> Vec<String> {
    let start = world.now() - world.elapsed();
    let line = |event: &Event| {
        let What::Request { verb, object, .. } = &event.what else { return String::new() };
        format!("+{} {} {verb} {object}", clock(event.at.since(start)), event.actor)
    };
    written(world, from, of).filter(|event| is_by(event, actor)).map(line).collect()
}

fn written<'a>(
    world: &'a World,
    from: Timestamp,
    of: &str,
) -> impl Iterator<Item = &'a Event> + use<'a> {
    let object = object(world, of);
    world.trace().events().filter(move |event| event.at >= from).filter(move |event| {
        let What::Request { object: about, subresource, .. } = &event.what else { return false };
        let about_it = match &object {
            Some(object) => about == object,
            None => !is_bookkeeping(event),
        };
        event.is_stored_write() && about_it && subresource != "status"
    })
}

fn is_by(event: &Event, actor: &str) -> bool {
    if actor.is_empty() { event.role != Role::ControlPlane } else { event.actor == actor }
}

fn writers_are(world: &World, from: Timestamp, are: &[String], of: &str) -> Result<(), String> {
    let by = written(world, from, of).filter(|event| is_by(event, ""));
    let mut found: Vec<&str> = by.map(|event| event.actor.as_str()).collect();
    found.sort_unstable();
    found.dedup();
    let mut wanted: Vec<&str> = are.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    if found == wanted {
        return Ok(());
    }
    Err(match found.is_empty() {
        true => "found no writes".into(),
        false => format!("found writes by {}", found.join(", ")),
    })
}

/// The commits that a repository's default branch has now and had not at the start, a line each.
fn commits(world: &World, script: &Script, repository: &str) -> Vec<String> {
    let name = match repository {
        "" => script.repositories.keys().next().map_or("", |name| name),
        name => name,
    };
    let Some(hosted) = script.repositories.get(name) else { return Vec::new() };
    let Some(now) = world.repository(&hosted.url) else { return Vec::new() };
    let old: Vec<_> = hosted.repository.branches().map(|(_, id)| id).collect();
    let new: Vec<_> = now.head_id().into_iter().collect();
    let line = |id| {
        let subject = now.find_commit(id).map(|commit| commit.subject()).unwrap_or_default();
        format!("{} {subject}", id.short())
    };
    now.log_of(&new, &old).ids().into_iter().map(line).collect()
}

fn pods_are(world: &World, count: Count, of: &str, are: &str) -> Result<(), String> {
    let Some(found) = object(world, of).and_then(|object| world.server().get(&object).cloned())
    else {
        return counted(count, &[], "pods").map_err(|_| format!("{of} does not exist"));
    };
    let labels = found.get("spec.selector").map(LabelSelector::from_value).unwrap_or_default();
    let pods = world.server().objects_of("", "Pod");
    let of_it: Vec<String> = pods
        .filter(|pod| pod.namespace() == found.namespace() && labels.matches(pod))
        .map(|pod| format!("{} {}", pod.name(), pod_state(pod)))
        .collect();
    let suffix = format!(" {are}");
    let matching = of_it.iter().filter(|line| are.is_empty() || line.ends_with(&suffix)).count();
    if count.includes(matching as u64) {
        return Ok(());
    }
    let all = of_it.iter().fold(String::new(), |text, line| format!("{text}\n{line}"));
    Err(format!("found {matching} of {} pods{all}", of_it.len()))
}

fn drift_is_short(
    world: &World,
    from: Timestamp,
    at_most: Duration,
    of: &str,
) -> Result<(), String> {
    let object = object(world, of);
    let about = |drift: &&crate::report::Drift| {
        drift.began >= from && object.as_ref().is_none_or(|object| drift.object == *object)
    };
    let drifts = drifts(world.trace());
    let longest = drifts.iter().filter(about).max_by_key(|drift| drift.lasted(world.now()));
    match longest {
        Some(drift) if drift.lasted(world.now()) > at_most => Err(format!(
            "{} {} drifted for {}, from +{}",
            drift.object,
            drift.path,
            clock(drift.lasted(world.now())),
            clock(drift.began.since(world.now() - world.elapsed())),
        )),
        _ => Ok(()),
    }
}
