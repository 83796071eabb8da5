//! The bytes of one connection, and how they end: with whoever gives up its request, or where nothing of it is taken any
//! more. hyper alone would hold on to a server that neither reads nor closes.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Extensions;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::places::Place;

/// So long a server may take nothing of what is written to it.
const STALL: Duration = Duration::from_secs(30);

pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connection, with the place that it has.
pub(super) struct Line {
    stream: Stream,
    hung_up: CancellationToken,
    hanging_up: Pin<Box<WaitForCancellationFutureOwned>>,
    stalled: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

/// Travels with what hyper tells of a connection.
#[derive(Clone)]
struct HangUp(CancellationToken);

impl Line {
    pub(super) fn new(stream: Stream, place: Place) -> Line {
        let hung_up = CancellationToken::new();
        let hanging_up = Box::pin(hung_up.clone().cancelled_owned());
        Line { stream, hung_up, hanging_up, stalled: None, _place: place }
    }

    /// Nothing while it stands.
    fn is_over(&mut self, context: &mut Context<'_>) -> Option<io::Error> {
        let over = self.hanging_up.as_mut().poll(context).is_ready();
        over.then(|| io::Error::new(io::ErrorKind::ConnectionAborted, "its request was given up"))
    }

    fn written<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        if let Some(over) = self.is_over(context) {
            return Poll::Ready(Err(over));
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALL)));
        ready!(stalled.as_mut().poll(context));
        let reason = format!("the server took nothing of the request for {} s", STALL.as_secs());
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, reason)))
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(HangUp(self.hung_up.clone()))
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(over) = self.is_over(context) {
            return Poll::Ready(Err(over));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.written(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.written(context, shut)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(context, written)
    }
}

/// Held by a request until all of its answer is there. Dropped before, or while its own body is still on its way, it
/// hangs up: nobody else is on an HTTP/1.1 connection. One of HTTP/2 is shared; there a stream is reset.
pub(super) struct Unfinished {
    connection: CaptureConnection,
    /// The body of the request has the other one.
    sending: Arc<()>,
    answered: bool,
}

impl Unfinished {
    pub(super) fn new(connection: CaptureConnection, sending: Arc<()>) -> Unfinished {
        Unfinished { connection, sending, answered: false }
    }

    /// All of the answer is there.
    pub(super) fn is_answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.answered && Arc::strong_count(&self.sending) == 1 {
            return;
        }
        let connected = self.connection.connection_metadata();
        let Some(connected) = connected.as_ref().filter(|connected| !connected.is_negotiated_h2()) else { return };
        let mut extras = Extensions::new();
        connected.get_extras(&mut extras);
        if let Some(HangUp(hung_up)) = extras.get() {
            hung_up.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use hookbox_core::name::PluginName;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::super::places::Places;
    use super::*;

    async fn line() -> (Line, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let place = Places::default().of(&PluginName::parse("a").unwrap()).socket().await.unwrap();
        (Line::new(MaybeHttpsStream::Http(TokioIo::new(near)), place), far)
    }

    async fn write_until_it_ends(line: &mut Line) -> io::Error {
        let part = [0; 64 << 10];
        loop {
            if let Err(error) = poll_fn(|context| Pin::new(&mut *line).poll_write(context, &part)).await {
                return error;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_nothing_more_is_given_up() {
        let (mut line, _far) = line().await;
        let begun = Instant::now();
        let error = write_until_it_ends(&mut line).await;
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        assert!(begun.elapsed() >= STALL, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn who_waits_for_the_server_learns_that_it_is_hung_up() {
        let (mut line, _far) = line().await;
        let hung_up = line.hung_up.clone();
        let (error, ()) = tokio::join!(write_until_it_ends(&mut line), async {
            tokio::task::yield_now().await;
            hung_up.cancel();
        });
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted, "{error}");
    }
}
