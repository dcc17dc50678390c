//! Acting as somebody else: who may be whom.
//!
//! A caller who may `impersonate` a user may do all that this user may (the older way). Since KEP-5284 one may also
//! be allowed to do only some things as somebody: the verb `impersonate:MODE` for whom, and
//! `impersonate-on:MODE:VERB` for what. Each way is tried; when none is open the first refusal is told.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/>, and
//! `k8s.io/apiserver/pkg/endpoints/filters/impersonation`.

use std::collections::BTreeMap;

use super::{Attributes, ResourceTarget, Target, expect_allowed};
use crate::api::{Caller, Status};
use crate::apiserver::refusal;
use crate::apiserver::server::Server;

const AUTHENTICATION: &str = "authentication.k8s.io";

/// The caller as whom a request is answered: `wanted`, with the groups that follow from the name.
pub(in crate::apiserver) fn impersonate(
    server: &Server,
    caller: &Caller,
    wanted: &Caller,
    wish: &Attributes,
) -> Result<Caller, Status> {
    if wanted.user.is_empty() {
        return Err(refusal::bad_request(format!(
            "requested {} without impersonating a user name",
            shown(wanted)
        )));
    }
    let mut refused = None;
    for mode in modes(wanted) {
        match (Attempt { server, caller, wanted, mode }).check(wish) {
            Ok(as_whom) => return Ok(as_whom),
            Err(status) => refused = refused.or(Some(status)),
        }
    }
    Err(refused.expect("the older way can always be tried"))
}

/// The ways to be somebody; the older one, which has no name, last.
fn modes(wanted: &Caller) -> impl Iterator<Item = Option<&'static str>> {
    let only_name = wanted.groups.is_empty() && wanted.uid.is_empty() && wanted.extra.is_empty();
    let mode = match (node(&wanted.user), account(&wanted.user)) {
        (Some(_), _) => only_name.then_some("arbitrary-node"),
        (_, Some(_)) => only_name.then_some("serviceaccount"),
        _ => Some("user-info"),
    };
    mode.into_iter().map(Some).chain([None])
}

/// A way that is tried.
struct Attempt<'a> {
    server: &'a Server,
    caller: &'a Caller,
    wanted: &'a Caller,
    mode: Option<&'static str>,
}

impl Attempt<'_> {
    fn check(&self, wish: &Attributes) -> Result<Caller, Status> {
        if let Some(mode) = self.mode {
            let verb = format!("impersonate-on:{mode}:{}", wish.verb);
            let on = Attributes { verb, target: wish.target.clone() };
            expect_allowed(self.server, self.caller, &on)?;
        }
        let groups = self.expect_name()?;
        if !self.wanted.uid.is_empty() {
            self.expect(target(AUTHENTICATION, "uids", &self.wanted.uid))?;
        }
        for group in &self.wanted.groups {
            self.expect_group(group)?;
        }
        for (key, values) in &self.wanted.extra {
            for value in values {
                let extra = target(AUTHENTICATION, "userextras", value);
                self.expect(ResourceTarget { subresource: key.clone(), ..extra })?;
            }
        }
        let caller = Caller { groups, agent: self.caller.agent.clone(), ..self.wanted.clone() };
        Ok(with_authenticated(caller))
    }

    fn expect(&self, target: ResourceTarget) -> Result<(), Status> {
        let verb = match self.mode {
            Some(mode) => format!("impersonate:{mode}"),
            None => "impersonate".into(),
        };
        let wish = Attributes { verb, target: Target::Resource(target) };
        expect_allowed(self.server, self.caller, &wish)
    }

    /// The API group of users and groups: the older way has them in none.
    fn api_group(&self) -> &'static str {
        if self.mode.is_some() { AUTHENTICATION } else { "" }
    }

    /// Refuses a name that the caller may not take. Gives the groups that go with it.
    fn expect_name(&self) -> Result<Vec<String>, Status> {
        let (user, given) = (&self.wanted.user, &self.wanted.groups);
        if let Some((namespace, name)) = account(user) {
            let account = target(self.api_group(), "serviceaccounts", name);
            self.expect(ResourceTarget { namespace: namespace.into(), ..account })?;
            let own = || Caller::service_account(namespace, name, "").groups;
            return Ok(if given.is_empty() { own() } else { given.clone() });
        }
        match node(user).filter(|_| self.mode.is_some()) {
            Some(name) => {
                self.expect(target(AUTHENTICATION, "nodes", name))?;
                Ok(vec!["system:nodes".into()])
            }
            None => {
                self.expect(target(self.api_group(), "users", user))?;
                Ok(given.clone())
            }
        }
    }

    fn expect_group(&self, group: &str) -> Result<(), Status> {
        let wanted = target(self.api_group(), "groups", group);
        let why = match (self.mode, group) {
            (Some(_), "") => "impersonating the empty string group is not allowed",
            (Some(_), "system:masters") => "impersonating the system:masters group is not allowed",
            _ => return self.expect(wanted),
        };
        let verb = format!("impersonate:{}", self.mode.unwrap_or_default());
        let wish = Attributes { verb, target: Target::Resource(wanted) };
        Err(wish.refusal(&self.caller.user, why))
    }
}

fn target(group: &str, resource: &str, name: &str) -> ResourceTarget {
    ResourceTarget {
        group: group.into(),
        resource: resource.into(),
        name: name.into(),
        ..ResourceTarget::default()
    }
}

/// A caller in the group that tells whether it is authenticated.
fn with_authenticated(mut caller: Caller) -> Caller {
    let is_in = |caller: &Caller, group: &str| caller.groups.iter().any(|own| own == group);
    let unknown = is_in(&caller, "system:unauthenticated");
    let group = match caller.user == "system:anonymous" {
        true => "system:unauthenticated",
        false => "system:authenticated",
    };
    if !is_in(&caller, group) && !unknown {
        caller.groups.push(group.into());
    }
    caller
}

/// The namespace and the name of a service account.
fn account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let plain = !namespace.is_empty() && !name.is_empty() && !name.contains(':');
    plain.then_some((namespace, name))
}

/// The name of a node, of a kubelet's user.
fn node(user: &str) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    user.strip_prefix("system:node:").filter(|name| !name.is_empty() && name.chars().all(is_plain))
}

/// As Go shows a `user.DefaultInfo`.
fn shown(wanted: &Caller) -> String {
    let list = |texts: &[String]| {
        let texts: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
        format!("[]string{{{}}}", texts.join(", "))
    };
    let map = |extra: &BTreeMap<String, Vec<String>>| {
        let entries: Vec<String> =
            extra.iter().map(|(key, values)| format!("{key:?}:{}", list(values))).collect();
        format!("map[string][]string{{{}}}", entries.join(", "))
    };
    let groups = Some(&wanted.groups).filter(|groups| !groups.is_empty());
    let extra = Some(&wanted.extra).filter(|extra| !extra.is_empty());
    format!(
        "&user.DefaultInfo{{Name:\"\", UID:{:?}, Groups:{}, Extra:{}}}",
        wanted.uid,
        groups.map_or("[]string(nil)".into(), |groups| list(groups)),
        extra.map_or("map[string][]string(nil)".into(), map),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::{ApiRequest, WriteOptions};
    use crate::apiserver::Authorization;
    use crate::object::Object;
    use crate::time::Timestamp;

    /// Whether robot, who has these rules, may list pods as somebody; and as whom, or why not.
    fn check(rules: &Value, wanted: Caller, expected: Result<&[&str], &str>) {
        const RBAC: &str = "rbac.authorization.k8s.io";
        let mut server = Server::new().with_authorization(Authorization::Rbac);
        let mut role = Object::new(&format!("{RBAC}/v1"), "ClusterRole", "", "own");
        role.set("rules", rules.clone());
        let mut binding = Object::new(&format!("{RBAC}/v1"), "ClusterRoleBinding", "", "own");
        binding.set("roleRef", json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": "own"}));
        binding.set("subjects", json!([{"apiGroup": RBAC, "kind": "User", "name": "robot"}]));
        for object in [role, binding] {
            let admin = Caller { groups: vec!["system:masters".into()], ..Caller::default() };
            let request = ApiRequest::create(object, WriteOptions::default());
            server.handle(Timestamp::START, &admin, request).unwrap();
        }
        let pods = ResourceTarget { namespace: "web".into(), ..target("", "pods", "") };
        let wish = Attributes { verb: "list".into(), target: Target::Resource(pods) };
        let found = impersonate(&server, &Caller::new("robot", "r"), &wanted, &wish);
        let found = found.as_ref().map(|caller| caller.groups.clone());
        let expected = expected.map(|groups| groups.iter().map(|g| g.to_string()).collect());
        assert_eq!(found.map_err(|status| status.message.as_str()), expected);
    }

    fn rule(group: &str, resource: &str, verb: &str) -> Value {
        json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]})
    }

    #[test]
    fn who_may_impersonate_a_user_is_that_user_without_more_groups() {
        let rules = json!([rule("", "users", "impersonate")]);
        check(&rules, Caller::new("alice", ""), Ok(&["system:authenticated"]));
        check(&rules, Caller::new("system:anonymous", ""), Ok(&["system:unauthenticated"]));
        let dev = Caller { groups: vec!["dev".into()], ..Caller::new("alice", "") };
        check(
            &rules,
            dev.clone(),
            Err(
                "pods is forbidden: User \"robot\" cannot impersonate-on:user-info:list resource \"pods\" in API group \"\" in the namespace \"web\"",
            ),
        );
        let rules = json!([rule("", "users", "impersonate"), rule("", "groups", "impersonate")]);
        check(&rules, dev, Ok(&["dev", "system:authenticated"]));
    }

    #[test]
    fn who_may_only_list_as_somebody_is_that_user_for_a_list() {
        let may_be = rule(AUTHENTICATION, "users", "impersonate:user-info");
        let listing = json!([may_be, rule("", "pods", "impersonate-on:user-info:list")]);
        check(&listing, Caller::new("alice", ""), Ok(&["system:authenticated"]));
        let reading = json!([may_be, rule("", "pods", "impersonate-on:user-info:get")]);
        check(
            &reading,
            Caller::new("alice", ""),
            Err(
                "pods is forbidden: User \"robot\" cannot impersonate-on:user-info:list resource \"pods\" in API group \"\" in the namespace \"web\"",
            ),
        );
        let masters = Caller { groups: vec!["system:masters".into()], ..Caller::new("alice", "") };
        check(
            &json!([rule("*", "*", "*")]),
            masters,
            Ok(&["system:masters", "system:authenticated"]),
        );
    }

    #[test]
    fn a_service_account_brings_its_groups() {
        let rules = json!([rule("", "serviceaccounts", "impersonate")]);
        let groups =
            ["system:serviceaccounts", "system:serviceaccounts:web", "system:authenticated"];
        check(&rules, Caller::new("system:serviceaccount:web:deployer", ""), Ok(&groups));
    }

    #[test]
    fn nobody_in_particular_cannot_be_impersonated() {
        let extra = BTreeMap::from([("scopes".to_owned(), vec!["a".to_owned()])]);
        let nobody = Caller { groups: vec!["x".into()], extra, ..Caller::default() };
        check(
            &json!([]),
            nobody,
            Err(
                "requested &user.DefaultInfo{Name:\"\", UID:\"\", Groups:[]string{\"x\"}, Extra:map[string][]string{\"scopes\":[]string{\"a\"}}} without impersonating a user name",
            ),
        );
    }
}
