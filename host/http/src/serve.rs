//! A router on a socket, with or without TLS: HTTP/1.1, every connection bounded, and a graceful end.

mod connections;
mod sending;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use hookbox_core::config::CONNECTIONS;
use hookbox_core::time::Millis;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::share::{PART, Share, Shares};
use crate::tls::Tls;
use connections::{Activity, Connections};
use sending::Sending;

/// Headers of one request: senders write about twenty.
pub const HEADERS_MAX: usize = 100;
/// What one connection holds of a request's head.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A head comes within this, and so does what TLS begins with; a connection without a request is closed after it.
pub const HEAD_READ_TIMEOUT: Millis = Millis(30_000);
/// A connection that has had nothing to be answered for so long may have to make room for a new one.
pub const SILENT_FOR: Millis = Millis(1000);
/// How long requests may go on at shutdown.
pub const DRAIN: Millis = Millis(25_000);
/// A pause after a failed `accept`, since out of file descriptors the next one would fail at once; and between two
/// looks for a place.
const ACCEPT_PAUSE: Millis = Millis(100);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// At one time. One more closes the one that has been open without a request for longest; where every one has a
    /// request, it waits. One address has a quarter of them at most, unless it is loopback or in `crowds`.
    pub connections_max: usize,
    /// Whose connections are many senders': proxies.
    pub crowds: Vec<IpNet>,
    pub silent_for: Millis,
    pub headers_max: usize,
    /// At least 8 KiB.
    pub head_bytes_max: usize,
    pub head_read_timeout: Millis,
    pub drain: Millis,
}

impl Default for ServerLimits {
    fn default() -> ServerLimits {
        ServerLimits {
            connections_max: usize::try_from(CONNECTIONS).unwrap_or(usize::MAX),
            crowds: Vec::new(),
            silent_for: SILENT_FOR,
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
    tls: Option<Arc<Tls>>,
    limits: ServerLimits,
    shutdown: impl Future<Output = ()>,
) -> Served {
    let server = server(&limits);
    let graceful = GracefulShutdown::new();
    let door = Door { places: Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS))), limits };
    let shares = Shares::default();
    let mut connections = Connections::default();
    let (closing, closed) = watch::channel(());
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            () = connections.one_ended() => continue,
            accepted = accept(&listener) => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE.as_duration()).await;
                continue;
            }
        };
        let Some(share) = door.share(&shares, peer) else {
            let Peer(address) = peer;
            tracing::debug!(%address, "{address} has as many connections as one address may");
            continue;
        };
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = door.place(&mut connections) => place,
        };
        let activity = Activity::new();
        let connection = Connection {
            server: server.clone(),
            router: router.clone(),
            peer,
            activity: activity.clone(),
            watcher: graceful.watcher(),
        };
        let (tls, within, mut closed) = (tls.clone(), door.limits.head_read_timeout, closed.clone());
        connections.spawn(activity, async move {
            match tls {
                None => connection.run(stream).await,
                Some(tls) => match tokio::select! {
                    // Nobody has asked for anything yet.
                    _ = closed.changed() => return,
                    shaken = tokio::time::timeout(within.as_duration(), tls.accept(stream)) => shaken,
                } {
                    Ok(Ok(stream)) => connection.run(stream).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a connection is no TLS that is taken: {error}"),
                    Err(_) => tracing::debug!("a connection did not come to TLS in time"),
                },
            }
            drop((place, share));
        });
    }
    drop((listener, closing));
    drain(graceful, connections, door.limits.drain).await
}

/// Who is let in.
struct Door {
    places: Arc<Semaphore>,
    limits: ServerLimits,
}

impl Door {
    fn share(&self, shares: &Shares, Peer(address): Peer) -> Option<Share> {
        let is_crowd = self.limits.crowds.iter().any(|network| network.contains(&address.to_canonical()));
        let max = if is_crowd { usize::MAX } else { self.limits.connections_max.div_ceil(PART) };
        shares.enter(address, max)
    }

    /// Waits until there is one.
    async fn place(&self, connections: &mut Connections) -> OwnedSemaphorePermit {
        loop {
            let free = Arc::clone(&self.places).acquire_owned();
            let wait = match self.places.available_permits() {
                0 if !connections.close_a_silent_one(self.limits.silent_for) => ACCEPT_PAUSE,
                _ => self.limits.drain,
            };
            if let Ok(Ok(place)) = tokio::time::timeout(wait.as_duration(), free).await {
                return place;
            }
        }
    }
}

struct Connection {
    server: http1::Builder,
    router: Router,
    peer: Peer,
    activity: Arc<Activity>,
    watcher: Watcher,
}

impl Connection {
    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Connection { server, router, peer, activity, watcher } = self;
        let routes = TowerToHyperService::new(router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let (answered, activity) = (routes.call(request), activity.clone());
            activity.begin();
            async move { answered.await.map(|answer| answer.map(|body| Sending::new(body, activity))) }
        });
        // Whatever ends a connection is the sender's matter: a request of its own was answered or not.
        if let Err(error) = watcher.watch(server.serve_connection(TokioIo::new(stream), service)).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

fn server(limits: &ServerLimits) -> http1::Builder {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_read_timeout.as_duration())
        .max_headers(limits.headers_max)
        .max_buf_size(limits.head_bytes_max.max(8192));
    server
}

async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, Peer)> {
    let (stream, address) = listener.accept().await?;
    // An answer is one small write: waiting for more of it would only cost time.
    stream.set_nodelay(true)?;
    Ok((stream, Peer(address.ip())))
}

async fn drain(graceful: GracefulShutdown, mut connections: Connections, within: Millis) -> Served {
    let ended = async {
        graceful.shutdown().await;
        while connections.len() > 0 {
            connections.one_ended().await;
        }
    };
    let _ = tokio::time::timeout(within.as_duration(), ended).await;
    let cut = connections.len();
    if cut > 0 {
        tracing::warn!(connections.cut = cut, "{cut} connections were cut: their requests took longer than {within}");
    }
    connections.close_all().await;
    Served { cut }
}
