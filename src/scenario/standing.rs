//! How a cluster stands: what is in sync, what is healthy, and what nobody here acts on.

use std::collections::{BTreeMap, BTreeSet};

use super::cause::cause;
use super::run::{Run, converged};
use crate::engine::health::{Health, HealthRules};
use crate::engine::inventory::Inventory;
use crate::engine::{KUSTOMIZE_API, SOURCE_API};
use crate::object::{GroupVersionKind, Object, ObjectRef};
use crate::reconciler::conditions;
use crate::report::Section;
use crate::sim::World;
use crate::trace::{Event, What};

/// How the cluster stands at the end of a run, as far as it is kept in sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Each Kustomization, and why it is not Ready at the newest revision, if it is not.
    pub kustomizations: BTreeMap<ObjectRef, Result<(), String>>,
    /// Where in the files that is, and what to do about it, of those where it can be told.
    pub causes: BTreeMap<ObjectRef, String>,
    /// What may be done about those that are not, as far as that can be told.
    pub advice: Vec<String>,
    /// How many objects they applied.
    pub applied: usize,
    /// Those of them that are not as wanted, and what they lack.
    pub unhealthy: BTreeMap<ObjectRef, String>,
    /// How many pods there are, and how many of them are Running or done.
    pub pods: (usize, usize),
    /// How many of the applied objects are of kinds that no controller here acts on.
    pub stored_only: BTreeMap<String, usize>,
}

impl Run {
    /// How the cluster stands at the end.
    pub fn standing(&self) -> Standing {
        let failed = kustomizations(&self.world)
            .filter_map(|k| Some((k.reference(), cause(&self.world, k)?)))
            .collect();
        Standing { causes: failed, ..Standing::of(&self.world) }
    }
}

impl Standing {
    /// Whether nothing that was applied is still on its way.
    pub(crate) fn is_settled(&self) -> bool {
        self.unhealthy.is_empty()
    }

    pub(crate) fn of(world: &World) -> Self {
        let mut standing = Standing { pods: pods(world), ..Standing::default() };
        let mut applied = BTreeSet::new();
        for kustomization in kustomizations(world) {
            let inventory = Inventory::of(kustomization);
            applied.extend(inventory.entries().iter().map(|entry| entry.object.clone()));
            let name = kustomization.reference();
            let verdict = converged::in_sync(world, kustomization)
                .map_err(|lack| under_way(world, kustomization, &lack).unwrap_or(lack));
            if let Some(advice) = verdict.as_ref().err().and_then(|lack| advice(world, lack)) {
                standing.advice.push(advice);
            }
            standing.kustomizations.insert(name, verdict);
        }
        standing.advice.sort();
        standing.advice.dedup();
        standing.applied = applied.len();
        let idle = idle_kinds(world);
        for object in applied {
            standing.judge(world, &object, &idle);
        }
        standing
    }

    fn judge(&mut self, world: &World, object: &ObjectRef, idle: &BTreeSet<(String, String)>) {
        if self.kustomizations.contains_key(object) {
            return;
        }
        if idle.contains(&(object.group.clone(), object.kind.clone())) {
            *self.stored_only.entry(object.kind.clone()).or_default() += 1;
            return;
        }
        let lack = match find(world, object) {
            None => "it is gone".to_owned(),
            Some(found) => {
                let verdict = HealthRules::flux().judge(found, world.now());
                match verdict.health {
                    Health::Current => return,
                    health => format!("{health}: {}", verdict.message),
                }
            }
        };
        self.unhealthy.insert(object.clone(), lack);
    }

    /// As sections below a timeline.
    pub fn sections(&self) -> Vec<Section> {
        let advice = self.advice.iter().enumerate();
        let advice =
            advice.map(|(i, line)| Section::new(if i == 0 { "Remedy" } else { "" }, line.clone()));
        let sections = std::iter::once(self.synced()).chain(advice);
        sections.chain([self.health()]).chain(self.stored()).collect()
    }

    fn synced(&self) -> Section {
        let ready = self.kustomizations.values().filter(|verdict| verdict.is_ok()).count();
        let all = self.kustomizations.len();
        let s = if all == 1 { "" } else { "s" };
        let total =
            format!("{ready} of {all} Kustomization{s} in sync, {} objects applied", self.applied);
        let lacks = self.kustomizations.iter().filter_map(|(name, verdict)| {
            let lack = reason(verdict.as_ref().err()?, name).trim_end();
            let cause = self.causes.get(name).map(|cause| format!("; see {cause}"));
            Some(format!("{}/{}: {lack}{}", name.namespace, name.name, cause.unwrap_or_default()))
        });
        Section::new("Synced", total).failing(lacks)
    }

    fn health(&self) -> Section {
        let (pods, well) = self.pods;
        let judged = self.applied - self.stored_only.values().sum::<usize>();
        let healthy = judged.saturating_sub(self.unhealthy.len());
        let total = format!(
            "{healthy} of {judged} objects as wanted, {well} of {pods} pods Running or done"
        );
        let lacks = self.unhealthy.iter().map(|(object, lack)| format!("{object}: {lack}"));
        Section::new("Health", total).failing(lacks)
    }

    fn stored(&self) -> Option<Section> {
        let told = |(kind, count): (&String, &usize)| match kind.as_str() {
            "HelmRelease" => format!("{kind} ×{count} (Helm is not modelled)"),
            _ => format!("{kind} ×{count}"),
        };
        let kinds: Vec<String> = self.stored_only.iter().map(told).collect();
        (!kinds.is_empty()).then(|| {
            let what = "no controller of these kinds runs here, nothing follows from them";
            Section::new("Stored", format!("{}: {what}", kinds.join(", ")))
        })
    }
}

/// Of a Kustomization that is at it: why it failed the last time or, if it did not yet, what it is at.
fn under_way(world: &World, kustomization: &Object, lack: &str) -> Option<String> {
    lack.contains("is not Ready: Progressing").then_some(())?;
    let name = kustomization.reference();
    let failure = |event: &Event| match &event.what {
        What::Finished { target, failed: true, message, .. } if *target == name => {
            Some(crate::report::reason(message))
        }
        _ => None,
    };
    let doing = || {
        let at_it = conditions(kustomization).into_iter().find(|c| c.kind == "Reconciling")?;
        Some(format!("still at it: {}", at_it.message))
    };
    world.trace().events().filter_map(failure).last().or_else(doing)
}

/// A lack without the name in front of it.
fn reason<'a>(lack: &'a str, name: &ObjectRef) -> &'a str {
    let lack = lack.strip_prefix(&name.to_string()).unwrap_or(lack).trim_start();
    lack.strip_prefix("is not Ready: ").unwrap_or(lack)
}

/// What to do about what a Kustomization lacks.
fn advice(world: &World, lack: &str) -> Option<String> {
    let between = |before: &str, after: &str| {
        let (_, rest) = lack.split_once(before)?;
        Some(rest.split_once(after)?.0.to_owned())
    };
    if let Some(kind) = between("no matches for kind \"", "\"") {
        let served = served_as(world, &kind);
        return (!served.is_empty()).then(|| format!("{kind} is served as {}", served.join(", ")));
    }
    if let Some(kind) = between("kind '", "' not supported") {
        return Some(format!("{kind} is not modelled as a source: only GitRepository is"));
    }
    lack.contains("spec.decryption").then(|| {
        "SOPS is not modelled: what needs the encrypted secrets goes without them here".to_owned()
    })
}

/// The versions in which a kind is served, group and all.
fn served_as(world: &World, kind: &str) -> Vec<String> {
    let of_kind = world.server().resources().filter(|schema| schema.gvk.kind == kind);
    of_kind.filter(|schema| schema.stored).map(|schema| schema.gvk.api_version()).collect()
}

/// An object of an inventory, which may name a namespace for what lives in none.
fn find<'a>(world: &'a World, object: &ObjectRef) -> Option<&'a Object> {
    let without = ObjectRef { namespace: String::new(), ..object.clone() };
    world.server().get(object).or_else(|| world.server().get(&without))
}

fn kustomizations(world: &World) -> impl Iterator<Item = &Object> {
    world.server().objects_of("kustomize.toolkit.fluxcd.io", "Kustomization")
}

fn pods(world: &World) -> (usize, usize) {
    let pods: Vec<&Object> = world.server().objects_of("", "Pod").collect();
    let well = |pod: &&&Object| {
        let state = super::commands::kubectl::pod_state(pod);
        matches!(state.as_str(), "Running" | "Completed" | "Succeeded")
    };
    (pods.len(), pods.iter().filter(well).count())
}

/// The kinds that nobody here has a controller for: most custom ones, and claims of volumes.
fn idle_kinds(world: &World) -> BTreeSet<(String, String)> {
    let own = [(SOURCE_API, "GitRepository"), (KUSTOMIZE_API, "Kustomization")];
    let is_own = |gvk: &GroupVersionKind| {
        own.iter().any(|(api, kind)| {
            GroupVersionKind::new(api, kind).group == gvk.group && *kind == gvk.kind
        }) || gvk.group == "notification.toolkit.fluxcd.io" && gvk.kind == "Receiver"
    };
    let custom = world.server().resources().filter(|schema| schema.is_custom());
    custom
        .filter(|schema| !is_own(&schema.gvk))
        .map(|schema| (schema.gvk.group.clone(), schema.gvk.kind.clone()))
        .chain([(String::new(), "PersistentVolumeClaim".to_owned())])
        .collect()
}
