//! Who may do what: role-based access control, read from the roles and bindings that are stored.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>.

mod escalation;
mod roles;

pub(super) use escalation::check_escalation;
pub(super) use roles::bootstrap;

use serde_json::Value;

use super::refusal;
use super::resource::Resource;
use super::server::Server;
use crate::api::{ApiRequest, Caller, Patch, Status, Verb};
use crate::object::{LabelSelector, Object, ObjectRef};

/// How a server decides who may do what: `--authorization-mode` of kube-apiserver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authorization {
    /// Everybody may do everything.
    #[default]
    AlwaysAllow,
    /// By Roles, ClusterRoles and their bindings; and nobody grants by them what they may not do. The group
    /// `system:masters` may do everything, and so may the control plane's own parts, whose roles are not
    /// modelled.
    Rbac,
}

const GROUP: &str = "rbac.authorization.k8s.io";

/// The users that may do what their control plane does.
const CONTROL_PLANE: [&str; 4] =
    ["system:apiserver", "system:kube-", "system:node:", "system:serviceaccount:kube-system:"];

/// Refuses a request that the caller may not make.
pub(super) fn authorize(
    server: &Server,
    caller: &Caller,
    resource: &Resource,
    request: &ApiRequest,
) -> Result<(), Status> {
    let subject = Subject::of(caller);
    if request.verb == Verb::Discover || subject.is_trusted() {
        return Ok(());
    }
    let wish = Wish::of(&subject, resource, request);
    wish.demand(server, resource)?;
    match makes(server, request) {
        true => Wish { verb: "create", ..wish }.demand(server, resource),
        false => Ok(()),
    }
}

/// Whether a patch would make the object: an apply, when there is none.
fn makes(server: &Server, request: &ApiRequest) -> bool {
    let is_apply = matches!(request.verb, Verb::Patch(Patch::Apply(_), _));
    let object = || request.kind.named(&request.namespace, &request.name);
    is_apply && request.subresource.is_none() && server.get(&object()).is_none()
}

/// Who wants it.
struct Subject<'a> {
    user: &'a str,
    groups: Vec<String>,
}

impl<'a> Subject<'a> {
    /// A caller, with the groups that every user, and every service account, is in.
    fn of(caller: &'a Caller) -> Self {
        let mut groups = caller.groups.clone();
        if let Some(account) = caller.user.strip_prefix("system:serviceaccount:") {
            let namespace = account.split(':').next().unwrap_or_default();
            add(&mut groups, "system:serviceaccounts");
            add(&mut groups, &format!("system:serviceaccounts:{namespace}"));
        }
        add(&mut groups, "system:authenticated");
        Subject { user: &caller.user, groups }
    }

    fn is_trusted(&self) -> bool {
        self.groups.iter().any(|group| group == "system:masters")
            || CONTROL_PLANE.iter().any(|prefix| self.user.starts_with(prefix))
    }

    /// The rules of the roles that are bound to it, in a namespace or for the whole cluster.
    fn rules<'s>(&self, server: &'s Server, namespace: &str) -> impl Iterator<Item = &'s Value> {
        let wide = server.objects_of(GROUP, "ClusterRoleBinding");
        let within = server.objects_of(GROUP, "RoleBinding");
        let within = within.filter(move |b| !namespace.is_empty() && b.namespace() == namespace);
        wide.chain(within)
            .filter(|binding| self.is_bound(binding))
            .filter_map(|binding| role_of(server, binding))
            .flat_map(|role| gathered(server, role))
            .flat_map(|role| items(role.get("rules")))
    }

    /// Whether a binding names the user or one of its groups.
    fn is_bound(&self, binding: &Object) -> bool {
        items(binding.get("subjects")).any(|subject| {
            let text = |field: &str| subject[field].as_str().unwrap_or_default();
            match text("kind") {
                "User" => text("name") == self.user,
                "Group" => self.groups.iter().any(|group| group == text("name")),
                "ServiceAccount" => {
                    let (namespace, name) = (text("namespace"), text("name"));
                    self.user == format!("system:serviceaccount:{namespace}:{name}")
                }
                _ => false,
            }
        })
    }
}

/// What somebody wants to do.
struct Wish<'a> {
    subject: &'a Subject<'a>,
    verb: &'static str,
    group: &'a str,
    /// The plural, with the subresource behind a slash.
    resource: String,
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Wish<'a> {
    fn of(subject: &'a Subject<'a>, resource: &'a Resource, request: &'a ApiRequest) -> Self {
        let below = request.subresource.as_ref().map(|s| format!("/{}", s.name()));
        Wish {
            subject,
            verb: request.verb.name(),
            group: &resource.schema.gvk.group,
            resource: format!("{}{}", resource.schema.plural, below.unwrap_or_default()),
            // A namespace counts as in itself.
            namespace: match resource.schema.gvk.kind.as_str() {
                "Namespace" => &request.name,
                _ => &request.namespace,
            },
            name: named(request),
        }
    }

    fn demand(&self, server: &Server, resource: &Resource) -> Result<(), Status> {
        match self.is_granted(server) {
            true => Ok(()),
            false => Err(self.refusal(resource)),
        }
    }

    fn is_granted(&self, server: &Server) -> bool {
        self.subject.rules(server, self.namespace).any(|rule| self.fits(rule))
    }

    fn fits(&self, rule: &Value) -> bool {
        let has = |field: &str, wanted: &str| {
            items(rule.get(field)).any(|value| value == "*" || value == wanted)
        };
        let names = rule.get("resourceNames").and_then(Value::as_array);
        let named =
            names.is_none_or(|names| names.is_empty() || names.iter().any(|n| n == self.name));
        let subresource = self.resource.split_once('/').map(|(_, below)| format!("*/{below}"));
        let of_resource = has("resources", &self.resource)
            || subresource.is_some_and(|wanted| has("resources", &wanted));
        has("verbs", self.verb) && has("apiGroups", self.group) && of_resource && named
    }

    fn refusal(&self, resource: &Resource) -> Status {
        let place = match self.namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {namespace:?}"),
        };
        let why = format!(
            "User {:?} cannot {} resource {:?} in API group {:?} {place}",
            self.subject.user, self.verb, self.resource, self.group
        );
        refusal::forbidden_to(resource, self.name, &why)
    }
}

fn add(groups: &mut Vec<String>, group: &str) {
    if !groups.iter().any(|there| there == group) {
        groups.push(group.into());
    }
}

/// The name that a request is about; a list of one object, by `metadata.name`, is about that.
fn named(request: &ApiRequest) -> &str {
    match &request.verb {
        Verb::List(options) | Verb::Watch(options, _) | Verb::DeleteCollection(options, _) => {
            let mut terms = options.fields.terms.iter();
            let one = terms.find(|(field, _, equal)| field == "metadata.name" && *equal);
            one.map_or(&request.name, |(_, name, _)| name)
        }
        _ => &request.name,
    }
}

fn role_of<'s>(server: &'s Server, binding: &Object) -> Option<&'s Object> {
    let (kind, name) = (binding.text("roleRef.kind"), binding.text("roleRef.name"));
    let namespace = if kind == "Role" { binding.namespace() } else { "" };
    server.get(&ObjectRef::new(GROUP, kind, namespace, name))
}

/// A role and those that it gathers, and those that these gather.
fn gathered<'s>(server: &'s Server, role: &'s Object) -> Vec<&'s Object> {
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

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::roles::{READ, cluster_role, rule};
    use super::*;
    use serde_json::json;

    use crate::api::WriteOptions;
    use crate::object::GroupVersionKind;
    use crate::time::Timestamp;

    /// A server with a binding of `edit` to alice and a service account, a role of bob's and one of dave's,
    /// and a ClusterRole that `view`, which is carol's, gathers.
    fn server() -> Server {
        let mut server = Server::new().with_authorization(Authorization::Rbac);
        let role = |name: &str, rules: Value| {
            let mut role = Object::new("rbac.authorization.k8s.io/v1", "Role", "default", name);
            role.set("rules", rules);
            role
        };
        let own = json!([
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]},
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["x"], "verbs": ["create", "list"]}]);
        let gathered = vec![rule("example.com", "*", &READ)];
        admit(&mut server, role("own", own));
        admit(&mut server, cluster_role("crontabs", "aggregate-to-view", gathered));
        let account = json!({"kind": "ServiceAccount", "name": "deployer", "namespace": "default"});
        admit(&mut server, binding("ClusterRole", "edit", json!([account, user("alice")])));
        admit(&mut server, binding("Role", "own", json!([user("bob")])));
        let mut grants = vec![rule(GROUP, "roles rolebindings", &["create"])];
        grants.push(json!({"apiGroups": [GROUP], "resources": ["clusterroles"], "resourceNames": ["crontabs"], "verbs": ["bind"]}));
        admit(&mut server, role("grants", json!(grants)));
        admit(&mut server, binding("Role", "grants", json!([user("dave")])));
        admit(&mut server, binding("ClusterRole", "view", json!([user("carol")])));
        server
    }

    fn binding(kind: &str, role: &str, subjects: Value) -> Object {
        let mut binding =
            Object::new("rbac.authorization.k8s.io/v1", "RoleBinding", "default", role);
        binding.set("roleRef", json!({"apiGroup": GROUP, "kind": kind, "name": role}));
        binding.set("subjects", subjects);
        binding
    }

    fn user(name: &str) -> Value {
        json!({"apiGroup": GROUP, "kind": "User", "name": name})
    }

    fn admit(server: &mut Server, object: Object) {
        let groups = vec!["system:masters".into()];
        let admin = Caller { groups, ..Caller::new("admin", "kubectl") };
        let request = ApiRequest::create(object, WriteOptions::default());
        server.handle(Timestamp::START, &admin, request).unwrap();
    }

    fn refused(caller: &Caller, request: ApiRequest) -> Option<String> {
        server()
            .handle(Timestamp::START, caller, request)
            .err()
            .filter(|s| s.code == 403)
            .map(|s| s.message)
    }

    fn apply(namespace: &str) -> ApiRequest {
        let object = Object::new("v1", "ConfigMap", namespace, "a");
        ApiRequest::apply(&object, WriteOptions::default())
    }

    #[test]
    fn a_binding_grants_its_role_in_its_namespace_only() {
        let deployer = Caller::service_account("default", "deployer", "flux");
        assert_eq!(refused(&deployer, apply("default")), None);
        assert_eq!(refused(&Caller::new("alice", "kubectl"), apply("default")), None);
        let message = "configmaps \"a\" is forbidden: User \"system:serviceaccount:default:deployer\" cannot patch resource \"configmaps\" in API group \"\" in the namespace \"kube-system\"";
        assert_eq!(refused(&deployer, apply("kube-system")).as_deref(), Some(message));
    }

    #[test]
    fn an_apply_that_makes_the_object_needs_to_be_allowed_to_create_it_too() {
        let bob = Caller::new("bob", "kubectl");
        let message = "configmaps \"a\" is forbidden: User \"bob\" cannot create resource \"configmaps\" in API group \"\" in the namespace \"default\"";
        assert_eq!(refused(&bob, apply("default")).as_deref(), Some(message));
    }

    #[test]
    fn nobody_grants_what_they_may_not_do() {
        let mut role = Object::new("rbac.authorization.k8s.io/v1", "Role", "default", "r");
        role.set(
            "rules",
            json!([
                rule("apps", "deployments secrets", &["get", "list"]),
                rule("", "configmaps", &["patch"])
            ]),
        );
        let create = |object: &Object| ApiRequest::create(object.clone(), WriteOptions::default());
        let message = "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"dave\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"configmaps\"], Verbs:[\"patch\"]}\n{APIGroups:[\"apps\"], Resources:[\"deployments\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"apps\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}";
        let dave = Caller::new("dave", "kubectl");
        assert_eq!(refused(&dave, create(&role)).as_deref(), Some(message));
        role.set("rules", json!([rule(GROUP, "roles", &["create"])]));
        assert_eq!(refused(&dave, create(&role)), None);
        let bound = |role: &str| binding("ClusterRole", role, json!([user("eve")]));
        let told = refused(&dave, create(&bound("admin"))).unwrap();
        assert!(
            told.contains("{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"create\""),
            "{told}"
        );
        assert_eq!(refused(&dave, create(&bound("crontabs"))), None, "it may be bound");
    }

    #[test]
    fn a_named_resource_can_be_listed_by_its_name_and_never_created() {
        let bob = Caller::new("bob", "kubectl");
        let secrets = GroupVersionKind::new("v1", "Secret");
        let mut list = ApiRequest::list(&secrets, "default", LabelSelector::everything());
        assert!(refused(&bob, list.clone()).is_some());
        list.verb = Verb::List(crate::api::ListOptions {
            fields: "metadata.name=x".parse().unwrap(),
            ..Default::default()
        });
        assert_eq!(refused(&bob, list), None);
        let secret = Object::new("v1", "Secret", "default", "x");
        assert!(refused(&bob, ApiRequest::create(secret, WriteOptions::default())).is_some());
    }

    #[test]
    fn a_namespace_is_read_by_who_may_read_in_it() {
        let get = ApiRequest::get(&GroupVersionKind::new("v1", "Namespace"), "", "default");
        assert_eq!(refused(&Caller::new("carol", "kubectl"), get.clone()), None);
        let message = "namespaces \"default\" is forbidden: User \"bob\" cannot get resource \"namespaces\" in API group \"\" in the namespace \"default\"";
        assert_eq!(refused(&Caller::new("bob", "kubectl"), get).as_deref(), Some(message));
    }

    #[test]
    fn roles_gather_those_that_are_labelled_for_them_over_any_number_of_steps() {
        let server = server();
        let names = |role: &str| -> Vec<String> {
            let role = server.get(&ObjectRef::new(GROUP, "ClusterRole", "", role)).unwrap();
            gathered(&server, role).iter().map(|role| role.name().to_owned()).collect()
        };
        assert_eq!(names("view"), ["view", "crontabs"]);
        assert_eq!(names("admin"), ["admin", "edit", "view", "crontabs"]);
        assert_eq!(names("cluster-admin"), ["cluster-admin"]);
    }

    #[test]
    fn refusals_say_what_was_asked_of_what() {
        let bob = Caller::new("bob", "kubectl");
        let check = |request: ApiRequest, expected: &str| {
            assert_eq!(refused(&bob, request).as_deref(), Some(expected));
        };
        let pods = GroupVersionKind::new("v1", "Pod");
        let everything = LabelSelector::everything;
        check(
            ApiRequest::list(&pods, "default", everything()),
            "pods is forbidden: User \"bob\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"",
        );
        check(
            ApiRequest::list(&pods, "", everything()),
            "pods is forbidden: User \"bob\" cannot list resource \"pods\" in API group \"\" at the cluster scope",
        );
        let scale = ApiRequest::patch(
            &GroupVersionKind::new("apps/v1", "Deployment"),
            "default",
            "x",
            Patch::Merge(json!({})),
            WriteOptions::default(),
        );
        check(
            scale.to(crate::api::Subresource::Scale),
            "deployments.apps \"x\" is forbidden: User \"bob\" cannot patch resource \"deployments/scale\" in API group \"apps\" in the namespace \"default\"",
        );
    }

    #[test]
    fn masters_and_the_control_plane_may_do_everything() {
        let nodes =
            ApiRequest::list(&GroupVersionKind::new("v1", "Node"), "", LabelSelector::everything());
        let masters =
            Caller { groups: vec!["system:masters".into()], ..Caller::new("m", "kubectl") };
        assert_eq!(refused(&masters, nodes.clone()), None);
        assert_eq!(refused(&Caller::new("system:kube-scheduler", "s"), nodes), None);
    }
}
