//! The model as a `tower` service: what kube-rs takes for a cluster.

use std::convert::Infallible;
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::Body as HttpBody;

use super::answer::{Body, answer};
use super::model::Model;

/// Answers without fail; a watch goes on as long as its body is read.
impl<B> tower_service::Service<Request<B>> for Model
where
    B: HttpBody + Send + 'static,
    B::Data: Send,
    B::Error: Display + Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let model = self.clone();
        Box::pin(async move { Ok(answer(&model, request).await) })
    }
}
