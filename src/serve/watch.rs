//! Watches: events as they happen, for as long as somebody reads them.
//!
//! A watch is a cursor into the log: what its reader has not asked for yet is not written anywhere, so a
//! reader may be as slow as it likes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration as Span;

use hyper::body::{Body, Bytes, Frame};
use serde_json::Value;
use tokio::sync::watch;

use super::model::{Deadline, Model, Standing};
use crate::api::{ApiResponse, Body as Answer, ResourceVersion, Status, Verb, WatchEvent};
use crate::apiserver::rest::{self, Route};
use crate::sim::World;

/// So many bytes of events are written at once, and an event more.
const CHUNK: usize = 64 * 1024;

/// How long a watch lasts that does not say (`--min-request-timeout` is half an hour).
const LASTS: Span = Span::from_secs(1800);

/// How often a watch is told how far it has come.
const BOOKMARKS: Span = Span::from_secs(60);

/// A watch under way.
pub(super) struct Watch {
    route: Route,
    /// What has happened and is not told yet.
    news: VecDeque<WatchEvent>,
    /// How far that goes.
    seen: ResourceVersion,
    /// Whether it is still to be told where the objects that were there end.
    opening: bool,
}

impl Watch {
    /// A watch whose first answer is there.
    pub(super) fn begin(world: &World, route: Route, first: ApiResponse) -> Self {
        let (seen, opening) = (world.server().version(), route.initial_events);
        Watch { route, news: events_in(first).into(), seen, opening }
    }

    /// What is to be told now: events as lines of JSON. Empty when there is nothing.
    ///
    /// # Errors
    ///
    /// When the log does not reach back to what was told last.
    fn told(&mut self, world: &World) -> Result<String, Status> {
        if self.news.is_empty() && !self.opening {
            self.look(world)?;
        }
        let mut text = String::new();
        while text.len() < CHUNK
            && let Some(event) = self.news.pop_front()
        {
            push(&mut text, &self.route.event(world.server(), world.now(), event));
        }
        if self.news.is_empty() && std::mem::take(&mut self.opening) {
            push(&mut text, &self.route.bookmark(self.seen, true));
        }
        Ok(text)
    }

    /// Sees what has happened since it last looked.
    fn look(&mut self, world: &World) -> Result<(), Status> {
        let server = world.server();
        let mut request = self.route.request.clone();
        if let Verb::Watch(_, from) = &mut request.verb {
            *from = self.seen;
        }
        self.news = events_in(server.read_at(server.version(), &request)?).into();
        self.seen = server.version();
        Ok(())
    }

    fn lasts(&self) -> Span {
        let given = self.route.timeout_seconds.filter(|seconds| *seconds > 0);
        given.map_or(LASTS, Span::from_secs).min(LASTS * 2)
    }
}

fn events_in(answer: ApiResponse) -> Vec<WatchEvent> {
    match answer.body {
        Answer::Events(events) => events,
        _ => Vec::new(),
    }
}

fn push(text: &mut String, event: &Value) {
    text.push_str(&rest::text(event));
    text.push('\n');
}

/// The body of the answer to a watch: a line of JSON an event.
pub struct Feed {
    /// The next chunk, and what comes after it; `None` when it has ended.
    next: Option<Next>,
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Reading)>> + Send>>;

impl Feed {
    pub(super) fn of(model: Model, watch: Watch) -> Self {
        let reading = Reading {
            standing: model.standing(),
            end: model.deadline(watch.lasts()),
            bookmark: model.deadline(BOOKMARKS),
            model,
            watch: Some(watch),
        };
        Feed { next: Some(Box::pin(reading.next())) }
    }
}

impl Body for Feed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let Poll::Ready(next) = next.as_mut().poll(context) else { return Poll::Pending };
        let (chunk, rest) = next.unzip();
        self.next = rest.map(|reading| Box::pin(reading.next()) as Next);
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none()
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("ended", &self.next.is_none()).finish()
    }
}

/// Somebody reading a watch.
struct Reading {
    model: Model,
    standing: watch::Receiver<Standing>,
    end: Deadline,
    bookmark: Deadline,
    /// `None` once it has failed.
    watch: Option<Watch>,
}

impl Reading {
    /// The next chunk, when there is one; `None` when the watch is over.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            let over = self.model.is_over(self.end);
            let text = self.told()?;
            if over {
                self.watch = None;
            }
            match text.is_empty() {
                false => return Some((Bytes::from(text), self)),
                true if over => return None,
                true => self.wait().await,
            }
        }
    }

    fn told(&mut self) -> Option<String> {
        let watch = self.watch.as_mut()?;
        let bookmark = watch.route.bookmarks && self.model.is_over(self.bookmark);
        match self.model.peek(|world| watch.told(world)) {
            Ok(text) if text.is_empty() && bookmark => {
                self.bookmark = self.model.deadline(BOOKMARKS);
                Some(format!("{}\n", watch.route.bookmark(watch.seen, false)))
            }
            Ok(text) => Some(text),
            Err(status) => {
                self.watch = None;
                Some(format!(
                    "{}\n",
                    serde_json::json!({"type": "ERROR", "object": status.to_value()})
                ))
            }
        }
    }

    async fn wait(&mut self) {
        let bookmarks = self.watch.as_ref().is_some_and(|watch| watch.route.bookmarks);
        tokio::select! {
            () = self.model.move_on(&mut self.standing) => {}
            () = self.end.passes() => {}
            () = self.bookmark.passes(), if bookmarks => {}
        }
    }
}
