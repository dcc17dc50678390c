//! Who may do what: role-based access control, read from the roles and bindings that are stored.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>.

mod attributes;
mod escalation;
mod impersonate;
mod roles;
mod subject;

pub(super) use attributes::{Attributes, ResourceTarget, Target};
pub(super) use escalation::check_escalation;
pub(super) use impersonate::impersonate;
pub(super) use roles::bootstrap;

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::resource::Resource;
use super::server::Server;
use crate::api::{ApiRequest, Caller, Patch, Status, Verb};
use subject::Subject;

/// How a server decides who may do what: `--authorization-mode` of kube-apiserver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authorization {
    /// Everybody may do everything.
    #[default]
    AlwaysAllow,
    /// By Roles, ClusterRoles and their bindings; and nobody grants by them what they may not do. The group
    /// `system:masters` may do everything.
    Rbac,
}

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules of who may do everything.
static EVERYTHING: LazyLock<[Value; 2]> = LazyLock::new(|| {
    [
        json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}),
        json!({"nonResourceURLs": ["*"], "verbs": ["*"]}),
    ]
});

/// What is decided of a wish, and why: empty when there is nothing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub allowed: bool,
    pub reason: String,
}

/// The rules that hold for somebody, and what is wrong with some of them.
pub(super) struct Rules<'s> {
    pub rules: Vec<&'s Value>,
    pub errors: Vec<String>,
}

/// Refuses a request that the caller may not make.
pub(super) fn authorize(
    server: &Server,
    caller: &Caller,
    resource: &Resource,
    request: &ApiRequest,
) -> Result<(), Status> {
    let subject = Subject::of(caller);
    if is_open(server, &subject) || request.verb == Verb::Discover {
        return Ok(());
    }
    let wish = Attributes::of(resource, request);
    demand(server, &subject, &wish)?;
    match makes(server, request) {
        true => demand(server, &subject, &Attributes { verb: "create".into(), ..wish }),
        false => Ok(()),
    }
}

/// Refuses what the caller may not do.
pub(super) fn expect_allowed(
    server: &Server,
    caller: &Caller,
    wish: &Attributes,
) -> Result<(), Status> {
    demand(server, &Subject::of(caller), wish)
}

/// Decides what the caller may do.
pub(super) fn decide(server: &Server, caller: &Caller, wish: &Attributes) -> Decision {
    decide_for(server, &Subject::of(caller), wish)
}

/// Decides what somebody may do who is in the groups that are said, and no others.
pub(super) fn decide_of(server: &Server, somebody: &Caller, wish: &Attributes) -> Decision {
    decide_for(server, &Subject::as_told(somebody), wish)
}

/// All that the caller may do in a namespace.
pub(super) fn rules<'s>(server: &'s Server, caller: &Caller, namespace: &str) -> Rules<'s> {
    if server.authorization == Authorization::AlwaysAllow {
        return Rules { rules: EVERYTHING.iter().collect(), errors: Vec::new() };
    }
    let subject = Subject::of(caller);
    let grants: Vec<_> = subject.grants(server, namespace).collect();
    Rules {
        rules: grants.iter().flat_map(|grant| grant.rules(server)).collect(),
        errors: grants.iter().filter_map(|grant| grant.missing()).collect(),
    }
}

/// Several errors as one. (`utilerrors.NewAggregate`.)
pub(super) fn together(mut errors: Vec<String>) -> String {
    let mut seen = std::collections::BTreeSet::new();
    errors.retain(|error| seen.insert(error.clone()));
    match errors.as_slice() {
        [one] => one.clone(),
        [] => String::new(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// Whether nobody, or not this subject, is asked for a role.
fn is_open(server: &Server, subject: &Subject<'_>) -> bool {
    server.authorization == Authorization::AlwaysAllow || subject.is_trusted()
}

fn demand(server: &Server, subject: &Subject<'_>, wish: &Attributes) -> Result<(), Status> {
    match decide_for(server, subject, wish) {
        Decision { allowed: true, .. } => Ok(()),
        Decision { reason, .. } => Err(wish.refusal(subject.user, &reason)),
    }
}

fn decide_for(server: &Server, subject: &Subject<'_>, wish: &Attributes) -> Decision {
    if is_open(server, subject) {
        return Decision { allowed: true, reason: String::new() };
    }
    let mut errors = Vec::new();
    for grant in subject.grants(server, wish.namespace()) {
        errors.extend(grant.missing());
        if grant.rules(server).into_iter().any(|rule| wish.fits(rule)) {
            return Decision { allowed: true, reason: format!("RBAC: allowed by {grant}") };
        }
    }
    let reason =
        if errors.is_empty() { String::new() } else { format!("RBAC: {}", together(errors)) };
    Decision { allowed: false, reason }
}

/// Whether a patch would make the object: an apply, when there is none.
fn makes(server: &Server, request: &ApiRequest) -> bool {
    let is_apply = matches!(request.verb, Verb::Patch(Patch::Apply(_), _));
    let object = || request.kind.named(&request.namespace, &request.name);
    is_apply && request.subresource.is_none() && server.get(&object()).is_none()
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::roles::cluster_role;
    use super::subject::gathered;
    use super::*;

    use crate::api::WriteOptions;
    use crate::object::{GroupVersionKind, LabelSelector, Object, ObjectRef};
    use crate::time::Timestamp;

    const READ: [&str; 3] = ["get", "list", "watch"];

    fn rule(group: &str, resources: &str, verbs: &[&str]) -> Value {
        let resources: Vec<&str> = resources.split(' ').collect();
        json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
    }

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
        static SERVER: std::sync::LazyLock<Server> = std::sync::LazyLock::new(server);
        SERVER
            .clone()
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
                rule("", "configmaps", &["patch"]),
                {"apiGroups": [""], "resources": ["pods"], "resourceNames": ["x"], "verbs": ["get", "list"]},
            ]),
        );
        let create = |object: &Object| ApiRequest::create(object.clone(), WriteOptions::default());
        let message = "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"dave\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"configmaps\"], Verbs:[\"patch\"]}\n{APIGroups:[\"\"], Resources:[\"pods\"], ResourceNames:[\"x\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"apps\"], Resources:[\"deployments\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"apps\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}";
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
        let view = ["view", "crontabs", "system:aggregate-to-view"];
        assert_eq!(names("view"), view);
        let admin = ["admin", "edit", "system:aggregate-to-admin", "system:aggregate-to-edit"];
        assert_eq!(names("admin"), [&admin[..], &view].concat());
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
    fn masters_may_do_everything_and_the_control_plane_what_its_roles_say() {
        let nodes =
            ApiRequest::list(&GroupVersionKind::new("v1", "Node"), "", LabelSelector::everything());
        let masters =
            Caller { groups: vec!["system:masters".into()], ..Caller::new("m", "kubectl") };
        assert_eq!(refused(&masters, nodes.clone()), None);
        let scheduler = Caller::new("system:kube-scheduler", "s");
        assert_eq!(refused(&scheduler, nodes), None);
        assert!(refused(&scheduler, apply("default")).is_some());
    }
}
