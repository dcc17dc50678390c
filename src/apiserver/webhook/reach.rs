//! The call: from a configuration's `clientConfig` to who answers, or to why nobody does.

use serde_json::Value;

use super::act::{Act, Answer, Review};
use super::{Address, Hook, Webhook};
use crate::apiserver::server::Server;
use crate::object::{LabelSelector, Object};

/// Asks whoever a webhook leads to.
///
/// # Errors
///
/// Why the call failed, as a real server words it.
pub(in crate::apiserver) fn reach(
    server: &Server,
    hook: &Hook<'_>,
    review: &Review<'_>,
) -> Result<Answer, String> {
    let client = hook.client();
    let (url, found) = match client["url"].as_str() {
        Some(url) => (with_path(url), by_url(server, url)),
        None => by_service(server, &client["service"]),
    };
    let posted = |why: &str| format!("Post \"{}?timeout={}s\": {why}", url, hook.timeout());
    let answer = match found {
        Ok(Some(webhook)) => Act::answer(&webhook.does, review),
        Ok(None) => Answer::Failed(404),
        Err(why) => return Err(posted(&why)),
    };
    match answer {
        Answer::Hangs => Err(posted("context deadline exceeded")),
        Answer::Failed(code) => Err(http_error(code)),
        answer => Ok(answer),
    }
}

/// Who answers at a URL; nobody, where somebody else does at the same host.
fn by_url<'s>(server: &'s Server, url: &str) -> Result<Option<&'s Webhook>, String> {
    let urls = || {
        server.webhooks.iter().filter_map(|webhook| match &webhook.address {
            Address::Url(at) => Some((at.as_str(), webhook)),
            Address::Service { .. } => None,
        })
    };
    let is_at = |at: &str| at.trim_end_matches('/') == url.trim_end_matches('/');
    let found = urls().find(|(at, _)| is_at(at));
    if let Some((_, webhook)) = found
        && !server.webhooks.is_down(webhook)
    {
        return Ok(Some(webhook));
    }
    let here = host(url);
    if urls().any(|(at, webhook)| host(at) == here && !server.webhooks.is_down(webhook)) {
        return Ok(None);
    }
    let (name, port) = here.rsplit_once(':').unwrap_or((here, "443"));
    let is_address = name.starts_with(|c: char| c.is_ascii_digit() || c == '[');
    if is_address || found.is_some() {
        return Err(format!("dial tcp {name}:{port}: connect: connection refused"));
    }
    Err(format!("dial tcp: lookup {name}: no such host"))
}

/// A URL that has a path.
fn with_path(url: &str) -> String {
    let bare = !url.strip_prefix("https://").unwrap_or(url).contains('/');
    if bare { format!("{url}/") } else { url.to_owned() }
}

/// Host and port of a URL.
fn host(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The URL that a service stands for, and who answers there. (`ResolveCluster` of
/// `k8s.io/apiserver/pkg/util/proxy`.)
fn by_service<'s>(
    server: &'s Server,
    service: &Value,
) -> (String, Result<Option<&'s Webhook>, String>) {
    let text = |field: &str| service[field].as_str().unwrap_or_default();
    let (namespace, name) = (text("namespace"), text("name"));
    let path = if text("path").is_empty() { "/" } else { text("path") };
    let port = service["port"].as_i64().unwrap_or(443);
    let url = format!("https://{name}.{namespace}.svc:{port}{path}");
    let Some(there) = server.store.get("/Service", &format!("{namespace}/{name}")) else {
        return (url, Err(format!("service {name:?} not found")));
    };
    let found = entrance(there, port).and_then(|address| {
        let answering = server.webhooks.iter().filter(|webhook| {
            let is_here = matches!(&webhook.address,
                Address::Service { namespace: ns, name: n, .. } if ns == namespace && n == name);
            is_here && !server.webhooks.is_down(webhook)
        });
        let answering: Vec<&Webhook> = answering.collect();
        if answering.is_empty() || !has_ready_pods(server, there) {
            return Err(format!("dial tcp {address}: connect: connection refused"));
        }
        let is_at = |webhook: &&&Webhook| {
            matches!(&webhook.address, Address::Service { path: p, .. } if p.is_empty() || p == path)
        };
        Ok(answering.iter().find(is_at).copied())
    });
    (url, found)
}

/// Address and port behind which a service's pods are.
fn entrance(service: &Object, port: i64) -> Result<String, String> {
    let address = service.text("spec.clusterIP");
    if address == "None" {
        return Err("cannot route to service with ClusterIP \"None\"".into());
    }
    let ports = service.get("spec.ports").and_then(Value::as_array);
    if !ports.into_iter().flatten().any(|given| given["port"] == port) {
        return Err(format!("no service port {port} found for service {:?}", service.name()));
    }
    Ok(format!("{address}:{port}"))
}

/// Whether one of the pods that a service selects is ready. One that selects none leads to what is
/// outside the cluster.
fn has_ready_pods(server: &Server, service: &Object) -> bool {
    let Some(labels) = service.get("spec.selector").and_then(Value::as_object) else { return true };
    let labels = labels.iter().map(|(key, value)| (&**key, value.as_str().unwrap_or_default()));
    let selector = LabelSelector::from_labels(labels);
    let is_ready = |pod: &Object| {
        let conditions = pod.get("status.conditions").and_then(Value::as_array);
        conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
    };
    selector.is_everything()
        || server.objects_of("", "Pod").any(|pod| {
            pod.namespace() == service.namespace() && selector.matches(pod) && is_ready(pod)
        })
}

/// An answer that is no review, in the words of the client library.
fn http_error(code: u16) -> String {
    match code {
        400 | 405 | 406 | 409 | 415 | 422 => {
            "the server rejected our request for an unknown reason".into()
        }
        403 => "unknown".into(),
        429 => {
            "the server has received too many requests and has asked us to try again later".into()
        }
        401 => "the server has asked for the client to provide credentials".into(),
        404 => "the server could not find the requested resource".into(),
        500.. if code != 503 => {
            "an error on the server (\"unknown\") has prevented the request from succeeding".into()
        }
        503 => "the server is currently unable to handle the request".into(),
        code => format!(
            "the server responded with the status code {code} but did not return more information"
        ),
    }
}
