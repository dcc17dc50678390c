//! What a scenario file says of the forge: who may do what, rules for branches, hooks, tokens.

use std::collections::{BTreeMap, BTreeSet};

use super::Reader;
use super::fields::Fields;
use super::node::{Node, Shape, Spot};
use crate::git::forge::{Protection, Role, Scope};
use crate::scenario::mistake::Mistake;
use crate::sim::script::{RepositorySpec, TokenSpec};

/// The keys of a repository that are read here.
pub(super) const HOSTING: [&str; 4] = ["private", "roles", "protect", "hooks"];

/// A repository with what is said of its hosting.
pub(super) fn hosting(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    spec: RepositorySpec,
) -> RepositorySpec {
    RepositorySpec {
        private: fields.flag(reader, "private").unwrap_or(false),
        roles: roles(reader, fields),
        protect: protections(reader, fields),
        hooks: fields.texts(reader, "hooks"),
        ..spec
    }
}

fn roles(reader: &mut Reader<'_>, fields: &Fields<'_>) -> BTreeMap<String, Role> {
    let Some(node) = fields.get("roles") else { return BTreeMap::new() };
    let all = Fields::open(reader, node, &fields.at("roles"), "roles by person");
    let read = all.iter().filter_map(|(login, _, node)| {
        let (path, name) = (all.at(login), |role: &Role| role.name().to_owned());
        let word = reader.text(node, &path);
        Some((login.to_owned(), one_of(reader, (node, &path), ("role", &word), &Role::ALL, name)?))
    });
    read.collect()
}

fn protections(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<Protection> {
    let Some(node) = fields.get("protect") else { return Vec::new() };
    let all = Fields::open(reader, node, &fields.at("protect"), "rules by branch");
    all.iter()
        .map(|(pattern, _, node)| protection(reader, node, pattern, &all.at(pattern)))
        .collect()
}

fn protection(reader: &mut Reader<'_>, node: &Node, pattern: &str, path: &str) -> Protection {
    const KEYS: [&str; 8] = [
        "approvals",
        "checks",
        "dismissStale",
        "force",
        "deletion",
        "signed",
        "linear",
        "sparesAdmins",
    ];
    let fields = Fields::of(reader, node, path, "a rule for branches", &KEYS);
    let mut flag = |key| fields.flag(reader, key).unwrap_or(false);
    Protection {
        dismiss_stale: flag("dismissStale"),
        allow_force: flag("force"),
        allow_deletion: flag("deletion"),
        require_signatures: flag("signed"),
        linear_history: flag("linear"),
        include_admins: !flag("sparesAdmins"),
        required_approvals: fields.number(reader, "approvals").map(|count| count.min(100) as usize),
        required_checks: fields.texts(reader, "checks"),
        ..Protection::of(pattern)
    }
}

/// Tokens by their secrets.
pub(super) fn tokens(reader: &mut Reader<'_>, fields: &Fields<'_>) -> BTreeMap<String, TokenSpec> {
    let Some(node) = fields.get("tokens") else { return BTreeMap::new() };
    let all = Fields::open(reader, node, "tokens", "tokens by secret");
    let mut tokens = BTreeMap::new();
    for (secret, place, node) in all.iter() {
        if secret.is_empty() || secret.contains(|c: char| !c.is_ascii_graphic()) {
            let mistake = Mistake::at("tokens", "a token that cannot be typed")
                .expected("expected printable ASCII without spaces");
            reader.mistake(place, mistake);
        }
        tokens.insert(secret.to_owned(), token(reader, node, &all.at(secret)));
    }
    tokens
}

/// `SECRET: alice` gives all of alice's powers; a map can give less.
fn token(reader: &mut Reader<'_>, node: &Node, path: &str) -> TokenSpec {
    const KEYS: [&str; 4] = ["user", "scopes", "repositories", "until"];
    if matches!(node.shape, Shape::Text(_)) {
        let user = reader.text(node, path);
        return TokenSpec { user: named(reader, node.place, path, user), ..TokenSpec::default() };
    }
    let fields = Fields::of(reader, node, path, "a token", &KEYS);
    let user = fields.needed_text(reader, "user");
    let place = fields.key_place("user");
    TokenSpec {
        user: if fields.has("user") { named(reader, place, path, user) } else { user },
        scopes: fields.has("scopes").then(|| scopes(reader, &fields)),
        repositories: fields
            .has("repositories")
            .then(|| fields.texts(reader, "repositories").into_iter().collect()),
        until: fields.duration(reader, "until"),
    }
}

fn named(reader: &mut Reader<'_>, place: Spot, path: &str, user: String) -> String {
    if user.is_empty() {
        reader.mistake(place, Mistake::at(path, "a token of nobody").expected("expected a name"));
    }
    user
}

fn scopes(reader: &mut Reader<'_>, fields: &Fields<'_>) -> BTreeSet<Scope> {
    let words = fields.texts(reader, "scopes");
    let node = fields.get("scopes");
    let read = words.iter().filter_map(|word| {
        one_of(
            reader,
            (node?, &fields.at("scopes")),
            ("scope", word),
            &Scope::ALL,
            Scope::to_string,
        )
    });
    read.collect()
}

/// What a word names.
fn one_of<T: Copy>(
    reader: &mut Reader<'_>,
    (node, path): (&Node, &str),
    (what, word): (&str, &str),
    all: &[T],
    name: impl Fn(&T) -> String,
) -> Option<T> {
    let found = all.iter().find(|one| name(one) == word).copied();
    if found.is_none() {
        let names: Vec<String> = all.iter().map(name).collect();
        let mistake = Mistake::at(path, format!("there is no {what} {word:?}"))
            .expected(format!("expected one of: {}", names.join(", ")))
            .did_you_mean(word, names.iter().map(String::as_str));
        reader.mistake(node.place, mistake);
    }
    found
}
