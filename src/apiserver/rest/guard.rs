//! What a request wants, told by its method and path alone: who may not do that is refused before anything
//! else is looked at.
//!
//! Source: `RequestInfoFactory` of `k8s.io/apiserver/pkg/endpoints/request`.

use super::HttpRequest;
use super::query::{Query, decoded};
use crate::api::{Caller, Status};
use crate::apiserver::authorize::{self, Attributes, ResourceTarget, Target};
use crate::apiserver::server::Server;

/// What everybody may ask (`--authorization-always-allow-paths`).
const ALWAYS: [&str; 3] = ["/healthz", "/livez", "/readyz"];

/// Refuses a request that the caller may not make.
pub(super) fn guard(
    server: &Server,
    caller: &Caller,
    request: &HttpRequest<'_>,
) -> Result<(), Status> {
    let wish = wish(request);
    match &wish.target {
        Target::Path(path) if ALWAYS.contains(&path.as_str()) => Ok(()),
        _ => authorize::expect_allowed(server, caller, &wish),
    }
}

/// The caller of a request that is made as somebody else: `wanted`, as the `Impersonate-*` headers give it,
/// with the groups that follow from the name.
///
/// # Errors
///
/// When the caller may not be that, or may not do this as that; when there are groups without a name.
pub fn impersonate(
    server: &Server,
    caller: &Caller,
    wanted: &Caller,
    request: &HttpRequest<'_>,
) -> Result<Caller, Status> {
    authorize::impersonate(server, caller, wanted, &wish(request))
}

/// What a request wants to do.
pub(super) fn wish(request: &HttpRequest<'_>) -> Attributes {
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let path = decoded(path, false);
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    let (group, steps) = match steps.as_slice() {
        ["api", _, steps @ ..] if !steps.is_empty() => ("", steps),
        ["apis", group, _, steps @ ..] if !steps.is_empty() => (*group, steps),
        _ => {
            let verb = request.method.to_ascii_lowercase();
            return Attributes { verb, target: Target::Path(path) };
        }
    };
    let (namespace, steps) = match steps {
        ["namespaces", name, "status" | "finalize", ..] | ["namespaces", name] => (*name, steps),
        ["namespaces", namespace, steps @ ..] => (*namespace, steps),
        _ => ("", steps),
    };
    let step = |at: usize| steps.get(at).copied().unwrap_or_default();
    let verb = match (request.method, step(1)) {
        ("GET" | "HEAD", _) if Query::read(query).flag("watch") => "watch",
        ("GET" | "HEAD", "") => "list",
        ("GET" | "HEAD", _) => "get",
        ("DELETE", "") => "deletecollection",
        ("DELETE", _) => "delete",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        _ => "",
    };
    let target = ResourceTarget {
        group: group.into(),
        resource: step(0).into(),
        subresource: step(2).into(),
        namespace: namespace.into(),
        name: step(1).into(),
    };
    Attributes { verb: verb.into(), target: Target::Resource(target) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_method_tell_what_is_wanted() {
        let check = |method: &str, target: &str, expected: &str| {
            let Attributes { verb, target } =
                wish(&HttpRequest { method, target, ..HttpRequest::default() });
            let told = match target {
                Target::Path(path) => format!("{verb} {path}"),
                Target::Resource(r) => format!(
                    "{verb} {}.{}/{} {}/{}",
                    r.resource, r.group, r.subresource, r.namespace, r.name
                ),
            };
            assert_eq!(told, expected);
        };
        check("GET", "/version?x=1", "get /version");
        check("GET", "/apis/apps/v1", "get /apis/apps/v1");
        check("GET", "/api/v1/pods", "list pods./ /");
        check("GET", "/api/v1/namespaces/web/pods?watch=1", "watch pods./ web/");
        check("GET", "/api/v1/namespaces/web", "get namespaces./ web/web");
        check("PUT", "/api/v1/namespaces/web/finalize", "update namespaces./finalize web/web");
        check(
            "DELETE",
            "/apis/apps/v1/namespaces/web/deployments",
            "deletecollection deployments.apps/ web/",
        );
        check(
            "PATCH",
            "/apis/apps/v1/namespaces/web/deployments/a/scale",
            "patch deployments.apps/scale web/a",
        );
        check("POST", "/apis/x/v1/foos", "create foos.x/ /");
    }
}
