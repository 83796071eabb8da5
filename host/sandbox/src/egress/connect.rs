//! A connection that costs no more than it may: made within a time, TLS included, and counted as long as it is open.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use rustls::ClientConfig;
use tokio::time::timeout;
use tower_service::Service;

use super::client::{BoxError, Gate};
use super::line::Line;
use super::places::{ALL_MAX, OfPlugin, SOCKETS_MAX};

/// From the lookup to a connection that requests may use. The addresses of one family share it out.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "no connection within {} s, or no place for it: a plugin has at most {SOCKETS_MAX}, all of them {ALL_MAX}",
    CONNECT.as_secs()
)]
pub(super) struct TooSlow;

#[derive(Clone)]
pub(super) struct Connector {
    gate: Gate,
    tls: Arc<ClientConfig>,
    places: Arc<OfPlugin>,
}

impl Connector {
    pub(super) fn new(gate: Gate, mut tls: ClientConfig, places: Arc<OfPlugin>) -> Connector {
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Connector { gate, tls: Arc::new(tls), places }
    }

    async fn connect(self, uri: Uri) -> Result<Line, BoxError> {
        let found = self.gate.addresses(uri.host().unwrap_or_default()).await?;
        // Only from here on: a name whose servers say nothing keeps nobody from connecting.
        let place = self.places.socket().await?;
        let mut http = HttpConnector::new_with_resolver(Found(found));
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        http.set_nodelay(true);
        Ok(Line::new(HttpsConnector::from((http, self.tls)).call(uri).await?, place))
    }
}

/// Addresses that passed the second gate: whatever the name leads to by now.
#[derive(Clone)]
struct Found(Vec<SocketAddr>);

impl Service<Name> for Found {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _name: Name) -> Self::Future {
        ready(Ok(std::mem::take(&mut self.0).into_iter()))
    }
}

impl Service<Uri> for Connector {
    type Response = Line;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Line, BoxError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.clone().connect(uri);
        Box::pin(async { timeout(CONNECT, connecting).await.map_err(|_| TooSlow)? })
    }
}
