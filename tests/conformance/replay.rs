//! Puts transcripts to the server in process, and tells how far the answers agree.

use std::fs;
use std::path::Path;

use driftlab::api::Caller;
use driftlab::apiserver::{Server, rest};
use driftlab::time::Timestamp;
use driftlab_tests::exchange::{
    Level, differ, header, json_of, level, media_type, resolve, shown, text,
};
use driftlab_tests::normal::Normal;
use serde_json::{Value, json};

use super::model::{Model, meets};
use super::page::Asked;

/// One exchange replayed.
pub(crate) struct Outcome {
    pub(crate) family: String,
    case: String,
    index: usize,
    request: String,
    pub(crate) asked: Asked,
    pub(crate) level: Level,
    pub(crate) differences: Vec<String>,
}

impl Outcome {
    /// The exchange, as the file of disagreements names it.
    pub(crate) fn label(&self) -> String {
        format!("{}#{} {}", self.case, self.index, self.request)
    }
}

/// Replays the cases whose name contains `only`, all against one server.
pub(crate) fn replay(transcript: &Path, only: &str) -> Vec<Outcome> {
    let text = fs::read_to_string(transcript).expect("the transcript is there");
    let mut player = Player { bare: Model::bare(), cluster: None };
    let cases = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a case"));
    cases
        .filter(|case| case["case"].as_str().is_some_and(|name| name.contains(only)))
        .flat_map(|case| player.case(&case))
        .collect()
}

struct Player {
    bare: Model,
    /// For cases that were recorded with controllers at work, once there is one.
    cluster: Option<Model>,
}

/// So many looks somebody takes who waits for something: 25 seconds' worth.
const LOOKS: usize = 125;

impl Player {
    fn case(&mut self, case: &Value) -> Vec<Outcome> {
        if let Some(webhooks) = case["webhooks"].as_array() {
            self.bare = Model::Bare(answered_by(webhooks).into(), Timestamp::START);
        }
        let model = match case["family"] == "cluster" {
            true => self.cluster.get_or_insert_with(Model::cluster),
            false => &mut self.bare,
        };
        let (mut normal, mut seen, mut outcomes) = (Normal::default(), Vec::new(), Vec::new());
        for (index, exchange) in case["exchanges"].as_array().expect("exchanges").iter().enumerate()
        {
            let request = resolve(&exchange["request"], &seen);
            let (status, body, warnings) = ask(model, &request);
            seen.push(body.clone());
            let got = json!({
                "status": status,
                "body": normal.walk(&shown(body, status, &request), ""),
                "warnings": warnings,
            });
            let want = &exchange["response"];
            let level = level(want, &got);
            let mut differences = Vec::new();
            if level < Level::Exact {
                differ(want, &got, "", &mut differences);
            }
            outcomes.push(Outcome {
                family: text(&case["family"]).into(),
                case: text(&case["case"]).into(),
                index,
                request: format!("{} {}", text(&request["method"]), text(&request["type"]))
                    .trim_end()
                    .into(),
                asked: Asked::of(
                    text(&request["method"]),
                    text(&request["path"]),
                    text(&request["type"]),
                ),
                level,
                differences,
            });
        }
        outcomes
    }
}

/// The answer to a request, or the first that is what it waits for.
fn ask(model: &mut Model, request: &Value) -> (u16, Value, Vec<String>) {
    model.pass();
    for _ in 0..LOOKS {
        let (status, body, warnings) = send(model, request);
        if request.get("until").is_none_or(|until| meets(until, status, &body)) {
            return (status, body, warnings);
        }
        model.wait();
    }
    send(model, request)
}

fn send(model: &mut Model, request: &Value) -> (u16, Value, Vec<String>) {
    let body = match &request["body"] {
        Value::Null => Vec::new(),
        Value::String(hex) if request["type"] == "protobuf" => from_protobuf(model, hex),
        body => body.to_string().into_bytes(),
    };
    let http = rest::HttpRequest {
        accept: text(&request["accept"]),
        method: text(&request["method"]),
        target: text(&request["path"]),
        content_type: media_type(request, &body),
        body: &body,
    };
    let agent = request["agent"].as_str().unwrap_or("probe/1.0");
    let mut caller = Caller::new("admin", agent);
    caller.groups.push("system:masters".into());
    let answer = model.answer(&caller, &http);
    (answer.code, json_of(answer.body), answer.warnings.iter().map(|w| header(w)).collect())
}

/// A body in protobuf, written in hexadecimal, as the port reads it.
fn from_protobuf(model: &Model, hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2).map(|at| &hex[at..at + 2]);
    let bytes: Vec<u8> =
        pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect();
    let read = rest::protobuf::to_json(model.server(), &bytes).expect("a body in protobuf");
    read.to_string().into_bytes()
}

/// A server of a case's own, with those who answer its webhooks: its configurations stay.
fn answered_by(webhooks: &[Value]) -> Server {
    let mut server = Server::new();
    for webhook in webhooks {
        server.add_webhook(serde_json::from_value(webhook.clone()).expect("a webhook"));
    }
    server
}
