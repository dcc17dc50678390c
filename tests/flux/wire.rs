//! Requests as they stand in the stories: method, path, body.

use driftlab::api::{
    ApiRequest, ApiResponse, Body, Caller, DeleteOptions, Patch, Propagation, Status, Subresource,
    Verb, WriteOptions,
};
use driftlab::object::{GroupVersionKind, Object};
use serde_json::{Value, json};

/// The kinds that stories name by path.
const KINDS: [(&str, &str); 17] = [
    ("configmaps", "ConfigMap"),
    ("secrets", "Secret"),
    ("services", "Service"),
    ("serviceaccounts", "ServiceAccount"),
    ("persistentvolumeclaims", "PersistentVolumeClaim"),
    ("namespaces", "Namespace"),
    ("events", "Event"),
    ("deployments", "Deployment"),
    ("statefulsets", "StatefulSet"),
    ("jobs", "Job"),
    ("cronjobs", "CronJob"),
    ("roles", "Role"),
    ("rolebindings", "RoleBinding"),
    ("clusterroles", "ClusterRole"),
    ("ingresses", "Ingress"),
    ("customresourcedefinitions", "CustomResourceDefinition"),
    ("kustomizations", "Kustomization"),
];

/// A cluster admin, with the User-Agent of a program.
pub(crate) fn admin(agent: &str) -> Caller {
    let groups = vec!["system:masters".into(), "system:authenticated".into()];
    Caller { groups, ..Caller::new("admin", agent) }
}

/// The request that a method, a path with its query, a body and the name of its media type make.
pub(crate) fn request(method: &str, path: &str, body: Option<&Value>, media: &str) -> ApiRequest {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let place = Place::of(path);
    let options = WriteOptions {
        field_manager: parameter(query, "fieldManager").into(),
        force: parameter(query, "force") == "true",
        ..WriteOptions::default()
    };
    let body = body.cloned().unwrap_or(Value::Null);
    let selector =
        || parameter(query, "labelSelector").replace("%3D", "=").parse().expect("a selector");
    let mut request = match method {
        "GET" if place.name.is_empty() => {
            ApiRequest::list(&place.kind, &place.namespace, selector())
        }
        "GET" => ApiRequest::get(&place.kind, &place.namespace, &place.name),
        "POST" => ApiRequest::create(place.object(body), options),
        "DELETE" => ApiRequest::delete(&place.kind, &place.namespace, &place.name, deletion(&body)),
        "PATCH" => {
            let patch = match media {
                "merge" => Patch::Merge(body),
                "strategic" => Patch::Strategic(body),
                "apply" => Patch::Apply(body),
                _ => Patch::Json(body),
            };
            ApiRequest::patch(&place.kind, &place.namespace, &place.name, patch, options)
        }
        method => panic!("no story says {method}"),
    };
    if let Verb::Create(..) = request.verb {
        request.namespace = place.namespace.clone();
    }
    request.subresource = place.subresource;
    request
}

/// An answer as HTTP gives it: the status code and the body.
pub(crate) fn answer(answer: Result<ApiResponse, Status>) -> (u16, Value) {
    match answer {
        Err(status) => (status.code, status.to_value()),
        Ok(ApiResponse { code, body, .. }) => (
            code,
            match body {
                Body::Object(object) => object.into_value(),
                Body::List(list) => {
                    let items: Vec<Value> =
                        list.items.into_iter().map(Object::into_value).collect();
                    json!({ "items": items })
                }
                Body::Status(status) => status.to_value(),
                other => panic!("no story asks for {other:?}"),
            },
        ),
    }
}

struct Place {
    kind: GroupVersionKind,
    namespace: String,
    name: String,
    subresource: Option<Subresource>,
}

impl Place {
    fn of(path: &str) -> Self {
        let mut steps = path.trim_matches('/').split('/');
        let api = match steps.next() {
            Some("api") => steps.next().unwrap_or_default().to_owned(),
            _ => {
                format!("{}/{}", steps.next().unwrap_or_default(), steps.next().unwrap_or_default())
            }
        };
        let rest: Vec<&str> = steps.collect();
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let plural = rest.first().copied().unwrap_or_default();
        let kind = match plural {
            "gitrepositories" => "GitRepository",
            plural => KINDS.iter().find(|(p, _)| *p == plural).map_or("Unknown", |(_, kind)| *kind),
        };
        let subresource = rest.get(2).map(|sub| match *sub {
            "status" => Subresource::Status,
            "scale" => Subresource::Scale,
            other => Subresource::Other(other.into()),
        });
        Place {
            kind: GroupVersionKind::new(&api, kind),
            namespace: namespace.into(),
            name: rest.get(1).copied().unwrap_or_default().into(),
            subresource,
        }
    }

    fn object(&self, body: Value) -> Object {
        let mut object = Object::from_value(body).expect("stories create objects");
        if !self.namespace.is_empty() {
            object.set("metadata.namespace", self.namespace.clone());
        }
        object
    }
}

fn deletion(body: &Value) -> DeleteOptions {
    let propagation = match body["propagationPolicy"].as_str() {
        Some("Background") => Some(Propagation::Background),
        Some("Foreground") => Some(Propagation::Foreground),
        Some("Orphan") => Some(Propagation::Orphan),
        _ => None,
    };
    DeleteOptions { propagation, ..DeleteOptions::default() }
}

fn parameter<'a>(query: &'a str, name: &str) -> &'a str {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}
