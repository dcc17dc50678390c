//! The model behind the Kubernetes protocol: a kubectl, a controller or a dashboard that knows nothing of
//! the simulation talks to it over HTTP.
//!
//! A [`World`] is put behind a port; its time runs by the machine's clock, as fast as wanted, and its
//! controllers go on working while requests come in. Needs the feature `serve`.
//!
//! Source: the Kubernetes API conventions, and `k8s.io/apiserver` where they leave something open.

mod connection;
mod kubeconfig;
mod model;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

pub use kubeconfig::kubeconfig;
pub use model::Pace;

use crate::sim::World;
use crate::time::Timestamp;
use crate::trace::Trace;
use model::Shared;

/// How a world is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// The token that makes its bearer `admin` of `system:masters`. Without one everybody is.
    pub token: Option<String>,
    /// How fast the world's time runs.
    pub pace: Pace,
}

/// A world that is being served.
#[derive(Debug)]
pub struct Serving {
    shared: Arc<Shared>,
    listener: TcpListener,
}

impl Default for Options {
    /// On a free port of the loopback, for everybody there, in real time.
    fn default() -> Self {
        Options { addr: SocketAddr::from(([127, 0, 0, 1], 0)), token: None, pace: Pace::default() }
    }
}

impl Serving {
    /// Opens the port. From here on requests are queued; [`Serving::run`] answers them.
    ///
    /// # Errors
    ///
    /// When the address is taken or not allowed; when it is not on the loopback and there is no token,
    /// which would give the cluster to whoever comes by.
    pub async fn open(world: World, options: Options) -> io::Result<Self> {
        if !options.addr.ip().is_loopback() && options.token.is_none() {
            let message = format!(
                "{} can be reached from elsewhere; give a token, or listen on 127.0.0.1",
                options.addr
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(options.addr).await?;
        let shared = Arc::new(Shared::new(world, options.pace, options.token));
        Ok(Serving { shared, listener })
    }

    /// The address that is listened on.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers requests and lets time pass, until the future is dropped. `tell` is shown what has
    /// happened by now, at least once a second.
    ///
    /// # Errors
    ///
    /// When no connection can be accepted any more.
    pub async fn run(self, mut tell: impl FnMut(&Trace, Timestamp)) -> io::Result<()> {
        let time = self.shared.pass_time(&mut tell);
        tokio::select! {
            () = time => unreachable!("time does not end"),
            failed = accept(&self.listener, &self.shared) => failed,
        }
    }
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>) -> io::Result<()> {
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            // One client's trouble; or too many files are open, which passes.
            Err(error) if is_passing(&error) => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let service = service_fn(|request| connection::answer(Arc::clone(&shared), request));
            let mut server = http1::Builder::new();
            server
                .timer(TokioTimer::new())
                .header_read_timeout(std::time::Duration::from_secs(300));
            // A connection that breaks is its client's matter.
            let _broken = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn is_passing(error: &io::Error) -> bool {
    const TOO_MANY_FILES: [i32; 2] = [23, 24];
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
        || error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code))
}
