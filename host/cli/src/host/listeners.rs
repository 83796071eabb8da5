//! The listeners of a host.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use hookbox_http::serve::{self, ServerLimits};
use hookbox_http::tls::Tls;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 4096;

pub(super) fn bind(address: SocketAddr, key: &str) -> Result<TcpListener> {
    let cure =
        || format!("cannot listen on {address}: choose another address for {key} in hooks.yaml, or stop what uses it");
    listen(address).with_context(cure)
}

/// As `TcpListener::bind`, with room for a burst of connections: one that finds none tries again after a second only.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

pub(super) async fn serve_until(
    listener: TcpListener,
    router: axum::Router,
    tls: Option<Arc<Tls>>,
    limits: ServerLimits,
    mut stopped: watch::Receiver<bool>,
) {
    let shutdown = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    serve::serve(listener, router, tls, limits, shutdown).await;
}
