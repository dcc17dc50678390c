//! Watches: events as they happen, for as long as somebody reads them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::model::Model;
use crate::api::{ApiResponse, ResourceVersion, Status, Verb};
use crate::apiserver::rest::{HttpBody, Route};
use crate::sim::World;

/// How many chunks wait for a slow reader before its watch ends: it lists and watches anew.
const BACKLOG: usize = 64;

/// How long a watch lasts that does not say (`--min-request-timeout` is half an hour).
const LASTS: Duration = Duration::from_secs(1800);

/// How often a watch is told how far it has come.
const BOOKMARKS: Duration = Duration::from_secs(60);

/// A watch under way.
pub(super) struct Watch {
    route: Route,
    /// How far it has come.
    seen: ResourceVersion,
    /// What is to be sent first.
    first: Vec<Value>,
}

impl Watch {
    /// A watch whose first answer is there.
    pub(super) fn begin(world: &World, route: Route, first: ApiResponse) -> Self {
        let seen = world.server().version();
        let rendered = route.render(world.server(), world.now(), Ok(first)).body;
        let mut first = match rendered {
            HttpBody::Events(events) => events,
            _ => Vec::new(),
        };
        if route.initial_events {
            first.push(route.bookmark(seen, true));
        }
        Watch { route, seen, first }
    }

    /// What has happened since it was last asked.
    fn news(&mut self, world: &World) -> Result<Vec<Value>, Status> {
        let server = world.server();
        let mut request = self.route.request.clone();
        if let Verb::Watch(_, from) = &mut request.verb {
            *from = self.seen;
        }
        let answer = server.read_at(server.version(), &request)?;
        self.seen = server.version();
        match self.route.render(server, world.now(), Ok(answer)).body {
            HttpBody::Events(events) => Ok(events),
            _ => Ok(Vec::new()),
        }
    }

    fn lasts(&self) -> Duration {
        self.route.timeout_seconds.map_or(LASTS, Duration::from_secs).min(LASTS * 2)
    }
}

/// The body of a watch.
#[derive(Debug)]
pub struct Feed(mpsc::Receiver<Bytes>);

impl Feed {
    /// Sends what a watch sees, until it ends or nobody reads any more.
    pub(super) fn of(model: Model, watch: Watch) -> Self {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        tokio::spawn(send(model, watch, sender));
        Feed(receiver)
    }
}

impl Body for Feed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

async fn send(model: Model, mut watch: Watch, to: mpsc::Sender<Bytes>) {
    let mut versions = model.versions();
    let end = Instant::now() + watch.lasts();
    let mut bookmark = Instant::now() + BOOKMARKS;
    let first = std::mem::take(&mut watch.first);
    if !push(&to, &first) {
        return;
    }
    loop {
        let events = match model.peek(|world| watch.news(world)) {
            Ok(events) => events,
            Err(status) => {
                let gone = serde_json::json!({"type": "ERROR", "object": status.to_value()});
                push(&to, &[gone]);
                return;
            }
        };
        if !push(&to, &events) {
            return;
        }
        tokio::select! {
            changed = versions.changed() => if changed.is_err() { return },
            () = tokio::time::sleep_until(bookmark.min(end)) => {
                bookmark = Instant::now() + BOOKMARKS;
                if watch.route.bookmarks && !push(&to, &[watch.route.bookmark(watch.seen, false)]) {
                    return;
                }
            }
            () = to.closed() => return,
        }
        if Instant::now() >= end {
            return;
        }
    }
}

/// Hands over events; whether the reader still keeps up.
fn push(to: &mpsc::Sender<Bytes>, events: &[Value]) -> bool {
    if events.is_empty() {
        return true;
    }
    let text: String = events.iter().map(|event| format!("{event}\n")).collect();
    to.try_send(Bytes::from(text)).is_ok()
}
