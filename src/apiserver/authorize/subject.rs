//! Who wants something, and the rules that are bound to it.

use std::fmt;

use serde_json::Value;

use super::{GROUP, items};
use crate::api::Caller;
use crate::apiserver::server::Server;
use crate::object::{LabelSelector, Object, ObjectRef};

/// Who wants it.
pub(super) struct Subject<'a> {
    pub user: &'a str,
    pub groups: Vec<String>,
}

/// A binding that names a subject, and the role that it binds, if that is there.
pub(super) struct Grant<'s> {
    binding: &'s Object,
    subject: &'s Value,
    role: Option<&'s Object>,
}

impl<'a> Subject<'a> {
    /// A caller. Who comes without the groups that tell whether it is authenticated is; with the groups that
    /// every user, and every service account, is in.
    pub(super) fn of(caller: &'a Caller) -> Self {
        let mut groups = caller.groups.clone();
        let is_complete =
            |group: &String| group == "system:authenticated" || group == "system:unauthenticated";
        if !groups.iter().any(is_complete) {
            if let Some(account) = caller.user.strip_prefix("system:serviceaccount:") {
                let namespace = account.split(':').next().unwrap_or_default();
                groups.push("system:serviceaccounts".into());
                groups.push(format!("system:serviceaccounts:{namespace}"));
            }
            groups.push("system:authenticated".into());
        }
        Subject { user: &caller.user, groups }
    }

    /// Somebody in the groups that are said, and no others.
    pub(super) fn as_told(somebody: &'a Caller) -> Self {
        Subject { user: &somebody.user, groups: somebody.groups.clone() }
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.groups.iter().any(|group| group == "system:masters")
    }

    /// What is bound to it, for the whole cluster and in a namespace.
    pub(super) fn grants<'s>(
        &self,
        server: &'s Server,
        namespace: &str,
    ) -> impl Iterator<Item = Grant<'s>> {
        let wide = server.objects_of(GROUP, "ClusterRoleBinding");
        let within = server.objects_of(GROUP, "RoleBinding");
        let within = within.filter(move |b| !namespace.is_empty() && b.namespace() == namespace);
        wide.chain(within).filter_map(|binding| {
            let subject =
                items(binding.get("subjects")).find(|s| self.is_named(s, binding.namespace()))?;
            Some(Grant { binding, subject, role: role_of(server, binding) })
        })
    }

    /// The rules that are bound to it.
    pub(super) fn rules<'s>(
        &self,
        server: &'s Server,
        namespace: &str,
    ) -> impl Iterator<Item = &'s Value> {
        self.grants(server, namespace).flat_map(|grant| grant.rules(server))
    }

    /// Whether a subject of a binding in a namespace is this one.
    fn is_named(&self, subject: &Value, namespace: &str) -> bool {
        let text = |field: &str| subject[field].as_str().unwrap_or_default();
        match text("kind") {
            "User" => text("name") == self.user,
            "Group" => self.groups.iter().any(|group| group == text("name")),
            "ServiceAccount" => {
                let own = Some(text("namespace")).filter(|own| !own.is_empty());
                let (namespace, name) = (own.unwrap_or(namespace), text("name"));
                let account = self.user.strip_prefix("system:serviceaccount:");
                account.and_then(|account| account.split_once(':')) == Some((namespace, name))
            }
            _ => false,
        }
    }
}

impl<'s> Grant<'s> {
    pub(super) fn rules(&self, server: &'s Server) -> Vec<&'s Value> {
        self.role.map_or_else(Vec::new, |role| rules_of(server, role))
    }

    /// What is said of a role that is bound and not there.
    pub(super) fn missing(&self) -> Option<String> {
        self.missing_in(&self.binding.text("roleRef.kind").to_lowercase())
    }

    /// The same, said by who looks for it among the objects of a resource.
    pub(super) fn missing_in(&self, resource: &str) -> Option<String> {
        let name = self.binding.text("roleRef.name");
        self.role.is_none().then(|| format!("{resource}.{GROUP} {name:?} not found"))
    }
}

/// `RoleBinding "editors/web" of ClusterRole "edit" to User "alice"`.
impl fmt::Display for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slashed = |name: &str, namespace: &str| match namespace {
            "" => name.to_owned(),
            namespace => format!("{name}/{namespace}"),
        };
        let text = |field: &str| self.subject[field].as_str().unwrap_or_default();
        let binding = self.binding;
        let subject = match text("kind") {
            "ServiceAccount" if text("namespace").is_empty() => {
                slashed(text("name"), binding.namespace())
            }
            "ServiceAccount" => slashed(text("name"), text("namespace")),
            _ => text("name").to_owned(),
        };
        write!(
            f,
            "{} {:?} of {} {:?} to {} {subject:?}",
            binding.kind(),
            slashed(binding.name(), binding.namespace()),
            binding.text("roleRef.kind"),
            binding.text("roleRef.name"),
            text("kind"),
        )
    }
}

/// The role that a binding binds.
pub(super) fn role_of<'s>(server: &'s Server, binding: &Object) -> Option<&'s Object> {
    let (kind, name) = (binding.text("roleRef.kind"), binding.text("roleRef.name"));
    let namespace = if kind == "Role" { binding.namespace() } else { "" };
    server.get(&ObjectRef::new(GROUP, kind, namespace, name))
}

/// The rules of a role and of those that it gathers, each once.
pub(super) fn rules_of<'s>(server: &'s Server, role: &'s Object) -> Vec<&'s Value> {
    let gathered = gathered(server, role);
    let own = role.get("rules").and_then(Value::as_array);
    if gathered.len() == 1 {
        return own.into_iter().flatten().collect();
    }
    let mut rules: Vec<&Value> = Vec::new();
    for rule in gathered.into_iter().flat_map(|role| items(role.get("rules"))) {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules
}

/// A role and those that it gathers, and those that these gather.
pub(super) fn gathered<'s>(server: &'s Server, role: &'s Object) -> Vec<&'s Object> {
    let mut roles = vec![role];
    let mut next = 0;
    while let Some(role) = roles.get(next) {
        let selectors: Vec<LabelSelector> = items(role.get("aggregationRule.clusterRoleSelectors"))
            .map(LabelSelector::from_value)
            .collect();
        let gathers = |other: &&Object| selectors.iter().any(|selector| selector.matches(other));
        let others = server.objects_of(GROUP, "ClusterRole").filter(gathers);
        let new: Vec<&Object> = others.filter(|other| !roles.contains(other)).collect();
        roles.extend(new);
        next += 1;
    }
    roles
}
