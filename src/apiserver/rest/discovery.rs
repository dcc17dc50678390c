//! What a client asks before it asks for anything: which groups, versions and resources there are.
//!
//! Source: `k8s.io/apiserver/pkg/endpoints/discovery`; the aggregated form is KEP-3352's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::HttpResponse;
use crate::api::Subresource;
use crate::apiserver::resource::Resource;
use crate::apiserver::server::Server;
use crate::object::GroupVersionKind;

/// The version that the model answers as.
const VERSION: (&str, &str) = ("1", "36");

/// The verbs of every resource that is kept.
static VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// What is not kept can only be created.
fn verbs(resource: &Resource) -> &'static [&'static str] {
    if resource.stored { &VERBS } else { &VERBS[..1] }
}

/// Which of the two forms a client wants.
const AGGREGATED: &str = "g=apidiscovery.k8s.io";

/// Answers a path above the resources that takes any method: those that no REST framework serves.
pub(super) fn anyhow(server: &Server, path: &str, accept: &str) -> Option<HttpResponse> {
    let body = match steps(path).as_slice() {
        [] => paths(server),
        ["apis"] if accept.contains(AGGREGATED) => aggregate(server, |group| !group.is_empty()),
        ["apis"] => groups(server),
        ["apis", group] => return Some(one_group(server, group)),
        _ => return None,
    };
    Some(HttpResponse::json(200, body))
}

fn steps(path: &str) -> Vec<&str> {
    path.strip_suffix('/').unwrap_or(path).split('/').skip(1).collect()
}

/// Every path above the resources.
fn paths(server: &Server) -> Value {
    let mut paths: Vec<String> = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2"]
        .into_iter()
        .chain(["/openapi/v3", "/readyz", "/version"])
        .map(str::to_owned)
        .collect();
    for (group, versions) in versions(server).into_iter().filter(|(group, _)| !group.is_empty()) {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    paths.sort();
    json!({ "paths": paths })
}

/// Answers any other path above the resources; `None` for those of resources.
pub(super) fn answer(server: &Server, path: &str, accept: &str) -> Option<HttpResponse> {
    let aggregated = accept.contains(AGGREGATED);
    let body = match steps(path).as_slice() {
        ["version"] => version(),
        ["api"] if aggregated => aggregate(server, |group| group.is_empty()),
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"]}),
        ["api", version] => return Some(resources(server, "", version)),
        ["apis", group, version] => return Some(resources(server, group, version)),
        _ => return None,
    };
    Some(HttpResponse::json(200, body))
}

fn version() -> Value {
    let (major, minor) = VERSION;
    let text = format!("v{major}.{minor}.0+driftlab");
    json!({"major": major, "minor": minor, "gitVersion": text, "platform": "driftlab/model"})
}

/// Groups with their versions, the preferred one first.
fn versions(server: &Server) -> BTreeMap<&str, Vec<&str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for resource in server.resources.iter() {
        let versions = groups.entry(&resource.gvk.group).or_default();
        if !versions.contains(&&*resource.gvk.version) {
            versions.push(&resource.gvk.version);
        }
    }
    for versions in groups.values_mut() {
        versions.sort_by_key(|version| {
            std::cmp::Reverse(crate::apiserver::resource::maturity(version))
        });
    }
    groups
}

fn groups(server: &Server) -> Value {
    let groups = versions(server).into_iter().filter(|(group, _)| !group.is_empty());
    let groups: Vec<Value> = groups.map(|(group, versions)| group_of(group, &versions)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn one_group(server: &Server, group: &str) -> HttpResponse {
    let Some(versions) = versions(server).remove(group).filter(|_| !group.is_empty()) else {
        return HttpResponse::page_not_found();
    };
    let mut body = group_of(group, &versions);
    body["kind"] = "APIGroup".into();
    body["apiVersion"] = "v1".into();
    HttpResponse::json(200, body)
}

fn group_of(group: &str, versions: &[&str]) -> Value {
    let version =
        |version: &&str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let all: Vec<Value> = versions.iter().map(version).collect();
    json!({"name": group, "versions": all, "preferredVersion": versions.first().map(version)})
}

fn resources(server: &Server, group: &str, version: &str) -> HttpResponse {
    let all: Vec<Value> =
        server.resources.of_version(group, version).flat_map(|resource| listed(resource)).collect();
    if all.is_empty() {
        return HttpResponse::page_not_found();
    }
    let group_version =
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let body = json!({
        "kind": "APIResourceList", "apiVersion": "v1",
        "groupVersion": group_version, "resources": all,
    });
    HttpResponse::json(200, body)
}

/// A resource and its subresources, one entry each.
fn listed(resource: &Resource) -> Vec<Value> {
    let mut own = json!({
        "name": resource.plural, "singularName": resource.singular,
        "namespaced": resource.namespaced, "kind": resource.gvk.kind, "verbs": verbs(resource),
    });
    for (field, names) in
        [("shortNames", &resource.short_names), ("categories", &resource.categories)]
    {
        if !names.is_empty() {
            own[field] = json!(names);
        }
    }
    let part = |part: Part| {
        let mut entry = json!({
            "name": format!("{}/{}", resource.plural, part.name), "singularName": "",
            "namespaced": resource.namespaced, "kind": part.kind.kind, "verbs": part.verbs,
        });
        if (&part.kind.group, &part.kind.version) != (&resource.gvk.group, &resource.gvk.version) {
            entry["group"] = json!(part.kind.group);
            entry["version"] = json!(part.kind.version);
        }
        entry
    };
    std::iter::once(own).chain(parts(resource).map(part)).collect()
}

/// A subresource: its name, what it takes and gives, and its verbs.
struct Part {
    name: &'static str,
    kind: GroupVersionKind,
    verbs: Vec<&'static str>,
}

/// What a pod's kubelet is asked for, and its verbs.
const STREAMS: [(&str, &str, &[&str]); 4] = [
    ("attach", "PodAttachOptions", &["create", "get"]),
    ("exec", "PodExecOptions", &["create", "get"]),
    ("log", "Pod", &["get"]),
    ("portforward", "PodPortForwardOptions", &["create", "get"]),
];

fn parts(resource: &Resource) -> impl Iterator<Item = Part> {
    let streams = STREAMS.iter().filter(|_| resource.is("", "Pod"));
    let streams = streams.map(|(name, kind, verbs)| Part {
        name,
        kind: GroupVersionKind::new("v1", kind),
        verbs: verbs.to_vec(),
    });
    stored_parts(resource).chain(streams)
}

fn stored_parts(resource: &Resource) -> impl Iterator<Item = Part> {
    let names = ["status", "scale", "finalize", "binding", "eviction", "token"];
    names.into_iter().filter_map(|name| {
        let (subresource, kind) = match name {
            "status" => (Subresource::Status, resource.gvk.clone()),
            "scale" => (Subresource::Scale, GroupVersionKind::new("autoscaling/v1", "Scale")),
            "binding" => (Subresource::Other(name.into()), GroupVersionKind::new("v1", "Binding")),
            "eviction" => {
                (Subresource::Other(name.into()), GroupVersionKind::new("policy/v1", "Eviction"))
            }
            "token" => {
                let kind = GroupVersionKind::new("authentication.k8s.io/v1", "TokenRequest");
                (Subresource::Other(name.into()), kind)
            }
            other => (Subresource::Other(other.into()), resource.gvk.clone()),
        };
        let verbs = resource.verbs_of(&subresource)?.iter().copied();
        // An apply is a patch to RBAC and to discovery.
        Some(Part { name, kind, verbs: verbs.filter(|verb| *verb != "apply").collect() })
    })
}

/// `APIGroupDiscoveryList`: everything in one answer.
fn aggregate(server: &Server, wanted: impl Fn(&str) -> bool) -> Value {
    let groups = versions(server).into_iter().filter(|(group, _)| wanted(group));
    let items = groups.map(|(group, versions)| {
        let versions: Vec<Value> = versions
            .into_iter()
            .map(|version| {
                let all = server.resources.of_version(group, version);
                let resources: Vec<Value> = all.map(|resource| aggregated(resource)).collect();
                json!({"version": version, "resources": resources, "freshness": "Current"})
            })
            .collect();
        let metadata = if group.is_empty() {
            json!({"creationTimestamp": null})
        } else {
            json!({"name": group, "creationTimestamp": null})
        };
        json!({"metadata": metadata, "versions": versions})
    });
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": items.collect::<Vec<_>>(),
    })
}

fn aggregated(resource: &Resource) -> Value {
    let kind = |kind: &GroupVersionKind| json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let part = |part: Part| json!({"subresource": part.name, "responseKind": kind(&part.kind), "verbs": part.verbs});
    let parts: Vec<Value> = parts(resource).map(part).collect();
    let mut entry = json!({
        "resource": resource.plural, "responseKind": kind(&resource.gvk),
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular, "verbs": verbs(resource),
    });
    let lists = [
        ("shortNames", json!(resource.short_names)),
        ("categories", json!(resource.categories)),
        ("subresources", json!(parts)),
    ];
    for (field, list) in lists {
        if list.as_array().is_some_and(|list| !list.is_empty()) {
            entry[field] = list;
        }
    }
    entry
}
