//! Which kind a word names: plural, singular, short name, with a group perhaps.

use crate::apiserver::Server;
use crate::apiserver::schema::KindSchema;
use crate::object::GroupVersionKind;
use crate::scenario::mistake::closest;

/// A kind, as kubectl knows it from discovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) gvk: GroupVersionKind,
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
}

impl Kind {
    fn of(schema: &KindSchema) -> Self {
        let KindSchema { gvk, plural, namespaced, .. } = schema;
        Kind { gvk: gvk.clone(), plural: plural.clone(), namespaced: *namespaced }
    }

    /// `deployment.apps`, as kubectl names objects.
    pub(super) fn singular(&self) -> String {
        with_group(&self.gvk.kind.to_lowercase(), &self.gvk.group)
    }

    /// `deployments.apps`, as the API server names resources.
    pub(super) fn resource(&self) -> String {
        with_group(&self.plural, &self.gvk.group)
    }

    /// `deployment.apps/hello`.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.singular())
    }
}

fn with_group(name: &str, group: &str) -> String {
    if group.is_empty() { name.into() } else { format!("{name}.{group}") }
}

/// The kinds that a word names: several only for a category such as `all`. The core group wins over
/// others, then the order of discovery.
pub(crate) fn kinds(server: &Server, word: &str) -> Vec<Kind> {
    let (name, group) = word.split_once('.').unwrap_or((word, ""));
    let name = name.to_lowercase();
    let mut named: Vec<Kind> = Vec::new();
    let mut in_category = Vec::new();
    for schema in server.resources() {
        let known = schema.gvk.kind.eq_ignore_ascii_case(&name)
            || schema.plural == name
            || schema.short_names.contains(&name);
        let after_version = group.strip_prefix(&*schema.gvk.version);
        let in_group = group.is_empty()
            || group == schema.gvk.group
            || after_version.and_then(|rest| rest.strip_prefix('.')) == Some(&schema.gvk.group);
        if known && in_group {
            named.push(Kind::of(schema));
        }
        if schema.categories.contains(&name) && schema.gvk == schema.storage {
            in_category.push(Kind::of(schema));
        }
    }
    named.sort_by_key(|kind| preference(&kind.gvk));
    match named.into_iter().next() {
        Some(kind) => vec![kind],
        None => in_category,
    }
}

/// The kind of an object.
pub(super) fn kind_of(server: &Server, gvk: &GroupVersionKind) -> Option<Kind> {
    server.resources().find(|schema| schema.gvk == *gvk).map(Kind::of)
}

/// A kind's name that is close to a word.
pub(crate) fn suggestion(server: &Server, word: &str) -> Option<String> {
    let names: Vec<&str> = server
        .resources()
        .flat_map(|schema| [schema.plural.as_str(), schema.singular.as_str()])
        .filter(|name| !name.is_empty())
        .collect();
    closest(word, names).map(str::to_owned)
}

/// Core before groups, stable versions before others.
fn preference(gvk: &GroupVersionKind) -> (bool, bool, bool) {
    let unstable = gvk.version.contains("alpha") || gvk.version.contains("beta");
    (!gvk.group.is_empty(), gvk.group == "events.k8s.io" || gvk.group == "metrics.k8s.io", unstable)
}
