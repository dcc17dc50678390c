//! The forge at the start of a scenario: who is known, who may do what, which rules and hooks there are.

use crate::git::forge::{Hook, HookEvent, Protection, Scope, Token};
use crate::scenario::prepare::Script;
use crate::sim::World;
use crate::sim::script::{RepositorySpec, TokenSpec};

/// Sets the forge up.
pub(super) fn set_up(world: &mut World, script: &Script) {
    script.people().into_iter().for_each(|who| world.add_person(who));
    script.scenario.tokens.values().for_each(|token| world.add_person(&token.user));
    for (name, spec) in &script.scenario.repositories {
        let Some(hosted) = script.repositories.get(name) else { continue };
        let branch = hosted.repository.current_branch().unwrap_or("main");
        set_up_repository(world, &hosted.url, branch, spec);
    }
    for (secret, token) in &script.scenario.tokens {
        let token = self::token(world, script, token);
        world.forge_mut().add_token(secret, token);
    }
    for sync in script.scenario.sync.iter().filter(|(_, sync)| sync.webhook) {
        let Some(hosted) = script.repositories.get(&sync.1.repository) else { continue };
        let secret = webhook_token(sync.0);
        let path = crate::engine::notification::webhook_path(&secret, sync.0, "flux-system");
        let events = vec![HookEvent::Push];
        let url = format!("http://webhook-receiver.flux-system{path}");
        add_hook(world, &hosted.url, Hook { url, secret: Some(secret), events });
    }
}

/// The token of the Receiver of a sync that is woken by webhook.
pub(super) fn webhook_token(sync: &str) -> String {
    format!("{sync}-webhook-token")
}

fn set_up_repository(world: &mut World, url: &str, branch: &str, spec: &RepositorySpec) {
    if !spec.roles.is_empty() {
        world.set_roles(url, &spec.roles);
    }
    let Some(name) = world.forge().name_of(url).map(str::to_owned) else { return };
    if spec.private {
        world.forge_mut().make_private(&name);
    }
    for rule in default_rule(branch, spec).iter().chain(&spec.protect) {
        world.forge_mut().protect(&name, rule.clone());
    }
    for url in &spec.hooks {
        let hook = Hook { url: url.clone(), secret: None, events: Vec::new() };
        world.forge_mut().add_hook(&name, hook);
    }
}

/// What `approvals` and `signed` ask of the default branch.
fn default_rule(branch: &str, spec: &RepositorySpec) -> Option<Protection> {
    let is_protected = spec.approvals.is_some() || spec.signed;
    is_protected.then(|| Protection {
        required_approvals: spec.approvals.map(|approvals| approvals as usize),
        require_signatures: spec.signed,
        ..Protection::of(branch)
    })
}

fn token(world: &World, script: &Script, spec: &TokenSpec) -> Token {
    let scopes = spec.scopes.clone().unwrap_or_else(|| Scope::ALL.into());
    let token = Token::of(&spec.user, scopes);
    let token = match spec.until {
        Some(span) => token.until(world.now() + span),
        None => token,
    };
    let Some(only) = &spec.repositories else { return token };
    let urls = only.iter().filter_map(|name| Some(&script.repositories.get(name)?.url));
    let names = urls.filter_map(|url| world.forge().name_of(url).map(str::to_owned));
    Token { repositories: Some(names.collect()), ..token }
}

fn add_hook(world: &mut World, url: &str, hook: Hook) {
    if let Some(name) = world.forge().name_of(url).map(str::to_owned) {
        world.forge_mut().add_hook(&name, hook);
    }
}
