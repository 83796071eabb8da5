//! A router on a socket: HTTP/1.1, every connection bounded, and a graceful end.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use hookbox_core::time::Millis;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Connections at one time; the next ones wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 4096;
/// Headers of one request: senders write about twenty.
pub const HEADERS_MAX: usize = 100;
/// What one connection holds of a request's head.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A head comes within this, and a connection without a request is closed after it.
pub const HEAD_READ_TIMEOUT: Millis = Millis(30_000);
/// How long requests may go on at shutdown.
pub const DRAIN: Millis = Millis(25_000);
/// A pause after a failed `accept`: out of file descriptors, the next one would fail at once.
const ACCEPT_PAUSE: Millis = Millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    pub connections_max: usize,
    pub headers_max: usize,
    /// At least 8 KiB.
    pub head_bytes_max: usize,
    pub head_read_timeout: Millis,
    pub drain: Millis,
}

impl Default for ServerLimits {
    fn default() -> ServerLimits {
        ServerLimits {
            connections_max: CONNECTIONS_MAX,
            headers_max: HEADERS_MAX,
            head_bytes_max: HEAD_BYTES_MAX,
            head_read_timeout: HEAD_READ_TIMEOUT,
            drain: DRAIN,
        }
    }
}

/// Whose connection a request came on; among its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Connections whose request was not answered when the time to drain was up.
    pub cut: usize,
}

/// Serves until `shutdown` completes; then takes no connection, finishes the requests that have come, and returns when
/// they are answered or `limits.drain` is over.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    shutdown: impl Future<Output = ()>,
) -> Served {
    let server = server(limits);
    let graceful = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS)));
    let mut connections: JoinSet<()> = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &free) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE.as_duration()).await;
                continue;
            }
        };
        let routes = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            routes.call(request)
        });
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        connections.spawn(async move {
            // Whatever ends a connection is the sender's matter: a request of its own was answered or not.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    drain(graceful, connections, limits.drain).await
}

fn server(limits: ServerLimits) -> http1::Builder {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_read_timeout.as_duration())
        .max_headers(limits.headers_max)
        .max_buf_size(limits.head_bytes_max.max(8192));
    server
}

async fn accept(listener: &TcpListener, free: &Arc<Semaphore>) -> io::Result<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let permit = Arc::clone(free).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    // An answer is one small write: waiting for more of it would only cost time.
    stream.set_nodelay(true)?;
    Ok((stream, Peer(address.ip()), permit))
}

async fn drain(graceful: GracefulShutdown, mut connections: JoinSet<()>, within: Millis) -> Served {
    let ended = async {
        graceful.shutdown().await;
        while connections.join_next().await.is_some() {}
    };
    let _ = tokio::time::timeout(within.as_duration(), ended).await;
    let cut = connections.len();
    if cut > 0 {
        tracing::warn!(connections.cut = cut, "{cut} connections were cut: their requests took longer than {within}");
    }
    connections.shutdown().await;
    Served { cut }
}
