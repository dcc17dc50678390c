//! The faces of an API server: what speaks HTTP on a port, a service in process, plain functions.

use std::time::Duration as Span;

use driftlab::api::Caller;
use driftlab::apiserver::{Server, Users, rest};
use driftlab::serve::{Model, Options, Pace, Serving, kubeconfig};
use driftlab::sim::World;
use driftlab::time::{Duration, Timestamp};
use driftlab_tests::exchange::{header, json_of, media_type, text};
use http_body_util::BodyExt;
use kube::client::{Body, Client};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

/// What a request came to: `status`, `body` and `warnings`, as a transcript has them.
pub(crate) type Answer = Value;

/// How much of the world's time a request takes, so that times differ.
const STEP: Duration = Duration::from_secs(2);

/// Somebody who answers requests.
pub(crate) enum Face {
    /// Over HTTP, or as if; with the model behind it, whose time is made to pass.
    Client(Client, Option<Model>),
    /// The plain functions.
    Functions(Box<Server>, Timestamp),
}

impl Face {
    pub(crate) fn in_process(world: &World) -> Self {
        Face::Functions(Box::new(world.server().clone()), world.now())
    }

    pub(crate) fn service(world: &World) -> Self {
        let model = Model::new(world.clone(), Options { pace: Pace::MANUAL, ..Options::default() });
        Face::Client(Client::new(model.clone(), "default"), Some(model))
    }

    /// Behind a port, for as long as the runtime runs.
    pub(crate) async fn port(world: &World) -> Self {
        let model = Model::new(world.clone(), Options { pace: Pace::MANUAL, ..Options::default() });
        let serving = Serving::open(model.clone(), ([127, 0, 0, 1], 0).into());
        let serving = serving.await.expect("a free port");
        let url = format!("http://{}", serving.addr().expect("an address"));
        tokio::spawn(serving.run(|_, _| {}));
        let config = kubeconfig(&url, "", &Users::default());
        let config = Kubeconfig::from_yaml(&config).expect("a kubeconfig");
        Face::Client(client(config).await, Some(model))
    }

    /// A real server.
    pub(crate) async fn oracle(path: &str) -> Self {
        let config = Kubeconfig::read_from(path).expect("DRIFTLAB_ORACLE names a kubeconfig");
        Face::Client(client(config).await, None)
    }

    /// Puts a request, as a transcript has it.
    pub(crate) async fn ask(&mut self, request: &Value) -> Answer {
        match self {
            Face::Client(client, model) => loop {
                let answer = send(client, request, model.as_ref()).await;
                let until = &request["until"]["status"];
                if model.is_some() || until.is_null() || answer["status"] == *until {
                    return answer;
                }
                tokio::time::sleep(Span::from_millis(50)).await;
            },
            Face::Functions(server, now) => {
                let answer = ask(server, *now, request);
                *now += STEP;
                answer
            }
        }
    }
}

async fn client(config: Kubeconfig) -> Client {
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await;
    let mut config = config.expect("a usable kubeconfig");
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}

fn body_of(request: &Value) -> Vec<u8> {
    match &request["body"] {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    }
}

fn agent(request: &Value) -> &str {
    request["agent"].as_str().unwrap_or("probe/1.0")
}

fn ask(server: &mut Server, now: Timestamp, request: &Value) -> Answer {
    let body = body_of(request);
    let http = rest::HttpRequest {
        method: text(&request["method"]),
        target: text(&request["path"]),
        content_type: media_type(request, &body),
        accept: "application/json",
        body: &body,
    };
    let mut caller = Caller::new("admin", agent(request));
    caller.groups = vec!["system:masters".into(), "system:authenticated".into()];
    let answer = rest::answer(server, now, &caller, &http);
    let warnings: Vec<String> = answer.warnings.iter().map(|w| header(w)).collect();
    json!({"status": answer.code, "body": json_of(answer.body), "warnings": warnings})
}

/// Sends a request; once the answer begins, time passes, which ends a watch.
async fn send(client: &Client, request: &Value, model: Option<&Model>) -> Answer {
    let body = body_of(request);
    let mut parts = http::Request::builder()
        .method(text(&request["method"]))
        .uri(text(&request["path"]))
        .header("accept", "application/json")
        .header("user-agent", agent(request));
    if !body.is_empty() {
        parts = parts.header("content-type", media_type(request, &body));
    }
    let sent = client.send(parts.body(Body::from(body)).expect("a request")).await;
    let (parts, body) = sent.expect("it answers").into_parts();
    if let Some(model) = model {
        model.pass(STEP);
    }
    let body = body.collect().await.expect("it answers to the end").to_bytes();
    let warnings = parts.headers.get_all("warning").iter();
    let warnings: Vec<&str> = warnings.map(|w| unquoted(w.to_str().expect("a text"))).collect();
    json!({"status": parts.status.as_u16(), "body": json_in(&body), "warnings": warnings})
}

fn unquoted(warning: &str) -> &str {
    warning.strip_prefix("299 - \"").and_then(|w| w.strip_suffix('"')).unwrap_or(warning)
}

/// A body as the transcripts have it: JSON, the events of a watch, or a text.
fn json_in(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let events = || lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
    serde_json::from_str(&text)
        .or_else(|_| events().map(|events| json!({ "watch": events })))
        .unwrap_or_else(|_| json!({"text": text.trim()}))
}
