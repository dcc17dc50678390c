//! Requests as bytes, one after the other, to a server with something in it: it answers all of them,
//! keeps nothing of what it refuses, and what it keeps it would take again.
//!
//! An input is up to eight requests, a zero byte between them: a line with the method, the path and a word for the
//! media type, and the body on the lines below.

#![no_main]

use std::sync::OnceLock;

use driftlab::api::{ApiRequest, Caller, WriteOptions};
use driftlab::apiserver::rest::{self, HttpRequest, HttpResponse};
use driftlab::apiserver::webhook::Webhook;
use driftlab::apiserver::{Entry, Server};
use driftlab::object::Object;
use driftlab::time::{Duration, Timestamp};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let mut server = furnished().clone();
    let mut now = Timestamp::START;
    for record in data.split(|byte| *byte == 0).take(8) {
        now += Duration::from_secs(1);
        let Some(request) = read(record) else { continue };
        let before = server.clone();
        let answer = rest::answer(&mut server, now, &admin(), &request);
        expect_order(&before, &server, &request, &answer);
    }
    expect_objects_that_are_taken_again(&mut server, now);
});

fn admin() -> Caller {
    let mut caller = Caller::new("admin", "fuzz/1");
    caller.groups.push("system:masters".into());
    caller
}

fn read(record: &[u8]) -> Option<HttpRequest<'_>> {
    let end = record.iter().position(|byte| *byte == b'\n').unwrap_or(record.len());
    let (line, body) = record.split_at(end);
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (content_type, accept) = match words.next().unwrap_or_default() {
        "" => ("", ""),
        "json" => ("application/json", "application/json"),
        "yaml" => ("application/yaml", ""),
        "apply" => ("application/apply-patch+yaml", ""),
        "merge" => ("application/merge-patch+json", ""),
        "strategic" => ("application/strategic-merge-patch+json", ""),
        "jsonpatch" => ("application/json-patch+json", ""),
        "protobuf" => ("application/vnd.kubernetes.protobuf", ""),
        "table" => ("", "application/json;as=Table;v=v1;g=meta.k8s.io"),
        "partial" => ("", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"),
        other => (other, other),
    };
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    Some(HttpRequest { method, target, content_type, accept, body })
}

/// What is refused or only tried leaves everything as it was; every write is the next version.
fn expect_order(before: &Server, after: &Server, request: &HttpRequest<'_>, answer: &HttpResponse) {
    let written: Vec<&Entry> = after.log_since(before.version()).expect("not compacted").collect();
    let mut version = before.version();
    for entry in &written {
        assert!(entry.version > version, "versions rise");
        version = entry.version;
    }
    assert_eq!(after.version(), version, "the log ends at the server's version");
    // A deletion of many stops where one is refused.
    let many = request.method == "DELETE";
    if answer.code >= 400 && !many || request.method == "GET" {
        assert!(written.is_empty(), "{} {} {}", request.method, request.target, answer.code);
        assert_eq!(before.len(), after.len());
    }
}

/// Every object that is new or changed is one that the server would take as it is.
fn expect_objects_that_are_taken_again(server: &mut Server, now: Timestamp) {
    let changed: Vec<_> = server
        .objects()
        .filter(|object| furnished().get(&object.reference()) != Some(object))
        .cloned()
        .collect();
    // A webhook may say otherwise the next time.
    if changed.iter().any(|object| object.kind().contains("Webhook")) {
        return;
    }
    // To a node of any name a pod is bound unlooked at.
    let bound = |object: &&Object| object.kind() == "Pod" && object.get("spec.nodeName").is_some();
    for object in changed.iter().filter(|object| !bound(object)) {
        let name = object.reference();
        assert_eq!(server.get(&name), Some(object), "{name} is found by its name");
        let options =
            WriteOptions { dry_run: true, field_manager: "fuzz".into(), ..WriteOptions::default() };
        let again = server.handle(now, &admin(), ApiRequest::update(object.clone(), options));
        match again {
            Ok(answer) => {
                let kept = answer.into_object().expect("an update answers with the object");
                assert_eq!(kept.get("spec"), object.get("spec"), "{name} stays as it is");
            }
            Err(refused) => panic!("{name} is not taken again: {refused}\n{}", object.as_value()),
        }
    }
}

/// A server with a few objects of most sorts.
fn furnished() -> &'static Server {
    static FURNISHED: OnceLock<Server> = OnceLock::new();
    FURNISHED.get_or_init(|| {
        let mut server = Server::new();
        let webhook = json!({"name": "a", "url": "https://a/b", "does": [
            {"when": {"field": "metadata.labels.deny", "exists": true}, "deny": {"message": "no"}},
            {"set": {"field": "metadata.labels.hooked", "to": "yes"}},
            {"inject": {"container": {"name": "proxy", "image": "proxy:1"}}},
        ]});
        server.add_webhook(serde_json::from_value::<Webhook>(webhook).expect("a webhook"));
        for (path, body) in OBJECTS {
            let request = HttpRequest {
                method: "POST",
                target: path,
                content_type: "application/yaml",
                body: body.as_bytes(),
                ..HttpRequest::default()
            };
            let answer = rest::answer(&mut server, Timestamp::START, &admin(), &request);
            assert_eq!(answer.code, 201, "{path}: {:?}", answer.body);
        }
        server
    })
}

const OBJECTS: &[(&str, &str)] = &[
    ("/api/v1/namespaces", "metadata: {name: team}"),
    ("/api/v1/namespaces/team/configmaps", "metadata: {name: a, finalizers: [x/y]}\ndata: {k: v}"),
    ("/api/v1/namespaces/team/secrets", "metadata: {name: a}\nstringData: {k: v}"),
    (
        "/api/v1/namespaces/team/services",
        "metadata: {name: a}\nspec: {selector: {app: a}, ports: [{port: 80, name: http}]}",
    ),
    (
        "/api/v1/namespaces/team/pods",
        "metadata: {name: a, labels: {app: a}}\nspec: {containers: [{name: c, image: i}]}",
    ),
    (
        "/apis/apps/v1/namespaces/team/deployments",
        "metadata: {name: a}\nspec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: i}]}}}",
    ),
    (
        "/apis/autoscaling/v2/namespaces/team/horizontalpodautoscalers",
        "metadata: {name: a}\nspec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}}",
    ),
    (
        "/apis/policy/v1/namespaces/team/poddisruptionbudgets",
        "metadata: {name: a}\nspec: {minAvailable: 1, selector: {matchLabels: {app: a}}}",
    ),
    (
        "/api/v1/namespaces/team/limitranges",
        "metadata: {name: a}\nspec: {limits: [{type: Container, default: {cpu: 500m}, defaultRequest: {cpu: 100m}}]}",
    ),
    ("/api/v1/namespaces/team/resourcequotas", "metadata: {name: a}\nspec: {hard: {pods: '9'}}"),
    (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "metadata: {name: things.example.com}\nspec: {group: example.com, scope: Namespaced, names: {plural: things, singular: thing, kind: Thing, listKind: ThingList}, versions: [{name: v1, served: true, storage: true, subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {replicas: {type: integer, default: 1}, any: {type: object, x-kubernetes-preserve-unknown-fields: true}, list: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [key], items: {type: object, required: [key], properties: {key: {type: string}, v: {x-kubernetes-int-or-string: true}}}}, set: {type: array, x-kubernetes-list-type: set, items: {type: string}}}}, status: {type: object, properties: {replicas: {type: integer}}}}}}}]}",
    ),
    (
        "/apis/example.com/v1/namespaces/team/things",
        "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: {list: [{key: a, v: 1}], set: [x]}",
    ),
    (
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        "metadata: {name: a}\nwebhooks: [{name: a.example.com, clientConfig: {url: 'https://a/b'}, rules: [{apiGroups: ['*'], apiVersions: ['*'], resources: [deployments, things], operations: ['*']}], sideEffects: None, admissionReviewVersions: [v1], objectSelector: {matchLabels: {hook: 'yes'}}}]",
    ),
];
