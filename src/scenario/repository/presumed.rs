//! What a repository presumes of its cluster: the definitions of the custom resources that it uses and
//! does not bring. On a real cluster Helm charts and operators install them, which is not modelled.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::apiserver::Server;
use crate::object::{GroupVersionKind, Object};
use crate::sim::World;

/// A kind that is used, and how.
#[derive(Default)]
struct Used {
    versions: BTreeSet<String>,
    in_namespaces: bool,
}

/// Definitions that accept whatever is written, one for each custom kind that is used and neither known
/// nor defined.
pub(super) fn definitions(objects: &[Object]) -> Vec<Object> {
    let known = Known::of(objects);
    let mut used: BTreeMap<(String, String), Used> = BTreeMap::new();
    for object in objects {
        let GroupVersionKind { group, version, kind } = object.gvk();
        if known.has(&group, &kind) {
            continue;
        }
        let used = used.entry((group, kind)).or_default();
        used.versions.insert(version);
        used.in_namespaces |= !object.namespace().is_empty();
    }
    used.iter().map(|((group, kind), used)| definition(group, kind, used)).collect()
}

/// Kinds of which nothing is presumed.
struct Known {
    /// The API server's own groups: a kind or version that is not in them is a mistake.
    groups: BTreeSet<String>,
    kinds: BTreeSet<(String, String)>,
}

impl Known {
    fn of(objects: &[Object]) -> Self {
        let server = Server::new();
        let world = World::builder().nodes(0).build();
        let installed = world.server().resources().map(|schema| &schema.gvk);
        let defined = objects
            .iter()
            .filter(|o| o.kind() == "CustomResourceDefinition")
            .map(|o| (o.text("spec.group").to_owned(), o.text("spec.names.kind").to_owned()));
        Known {
            groups: server.resources().map(|schema| schema.gvk.group.clone()).collect(),
            kinds: installed
                .map(|gvk| (gvk.group.clone(), gvk.kind.clone()))
                .chain(defined)
                .collect(),
        }
    }

    fn has(&self, group: &str, kind: &str) -> bool {
        // Files that tools read, and no objects of a cluster.
        const FILES: [&str; 2] = ["kustomize.config.k8s.io", "config.kubernetes.io"];
        !group.contains('.')
            || FILES.contains(&group)
            || self.groups.contains(group)
            || self.kinds.contains(&(group.to_owned(), kind.to_owned()))
    }
}

fn definition(group: &str, kind: &str, used: &Used) -> Object {
    let plural = plural(&kind.to_lowercase());
    let scope =
        if used.in_namespaces || !sounds_cluster_wide(kind) { "Namespaced" } else { "Cluster" };
    let newest = used.versions.last();
    let versions: Vec<Value> =
        used.versions.iter().map(|v| version(v, Some(v) == newest)).collect();
    let name = format!("{plural}.{group}");
    let mut object = Object::new("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", &name);
    // Without it, groups that end in k8s.io are refused.
    object.set(
        "metadata.annotations",
        json!({"api-approved.kubernetes.io": "unapproved, presumed because the repository uses it"}),
    );
    object.set(
        "spec",
        json!({
            "group": group, "scope": scope, "versions": versions,
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural,
                      "singular": kind.to_lowercase()},
        }),
    );
    object
}

fn version(name: &str, is_newest: bool) -> Value {
    json!({
        "name": name, "served": true, "storage": is_newest, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema":
            {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
    })
}

/// By convention, such as in ClusterIssuer, CiliumClusterwideNetworkPolicy and GatewayClass.
fn sounds_cluster_wide(kind: &str) -> bool {
    kind.len() > "Cluster".len() && kind.contains("Cluster") || kind.ends_with("Class")
}

fn plural(word: &str) -> String {
    match word {
        _ if word.ends_with(['s', 'x']) || word.ends_with("ch") => format!("{word}es"),
        _ if word.ends_with('y') && !word.ends_with("ay") && !word.ends_with("ey") => {
            format!("{}ies", &word[..word.len() - 1])
        }
        _ => format!("{word}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(api_version: &str, kind: &str, namespace: &str) -> Object {
        Object::new(api_version, kind, namespace, "x")
    }

    #[test]
    fn what_is_used_and_neither_known_nor_defined_is_presumed() {
        let mut own = object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "");
        own.set("spec", json!({"group": "acme.io", "names": {"kind": "Widget"}}));
        let used = [
            own,
            object("acme.io/v1", "Widget", ""),
            object("cert-manager.io/v1", "ClusterIssuer", ""),
            object("cert-manager.io/v1", "Certificate", ""),
            object("cert-manager.io/v1alpha2", "Certificate", "web"),
            object("gateway.networking.k8s.io/v1", "HTTPRoute", "web"),
            object("apps/v1", "Deployment", "web"),
            object("networking.k8s.io/v1beta1", "Ingress", "web"),
            object("extensions/v1beta1", "Deployment", "web"),
            object("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "web"),
            object("helm.toolkit.fluxcd.io/v2", "HelmRelease", "web"),
            object("kustomize.config.k8s.io/v1beta1", "Kustomization", ""),
        ];
        let told: Vec<String> = definitions(&used)
            .iter()
            .map(|d| format!("{} {}", d.name(), d.text("spec.scope")))
            .collect();
        let expected = [
            "certificates.cert-manager.io Namespaced",
            "clusterissuers.cert-manager.io Cluster",
            "httproutes.gateway.networking.k8s.io Namespaced",
            "helmreleases.helm.toolkit.fluxcd.io Namespaced",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn an_api_server_takes_the_definitions() {
        use crate::api::{ApiRequest, Caller, WriteOptions};
        use crate::time::Timestamp;
        let used = [
            object("gateway.networking.k8s.io/v1", "GatewayClass", ""),
            object("cilium.io/v2", "CiliumNetworkPolicy", "web"),
            object("cilium.io/v2alpha1", "CiliumNetworkPolicy", "web"),
        ];
        let mut server = Server::new();
        for definition in definitions(&used) {
            let options = WriteOptions { field_manager: "test".into(), ..WriteOptions::default() };
            let request = ApiRequest::apply(&definition, options);
            let caller = Caller::new("admin", "test");
            let answer = server.handle(Timestamp::START, &caller, request);
            assert!(answer.is_ok(), "{answer:?}");
        }
    }
}
