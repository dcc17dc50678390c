//! The model behind a TCP port.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration as Span;

use http::header::HOST;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::answer::{Body, answer};
use super::caller::Access;
use super::model::Model;
use super::patience::Patient;
use super::tls::{self, Tls};
use crate::time::Timestamp;
use crate::trace::Trace;

/// How long somebody may take to say what is wanted.
const PATIENCE: Span = Span::from_secs(300);

/// How long somebody may take none of what is told.
const STALLED: Span = Span::from_secs(60);

/// A model that is being served on a port.
#[derive(Debug)]
pub struct Serving {
    model: Model,
    listener: TcpListener,
    tls: Tls,
}

impl Serving {
    /// Opens a port; 0 takes a free one. From here on requests are queued; [`Serving::run`] answers them.
    ///
    /// # Errors
    ///
    /// When the address is taken or not allowed; when it is not on the loopback and there is no token,
    /// which would give the cluster to whoever comes by.
    pub async fn open(model: Model, addr: SocketAddr) -> io::Result<Self> {
        if !addr.ip().is_loopback() && model.access() == Access::Open {
            let message = format!(
                "{addr} can be reached from elsewhere; give a token, or listen on 127.0.0.1"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(addr).await?;
        let key = tls::secret()?;
        model.with(|world| world.set_signing_key(&key));
        Ok(Serving { model, listener, tls: Tls::at(addr)? })
    }

    /// The address that is listened on.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The certificate, as PEM, by which clients that speak TLS know the server's. It is made anew every time.
    pub fn authority(&self) -> &str {
        &self.tls.authority
    }

    /// Answers requests and lets time pass, until the future is dropped. `tell` is handed what
    /// has happened since it was last told, at least once a second; the world keeps no trace of it.
    ///
    /// # Errors
    ///
    /// When no connection can be accepted any more.
    pub async fn run(self, mut tell: impl FnMut(Trace, Timestamp)) -> io::Result<()> {
        let time = self.model.pass_time(&mut tell);
        tokio::select! {
            () = time => unreachable!("time does not end"),
            failed = accept(&self) => failed,
        }
    }
}

async fn accept(serving: &Serving) -> io::Result<()> {
    loop {
        match serving.listener.accept().await {
            Ok((stream, _)) => {
                stream.set_nodelay(true)?;
                tokio::spawn(connection(stream, serving.model.clone(), serving.tls.clone()));
            }
            // One client's trouble; or too many files are open, which passes.
            Err(error) if is_passing(&error) => tokio::time::sleep(Span::from_millis(50)).await,
            Err(error) => return Err(error),
        }
    }
}

/// Answers what comes over a connection, whether it is in the clear or speaks TLS.
///
/// Most connections are idle for most of the time, so what it takes to answer is boxed, and not there
/// before something is said.
async fn connection(stream: TcpStream, model: Model, tls: Tls) {
    let mut first = [0];
    match timeout(PATIENCE, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first == [tls::HANDSHAKE] => Box::pin(secured(stream, &model, &tls)).await,
        Ok(Ok(1)) => Box::pin(answer_on(stream, &model)).await,
        // Who says nothing has had its turn.
        _ => {}
    }
}

async fn secured(stream: TcpStream, model: &Model, tls: &Tls) {
    // Who knows no TLS, or does not come to its end, has had its turn too.
    if let Ok(Ok(stream)) = timeout(PATIENCE, tls.acceptor.accept(stream)).await {
        answer_on(stream, model).await;
    }
}

async fn answer_on(stream: impl AsyncRead + AsyncWrite + Unpin, model: &Model) {
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(match lacks_host(&request) {
            true => no_host(),
            false => answer(model, request).await,
        })
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let stream = Patient::new(stream, STALLED);
    // A connection that breaks is its client's matter.
    let _broken = server.serve_connection(TokioIo::new(stream), service).await;
}

/// HTTP/1.1 has a `Host` header, always (RFC 9112, section 3.2).
fn lacks_host(request: &Request<Incoming>) -> bool {
    request.version() == Version::HTTP_11 && !request.headers().contains_key(HOST)
}

fn no_host() -> Response<Body> {
    let said = "400 Bad Request: missing required Host header";
    let mut answer = Response::new(Either::Left(Full::new(said.into())));
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer
}

fn is_passing(error: &io::Error) -> bool {
    const TOO_MANY_FILES: [i32; 2] = [23, 24];
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
        || error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code))
}
