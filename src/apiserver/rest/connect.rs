//! What a kubelet would answer: the logs of a container, and commands, terminals and ports in it.
//!
//! The containers of the model run nothing, and nobody listens on its nodes: who asks reads what a real server says
//! when it finds a node's kubelet gone. Source: `pkg/registry/core/pod/strategy.go` of Kubernetes.

use super::query::{Query, decoded};
use super::{HttpRequest, HttpResponse};
use crate::api::Status;
use crate::apiserver::refusal;
use crate::apiserver::server::Server;
use crate::object::{GroupVersionKind, Object, ObjectRef};

/// What can be asked of a pod: its name in paths, what a kubelet calls it, and whether it changes nothing.
const ASKED: [(&str, &str, bool); 4] = [
    ("log", "containerLogs", true),
    ("exec", "exec", false),
    ("attach", "attach", false),
    ("portforward", "portForward", false),
];

/// The parameters of the streams, as a kubelet calls them; those of logs have the same names there.
const STREAMS: [(&str, &str); 5] = [
    ("command", "command"),
    ("stderr", "error"),
    ("stdin", "input"),
    ("stdout", "output"),
    ("tty", "tty"),
];
const LOGS: [&str; 8] = [
    "follow",
    "limitBytes",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "stream",
    "tailLines",
    "timestamps",
];

/// The answer to a request for something that happens in a pod; `None` for any other.
pub(super) fn answer(server: &Server, request: &HttpRequest<'_>) -> Option<HttpResponse> {
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let path = decoded(path, false);
    let steps: Vec<&str> = path.split('/').skip(1).collect();
    let ["api", "v1", "namespaces", namespace, "pods", name, asked] = *steps.as_slice() else {
        return None;
    };
    let (_, called, reads) = ASKED.iter().find(|(named, ..)| *named == asked)?;
    let taken = matches!(request.method, "GET" | "HEAD") || !reads && request.method == "POST";
    let wish = Wish { server, namespace, name, asked, called, query };
    let answered = if taken { wish.answer() } else { Err(refusal::method_not_allowed()) };
    Some(answered.unwrap_or_else(HttpResponse::from))
}

struct Wish<'a> {
    server: &'a Server,
    namespace: &'a str,
    name: &'a str,
    asked: &'a str,
    called: &'a str,
    query: &'a str,
}

impl Wish<'_> {
    fn answer(&self) -> Result<HttpResponse, Status> {
        let pod = self.find("Pod", self.namespace, self.name)?;
        let container = match self.asked {
            "portforward" => String::new(),
            _ => format!("/{}", container(pod, Query::read(self.query).get("container"))?),
        };
        let node = pod.text("spec.nodeName");
        if node.is_empty() && self.asked == "log" {
            return Ok(HttpResponse::text(200, ""));
        }
        if node.is_empty() {
            let why = format!("pod {} does not have a host assigned", self.name);
            return Err(refusal::bad_request(why));
        }
        let host = address(self.find("Node", "", node)?).ok_or_else(|| {
            refusal::internal("no preferred addresses found; known addresses: []")
        })?;
        let Wish { namespace, name, called, .. } = self;
        let query = Some(self.passed_on()).filter(|query| !query.is_empty());
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let url = format!("https://{host}/{called}/{namespace}/{name}{container}{query}");
        let refused = format!("\"{url}\": dial tcp {host}: connect: connection refused");
        Err(match self.asked {
            "log" => refusal::internal(format!("Get {refused}")),
            _ => refusal::internal_error(&format!("error sending request: Post {refused}")),
        })
    }

    /// An object on the way to the kubelet; whatever is missing is said to be a pod.
    fn find(&self, kind: &str, namespace: &str, name: &str) -> Result<&Object, Status> {
        let found = self.server.get(&ObjectRef::new("", kind, namespace, name));
        let pods = self.server.resource(&GroupVersionKind::new("v1", "Pod"))?;
        found.ok_or_else(|| refusal::not_found(&pods, name))
    }

    /// The parameters as the kubelet gets them, in their order.
    fn passed_on(&self) -> String {
        let renamed = |pair: &&str| -> Option<String> {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if self.asked == "log" {
                return LOGS.contains(&name).then(|| (*pair).to_owned());
            }
            let (_, called) = STREAMS.iter().find(|(own, _)| *own == name)?;
            match (name, value) {
                ("command", _) => Some((*pair).to_owned()),
                (_, "false" | "0") => None,
                _ => Some(format!("{called}=1")),
            }
        };
        let mut pairs: Vec<String> =
            self.query.split('&').collect::<Vec<_>>().iter().filter_map(renamed).collect();
        let name = |pair: &String| pair.split('=').next().unwrap_or_default().to_owned();
        pairs.sort_by_key(name);
        pairs.join("&")
    }
}

/// The container that is meant: the one that is named, or the only one there is.
fn container(pod: &Object, named: &str) -> Result<String, Status> {
    let names = |field: &str| -> Vec<String> {
        let all = pod.get(field).and_then(|list| list.as_array()).into_iter().flatten();
        all.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
    };
    let (own, before) = (names("spec.containers"), names("spec.initContainers"));
    if let ("", [only], []) = (named, own.as_slice(), before.as_slice()) {
        return Ok(only.clone());
    }
    let others = names("spec.ephemeralContainers");
    if own.iter().chain(&before).chain(&others).any(|name| name == named) {
        return Ok(named.to_owned());
    }
    let pod = pod.name();
    Err(refusal::bad_request(match named {
        "" => {
            let before = match before.as_slice() {
                [] => String::new(),
                some => format!(" or one of the init containers: [{}]", some.join(" ")),
            };
            let own = own.join(" ");
            format!(
                "a container name must be specified for pod {pod}, choose one of: [{own}]{before}"
            )
        }
        named => format!("container {named} is not valid for pod {pod}"),
    }))
}

/// Where a node's kubelet would listen.
fn address(node: &Object) -> Option<String> {
    let all = node.get("status.addresses").and_then(|list| list.as_array());
    let address = all?.iter().find(|address| address["type"] == "InternalIP")?;
    let given = node.int("status.daemonEndpoints.kubeletEndpoint.Port");
    let port = given.filter(|port| *port > 0).unwrap_or(10250);
    Some(format!("{}:{port}", address["address"].as_str()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{ApiRequest, Caller, Subresource, WriteOptions};
    use crate::time::Timestamp;

    fn server() -> Server {
        let mut server = Server::new();
        let pod = |name: &str, node: &str, containers: &[&str]| {
            let mut pod = Object::new("v1", "Pod", "default", name);
            let containers = containers.iter().map(|name| json!({"name": name, "image": "x"}));
            pod.set(
                "spec",
                json!({"nodeName": node, "containers": containers.collect::<Vec<_>>()}),
            );
            pod
        };
        let mut node = Object::new("v1", "Node", "", "n1");
        let addresses = json!([{"type": "InternalIP", "address": "10.0.0.1"}]);
        node.set("status", json!({"addresses": addresses}));
        let objects = [
            node,
            pod("free", "", &["a", "b"]),
            pod("lost", "n2", &["a"]),
            pod("run", "n1", &["a"]),
        ];
        let status = ApiRequest::update(objects[0].clone(), WriteOptions::default());
        let creates = objects.map(|object| ApiRequest::create(object, WriteOptions::default()));
        for request in creates.into_iter().chain([status.to(Subresource::Status)]) {
            server.handle(Timestamp::START, &Caller::default(), request).unwrap();
        }
        server
    }

    #[test]
    fn whatever_happens_in_a_pod_is_answered_as_when_its_kubelet_is_gone() {
        let server = server();
        let check = |method: &str, below: &str, code: u16, message: &str| {
            let target = format!("/api/v1/namespaces/default/pods/{below}");
            let request = HttpRequest { method, target: &target, ..HttpRequest::default() };
            let answer = answer(&server, &request).unwrap();
            let told = match answer.body {
                super::super::HttpBody::Json(value) => value["message"].as_str().map(str::to_owned),
                _ => None,
            };
            assert_eq!(
                (answer.code, told.unwrap_or_default().as_str()),
                (code, message),
                "{below}"
            );
        };
        check(
            "GET",
            "free/log",
            400,
            "a container name must be specified for pod free, choose one of: [a b]",
        );
        check("GET", "free/log?container=a", 200, "");
        check("GET", "free/log?container=z", 400, "container z is not valid for pod free");
        check("GET", "free/exec?container=a", 400, "pod free does not have a host assigned");
        check("GET", "lost/log", 404, "pods \"n2\" not found");
        check("GET", "none/log", 404, "pods \"none\" not found");
        check(
            "POST",
            "run/log",
            405,
            "the server does not allow this method on the requested resource",
        );
        let refused = "dial tcp 10.0.0.1:10250: connect: connection refused";
        check(
            "GET",
            "run/log?tailLines=5&follow=true&x=1",
            500,
            &format!(
                "Get \"https://10.0.0.1:10250/containerLogs/default/run/a?follow=true&tailLines=5\": {refused}"
            ),
        );
        check(
            "POST",
            "run/exec?stdout=true&command=ls&command=%2F&stderr=true&stdin=false",
            500,
            &format!(
                "Internal error occurred: error sending request: Post \"https://10.0.0.1:10250/exec/default/run/a?command=ls&command=%2F&error=1&output=1\": {refused}"
            ),
        );
        check(
            "POST",
            "run/portforward",
            500,
            &format!(
                "Internal error occurred: error sending request: Post \"https://10.0.0.1:10250/portForward/default/run\": {refused}"
            ),
        );
    }
}
