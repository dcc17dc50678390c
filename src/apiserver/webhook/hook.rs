//! When somebody is asked: the webhooks of the configurations in the store, their rules and selectors.
//! (`k8s.io/apiserver/pkg/admission/plugin/webhook`: `generic`, `predicates`.)

use serde_json::Value;

use crate::apiserver::resource::Resource;
use crate::apiserver::server::Server;
use crate::object::{GroupVersionKind, LabelSelector, Object};

/// The two kinds of webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::apiserver) enum Webhooks {
    /// They may change what is written.
    Mutating,
    /// They see it as it will be stored.
    Validating,
}

/// What a webhook could be asked about.
#[derive(Clone, Copy, Debug)]
pub(in crate::apiserver) struct Asked<'a> {
    pub operation: &'static str,
    pub resource: &'a Resource,
    /// Empty for the object itself.
    pub subresource: &'a str,
    /// Empty for what lives in none.
    pub namespace: &'a str,
    pub object: Option<&'a Value>,
    pub old: Option<&'a Value>,
}

/// One webhook of a configuration.
#[derive(Clone, Copy, Debug)]
pub(in crate::apiserver) struct Hook<'s> {
    webhook: &'s Value,
}

impl Webhooks {
    /// All that are configured, in the order in which they are asked: by the configuration's name, then
    /// as written.
    pub(in crate::apiserver) fn of(self, server: &Server) -> Vec<Hook<'_>> {
        let Some(table) = server.store.table(self.table()) else { return Vec::new() };
        let listed = table.values().filter_map(|configuration| configuration.at(&["webhooks"]));
        listed.filter_map(Value::as_array).flatten().map(|webhook| Hook { webhook }).collect()
    }

    /// Whether any configuration is there.
    pub(in crate::apiserver) fn any(self, server: &Server) -> bool {
        server.store.table(self.table()).is_some_and(|table| !table.is_empty())
    }

    fn table(self) -> &'static str {
        match self {
            Webhooks::Mutating => "admissionregistration.k8s.io/MutatingWebhookConfiguration",
            Webhooks::Validating => "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
        }
    }
}

impl<'s> Hook<'s> {
    pub(in crate::apiserver) fn name(&self) -> &'s str {
        self.text("name")
    }

    pub(in crate::apiserver) fn client(&self) -> &'s Value {
        &self.webhook["clientConfig"]
    }

    /// Seconds that it is waited for.
    pub(in crate::apiserver) fn timeout(&self) -> i64 {
        self.webhook["timeoutSeconds"].as_i64().unwrap_or(10)
    }

    /// Whether a failed call counts as a pass.
    pub(in crate::apiserver) fn fails_open(&self) -> bool {
        self.text("failurePolicy") == "Ignore"
    }

    /// Whether it is asked again about what others changed after it.
    pub(in crate::apiserver) fn is_reinvocable(&self) -> bool {
        self.text("reinvocationPolicy") == "IfNeeded"
    }

    /// The kind at which it is to see what is asked about, if it is to be asked at all: another version
    /// when its rules name only that one, and equivalents count.
    pub(in crate::apiserver) fn wants(
        &self,
        server: &Server,
        asked: &Asked<'_>,
    ) -> Option<GroupVersionKind> {
        let seen_as = self.matched(server, asked)?;
        let selected = self.selects_namespace(server, asked) && self.selects_object(asked);
        selected.then_some(seen_as)
    }

    fn matched(&self, server: &Server, asked: &Asked<'_>) -> Option<GroupVersionKind> {
        // These decide about themselves: nobody can be locked out of mending them.
        let group = "admissionregistration.k8s.io";
        if asked.resource.gvk.group == group && asked.resource.gvk.kind.contains("Webhook") {
            return None;
        }
        if self.has_rule(asked, asked.resource) {
            return Some(asked.resource.gvk.clone());
        }
        if self.text("matchPolicy") == "Exact" {
            return None;
        }
        let others = server
            .resources
            .iter()
            .filter(|other| other.table == asked.resource.table && other.gvk != asked.resource.gvk);
        let mut matching = others.filter(|other| self.has_rule(asked, other));
        matching.next().map(|other| other.gvk.clone())
    }

    fn has_rule(&self, asked: &Asked<'_>, resource: &Resource) -> bool {
        let rules = self.webhook["rules"].as_array();
        rules.into_iter().flatten().any(|rule| is_met(rule, asked, resource))
    }

    fn selects_namespace(&self, server: &Server, asked: &Asked<'_>) -> bool {
        let selector = LabelSelector::from_value(&self.webhook["namespaceSelector"]);
        if selector.is_everything() {
            return true;
        }
        if asked.resource.is("", "Namespace") {
            let itself = asked.object.or(asked.old).cloned();
            return itself.and_then(as_object).is_some_and(|itself| selector.matches(&itself));
        }
        if asked.namespace.is_empty() {
            return true;
        }
        let table = &server.namespaces().table;
        let namespace = server.store.get(table, asked.namespace);
        namespace.is_some_and(|namespace| selector.matches(namespace))
    }

    /// Either state of the object may be selected.
    fn selects_object(&self, asked: &Asked<'_>) -> bool {
        let selector = LabelSelector::from_value(&self.webhook["objectSelector"]);
        let selects = |state: &Value| {
            as_object(state.clone()).is_some_and(|object| selector.matches(&object))
        };
        selector.is_everything() || [asked.object, asked.old].into_iter().flatten().any(selects)
    }

    fn text(&self, field: &str) -> &'s str {
        self.webhook[field].as_str().unwrap_or_default()
    }
}

fn as_object(value: Value) -> Option<Object> {
    Object::from_value(value).ok()
}

/// Whether a rule includes what is asked, of a resource.
fn is_met(rule: &Value, asked: &Asked<'_>, resource: &Resource) -> bool {
    let includes = |field: &str, found: &str| {
        let given = rule[field].as_array();
        given.into_iter().flatten().any(|value| value == "*" || value == found)
    };
    includes("operations", asked.operation)
        && includes("apiGroups", &resource.gvk.group)
        && includes("apiVersions", &resource.gvk.version)
        && is_in_scope(rule, asked)
        && rule["resources"].as_array().into_iter().flatten().any(|pattern| {
            let pattern = pattern.as_str().unwrap_or_default();
            let (plural, subresource) = pattern.split_once('/').unwrap_or((pattern, ""));
            matches!(plural, "*") | (plural == resource.plural)
                && (subresource == "*" || subresource == asked.subresource)
        })
}

fn is_in_scope(rule: &Value, asked: &Asked<'_>) -> bool {
    match rule["scope"].as_str() {
        Some("Namespaced") => !asked.namespace.is_empty(),
        Some("Cluster") => asked.namespace.is_empty(),
        _ => true,
    }
}
