//! The bytes of one connection, and how they end: a little after the request was given up that has it, or where nothing
//! is taken of what is written. hyper alone would hold on to a server that neither reads nor closes.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http::Extensions;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep};

use super::places::Place;
use super::record::Recorded;

/// So long a server may take nothing of what is written to it.
const STALL: Duration = Duration::from_secs(30);
/// So long hyper has to bring the request to an end that was given up, and to keep its connection for another one.
const GRACE: Duration = Duration::from_secs(1);

pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connection, with the place that it has.
pub(super) struct Line {
    stream: Stream,
    holder: Arc<Holder>,
    stalled: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

/// Whose request a connection is at. It travels with what hyper tells of the connection.
#[derive(Default)]
struct Holder {
    /// The number of the request that was written last; only the task of the connection changes it.
    request: AtomicU64,
    /// The one with which the connection is to end.
    given_up: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

/// Of a holder: whatever the request, the connection is to end.
const EVERY: u64 = u64::MAX;

impl Holder {
    fn hang_up(&self, request: u64) {
        self.given_up.store(request, Ordering::Release);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Once it has been asked, whoever asked is woken.
    fn is_over(&self, context: &Context<'_>) -> bool {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        let given_up = self.given_up.load(Ordering::Acquire);
        given_up == EVERY || given_up != 0 && given_up == self.request.load(Ordering::Acquire)
    }
}

impl Line {
    pub(super) fn new(stream: Stream, place: Place) -> Line {
        Line { stream, holder: Arc::default(), stalled: None, _place: place }
    }

    /// Nothing while it stands.
    fn is_over(&self, context: &Context<'_>) -> Option<io::Error> {
        let over = self.holder.is_over(context);
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
        self.stream.connected().extra(Arc::clone(&self.holder))
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

/// A request on its way through a connection.
pub(super) struct Travelling {
    number: u64,
    connection: CaptureConnection,
    /// The body has the other one, as long as it is being sent.
    sending: Arc<()>,
}

/// Held with the body of a request.
pub(super) struct Sending {
    number: u64,
    connection: CaptureConnection,
    _sending: Arc<()>,
}

impl Travelling {
    pub(super) fn new(connection: CaptureConnection) -> (Travelling, Sending) {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let (number, sending) = (NUMBER.fetch_add(1, Ordering::Relaxed), Arc::new(()));
        let with_body = Sending { number, connection: connection.clone(), _sending: Arc::clone(&sending) };
        (Travelling { number, connection, sending }, with_body)
    }

    /// Sees to it that its connection ends, unless it comes to its end by itself or is at another request by then.
    /// `answered`: all of the answer is there. `is_over` tells whether the attempt is: until then an upload may go on.
    async fn end(self, answered: bool, is_over: impl Fn() -> bool) {
        let is_sending = || Arc::strong_count(&self.sending) > 1;
        while is_sending() && !is_over() {
            sleep(GRACE).await;
        }
        if answered && !is_sending() {
            return;
        }
        sleep(GRACE).await;
        match holder(&self.connection) {
            Some((holder, false)) => holder.hang_up(self.number),
            // Others share it: a stream is reset, unless the server leaves no room for its body.
            Some((holder, true)) => {
                sleep(STALL).await;
                if is_sending() {
                    holder.hang_up(EVERY);
                }
            }
            None => {}
        }
    }
}

impl Sending {
    /// The connection is about to write the request's head.
    pub(super) fn begins(&self) {
        if let Some((holder, false)) = holder(&self.connection) {
            holder.request.store(self.number, Ordering::Release);
        }
    }
}

/// And whether it is one of HTTP/2.
fn holder(connection: &CaptureConnection) -> Option<(Arc<Holder>, bool)> {
    let connected = connection.connection_metadata();
    let connected = connected.as_ref()?;
    let mut extras = Extensions::new();
    connected.get_extras(&mut extras);
    Some((extras.remove::<Arc<Holder>>()?, connected.is_negotiated_h2()))
}

/// Held by a request until all of its answer is there, or nobody wants it.
pub(super) struct Unfinished {
    travelling: Option<Travelling>,
    recorded: Recorded,
    answered: bool,
}

impl Unfinished {
    pub(super) fn new(travelling: Travelling, recorded: Recorded) -> Unfinished {
        Unfinished { travelling: Some(travelling), recorded, answered: false }
    }

    /// All of the answer is there.
    pub(super) fn is_answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(travelling) = self.travelling.take() else { return };
        if self.answered && Arc::strong_count(&travelling.sending) == 1 {
            return;
        }
        // Without a runtime there is no connection either.
        if let Ok(runtime) = Handle::try_current() {
            let (answered, recorded) = (self.answered, self.recorded.clone());
            runtime.spawn(async move { travelling.end(answered, || recorded.is_over()).await });
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
        let part = vec![0; 64 << 10];
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
    async fn a_connection_ends_with_the_request_that_is_given_up_and_with_no_other() {
        let (mut line, _far) = line().await;
        let holder = Arc::clone(&line.holder);
        holder.request.store(2, Ordering::Release);
        holder.hang_up(1);
        let written = poll_fn(|context| Pin::new(&mut line).poll_write(context, b"of the second")).await.unwrap();
        assert_eq!(written, 13);
        let (error, ()) = tokio::join!(write_until_it_ends(&mut line), async {
            tokio::task::yield_now().await;
            holder.hang_up(2);
        });
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted, "{error}");
    }
}
