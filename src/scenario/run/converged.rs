//! Whether the cluster is as Git has it.

use crate::api::GitReference;
use crate::engine::{KUSTOMIZE_API, SOURCE_API};
use crate::object::{GroupVersionKind, Object, ObjectRef};
use crate::reconciler::conditions;
use crate::report::{Ending, drifts, reason};
use crate::sim::World;

/// Whether everything that is kept in sync is Ready at the newest revision, and nothing of it has
/// drifted. What is suspended does not count.
///
/// # Errors
///
/// The first thing that is not so.
pub(crate) fn converged(world: &World) -> Result<(), String> {
    let kind = GroupVersionKind::new(KUSTOMIZE_API, "Kustomization");
    let kustomizations: Vec<&Object> = world
        .server()
        .objects_of(&kind.group, &kind.kind)
        .filter(|object| object.get("spec.suspend") != Some(&true.into()))
        .collect();
    if kustomizations.is_empty() {
        return Err("nothing is kept in sync: there is no Kustomization".into());
    }
    kustomizations.into_iter().try_for_each(|kustomization| in_sync(world, kustomization))?;
    let open = drifts(world.trace()).into_iter().find(|drift| {
        let matters = drift.path.is_empty() || world.server().get(&drift.object).is_some();
        drift.ending == Ending::Open && matters
    });
    match open {
        Some(drift) => Err(format!("{} {} has drifted", drift.object, drift.path)),
        None => Ok(()),
    }
}

/// Whether a Kustomization is Ready at the newest revision.
pub(crate) fn in_sync(world: &World, kustomization: &Object) -> Result<(), String> {
    let name = kustomization.reference();
    is_ready(kustomization)?;
    let source = source_of(kustomization);
    let Some(source) = world.server().get(&source) else {
        return Err(format!("{name} has no source {source}"));
    };
    let newest = newest_revision(world, source);
    let applied = kustomization.text("status.lastAppliedRevision");
    match newest {
        Some(newest) if !applied.ends_with(&newest) => {
            Err(format!("{name} is at {applied}, and Git at {newest}"))
        }
        _ => Ok(()),
    }
}

fn is_ready(object: &Object) -> Result<(), String> {
    let name = object.reference();
    let observed = object.int("status.observedGeneration").unwrap_or(0);
    let ready = conditions(object).into_iter().find(|condition| condition.kind == "Ready");
    match ready {
        Some(ready) if ready.is_true() && observed == object.generation() => Ok(()),
        Some(ready) => {
            let message = reason(&ready.message);
            Err(format!("{name} is not Ready: {}: {message}", ready.reason))
        }
        None => Err(format!("{name} was not reconciled yet")),
    }
}

/// The GitRepository that a Kustomization takes its files from.
pub(crate) fn source_of(kustomization: &Object) -> ObjectRef {
    let kind = GroupVersionKind::new(SOURCE_API, "GitRepository");
    let namespace = match kustomization.text("spec.sourceRef.namespace") {
        "" => kustomization.namespace(),
        namespace => namespace,
    };
    kind.named(namespace, kustomization.text("spec.sourceRef.name"))
}

/// The commit that a source's branch is at in Git; `None` for sources that follow something else.
fn newest_revision(world: &World, source: &Object) -> Option<String> {
    let reference = GitReference {
        branch: source.text("spec.ref.branch").into(),
        tag: source.text("spec.ref.tag").into(),
        semver: source.text("spec.ref.semver").into(),
        name: source.text("spec.ref.name").into(),
        commit: source.text("spec.ref.commit").into(),
    };
    let only_branch = GitReference { branch: reference.branch.clone(), ..GitReference::default() };
    if reference != only_branch {
        return None;
    }
    let branch = if reference.branch.is_empty() { "master" } else { &reference.branch };
    let repository = world.repository(source.text("spec.url"))?;
    repository.branch_id(branch).map(|id| id.to_string())
}
