//! What a probe and a monitoring system ask: whether the server is well, and what it holds.
//!
//! Source: `k8s.io/apiserver/pkg/server/healthz`.

use std::fmt::Write;

use super::HttpResponse;
use super::query::Query;
use crate::apiserver::server::Server;

/// What can be asked of the server's health by name; clients look for `ping` to see that it is there.
const CHECKS: [&str; 3] = ["ping", "log", "etcd"];

/// Answers `/healthz`, `/livez`, `/readyz`, one check of them, and `/metrics`; `None` for any other path.
pub(super) fn answer(server: &Server, path: &str, query: &str) -> Option<HttpResponse> {
    let steps: Vec<&str> = path.split('/').skip(1).collect();
    let text = match steps.as_slice() {
        [probe @ ("healthz" | "livez" | "readyz")] => health(probe, &Query::read(query)),
        ["healthz" | "livez" | "readyz", check] if CHECKS.contains(check) => "ok".to_owned(),
        ["metrics"] => metrics(server),
        _ => return None,
    };
    Some(HttpResponse::text(200, &text))
}

/// `ok`, or with `verbose` each check by its name.
fn health(probe: &str, query: &Query) -> String {
    if !query.flag("verbose") {
        return "ok".into();
    }
    let passed = CHECKS.map(|check| match query.all("exclude").any(|excluded| excluded == check) {
        true => format!("[+]{check} excluded: ok\n"),
        false => format!("[+]{check} ok\n"),
    });
    format!("{}{probe} check passed\n", passed.concat())
}

/// How many objects there are of each resource, in the text format of Prometheus.
fn metrics(server: &Server) -> String {
    let mut text = String::from(
        "# HELP apiserver_resource_objects How many objects the server holds, by resource.\n# TYPE apiserver_resource_objects gauge\n",
    );
    for kind in server.resources().filter(|kind| kind.gvk == kind.storage) {
        let (group, plural) = (&kind.gvk.group, &kind.plural);
        let count = server.objects_of(group, &kind.gvk.kind).count();
        let labels = format!("group={group:?},resource={plural:?}");
        writeln!(text, "apiserver_resource_objects{{{labels}}} {count}").expect("a string grows");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apiserver::rest::HttpBody;

    fn told(path: &str, query: &str) -> Option<String> {
        match answer(&Server::new(), path, query)?.body {
            HttpBody::Text(text) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn health_is_told_in_a_word_or_check_by_check() {
        let check = |path: &str, query: &str, expected: Option<&str>| {
            assert_eq!(told(path, query).as_deref(), expected, "{path}?{query}");
        };
        check("/readyz", "", Some("ok"));
        check("/livez/ping", "", Some("ok"));
        check("/livez/nothing", "", None);
        check(
            "/readyz",
            "verbose",
            Some("[+]ping ok\n[+]log ok\n[+]etcd ok\nreadyz check passed\n"),
        );
        check(
            "/livez",
            "verbose=1&exclude=etcd",
            Some("[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\nlivez check passed\n"),
        );
    }

    #[test]
    fn metrics_count_what_is_stored() {
        let metrics = told("/metrics", "").unwrap();
        let namespaces = "apiserver_resource_objects{group=\"\",resource=\"namespaces\"} 4\n";
        assert!(metrics.contains(namespaces), "{metrics}");
    }
}
