//! What the other parts of a scenario name: syncs, manifests, images, faults, expectations.

use super::known::Known;
use crate::manifest;
use crate::scenario::mistake::Mistake;
use crate::scenario::names::{FieldPath, object_words};
use crate::scenario::prepare::Script;
use crate::sim::script::{Action, Claim, DeliverySpec};
use crate::sim::{FaultAction, ImageName, Trigger};

pub(super) fn sync_mistakes(script: &Script) -> Vec<Mistake> {
    let mut all = Vec::new();
    let repositories = || script.repositories.keys().map(String::as_str);
    for (name, sync) in &script.scenario.sync {
        let path = format!("sync.{name}");
        if !script.scenario.cluster.flux {
            all.push(
                Mistake::at(&path, "nothing keeps it in sync")
                    .hint("'cluster: {flux: false}' leaves the GitOps engine out"),
            );
            continue;
        }
        let Some(hosted) = script.repositories.get(&sync.repository) else {
            let wrong = &sync.repository;
            let names: Vec<&str> = repositories().collect();
            all.push(
                Mistake::at(
                    format!("{path}.repository"),
                    format!("there is no repository {wrong:?}"),
                )
                .expected(format!("expected one of: {}", names.join(", ")))
                .did_you_mean(wrong, names),
            );
            continue;
        };
        let folder = sync.spec.get("path").and_then(|path| path.as_str()).unwrap_or(".");
        let tree = hosted.repository.tree("HEAD").unwrap_or_default();
        if tree.folder(folder.trim_start_matches("./").trim_end_matches('/')).is_none() {
            let written = script.scenario.steps.iter().flat_map(|step| &step.actions);
            let prefix = format!("{}/", folder.trim_start_matches("./").trim_end_matches('/'));
            let later = written.into_iter().any(
                |action| matches!(action, Action::Write { path, .. } if path.starts_with(&prefix)),
            );
            if !later {
                let message = format!("{} has no folder {folder:?}", sync.repository);
                all.push(Mistake::at(format!("{path}.path"), message));
            }
        }
    }
    all
}

pub(super) fn pipeline_mistakes(script: &Script) -> Vec<Mistake> {
    let names: Vec<&str> = script.repositories.keys().map(String::as_str).collect();
    let unknown = |path: String, name: &str| {
        (!names.contains(&name)).then(|| {
            Mistake::at(path, format!("there is no repository {name:?}"))
                .expected(format!("expected one of: {}", names.join(", ")))
                .did_you_mean(name, names.iter().copied())
        })
    };
    let mut all = Vec::new();
    for (name, pipeline) in &script.scenario.pipelines {
        let path = format!("pipelines.{name}");
        all.extend(unknown(format!("{path}.repository"), &pipeline.repository));
        if let DeliverySpec::Commit { repository, .. } = &pipeline.delivery {
            all.extend(unknown(format!("{path}.commit.repository"), repository));
        }
        if let Err(error) = ImageName::try_from(pipeline.image.as_str()) {
            all.push(Mistake::at(format!("{path}.image"), error.to_string()));
        }
    }
    all
}

/// Tokens for repositories that are not there.
pub(super) fn forge_mistakes(script: &Script) -> Vec<Mistake> {
    let names: Vec<&str> = script.repositories.keys().map(String::as_str).collect();
    let mut all = Vec::new();
    for (secret, token) in &script.scenario.tokens {
        for name in token.repositories.iter().flatten().filter(|name| !names.contains(&&***name)) {
            let path = format!("tokens.{secret}.repositories");
            let mistake = Mistake::at(path, format!("there is no repository {name:?}"))
                .expected(format!("expected one of: {}", names.join(", ")))
                .did_you_mean(name, names.iter().copied());
            all.push(mistake);
        }
    }
    all
}

pub(super) fn manifest_mistakes(script: &Script) -> Vec<Mistake> {
    let manifests = script.scenario.cluster.apply.iter().enumerate();
    manifests
        .filter_map(|(i, text)| {
            let mistake = manifest::objects("cluster.apply", text).err()?;
            let several = script.scenario.cluster.apply.len() > 1;
            let path = if several { format!("cluster.apply[{i}]") } else { "cluster.apply".into() };
            let mut told = Mistake::at(path, mistake.message).hint(mistake.remedy);
            (told.place.line, told.place.column, told.place.length) = (mistake.line, 1, 1);
            Some(told)
        })
        .collect()
}

pub(super) fn image_mistakes(script: &Script) -> Vec<Mistake> {
    let listed = script.scenario.registry.iter().flatten().enumerate();
    let listed = listed.map(|(i, image)| (format!("registry[{i}]"), image));
    let steps = script.scenario.steps.iter().enumerate();
    let pushed = steps.flat_map(|(i, step)| {
        step.actions.iter().filter_map(move |action| match action {
            Action::Image(image) => Some((format!("steps[{i}].image"), image)),
            _ => None,
        })
    });
    listed
        .chain(pushed)
        .filter_map(|(path, image)| {
            let error = ImageName::try_from(image.as_str()).err()?;
            Some(Mistake::at(path, error.to_string()).expected("expected NAME:TAG"))
        })
        .collect()
}

pub(super) fn fault_mistakes(script: &Script, known: &Known) -> Vec<Mistake> {
    let mut all = Vec::new();
    for (i, fault) in script.scenario.faults.faults.iter().enumerate() {
        let path = format!("faults[{i}]");
        if let Trigger::Request { requests, .. } | Trigger::Sometimes { requests, .. } = &fault.when
        {
            all.extend(actor_mistake(&path, &requests.actor, known));
        }
        all.extend(action_mistake(&path, &fault.what, script, known));
    }
    for (i, step) in script.scenario.steps.iter().enumerate() {
        for action in &step.actions {
            if let Action::Fault { what, .. } = action {
                let path = format!("steps[{i}].fault");
                all.extend(action_mistake(&path, what, script, known));
            }
        }
    }
    all
}

fn action_mistake(
    path: &str,
    action: &FaultAction,
    script: &Script,
    known: &Known,
) -> Option<Mistake> {
    match action {
        FaultAction::GitDown { url } | FaultAction::GitSlow { url, .. } => {
            let urls: Vec<&str> = script.repositories.values().map(|h| h.url.as_str()).collect();
            let there = url.is_empty() || known.world.repository(url).is_some();
            (!there).then(|| {
                Mistake::at(path, format!("there is no repository at {url:?}"))
                    .expected(format!("expected one of: {}", urls.join(", ")))
                    .did_you_mean(url, urls)
            })
        }
        FaultAction::Crash { actor, .. }
        | FaultAction::Partition { actor }
        | FaultAction::Stale { actor, .. }
        | FaultAction::DropEvents { actor, .. }
        | FaultAction::Rewind { actor, .. }
        | FaultAction::ClockSkew { actor, .. } => actor_mistake(path, actor, known),
        FaultAction::ApiError { requests, .. }
        | FaultAction::AnswerLost { requests }
        | FaultAction::Slow { requests, .. } => actor_mistake(path, &requests.actor, known),
        FaultAction::AdmissionDown { webhook } => {
            let names: Vec<&str> = script.scenario.webhooks.keys().map(String::as_str).collect();
            let there = webhook.is_empty() || names.contains(&webhook.as_str());
            (!there).then(|| {
                Mistake::at(path, format!("there is no webhook {webhook:?}"))
                    .expected(format!("expected one of: {}", names.join(", ")))
                    .did_you_mean(webhook, names)
            })
        }
        FaultAction::NodeDown { node } => {
            let nodes = known.world.server().objects_of("", "Node");
            let names: Vec<&str> = nodes.map(|node| node.name()).collect();
            (!names.contains(&node.as_str())).then(|| {
                Mistake::at(path, format!("there is no node {node:?}"))
                    .expected(format!("expected one of: {}", names.join(", ")))
                    .did_you_mean(node, names)
            })
        }
        _ => None,
    }
}

fn actor_mistake(path: &str, actor: &str, known: &Known) -> Option<Mistake> {
    let guests = known.guests.iter().map(String::as_str);
    let names: Vec<&str> = known.world.actors().chain(guests).collect();
    (!actor.is_empty() && !names.contains(&actor)).then(|| {
        Mistake::at(path, format!("there is no controller {actor:?}"))
            .expected(format!("expected one of: {}", names.join(", ")))
            .did_you_mean(actor, names)
    })
}

pub(super) fn expectation_mistakes(script: &Script, known: &Known) -> Vec<Mistake> {
    let mut all = Vec::new();
    for (i, expectation) in script.scenario.expect.iter().enumerate() {
        let path = format!("expect[{i}]");
        let (field, of) = match &expectation.claim {
            Claim::Field { of, field, .. } => {
                if let Err(message) = FieldPath::read(field) {
                    all.push(Mistake::at(format!("{path}.field"), message));
                }
                ("of", of.as_str())
            }
            Claim::Object { of, .. } => ("object", of.as_str()),
            Claim::Writes { of, .. }
            | Claim::Writers { of, .. }
            | Claim::Pods { of, .. }
            | Claim::Drift { of, .. } => ("of", of.as_str()),
            Claim::Commits { repository, .. } => {
                all.extend(repository_mistake(&format!("{path}.in"), repository, script));
                continue;
            }
            Claim::Converged => continue,
        };
        let optional = matches!(
            expectation.claim,
            Claim::Writes { .. } | Claim::Writers { .. } | Claim::Drift { .. }
        );
        if !(optional && of.is_empty()) {
            all.extend(object_mistake(&format!("{path}.{field}"), of, known));
        }
    }
    all
}

fn repository_mistake(path: &str, repository: &str, script: &Script) -> Option<Mistake> {
    let names: Vec<&str> = script.repositories.keys().map(String::as_str).collect();
    let known = match repository {
        "" => names.len() == 1,
        name => names.contains(&name),
    };
    (!known).then(|| {
        let message = match repository {
            "" => "commits in which repository?".to_owned(),
            name => format!("there is no repository {name:?}"),
        };
        Mistake::at(path, message)
            .expected(format!("expected one of: {}", names.join(", ")))
            .did_you_mean(repository, names)
    })
}

fn object_mistake(path: &str, of: &str, known: &Known) -> Option<Mistake> {
    let words = match object_words(of) {
        Ok(words) => words,
        Err(message) => {
            return Some(
                Mistake::at(path, message)
                    .expected("expected KIND/NAME -n NAMESPACE, as for kubectl"),
            );
        }
    };
    if !known.has_kind(&words.kind) {
        let mistake = Mistake::at(path, format!("there is no kind {:?}", words.kind));
        return Some(known.no_kind(mistake, &words.kind));
    }
    let namespace = words.namespace.filter(|name| !known.namespaces.contains(name))?;
    let mistake = Mistake::at(path, format!("there is no namespace {namespace:?}"));
    Some(known.no_namespace(mistake, &namespace))
}
