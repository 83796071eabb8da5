//! A connection that costs no more than it may: made within a time, TLS included, and counted as long as it is open.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower_service::Service;

use super::client::{BoxError, Gate};

/// From the first packet to a connection that requests may use.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// Connections of one plugin version, idle ones among them.
pub(super) const SOCKETS_MAX: usize = 64;
/// Those of all plugins together.
pub(crate) const SOCKETS_OF_ALL_MAX: usize = 256;

#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "no connection within {} s, or no place for it: a plugin has at most {SOCKETS_MAX}, all of them {SOCKETS_OF_ALL_MAX}",
    CONNECT.as_secs()
)]
pub(super) struct TooSlow;

#[derive(Clone)]
pub(super) struct Connector {
    pub(super) inner: HttpsConnector<HttpConnector<Gate>>,
    pub(super) own: Arc<Semaphore>,
    pub(super) all: Arc<Semaphore>,
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

impl Service<Uri> for Connector {
    type Response = Held;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Held, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Connector { mut inner, own, all } = self.clone();
        let connect = async move {
            // Until idle ones are closed, if need be.
            let places = [own.acquire_owned().await?, all.acquire_owned().await?];
            Ok(Held { stream: inner.call(uri).await?, _places: places })
        };
        Box::pin(async { timeout(CONNECT, connect).await.map_err(|_| TooSlow)? })
    }
}

/// A connection, with the places that it has.
pub(super) struct Held {
    stream: Stream,
    _places: [OwnedSemaphorePermit; 2],
}

impl Connection for Held {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl Read for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Held {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }
}
