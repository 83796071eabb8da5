//! Bodies on their way, counted and bounded.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::Place;
use super::line::{Sending, Unfinished};
use super::record::Recorded;

/// What a guest may write to a request's body at once. Twice as much waits in each body that nobody reads yet.
pub(super) const CHUNK_BYTES: usize = 8 << 10;

/// Bytes that the answers of one attempt may still have, all together.
#[derive(Clone)]
pub(super) struct Budget {
    left: Arc<AtomicU64>,
    max: u64,
}

impl Budget {
    pub(super) fn new(max: u64) -> Budget {
        Budget { left: Arc::new(AtomicU64::new(max)), max }
    }

    /// Whether there was room for so many more.
    fn take(&self, bytes: usize) -> bool {
        let less = |left: u64| left.checked_sub(bytes as u64);
        self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok()
    }
}

/// The body of an answer.
struct Received {
    body: Incoming,
    budget: Budget,
    between: Duration,
    silent: Pin<Box<Sleep>>,
    recorded: Recorded,
    _place: Place,
    unfinished: Unfinished,
}

pub(super) fn received(
    body: Incoming,
    budget: Budget,
    between: Duration,
    recorded: Recorded,
    (place, mut unfinished): (Place, Unfinished),
) -> WasiBody {
    if body.is_end_stream() {
        unfinished.is_answered();
    }
    let silent = Box::pin(sleep(between));
    Received { body, budget, between, silent, recorded, _place: place, unfinished }.boxed_unsync()
}

impl Received {
    fn too_large(&self) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let max = self.budget.max;
        let reason = format!("more than {max} bytes in the answers of one attempt: raise limits.responses");
        self.recorded.failed(reason, false);
        Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(max)))))
    }

    fn too_slow(&self) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let reason = format!("nothing more of the answer within {} ms", self.between.as_millis());
        self.recorded.failed(reason, false);
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }
}

/// What is at the bottom of it: hyper itself says only that there was something.
fn root(error: &hyper::Error) -> String {
    let mut root: &(dyn StdError + 'static) = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let until = Instant::now() + self.between;
                self.silent.as_mut().reset(until);
                if let Some(data) = frame.data_ref() {
                    self.recorded.received(data.len());
                    if !self.budget.take(data.len()) {
                        return self.too_large();
                    }
                }
                if frame.is_trailers() || self.body.is_end_stream() {
                    self.unfinished.is_answered();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.recorded.failed(root(&error), false);
                Poll::Ready(Some(Err(Error::from(error))))
            }
            Poll::Ready(None) => {
                self.unfinished.is_answered();
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(self.silent.as_mut().poll(context));
                self.too_slow()
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request.
struct Sent {
    body: WasiBody,
    recorded: Recorded,
    sending: Sending,
}

pub(super) fn sent(body: WasiBody, recorded: Recorded, sending: Sending) -> WasiBody {
    Sent { body, recorded, sending }.boxed_unsync()
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        // Cut off, it must not look whole to the other side.
        if frame.is_none() && self.recorded.is_over() {
            return Poll::Ready(Some(Err(Error::HttpProtocolError)));
        }
        self.recorded.went_on();
        if let Some(Ok(frame)) = &frame {
            self.recorded.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    /// The connection asks before it writes the head.
    fn is_end_stream(&self) -> bool {
        self.sending.begins();
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
